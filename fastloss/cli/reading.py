"""Tables in files, read a chunk of rows at a time."""

from __future__ import annotations

import csv
import lzma
import math
import os
import re
import stat
import tokenize
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss.cli.ending import Refused, heed, needs_extra
from fastloss.cli.losses import did_you_mean

Array: TypeAlias = NDArray[Any]

ROWS = 1 << 18  # in memory at once, or fewer:
BYTES = 1 << 26  # of an array in memory at once
BLOCK = 2 << 20  # bytes of text that pyarrow parses at once; it reads up to 32 of them ahead
SHOWN, COMPARED = 20, 1000  # columns that are listed, and compared with a name that is none of them
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")  # cells without a number


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of a table."""

    columns: dict[str, Array]
    start: int  # the file's number of the first of them
    done: float  # share of the file that is read after them

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class Table(ABC):
    """A file of named columns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The columns, in the file's order."""

    @abstractmethod
    def _chunks(self, wanted: Collection[str], words: str | None) -> Iterator[Chunk]: ...

    def chunks(self, wanted: Collection[str], words: str | None = None) -> Iterator[Chunk]:
        """Some columns, a bounded number of rows at a time; that of `words` may hold some, or numbers for them."""
        with _clean_errors(self.path):
            for chunk in self._chunks(wanted, words):
                heed()
                yield chunk

    def labels(self, found: Iterable[Any]) -> Iterable[Any]:
        """What stands in the file for what was found in the column of words."""
        return found

    def require(self, option: str, name: str) -> None:
        """Refuse an option that does not name one column."""
        found = self.names.count(name)
        if found > 1:
            raise Refused(f"{option}: {self.path} has {found} columns {name!r}, must have one")
        if not found:
            listed = ", ".join(self.names[:SHOWN]) + (", ..." if len(self.names) > SHOWN else "")
            hint = did_you_mean(get_close_matches(name, self.names[:COMPARED])) or f"it has {listed or 'none'}"
            raise Refused(f"{option}: {self.path} has no column {name!r}; {hint}")


# What a bad file raises, between the file system and the formats. zipfile has RuntimeError for encrypted members and
# unknown compression, NumPy SyntaxError and TokenError for headers that are no Python.
ERRORS = (
    OSError, ValueError, EOFError, MemoryError, OverflowError, RuntimeError, SyntaxError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, csv.Error,
)  # fmt: skip


@contextmanager
def _clean_errors(path: Path) -> Iterator[None]:
    """Turn what a bad file raises into one line that names the file."""
    try:
        yield
    except ERRORS as error:
        raise Refused(f"{path}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _chunk_rows(array: Array) -> int:
    """The number of rows of an array to have in memory at once."""
    return max(1, min(ROWS, BYTES // max(1, array.itemsize * math.prod(array.shape[1:]))))


def open_table(path: Path, *, mmap: bool) -> Table:
    """The table in a file, by the file's suffix."""
    suffix = path.suffix.lower()
    with _clean_errors(path):
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("must be a regular file")
        if suffix == ".npy":
            return MappedTable(path) if mmap else NpyTable(path)
        if mmap:
            raise Refused(f"--mmap: {path} must be a .npy file")
        if suffix == ".npz":
            return NpzTable(path)
        if suffix == ".csv":
            return CsvTable(path)
    raise Refused(f"{path}: the suffix is {suffix or 'missing'}, must be .npy, .npz or .csv")


# .npy ---------------------------------------------------------------------------------------------


class MappedTable(Table):
    """A .npy file mapped to memory; should another program cut it short meanwhile, this one is killed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._array = np.lib.format.open_memmap(path, mode="r")
        if self._array.dtype.names is None and self._array.ndim != 2:
            raise ValueError(f"the array has shape {self._array.shape}, must be 2-d or of a structured type")
        if self._array.dtype.names is not None and self._array.ndim != 1:
            raise ValueError(f"the structured array has shape {self._array.shape}, must be 1-d")

    @property
    def names(self) -> Sequence[str]:
        return self._array.dtype.names or [str(k) for k in range(self._array.shape[1])]

    def _chunks(self, wanted: Collection[str], words: str | None) -> Iterator[Chunk]:
        total, step = len(self._array), _chunk_rows(self._array)
        for start in range(0, total, step):
            stop = min(start + step, total)
            yield Chunk(self._columns(wanted, start, stop), start, stop / total)

    def _columns(self, wanted: Collection[str], start: int, stop: int) -> dict[str, Array]:
        return _by_name(self._array[start:stop], wanted)


def _by_name(rows: Array, wanted: Collection[str]) -> dict[str, Array]:
    return {name: rows[name] if rows.dtype.names else rows[:, int(name)] for name in wanted}


class NpyTable(MappedTable):
    """A .npy file that is read: the map serves to check the header and the length, and its data stay untouched."""

    def _columns(self, wanted: Collection[str], start: int, stop: int) -> dict[str, Array]:
        mapped = self._array
        with self.path.open("rb") as file:
            if mapped.flags.c_contiguous:
                width = mapped.strides[0]
                rows = self._read(file, start * width, (stop - start) * width)
                return _by_name(rows.reshape(stop - start, *mapped.shape[1:]), wanted)
            height, item = mapped.strides[1], mapped.itemsize
            return {name: self._read(file, int(name) * height + start * item, (stop - start) * item) for name in wanted}

    def _read(self, file: Any, position: int, length: int) -> Array:
        file.seek(self._array.offset + position)
        data = file.read(length)
        if len(data) != length:
            raise ValueError("the file ends before its data do")
        return np.frombuffer(data, self._array.dtype)


# .npz ---------------------------------------------------------------------------------------------


class NpzTable(Table):
    """A .npz archive: its arrays are the columns, whole in memory; one of two dimensions is several predictions."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
        self._names = [name.removesuffix(".npy") for name in members]

    @property
    def names(self) -> Sequence[str]:
        return self._names

    def _chunks(self, wanted: Collection[str], words: str | None) -> Iterator[Chunk]:
        with np.load(self.path, allow_pickle=False) as archive:
            columns = {name: _member(archive, name) for name in wanted}
        shapes = {name: column.shape for name, column in columns.items()}
        lengths = {shape[:1] for shape in shapes.values()}
        if len(lengths) != 1 or () in lengths:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"arrays must have one length, their shapes are {listed}")
        total, step = lengths.pop()[0], min(map(_chunk_rows, columns.values()))
        for start in range(0, total, step):
            stop = min(start + step, total)
            yield Chunk({name: column[start:stop] for name, column in columns.items()}, start, stop / total)


def _member(archive: Any, name: str) -> Array:
    try:
        member = archive[f"{name}.npy"]
    except ERRORS as error:
        raise ValueError(f"array {name!r}: {_reason(error)}") from error
    if not isinstance(member, np.ndarray):
        raise ValueError(f"array {name!r}: not in the format of .npy")
    return member


# .csv ---------------------------------------------------------------------------------------------


class CsvTable(Table):
    """A .csv file with a header, in UTF-8, with commas between its cells."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            import pyarrow.csv
        except ImportError as error:
            raise needs_extra("reading .csv files") from error
        self._arrow = pyarrow
        self._codes: dict[str, int] = {}
        # Arrow tells which row is no text, so that here only the header has to be.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            self._names = next((row for row in csv.reader(file) if row), [])
        if any("\udc80" <= character <= "\udcff" for name in self._names for character in name):
            raise ValueError("the header is no UTF-8 text")
        if len(self._names) == 1 and re.search(r"[;\t|]", self._names[0]):
            raise ValueError(f"the header is {self._names[0]!r}, must have commas between the names")

    @property
    def names(self) -> Sequence[str]:
        return self._names

    def _chunks(self, wanted: Collection[str], words: str | None) -> Iterator[Chunk]:
        self._codes = {}
        try:
            yield from self._read(wanted, words)
        except self._arrow.ArrowInvalid as error:
            raise ValueError(self._reworded(str(error))) from error

    def _read(self, wanted: Collection[str], words: str | None) -> Iterator[Chunk]:
        pa = self._arrow
        start = 0
        with (
            pa.OSFile(os.fsencode(self.path)) as file,  # not Python's, whose calls could lose a signal
            pa.csv.open_csv(
                file,
                # Not in parallel: only then do errors name their row.
                pa.csv.ReadOptions(block_size=self._block_size(), use_threads=False),
                pa.csv.ParseOptions(newlines_in_values=True),
                pa.csv.ConvertOptions(
                    include_columns=list(wanted),
                    column_types={name: pa.string() if name == words else pa.float64() for name in wanted},
                    null_values=list(MISSING),
                    strings_can_be_null=False,
                ),
            ) as reader,
        ):
            for batch in reader:
                columns = {
                    name: self._coded(batch[name]) if name == words else batch[name].to_numpy(zero_copy_only=False)
                    for name in wanted
                }
                yield Chunk(columns, start, file.tell() / file.size())
                start += len(batch)

    def _block_size(self) -> int:
        """Room for the header and for a row of numbers."""
        return max(BLOCK, 64 * len(self._names), 4 * sum(map(len, self._names)))

    def _coded(self, column: Any) -> Array:
        """The numbers of words in the order of their first appearance."""
        encoded, codes = column.dictionary_encode(), self._codes
        numbers = [codes.setdefault(word, len(codes)) for word in encoded.dictionary.to_pylist()]
        return np.array(numbers, np.int64)[encoded.indices.to_numpy()]  # type: ignore[no-any-return]

    def labels(self, found: Iterable[Any]) -> Iterable[Any]:
        """Cells as they stand in the file; the empty one is missing."""
        words = list(self._codes)
        return [words[code] or math.nan for code in found] if words else found

    def _reworded(self, message: str) -> str:
        """What Arrow says of a file, with its rows and columns named as the command names them."""
        if "Empty CSV file" in message:
            return "there are no rows"
        if "straddl" in message:
            return "a row is too long"
        place = re.search(r"(?:column #(?P<column>\d+): )?Row #(?P<row>\d+): (?P<what>.*)", message, re.DOTALL)
        if place is None:
            return message
        # Arrow counts from 1 and the header as a row.
        row = f"row {int(place['row']) - 2} (from 0)"
        what = place["what"]
        if place["column"] is None:
            return f"{row}: {what[0].lower()}{what[1:]}"
        value = re.search(r"invalid value '(.*)'$", what, re.DOTALL)
        must = f"is {value[1]!r}, must be a number" if value else "is no UTF-8 text"
        return f"{row} of column {self._names[int(place['column'])]!r} {must}"
