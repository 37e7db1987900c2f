"""States as JSON, as Arrow and as HTML."""

from __future__ import annotations

import datetime
import importlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np

from fastloss._core.extras import missing
from fastloss._core.labels import Array
from fastloss._core.states import NUMBERS
from fastloss._core.tables import COUNTS, Numbers, named

VERSION = 1  # of the schema: the numbers of a state, their names and what they mean
KEY = "fastloss.state"  # of the version, in JSON and in Arrow's metadata
DTYPE = "numpy.dtype"  # of labels that Arrow has under another type, in the metadata of their field
_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}
_READ = frozenset([*_NAMES.values(), "NaN"])

# JSON ---------------------------------------------------------------------------------------------


def state_to_json(numbers: Numbers) -> str:
    return json.dumps({KEY: VERSION, **{name: _plain(column)[0] for name, column in numbers.items()}}, allow_nan=False)


def state_from_json(text: str) -> list[Any]:
    owner = "LossState"
    found = _checked(owner, text)
    if "columns" in found:
        raise ValueError(f"{owner}: the JSON is of a table of states, must be of one; GroupStates.from_json reads it")
    return [array.item() for array in _numbers(owner, {name: [found[name]] for name in NUMBERS}).values()]


def table_to_json(columns: Mapping[str, Array], numbers: Numbers) -> str:
    written = [{"name": name, **_plain_labels(name, column)} for name, column in columns.items()]
    plain = {name: _plain(column) for name, column in numbers.items()}
    return json.dumps({KEY: VERSION, "columns": written, **plain}, allow_nan=False)


def table_from_json(text: str) -> tuple[dict[str, Array], Numbers]:
    owner = "GroupStates"
    found = _checked(owner, text)
    if not found.get("columns"):
        raise ValueError(f"{owner}: the JSON has no columns of labels; LossState.from_json reads that of one state")
    columns = {}
    for column in found["columns"]:
        for key in ("name", "type", "labels"):
            if key not in column:
                raise ValueError(f"{owner}: a column has no {key}, must have a name, a type and labels")
        columns[column["name"]] = _labels(owner, column)
    numbers = _numbers(owner, found)
    rows = len(next(iter(columns.values())))
    for name, column in (columns | numbers).items():
        if len(column) != rows:
            raise ValueError(
                f"{owner}: {name} has {len(column):,} elements, must have {rows:,} as {next(iter(columns))}"
            )
    return columns, numbers


def _numbers(owner: str, found: dict[str, list[Any]]) -> Numbers:
    """What `_plain` wrote."""
    numbers = {}
    for name in NUMBERS:
        given, count = found[name], name in COUNTS
        if not set(map(type, given)) <= ({int} if count else {int, float}):
            for each in given:
                if type(each) is not int and (count or (type(each) is not float and each not in _READ)):
                    raise ValueError(f"{owner}: {name} is {each!r}, must be {'an integer' if count else 'a number'}")
        numbers[name] = np.array(given, np.int64 if count else np.float64)
    return numbers


def _checked(owner: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{owner}: the text is no JSON: {error}") from error
    if not isinstance(found, dict) or KEY not in found:
        raise ValueError(f"{owner}: the JSON has no {KEY!r}, must be what to_json returned")
    _check_version(owner, found[KEY])
    _require(owner, found)
    return found


def _check_version(owner: str, version: Any) -> None:
    if str(version) != str(VERSION):
        raise ValueError(
            f"{owner}: the version of the schema is {version}, must be {VERSION}; another fastloss wrote it"
        )


def _require(owner: str, names: Iterable[str]) -> None:
    present = set(names)
    missing = [name for name in NUMBERS if name not in present]
    if missing:
        raise ValueError(f"{owner}: there is no {', '.join(missing)}, must have {', '.join(NUMBERS)}")


def _plain(column: Array) -> list[Any]:
    """Numbers as JSON has them: what is not finite is a string, which `float` and JavaScript's `Number` read."""
    plain: list[Any] = column.tolist()
    if column.dtype.kind == "f":
        for k in np.flatnonzero(~np.isfinite(column)):
            plain[k] = _NAMES.get(plain[k], "NaN")
    return plain


# Labels that JSON does not have: what they are, and how they are written and read.
_WORDS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
}


def _plain_labels(name: str, column: Array) -> dict[str, Any]:
    """The labels of a column as JSON has them, None for the missing one, and what they are here."""
    if column.dtype.kind in "mM":
        known: list[Any] = column.astype(np.int64 if column.dtype.kind == "m" else str).tolist()
        return {"type": column.dtype.name, "labels": _with_none(known, np.isnat(column))}
    if column.dtype.kind == "f":
        return {"type": column.dtype.name, "labels": _with_none(_plain(column), np.isnan(column))}
    labels = _with_none(column.tolist(), column != column)
    known = [label for label in labels if label is not None]
    if all(isinstance(label, (bool, int, str)) or (type(label) is float and math.isfinite(label)) for label in known):
        return {"type": column.dtype.name, "labels": labels}
    pandas = sys.modules.get("pandas")
    if pandas is not None and all(isinstance(label, pandas.Timestamp) for label in known):
        return {"type": "Timestamp", "labels": [label and label.isoformat() for label in labels]}
    for word, (kind, written, _) in _WORDS.items():
        if all(isinstance(label, kind) for label in known):
            return {"type": word, "labels": [None if label is None else written(label) for label in labels]}
    kinds = " and ".join(sorted({type(label).__name__ for label in known}))
    raise TypeError(f"GroupStates: labels of {name!r} are of type {kinds}, must be numbers, words or dates for JSON")


def _with_none(labels: list[Any], missing: Array) -> list[Any]:
    for place in np.flatnonzero(missing):
        labels[place] = None
    return labels


def _labels(owner: str, column: dict[str, Any]) -> Array:
    """What `_plain_labels` wrote."""
    kind, labels = column["type"], column["labels"]
    if kind == "Timestamp":
        return _column_of(labels, importlib.import_module("pandas").Timestamp)
    if kind in _WORDS:
        return _column_of(labels, _WORDS[kind][2])
    if kind == "object":
        return _column_of(labels, lambda label: label)
    try:
        dtype = np.dtype(kind)
    except TypeError:
        raise ValueError(f"{owner}: labels of {column['name']!r} are of the unknown type {kind!r}") from None
    missing = "NaT" if dtype.kind in "mM" else "NaN"
    return np.array([missing if label is None else label for label in labels], dtype)


def _column_of(labels: list[Any], read: Callable[[Any], Any]) -> Array:
    return np.fromiter((np.nan if label is None else read(label) for label in labels), object, len(labels))


# Arrow --------------------------------------------------------------------------------------------


def to_arrow(columns: Mapping[str, Array], numbers: Numbers) -> Any:
    """A table of labels and the numbers of states; the version of the schema is in its metadata."""
    arrow = _arrow()
    arrays, fields = [], []
    for name, column in columns.items():
        if name in NUMBERS:
            raise ValueError(f"GroupStates: groups[{name!r}] has the name of a number of a state, must have another")
        arrays.append(_arrow_labels(arrow, name, column))
        dtype = {DTYPE: column.dtype.str} if column.dtype.kind in "mM" else None
        fields.append(arrow.field(name, arrays[-1].type, metadata=dtype))
    for name, column in numbers.items():
        arrays.append(arrow.array(column))
        fields.append(arrow.field(name, arrays[-1].type, nullable=False))
    return arrow.table(arrays, schema=arrow.schema(fields, metadata={KEY: str(VERSION)}))


def _arrow_labels(arrow: Any, name: str, column: Array) -> Any:
    """The labels of a column, null for the missing one."""
    kind = column.dtype.kind
    units = {"M": ("D", "s", "ms", "us", "ns"), "m": ("s", "ms", "us", "ns")}  # that Arrow has
    if kind in units and np.datetime_data(column.dtype)[0] not in units[kind]:
        column = column.astype(f"{kind}8[s]")
    try:
        return arrow.array(column, from_pandas=True)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError) as error:
        raise TypeError(f"GroupStates: labels of {name!r} have no type of Arrow: {error}") from error


def from_arrow(owner: str, given: Any) -> tuple[dict[str, Any], Numbers]:
    """The columns of labels, and the numbers of a state for each row."""
    table = _as_table(owner, given)
    version = (table.schema.metadata or {}).get(KEY.encode())
    if version is not None:  # engines that copy tables may lose it
        _check_version(owner, version.decode())
    _require(owner, table.column_names)
    for name in table.column_names:
        if table.column_names.count(name) > 1:
            raise ValueError(f"{owner}: there are several columns {name!r}, must be one")
    numbers, columns = {}, {}
    for field in table.schema:
        column = table.column(field.name)
        if field.name in NUMBERS:
            numbers[field.name] = _arrow_numbers(owner, field.name, column)
        else:
            dtype = (field.metadata or {}).get(DTYPE.encode())
            columns[field.name] = column if dtype is None else column.to_numpy().astype(dtype.decode())
    return columns, {name: numbers[name] for name in NUMBERS}


def _arrow_numbers(owner: str, name: str, column: Any) -> Array:
    """A column of numbers; sums of engines may be of a wider type."""
    arrow = _arrow()
    if column.null_count:
        raise ValueError(f"{owner}: {name} has {column.null_count:,} nulls, must have none")
    wanted = arrow.int64() if name in COUNTS else arrow.float64()
    try:
        return np.ascontiguousarray(column.cast(wanted).to_numpy())
    except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        raise TypeError(f"{owner}: {name} is of type {column.type}, must be of numbers: {error}") from error


def _as_table(owner: str, given: Any) -> Any:
    arrow = _arrow()
    if isinstance(given, arrow.RecordBatch):
        return arrow.table(given)
    if isinstance(given, arrow.Table):
        return given
    if hasattr(given, "__arrow_c_stream__"):
        return arrow.RecordBatchReader.from_stream(given).read_all()
    if hasattr(given, "__arrow_c_array__"):
        return arrow.table(arrow.record_batch(given))
    raise TypeError(
        f"{owner}: {type(given).__name__} is no table, must have the interface of Arrow's streams or arrays"
    )


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise missing("a state as Arrow", "pyarrow", "arrow") from error
    return pyarrow


# HTML ---------------------------------------------------------------------------------------------


def html(
    names: Sequence[str], labels: Sequence[Sequence[Any]], shown: Numbers, numbers: Numbers, more: str = ""
) -> str:
    """A table of what some states come to, a row for each label: what is shown first, then of their numbers."""
    shown = shown | {name: named(numbers, name) for name in ("minimum", "maximum", "weight", *COUNTS)}
    head = "".join(f"<th>{escape(name)}</th>" for name in (*names, *shown))
    rows = []
    for k, label in enumerate(labels):
        cells = "".join(f"<th>{escape(str(part))}</th>" for part in label)
        cells += "".join(f"<td>{_shown(found[k])}</td>" for found in shown.values())
        rows.append(f"<tr>{cells}</tr>")
    note = f"<caption>{escape(more)}</caption>" if more else ""
    return f"<table>{note}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _shown(number: Any) -> str:
    return f"{number:,}" if isinstance(number, np.integer) else f"{number:.6g}"
