"""Losses of the softmax of logits in NumPy, one value for each row."""

import numpy as np


def log_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def one_hot(y, classes, dtype):
    hot = np.zeros((*np.shape(y), classes), dtype)
    np.put_along_axis(hot, np.asarray(y)[..., np.newaxis], 1, axis=-1)
    return hot


def _logits(x, temperature, softcap):
    return (softcap * np.tanh(x / softcap) if softcap else x) / temperature


def _targets(y, x, class_weight, label_smoothing):
    t = y if y.ndim == x.ndim else one_hot(y, x.shape[-1], x.dtype)
    t = (1 - label_smoothing) * t + label_smoothing / x.shape[-1]
    return t if class_weight is None else t * np.array(class_weight, x.dtype)


def _curves(hessian, classes):
    return {"exact": 1, "upper_bound": 2, "lightgbm": classes / max(1, classes - 1)}[hessian]


def cross_entropy(y, x, class_weight, label_smoothing, temperature, softcap, z_loss, hessian):
    z = _logits(x, temperature, softcap)
    plain = y.ndim < x.ndim and not label_smoothing and class_weight is None
    top = z.max(axis=-1, keepdims=True)
    lse = top[..., 0] + np.log(np.exp(z - top).sum(axis=-1))
    if plain:
        losses = lse - np.take_along_axis(z, y[..., np.newaxis], axis=-1)[..., 0]
    else:
        losses = (_targets(y, x, class_weight, label_smoothing) * (lse[..., np.newaxis] - z)).sum(axis=-1)
    return losses + z_loss * lse**2 if z_loss else losses


def cross_entropy_grad(y, x, class_weight, label_smoothing, temperature, softcap, z_loss, hessian):
    z = _logits(x, temperature, softcap)
    log_p = log_softmax(z)
    t = _targets(y, x, class_weight, label_smoothing)
    slope = t.sum(axis=-1, keepdims=True)
    if z_loss:
        slope = slope + 2 * z_loss * (z - log_p)[..., :1]
    grad = slope * np.exp(log_p) - t
    return grad / temperature * (1 - np.tanh(x / softcap) ** 2 if softcap else 1)


# Losses of the label's probability ---------------------------------------------------------------------


def _of_label(z, y):
    return np.take_along_axis(z, y[..., np.newaxis], axis=-1)[..., 0]


def _weight(y, class_weight, dtype):
    return 1 if class_weight is None else np.array(class_weight, dtype)[y]


def _towards(y, z, slope):
    """slope (p - one hot)."""
    grad = np.exp(log_softmax(z))
    rows = np.arange(len(y))
    grad[rows, y] -= 1
    return slope[..., np.newaxis] * grad


def softmax_focal(y, x, gamma, class_weight):
    log_q = _of_label(log_softmax(x), y)
    return -_weight(y, class_weight, x.dtype) * (1 - np.exp(log_q)) ** gamma * log_q


def softmax_focal_grad(y, x, gamma, class_weight):
    log_q = _of_label(log_softmax(x), y)
    q = np.exp(log_q)
    slope = (1 - q) ** gamma
    if gamma:
        slope = slope - np.where(q < 1, gamma * q * log_q * (1 - q) ** (gamma - 1), 0)
    return _towards(y, x, _weight(y, class_weight, x.dtype) * slope)


def poly1_cross_entropy(y, x, epsilon, class_weight):
    log_q = _of_label(log_softmax(x), y)
    return _weight(y, class_weight, x.dtype) * (epsilon * (1 - np.exp(log_q)) - log_q)


def poly1_cross_entropy_grad(y, x, epsilon, class_weight):
    q = np.exp(_of_label(log_softmax(x), y))
    return _towards(y, x, _weight(y, class_weight, x.dtype) * (1 + epsilon * q))


def generalized_cross_entropy(y, x, q, class_weight):
    log_p = _of_label(log_softmax(x), y)
    return _weight(y, class_weight, x.dtype) * (1 - np.exp(q * log_p)) / q


def generalized_cross_entropy_grad(y, x, q, class_weight):
    log_p = _of_label(log_softmax(x), y)
    return _towards(y, x, _weight(y, class_weight, x.dtype) * np.exp(q * log_p))


def _cos_face_logits(y, x, margin, scale):
    z = scale * x
    z[np.arange(len(y)), y] -= scale * margin
    return z


def cos_face(y, x, margin, scale, class_weight):
    z = _cos_face_logits(y, x, margin, scale)
    return -_weight(y, class_weight, x.dtype) * _of_label(log_softmax(z), y)


def cos_face_grad(y, x, margin, scale, class_weight):
    z = _cos_face_logits(y, x, margin, scale)
    return _towards(y, z, np.full(len(y), scale, x.dtype) * _weight(y, class_weight, x.dtype))


def _arc_face_logits(y, x, margin, scale):
    cosine = _of_label(x, y)
    angle = np.arccos(cosine)
    moved = np.where(angle + margin < np.pi, np.cos(angle + margin), cosine - margin * np.sin(margin))
    z = scale * x
    z[np.arange(len(y)), y] = scale * moved
    return z


def arc_face(y, x, margin, scale, class_weight):
    z = _arc_face_logits(y, x, margin, scale)
    return -_weight(y, class_weight, x.dtype) * _of_label(log_softmax(z), y)


def arc_face_grad(y, x, margin, scale, class_weight):
    z = _arc_face_logits(y, x, margin, scale)
    grad = _towards(y, z, np.full(len(y), scale, x.dtype) * _weight(y, class_weight, x.dtype))
    angle = np.arccos(_of_label(x, y))
    grad[np.arange(len(y)), y] *= np.where(angle + margin < np.pi, np.sin(angle + margin) / np.sin(angle), 1)
    return grad


def _shares(y, x):
    return np.maximum(0, 1 - np.abs(y[..., np.newaxis] - np.arange(x.shape[-1]))).astype(x.dtype)


def distribution_focal_loss(y, x):
    return -(_shares(y, x) * log_softmax(x)).sum(axis=-1)


def distribution_focal_loss_grad(y, x):
    return np.exp(log_softmax(x)) - _shares(y, x)


def softmax_entropy(y, x, temperature, softcap):
    log_p = log_softmax(_logits(x, temperature, softcap))
    return -(np.exp(log_p) * log_p).sum(axis=-1)


def softmax_entropy_grad(y, x, temperature, softcap):
    log_p = log_softmax(_logits(x, temperature, softcap))
    entropy = -(np.exp(log_p) * log_p).sum(axis=-1, keepdims=True)
    grad = -np.exp(log_p) * (log_p + entropy)
    return grad / temperature * (1 - np.tanh(x / softcap) ** 2 if softcap else 1)


def negative_log_likelihood(y, x, class_weight):
    return -_weight(y, class_weight, x.dtype) * np.take_along_axis(x, y[..., np.newaxis], axis=-1)[..., 0]


def negative_log_likelihood_grad(y, x, class_weight):
    grad = np.zeros_like(x)
    grad[np.arange(len(y)), y] = -_weight(y, class_weight, x.dtype)
    return grad


def _as_dense(y, x):
    return y if y.ndim == x.ndim else one_hot(y, x.shape[-1], x.dtype)


def multiclass_brier(y, x):
    return np.square(np.exp(log_softmax(x)) - _as_dense(y, x)).sum(axis=-1)


def multiclass_brier_grad(y, x):
    p = np.exp(log_softmax(x))
    off = p - _as_dense(y, x)
    return 2 * p * (off - (p * off).sum(axis=-1, keepdims=True))
