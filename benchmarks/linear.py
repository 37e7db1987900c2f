"""Measure what linear objectives promise, against scikit-learn's and the time to read X once.

``python -m benchmarks.linear`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks import bandwidth
from benchmarks.record import Row, publish
from benchmarks.turns import compare, take_turns
from benchmarks.workload import CACHE, Call
from fastloss import BinaryCrossEntropyWithLogits, CrossEntropy, LinearObjective
from fastloss._core.threads import available
from tests.inputs import Array

SETTLE = 0.2  # seconds for which the threads of another library's last call go on spinning
MEMORY = 4 << 20  # bytes that a call may allocate

# Classes, rows, columns, how many times as fast as scikit-learn, and the least ratio of reading X once.
CASES = [
    (2, 1 << 20, 64, 5.0, 0.75),
    (2, 1 << 20, 16, 8.0, 0.75),
    (2, 1 << 17, 512, 3.5, 0.75),
    (10, 1 << 18, 64, 4.0, None),
]


def contenders(classes: int, n: int, columns: int, threads: int) -> tuple[dict[str, Call], LinearObjective, Array]:
    """Two that are asked for the same, and agree, and the time to read X once."""
    from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, columns))
    coef = rng.standard_normal((classes, columns + 1)) / np.sqrt(columns)
    y = np.argmax(X @ coef[:, :-1].T + rng.gumbel(size=(n, classes)), axis=1)
    if classes == 2:
        coef = coef[1] - coef[0]
        base, loss = HalfBinomialLoss(), BinaryCrossEntropyWithLogits()
    else:
        base, loss = HalfMultinomialLoss(n_classes=classes), CrossEntropy()
    coef = coef.ravel(order="F")  # as theirs has it; each keeps the classes of a feature together while it computes
    objective = LinearObjective(loss, X, y)
    theirs = LinearModelLoss(base_loss=base, fit_intercept=True)
    halves = np.split(X.reshape(-1).view(np.float32), 2)
    ours = coef.reshape(-1, objective.n_classes or 1).T.ravel()
    calls: dict[str, Call] = {
        "fastloss": partial(objective.value_and_grad, ours, num_threads=threads),
        "scikit-learn": partial(theirs.loss_gradient, coef, X, y.astype(np.float64), n_threads=threads),
    }
    if X.nbytes > CACHE:
        calls["memory"] = partial(bandwidth.read, *halves, threads)
    (value, grad), (their_value, their_grad) = calls["fastloss"](), calls["scikit-learn"]()
    np.testing.assert_allclose(value, their_value, rtol=1e-9)
    np.testing.assert_allclose(grad.reshape(objective.n_classes or 1, -1).T.ravel(), their_grad, rtol=0, atol=1e-9)
    return calls, objective, ours


def of_cases(rounds: int, scale: int, threads: int) -> Iterator[Row]:
    for classes, n, columns, faster, of_memory in CASES:
        calls, objective, coef = contenders(classes, n // scale, columns, threads)
        times = take_turns(calls, rounds, SETTLE)
        name = "logistic" if classes == 2 else f"{classes} classes"
        what = f"{name}, value and gradient, X {n // scale:,} x {columns}"
        ratio = compare(times, "fastloss", ["scikit-learn"])
        yield Row.of(f"{what}, against scikit-learn", faster, ratio, front=columns == 64)
        if of_memory is not None:
            ratio = compare(times, "fastloss", ["memory"]) if "memory" in times else None
            yield Row.of(f"{what}, of reading X once", of_memory, ratio)
        tracemalloc.start()
        objective.value_and_grad(coef)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        yield Row(f"{what}, memory, of 4 MB", 1, MEMORY / used, f"{used / 2**20:.2g} MB")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linear", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (default: 15)")
    parser.add_argument("--scale", type=int, default=1, help="divide the rows by this (default: 1)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    threads = available()[0]
    conditions = (
        f"Ratios, fastloss's below; float64, threads: {threads}; medians of {options.rounds} rounds in which the"
        " contenders take turns."
    )
    return publish("linear", conditions, of_cases(options.rounds, options.scale, threads), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
