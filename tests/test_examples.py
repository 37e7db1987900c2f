"""The examples run, and their predictions can be scored."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

import fastloss as fl

pytest.importorskip("sklearn")
pytest.importorskip("typer")
ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def score(*arguments):
    command = [sys.executable, "-m", "fastloss", "score", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


def test_files(predictions):
    names = {"breast_cancer.parquet", "diabetes.csv", "diabetes.parquet", "digits.parquet"}
    assert {path.name for path in predictions.iterdir()} == names


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_diabetes(predictions, suffix):
    file = predictions / f"diabetes.{suffix}"
    scores = score(file, "--loss", "huber", "--delta", 50, "--true", "y_true", "--pred", "linear", "--by", "bmi")
    columns = parquet.read_table(predictions / "diabetes.parquet")
    assert scores["total"]["mean"] == pytest.approx(fl.Huber(50)(columns["y_true"], columns["linear"]))
    assert {part["group"] for part in scores["groups"]} == {"lowest", "low", "high", "highest"}


def test_models_have_learned(predictions):
    columns = parquet.read_table(predictions / "breast_cancer.parquet").to_pydict()
    assert np.mean((np.array(columns["logit"]) > 0) == np.array(columns["y_true"])) > 0.95
    assert len(set(columns["weight"])) == 2
    columns = parquet.read_table(predictions / "digits.parquet").to_pydict()
    for model in ("linear", "network"):
        assert np.mean(np.argmax(columns[model], axis=1) == columns["y_true"]) > 0.9


def printed(name, *arguments):
    """The lines that an example prints, with the numbers in each."""
    command = [sys.executable, EXAMPLES / name, *arguments]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    numbers = r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?"
    return {line.strip(): [float(n) for n in re.findall(numbers, line)] for line in text.splitlines()}


def line(lines, beginning):
    (found,) = (numbers for text, numbers in lines.items() if text.startswith(beginning))
    return found


def test_exercises():
    lines = printed("exercises.py")
    mean, by_hand = line(lines, "mean squared error 3")
    assert mean == by_hand < line(lines, "mean squared error of a constant")[0]
    assert len(set(line(lines, "mean cross-entropy"))) == 1
    assert line(lines, "likelihood")[1] == line(lines, "likelihood")[2]
    (ours, accuracy, hinge, by_hand), theirs = line(lines, "trained with"), line(lines, "scikit-learn's")
    assert hinge == by_hand
    assert ours == pytest.approx(theirs[0], rel=1e-3)
    assert accuracy == theirs[1] > 0.98
    assert line(lines, "coefficients differ by")[0] < 1  # percent


def test_saturation(tmp_path):
    pytest.importorskip("matplotlib")
    lines = printed("saturation.py", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    slow, fast = line(lines, "squared error: error"), line(lines, "cross-entropy: error")
    assert slow[0] == fast[0] > 0.9  # both start wrong
    assert slow[1] > 0.9 > 0.1 > fast[1]
    assert line(lines, "squared error: gradient")[2] < 1e-3 < 0.99 < line(lines, "cross-entropy: gradient")[2]


def drawn(name, tmp_path):
    """What an example prints, and that it makes a picture."""
    pytest.importorskip("matplotlib")
    lines = printed(name, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    return lines


def test_embedding(tmp_path):
    lines = drawn("embedding.py", tmp_path)
    before, contrastive, info_nce = (line(lines, name)[-1] for name in ("before", "contrastive", "InfoNCE"))
    assert before < 0.6 < 0.85 < min(contrastive, info_nce)


def test_boxes(tmp_path):
    lines = drawn("boxes.py", tmp_path)
    assert line(lines, "IoU:")[0] == 0  # boxes that do not meet have no gradient
    for name in ("GIoU", "DIoU", "CIoU", "EIoU", "SIoU", "MPDIoU", "NWD"):
        assert line(lines, f"{name}:")[0] > 0.8, name


def test_segmentation(tmp_path):
    pytest.importorskip("scipy")
    lines = drawn("segmentation.py", tmp_path)
    entropy, dice, lovasz = (line(lines, name)[0] for name in ("cross-entropy", "Dice", "Lovasz"))
    assert 0 < entropy < min(dice, lovasz)


def test_alignment(tmp_path):
    lines = drawn("alignment.py", tmp_path)
    first, last = line(lines, "the loss falls")
    assert last < 0.1 * first
    assert next(numbers[0] for text, numbers in lines.items() if "of unseen lines" in text) > 0.7


def test_the_start_page_shows_what_the_command_prints(predictions):
    """Numbers of a network that was trained on another machine differ a little."""
    page = (ROOT / "docs" / "start.md").read_text()
    shown = re.findall(r"```sh\nfastloss (score [^\n]*)\n```\n[^`]*```text\n([^`]*)```", page)
    assert len(shown) == 2
    for arguments, text in shown:
        command = [sys.executable, "-m", "fastloss", *arguments.split()]
        done = subprocess.run(command, capture_output=True, text=True, cwd=predictions.parent, check=True, timeout=60)
        (header, *rows), (wanted, *others) = done.stdout.splitlines()[1:], text.splitlines()
        assert header.split() == wanted.split()
        for row, other in zip(rows, others, strict=True):
            *numbers, label = row.split()
            *expected, name = other.split()
            assert label == name
            assert float(numbers[0]) == pytest.approx(float(expected[0]), rel=0.2)
