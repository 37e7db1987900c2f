"""NumPy's own files: the columns of an array, or the arrays of an archive."""

from __future__ import annotations

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from fastloss.arrow.columns import Array
from fastloss.arrow.content import Content
from fastloss.arrow.errors import reason
from fastloss.arrow.sources import PIECE, Piece, Portion, Wanted


class Npy:
    """A .npy file: the columns of a 2-d array by their numbers, those of a structured array by their names.

    A map to memory serves to check the header and the length; its rows stay untouched and are read from the file.
    """

    def __init__(self, content: Content, name: str) -> None:
        self._content = content
        self._name = name
        with _plain_errors():
            self._array = np.lib.format.open_memmap(content.path, mode="r")
        structured = self._array.dtype.names is not None
        if self._array.ndim != (1 if structured else 2):
            what, must = ("structured array", "1-d") if structured else ("array", "2-d or of a structured type")
            raise ValueError(f"the {what} has shape {self._array.shape}, must be {must}")

    @property
    def names(self) -> list[str]:
        return list(self._array.dtype.names or map(str, range(self._array.shape[1])))

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        yield from _cut(self._name, len(self._array), [self._array], partial(self._read, wanted.names))

    def _read(self, names: Sequence[str], start: int, stop: int) -> dict[str, Array]:
        mapped = self._array
        with open(self._content.path, "rb") as file:
            if mapped.flags.c_contiguous:
                width = mapped.strides[0]
                rows = self._from(file, start * width, (stop - start) * width)
                return _by_name(rows.reshape(stop - start, *mapped.shape[1:]), names)
            height, item = mapped.strides[1], mapped.itemsize
            return {name: self._from(file, int(name) * height + start * item, (stop - start) * item) for name in names}

    def _from(self, file: Any, position: int, length: int) -> Array:
        file.seek(self._array.offset + position)
        data = file.read(length)
        if len(data) != length:
            raise ValueError("the file ends before its data do")
        return np.frombuffer(data, self._array.dtype)


class MappedNpy(Npy):
    """A .npy file whose rows are those of the map; should another program cut it short, this one is killed."""

    def _read(self, names: Sequence[str], start: int, stop: int) -> dict[str, Array]:
        return _by_name(self._array[start:stop], names)


def _by_name(rows: Array, names: Sequence[str]) -> dict[str, Array]:
    return {name: rows[name] if rows.dtype.names else rows[:, int(name)] for name in names}


class Npz:
    """A .npz archive: its arrays are the columns, whole in memory; one of two dimensions is several predictions."""

    def __init__(self, content: Content, name: str) -> None:
        self._content = content
        self._name = name
        with _plain_errors(), zipfile.ZipFile(content.path) as archive:
            self.names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        with _plain_errors(), np.load(self._content.path, allow_pickle=False) as archive:
            columns = {name: self._member(archive, name) for name in wanted.names}
        shapes = {name: column.shape for name, column in columns.items()}
        lengths = {shape[:1] for shape in shapes.values()}
        if len(lengths) != 1 or () in lengths:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"arrays must have one length, their shapes are {listed}")

        def read(start: int, stop: int) -> dict[str, Array]:
            return {name: column[start:stop] for name, column in columns.items()}

        yield from _cut(self._name, lengths.pop()[0], columns.values(), read)

    def _member(self, archive: Any, name: str) -> Array:
        try:
            with _plain_errors():
                member = archive[f"{name}.npy"]
        except (OSError, ValueError, MemoryError) as error:
            raise ValueError(f"array {name!r}: {reason(error)}") from error
        if not isinstance(member, np.ndarray):
            raise ValueError(f"array {name!r}: not in the format of .npy")
        return member


def _cut(
    name: str, rows: int, arrays: Iterable[Array], read: Callable[[int, int], dict[str, Array]]
) -> Iterator[Portion]:
    """Portions of the rows of arrays that lie side by side."""
    width = max(array.itemsize * math.prod(array.shape[1:]) for array in arrays)
    step = max(1, PIECE // max(1, width))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        yield partial(_piece, name, read, start, stop, stop / rows)


def _piece(
    name: str, read: Callable[[int, int], dict[str, Array]], start: int, stop: int, done: float
) -> Iterator[Piece]:
    yield Piece(read(start, stop), stop - start, name, done)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn the many errors of bad files into one kind.

    zipfile has RuntimeError for encrypted members and unknown compression, NumPy SyntaxError and TokenError for headers
    that are no Python.
    """
    try:
        yield
    except (
        EOFError, OverflowError, RuntimeError, SyntaxError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
        tokenize.TokenError,
    ) as error:  # fmt: skip
        raise ValueError(reason(error)) from error
