"""Self-supervised losses of two views of a batch that compare features."""

import numpy as np


def _standard(x, eps):
    deviation = np.sqrt(np.var(x, axis=0) + eps)
    return (x - np.mean(x, axis=0)) / np.where(deviation > 0, deviation, 1), deviation


def _correlations(left, right, eps):
    (a, of_a), (b, of_b) = _standard(left, eps), _standard(right, eps)
    return a.T @ b / len(a), a, b, of_a, of_b


def barlow_twins(left, right, lambd=0.0051, eps=1e-5):
    c = _correlations(left, right, eps)[0]
    off = c - np.diag(np.diagonal(c))
    return np.sum((1 - np.diagonal(c)) ** 2) + lambd * np.sum(off**2)


def barlow_twins_grad(left, right, lambd=0.0051, eps=1e-5):
    c, a, b, of_a, of_b = _correlations(left, right, eps)
    slopes = np.where(np.eye(len(c), dtype=bool), 2 * (c - 1), 2 * lambd * c) / len(a)

    def through(grad, z, deviation):
        centred = grad - np.mean(grad, axis=0) - z * np.mean(grad * z, axis=0)
        return np.where(deviation > 0, centred / np.where(deviation > 0, deviation, 1), 0)

    return through(b @ slopes.T, a, of_a), through(a @ slopes, b, of_b)


def _covariances(z):
    centred = z - np.mean(z, axis=0)
    covariances = centred.T @ centred / (len(z) - 1)
    return centred, covariances - np.diag(np.diagonal(covariances))


def vic_reg(left, right, invariance_lambda=25.0, variance_mu=25.0, covariance_v=1.0, eps=1e-4):
    features = left.shape[1]
    value = invariance_lambda * np.mean((left - right) ** 2)
    for z in (left, right):
        deviation = np.sqrt(np.var(z, axis=0, ddof=1) + eps)
        value += variance_mu * np.mean(np.maximum(0, 1 - deviation)) / 2
        value += covariance_v * np.sum(_covariances(z)[1] ** 2) / features
    return value


def vic_reg_grad(left, right, invariance_lambda=25.0, variance_mu=25.0, covariance_v=1.0, eps=1e-4):
    count, features = left.shape
    grads = []
    for z, other in ((left, right), (right, left)):
        centred, off = _covariances(z)
        deviation = np.sqrt(np.var(z, axis=0, ddof=1) + eps)
        grad = 2 * invariance_lambda * (z - other) / z.size
        short = (deviation < 1) & (deviation > 0)
        grad -= variance_mu / (2 * features) * short * centred / (np.where(short, deviation, 1) * (count - 1))
        grad += 4 * covariance_v / (features * (count - 1)) * centred @ off
        grads.append(grad)
    return tuple(grads)
