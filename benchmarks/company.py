"""Measure the first call after other work: of a library whose threads go on spinning, of one thread, or a pause.

``python -m benchmarks.company`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`. A call that comes alone, again and again, finds its threads awake; in a
program it comes after something else. Each cell is the median of calls that come right after such work, in turn on
one thread and on all, as many as the policy gives.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from benchmarks.record import Row, publish
from benchmarks.turns import Ratio, compare
from fastloss import BinaryCrossEntropyWithLogits
from fastloss._core.threads import available

Work: TypeAlias = Callable[[], Any]

SIZES = (100_000, 1_000_000, 1 << 24)
LARGE = 1_000_000  # elements from which a second thread must pay after any company but BLAS's
PAYS, BEARABLE = 1.3, 0.5  # times as fast as one thread in the same company
WARM = 2  # calls of each size before any is measured


def companies() -> Iterator[tuple[str, Work]]:
    """What happens before a call, of the libraries that are installed."""
    rng = np.random.default_rng(0)
    square, long = rng.standard_normal((1200, 1200)), rng.standard_normal(1 << 22)
    yield "nothing", lambda: None
    yield "`A @ A` of 1,200 x 1,200", partial(np.matmul, square, square)
    yield "`big * 2`", partial(np.multiply, long, 2)
    yield "a pause of 10 ms", partial(time.sleep, 0.01)
    for make in (_torch, _xgboost, _sklearn):
        try:
            yield make()
        except ImportError as error:
            print(f"left out: {error}", file=sys.stderr)


def _torch() -> tuple[str, Work]:
    import torch

    return "`torch.exp` of 4,194,304", partial(torch.exp, torch.randn(1 << 22))


def _xgboost() -> tuple[str, Work]:
    import xgboost

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20_000, 20)), rng.standard_normal(20_000)
    model = xgboost.train({"max_depth": 6}, xgboost.DMatrix(x, y), num_boost_round=50)
    return "XGBoost's `inplace_predict`", partial(model.inplace_predict, x)


def _sklearn() -> tuple[str, Work]:
    from sklearn._loss.loss import HalfBinomialLoss

    rng = np.random.default_rng(0)
    y, x = rng.integers(0, 2, 1 << 20).astype(np.float64), rng.standard_normal(1 << 20)
    return "scikit-learn's binomial loss", partial(HalfBinomialLoss().loss, y, x, n_threads=available()[0])


def first_calls(company: Work, n: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of a call right after the company, on all threads and on one, and of one call after another."""
    rng = np.random.default_rng(1)
    y, x = rng.integers(0, 2, n).astype(np.float32), rng.standard_normal(n, np.float32)
    loss, times = BinaryCrossEntropyWithLogits(), {"all": [], "one": [], "alone": []}  # type: ignore[var-annotated]
    for turn in range(WARM + rounds):
        for who, num_threads, before in (("all", None, company), ("one", 1, company), ("alone", None, None)):
            if before:
                before()
            else:
                loss(y, x)
            start = time.perf_counter()
            loss(y, x, num_threads=num_threads)
            if turn >= WARM:
                times[who].append(time.perf_counter() - start)
    return times


def asked(company: str, n: int) -> float:
    """How many times as fast as one thread a call has to be."""
    return PAYS if n >= LARGE and "@" not in company else BEARABLE


def rows(rounds: int) -> Iterator[Row]:
    ratios: list[float] = []
    for company, before in companies():
        for n in SIZES:
            times = first_calls(before, n, rounds if n < LARGE * 10 else max(5, rounds // 4))
            found = compare(times, "all", ["one"])
            alone = compare(times, "all", ["alone"])
            ratios.append(found.value)
            how = f"{found.how}; {alone.how.rpartition(', ')[2]}"
            yield Row(f"{n:,} elements after {company}, against one thread", asked(company, n), found.value, how)
    mean = Ratio(float(np.exp(np.mean(np.log(ratios)))), f"{len(ratios)} cells")
    yield Row.of("the geometric mean of all", None, mean)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.company", description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="calls of each kind (default: 41)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        f"The mean of binary cross-entropy of float32 logits right after other work; threads: {available()[0]}; ratios"
        f" of times, medians of up to {options.rounds} calls in turn."
    )
    return publish("company", conditions, rows(options.rounds), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
