"""Files of lines, CSV and JSON: one thread reads them, others parse whole lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np

from fastloss.arrow.columns import array_of, offsets_of
from fastloss.arrow.content import Concatenated, Content
from fastloss.arrow.errors import Failure, Unreadable
from fastloss.arrow.sources import Piece, Portion, Wanted, piece_of, sized

CHUNK = 16 << 20  # bytes that are parsed at once
LONGEST = 16 * CHUNK  # bytes of a line
HEADER = 1 << 20  # bytes that the header of a CSV file may have
BLOCK = 2 << 20  # bytes that are parsed at once where cells may have line breaks
LOOKED_AT = 100  # rows that say of what type the columns of JSON are
SEPARATORS = {",": "commas", "\t": "tabs"}
MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")  # cells without a number


def chunks(stream: Any) -> Iterator[bytearray]:
    """Whole lines."""
    rest = b""
    newline = b""
    while True:
        size = max(CHUNK, 2 * len(rest))
        if size > LONGEST:
            raise ValueError("a row is too long")
        chunk = bytearray(size)
        chunk[: len(rest)] = rest
        with memoryview(chunk) as room:
            end = len(rest) + _fill(stream, room[len(rest) :])
        newline = newline or (b"\n" if chunk.find(b"\n", 0, end) >= 0 else b"\r")
        cut = end if end < size else chunk.rfind(newline) + 1
        rest = bytes(chunk[cut:end])
        del chunk[cut:]
        if chunk:
            yield chunk
        if end < size:
            return


def _fill(stream: Any, room: memoryview) -> int:
    """Read as much as there is room for; less is all that there is."""
    done = 0
    while done < len(room):
        read = stream.readinto(room[done:])
        if not read:
            break
        done += read
    return done


# CSV ----------------------------------------------------------------------------------------------


class Csv:
    """A file with a header, in UTF-8, with one character between its cells.

    Where no cell is quoted, a line is a row; from the first quote on the rows are found one after the other.
    """

    delimiter = ","

    def __init__(self, content: Content, name: str) -> None:
        self._content = content
        self._name = name
        self._chunks = chunks(content.stream)
        first = next(self._chunks, None)
        self.names: list[str] = []
        if first is not None:
            self.names, end = self._header(bytes(first[:HEADER]))
            del first[:end]
            self._chunks = chain([first], self._chunks)

    def _header(self, text: bytes) -> tuple[list[str], int]:
        """The names of the columns, and where the row that has them ends."""
        mark = len("\ufeff".encode()) if text.startswith("\ufeff".encode()) else 0
        lines = io.BytesIO(text[mark:] if b"\n" in text else text[mark:].replace(b"\r", b"\n"))
        decoded = (line.decode(errors="surrogateescape") for line in lines)
        names = next((row for row in csv.reader(decoded, delimiter=self.delimiter) if row), [])
        if any("\udc80" <= character <= "\udcff" for name in names for character in name):
            raise ValueError("the header is no UTF-8 text")
        if len(names) == 1 and set(names[0]) & set(",;\t|") - {self.delimiter}:
            raise ValueError(f"the header is {names[0]!r}, must have {SEPARATORS[self.delimiter]} between the names")
        return names, mark + lines.tell()

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        for chunk in self._chunks:
            if b'"' in chunk:
                yield from self._one_by_one(wanted, chain([chunk], self._chunks))
            else:
                yield partial(self._parsed, wanted, chunk, self._content.share())

    def _parsed(self, wanted: Wanted, chunk: bytearray, done: float) -> Iterator[Piece]:
        import pyarrow
        from pyarrow import csv as arrow_csv

        if not re.search(rb"[^\r\n]", chunk):
            return
        reading, parsing, converting = self._options(wanted, len(chunk) + 1)
        with self._errors():
            table = arrow_csv.read_csv(pyarrow.BufferReader(chunk), reading, parsing, converting)
        yield _with_missing(piece_of(table.to_batches(), self._name, done), wanted)

    def _one_by_one(self, wanted: Wanted, rest: Iterable[Any]) -> Iterator[Portion]:
        import pyarrow
        from pyarrow import csv as arrow_csv

        file = pyarrow.PythonFile(io.BufferedReader(Concatenated(rest)), "r")
        reading, parsing, converting = self._options(wanted, max(BLOCK, 64 * len(self.names)))
        parsing.newlines_in_values = True
        rows = 0
        try:
            with self._errors(), arrow_csv.open_csv(file, reading, parsing, converting) as reader:
                for piece in sized(reader, self._name):
                    rows += piece.rows
                    yield partial(tuple, (_with_missing(replace(piece, done=self._content.share()), wanted),))
        except Failure as failure:
            failure.rows = -rows  # Arrow counts from where it began
            raise

    def _options(self, wanted: Wanted, block_size: int) -> tuple[Any, Any, Any]:
        import pyarrow
        from pyarrow import csv as arrow_csv

        words = dict.fromkeys(wanted.labels, pyarrow.string())
        return (
            # Not in parallel: only then do errors name their row.
            arrow_csv.ReadOptions(use_threads=False, block_size=block_size, column_names=self.names),
            arrow_csv.ParseOptions(delimiter=self.delimiter),
            arrow_csv.ConvertOptions(
                include_columns=wanted.names,
                column_types=words | dict.fromkeys(wanted.numbers, pyarrow.float64()),
                null_values=list(MISSING),
                strings_can_be_null=False,
            ),
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Name the rows and columns of what Arrow says of a chunk."""
        import pyarrow

        try:
            yield
        except pyarrow.ArrowInvalid as error:
            raise Failure(self._name, partial(self._told, str(error))) from error

    def _told(self, message: str, start: int) -> ValueError:
        if "straddl" in message:
            message = "a row is too long"
        place = re.search(r"(?:column #(?P<column>\d+): )?Row #(?P<row>\d+): (?P<what>.*)", message, re.DOTALL)
        if place is None:
            return Unreadable(self._name, message)
        row, what = f"row {start + int(place['row']) - 1} (from 0)", place["what"]
        if place["column"] is None:
            return Unreadable(self._name, f"{row}: {what[0].lower()}{what[1:]}")
        value = re.search(r"invalid value '(.*)'$", what, re.DOTALL)
        must = f"is {value[1]!r}, must be a number" if value else "is no UTF-8 text"
        return Unreadable(self._name, f"{row} of column {self.names[int(place['column'])]!r} {must}")


def _with_missing(piece: Piece, wanted: Wanted) -> Piece:
    """A piece whose words are null where cells are empty."""
    columns = dict(piece.columns)
    for name in wanted.labels:
        there = np.diff(offsets_of(columns[name])) > 0
        if not there.all():
            import pyarrow
            import pyarrow.compute as compute

            nulls = pyarrow.nulls(piece.rows, columns[name].type)
            columns[name] = compute.if_else(array_of(there), columns[name], nulls)
    return replace(piece, columns=columns)


class Tsv(Csv):
    """The same with tabs."""

    delimiter = "\t"


# JSON ---------------------------------------------------------------------------------------------


class Json:
    """An object on each line, in UTF-8; the names of its values are columns."""

    def __init__(self, content: Content, name: str) -> None:
        self._content = content
        self._name = name
        self._chunks = chunks(content.stream)
        first = next(self._chunks, None)
        self._seen: dict[str, list[Any]] = {}  # values of the first rows that are not null
        if first is not None:
            self._look(first)
            self._chunks = chain([first], self._chunks)

    @property
    def names(self) -> list[str]:
        return list(self._seen)

    def _look(self, text: bytearray) -> None:
        lines = (line for line in io.BytesIO(text) if not line.isspace())
        for k, line in enumerate(islice(lines, LOOKED_AT)):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"row {k} (from 0) is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"row {k} (from 0) is {line[:40].decode(errors='replace').strip()}, must be an object")
            for name, value in row.items():
                seen = self._seen.setdefault(name, [])
                if value is not None:
                    seen.append(value)

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        schema = self._schema(wanted)
        for chunk in self._chunks:
            yield partial(self._parsed, schema, chunk, self._content.share())

    def _schema(self, wanted: Wanted) -> Any:
        import pyarrow

        return pyarrow.schema(
            [(name, _type_of(self._seen[name], label=name in wanted.labels)) for name in wanted.names]
        )

    def _parsed(self, schema: Any, chunk: bytearray, done: float) -> Iterator[Piece]:
        import pyarrow
        from pyarrow import json as arrow_json

        reading = arrow_json.ReadOptions(use_threads=False, block_size=len(chunk) + 1)
        parsing = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        try:
            table = arrow_json.read_json(pyarrow.BufferReader(chunk), reading, parsing)
            table.validate(full=True)  # which looks whether words are UTF-8
        except pyarrow.ArrowInvalid as error:
            raise Failure(self._name, partial(self._told, str(error))) from error
        if len(table):
            yield piece_of(table.to_batches(), self._name, done)

    def _told(self, message: str, start: int) -> ValueError:
        """What Arrow says of a chunk, with the number of the row in the file."""
        word = re.search(r"UTF8 sequence at string index (\d+)", message)
        if word:
            return Unreadable(self._name, f"row {start + int(word[1])} (from 0) is no UTF-8 text")
        what, found, row = message.removeprefix("JSON parse error: ").rpartition(" in row ")
        if not found:
            return Unreadable(self._name, row)
        return Unreadable(self._name, f"row {start + int(row)} (from 0): {what[0].lower()}{what[1:].rstrip('.')}")


def _type_of(values: list[Any], *, label: bool) -> Any:
    """The type of Arrow of values: numbers are float64, unless they are labels that are integers."""
    import pyarrow

    first = values[0] if values else "" if label else 0.0
    if isinstance(first, list):
        items = [item for value in values if isinstance(value, list) for item in value if item is not None]
        return pyarrow.list_(_type_of(items, label=False))
    if isinstance(first, bool):
        return pyarrow.bool_()
    if isinstance(first, (int, float)):
        return pyarrow.int64() if label and all(isinstance(value, int) for value in values) else pyarrow.float64()
    return pyarrow.string()
