"""Measure merging two tables of states against adding up two frames in pandas, contenders taking turns.

``python -m benchmarks.merging`` prints a Markdown table and exits with 1 where a target is missed, or with
``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.record import Row, publish
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call
from fastloss import GroupStates, SquaredError
from fastloss._core.threads import available

GROUPS = 1_000_000

# Whether labels are words, whether half of them are in the other table alone, and how many times as fast as pandas.
CASES = [(False, False, 1), (False, True, 1), (True, False, 1), (True, True, 1)]


def tables(groups: int, words: bool, half: bool) -> tuple[GroupStates, GroupStates]:
    """Two tables of states, of squared errors with three to a group."""
    rng = np.random.default_rng(0)
    found = []
    for shift in (0, groups // 2 if half else 0):
        labels: Any = np.repeat(np.arange(groups) + shift, 3)
        y, x = rng.standard_normal((2, labels.size), np.float32)
        states = SquaredError().states(y, x, groups=labels)
        if words:  # of each table its own, as from two files
            column = np.fromiter((f"group {k:08d}" for k in states.labels), object, groups)
            states = GroupStates({"group": column}, states._numbers)
        found.append(states)
    return found[0], found[1]


def frame(states: GroupStates) -> Any:
    """The same numbers, which pandas adds up without regard to what they are."""
    import pandas

    return pandas.DataFrame(states._numbers, index=pandas.Index(states.labels))


def contenders(groups: int, words: bool, half: bool) -> dict[str, Call]:
    first, second = tables(groups, words, half)
    calls: dict[str, Call] = {"fastloss": partial(first.__add__, second)}
    try:
        calls["pandas"] = partial(frame(first).add, frame(second), fill_value=0)
        ours, theirs = calls["fastloss"](), calls["pandas"]()
        assert ours.labels == theirs.index.to_list()
        np.testing.assert_array_equal(ours.count, theirs["count"])
        np.testing.assert_allclose(ours.sum, theirs["total"], rtol=1e-14)
    except ImportError:
        pass
    return calls


def of_cases(groups: int, rounds: int) -> Iterator[Row]:
    for words, half, ratio in CASES:
        times = take_turns(contenders(groups, words, half), rounds)
        of_labels = f"{'words' if words else 'integers'}, {'half of them in both' if half else 'the same in both'}"
        found = compare(times, "fastloss", ["pandas"]) if "pandas" in times else None
        yield Row.of(f"two tables of {groups:,} states, labels {of_labels}, against pandas", ratio, found)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merging", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender (default: 9)")
    parser.add_argument("--groups", type=int, default=GROUPS, help=f"groups of each table (default: {GROUPS})")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        f"Tables of states merged by label, threads: {available()[0]}; ratios of times, fastloss's below; medians of"
        f" {options.rounds} rounds in which the contenders take turns. pandas adds frames of the same eight numbers"
        " with `fill_value=0`."
    )
    return publish("merging", conditions, of_cases(options.groups, options.rounds), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
