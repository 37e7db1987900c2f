"""Losses of one prediction for each target. A label of two classes is 1 or -1 in losses of a margin, else 1 or 0."""

from sympy import E, Max, Piecewise, Rational, cosh, exp, log, pi, sqrt, tanh
from sympy.codegen.cfunctions import expm1

from tests.exact.functions import Whole, absolute, cancelling, either, larger, sigmoid, softplus

# Of the residual ------------------------------------------------------------------------------------


def squared_error(y, x, half):
    return (x - y) ** 2 / (2 if half else 1)


def absolute_error(y, x):
    return absolute(x - y)


def mean_bias(y, x):
    return x - y


def quantile(y, x, alpha):
    return either(x > y, (1 - alpha) * (x - y), alpha * (y - x))


def expectile(y, x, alpha):
    return either(x > y, 1 - alpha, alpha) * (x - y) ** 2


def linex(y, x, a, b):
    return b * (exp(a * (x - y)) - 1 - a * (x - y))


@cancelling("value")
def epsilon_insensitive(y, x, epsilon):
    return larger(absolute(Whole(x - y)) - epsilon, 0)


@cancelling("value", "grad")
def squared_epsilon_insensitive(y, x, epsilon):
    return epsilon_insensitive(y, x, epsilon) ** 2


def lp(y, x, p):
    return (x - y) ** 2 if p == 2 else absolute(x - y) ** p


# Robust ---------------------------------------------------------------------------------------------


def huber(y, x, delta):
    r = absolute(x - y)
    return either(abs(x - y) <= delta, r**2 / 2, delta * (r - delta / 2))


def smooth_l1(y, x, beta):
    return huber(y, x, beta) / beta if beta else absolute(x - y)


def log_cosh(y, x):
    return log(cosh(x - y))


def pseudo_huber(y, x, delta):
    return delta**2 * (sqrt(1 + ((x - y) / delta) ** 2) - 1)


def fair(y, x, c):
    s = absolute(x - y) / c
    return c**2 * (s - log(1 + s))


def wing(y, x, width, curvature):
    r = absolute(x - y)
    return either(abs(x - y) < width, width * log(1 + r / curvature), r - width + width * log(1 + width / curvature))


# Redescending ---------------------------------------------------------------------------------------


def cauchy(y, x, c):
    return c**2 / 2 * log(1 + ((x - y) / c) ** 2)


def tukey(y, x, c):
    return c**2 / 6 * either(abs(x - y) < c, 1 - (1 - ((x - y) / c) ** 2) ** 3, 1)


def welsch(y, x, c):
    return c**2 / 2 * (1 - exp(-(((x - y) / c) ** 2)))


def geman_mcclure(y, x, c):
    return (x - y) ** 2 / 2 / (1 + ((x - y) / c) ** 2)


def _barron_bend(y, x, alpha, c):
    """The factor of the curvature in which terms of one sign or two are added."""
    u, k = ((x - y) / c) ** 2, abs(alpha - 2)
    return (1 + u / k) ** (alpha / 2 - 2) * (1 + abs(alpha - 1) * u / k) / c**2 if alpha not in (0, 2) else 0


@cancelling(hess=_barron_bend)
def barron(y, x, alpha, c):
    u, k = ((x - y) / c) ** 2, abs(alpha - 2)
    if alpha == 2:
        return u / 2
    return k / alpha * ((1 + u / k) ** (alpha / 2) - 1) if alpha else log(1 + u / 2)


def student_t_nll(y, x, df, scale):
    return (df + 1) / 2 * log(1 + ((x - y) / scale) ** 2 / df)


# Relative -------------------------------------------------------------------------------------------


@cancelling("hess")
def squared_log_error(y, x):
    return Whole(log(1 + x) - log(1 + y)) ** 2


def absolute_percentage_error(y, x, epsilon, scale):
    return scale * absolute(x - y) / Max(abs(y), epsilon)


def squared_percentage_error(y, x, epsilon):
    return ((x - y) / Max(abs(y), epsilon)) ** 2


def symmetric_absolute_percentage_error(y, x):
    return either((abs(x) > 0) | (abs(y) > 0), 2 * absolute(x - y) / (absolute(x) + absolute(y)), 0)


# Likelihoods ----------------------------------------------------------------------------------------


@cancelling("value", "grad")
def poisson_nll(y, x, log_input, full, eps):
    stirling = either(y > 1, y * log(y) - y + log(2 * pi * y) / 2, 0) if full else 0
    return stirling + (exp(x) - y * x if log_input else x - either(y > 0, y * log(x + eps), 0))


@cancelling("value", "grad")
def gamma_nll(y, x):
    return x + y * exp(-x)


def _tweedie_slope(y, x, power, link):
    if link == "identity":
        return 1 + abs(y / x) if power == 1 else 0
    return exp((2 - power) * x) + abs(y) * exp((1 - power) * x)


def _tweedie_bend(y, x, power, link):
    if link == "identity":
        return x**-power * (abs(1 - power) + abs(power * y / x)) if power else 0
    return abs(2 - power) * exp((2 - power) * x) + abs((1 - power) * y) * exp((1 - power) * x)


@cancelling("value", grad=_tweedie_slope, hess=_tweedie_bend)
def tweedie(y, x, power, link):
    mean = exp(x) if link == "log" else x
    first = mean ** (2 - power) / (2 - power) if power != 2 else x if link == "log" else log(x)
    second = mean ** (1 - power) / (1 - power) if power != 1 else x if link == "log" else log(x)
    return first - y * second


def _deviance_bend(y, x, power=2):
    return 2 * _tweedie_bend(y, x, power, "identity")


@cancelling("value", hess=_deviance_bend)
def tweedie_deviance(y, x, power):
    if power == 0:
        return Whole(x - y) ** 2
    if power == 1:
        return 2 * (Whole(x - y) + either(y > 0, y * log(y / x), 0))
    if power == 2:
        return 2 * (log(x / y) + Whole(y / x - 1))
    return 2 * (tweedie(y, x, power, "identity") + either(y > 0, y ** (2 - power), 0) / ((1 - power) * (2 - power)))


@cancelling("value")
def poisson_deviance(y, x):
    return tweedie_deviance(y, x, 1)


@cancelling("value", hess=_deviance_bend)
def gamma_deviance(y, x):
    return tweedie_deviance(y, x, 2)


# Of a label or a probability ------------------------------------------------------------------------


def _entropy(y, z):
    return y * softplus(-z) + Whole(1 - y) * softplus(z)


@cancelling("grad")
def binary_cross_entropy_with_logits(y, z, pos_weight, label_smoothing):
    y = Whole((1 - label_smoothing) * y + label_smoothing / 2)
    return pos_weight * y * softplus(-z) + Whole(1 - y) * softplus(z)


def binary_cross_entropy(y, p, eps, log_clamp):
    clipped = Piecewise((eps, p < eps), (1 - eps, p > 1 - eps), (p, True)) if eps else p

    def loss(share, p):
        return either(share > 0, -share * (larger(log(p), log_clamp) if log_clamp else log(p)), 0)

    return loss(y, clipped) + loss(1 - y, 1 - clipped)


@cancelling("grad")
def slide(y, z, mu):
    mean = Max(mu, Rational(0.2))
    return Piecewise((1, y <= mean - Rational(0.1)), (E / exp(mean), y < mean), (E / exp(y), True)) * _entropy(y, z)


@cancelling("grad", "hess")
def cross_entropy_lambda(y, z, exposure):
    u = exposure * softplus(z)
    return -y * log(-expm1(-u)) + Whole(1 - y) * u


def _balance(y, alpha):
    return Whole(alpha * y + (1 - alpha) * (1 - y)) if alpha >= 0 else 1


def _wrong(y, z):
    return Whole(y + Whole(1 - 2 * y) * sigmoid(z))


@cancelling("grad", "hess")
def sigmoid_focal(y, z, alpha, gamma):
    return _balance(y, alpha) * _wrong(y, z) ** gamma * _entropy(y, z)


@cancelling("grad", "hess")
def reduced_focal(y, z, threshold, gamma, alpha):
    m = _wrong(y, z)
    return _balance(y, alpha) * either(1 - m < threshold, 1, (m / threshold) ** gamma) * _entropy(y, z)


@cancelling("hess")
def asymmetric_loss(y, z, gamma_neg, gamma_pos, clip):
    p = Whole(sigmoid(z) - clip)
    right = sigmoid(-z) ** gamma_pos * softplus(-z)
    wrong = p**gamma_neg * (-log(Whole(sigmoid(-z) + clip)) if clip else softplus(z))
    return Piecewise((right, y > 0), (wrong, sigmoid(z) > clip), (0, True))


@cancelling("value", "grad", "hess")
def brier_with_logits(y, z):
    return (Whole(1 - y) * sigmoid(z) - y * sigmoid(-z)) ** 2


def brier_score(y, p):
    return (p - y) ** 2


# Of a margin ----------------------------------------------------------------------------------------


def zero_one(y, x, threshold):
    return either((x > threshold) & (y < 0) | (x <= threshold) & (y > 0), 1, 0)


def hinge(y, x, margin):
    return larger(margin - y * x, 0)


def squared_hinge(y, x, margin):
    return larger(margin - y * x, 0) ** 2


def smoothed_hinge(y, x, gamma):
    t = y * x
    return Piecewise((0, t >= 1), ((1 - t) ** 2 / (2 * gamma), t >= 1 - gamma), (1 - t - gamma / 2, True))


def modified_huber(y, x):
    t = y * x
    return Piecewise((0, t >= 1), ((1 - t) ** 2, t >= -1), (-4 * t, True))


def perceptron(y, x):
    return larger(-y * x, 0)


def soft_margin(y, x):
    return softplus(-y * x)


def exponential(y, x):
    return exp(-y * x)


@cancelling("hess")
def savage(y, x):
    return sigmoid(-2 * y * x) ** 2


def sigmoid_loss(y, x):
    return 1 - tanh(y * x)


def hinge_embedding(y, x, margin):
    return Piecewise((x, y > 0), (margin - x, margin > x), (0, True))


def gan_discriminator(y, x, mode):
    return {"bce": softplus(-y * x), "ls": (x - (y + 1) / 2) ** 2 / 2, "wgan": -y * x, "hinge": larger(1 - y * x, 0)}[
        mode
    ]


def gan_generator(y, x, mode):
    return {"minimax": -softplus(y * x), "hinge": -y * x}.get(mode) or gan_discriminator(y, x, mode)


@cancelling("grad")
def dpo(y, x, beta, label_smoothing):
    return _entropy(Whole((1 - label_smoothing) * y + label_smoothing * (1 - y)), beta * x)


def ipo(y, x, beta):
    return (y * x - 1 / (2 * beta)) ** 2


def kto(y, x, beta):
    return sigmoid(-beta * y * x)
