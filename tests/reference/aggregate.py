"""Losses of the whole sample: one number, with optional weights."""

import numpy as np


def root_mean_squared_error(y, x, weight=None):
    return np.sqrt(np.average(np.square(x - y), weights=weight))


def root_mean_squared_error_grad(y, x, weight=None):
    return _share(y, weight) * (x - y) / root_mean_squared_error(y, x, weight)


def root_mean_squared_log_error(y, x, weight=None):
    return root_mean_squared_error(np.log1p(y), np.log1p(x), weight)


def root_mean_squared_log_error_grad(y, x, weight=None):
    return root_mean_squared_error_grad(np.log1p(y), np.log1p(x), weight) / (1 + x)


def fraction_of_variance_unexplained(y, x, weight=None):
    return np.average(np.square(x - y), weights=weight) / _variance(y, weight)


def fraction_of_variance_unexplained_grad(y, x, weight=None):
    return 2 * _share(y, weight) * (x - y) / _variance(y, weight)


def unexplained_variance(y, x, weight=None):
    return _variance(x - y, weight) / _variance(y, weight)


def unexplained_variance_grad(y, x, weight=None):
    r = x - y
    return 2 * _share(y, weight) * (r - np.average(r, weights=weight)) / _variance(y, weight)


def _variance(v, weight):
    return np.average(np.square(v - np.average(v, weights=weight)), weights=weight)


def _share(y, weight):
    return 1 / y.size if weight is None else weight / np.sum(weight)
