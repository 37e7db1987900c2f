"""Losses of a projection onto the simplex."""

import numpy as np

from tests.reference.rowwise.margin import _weight


def _threshold(z):
    """The threshold of sparsemax, by sorting."""
    ordered = -np.sort(-z, axis=1)
    sums = ordered.cumsum(axis=1) - 1
    ranks = np.arange(1, z.shape[1] + 1, dtype=z.dtype)
    support = (ordered * ranks > sums).sum(axis=1, keepdims=True)
    return np.take_along_axis(sums, support - 1, axis=1) / support.astype(z.dtype)


def multiclass_sparsemax(y, x, class_weight, temperature):
    z = x / temperature
    tau = _threshold(z)
    squares = np.where(z > tau, z * z - tau * tau, 0).sum(axis=1)
    return _weight(y, x, class_weight) * (squares / 2 + 0.5 - z[np.arange(len(y)), y])


def multiclass_sparsemax_grad(y, x, class_weight, temperature):
    z = x / temperature
    grad = np.maximum(z - _threshold(z), 0)
    grad[np.arange(len(y)), y] -= 1
    return _weight(y, x, class_weight)[:, np.newaxis] * grad / temperature
