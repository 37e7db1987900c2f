"""What may be given: arrays, series and data frames of Dask, columns of one by name, and arrays that are here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Any, TypeAlias

import dask
import dask.array as da
import numpy as np
from dask.base import is_dask_collection

from fastloss._core.operands import as_array

Chunks: TypeAlias = tuple[tuple[float, ...], ...]
Pick: TypeAlias = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Operand:
    """What was given for an argument: the blocks that tasks take it from, and what these make up.

    Parameters
    ----------
    name : str
        What the caller knows it as.
    blocks : dask.array.Array
        Blocks of an array; or, of one axis, the partitions of a series or data frame.
    chunks : tuple of tuple
        Lengths of its own chunks along each axis, NaN where they are not known.
    meta : ndarray, Series or DataFrame
        What a block is like.
    pick : str or tuple of str, optional
        The column of a partition that it is, or those that lie side by side.
    local : bool, default=False
        Whether it is an array in this process, which is cut as the others are.
    """

    name: str
    blocks: da.Array
    chunks: Chunks
    meta: Any
    pick: Pick = None
    local: bool = False

    @property
    def ndim(self) -> int:
        return len(self.chunks)

    @property
    def shape(self) -> tuple[float, ...]:
        """Lengths of the axes, NaN where they are not known."""
        return tuple(sum(lengths) for lengths in self.chunks)

    @property
    def known(self) -> bool:
        """Whether all lengths are."""
        return not any(map(isnan, self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        return as_array("", self.name, picked(self.meta, self.pick)).dtype

    def empty(self, shape: Sequence[int]) -> Any:
        """What a block of this shape, which has no element, would be."""
        if isinstance(self.meta, np.ndarray):
            return np.empty(shape, self.dtype)
        return picked(self.meta, self.pick)

    def cut(self, chunks: Chunks) -> Operand:
        """The same array in other chunks."""
        return replace(self, blocks=self.blocks.rechunk(chunks), chunks=chunks)


def alone(block: Any) -> Any:
    """A block that is in a list of one for each of its axes that the result does not have."""
    while isinstance(block, list):
        (block,) = block
    return block


def picked(block: Any, pick: Pick) -> Any:
    """What an operand is of a block: all of it, or columns of a partition."""
    return block if pick is None else block[list(pick) if isinstance(pick, tuple) else pick]


def operands(owner: str, given: Mapping[str, Any], data: Any) -> dict[str, Operand]:
    """What was given for arguments by their names, but for None; strings are columns of `data`, a data frame."""
    given = {name: value for name, value in given.items() if value is not None}
    columns = {name: _columns(value) for name, value in given.items()}
    columns = {name: pick for name, pick in columns.items() if pick is not None}
    named = {} if not columns else _of_columns(owner, columns, data)
    return {name: named[name] if name in named else _operand(owner, name, value) for name, value in given.items()}


def _columns(value: Any) -> Pick:
    """The column that was given by name, or several."""
    if isinstance(value, str):
        return value
    several = isinstance(value, (list, tuple)) and value and all(isinstance(one, str) for one in value)
    return tuple(value) if several else None


def _of_columns(owner: str, columns: Mapping[str, Pick], data: Any) -> dict[str, Operand]:
    wanted = list(dict.fromkeys(one for pick in columns.values() for one in _each(pick)))
    if not _is_frame(data) or not hasattr(data, "columns"):
        name, pick = next(iter(columns.items()))
        what = "is not given" if data is None else f"is a {type(data).__name__}"
        raise TypeError(f"{owner}: {name} is {pick!r}, a column, but data {what}, must be a Dask DataFrame")
    for name, pick in columns.items():
        for one in _each(pick):
            if one not in data.columns:
                have = ", ".join(map(str, data.columns))
                raise ValueError(f"{owner}: {name} is {one!r}, must be one of data's columns: {have}")
    partitions = _partitions(owner, "data", data[wanted])
    return {
        name: replace(partitions, name=name, chunks=_chunks_of(partitions, pick), pick=pick)
        for name, pick in columns.items()
    }


def _each(pick: Pick) -> Iterable[str]:
    return (pick,) if isinstance(pick, str) else pick or ()


def _chunks_of(partitions: Operand, pick: Pick) -> Chunks:
    rows = partitions.chunks[:1]
    return rows if isinstance(pick, str) else (*rows, (len(tuple(_each(pick))),))


def _operand(owner: str, name: str, value: Any) -> Operand:
    if isinstance(value, da.Array):
        return Operand(name, value, value.chunks, np.empty(0, value.dtype))
    if _is_frame(value):
        return _partitions(owner, name, value)
    if is_dask_collection(value):
        what = type(value).__name__
        raise TypeError(f"{owner}: {name} is a {what}, must be an array, series or data frame of Dask")
    array = as_array(owner, name, value)
    blocks = da.from_array(array, chunks=-1)
    return Operand(name, blocks, blocks.chunks, np.empty(0, array.dtype), local=True)


def _is_frame(value: Any) -> bool:
    """Whether it is a series or data frame of Dask, which is imported only by who has one."""
    return is_dask_collection(value) and hasattr(type(value), "to_dask_array")  # an object of no type has any name


def _partitions(owner: str, name: str, frame: Any) -> Operand:
    """A series or data frame as the array of its partitions, of which its columns alone are read."""
    with dask.config.set({"optimization.tune.active": False}):  # which would make fewer partitions of them
        frame = frame.optimize()
    keys = frame.__dask_keys__()
    rows = ((nan,) * len(keys),)
    blocks = da.Array(frame.__dask_graph__(), keys[0][0], rows, dtype=object, meta=np.empty(0, object))
    several = () if frame.ndim == 1 else ((len(frame.columns),),)
    return Operand(name, blocks, (*rows, *several), frame._meta)
