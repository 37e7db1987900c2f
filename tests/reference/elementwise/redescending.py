"""Redescending losses in NumPy."""

import numpy as np


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
