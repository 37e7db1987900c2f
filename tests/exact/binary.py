"""Losses of a binary target in mpmath: the textbook formulas."""

from mpmath import exp, expm1, inf, log, log1p, mpf


def softplus(z):
    return z + log1p(exp(-z)) if z > 0 else log1p(exp(z))


def sigmoid(z):
    return 1 / (1 + exp(-z)) if z > 0 else exp(z) / (1 + exp(z))


def _entropy(y, z):
    return y * softplus(-z) + (1 - y) * softplus(z)


def _terms(y, z):
    """The terms of sigmoid(z) - y."""
    return (1 - y) + sigmoid(-z) if z > 0 else y + sigmoid(z)


# Cross-entropy ------------------------------------------------------------------------------------


def binary_cross_entropy_with_logits(y, z, pos_weight, label_smoothing):
    y = (1 - label_smoothing) * y + label_smoothing / 2
    return pos_weight * y * softplus(-z) + (1 - y) * softplus(z)


def binary_cross_entropy_with_logits_grad_terms(y, z, pos_weight, label_smoothing):
    y = (1 - label_smoothing) * y + label_smoothing / 2
    both = pos_weight * y + 1 - y
    return (1 - y if z > 0 else pos_weight * y) + both * sigmoid(-abs(z))


def binary_cross_entropy(y, p, eps, log_clamp):
    p = min(max(p, eps), 1 - eps)
    floor = log_clamp if log_clamp < 0 else -inf
    yes = max(log(p), floor) if p > 0 else floor
    no = max(log(1 - p), floor) if p < 1 else floor
    return (-y * yes if y > 0 else 0) + (-(1 - y) * no if y < 1 else 0)


def binary_cross_entropy_kinks(y, eps, log_clamp):
    floor = exp(log_clamp) if log_clamp < 0 else mpf(0)
    return [eps, 1 - eps, floor, 1 - floor]


def slide(y, z, mu):
    mu = max(mu, mpf(0.2))
    weight = 1 if y <= mpf(float(mu) - 0.1) else exp(1 - mu) if y < mu else exp(1 - y)
    return weight * _entropy(y, z)


def slide_grad_terms(y, z, mu):
    return exp(mpf(1)) * _terms(y, z)


def cross_entropy_lambda(y, z, exposure):
    u = exposure * softplus(z)
    return (-y * log(-expm1(-u)) if y > 0 else 0) + (1 - y) * u


def cross_entropy_lambda_grad_terms(y, z, exposure):
    p = -expm1(-exposure * softplus(z))
    return (p + y if p < 0.5 else (1 - y) + (1 - p)) * exposure * sigmoid(z) / p


def cross_entropy_lambda_hess_terms(y, z, exposure):
    p = -expm1(-exposure * softplus(z))
    ratio = exposure * sigmoid(z) / p
    return cross_entropy_lambda_grad_terms(y, z, exposure) * sigmoid(-z) + y * (1 - p) * ratio**2


# Focal losses -------------------------------------------------------------------------------------


def _balance(y, alpha):
    return alpha * y + (1 - alpha) * (1 - y) if alpha >= 0 else 1


def _wrong(y, z):
    return y * sigmoid(-z) + (1 - y) * sigmoid(z)


def _focal_grad_terms(y, z, weight, gamma):
    m = _wrong(y, z)
    lean = abs(1 - 2 * y) * sigmoid(z) * sigmoid(-z) / m
    return weight * m**gamma * (gamma * lean * _entropy(y, z) + _terms(y, z))


def _focal_hess_terms(y, z, weight, gamma):
    m = _wrong(y, z)
    s = sigmoid(z) * sigmoid(-z)
    lean = abs(1 - 2 * y) * s / m
    bend = (abs(gamma - 1) * lean + abs(1 - 2 * sigmoid(z))) * _entropy(y, z)
    return weight * m**gamma * (gamma * lean * (bend + 2 * _terms(y, z)) + s)


def sigmoid_focal(y, z, alpha, gamma):
    return _balance(y, alpha) * _wrong(y, z) ** gamma * _entropy(y, z)


def sigmoid_focal_grad_terms(y, z, alpha, gamma):
    return _focal_grad_terms(y, z, _balance(y, alpha), gamma)


def sigmoid_focal_hess_terms(y, z, alpha, gamma):
    return _focal_hess_terms(y, z, _balance(y, alpha), gamma)


def reduced_focal(y, z, threshold, gamma, alpha):
    m = _wrong(y, z)
    return _balance(y, alpha) * (1 if 1 - m < threshold else (m / threshold) ** gamma) * _entropy(y, z)


def reduced_focal_kinks(y, threshold, gamma, alpha):
    return [(1 if y > 0 else -1) * log(threshold / (1 - threshold))]


def reduced_focal_grad_terms(y, z, threshold, gamma, alpha):
    reduced = 1 - _wrong(y, z) >= threshold
    weight = _balance(y, alpha) * (threshold**-gamma if reduced else 1)
    return _focal_grad_terms(y, z, weight, gamma if reduced else 0)


def reduced_focal_hess_terms(y, z, threshold, gamma, alpha):
    reduced = 1 - _wrong(y, z) >= threshold
    weight = _balance(y, alpha) * (threshold**-gamma if reduced else 1)
    return _focal_hess_terms(y, z, weight, gamma if reduced else 0)


def asymmetric_loss(y, z, gamma_neg, gamma_pos, clip):
    if y == 1:
        return sigmoid(-z) ** gamma_pos * softplus(-z)
    p = sigmoid(z) - clip
    if p <= 0:
        return mpf(0)
    return p**gamma_neg * (-log(sigmoid(-z) + clip) if clip else softplus(z))


def asymmetric_loss_kinks(y, gamma_neg, gamma_pos, clip):
    return [log(clip / (1 - clip))] if clip > 0 and y == 0 else []


def asymmetric_loss_hess_terms(y, z, gamma_neg, gamma_pos, clip):
    if y == 1:
        return _focal_hess_terms(y, z, 1, gamma_pos)
    p = sigmoid(z) - clip
    if p <= 0:
        return mpf(0)
    s = sigmoid(z) * sigmoid(-z)
    lean, rise, bend = s / p, s / (sigmoid(-z) + clip), abs(1 - 2 * sigmoid(z))
    entropy = -log(sigmoid(-z) + clip) if clip else softplus(z)
    return p**gamma_neg * (
        gamma_neg * lean * ((abs(gamma_neg - 1) * lean + bend) * entropy + 2 * rise) + rise * (bend + rise)
    )


# Others -------------------------------------------------------------------------------------------


def brier_with_logits(y, z):
    return (sigmoid(z) - y) ** 2


def brier_with_logits_terms(y, z):
    return _terms(y, z) ** 2


def brier_with_logits_grad_terms(y, z):
    return 2 * _terms(y, z) * sigmoid(z) * sigmoid(-z)


def brier_with_logits_hess_terms(y, z):
    s = sigmoid(z) * sigmoid(-z)
    return 2 * s * (s + _terms(y, z) * abs(1 - 2 * sigmoid(z)))


def zero_one(y, z, threshold):
    return mpf((z > threshold) != (y > 0))


def zero_one_kinks(y, threshold):
    return [threshold]


def brier_score(y, p):
    return (p - y) ** 2
