"""The `fastloss` command."""

from __future__ import annotations

import inspect
import io
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import fastloss as fl
from fastloss import registry
from fastloss._core.signature import SAMPLE

pytest.importorskip("typer")
from fastloss.arrow import errors, npy, parquet, sources, text
from fastloss.arrow.columns import numbers
from fastloss.arrow.files import files
from fastloss.cli import ending, main, plotting, printing, writing
from fastloss.cli import losses as catalogue
from fastloss.cli.app import score
from tests.inputs import draw

pytestmark = pytest.mark.filterwarnings("ignore:.*fork")  # where another test has imported JAX

N = 100
RNG = np.random.default_rng(0)
COLUMNS = {
    "y": RNG.normal(size=N),
    "p": RNG.normal(size=N),
    "w": RNG.random(N).round(1),
    "site": RNG.integers(0, 3, N).astype(float),
}
Y, P, W, SITE = COLUMNS.values()
BASE = ("--loss", "huber", "--true", "y", "--pred", "p")
INSTALL = "run `pip install '.[{}]'` in a clone of fastloss"
INDEXED = ("--loss", "huber", "--true", "0", "--pred", "1")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    for module in (sources, npy, parquet):
        monkeypatch.setattr(module, "PIECE", 512)
    monkeypatch.setattr(parquet, "PORTION", 1024)
    monkeypatch.setattr(text, "CHUNK", 512)
    monkeypatch.setattr(text, "BLOCK", 512)


@dataclass
class Result:
    status: int | None
    stdout: str
    stderr: str


def run(*arguments, terminal=False):
    """What the command prints, in this process, and its exit status."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2)]
    streams[0].isatty = lambda: terminal
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]), pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    out, err = (bytes(stream.detach().getvalue()).decode() for stream in streams if not stream.flush())
    return Result(end.value.code or 0, out, err)


def scored(*arguments):
    result = run("score", *arguments, "--json")
    assert result.status == 0, result.stderr
    return json.loads(result.stdout)


def refusal(*arguments, status=2):
    """The one line on standard error that a refused command prints."""
    result = run(*arguments)
    assert result.status == status
    assert result.stdout == ""
    assert re.fullmatch("fastloss: .+\n", result.stderr)
    assert result.stderr.isascii() or result.stderr[:-1].isprintable()
    return result.stderr


def write_csv(path, columns=COLUMNS):
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def write(folder, kind):
    """The columns in a file of some kind, and the names that they have there."""
    path = folder / f"scores.{kind.rpartition(' ')[2]}"
    table = np.stack(list(COLUMNS.values()), axis=1)
    if kind == "csv":
        write_csv(path)
    elif kind == "npz":
        np.savez(path, **COLUMNS)
    elif kind == "compressed npz":
        np.savez_compressed(path, **COLUMNS)
    elif kind == "structured npy":
        records = np.zeros(N, [(name, float) for name in COLUMNS])
        for name, column in COLUMNS.items():
            records[name] = column
        np.save(path, records)
    else:
        np.save(path, np.asfortranarray(table) if kind == "Fortran npy" else table)
    return path, "0123" if kind in ("npy", "Fortran npy") else tuple(COLUMNS)


# Files and chunks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "npz", "compressed npz", "npy", "Fortran npy", "structured npy"])
def test_every_file_gives_the_same_scores(tmp_path, kind):
    path, (y, p, w, site) = write(tmp_path, kind)
    scores = scored(path, "--loss", "huber", "--delta", 0.5, "--true", y, "--pred", p, "--weight", w, "--by", site)
    huber = fl.Huber(0.5)
    state = huber.state(Y, P, sample_weight=W)
    assert scores["loss"] == "Huber(delta=0.5)"
    assert scores["total"] == pytest.approx(
        {"mean": state.mean, "standard_error": state.standard_error, "weight": state.weight, "count": N}
    )
    assert [float(part["group"]) for part in scores["groups"]] == [0, 1, 2]
    for part in scores["groups"]:
        rows = float(part["group"]) == SITE
        assert part["count"] == rows.sum()
        assert part["mean"] == pytest.approx(huber(Y[rows], P[rows], sample_weight=W[rows]))


def test_csv_with_words_missing_cells_and_quotes(tmp_path):
    path = tmp_path / "a.csv"
    text = '\ufeffy,p,"the site"\n1,2,north\n\nNA,2,"a, ""b"""\n0,3,north\n,1,NA\n'
    path.write_text(text, encoding="utf-8")
    scores = scored(path, "--loss", "mae", "--true", "y", "--pred", "p", "--by", "the site", "--nan-policy", "omit")
    assert scores["total"] == {"mean": 2.0, "standard_error": 1.0, "weight": 2.0, "count": 2}
    assert [(part["group"], part["mean"], part["count"]) for part in scores["groups"]] == [
        ("NA", None, 0),
        ('a, "b"', None, 0),
        ("north", 2.0, 2),
    ]


def pieces(path, *columns, by=()):
    """What is read of a file, a piece at a time."""
    wanted = sources.Wanted({"y_pred": columns, "groups": by})
    return [piece for portion in files([path]).portions(wanted) for piece in portion()]


def test_csv_streams(tmp_path):
    found = pieces(write_csv(tmp_path / "a.csv"), "p", by=["site"])
    assert len(found) > 5
    assert found[-1].done == 1.0
    assert np.all(np.diff([piece.done for piece in found]) > 0)
    np.testing.assert_array_equal(np.concatenate([piece.columns["p"] for piece in found]), P)
    assert [word for piece in found for word in piece.columns["site"].to_pylist()] == [str(site) for site in SITE]


def test_mmap(tmp_path):
    path, _ = write(tmp_path, "npy")
    assert scored(path, *INDEXED, "--mmap") == scored(path, *INDEXED)
    assert "must be a .npy file" in refusal("score", write_csv(tmp_path / "a.csv"), *BASE, "--mmap")


def test_several_predictions_are_the_last_axis(tmp_path):
    path = tmp_path / "a.npz"
    both = np.stack([P, W], axis=1)
    np.savez(path, y=np.zeros((N, 2)), p=P, w=W, both=both)
    expected = fl.SquaredError()(np.zeros((N, 2)), both)
    for pred in (("--pred", "p", "--pred", "w"), ("--pred", "both")):
        assert scored(path, "--loss", "mse", "--true", "y", *pred)["total"]["mean"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "cls", [cls for cls in registry.values() if cls().signature.pair], ids=lambda cls: cls.__name__
)
def test_losses_of_pairs(tmp_path, cls):
    path = tmp_path / "a.npz"
    y, x = draw(cls(), N, np.float64, np.random.default_rng(0))
    np.savez(path, y=y, a=x[:, 0], b=x[:, 1])
    total = scored(path, "--loss", cls.function_name, "--true", "y", "--pred", "a", "--pred", "b")["total"]
    assert total["mean"] == pytest.approx(cls()(y, x))


def test_a_loss_without_targets(tmp_path):
    path, out = tmp_path / "a.npz", tmp_path / "out.npy"
    x, y = np.random.default_rng(0).normal(size=(N, 3)), np.where(SITE > 1, -100, 0)
    np.savez(path, y=y, x=x, site=SITE)
    arguments = (path, "--loss", "softmax_entropy", "--pred", "x")
    scores = scored(*arguments, "--by", "site", "--temperature", 2, "--out", out)
    loss = fl.SoftmaxEntropy(temperature=2)
    assert scores["true"] is None
    assert scores["total"]["mean"] == pytest.approx(loss(None, x))
    assert [part["mean"] for part in scores["groups"]] == pytest.approx([loss(None, x[k == SITE]) for k in range(3)])
    np.testing.assert_array_equal(np.load(out), loss(None, x, reduction="none"))
    ignoring = scored(*arguments, "--true", "y")["total"]
    assert ignoring["mean"] == pytest.approx(fl.softmax_entropy(y, x))
    assert ignoring["count"] == (SITE < 2).sum()
    line = refusal("score", path, "--loss", "cross_entropy", "--pred", "x")
    assert line == "fastloss: --true: CrossEntropy needs the column of its targets\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("y,p\n1,2\n1,abc\n", "row 1 (from 0) of column 'p' is 'abc', must be a number"),
        ("a,y,p\n\n" + "x,1,2\n" * 100 + 'x,"\x1b\n",2\n', r"row 100 (from 0) of column 'y' is '\x1b\n', must"),
        ("y,p\n1,2\n1\n", "row 1 (from 0): expected 2 columns, got 1: 1"),
        ("y,p,y\n1,2,3\n", "has 2 columns 'y', must have one"),
        ("y;p\n1;2\n", "the header is 'y;p', must have commas between the names"),
        ("y,p\n", "there are no rows"),
        ("y,p", "there are no rows"),
        ("y,p\n\n\n", "there are no rows"),
        ("y,p\n1,2\n" + "1" * 3000 + ",2\n", "a row is too long"),
        ("", "has no column 'y'; it has none"),
    ],
)
def test_bad_csv(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(text, "LONGEST", 2048)
    path = tmp_path / "a.csv"
    path.write_text(content)
    line = refusal("score", path, *BASE)
    assert message in line
    assert str(path) in line


def test_csv_that_is_not_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"y,p,site\n1,2,\xff\xfe\n")
    assert f"{path}: row 0 (from 0) of column 'site' is no UTF-8 text" in refusal("score", path, *BASE, "--by", "site")
    path.write_bytes("y,p\n1,2\n".encode("utf-16"))
    assert f"{path}: the header is no UTF-8 text" in refusal("score", path, *BASE)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1.5", 1.5),
        (" 1.5 ", 1.5),
        ("\t1.5", 1.5),
        ('"1.5"', 1.5),
        ("+1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e5", 1e5),
        ("-1E-5", -1e-5),
        ("9007199254740993", 2.0**53),
        ("inf", np.inf),
        ("-Infinity", -np.inf),
        ("1e400", np.inf),
        *((cell, np.nan) for cell in ("", '""', "NA", "N/A", "nan", "NaN", "null", "NULL")),
        *((cell, None) for cell in ("1_000", '"1,000"', "0x10", "True", "1d5", "1 5", "None", "-", "١", "1.5%", "$1")),
    ],
)
def test_numbers_in_csv(tmp_path, cell, number):
    path = tmp_path / "a.csv"
    path.write_text(f"y,p\n1,0\n1,{cell}\n", encoding="utf-8")
    if number is None:
        written = cell.strip('"')
        assert f"row 1 (from 0) of column 'p' is {written!r}, must be a number" in refusal("score", path, *BASE)
        return
    (piece,) = pieces(path, "y", "p")
    read, _ = numbers("", "", piece.columns["p"], "propagate")
    np.testing.assert_array_equal(read, [0, number])


@pytest.mark.parametrize(
    "content", ["y,p\r\n1,2\r\n3,4\r\n", "y,p\n1,2\n3,4", "\n\ny,p\n\n1,2\n\n3,4\n\n", "y,p\r1,2\r3,4\r"]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_of_other_programs(tmp_path, content, mark):
    path = tmp_path / "a.csv"
    path.write_bytes((mark + content).encode())
    assert scored(path, "--loss", "mae", "--true", "y", "--pred", "p")["total"]["count"] == 2


def test_csv_of_many_columns(tmp_path):
    path = tmp_path / "a.csv"
    names = [f"column{k}" for k in range(5000)]
    path.write_text("\n".join([",".join(names), *[",".join(map(str, range(len(names))))] * 3]))
    scores = scored(path, "--loss", "mae", "--true", names[5], "--pred", names[-1])
    assert scores["total"]["mean"] == len(names) - 6
    assert "did you mean column5 or" in refusal("score", path, "--loss", "mae", "--true", "colunm5", "--pred", names[0])


def test_columns_that_are_not_asked_for_may_have_one_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,,p,,x,x\n1,a,2,b,,\n")
    assert scored(path, *BASE)["total"]["count"] == 1


def test_without_pyarrow(tmp_path, monkeypatch, scores_csv):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path, _ = write(tmp_path, "npz")
    assert scored(path, *BASE)["total"]["count"] == N
    line = refusal("score", scores_csv, *BASE, status=1)
    assert line == f"fastloss: reading {scores_csv} needs pyarrow: {INSTALL.format('arrow')}\n"
    line = refusal("score", path, *BASE, "--out", tmp_path / "a.parquet", status=1)
    assert line == f"fastloss: --out {tmp_path}/a.parquet needs pyarrow: {INSTALL.format('arrow')}\n"


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "npy", "Fortran npy", "structured npy"])
@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.99])
def test_truncated_files(tmp_path, kind, keep):
    path, (y, p, *_) = write(tmp_path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    assert str(path) in refusal("score", path, "--loss", "huber", "--true", y, "--pred", p)


@pytest.mark.parametrize("kind", ["csv", "npz", "compressed npz", "npy", "Fortran npy", "structured npy"])
def test_damaged_files(tmp_path, kind):
    path, (y, p, _, site) = write(tmp_path, kind)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(30):
        damaged = whole.copy()
        start = rng.integers(0, 200 if rng.random() < 0.5 else len(whole))  # headers stand at the beginning
        damaged[start : start + rng.integers(1, 9)] = rng.integers(0, 256)
        path.write_bytes(damaged.tobytes())
        arguments = ("score", path, "--loss", "huber", "--true", y, "--pred", p, "--by", site)
        result = run(*arguments)
        if result.status:
            refusal(*arguments)


@pytest.mark.parametrize("descr", [b"',8' ", b"'08f'", b"'(f8'", b"'<q9'", b"'<f8(", b"\\\n\n\n\n"])
def test_headers_that_are_no_dtype(tmp_path, descr):
    path, _ = write(tmp_path, "npy")
    path.write_bytes(path.read_bytes().replace(b"'<f8'", descr))
    assert str(path) in refusal("score", path, *INDEXED)


def test_pieces_hold_a_bounded_number_of_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(npy, "PIECE", 80)
    for name, save in (("a.npy", np.save), ("a.npz", lambda path, table: np.savez(path, **{"0": table}))):
        save(tmp_path / name, np.zeros((N, 4)))
        assert [piece.rows for piece in pieces(tmp_path / name, "0")] == [2] * 50


def test_npy_cut_short_while_it_is_read(tmp_path):
    path, _ = write(tmp_path, "npy")
    portions = files([path]).portions(sources.Wanted({"y_pred": ["0"]}))
    list(next(portions)())
    os.truncate(path, 1000)
    with pytest.raises(errors.Unreadable, match="ends before its data"):
        [list(portion()) for portion in portions]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("a.npy", np.zeros(3), r"shape \(3,\), must be 2-d"),
        ("a.npy", np.zeros((2, 2), [("y", float), ("p", float)]), "must be 1-d"),
        ("a.npy", np.array([[None, 1]], object), "a.npy"),
        ("a.npz", {"y": np.zeros(3), "p": np.zeros(4)}, "must have one length"),
        ("a.npz", {"y": np.zeros(()), "p": np.zeros(())}, "must have one length"),
        ("a.npz", {"y": np.array(["a"]), "p": np.zeros(1)}, r"y_true \(column 'y'\) has dtype <U1"),
        ("a.npz", {"y": np.array([None]), "p": np.zeros(1)}, "a.npz: array 'y': Object arrays cannot be loaded"),
        ("a.npz", {"y": np.zeros(1), "p": np.array(["1.5"])}, r"y_pred \(column 'p'\) has dtype <U3, must be a real"),
        ("a.npz", {"y": np.zeros(1), "p": np.zeros(1, complex)}, r"y_pred \(column 'p'\) has dtype complex128"),
        ("a.npz", {"y": np.zeros(0), "p": np.zeros(0)}, "there are no rows"),
        ("a.npy", np.zeros(0, [("y", float), ("p", float)]), "there are no rows"),
    ],
)
def test_bad_arrays(tmp_path, name, array, message):
    path = tmp_path / name
    if isinstance(array, dict):
        np.savez(path, **array)
    else:
        np.save(path, array)
    assert re.search(message, refusal("score", path, *BASE))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_with_other_members(tmp_path, method):
    path, _ = write(tmp_path, "npz")
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("readme.txt", "no array")
        archive.writestr("y", "no array either")
        archive.writestr("bad.npy", "no array though it says so")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("site.npy", b"twice")
    assert scored(path, *BASE)["total"]["count"] == N
    assert "has no column 'readme.txt'; it has y, p, w" in refusal("score", path, *BASE, "--weight", "readme.txt")
    assert "array 'bad': not in the format of .npy" in refusal("score", path, *BASE, "--weight", "bad")
    assert "has 2 columns 'site'" in refusal("score", path, *BASE, "--by", "site")


@pytest.mark.parametrize("suffix", ["csv", "npy", "npz"])
def test_files_that_are_not_regular(tmp_path, suffix):
    folder, fifo, device = (tmp_path / f"{name}.{suffix}" for name in ("folder", "fifo", "device"))
    folder.mkdir()
    os.mkfifo(fifo)
    device.symlink_to("/dev/null")
    for path in (fifo, device):
        assert refusal("score", path, *BASE) == f"fastloss: {path}: must be a regular file\n"
    assert f"{folder}: no file in this folder has the suffix .parquet" in refusal("score", folder, *BASE)
    empty = tmp_path / f"empty.{suffix}"
    empty.touch()
    assert str(empty) in refusal("score", empty, *BASE)


# Losses, columns, rows ----------------------------------------------------------------------------


@pytest.fixture
def scores_csv(tmp_path):
    return write_csv(tmp_path / "scores.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--loss", "hubr", "--true", "y", "--pred", "p"), "--loss: there is no loss 'hubr'; did you mean huber"),
        ((*BASE, "--delat", "2"), "Huber: there is no option --delat; did you mean --delta?"),
        ((*BASE, "--wieght", "w"), "Huber: there is no option --wieght; did you mean --weight?"),
        ((*BASE, "-d", "2"), "Huber: there is no option -d; the parameters of this loss are --delta"),
        (("--loss", "huber", "--true", "y"), "Missing option '--pred'"),
        (("--true", "y", "--pred", "p"), "Missing option '--loss'"),
        ((*BASE, "--what", "value"), "'value' is not one of 'loss', 'grad', 'hess'"),
        ((*BASE, "--num-threads", "x"), "Invalid value for '--num-threads'"),
        (("--loss", "cross_entropy", "--true", "y", "--pred", "p", "--axis", "x"), "axis is 'x', must be an integer"),
        ((*BASE, "--by", "sitee"), "has no column 'sitee'; did you mean site?"),
        (("--loss", "zzz", "--true", "y", "--pred", "p"), "`fastloss losses` lists them"),
        ((*BASE, "--alpha", "2"), "Huber: there is no option --alpha; the parameters of this loss are --delta"),
        (("--loss", "mae", "--true", "y", "--pred", "p", "--alpha", "2"), "this loss has no parameters"),
        ((*BASE, "--delta", "x"), "Huber: delta is 'x', must be a number"),
        ((*BASE, "--delta", "-1"), "Huber: delta is -1, must be greater than 0"),
        ((*BASE, "--delta"), "Huber: --delta has no value, must be greater than 0"),
        (("--loss", "mse", "--true", "y", "--pred", "p", "--half=1"), "--half takes no value"),
        (("--loss", "huber", "--true", "z", "--pred", "p"), "--true: "),
        (("--loss", "huber", "--true", "y", "--pred", "z"), "has no column 'z'; it has y, p, w, site"),
        ((*BASE, "--weight", "z"), "--weight: "),
        ((*BASE, "--by", "z"), "--by: "),
        ((*BASE, "another.csv"), "another.csv: No such file or directory"),
        ((*BASE, "*.parquet"), "*.parquet: no file matches"),
        ((*BASE, "--ci", "95"), "--ci: it is 95.0, must lie between 0 and 1"),
        ((*BASE, "--plot", "a.png"), "--plot: it draws groups, must be given with --by"),
        ((*BASE, "--by", "site", "--plot", "a.txt"), "--plot: a.txt must end in .html, .svg, .png, .pdf"),
        ((*BASE, "--compare", "z"), "--compare: "),
        ((*BASE, "--null-policy", "drop"), "'drop' is not one of 'propagate', 'omit', 'raise'"),
        ((*BASE, "--weight", "y"), "sample_weight["),
        (
            ("--loss", "huber", "--true", "y", "--pred", "p", "--weight", "y", "--by", "site"),
            "(column 'y', rows from 0) is -",
        ),
    ],
)
def test_refused_options(scores_csv, arguments, message):
    assert message in refusal("score", scores_csv, *arguments)


@pytest.mark.parametrize("path", ["none.csv", "none.npy", "none.npz", "a.txt", "a", "."])
def test_refused_files(path):
    assert path in refusal("score", path, *BASE)


@pytest.mark.parametrize("by", [(), ("--by", "site")])
@pytest.mark.parametrize("kind", ["csv", "npz", "npy", "structured npy"])
def test_errors_name_the_row_of_the_file(tmp_path, kind, by):
    bad = Y.copy()
    bad[[61, 80]] = np.nan
    original = COLUMNS["y"]
    COLUMNS["y"] = bad
    try:
        path, (y, p, _, site) = write(tmp_path, kind)
    finally:
        COLUMNS["y"] = original
    arguments = ("--loss", "huber", "--true", y, "--pred", p, "--nan-policy", "raise", *(by and ("--by", site)))
    assert f"Huber: y_true[61] (column {y!r}, rows from 0) is nan, must be a number" in refusal(
        "score", path, *arguments
    )


def test_parameters_before_and_after_the_file(scores_csv):
    expected = fl.Huber(2.0)(Y, P)
    for arguments in (
        ("--delta", "2", scores_csv, *BASE),
        (*BASE, "--delta=2", scores_csv),
        (scores_csv, "--delta=2", *BASE),
    ):
        assert scored(*arguments)["total"]["mean"] == pytest.approx(expected)


def test_switches(scores_csv):
    columns = ("--true", "y", "--pred", "p")
    for name in ("mse", "squared_error", "SquaredError", "mean_squared_error"):
        for switch, factor in (("--half", 0.5), ("--no-half", 1.0)):
            total = scored(scores_csv, "--loss", name, switch, *columns)["total"]
            assert total["mean"] == pytest.approx(fl.SquaredError()(Y, P) * factor)


def test_number_of_threads(scores_csv):
    assert scored(scores_csv, *BASE, "--num-threads", 1)["total"] == scored(scores_csv, *BASE)["total"]
    assert run("score", scores_csv, *BASE, "--num-threads", 0).status == 2


def test_every_loss_can_be_named_and_given_its_parameters():
    for name, cls in registry.items():
        assert catalogue.find(name, "--loss") is catalogue.find(cls.__name__, "--loss") is cls
        for variant in cls.variants:
            arguments = []
            for parameter, value in variant.items():
                option = "--" + parameter.replace("_", "-")
                if isinstance(value, bool):
                    arguments.append(option if value else f"--no-{option[2:]}")
                else:
                    text = ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)
                    arguments += [option, text]
            assert catalogue.build(cls, ["a.csv", *arguments]) == (cls(**variant), ["a.csv"])


def test_no_parameter_hides_an_option():
    taken = {*inspect.signature(score).parameters, "json", "help"}
    for cls in registry.values():
        assert not taken & {parameter.name for parameter in fields(cls)}


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (["10", "9", "-1e3", "x", "0x1", "", "nan", "9.5"], ["-1e3", "9", "9.5", "10", "0x1", "nan", "x", None]),
        (["9007199254740993", "9007199254740992", "007", "7"], ["007", "7", "9007199254740992", "9007199254740993"]),
        (np.array([2**53 + 1, 2**53, -5]), [-5, 2**53, 2**53 + 1]),
        (np.array([2**64 - 1, 2**53], np.uint64), [2**53, 2**64 - 1]),
        (np.array([10.0, np.nan, 9.0, -np.inf]), ["-Infinity", 9, 10, None]),
        (np.array([True, False]), [False, True]),
        (np.array(["10", "9", "x"]), ["9", "10", "x"]),
        (np.array([b"b", b"\xff"]), ["b", "\\xff"]),
        (np.array([2j, 1j]), ["1j", "2j"]),
        (np.array(["NaT", "2024-05-06"], "M8[D]"), ["2024-05-06", None]),
    ],
)
def test_order_of_groups(tmp_path, labels, ordered):
    path = tmp_path / ("a.csv" if isinstance(labels, list) else "a.npz")
    n = 3 * len(labels)
    columns = {"y": np.zeros(n), "p": np.arange(n)}
    if isinstance(labels, list):
        write_csv(path, columns | {"site": np.array(labels * 3, object)})
    else:
        np.savez(path, **columns, site=np.tile(labels, 3))
    groups = scored(path, *BASE, "--by", "site")["groups"]
    assert [part["group"] for part in groups] == ordered
    assert [part["count"] for part in groups] == [3] * len(ordered)


def test_predictions_that_do_not_fit_together(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, y=np.zeros((N, 2)), p=P, q=np.zeros((N, 2)), s=np.array(["a"] * N), t=np.zeros(N, "M8[s]"))
    for other in "qst":
        for by in ((), ("--by", "p")):
            line = refusal("score", path, "--loss", "mae", "--true", "y", "--pred", "p", "--pred", other, *by)
            assert line.startswith(f"fastloss: {path}: ")


def test_groups_by_a_column_that_the_loss_needs(scores_csv):
    scores = scored(scores_csv, "--loss", "huber", "--true", "site", "--pred", "p", "--by", "site")
    assert [part["group"] for part in scores["groups"]] == [0, 1, 2]
    assert "groups (column 'p') has shape" in refusal(
        "score", write_pairs(scores_csv.parent), "--loss", "mae", "--true", "y", "--pred", "p", "--by", "p"
    )


def write_pairs(folder):
    path = folder / "pairs.npz"
    np.savez(path, y=np.zeros((N, 2)), p=np.zeros((N, 2)))
    return path


# NaN ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [(), ("--by", "site")])
@pytest.mark.parametrize("loss", ["huber", "root"])
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_predictions_that_are_nan(tmp_path, monkeypatch, kind, loss, by):
    monkeypatch.setitem(registry, "root", Root)
    columns = COLUMNS | {"p": P.copy(), "w": np.ones(N)}
    columns["p"][[61, 80]] = np.nan
    path = tmp_path / f"a.{kind}"
    write_csv(path, columns) if kind == "csv" else np.savez(path, **columns)
    arguments = ("score", path, "--loss", loss, "--true", "y", "--pred", "p", *by)
    for policy in ("propagate", "omit", "raise"):
        result = run(*arguments, "--nan-policy", policy)
        assert result.status == 0
        assert result.stderr == "fastloss: column 'p' is NaN in 2 rows, first in row 61 (from 0)\n"
    assert scored(*arguments[1:])["nan"] == [{"column": "p", "count": 2, "first_row": 61}]
    columns["w"][[61, 80]] = 0
    columns["y"] = np.where(np.arange(N) == 5, np.nan, Y)
    write_csv(path, columns) if kind == "csv" else np.savez(path, **columns)
    assert scored(*arguments[1:], "--weight", "w", "--nan-policy", "omit")["nan"] == []
    assert "column 'y' is NaN in 1 row, first in row 5" in run(*arguments, "--weight", "w").stderr


class Root(fl.SquaredError):
    """The root of the mean squared error, as a loss that is not a mean."""

    signature = SAMPLE

    def __call__(self, *arrays, **options):
        return super().__call__(*arrays, **options) ** 0.5


def test_losses_that_are_not_means(scores_csv, monkeypatch):
    monkeypatch.setitem(registry, "root", Root)
    arguments = (scores_csv, "--loss", "root", "--true", "y", "--pred", "p", "--weight", "w")
    scores = scored(*arguments, "--by", "site")
    assert scores["total"]["mean"] == pytest.approx(np.sqrt(np.average((Y - P) ** 2, weights=W)))
    assert scores["total"]["standard_error"] is None
    assert scores["total"]["count"] == N
    for part in scores["groups"]:
        rows = float(part["group"]) == SITE
        assert part["mean"] == pytest.approx(np.sqrt(np.average((Y - P)[rows] ** 2, weights=W[rows])))
    assert scored(*arguments)["total"] == scores["total"]
    assert "no loss for each row" in refusal("score", *arguments, "--out", "a.npy")


# Output -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["loss", "grad"])
@pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
def test_out(tmp_path, scores_csv, suffix, what):
    out = tmp_path / "new" / f"out.{suffix}"
    out.parent.mkdir()
    scored(scores_csv, *BASE, "--weight", "w", "--out", out, "--what", what)
    verb = fl.Huber() if what == "loss" else fl.Huber().grad
    if suffix == "csv":
        assert out.read_text().startswith(f'"{what}"\n')
        written = np.loadtxt(out, skiprows=1)
    else:
        with np.load(out) if suffix == "npz" else nullcontext({what: np.load(out)}) as arrays:
            written = arrays[what]
    np.testing.assert_array_equal(written, verb(Y, P, sample_weight=W, reduction="none"))
    assert list(out.parent.iterdir()) == [out]
    assert out.stat().st_mode == scores_csv.stat().st_mode


@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_out_of_single_precision_and_two_axes(tmp_path, suffix):
    path, out = tmp_path / "a.npz", tmp_path / f"out.{suffix}"
    pred = np.stack([P, W], axis=1).astype(np.float32)
    np.savez(path, y=np.zeros((N, 2), np.float32), p=pred)
    scored(path, "--loss", "mae", "--true", "y", "--pred", "p", "--out", out)
    written = np.load(out) if suffix == "npy" else np.loadtxt(out, np.float32, delimiter=",", skiprows=1)
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, np.abs(pred))


def test_out_does_not_overwrite_unless_forced(tmp_path, scores_csv):
    out = tmp_path / "out.npy"
    out.write_text("precious")
    assert "exists; --force overwrites it" in refusal("score", scores_csv, *BASE, "--out", out)
    assert out.read_text() == "precious"
    scored(scores_csv, *BASE, "--out", out, "--force")
    assert len(np.load(out)) == N


@pytest.mark.parametrize("name", ["a.npy", "./a.npy", "folder/../a.npy", "link.npy", "hard.npy", "folder/link.npy"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_out_is_never_the_input(tmp_path, monkeypatch, name, force):
    path, _ = write(tmp_path, "npy")
    path = path.rename(tmp_path / "a.npy")
    before = path.read_bytes()
    (tmp_path / "folder").mkdir()
    for link in (tmp_path / "link.npy", tmp_path / "folder" / "link.npy"):
        link.symlink_to(path)
    (tmp_path / "hard.npy").hardlink_to(path)
    monkeypatch.chdir(tmp_path)
    files = sorted(tmp_path.rglob("*"))
    for source, out in (("a.npy", name), (name, "a.npy")):
        line = refusal("score", source, *INDEXED, "--out", out, *force)
        assert line == f"fastloss: --out: {Path(out)} is a file that is read, must be another\n"
    assert path.read_bytes() == before
    assert sorted(tmp_path.rglob("*")) == files


def test_out_through_a_link(tmp_path, scores_csv):
    target, link = tmp_path / "folder" / "target.npy", tmp_path / "link.npy"
    target.parent.mkdir()
    link.symlink_to(target)
    for force in ((), ("--force",)):
        scored(scores_csv, *BASE, "--out", link, *force)
        assert link.is_symlink()
        assert len(np.load(target)) == N
        assert list(target.parent.iterdir()) == [target]


def test_out_of_the_longest_name(tmp_path, scores_csv):
    out = tmp_path / f"{'a' * 251}.npy"
    scored(scores_csv, *BASE, "--out", out)
    assert len(np.load(out)) == N


def test_out_is_untouched_by_an_error(tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "out.npy"
    write_csv(path, {"y": np.r_[Y, np.nan], "p": np.r_[P, 0.0]})
    out.write_text("precious")
    refusal("score", path, *BASE, "--nan-policy", "raise", "--out", out, "--force")
    assert out.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [path, out]


def test_out_that_cannot_be(tmp_path, scores_csv):
    assert "must end in .parquet, .arrow, .csv, .npy, .npz" in refusal(
        "score", scores_csv, *BASE, "--out", tmp_path / "a.txt"
    )
    assert "No such file" in refusal("score", scores_csv, *BASE, "--out", tmp_path / "none" / "a.npy")
    assert "Not a directory" in refusal("score", scores_csv, *BASE, "--out", scores_csv / "a.npy")
    assert "--out: /proc/a.npy: " in refusal("score", scores_csv, *BASE, "--out", "/proc/a.npy")
    folder, fifo, circle = tmp_path / "folder.npy", tmp_path / "fifo.npy", tmp_path / "circle.npy"
    folder.mkdir()
    os.mkfifo(fifo)
    circle.symlink_to(circle)
    for out in (folder, fifo):
        assert "is no regular file" in refusal("score", scores_csv, *BASE, "--out", out, "--force")
    assert "--out: " in refusal("score", scores_csv, *BASE, "--out", circle, "--force")


def test_table(scores_csv):
    lines = [line.split() for line in run("score", scores_csv, *BASE, "--by", "site").stdout.splitlines()]
    state = fl.Huber().state(Y, P)
    assert lines[0] == ["Huber(delta=1.0)", "of", str(scores_csv)]
    assert lines[1] == ["mean", "loss", "standard", "error", "sum", "of", "weights", "count", "site"]
    assert [line[4] for line in lines[2:]] == ["0.0", "1.0", "2.0", "total"]
    assert lines[-1] == [f"{state.mean:.6g}", f"{state.standard_error:.3g}", "100", "100", "total"]


def test_table_of_many_groups(tmp_path):
    path = tmp_path / "a.npz"
    n = printing.MOST + 5
    p = np.arange(n, dtype=float)
    p[7] = np.nan
    np.savez(path, y=np.zeros(n), p=p, w=p != n - 1, site=p.copy())
    arguments = ("score", path, "--loss", "mae", "--true", "y", "--pred", "p", "--weight", "w", "--by", "site")
    piped, shown = (run(*arguments, terminal=terminal).stdout.splitlines() for terminal in (False, True))
    assert len(piped) == n + 3
    assert shown[1] == f"the {printing.MOST} of {n} groups with the greatest mean loss (--json and a pipe get all)"
    labels = [line.split()[-1] for line in shown[3:]]
    assert labels[:3] == ["(missing)", str(n - 2), str(n - 3)]
    assert len(labels) == printing.MOST + 1


@pytest.mark.parametrize("columns", [60, 80])
def test_long_labels_fit_a_terminal(tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    path = tmp_path / "a.csv"
    path.write_text(f"y,p,site\n1,2,{'a' * 10_000}\n1,3,b c\n")
    lines = run("score", path, *BASE, "--by", "site", terminal=True).stdout.splitlines()[1:]
    assert max(map(len, lines)) <= columns
    monkeypatch.delenv("COLUMNS")
    assert "a" * 10_000 in run("score", path, *BASE, "--by", "site").stdout


def test_names_in_files_cannot_speak_to_the_terminal(tmp_path):
    path = tmp_path / "\x1b[31m.csv"
    escapes = ["\x1b[31m", "\x9b31m", "\u202e", "\r", "\x00", "\x1b]0;title\x07"]
    names = [f"{name}{escape}" for name, escape in zip("ypwsab", escapes, strict=True)]
    rows = [f'1,2,1,"{escape}",0,0' for escape in escapes]
    path.write_text("\n".join([",".join(f'"{name}"' for name in names), *rows]), newline="")
    arguments = ("score", path, "--loss", "huber", "--true", names[0], "--weight", names[2], "--by", names[3])
    for result in (
        run(*arguments, "--pred", names[1]),
        run(*arguments, "--pred", names[1], terminal=True),
        run(*arguments, "--pred", "\x1b"),
        run(*arguments, "--pred", names[1], "--out", tmp_path / "\x1b.txt"),
        run("score", path, "--loss", "\x1b", "--pred", "p"),
        run("\x1b"),
        run("score", "--loss", "huber", "--pred", "p", "--nan-policy", "\x1b"),
    ):
        assert (result.stdout + result.stderr).replace("\n", "").isprintable()
    assert [part["group"] for part in scored(*arguments[1:], "--pred", names[1])["groups"]] == sorted(escapes)


def test_names_of_all_languages(tmp_path):
    path = tmp_path / "größe.csv"
    path.write_text("ответ,予測,地点\n1,2,Zürich\n", encoding="utf-8")
    arguments = ("score", path, "--loss", "mae", "--true", "ответ", "--pred", "予測", "--by", "地点")
    assert "Zürich" in run(*arguments).stdout
    done = program(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert r"Z\xfcrich" in done.stdout


def test_json_holds_what_is_not_finite(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, y=np.zeros(2), p=np.array([np.inf, 0.0]), site=np.array(["2024-01-01", "2024-01-02"], "M8[D]"))
    scores = scored(path, "--loss", "mae", "--true", "y", "--pred", "p", "--by", "site")
    assert scores["total"]["mean"] == "Infinity"
    assert scores["total"]["standard_error"] is None
    assert [part["group"] for part in scores["groups"]] == ["2024-01-01", "2024-01-02"]


def test_progress_on_a_terminal_only(scores_csv, monkeypatch):
    def shown():
        progress = printing.Progress()
        progress.rows, progress.done = 1234, 0.25
        with redirect_stderr(stream := io.StringIO()), progress:
            stream.isatty = lambda: terminal
            for share in (0.5, math.nan, 1.0):
                progress.done = share
                progress.show()
        return stream.getvalue()

    terminal = True
    assert shown() == ""
    monkeypatch.setattr(printing, "PATIENCE", 0.0)
    assert "1,234 rows" in shown()
    assert "rows/s" in shown()
    terminal = False
    assert shown() == ""


def test_losses():
    listed = json.loads(run("losses", "--json").stdout)["losses"]
    assert [loss["name"] for loss in listed] == sorted(registry)
    huber = next(loss for loss in listed if loss["name"] == "huber")
    assert huber["aliases"] == list(fl.Huber.aliases)
    assert huber["parameters"] == [{"name": "delta", "option": "--delta", "default": 1.0, "domain": "greater than 0"}]
    lines = run("losses").stdout.splitlines()
    for loss, line in zip(listed, lines, strict=True):
        assert line.startswith(loss["name"])
        for name in (*loss["aliases"], *(parameter["option"] for parameter in loss["parameters"])):
            assert name in line


def test_one_loss_in_full():
    for cls in registry.values():
        described = json.loads(run("losses", cls.__name__, "--json").stdout)
        assert described["documentation"] == inspect.getdoc(cls)
        assert {**described, "documentation": 0} == {**catalogue.describe(cls), "documentation": 0} | {
            "parameters": described["parameters"]
        }
    printed = run("losses", "huber_loss").stdout
    assert printed.startswith("huber, also huber_loss")
    assert "--delta 1.0           greater than 0" in printed
    assert inspect.getdoc(fl.Huber).split() == printed.split()[-len(inspect.getdoc(fl.Huber).split()) :]
    assert refusal("losses", "hubr") == "fastloss: losses: there is no loss 'hubr'; did you mean huber?\n"


@pytest.mark.parametrize("columns", [60, 80])
def test_words_are_whole_in_narrow_terminals(monkeypatch, columns):
    for arguments in (["losses"], *(["losses", name] for name in registry)):
        monkeypatch.delenv("COLUMNS", raising=False)
        whole = run(*arguments).stdout
        monkeypatch.setenv("COLUMNS", str(columns))
        narrow = run(*arguments, terminal=True).stdout
        assert narrow.split() == whole.split()
        assert all(len(line) <= columns or len(line.split()) == 1 for line in narrow.splitlines())


def test_config():
    assert json.loads(run("config", "--json").stdout) == fl.config()
    assert fl.config()["compiler"] in run("config").stdout


# Dumps --------------------------------------------------------------------------------------------

LABELS, LOGITS = RNG.integers(0, 3, N), RNG.normal(size=(N, 3))
BETTER = 0.9 * P + 0.1 * Y


@pytest.fixture
def dump(tmp_path):
    """Parquet files in folders by country."""
    table = pa.table(
        {
            **COLUMNS,
            "better": BETTER,
            "day": [f"2024-01-0{k % 2 + 1}" for k in range(N)],
            "label": LABELS,
            "logits": LOGITS.tolist(),
        }
    )  # fmt: skip
    for k, country in enumerate(("de", "fr")):
        (tmp_path / "dump" / f"country={country}").mkdir(parents=True)
        pq.write_table(
            table[k * 50 : k * 50 + 50], tmp_path / "dump" / f"country={country}" / "a.parquet", row_group_size=9
        )
    return tmp_path / "dump"


COUNTRY, DAY = np.repeat(["de", "fr"], 50), np.tile(["2024-01-01", "2024-01-02"], 50)


def test_dumps_by_several_columns(dump, monkeypatch):
    columns = ("--loss", "cross_entropy", "--true", "label", "--pred", "logits", "--weight", "w")
    wanted = fl.CrossEntropy().states(LABELS, LOGITS, sample_weight=W, groups={"country": COUNTRY, "day": DAY})
    for given in (dump, f"{dump}/*/*.parquet", f"{dump}/**"):
        scores = scored(given, *columns, "--by", "country", "--by", "day", "--ci", 0.9)
        assert scores["by"] == ["country", "day"]
        assert scores["files"] == [str(given)]
        assert [tuple(part["group"]) for part in scores["groups"]] == wanted.labels
        for name, column in (("mean", wanted.mean), ("low", wanted.confidence_interval(0.9)[0])):
            assert [part[name] for part in scores["groups"]] == pytest.approx(column.tolist())
        low, high = wanted.total.confidence_interval(0.9)
        assert (scores["total"]["low"], scores["total"]["high"]) == pytest.approx((low, high))
    lines = run("score", dump, *columns, "--by", "country", "--by", "day", "--ci", 0.9).stdout.splitlines()
    assert lines[1].split("  ")[-1] == "country, day"
    assert "90% from" in lines[1]
    assert lines[2].endswith("de, 2024-01-01")
    monkeypatch.chdir(dump.parent)
    assert scored("dump/country=fr", *columns)["total"]["count"] == 50


def test_groups_of_several_columns_are_in_the_order_of_their_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,p,a,b\n" + "".join(f"0,1,{a},{b}\n" for a in ("10", "9", "x") for b in ("2", "11", "")))
    groups = scored(path, *BASE, "--by", "a", "--by", "b")["groups"]
    assert [part["group"] for part in groups] == [[a, b] for a in ("9", "10", "x") for b in ("2", "11", None)]


@pytest.mark.parametrize("loss", ["root", "huber"])
def test_losses_of_several_groups_that_are_no_means(dump, monkeypatch, loss):
    monkeypatch.setitem(registry, "root", Root)
    scores = scored(dump, "--loss", loss, "--true", "y", "--pred", "p", "--by", "country", "--by", "day")
    cls = {"root": Root, "huber": fl.Huber}[loss]()
    for part in scores["groups"]:
        rows = (part["group"][0] == COUNTRY) & (part["group"][1] == DAY)
        assert part["mean"] == pytest.approx(cls(Y[rows], P[rows]))
        assert part["count"] == rows.sum()


def test_comparison(dump):
    stats = pytest.importorskip("scipy.stats")
    arguments = (dump, *BASE, "--compare", "better", "--by", "country")
    scores = scored(*arguments)
    first, second = (fl.Huber()(Y, x, reduction="none") for x in (P, BETTER))
    parts = [(scores["total"], slice(None)), *((part, part["group"] == COUNTRY) for part in scores["groups"])]
    for part, rows in parts:
        paired = stats.ttest_rel(first[rows], second[rows])
        difference = part["difference"]
        assert part["mean"] == pytest.approx(first[rows].mean())
        assert part["other"]["mean"] == pytest.approx(second[rows].mean())
        assert difference["mean"] == pytest.approx((first - second)[rows].mean())
        assert difference["mean"] / difference["standard_error"] == pytest.approx(paired.statistic)
        assert difference["high"] - difference["low"] == pytest.approx(2 * 1.959964 * difference["standard_error"])
    lines = run("score", *arguments).stdout.splitlines()
    assert lines[1].split("  ")[-1] == "country"
    assert re.split("  +", lines[1].strip())[:5] == ["mean loss", "of better", "difference", "95% from", "to"]
    assert lines[-1].split()[0] == f"{first.mean():.6g}"
    assert "no loss for each row" in refusal(
        "score", dump, "--loss", "rmse", "--true", "y", "--pred", "p", "--compare", "w"
    )


def test_limits(scores_csv):
    mean = fl.Huber()(Y, P)
    assert run("score", scores_csv, *BASE, "--fail-above", mean + 1e-9).status == 0
    result = run("score", scores_csv, *BASE, "--fail-above", mean - 1e-3, "--json")
    assert result.status == 3
    assert json.loads(result.stdout)["total"]["mean"] == pytest.approx(mean)
    assert result.stderr == f"fastloss: --fail-above: the mean loss is {mean:.6g}, must be at most {mean - 1e-3:.6g}\n"
    assert run("score", scores_csv, *BASE, "--compare", "p", "--fail-above", 0).status == 0
    result = run("score", scores_csv, *BASE, "--compare", "y", "--fail-above", 0)
    assert result.stderr.startswith("fastloss: --fail-above: the mean difference is ")
    scores_csv.write_text("y,p\n1,\n")
    assert run("score", scores_csv, *BASE, "--fail-above", 1e9).status == 3


def test_nulls(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"y": pa.array([1.0, None, 3.0]), "p": pa.array([None, 2.0, 4.0])}), path)
    arguments = (path, "--loss", "mae", "--true", "y", "--pred", "p")
    assert scored(*arguments)["nan"] == [
        {"column": "y", "count": 1, "first_row": 1}, {"column": "p", "count": 1, "first_row": 0},
    ]  # fmt: skip
    omitted = scored(*arguments, "--null-policy", "omit")
    assert (omitted["total"]["mean"], omitted["total"]["count"], omitted["nan"]) == (1.0, 1, [])
    line = refusal("score", *arguments, "--null-policy", "raise")
    assert "y_true[1] (column 'y', rows from 0) is null" in line


@pytest.mark.parametrize("what", ["loss", "grad", "hess"])
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv"])
def test_out_of_batches(tmp_path, dump, suffix, what):
    for columns, arrays, loss in (
        (("--true", "y", "--pred", "p", "--loss", "huber"), (Y, P), fl.Huber()),
        (("--true", "label", "--pred", "logits", "--loss", "cross_entropy"), (LABELS, LOGITS), fl.CrossEntropy()),
    ):
        out = tmp_path / f"out.{suffix}"
        scored(dump, *columns, "--out", out, "--what", what, "--force")
        grad, hess = loss.grad_and_hess(*arrays, reduction="none")
        wanted = {"loss": loss(*arrays, reduction="none"), "grad": grad, "hess": hess}[what]
        if suffix == "csv":
            written = np.loadtxt(out, delimiter=",", skiprows=1)
        else:
            table = pq.read_table(out) if suffix == "parquet" else pa.ipc.open_file(out).read_all()
            assert table.column_names == [what]
            written = np.array(table[what].to_pylist())
        np.testing.assert_array_equal(written, wanted)
    assert sorted(tmp_path.iterdir()) == [dump, out]


def test_out_has_nulls_where_rows_are_left_out(tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"y": pa.array([1.0, None, 3.0]), "p": [1.0, 2.0, 4.0]}), path)
    scored(path, *BASE, "--null-policy", "omit", "--out", out)
    assert pq.read_table(out).to_pydict() == {"loss": [0.0, None, 0.5]}


def test_out_is_untouched_where_arrow_fails(tmp_path, scores_csv):
    """A writer that cannot be finished says nothing of its own."""
    scores_csv.write_text(scores_csv.read_text() + "1,x,1,1\n")
    for suffix in ("parquet", "arrow", "csv"):
        out = tmp_path / f"out.{suffix}"
        assert "must be a number" in refusal("score", scores_csv, *BASE, "--out", out)
        assert not out.exists()


@pytest.mark.parametrize("suffix", ["html", "svg", "png", "pdf"])
@pytest.mark.parametrize("extra", [(), ("--compare", "better")], ids=["scores", "comparison"])
def test_plots(tmp_path, dump, suffix, extra):
    picture = tmp_path / f"a.{suffix}"
    scored(dump, *BASE, "--by", "country", "--by", "day", *extra, "--plot", picture)
    content = picture.read_bytes()
    begins = {"html": b"<!DOCTYPE html>", "svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert content.startswith(begins)
    (tmp_path / "new").touch()
    assert picture.stat().st_mode == (tmp_path / "new").stat().st_mode
    if suffix == "html":
        text_of = content.decode()
        assert "<svg" in text_of
        assert not re.search(r'(src|href)="(?!#)', text_of.replace("xlink:href", "href").replace('href="#', 'x="#'))
        assert "Huber(delta=1.0) of" in text_of
    assert "exists; --force overwrites it" in refusal("score", dump, *BASE, "--by", "day", "--plot", picture)
    line = refusal("score", dump, *BASE, "--by", "day", "--plot", dump / "country=de" / "a.parquet", "--force")
    assert "must end in" in line


@pytest.mark.parametrize("groups", [1, 2, 500])
def test_what_a_plot_shows(tmp_path, monkeypatch, groups):
    drawn = []
    made = plotting._figure
    monkeypatch.setattr(plotting, "_figure", lambda *arguments: drawn.append(made(*arguments)) or drawn[-1])
    path = tmp_path / "a.npz"
    site = np.arange(1000) % groups
    p = np.where(site == 3, np.nan, site + RNG.normal(size=1000))
    np.savez(path, y=np.zeros(1000), p=p, site=np.array([f"$site_{k}$ " + "x" * 50 for k in site]))
    scored(path, "--loss", "mae", "--true", "y", "--pred", "p", "--by", "site", "--plot", tmp_path / "a.png")
    (figure,) = drawn
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == min(groups, plotting.MOST)
    assert all(len(label) < 60 and "$" not in label.replace(r"\$", "") for label in labels)
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == sorted(widths, reverse=True)
    assert [text.get_text() for text in axes.texts if text.get_text() == "nan"] == ["nan"] * (groups > 3)
    assert figure.get_size_inches()[1] < 15


def test_plots_without_matplotlib(scores_csv, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    line = refusal("score", scores_csv, *BASE, "--by", "site", "--plot", "a.html", status=1)
    assert line == f"fastloss: --plot needs Matplotlib: {INSTALL.format('plot')}\n"


# The program --------------------------------------------------------------------------------------


PROGRAM = (sys.executable, "-m", "fastloss")


def program(*arguments, env=None, stdout=subprocess.PIPE, **options):
    """What the command does as a process of its own."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], env={**os.environ, **(env or {})}, stdout=stdout, stderr=subprocess.PIPE,
        text=True, timeout=60, **options,
    )  # fmt: skip


def test_module_runs(scores_csv):
    done = program("score", scores_csv, *BASE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "total" in done.stdout
    done = program("score", "none.csv", *BASE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastloss: none.csv: No such file or directory\n"


def test_help_and_version():
    for arguments in ((), ("-h",), ("--help",)):
        assert run(*arguments).stdout.startswith("Usage: fastloss [OPTIONS] COMMAND")
    for command in ("score", "losses", "config"):
        assert run(command, "-h").stdout == run(command, "--help").stdout != ""
    assert run("--version").stdout == f"fastloss {fl.__version__}\n"
    assert "No such command 'scor'" in refusal("scor")
    assert "--lsot" in refusal("--lsot")


def test_completion():
    words = {"COMP_WORDS": "fastloss score --loss hub", "COMP_CWORD": "3", "_FASTLOSS_COMPLETE": "complete_bash"}
    done = program(env=words)
    assert done.stdout.split() == sorted(name for name in catalogue.names() if name.startswith("hub"))
    done = program(env=words | {"COMP_WORDS": "fastloss lo", "COMP_CWORD": "1"})
    assert done.stdout.split() == ["losses"]


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra(missing):
    script = f"import sys; sys.modules[{missing!r}] = None; from fastloss.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"fastloss: the command needs typer and rich: {INSTALL.format('cli')}\n"


@pytest.mark.parametrize("arguments", [("score", "FILE", *BASE), ("losses",), ("config", "--json"), ("-h",)])
def test_output_to_a_full_disk(scores_csv, arguments):
    with open("/dev/full", "w") as full:
        done = program(*(scores_csv if argument == "FILE" else argument for argument in arguments), stdout=full)
    assert (done.returncode, done.stderr) == (1, "fastloss: standard output: No space left on device\n")


@pytest.mark.parametrize("arguments", [("losses",), ("-h",)])
def test_output_to_a_closed_pipe(arguments):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe:
        done = program(*arguments, stdout=pipe)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


def test_closed_output():
    done = program("losses", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (1, "fastloss: standard output: it is closed\n")


def test_disk_full(tmp_path, scores_csv):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    for suffix in ("npy", "npz"):
        done = program("score", scores_csv, *BASE, "--out", tmp_path / f"a.{suffix}", preexec_fn=limit)
        assert done.returncode == 1
        assert done.stderr == f"fastloss: --out: {tmp_path}/a.{suffix}: File too large\n"
        assert list(tmp_path.iterdir()) == [scores_csv]


# Writes a part of --out, says so, and waits for what comes.
WAITING = """
import sys, time
from fastloss.cli import main, writing
append = writing.NpyWriter.append
def slowly(self, part):
    append(self, part)
    print("waiting", flush=True)
    time.sleep(60)
writing.NpyWriter.append = slowly
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGINT, "fastloss: interrupted after 0 rows\n"),
        (signal.SIGTERM, "fastloss: asked to end after 0 rows\n"),
        (signal.SIGHUP, "fastloss: the terminal is gone after 0 rows\n"),
    ],
)
def test_signals(tmp_path, scores_csv, number, line):
    out = tmp_path / "out.npy"
    out.write_text("precious")
    command = [sys.executable, "-c", WAITING, "score", scores_csv, *BASE, "--out", out, "--force"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell in the background ignores some
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "waiting\n"
        assert len(list(tmp_path.iterdir())) == 3
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", line)
    assert process.returncode == 128 + number
    assert out.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [out, scores_csv]


def test_signals_while_nothing_comes(tmp_path):
    """A read that does not end does not keep the command from ending."""
    command = [*PROGRAM, "score", "-", *BASE, "--out", str(tmp_path / "out.parquet")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        process.stdin.write(b"y,p\n" + b"1,2\n" * 20_000)
        process.stdin.flush()
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == b"fastloss: interrupted after 0 rows\n"
    assert list(tmp_path.iterdir()) == []


# Waits before the second part.
SECOND = """
import sys, time
from fastloss.cli import main, writing
append = writing.ParquetWriter.append
def slowly(self, part):
    if self._writer is not None:
        print("waiting", flush=True)
        time.sleep(60)
    append(self, part)
writing.ParquetWriter.append = slowly
main(sys.argv[1:])
"""


def test_signals_say_how_far_it_was(tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"y": np.zeros(4_000_000), "p": np.ones(4_000_000)}), path, row_group_size=1_000_000)
    with subprocess.Popen(
        [sys.executable, "-c", SECOND, "score", path, *BASE, "--out", out], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "fastloss: interrupted after 1,000,000 rows (25%)\n")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == [path]


def large(folder, suffix, rows):
    """A file of many rows."""
    path = folder / f"large.{suffix}"
    table = pa.table({"y": np.zeros(rows, np.float32), "p": np.ones(rows, np.float32)})
    if suffix == "parquet":
        pq.write_table(table, path, row_group_size=100_000)
    else:
        pa.csv.write_csv(table, path)
    return path


@pytest.mark.timing
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_how_long_signals_take(tmp_path, suffix):
    path = large(tmp_path, suffix, 50_000_000)
    took = []
    for wait in (0.6, 0.7, 0.8, 0.9, 1.0):
        with subprocess.Popen([*PROGRAM, "score", path, *BASE], stderr=subprocess.PIPE, text=True) as process:
            time.sleep(wait)
            begun = time.perf_counter()
            process.send_signal(signal.SIGINT)
            _, line = process.communicate(timeout=30)
            took.append(time.perf_counter() - begun)
        assert line.startswith("fastloss: interrupted")
    assert sorted(took)[2] < 0.1


def test_signals_while_a_file_is_begun(tmp_path, monkeypatch):
    """A temporary file that nobody knows of yet would stay."""
    monkeypatch.setattr(ending.Stopped, "received", None)
    begin = writing.tempfile.mkstemp

    def begin_and_stop(**options):
        begun = begin(**options)
        ending._stop(signal.SIGINT, None)
        return begun

    monkeypatch.setattr(writing.tempfile, "mkstemp", begin_and_stop)
    with pytest.raises(ending.Stopped), writing.replacing("--out", tmp_path / "a", sources=[], force=False):
        pytest.fail("it began")
    assert not ending.Stopped.held
    assert list(tmp_path.iterdir()) == []


def test_signals_while_a_thread_starts(monkeypatch):
    """It must not be waited for, nor be in Python's way when that ends."""

    class Starting(ending.Thread):
        def start(self):
            super().start()
            raise ending.Stopped(signal.SIGINT)

    monkeypatch.setattr(ending, "Thread", Starting)
    monkeypatch.setattr(ending, "_abandoned", [])
    with pytest.raises(ending.Stopped):
        ending.in_background(lambda: None, lambda: None)
    assert [type(thread) for thread in ending._abandoned] == [Starting]


def test_signals_that_are_to_be_ignored(tmp_path, scores_csv):
    command = [sys.executable, "-c", WAITING, "score", scores_csv, *BASE, "--out", tmp_path / "out.npy"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "fastloss: asked to end after 0 rows\n")
    assert process.returncode == 128 + signal.SIGTERM


def test_the_handlers_of_others_come_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)]
    run("--version")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)] == before
