"""Losses of an order of the classes."""

import numpy as np

from tests.reference.rowwise.softmax import log_softmax


def list_net(y, x):
    return -(np.exp(log_softmax(y)) * log_softmax(x)).sum(axis=-1)


def list_net_grad(y, x):
    return np.exp(log_softmax(x)) - np.exp(log_softmax(y))


def _ranked(y, x):
    """The order by relevance, the scores in it, and the log-sum-exp from each place on."""
    order = np.argsort(-y, axis=-1, kind="stable")
    z = np.take_along_axis(x, order, axis=-1)
    return order, z, np.logaddexp.accumulate(z[:, ::-1], axis=-1)[:, ::-1]


def list_mle(y, x):
    _, z, lse = _ranked(y, x)
    return (lse - z).sum(axis=-1)


def list_mle_grad(y, x):
    order, z, lse = _ranked(y, x)
    ranked = np.exp(z + np.logaddexp.accumulate(-lse, axis=-1)) - 1
    grad = np.empty_like(x)
    np.put_along_axis(grad, order, ranked, axis=-1)
    return grad
