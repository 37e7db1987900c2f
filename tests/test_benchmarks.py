"""The benchmarks cover the registry, and their results become a report."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fastloss import registry

pytest.importorskip("pytest_benchmark")
from benchmarks import (
    alignment,
    bandwidth,
    dask,
    files,
    groups,
    integrations,
    language_models,
    merging,
    peers,
    record,
    regions,
    report,
    rowwise,
    scaling,
    tensors,
    turns,
)
from benchmarks.contenders import SPARSE, fastloss, fastloss_reused, memory, numpy, prepared
from benchmarks.scope import LIMIT, ROUNDS, Scope
from benchmarks.workload import SIZES, WORKS, LeftOut, Workload, workload
from tests.inputs import FEWER
from tests.reference import twin
from tools import generate

ROOT = Path(__file__).parent.parent
LONGEST = max(registry, key=len)


def collected(*arguments):
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "--size", "1000", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("arguments, sizes", [((), ["large"]), (("--full",), SIZES)], ids=["quick", "full"])
def test_every_loss_has_benchmarks(arguments, sizes):
    found = [line.partition("::")[2] for line in collected("--benchmark-only", *arguments)]
    assert found == [f"test_loss[{name}-{work}-{size}]" for name in registry for size in sizes for work in WORKS]


def test_a_run_ends_with_one_narrow_table_and_a_picture():
    command = [sys.executable, "-m", "pytest", "--benchmark-only", "--size", "1000", "--benchmark-max-time", "0.001"]
    chosen = ["-q", "-k", f"huber or {LONGEST}"]
    done = subprocess.run([*command, *chosen], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    (start,) = (i for i, line in enumerate(lines) if line.startswith(" loss "))
    rows = itertools.takewhile(str.strip, lines[start + 2 :])
    assert {row.split()[0] for row in rows} == {
        "huber",
        "pseudo_huber",
        "modified_huber",
        "symmetric_absolute_percentage_error",
    }
    written = [Path(line.removeprefix("wrote ")) for line in lines if line.startswith("wrote ")]
    assert {path.name for path in written} == {"speed.svg", "report.md"}
    assert all(path.stat().st_size > 1000 for path in written)


def test_a_run_that_is_late_starts_nothing_new(monkeypatch):
    monkeypatch.setattr("benchmarks.scope.perf_counter", lambda: 1000.0)
    assert not Scope(False, {"large": 1}, 0.25, started=1000 - LIMIT + 1).over
    assert Scope(False, {"large": 1}, 0.25, started=1000 - LIMIT - 1).over
    assert not Scope(True, SIZES, 1.0, started=0).over
    assert LIMIT < 300


def test_rounds_fill_the_time():
    scope = Scope(False, {"large": 1}, 1.0, 0.0)
    assert [scope.rounds("large", seconds) for seconds in (0.01, 0.2, 0.9, 5.0)] == [ROUNDS[1], 5, ROUNDS[0], 1]


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
        found = twin(load.loss, suffix)(*load.arrays)
        for array in found if isinstance(found, tuple) else (found,):
            assert array.dtype == load.predictions[0].dtype


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="there is no C compiler")
def test_the_memory_is_read_and_written():
    a, b = np.ones(10_001, np.float32), np.full(20_002, 2, np.float32)
    assert bandwidth.read(a, b, 2) == a.sum() + b.sum()
    to = bandwidth.aligned_like(b)
    to.fill(0)
    assert to.ctypes.data % 64 == 0
    assert bandwidth.read_and_write(a, b, to, 2) == a.sum()
    assert to.min() > 2


def test_there_is_no_limit_where_not_all_is_read(monkeypatch):
    monkeypatch.setattr("benchmarks.workload.CACHE", 0)
    memory(workload("squared_error", 1000), "value")
    for name in SPARSE:
        with pytest.raises(LeftOut, match="does not read all"):
            memory(workload(name, 1000), "value")


def test_there_is_no_limit_in_a_cache(monkeypatch):
    load = Workload("squared_error", 1000)
    with pytest.raises(LeftOut, match="in a cache"):
        memory(load, "value")
    monkeypatch.setattr("benchmarks.workload.CACHE", load.bytes("value"))
    assert not load.beyond_cache("value")
    assert load.beyond_cache("value_and_grad")


def test_a_wrong_answer_is_left_out():
    load = workload("squared_error", 1000)
    value, grad = fastloss(load, "value_and_grad")()
    with pytest.raises(LeftOut, match="its mean is"):
        load.check("value", 1.001 * value)
    with pytest.raises(LeftOut, match="its gradient is off"):
        load.check("value_and_grad", (value, 1.001 * grad))


ROWWISE = [name for name, cls in registry.items() if cls().signature.rowwise]


@pytest.mark.parametrize("name", ROWWISE)
def test_rows_have_many_classes_and_are_checked_in_parts(name, monkeypatch):
    assert workload(name, 100_000).x.shape == ((5000, 20) if name in FEWER else (316, 316))
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
    arguments = ["--rounds", "2", "--scale", "512"]
    rowwise.main([*arguments, "--only", "tokens", "--only", "bfloat16"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| `token_logprobs`", "| `cross_entropy`")) for line in lines) == 4
    with pytest.raises(SystemExit):
        rowwise.main(["--only", "nothing"])


def test_sequences_agree_with_other_libraries(capsys, monkeypatch):
    monkeypatch.setattr(alignment, "CTC", [((20, 3, 8, 4), 5.0)])
    monkeypatch.setattr(alignment, "TRANSDUCER", [(2, 6, 3, 5)])
    monkeypatch.setattr(alignment, "SETTLE", 0)
    alignment.main(["--rounds", "2", "--scale", "2", "--only", "ctc", "--only", "numpy"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| `ctc`", "| `transducer`")) for line in lines) == 3
    with pytest.raises(SystemExit):
        alignment.main(["--only", "nothing"])


def test_targets_of_regions(capsys, monkeypatch):
    monkeypatch.setattr(regions, "SETTLE", 0)
    monkeypatch.setattr(regions, "WIDTH", 32)
    regions.main(["--rounds", "2", "--scale", "512", "--only", "every"])
    lines = capsys.readouterr().out.splitlines()
    assert sum("against numpy" in line for line in lines) == 13
    with pytest.raises(SystemExit):
        regions.main(["--only", "nothing"])


def test_groups_agree_with_those_of_other_libraries(monkeypatch):
    monkeypatch.setattr(groups, "SETTLE", 0)
    assert len(list(groups.of_cases(3000, 1))) == len(groups.CASES) * len(groups.LIBRARIES)


def test_language_models_are_evaluated_alike(monkeypatch):
    for library in ("torch", "transformers", "lm_eval"):
        pytest.importorskip(library, reason=f"{library} is not installed: evaluations are not compared")
    monkeypatch.setattr(language_models, "SETTLE", 0)
    monkeypatch.setattr(language_models, "TOKENS", 12)
    monkeypatch.setattr(language_models, "_extra_memory", lambda *_: 1 << 21)
    rows = list(language_models.of_cases(1, 1000))
    assert len(rows) == 2 * len(language_models.WORKS) * 4
    assert all(row.measured for row in rows)


def test_worker_processes_agree(monkeypatch):
    for library in ("distributed", "pyarrow", "pandas"):
        pytest.importorskip(library, reason=f"{library} is not installed: worker processes are not compared")
    monkeypatch.setattr(dask, "FILES", 2)
    rows = list(dask.of_cases(4000, 1))
    assert [row.at_least for row in rows] == [dask.FASTER, None]
    assert all(row.measured for row in rows)


def test_merged_tables_agree_with_those_of_pandas():
    assert len(list(merging.of_cases(300, 1))) == len(merging.CASES)


def test_files_are_scored_alike(monkeypatch):
    monkeypatch.setattr(files, "MANY", 100)
    rows = list(files.of_cases(3000, 1))
    assert len(rows) == 9
    assert all(row.measured for row in rows)


def test_losses_of_tensors_agree_with_pytorchs(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed: its losses are not compared")
    monkeypatch.setattr(tensors, "SETTLE", 0)
    monkeypatch.setattr(tensors, "CASES", [(name, shape, eager, None) for name, shape, eager, _ in tensors.CASES])
    rows = list(tensors.rows(1, 1000))
    assert len(rows) == len(tensors.CASES)
    assert all(row.measured for row in rows)


def test_threads_that_share_tasks_wait_for_none_that_is_slow(monkeypatch):
    times = np.full(4096, 1e-5)
    ideal = times.sum() / 64
    assert ideal <= scaling.shared(times, 64) <= 1.2 * ideal
    assert ideal <= scaling.divided(times, 64) <= 1.02 * ideal
    assert scaling.shared(times, 64, 16) < 0.75 * scaling.divided(times, 64, 16)
    monkeypatch.setattr(scaling, "COUNTER", 1e-4)  # of 64 threads, which wait for it
    assert scaling.shared(times, 64) > 5 * ideal


def test_tasks_are_those_of_the_grid():
    tasks, seconds = scaling.elementwise(100_000)
    assert tasks == -(-100_000 // 512)
    assert 0 < seconds < 1e-3
    assert scaling.rowwise(1000, 10)[0] == 2
    assert scaling.rowwise(640, 10)[0] == 1


def test_peers_are_of_losses_that_exist():
    unknown = {peer: module.LOSSES.keys() - registry.keys() for peer, module in peers.installed().items()}
    assert not any(unknown.values()), unknown


# Seconds of three rounds of each contender.
TIMES = {
    "value": {"fastloss": 2e-3, "memory": 1e-3, "numpy": 8e-3, "pytorch": 6e-3, "jax_jit": 5e-3},
    "value_and_grad": {"fastloss": 4e-3, "fastloss_reused": 2e-3, "memory": 1.5e-3, "numpy": 30e-3},
}


def result(loss, work, **times):
    each = {who: [0.9 * seconds, seconds, 1.1 * seconds] for who, seconds in (TIMES[work] | times).items()}
    return {
        "loss": loss, "work": work, "size": "large", "elements": 5000, "threads": 2, "times": each,
        "left_out": {"numexpr": "its mean is 1, the reference's 2"} if work == "value" else {},
    }  # fmt: skip


@pytest.fixture
def results(tmp_path):
    slower = {"fastloss": 8e-3}
    entries = [
        {"extra_info": result(loss, work, **times)} for loss, times in (("huber", {}), ("lp", slower)) for work in TIMES
    ]
    machine = {
        "fastloss": "0.1.0", "commit": "abcdef", "processor": "A processor", "kernels": "baseline", "threads": 2,
        "python": "3.13.0", "libraries": {"numpy": "2.4.0"},
    }  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"machine_info": {"fastloss": machine}, "benchmarks": entries}))
    return path


def test_report(results, tmp_path):
    pytest.importorskip("matplotlib")
    report.main([str(results), "-o", str(tmp_path / "REPORT.md"), "--plot", str(tmp_path / "REPORT.png")])
    text = (tmp_path / "REPORT.md").read_text()
    machine = "A processor, baseline kernels, threads: 2; fastloss 0.1.0 (abcdef), Python 3.13.0, numpy 2.4.0."
    assert machine in text
    assert "## 5,000 elements" in text
    assert "| `huber` | value | 2 ms |  | 4× | 2.5× jax_jit | 50% |" in text
    assert "| `huber` | value and gradient | 4 ms | 2 ms | 7.5× |  | 75% |" in text
    assert "- huber, value, 5,000 elements, numexpr: its mean is 1, the reference's 2" in text
    assert (tmp_path / "REPORT.png").read_bytes().startswith(b"\x89PNG")


def test_results_are_kept_for_the_documents(results, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(record, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(report, "PICTURE", tmp_path / "speed.svg")
    report.main([str(results), "-o", str(tmp_path / "REPORT.md"), "--record"])
    kept = [report.line_of(line) for line in record.load()["losses"]["lines"]]
    assert kept == report.lines(entry["extra_info"] for entry in json.loads(results.read_text())["benchmarks"])
    assert "<svg" in (tmp_path / "speed.svg").read_text()
    rows = [record.Row("reached", 2, 3.0, "how", front=True), record.Row("missed", 2, 1.0, "how")]
    rows += [record.Row("doubtful", 2, 9.0, "how", "busy"), record.Row("not measured", 2, None, "why")]
    assert [record.publish("linear", "conditions", some, keep=False) for some in (rows[:1], rows)] == [0, 1]
    monkeypatch.setattr(record.isa, "isa", record.isa.installed()[0])
    assert record.publish("targets", "conditions", rows, keep=True) == 0
    assert "linear" not in record.load()
    kept = record.rows_of(record.load()["targets"])
    assert [replace(row, hours={}) for row in kept] == rows
    assert [list(row.hours.values()) for row in kept] == [[3.0], [1.0], [], []]
    front = generate.speed(record.load())
    assert "| missed | 2 | 1 |  | no | how |" in front
    assert "Of 3 targets 1 are missed" in front
    page = generate.measured(record.load())
    assert "| doubtful | 2 | 9 |  | ? | how; busy |" in page
    assert page.index("| `lp` | 8 ms | 1× | 12% |") < page.index("| `huber` | 2 ms | 4× | 50% | 4 ms | 7.5× | 75% |")


def test_the_worst_of_the_last_hours_counts():
    row = record.Row("what", 2, 3.0, "how")
    for k, measured in enumerate([1.0, 4.0, 2.5, 2.2, 3.0, 9.0]):
        row = replace(row, measured=measured).after(row, f"2030-01-0{k + 1} 10h")
        assert row.reached == ("no" if k < 5 else "yes")
    assert list(row.hours.values()) == [4.0, 2.5, 2.2, 3.0, 9.0]
    assert "| what | 2 | 9 | 2.2 of 5 | yes | how |" in record.table([row])
    doubted = replace(row, measured=0.1, doubt="busy").after(row, "2030-01-07 10h")
    assert doubted.hours == row.hours


def test_earlier_hours_stay_as_long_as_the_kernels(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FILE", tmp_path / "measured.json")
    monkeypatch.setattr(record, "_memory", lambda: "fast")
    monkeypatch.setattr(record.isa, "isa", record.isa.installed()[0])
    for kernels, hour, found in (("abc", 10, [3.0]), ("abc", 11, [3.0, 2.0]), ("def", 12, [1.0])):
        monkeypatch.setattr(record, "_commit", lambda folder, kernels=kernels: kernels)
        monkeypatch.setattr(record, "datetime", SimpleNamespace(now=partial(datetime, 2030, 1, 1, hour)))
        record.publish("linear", "", [record.Row("what", 2, found[-1], "how")], keep=True)
        assert list(record.rows_of(record.load()["linear"])[0].hours.values()) == found
    monkeypatch.setattr(record.isa, "isa", "lesser")
    record.publish("linear", "", [record.Row("what", 2, 1.5, "how")], keep=True)
    assert record.load().keys() == {"linear", "linear lesser"}


def test_a_file_that_is_committed_has_everything():
    sections = record.load()
    assert sections.keys() >= {"losses", "targets", "rowwise", "linear", "accuracy"}
    assert any(row.front for name in generate.TITLES for row in record.rows_of(sections[name]))


def test_targets_compare_with_the_fastest_in_turns():
    times = {"fastloss": [1.0, 2.0, 1.0], "a": [3.0, 6.0, 3.0], "b": [2.0, 4.0, 3.0]}
    assert turns.compare(times, "fastloss", ["a", "b"]) == turns.Ratio(2.0, "fastloss 1 s, b 3 s")
    calls = []
    times = turns.take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert {who: len(rounds) for who, rounds in times.items()} == {"a": 3, "b": 3}
    assert calls[0] == "a"
    assert calls[-1] == "b"


def test_calls_are_woken_unless_they_are_long(monkeypatch):
    seconds = {"short": 1e-4, "long": 0.5}
    calls = dict.fromkeys(seconds, 0)

    class Timer:
        def __init__(self, who):
            self.who = who

        def timeit(self, number):
            calls[self.who] += number
            return number * seconds[self.who]

        def repeat(self, repeat, number):
            return [self.timeit(number) for _ in range(repeat)]

    monkeypatch.setattr(turns, "Timer", Timer)
    found = turns.Turns({who: who for who in seconds})
    assert found.calls == {"short": 10, "long": 1}
    assert found.seconds == pytest.approx(0.5 + 1.1e-3)
    before = dict(calls)
    for who in seconds:
        found.take(who)
    assert {who: calls[who] - before[who] for who in calls} == {"short": 11, "long": 1}
    assert found.times == {who: [pytest.approx(value)] for who, value in seconds.items()}


@pytest.mark.parametrize(
    "others, doubt",
    [
        ({"memory": [1.1, 1.1, 1.1]}, ""),
        ({"memory": [1.2, 1.2, 1.2]}, "1.2 times what the memory allows"),
        ({"memory": [268.76, 268.76, 268.76]}, "269 times what the memory allows"),
        ({"numpy": [268.76, 268.76, 268.76]}, ""),
        ({"numpy": [2.0, 3.0, 4.0]}, ""),
        ({"numpy": [1.0, 3.0, 9.0]}, "the middle half of its rounds ranges from 2 to 6"),
    ],
)
def test_nonsense_is_doubted(others, doubt):
    ratio = turns.compare({"fastloss": [1.0] * 3} | others, "fastloss", list(others))
    assert ratio.doubt.startswith(doubt)
    assert bool(ratio.doubt) == bool(doubt)
    assert record.Row.of("what", 0.5, ratio).reached == ("?" if doubt else "yes")


def test_what_is_doubted_is_shown_as_such(tmp_path):
    pytest.importorskip("matplotlib")
    lines = report.lines([result("huber", "value", memory=0.54), result("lp", "value")])
    assert [report.cells({"value": line})[1:3] for line in lines] == [["4×", "?"], ["4×", "50%"]]
    (doubt,) = report.doubts(lines)
    assert doubt == (
        "huber, value, 5,000 elements, against the limit: 270 times what the memory allows: the machine was busy"
    )
    assert doubt in report.report(lines, record.machine())
    report.picture(lines, tmp_path / "speed.svg")


def test_integrations_agree_with_what_they_replace():
    assert integrations.xgboost_objective(1000).keys() == {"fastloss", "numpy", "memory"}
    assert integrations.lightgbm_objective(1000).keys() == {"fastloss", "numpy"}
    pytest.importorskip("sklearn")
    assert integrations.log_loss(1000, 5).keys() == {"fastloss", "sklearn"}
