"""
XGBoost with any loss
=====================

Boosted trees that predict a bound which nine in ten targets stay below: XGBoost takes the quantile loss as its
objective, and beside it an asymmetric one that it does not have.
"""

import matplotlib.pyplot as plt
import numpy as np
import xgboost

import fastloss as fl
from fastloss.integrations.xgboost import base_score, metric, objective

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 6, 3000))
y = np.sin(x) + rng.normal(size=3000) * (0.1 + 0.15 * x)
data = xgboost.DMatrix(x[:, np.newaxis], y)

# %%
# Two objectives
# --------------
# The metric is printed by XGBoost itself while it trains; here it is kept.

losses = {"squared error": fl.SquaredError(), "quantile 0.9": fl.Quantile(0.9), "linex": fl.Linex(a=-2.0)}
predicted, histories = {}, {}
for name, loss in losses.items():
    history = {}
    model = xgboost.train(
        {"eta": 0.1, "max_depth": 3, "base_score": base_score(loss, y), "disable_default_eval_metric": True},
        data, 60, obj=objective(loss), custom_metric=metric(loss), evals=[(data, "lesson")], evals_result=history,
        verbose_eval=False,
    )  # fmt: skip
    predicted[name] = model.predict(data)
    (histories[name],) = history["lesson"].values()
    print(f"{name}: {np.mean(y < predicted[name]):.0%} of the targets are below")

# %%
# What was learned

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(x, y, ".", color="lightgray", markersize=3)
for name in losses:
    left.plot(x, predicted[name], label=name)
    right.plot(np.array(histories[name]) / histories[name][0], label=name)
left.set(xlabel="x", ylabel="y", title="predictions")
left.legend()
right.set(xlabel="trees", ylabel="loss, as a share of the first", title="while training")
plt.show()
