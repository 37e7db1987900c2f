"""Losses of a margin in NumPy."""

import numpy as np

from tests.reference.elementwise.binary import (
    sigmoid,
    softplus,
)


def _sign(y):
    return y - (y == 0)


def hinge(y, x, margin=1.0):
    return np.maximum(margin - _sign(y) * x, 0)


def hinge_grad(y, x, margin=1.0):
    s = _sign(y)
    return np.where(s * x < margin, -s, 0).astype(x.dtype)


def squared_hinge(y, x, margin=1.0):
    return np.maximum(margin - _sign(y) * x, 0) ** 2


def squared_hinge_grad(y, x, margin=1.0):
    s = _sign(y)
    return -2 * s * np.maximum(margin - s * x, 0)


def smoothed_hinge(y, x, gamma=1.0):
    slack = np.maximum(1 - _sign(y) * x, 0)
    part = np.minimum(slack, gamma)
    return part * (slack - part / 2) / gamma


def smoothed_hinge_grad(y, x, gamma=1.0):
    s = _sign(y)
    return -s * np.clip((1 - s * x) / gamma, 0, 1)


def modified_huber(y, x):
    slack = np.maximum(1 - _sign(y) * x, 0)
    part = np.minimum(slack, 2)
    return part * (2 * slack - part)


def modified_huber_grad(y, x):
    s = _sign(y)
    return -2 * s * np.clip(1 - s * x, 0, 2)


def perceptron(y, x):
    return np.maximum(-_sign(y) * x, 0)


def perceptron_grad(y, x):
    s = _sign(y)
    return np.where(s * x < 0, -s, 0).astype(x.dtype)


def soft_margin(y, x):
    return softplus(-_sign(y) * x)


def soft_margin_grad(y, x):
    s = _sign(y)
    return -s * sigmoid(-s * x)


def exponential(y, x):
    return np.exp(-_sign(y) * x)


def exponential_grad(y, x):
    s = _sign(y)
    return -s * np.exp(-s * x)


def savage(y, x):
    return sigmoid(-2 * _sign(y) * x) ** 2


def savage_grad(y, x):
    s = _sign(y)
    p = sigmoid(-2 * s * x)
    return -4 * s * p**2 * (1 - p)


def sigmoid_loss(y, x):
    return 2 * sigmoid(-2 * _sign(y) * x)


def sigmoid_loss_grad(y, x):
    s = _sign(y)
    p = sigmoid(-2 * s * x)
    return -4 * s * p * (1 - p)


def hinge_embedding(y, x, margin=1.0):
    return np.where(y > 0, x, np.maximum(margin - x, 0))


def hinge_embedding_grad(y, x, margin=1.0):
    return np.where(y > 0, 1, np.where(x < margin, -1, 0)).astype(x.dtype)


# Adversarial games --------------------------------------------------------------------------------


# Preferences --------------------------------------------------------------------------------------
