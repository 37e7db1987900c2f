"""The numbers that the command shows: of the whole and of its groups."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core.labels import encode, listed
from fastloss._core.labels import places as places_of
from fastloss.arrow.errors import Failure
from fastloss.arrow.labels import Labels
from fastloss.arrow.scoring import Nans, Scored, Scoring, State, Task
from fastloss.arrow.sources import Piece, Source
from fastloss.state import GroupStates

Array: TypeAlias = NDArray[Any]
Places: TypeAlias = NDArray[np.intp]
Watch: TypeAlias = Callable[[Scored], None]

INTEGER = re.compile(r"-?[0-9]{1,18}")  # as many digits as 64 bits have, whatever they are


@dataclass(frozen=True)
class Numbers:
    """What is shown of a loss, of the whole or, in arrays of one length, of its groups."""

    mean: Any
    standard_error: Any
    weight: Any
    count: Any
    low: Any = None  # of the confidence interval, where one is asked for
    high: Any = None

    @classmethod
    def of(cls, state: State, level: float | None) -> Numbers:
        interval = (None, None) if level is None else state.confidence_interval(level)
        return cls(state.mean, state.standard_error, state.weight, state.count, *interval)

    def at(self, places: Places) -> Numbers:
        """Those of some groups."""
        return Numbers(*(None if column is None else column[places] for column in vars(self).values()))


@dataclass(frozen=True)
class Scores:
    """The numbers of the losses; where predictions are compared, of those of the others and of the differences, too."""

    rows: int
    total: tuple[Numbers, ...]
    labels: list[Any] | None = None  # of the groups, in the order of their numbers where they are numbers
    groups: tuple[Numbers, ...] = ()
    nans: dict[str, Nans] = field(default_factory=dict)  # of columns that make the mean NaN

    def at(self, places: Places) -> Scores:
        """The same of some groups."""
        labels = [(self.labels or [])[place] for place in places]
        return Scores(self.rows, self.total, labels, tuple(numbers.at(places) for numbers in self.groups), self.nans)

    def worst(self, most: int) -> Scores:
        """The groups of the greatest losses or differences, NaN first, and last those without weight."""
        mean, weight = np.asarray(self.groups[-1].mean), np.asarray(self.groups[0].weight)
        return self.at(np.lexsort([-np.nan_to_num(mean, nan=np.inf), weight == 0])[:most])


def score(task: Task, source: Source, num_threads: int | None, level: float | None, watch: Watch) -> Scores:
    """Score all rows of a source; `watch` sees what was made of each batch of them."""
    if not task.loss.signature.additive:
        return _of_whole(task, source, num_threads, watch)
    scoring = Scoring(task, source, num_threads)
    for scored in scoring:
        watch(scored)
    states = scoring.states()
    tables = [state for state in states if isinstance(state, GroupStates)]
    if not tables:
        return Scores(scoring.rows, tuple(Numbers.of(state, level) for state in states), nans=scoring.nans)
    labels = tables[0].labels
    order = _order(labels, list(tables[0].columns.values()))
    total = tuple(Numbers.of(table.total, level) for table in tables)
    groups = tuple(Numbers.of(table, level) for table in tables)
    return Scores(scoring.rows, total, labels, groups, scoring.nans).at(order)


def _order(labels: list[Any], columns: Sequence[Array]) -> Places:
    """The places of labels in the order of their numbers, also where they are text, then of words, then the missing."""
    if len(columns) == 1:
        return _sorted(labels)
    ranks = []
    for column in columns:
        coding = encode("", column)
        known = listed(coding.columns(np.arange(len(coding))))
        rank = np.empty(len(known), np.intp)
        rank[_sorted(known)] = np.arange(len(known))
        ranks.append(rank[places_of(coding)])
    return np.lexsort(ranks[::-1])


def _sorted(labels: list[Any]) -> Places:
    if all(isinstance(label, str) and INTEGER.fullmatch(label) for label in labels):
        return np.argsort(np.array(labels, "S20").astype(np.int64), kind="stable")
    return np.array(sorted(range(len(labels)), key=lambda place: _place(labels[place])), np.intp)


def _place(label: Any) -> tuple[int, Any, str]:
    """What a label is sorted by."""
    if label != label:
        return 2, 0, ""
    if not isinstance(label, str):
        return (0, label, "") if isinstance(label, (int, float, bytes, np.generic)) else (1, str(label), "")
    try:
        number = Decimal(label)  # exact, and not confined to 2^53
    except InvalidOperation:
        return 1, label, ""
    return (0, number, label) if number.is_finite() else (1, label, "")


# Losses of the whole sample -----------------------------------------------------------------------


class Whole(Task):
    """A loss that is not a mean of losses: the arrays of each batch are kept, since all are needed at once."""

    def score(self, piece: Piece, labels: Labels | None, num_threads: int | None) -> Scored:
        with self.errors(piece):
            (y_true, y_pred), options = self.arrays(piece)
        mask = options["mask"]
        arrays = {
            "y_true": y_true, "y_pred": y_pred, "sample_weight": options["sample_weight"],
            "mask": np.ones(piece.rows, bool) if mask is None else mask,
        }  # fmt: skip
        return Scored(replace(piece, columns={name: piece.columns[name] for name in self.groups}), outputs=arrays)

    def numbers(self, arrays: dict[str, Any], num_threads: int | None, rows: slice | Places) -> Numbers:
        """The loss of some rows, which has no standard error."""
        given = {name: None if array is None else array[rows] for name, array in arrays.items()}
        options: dict[str, Any] = {"num_threads": num_threads, "nan_policy": self.nan_policy, **given}
        with self.errors(Piece({}, 0)), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NaN and a count of 0 say that nothing counts
            state = self.loss.state(**options)
            return Numbers(self.loss(**options), math.nan, state.weight, state.count)


def _of_whole(task: Task, source: Source, num_threads: int | None, watch: Watch) -> Scores:
    whole = Whole(**{each.name: getattr(task, each.name) for each in fields(task)})
    scoring = Scoring(whole, source, num_threads)
    found = []
    for scored in scoring:
        found.append(scored)
        watch(scored)
    if not found:
        return Scores(0, ())
    arrays = {name: _joined([scored.outputs[name] for scored in found]) for name in found[0].outputs}
    numbers = partial(whole.numbers, arrays, num_threads)
    try:
        total = numbers(slice(None))
    except Failure as failure:
        raise failure.tell(0) from failure.__cause__
    nans = whole.nans([((arrays["y_true"], arrays["y_pred"]), {})]) if math.isnan(total.mean) else {}
    if not task.groups:
        return Scores(scoring.rows, (total,), nans=nans)
    columns = {name: _joined([scored.piece.columns[name] for scored in found]) for name in task.groups}
    coding = encode(task.owner, columns)
    places = np.argsort(own := places_of(coding), kind="stable")
    rows = np.split(places, np.cumsum(np.bincount(own, minlength=len(coding)))[:-1])
    present = np.array([place for place, of_group in enumerate(rows) if len(of_group)], np.intp)
    parts = [numbers(rows[place]) for place in present]
    groups = Numbers(
        *(np.array([vars(part)[name] for part in parts]) for name in ("mean", "standard_error", "weight", "count"))
    )
    known = coding.columns(present)
    return Scores(scoring.rows, (total,), listed(known), (groups,), nans).at(_order(listed(known), known))


def _joined(arrays: Sequence[Any]) -> Any:
    """Arrays of NumPy or of Arrow, one after the other; none if there are none."""
    if arrays[0] is None or len(arrays) == 1:
        return arrays[0]
    if isinstance(arrays[0], np.ndarray):
        return np.concatenate(arrays)
    import pyarrow

    return pyarrow.chunked_array(arrays)
