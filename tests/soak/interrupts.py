"""Ctrl-C at any moment, in calls and in the command: soon over, nothing half-written, and the next call is right."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

import fastloss as fl
from tests.soak.report import Done
from tests.support import ROOT

PATIENCE = 2  # seconds from the signal to the exception, on a machine that is busy
ROWS = 300_000
ENDS = {0, 130, -signal.SIGINT, 1}  # done, interrupted, interrupted while Python starts or ends
STARTING = "init_import_site"  # of Python's own word for what it calls fatal while it starts


def big(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.float32(1), shape)


def calls() -> list:
    rng = np.random.default_rng(0)
    line = rng.normal(size=(1, 4_000_000)).astype(np.float32)
    y, x = rng.normal(size=(2, 3_000_000)).astype(np.float32)
    logits, labels = rng.normal(size=(300_000, 64)).astype(np.float32), np.arange(300_000) % 64
    objective = fl.LinearObjective(fl.CrossEntropy(), logits, labels)
    coef = np.zeros(objective.size)
    return [
        lambda: fl.LogCosh()(big(2**28), big(2**28)),
        lambda: fl.LogCosh()(big(2**28), big(2**28), num_threads=1),
        lambda: fl.Huber().value_and_grad(y, x),
        lambda: fl.CrossEntropy().value_and_grad(labels, logits),
        lambda: fl.ListMLE()(line, line),
        lambda: fl.SquaredError().states(y, x, groups=np.arange(len(y)) % 1000),
        lambda: objective.value_and_grad(coef),
        lambda: [fl.mse(y[:50], x[:50]) for _ in range(20_000)],
    ]


def interrupted(call, after: float) -> float | None:
    """Seconds from the signal to its exception, or None where the call was over before."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        began = time.perf_counter()
        call()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return time.perf_counter() - (began + after)
    return None


def of_calls(times: int, rng: np.random.Generator) -> int:
    failures, made = 0, calls()
    y, x = rng.normal(size=(2, 50_000))
    wanted = fl.Huber().value_and_grad(y, x, num_threads=1)
    for turn in range(times):
        which = turn % len(made)
        try:
            took = interrupted(made[which], rng.uniform(1e-4, 0.06))
            value, grad = fl.Huber().value_and_grad(y, x)
            right = value == wanted[0] and (grad == wanted[1]).all()
        except Exception:
            traceback.print_exc()
            right, took = False, None
        if not right or (took is not None and took > PATIENCE):
            failures += 1
            print(f"call {which}, interrupted: took {took}, the next one right: {right}", flush=True)
    return failures


def of_commands(times: int, rng: np.random.Generator) -> int:
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "scores.csv"
        y, x = rng.normal(size=(2, ROWS))
        np.savetxt(table, np.column_stack([y, x]), "%.6g", ",", header="y,p", comments="")
        outs = [folder / f"losses.{suffix}" for suffix in ("npy", "parquet", "csv")]
        score = (sys.executable, "-m", "fastloss", "score", str(table), "--loss", "huber", "--true", "y", "--pred", "p")
        commands = [(*score, "--out", str(out)) for out in outs]
        whole = []
        for command, out in zip(commands, outs, strict=True):
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            whole.append(out.read_bytes())
            out.unlink()
        for turn in range(times):
            out, command, content = (each[turn % len(outs)] for each in (outs, commands, whole))
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip
            time.sleep(rng.uniform(0, 1.2))
            process.send_signal(signal.SIGINT)
            try:
                errors = process.communicate(timeout=60)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                errors = process.communicate()[1] + "it did not end"
            left = sorted(path.name for path in folder.iterdir() if path not in (table, out))
            half = out.exists() and out.read_bytes() != content
            fatal = "did not end" in errors or ("Fatal" in errors and STARTING not in errors)
            if process.returncode not in ENDS or left or half or fatal:
                failures += 1
                print(f"command {turn}: exit {process.returncode}, left {left}, half: {half}, {errors}", flush=True)
            out.unlink(missing_ok=True)
    return failures


def main(times: int) -> int:
    rng = np.random.default_rng()
    began = time.monotonic()
    failures = of_calls(times, rng) + of_commands(times // 5, rng)
    print(Done(times + times // 5, "interrupts", round(time.monotonic() - began), failures))
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
