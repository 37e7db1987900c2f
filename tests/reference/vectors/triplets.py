"""Losses of triplets and quadruplets of vectors in NumPy."""

import numpy as np

from tests.reference.vectors.distances import distance_and_grad


def _triplets(anchor, positive, negative, margin, p, eps, swap, smooth, distance):
    """The loss, its slope, both distances with their gradients, and where the negative one is the positive vector's."""
    near = distance_and_grad(anchor, positive, distance, p, eps)
    far = distance_and_grad(anchor, negative, distance, p, eps)
    other = distance_and_grad(positive, negative, distance, p, eps)
    swapped = (other[0] < far[0]) & swap
    t = near[0] - np.where(swapped, other[0], far[0]) + margin
    value = np.logaddexp(0, t) if smooth else np.maximum(0, t)
    slope = 1 / (1 + np.exp(-t)) if smooth else np.heaviside(t, 0)
    return value, slope[..., np.newaxis], near, far, other, swapped[..., np.newaxis]


def triplet_margin(anchor, positive, negative, margin, p, eps, swap, smooth, distance):
    return _triplets(anchor, positive, negative, margin, p, eps, swap, smooth, distance)[0]


def triplet_margin_grad(anchor, positive, negative, margin, p, eps, swap, smooth, distance):
    _, slope, near, far, other, swapped = _triplets(anchor, positive, negative, margin, p, eps, swap, smooth, distance)
    return (
        slope * (near[1] - np.where(swapped, 0, far[1])),
        slope * (near[2] - np.where(swapped, other[1], 0)),
        -slope * np.where(swapped, other[2], far[2]),
    )


def _quadruplets(anchor, positive, negative, second_negative, distance):
    return (
        distance_and_grad(anchor, positive, distance),
        distance_and_grad(anchor, negative, distance),
        distance_and_grad(second_negative, negative, distance),
    )


def quadruplet(anchor, positive, negative, second_negative, margin, second_margin, distance):
    near, far, apart = _quadruplets(anchor, positive, negative, second_negative, distance)
    return np.maximum(0, near[0] - far[0] + margin) + np.maximum(0, near[0] - apart[0] + second_margin)


def quadruplet_grad(anchor, positive, negative, second_negative, margin, second_margin, distance):
    near, far, apart = _quadruplets(anchor, positive, negative, second_negative, distance)
    one = np.heaviside(near[0] - far[0] + margin, 0)[..., np.newaxis]
    other = np.heaviside(near[0] - apart[0] + second_margin, 0)[..., np.newaxis]
    return (
        (one + other) * near[1] - one * far[1],
        (one + other) * near[2],
        -one * far[2] - other * apart[2],
        -other * apart[1],
    )
