"""Losses of the residual in mpmath."""

from mpmath import exp, expm1, log, log1p, mp, mpf, sqrt


def squared_error(y, x, half):
    return (x - y) ** 2 / (2 if half else 1)


def absolute_error(y, x):
    return abs(x - y)


def absolute_error_kinks(y):
    return [y]


def mean_bias(y, x):
    return x - y


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


def quantile(y, x, quantile):
    return max(quantile * (y - x), (quantile - 1) * (y - x))


def quantile_kinks(y, quantile):
    return [y]


def expectile(y, x, alpha):
    return (alpha if y > x else 1 - alpha) * (x - y) ** 2


def expectile_kinks(y, alpha):
    return [y]


def linex(y, x, a, b):
    z = a * (x - y)
    return b * (expm1(z) - z)


def fair(y, x, c):
    s = abs(x - y) / c
    return c**2 * (s - log1p(s))


def fair_kinks(y, c):
    return [y]


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


def wing(y, x, width, curvature):
    r = abs(x - y)
    if r < width:
        return width * log1p(r / curvature)
    return r - width + width * log1p(width / curvature)


def wing_kinks(y, width, curvature):
    return [y - width, y, y + width]


def student_t_nll(y, x, df, scale):
    return (df + 1) / 2 * log1p(((x - y) / scale) ** 2 / df)
