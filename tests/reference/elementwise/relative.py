"""Regression losses of the prediction relative to the target."""

import numpy as np


def squared_log_error(y, x):
    return np.square(np.log1p(x) - np.log1p(y))


def squared_log_error_grad(y, x):
    return 2 * (np.log1p(x) - np.log1p(y)) / (1 + x)


def absolute_percentage_error(y, x, epsilon=1e-8, scale=1.0):
    return scale * (np.abs(x - y) / np.maximum(np.abs(y), epsilon))


def absolute_percentage_error_grad(y, x, epsilon=1e-8, scale=1.0):
    return scale * np.sign(x - y) / np.maximum(np.abs(y), epsilon)


def squared_percentage_error(y, x, epsilon=1e-8):
    return np.square((x - y) / np.maximum(np.abs(y), epsilon))


def squared_percentage_error_grad(y, x, epsilon=1e-8):
    return 2 * (x - y) / np.square(np.maximum(np.abs(y), epsilon))


def symmetric_absolute_percentage_error(y, x):
    size = np.abs(x) + np.abs(y)
    return 2 * np.abs(x - y) / np.where(size == 0, 1, size)


def symmetric_absolute_percentage_error_grad(y, x):
    size = np.abs(x) + np.abs(y)
    r = x - y
    return 2 * (np.sign(r) * size - np.abs(r) * np.sign(x)) / np.square(np.where(size == 0, 1, size))
