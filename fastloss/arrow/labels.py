"""Labels of groups as integers that stay the same from batch to batch, so that tables of states merge by integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Literal, TypeAlias

import numpy as np

from fastloss._core.tables import gathered
from fastloss.arrow.columns import Array, Unfit, booleans, number_type, offsets_of, primitive, validity
from fastloss.elementwise.residual import MeanBias
from fastloss.state import GroupStates

# What the labels of a table of states are: those of the groups, the numbers of words, or what words of digits spell.
Coding: TypeAlias = Literal["plain", "words", "digits"]

MISSING = -1


class Words:
    """The words that a column has had so far, and their numbers in the order in which they came."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: Any = None

    def codes(self, column: Any) -> Array:
        """The number of each entry of a column; that of what is null is MISSING."""
        import pyarrow
        from pyarrow import types

        if types.is_null(getattr(column.type, "value_type", column.type)):
            return np.full(len(column), MISSING)
        if types.is_dictionary(column.type):
            coded = column
        else:
            try:
                coded = column.dictionary_encode()
            except pyarrow.ArrowNotImplementedError:
                raise Unfit(f"is of type {column.type}, must be numbers, words, dates or times") from None
        with self._lock:
            numbers = self._numbers(_comparable(coded.dictionary))
        places = primitive(coded.indices, number_type(coded.indices.type) or "")
        there = validity(coded.indices)
        if there is not None:
            return np.where(
                there, np.append(numbers, np.int32(MISSING))[np.where(there, places, -1)], np.int32(MISSING)
            )
        return numbers[places]

    def _numbers(self, words: Any) -> Array:
        """The numbers of words, some of which may be new, null, or the same."""
        import pyarrow
        import pyarrow.compute as compute

        if self._known is None:
            self._known = words.slice(0, 0)
        if words.type != self._known.type:
            raise Unfit(f"is of type {words.type}, must be {self._known.type} as before")
        found = compute.index_in(words, value_set=self._known)
        if found.null_count > words.null_count:
            new = words.filter(found.is_null()).drop_null().unique()
            self._known = pyarrow.concat_arrays([self._known, new])
            found = compute.index_in(words, value_set=self._known)
        there, numbers = validity(found), primitive(found, "i4")
        return numbers if there is None else np.where(there, numbers, np.int32(MISSING))

    def labels(self) -> Array:
        """The words by their numbers, and last, which -1 is the place of, the missing one."""
        words = [] if self._known is None else self._known.to_pylist()
        labels = np.empty(len(words) + 1, object)
        labels[:-1] = words
        labels[MISSING] = np.nan
        return labels

    def ranks(self) -> Array | None:
        """The positions of the words in sorted order, the missing one last; None of what is no text."""
        import pyarrow.compute as compute
        from pyarrow import types

        if self._known is None or not types.is_large_string(self._known.type):
            return None
        ranks = np.empty(len(self._known) + 1, np.int64)
        ranks[primitive(compute.sort_indices(self._known), "u8")] = np.arange(len(self._known))
        ranks[MISSING] = len(self._known)
        return ranks


def _comparable(words: Any) -> Any:
    """Words of one type, whichever of Arrow's types of text they have."""
    import pyarrow
    from pyarrow import types

    if types.is_string(words.type) or types.is_string_view(words.type):
        return words.cast(pyarrow.large_string())
    if types.is_binary(words.type) or types.is_binary_view(words.type):
        return words.cast(pyarrow.large_binary())
    return words


class Labels:
    """What the labels of some columns are called while their batches are scored, in any thread."""

    def __init__(self, owner: str, names: Sequence[str]) -> None:
        self._owner = owner
        self._words = {name: Words() for name in names}

    def coded(self, columns: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Coding, ...]]:
        """The columns as labels that are quick to tell apart, and what these stand for."""
        found: dict[str, Any] = {}
        codings: list[Coding] = []
        for name, words in self._words.items():
            try:
                found[name], coding = self._coded(columns[name], words)
            except Unfit as unfit:
                raise TypeError(f"{self._owner}: groups' column {name!r} {unfit}") from None
            codings.append(coding)
        return found, tuple(codings)

    def _coded(self, column: Any, words: Words) -> tuple[Any, Coding]:
        if isinstance(column, np.ndarray):
            return column, "plain"
        from pyarrow import types

        kind = column.type
        if hasattr(kind, "storage_type"):
            return self._coded(column.storage, words)
        if types.is_run_end_encoded(kind):
            import pyarrow.compute

            return self._coded(pyarrow.compute.run_end_decode(column), words)
        plain = _plain(column, kind)
        if plain is not None:
            return plain, "plain"
        digits = _digits(column) if types.is_string(kind) or types.is_large_string(kind) else None
        return (words.codes(column), "words") if digits is None else (digits, "digits")

    def named(self, tables: Mapping[tuple[Coding, ...], GroupStates]) -> GroupStates:
        """One table, with the labels of the groups, of those whose labels stand for them in some way."""
        named = [self._named(table, codings) for codings, table in tables.items()]
        if not named:
            return MeanBias().states([], [], groups={name: [] for name in self._words})
        return named[0] if len(named) == 1 else GroupStates.merge(named)

    def _named(self, table: GroupStates, codings: tuple[Coding, ...]) -> GroupStates:
        if set(codings) <= {"plain"}:
            return table
        columns: dict[str, Array] = {}
        ranks: Array | None = None
        for (name, column), coding in zip(table.columns.items(), codings, strict=True):
            if coding == "digits":
                columns[name] = np.array([str(number) for number in column.tolist()], object)
                ranks = columns[name].astype("S20")
            elif coding == "words":
                columns[name] = self._words[name].labels()[column]
                known = self._words[name].ranks()
                ranks = None if known is None else known[column]
            else:
                columns[name] = column
        if len(columns) > 1 or ranks is None:
            return GroupStates(*gathered(columns, table._numbers))
        order = np.argsort(ranks, kind="stable")
        numbers = {name: column[order] for name, column in table._numbers.items()}
        return GroupStates({name: column[order] for name, column in columns.items()}, numbers)


def _plain(column: Any, kind: Any) -> Array | Any | None:
    """Integers, and what is kept as such; None of others."""
    from pyarrow import types

    if types.is_integer(kind) or types.is_boolean(kind):
        if column.null_count:
            return column
        return booleans(column) if types.is_boolean(kind) else primitive(column, number_type(kind) or "")
    if types.is_timestamp(kind) or types.is_duration(kind):
        return _times(column, f"{'M' if types.is_timestamp(kind) else 'm'}8[{kind.unit}]")
    if types.is_date64(kind):
        return _times(column, "M8[ms]")
    if types.is_date32(kind):
        return _times(column, "M8[D]", "i4")
    return None


def _times(column: Any, dtype: str, stored: str = "i8") -> Array:
    times = primitive(column, stored).astype("i8", copy=False).view(dtype)
    there = validity(column)
    return times if there is None else np.where(there, times, np.array("NaT", dtype))


def _digits(column: Any) -> Array | None:
    """The integers that all words of a column are the shortest text of; None if one is something else."""
    import pyarrow

    if column.null_count or not len(column):
        return None
    try:
        integers = column.cast(pyarrow.int64())
    except pyarrow.ArrowInvalid:
        return None
    numbers, offsets = primitive(integers, "i8"), offsets_of(column)
    return numbers if int(offsets[-1] - offsets[0]) == _length_as_text(numbers) else None


def _length_as_text(numbers: Array) -> int:
    """How many digits and signs some integers have."""
    negative = numbers < 0
    length = len(numbers) + int(np.count_nonzero(negative))
    sizes = np.where(negative, -numbers, numbers).view("u8")  # the least integer of all is its own negative
    power = 10
    while power <= int(sizes.max()):
        length += int(np.count_nonzero(sizes >= np.uint64(power)))
        power *= 10
    return length
