"""Columns of the numbers of many states, and how tables of them merge by their labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core import labels
from fastloss._core.isa import kernels
from fastloss._core.labels import Array, Places
from fastloss._core.states import NUMBERS
from fastloss._core.threads import threads_for

Numbers: TypeAlias = dict[str, Array]  # all numbers of states, or the plain ones
Labels: TypeAlias = Mapping[str, Array]
Table: TypeAlias = tuple[dict[str, Array], Numbers]  # what a GroupStates is made of

# What is left of the numbers where nothing is ignored and all weights are 1: half of the memory.
PLAIN = ("count", "nonfinite", "minimum", "maximum", "total", "second", "total_low", "second_low")
LIKE: dict[str, Callable[[Numbers], Array]] = {  # what the others are then
    "ignored": lambda plain: np.zeros_like(plain["count"]),
    "weight": lambda plain: plain["count"].astype(np.float64),
    "square": lambda plain: plain["count"].astype(np.float64),
    "first": lambda plain: plain["total"],
    "first_low": lambda plain: plain["total_low"],
    "weight_low": lambda plain: np.zeros_like(plain["total"]),
    "square_low": lambda plain: np.zeros_like(plain["total"]),
}
COUNTS = ("count", "ignored", "nonfinite")
EMPTY = {"minimum": np.inf, "maximum": -np.inf}  # and 0: what adds nothing to other numbers


def named(numbers: Numbers, name: str) -> Array:
    return numbers[name] if name in numbers else LIKE[name](numbers)


def complete(numbers: Numbers) -> Numbers:
    """All numbers, in their order."""
    return {name: named(numbers, name) for name in NUMBERS}


def room(rows: int, weighted: bool) -> Numbers:
    """Columns to be written."""
    return {
        name: np.empty(rows, np.int64 if name in COUNTS else np.float64) for name in (NUMBERS if weighted else PLAIN)
    }


def averages(numbers: Numbers, errors: bool) -> NDArray[np.float64]:
    """The mean of each row, or its standard error."""
    found = np.empty(len(numbers["count"]))
    kernels("groups").average_rows(tuple(numbers.values()), found, errors, threads_for(None, 16 * len(found)))
    return found


# Merging ------------------------------------------------------------------------------------------


def merged(tables: Sequence[Table]) -> Table:
    """The states of several tables, those of one label as one; see `GroupStates.merge`."""
    if not tables:
        raise ValueError("GroupStates: there are no tables to merge, must be one or more")
    names = list(tables[0][0])
    for labels_of, _ in tables:
        if list(labels_of) != names:
            raise ValueError(
                f"GroupStates: the columns of labels are {', '.join(labels_of)}, must be {', '.join(names)} as in the"
                " first table"
            )
    while len(tables) > 1:  # in pairs: each row is copied as many times as it takes to halve their number to one
        pairs = [_of_both(*tables[k : k + 2]) for k in range(0, len(tables) - 1, 2)]
        tables = [*pairs, *tables[2 * len(pairs) :]]
    return tables[0]


def _of_both(first: Table, second: Table) -> Table:
    columns, places = _joined(first[0], second[0])
    weighted = len(first[1]) != len(second[1])
    mine, theirs = (tuple((complete(n) if weighted else n).values()) for _, n in (first, second))
    rows = len(next(iter(columns.values())))
    found = room(rows, len(mine) == len(NUMBERS))
    kernels("groups").merge_rows(
        tuple(found.values()), mine, places[0], theirs, places[1], threads_for(None, len(mine) * rows)
    )
    return columns, found


def gathered(columns: Mapping[str, Any], numbers: Numbers) -> Table:
    """The states of rows, those of one label as one."""
    found, places = labels.arranged("GroupStates", columns)
    rows = len(next(iter(found.values())))
    whole = {name: np.full_like(array, EMPTY.get(name, 0), shape=rows) for name, array in numbers.items()}
    kernels("groups").add_rows(tuple(whole.values()), places, tuple(numbers.values()))
    return found, whole


def _joined(first: Labels, second: Labels) -> tuple[dict[str, Array], tuple[Places | None, Places | None]]:
    """The labels that either table has, and where each is in both: -1 where it is not, None where all are alike."""
    if all(labels.same(first[name], second[name]) for name in first):
        return dict(first), (None, None)
    size = len(next(iter(first.values())))
    both = {name: labels.joined(first[name], second[name]) for name in first}
    mine, theirs = _places(both, size)
    chosen = np.where(mine < 0, theirs + size, mine)
    return {name: column[chosen] for name, column in both.items()}, (mine, theirs)


def _places(both: Labels, size: int) -> tuple[Places, Places]:
    if len(both) == 1:
        with suppress(TypeError):  # of labels that do not compare
            return labels.merged(next(iter(both.values())), size)
    _, positions = labels.arranged("GroupStates", both)
    return labels.merged(positions, size)
