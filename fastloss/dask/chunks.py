"""Arrays of one call by their chunks: which belong together, a task for each, a tree of what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import dask.array as da
import numpy as np
from dask.core import flatten
from dask.delayed import Delayed
from dask.layers import ArrayBlockIdDep
from dask.utils import funcname

from fastloss.dask.operands import Operand, Pick, alone, picked

Labels: TypeAlias = tuple[int, ...]  # of axes: the number of one of elements, or below 0 where a chunk has all of it
Indexed: TypeAlias = tuple[da.Array, Labels]
Arguments: TypeAlias = dict[str, Any]
Merge: TypeAlias = Callable[[list[Any]], Any]

MERGED = 8  # results that one task merges
REFUSED = (ValueError, IndexError, TypeError)


class Chunks:
    """The arrays of a call, which are cut alike along the axes that they share.

    Parameters
    ----------
    owner : str
        What errors and tasks are of.
    operands : dict of str to Operand
        The arrays by name.
    labels : dict of str to tuple of int
        What the axes of each are.
    split : collection of int, default=()
        Labels below 0 of axes that may nevertheless be in several chunks.
    """

    def __init__(
        self,
        owner: str,
        operands: Mapping[str, Operand],
        labels: Mapping[str, Labels],
        split: Collection[int] = (),
    ) -> None:
        self.owner, self.labels = owner, labels
        self.operands = dict(operands)
        self.lengths = self._aligned()
        for name, operand in operands.items():
            own = list(zip(labels[name], operand.chunks, strict=True))
            if operand.local:
                wanted = tuple(self.lengths.setdefault(*axis) for axis in own)
                if any(map(math.isnan, chain(*wanted))):
                    raise TypeError(
                        f"{owner}: {name} is an array of this process, must be of Dask, as the lengths of the others'"
                        " chunks are not known"
                    )
                self.operands[name] = operand.cut(wanted)
            for axis, (label, chunks) in enumerate(own):
                unknown = any(map(math.isnan, chunks))
                if label < 0 and (unknown or (len(chunks) > 1 and label not in split)):
                    raise ValueError(
                        f"{owner}: {name} has chunks {operand.chunks}, must have axis {axis}, which belongs to one"
                        f" element, in one chunk of a known length: {name}.rechunk({{{axis}: -1}})"
                    )
        self.elements: Labels = tuple(sorted(label for label in self.lengths if label >= 0))

    def _aligned(self) -> dict[int, tuple[Any, ...]]:
        """The lengths of the chunks along each axis, which must be those of all arrays."""
        lazy = [operand for operand in self.operands.values() if not operand.local]
        if not lazy:
            raise TypeError(f"{self.owner}: none of the arrays is of Dask, must be one at least")
        found: dict[int, tuple[Any, ...]] = {}
        first: dict[int, Operand] = {}
        for operand in sorted(lazy, key=lambda operand: not operand.known):
            for label, chunks in zip(self.labels[operand.name], operand.chunks, strict=True):
                if label not in found:
                    found[label], first[label] = chunks, operand
                elif not _alike(found[label], chunks):
                    other = first[label]
                    raise ValueError(
                        f"{self.owner}: {operand.name} has chunks {operand.chunks}, must be cut as {other.name}, whose"
                        f" chunks are {other.chunks}"
                    )
        return found

    @property
    def known(self) -> bool:
        """Whether all lengths are."""
        return not any(math.isnan(length) for chunks in self.lengths.values() for length in chunks)

    def of(self, name: str) -> tuple[tuple[Any, ...], ...]:
        """The chunks of an array."""
        return tuple(self.lengths[label] for label in self.labels[name])

    def empty(self) -> Arguments:
        """Arguments without an element."""
        found = {}
        for name, operand in self.operands.items():
            shape = [0 if label >= 0 else int(sum(self.lengths[label])) for label in self.labels[name]]
            found[name] = operand.empty(shape)
        return found

    def blocks(
        self,
        function: Callable[..., Any],
        *extra: Indexed,
        labels: Labels | None = None,
        instead: Mapping[str, da.Array] | None = None,
        without: str | None = None,
    ) -> da.Array:
        """What a function of arguments, and of further blocks, comes to for each chunk, as an array of objects."""
        indexed: list[Any] = []
        given = {name: operand for name, operand in self.operands.items() if name != without}
        for name, operand in given.items():
            blocks = (instead or {}).get(name, operand.blocks)
            indexed += [blocks, self.labels[name][: blocks.ndim]]
        for blocks, index in extra:
            indexed += [blocks, index]
        place = ArrayBlockIdDep(tuple(self.lengths[label] for label in self.elements))
        indexed += [place, self.elements] if self.elements else [(), None]
        labels = self.elements if labels is None else labels
        picks = {name: operand.pick for name, operand in given.items()}
        return self._blockwise(partial(_run, function, picks), labels, indexed, np.empty((0,) * len(labels), object))

    def part(self, blocks: da.Array, index: Labels, part: int | None, labels: Labels, like: Any) -> da.Array:
        """The result of each chunk, or a part of it, as the array they make up: of axes and a type like another's."""
        whole = {label: length for label, length in zip(labels, like.shape, strict=True) if label not in index}
        meta = like[(slice(0),) * like.ndim]
        return self._blockwise(partial(_part_of, part), labels, [blocks, index], meta, new_axes=whole)

    def tree(self, blocks: da.Array, merge: Merge, part: int | None = None, axis: int | None = None) -> da.Array:
        """What the results of all chunks, or of those along an axis, are merged into; or a part of each result."""
        left = 0 if axis is None else blocks.ndim - 1
        found: da.Array = da.reduction(
            blocks,
            partial(_chosen, part),
            partial(_merged, merge),
            axis=axis,
            split_every=MERGED,
            concatenate=False,
            dtype=object,
            meta=np.empty((0,) * left, object),
            name=self._named(merge),
        )
        return found

    def after(self, function: Callable[[Any], Any], whole: da.Array, dtype: Any = object) -> da.Array:
        """A function of what all chunks come to."""
        return self._blockwise(function, (), [whole, ()], np.empty((), dtype))

    def _blockwise(
        self, function: Callable[..., Any], labels: Labels, indexed: Sequence[Any], meta: Any, **options: Any
    ) -> da.Array:
        found: da.Array = da.blockwise(
            function, labels, *indexed, align_arrays=False, meta=meta, token=self._named(function), **options
        )
        return found

    def _named(self, function: Any) -> str:
        """The name of tasks, as a dashboard shows it."""
        while isinstance(function, partial):
            function = function.args[0] if function.func is _run else function.func
        return f"{self.owner.partition('(')[0]}-{funcname(function).strip('_')}"


class Whole(Delayed):  # type: ignore[misc]  # of no type that is known
    """What all chunks come to, an object that is no array.

    It is computed as arrays are, and with those that are asked for together: chunks are then read once for all of them,
    and results come in their order, which Dask does not heed between kinds of collections.
    """

    __slots__ = ()
    __dask_optimize__ = vars(da.Array)["__dask_optimize__"]
    __dask_postcompute__ = da.Array.__dask_postcompute__

    @classmethod
    def of(cls, whole: da.Array) -> Whole:
        """What is in an array without axes."""
        (key,) = flatten([whole.__dask_keys__()])
        return cls(key, whole.__dask_graph__(), layer=whole.name)


def _alike(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether chunks may be of the same lengths, where some are not known."""
    return len(a) == len(b) and all(math.isnan(i) or math.isnan(j) or i == j for i, j in zip(a, b, strict=True))


def _run(function: Callable[..., Any], picks: Mapping[str, Pick], *blocks: Any) -> Any:
    """A function of a task's arguments, and of what further blocks there are before the place of them all."""
    *blocks, place = map(alone, blocks)  # type: ignore[assignment]
    arguments = dict(zip(picks, map(picked, blocks, picks.values()), strict=True))
    try:
        return function(arguments, *blocks[len(picks) :])
    except REFUSED as error:
        if not place or type(error) not in REFUSED:  # one of their kinds may take other arguments
            raise
        raise type(error)(f"{error}; in block {place}") from error


def _part_of(part: int | None, block: Any) -> Any:
    block = alone(block)
    return block if part is None else block[part]


def _chosen(part: int | None, block: Any, axis: Any, keepdims: bool) -> Any:
    return _part_of(part, block)


def _merged(merge: Merge, found: Any, axis: Any, keepdims: bool) -> Any:
    return merge(list(flatten(found)) if isinstance(found, list) else [found])
