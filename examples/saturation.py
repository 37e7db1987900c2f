"""
A sigmoid under two losses
==========================

Why squared error learns slowly through a sigmoid and cross-entropy does not: their gradients, plotted.

A neuron's output is a = sigmoid(z). The gradient of the quadratic cost (a - y)^2 / 2 in z is (a - y) a (1 - a): where
the neuron is certain and wrong, a (1 - a) is next to 0, and so is the step. That of the cross-entropy is a - y: the
more wrong, the larger. The second plot trains one neuron on the breast cancer data from a certain and wrong start.

``python examples/saturation.py [FILE]`` writes to ``saturation.png`` unless told otherwise.
"""

from __future__ import annotations

import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastloss as fl
from fastloss import Loss

STEPS, RATE, START = 300, 0.5, 8.0
LOSSES: dict[str, tuple[Loss, float]] = {  # the Brier score of a logit is twice the quadratic cost
    "squared error": (fl.BrierWithLogits(), 0.5),
    "cross-entropy": (fl.BinaryCrossEntropyWithLogits(), 1.0),
}


def gradients(z: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients in z of both losses where the target is 0."""
    return {name: factor * loss.grad(np.zeros_like(z), z, reduction="sum") for name, (loss, factor) in LOSSES.items()}


def learn(loss: Loss, factor: float) -> np.ndarray:
    """The error rates of one neuron, after each step of gradient descent from predictions that are all wrong."""
    X, y = load_breast_cancer(return_X_y=True)
    X = np.column_stack((StandardScaler().fit_transform(X), np.ones(len(X))))
    best = np.linalg.lstsq(X, 2.0 * y - 1, rcond=None)[0]
    theta = -START * best  # certain, and of the opposite opinion
    errors = np.empty(STEPS)
    for step in range(STEPS):
        z = X @ theta
        errors[step] = fl.zero_one(y, z)
        theta -= RATE * factor * (X.T @ loss.grad(y, z))
    return errors


def plot(file: str) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    z = np.linspace(-8, 8, 401)
    for name, grad in gradients(z).items():
        left.plot(z, grad, label=name)
    left.set(xlabel="z, where the target is 0", ylabel="gradient in z", title="The gradient through a sigmoid")
    left.annotate("certain and wrong:\nno gradient", (6, 0.01), (2.2, 0.3), arrowprops={"arrowstyle": "->"})
    left.legend()
    for name, (loss, factor) in LOSSES.items():
        errors = learn(loss, factor)
        right.plot(errors, label=name)
        print(f"{name}: error rate {errors[0]:.3f} at first, {errors[20]:.3f} after 20 steps, {errors[-1]:.3f} at last")
    right.set(xlabel="steps of gradient descent", ylabel="error rate", title="Breast cancer, from a wrong start")
    right.legend()
    figure.savefig(file)
    for name, grad in gradients(np.array([0.0, 8.0])).items():
        print(f"{name}: gradient {grad[0]:.4f} at z = 0, {grad[1]:.4f} at z = 8")
    print(f"wrote {file}")


if __name__ == "__main__":
    with threadpool_limits(1):  # on matrices this small a second thread costs more than it does
        plot(sys.argv[1] if len(sys.argv) > 1 else "saturation.png")
