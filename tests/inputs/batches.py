"""Arrays of losses of a batch against itself or another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastloss.vectors.batches import BatchLoss, LabelledLoss

FEATURES = 128  # at most
ROWS = 4096  # at most: the twins hold all similarities
CLASSES = 256  # of proxies at most


def draw(loss: BatchLoss, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[Any, ...]:
    """Draw the arrays of a call as a user has them: embeddings that are near those that they belong to.

    Parameters
    ----------
    loss : BatchLoss
        Whose signature to keep to.
    size : int
        How many predicted numbers, roughly, up to what a batch has.
    dtype : dtype
        The floating-point type of embeddings.
    rng : Generator
        The source of randomness.

    Returns
    -------
    tuple of ndarray
        With which to call the loss: the arrays that are given by position.
    """
    features = max(2, min(FEATURES, math.isqrt(size) // 2))
    rows = max(4, min(ROWS, size // features)) // 2 * 2
    if isinstance(loss, LabelledLoss):
        labels = rng.permutation(np.repeat(np.arange(rows // 2), 2))
        centres = rng.standard_normal((rows // 2, features), np.float32)
        return labels, _near(centres[labels], dtype, rng)
    names = loss.signature.names
    if "proxies" in names:
        classes = min(CLASSES, rows // 2)
        labels = rng.permutation(np.arange(rows) % classes)
        proxies = rng.standard_normal((classes, features), np.float32)
        return labels, _near(proxies[labels], dtype, rng), proxies.astype(dtype)
    left = rng.standard_normal((rows, features), np.float32)
    if loss.axes == 1 and not loss.unit:  # products of a few units, exact, or float32 would find other kinks
        left *= np.float32(1.5 / features**0.25)
        right = _near(left, np.float32, rng, 3.0) / 3
        return (np.rint(8 * left) / 8).astype(dtype), (np.rint(8 * right) / 8).astype(dtype)
    return left.astype(dtype), _near(left, dtype, rng)


def _near(rows: Any, dtype: DTypeLike, rng: np.random.Generator, noise: float = 0.7) -> Any:
    return (rows + np.std(rows) * noise * rng.standard_normal(rows.shape, np.float32)).astype(dtype)
