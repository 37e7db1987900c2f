"""
Regression with outliers
========================

One target in ten is wrong. Five losses fit a line to the same points: what the slope of a loss does far from zero
decides how far the line is bent.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl

rng = np.random.default_rng(2)
x = np.linspace(0, 10, 200)
y = 1.0 + 0.5 * x + rng.normal(scale=0.4, size=200)
wrong = rng.choice(np.flatnonzero(x > 5), 20, replace=False)
y[wrong] -= 8.0

# %%
# Fits
# ----
# `LinearObjective` takes any loss of one prediction. The redescending one starts where Huber's ends: it is not convex.

losses = {
    "squared error": fl.SquaredError(),
    "absolute error": fl.AbsoluteError(),
    "Huber, delta=0.5": fl.Huber(delta=0.5),
    "log-cosh": fl.LogCosh(),
    "Tukey, c=3": fl.Tukey(c=3.0),
}
start = fl.LinearObjective(losses["Huber, delta=0.5"], x[:, np.newaxis], y).fit()
fits = {}
for name, loss in losses.items():
    fits[name] = fl.LinearObjective(loss, x[:, np.newaxis], y).fit(start=np.append(start.coef, start.intercept))
    print(f"{name}: y = {fits[name].intercept:.2f} + {fits[name].coef[0]:.2f} x, where the truth is 1 + 0.5 x")

# %%
# The lines, and the slopes that made them
# ----------------------------------------
# The pull of a point is the slope of the loss at its residual.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(x, y, ".", color="gray", markersize=4)
residual = np.linspace(-8, 8, 401)
for name, loss in losses.items():
    left.plot(x, fits[name].predict(x[:, np.newaxis]), label=name)
    right.plot(residual, loss.grad(np.zeros(401), residual, reduction="sum"), label=name)
left.set(xlabel="x", ylabel="y", title="One target in ten is wrong")
right.set(xlabel="residual", ylabel="slope", ylim=(-4, 4), title="How hard a point pulls")
right.legend(fontsize=8)
plt.show()
