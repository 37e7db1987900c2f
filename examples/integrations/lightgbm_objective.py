"""
LightGBM with any loss
======================

One target in ten is off by a large amount. LightGBM trains with a loss whose pull fades far from zero.
"""

import lightgbm
import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl
from fastloss.integrations.lightgbm import init_score, objective

rng = np.random.default_rng(1)
x = np.sort(rng.uniform(0, 6, 3000))
truth = np.sin(x)
y = truth + rng.normal(scale=0.2, size=3000)
y[rng.random(3000) < 0.1] += 6.0

# %%
# Train with two losses
# ---------------------

losses = {"squared error": fl.SquaredError(), "Cauchy": fl.Cauchy(c=0.5)}
predicted = {}
for name, loss in losses.items():
    start = init_score(loss, y)
    data = lightgbm.Dataset(x[:, np.newaxis], y, init_score=np.full(len(y), start), free_raw_data=False)
    parameters = {"objective": objective(loss), "learning_rate": 0.1, "num_leaves": 8, "verbose": -1, "num_threads": 1}
    model = lightgbm.train(parameters, data, 100)
    predicted[name] = start + model.predict(x[:, np.newaxis])
    print(f"{name}: mean distance from the truth {fl.mae(truth, predicted[name]):.3f}")

# %%
# What was learned

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.plot(x, y, ".", color="lightgray", markersize=3)
for name, values in predicted.items():
    axis.plot(x, values, label=name)
axis.plot(x, truth, "k--", linewidth=1, label="truth")
axis.legend()
plt.show()
