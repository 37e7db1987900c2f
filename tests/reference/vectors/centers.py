"""Losses of vectors and the centres of their classes in NumPy."""

import numpy as np

from tests.reference.vectors.distances import norm, unit


def center(y_true, embedding, center):
    return 0.5 * ((embedding - center[y_true]) ** 2).sum(axis=-1)


def center_grad(y_true, embedding, center):
    difference = embedding - center[y_true]
    grad = np.zeros_like(center)
    np.subtract.at(grad, y_true, difference)
    return difference, grad


def _island(center):
    directions = unit(center)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -1)
    others = directions.sum(axis=0) - directions
    along = (directions * others).sum(axis=1, keepdims=True)
    size = norm(center)
    slope = np.divide(2 * (others - directions * along), size, out=np.zeros_like(center), where=size != 0)
    return (cosines + 1).sum(), slope


def island(y_true, embedding, center, island_weight):
    return 0.5 * ((embedding - center[y_true]) ** 2).sum(axis=-1) + island_weight * _island(center)[0]


def island_grad(y_true, embedding, center, island_weight):
    own, grad = center_grad(y_true, embedding, center)
    return own, grad + y_true.size * island_weight * _island(center)[1]
