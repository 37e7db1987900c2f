"""Losses of the groups of a data set, in one pass over it: those of each chunk are added up while they are cached."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss import _labels, _threads
from fastloss._isa import kernels
from fastloss._runtime import states_of
from fastloss.state import LossState

if TYPE_CHECKING:
    from fastloss._call import Call

CHUNK = 1 << 18  # elements whose losses and weights stay in the caches together
FEW = 4096  # groups up to which each of several parts of a chunk has its own sums; of more, each thread has its own
PARTS = 16
FIELDS = 8  # numbers that the kernel keeps of a group: the fields of a LossState first, whether there is one last
LINE = 64  # bytes, of a line of the caches: what they take

Index: TypeAlias = tuple[int | slice, ...]


def states(call: Call, groups: Any) -> dict[Any, LossState]:
    """The state of each group; see `Loss.states`."""
    owner, shape = call.owner, call.shape
    if not shape:
        raise ValueError(f"{owner}: y_pred is a single number, must have a first axis for groups to index")
    coding = _labels.encode(owner, groups, call.num_threads)
    if coding.codes.shape != shape[:1]:
        raise ValueError(
            f"{owner}: groups has shape {coding.codes.shape}, must be {shape[:1]},"
            " one for each index of y_pred's first axis"
        )
    number, size = len(coding), math.prod(shape)
    part = -(-CHUNK // PARTS) if number <= FEW else 0
    parts = -(-min(CHUNK, size) // part) if part else 1
    table = _aligned_zeros(max(1, parts) * (number + 1) * FIELDS)
    losses, weights = np.empty(min(CHUNK, size)), np.empty(min(CHUNK, size)) if call.weighted else None
    for index in _pieces(shape):
        piece = call.part(index)
        try:
            piece.apart(losses, weights)
        except (ValueError, IndexError):
            call.state()  # names a bad element by its index in the whole
            raise
        codes = _labels.as_native(coding.codes[_rows(index)])
        n = math.prod(piece.shape)
        kernels.add_to_groups(
            table, number, codes, coding.low % 2**64, losses, weights, n, part, _threads.choose(call.num_threads, n)
        )
    kernels.settle_groups(table, number, parts, call.weighted, _threads.choose(call.num_threads, number))
    rows = table[: number * FIELDS].reshape(number, FIELDS)
    present = np.flatnonzero(rows[:, -1]) if size else np.unique(_labels.places(coding))
    ranks = coding.ranks()
    if ranks is not None:
        present = present[np.argsort(ranks[present])]
    if ranks is not None or len(present) < number:
        rows = rows[present]
    return dict(zip(coding.labels(present), states_of(LossState, rows, FIELDS), strict=True))


def encode(groups: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The labels of groups and, for each element, the position of its own; missing ones are NaN.

    Some labels may have no element.
    """
    coding = _labels.encode("encode", groups)
    return coding.labels(np.arange(len(coding))), _labels.places(coding)


def in_order(labels: Iterable[Any]) -> list[Any]:
    """Labels sorted, missing ones last; where they do not compare, by their text."""
    given = list(labels)
    missing = [label for label in given if label != label]
    known = [label for label in given if label == label]
    return [known[k] for k in _labels.order(known)] + missing


def _aligned_zeros(size: int) -> NDArray[np.float64]:
    room = np.zeros(size + LINE // 8)
    return room[-room.ctypes.data % LINE // 8 :][:size]


def _pieces(shape: tuple[int, ...]) -> Iterator[Index]:
    """Indices of pieces of at most CHUNK elements in order, each of a slice of one axis and all of those inside it."""
    axis, width = len(shape) - 1, 1
    while axis and width * shape[axis] <= CHUNK:
        width *= shape[axis]
        axis -= 1
    step = max(1, CHUNK // max(1, width))
    for outer in np.ndindex(shape[:axis]):
        for start in range(0, shape[axis], step):
            yield *outer, slice(start, start + step)


def _rows(index: Index) -> slice:
    """The indices of the first axis that a piece is of."""
    first = index[0]
    return first if isinstance(first, slice) else slice(first, first + 1)
