"""Score a table by groups on Spark: each partition where it is, and Spark adds up what they come to.

python examples/spark.py predictions/diabetes.parquet  scores the example's predictions, on this machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

import fastloss as fl
from fastloss.arrow import partial_states


def scored(rows: DataFrame, loss: fl.Loss, *, groups: Sequence[str], **columns: Any) -> fl.GroupStates:
    """The states of the groups of a table: no row leaves the partition that it is in."""
    score = partial(partial_states, loss=loss, groups=groups, **columns)
    (like,) = score(rows.limit(1).toArrow().to_batches())
    parts = rows.mapInArrow(score, from_arrow_schema(like.schema))  # a row for each group of each partition
    merged = {name: F.sum for name in like.schema.names if name not in groups}
    merged |= {"minimum": F.min, "maximum": F.max}  # all other numbers of a state are sums
    table = parts.groupBy(*groups).agg(*(merge(name).alias(name) for name, merge in merged.items()))
    return fl.GroupStates.from_arrow(table.toArrow())


def main(path: str) -> None:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # of the workers
    builder = SparkSession.builder.master("local[2]").appName("fastloss")
    spark = builder.config("spark.ui.enabled", False).config("spark.sql.shuffle.partitions", 2).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    rows = spark.read.parquet(path).select("y_true", "linear", "bmi").repartition(4)
    states = scored(rows, fl.Huber(delta=50), y_true="y_true", y_pred="linear", groups=["bmi"])
    for group, state in states.items():
        low, high = state.confidence_interval()
        print(f"{group}: {state.mean:.6f} from {low:.6f} to {high:.6f}, of {state.count} rows")
    print(f"total: {states.total.mean:.6f}, of {states.total.count} rows")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
