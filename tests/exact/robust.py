"""Robust losses in mpmath."""

from mpmath import exp, log, log1p, mp, mpf, sqrt


def huber(y, x, delta):
    r = abs(x - y)
    return r**2 / 2 if r <= delta else delta * (r - delta / 2)


def huber_kinks(y, delta):
    return [y - delta, y + delta]


def smooth_l1(y, x, beta):
    return huber(y, x, beta) / beta if beta else abs(x - y)


def smooth_l1_kinks(y, beta):
    return [y - beta, y + beta]


def log_cosh(y, x):
    r = abs(x - y)
    tail = exp(-2 * r) if r < 10**4 else mpf(0)
    return log1p(_cosh_less_1(r)) if r < 1 else r + log1p(tail) - log(mpf(2))


def _cosh_less_1(r):
    return 2 * mp.sinh(r / 2) ** 2


def pseudo_huber(y, x, delta):
    u = ((x - y) / delta) ** 2
    return delta**2 * u / (sqrt(1 + u) + 1)


def fair(y, x, c):
    s = abs(x - y) / c
    return c**2 * (s - log1p(s))


def fair_kinks(y, c):
    return [y]


def wing(y, x, width, curvature):
    r = abs(x - y)
    if r < width:
        return width * log1p(r / curvature)
    return r - width + width * log1p(width / curvature)


def wing_kinks(y, width, curvature):
    return [y - width, y, y + width]
