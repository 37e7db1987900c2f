"""Losses of the groups of a data set: one pass for the sums, one for the spread about each group's own mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._arrays import as_array
from fastloss._call import Array
from fastloss.state import LossState

if TYPE_CHECKING:
    from fastloss._base import Loss

CHUNK = 65_536  # elements whose losses, weights and groups stay in second-level cache together


def states(parts: Parts, groups: ArrayLike) -> dict[Any, LossState]:
    """The state of each group; see `Loss.states`."""
    try:
        with np.errstate(invalid="ignore", over="ignore"):  # infinite losses have no spread, which is no news
            return _fold(parts, groups)
    except ValueError:
        parts.whole.state()  # names a bad element by its index in the whole rather than in its chunk
        raise


class Parts:
    """The elements of a call, a chunk of first-axis rows at a time."""

    def __init__(
        self,
        loss: Loss,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None,
        mask: ArrayLike | None,
        nan_policy: str,
        num_threads: int | None,
    ) -> None:
        owner = self.owner = type(loss).__name__
        self.whole = loss._call(loss, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        self.shape = self.whole.shape
        if not self.shape:
            raise ValueError(f"{owner}: y_pred is a single number, must have a first axis for groups to index")
        self._loss = loss
        self._y, self._x = as_array(owner, "y_true", y_true), as_array(owner, "y_pred", y_pred)
        self._weight = None if sample_weight is None else as_array(owner, "sample_weight", sample_weight)
        self._mask = None if mask is None else as_array(owner, "mask", mask)
        self._omit = nan_policy == "omit" and self._y.dtype.kind not in "biu"
        # Sums by group cost more than most losses and run on one thread: waking a second one for each chunk
        # gains little, and where another program keeps it waiting it costs a hundredfold.
        self._policy: dict[str, Any] = {"nan_policy": nan_policy, "num_threads": num_threads or 1}

    def __len__(self) -> int:
        return self.shape[0]

    def __call__(self, rows: slice) -> tuple[Array, Array, Array]:
        """Which elements count, their weights, and their losses with 0 where the weight is."""
        shape = (min(rows.stop, len(self)) - rows.start, *self.shape[1:])
        counted = np.ones(shape, bool)
        if self._mask is not None:
            counted &= _spread(self._mask[rows], shape)
        if self._omit:
            counted &= ~np.isnan(_spread(self._y[rows], shape))
        units = self._loss._units(self._y[rows], self._x[rows])
        if units is not None:
            counted &= units >= 0
        weight = counted.astype(np.float64)
        if self._weight is not None:
            np.copyto(weight, _spread(self._weight[rows], shape), "unsafe", where=counted)
        # A loss is asked for where it has weight: elsewhere it may be infinite or the element outside its domain.
        weighted = weight != 0
        if not np.all((weight >= 0) & (weight < np.inf)):
            raise ValueError(f"{self.owner}: sample_weight must be finite and not negative")
        losses = self._loss(
            self._y[rows], self._x[rows], mask=None if weighted.all() else weighted, reduction="none", **self._policy
        )
        losses = np.asarray(losses, np.float64)
        if units is not None:
            weight = weight * units
            losses = np.divide(losses, units, out=np.zeros(shape), where=weight != 0)
        return counted.ravel(), weight.ravel(), losses.ravel()


def _spread(array: Array, shape: tuple[int, ...]) -> Array:
    """An array of first axes as a view of all of them."""
    return np.broadcast_to(array.reshape(array.shape + (1,) * (len(shape) - array.ndim)), shape)


def _fold(parts: Parts, groups: ArrayLike) -> dict[Any, LossState]:
    given = as_array(parts.owner, "groups", groups)
    if given.shape != parts.shape[:1]:
        raise ValueError(
            f"{parts.owner}: groups has shape {given.shape}, must be {parts.shape[:1]},"
            " one for each index of y_pred's first axis"
        )
    labels, codes = encode(given)
    number = len(labels)
    count, weight, total, square, moment, spread = np.zeros((6, number))
    for code, counted, w, losses in _chunks(parts, codes, number):
        count += np.bincount(code, counted, number)
        weight += np.bincount(code, w, number)
        total += np.bincount(code, w * losses, number)
        square += np.bincount(code, w * w, number)
        moment += np.bincount(code, w * w * losses, number)
    center = np.divide(moment, square, out=np.zeros(number), where=square != 0)
    for code, _, w, losses in _chunks(parts, codes, number):
        apart = np.subtract(losses, center[code], out=np.zeros(len(code)), where=w != 0)
        spread += np.bincount(code, (w * apart) ** 2, number)
    columns = np.stack([count, weight, total, square, center, spread], axis=1).tolist()
    present = np.flatnonzero(np.bincount(codes, minlength=number))
    found = {labels[k]: LossState(*columns[k]) for k in present.tolist()}
    return {label: found[label] for label in in_order(found)}


def _chunks(parts: Parts, codes: NDArray[np.intp], number: int) -> Iterator[tuple[Array, Array, Array, Array]]:
    # Each chunk adds to every group, so it holds no fewer elements than there are groups.
    width = max(1, int(np.prod(parts.shape[1:])))
    step = max(1, max(CHUNK, number) // width)
    for start in range(0, len(parts), step):
        rows = slice(start, start + step)
        yield np.repeat(codes[rows], width) if width > 1 else codes[rows], *parts(rows)


# Labels -------------------------------------------------------------------------------------------


def encode(groups: Array) -> tuple[Sequence[Any], NDArray[np.intp]]:
    """The labels of groups and, for each element, the position of its own; missing ones are NaN.

    Some labels of a range of integers may have no element.
    """
    if groups.dtype.kind in "iu" and groups.size:
        low, high = int(groups.min()), int(groups.max())
        if high - low < max(CHUNK, groups.size):
            # Unsigned 64-bit integers wrap, and their differences wrap back.
            return range(low, high + 1), groups.astype(np.int64) - np.array(low, groups.dtype).astype(np.int64)
    if groups.dtype.kind in "biufmM":
        found, codes = np.unique(groups, return_inverse=True)
        return [label if label == label else np.nan for label in _objects(found)], codes
    # Sorting strings costs ten times what looking them up does.
    positions: defaultdict[Any, int] = defaultdict()
    positions.default_factory = positions.__len__
    looked_up = map(positions.__getitem__, (label if label == label else np.nan for label in groups.tolist()))
    codes = np.fromiter(looked_up, np.intp, groups.size)
    return list(positions), codes


def _objects(labels: Array) -> list[Any]:
    return list(labels) if labels.dtype.kind in "mM" else labels.tolist()


def in_order(labels: Any) -> list[Any]:
    """Labels sorted, the missing one last; where they do not compare, by their text."""
    try:
        return sorted(labels, key=lambda label: (label != label, label))
    except TypeError:
        return sorted(labels, key=lambda label: (label != label, str(label)))
