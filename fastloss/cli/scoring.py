"""The loss of a table: of the whole and of its groups."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from fastloss._core.groups import encode
from fastloss._core.loss import Loss
from fastloss.cli.ending import Refused
from fastloss.cli.reading import Array, Chunk, Table
from fastloss.state import LossState

T = TypeVar("T")

# Rows read for each group before they are merged with what is known of it; they take as much memory as that.
ROWS_OF_GROUP = 16


@dataclass(frozen=True)
class Task:
    """What to score: a loss, and the columns that hold its arrays."""

    table: Table
    loss: Loss
    true: str | None
    pred: tuple[str, ...]
    weight: str | None = None
    by: str | None = None
    options: dict[str, Any] = field(default_factory=dict)  # NaN policy and number of threads

    def __post_init__(self) -> None:
        if self.true is None and not self.loss.signature.unsupervised:
            raise Refused(f"--true: {type(self.loss).__name__} needs the column of its targets")
        predictions = (("--pred", name) for name in self.pred)
        for option, name in (("--true", self.true), *predictions, ("--weight", self.weight), ("--by", self.by)):
            if name is not None:
                self.table.require(option, name)

    @cached_property
    def columns(self) -> list[str]:
        names = (self.true, *self.pred, self.weight, self.by)
        return list(dict.fromkeys(name for name in names if name is not None))

    def chunks(self) -> Iterator[Chunk]:
        # A column that the loss needs as well is read as numbers, which make groups, too.
        numbers = (self.true, *self.pred, self.weight)
        return self.table.chunks(self.columns, None if self.by in numbers else self.by)

    def sorted_groups(self, groups: dict[Any, T]) -> dict[Any, T]:
        """What is known of groups by their labels: numbers, also where they are text, then words, then the missing."""
        labelled = dict(zip(self.table.labels(groups), groups.values(), strict=True))
        return {label: labelled[label] for label in sorted(labelled, key=_place)}

    def arguments(self, chunk: Chunk) -> tuple[tuple[Array | None, Array], dict[str, Any]]:
        """The arrays and options of a call of the loss; several predictions are the last axis."""
        predictions = [chunk.columns[name] for name in self.pred]
        y_pred = predictions[0] if len(predictions) == 1 else np.stack(predictions, axis=-1)
        y_true, weight = (None if name is None else chunk.columns[name] for name in (self.true, self.weight))
        return (y_true, y_pred), {**self.options, "sample_weight": weight}

    @contextmanager
    def errors(self, chunk: Chunk) -> Iterator[None]:
        """What a loss refuses, told of the file's columns and rows in place of the chunk's arrays."""
        try:
            yield
        except (TypeError, ValueError, IndexError, MemoryError) as error:
            raise Refused(f"{self.table.path}: {self._in_file(str(error), chunk.start)}") from error

    def _in_file(self, message: str, start: int) -> str:
        columns = {"y_true": self.true, "y_pred": self.pred[0], "sample_weight": self.weight, "groups": self.by}

        def place(match: re.Match[str]) -> str:
            argument, row, rest = match.groups()
            column = columns[argument]
            if row is None:
                return f"{argument} (column {column!r})"
            if argument == "y_pred" and len(self.pred) > 1:
                column, rest = self.pred[int(rest.removeprefix(", "))], ""
            return f"{argument}[{int(row) + start}{rest}] (column {column!r}, rows from 0)"

        return re.sub(r"\b(y_true|y_pred|sample_weight|groups)\b(?!')(?:\[(\d+)((?:, \d+)*)\])?", place, message)


@dataclass(frozen=True, slots=True)
class Score:
    """What is shown of the elements of a group."""

    mean: float
    standard_error: float
    weight: float
    count: float

    @classmethod
    def of(cls, state: LossState) -> Score:
        return cls(state.mean, state.standard_error, state.weight, state.count)


@dataclass(slots=True)
class Nans:
    """The rows of a column that are NaN."""

    first: int
    count: int = 0


@dataclass(frozen=True, slots=True)
class Scores:
    """The score of the whole and, where they were asked for, of its groups in sorted order."""

    total: Score
    groups: dict[Any, Score] | None = None
    nans: dict[str, Nans] = field(default_factory=dict)  # of columns that make the mean NaN


def score(task: Task, chunks: Iterable[Chunk]) -> Scores:
    """Score the chunks of a table, in bounded memory unless the loss needs the whole."""
    return _merged(task, chunks) if task.loss.signature.additive else _of_whole(task, list(chunks))


def _merged(task: Task, chunks: Iterable[Chunk]) -> Scores:
    groups: dict[Any, LossState] = {}
    nans: dict[str, Nans] = {}
    for chunk in chunks if task.by is None else _gathered(chunks, groups):
        with task.errors(chunk):
            arrays, options = task.arguments(chunk)
            found: Mapping[Any, LossState] = (
                {None: task.loss.state(*arrays, **options)}
                if task.by is None
                else task.loss.states(*arrays, groups=chunk.columns[task.by], **options)
            )
        missing = False
        for label, state in found.items():
            groups[label] = groups[label] + state if label in groups else state
            missing |= math.isnan(state.total)
        if missing:
            _note_nans(task, chunk, nans)
    if task.by is None:
        return Scores(Score.of(groups[None]), nans=nans)
    ordered = task.sorted_groups(groups)
    return Scores(Score.of(LossState.merge(ordered.values())), {k: Score.of(s) for k, s in ordered.items()}, nans)


def _gathered(chunks: Iterable[Chunk], groups: Sized) -> Iterator[Chunk]:
    """Chunks put together until they hold many rows for each known group, since merging costs the same for few."""
    held: list[Chunk] = []
    for chunk in chunks:
        columns = {name: np.ascontiguousarray(column) for name, column in chunk.columns.items()}
        held.append(Chunk(columns, chunk.start, chunk.done))
        if sum(map(len, held)) >= ROWS_OF_GROUP * len(groups):
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(chunks: list[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    columns = {name: np.concatenate([chunk.columns[name] for chunk in chunks]) for name in chunks[0].columns}
    return Chunk(columns, chunks[0].start, chunks[-1].done)


def _note_nans(task: Task, chunk: Chunk, nans: dict[str, Nans]) -> None:
    """Count the rows that are NaN in the columns of a chunk whose loss is NaN."""
    for name in (task.true, *task.pred):
        if name is None:
            continue
        column = chunk.columns[name]
        rows = np.flatnonzero(np.isnan(column).any(axis=tuple(range(1, column.ndim))))
        if len(rows):
            nans.setdefault(name, Nans(chunk.start + int(rows[0]))).count += len(rows)


def _place(label: Any) -> tuple[int, Any, str]:
    """What labels are sorted by."""
    if label != label:
        return 2, 0, ""
    if not isinstance(label, str):
        return (0, label, "") if isinstance(label, (int, float, bytes, np.generic)) else (1, str(label), "")
    try:
        number = Decimal(label)  # exact, and not confined to 2^53
    except InvalidOperation:
        return 1, label, ""
    return (0, number, label) if number.is_finite() else (1, label, "")


def _of_whole(task: Task, chunks: list[Chunk]) -> Scores:
    whole = _joined(chunks)
    columns = whole.columns
    total = _aggregate(task, whole)
    nans: dict[str, Nans] = {}
    if math.isnan(total.mean):
        _note_nans(task, whole, nans)
    if task.by is None:
        return Scores(total, nans=nans)
    labels, codes = encode(columns[task.by])
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(labels)))
    rows = {label: r for label, r in zip(labels, np.split(order, ends[:-1]), strict=True) if len(r)}
    groups: dict[Any, Score] = {}
    for label, positions in rows.items():
        part = {name: column[positions] for name, column in columns.items()}
        groups[label] = _aggregate(task, Chunk(part, 0, 1.0))
    return Scores(total, task.sorted_groups(groups), nans)


def _aggregate(task: Task, chunk: Chunk) -> Score:
    """The score of a loss that is not a mean of losses, which has no standard error."""
    with task.errors(chunk), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the table shows NaN and a count of 0
        arrays, options = task.arguments(chunk)
        state = task.loss.state(*arrays, **options)
        return Score(task.loss(*arrays, **options), math.nan, state.weight, state.count)
