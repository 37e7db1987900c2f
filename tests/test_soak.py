"""The parts of the soak do what they say, find what is wrong, and are recorded."""

import subprocess
import sys

import pytest

from tests.soak import growth, runner
from tests.soak.report import Done
from tests.support import ROOT, fresh


def test_what_a_part_says_is_read():
    done = Done(12_345, "calls of 3 kinds", 1_000, 0)
    assert str(done) == "12,345 calls of 3 kinds in 1,000 s, 0 failures"
    assert Done.read(f"anything\n{done}\n") == done
    for broken in ("", "Killed\n", f"{done}\nTraceback"):
        with pytest.raises(ValueError, match="without a report"):
            Done.read(broken)


def test_memory_that_is_not_given_back_is_found():
    """In a process of its own: this one has memory that was given back, and is taken again."""
    fresh("""
import numpy as np
import fastloss as fl
from tests.soak import growth
y, x = np.random.default_rng(0).normal(size=(2, 50))
kept = []
assert growth.grown(lambda: kept.append(fl.Huber().grad(y, x)), 2000) > growth.ALLOWED
assert growth.grown(lambda: fl.Huber().grad(y, x), 2000) <= growth.ALLOWED
""")


def test_every_family_is_watched():
    watched = growth.kinds()
    assert {"squared_error, value", "ctc, value and gradient", "vae, value"} <= watched.keys()
    for call in watched.values():
        call()


def test_a_bad_call_that_is_not_refused_is_found():
    with pytest.raises(AssertionError, match="not refused"):
        growth.refused(lambda: 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux has it")
@pytest.mark.parametrize(("part", "times"), [("forks", 6), ("interrupts", 8)])
def test_parts_run(part, times):
    command = [sys.executable, "-m", f"tests.soak.{part}", str(times)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    found = Done.read(done.stdout)
    assert (found.failures, done.returncode) == (0, 0), done.stdout
    assert found.count == times + (times // 5 if part == "interrupts" else 0)


def test_a_part_that_dies_is_a_failure(capfd):
    part = runner.Part("a part", (sys.executable, "-c", "import os; print('so far'); os.abort()"))
    assert runner.run(part, 0.0, 0.0).failures == 1
    assert "so far" in capfd.readouterr().out


def test_runs_are_recorded_and_added_up(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "FILE", tmp_path / "record.json")
    assert runner.table() == "Not run yet."
    found = runner.entries(
        [("random calls", Done(1000, "calls", 60, 0)), ("forks", Done(7, "forks", 1, 0))]
        + [("every float32 number, kernels for a", Done(8, f"numbers, {name}", 30, 0)) for name in ("exp", "log")]
        + [("random calls", Done(500, "calls", 60, 0))]
    )
    for _ in range(2):
        runner.record("2026-01-01 00:00", 59.7, found)
    assert runner.load()["random calls in sum"] == {"random calls": 3000}
    table = runner.table()
    assert "| random calls | 1,500 calls (3,000 of 100,000,000 in all runs) | 2 | 0 |" in table
    assert "| every float32 number, kernels for a | 16 numbers | 1 | 0 |" in table
    assert "On 2026-01-01 00:00, in 60 minutes: " in table
