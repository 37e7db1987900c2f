"""Losses of adversarial games."""

from tests.reference.elementwise.binary import sigmoid, softplus
from tests.reference.elementwise.margin import _sign, hinge, hinge_grad, soft_margin, soft_margin_grad


def gan_discriminator(y, x, mode="bce"):
    if mode == "bce":
        return soft_margin(y, x)
    if mode == "ls":
        return (x - (y > 0)) ** 2 / 2
    return -_sign(y) * x if mode == "wgan" else hinge(y, x)


def gan_discriminator_grad(y, x, mode="bce"):
    if mode == "bce":
        return soft_margin_grad(y, x)
    if mode == "ls":
        return x - (y > 0)
    return -_sign(y) if mode == "wgan" else hinge_grad(y, x)


def gan_generator(y, x, mode="bce"):
    if mode == "minimax":
        return -softplus(_sign(y) * x)
    return gan_discriminator(y, x, "wgan" if mode == "hinge" else mode)


def gan_generator_grad(y, x, mode="bce"):
    if mode == "minimax":
        s = _sign(y)
        return -s * sigmoid(s * x)
    return gan_discriminator_grad(y, x, "wgan" if mode == "hinge" else mode)
