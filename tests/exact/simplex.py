"""Losses of distributions, orders and single classes in mpmath, of one row: the textbook formulas."""

from mpmath import exp, fsum, log, mpf

from tests.exact.softmax import log_sum_exp, softmax_grad_terms, targets, weight


def negative_log_likelihood(y, x, class_weight):
    return -weight(y, class_weight) * x[y]


def multiclass_zero_one(y, x, class_weight):
    return weight(y, class_weight) * (x.index(max(x)) != y)


def multiclass_brier(y, x):
    lse = log_sum_exp(x)
    return fsum((exp(v - lse) - u) ** 2 for u, v in zip(targets(y, len(x)), x, strict=True))


def multiclass_brier_grad_terms(y, x):
    if isinstance(y, int):
        return [mpf(0)]
    lse = log_sum_exp(x)
    p = [exp(v - lse) for v in x]
    b = fsum(v * (v + t) for v, t in zip(p, y, strict=True))
    return [2 * v * (v + t + b) for v, t in zip(p, y, strict=True)]


def list_net(y, x):
    top, lse = log_sum_exp(y), log_sum_exp(x)
    return fsum(exp(u - top) * (lse - v) for u, v in zip(y, x, strict=True))


def list_net_grad_terms(y, x):
    top = log_sum_exp(y)
    return softmax_grad_terms([exp(u - top) for u in y], x)


def list_mle(y, x):
    z = [v for _, v in sorted(zip(y, x, strict=True), key=lambda item: -item[0])]
    return fsum(log(fsum(exp(v) for v in z[i:])) - z[i] for i in range(len(z)))
