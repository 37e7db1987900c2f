"""Batches of rows to states: what is made of each, in which threads, and how it is put together."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from fastloss._core.evaluation import NanPolicy, state_of_losses
from fastloss._core.groups import of_losses
from fastloss._core.labels import encode
from fastloss._core.loss import Loss, require_loss
from fastloss._core.threads import available, check_number
from fastloss.arrow.columns import NULL_POLICIES, Array, Bools, NullPolicy, numbers
from fastloss.arrow.errors import Failure
from fastloss.arrow.labels import Coding, Labels
from fastloss.arrow.sources import Piece, Portion, Source, Wanted
from fastloss.state import GroupStates, LossState

Output: TypeAlias = Literal["loss", "grad", "hess"]
State: TypeAlias = LossState | GroupStates
Arrays: TypeAlias = tuple[Array | None, Array]
Call: TypeAlias = tuple[Arrays, dict[str, Any]]
T = TypeVar("T")
R = TypeVar("R")

OUTPUTS = ("loss", "grad", "hess")
AHEAD = 2  # portions in work or done for each thread
WORKERS = 8  # threads that read and score a portion each; of more processors each has several
FEW = 1 << 16  # groups whose tables wait to be merged, or as many as are known


# One batch ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What to make of each batch: a loss, the columns of its arrays, and what is asked for."""

    loss: Loss
    true: str | None
    pred: tuple[str, ...]
    weight: str | None = None
    groups: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()  # predictions whose losses are subtracted from those of the others
    outputs: tuple[Output, ...] = ()
    null_policy: NullPolicy = "propagate"
    nan_policy: NanPolicy = "propagate"

    def __post_init__(self) -> None:
        require_loss("fastloss.arrow", self.loss)
        owner, signature = self.owner, self.loss.signature
        if signature.names != ("y_true", "y_pred"):
            raise TypeError(f"{owner}: it takes {', '.join(signature.names)}, must be a loss of y_true and y_pred")
        if self.true is None and not signature.unsupervised:
            raise TypeError(f"{owner}: y_true is None, must be the column of the targets")
        if not self.pred:
            raise TypeError(f"{owner}: y_pred is empty, must be one or more columns")
        if self.null_policy not in NULL_POLICIES:
            raise ValueError(f"{owner}: null_policy is {self.null_policy!r}, must be one of {', '.join(NULL_POLICIES)}")
        if unknown := [output for output in self.outputs if output not in OUTPUTS]:
            raise ValueError(f"{owner}: outputs has {unknown[0]!r}, must be of {', '.join(OUTPUTS)}")

    @property
    def owner(self) -> str:
        return self.loss._spec.owner

    @cached_property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns by the argument that they are."""
        return {
            "y_true": () if self.true is None else (self.true,),
            "y_pred": self.pred,
            "sample_weight": () if self.weight is None else (self.weight,),
            "compare": self.compare,
            "groups": self.groups,
        }

    @cached_property
    def wanted(self) -> Wanted:
        return Wanted(self.columns)

    @cached_property
    def other(self) -> Task:
        """The task of the predictions to compare with."""
        return replace(self, pred=self.compare, compare=(), outputs=())

    def arrays(self, piece: Piece) -> Call:
        """The arrays and options of a call of the loss; several columns of predictions are the last axis."""
        found: dict[str, Array] = {}
        kept: Bools | None = None
        for argument in ("y_true", "y_pred", "sample_weight"):
            arrays = []
            for name in self.columns[argument]:
                array, counted = numbers(self.owner, argument, piece.columns[name], self.null_policy)
                arrays.append(array)
                if counted is not None:
                    kept = counted if kept is None else kept & counted
            if arrays:
                found[argument] = arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=-1)
        options = {"sample_weight": found.get("sample_weight"), "mask": kept, "nan_policy": self.nan_policy}
        return (found.get("y_true"), found["y_pred"]), options

    def score(self, piece: Piece, labels: Labels | None, num_threads: int | None) -> Scored:
        """What is asked for of a batch."""
        groups: dict[str, Any] | None = None
        codings: tuple[Coding, ...] = ()
        if labels is not None:
            with self.errors(piece):
                groups, codings = labels.coded(piece.columns)
        tasks = (self, self.other) if self.compare else (self,)
        calls = []
        for task in tasks:
            with task.errors(piece):
                calls.append(task.arrays(piece))
        mask = _both(*(options["mask"] for _, options in calls))
        calls = [(arrays, options | {"mask": mask, "num_threads": num_threads}) for arrays, options in calls]
        states: list[State] = []
        for task, call in zip(tasks, calls, strict=True):
            with task.errors(piece):
                states.append(_state(self.loss, call, groups))
        with self.errors(piece):
            if self.compare:
                states.append(_difference(self.loss, calls, groups))
            outputs = self._outputs(*calls[0])
        missing = any(np.isnan(state.sum).any() for state in states)
        return Scored(
            replace(piece, columns={}), tuple(states), codings, outputs, mask,
            self.nans(calls) if missing else {}, self._lengths(calls),
        )  # fmt: skip

    def _outputs(self, arrays: Arrays, options: dict[str, Any]) -> dict[str, Array]:
        """Losses and derivatives of the examples, those that are asked for."""
        made = {}
        if "loss" in self.outputs:
            made["loss"] = self.loss(*arrays, **options, reduction="none")
        if "hess" in self.outputs:
            made["grad"], made["hess"] = self.loss.grad_and_hess(*arrays, **options, reduction="none")
        elif "grad" in self.outputs:
            made["grad"] = self.loss.grad(*arrays, **options, reduction="none")
        return {output: made[output] for output in self.outputs}

    def nans(self, calls: Sequence[Call]) -> dict[str, Nans]:
        """The rows that are NaN of the columns of targets and predictions."""
        found = {}
        (y_true, y_pred), _ = calls[0]
        columns = [(self.columns["y_true"], y_true), (self.pred, y_pred)]
        columns += [(self.compare, arrays[1]) for arrays, _ in calls[1:]]
        for names, array in columns:
            if not names or array is None:
                continue
            for k, name in enumerate(names):
                column = array if len(names) == 1 else array[..., k]
                rows = np.flatnonzero(np.isnan(column).any(axis=tuple(range(1, column.ndim))))
                if len(rows):
                    found[name] = Nans(int(rows[0]), len(rows))
        return found

    def _lengths(self, calls: Sequence[Call]) -> dict[str, tuple[int, ...]]:
        """How long the lists are that predictions are rows of."""
        names = (self.pred, self.compare)
        return {own[0]: arrays[1].shape[1:] for own, (arrays, _) in zip(names, calls, strict=False) if len(own) == 1}

    @contextmanager
    def errors(self, piece: Piece) -> Iterator[None]:
        """Keep what is refused until it is known which rows of the source a batch has."""
        try:
            yield
        except (TypeError, ValueError, IndexError) as error:
            raise Failure(piece.file, partial(self._told, error, piece.file)) from error

    def _told(self, error: Exception, file: str, start: int) -> Exception:
        """An error with the columns and rows of the source in place of those of the batch's arrays."""

        def place(match: re.Match[str]) -> str:
            argument, row, rest = match.groups()
            columns = self.columns[argument]
            if not columns or (argument == "groups" and len(columns) > 1):
                return match[0]
            column = columns[0]
            if row is None:
                return f"{argument} (column {column!r})"
            if argument == "y_pred" and len(columns) > 1:
                column, rest = columns[int(rest.removeprefix(", "))], ""
            return f"{argument}[{int(row) + start}{rest}] (column {column!r}, rows from 0)"

        told = ARGUMENT.sub(place, str(error))
        return type(error)(f"{file}: {told}" if file else told)


ARGUMENT = re.compile(r"\b(y_true|y_pred|sample_weight|groups)\b(?!')(?:\[(\d+)((?:, \d+)*)\])?")


@dataclass(slots=True)
class Nans:
    """The rows of a column that are NaN."""

    first: int
    count: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """What was asked for of a batch."""

    piece: Piece  # without the columns of its numbers
    states: tuple[
        State, ...
    ] = ()  # of the losses; where there are others to compare with, of these and the differences
    codings: tuple[Coding, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)
    kept: Bools | None = None  # the rows that were not omitted, if some were
    nans: dict[str, Nans] = field(default_factory=dict)
    lengths: dict[str, tuple[int, ...]] = field(default_factory=dict)


def _both(*masks: Bools | None) -> Bools | None:
    """Where all of some masks are true."""
    given = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(given) if given else None


def _state(loss: Loss, call: Call, groups: dict[str, Any] | None) -> State:
    arrays, options = call
    return loss.state(*arrays, **options) if groups is None else loss.states(*arrays, groups=groups, **options)


def _difference(loss: Loss, calls: Sequence[Call], groups: dict[str, Any] | None) -> State:
    """The state of the losses of some predictions less those of others, example by example."""
    (losses, weights), (others, _) = (_apart(loss, call) for call in calls)
    with np.errstate(invalid="ignore"):  # both may be infinite
        losses -= others
    if groups is None:
        return state_of_losses(losses, weights)
    num_threads = calls[0][1]["num_threads"]
    coding = encode(loss._spec.owner, groups, num_threads)
    return of_losses(coding, losses, np.ones(losses.shape) if weights is None else weights, num_threads)


def _apart(loss: Loss, call: Call) -> tuple[Array, Array | None]:
    """The loss of each element and its weight, as `Evaluation.apart` writes them."""
    arrays, options = call
    evaluation = loss._evaluation(loss, *arrays, **options)
    losses = np.empty(evaluation.shape)
    weights = np.empty(evaluation.shape) if evaluation.weighted else None
    evaluation.apart(losses.reshape(-1), None if weights is None else weights.reshape(-1))
    return losses, weights


# All batches --------------------------------------------------------------------------------------


class Scoring:
    """The batches of a source, scored one after the other as they are asked for; and what they come to so far.

    Attributes
    ----------
    rows : int
        Those of the batches so far.
    done : float
        The share of the source that they are, NaN where that cannot be told.
    nans : dict of str to Nans
        The rows of columns that make a sum of losses NaN.
    """

    def __init__(self, task: Task, source: Source, num_threads: int | None = None) -> None:
        check_number(task.owner, num_threads)
        self.rows = 0
        self.done = 0.0
        self.nans: dict[str, Nans] = {}
        self._task = task
        self._source = source
        self._num_threads = num_threads
        self._labels = Labels(task.owner, task.groups) if task.groups else None
        self._tallies = [Tally(self._labels) for _ in range(3 if task.compare else 1)]
        self._file = ""
        self._begun = 0  # rows before those of the file
        self._lengths: dict[str, tuple[int, ...]] = {}

    def __iter__(self) -> Iterator[Scored]:
        threads = available()[0] if self._num_threads is None else self._num_threads
        workers = min(threads, WORKERS)
        score = partial(self._score, num_threads=max(1, threads // workers))
        try:
            for portion in in_order(score, self._source.portions(self._task.wanted), workers):
                for scored in portion:
                    self._add(scored)
                    yield scored
        except Failure as failure:
            start = self._start(failure.file) + failure.rows
            raise failure.tell(start) from failure.__cause__

    @property
    def outputs(self) -> tuple[Output, ...]:
        return self._task.outputs

    def finished(self) -> tuple[State, ...]:
        """The states of all rows."""
        for _ in self:
            pass
        return self.states()

    def states(self) -> tuple[State, ...]:
        """The states of the rows so far: of the losses, and where predictions are compared, of the others and the
        differences."""
        return tuple(tally.state() for tally in self._tallies)

    def _score(self, portion: Portion, num_threads: int) -> list[Scored]:
        done: list[Scored] = []
        try:
            for piece in portion():
                done.append(self._task.score(piece, self._labels, num_threads))
        except Failure as failure:
            failure.rows += sum(scored.piece.rows for scored in done)
            raise
        return done

    def _start(self, file: str) -> int:
        """How many rows of a file there were before."""
        if file != self._file:
            self._file, self._begun = file, self.rows
        return self.rows - self._begun

    def _add(self, scored: Scored) -> None:
        start = self._start(scored.piece.file)
        for name, shape in scored.lengths.items():
            known = self._lengths.setdefault(name, shape)
            if shape != known:
                where = f"{scored.piece.file}: " if scored.piece.file else ""
                raise ValueError(
                    f"{where}{self._task.owner}: y_pred[{start}] (column {name!r}, rows from 0) has shape {shape}, must"
                    f" be {known} as before"
                )
        for name, nans in scored.nans.items():
            self.nans.setdefault(name, Nans(start + nans.first)).count += nans.count
        for tally, state in zip(self._tallies, scored.states, strict=False):
            tally.add(state, scored.codings)
        self.rows += scored.piece.rows
        self.done = scored.piece.done


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """What some threads make of items, in the order of these; they are taken in this thread, a few ahead."""
    if workers == 1:
        yield from map(work, items)
        return
    remaining = iter(items)
    pending: deque[Future[R]] = deque()
    failed: Exception | None = None
    with ThreadPoolExecutor(workers, "fastloss") as pool:
        try:
            while failed is None:
                try:
                    pending.append(pool.submit(work, next(remaining)))
                except StopIteration:
                    break
                except Exception as error:  # told after those of items before
                    failed = error
                while pending and (pending[0].done() or len(pending) >= AHEAD * workers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
            if failed is not None:
                raise failed
        finally:
            for future in pending:
                future.cancel()


class Tally:
    """States of batches, put together: tables of many groups now and then, since merging takes as long for few rows."""

    def __init__(self, labels: Labels | None) -> None:
        self._labels = labels
        self._state = LossState()
        self._tables: dict[tuple[Coding, ...], list[GroupStates]] = {}

    def add(self, state: State, codings: tuple[Coding, ...]) -> None:
        if isinstance(state, LossState):
            self._state += state
            return
        tables = self._tables.setdefault(codings, [])
        tables.append(state)
        if sum(map(len, tables[1:])) > max(FEW, len(tables[0])):
            tables[:] = [GroupStates.merge(tables)]

    def state(self) -> State:
        if self._labels is None:
            return self._state
        return self._labels.named({codings: GroupStates.merge(tables) for codings, tables in self._tables.items()})
