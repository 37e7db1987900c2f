"""Measure two worker processes of Dask against one, contenders taking turns.

``python -m benchmarks.dask`` prints a Markdown table and exits with 1 where a target is missed, or with ``--record``
keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.record import Row, publish
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call
from fastloss import BinaryCrossEntropyWithLogits
from tests.inputs import Array

ROWS = 100_000_000
FILES = 20
GROUPS = 1000
COLUMNS = 8  # of a linear model, of an eighth of the rows
WORKERS = (2, 1)
FASTER = 1.7  # times that two processes are as fast as one
ONE, TWO = "1 worker", "2 workers"


def write(folder: Path, rows: int) -> None:
    """A data set in files, of labels, logits and groups."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    for k in range(FILES):
        n = rows // FILES
        columns = {
            "label": rng.integers(0, 2, n).astype(np.float32),
            "logit": rng.standard_normal(n, np.float32),
            "group": rng.integers(0, GROUPS, n).astype(np.int32),
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / f"{k:02}.parquet", use_dictionary=["group"])


def scored(client: Any, folder: Path) -> Array:
    """The mean of each group of the data set."""
    import dask.dataframe

    from fastloss.dask import states

    frame = dask.dataframe.read_parquet(folder)
    table = states(BinaryCrossEntropyWithLogits(), "label", "logit", groups="group", data=frame)
    found: Array = client.compute(table, sync=True).mean
    return found


def objective(client: Any, rows: int) -> Any:
    """Of rows that the workers hold."""
    import dask
    import dask.array as da
    from distributed import wait

    from fastloss.dask import LinearObjective

    with client.as_current():
        chunks = max(1, rows // FILES)
        X = da.random.default_rng(0).standard_normal((rows, COLUMNS), (chunks, COLUMNS), dtype=np.float32)
        X, y = dask.persist(X, (X[:, 0] > 0).astype(np.float32))
        wait([X, y])
        return LinearObjective(BinaryCrossEntropyWithLogits(), X, y)


def step(client: Any, model: Any) -> Array:
    with client.as_current():
        found: Array = model.grad(np.full(model.size, 0.1))
        return found


def contenders(stack: ExitStack, folder: Path, rows: int) -> dict[str, dict[str, Call]]:
    """The same works on clusters of so many processes, once their results agree."""
    from distributed import Client, LocalCluster

    calls: dict[str, dict[str, Call]] = {"states": {}, "step": {}}
    for workers, who in zip(WORKERS, (TWO, ONE), strict=True):
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0")
        client = stack.enter_context(Client(stack.enter_context(cluster), set_as_default=False))
        client.wait_for_workers(workers)
        calls["states"][who] = partial(scored, client, folder)
        calls["step"][who] = partial(step, client, objective(client, rows // COLUMNS))
    for by_workers in calls.values():
        two, one = (call() for call in by_workers.values())
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)
    return calls


def of_cases(rows: int, rounds: int) -> Iterator[Row]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        write(Path(folder), rows)
        calls = contenders(stack, Path(folder), rows)
        for work, what, ratio in (
            ("states", f"`fastloss.dask.states`, {rows:,} rows of Parquet, {GROUPS:,} groups", FASTER),
            ("step", f"gradient of a `LinearObjective`, {rows // COLUMNS:,} x {COLUMNS} in the workers' memory", None),
        ):
            found = compare(take_turns(calls[work], rounds), TWO, [ONE])
            yield Row.of(f"{what}, two processes against one", ratio, found, front=work == "states")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender (default: 9)")
    parser.add_argument("--size", type=int, default=ROWS, help=f"rows (default: {ROWS})")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        "Worker processes of one thread each, on this machine; ratios of times, those of two processes below; medians"
        f" of {options.rounds} rounds in which they take turns. What a file holds is decoded again in every round."
    )
    return publish("dask", conditions, of_cases(options.size, options.rounds), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
