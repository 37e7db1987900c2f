"""Tables in files, read a chunk of rows at a time."""

from __future__ import annotations

import csv
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss.cli.errors import Refused

Array: TypeAlias = NDArray[Any]

ROWS = 1 << 18  # in memory at once
BLOCK = 2 << 20  # bytes of text that pyarrow parses at once; it reads up to 32 of them ahead
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
    def _chunks(self, wanted: Collection[str], text: Collection[str]) -> Iterator[Chunk]: ...

    def chunks(self, wanted: Collection[str], text: Collection[str] = ()) -> Iterator[Chunk]:
        """Some columns, a bounded number of rows at a time; those of `text` may hold words."""
        with _clean_errors(self.path):
            yield from self._chunks(wanted, text)

    def require(self, option: str, name: str) -> None:
        """Refuse an option that names no column."""
        if name not in self.names:
            shown = ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")
            raise Refused(f"{option}: {self.path} has no column {name!r}; it has {shown or 'none'}")


# What a bad file raises, between the file system and the formats.
ERRORS = (OSError, ValueError, EOFError, MemoryError, OverflowError, zipfile.BadZipFile, zlib.error, csv.Error)


@contextmanager
def _clean_errors(path: Path) -> Iterator[None]:
    """Turn what a bad file raises into one line that names the file."""
    try:
        yield
    except ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise Refused(f"{path}: {reason or type(error).__name__}") from error


def open_table(path: Path, *, mmap: bool) -> Table:
    """The table in a file, by the file's suffix."""
    suffix = path.suffix.lower()
    with _clean_errors(path):
        if suffix == ".npy":
            return MappedTable(path) if mmap else NpyTable(path)
        if mmap:
            raise Refused(f"--mmap: {path} must be a .npy file")
        if suffix == ".npz":
            return NpzTable(path)
        if suffix == ".csv":
            return _csv_table(path)
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

    def _chunks(self, wanted: Collection[str], text: Collection[str]) -> Iterator[Chunk]:
        total = len(self._array)
        for start in range(0, total, ROWS):
            stop = min(start + ROWS, total)
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
            self._names = [name.removesuffix(".npy") for name in archive.namelist()]

    @property
    def names(self) -> Sequence[str]:
        return self._names

    def _chunks(self, wanted: Collection[str], text: Collection[str]) -> Iterator[Chunk]:
        with np.load(self.path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in wanted}
        shapes = {name: column.shape for name, column in columns.items()}
        lengths = {shape[:1] for shape in shapes.values()}
        if len(lengths) != 1 or () in lengths:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"arrays must have one length, their shapes are {listed}")
        total = lengths.pop()[0]
        for start in range(0, total, ROWS):
            stop = min(start + ROWS, total)
            yield Chunk({name: column[start:stop] for name, column in columns.items()}, start, stop / total)


# .csv ---------------------------------------------------------------------------------------------


class CsvTable(Table):
    """A .csv file with a header, read by the standard library."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            self._names = next(csv.reader(file), [])
        twice = {name for name in self._names if self._names.count(name) > 1}
        if twice:
            raise ValueError(f"the header names {', '.join(sorted(twice))} twice")

    @property
    def names(self) -> Sequence[str]:
        return self._names

    def _chunks(self, wanted: Collection[str], text: Collection[str]) -> Iterator[Chunk]:
        size = self.path.stat().st_size
        with self.path.open("rb") as raw, open(raw.fileno(), encoding="utf-8-sig", newline="", closefd=False) as file:
            reader = csv.reader(file, strict=True)
            next(reader)
            rows = (row for row in reader if row)
            start = 0
            while lines := list(islice(rows, ROWS)):
                self._check_widths(lines, start)
                columns = dict(zip(self._names, zip(*lines, strict=True), strict=True))
                numbers = {name: _words(columns[name]) if name in text else _numbers(name, columns[name], start)
                           for name in wanted}  # fmt: skip
                yield Chunk(numbers, start, raw.tell() / size)
                start += len(lines)

    def _check_widths(self, lines: list[list[str]], start: int) -> None:
        for position, line in enumerate(lines, start):
            if len(line) != len(self._names):
                raise ValueError(f"row {position} (from 0) has {len(line)} cells, must have {len(self._names)}")


def _numbers(name: str, cells: Sequence[str], start: int) -> Array:
    numbers = np.empty(len(cells))
    for position, cell in enumerate(cells):
        try:
            numbers[position] = np.nan if cell in MISSING else float(cell)
        except ValueError:
            where = f"row {start + position} (from 0) of column {name!r}"
            raise ValueError(f"{where} is {cell!r}, must be a number") from None
    return numbers


def _words(cells: Sequence[str]) -> Array:
    return np.array(cells, dtype=object)


class ArrowTable(CsvTable):
    """A .csv file read by pyarrow, ten times as fast."""

    def _chunks(self, wanted: Collection[str], text: Collection[str]) -> Iterator[Chunk]:
        import pyarrow as pa
        import pyarrow.csv

        size = self.path.stat().st_size
        start = 0
        with (
            self.path.open("rb") as file,
            pa.csv.open_csv(
                file,
                # Not in parallel: only then do errors name their row.
                pa.csv.ReadOptions(block_size=BLOCK, use_threads=False),
                pa.csv.ParseOptions(newlines_in_values=True),
                pa.csv.ConvertOptions(
                    include_columns=list(wanted),
                    column_types={name: pa.string() if name in text else pa.float64() for name in wanted},
                    null_values=list(MISSING),
                    strings_can_be_null=False,
                ),
            ) as reader,
        ):
            for batch in reader:
                columns = {name: batch[name].to_numpy(zero_copy_only=False) for name in wanted}
                yield Chunk(columns, start, file.tell() / size)
                start += len(batch)


def _csv_table(path: Path) -> CsvTable:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return CsvTable(path)
    return ArrowTable(path)
