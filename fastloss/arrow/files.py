"""Files and folders as one source: of what format and compression they are, and what the names of folders say."""

from __future__ import annotations

import glob
import io
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

import numpy as np

from fastloss.arrow.columns import array_of
from fastloss.arrow.content import Content
from fastloss.arrow.errors import Unreadable, readable
from fastloss.arrow.sources import Piece, Portion, Source, Stream, Wanted, require_arrow

Paths: TypeAlias = Sequence["str | os.PathLike[str]"]

STDIN = "-"
FORMATS = {
    ".parquet": "parquet.Parquet", ".pq": "parquet.Parquet",
    ".arrow": "ipc.Ipc", ".arrows": "ipc.Ipc", ".ipc": "ipc.Ipc", ".feather": "ipc.Ipc",
    ".csv": "text.Csv", ".tsv": "text.Tsv",
    ".jsonl": "text.Json", ".ndjson": "text.Json", ".json": "text.Json",
    ".npy": "npy.Npy", ".npz": "npy.Npz",
}  # fmt: skip
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".br": "brotli"}
LOOKED_AT = 1 << 16  # bytes of standard input that say what it is
MAGIC = {
    b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst", b"\x04\x22\x4d\x18": ".lz4",
    b"PAR1": ".parquet", b"ARROW1": ".arrow", b"\xff\xff\xff\xff": ".arrow", b"{": ".jsonl",
    b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz",
}  # fmt: skip
INTEGER = re.compile(r"0|-?[1-9]\d{0,17}")  # an integer of 64 bits, written as it is printed
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # in the name of a folder whose rows have none

# One file -----------------------------------------------------------------------------------------


class File(Protocol):
    """Columns by name, of which portions can be read in any thread."""

    @property
    def names(self) -> Sequence[str]: ...

    def portions(self, wanted: Wanted) -> Iterator[Portion]: ...


@dataclass(frozen=True)
class Entry:
    """A file that is opened when its turn comes."""

    name: str
    open: Callable[[], File]
    size: int = 0  # bytes
    path: str = ""  # none of what is no regular file
    constants: Mapping[str, Any] = field(default_factory=dict)  # columns of one value


def _entry(path: str, *, mmap: bool) -> Entry:
    kind, compression = _kind(path)
    with readable(path):
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("must be a regular file")
        if kind not in FORMATS:
            raise ValueError(f"the suffix is {kind or 'missing'}, must be {_suffixes()}")
        if mmap and (kind, compression) != (".npy", ""):
            raise ValueError("must be a .npy file to be mapped to memory")
    reader = "npy.MappedNpy" if mmap else FORMATS[kind]
    make = partial(Content, path, COMPRESSIONS.get(compression))
    return Entry(path, partial(_opened, reader, path, make), status.st_size, path, _constants(path))


def _opened(reader: str, name: str, make: Callable[[], Content]) -> File:
    module, cls = reader.split(".")
    content = make()
    if module != "npy" or not content.seekable:
        require_arrow(f"reading {name}")
    return getattr(import_module(f"fastloss.arrow.{module}"), cls)(content, name)  # type: ignore[no-any-return]


def _kind(path: str) -> tuple[str, str]:
    """The suffixes of a file's format and of its compression, if it has one."""
    stem, suffix = os.path.splitext(path.lower())
    return (os.path.splitext(stem)[1], suffix) if suffix in COMPRESSIONS else (suffix, "")


def _suffixes() -> str:
    return f"{', '.join(FORMATS)}, with {', '.join(COMPRESSIONS)} after it if it is compressed"


def _of_stdin() -> Entry:
    """Standard input, whose first bytes say what it is."""
    name = "standard input"
    with readable(name):
        regular = stat.S_ISREG(os.fstat(0).st_mode)
        path, begun = ("/dev/fd/0", None) if regular else (None, io.BufferedReader(io.FileIO(0, closefd=False)))
        content = Content(path, None, begun)
        kind = _by_magic(content.head(LOOKED_AT))
        if kind in COMPRESSIONS:
            content = Content(path, COMPRESSIONS[kind], content.stream)
            kind = _by_magic(content.head(LOOKED_AT))
    return Entry(name, partial(_opened, FORMATS[kind], name, lambda: content), path=path or "")


def _by_magic(head: bytes) -> str:
    """The suffix that a file that begins so would have; there is nothing special about a table of text."""
    found = next((suffix for magic, suffix in MAGIC.items() if head.lstrip(b" \r\n").startswith(magic)), "")
    if found:
        return found
    header = head.lstrip().partition(b"\n")[0]
    return ".tsv" if b"\t" in header and b"," not in header else ".csv"


# Folders ------------------------------------------------------------------------------------------


def files(given: Paths, *, mmap: bool = False) -> Files:
    """The files of some paths, patterns and folders, as one source; "-" is standard input.

    Folders are looked through for files of known suffixes, whose own names and those of their folders do not begin with
    a dot or an underscore. A folder `name=value` stands for a column.
    """
    entries = []
    for one in given:
        path = os.fspath(one)
        if path == STDIN:
            entries.append(_of_stdin())
        else:
            entries += [_entry(found, mmap=mmap) for found in _found(path)]
    return Files(_typed(entries))


def _found(path: str) -> Iterable[str]:
    if os.path.isdir(path):
        return _inside(path)
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    found: list[str] = []
    for match in sorted(glob.glob(path, recursive=True)):
        if set(filter(_is_hidden, match.split(os.sep))) - set(path.split(os.sep)):
            continue
        if not os.path.isdir(match):
            found += [match] if _kind(match)[0] in FORMATS else []
        elif not path.endswith("**"):  # which matches what is inside, too
            found += _inside(match)
    if not found:
        raise Unreadable(path, f"no file matches that has the suffix {_suffixes()}")
    return found


def _inside(folder: str) -> list[str]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        data = sorted(name for name in names if _kind(name)[0] in FORMATS and not _is_hidden(name))
        found += [os.path.join(root, name) for name in data]
    if not found:
        raise Unreadable(folder, f"no file in this folder has the suffix {_suffixes()}")
    return found


def _is_hidden(name: str) -> bool:
    """Whether a file or folder is not one of data, by the custom of programs that write such."""
    return name.startswith((".", "_"))


def _constants(path: str) -> dict[str, str | None]:
    """What the names of the folders that a file is in say of all of its rows."""
    pairs = (part.split("=", 1) for part in os.path.dirname(path).split(os.sep) if "=" in part)
    return {unquote(key): None if value == NO_VALUE else unquote(value) for key, value in pairs if key}


def _typed(entries: list[Entry]) -> list[Entry]:
    """The same with integers for the values of folders, where all of a column's are."""
    values: dict[str, set[str | None]] = {}
    for entry in entries:
        for name, value in entry.constants.items():
            values.setdefault(name, set()).add(value)
    integers = {name for name, seen in values.items() if all(value and INTEGER.fullmatch(value) for value in seen)}
    return [
        replace(entry, constants={k: int(v) if k in integers else v for k, v in entry.constants.items()})
        for entry in entries
    ]


@dataclass(frozen=True)
class Files:
    """Files one after the other, as one source."""

    entries: Sequence[Entry]

    @property
    def paths(self) -> list[str]:
        """Where they are, of those that are on the disk."""
        return [entry.path for entry in self.entries if entry.path]

    def portions(self, wanted: Wanted) -> Iterator[Portion]:
        total = sum(entry.size for entry in self.entries)
        before = 0
        for entry in self.entries:
            place = partial(_placed, entry, before / max(1, total), entry.size / total if total else math.nan)
            with readable(entry.name):
                file = entry.open()
                present = [*file.names, *(name for name in entry.constants if name not in file.names)]
                wanted.check(present, entry.name)
                for portion in file.portions(wanted.among(file.names)):
                    yield partial(place, wanted, portion)
            before += entry.size


def _placed(entry: Entry, before: float, share: float, wanted: Wanted, portion: Portion) -> Iterator[Piece]:
    """The pieces of a portion of a file, among those of all files."""
    with readable(entry.name):
        for piece in portion():
            others = {name: entry.constants[name] for name in wanted.names if name not in piece.columns}
            constants = {name: _repeated(value, piece.rows) for name, value in others.items()}
            yield replace(piece, columns={**piece.columns, **constants}, done=before + share * piece.done)


def _repeated(value: Any, rows: int) -> Any:
    """A column of one value."""
    if isinstance(value, int):
        return np.full(rows, value)
    import pyarrow

    return pyarrow.DictionaryArray.from_arrays(array_of(np.zeros(rows, np.int8)), pyarrow.array([value]))


# Datasets of Arrow --------------------------------------------------------------------------------


def dataset(given: Any) -> Source:
    """A pyarrow Dataset: its Parquet files as those of a folder, which take less memory than its own scanner."""
    import pyarrow.dataset as arrow_dataset

    if getattr(given, "_scan_options", None) == {} and isinstance(given, arrow_dataset.FileSystemDataset):
        fragments = list(given.get_fragments())
        if all(_is_local_parquet(fragment, given.schema) for fragment in fragments):
            return Files([_of_fragment(fragment) for fragment in fragments])
    options = arrow_dataset.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True)
    parquet = isinstance(getattr(given, "format", None), arrow_dataset.ParquetFileFormat)

    def batches(wanted: Wanted) -> Iterable[Any]:
        wanted.check(given.schema.names, "the dataset")
        return given.scanner(  # type: ignore[no-any-return]
            columns=wanted.names, batch_readahead=2, fragment_readahead=1,
            fragment_scan_options=options if parquet else None,
        ).to_batches()  # fmt: skip

    return Stream(batches)


def _is_local_parquet(fragment: Any, schema: Any) -> bool:
    """Whether a part of a dataset is a file on this machine that has all of its columns."""
    import pyarrow.dataset as arrow_dataset

    if not isinstance(fragment, arrow_dataset.ParquetFileFragment) or fragment.filesystem.type_name != "local":
        return False
    present = {*fragment.physical_schema.names, *arrow_dataset.get_partition_keys(fragment.partition_expression)}
    return all(name in present for name in schema.names)


def _of_fragment(fragment: Any) -> Entry:
    import pyarrow.dataset as arrow_dataset

    from fastloss.arrow.parquet import Parquet

    numbers = None if fragment.row_groups is None else [group.id for group in fragment.row_groups]
    keys = arrow_dataset.get_partition_keys(fragment.partition_expression)
    path, size = fragment.path, os.stat(fragment.path).st_size
    return Entry(path, lambda: Parquet(Content(path), path, numbers), size, path, keys)
