"""Losses of a label for each class in mpmath, for one row: the textbook formulas."""

from mpmath import fsum, mpf

from tests.exact.binary import softplus


def multilabel_soft_margin(y, x, class_weight):
    c = [mpf(1)] * len(x) if class_weight is None else [mpf(w) for w in class_weight]
    return fsum(w * softplus(-v if t else v) for w, t, v in zip(c, y, x, strict=True)) / len(x)
