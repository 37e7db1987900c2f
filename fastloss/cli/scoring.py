"""The loss of a table: of the whole and of its groups."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fastloss._base import Loss
from fastloss._groups import encode, in_order
from fastloss.cli.errors import Refused
from fastloss.cli.reading import Array, Chunk, Table
from fastloss.state import LossState


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
        if self.true is None and not self.loss.unsupervised:
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
        return self.table.chunks(self.columns, {self.by} if self.by is not None else set())

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
        def place(match: re.Match[str]) -> str:
            argument, row, rest = match.groups()
            column = {"y_true": self.true, "sample_weight": self.weight, "y_pred": self.pred[0]}[argument]
            if argument == "y_pred" and len(self.pred) > 1:
                column, rest = self.pred[int(rest.removeprefix(", "))], ""
            return f"{argument}[{int(row) + start}{rest}] (column {column!r}, rows from 0)"

        return re.sub(r"\b(y_true|y_pred|sample_weight)\[(\d+)((?:, \d+)*)\]", place, message)


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


@dataclass(frozen=True, slots=True)
class Scores:
    """The score of the whole and, where they were asked for, of its groups in sorted order."""

    total: Score
    groups: dict[Any, Score] | None = None


def score(task: Task, chunks: Iterable[Chunk]) -> Scores:
    """Score the chunks of a table, in bounded memory unless the loss needs the whole."""
    return _of_whole(task, list(chunks)) if task.loss.aggregate else _merged(task, chunks)


def _merged(task: Task, chunks: Iterable[Chunk]) -> Scores:
    total = LossState()
    groups: dict[Any, LossState] = {}
    for chunk in chunks:
        arrays, options = task.arguments(chunk)
        with task.errors(chunk):
            if task.by is None:
                total += task.loss.state(*arrays, **options)
                continue
            found = task.loss.states(*arrays, groups=chunk.columns[task.by], **options)
        for label, state in found.items():
            groups[label] = groups[label] + state if label in groups else state
    if task.by is None:
        return Scores(Score.of(total))
    ordered = {label: groups[label] for label in in_order(groups)}
    return Scores(Score.of(LossState.merge(ordered.values())), {label: Score.of(s) for label, s in ordered.items()})


def _of_whole(task: Task, chunks: list[Chunk]) -> Scores:
    columns = {name: np.concatenate([chunk.columns[name] for chunk in chunks]) for name in task.columns}
    whole = Chunk(columns, 0, 1.0)
    total = _aggregate(task, whole)
    if task.by is None:
        return Scores(total)
    labels, codes = encode(columns[task.by])
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(labels)))
    rows = {label: r for label, r in zip(labels, np.split(order, ends[:-1]), strict=True) if len(r)}
    parts = {label: {name: column[rows[label]] for name, column in columns.items()} for label in in_order(rows)}
    return Scores(total, {label: _aggregate(task, Chunk(part, 0, 1.0)) for label, part in parts.items()})


def _aggregate(task: Task, chunk: Chunk) -> Score:
    """The score of a loss that is not a mean of losses, which has no standard error."""
    arrays, options = task.arguments(chunk)
    with task.errors(chunk), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the table shows NaN and a count of 0
        state = task.loss.state(*arrays, **options)
        return Score(task.loss(*arrays, **options), math.nan, state.weight, state.count)
