"""Contenders that take turns, so that a machine that drifts does so for all; and what their times allow to say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from timeit import Timer
from typing import TypeAlias

from benchmarks.workload import Call

ROUND = 1e-3  # seconds that a contender's turn takes at least
LONG = 0.02  # seconds of a call to which waking up is nothing
POSSIBLE = 1.15  # of the limit that two plain loops set: better code for the same memory gains no more
STEADY = 2  # times the first quartile of the rounds that the third may be
UNITS = ((1e-6, "µs", 1e6), (1e-3, "µs", 1e6), (1.0, "ms", 1e3), (math.inf, "s", 1.0))

Times: TypeAlias = dict[str, list[float]]  # seconds of each contender's call in each round


class Turns:
    """The calls of some contenders, each repeated as often as a turn needs to be measured.

    Before its turn a call runs untimed, to wake its threads, for `settle` seconds (the threads of another library's
    last call may go on spinning) or once, unless it takes so long that waking up is nothing to it.
    """

    def __init__(self, calls: dict[str, Call], settle: float = 0.0) -> None:
        self.timers = {who: Timer(call) for who, call in calls.items()}
        self.settle = settle
        self.best = {who: timer.timeit(1) for who, timer in self.timers.items()}
        for who, timer in self.timers.items():
            if self.best[who] < LONG:
                self.best[who] = min(self.best[who], *timer.repeat(3, 1))
        self.calls = {who: max(1, round(ROUND / seconds)) for who, seconds in self.best.items()}
        self.times: Times = {who: [] for who in calls}

    @property
    def seconds(self) -> float:
        """Of a round."""
        waking = (max(self.settle, seconds if seconds < LONG else 0) for seconds in self.best.values())
        return sum(waking) + sum(seconds * self.calls[who] for who, seconds in self.best.items())

    def wake(self, who: str) -> None:
        ready = perf_counter() + self.settle
        if self.best[who] < LONG:
            self.timers[who].timeit(1)
        while perf_counter() < ready:
            self.timers[who].timeit(1)

    def run(self, who: str) -> float:
        """The seconds of a turn, which has `calls[who]` calls."""
        return self.timers[who].timeit(self.calls[who])

    def take(self, who: str) -> None:
        self.wake(who)
        self.times[who].append(self.run(who) / self.calls[who])


def take_turns(calls: dict[str, Call], rounds: int, settle: float = 0.0) -> Times:
    """Seconds of each call in each round."""
    turns = Turns(calls, settle)
    for _ in range(rounds):
        for who in calls:
            turns.take(who)
    return turns.times


@dataclass(frozen=True)
class Ratio:
    """How many times one contender's time another's is, the two medians behind it, and why not to believe it."""

    value: float
    how: str
    doubt: str = ""


def compare(times: Times, ours: str, theirs: Sequence[str]) -> Ratio:
    """The median over the rounds of the ratio to the fastest other; nothing is faster than "memory"."""
    rounds = {who: [b / a for a, b in zip(times[ours], times[who], strict=True)] for who in theirs}
    best = min(rounds, key=lambda who: median(rounds[who]))
    how = ", ".join(f"{who} {duration(median(times[who]))}" for who in (ours, best))
    return Ratio(median(rounds[best]), how, _doubt(rounds[best], limit=best == "memory"))


def _doubt(rounds: list[float], *, limit: bool) -> str:
    if limit and median(rounds) > POSSIBLE:
        return f"{median(rounds):.3g} times what the memory allows: the machine was busy"
    if len(rounds) >= 3:
        low, _, high = quantiles(rounds, n=4, method="inclusive")
        if high > STEADY * low:
            return f"the middle half of its rounds ranges from {low:.3g} to {high:.3g}: the machine was busy"
    return ""


def duration(seconds: float) -> str:
    unit, factor = next((unit, factor) for limit, unit, factor in UNITS if seconds < limit)
    return f"{seconds * factor:.3g} {unit}"
