"""Every elementwise loss against one symbolic formula of its value, which SymPy differentiates."""

import numpy as np
import pytest
from mpmath import mp

from tests.inputs import draw
from tests.support import LOSSES, additive, generator

pytest.importorskip("sympy")
import sympy
from sympy import E, Piecewise, Rational, cosh, exp, log, pi, sqrt, tanh

ELEMENTWISE = [loss for loss in additive(LOSSES) if not loss.rowwise]


def either(condition, then, otherwise):
    return Piecewise((then, condition), (otherwise, True))


def absolute(r):
    return either(r > 0, r, -r)


def larger(a, b):
    return either(a > b, a, b)


def softplus(z):
    return log(1 + exp(z))


def sigmoid(z):
    return 1 / (1 + exp(-z))


def entropy(y, z):
    return y * softplus(-z) + (1 - y) * softplus(z)


# Of the residual, likelihoods, relative --------------------------------------------------------------

FORMULAS = {
    "squared_error": lambda y, x, half: (x - y) ** 2 / (2 if half else 1),
    "absolute_error": lambda y, x: absolute(x - y),
    "mean_bias": lambda y, x: x - y,
    "huber": lambda y, x, delta: either(
        absolute(x - y) <= delta, (x - y) ** 2 / 2, delta * (absolute(x - y) - delta / 2)
    ),
    "smooth_l1": lambda y, x, beta: (
        either(absolute(x - y) < beta, (x - y) ** 2 / (2 * beta), absolute(x - y) - beta / 2)
        if beta
        else absolute(x - y)
    ),
    "log_cosh": lambda y, x: log(cosh(x - y)),
    "pseudo_huber": lambda y, x, delta: delta**2 * (sqrt(1 + ((x - y) / delta) ** 2) - 1),
    "quantile": lambda y, x, alpha: either(x > y, (1 - alpha) * (x - y), alpha * (y - x)),
    "expectile": lambda y, x, alpha: either(x > y, 1 - alpha, alpha) * (x - y) ** 2,
    "linex": lambda y, x, a, b: b * (exp(a * (x - y)) - 1 - a * (x - y)),
    "fair": lambda y, x, c: c**2 * (absolute(x - y) / c - log(1 + absolute(x - y) / c)),
    "cauchy": lambda y, x, c: c**2 / 2 * log(1 + ((x - y) / c) ** 2),
    "tukey": lambda y, x, c: either(absolute(x - y) < c, c**2 / 6 * (1 - (1 - ((x - y) / c) ** 2) ** 3), c**2 / 6),
    "welsch": lambda y, x, c: c**2 / 2 * (1 - exp(-(((x - y) / c) ** 2))),
    "geman_mcclure": lambda y, x, c: (x - y) ** 2 / 2 / (1 + ((x - y) / c) ** 2),
    "barron": lambda y, x, alpha, c: barron(((x - y) / c) ** 2, alpha),
    "epsilon_insensitive": lambda y, x, epsilon: larger(absolute(x - y) - epsilon, 0),
    "squared_epsilon_insensitive": lambda y, x, epsilon: larger(absolute(x - y) - epsilon, 0) ** 2,
    "lp": lambda y, x, p: absolute(x - y) ** p,
    "wing": lambda y, x, width, curvature: either(
        absolute(x - y) < width,
        width * log(1 + absolute(x - y) / curvature),
        absolute(x - y) - width + width * log(1 + width / curvature),
    ),
    "student_t_nll": lambda y, x, df, scale: (df + 1) / 2 * log(1 + (x - y) ** 2 / (df * scale**2)),
    "squared_log_error": lambda y, x: (log(1 + x) - log(1 + y)) ** 2,
    "absolute_percentage_error": lambda y, x, epsilon, scale: scale * absolute(x - y) / larger(absolute(y), epsilon),
    "squared_percentage_error": lambda y, x, epsilon: (x - y) ** 2 / larger(absolute(y), epsilon) ** 2,
    "symmetric_absolute_percentage_error": lambda y, x: 2 * absolute(x - y) / (absolute(x) + absolute(y)),
    "poisson_nll": lambda y, x, log_input, full, eps: (
        (exp(x) - y * x if log_input else x - y * log(x + eps))
        + (either(y > 1, y * log(y) - y + log(2 * pi * y) / 2, 0) if full else 0)
    ),
    "gamma_nll": lambda y, x: x + y * exp(-x),
    "tweedie": lambda y, x, power, link: tweedie(y, exp(x) if link == "log" else x, power),
    "poisson_deviance": lambda y, x: tweedie_deviance(y, x, 1),
    "gamma_deviance": lambda y, x: tweedie_deviance(y, x, 2),
    "tweedie_deviance": lambda y, x, power: tweedie_deviance(y, x, power) if power else (x - y) ** 2,
}


def barron(u, alpha):
    if alpha == 2:
        return u / 2
    if alpha == 0:
        return log(1 + u / 2)
    k = abs(alpha - 2)
    return k / alpha * ((1 + u / k) ** (alpha / 2) - 1)


def tweedie(y, mean, power):
    first = log(mean) if power == 2 else mean ** (2 - power) / (2 - power)
    second = log(mean) if power == 1 else mean ** (1 - power) / (1 - power)
    return first - y * second


def tweedie_deviance(y, mean, power):
    if power == 1:
        return 2 * (mean - y + either(y > 0, y * log(y / mean), 0))
    if power == 2:
        return 2 * (log(mean / y) + y / mean - 1)
    of_itself = either(y > 0, y ** (2 - power), 0) / ((1 - power) * (2 - power))
    return 2 * (tweedie(y, mean, power) + of_itself)


# Of a margin, whose target is 1 or -1 ----------------------------------------------------------------


def wasserstein(s, x):
    return -s * x


def least_squares(s, x):
    return (x - (s + 1) / 2) ** 2 / 2


FORMULAS |= {
    "hinge": lambda s, x, margin: larger(margin - s * x, 0),
    "squared_hinge": lambda s, x, margin: larger(margin - s * x, 0) ** 2,
    "smoothed_hinge": lambda s, x, gamma: Piecewise(
        (0, s * x >= 1), ((1 - s * x) ** 2 / (2 * gamma), s * x >= 1 - gamma), (1 - s * x - gamma / 2, True)
    ),
    "modified_huber": lambda s, x: Piecewise((0, s * x >= 1), ((1 - s * x) ** 2, s * x >= -1), (-4 * s * x, True)),
    "perceptron": lambda s, x: larger(-s * x, 0),
    "soft_margin": lambda s, x: softplus(-s * x),
    "exponential": lambda s, x: exp(-s * x),
    "savage": lambda s, x: sigmoid(-2 * s * x) ** 2,
    "sigmoid_loss": lambda s, x: 1 - tanh(s * x),
    "hinge_embedding": lambda s, x, margin: either(s > 0, x, larger(margin - x, 0)),
    "gan_discriminator": lambda s, x, mode: {
        "bce": softplus(-s * x), "ls": least_squares(s, x), "wgan": wasserstein(s, x), "hinge": larger(1 - s * x, 0),
    }[mode],
    "gan_generator": lambda s, x, mode: {
        "bce": softplus(-s * x), "minimax": -softplus(s * x), "ls": least_squares(s, x), "wgan": wasserstein(s, x),
        "hinge": wasserstein(s, x),
    }[mode],
    "dpo": lambda y, x, beta, label_smoothing: entropy(
        (1 - label_smoothing) * y + label_smoothing * (1 - y), beta * x
    ),
    "ipo": lambda s, x, beta: (s * x - 1 / (2 * beta)) ** 2,
    "kto": lambda s, x, beta: 1 - sigmoid(beta * s * x),
    "zero_one": lambda s, x, threshold: either((x > threshold) & (s < 0) | (x <= threshold) & (s > 0), 1, 0),
}  # fmt: skip


# Of a label or a probability ------------------------------------------------------------------------


def balance(y, alpha):
    return alpha * y + (1 - alpha) * (1 - y) if alpha >= 0 else 1


def wrong(y, z):
    return y * sigmoid(-z) + (1 - y) * sigmoid(z)


def clipped(p, eps):
    return Piecewise((eps, p < eps), (1 - eps, p > 1 - eps), (p, True)) if eps else p


def clamped(value, least):
    return larger(value, least) if least else value


FORMULAS |= {
    "binary_cross_entropy_with_logits": lambda y, z, pos_weight, label_smoothing: (
        pos_weight * smooth(y, label_smoothing) * softplus(-z) + (1 - smooth(y, label_smoothing)) * softplus(z)
    ),
    "binary_cross_entropy": lambda y, p, eps, log_clamp: (
        -y * clamped(log(clipped(p, eps)), log_clamp) - (1 - y) * clamped(log(1 - clipped(p, eps)), log_clamp)
    ),
    "sigmoid_focal": lambda y, z, alpha, gamma: balance(y, alpha) * wrong(y, z) ** gamma * entropy(y, z),
    "reduced_focal": lambda y, z, threshold, gamma, alpha: (
        balance(y, alpha) * either(1 - wrong(y, z) < threshold, 1, (wrong(y, z) / threshold) ** gamma) * entropy(y, z)
    ),
    "asymmetric_loss": lambda y, z, gamma_neg, gamma_pos, clip: either(
        y > 0,
        -(sigmoid(-z) ** gamma_pos) * log(sigmoid(z)),
        either(sigmoid(z) > clip, -((sigmoid(z) - clip) ** gamma_neg) * log(1 - (sigmoid(z) - clip)), 0),
    ),
    "brier_with_logits": lambda y, z: (sigmoid(z) - y) ** 2,
    "brier_score": lambda y, p: (p - y) ** 2,
    "cross_entropy_lambda": lambda y, z, exposure: (
        -y * log(1 - exp(-exposure * softplus(z))) + (1 - y) * exposure * softplus(z)
    ),
    "slide": lambda y, z, mu: slide_weight(y, max(mu, Rational(0.2))) * entropy(y, z),
}


def smooth(y, share):
    return (1 - share) * y + share / 2


def slide_weight(y, mean):
    return Piecewise((1, y <= mean - Rational(0.1)), (E / exp(mean), y < mean), (E / exp(y), True))


# Of two predictions ---------------------------------------------------------------------------------


def gaussian_nll(y, mean, variance, full, eps):
    v = larger(variance, eps)
    return (log(v) + (mean - y) ** 2 / v) / 2 + (log(2 * pi) / 2 if full else 0)


FORMULAS |= {
    "gaussian_nll": gaussian_nll,
    "gaussian_nll_log_sigma": lambda y, mean, s: s + (mean - y) ** 2 * exp(-2 * s) / 2,
    "laplace_nll": lambda y, mean, s: s + log(2) + absolute(mean - y) * exp(-s),
    "margin_ranking": lambda s, a, b, margin: larger(margin - s * (a - b), 0),
}


def derivatives(formula, predictions):
    """The value and for each prediction the first and second derivative, as functions of target and predictions."""
    y = sympy.Symbol("y", real=True)
    symbols = sympy.symbols(f"x:{predictions}", real=True)
    value = sympy.sympify(formula(y, *symbols))
    first = [value.diff(x) for x in symbols]
    second = [slope.diff(x) for slope, x in zip(first, symbols, strict=True)]
    return sympy.lambdify((y, *symbols), [value, first, second], "mpmath", cse=True)


def exact(parameters):
    return {name: Rational(value) if type(value) is float else value for name, value in parameters.items()}


@pytest.mark.parametrize("loss", ELEMENTWISE, ids=repr)
def test_derivatives_are_those_of_the_formula(loss):
    y, x = draw(loss, 24, np.float64, generator(loss, "symbolic"))
    value = loss(y, x, reduction="none")
    grad, hess = loss.grad_and_hess(y, x, reduction="none")
    parameters = exact(loss.parameters())
    name = loss.function_name
    if name == "multi_quantile":
        columns = range(x.shape[1])
        rows = [(y, x[:, k : k + 1], value[:, k], grad[:, k : k + 1], hess[:, k : k + 1]) for k in columns]
        formulas = [lambda y, x, q=q: FORMULAS["quantile"](y, x, Rational(q)) for q in loss.quantiles]
    else:
        rows = [(y, *(array.reshape(len(y), -1) for array in (x, value, grad, hess)))]
        formulas = [lambda *arguments: FORMULAS[name](*arguments, **parameters)]
    for formula, (targets, predictions, *found) in zip(formulas, rows, strict=True):
        function = derivatives(formula, predictions.shape[1])
        for i, (target, prediction) in enumerate(zip(targets, predictions, strict=True)):
            with mp.workdps(60):
                point = [mp.mpf(float(number)) for number in (target, *prediction)]
                wanted = function(*point)
            for what, result in zip(wanted, found, strict=True):
                np.testing.assert_allclose(
                    np.ravel(result[i]), np.array(what, float).ravel(), rtol=1e-9, atol=1e-13, err_msg=f"{point}"
                )


def test_every_formula_is_of_a_loss():
    assert FORMULAS.keys() | {"multi_quantile"} == {loss.function_name for loss in ELEMENTWISE}
