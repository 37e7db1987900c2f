"""
Digits as two numbers
=====================

Siamese networks on scikit-learn's digits: two numbers for each image, so that images of one digit lie together.

A small network, written in NumPy, maps the 64 pixels of an image to two numbers. It is trained twice from the same
start: with the contrastive loss, on pairs of images of one digit or of two, and with InfoNCE, where each image of a
batch is to find, among the second images of all pairs, the one of its own pair.

``python examples/embedding.py [FILE]`` writes to ``embedding.png`` unless told otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

import fastloss as fl

Array = np.ndarray
HIDDEN, STEPS, BATCH, RATE = 64, 1200, 256, 3e-3
CONTRASTIVE = fl.Contrastive(margin=2.0)
INFO_NCE = fl.InfoNCE(temperature=0.1, symmetric=True)


class Network:
    """Pixels, a hidden layer with tanh, an embedding; trained by Adam."""

    def __init__(self, outputs: int) -> None:
        rng = np.random.default_rng(0)
        self.weights = [rng.standard_normal((64, HIDDEN)) / 8, rng.standard_normal((HIDDEN, outputs)) / 8]
        self._means = [np.zeros_like(w) for w in self.weights]
        self._squares = [np.zeros_like(w) for w in self.weights]
        self._steps = 0

    def __call__(self, images: Array) -> Array:
        return np.tanh(images @ self.weights[0]) @ self.weights[1]

    def step(self, batches: list[tuple[Array, Array]]) -> None:
        """Descend along the gradient, of images and the gradients in their embeddings."""
        grads = [np.zeros_like(w) for w in self.weights]
        for images, grad in batches:
            hidden = np.tanh(images @ self.weights[0])
            grads[1] += hidden.T @ grad
            grads[0] += images.T @ ((grad @ self.weights[1].T) * (1 - hidden**2))
        self._steps += 1
        for weight, grad, mean, square in zip(self.weights, grads, self._means, self._squares, strict=True):
            mean += 0.1 * (grad - mean)
            square += 0.001 * (grad**2 - square)
            rate = RATE * np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps)
            weight -= rate * mean / (np.sqrt(square) + 1e-8)


def pairs(digits: Array, same: float) -> Iterator[tuple[Array, Array, Array]]:
    """Whether two images show one digit, and their indices: a batch for each step, `same` of them of one digit."""
    rng = np.random.default_rng(1)
    of_digit = [np.flatnonzero(digits == digit) for digit in range(10)]
    for _ in range(STEPS):
        left = rng.integers(0, len(digits), BATCH)
        right = rng.integers(0, len(digits), BATCH)
        alike = rng.random(BATCH) < same
        right[alike] = [rng.choice(of_digit[digits[k]]) for k in left[alike]]
        yield digits[left] == digits[right], left, right


def learn(loss: Callable[[Array, Array, Array], tuple[Array, Array]], same: float, images: Array, digits: Array,
          outputs: int) -> Network:  # fmt: skip
    network = Network(outputs)
    for together, left, right in pairs(digits, same):
        of_left, of_right = loss(together, network(images[left]), network(images[right]))
        network.step([(images[left], of_left), (images[right], of_right)])
    return network


def contrastive(together: Array, left: Array, right: Array) -> tuple[Array, Array]:
    grads = CONTRASTIVE.grad(together, left, right)
    return grads.left, grads.right


def info_nce(together: Array, left: Array, right: Array) -> tuple[Array, Array]:
    grads = INFO_NCE.grad(left, right)
    return grads.queries, grads.keys


def plot(file: str) -> None:
    images, digits = load_digits(return_X_y=True)
    seen, unseen, digits_seen, digits_unseen = train_test_split(images / 16, digits, random_state=0)
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for axis, title, network in (
        (axes[0], "before", Network(2)),
        (axes[1], "contrastive loss", learn(contrastive, 0.5, seen, digits_seen, 2)),
        (axes[2], "InfoNCE, the direction alone", learn(info_nce, 1.0, seen, digits_seen, 2)),
    ):
        known, new = network(seen), network(unseen)
        if "InfoNCE" in title:
            known, new = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in (known, new))
        right = KNeighborsClassifier(5).fit(known, digits_seen).score(new, digits_unseen)
        print(f"{title}: {right:.3f} of unseen images lie among images of their digit")
        spread = np.random.default_rng(0).normal(1, 0.05 if "InfoNCE" in title else 0, (len(new), 1))
        axis.scatter(*(new * spread).T, c=digits_unseen, cmap="tab10", s=9)
        for digit in range(10):
            axis.text(*np.median(new[digits_unseen == digit], axis=0), str(digit), fontsize=14, weight="bold")
        axis.set(title=f"{title}: {right:.0%} right", xticks=[], yticks=[])
    figure.savefig(file)
    print(f"wrote {file}")


if __name__ == "__main__":
    with threadpool_limits(1):  # on matrices this small a second thread costs more than it does
        plot(sys.argv[1] if len(sys.argv) > 1 else "embedding.png")
