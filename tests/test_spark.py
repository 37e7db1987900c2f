"""The recipe for Spark gives what one process does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastloss as fl

pytest.importorskip("pyspark", reason="PySpark is not installed")
pytest.importorskip("pyarrow")
pytest.importorskip("sklearn")
import pyarrow.parquet

if shutil.which("java") is None:
    pytest.skip("there is no Java", allow_module_level=True)

EXAMPLE = Path(__file__).parent.parent / "examples" / "spark.py"


def test_groups_of_partitions(predictions):
    path = predictions / "diabetes.parquet"
    command = [sys.executable, EXAMPLE, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    printed = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    columns = pyarrow.parquet.read_table(path)
    wanted = fl.Huber(delta=50).states(columns["y_true"], columns["linear"], groups=columns["bmi"])
    for group, state in wanted.items():
        low, high = state.confidence_interval()
        assert printed[group] == f"{state.mean:.6f} from {low:.6f} to {high:.6f}, of {state.count} rows"
    assert printed["total"] == f"{wanted.total.mean:.6f}, of {wanted.total.count} rows"
