"""Labels of groups as integers, by the library that holds them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core.isa import kernels
from fastloss._core.operands import as_array
from fastloss._core.threads import threads_for

Array: TypeAlias = NDArray[Any]
Places: TypeAlias = NDArray[np.intp]

RANGE = 65_536  # integers stand for themselves where their range is no longer than this or than there are elements
PIECE = 1 << 19  # elements that are looked at before an interrupt is
LIMIT = 2**62


class Coding(Protocol):
    """The group of each element as an integer: minus `low` it is the place of the group's label.

    Some labels may have no elements.
    """

    @property
    def codes(self) -> Array: ...

    @property
    def low(self) -> int: ...

    def __len__(self) -> int: ...

    def labels(self, places: Places) -> list[Any]:
        """The labels at some places."""

    def ranks(self) -> Places | None:
        """The position of each place among the sorted labels; None where they are sorted."""


def places(coding: Coding) -> Places:
    """The place of the label of each element."""
    return np.subtract(coding.codes, coding.low, dtype=np.intp)


def named(coding: Coding, places: Places) -> list[Any] | Callable[[], list[Any]]:
    """The labels at some places, later if they can be told without the codes."""
    if isinstance(coding, (Range, Column)):
        return partial(replace(coding, codes=coding.codes[:0]).labels, places)
    return coding.labels(places)


def encode(owner: str, groups: Any, num_threads: int | None = None, *, hasty: bool = False) -> Coding:
    """The labels of groups, of which missing ones are one, NaN, and which one each element has.

    In haste only the first integers are looked at, and codes of others may have no place.
    """
    columns = _columns(groups)
    if columns is None:
        found = _by_library(groups)
        if found is not None:
            return found
        array = as_array(owner, "groups", groups)
        if array.dtype.kind in "SU" and isinstance(groups, (list, tuple)):
            array = np.array(groups, object)  # where NaN is no word
        if array.ndim != 1:
            raise ValueError(f"{owner}: groups has shape {array.shape}, must have one axis")
        if not array.dtype.names:
            return _range(array, num_threads, array[: PIECE if hasty else None].size) or _of_array(array)
        columns = [array[name] for name in array.dtype.names]
    return Columns([encode(owner, column, num_threads) for column in columns])


# Codings ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """Integers, and what NumPy keeps as such: they stand for themselves."""

    codes: Array
    low: int
    high: int
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.high - self.low + 1

    def labels(self, places: Places) -> list[Any]:
        bits = 8 * self.dtype.itemsize
        low = np.array(self.low % 2**bits, f"u{self.dtype.itemsize}")
        return _objects((places.astype(low.dtype) + low).view(self.dtype))

    def ranks(self) -> None:
        return None


@dataclass(frozen=True)
class Column:
    """What is looked up: the codes count the labels in `order`, and missing ones have the code -1."""

    codes: Array
    found: list[Any]
    order: Places

    low = -1

    def __len__(self) -> int:
        return len(self.found) + 1

    def labels(self, places: Places) -> list[Any]:
        known = [np.nan, *self.found]
        return [known[place] for place in places.tolist()]

    def ranks(self) -> Places:
        return _inverse(np.append(self.order + 1, 0))


@dataclass(frozen=True)
class Columns:
    """Labels that are tuples of those of several columns."""

    columns: list[Coding]

    low = 0

    def __len__(self) -> int:
        return len(self._coded[1])

    @property
    def codes(self) -> Places:
        return self._coded[0]

    @cached_property
    def _coded(self) -> tuple[Places, Places]:
        """The place of each element, and an element of each place."""
        number, size = 1, len(self.columns[0].codes)
        codes = np.zeros(size, np.intp)
        if not size:
            return codes, codes
        for column in self.columns:
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
        return [(column, np.subtract(column.codes[elements], column.low, dtype=np.intp)) for column in self.columns]

    def labels(self, places: Places) -> list[Any]:
        return list(zip(*(column.labels(own) for column, own in self._of_columns(places)), strict=True))

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
        return _distinct(_objects(known), codes)
    # Sorting strings costs ten times what looking them up does.
    positions: defaultdict[Any, int] = defaultdict()
    positions.default_factory = positions.__len__
    codes = np.fromiter(map(positions.__getitem__, array.tolist()), np.intp, array.size)
    return _distinct(list(positions), codes)


def _objects(labels: Array) -> list[Any]:
    return list(labels) if labels.dtype.kind in "mM" else labels.tolist()


# Labels -------------------------------------------------------------------------------------------


def _distinct(labels: list[Any], codes: Array) -> Column:
    """A column of labels, some of which may be missing or the same; so may be what has the code -1."""
    distinct = dict.fromkeys(label for label in labels if not _missing(label))
    if len(distinct) < len(labels):
        position = {label: k for k, label in enumerate(distinct)}
        codes = np.array([*(-1 if _missing(label) else position[label] for label in labels), -1])[codes]
    return Column(codes, list(distinct), order(list(distinct)))


def _missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA does not know
        return True


def order(labels: list[Any]) -> Places:
    """The positions of labels in sorted order; where they do not compare, in that of their text."""
    positions = range(len(labels))
    try:
        return np.array(sorted(positions, key=labels.__getitem__), np.intp)
    except TypeError:
        return np.array(sorted(positions, key=lambda k: str(labels[k])), np.intp)


# Other libraries ----------------------------------------------------------------------------------


def _columns(groups: Any) -> list[Any] | None:
    """The columns of a table."""
    pandas, polars, arrow = map(sys.modules.get, ("pandas", "polars", "pyarrow"))
    if pandas is not None:
        if isinstance(groups, pandas.MultiIndex):
            return [groups.get_level_values(k) for k in range(groups.nlevels)]
        if isinstance(groups, pandas.DataFrame):
            return [groups.iloc[:, k] for k in range(groups.shape[1])]
    if polars is not None and isinstance(groups, polars.DataFrame):
        return list(groups.get_columns())
    if arrow is not None and isinstance(groups, (arrow.Table, arrow.RecordBatch)):
        return list(groups.columns)
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
