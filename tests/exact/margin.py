"""Losses of a margin in mpmath: the textbook formulas."""

from mpmath import exp, mpf

from tests.exact.binary import sigmoid, softplus


def _sign(y):
    return 1 if y > 0 else -1


def hinge(y, x, margin):
    return max(mpf(0), margin - _sign(y) * x)


def hinge_kinks(y, margin):
    return [_sign(y) * margin]


def squared_hinge(y, x, margin):
    return max(mpf(0), margin - _sign(y) * x) ** 2


squared_hinge_kinks = hinge_kinks


def smoothed_hinge(y, x, gamma):
    t = _sign(y) * x
    if t >= 1:
        return mpf(0)
    return (1 - t) ** 2 / (2 * gamma) if t >= 1 - gamma else 1 - t - gamma / 2


def smoothed_hinge_kinks(y, gamma):
    return [mpf(_sign(y)), _sign(y) * (1 - gamma)]


def modified_huber(y, x):
    t = _sign(y) * x
    return max(mpf(0), 1 - t) ** 2 if t >= -1 else -4 * t


def modified_huber_kinks(y):
    return [mpf(1), mpf(-1)]


def perceptron(y, x):
    return max(mpf(0), -_sign(y) * x)


def perceptron_kinks(y):
    return [mpf(0)]


def soft_margin(y, x):
    return softplus(-_sign(y) * x)


def exponential(y, x):
    return exp(-_sign(y) * x)


def savage(y, x):
    return sigmoid(-2 * _sign(y) * x) ** 2


def savage_hess_terms(y, x):
    p = sigmoid(-2 * _sign(y) * x)
    return 8 * p**2 * (1 - p) * (2 * (1 - p) + p)


def sigmoid_loss(y, x):
    return 2 * sigmoid(-2 * _sign(y) * x)


def hinge_embedding(y, x, margin):
    return x if y > 0 else max(mpf(0), margin - x)


def hinge_embedding_kinks(y, margin):
    return [] if y > 0 else [margin]


# Adversarial games --------------------------------------------------------------------------------


def gan_discriminator(y, x, mode):
    t = _sign(y) * x
    if mode == "bce":
        return softplus(-t)
    if mode == "ls":
        return (x - (y > 0)) ** 2 / 2
    return -t if mode == "wgan" else max(mpf(0), 1 - t)


def gan_discriminator_kinks(y, mode):
    return [mpf(_sign(y))] if mode == "hinge" else []


def gan_generator(y, x, mode):
    t = _sign(y) * x
    if mode == "bce":
        return softplus(-t)
    if mode == "minimax":
        return -softplus(t)
    return (x - (y > 0)) ** 2 / 2 if mode == "ls" else -t


# Preferences --------------------------------------------------------------------------------------


def dpo(y, x, beta, label_smoothing):
    y = (1 - label_smoothing) * y + label_smoothing * (1 - y)
    return y * softplus(-beta * x) + (1 - y) * softplus(beta * x)


def dpo_grad_terms(y, x, beta, label_smoothing):
    y = (1 - label_smoothing) * y + label_smoothing * (1 - y)
    return beta * ((1 - y if x > 0 else y) + sigmoid(-abs(beta * x)))


def ipo(y, x, beta):
    return (_sign(y) * x - 1 / (2 * beta)) ** 2


def kto(y, x, beta):
    return sigmoid(-beta * _sign(y) * x)
