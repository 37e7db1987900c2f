"""Losses of rows of scores, one for each class. Targets that are labels are symbols of integers."""

from sympy import Max, Rational, acos, cos, exp, log, pi, sin, tanh

from tests.exact.functions import Whole, absolute, cancelling, either, larger, softplus


def _dot(a, b):
    return sum(u * v for u, v in zip(a, b, strict=True))


def _are_labels(y):
    return y[0].is_integer


def _log_softmax(z):
    lse = log(sum(map(exp, z)))
    return [Whole(v - lse) for v in z]


def _log_probabilities(z):
    """The same, for a label: in a form of which no derivative cancels."""
    return [-log(sum(exp(u - v) for u in z)) for v in z]


def _weights(x, class_weight):
    return [Rational(w) for w in class_weight or [1] * len(x)]


def _weight(y, class_weight):
    return Whole(_dot(y, _weights(y, class_weight)))


def _logits(x, temperature, softcap):
    return [(softcap * tanh(v / softcap) if softcap else v) / temperature for v in x]


# Of a softmax ---------------------------------------------------------------------------------------


@cancelling("grad")
def cross_entropy(y, x, class_weight, label_smoothing, temperature, softcap, z_loss):
    z = _logits(x, temperature, softcap)
    alone = _are_labels(y) and not (label_smoothing or softcap or z_loss)
    smoothed = [Whole((1 - label_smoothing) * v + label_smoothing / len(x)) for v in y]
    t = [w * v for w, v in zip(_weights(x, class_weight), smoothed, strict=True)]
    return z_loss * log(sum(map(exp, z))) ** 2 - _dot(t, (_log_probabilities if alone else _log_softmax)(z))


def _probability(y, x):
    return _dot(y, [1 / sum(exp(u - v) for u in x) for v in x])


def _focal_rounding(y, x, gamma, class_weight):
    """The power multiplies the rounding of 1 - q."""
    return (1 + gamma) * softmax_focal(y, x, gamma, class_weight)


@cancelling(value=_focal_rounding)
def softmax_focal(y, x, gamma, class_weight):
    return -_weight(y, class_weight) * (1 - _probability(y, x)) ** gamma * _dot(y, _log_probabilities(x))


@cancelling("value")
def poly1_cross_entropy(y, x, epsilon, class_weight):
    return _weight(y, class_weight) * (epsilon * Whole(1 - _probability(y, x)) - Whole(_dot(y, _log_probabilities(x))))


def generalized_cross_entropy(y, x, q, class_weight):
    return _weight(y, class_weight) * (1 - _probability(y, x) ** q) / q


def _of_cosines(y, x, margin, scale, class_weight):
    """The logits are differences of cosines times the scale."""
    return _weight(y, class_weight) * 2 * scale


@cancelling(value=_of_cosines)
def cos_face(y, x, margin, scale, class_weight):
    z = [scale * (v - margin * t) for t, v in zip(y, x, strict=True)]
    return -_weight(y, class_weight) * _dot(y, _log_probabilities(z))


@cancelling(value=_of_cosines)
def arc_face(y, x, margin, scale, class_weight):
    moved = [either(acos(v) + margin < pi, cos(acos(v) + margin), v - margin * sin(margin)) for v in x]
    z = [scale * (v + t * (u - v)) for t, v, u in zip(y, x, moved, strict=True)]
    return -_weight(y, class_weight) * _dot(y, _log_probabilities(z))


def distribution_focal_loss(y, x):
    return -_dot(y, _log_probabilities(x))


def _parts_of_entropy(y, x, temperature, softcap):
    z = _logits(x, temperature, softcap)
    entropy = softmax_entropy(y, x, temperature, softcap)
    return [exp(p) * (entropy - p) * Whole(v.diff(u)) for p, v, u in zip(_log_softmax(z), z, x, strict=True)]


@cancelling(grad=_parts_of_entropy)
def softmax_entropy(y, x, temperature, softcap):
    p = _log_softmax(_logits(x, temperature, softcap))
    return -_dot(map(exp, p), p)


def _parts_of_brier(y, x):
    p = list(map(exp, _log_softmax(x)))
    both = [u + v for u, v in zip(p, y, strict=True)]
    return 0 if _are_labels(y) else [2 * u * (v + _dot(p, both)) for u, v in zip(p, both, strict=True)]


@cancelling(grad=_parts_of_brier)
def multiclass_brier(y, x):
    return sum((exp(p) - t) ** 2 for t, p in zip(y, _log_softmax(x), strict=True))


# Divergences of distributions -----------------------------------------------------------------------


def _distributions(y, x, scores, log_target):
    """Targets and probabilities, each with its logarithms; what that of a target of 0 is does not matter."""
    t = (list(map(exp, y)), y) if log_target else (y, [either(u > 0, log(u), 0) for u in y])
    p = _log_softmax(x) if scores == "logits" else x
    return t, (list(map(exp, p)), p)


def _divergence(p, q):
    return sum(u * (v - w) for u, v, w in zip(*p, q[1], strict=True))


@cancelling("value", "grad")
def forward_kl(y, x, scores, log_target):
    return _divergence(*_distributions(y, x, scores, log_target))


@cancelling("value", "grad")
def reverse_kl(y, x, scores, log_target):
    t, p = _distributions(y, x, scores, log_target)
    return _divergence(p, t)


@cancelling("value", "grad")
def jensen_shannon(y, x, beta, scores, log_target):
    if beta in (0, 1):
        return (reverse_kl if beta else forward_kl)(y, x, scores, log_target)
    t, p = _distributions(y, x, scores, log_target)
    rest = Whole(1 - beta)
    m = [log(beta * u + rest * v) for u, v in zip(t[0], p[0], strict=True)]
    parts = [share * u * Whole(v - w) for share, q in ((beta, t), (rest, p)) for u, v, w in zip(*q, m, strict=True)]
    return sum(parts)


@cancelling("value", "grad")
def generalized_kl(y, x):
    return sum(either(t > 0, t * (log(t) - v), 0) + exp(v) - t for t, v in zip(y, x, strict=True))


def total_variation(y, x):
    return sum(absolute(t - p) for t, p in zip(y, x, strict=True)) / 2


@cancelling("value", "grad")
def distillation(y, x, temperature):
    t, p = (_log_softmax([v / temperature for v in row]) for row in (y, x))
    return temperature**2 * _divergence((list(map(exp, t)), t), (None, p))


# Orders ---------------------------------------------------------------------------------------------


@cancelling("grad")
def list_net(y, x):
    return -_dot(map(exp, _log_softmax(y)), _log_softmax(x))


def list_mle(y, x):
    """Each score against those that are not before it; of equal targets the first is before the others."""
    n = range(len(x))
    later = [[either((y[j] <= y[i]) if j >= i else (y[j] < y[i]), exp(x[j]), 0) for j in n] for i in n]
    return sum(log(sum(row)) - v for row, v in zip(later, x, strict=True))


# Of margins, and of single classes ------------------------------------------------------------------


@cancelling("value", "grad")
def multi_margin(y, x, margin, class_weight, p):
    others = (Whole(1 - t) * larger(margin + v - _dot(y, x), 0) ** p for t, v in zip(y, x, strict=True))
    return _weight(y, class_weight) * sum(others) / len(x)


@cancelling("value")
def weston_watkins(y, x, class_weight):
    return len(x) * multi_margin(y, x, 1, class_weight, 1)


def crammer_singer(y, x, class_weight):
    return _weight(y, class_weight) * (Max(*(v + 1 - t for t, v in zip(y, x, strict=True))) - _dot(y, x))


def multiclass_perceptron(y, x, class_weight):
    return _weight(y, class_weight) * (Max(*x) - _dot(y, x))


def _largest_score(y, x, class_weight, temperature):
    return _weight(y, class_weight) * (1 + Max(*map(abs, x)) / temperature)


@cancelling(value=_largest_score)
def multiclass_sparsemax(y, x, class_weight, temperature):
    z = [v / temperature for v in x]
    support = [either(sum(Max(u - v, 0) for u in z) < 1, 1, 0) for v in z]
    threshold = (_dot(support, z) - 1) / sum(support)
    squares = sum(s * (v**2 - threshold**2) for s, v in zip(support, z, strict=True))
    return _weight(y, class_weight) * ((squares + 1) / 2 - _dot(y, z))


def multilabel_soft_margin(y, x, class_weight):
    each = [t * softplus(-v) + (1 - t) * softplus(v) for t, v in zip(y, x, strict=True)]
    return _dot(_weights(x, class_weight), each) / len(x)


@cancelling("value")
def multilabel_margin(y, x):
    pairs = [(t * Whole(1 - s), 1 - v + u) for t, v in zip(y, x, strict=True) for s, u in zip(y, x, strict=True)]
    return sum(both * larger(z, 0) for both, z in pairs) / len(x)


def negative_log_likelihood(y, x, class_weight):
    return -_weight(y, class_weight) * _dot(y, x)


def multiclass_zero_one(y, x, class_weight):
    return _weight(y, class_weight) * _dot(y, [either(v < Max(*x), 1, 0) for v in x])
