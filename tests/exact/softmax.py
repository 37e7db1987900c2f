"""Losses of the softmax of one row of logits in mpmath: the textbook formulas."""

from mpmath import acos, cos, exp, fsum, log, mpf, pi, sin, tanh


def log_sum_exp(z):
    return log(fsum(exp(v) for v in z))


def logits(x, temperature, softcap):
    return [(softcap * tanh(v / softcap) if softcap else v) / temperature for v in x]


def targets(y, classes):
    return [mpf(k == y) for k in range(classes)] if isinstance(y, int) else y


def smoothed(y, classes, class_weight, label_smoothing):
    c = [mpf(1)] * classes if class_weight is None else [mpf(w) for w in class_weight]
    return [
        w * ((1 - label_smoothing) * v + label_smoothing / classes) for w, v in zip(c, targets(y, classes), strict=True)
    ]


def cross_entropy(y, x, class_weight, label_smoothing, temperature, softcap, z_loss, hessian):
    z = logits(x, temperature, softcap)
    lse, t = log_sum_exp(z), smoothed(y, len(x), class_weight, label_smoothing)
    return fsum(v * (lse - u) for v, u in zip(t, z, strict=True) if v) + z_loss * lse**2


def cross_entropy_grad_terms(y, x, class_weight, label_smoothing, temperature, softcap, z_loss, hessian):
    """Of a label alone nothing cancels; but the slope of a softcap does."""
    if isinstance(y, int) and not label_smoothing and not softcap and not z_loss:
        return [mpf(0)]
    z = logits(x, temperature, softcap)
    lse, t = log_sum_exp(z), smoothed(y, len(x), class_weight, label_smoothing)
    return [((fsum(t) + 2 * z_loss * abs(lse)) * exp(u - lse) + v) / temperature for v, u in zip(t, z, strict=True)]


def softmax_grad_terms(t, x):
    """Of the difference of a softmax and a distribution."""
    lse = log_sum_exp(x)
    return [fsum(t) * exp(u - lse) + v for v, u in zip(t, x, strict=True)]


# Losses of the label's probability ---------------------------------------------------------------------


def weight(y, class_weight):
    return mpf(1) if class_weight is None else mpf(class_weight[y])


def probability(y, z):
    return exp(z[y] - log_sum_exp(z))


def softmax_focal(y, x, gamma, class_weight):
    q = probability(y, x)
    return -weight(y, class_weight) * (1 - q) ** gamma * log(q)


def softmax_focal_terms(y, x, gamma, class_weight):
    """The power multiplies the rounding of 1 - q."""
    return (1 + gamma) * softmax_focal(y, x, gamma, class_weight)


def poly1_cross_entropy(y, x, epsilon, class_weight):
    q = probability(y, x)
    return weight(y, class_weight) * (epsilon * (1 - q) - log(q))


def poly1_cross_entropy_terms(y, x, epsilon, class_weight):
    q = probability(y, x)
    return weight(y, class_weight) * (abs(epsilon) * (1 - q) - log(q))


def generalized_cross_entropy(y, x, q, class_weight):
    return weight(y, class_weight) * (1 - probability(y, x) ** q) / q


def margin_cross_entropy(y, x, moved, scale, class_weight):
    z = [scale * (moved if k == y else v) for k, v in enumerate(x)]
    return weight(y, class_weight) * (log_sum_exp(z) - z[y])


def margin_terms(y, x, scale, class_weight):
    """The logits are differences of cosines times the scale."""
    return weight(y, class_weight) * 2 * scale


def cos_face(y, x, margin, scale, class_weight):
    return margin_cross_entropy(y, x, x[y] - margin, scale, class_weight)


def cos_face_terms(y, x, margin, scale, class_weight):
    return margin_terms(y, x, scale, class_weight)


def arc_face(y, x, margin, scale, class_weight):
    angle = acos(x[y])
    moved = cos(angle + margin) if angle + margin < pi else x[y] - margin * sin(margin)
    return margin_cross_entropy(y, x, moved, scale, class_weight)


def arc_face_terms(y, x, margin, scale, class_weight):
    return margin_terms(y, x, scale, class_weight)


def distribution_focal_loss(y, x):
    lse = log_sum_exp(x)
    return fsum(max(mpf(0), 1 - abs(mpf(y) - k)) * (lse - v) for k, v in enumerate(x))


def softmax_entropy(y, x, temperature, softcap):
    z = logits(x, temperature, softcap)
    lse = log_sum_exp(z)
    return fsum(exp(v - lse) * (lse - v) for v in z)


def softmax_entropy_grad_terms(y, x, temperature, softcap):
    """The parts of log p + H."""
    z = logits(x, temperature, softcap)
    lse, entropy = log_sum_exp(z), softmax_entropy(y, x, temperature, softcap)
    slopes = [(1 - tanh(v / softcap) ** 2 if softcap else 1) / temperature for v in x]
    return [slope * exp(v - lse) * ((lse - v) + entropy) for v, slope in zip(z, slopes, strict=True)]
