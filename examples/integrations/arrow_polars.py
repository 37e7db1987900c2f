"""
Tables of Arrow and Polars
==========================

Two models are compared on a table, by groups: the difference of their losses row by row, which is much more certain
than the difference of their means.
"""

import matplotlib.pyplot as plt
import numpy as np
import polars

import fastloss as fl
from fastloss.arrow import compare_batches, score_batches

rng = np.random.default_rng(0)
n = 20_000
site = rng.choice(["north", "east", "south", "west"], n)
price = rng.gamma(2.0, 50.0, n)
noise = rng.normal(scale=20.0, size=n)
frame = polars.DataFrame(
    {
        "site": site,
        "price": price,
        "old": price + noise + rng.normal(scale=6.0, size=n),
        "new": price + noise * np.where(site == "south", 1.05, 0.97) + rng.normal(scale=6.0, size=n),
    }
)

# %%
# A lazy frame is read in batches
# -------------------------------

loss = fl.LogCosh()
state = score_batches(frame.lazy(), loss, y_true="price", y_pred="new")
print(f"mean loss of the new model {state.mean:.3f} ± {state.standard_error:.3f}, of {state.count} rows")

# %%
# Two columns of predictions, by site
# -----------------------------------

compared = compare_batches(frame, loss, y_true="price", y_pred="new", other="old", groups="site")
difference = compared.difference
apart = np.hypot(compared.first.standard_error, compared.second.standard_error)
for name, mean, error in zip(difference.labels, difference.mean, difference.standard_error, strict=True):
    print(f"{name}: the new model's loss is {mean:+.3f} ± {error:.3f}")

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
places = np.arange(len(difference.labels))
axis.errorbar(places - 0.08, difference.mean, 1.96 * difference.standard_error, fmt="o", capsize=3, label="row by row")
axis.errorbar(places + 0.08, difference.mean, 1.96 * apart, fmt="o", capsize=3, color="gray", label="means apart")
axis.axhline(0, color="black", linewidth=0.8)
axis.set_xticks(places, list(difference.labels))
axis.set(ylabel="new less old, 95%", title="Better but in the south")
axis.legend()
plt.show()
