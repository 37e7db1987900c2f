"""Columns of Arrow as the arrays that losses take: viewed where their memory allows it, and what is null in them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Bools: TypeAlias = NDArray[np.bool_]
NullPolicy: TypeAlias = Literal["propagate", "omit", "raise"]

NULL_POLICIES = ("propagate", "omit", "raise")


class Unfit(Exception):
    """What a column is and must be, of one row where that is not the type of all."""

    def __init__(self, what: str, row: int | None = None) -> None:
        super().__init__(what)
        self.row = row


def numbers(owner: str, name: str, column: Any, null_policy: NullPolicy) -> tuple[Array, Bools | None]:
    """The numbers of a column, and which of its rows count unless all do; arrays of NumPy are returned as they are.

    Lists of one length are the rows of a matrix.
    """
    if isinstance(column, np.ndarray):
        return column, None
    try:
        values, there = _elements(column)
    except Unfit as unfit:
        kind, row = (TypeError, "") if unfit.row is None else (ValueError, f"[{unfit.row}]")
        raise kind(f"{owner}: {name}{row} {unfit}") from None
    if there is None or there.all():
        return values, None
    rows = np.asarray(there.reshape(len(there), -1).all(axis=1))
    if null_policy == "omit":
        return values, rows
    if null_policy == "raise":
        raise ValueError(f"{owner}: {name}[{int(rows.argmin())}] is null, must be there with null_policy='raise'")
    if values.ndim > 1 and not there.any():
        raise ValueError(
            f"{owner}: {name} has lists that are all null, of no length; null_policy='omit' leaves them out"
        )
    return np.where(there, values, _nan_beside(values.dtype)), None


def _nan_beside(dtype: np.dtype[Any]) -> Any:
    """A NaN of a type that holds the numbers of another."""
    if dtype.kind == "f":
        return dtype.type(np.nan)
    return (np.float32 if dtype.itemsize <= 2 else np.float64)(np.nan)


def primitive(array: Any, dtype: str | np.dtype[Any]) -> Array:
    """The memory of an array whose elements are of one width, whatever is null."""
    dtype = np.dtype(dtype)
    memory = array.buffers()[1]
    if memory is None or not len(array):
        return np.zeros(len(array), dtype)
    return np.frombuffer(memory, dtype, len(array), array.offset * dtype.itemsize)


def validity(array: Any) -> Bools | None:
    """Which entries of an array are not null, unless all are."""
    return None if not array.null_count else _bits(array.buffers()[0], array.offset, len(array))


def booleans(array: Any) -> Bools:
    """The bits of an array of booleans."""
    return _bits(array.buffers()[1], array.offset, len(array))


def _bits(memory: Any, offset: int, size: int) -> Bools:
    if memory is None or not size:
        return np.zeros(size, bool)
    octets = np.frombuffer(memory, np.uint8, -(-(offset % 8 + size) // 8), offset // 8)
    return np.unpackbits(octets, bitorder="little")[offset % 8 : offset % 8 + size].view(bool)


def offsets_of(column: Any) -> Array:
    """Where each word of a column begins in its memory, and where the last ends."""
    from pyarrow import types

    width = np.dtype("i8" if types.is_large_string(column.type) else "i4")
    memory = column.buffers()[1]
    if memory is None or not len(column):
        return np.zeros(len(column) + 1, width)
    return np.frombuffer(memory, width, len(column) + 1, column.offset * width.itemsize)


def array_of(values: Array, there: Bools | None = None) -> Any:
    """Numbers as an array of Arrow in the same memory, and which are not null. `pyarrow.array` would import pandas."""
    import pyarrow

    values = np.ascontiguousarray(values)
    valid = None if there is None else pyarrow.py_buffer(np.packbits(there, bitorder="little"))
    if values.dtype == bool:
        kind, memory = pyarrow.bool_(), np.packbits(values, bitorder="little")
    else:
        kind, memory = pyarrow.from_numpy_dtype(values.dtype), values
    return pyarrow.Array.from_buffers(kind, len(values), [valid, pyarrow.py_buffer(memory)])


def number_type(kind: Any) -> str | None:
    """NumPy's name of a type of numbers; None of others."""
    from pyarrow import types

    if types.is_floating(kind):
        return f"f{kind.bit_width // 8}"
    if types.is_integer(kind):
        return f"{'u' if types.is_unsigned_integer(kind) else 'i'}{kind.bit_width // 8}"
    return None


def _elements(array: Any) -> tuple[Array, Bools | None]:
    """What each entry holds, a number or an array of numbers, and where there is one, unless that is everywhere."""
    import pyarrow
    from pyarrow import types

    kind = array.type
    number = number_type(kind)
    if number is not None:
        return primitive(array, number), validity(array)
    if types.is_boolean(kind):
        return booleans(array), validity(array)
    if types.is_null(kind):
        return np.zeros(len(array)), np.zeros(len(array), bool)
    if types.is_decimal(kind):
        return _elements(array.cast(pyarrow.float64()))
    if types.is_dictionary(kind):
        return _elements(array.dictionary_decode())
    if types.is_run_end_encoded(kind):
        import pyarrow.compute

        return _elements(pyarrow.compute.run_end_decode(array))
    if isinstance(kind, pyarrow.BaseExtensionType):
        return _of_extension(array, kind)
    if types.is_fixed_size_list(kind):
        size, rows = kind.list_size, len(array)
        return _matrix(array.values.slice(array.offset * size, rows * size), rows, size, validity(array))
    if _is_list(kind):
        return _of_lists(array)
    raise Unfit(f"is of type {kind}, must be numbers or lists of numbers")


def _of_extension(array: Any, kind: Any) -> tuple[Array, Bools | None]:
    """What a type of another library stores; tensors have their shape."""
    values, there = _elements(array.storage)
    if getattr(kind, "extension_name", "") != "arrow.fixed_shape_tensor":
        return values, there
    shape, order = (len(array), *kind.shape), (0, *(axis + 1 for axis in kind.permutation or range(len(kind.shape))))
    return values.reshape(shape).transpose(order), None if there is None else there.reshape(shape).transpose(order)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return any(
        is_one(kind) for is_one in (types.is_list, types.is_large_list, types.is_list_view, types.is_large_list_view)
    )


def _of_lists(array: Any) -> tuple[Array, Bools | None]:
    """Lists that may have any length: rows, where that is one for all."""
    there = validity(array)
    if there is not None:
        return _among_nulls(array, there)
    starts, lengths = _extents(array)
    size = int(np.partition(lengths, len(lengths) // 2)[len(lengths) // 2]) if len(lengths) else 0
    other = np.flatnonzero(lengths != size)
    if len(other):
        row = int(other[0])
        raise Unfit(f"is a list of {lengths[row]}, must have {size} numbers as the others", row)
    first = int(starts[0]) if len(starts) else 0
    if np.array_equal(starts, first + size * np.arange(len(starts), dtype=starts.dtype)):
        elements = array.values.slice(first, len(array) * size)
    else:
        import pyarrow

        elements = array.values.take(pyarrow.array((starts[:, np.newaxis] + np.arange(size)).ravel()))
    return _matrix(elements, len(array), size, None)


def _extents(array: Any) -> tuple[Array, Array]:
    """Where each list begins among the values, and its length."""
    offsets = primitive(array.offsets, number_type(array.offsets.type) or "")
    if hasattr(array, "sizes"):  # of a view, whose lists may lie in any order
        return offsets, primitive(array.sizes, offsets.dtype)
    return offsets[:-1], np.diff(offsets)


def _among_nulls(array: Any, there: Bools) -> tuple[Array, Bools]:
    """Lists some of which are null."""
    present = np.flatnonzero(there)
    try:
        values, valid = _elements(array.drop_null())
    except Unfit as unfit:
        raise Unfit(str(unfit), None if unfit.row is None else int(present[unfit.row])) from None
    shape = (len(array), *(values.shape[1:] if len(present) else (1,)))
    whole, where = np.zeros(shape, values.dtype), np.zeros(shape, bool)
    if len(present):
        whole[present], where[present] = values, True if valid is None else valid
    return whole, where


def _matrix(elements: Any, rows: int, size: int, there: Bools | None) -> tuple[Array, Bools | None]:
    """Lists whose elements lie one after the other."""
    try:
        values, valid = _elements(elements)
    except Unfit as unfit:
        raise Unfit(str(unfit), None if unfit.row is None else unfit.row // size) from None
    shape = (rows, size, *values.shape[1:])
    valid = None if valid is None else valid.reshape(shape)
    if there is not None:
        of_rows = np.broadcast_to(there.reshape(rows, *(1 for _ in shape[1:])), shape)
        valid = of_rows if valid is None else of_rows & valid
    return values.reshape(shape), valid
