"""Losses of the residual in mpmath."""

from mpmath import expm1, mpf


def squared_error(y, x, half):
    return (x - y) ** 2 / (2 if half else 1)


def absolute_error(y, x):
    return abs(x - y)


def absolute_error_kinks(y):
    return [y]


def mean_bias(y, x):
    return x - y


def quantile(y, x, alpha):
    return max(alpha * (y - x), (alpha - 1) * (y - x))


def quantile_kinks(y, alpha):
    return [y]


def expectile(y, x, alpha):
    return (alpha if y > x else 1 - alpha) * (x - y) ** 2


def expectile_kinks(y, alpha):
    return [y]


def linex(y, x, a, b):
    z = a * (x - y)
    return b * (expm1(z) - z)


def epsilon_insensitive(y, x, epsilon):
    return max(abs(x - y) - epsilon, mpf(0))


def epsilon_insensitive_kinks(y, epsilon):
    return [y - epsilon, y + epsilon]


def epsilon_insensitive_terms(y, x, epsilon):
    return abs(x - y) + epsilon


def squared_epsilon_insensitive(y, x, epsilon):
    return epsilon_insensitive(y, x, epsilon) ** 2


squared_epsilon_insensitive_kinks = epsilon_insensitive_kinks


def squared_epsilon_insensitive_terms(y, x, epsilon):
    return 2 * epsilon_insensitive(y, x, epsilon) * (abs(x - y) + epsilon)


def squared_epsilon_insensitive_grad_terms(y, x, epsilon):
    return 2 * (abs(x - y) + epsilon)


def lp(y, x, p):
    r = abs(x - y)
    return r**p if r else mpf(0)


def lp_kinks(y, p):
    return [y] if p != 2 else []
