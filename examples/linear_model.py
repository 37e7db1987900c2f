"""
A linear model, and how long a step takes
=========================================

`LinearObjective` reads X once for the value and the gradient in the coefficients. The usual way in NumPy makes
predictions, losses and slopes as arrays on the way, and reads X twice.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl

rng = np.random.default_rng(0)
X = rng.normal(size=(300_000, 32))
y = (rng.random(300_000) < 1 / (1 + np.exp(-X @ rng.normal(size=32)))).astype(float)
objective = fl.LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l2=1e-3)

# %%
# The same in NumPy
# -----------------


def by_numpy(theta):
    z = X @ theta[:-1] + theta[-1]
    value = np.mean(np.logaddexp(0, z) - y * z) + 0.5e-3 * theta[:-1] @ theta[:-1]
    slope = (1 / (1 + np.exp(-z)) - y) / len(y)
    return value, np.append(X.T @ slope + 1e-3 * theta[:-1], slope.sum())


theta = 0.1 * rng.normal(size=33)
ours, theirs = objective.value_and_grad(theta), by_numpy(theta)
print(f"values {ours[0]:.6f} and {theirs[0]:.6f}, gradients alike: {np.allclose(ours[1], theirs[1])}")

# %%
# Times of a step, and a fit
# --------------------------


def seconds(function, rounds=7):
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        function(theta)
        times.append(time.perf_counter() - begun)
    return np.median(times)


times = {"fastloss": seconds(objective.value_and_grad), "NumPy": seconds(by_numpy)}
values = []
fit = objective.fit()
for share in np.linspace(0, 1, 41):
    values.append(objective.value_and_grad(share * np.append(fit.coef, fit.intercept))[0])

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.bar(list(times), [1e3 * value for value in times.values()], color=["#1f6fb4", "gray"])
left.set(ylabel="milliseconds", title="value and gradient, on the machine that made this page")
right.plot(np.linspace(0, 1, 41), values)
right.set(xlabel="share of the way from 0 to the fit", ylabel="objective", title="The fit is at the bottom")
plt.show()
