"""Redescending losses in mpmath."""

from mpmath import exp, expm1, log1p, mpf


def cauchy(y, x, c):
    return c**2 / 2 * log1p(((x - y) / c) ** 2)


def tukey(y, x, c):
    u = ((x - y) / c) ** 2
    return c**2 / 6 * (1 - (1 - min(u, 1)) ** 3)


def welsch(y, x, c):
    u = ((x - y) / c) ** 2
    return -(c**2) / 2 * (expm1(-u) if u < 10**5 else -1)


def geman_mcclure(y, x, c):
    r = x - y
    return r**2 / 2 / (1 + (r / c) ** 2)


def barron(y, x, alpha, c):
    u, k = ((x - y) / c) ** 2, abs(alpha - 2)
    if k == 0:
        return u / 2
    if alpha == 0:
        return log1p(u / 2)
    exponent = alpha / 2 * log1p(u / k)
    return k / alpha * (expm1(exponent) if exponent > -(10**5) else -1)


def barron_hess_terms(y, x, alpha, c):
    if alpha in (0, 2):
        return mpf(0)
    w = ((x - y) / c) ** 2 / abs(alpha - 2)
    exponent = (alpha / 2 - 2) * log1p(w)
    return exp(exponent) * (1 + abs(alpha - 1) * w) / c**2 if exponent > -(10**5) else mpf(0)


def student_t_nll(y, x, df, scale):
    return (df + 1) / 2 * log1p(((x - y) / scale) ** 2 / df)
