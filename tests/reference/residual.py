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


def quantile(y, x, quantile=0.5):
    r = x - y
    return np.maximum((1 - quantile) * r, -quantile * r)


def quantile_grad(y, x, quantile=0.5):
    return np.where(x > y, x.dtype.type(1 - quantile), x.dtype.type(-quantile))


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


def fair(y, x, c=1.3998):
    s = np.abs(x - y) / c
    return c**2 * (s - np.log1p(s))


def fair_grad(y, x, c=1.3998):
    r = x - y
    return r / (1 + np.abs(r) / c)


def cauchy(y, x, c=2.3849):
    return c**2 / 2 * np.log1p(((x - y) / c) ** 2)


def cauchy_grad(y, x, c=2.3849):
    r = x - y
    return r / (1 + (r / c) ** 2)


def tukey(y, x, c=4.685):
    u = np.minimum(((x - y) / c) ** 2, 1)
    return c**2 / 6 * u * (3 - u * (3 - u))


def tukey_grad(y, x, c=4.685):
    r = x - y
    return r * (1 - np.minimum((r / c) ** 2, 1)) ** 2


def welsch(y, x, c=2.985):
    return -(c**2) / 2 * np.expm1(-(((x - y) / c) ** 2))


def welsch_grad(y, x, c=2.985):
    r = x - y
    return r * np.exp(-((r / c) ** 2))


def geman_mcclure(y, x, c=1.0):
    u = ((x - y) / c) ** 2
    return c**2 / 2 * u / (1 + u)


def geman_mcclure_grad(y, x, c=1.0):
    r = x - y
    return r / (1 + (r / c) ** 2) ** 2


def barron(y, x, alpha=1.0, c=1.0):
    u, k = ((x - y) / c) ** 2, abs(alpha - 2)
    if alpha == 2:
        return u / 2
    if alpha == 0:
        return np.log1p(u / 2)
    return k / alpha * np.expm1(alpha / 2 * np.log1p(u / k))


def barron_grad(y, x, alpha=1.0, c=1.0):
    r, k = x - y, abs(alpha - 2)
    if alpha == 2:
        return r / c**2
    return r / c**2 * np.exp((alpha / 2 - 1) * np.log1p((r / c) ** 2 / k))


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


def wing(y, x, width=10.0, curvature=2.0):
    r = np.abs(x - y)
    m = np.minimum(r, width)
    return width * np.log1p(m / curvature) + (r - m)


def wing_grad(y, x, width=10.0, curvature=2.0):
    r = x - y
    size = np.abs(r)
    return np.sign(r) * np.where(size < width, width / (curvature + size), size.dtype.type(1))


def student_t_nll(y, x, df=3.0, scale=1.0):
    return (df + 1) / 2 * np.log1p(((x - y) / scale) ** 2 / df)


def student_t_nll_grad(y, x, df=3.0, scale=1.0):
    r = x - y
    return (df + 1) * r / (df * scale**2 + r * r)
