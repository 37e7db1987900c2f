"""
Chunks of Dask
==============

Arrays that come in chunks are scored without putting them together: each chunk becomes a state, and states add up. The
result does not depend on how the arrays are cut.
"""

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl
import fastloss.dask

rng = np.random.default_rng(0)
truth = rng.gamma(2.0, 50.0, 400_000)
forecast = truth + rng.standard_t(3, 400_000) * 5
month = rng.integers(1, 13, 400_000)
forecast += 4 * np.sin(month)

# %%
# The same number for every size of chunks
# ----------------------------------------

loss = fl.Huber(delta=5.0)
means = []
for chunk in (400_000, 100_000, 7_000):
    arrays = (da.from_array(array, chunks=chunk) for array in (truth, forecast))
    means.append(float(fastloss.dask.value(loss, *arrays).compute()))
print("mean loss:", means, "all the same:", len(set(means)) == 1)

# %%
# States of groups
# ----------------
# One table for each chunk, merged as a tree.

y, x, groups = (da.from_array(array, chunks=50_000) for array in (truth, forecast, month))
with dask.config.set(scheduler="threads"):
    table = fastloss.dask.states(loss, y, x, groups=groups).compute()
low, high = table.confidence_interval(0.95)

figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
order = np.argsort(table.labels)
middle, places = table.mean[order], np.asarray(table.labels)[order]
axis.errorbar(places, middle, [middle - low[order], high[order] - middle], fmt="o", capsize=3)
axis.axhline(table.total.mean, color="gray", linewidth=1)
axis.set(xlabel="month", ylabel="mean loss, with 95% confidence", title="Which months are forecast worse than others")
plt.show()
