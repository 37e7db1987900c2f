"""The benchmarks cover the registry, and their results become a report."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastloss import registry

pytest.importorskip("pytest_benchmark")
from benchmarks import bandwidth, integrations, peers, report, rowwise, targets
from benchmarks.contenders import fastloss, fastloss_reused, numpy, prepared
from benchmarks.workload import SIZES, WORKS, LeftOut, Workload, workload
from tests.reference import twin

ROOT = Path(__file__).parent.parent


def collected(*arguments):
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "--size", "1000", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_every_loss_has_benchmarks():
    found = "\n".join(collected("--benchmark-only"))
    wanted = [
        f"test_loss[{name}-{work}-{size}-{who}]"
        for name in registry
        for work in WORKS
        for size in SIZES
        for who in ("fastloss", "numpy")
    ]
    assert [identity for identity in wanted if identity not in found] == []
    assert "tests/" not in found


def test_no_benchmark_without_being_asked_for():
    assert not any("benchmarks/" in line for line in collected("benchmarks", "tests/test_inputs.py"))


@pytest.mark.parametrize("name", registry)
@pytest.mark.parametrize("work", WORKS)
def test_fastloss_and_numpy_agree(name, work):
    for bind in (fastloss, numpy) if work == "value" else (fastloss, fastloss_reused, numpy):
        prepared(bind, workload(name, 1000), work)


@pytest.mark.parametrize("name", registry)
def test_the_numpy_baseline_computes_in_float32(name):
    load = workload(name, 1000)
    for suffix in ("", "_grad"):
        assert twin(load.loss, suffix)(load.y, load.x).dtype == load.x.dtype


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="there is no C compiler")
def test_the_memory_is_read_and_written():
    a, b = np.ones(10_001, np.float32), np.full(20_002, 2, np.float32)
    assert bandwidth.read(a, b, 2) == a.sum() + b.sum()
    to = bandwidth.aligned_like(b)
    to.fill(0)
    assert to.ctypes.data % 64 == 0
    assert bandwidth.read_and_write(a, b, to, 2) == a.sum()
    assert to.min() > 2


def test_a_wrong_answer_is_left_out():
    load = workload("squared_error", 1000)
    value, grad = fastloss(load, "value_and_grad")()
    with pytest.raises(LeftOut, match="its mean is"):
        load.check("value", 1.001 * value)
    with pytest.raises(LeftOut, match="its gradient is off"):
        load.check("value_and_grad", (value, 1.001 * grad))


ROWWISE = [name for name, cls in registry.items() if cls.rowwise]


@pytest.mark.parametrize("name", ROWWISE)
def test_rows_have_many_classes_and_are_checked_in_parts(name, monkeypatch):
    assert workload(name, 100_000).x.shape == (316, 316)
    whole = workload(name, (60, 50))
    monkeypatch.setattr("benchmarks.workload.PART", 500)
    parts = Workload(name, (60, 50))
    assert len(parts.expected[2]) == 10
    np.testing.assert_allclose(parts.expected[:2], whole.expected[:2], rtol=1e-12)
    np.testing.assert_allclose(parts.expected[2], whole.expected[2][:10], rtol=1e-10, atol=1e-15)
    value, grad = fastloss_reused(parts, "value_and_grad")()
    parts.check("value_and_grad", (value, grad))
    wrong = 1.001 * grad if grad.any() else grad + 1
    with pytest.raises(LeftOut, match="its gradient is off"):
        parts.check("value_and_grad", (value, wrong))


def test_targets_of_rows(capsys):
    arguments = ["--rounds", "1", "--scale", "512"]
    rowwise.main([*arguments, "--only", "tokens", "--only", "bfloat16"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| `token_logprobs`", "| `cross_entropy`")) for line in lines) == 4
    with pytest.raises(SystemExit):
        rowwise.main(["--only", "nothing"])


def test_peers_are_of_losses_that_exist():
    unknown = {peer: module.LOSSES.keys() - registry.keys() for peer, module in peers.installed().items()}
    assert not any(unknown.values()), unknown


MEDIANS = {
    "value": {"fastloss": 2e-3, "memory": 1e-3, "numpy": 8e-3, "pytorch": 6e-3, "jax_jit": 5e-3},
    "value_and_grad": {"fastloss": 4e-3, "fastloss_reused": 2e-3, "memory": 1.5e-3, "numpy": 30e-3},
}


@pytest.fixture
def results(tmp_path):
    entries = [
        {
            "stats": {"median": median},
            "extra_info": {
                "loss": "huber", "work": work, "size": "large", "elements": 5000, "contender": who, "threads": 2,
            },
        }
        for work, medians in MEDIANS.items()
        for who, median in medians.items()
    ]  # fmt: skip
    machine = {"machine": "x86_64", "python_version": "3.13.0", "libraries": {"numpy": "2.4.0"}}
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"machine_info": machine, "benchmarks": entries}))
    return path


def test_report(results, tmp_path):
    pytest.importorskip("matplotlib")
    report.main([str(results), "-o", str(tmp_path / "REPORT.md"), "--plot", str(tmp_path / "REPORT.png")])
    text = (tmp_path / "REPORT.md").read_text()
    assert "x86_64, threads: 2; Python 3.13.0, numpy 2.4.0." in text
    assert "## 5,000 elements" in text
    assert "| `huber` | value | 2 ms |  | 4× | 2.5× jax_jit | 50% |" in text
    assert "| `huber` | value and grad | 4 ms | 2 ms | 7.5× |  | 75% |" in text
    assert (tmp_path / "REPORT.png").read_bytes().startswith(b"\x89PNG")


def test_targets_compare_with_the_fastest_in_turns():
    times = {"fastloss": [1.0, 2.0, 1.0], "a": [3.0, 6.0, 3.0], "b": [2.0, 4.0, 9.0]}
    assert targets.compare(times, "fastloss", ["a", "b"]) == (2.0, "fastloss 1 s, b 4 s")
    calls = []
    times = targets.take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert {who: len(rounds) for who, rounds in times.items()} == {"a": 3, "b": 3}
    assert calls[0] == "a"
    assert calls[-1] == "b"


def test_integrations_agree_with_what_they_replace():
    assert integrations.xgboost_objective(1000).keys() == {"fastloss", "numpy"}
    assert integrations.lightgbm_objective(1000).keys() == {"fastloss", "numpy"}
    pytest.importorskip("sklearn")
    assert integrations.log_loss(1000, 5).keys() == {"fastloss", "sklearn"}
