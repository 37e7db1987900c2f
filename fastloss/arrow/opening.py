"""Sources of whatever is given, of which only the columns that are wanted are read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from fastloss.arrow.files import dataset, files
from fastloss.arrow.parquet import rows_of_piece
from fastloss.arrow.sources import Source, Stream, Wanted, require_arrow


def source_of(given: Any) -> Source:
    """Where the rows of whatever is given come from."""
    require_arrow("fastloss.arrow")
    import pyarrow

    if hasattr(given, "portions"):
        return given  # type: ignore[no-any-return]
    if isinstance(given, (str, os.PathLike)):
        given = [given]
    if isinstance(given, (list, tuple)) and given and all(isinstance(one, (str, os.PathLike)) for one in given):
        return files(given)
    for module, name, road in LIBRARIES:
        cls = getattr(sys.modules.get(module), name, None)
        if cls is not None and isinstance(given, cls):
            return road(given)
    if hasattr(given, "__arrow_c_stream__"):
        return Stream(lambda wanted: pyarrow.RecordBatchReader.from_stream(given))
    if hasattr(given, "__arrow_c_array__"):
        return Stream(lambda wanted: (given,))
    if isinstance(given, Iterable) and not isinstance(given, (Mapping, bytes)) and not hasattr(given, "__array__"):
        return Stream(lambda wanted: given)
    raise TypeError(
        f"fastloss.arrow: source is a {type(given).__name__}, must offer Arrow's stream interface, be record batches or"
        " name files"
    )


# Libraries whose own objects read only what is wanted ---------------------------------------------


def _of_frame(frame: Any) -> Source:
    def batches(wanted: Wanted) -> Iterable[Any]:
        wanted.check(list(frame.columns), "the frame")
        return (frame[wanted.names],)

    return Stream(batches)


def _of_lazy_frame(frame: Any) -> Source:
    def batches(wanted: Wanted) -> Iterable[Any]:
        wanted.check(frame.collect_schema().names(), "the frame")
        chosen = frame.select(wanted.names)
        return chosen.collect_batches() if hasattr(chosen, "collect_batches") else (chosen.collect(),)

    return Stream(batches)


def _of_relation(relation: Any) -> Source:
    def batches(wanted: Wanted) -> Iterable[Any]:
        wanted.check(relation.columns, "the relation")
        return (relation.select(*map(sys.modules["duckdb"].ColumnExpression, wanted.names)),)

    return Stream(batches)


def _of_scanner(scanner: Any) -> Source:
    return Stream(lambda wanted: scanner.to_batches())


def _of_parquet_file(file: Any) -> Source:
    def batches(wanted: Wanted) -> Iterable[Any]:
        wanted.check(file.schema_arrow.names, "the file")
        return file.iter_batches(rows_of_piece(file.metadata, wanted), columns=wanted.names)  # type: ignore[no-any-return]

    return Stream(batches)


LIBRARIES = (
    ("pandas", "DataFrame", _of_frame),
    ("polars", "DataFrame", _of_frame),
    ("polars", "LazyFrame", _of_lazy_frame),
    ("duckdb", "DuckDBPyRelation", _of_relation),
    ("pyarrow.dataset", "Dataset", dataset),
    ("pyarrow.dataset", "Scanner", _of_scanner),
    ("pyarrow.parquet", "ParquetFile", _of_parquet_file),
)
