"""Negative log-likelihoods of counts and positive amounts."""

import numpy as np


def poisson(y, x, log_input=True, full=False, eps=1e-8):
    values = np.exp(x) - y * x if log_input else x - np.where(y == 0, 0, y * np.log(x + eps))
    if full:
        large = np.maximum(y, 1)
        values += np.where(y > 1, large * np.log(large) - large + 0.5 * np.log(2 * np.pi * large), 0)
    return values


def poisson_grad(y, x, log_input=True, full=False, eps=1e-8):
    return np.exp(x) - y if log_input else 1 - np.where(y == 0, 0, y / (x + eps))


def gamma(y, x):
    return x + y * np.exp(-x)


def gamma_grad(y, x):
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
