"""What was computed, as record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from fastloss.arrow.columns import Array, Bools, array_of
from fastloss.arrow.scoring import Scored, Scoring, Task
from fastloss.arrow.sources import Stream, Wanted, batches_of
from fastloss.state import GroupStates


class Results:
    """Record batches of outputs, all of the types that the first has."""

    def __init__(self) -> None:
        self._types: dict[str, np.dtype[Any]] = {}

    def batch(self, scored: Scored, *, flat: bool = False) -> Any:
        """The outputs of a batch; `flat` has a column for each number of a row in place of lists."""
        import pyarrow

        columns: dict[str, Any] = {}
        for name, given in scored.outputs.items():
            values = given.astype(self._types.setdefault(name, given.dtype), copy=False)
            if flat and values.ndim > 1:
                parts = values.reshape(len(values), -1).T
                columns.update((f"{name}_{k}", _column(part, scored.kept)) for k, part in enumerate(parts))
            else:
                columns[name] = _column(values, scored.kept)
        return pyarrow.RecordBatch.from_pydict(columns)


def _column(values: Array, kept: Bools | None) -> Any:
    """Numbers, or lists of one length, as a column of Arrow; null where a row was left out."""
    import pyarrow

    if values.ndim == 1:
        return array_of(values, kept)
    items = _column(values.reshape(-1, *values.shape[2:]), None)
    mask = None if kept is None else array_of(~kept)
    return pyarrow.FixedSizeListArray.from_arrays(items, values.shape[1], mask=mask)


def reader_of(batches: Iterator[Any], names: Iterable[str]) -> Any:
    """The batches as a stream; that of no batches has columns of float64."""
    import pyarrow

    first = next(batches, None)
    if first is None:
        return pyarrow.table({name: pyarrow.array([], pyarrow.float64()) for name in names}).to_reader()
    return pyarrow.RecordBatchReader.from_batches(first.schema, chain([first], batches))


def parts_of(task: Task, batches: Iterable[Any], num_threads: int | None) -> Iterator[Any]:
    """The state of the rows of some batches, with the labels of groups in the types that they have there."""
    fields: dict[str, Any] = {}

    def seen(wanted: Wanted) -> Iterator[Any]:
        for batch in chain.from_iterable(map(batches_of, batches)):
            if not fields:
                fields.update((field.name, field.type) for field in batch.schema)
            yield batch

    scoring = Scoring(task, Stream(seen), num_threads)
    (state,) = scoring.finished()
    if not isinstance(state, GroupStates):
        if scoring.rows:
            yield state.to_arrow()
        return
    table = state.to_arrow()
    for place, name in enumerate(state.names):
        kind = getattr(fields.get(name), "value_type", None) or fields.get(name)
        if kind is not None:
            table = table.set_column(place, name, table.column(place).cast(kind))
    yield from table.to_batches()
