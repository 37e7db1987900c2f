"""
Reading without being told where
================================

Learn to read without being told where the letters are: connectionist temporal classification on rows of digits.

Digits of scikit-learn are set side by side at random distances, and a network sees one column of pixels after another.
It is told which digits there are, in order, and never where. The pictures show what it learned to say at each column,
and the alignment that follows.

``python examples/alignment.py [FILE]`` writes to ``alignment.png`` unless told otherwise.
"""

from __future__ import annotations

import sys

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import fastloss as fl

Array = np.ndarray
DIGITS, COLUMNS, WINDOW = 3, 32, 13
HIDDEN, STEPS, BATCH, RATE = 128, 1200, 32, 1e-2
LOSS = fl.CTC(blank=10, layout="NTC")


def lines(count: int, rng: np.random.Generator, images: Array, digits: Array) -> tuple[Array, Array]:
    """Pictures of 8 rows and their digits in order."""
    chosen = rng.integers(0, len(images), (count, DIGITS))
    pictures = np.zeros((count, 8, COLUMNS), np.float32)
    for picture, row in zip(pictures, chosen, strict=True):
        gaps = rng.multinomial(COLUMNS - 8 * DIGITS, np.full(DIGITS + 1, 1 / (DIGITS + 1)))
        start = 0
        for gap, k in zip(gaps, row, strict=False):
            start += gap
            picture[:, start : start + 8] = images[k] / 16
            start += 8
    return pictures, digits[chosen]


def windows(pictures: Array) -> Array:
    """What the network sees at each column of each picture: the columns around it."""
    padded = np.pad(pictures, ((0, 0), (0, 0), (WINDOW // 2, WINDOW // 2)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=2)
    return np.moveaxis(seen, 1, 2).reshape(-1, 8 * WINDOW)


class Network:
    """Columns, a hidden layer with tanh, logits of ten digits and the blank; trained by Adam."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        shapes = (8 * WINDOW, HIDDEN), (HIDDEN, 11)
        self.weights = [(rng.standard_normal(shape) / shape[0] ** 0.5).astype(np.float32) for shape in shapes]
        self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in self.weights]
        self._steps = 0

    def __call__(self, seen: Array) -> Array:
        return (np.tanh(seen @ self.weights[0]) @ self.weights[1]).reshape(-1, COLUMNS, 11)

    def learn(self, seen: Array, wanted: Array) -> float:
        hidden = np.tanh(seen @ self.weights[0])
        value, grad = LOSS.value_and_grad(wanted, (hidden @ self.weights[1]).reshape(-1, COLUMNS, 11))
        grad = grad.reshape(-1, 11)
        grads = seen.T @ ((grad @ self.weights[1].T) * (1 - hidden**2)), hidden.T @ grad
        self._steps += 1
        rate = RATE * (1 - self._steps / STEPS) * (1 - 0.999**self._steps) ** 0.5 / (1 - 0.9**self._steps)
        for weight, slope, (mean, square) in zip(self.weights, grads, self._moments, strict=True):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            weight -= rate * mean / (np.sqrt(square) + 1e-8)
        return value


def plot(file: str) -> None:
    data, rng = load_digits(), np.random.default_rng(0)
    known, new = slice(0, 1400), slice(1400, None)
    network = Network()
    losses = []
    for _ in range(STEPS):
        pictures, wanted = lines(BATCH, rng, data.images[known], data.target[known])
        losses.append(network.learn(windows(pictures), wanted))
    print(f"the loss falls from {losses[0]:.1f} to {np.mean(losses[-20:]):.2f}")
    pictures, wanted = lines(200, rng, data.images[new], data.target[new])
    logits = network(windows(pictures))
    read = LOSS.best_path(logits)
    right = np.mean(
        [
            np.array_equal(found[:length], row)
            for found, length, row in zip(read.labels, read.lengths, wanted, strict=True)
        ]
    )
    print(f"{right:.3f} of unseen lines are read without a fault")
    figure, axes = plt.subplots(3, 1, figsize=(11, 6), layout="constrained", height_ratios=(2, 3, 2))
    axes[0].imshow(pictures[0], cmap="gray_r", aspect="auto")
    axes[0].set(title=f"an unseen line: {' '.join(map(str, wanted[0]))}", yticks=[])
    p = np.exp(logits[0] - logits[0].max(axis=1, keepdims=True))
    axes[1].imshow((p / p.sum(axis=1, keepdims=True)).T, cmap="viridis", aspect="auto")
    axes[1].set(title="what the network says at each column", yticks=range(11), yticklabels=[*range(10), "blank"])
    axes[2].plot(losses)
    axes[2].set(xlabel="steps", ylabel="CTC loss", yscale="log")
    figure.savefig(file)
    print(f"wrote {file}")


if __name__ == "__main__":
    with threadpool_limits(1):
        plot(sys.argv[1] if len(sys.argv) > 1 else "alignment.png")
