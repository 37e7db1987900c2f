"""Masks and predictions of a few images, for the losses of regions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

CLASSES = 3


def draw(loss: Any, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[Any, ...]:
    """Draw the arrays of a call: four square images, of several classes where the loss has such.

    Parameters
    ----------
    loss : Loss
        Of regions.
    size : int
        How many predicted numbers, roughly.
    dtype : dtype
        The floating-point type of predictions, and of masks that are no labels.
    rng : Generator
        The source of randomness.

    Returns
    -------
    tuple of ndarray
        Of shape (4, side, side), or (4, 3, side, side) with several classes.
    """
    side = max(2, math.isqrt(size // (4 * (1 if loss.mode == "binary" else CLASSES))))
    return drawn(loss, (4, side, side), dtype, rng)


def drawn(loss: Any, shape: tuple[int, ...], dtype: DTypeLike, rng: np.random.Generator) -> tuple[Any, ...]:
    """... of elements in this shape, whose first axis is of images."""
    whole = shape if loss.mode == "binary" else (shape[0], CLASSES, *shape[1:])
    x = 2 * rng.standard_normal(whole, np.float32)
    if loss.scores == "probabilities":
        x = np.exp(x - x.max(axis=1, keepdims=True)) if loss.mode == "multiclass" else 1 / (1 + np.exp(-x))
        x = x / x.sum(axis=1, keepdims=True) if loss.mode == "multiclass" else x
    x = x.astype(dtype)
    name = loss.function_name
    if name == "boundary":
        return (3 * rng.standard_normal(whole, np.float32)).astype(dtype), x
    if loss.mode == "multiclass":
        return rng.integers(0, CLASSES, shape), x
    y = (rng.random(whole, np.float32) < 0.3).astype(dtype)
    if name == "hausdorff_dt":
        return y, rng.gamma(2.0, 2.0, whole).astype(dtype), x
    return y, x
