"""Negative log-likelihoods of counts and positive amounts."""

import numpy as np


def poisson_nll(y, x, log_input=True, full=False, eps=1e-8):
    values = np.exp(x) - y * x if log_input else x - np.where(y == 0, 0, y * np.log(x + eps))
    if full:
        large = np.maximum(y, 1)
        values += np.where(y > 1, large * np.log(large) - large + 0.5 * np.log(2 * np.pi * large), 0)
    return values


def poisson_nll_grad(y, x, log_input=True, full=False, eps=1e-8):
    return np.exp(x) - y if log_input else 1 - np.where(y == 0, 0, y / (x + eps))


def gamma_nll(y, x):
    return x + y * np.exp(-x)


def gamma_nll_grad(y, x):
    return 1 - y * np.exp(-x)


def tweedie(y, x, power=1.5, link="log"):
    if power == 1:
        return np.exp(x) - y * x if link == "log" else x - y * np.log(x)
    if power == 2:
        return x + y * np.exp(-x) if link == "log" else np.log(x) + y / x
    if link == "log":
        return np.exp((2 - power) * x) / (2 - power) - y * np.exp((1 - power) * x) / (1 - power)
    return x ** (2 - power) / (2 - power) - y * x ** (1 - power) / (1 - power)


def tweedie_grad(y, x, power=1.5, link="log"):
    if link == "log":
        return np.exp((2 - power) * x) - y * np.exp((1 - power) * x)
    return x ** (1 - power) - y * x**-power


def poisson_deviance(y, x):
    return 2 * (x - y + np.where(y == 0, 0, y * np.log(np.where(y == 0, 1, y) / x)))


def poisson_deviance_grad(y, x):
    return 2 * (x - y) / x


def gamma_deviance(y, x):
    return 2 * (np.log(x / y) + y / x - 1)


def gamma_deviance_grad(y, x):
    return 2 * (x - y) / x**2


def tweedie_deviance(y, x, power=0.0):
    if power == 0:
        return (x - y) ** 2
    if power in (1, 2):
        return (poisson_deviance if power == 1 else gamma_deviance)(y, x)
    least = np.where(y > 0, np.where(y > 0, y, 1) ** (2 - power), 0) / ((1 - power) * (2 - power))
    return 2 * (tweedie(y, x, power, "identity") + least)


def tweedie_deviance_grad(y, x, power=0.0):
    return 2 * x**-power * (x - y)


def student_t_nll(y, x, df=3.0, scale=1.0):
    return (df + 1) / 2 * np.log1p(((x - y) / scale) ** 2 / df)


def student_t_nll_grad(y, x, df=3.0, scale=1.0):
    r = x - y
    return (df + 1) * r / (df * scale**2 + r * r)
