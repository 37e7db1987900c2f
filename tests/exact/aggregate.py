"""Losses of the whole sample: of lists of targets, predictions and weights."""

from sympy import log, sqrt


def _mean(v, w):
    return sum(a * b for a, b in zip(v, w, strict=True)) / sum(w)


def _variance(v, w):
    return _mean([(a - _mean(v, w)) ** 2 for a in v], w)


def _residuals(y, x):
    return [b - a for a, b in zip(y, x, strict=True)]


def root_mean_squared_error(y, x, w):
    return sqrt(_mean([r**2 for r in _residuals(y, x)], w))


def root_mean_squared_log_error(y, x, w):
    return root_mean_squared_error([log(1 + a) for a in y], [log(1 + b) for b in x], w)


def fraction_of_variance_unexplained(y, x, w):
    return _mean([r**2 for r in _residuals(y, x)], w) / _variance(y, w)


def unexplained_variance(y, x, w):
    return _variance(_residuals(y, x), w) / _variance(y, w)
