"""Which elements count, and what the sum of their losses is divided by.

The kernels decide the same, an element at a time; what NumPy does besides asks here.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss._core.isa import kernels
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


def warn_of_nothing(owner: str, reduction: str, count: float, stacklevel: int = 2) -> None:
    """Say why there is nothing to divide by."""
    what = "weights sum to 0" if reduction == "mean" and count else "no element counts"
    warnings.warn(f"{owner}: {what}, the mean is NaN", RuntimeWarning, stacklevel=stacklevel)


def mean(total: float, divisor: float) -> float:
    """The quotient, rounded to nearest in every mode of the process; NaN where nothing counts."""
    return mean_of(total, divisor) if divisor else math.nan


def moments(weight: Array, loss: Array) -> tuple[float, ...]:
    """The numbers of the state of some losses, after its counts, as the kernels return them."""
    losses, weights = (np.ascontiguousarray(array, np.float64).ravel() for array in (loss, weight))
    found: tuple[float, ...] = kernels("groups").state_of_losses(losses, weights)
    return found
