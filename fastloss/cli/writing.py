"""Losses or gradients of the examples, written as they are computed."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastloss.cli.ending import Refused
from fastloss.cli.reading import Array


class Writer:
    """An array that grows along its first axis in a file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name

    def append(self, part: Array) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Complete the file once all parts are there."""


class NpyWriter(Writer):
    """A .npy file, whose header has room for the length that is known only at the end."""

    length = 0
    row_shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)

    def append(self, part: Array) -> None:
        if not self.length:
            self.row_shape, self.dtype = part.shape[1:], part.dtype
            self._header()
        self.file.write(np.ascontiguousarray(part).data)
        self.length += len(part)

    def finish(self) -> None:
        self._header()

    def _header(self) -> None:
        self.file.seek(0)
        shape = (self.length, *self.row_shape)
        description = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, description)


class NpzWriter(NpyWriter):
    """A .npz archive of one array, held in memory until its length, with which it begins, is known."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._archive = file
        super().__init__(BytesIO(), name)

    def finish(self) -> None:
        super().finish()
        self.file.seek(0)
        member = f"{self.name}.npy"
        with zipfile.ZipFile(self._archive, "w") as archive, archive.open(member, "w", force_zip64=True) as into:
            shutil.copyfileobj(self.file, into)


class CsvWriter(Writer):
    """A .csv file: a column, or one for each index of the array's further axis."""

    started = False

    def append(self, part: Array) -> None:
        columns = part.reshape(len(part), -1)
        if not self.started:
            names = [self.name] if part.ndim == 1 else [f"{self.name}_{k}" for k in range(columns.shape[1])]
            self._line(names)
            self.started = True
        # str of a NumPy float is the shortest text that reads back as the same number of its own type.
        self.file.write("".join(",".join(map(str, row)) + "\n" for row in columns).encode())

    def _line(self, cells: list[str]) -> None:
        self.file.write((",".join(cells) + "\n").encode())


WRITERS = {".npy": NpyWriter, ".npz": NpzWriter, ".csv": CsvWriter}


@contextmanager
def writing(path: Path, name: str, *, source: Path, force: bool) -> Iterator[Writer]:
    """A writer to a temporary file that becomes `path`, or what this links to, if nothing fails."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise Refused(f"--out: {path} must end in {', '.join(WRITERS)}")
    try:
        target = path.resolve()
        if target.exists():
            _check_replaceable(path, source, force=force)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".fastloss-")
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links
        raise Refused(f"--out: {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        with open(descriptor, "wb") as file:
            writer = WRITERS[suffix](file, name)
            yield writer
            writer.finish()
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise Refused(f"--out: {path}: {error.strerror}", 1) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _check_replaceable(path: Path, source: Path, *, force: bool) -> None:
    if path.samefile(source):
        raise Refused(f"--out: {path} is the file that is read, must be another")
    if not path.is_file():
        raise Refused(f"--out: {path} is no regular file, must be one or not exist")
    if not force:
        raise Refused(f"--out: {path} exists; --force overwrites it")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
