"""Losses of several predictions for each target."""

from sympy import exp, log, pi

from tests.exact.functions import Whole, absolute, cancelling, either, larger, softplus


@cancelling("value", "grad", "hess")
def gaussian_nll(y, mean, variance, full, eps):
    def loss(v):
        return (log(v) + Whole(mean - y) ** 2 / v) / 2 + (log(2 * pi) / 2 if full else 0)

    return either(variance > eps, loss(variance), loss(eps)) if eps else loss(variance)


@cancelling("value", "grad")
def gaussian_nll_log_sigma(y, mean, s):
    return s + Whole(mean - y) ** 2 * exp(-2 * s) / 2


@cancelling("value", "grad")
def laplace_nll(y, mean, s):
    return s + log(2) + absolute(Whole(mean - y)) * exp(-s)


def margin_ranking(y, a, b, margin):
    return larger(margin - y * (a - b), 0)


def bayesian_personalized_ranking(y, a, b):
    return softplus(-y * (a - b))
