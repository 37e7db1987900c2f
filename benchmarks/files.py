"""Measure scoring files against pandas, Polars and DuckDB, each a process of its own, contenders taking turns.

``python -m benchmarks.files`` prints a Markdown table and exits with 1 where a target is missed, or with ``--record``
keeps it in `measured.json`. It writes files of some gigabytes to a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any, TypeAlias

import numpy as np

import fastloss
from benchmarks.record import Row, publish
from benchmarks.turns import Ratio, compare, take_turns
from benchmarks.workload import Call
from fastloss._core.threads import available

ROWS = 100_000_000
PIECE = 1_000_000  # rows that are written at once
FEW, MANY = 1000, 100_000  # groups
CLASSES = 100
MEMORY = 500  # megabytes of a process at most

Means: TypeAlias = dict[int, Sequence[float]]  # mean, standard error and count of each group

# The squared error and the cross-entropy of a label and a logit, as each library is asked for them. SQL's are of
# float32 as the others are.
FORMULAS = {
    "mse": {
        "pandas": "(f.y - f.x) ** 2",
        "polars": "(c('y') - c('x')) ** 2",
        "duckdb": "(y - x) * (y - x)",
    },
    "binary_cross_entropy_with_logits": {
        "pandas": "np.maximum(f.x, 0) - f.x * f.y + np.log1p(np.exp(-f.x.abs()))",
        "polars": "c('x').clip(lower_bound=0) - c('x') * c('y') + (-c('x').abs()).exp().log1p()",
        "duckdb": "greatest(x, 0) - x * y + ln(1 + exp(-abs(x)))",
    },
}
PROGRAMS = {
    "pandas": """
import numpy as np, pandas
f = pandas.read_{format}({file!r}, {columns}=[{true!r}, "x", "group"]).rename(columns={{{true!r}: "y"}})
found = pandas.DataFrame({{"group": f.group, "loss": {formula}}}).groupby("group")["loss"].agg(["mean", "sem", "count"])
print(found.reset_index().to_json(orient="values", double_precision=15))
""",
    "polars": """
import json, polars as pl
c = pl.col
f = pl.scan_{format}({file!r}).select(c({true!r}).alias("y"), "x", "group").with_columns(loss={formula})
sums = {{"mean": c("loss").mean(), "sem": c("loss").std() / pl.len().sqrt(), "count": pl.len()}}
print(json.dumps(f.group_by("group").agg(**sums).collect(engine={engine!r}).rows()))
""",
    "duckdb": """
import json, duckdb
duckdb.execute("set threads = {threads}; set enable_progress_bar = false")
print(json.dumps(duckdb.sql('''
    select "group", avg(loss) as mean, stddev_samp(loss) / sqrt(count(*)) as sem, count(*) as "count"
    from (select "group", {formula} as loss from (select "group", {true} as y, x from '{file}')) group by "group"
''').fetchall()))
""",
}


def write(path: Path, rows: int, groups: int) -> None:
    """Pairs, labels and groups."""
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    kinds = {"y": "float32", "x": "float32", "label": "float32", "group": "int32"}
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in kinds.items()])
    if path.suffix == ".csv":
        writer: Any = pyarrow.csv.CSVWriter(path, schema)
    else:
        writer = pyarrow.parquet.ParquetWriter(path, schema, use_dictionary=["label", "group"])
    with writer:
        for first in range(0, rows, PIECE):
            n = min(PIECE, rows - first)
            columns = {
                "y": rng.standard_normal(n, np.float32),
                "x": rng.standard_normal(n, np.float32),
                "label": rng.integers(0, 2, n).astype(np.float32),
                "group": rng.integers(0, groups, n).astype(np.int32),
            }
            writer.write_table(pyarrow.table(columns, schema=schema))


def write_logits(path: Path, rows: int) -> None:
    """Labels and a list of logits for each row."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    logits = pyarrow.array(rng.standard_normal((rows * CLASSES), np.float32))
    columns = {
        "label": rng.integers(0, CLASSES, rows),
        "logits": pyarrow.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * CLASSES, logits),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path, use_dictionary=["label"])


# Whole processes ----------------------------------------------------------------------------------


def output(command: Sequence[str]) -> str:
    """What a process prints; modules are compiled once, as they are wherever Python runs for a user."""
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=compiled).stdout


def held(command: Sequence[str]) -> float:
    """The megabytes that a process has in memory at most, of which the system keeps the peak while it runs."""
    found = [0]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            found = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text()) or found  # none of a process that has ended
            sleep(0.01)
    return int(found[0]) / 1024


def of_json(text: str) -> Means:
    return {int(group): numbers for group, *numbers in json.loads(text)}


def of_command(text: str) -> Means:
    names = ("mean", "standard_error", "count")
    return {int(each["group"]): tuple(each[name] for name in names) for each in json.loads(text)["groups"]}


def commands(path: Path, loss: str, true: str) -> dict[str, tuple[list[str], Callable[[str], Means]]]:
    """The command of each contender that is installed, and how what it prints is read."""
    score = f"score {path} --loss {loss} --true {true} --pred x --by group --json".split()
    found: dict[str, Any] = {"fastloss": ([str(Path(sys.executable).with_name("fastloss")), *score], of_command)}
    csv = path.suffix == ".csv"
    for who, library, engine in [
        ("pandas", "pandas", ""),
        ("polars", "polars", "in-memory"),
        ("polars, streaming", "polars", "streaming"),
        ("duckdb", "duckdb", ""),
    ]:
        if find_spec(library):
            program = PROGRAMS[library].format(
                format="csv" if csv else "parquet",
                columns="usecols" if csv else "columns",
                file=str(path),
                true=true,
                formula=FORMULAS[loss][library],
                engine=engine,
                threads=available()[0],
            )
            found[who] = ([sys.executable, "-c", program], of_json)
    return found


def agree(who: str, ours: Means, theirs: Means) -> None:
    assert ours.keys() == theirs.keys(), who
    for k, wide in enumerate(("mean", "standard error", "count")):
        mine, others = (np.array([each[group][k] for group in sorted(ours)], np.float64) for each in (ours, theirs))
        np.testing.assert_allclose(mine, others, rtol=1e-3, err_msg=f"{who}: {wide}")  # some add up in float32


def of_file(path: Path, loss: str, true: str, asked: dict[str, float], what: str, rounds: int) -> Iterator[Row]:
    """How many times as fast the command is as each contender that is asked for, and the memory that it takes."""
    calls = commands(path, loss, true)
    ours: Means = {}
    for who, (command, read) in calls.items():
        found = read(output(command))
        ours = ours or found
        agree(who, ours, found)
    times = take_turns({who: partial(output, command) for who, (command, _) in calls.items()}, rounds)
    for library, ratio in asked.items():
        present = [who for who in times if who.startswith(library)]
        times_over = compare(times, "fastloss", present) if present else None
        yield Row.of(f"{what}, against {library}", ratio, times_over, front=library == "polars")
    if path.suffix == ".parquet":
        memory = {who: held(command) for who, (command, _) in calls.items()}
        how = ", ".join(f"{who} {megabytes:,.0f} MB" for who, megabytes in memory.items())
        yield Row.of(
            f"{what}: {MEMORY} MB over what the process holds at most", 1, Ratio(MEMORY / memory["fastloss"], how)
        )


# Lists --------------------------------------------------------------------------------------------


def of_logits(path: Path, rows: int, rounds: int) -> Iterator[Row]:
    """Scoring a column of lists against reading it."""
    import pyarrow.parquet

    from fastloss.arrow import score_batches

    write_logits(path, rows)
    loss = fastloss.CrossEntropy()
    calls: dict[str, Call] = {
        "fastloss": partial(score_batches, path, loss, y_true="label", y_pred="logits"),
        "pyarrow": partial(pyarrow.parquet.read_table, path, columns=["logits"]),
    }
    table = pyarrow.parquet.read_table(path)
    logits = table["logits"].combine_chunks().flatten().to_numpy().reshape(rows, CLASSES)
    np.testing.assert_allclose(calls["fastloss"]().mean, loss(table["label"].to_numpy(), logits), rtol=1e-6)
    what = f"cross-entropy of a Parquet column of lists, {rows:,} x {CLASSES}, against pyarrow reading it"
    yield Row.of(what, 0.8, compare(take_turns(calls, rounds), "fastloss", ["pyarrow"]))


def of_cases(rows: int, rounds: int) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        dump = Path(folder) / "dump.parquet"
        write(dump, rows, FEW)
        what = f"{rows:,} rows of Parquet by {FEW:,} groups"
        asked = {"polars": 1.0, "duckdb": 1.0, "pandas": 5.0}
        yield from of_file(dump, "mse", "y", asked, f"squared error of {what}", rounds)
        asked = {"polars": 2.0, "duckdb": 2.0}
        yield from of_file(
            dump, "binary_cross_entropy_with_logits", "label", asked, f"binary cross-entropy of {what}", rounds
        )
        dump.unlink()
        text = Path(folder) / "dump.csv"
        write(text, rows // 10, MANY)
        yield from of_file(text, "mse", "y", {"pandas": 3.0}, f"{rows // 10:,} rows of CSV by {MANY:,} groups", rounds)
        text.unlink()
        yield from of_logits(Path(folder) / "logits.parquet", rows // CLASSES, rounds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender (default: 5)")
    parser.add_argument("--size", type=int, default=ROWS, help=f"rows (default: {ROWS})")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions = (
        f"Files in the system's cache, threads: {available()[0]}; ratios of times, fastloss's below; medians of"
        f" {options.rounds} rounds in which the contenders take turns. But for lists each is a process from its start"
        " to its end, the command `fastloss score --by` against programs of the library; all print means, standard"
        " errors and counts. Polars is the faster of its two engines."
    )
    return publish("files", conditions, of_cases(options.size, options.rounds), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
