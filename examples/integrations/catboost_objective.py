"""
CatBoost with any loss
======================

Where an item that is missing costs four times what an item too many costs, the best forecast is not the mean. CatBoost
trains with the loss that says so.
"""

import catboost
import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl
from fastloss.integrations.catboost import objective

rng = np.random.default_rng(2)
x = np.sort(rng.uniform(0, 6, 3000))
spread = 0.3 + 0.2 * x
y = 5 + np.sin(x) + spread * rng.normal(size=3000)

# %%
# Train with three losses
# -----------------------

losses = {"half are missing": 0.5, "one in five is missing": 0.8, "one in twenty is missing": 0.95}
predicted = {}
for name, alpha in losses.items():
    parameters = {"loss_function": objective(fl.Quantile(alpha=alpha)), "eval_metric": "RMSE", "iterations": 200}
    parameters |= {"leaf_estimation_iterations": 1, "learning_rate": 0.3, "depth": 3, "thread_count": 1}
    model = catboost.CatBoostRegressor(**parameters, allow_writing_files=False, verbose=False)
    predicted[name] = model.fit(x[:, np.newaxis], y).predict(x[:, np.newaxis])
    print(f"{name}: {np.mean(y > predicted[name]):.2f} of the targets are above")

# %%
# What was learned

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.plot(x, y, ".", color="lightgray", markersize=3)
for name, values in predicted.items():
    axis.plot(x, values, label=name)
axis.legend()
plt.show()
