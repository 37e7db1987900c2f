"""Losses or derivatives of the examples, written as they are computed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from fastloss.arrow.columns import Array
from fastloss.arrow.results import Results
from fastloss.arrow.scoring import Scored
from fastloss.arrow.sources import require_arrow
from fastloss.cli.ending import Refused, whole

Replacing: TypeAlias = Callable[[str, Path], AbstractContextManager[BinaryIO]]


class Writer(ABC):
    """A file of one column that grows with the batches."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name

    @abstractmethod
    def append(self, scored: Scored) -> None:
        """Write what was computed of a batch."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file once all batches are there."""


class NpyWriter(Writer):
    """A .npy file, whose header has room for the length that is known only at the end."""

    length = 0
    row_shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)

    def append(self, scored: Scored) -> None:
        part: Array = scored.outputs[self.name]
        if not self.length:
            self.row_shape, self.dtype = part.shape[1:], part.dtype
            self._header()
        self.file.write(np.ascontiguousarray(part, self.dtype).data)
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


class BatchWriter(Writer):
    """A file that one of Arrow's writers makes of record batches: rows that were left out are null."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file, name)
        self._results = Results()
        self._writer: Any = None

    @abstractmethod
    def _begin(self, schema: Any) -> Any:
        """The writer of batches of a schema."""

    def append(self, scored: Scored) -> None:
        batch = self._batch(scored)
        if self._writer is None:
            self._writer = self._begin(batch.schema)
        self._writer.write_batch(batch)

    def _batch(self, scored: Scored) -> Any:
        return self._results.batch(scored)

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.close()


class ParquetWriter(BatchWriter):
    def _begin(self, schema: Any) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(self.file, schema)


class IpcWriter(BatchWriter):
    def _begin(self, schema: Any) -> Any:
        from pyarrow import ipc

        return ipc.new_file(self.file, schema)


class CsvWriter(BatchWriter):
    """A .csv file: a column, or one for each number of a row."""

    def _begin(self, schema: Any) -> Any:
        from pyarrow import csv

        return csv.CSVWriter(self.file, schema)

    def _batch(self, scored: Scored) -> Any:
        return self._results.batch(scored, flat=True)


WRITERS: dict[str, type[Writer]] = {
    ".parquet": ParquetWriter, ".arrow": IpcWriter, ".csv": CsvWriter, ".npy": NpyWriter, ".npz": NpzWriter,
}  # fmt: skip


@contextmanager
def writing(path: Path, name: str, replacing: Replacing) -> Iterator[Writer]:
    """A writer to a temporary file that becomes `path` if nothing fails."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise Refused(f"--out: {path} must end in {', '.join(WRITERS)}")
    if issubclass(WRITERS[suffix], BatchWriter):
        require_arrow(f"--out {path}")
    with replacing("--out", path) as file:
        writer = WRITERS[suffix](file, name)
        try:
            yield writer
        except Exception:
            with suppress(Exception):
                writer.finish()  # Arrow's would be finished when they are forgotten, and say why they cannot
            raise
        writer.finish()


@contextmanager
def replacing(option: str, path: Path, *, sources: Sequence[str], force: bool) -> Iterator[BinaryIO]:
    """A temporary file that becomes `path`, or what this links to, if nothing fails."""
    temporary = ""
    try:
        with whole():
            target, descriptor, temporary = _begun(option, path, sources, force=force)
        with open(descriptor, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise Refused(f"{option}: {path}: {error.strerror or error}", 1) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _begun(option: str, path: Path, sources: Sequence[str], *, force: bool) -> tuple[Path, int, str]:
    """What a path stands for, and an open file beside it."""
    try:
        target = path.resolve()
        if target.is_symlink():  # what Python from 3.13 on leaves of a loop of links
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.exists():
            _check_replaceable(option, path, sources, force=force)
        return target, *tempfile.mkstemp(dir=target.parent, prefix=".fastloss-")
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: the same loop, before 3.13
        raise Refused(f"{option}: {path}: {getattr(error, 'strerror', None) or error}") from error


def _check_replaceable(option: str, path: Path, sources: Sequence[str], *, force: bool) -> None:
    if any(path.samefile(source) for source in sources):
        raise Refused(f"{option}: {path} is a file that is read, must be another")
    if not path.is_file():
        raise Refused(f"{option}: {path} is no regular file, must be one or not exist")
    if not force:
        raise Refused(f"{option}: {path} exists; --force overwrites it")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
