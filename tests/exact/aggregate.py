"""Losses of the whole sample, of sequences of targets, predictions and weights."""

from mpmath import fsum, log1p, sqrt


def _mean(v, w):
    return fsum(a * b for a, b in zip(v, w, strict=True)) / fsum(w)


def _variance(v, w):
    mean = _mean(v, w)
    return _mean([(a - mean) ** 2 for a in v], w)


def root_mean_squared_error(y, x, w):
    return sqrt(_mean([(b - a) ** 2 for a, b in zip(y, x, strict=True)], w))


def root_mean_squared_log_error(y, x, w):
    return root_mean_squared_error(list(map(log1p, y)), list(map(log1p, x)), w)


def fraction_of_variance_unexplained(y, x, w):
    return _mean([(b - a) ** 2 for a, b in zip(y, x, strict=True)], w) / _variance(y, w)


def unexplained_variance(y, x, w):
    return _variance([b - a for a, b in zip(y, x, strict=True)], w) / _variance(y, w)
