"""Losses of two predictions for each target, and of several quantiles."""

import math

import numpy as np


def gaussian_nll(y, x, full=False, eps=1e-6):
    variance = np.maximum(x[..., 1], eps)
    values = 0.5 * (np.log(variance) + np.square(x[..., 0] - y) / variance)
    return values + 0.5 * np.log(2 * np.pi) if full else values


def gaussian_nll_grad(y, x, full=False, eps=1e-6):
    variance = np.maximum(x[..., 1], eps)
    slope = (x[..., 0] - y) / variance
    return np.stack([slope, np.where(x[..., 1] < eps, 0, 0.5 * (1 / variance - np.square(slope)))], axis=-1)


def gaussian_nll_log_sigma(y, x):
    return x[..., 1] + 0.5 * np.square((x[..., 0] - y) * np.exp(-x[..., 1]))


def gaussian_nll_log_sigma_grad(y, x):
    e = np.exp(-x[..., 1])
    score = (x[..., 0] - y) * e
    return np.stack([score * e, 1 - np.square(score)], axis=-1)


def laplace_nll(y, x):
    return x[..., 1] + math.log(2) + np.abs(x[..., 0] - y) * np.exp(-x[..., 1])


def laplace_nll_grad(y, x):
    r, e = x[..., 0] - y, np.exp(-x[..., 1])
    return np.stack([np.sign(r) * e, 1 - np.abs(r) * e], axis=-1)
