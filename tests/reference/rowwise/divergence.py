"""Divergences of rows in NumPy, one value for each row."""

import numpy as np

from tests.reference.rowwise.softmax import log_softmax


def _logs(y, x, scores, log_target):
    """Targets, their logarithms, and those of the probabilities."""
    t, log_t = (np.exp(y), y) if log_target else (y, np.log(y))
    return t, log_t, log_softmax(x) if scores == "logits" else x


def _terms(weight, log_ratio):
    return np.where(weight > 0, weight * log_ratio, 0)


def _through_softmax(p, slopes):
    """From derivatives in probabilities to those in logits."""
    return p * (slopes - _terms(p, slopes).sum(axis=-1, keepdims=True))


def forward_kl(y, x, scores, log_target):
    t, log_t, log_p = _logs(y, x, scores, log_target)
    return _terms(t, log_t - log_p).sum(axis=-1)


def forward_kl_grad(y, x, scores, log_target):
    t, _, log_p = _logs(y, x, scores, log_target)
    return t.sum(axis=-1, keepdims=True) * np.exp(log_p) - t if scores == "logits" else -t


def reverse_kl(y, x, scores, log_target):
    _, log_t, log_p = _logs(y, x, scores, log_target)
    return _terms(np.exp(log_p), log_p - log_t).sum(axis=-1)


def reverse_kl_grad(y, x, scores, log_target):
    _, log_t, log_p = _logs(y, x, scores, log_target)
    p, apart = np.exp(log_p), log_p - log_t
    return _through_softmax(p, apart) if scores == "logits" else p * (apart + 1)


def jensen_shannon(y, x, beta, scores, log_target):
    if beta in (0, 1):
        return (forward_kl, reverse_kl)[int(beta)](y, x, scores, log_target)
    t, log_t, log_p = _logs(y, x, scores, log_target)
    p = np.exp(log_p)
    log_m = np.log(beta * t + (1 - beta) * p)
    return (beta * _terms(t, log_t - log_m) + (1 - beta) * _terms(p, log_p - log_m)).sum(axis=-1)


def jensen_shannon_grad(y, x, beta, scores, log_target):
    if beta in (0, 1):
        return (forward_kl_grad, reverse_kl_grad)[int(beta)](y, x, scores, log_target)
    t, _, log_p = _logs(y, x, scores, log_target)
    p = np.exp(log_p)
    slopes = (1 - beta) * (log_p - np.log(beta * t + (1 - beta) * p))
    return _through_softmax(p, slopes) if scores == "logits" else p * slopes


def generalized_kl(y, x):
    return (_terms(y, np.log(y) - x) + np.exp(x) - y).sum(axis=-1)


def generalized_kl_grad(y, x):
    return np.exp(x) - y


def total_variation(y, x):
    return np.abs(x - y).sum(axis=-1) / 2


def total_variation_grad(y, x):
    return np.sign(x - y) / 2


def distillation(y, x, temperature):
    log_t, log_p = log_softmax(y / temperature), log_softmax(x / temperature)
    return temperature**2 * _terms(np.exp(log_t), log_t - log_p).sum(axis=-1)


def distillation_grad(y, x, temperature):
    return temperature * (np.exp(log_softmax(x / temperature)) - np.exp(log_softmax(y / temperature)))
