"""Losses of several quantiles."""

import numpy as np


def multi_quantile(y, x, quantiles=(0.1, 0.5, 0.9)):
    r = x - y[..., np.newaxis]
    levels = np.asarray(quantiles, x.dtype)
    return np.maximum(-levels * r, (1 - levels) * r)


def multi_quantile_grad(y, x, quantiles=(0.1, 0.5, 0.9)):
    levels = np.asarray(quantiles, x.dtype)
    return np.where(x > y[..., np.newaxis], 1 - levels, -levels)
