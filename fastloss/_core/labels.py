"""Labels of groups as integers, by the library that holds them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from fastloss._core.isa import kernels
from fastloss._core.joining import join
from fastloss._core.operands import as_array
from fastloss._core.threads import threads_for

Array: TypeAlias = NDArray[Any]
Places: TypeAlias = NDArray[np.intp]

RANGE = 65_536  # integers stand for themselves where their range is no longer than this or than there are elements
PIECE = 1 << 19  # elements that are looked at before an interrupt is
LIMIT = 2**62
NUMERIC: dict[type, str] = {bool: "b", int: "iu", float: "f"}  # kinds of NumPy's types for labels of these


class Coding(Protocol):
    """The group of each element as an integer: minus `low` it is the place of the group's label.

    Some labels may have no elements.
    """

    @property
    def codes(self) -> Array: ...

    @property
    def low(self) -> int: ...

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the columns."""

    def __len__(self) -> int: ...

    def columns(self, places: Places) -> list[Array]:
        """The labels at some places, as an array for each column."""

    def ranks(self) -> Places | None:
        """The position of each place among the sorted labels; None where they are sorted."""


def places(coding: Coding, chosen: Any = ...) -> Places:
    """The place of the label of each element, or of those chosen."""
    # Modulo 2^64, since codes may be any integers of 64 bits.
    found: Places = (coding.codes[chosen].astype(np.uint64) - np.uint64(coding.low % 2**64)).astype(np.intp)
    return found


def present(coding: Coding) -> Places:
    """The places of labels that have elements, sorted by these labels."""
    return by_label(coding, np.unique(places(coding)))


def by_label(coding: Coding, chosen: Places) -> Places:
    """Some places in increasing order, sorted by their labels."""
    ranks = coding.ranks()
    return chosen if ranks is None else chosen[np.argsort(ranks[chosen])]


def encode(owner: str, groups: Any, num_threads: int | None = None, *, hasty: bool = False) -> Coding:
    """The labels of groups, of which missing ones are one, NaN, and which one each element has.

    In haste only the first integers are looked at, and codes of others may have no place.
    """
    columns = _columns(groups)
    if columns is None:
        found: Range | Column | None = _by_library(groups)
        if found is not None:
            return replace(found, names=_names([getattr(groups, "name", None)]))
        array = as_array(owner, "groups", groups)
        if array.dtype.kind in "SU" and isinstance(groups, (list, tuple)):
            array = np.array(groups, object)  # where NaN is no word
        if array.ndim != 1:
            raise ValueError(f"{owner}: groups has shape {array.shape}, must have one axis")
        if not array.dtype.names:
            found = _range(array, num_threads, array[: PIECE if hasty else None].size) or _of_array(array)
            return replace(found, names=_names([getattr(groups, "name", None)]))
        columns = [(name, array[name]) for name in array.dtype.names]
    if not columns:
        raise ValueError(f"{owner}: groups has no columns, must have one or more")
    names = _names([name for name, _ in columns])
    coded = [encode(owner, column, num_threads) for _, column in columns]
    lengths = [len(coding.codes) for coding in coded]
    for name, coding, length in zip(names, coded, lengths, strict=True):
        if isinstance(coding, Columns):
            raise ValueError(f"{owner}: groups[{name!r}] is a table, must be a column")
        if length != lengths[0]:
            raise ValueError(
                f"{owner}: groups[{name!r}] has {length:,} labels, must have {lengths[0]:,} as {names[0]!r}"
            )
    if len(coded) > 1:
        return Columns(coded, names)
    return replace(cast("Range | Column", coded[0]), names=names)


def _names(given: Sequence[Any]) -> tuple[str, ...]:
    """A name for each column: its own, "group" where it has none, with a number where another has it."""
    names: list[str] = []
    for own in given:
        name = wanted = "group" if own is None or own == "" else str(own)
        number = 1
        while name in names:
            number += 1
            name = f"{wanted}_{number}"
        names.append(name)
    return tuple(names)


# Codings ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """Integers, and what NumPy keeps as such: they stand for themselves."""

    codes: Array
    low: int
    high: int
    dtype: np.dtype[Any]
    names: tuple[str, ...] = ("group",)

    def __len__(self) -> int:
        return self.high - self.low + 1

    def columns(self, places: Places) -> list[Array]:
        bits = 8 * self.dtype.itemsize
        low = np.array(self.low % 2**bits, f"u{self.dtype.itemsize}")
        return [(places.astype(low.dtype) + low).view(self.dtype)]

    def ranks(self) -> None:
        return None


@dataclass(frozen=True)
class Column:
    """What is looked up: the codes count the labels in `order`, and missing ones have the code -1."""

    codes: Array
    found: Array
    order: Places
    names: tuple[str, ...] = ("group",)

    low = -1

    def __len__(self) -> int:
        return len(self.found) + 1

    def columns(self, places: Places) -> list[Array]:
        if not places.size or places.min() > 0:
            return [self.found[places - 1]]
        return [np.concatenate([_missing_of(self.found.dtype), self.found])[places]]

    def ranks(self) -> Places:
        return _inverse(np.append(self.order + 1, 0))


@dataclass(frozen=True)
class Columns:
    """Labels that are tuples of those of several columns."""

    of_columns: list[Coding]
    names: tuple[str, ...]

    low = 0

    def __len__(self) -> int:
        return len(self._coded[1])

    @property
    def codes(self) -> Places:
        return self._coded[0]

    @cached_property
    def _coded(self) -> tuple[Places, Places]:
        """The place of each element, and an element of each place."""
        number, size = 1, len(self.of_columns[0].codes)
        codes = np.zeros(size, np.intp)
        if not size:
            return codes, codes
        for column in self.of_columns:
            if number * len(column) > LIMIT:
                known, codes = np.unique(codes, return_inverse=True)
                number = len(known)
            codes = codes * len(column) + places(column)
            number *= len(column)
        if number > max(RANGE, size):
            _, elements, codes = np.unique(codes, return_index=True, return_inverse=True)
        else:
            elements = np.zeros(number, np.intp)
            elements[codes] = np.arange(size)
        return codes, elements

    def _of_columns(self, chosen: Places) -> list[tuple[Coding, Places]]:
        """The columns, with the place in each of those chosen."""
        elements = self._coded[1][chosen]
        return [(column, places(column, elements)) for column in self.of_columns]

    def columns(self, places: Places) -> list[Array]:
        return [column.columns(own)[0] for column, own in self._of_columns(places)]

    def ranks(self) -> Places:
        keys = []
        for column, own in self._of_columns(np.arange(len(self))):
            ranks = column.ranks()
            keys.append(own if ranks is None else ranks[own])
        return _inverse(np.lexsort(keys[::-1]))


def _inverse(order: Places) -> Places:
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


# NumPy --------------------------------------------------------------------------------------------


def _range(array: Array, num_threads: int | None, looked_at: int) -> Range | None:
    """The coding of integers, dates and the like, if those that are looked at lie close enough together."""
    if array.dtype.kind not in "biumM" or not array.size:
        return None
    kind = {"b": "u", "u": "u"}.get(array.dtype.kind, "i")
    integers = array.view(f"{array.dtype.str[0]}{kind}{array.dtype.itemsize}")
    low, high = integers[0].item(), integers[0].item()
    for start in range(0, looked_at, PIECE):
        piece = as_native(integers[start : start + PIECE])
        ends = kernels("groups").ends_of(piece, kind == "i", threads_for(num_threads, piece.size))
        low, high = min(low, ends[0]), max(high, ends[1])
        if high - low >= max(RANGE, array.size):
            return None
    return Range(integers, low, high, array.dtype.newbyteorder("="))


def as_native(array: Array) -> Array:
    """The same numbers in the byte order of the processor, contiguous and aligned."""
    return np.require(array, array.dtype.newbyteorder("="), ["C", "A"])


def _of_array(array: Array) -> Column:
    pandas = sys.modules.get("pandas")
    if array.dtype.kind in "iufmM" and array.dtype.itemsize <= 8:
        if pandas is None:
            known, codes = np.unique(array, return_inverse=True)
        else:  # looks up what NumPy sorts
            codes, known = pandas.factorize(as_native(array))
        missing = known != known
        if missing.any():  # NumPy's, at the end
            codes = np.where(missing[codes], -1, codes)
        known = known[~missing]
        return Column(codes, known, np.argsort(known, kind="stable"))
    # Sorting strings costs ten times what looking them up does.
    positions: defaultdict[Any, int] = defaultdict()
    positions.default_factory = positions.__len__
    codes = np.fromiter(map(positions.__getitem__, array.tolist()), np.intp, array.size)
    return _distinct(list(positions), codes)


# Labels -------------------------------------------------------------------------------------------


def _distinct(labels: list[Any], codes: Array) -> Column:
    """A column of labels, some of which may be missing or the same; so may be what has the code -1."""
    distinct = dict.fromkeys(label for label in labels if not missing(label))
    if len(distinct) < len(labels):
        position = {label: k for k, label in enumerate(distinct)}
        codes = np.array([*(-1 if missing(label) else position[label] for label in labels), -1])[codes]
    found = list(distinct)
    return Column(codes, column_of(found), order(found))


def column_of(labels: list[Any]) -> Array:
    """Labels as an array: of numbers where all are of one type that NumPy has."""
    kinds = set(map(type, labels))
    if len(kinds) == 1:
        column = np.array(labels) if kinds <= NUMERIC.keys() else None
        if column is not None and column.dtype.kind in NUMERIC[kinds.pop()]:  # of integers within 64 bits
            return column
    return np.fromiter(labels, object, len(labels))


def missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA does not know
        return True


def _missing_of(dtype: np.dtype[Any]) -> Array:
    """The missing label of a column, alone in an array."""
    if dtype.kind in "mM":
        return np.array(["NaT"], dtype)
    return np.array([np.nan], dtype if dtype.kind == "f" else object)


def order(labels: list[Any]) -> Places:
    """The positions of labels in sorted order; where they do not compare, in that of their text."""
    positions = range(len(labels))
    try:
        return np.array(sorted(positions, key=labels.__getitem__), np.intp)
    except TypeError:
        return np.array(sorted(positions, key=lambda k: str(labels[k])), np.intp)


def listed(columns: Sequence[Array]) -> list[Any]:
    """Labels as Python objects, of which the missing one is NaN: of several columns, tuples."""
    plain = [_objects(column) for column in columns]
    return plain[0] if len(plain) == 1 else list(zip(*plain, strict=True))


def _objects(column: Array) -> list[Any]:
    labels = list(column) if column.dtype.kind in "mM" else column.tolist()
    if column.dtype.kind in "fmM":
        for place in np.flatnonzero(column != column):
            labels[place] = np.nan
    return labels


# Columns of different labels, sorted ------------------------------------------------------------------


def arranged(owner: str, columns: Mapping[str, Any]) -> tuple[dict[str, Array], Places]:
    """The different labels of some columns in sorted order, and the position of that of each row among them."""
    coding = encode(owner, columns)
    chosen = present(coding)
    positions = np.empty(len(coding), np.intp)
    positions[chosen] = np.arange(len(chosen))
    return dict(zip(coding.names, coding.columns(chosen), strict=True)), positions[places(coding)]


def joined(first: Array, second: Array) -> Array:
    """Both columns as one, of a type that keeps what their labels are."""
    kinds = {first.dtype.kind, second.dtype.kind}
    together = kinds <= {"i", "u"} and np.result_type(first, second).kind in "iu"
    if len(kinds) > 1 and not together:
        first, second = (np.fromiter(_objects(column), object, len(column)) for column in (first, second))
    return np.concatenate([first, second])


def merged(both: Array, size: int) -> tuple[Places, Places]:
    """The place of each label of two sorted columns in either, -1 where it is not; the first column is of some size."""
    halves, ends = [both[:size], both[size:]], []
    for k, half in enumerate(halves):
        ends.append(len(half) > 0 and missing(half[-1]))
        halves[k] = half[: len(half) - ends[-1]]
    if both.dtype.kind != "O":
        wide = {"b": "i8", "i": "i8", "u": "u8", "f": "f8"}.get(both.dtype.kind)
        halves = [half.view("i8") if wide is None else half.astype(wide) for half in halves]
    mine, theirs = np.empty((2, len(both) + 1), np.intp)
    rows = join(halves[0], halves[1], mine, theirs)
    if any(ends):  # the missing label comes last
        mine[rows], theirs[rows] = (len(half) if end else -1 for half, end in zip(halves, ends, strict=True))
        rows += 1
    return mine[:rows], theirs[:rows]


def same(first: Array, second: Array) -> bool:
    """Whether two columns hold the same labels."""
    return first is second or (
        len(first) == len(second) and first.dtype.kind == second.dtype.kind and bool(np.all(equal(first, second)))
    )


def equal(first: Array, second: Array) -> NDArray[np.bool_]:
    """Where the labels of two columns are the same; missing ones are."""
    found: NDArray[np.bool_] = np.asarray(first == second, bool)
    if first.dtype.kind in "fmMO" and not found.all():
        found |= np.asarray((first != first) & (second != second), bool)
    return found


# Other libraries ----------------------------------------------------------------------------------


def _columns(groups: Any) -> list[tuple[Any, Any]] | None:
    """The columns of a table and their names."""
    pandas, polars, arrow = map(sys.modules.get, ("pandas", "polars", "pyarrow"))
    if isinstance(groups, Mapping):
        return list(groups.items())
    if pandas is not None:
        if isinstance(groups, pandas.MultiIndex):
            return [(groups.names[k], groups.get_level_values(k)) for k in range(groups.nlevels)]
        if isinstance(groups, pandas.DataFrame):
            return [(name, groups.iloc[:, k]) for k, name in enumerate(groups.columns)]
    if polars is not None and isinstance(groups, polars.DataFrame):
        return [(column.name, column) for column in groups.get_columns()]
    if arrow is not None and isinstance(groups, (arrow.Table, arrow.RecordBatch)):
        return list(zip(groups.schema.names, groups.columns, strict=True))
    return None


def _by_library(groups: Any) -> Column | None:
    """The coding of labels that pandas, Polars or Arrow holds, unless they are plain integers."""
    pandas, polars, arrow = map(sys.modules.get, ("pandas", "polars", "pyarrow"))
    if pandas is not None and isinstance(groups, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)):
        if isinstance(groups.dtype, np.dtype) and groups.dtype.kind in "biu":
            return None
        if isinstance(groups.dtype, pandas.CategoricalDtype):
            array = getattr(groups, "array", groups)
            return _distinct(array.categories.tolist(), array.codes)
        codes, known = groups.factorize()
        return _distinct(known.tolist(), codes)
    if polars is not None and isinstance(groups, polars.Series):
        if groups.dtype.is_integer() and not groups.null_count():
            return None
        known = groups.unique()
        found = polars.DataFrame({"label": known, "code": np.arange(len(known))})
        codes = polars.DataFrame({"label": groups}).join(
            found, on="label", how="left", nulls_equal=True, maintain_order="left"
        )["code"]
        return _distinct(known.to_list(), codes.to_numpy())
    if arrow is not None and isinstance(groups, (arrow.Array, arrow.ChunkedArray)):
        if arrow.types.is_integer(groups.type) and not groups.null_count:
            return None
        coded = groups if arrow.types.is_dictionary(groups.type) else groups.dictionary_encode()
        if isinstance(coded, arrow.ChunkedArray):
            coded = coded.combine_chunks()
        codes = coded.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
        return _distinct(coded.dictionary.to_pylist(), codes)
    return None
