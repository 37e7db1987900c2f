"""Losses of the softmax of one row of logits in mpmath: the textbook formulas."""

from mpmath import exp, fsum, log, mpf, tanh


def log_sum_exp(z):
    return log(fsum(exp(v) for v in z))


def logits(x, temperature, softcap):
    return [(softcap * tanh(v / softcap) if softcap else v) / temperature for v in x]


def cross_entropy(y, x, class_weight, label_smoothing, temperature, softcap, z_loss, hessian):
    z = logits(x, temperature, softcap)
    lse, classes = log_sum_exp(z), len(x)
    t = [mpf(k == y) for k in range(classes)] if isinstance(y, int) else y
    c = [mpf(1)] * classes if class_weight is None else [mpf(w) for w in class_weight]
    t = [w * ((1 - label_smoothing) * v + label_smoothing / classes) for w, v in zip(c, t, strict=True)]
    return fsum(v * (lse - u) for v, u in zip(t, z, strict=True) if v) + z_loss * lse**2
