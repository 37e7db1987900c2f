"""Simulate how a call is shared among more threads than this machine has.

A call is a grid of tasks, which depends on its size alone. Threads take them a few at a time from a counter that they
share, which one at a time may move. How long a task takes is measured here, on one thread; by how much that varies,
what the counter costs and how long a team takes to wake are assumed, and the memory that threads share is left out.
``python -m benchmarks.scaling`` prints a Markdown table, or with ``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Iterator, Sequence
from statistics import median
from timeit import Timer

import numpy as np

from benchmarks.record import Row, publish
from fastloss import CrossEntropy, SquaredError
from fastloss._core.threads import GRAIN
from tests.inputs import Array

THREADS = (4, 16, 64, 128)
PARTS, TAKES = 16, 512  # in which a thread, and all threads take the tasks: FL_PARTS and FL_TAKES of the parallel loop
COUNTER = 1e-7  # seconds for which moving a counter of many threads keeps the others from it
WAKING = 1e-6  # seconds until a team has twice as many threads
SLOW = 2  # times as long as the others' that the tasks of a thread with a busy neighbour take
VARIES = 0.2  # by which the logarithm of the time of a task does
MOST_TASKS, BLOCK, LANES = 4096, 512, 64  # of the grid, as the kernels have them


def elementwise(n: int) -> tuple[int, float]:
    """The tasks of a mean of squared errors, and the seconds that each takes on one thread."""
    blocks = -(-n // BLOCK)
    tasks = -(-blocks // max(1, -(-blocks // MOST_TASKS)))
    y, x = np.random.default_rng(0).standard_normal((2, n), np.float32)
    return tasks, _seconds(SquaredError(), y, x) / tasks


def rowwise(rows: int, classes: int) -> tuple[int, float]:
    """... of a mean of cross-entropies."""
    group = LANES if classes < 160 else max(1, min(LANES, (1 << 18) // (4 * classes)))
    groups = -(-rows // group)
    tasks = min(MOST_TASKS, max(1, min(groups, rows * classes // 4096)))
    tasks = -(-groups // -(-groups // tasks))
    rng = np.random.default_rng(0)
    y, x = rng.integers(0, classes, rows), rng.standard_normal((rows, classes), np.float32)
    return tasks, _seconds(CrossEntropy(), y, x) / tasks


def _seconds(loss: SquaredError | CrossEntropy, y: Array, x: Array) -> float:
    return median(Timer(lambda: loss(y, x, num_threads=1)).repeat(7, 1))


def shared(times: Array, threads: int, slow: int = 0) -> float:
    """Seconds until the last of some tasks ends, of which threads take a few at a time; `slow` threads are slower."""
    step = max(1, len(times) // min(threads * PARTS, TAKES))
    waking = WAKING * np.log2(threads)
    free = [(waking, who) for who in range(threads)]
    counter = end = 0.0
    for first in range(0, len(times), step):
        start, who = heapq.heappop(free)
        counter = max(counter, start) + COUNTER
        done = counter + times[first : first + step].sum() * (SLOW if who < slow else 1)
        end = max(end, done)
        heapq.heappush(free, (done, who))
    return end


def divided(times: Array, threads: int, slow: int = 0) -> float:
    """The same where each thread has its share from the beginning."""
    parts = [part.sum() * (SLOW if who < slow else 1) for who, part in enumerate(np.array_split(times, threads))]
    return float(WAKING * np.log2(threads) + max(parts))


def of_works() -> Iterator[Row]:
    works = {
        "`squared_error`, 16,777,216 elements": (1 << 24, *elementwise(1 << 24)),
        "`squared_error`, 1,048,576 elements": (1 << 20, *elementwise(1 << 20)),
        "`cross_entropy`, 131,072 x 1,000": (131_072_000, *rowwise(1 << 17, 1000)),
        "`cross_entropy`, 4,096 x 32,000": (131_072_000, *rowwise(4096, 32_000)),
    }
    for what, (elements, tasks, seconds) in works.items():
        times = seconds * np.random.default_rng(0).lognormal(0, VARIES, tasks)
        for threads in (threads for threads in THREADS if threads <= elements // GRAIN):
            ideal = times.sum() / threads
            slow = threads // 4
            capable = times.sum() / (threads - slow + slow / SLOW)  # what threads of these speeds can do
            by_turns, in_shares = (capable / split(times, threads, slow) for split in (shared, divided))
            how = (
                f"{tasks:,} tasks of {seconds * 1e6:.3g} µs; a quarter of the threads half as fast: {by_turns:.0%},"
                f" in equal shares {in_shares:.0%}"
            )
            yield Row(
                f"{what}, {threads} threads, of all that they could do", None, ideal / shared(times, threads), how
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        "Simulated: threads that take tasks from the grid of a call, as long as measured on one thread; of the time of"
        f" all tasks over the number of threads. Assumed: {COUNTER * 1e9:.0f} ns to move the counter and"
        f" {WAKING * 1e6:.0f} µs until a team has twice as many threads. Memory is not simulated: a loss that one"
        " thread reads at its limit gains nothing from more threads than a socket's memory feeds, some six to ten."
    )
    return publish("scaling", conditions, of_works(), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
