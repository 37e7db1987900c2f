"""What batches come from, in pieces of a bounded number of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias

from fastloss._core.extras import missing
from fastloss.arrow.errors import NoColumn

PIECE = 16 << 20  # bytes of the columns that are scored at once
SHOWN, COMPARED = 20, 1000  # columns that are listed, and compared with a name that is none of them


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive rows."""

    columns: Mapping[str, Any]  # arrays of Arrow or of NumPy
    rows: int
    file: str = ""  # that they are of, if any
    done: float = math.nan  # share of the source that is read after them, if it is known


Portion: TypeAlias = Callable[[], Iterable[Piece]]  # consecutive pieces of one file, which any thread may read


@dataclass(frozen=True)
class Wanted:
    """The columns to read, by the argument that they are."""

    columns: Mapping[str, Sequence[str]]

    @cached_property
    def names(self) -> list[str]:
        """Each of them once."""
        return list(dict.fromkeys(name for names in self.columns.values() for name in names))

    @cached_property
    def numbers(self) -> list[str]:
        """Those that a loss needs, which are numbers even where they make groups, too."""
        return list(
            dict.fromkeys(name for argument in self.columns if argument != "groups" for name in self.columns[argument])
        )

    @cached_property
    def labels(self) -> list[str]:
        """Those that make groups alone."""
        return [name for name in self.names if name not in self.numbers]

    def among(self, present: Sequence[str]) -> Wanted:
        """Those that are there."""
        return Wanted(
            {argument: [name for name in names if name in present] for argument, names in self.columns.items()}
        )

    def check(self, present: Sequence[str], where: str) -> None:
        """Refuse an argument that does not name one of the columns that there are."""
        for argument, names in self.columns.items():
            for name in names:
                found = present.count(name)
                if found > 1:
                    raise NoColumn(argument, f"{where} has {found} columns {name!r}, must have one")
                if not found:
                    raise NoColumn(argument, f"{where} has no column {name!r}; {_hint(name, present)}")


def _hint(name: str, present: Sequence[str]) -> str:
    close = get_close_matches(name, present[:COMPARED])
    if close:
        return f"did you mean {' or '.join(close)}?"
    listed = ", ".join(present[:SHOWN]) + (", ..." if len(present) > SHOWN else "")
    return f"it has {listed or 'none'}"


class Source(Protocol):
    """What has columns by name."""

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        """The rows in order."""


@dataclass(frozen=True)
class Stream:
    """Record batches, from whatever offers them when it is told the columns."""

    batches: Callable[[Wanted], Iterable[Any]]

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        for piece in sized(self._chosen(wanted)):
            yield partial(tuple, (piece,))

    def _chosen(self, wanted: Wanted) -> Iterator[Any]:
        for given in self.batches(wanted):
            for batch in batches_of(given):
                wanted.check(batch.schema.names, "the source")
                yield batch.select(wanted.names)


def sized(batches: Iterable[Any], file: str = "") -> Iterator[Piece]:
    """Pieces of batches: large ones are cut, without a copy, small ones are put together."""
    held: list[Any] = []
    size = 0
    for batch in batches:
        large = batch.nbytes > PIECE // 2
        if held and (large or size + batch.nbytes > PIECE or batch.schema != held[0].schema):
            yield piece_of(held, file)
            held, size = [], 0
        if large:
            step = -(-len(batch) // max(1, round(batch.nbytes / PIECE)))
            for start in range(0, len(batch), step):
                yield piece_of([batch.slice(start, step)], file)
        elif len(batch):
            held.append(batch)
            size += batch.nbytes
    if held:
        yield piece_of(held, file)


def piece_of(batches: Sequence[Any], file: str = "", done: float = math.nan) -> Piece:
    """One piece of consecutive batches."""
    import pyarrow

    batch = batches[0] if len(batches) == 1 else pyarrow.Table.from_batches(batches).combine_chunks().to_batches()[0]
    return Piece(dict(zip(batch.schema.names, batch.columns, strict=True)), len(batch), file, done)


def require_arrow(what: str) -> None:
    """Refuse what needs pyarrow if it is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise missing(what, "pyarrow", "arrow") from error


def batches_of(given: Any) -> Iterable[Any]:
    """The record batches of a batch or table of any library."""
    import pyarrow

    if isinstance(given, pyarrow.RecordBatch):
        return (given,)
    if isinstance(given, pyarrow.Table):
        return given.to_batches()  # type: ignore[no-any-return]
    if hasattr(given, "__arrow_c_stream__"):
        return pyarrow.RecordBatchReader.from_stream(given)  # type: ignore[no-any-return]
    if hasattr(given, "__arrow_c_array__"):
        return (pyarrow.record_batch(given),)
    raise TypeError(f"fastloss.arrow: source has a {type(given).__name__}, must have record batches")
