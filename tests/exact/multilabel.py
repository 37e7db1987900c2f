"""Losses of a label for each class in mpmath, for one row: the textbook formulas."""

from mpmath import fsum, mpf

from tests.exact.binary import softplus


def multilabel_soft_margin(y, x, class_weight):
    c = [mpf(1)] * len(x) if class_weight is None else [mpf(w) for w in class_weight]
    return fsum(w * softplus(-v if t else v) for w, t, v in zip(c, y, x, strict=True)) / len(x)


def _pairs(y, x):
    return [(v, u) for v, t in zip(x, y, strict=True) for u, s in zip(x, y, strict=True) if t and not s]


def multilabel_margin(y, x):
    return fsum(max(mpf(0), 1 - v + u) for v, u in _pairs(y, x)) / len(x)


def multilabel_margin_terms(y, x):
    return fsum(1 + abs(v) + abs(u) for v, u in _pairs(y, x) if 1 - v + u > 0) / len(x)
