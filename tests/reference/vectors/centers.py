"""Losses of vectors and the centres of their classes in NumPy."""

import numpy as np

from tests.reference.rowwise.softmax import cos_face, cos_face_grad
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


def am_softmax_island(y_true, embedding, weight, center, margin, scale, center_weight, island_weight):
    cosines = unit(embedding) @ unit(weight).T
    return cos_face(y_true, cosines, margin, scale, None) + center_weight * island(
        y_true, embedding, center, island_weight
    )


def am_softmax_island_grad(y_true, embedding, weight, center, margin, scale, center_weight, island_weight):
    x, w = unit(embedding), unit(weight)
    slopes = cos_face_grad(y_true, x @ w.T, margin, scale, None)
    of_x, of_w = slopes @ w, slopes.T @ x
    of_x = (of_x - x * (x * of_x).sum(axis=1, keepdims=True)) / norm(embedding)
    of_w = (of_w - w * (w * of_w).sum(axis=1, keepdims=True)) / norm(weight)
    own, grad = island_grad(y_true, embedding, center, island_weight)
    return of_x + center_weight * own, of_w, center_weight * grad
