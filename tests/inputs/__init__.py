"""Targets and predictions for any loss, drawn from the domains that it declares; tests and benchmarks share them."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastloss import Loss, ReverseKL
from fastloss._core.loss import RAW
from fastloss._core.parameters import ANY, NON_NEGATIVE, UNIT, Domain
from fastloss.vectors.batches import BatchLoss

Array = NDArray[Any]


OF_ELEMENTS = {"elementwise", "columns", "aggregate"}  # families of which an element of the targets has a loss
CLASSES = 1000  # of a rowwise loss at most, where only the number of elements is given
FEWER = {"multilabel_margin": 20}  # whose NumPy twin compares each pair of classes


def family(loss: Loss) -> str:
    """The package that a loss is in."""
    return type(loss).__module__.split(".")[1]


def draw_arrays(loss: Loss, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[Array, ...]:
    """Draw the arrays of a call in the order of its signature.

    Parameters
    ----------
    loss : Loss
        Of any family; what `draw` and `draw_rows` do not know of is in the module here of its family's name.
    size : int
        How many predicted numbers, roughly.
    dtype : dtype
        The floating-point type of predictions.
    rng : Generator
        The source of randomness.

    Returns
    -------
    tuple of ndarray
        With which to call the loss.
    """
    if loss.signature.rowwise:
        classes = min(FEWER.get(loss.function_name, CLASSES), math.isqrt(size))
        return draw_rows(loss, size // classes, classes, dtype, rng)
    if family(loss) in OF_ELEMENTS:
        return draw(loss, size, dtype, rng)
    module = "batches" if isinstance(loss, BatchLoss) else family(loss)
    found: tuple[Array, ...] = import_module(f"tests.inputs.{module}").draw(loss, size, dtype, rng)
    return found


def draw(loss: Loss, n: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw targets and predictions as a user of the loss has them.

    Labels are of both classes, soft labels partly hard, counts partly zero; predictions of real targets miss
    them by little and by much; other real predictions are logits of a few units.

    Parameters
    ----------
    loss : Loss
        Whose domains and shapes to keep to.
    n : int
        The number of targets.
    dtype : dtype
        The floating-point type of both arrays.
    rng : Generator
        The source of randomness.

    Returns
    -------
    y_true, y_pred : ndarray
        Of shape (n,); `y_pred` has a second axis where the loss takes several predictions for a target.
    """
    target, prediction, second = loss.domains()
    y = _within(target, (n,), rng)
    if target == UNIT:
        y = np.where(rng.random(n, np.float32) < 0.5, np.rint(y), y)
    elif target == NON_NEGATIVE:
        y[rng.random(n, np.float32) < 0.1] = 0

    shape = (n, *loss.signature.losses)
    x = _within(prediction, shape, rng)
    if target == prediction == ANY:
        x = y.reshape(n, *(1 for _ in shape[1:])) + x * np.exp(rng.uniform(-5, 1, shape).astype(y.dtype))
    y, x = _representable(y, target, dtype), _representable(x, prediction, dtype)
    if loss.signature.pair:
        x = np.stack([x, _representable(_within(second, shape, rng), second, dtype)], axis=-1)
    return y, x


def draw_rows(
    loss: Loss, rows: int, classes: int, dtype: DTypeLike, rng: np.random.Generator, *, dense: bool = False
) -> tuple[Array, Array]:
    """Draw targets and scores of a rowwise loss as a user has them.

    Parameters
    ----------
    loss : Loss
        Whose `scores` and `targets` to keep to.
    rows, classes : int
        The shape of the scores.
    dtype : dtype
        The floating-point type of the scores, and of targets of each class.
    rng : Generator
        The source of randomness.
    dense : bool
        A target of each class, where the loss takes labels too.

    Returns
    -------
    y_true, y_pred : ndarray
        Labels of shape (rows,) or targets of shape (rows, classes), and scores of shape (rows, classes).
    """
    assert loss.signature.rowwise
    x = 3 * rng.standard_normal((rows, classes), np.float32)
    if loss.scores == "cosines":
        x = np.tanh(x / 3)
    elif loss.scores not in RAW:
        x = _log_softmax(x)
        x = np.exp(x) if loss.scores == "probabilities" else x
    if loss.signature.labels and not dense:
        return rng.integers(0, classes, rows), x.astype(dtype)
    y = 2 * rng.standard_normal((rows, classes), np.float32)
    if loss.targets == "labels":
        y = (y > 1).astype(np.float32)
    elif loss.targets != "reals":
        y = _log_softmax(y)
        if loss.targets == "probabilities":
            y = np.exp(y)
            if not isinstance(loss, ReverseKL):  # which is infinite for a target of 0
                y[rng.random(rows) < 0.2] = 0
                y[:, 0] += y.sum(axis=1) == 0
    return y.astype(dtype), x.astype(dtype)


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _within(domain: Domain, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if domain.ternary:
        return rng.choice(np.array([domain.low, domain.high], np.float32), shape)
    normal = 2 * rng.standard_normal(shape, np.float32)
    if domain.bounded:
        return domain.low + (domain.high - domain.low) / (1 + np.exp(-normal / 2))
    if domain.low > -np.inf:
        return domain.low + np.exp(normal / 2)
    if domain.high < np.inf:
        return domain.high - np.exp(normal / 2)
    return normal


def _representable(values: Array, domain: Domain, dtype: DTypeLike) -> Array:
    """The values in a type, where rounding must not take them out of the domain."""
    rounded: Array = values.astype(dtype)
    low, high, _ = domain.closed(rounded.dtype.type)
    return rounded.clip(low, high)
