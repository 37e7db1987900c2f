"""Losses of distributions, orders and single classes in mpmath, of one row: the textbook formulas."""

from mpmath import exp, fsum, log, mpf

from tests.exact.softmax import log_sum_exp, weight


def negative_log_likelihood(y, x, class_weight):
    return -weight(y, class_weight) * x[y]


def multiclass_zero_one(y, x, class_weight):
    return weight(y, class_weight) * (x.index(max(x)) != y)


def multiclass_brier(y, x):
    lse = log_sum_exp(x)
    t = [mpf(k == y) for k in range(len(x))] if isinstance(y, int) else y
    return fsum((exp(v - lse) - u) ** 2 for u, v in zip(t, x, strict=True))


def list_net(y, x):
    top, lse = log_sum_exp(y), log_sum_exp(x)
    return fsum(exp(u - top) * (lse - v) for u, v in zip(y, x, strict=True))


def list_mle(y, x):
    z = [v for _, v in sorted(zip(y, x, strict=True), key=lambda item: -item[0])]
    return fsum(log(fsum(exp(v) for v in z[i:])) - z[i] for i in range(len(z)))
