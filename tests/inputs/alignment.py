"""Sequences as people of speech have them: more frames than labels, few of many classes in a target."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from fastloss.alignment.alignment import SequenceLoss
from tests.inputs import Array


def draw(loss: SequenceLoss, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw labels and logits, or the logarithms of probabilities, for a loss of sequences.

    Parameters
    ----------
    loss : Loss
        Whose layout to keep to.
    size : int
        How many predicted numbers, roughly.
    dtype : dtype
        The floating-point type of the predictions.
    rng : Generator
        The source of randomness.

    Returns
    -------
    y_true, y_pred : ndarray
        Labels of shape (N, S), and predictions.
    """
    cells = loss.axes == "NTUC"
    classes = max(3, min(40, math.isqrt(size) // 4))
    number = max(1, min(32, size // (100 * classes)))
    if cells:
        frames = max(2, math.isqrt(4 * size // (number * classes)))
        labels = frames // 4
        shape: tuple[int, ...] = (number, frames, labels + 1, classes)
    else:
        frames = max(5, size // (number * classes))
        labels = max(1, min(frames // 5, 100))
        shape = (number, frames, classes)
    x = 3 * rng.standard_normal(shape, np.float32)
    if loss.scores == "log_probabilities":
        x -= np.log(np.exp(x).sum(axis=-1, keepdims=True))
    others = np.array([k for k in range(classes) if k != loss.blank % classes])
    y: Array = rng.choice(others, (number, labels))
    return y, np.ascontiguousarray(np.moveaxis(x, 0, loss.axes.index("N"))).astype(dtype)
