"""Parquet files, of which each thread reads row groups of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastloss.arrow.content import Content
from fastloss.arrow.sources import PIECE, Piece, Portion, Wanted, sized

PORTION = 4 * PIECE  # decoded bytes of a row group that a thread reads on its own
PAGES = 1 << 18  # bytes of a column that are read at once, in place of all that a row group has of it
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}  # bytes of a decoded value
WIDTH = 8  # of other values; words are the numbers of entries of a dictionary


class Parquet:
    """The row groups of a file, or some of them."""

    def __init__(self, content: Content, name: str, row_groups: Sequence[int] | None = None) -> None:
        from pyarrow.parquet import ParquetFile

        self._content = content
        self._name = name
        with ParquetFile(content.path) as file:
            self._metadata = file.metadata
            self._schema = file.schema_arrow
        self._row_groups = range(self._metadata.num_row_groups) if row_groups is None else row_groups

    @property
    def names(self) -> list[str]:
        return self._schema.names  # type: ignore[no-any-return]

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        sizes = dict(zip(self._row_groups, _sizes(self._metadata, wanted, self._row_groups), strict=True))
        total = max(1, sum(rows for rows, _ in sizes.values()))
        step = _rows_of_piece(sizes.values())
        before = 0
        for row_groups in _gathered(sizes):
            rows, size = (sum(column) for column in zip(*(sizes[k] for k in row_groups), strict=True))
            alone = size <= PORTION
            read = partial(self._read, wanted, row_groups, step, before, total, use_threads=not alone)
            if alone:
                yield read
            else:  # one thread reads them, others score what it has read
                for piece in read():
                    yield partial(tuple, (piece,))
            before += rows

    def _read(
        self, wanted: Wanted, row_groups: Sequence[int], step: int, before: int, total: int, *, use_threads: bool
    ) -> Iterator[Piece]:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(
            self._content.path, metadata=self._metadata, read_dictionary=self._words(wanted), buffer_size=PAGES,
            pre_buffer=False, page_checksum_verification=True,
        ) as file:  # fmt: skip
            batches = file.iter_batches(step, row_groups, columns=wanted.names, use_threads=use_threads)
            for piece in sized(batches, self._name):
                before += piece.rows
                yield replace(piece, done=before / total)

    def _words(self, wanted: Wanted) -> list[str]:
        """The columns of words that make groups: only what is new in a batch is looked up."""
        from pyarrow import types

        return [name for name in wanted.labels if types.is_string(self._schema.field(name).type)]


def rows_of_piece(metadata: Any, wanted: Wanted) -> int:
    """How many rows of a file to read at once."""
    return _rows_of_piece(_sizes(metadata, wanted, range(metadata.num_row_groups)))


def _rows_of_piece(sizes: Iterable[tuple[int, int]]) -> int:
    return max(1, min((PIECE * rows // max(1, size) for rows, size in sizes), default=1))


def _sizes(metadata: Any, wanted: Wanted, row_groups: Sequence[int]) -> list[tuple[int, int]]:
    """The rows of row groups and the bytes of their columns once they are decoded."""
    names = set(wanted.names)
    paths = [metadata.schema.column(k).path for k in range(metadata.num_columns)]
    leaves = [k for k, path in enumerate(paths) if path in names or path.partition(".")[0] in names]
    found = []
    for number in row_groups:
        row_group = metadata.row_group(number)
        columns = [row_group.column(k) for k in leaves]
        size = sum(column.num_values * WIDTHS.get(column.physical_type, WIDTH) for column in columns)
        found.append((row_group.num_rows, size))
    return found


def _gathered(sizes: dict[int, tuple[int, int]]) -> Iterator[list[int]]:
    """Consecutive row groups, small ones together."""
    held: list[int] = []
    room = PIECE
    for number, (_, size) in sizes.items():
        if held and size > room:
            yield held
            held, room = [], PIECE
        held.append(number)
        room -= size
    if held:
        yield held
