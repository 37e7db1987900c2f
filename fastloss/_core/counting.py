"""Which elements count, and what the sum of their losses is divided by.

The kernels decide the same, an element at a time; what NumPy does besides asks here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss._core.runtime import mean_of

Array = NDArray[Any]


def counted(
    shape: tuple[int, ...],
    *,
    mask: Array | None = None,
    weight: Array | None = None,
    labels: Array | None = None,
    ignored: int | None = None,
) -> NDArray[np.bool_]:
    """Where elements count: those that are not masked, of a weight other than 0, and of no ignored label."""
    found = np.ones(shape, bool)
    if mask is not None:
        found &= mask
    if weight is not None:
        found &= weight != 0
    if labels is not None and ignored is not None:
        found &= labels != ignored
    return found


def divisor(reduction: str, weight: float, count: float) -> float:
    """What a sum of losses is divided by, of elements with this sum of weights and this number."""
    if reduction == "mean":
        return weight
    return count if reduction == "batch_mean" else 1.0


def mean(total: float, divisor: float) -> float:
    """The quotient, rounded to nearest in every mode of the process; NaN where nothing counts."""
    return mean_of(total, divisor) if divisor else math.nan


def moments(weight: Array, loss: Array) -> tuple[float, float, float]:
    """Of losses under the squares of their weights: the sum of these, the mean, and the squares about it."""
    units = np.square(weight)
    square = float(units.sum())
    center = float(units @ loss) / square if square else 0.0
    return square, center, float(units @ np.square(loss - center))
