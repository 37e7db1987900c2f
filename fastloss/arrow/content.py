"""The bytes of a file or of standard input, after their decompression."""

from __future__ import annotations

import io
import math
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from weakref import finalize

BLOCK = 1 << 20  # bytes that are copied at once


class Content:
    """What is in a file, to be read from the beginning to the end or anywhere.

    Parameters
    ----------
    path : str or None
        A regular file.
    compression : str, optional
        What Arrow calls it.
    begun : file object, optional
        In place of a path, what can be read once.
    """

    def __init__(self, path: str | None, compression: str | None = None, begun: Any = None) -> None:
        self._path = path
        self._compression = compression
        self._begun = begun

    @cached_property
    def _raw(self) -> Any:
        import pyarrow

        return pyarrow.PythonFile(self._begun, "r") if self._path is None else pyarrow.OSFile(os.fsencode(self._path))

    @cached_property
    def stream(self) -> Any:
        """A file of Arrow that is read from the beginning."""
        import pyarrow

        return pyarrow.CompressedInputStream(self._raw, self._compression) if self._compression else self._raw

    def head(self, size: int) -> bytes:
        """The first bytes, which the stream then still has."""
        import pyarrow

        head: bytes = self.stream.read(size)
        if self.seekable:
            self._raw.seek(0)
            return head
        self.stream = pyarrow.PythonFile(io.BufferedReader(Concatenated(_then(head, self.stream)), BLOCK), "r")
        return head

    @property
    def seekable(self) -> bool:
        """Whether it lies on the disk as it is."""
        return self._path is not None and self._compression is None

    def share(self) -> float:
        """How much of the file the stream has read, if that can be told."""
        if self._path is None:
            return math.nan
        return 1.0 if self._raw.closed else self._raw.tell() / max(1, self._raw.size())

    @cached_property
    def path(self) -> str:
        """A file that has it all: the one that there is, or a temporary one."""
        if self._path is not None and self.seekable:
            return self._path
        kept = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as this is
        finalize(self, kept.close)
        shutil.copyfileobj(self.stream, kept, BLOCK)
        kept.flush()
        return f"/dev/fd/{kept.fileno()}"


def _then(head: bytes, rest: Any) -> Iterable[bytes]:
    yield head
    yield from iter(lambda: rest.read(BLOCK), b"")


class Concatenated(io.RawIOBase):
    """The bytes of several buffers, one after the other."""

    def __init__(self, buffers: Iterable[Any]) -> None:
        self._buffers = iter(buffers)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        while not self._rest:
            buffer = next(self._buffers, None)
            if buffer is None:
                return 0
            self._rest = memoryview(buffer).cast("B")
        size = min(len(room), len(self._rest))
        room[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
