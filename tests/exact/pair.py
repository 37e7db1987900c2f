"""Losses of two predictions for each target."""

from mpmath import exp, log, mpf, pi


def _gaussian_terms(y, x, v, full, eps):
    v = max(v, eps)
    return log(v) / 2, (x - y) ** 2 / v / 2, log(2 * pi) / 2 if full else mpf(0)


def gaussian_nll(y, x, v, **parameters):
    return sum(_gaussian_terms(y, x, v, **parameters))


def gaussian_nll_terms(y, x, v, **parameters):
    return sum(map(abs, _gaussian_terms(y, x, v, **parameters)))


def gaussian_nll_grad_terms(y, x, v, full, eps):
    v = max(v, eps)
    return (1 / v + ((x - y) / v) ** 2) / 2


def gaussian_nll_hess_terms(y, x, v, full, eps):
    v = max(v, eps)
    return 1 / v**2 / 2 + (x - y) ** 2 / v**3


def gaussian_nll_kinks(y, full, eps):
    return [eps]


def gaussian_nll_log_sigma(y, x, s):
    return s + exp(-2 * s) * (x - y) ** 2 / 2


def gaussian_nll_log_sigma_terms(y, x, s):
    return abs(s) + exp(-2 * s) * (x - y) ** 2 / 2


def gaussian_nll_log_sigma_grad_terms(y, x, s):
    return 1 + exp(-2 * s) * (x - y) ** 2


def laplace_nll(y, x, s):
    return s + log(2) + abs(x - y) * exp(-s)


def laplace_nll_kinks(y):
    return [y]


def laplace_nll_terms(y, x, s):
    return abs(s) + log(2) + abs(x - y) * exp(-s)


def laplace_nll_grad_terms(y, x, s):
    return 1 + abs(x - y) * exp(-s)


def margin_ranking(y, x, z, margin):
    return max(mpf(0), margin - (1 if y > 0 else -1) * (x - z))


def multi_quantile(y, x, quantile):
    return max(quantile * (y - x), (quantile - 1) * (y - x))
