"""Run the fuzz in several processes, each of which is watched: a crash or a hang is a failure as well."""

from __future__ import annotations

import argparse
import faulthandler
import math
import multiprocessing
import sys
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection, wait

import numpy as np

import fastloss as fl
from tests.fuzz import families, language, losses
from tests.fuzz.draws import pick

BATCH = 32  # cases between reports
LIMIT = 120  # seconds for a batch, of which the slowest honest one takes two on a busy machine
ENOUGH = 200  # failures after which there is no point in going on
MADE = (families.Sum, families.Sum, families.Chain)
OTHERS = (language.Tokens, language.Segments, language.Shards, language.Layers)


def case_of(seed: int, number: int, classes: list[type] | None = None):
    """The case of a number, drawn but not run."""
    rng = np.random.default_rng([seed, number])
    if classes is None:
        kind = rng.random()
        if kind < 0.05:
            return pick(rng, OTHERS)(rng)
        return (losses.Case if kind < 0.65 else pick(rng, MADE) if kind < 0.75 else families.Family)(rng)
    cls = pick(rng, classes)
    return (families.Family if cls in families.CLASSES else losses.Case)(rng, cls)


def attempt(seed: int, number: int, classes: list[type] | None = None):
    """Run a case: its calls, the forms of its arrays, and what is wrong, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of means of nothing
        case = None
        try:
            case = case_of(seed, number, classes)
            case.run()
        except Exception as error:  # whatever it is, it is the finding
            what = getattr(case, "loss", case)
            return (case.calls if case else Counter()), Counter(), f"{what!r}: {type(error).__name__}: {error}"
        return case.calls, case.forms, None


def work(seed: int, first: int, stride: int, classes, doing, report: Connection) -> None:
    """Run batches for ever, with a report of each; `doing` is the case at hand, if this process dies of it."""
    faulthandler.enable()
    start = first
    while True:
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        calls, forms, failures = Counter(), Counter(), []
        for number in range(start, start - start % BATCH + BATCH):
            doing.value = number
            some, shapes, failure = attempt(seed, number, classes)
            calls.update(some)
            forms.update(shapes)
            if failure:
                failures.append((number, failure))
        faulthandler.cancel_dump_traceback_later()
        report.send((calls, forms, failures))
        start = start - start % BATCH + BATCH * stride


class Worker:
    """A process and what it reports."""

    def __init__(self, seed: int, first: int, stride: int, classes) -> None:
        context = multiprocessing.get_context("spawn")
        self._made_of = seed, stride, classes
        self.doing = context.Value("q", first, lock=False)
        self.reports, sender = context.Pipe(duplex=False)
        self.process = context.Process(
            target=work, args=(seed, first, stride, classes, self.doing, sender), daemon=True
        )
        self.process.start()
        sender.close()

    def successor(self) -> Worker:
        """Another one, which goes on after the case that this one died of."""
        seed, stride, classes = self._made_of
        number = self.doing.value + 1
        return Worker(seed, number if number % BATCH else number + BATCH * (stride - 1), stride, classes)

    def death(self) -> str:
        self.process.join()
        code = self.process.exitcode
        return f"the process died, exit code {code}" + (f": it did not end in {LIMIT} s" if code == 1 else "")


def run(calls: int, seed: int, jobs: int, classes=None, minutes: float = math.inf) -> int:
    """Run this many calls, or for so long; print what they were and what failed, and return how many cases did."""
    began = told = time.monotonic()
    workers = [Worker(seed, BATCH * k, jobs, classes) for k in range(jobs)]
    made, forms, failures = Counter(), Counter(), 0
    while made.total() < calls and failures < ENOUGH and time.monotonic() < began + 60 * minutes:
        ready = wait([w.reports for w in workers], timeout=10)
        for k, worker in enumerate(workers):
            if worker.reports not in ready:
                continue
            try:
                some, shapes, found = worker.reports.recv()
                made.update(some)
                forms.update(shapes)
            except EOFError:
                found = [(worker.doing.value, worker.death())]
                workers[k] = worker.successor()
            for number, failure in found:
                failures += 1
                print(f"--replay {seed}:{number}  {failure}", flush=True)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print(
                f"{made.total():,} calls, {made.total() / (told - began):,.0f} a second, {failures} failures",
                flush=True,
            )
    for worker in workers:
        worker.process.terminate()
    print(_table("calls by loss", made), _table("by type and layout of y_pred", forms), sep="\n")
    print(f"{made.total():,} calls in {time.monotonic() - began:,.0f} s, {failures} failures")
    return failures


def _table(title: str, counts: Counter) -> str:
    cells = [f"{name[:37]:37} {count:>11,}" for name, count in sorted(counts.items())]
    half = (len(cells) + 1) // 2
    lines = [title]
    lines += [a + "  " + b for a, b in zip(cells[:half], [*cells[half:], ""], strict=False)]
    return "\n".join(lines)


def replay(seed: int, number: int, classes=None) -> None:
    """Run one case before one's eyes."""
    warnings.simplefilter("ignore", RuntimeWarning)
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    case = case_of(seed, number, classes)
    for name, value in vars(case).items():
        if not name.startswith("_"):
            print(f"{name} = {value!r}")
    try:
        case.run()
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    print(f"{case.calls.total()} calls, nothing found")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long, if not before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--losses", help="classes to draw from, by commas; all by default")
    parser.add_argument("--without", default="", help="classes not to draw")
    parser.add_argument("--replay", metavar="SEED:NUMBER", help="run one case, with the same --losses and --without")
    given = parser.parse_args()
    classes = None
    if given.losses or given.without:
        names = given.losses.split(",") if given.losses else [cls.__name__ for cls in fl.registry.values()]
        classes = [getattr(fl, name) for name in names if name not in given.without.split(",")]
    if given.replay:
        return replay(*map(int, given.replay.split(":")), classes)
    sys.exit(1 if run(given.calls, given.seed, given.jobs, classes, given.minutes) else 0)
