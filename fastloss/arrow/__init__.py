"""Losses of record batches: Arrow in, states and Arrow out, in memory that does not grow with the rows.

Whatever offers batches of Arrow can be scored: tables, datasets, Parquet files and readers of pyarrow, frames of pandas
and Polars, lazy ones too, relations of DuckDB, iterators of batches, and names of files. It needs pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

from fastloss._core.evaluation import NanPolicy
from fastloss._core.loss import Loss
from fastloss.arrow.columns import NullPolicy
from fastloss.arrow.opening import source_of
from fastloss.arrow.results import Results, parts_of, reader_of
from fastloss.arrow.scoring import Output, Scoring, State, Task

__all__ = ["Comparison", "ScoredBatches", "compare_batches", "partial_states", "score_batches"]


class Comparison(NamedTuple):
    """What the losses of two columns of predictions come to.

    Attributes
    ----------
    first : LossState or GroupStates
        Of the losses of `y_pred`.
    second : LossState or GroupStates
        Of the losses of `other`.
    difference : LossState or GroupStates
        Of the first less the second, example by example: its mean is below 0 where the first predicts better, and its
        standard error is that of paired samples.
    """

    first: State
    second: State
    difference: State


class ScoredBatches(Iterator[Any]):
    """What `score_batches` computes for each example, a record batch at a time, and the state of what came so far.

    It has the interface of Arrow's streams, too: any library that reads these can take all of it.

    Parameters
    ----------
    scoring : Scoring
        The batches of a source as they are scored.
    """

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._batches = map(Results().batch, scoring)

    def __next__(self) -> Any:
        return next(self._batches)

    @property
    def rows(self) -> int:
        """How many rows were scored so far."""
        return self._scoring.rows

    @property
    def state(self) -> State:
        """What the losses of the rows so far come to; of all rows, once all batches were taken."""
        return self._scoring.states()[0]

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return reader_of(self._batches, self._scoring.outputs).__arrow_c_stream__(requested_schema)


@overload
def score_batches(
    source: Any,
    loss: Loss,
    *,
    y_true: str | None = ...,
    y_pred: str | Sequence[str],
    weight: str | None = ...,
    groups: str | Sequence[str] | None = ...,
    outputs: None = None,
    null_policy: NullPolicy = ...,
    nan_policy: NanPolicy = ...,
    num_threads: int | None = ...,
) -> Any: ...


@overload
def score_batches(
    source: Any,
    loss: Loss,
    *,
    y_true: str | None = ...,
    y_pred: str | Sequence[str],
    weight: str | None = ...,
    groups: str | Sequence[str] | None = ...,
    outputs: Output | Sequence[Output],
    null_policy: NullPolicy = ...,
    nan_policy: NanPolicy = ...,
    num_threads: int | None = ...,
) -> ScoredBatches: ...


def score_batches(
    source: Any,
    loss: Loss,
    *,
    y_true: str | None = None,
    y_pred: str | Sequence[str],
    weight: str | None = None,
    groups: str | Sequence[str] | None = None,
    outputs: Output | Sequence[Output] | None = None,
    null_policy: NullPolicy = "propagate",
    nan_policy: NanPolicy = "propagate",
    num_threads: int | None = None,
) -> Any:
    """Score predictions that come as record batches, in bounded memory.

    Parameters
    ----------
    source : object
        What has the columns: anything with the interface of Arrow's streams, such as a table, a reader, a frame of
        pandas or Polars or a relation of DuckDB; a pyarrow Dataset, Scanner or ParquetFile; a lazy frame of Polars; an
        iterable of such batches; or the names of files, patterns and folders, in any format that the command reads.
    loss : Loss
        Of targets and predictions, and a mean of the losses of its examples.
    y_true : str, optional
        The column of the targets. None only where the loss says so.
    y_pred : str or sequence of str
        The column of the predictions, numbers or lists of them of one length; or several columns, which are predictions
        side by side.
    weight : str, optional
        The column of the weight of each row.
    groups : str or sequence of str, optional
        The columns by whose values the rows are scored apart.
    outputs : {"loss", "grad", "hess"} or sequence of these, optional
        What to compute for each row besides: its weighted loss, the derivative of that in the predictions, and the
        diagonal of the second derivatives.
    null_policy : {"propagate", "omit", "raise"}
        What a null in a column of numbers does: count as NaN, leave its row out of sums and counts, or raise. Labels
        that are null are one group.
    nan_policy : {"propagate", "omit", "raise"}
        What a NaN among the targets does, as for calling the loss.
    num_threads : int, optional
        Threads to use, by default as many as may be used. The result has the same bits for every number.

    Returns
    -------
    LossState, GroupStates or ScoredBatches
        The state of all rows, by group where there are any. With `outputs` an iterator of record batches that have a
        row for each row of the source and a column for each output, null where the row is left out; its `state` is the
        state.

    Raises
    ------
    ValueError
        What is wrong with a file, a column or a number, by its row in the source or the file.

    See Also
    --------
    compare_batches : The paired difference of the losses of two models.
    partial_states : The states of the parts of a data set, as an engine that runs on many machines adds them up.

    Notes
    -----
    Batches are scored in several threads, a few of them at once, each of some megabytes: large ones are cut, and
    columns without nulls are read in place. Row groups of Parquet files and lines of text files are also read in
    several threads. Only the columns that are named are read. Of a pyarrow Dataset that is filtered or not of local
    Parquet files some row groups are in memory, and of an Arrow file a record batch.

    Labels are told apart by what they are in the source: cells of CSV files are text. Times with a zone are labels in
    UTC.

    Examples
    --------
    >>> import fastloss as fl, pyarrow as pa
    >>> from fastloss.arrow import score_batches
    >>> table = pa.table({"y": [1.0, 2.0, 4.0], "p": [1.5, 2.0, 3.0], "site": ["north", "south", "north"]})
    >>> score_batches(table, fl.AbsoluteError(), y_true="y", y_pred="p").mean
    0.5
    >>> by_site = score_batches(table, fl.AbsoluteError(), y_true="y", y_pred="p", groups="site")
    >>> {site: state.mean for site, state in by_site.items()}
    {'north': 0.75, 'south': 0.0}
    >>> batches = score_batches(table, fl.AbsoluteError(), y_true="y", y_pred="p", outputs=["loss", "grad"])
    >>> [batch.to_pydict() for batch in batches], batches.state.mean
    ([{'loss': [0.5, 0.0, 1.0], 'grad': [1.0, 0.0, -1.0]}], 0.5)
    """
    task = _task(loss, y_true, y_pred, weight, groups, None, outputs, null_policy, nan_policy)
    scoring = Scoring(task, source_of(source), num_threads)
    return scoring.finished()[0] if outputs is None else ScoredBatches(scoring)


def compare_batches(
    source: Any,
    loss: Loss,
    *,
    y_true: str | None = None,
    y_pred: str | Sequence[str],
    other: str | Sequence[str],
    weight: str | None = None,
    groups: str | Sequence[str] | None = None,
    null_policy: NullPolicy = "propagate",
    nan_policy: NanPolicy = "propagate",
    num_threads: int | None = None,
) -> Comparison:
    """Compare the losses of two models on the same examples.

    Parameters
    ----------
    source, loss, y_true, y_pred, weight, groups, nan_policy, num_threads
        As for `score_batches`.
    other : str or sequence of str
        The column or columns of the predictions to compare with.
    null_policy : {"propagate", "omit", "raise"}
        As for `score_batches`; a row that is left out is so for both.

    Returns
    -------
    Comparison
        The states of both and of the paired differences, by group where there are any.

    Examples
    --------
    >>> import fastloss as fl, pyarrow as pa
    >>> from fastloss.arrow import compare_batches
    >>> table = pa.table({"y": [1.0, 2.0, 4.0], "new": [1.5, 2.0, 3.0], "old": [2.0, 3.0, 2.0]})
    >>> found = compare_batches(table, fl.AbsoluteError(), y_true="y", y_pred="new", other="old")
    >>> found.first.mean, found.difference.mean, found.difference.standard_error
    (0.5, -0.8333333333333334, 0.16666666666666666)
    """
    if not _several(other):
        raise TypeError(f"{type(loss).__name__}: other is empty, must be one or more columns")
    task = _task(loss, y_true, y_pred, weight, groups, other, None, null_policy, nan_policy)
    return Comparison(*Scoring(task, source_of(source), num_threads).finished())


def partial_states(
    batches: Iterable[Any],
    loss: Loss,
    *,
    y_true: str | None = None,
    y_pred: str | Sequence[str],
    weight: str | None = None,
    groups: str | Sequence[str] | None = None,
    null_policy: NullPolicy = "propagate",
    nan_policy: NanPolicy = "propagate",
    num_threads: int | None = 1,
) -> Iterator[Any]:
    """Turn the record batches of a part of a data set into record batches of what its losses come to.

    It is what engines run on each partition, such as Spark's `mapInArrow`; the columns of the results add up in
    plain SQL. `LossState.to_arrow` and `GroupStates.to_arrow` tell which, and `from_arrow` reads their sums.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        The rows of the part.
    loss, y_true, y_pred, weight, groups, null_policy, nan_policy
        As for `score_batches`.
    num_threads : int, optional
        Threads to use; None for as many as may be used.

    Yields
    ------
    pyarrow.RecordBatch
        A row for each group of the part, or one for all of it: the columns of `groups`, of the types that they have,
        and the numbers of a state. There are none of no batches.

    Examples
    --------
    >>> import fastloss as fl, pyarrow as pa
    >>> from functools import partial
    >>> from fastloss.arrow import partial_states
    >>> table = pa.table({"y": [1.0, 2.0, 4.0], "p": [1.5, 2.0, 3.0], "site": ["north", "south", "north"]})
    >>> score = partial(partial_states, loss=fl.AbsoluteError(), y_true="y", y_pred="p", groups="site")
    >>> parts = [batch for half in (table[:2], table[2:]) for batch in score(half.to_batches())]
    >>> fl.GroupStates.from_arrow(pa.Table.from_batches(parts)).mean
    array([0.75, 0.  ])
    """
    task = _task(loss, y_true, y_pred, weight, groups, None, None, null_policy, nan_policy)
    yield from parts_of(task, batches, num_threads)


def _task(
    loss: Loss, y_true: Any, y_pred: Any, weight: Any, groups: Any, other: Any, outputs: Any, *policies: Any
) -> Task:  # fmt: skip
    several = [_several(given) for given in (groups, other, outputs)]
    task = Task(loss, y_true, _several(y_pred), weight, *several, *policies)  # type: ignore[arg-type]
    if not loss.signature.additive:
        raise ValueError(
            f"{task.owner}: it is one number for the whole sample, whose parts do not add up; call it with arrays"
        )
    return task


def _several(given: Any) -> tuple[Any, ...]:
    """One or more names as a tuple of them."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)
