"""Losses that are made of others."""

from functools import partial

from sympy import Rational, exp

from tests.exact import elementwise

OF_AN_ELEMENT = {
    "binary_cross_entropy_with_logits": partial(
        elementwise.binary_cross_entropy_with_logits, pos_weight=1, label_smoothing=0
    ),
    "binary_cross_entropy": partial(elementwise.binary_cross_entropy, eps=0, log_clamp=0),
    "squared_error": partial(elementwise.squared_error, half=False),
    "absolute_error": elementwise.absolute_error,
}


def vae(y, x, mean, log_variance, reconstruction, beta):
    each = OF_AN_ELEMENT[reconstruction]
    divergence = sum(-Rational(1, 2) * (1 + v - m**2 - exp(v)) for m, v in zip(mean, log_variance, strict=True))
    return sum(each(a, b) for a, b in zip(y, x, strict=True)) + beta * divergence
