"""Losses of the groups of a data set, in one pass over it: those of each chunk are added up while they are cached."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core import labels
from fastloss._core.evaluation import Evaluation, pieces
from fastloss._core.isa import kernels
from fastloss._core.threads import threads_for
from fastloss.state import GroupStates

CHUNK = 1 << 19  # elements whose losses and weights stay in the caches together
FEW = 4096  # groups up to which each part of a chunk has sums of its own; of more, each thread has groups of its own
PARTS = 16
FIELDS = 8  # numbers that the kernel keeps of a group: the fields of a LossState first, last how many elements it has
LINE = 8 * FIELDS  # bytes; so is a line of the caches

Index: TypeAlias = tuple[int | slice, ...]


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
    table, complete = _added_up(evaluation, coding)
    if not complete:
        coding = labels.encode(owner, groups, evaluation.num_threads)
        table, _ = _added_up(evaluation, coding)
    present = np.flatnonzero(table[:, -1]) if size else np.unique(labels.places(coding))
    ranks = coding.ranks()
    if ranks is not None:
        present = present[np.argsort(ranks[present])]
    sums = table if ranks is None and len(present) == len(table) else table[present]
    return GroupStates(labels.named(coding, present), sums)


def _added_up(evaluation: Evaluation, coding: labels.Coding) -> tuple[NDArray[np.float64], bool]:
    """The states of all groups, and whether each element has one; it ends with a chunk where one has not."""
    compiled = kernels("groups")
    number, room = len(coding), min(CHUNK, math.prod(evaluation.shape))
    part = -(-CHUNK // PARTS) if number <= FEW else 0
    parts = max(1, -(-room // part)) if part else 1
    tables = _aligned_zeros(parts * (number + 1) * FIELDS).reshape(parts, number + 1, FIELDS)
    losses, weights = np.empty(room), np.empty(room) if evaluation.weighted else None
    complete = True
    for index in pieces(evaluation.shape, CHUNK):
        piece = evaluation.part(index)
        try:
            piece.apart(losses, weights)
        except (ValueError, IndexError):
            evaluation.state()  # names a bad element by its index in the whole
            raise
        codes = labels.as_native(coding.codes[_of_first_axis(index)])
        n = math.prod(piece.shape)
        compiled.add_to_groups(
            tables, number, codes, coding.low % 2**64, losses, weights, n, part, threads_for(evaluation.num_threads, n)
        )
        complete = not tables[:, number].any()
        if not complete:
            break
    compiled.settle_groups(tables, number, parts, evaluation.weighted, threads_for(evaluation.num_threads, number))
    return tables[0, :number] if parts == 1 else tables[0, :number].copy(), complete


def encode(groups: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The labels of groups and, for each element, the position of its own; missing ones are NaN.

    Some labels may have no element.
    """
    coding = labels.encode("states", groups)
    return coding.labels(np.arange(len(coding))), labels.places(coding)


def _aligned_zeros(size: int) -> NDArray[np.float64]:
    room = np.zeros(size + LINE // 8)
    return room[-room.ctypes.data % LINE // 8 :][:size]


def _of_first_axis(index: Index) -> slice:
    """The indices of the first axis that a piece is of."""
    first = index[0]
    return first if isinstance(first, slice) else slice(first, first + 1)
