"""Negative log-likelihoods of counts and positive amounts."""

from mpmath import exp, log, mpf, pi


def _poisson_terms(y, x, log_input, full, eps):
    first, second = (exp(x), -y * x) if log_input else (x, -y * log(x + eps) if y else mpf(0))
    stirling = (y * log(y), -y, log(2 * pi * y) / 2) if full and y > 1 else ()
    return [first, second, *stirling]


def poisson_nll(y, x, **parameters):
    return sum(_poisson_terms(y, x, **parameters))


def poisson_nll_terms(y, x, **parameters):
    return sum(map(abs, _poisson_terms(y, x, **parameters)))


def poisson_nll_grad_terms(y, x, log_input, full, eps):
    return exp(x) + y if log_input else 1 + (y / (x + eps) if y else 0)


def poisson_nll_kinks(y, log_input, full, eps):
    """Without eps the derivatives are infinite at a rate of 0."""
    return [] if log_input else [-eps]


def gamma_nll(y, x):
    return x + y * exp(-x)


def gamma_nll_terms(y, x):
    return abs(x) + y * exp(-x)


def gamma_nll_grad_terms(y, x):
    return 1 + y * exp(-x)


def _power(mean, exponent):
    """mean^exponent / exponent, the logarithm where that diverges."""
    return mean**exponent / exponent if exponent else log(mean)


def _tweedie_terms(y, x, power, link):
    if link == "identity" and power == 0:  # the mean may be negative
        return x * x / 2, -y * x
    mean = exp(x) if link == "log" else x
    return _power(mean, 2 - power), -y * _power(mean, 1 - power)


def tweedie(y, x, **parameters):
    return sum(_tweedie_terms(y, x, **parameters))


def tweedie_terms(y, x, **parameters):
    return sum(map(abs, _tweedie_terms(y, x, **parameters)))


def tweedie_grad_terms(y, x, power, link):
    if link == "identity":
        return 1 + abs(y / x) if power == 1 else mpf(0)
    return exp((2 - power) * x) + abs(y) * exp((1 - power) * x)


def tweedie_hess_terms(y, x, power, link):
    if link == "identity" and power == 0:
        return mpf(0)
    if link == "identity":
        return x**-power * (abs(1 - power) + abs(power * y / x))
    return abs(2 - power) * exp((2 - power) * x) + abs((1 - power) * y) * exp((1 - power) * x)


def _deviance_terms(y, x, power):
    if power == 0:
        return ((x - y) ** 2,)
    if power == 1:
        return 2 * x, -2 * y, 2 * y * log(y / x) if y else mpf(0)
    if power == 2:
        return 2 * log(x / y), 2 * y / x, mpf(-2)
    of_itself = max(y, mpf(0)) ** (2 - power) / ((1 - power) * (2 - power))
    return 2 * of_itself, -2 * y * x ** (1 - power) / (1 - power), 2 * x ** (2 - power) / (2 - power)


def tweedie_deviance(y, x, power):
    return sum(_deviance_terms(y, x, power))


def tweedie_deviance_terms(y, x, power):
    """Of the powers 1 and 2, that of the difference and the logarithm: less than the terms where these are close."""
    if power == 1:
        return 2 * abs(x - y) + (2 * y * abs(log(y / x)) if y else 0)
    if power == 2:
        return 2 * abs(log(x / y)) + 2 * abs(1 - y / x)
    return sum(map(abs, _deviance_terms(y, x, power))) if power else mpf(0)


def tweedie_deviance_hess_terms(y, x, power):
    return 2 * x**-power * (abs(1 - power) + abs(power * y / x)) if power else mpf(0)


def poisson_deviance(y, x):
    return tweedie_deviance(y, x, 1)


def poisson_deviance_terms(y, x):
    return tweedie_deviance_terms(y, x, 1)


def gamma_deviance(y, x):
    return tweedie_deviance(y, x, 2)


def gamma_deviance_terms(y, x):
    return tweedie_deviance_terms(y, x, 2)


def gamma_deviance_hess_terms(y, x):
    return tweedie_deviance_hess_terms(y, x, 2)
