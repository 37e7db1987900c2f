"""Losses of the order of two scores."""

import numpy as np

from tests.reference.elementwise.margin import _sign


def margin_ranking(y, x, margin=0.0):
    return np.maximum(0, margin - _sign(y) * (x[..., 0] - x[..., 1]))


def margin_ranking_grad(y, x, margin=0.0):
    slope = _sign(y) * (margin_ranking(y, x, margin) > 0)
    return np.stack([-slope, slope], axis=-1)


def bayesian_personalized_ranking(y, x):
    return np.logaddexp(0, -_sign(y) * (x[..., 0] - x[..., 1]))


def bayesian_personalized_ranking_grad(y, x):
    behind = -_sign(y) * (x[..., 0] - x[..., 1])
    slope = -_sign(y) * np.exp(-np.logaddexp(0, -behind))
    return np.stack([slope, -slope], axis=-1)
