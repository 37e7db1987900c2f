"""Losses of a label for each class in NumPy, one value for each row."""

import numpy as np

from tests.reference.elementwise.binary import sigmoid, softplus


def _weights(y, x, class_weight):
    return np.ones(x.shape[1], x.dtype) if class_weight is None else np.array(class_weight, x.dtype)


def multilabel_soft_margin(y, x, class_weight):
    return (_weights(y, x, class_weight) * softplus(np.where(y > 0, -x, x))).mean(axis=1)


def multilabel_soft_margin_grad(y, x, class_weight):
    return _weights(y, x, class_weight) * (sigmoid(x) - (y > 0)) / x.shape[1]


def multilabel_margin(y, x):
    return _pairs(y, x).sum(axis=(1, 2)) / x.shape[1]


def multilabel_margin_grad(y, x):
    inside = (_pairs(y, x) > 0).astype(x.dtype)
    return (inside.sum(axis=1) - inside.sum(axis=2)) / x.shape[1]


def _pairs(y, x):
    """What class i of each row lacks to a margin of 1 below class j, where j is true and i is false, else 0."""
    true = y > 0
    return np.where(
        true[:, :, np.newaxis] & ~true[:, np.newaxis], np.maximum(1 - x[:, :, np.newaxis] + x[:, np.newaxis], 0), 0
    )
