"""Losses of preferences."""

from tests.reference.elementwise.binary import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_grad,
    sigmoid,
)
from tests.reference.elementwise.margin import _sign


def dpo(y, x, beta=0.1, label_smoothing=0.0):
    return binary_cross_entropy_with_logits((1 - label_smoothing) * y + label_smoothing * (1 - y), beta * x)


def dpo_grad(y, x, beta=0.1, label_smoothing=0.0):
    return beta * binary_cross_entropy_with_logits_grad((1 - label_smoothing) * y + label_smoothing * (1 - y), beta * x)


def ipo(y, x, beta=0.1):
    return (_sign(y) * x - 1 / (2 * beta)) ** 2


def ipo_grad(y, x, beta=0.1):
    s = _sign(y)
    return 2 * s * (s * x - 1 / (2 * beta))


def kto(y, x, beta=0.1):
    return sigmoid(-beta * _sign(y) * x)


def kto_grad(y, x, beta=0.1):
    s = _sign(y)
    p = sigmoid(-beta * s * x)
    return -beta * s * p * (1 - p)
