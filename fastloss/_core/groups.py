"""Losses of the groups of a data set, in one pass over it: those of each chunk are added up while they are cached."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core import labels
from fastloss._core.evaluation import Evaluation, pieces
from fastloss._core.isa import kernels
from fastloss._core.tables import room
from fastloss._core.threads import threads_for
from fastloss.state import GroupStates

CHUNK = 1 << 19  # elements whose losses and weights stay in the caches together
FEW = 4096  # groups up to which each part of a chunk has sums of its own; of more, each thread has groups of its own
PARTS = 16
LINE = 64  # bytes of the caches

Index: TypeAlias = tuple[int | slice, ...]


class GroupSums:
    """The states of groups while elements are added to them, a chunk at a time."""

    def __init__(self, coding: labels.Coding, size: int, weighted: bool, num_threads: int | None) -> None:
        self._coding, self._weighted, self._num_threads = coding, weighted, num_threads
        self._number = len(coding)
        self._part = -(-CHUNK // PARTS) if self._number <= FEW else 0
        self._parts = max(1, -(-min(CHUNK, size) // self._part)) if self._part else 1
        self._kernels = kernels("groups")
        bytes_of_group = self._kernels.bytes_of_group(weighted)
        table = _aligned(self._parts * (self._number + 1) * bytes_of_group)
        self._table = (table, self._number, self._parts, weighted)
        self._kernels.begin_groups(*self._table, self._threads(self._number))
        self._none = table.reshape(self._parts, self._number + 1, bytes_of_group)[:, -1]  # of codes without a group
        self._unused = self._none.copy()

    def add(
        self, codes: labels.Array, losses: NDArray[np.float64], weights: NDArray[np.float64] | None, n: int
    ) -> None:
        """Add n losses, each code that of as many; weights are as `Evaluation.apart` writes them."""
        self._kernels.add_to_groups(
            self._table[0], self._number, labels.as_native(codes), self._coding.low % 2**64, losses, weights, n,
            self._part, self._threads(n),
        )  # fmt: skip

    @property
    def complete(self) -> bool:
        """Whether each element so far has a group."""
        return np.array_equal(self._none, self._unused)

    def states(self, *, seen: bool = True) -> GroupStates:
        """The states of the groups that have been seen, or of those that have codes, sorted by their labels."""
        coding = self._coding
        if seen:
            flags = np.empty(self._number, np.bool_)
            self._kernels.look_at_groups(*self._table, flags, self._threads(self._number))
            present = labels.by_label(coding, np.flatnonzero(flags))
        else:
            present = labels.present(coding)
        numbers = room(len(present), self._weighted)
        self._kernels.publish_groups(*self._table, present, tuple(numbers.values()), self._threads(len(present)))
        return GroupStates(dict(zip(coding.names, coding.columns(present), strict=True)), numbers)

    def _threads(self, size: int) -> int:
        return threads_for(self._num_threads, size)


def states(evaluation: Evaluation, groups: Any) -> GroupStates:
    """The state of each group; see `Loss.states`."""
    owner, shape = evaluation.owner, evaluation.shape
    if not evaluation.indexed:
        raise ValueError(f"{owner}: y_true or y_pred is a single number, must have a first axis for groups to index")
    size = math.prod(shape)
    coding = labels.encode(owner, groups, evaluation.num_threads, hasty=size > 0)
    if coding.codes.shape != shape[:1]:
        raise ValueError(
            f"{owner}: groups has shape {coding.codes.shape}, must be {shape[:1]},"
            " one for each index of y_pred's first axis"
        )
    if isinstance(coding, labels.Range) and len(coding) > FEW:  # which the first elements hardly tell all of
        coding = labels.encode(owner, groups, evaluation.num_threads)
    sums = _added_up(evaluation, coding)
    if not sums.complete:
        sums = _added_up(evaluation, labels.encode(owner, groups, evaluation.num_threads))
    return sums.states(seen=size > 0)


def of_losses(
    coding: labels.Coding, losses: NDArray[np.float64], weights: NDArray[np.float64], num_threads: int | None
) -> GroupStates:
    """The states of the groups of the rows of an array of losses, which do not count where their weight is -inf."""
    sums = GroupSums(coding, losses.size, True, num_threads)
    for index in pieces(losses.shape, CHUNK):
        some, own = np.ascontiguousarray(losses[index]), np.ascontiguousarray(weights[index])
        sums.add(coding.codes[_of_first_axis(index)], some, own, some.size)
    return sums.states()


def _added_up(evaluation: Evaluation, coding: labels.Coding) -> GroupSums:
    """The states of all groups; it ends with a chunk in which an element has none."""
    size = math.prod(evaluation.shape)
    sums = GroupSums(coding, size, evaluation.weighted, evaluation.num_threads)
    chunk = min(CHUNK, size)
    losses, weights = np.empty(chunk), np.empty(chunk) if evaluation.weighted else None
    for index in pieces(evaluation.shape, CHUNK):
        piece = evaluation.part(index)
        try:
            piece.apart(losses, weights)
        except (ValueError, IndexError):
            evaluation.state()  # names a bad element by its index in the whole
            raise
        sums.add(coding.codes[_of_first_axis(index)], losses, weights, math.prod(piece.shape))
        if not sums.complete:
            break
    return sums


def encode(groups: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The labels of groups and, for each element, the position of its own; missing ones are NaN.

    Some labels may have no element.
    """
    coding = labels.encode("states", groups)
    return labels.listed(coding.columns(np.arange(len(coding)))), labels.places(coding)


def _aligned(size: int) -> NDArray[np.uint8]:
    room = np.empty(size + LINE, np.uint8)
    return room[-room.ctypes.data % LINE :][:size]


def _of_first_axis(index: Index) -> slice:
    """The indices of the first axis that a piece is of."""
    first = index[0]
    return first if isinstance(first, slice) else slice(first, first + 1)
