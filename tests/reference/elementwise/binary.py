"""Losses of a binary target in NumPy."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


# Cross-entropy ------------------------------------------------------------------------------------


def binary_cross_entropy_with_logits(y, z, pos_weight=1.0, label_smoothing=0.0):
    if label_smoothing:
        y = (1 - label_smoothing) * y + label_smoothing / 2
    if pos_weight == 1:
        return np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))
    return pos_weight * y * softplus(-z) + (1 - y) * softplus(z)


def binary_cross_entropy_with_logits_grad(y, z, pos_weight=1.0, label_smoothing=0.0):
    if label_smoothing:
        y = (1 - label_smoothing) * y + label_smoothing / 2
    if pos_weight == 1:
        return sigmoid(z) - y
    return (pos_weight * y + 1 - y) * sigmoid(z) - pos_weight * y


def binary_cross_entropy(y, p, eps=0.0, log_clamp=0.0):
    if eps:
        p = np.clip(p, eps, 1 - eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        yes, no = np.log(p), np.log1p(-p)
        if log_clamp:
            yes, no = np.maximum(yes, log_clamp), np.maximum(no, log_clamp)
        return -np.where(y == 0, 0, y * yes) - np.where(y == 1, 0, (1 - y) * no)


def binary_cross_entropy_grad(y, p, eps=0.0, log_clamp=0.0):
    with np.errstate(divide="ignore", invalid="ignore"):
        yes, no = np.where(y == 0, 0, y / p), np.where(y == 1, 0, (1 - y) / (1 - p))
    if log_clamp:
        floor = np.exp(log_clamp)
        yes, no = np.where(p < floor, 0, yes), np.where(1 - p < floor, 0, no)
    grad = no - yes
    return np.where((p < eps) | (1 - p < eps), 0, grad) if eps else grad


def _slide_weight(y, mu):
    mu = max(mu, 0.2)
    return np.where(y <= mu - 0.1, 1, np.exp(1 - np.maximum(y, mu)))


def slide(y, z, mu=0.5):
    return _slide_weight(y, mu) * binary_cross_entropy_with_logits(y, z)


def slide_grad(y, z, mu=0.5):
    return _slide_weight(y, mu) * binary_cross_entropy_with_logits_grad(y, z)


def cross_entropy_lambda(y, z, exposure=1.0):
    u = exposure * softplus(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - y) * u - np.where(y == 0, 0, y * np.log(-np.expm1(-u)))


def cross_entropy_lambda_grad(y, z, exposure=1.0):
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(y == 0, 0, y / -np.expm1(-exposure * softplus(z)))
    return (1 - ratio) * exposure * sigmoid(z)


# Focal losses -------------------------------------------------------------------------------------


def _balance(y, alpha):
    return alpha * y + (1 - alpha) * (1 - y) if alpha >= 0 else 1


def _focal(y, z, gamma):
    p = sigmoid(z)
    return (y * (1 - p) + (1 - y) * p) ** gamma * binary_cross_entropy_with_logits(y, z)


def _focal_grad(y, z, gamma):
    p = sigmoid(z)
    m = y * (1 - p) + (1 - y) * p
    with np.errstate(divide="ignore", invalid="ignore"):
        lean = np.where(m == 0, 0, (1 - 2 * y) * p * (1 - p) / m)
    return m**gamma * (gamma * lean * binary_cross_entropy_with_logits(y, z) + p - y)


def sigmoid_focal(y, z, alpha=0.25, gamma=2.0):
    return _balance(y, alpha) * _focal(y, z, gamma)


def sigmoid_focal_grad(y, z, alpha=0.25, gamma=2.0):
    return _balance(y, alpha) * _focal_grad(y, z, gamma)


def _reduced(y, z, threshold, gamma, reduced, plain):
    p = sigmoid(z)
    m = y * (1 - p) + (1 - y) * p
    return np.where(1 - m < threshold, plain, reduced / threshold**gamma)


def reduced_focal(y, z, threshold=0.5, gamma=2.0, alpha=-1.0):
    found = _reduced(y, z, threshold, gamma, _focal(y, z, gamma), binary_cross_entropy_with_logits(y, z))
    return _balance(y, alpha) * found


def reduced_focal_grad(y, z, threshold=0.5, gamma=2.0, alpha=-1.0):
    found = _reduced(y, z, threshold, gamma, _focal_grad(y, z, gamma), binary_cross_entropy_with_logits_grad(y, z))
    return _balance(y, alpha) * found


def asymmetric_loss(y, z, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    p = sigmoid(z)
    positive = (1 - p) ** gamma_pos * softplus(-z)
    if clip:
        q = np.maximum(p - clip, 0)
        return np.where(y > 0, positive, -(q**gamma_neg) * np.log1p(-q))
    return np.where(y > 0, positive, p**gamma_neg * softplus(z))


def asymmetric_loss_grad(y, z, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    p = sigmoid(z)
    positive = -((1 - p) ** gamma_pos) * (gamma_pos * p * softplus(-z) + 1 - p)
    if not clip:
        return np.where(y > 0, positive, p**gamma_neg * (gamma_neg * (1 - p) * softplus(z) + p))
    q = np.maximum(p - clip, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        negative = q**gamma_neg * (1 / (1 - q) - gamma_neg * np.log1p(-q) / q) * p * (1 - p)
    return np.where(y > 0, positive, np.where(q == 0, 0, negative))


# Others -------------------------------------------------------------------------------------------


def brier_with_logits(y, z):
    return (sigmoid(z) - y) ** 2


def brier_with_logits_grad(y, z):
    p = sigmoid(z)
    return 2 * (p - y) * p * (1 - p)


def zero_one(y, z, threshold=0.0):
    return ((z > threshold) != (y > 0)).astype(z.dtype)


def zero_one_grad(y, z, threshold=0.0):
    return np.zeros_like(z)


def brier_score(y, p):
    return (p - y) ** 2


def brier_score_grad(y, p):
    return 2 * (p - y)
