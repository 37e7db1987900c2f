"""Losses of the residual in NumPy."""

import numpy as np


def squared_error(y, x, half=False):
    r = x - y
    return r * r / 2 if half else r * r


def squared_error_grad(y, x, half=False):
    return x - y if half else 2 * (x - y)


def absolute_error(y, x):
    return np.abs(x - y)


def absolute_error_grad(y, x):
    return np.sign(x - y)


def mean_bias(y, x):
    return x - y


def mean_bias_grad(y, x):
    return np.ones_like(x)


def quantile(y, x, alpha=0.5):
    r = x - y
    return np.maximum((1 - alpha) * r, -alpha * r)


def quantile_grad(y, x, alpha=0.5):
    return np.where(x > y, x.dtype.type(1 - alpha), x.dtype.type(-alpha))


def expectile(y, x, alpha=0.5):
    r = x - y
    return r * ((1 - alpha) * np.maximum(r, 0) + alpha * np.minimum(r, 0))


def expectile_grad(y, x, alpha=0.5):
    r = x - y
    return 2 * (1 - alpha) * np.maximum(r, 0) + 2 * alpha * np.minimum(r, 0)


def linex(y, x, a=1.0, b=1.0):
    z = a * (x - y)
    return b * (np.expm1(z) - z)


def linex_grad(y, x, a=1.0, b=1.0):
    return a * b * np.expm1(a * (x - y))


def epsilon_insensitive(y, x, epsilon=0.1):
    return np.maximum(np.abs(x - y) - epsilon, 0)


def epsilon_insensitive_grad(y, x, epsilon=0.1):
    r = x - y
    return np.sign(r) * (np.abs(r) > epsilon)


def squared_epsilon_insensitive(y, x, epsilon=0.1):
    return epsilon_insensitive(y, x, epsilon) ** 2


def squared_epsilon_insensitive_grad(y, x, epsilon=0.1):
    return 2 * np.sign(x - y) * epsilon_insensitive(y, x, epsilon)


def lp(y, x, p=2.0):
    return np.abs(x - y) ** p


def lp_grad(y, x, p=2.0):
    r = x - y
    return p * np.sign(r) * np.abs(r) ** (p - 1)
