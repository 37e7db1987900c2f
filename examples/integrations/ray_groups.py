"""
Datasets of Ray
===============

`StateAggregate` is an aggregation of a dataset: each block becomes a state where it lies, and only states are moved.
Here it asks which of many sensors has drifted.
"""

import logging

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import ray

import fastloss as fl
from fastloss.integrations.ray import StateAggregate

rng = np.random.default_rng(0)
sensor = rng.integers(0, 40, 200_000)
temperature = 15 + 8 * rng.normal(size=200_000)
drift = np.where(np.isin(sensor, [7, 23]), 0.5, 0.0)
measured = temperature + drift + 0.3 * rng.standard_t(4, 200_000)

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
logging.getLogger("ray.data").setLevel("ERROR")
ray.data.DataContext.get_current().enable_progress_bars = False
rows = ray.data.from_arrow(pa.table({"sensor": sensor, "true": temperature, "measured": measured})).repartition(4)

# %%
# A state for each sensor
# -----------------------

deviation = StateAggregate(fl.MeanBias(), y_true="true", y_pred="measured", groups="sensor")
table = rows.aggregate(deviation)["state"]
ray.shutdown()

low, high = table.confidence_interval(0.999)
drifted = sorted(np.asarray(table.labels)[(low > 0) | (high < 0)].tolist())
print("sensors that have drifted:", drifted)

# %%
# All of them

order = np.argsort(table.labels)
places, middle = np.asarray(table.labels)[order], table.mean[order]
figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
axis.errorbar(places, middle, [middle - low[order], high[order] - middle], fmt=".", capsize=2)
axis.axhline(0, color="gray", linewidth=1)
axis.set(xlabel="sensor", ylabel="mean deviation, with 99.9% confidence")
plt.show()
