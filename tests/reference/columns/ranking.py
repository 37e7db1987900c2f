"""Losses of the order of two scores."""

import numpy as np

from tests.reference.elementwise.margin import _sign


def margin_ranking(y, x, margin=0.0):
    return np.maximum(0, margin - _sign(y) * (x[..., 0] - x[..., 1]))


def margin_ranking_grad(y, x, margin=0.0):
    slope = _sign(y) * (margin_ranking(y, x, margin) > 0)
    return np.stack([-slope, slope], axis=-1)
