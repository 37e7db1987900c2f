"""Losses of a label for each class in NumPy, one value for each row."""

import numpy as np

from tests.reference.binary import sigmoid, softplus


def _weights(y, x, class_weight):
    return np.ones(x.shape[1], x.dtype) if class_weight is None else np.array(class_weight, x.dtype)


def multilabel_soft_margin(y, x, class_weight):
    return (_weights(y, x, class_weight) * softplus(np.where(y > 0, -x, x))).mean(axis=1)


def multilabel_soft_margin_grad(y, x, class_weight):
    return _weights(y, x, class_weight) * (sigmoid(x) - (y > 0)) / x.shape[1]


def multilabel_margin(y, x):
    return np.array([_pairs(t, v).sum() / len(v) for t, v in zip(y > 0, x, strict=True)], x.dtype)


def multilabel_margin_grad(y, x):
    grad = np.zeros_like(x)
    for t, v, slopes in zip(y > 0, x, grad, strict=True):
        inside = _pairs(t, v) > 0
        slopes[t], slopes[~t] = -inside.sum(axis=1), inside.sum(axis=0)
    return grad / x.shape[1]


def _pairs(true, x):
    return np.maximum(1 - x[true][:, np.newaxis] + x[~true], 0)
