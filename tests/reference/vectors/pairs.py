"""Losses of two vectors that belong together or do not, in NumPy."""

import numpy as np

from tests.reference.vectors.distances import cosine, cosine_grad, norm, unit


def cosine_embedding(y_true, left, right, margin):
    s = cosine(left, right)
    return np.where(y_true == 1, 1 - s, np.maximum(0, s - margin))


def cosine_embedding_grad(y_true, left, right, margin):
    slope = np.where(y_true == 1, -1, cosine(left, right) > margin)[..., np.newaxis].astype(left.dtype)
    return slope * cosine_grad(left, right), slope * cosine_grad(right, left)


def contrastive(y_true, left, right, margin, half):
    d = norm(left - right)[..., 0]
    return np.where(y_true == 1, d, np.maximum(0, margin - d)) ** 2 * (0.5 if half else 1)


def contrastive_grad(y_true, left, right, margin, half):
    d = norm(left - right)
    slope = np.where(y_true[..., np.newaxis] == 1, d, -np.maximum(0, margin - d)) * (1 if half else 2)
    grad = slope * unit(left - right)
    return grad, -grad
