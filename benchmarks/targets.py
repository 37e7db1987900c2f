"""Measure what fastloss promises, contenders taking turns so that a machine that drifts does so for all of them.

``python -m benchmarks.targets`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks import integrations
from benchmarks.contenders import contenders, prepared
from benchmarks.record import Row, publish
from benchmarks.turns import Ratio, Times, compare, take_turns
from benchmarks.workload import SIZES, Call, LeftOut, Size, Work, workload
from fastloss import registry
from tests.inputs import OF_ELEMENTS, Array, family

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
    front: bool = False  # stands on the front page

    def __str__(self) -> str:
        with_output = {"fastloss": "", "fastloss_reused": " into `grad_out`"}[self.ours]
        if self.work == "value_and_grad" and not with_output:
            with_output = " into a new array"
        what = f"`{self.loss}`, {self.work.replace('_', ' ')}{with_output}"
        if self.against == ("memory",):
            return f"{what}, of the memory's bandwidth"
        return f"{what}, against {'the best of ' if len(self.against) > 1 else ''}{' and '.join(self.against)}"


RESIDUALS = ("squared_error", "huber", "absolute_error")
TARGETS = [
    *(Target(name, "value", "fastloss", ("memory",), 0.9, name == "huber") for name in RESIDUALS),
    *(Target(name, "value_and_grad", "fastloss_reused", ("memory",), 0.8, name == "huber") for name in RESIDUALS),
    Target("binary_cross_entropy_with_logits", "value", "fastloss", ("memory",), 0.7),
    Target("binary_cross_entropy_with_logits", "value", "fastloss", ("numpy",), 18),
    Target("binary_cross_entropy_with_logits", "value", "fastloss", COMPILED, 2.8, True),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss_reused", ("memory",), 0.6),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss_reused", COMPILED, 5),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss", ("numpy",), 12, True),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss", ("pytorch",), 10),
    Target("binary_cross_entropy_with_logits", "value_and_grad", "fastloss", COMPILED, 4.5, True),
]
EACH, MEDIAN = 3, {"large": 12, "cache": 5}  # times as fast as NumPy: every loss, and the median over all of them
SMALL = (1, 3, 10, 30, 100, 300, 1000)


def measure(name: str, work: Work, size: Size, who: Sequence[str], rounds: int, settle: float = 0.0) -> Times:
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
            ratio = compare(times, target.ours, present) if present else None
            yield Row.of(str(target), target.ratio, ratio, front=target.front)


def of_every_loss(n: int, rounds: int) -> Iterator[Row]:
    found: dict[str, Ratio] = {}
    for name in (name for name, cls in registry.items() if family(cls()) in OF_ELEMENTS):
        found[name] = compare(measure(name, "value", n, ["fastloss", "numpy"], rounds), "fastloss", ["numpy"])
    low = [name for name, ratio in found.items() if ratio.value < EACH]
    worst = min(found, key=lambda name: found[name].value)
    how = f"`{worst}`: {found[worst].how}" + (f"; below: {', '.join(low)}" if low else "")
    what = f"value, {n:,} elements, against numpy"
    front = n == SIZES["large"]
    yield Row(f"every loss of {len(found)}, {what}", EACH, found[worst].value, how, found[worst].doubt, front)
    middle = median(ratio.value for ratio in found.values())
    yield Row(
        f"the median loss, {what}", MEDIAN["large" if front else "cache"], middle, f"{len(found)} losses", front=front
    )


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
        found.append((n, compare(take_turns(calls, rounds), "fastloss", ["numpy"])))
    n, ratio = min(found, key=lambda each: each[1].value)
    what = f"`squared_error`, value, {SMALL[0]} to {SMALL[-1]} elements, against `np.mean((a - b) ** 2)`"
    yield Row(what, 1, ratio.value, f"{n} elements: {ratio.how}", ratio.doubt, True)


def of_integrations(n: int, rounds: int) -> Iterator[Row]:
    rows, classes = 1 << 20, 10
    xgboost, lightgbm = (f"logistic objective of {name}, {n:,} rows" for name in ("XGBoost", "LightGBM"))
    log_loss = f"`per_example_log_loss`, {rows:,} rows of {classes} probabilities"
    for name, calls, targets in (
        (xgboost, partial(integrations.xgboost_objective, n), {"numpy": 10.0, "memory": 0.7}),
        (lightgbm, partial(integrations.lightgbm_objective, n), {"numpy": 10.0}),
        (log_loss, partial(integrations.log_loss, rows, classes), {"sklearn": 10.0}),
    ):
        try:
            times = take_turns(calls(), rounds)
        except LeftOut as reason:
            yield from (Row(name, least, None, f"left out: {reason}") for least in targets.values())
            continue
        for peer, least in targets.items():
            what = f"{name}, of two reads and a write" if peer == "memory" else f"{name}, against {peer}"
            yield Row.of(what, least, compare(times, "fastloss", [peer]), front=(name, peer) == (xgboost, "numpy"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (default: 15)")
    parser.add_argument("--size", type=int, default=SIZES["large"], help="elements of large arrays (default: 16777216)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    rows = itertools.chain(
        of_listed_targets(options.size, options.rounds),
        (row for n in (options.size, SIZES["cache"]) for row in of_every_loss(n, options.rounds)),
        of_small_arrays(options.rounds),
        of_integrations(options.size, options.rounds),
    )
    threads = workload("squared_error", 1).threads
    conditions = (
        f"Ratios of times, fastloss's below; {options.size:,} elements unless said, float32, threads: {threads};"
        f" medians of {options.rounds} rounds in which the contenders take turns."
    )
    return publish("targets", conditions, rows, keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
