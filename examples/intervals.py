"""
A prediction and its uncertainty
================================

Two predictions for each target: a mean and a variance, or several quantiles. Both learn where the data is noisy,
without being told.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

import fastloss as fl

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-1, 1, 600))
y = np.sin(3 * x) + rng.normal(scale=0.05 + 0.3 * (x + 1) / 2)
features = np.stack([x**k for k in range(6)], axis=1)

# %%
# One model, two losses
# ---------------------
# Predictions are columns, linear in powers of x. The gradient in the coefficients is the chain rule: the features times
# the gradient in the predictions.


def fit(loss, columns):
    def objective(theta):
        value, grad = loss.value_and_grad(y, features @ theta.reshape(6, columns))
        return value, (features.T @ grad).ravel()

    theta = minimize(objective, np.zeros(6 * columns), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    return features @ theta.reshape(6, columns)


normal = fit(fl.GaussianNLLLogSigma(), 2)
quantiles = fit(fl.MultiQuantile(quantiles=(0.05, 0.5, 0.95)), 3)

# %%
# How good they are
# -----------------
# The root of the mean squared error is of the whole sample: it has a gradient, and no value for a single element. Nine
# in ten of the targets are to lie between the outer quantiles.

inside = np.mean((y > quantiles[:, 0]) & (y < quantiles[:, 2]))
print(f"between the quantiles: {inside:.0%}, asked for 90%")
of_mean, of_median = fl.rmse(y, normal[:, 0]), fl.rmse(y, quantiles[:, 1])
print(f"root mean squared error of the mean {of_mean:.3f}, of the median {of_median:.3f}")

# %%
# The bands

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
width = 1.645 * np.exp(normal[:, 1])
axes[0].fill_between(x, normal[:, 0] - width, normal[:, 0] + width, alpha=0.3)
axes[0].plot(x, normal[:, 0])
axes[1].fill_between(x, quantiles[:, 0], quantiles[:, 2], alpha=0.3)
axes[1].plot(x, quantiles[:, 1])
for axis, title in zip(axes, ("a mean and a standard deviation", "three quantiles"), strict=True):
    axis.plot(x, y, ".", color="gray", markersize=3)
    axis.set(title=title, xlabel="x")
plt.show()
