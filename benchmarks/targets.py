"""Measure what fastloss promises, contenders taking turns so that a machine that drifts does so for all of them.

``python -m benchmarks.targets`` prints a Markdown table and exits with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from timeit import Timer
from typing import Any

import numpy as np

from benchmarks import integrations
from benchmarks.contenders import contenders, prepared
from benchmarks.report import duration, markdown
from benchmarks.workload import SIZES, Call, LeftOut, Size, Work, workload
from fastloss import registry
from tests.inputs import Array

ROUND = 1e-3  # seconds that a contender's turn takes at least
COMPILED = ("torch_compile", "jax_jit")
SETTLE = 0.1  # seconds for which the threads of another library's last call may go on spinning


@dataclass(frozen=True)
class Target:
    """The time of the best of some contenders is at least so many times that of one of fastloss's."""

    loss: str
    work: Work
    ours: str
    against: tuple[str, ...]
    ratio: float

    def __str__(self) -> str:
        with_output = {"fastloss": "", "fastloss_reused": " into `grad_out`"}[self.ours]
        if self.work == "value_and_grad" and not with_output:
            with_output = " into a new array"
        what = f"`{self.loss}`, {self.work.replace('_', ' ')}{with_output}"
        if self.against == ("memory",):
            return f"{what}, of the memory's bandwidth"
        return f"{what}, against {'the best of ' if len(self.against) > 1 else ''}{' and '.join(self.against)}"


TARGETS = [
    *(Target(name, "value", "fastloss", ("memory",), 0.85) for name in ("squared_error", "huber", "absolute_error")),
    *(
        Target(name, "value_and_grad", "fastloss_reused", ("memory",), 0.75)
        for name in ("squared_error", "huber", "absolute_error")
    ),
    Target("binary_cross_entropy_with_logits", "value", "fastloss", ("numpy",), 18),
    Target("binary_cross_entropy_with_logits", "value", "fastloss", COMPILED, 3),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss_reused", ("memory",), 0.5),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss", ("numpy",), 12),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss", ("pytorch",), 10),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss", COMPILED, 4.5),
]
EACH, MEDIAN = 3, 10  # times as fast as NumPy: every loss, and the median over all losses
SMALL = (1, 3, 10, 30, 100, 300, 1000)

Row = tuple[str, float, float, str]  # the target, the ratio asked for and measured, and how


def take_turns(calls: dict[str, Call], rounds: int, settle: float = 0.0) -> dict[str, list[float]]:
    """Seconds of each call in each round.

    Before its turn a call runs untimed, to wake its threads, for `settle` seconds or at least once.
    """
    timers = {who: Timer(call) for who, call in calls.items()}
    numbers = {who: max(1, round(ROUND / min(timer.repeat(3, 1)))) for who, timer in timers.items()}
    times: dict[str, list[float]] = {who: [] for who in calls}
    for _ in range(rounds):
        for who, timer in timers.items():
            ready = perf_counter() + settle
            timer.timeit(1)
            while perf_counter() < ready:
                timer.timeit(1)
            times[who].append(timer.timeit(numbers[who]) / numbers[who])
    return times


def compare(times: dict[str, list[float]], ours: str, theirs: Sequence[str]) -> tuple[float, str]:
    """The median over the rounds of the ratio to the fastest other, and the medians that it stands for."""
    ratios = {who: median(b / a for a, b in zip(times[ours], times[who], strict=True)) for who in theirs}
    best = min(ratios, key=ratios.__getitem__)
    return ratios[best], ", ".join(f"{who} {duration(median(times[who]))}" for who in (ours, best))


def measure(
    name: str, work: Work, size: Size, who: Sequence[str], rounds: int, settle: float = 0.0
) -> dict[str, list[float]]:
    """The times of some contenders for one work on a loss, without those that cannot take part."""
    load, found, calls = workload(name, size), contenders(name, work, limit=True), {}
    for contender in who:
        try:
            if contender not in found:
                raise LeftOut("it is not installed")
            calls[contender] = prepared(found[contender], load, work)
        except LeftOut as reason:
            print(f"{name}: {contender} is left out: {reason}", file=sys.stderr)
    return take_turns(calls, rounds, settle)


def of_listed_targets(n: int, rounds: int) -> Iterator[Row]:
    for name, work in dict.fromkeys((target.loss, target.work) for target in TARGETS):
        targets = [target for target in TARGETS if (target.loss, target.work) == (name, work)]
        who = dict.fromkeys(who for target in targets for who in (target.ours, *target.against))
        times = measure(name, work, n, list(who), rounds, SETTLE)
        for target in targets:
            present = [who for who in target.against if who in times]
            measured, how = compare(times, target.ours, present) if present else (float("nan"), "not measured")
            yield str(target), target.ratio, measured, how


def of_every_loss(n: int, rounds: int) -> Iterator[Row]:
    found = {}
    for name in (name for name, cls in registry.items() if not cls.rowwise):
        times = measure(name, "value", n, ["fastloss", "numpy"], rounds)
        found[name] = compare(times, "fastloss", ["numpy"])
    low = [name for name, (ratio, _) in found.items() if ratio < EACH]
    worst = min(found, key=found.__getitem__)
    how = f"`{worst}`: {found[worst][1]}" + (f"; below: {', '.join(low)}" if low else "")
    yield f"every loss of {len(found)}, value, {n:,} elements, against numpy", EACH, found[worst][0], how
    middle = median(ratio for ratio, _ in found.values())
    yield f"the median loss, value, {n:,} elements, against numpy", MEDIAN, middle, f"{len(found)} losses"


def of_small_arrays(rounds: int) -> Iterator[Row]:
    def numpy(a: Array, b: Array) -> Any:
        return np.mean((a - b) ** 2)

    found = []
    for n in SMALL:
        load = workload("squared_error", n)
        calls: dict[str, Call] = {
            "fastloss": partial(load.loss, load.y, load.x),
            "numpy": partial(numpy, load.y, load.x),
        }
        found.append((*compare(take_turns(calls, rounds), "fastloss", ["numpy"]), n))
    ratio, how, n = min(found)
    sizes = f"{SMALL[0]} to {SMALL[-1]} elements"
    yield f"`squared_error`, value, {sizes}, against `np.mean((a - b) ** 2)`", 1, ratio, f"{n} elements: {how}"


def of_integrations(n: int, rounds: int) -> Iterator[Row]:
    rows, classes = 1 << 20, 10
    for name, calls in (
        (f"logistic objective of XGBoost, {n:,} rows, against numpy", partial(integrations.xgboost_objective, n)),
        (f"logistic objective of LightGBM, {n:,} rows, against numpy", partial(integrations.lightgbm_objective, n)),
        (
            f"`per_example_log_loss`, {rows:,} rows of {classes} probabilities, against sklearn's mean",
            partial(integrations.log_loss, rows, classes),
        ),
    ):
        try:
            times = take_turns(calls(), rounds)
            yield (name, 10, *compare(times, "fastloss", [who for who in times if who != "fastloss"]))
        except LeftOut as reason:
            yield name, 10, float("nan"), f"left out: {reason}"


def publish(heading: str, rows: Iterable[Row], output: Path | None = None) -> int:
    """Print the table, write it to a file as well, and return 1 where a target is missed."""
    cells = []
    for name, ratio, measured, how in rows:
        reached = "" if ratio != ratio else "yes" if measured >= ratio else "no" if measured < ratio else "?"
        cells.append((name, "" if ratio != ratio else f"{ratio:.3g}", f"{measured:.3g}", reached, how))
    text = f"{heading}\n\n{markdown(('target', 'at least', 'measured', 'reached', 'how'), cells)}\n"
    print(text)
    if output:
        output.write_text(text)
    return int(any(cell[3] == "no" for cell in cells))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (default: 15)")
    parser.add_argument("--size", type=int, default=SIZES["large"], help="elements of large arrays (default: 16777216)")
    parser.add_argument("-o", "--output", type=Path, help="the Markdown file to write as well")
    options = parser.parse_args(arguments)
    rows = [
        *of_listed_targets(options.size, options.rounds),
        *(row for n in (options.size, SIZES["cache"]) for row in of_every_loss(n, options.rounds)),
        *of_small_arrays(options.rounds),
        *of_integrations(options.size, options.rounds),
    ]
    threads = workload("squared_error", 1).threads
    heading = (
        f"Ratios of times, fastloss's below; {options.size:,} elements unless said, float32, threads: {threads};"
        f" medians of {options.rounds} rounds in which the contenders take turns."
    )
    return publish(heading, rows, options.output)


if __name__ == "__main__":
    sys.exit(main())
