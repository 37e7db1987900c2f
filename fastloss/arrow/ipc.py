"""Arrow files and streams, which are read a record batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from fastloss.arrow.content import Content
from fastloss.arrow.sources import Portion, Wanted, sized

MAGIC = b"ARROW1"  # with which a file begins, but no stream


class Ipc:
    """An Arrow file, of which the columns that are wanted are read, or a stream."""

    def __init__(self, content: Content, name: str) -> None:
        import pyarrow
        from pyarrow import ipc

        self._content = content
        self._name = name
        self._is_file = content.head(len(MAGIC)) == MAGIC
        stream = pyarrow.OSFile(content.path) if self._is_file else content.stream
        self._reader = ipc.open_file(stream) if self._is_file else ipc.open_stream(stream)

    @property
    def names(self) -> list[str]:
        return self._reader.schema.names  # type: ignore[no-any-return]

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        parts = self._of_file(wanted) if self._is_file else self._of_stream(wanted)
        for batch, done in parts:
            batch.validate(full=True)  # a damaged one may point anywhere
            for piece in sized([batch], self._name):
                yield partial(tuple, (replace(piece, done=done),))

    def _of_file(self, wanted: Wanted) -> Iterator[tuple[Any, float]]:
        import pyarrow
        from pyarrow import ipc

        places = [self.names.index(name) for name in wanted.names]
        options = ipc.IpcReadOptions(included_fields=places)
        with pyarrow.OSFile(self._content.path) as file:
            reader = ipc.open_file(file, options=options)
            for k in range(reader.num_record_batches):
                yield reader.get_batch(k), (k + 1) / reader.num_record_batches

    def _of_stream(self, wanted: Wanted) -> Iterator[tuple[Any, float]]:
        for batch in self._reader:
            yield batch.select(wanted.names), self._content.share()
