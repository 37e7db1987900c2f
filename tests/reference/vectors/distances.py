"""Distances of two vectors in NumPy, and their gradients."""

import numpy as np


def norm(x):
    return np.sqrt((x * x).sum(axis=-1, keepdims=True))


def unit(x):
    """Of a vector of zeros, zeros."""
    size = norm(x)
    return np.divide(x, size, out=np.zeros_like(x), where=size != 0)


def cosine(a, b):
    return (unit(a) * unit(b)).sum(axis=-1)


def cosine_grad(a, b):
    s, size = cosine(a, b)[..., np.newaxis], norm(a)
    return np.divide(unit(b) - s * unit(a), size, out=np.zeros_like(a), where=(size != 0) & (norm(b) != 0))


def power(a, b, p, eps):
    if p == np.inf:
        return np.abs(a - b + eps).max(axis=-1)
    return (np.abs(a - b + eps) ** p).sum(axis=-1) ** (1 / p)


def power_grad(a, b, p, eps):
    difference = a - b + eps
    d = power(a, b, p, eps)[..., np.newaxis]
    if p == np.inf:
        largest = (np.abs(difference) == d) & (d > 0)
        return np.sign(difference) * largest / np.maximum(1, largest.sum(axis=-1, keepdims=True))
    share = np.divide(np.abs(difference), d, out=np.zeros_like(a), where=d != 0)
    return np.sign(difference) * share ** (p - 1)


def squares(a, b):
    return ((a - b) ** 2).sum(axis=-1)


def distance_and_grad(a, b, distance, p=2, eps=0.0):
    """A distance by its name, and its gradients in both vectors."""
    if distance == "cosine":
        return 1 - cosine(a, b), -cosine_grad(a, b), -cosine_grad(b, a)
    if distance == "squared_euclidean":
        return squares(a, b), 2 * (a - b), 2 * (b - a)
    grad = power_grad(a, b, p, eps)
    return power(a, b, p, eps), grad, -grad


def cosine_distance(left, right):
    return 1 - cosine(left, right)


def cosine_distance_grad(left, right):
    return -cosine_grad(left, right), -cosine_grad(right, left)


def negative_cosine_similarity(left, right):
    return -cosine(left, right)


def negative_cosine_similarity_grad(left, right):
    return -cosine_grad(left, right), -cosine_grad(right, left)


def pairwise_distance(left, right, p, eps):
    return power(left, right, p, eps)


def pairwise_distance_grad(left, right, p, eps):
    grad = power_grad(left, right, p, eps)
    return grad, -grad


def euclidean_distance(left, right):
    return norm(left - right)[..., 0]


def euclidean_distance_grad(left, right):
    return unit(left - right), unit(right - left)


def squared_euclidean_distance(left, right):
    return squares(left, right)


def squared_euclidean_distance_grad(left, right):
    return 2 * (left - right), 2 * (right - left)


def manhattan_distance(left, right):
    return np.abs(left - right).sum(axis=-1)


def manhattan_distance_grad(left, right):
    return np.sign(left - right), np.sign(right - left)
