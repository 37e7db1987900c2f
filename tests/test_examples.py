"""The examples run, and their predictions can be scored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastloss as fl

pytest.importorskip("sklearn")
pytest.importorskip("typer")
TRAIN = Path(__file__).parent.parent / "examples" / "train.py"


@pytest.fixture(scope="module")
def predictions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions")
    subprocess.run([sys.executable, TRAIN, folder], check=True, timeout=300)
    return folder


def score(*arguments):
    command = [sys.executable, "-m", "fastloss", "score", *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


def test_files(predictions):
    names = {"breast_cancer.csv", "diabetes.csv", "diabetes.npz", "digits.npz"}
    assert {path.name for path in predictions.iterdir()} == names


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_diabetes(predictions, suffix):
    file = predictions / f"diabetes.{suffix}"
    scores = score(file, "--loss", "huber", "--delta", 50, "--true", "y_true", "--pred", "linear", "--by", "bmi")
    with np.load(predictions / "diabetes.npz") as columns:
        assert scores["total"]["mean"] == pytest.approx(fl.Huber(50)(columns["y_true"], columns["linear"]))
    assert {part["group"] for part in scores["groups"]} == {"lowest", "low", "high", "highest"}


def test_models_have_learned(predictions):
    rows = np.genfromtxt(predictions / "breast_cancer.csv", delimiter=",", skip_header=1, usecols=(0, 1, 2))
    assert np.mean((rows[:, 1] > 0) == rows[:, 0]) > 0.95
    assert len(np.unique(rows[:, 2])) == 2
    with np.load(predictions / "digits.npz") as columns:
        assert np.mean(columns["logits"].argmax(axis=1) == columns["y_true"]) > 0.9
