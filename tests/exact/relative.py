"""Regression losses of the prediction relative to the target."""

from mpmath import log1p, mpf


def _log_ratio(y, x):
    return log1p(x) - log1p(y)


def squared_log_error(y, x):
    return _log_ratio(y, x) ** 2


def squared_log_error_hess_terms(y, x):
    return 2 * (1 + abs(_log_ratio(y, x))) / (1 + x) ** 2


def absolute_percentage_error(y, x, epsilon, scale):
    return scale * abs(x - y) / max(abs(y), epsilon)


def absolute_percentage_error_kinks(y, epsilon, scale):
    return [y]


def squared_percentage_error(y, x, epsilon):
    return ((x - y) / max(abs(y), epsilon)) ** 2


def symmetric_absolute_percentage_error(y, x):
    return 2 * abs(x - y) / (abs(x) + abs(y)) if x or y else 0 * x


def symmetric_absolute_percentage_error_kinks(y):
    return [y, mpf(0)]
