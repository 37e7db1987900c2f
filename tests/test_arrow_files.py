"""Files of every format and compression, folders, standard input; files that are cut short or damaged."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import fastloss as fl
from fastloss.arrow import npy, parquet, score_batches, sources, text
from tests.support import generator

pytestmark = pytest.mark.filterwarnings("ignore:.*fork")  # where another test has imported JAX

N = 500
RNG = generator("files")
Y, P = RNG.normal(size=N).round(3), RNG.normal(size=N).round(3)
SITE = np.array([f"site {k}" for k in RNG.integers(0, 9, N)])
LABELS, LOGITS = RNG.integers(0, 4, N), RNG.normal(size=(N, 4)).round(3)
TABLE = pa.table({"y": Y, "p": P, "site": SITE.tolist(), "label": LABELS, "logits": LOGITS.tolist()})
HUBER = fl.Huber(0.7)
COLUMNS = {"y_true": "y", "y_pred": "p"}


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    for module in (sources, npy, parquet):
        monkeypatch.setattr(module, "PIECE", 1024)
    monkeypatch.setattr(parquet, "PORTION", 4096)
    monkeypatch.setattr(text, "CHUNK", 1024)
    monkeypatch.setattr(text, "BLOCK", 1024)


# Formats ------------------------------------------------------------------------------------------


def as_parquet(table, path):
    pq.write_table(table, path, row_group_size=70)


def as_ipc(table, path):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=70)


def as_stream(table, path):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=70)


def as_feather(table, path):
    pa.feather.write_feather(table, path, compression="lz4", chunksize=70)


def as_csv(table, path, delimiter=","):
    options = pa.csv.WriteOptions(delimiter=delimiter, quoting_style="none")
    pa.csv.write_csv(table.drop_columns([name for name in ("logits",) if name in table.column_names]), path, options)


def as_quoted_csv(table, path):
    options = pa.csv.WriteOptions(quoting_style="all_valid")
    pa.csv.write_csv(table.drop_columns(["logits"]), path, options)


def as_tsv(table, path):
    as_csv(table, path, "\t")


def as_json(table, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


FORMATS = {
    "a.parquet": as_parquet,
    "a.pq": as_parquet,
    "a.arrow": as_ipc,
    "a.ipc": as_ipc,
    "a.arrows": as_stream,
    "a.feather": as_feather,
    "a.csv": as_csv,
    "quoted.csv": as_quoted_csv,
    "a.tsv": as_tsv,
    "a.jsonl": as_json,
    "a.ndjson": as_json,
    "a.JSON": as_json,
}
COMPRESSIONS = {"": None, ".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".br": "brotli"}


def written(folder, name, suffix="", table=TABLE):
    """The table in a file of the format of a name, compressed as its suffix says."""
    path = folder / name
    FORMATS[name](table, path)
    if suffix:
        target = folder / (name + suffix)
        with pa.CompressedOutputStream(str(target), COMPRESSIONS[suffix]) as stream:
            stream.write(path.read_bytes())
        path.unlink()
        return target
    return path


def close(found, wanted):
    for name in ("count", "mean", "standard_error"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_every_format_and_compression(tmp_path, name, suffix):
    path = written(tmp_path, name, suffix)
    found = score_batches(path, HUBER, **COLUMNS, groups="site")
    wanted = HUBER.states(Y, P, groups=SITE)
    assert found.labels == wanted.labels
    close(found, wanted)
    if not name.endswith(("csv", "tsv")):
        found = score_batches(path, fl.CrossEntropy(), y_true="label", y_pred="logits")
        close(found, fl.CrossEntropy().state(LABELS, LOGITS))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("piped", [False, True], ids=["redirected", "piped"])
@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_standard_input(tmp_path, monkeypatch, name, piped, suffix):
    path = written(tmp_path, name, suffix)
    content = path.read_bytes()
    if piped:
        source, sink = os.pipe()
        writing = threading.Thread(target=lambda: (os.write(sink, content[:3]), _write(sink, content[3:])))
        writing.start()
    else:
        source = os.open(path, os.O_RDONLY)
    kept = os.dup(0)
    os.dup2(source, 0)
    try:
        found = score_batches("-", HUBER, **COLUMNS, groups="site")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(source)
        if piped:
            writing.join()
    close(found, HUBER.states(Y, P, groups=SITE))


def _write(descriptor, content):
    with open(descriptor, "wb") as file:
        file.write(content)


def test_members_of_a_compressed_file(tmp_path):
    """Tools put compressed files one after the other."""
    as_csv(TABLE, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_bytes().splitlines(keepends=True)
    for suffix, compress in ((".gz", gzip.compress), (".bz2", bz2.compress)):
        path = tmp_path / f"two.csv{suffix}"
        path.write_bytes(compress(b"".join(lines[:100])) + compress(b"".join(lines[100:])))
        close(score_batches(path, HUBER, **COLUMNS), HUBER.state(Y, P))


def test_unknown_suffixes(tmp_path):
    for name in ("a.txt", "a", "a.gz", "a.csv.xz"):
        (tmp_path / name).write_text("y,p\n1,2\n")
        with pytest.raises(ValueError, match=r"the suffix is .*, must be \.parquet"):
            score_batches(tmp_path / name, HUBER, **COLUMNS)


@pytest.mark.parametrize("kind", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_parquet_of_other_writers(tmp_path, kind, version, dictionary):
    path = tmp_path / "a.parquet"
    pq.write_table(
        TABLE, path, compression=kind, data_page_version=version, use_dictionary=dictionary, data_page_size=200,
        row_group_size=170, write_page_checksum=True,
    )  # fmt: skip
    close(score_batches(path, HUBER, **COLUMNS, groups="site"), HUBER.states(Y, P, groups=SITE))
    found = score_batches(path, fl.CrossEntropy(), y_true="label", y_pred="logits")
    close(found, fl.CrossEntropy().state(LABELS, LOGITS))


def test_row_groups_of_every_size(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    for size in (1, 7, 100, N):
        pq.write_table(TABLE, path, row_group_size=size)
        for portion in (1, 3000, 1 << 20):
            monkeypatch.setattr(parquet, "PORTION", portion)
            close(score_batches(path, HUBER, **COLUMNS, groups="site"), HUBER.states(Y, P, groups=SITE))


# Text ---------------------------------------------------------------------------------------------


def test_lines_longer_than_a_chunk(tmp_path):
    path = tmp_path / "a.jsonl"
    wide = RNG.normal(size=(5, 400))
    path.write_text("".join(json.dumps({"y": k % 400, "p": row.tolist()}) + "\n" for k, row in enumerate(wide)))
    close(score_batches(path, fl.CrossEntropy(), **COLUMNS), fl.CrossEntropy().state(np.arange(5), wide))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_ends_of_lines(tmp_path, end, last):
    rows = [f"{y},{p},{site}" for y, p, site in zip(Y, P, SITE, strict=True)]
    path = tmp_path / "a.csv"
    path.write_bytes((end.join(["y,p,site", "", *rows[:200], "", *rows[200:]]) + end * last).encode())
    close(score_batches(path, HUBER, **COLUMNS, groups="site"), HUBER.states(Y, P, groups=SITE))


def test_line_breaks_in_cells(tmp_path):
    labels = [f"{site}\n{k % 3}" if k > 90 else site for k, site in enumerate(SITE.tolist())]
    cells = [f'"{label}"' if "\n" in label else label for label in labels]
    rows = [f"{y},{p},{cell}" for y, p, cell in zip(Y, P, cells, strict=True)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["y,p,site", *rows]))
    found = score_batches(path, HUBER, **COLUMNS, groups="site")
    assert found.labels == sorted(set(labels))
    assert found.total.count == N
    rows[300] = "1,x,z"
    path.write_text("\n".join(["y,p,site", *rows]))
    with pytest.raises(ValueError, match=r"a.csv: row 300 \(from 0\) of column 'p' is 'x', must be a number"):
        score_batches(path, HUBER, **COLUMNS)


def test_labels_are_what_stands_in_the_file(tmp_path):
    path = tmp_path / "a.csv"
    labels = ["7", "007", "-0", "0", "1e3", "", "NA", "9223372036854775808", "-9223372036854775808", "true"]
    many = [label for label in labels for _ in range(100)]
    path.write_text("y,p,g\n" + "".join(f"0,1,{label}\n" for label in many))
    found = score_batches(path, HUBER, **COLUMNS, groups="g")
    assert found.labels[:-1] == sorted(label for label in labels if label)
    assert found.labels[-1] != found.labels[-1]
    assert set(found.count) == {100}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (['{"y": 1, "p": 2}', '{"y": 1, "p": "x"}'], r"row 101 \(from 0\): column\(/p\) changed from number to string"),
        (['{"y": 1, "p": 2}', '{"y": 1, "p"'], r"row 101 \(from 0\): missing a colon"),
        (['{"y": 1, "p": 1e999}'], r"row 100 \(from 0\): number too big"),
        (['{"y": 1, "p": 2, "g": "\udcff"}'], r"row 100 \(from 0\) is no UTF-8 text"),
        (["[1, 2]"], r"row 100 \(from 0\): column\(\) changed from object to array"),
    ],
)
def test_bad_json(tmp_path, rows, message):
    path = tmp_path / "a.jsonl"
    lines = ['{"y": 1.5, "p": 2, "g": "a", "x": [{}]}'] * 100 + rows
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=rf"a\.jsonl: {message}"):
        score_batches(path, HUBER, **COLUMNS, groups="g")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"y": 1}\n', r"y_pred: .*a\.jsonl has no column 'p'; it has y"),
        ("1\n", r"a\.jsonl: row 0 \(from 0\) is 1, must be an object"),
        ('{"y": 1,\n', r"a\.jsonl: row 0 \(from 0\) is no JSON: Expecting property name"),
        ("", r"y_true: .*a\.jsonl has no column 'y'; it has none"),
    ],
)
def test_bad_beginnings_of_json(tmp_path, content, message):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        score_batches(path, HUBER, **COLUMNS)


def test_json_of_many_types(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [
        {"y": None, "p": 1, "g": None, "t": True, "extra": [1, {"a": 2}]},
        {"y": 1, "p": 2.5, "g": 3, "t": False},
        {"p": 2.5, "g": 3, "t": True},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n  \n")
    found = score_batches(path, fl.SquaredError(), **COLUMNS, groups="g", null_policy="omit")
    assert {str(label): state.count for label, state in found.items()} == {"3": 1, "nan": 0}
    assert found[3].mean == 2.25
    found = score_batches(path, fl.BinaryCrossEntropyWithLogits(), y_true="t", y_pred="p", groups="t")
    assert found.count.tolist() == [1, 2]


# Folders ------------------------------------------------------------------------------------------


def test_folders_patterns_and_lists(tmp_path):
    parts = [TABLE[k : k + 100] for k in range(0, N, 100)]
    for k, part in enumerate(parts):
        folder = tmp_path / "dump" / f"part {k % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        name = ["a.parquet", "a.csv", "a.jsonl"][k % 3]
        FORMATS[name](part, folder / name.replace("a.", f"{k}."))
    (tmp_path / "dump" / "_SUCCESS").touch()
    (tmp_path / "dump" / "readme.txt").write_text("no rows")
    (tmp_path / "dump" / ".hidden.csv").write_text("no rows")
    (tmp_path / "dump" / "_temporary").mkdir()
    (tmp_path / "dump" / "_temporary" / "0.parquet").write_text("no rows")
    wanted = HUBER.states(Y, P, groups=SITE)
    dump = tmp_path / "dump"
    for given in (dump, str(dump / "*"), [dump / "part 0", str(dump / "part 1" / "*.*")], str(dump / "**" / "[0-9].*")):
        close(score_batches(given, HUBER, **COLUMNS, groups="site"), wanted)
    with pytest.raises(ValueError, match=r"no file matches"):
        score_batches(str(dump / "*.zip"), HUBER, **COLUMNS)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"no file in this folder has the suffix"):
        score_batches(tmp_path / "none", HUBER, **COLUMNS)
    odd = tmp_path / "[1].csv"
    as_csv(TABLE, odd)
    close(score_batches(odd, HUBER, **COLUMNS, groups="site"), wanted)


def test_an_error_names_the_file_and_its_row(tmp_path):
    labels = LABELS.copy()
    labels[450] = 9
    table = TABLE.set_column(3, "label", pa.array(labels))
    for k in range(5):
        pq.write_table(table[k * 100 : (k + 1) * 100], tmp_path / f"{k}.parquet", row_group_size=30)
    message = (
        r"4\.parquet: CrossEntropy: y_true\[50\] \(column 'label', rows from 0\) is 9, must be a class from 0 to 3"
    )
    with pytest.raises(IndexError, match=message):
        score_batches(tmp_path, fl.CrossEntropy(), y_true="label", y_pred="logits")
    pq.write_table(TABLE.drop_columns(["p"]), tmp_path / "2.parquet")
    with pytest.raises(ValueError, match=r"y_pred: .*2\.parquet has no column 'p'; it has y, site"):
        score_batches(tmp_path, HUBER, **COLUMNS)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_hive_partitions(tmp_path, suffix):
    table = TABLE.drop_columns(["logits"]).append_column("country", pa.array(["de", "f/r", None, "de", "ü"] * (N // 5)))
    table = table.append_column("year", pa.array([2023, 2024] * (N // 2)))
    columns = ds.partitioning(pa.schema([("country", pa.string()), ("year", pa.int64())]), flavor="hive")
    ds.write_dataset(table, tmp_path / "dump", format=suffix, partitioning=columns)
    found = score_batches(tmp_path / "dump", HUBER, **COLUMNS, groups=["country", "year"])
    wanted = HUBER.states(Y, P, groups={name: table[name].to_pylist() for name in ("country", "year")})
    assert [str(label) for label in found] == [str(label) for label in wanted]
    close(found, wanted)
    assert found.columns["year"].dtype.kind == "i"
    pattern = str(tmp_path / "dump" / "country=de" / "*" / "*")
    assert score_batches(pattern, HUBER, **COLUMNS, groups="country").labels == ["de"]
    if suffix == "parquet":
        found = score_batches(ds.dataset(tmp_path / "dump", partitioning="hive"), HUBER, **COLUMNS, groups="year")
        close(found, HUBER.states(Y, P, groups=table["year"].to_pylist()))


def test_a_column_of_the_file_goes_before_the_folder(tmp_path):
    (tmp_path / "site=none").mkdir()
    as_parquet(TABLE, tmp_path / "site=none" / "a.parquet")
    close(score_batches(tmp_path, HUBER, **COLUMNS, groups="site"), HUBER.states(Y, P, groups=SITE))


def test_many_files_are_open_one_after_the_other(tmp_path):
    for k in range(60):
        as_csv(TABLE[k : k + 1], tmp_path / f"{k:03}.csv")
        as_parquet(TABLE[k : k + 1], tmp_path / f"{k:03}.parquet")
    code = f"""if True:
        import resource
        import fastloss as fl
        from fastloss.arrow import score_batches
        score_batches("{tmp_path}/000.csv", fl.Huber(), y_true="y", y_pred="p")
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        print(score_batches("{tmp_path}", fl.Huber(), y_true="y", y_pred="p").count)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("120\n", "")


# Bad files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("keep", [0, 1, 5, 100, 0.5, 0.99])
def test_truncated_files(tmp_path, name, suffix, keep):
    """What is not whole is refused by its name; text ends wherever it ends, in a whole cell at best."""
    path = written(tmp_path, name, suffix)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    found, error = scored(path)
    if error:
        assert str(path) in error
    else:
        assert name == "a.arrows" or (not suffix and name.endswith(("csv", "tsv")))
        assert found.total.count < N


def scored(path):
    """The states of a file, or what is wrong with it."""
    try:
        return score_batches(path, HUBER, **COLUMNS, groups="site"), ""
    except (IndexError, TypeError, ValueError) as error:
        return None, str(error)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_damaged_files(tmp_path, name, suffix):
    path = written(tmp_path, name, suffix)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    for k in range(20):
        damaged = whole.copy()
        start = rng.integers(0, len(whole)) if k % 2 else len(whole) - 1 - rng.integers(0, 400)
        damaged[start : start + rng.integers(1, 9)] = rng.integers(0, 256)
        path.write_bytes(damaged.tobytes())
        found, error = scored(path)
        if error:
            assert str(path) in error
        else:
            assert found.total.count <= N


def test_pages_that_differ_from_their_checksum(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path, compression="none", use_dictionary=False, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.parquet: .*(CRC|checksum)"):
        score_batches(path, HUBER, **COLUMNS)


# Memory -------------------------------------------------------------------------------------------

SCORE = """if True:
    import resource, sys
    import fastloss as fl
    from fastloss.arrow import score_batches
    loss, columns = fl.CrossEntropy(), dict(y_true="label", y_pred="logits")
    score_batches(sys.argv[1], loss, **columns)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches = score_batches(sys.argv[2], loss, **columns, outputs="loss")
    print(sum(map(len, batches)), batches.state.count)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    """Of a file of 640 MB in memory, with one row group where there are such, less than a third is there at a time."""
    rows, classes = (40_000 if name == "a.jsonl" else 400_000), 200
    path = tmp_path / name
    part = pa.table({"label": [3] * 10_000, "logits": [[0.123456789012] * classes] * 10_000})
    table = pa.concat_tables([part] * (rows // 10_000))
    if name == "a.parquet":
        pq.write_table(table, path, row_group_size=rows, compression="none", use_dictionary=False)
    elif name == "a.arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        line = json.dumps(part.slice(0, 1).to_pylist()[0]) + "\n"
        with path.open("w") as file:
            file.writelines([line] * rows)
    small = tmp_path / f"small{path.suffix}"
    FORMATS[name](TABLE, small)
    done = subprocess.run([sys.executable, "-c", SCORE, small, path], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    counted, peak = done.stdout.splitlines()
    assert counted == f"{rows} {rows}"
    assert int(peak) < 160
