"""Losses of distributions, orders and single classes in NumPy, one value for each row."""

import numpy as np

from tests.reference.softmax import log_softmax, one_hot


def _weight(y, class_weight, dtype):
    return np.ones(y.shape, dtype) if class_weight is None else np.array(class_weight, dtype)[y]


def negative_log_likelihood(y, x, class_weight):
    return -_weight(y, class_weight, x.dtype) * np.take_along_axis(x, y[..., np.newaxis], axis=-1)[..., 0]


def negative_log_likelihood_grad(y, x, class_weight):
    grad = np.zeros_like(x)
    grad[np.arange(len(y)), y] = -_weight(y, class_weight, x.dtype)
    return grad


def multiclass_zero_one(y, x, class_weight):
    return _weight(y, class_weight, x.dtype) * (x.argmax(axis=-1) != y)


def multiclass_zero_one_grad(y, x, class_weight):
    return np.zeros_like(x)


def _targets(y, x):
    return y if y.ndim == x.ndim else one_hot(y, x.shape[-1], x.dtype)


def multiclass_brier(y, x):
    return np.square(np.exp(log_softmax(x)) - _targets(y, x)).sum(axis=-1)


def multiclass_brier_grad(y, x):
    p = np.exp(log_softmax(x))
    off = p - _targets(y, x)
    return 2 * p * (off - (p * off).sum(axis=-1, keepdims=True))


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
