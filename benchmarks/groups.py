"""Measure the states of groups against grouping a computed column in pandas and Polars, contenders taking turns.

``python -m benchmarks.groups`` prints a Markdown table and exits with 1 where a target is missed, or with
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
from fastloss import SquaredError
from fastloss._core.threads import available
from tests.inputs import Array

SIZE = 1 << 24
SETTLE = 0.2  # seconds for which the threads of another library's last call go on spinning
LIBRARIES = ("pandas", "polars")

# Groups, whether their labels are words, and how many times as fast as each library.
CASES = [
    (10, False, (None, None)),
    (1000, False, (15, 2)),
    (1_000_000, False, (15, 2)),
    (1000, True, (None, None)),
]


def fastloss_groups(y: Array, x: Array, labels: Any) -> tuple[Any, Array, Array, Array]:
    states = SquaredError().states(y, x, groups=labels)
    return states, states.mean, states.standard_error, states.count


def pandas_groups(y: Array, x: Array, labels: Any) -> Any:
    import pandas

    frame = pandas.DataFrame({"group": labels, "loss": (y - x) ** 2}, copy=False)
    return frame.groupby("group")["loss"].agg(["mean", "sem", "count"])


def polars_groups(frame: Any) -> Any:
    import polars

    loss = polars.col("loss")
    sums = {"mean": loss.mean(), "sem": loss.std() / polars.len().sqrt(), "count": polars.len()}
    losses = frame.lazy().with_columns(loss=(polars.col("y") - polars.col("x")) ** 2)
    return losses.group_by("group").agg(**sums).collect()


def contenders(n: int, groups: int, words: bool) -> dict[str, Call]:
    """Those that are installed, once they agree; each has its labels in a column of its own, ready to be grouped."""
    rng = np.random.default_rng(0)
    y, x = rng.standard_normal((2, n), np.float32)
    codes = rng.integers(0, groups, n)
    names = np.array([f"group {k}" for k in range(groups)]) if words else np.arange(groups)
    calls: dict[str, Call] = {}
    try:
        import pandas

        column = pandas.Series(pandas.Index(names).take(codes))
        calls["fastloss"] = partial(fastloss_groups, y, x, column)
        calls["pandas"] = partial(pandas_groups, y, x, column)
        theirs = calls["pandas"]()
        _agree(calls["fastloss"](), theirs.index, *(theirs[name] for name in ("mean", "sem", "count")))
    except ImportError:
        calls["fastloss"] = partial(fastloss_groups, y, x, names[codes])
    try:
        import polars

        frame = polars.DataFrame({"group": polars.Series(names)[codes], "y": y, "x": x})
        calls["polars"] = partial(polars_groups, frame)
        _agree(calls["fastloss"](), *calls["polars"]().sort("group").iter_columns())
    except ImportError:
        pass
    return calls


def _agree(found: tuple[Any, Array, Array, Array], labels: Any, *theirs: Any) -> None:
    states, *mine = found
    assert states.labels == labels.to_list()
    for ours, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(ours, np.asarray(other, np.float64), rtol=1e-4, atol=1e-5)  # theirs are float32


def of_cases(n: int, rounds: int) -> Iterator[Row]:
    for groups, words, ratios in CASES:
        groups = min(groups, n // 2)
        times = take_turns(contenders(n, groups, words), rounds, SETTLE)
        for library, ratio in zip(LIBRARIES, ratios, strict=True):
            what = f"`states`, {n:,} elements, {groups:,} groups{' of words' * words}, against {library}"
            found = compare(times, "fastloss", [library]) if library in times else None
            yield Row.of(what, ratio, found, front=library == "pandas" and not words)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.groups", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender (default: 9)")
    parser.add_argument("--size", type=int, default=SIZE, help=f"elements (default: {SIZE})")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        f"Squared errors by group, float32, threads: {available()[0]}; ratios of times, fastloss's below; medians of"
        f" {options.rounds} rounds in which the contenders take turns. All give means, standard errors and counts."
    )
    return publish("groups", conditions, of_cases(options.size, options.rounds), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
