"""The loss of a variational autoencoder."""

import numpy as np

from tests.reference.elementwise import binary, residual

OF_AN_ELEMENT = {
    "binary_cross_entropy_with_logits": binary,
    "binary_cross_entropy": binary,
    "squared_error": residual,
    "absolute_error": residual,
}


def vae(y, x, mean, log_variance, reconstruction="binary_cross_entropy_with_logits", beta=1.0):
    each = getattr(OF_AN_ELEMENT[reconstruction], reconstruction)(y, x)
    divergence = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance))
    return each.reshape(len(y), -1).sum(axis=1) + beta * divergence.reshape(len(y), -1).sum(axis=1)


def vae_grad(y, x, mean, log_variance, reconstruction="binary_cross_entropy_with_logits", beta=1.0):
    grad = getattr(OF_AN_ELEMENT[reconstruction], f"{reconstruction}_grad")(y, x)
    return grad, beta * mean, 0.5 * beta * (np.exp(log_variance) - 1)
