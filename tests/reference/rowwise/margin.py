"""Losses of the margins of a label in NumPy, one value for each row."""

import numpy as np

from tests.reference.rowwise.softmax import one_hot


def _weight(y, x, class_weight):
    return np.ones(len(y), x.dtype) if class_weight is None else np.array(class_weight, x.dtype)[y]


def _excess(y, x, margin):
    """What each other score is above the label's less the margin, or 0; 0 for the label."""
    rows = np.arange(len(y))
    z = x - (x[rows, y] - x.dtype.type(margin))[:, np.newaxis]
    z[rows, y] = 0
    return np.maximum(z, 0, out=z)


def _balanced(y, slopes):
    """The gradient, whose entry of the label balances the others."""
    slopes[np.arange(len(y)), y] = -slopes.sum(axis=1)
    return slopes


def multi_margin(y, x, margin, class_weight, p):
    z = _excess(y, x, margin)
    return _weight(y, x, class_weight) * (z if p == 1 else z * z).mean(axis=1)


def multi_margin_grad(y, x, margin, class_weight, p):
    z = _excess(y, x, margin)
    slopes = (z > 0).astype(x.dtype) if p == 1 else 2 * z
    return _balanced(y, slopes * (_weight(y, x, class_weight)[:, np.newaxis] / x.shape[1]))


def weston_watkins(y, x, class_weight):
    return x.shape[1] * multi_margin(y, x, 1, class_weight, 1)


def weston_watkins_grad(y, x, class_weight):
    return x.shape[1] * multi_margin_grad(y, x, 1, class_weight, 1)


def _lead(y, x, margin):
    """The other scores, the largest of them, and its lead over the label's own with the margin, NaN if infinite."""
    rows = np.arange(len(y))
    others = x.copy()
    others[rows, y] = -np.inf
    top = others.max(axis=1)
    return others, top, (top - x[rows, y]) + x.dtype.type(margin) + np.where(top == np.inf, np.nan, 0).astype(x.dtype)


def _largest_excess(y, x, margin, class_weight):
    _, _, lead = _lead(y, x, margin)
    return _weight(y, x, class_weight) * np.maximum(lead, 0)


def _two_sided(y, x, margin, class_weight):
    """Classes that share the largest score share its derivative; there is none where the label leads."""
    others, top, lead = _lead(y, x, margin)
    largest = (others == top[:, np.newaxis]).astype(x.dtype)
    apart = largest / largest.sum(axis=1, keepdims=True) - one_hot(y, x.shape[1], x.dtype)
    return _weight(y, x, class_weight)[:, np.newaxis] * np.where((lead > 0)[:, np.newaxis], apart, 0)


def crammer_singer(y, x, class_weight):
    return _largest_excess(y, x, 1, class_weight)


def crammer_singer_grad(y, x, class_weight):
    return _two_sided(y, x, 1, class_weight)


def multiclass_perceptron(y, x, class_weight):
    return _largest_excess(y, x, 0, class_weight)


def multiclass_perceptron_grad(y, x, class_weight):
    return _two_sided(y, x, 0, class_weight)


def multiclass_zero_one(y, x, class_weight):
    return _weight(y, x, class_weight) * (x.argmax(axis=-1) != y)


def multiclass_zero_one_grad(y, x, class_weight):
    return np.zeros_like(x)
