"""The `fastloss` command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import fields

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry

typer_testing = pytest.importorskip("typer.testing")
from fastloss.cli import losses as catalogue  # noqa: E402
from fastloss.cli import printing, reading  # noqa: E402
from fastloss.cli.app import app  # noqa: E402
from fastloss.cli.errors import Refused  # noqa: E402
from tests.inputs import draw  # noqa: E402

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
INDEXED = ("--loss", "huber", "--true", "0", "--pred", "1")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(reading, "ROWS", 7)
    monkeypatch.setattr(reading, "BLOCK", 512)


@pytest.fixture(params=["pyarrow", "standard library"])
def reader(request, monkeypatch):
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)


def run(*arguments):
    return typer_testing.CliRunner().invoke(app, [str(argument) for argument in arguments])


def scored(*arguments):
    result = run("score", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments):
    """The one line on standard error that a refused command prints."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("fastloss: ")
    assert result.stderr.count("\n") == 1
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


@pytest.mark.usefixtures("reader")
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


@pytest.mark.usefixtures("reader")
def test_csv_streams(tmp_path):
    chunks = list(reading.open_table(write_csv(tmp_path / "a.csv"), mmap=False).chunks(["p", "site"], {"site"}))
    assert len(chunks) > 5
    assert [chunk.start for chunk in chunks] == np.cumsum([0] + [len(chunk) for chunk in chunks])[:-1].tolist()
    assert chunks[-1].done == 1.0
    np.testing.assert_array_equal(np.concatenate([chunk.columns["p"] for chunk in chunks]), P)
    assert chunks[0].columns["site"][0] == str(SITE[0])


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


@pytest.mark.parametrize("cls", [cls for cls in registry.values() if cls.pair], ids=lambda cls: cls.__name__)
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


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y,p\n1,2\n1,abc\n", "abc"),
        ("y,p\n1,2\n1\n", "1"),
        ("y,p,y\n1,2,3\n", "the header names y twice"),
        ("y,p\n", "there are no rows"),
        ("", "has no column 'y'; it has none"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    line = refusal("score", path, *BASE)
    assert message in line
    assert str(path) in line


@pytest.mark.usefixtures("reader")
def test_csv_that_is_not_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"y,p,site\n1,2,\xff\xfe\n")
    assert str(path) in refusal("score", path, *BASE, "--by", "site")


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "npy", "Fortran npy", "structured npy"])
@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.99])
def test_truncated_files(tmp_path, kind, keep):
    path, (y, p, *_) = write(tmp_path, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    assert str(path) in refusal("score", path, "--loss", "huber", "--true", y, "--pred", p)


def test_npy_cut_short_while_it_is_read(tmp_path):
    path, _ = write(tmp_path, "npy")
    chunks = reading.open_table(path, mmap=False).chunks(["0"])
    next(chunks)
    os.truncate(path, 1000)
    with pytest.raises(Refused, match="ends before its data"):
        list(chunks)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("a.npy", np.zeros(3), r"shape \(3,\), must be 2-d"),
        ("a.npy", np.zeros((2, 2), [("y", float), ("p", float)]), "must be 1-d"),
        ("a.npy", np.array([[None, 1]], object), "a.npy"),
        ("a.npz", {"y": np.zeros(3), "p": np.zeros(4)}, "must have one length"),
        ("a.npz", {"y": np.zeros(()), "p": np.zeros(())}, "must have one length"),
        ("a.npz", {"y": np.array(["a"]), "p": np.zeros(1)}, "y_true has dtype <U1"),
        ("a.npz", {"y": np.array([None]), "p": np.zeros(1)}, "a.npz"),
    ],
)
def test_bad_arrays(tmp_path, name, array, message):
    path = tmp_path / name
    if isinstance(array, dict):
        np.savez(path, **array)
    else:
        np.save(path, array)
    assert re.search(message, refusal("score", path, *BASE))


# Losses, columns, rows ----------------------------------------------------------------------------


@pytest.fixture
def scores_csv(tmp_path):
    return write_csv(tmp_path / "scores.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--loss", "hubr", "--true", "y", "--pred", "p"), "there is no loss 'hubr'; did you mean huber"),
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
        ((*BASE, "another.csv"), "there must be one file, not 2"),
        ((*BASE, "--weight", "y"), "sample_weight["),
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
    assert run("score", scores_csv, *BASE, "--num-threads", 0).exit_code == 2


def test_every_loss_can_be_named_and_given_its_parameters():
    for name, cls in registry.items():
        assert catalogue.find(name) is catalogue.find(cls.__name__) is cls
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
    taken = {
        "loss",
        "true",
        "pred",
        "weight",
        "by",
        "nan_policy",
        "num_threads",
        "mmap",
        "out",
        "what",
        "force",
        "json",
    }
    for cls in registry.values():
        assert not taken & {parameter.name for parameter in fields(cls)}


class Root(fl.SquaredError):
    """The root of the mean squared error, as a loss that is not a mean."""

    aggregate = True

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
        assert out.read_text().startswith(f"{what}\n")
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


def test_out_is_untouched_by_an_error(tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "out.npy"
    write_csv(path, {"y": np.r_[Y, np.nan], "p": np.r_[P, 0.0]})
    out.write_text("precious")
    refusal("score", path, *BASE, "--nan-policy", "raise", "--out", out, "--force")
    assert out.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [path, out]


def test_out_that_cannot_be(tmp_path, scores_csv):
    assert "must end in .npy, .npz, .csv" in refusal("score", scores_csv, *BASE, "--out", tmp_path / "a.txt")
    assert "No such file" in refusal("score", scores_csv, *BASE, "--out", tmp_path / "none" / "a.npy")


def test_table(scores_csv):
    result = run("score", scores_csv, *BASE, "--by", "site")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    state = fl.Huber().state(Y, P)
    assert ["total", f"{state.mean:.6g}", f"{state.standard_error:.3g}", "100", "100"] in lines
    assert [line[0] for line in lines if len(line) == 5] == ["0.0", "1.0", "2.0", "total"]
    assert "Huber(delta=1.0)" in result.stdout


def test_labels_cannot_speak_to_the_terminal(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,p,site\n1,2,\x1b[31m\n1,2,[bold]\n")
    printed = run("score", path, *BASE, "--by", "site").stdout
    assert "\x1b" not in printed
    assert "[bold]" in printed
    assert "\x1b" not in refusal("score", "\x1b[31m.csv", *BASE)


def test_json_holds_what_is_not_finite(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, y=np.zeros(2), p=np.array([np.inf, 0.0]), site=np.array(["2024-01-01", "2024-01-02"], "M8[D]"))
    scores = scored(path, "--loss", "mae", "--true", "y", "--pred", "p", "--by", "site")
    assert scores["total"]["mean"] == "Infinity"
    assert scores["total"]["standard_error"] is None
    assert [part["group"] for part in scores["groups"]] == ["2024-01-01", "2024-01-02"]


def test_progress_on_a_terminal_only(tmp_path, monkeypatch):
    chunks = [reading.Chunk({"y": Y}, 0, 0.5), reading.Chunk({"y": Y}, N, 1.0)]
    assert list(printing.with_progress(chunks)) == chunks
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(printing, "PATIENCE", 0.0)
    assert list(printing.with_progress(chunks)) == chunks


def test_losses():
    listed = json.loads(run("losses", "--json").stdout)["losses"]
    assert [loss["name"] for loss in listed] == sorted(registry)
    huber = next(loss for loss in listed if loss["name"] == "huber")
    assert huber["aliases"] == list(fl.Huber.aliases)
    assert huber["parameters"] == [{"name": "delta", "option": "--delta", "default": 1.0, "domain": "greater than 0"}]
    printed = run("losses").stdout
    for loss in listed:
        assert loss["name"] in printed
        for parameter in loss["parameters"]:
            assert parameter["option"] in printed


def test_config():
    assert json.loads(run("config", "--json").stdout) == fl.config()
    assert fl.config()["compiler"] in run("config").stdout


# The program --------------------------------------------------------------------------------------


def test_module_runs(scores_csv):
    command = [sys.executable, "-m", "fastloss", "score", scores_csv, *BASE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "total" in done.stdout
    done = subprocess.run([*command[:4], "none.csv", *BASE], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastloss: none.csv: No such file or directory\n"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra(missing):
    program = f"import sys; sys.modules[{missing!r}] = None; from fastloss.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == ("fastloss: the command line needs an extra, install it with: pip install 'fastloss[cli]'\n")
