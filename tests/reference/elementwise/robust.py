"""Robust losses in NumPy."""

import numpy as np

from tests.reference.elementwise.residual import absolute_error, absolute_error_grad


def huber(y, x, delta=1.0):
    r = np.abs(x - y)
    m = np.minimum(r, delta)
    return m * (r - m / 2)


def huber_grad(y, x, delta=1.0):
    return np.clip(x - y, -delta, delta)


def smooth_l1(y, x, beta=1.0):
    return huber(y, x, beta) / beta if beta else absolute_error(y, x)


def smooth_l1_grad(y, x, beta=1.0):
    return np.clip((x - y) / beta, -1, 1) if beta else absolute_error_grad(y, x)


def log_cosh(y, x):
    r = np.abs(x - y)
    return r + np.log1p(np.exp(-2 * r)) - np.log(2).astype(r.dtype)


def log_cosh_grad(y, x):
    return np.tanh(x - y)


def pseudo_huber(y, x, delta=1.0):
    u = ((x - y) / delta) ** 2
    return delta**2 * u / (np.sqrt(1 + u) + 1)


def pseudo_huber_grad(y, x, delta=1.0):
    r = x - y
    return r / np.sqrt(1 + (r / delta) ** 2)


def fair(y, x, c=1.3998):
    s = np.abs(x - y) / c
    return c**2 * (s - np.log1p(s))


def fair_grad(y, x, c=1.3998):
    r = x - y
    return r / (1 + np.abs(r) / c)


def wing(y, x, width=10.0, curvature=2.0):
    r = np.abs(x - y)
    m = np.minimum(r, width)
    return width * np.log1p(m / curvature) + (r - m)


def wing_grad(y, x, width=10.0, curvature=2.0):
    r = x - y
    size = np.abs(r)
    return np.sign(r) * np.where(size < width, width / (curvature + size), size.dtype.type(1))
