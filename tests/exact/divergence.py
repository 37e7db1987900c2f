"""Divergences of one row in mpmath: the textbook formulas."""

from mpmath import exp, fsum, log, mpf

from tests.exact.softmax import log_sum_exp, softmax_grad_terms


def _distributions(y, x, scores, log_target):
    t = [exp(v) for v in y] if log_target else y
    lse = log_sum_exp(x) if scores == "logits" else 0
    return t, [exp(v - lse) for v in x]


def _divergence(t, p):
    return fsum(a * log(a / b) for a, b in zip(t, p, strict=True) if a)


def _divergence_terms(t, p):
    return fsum(a * (abs(log(a)) + abs(log(b))) for a, b in zip(t, p, strict=True) if a)


def forward_kl(y, x, scores, log_target):
    return _divergence(*_distributions(y, x, scores, log_target))


def forward_kl_terms(y, x, scores, log_target):
    return _divergence_terms(*_distributions(y, x, scores, log_target))


def forward_kl_grad_terms(y, x, scores, log_target):
    t, _ = _distributions(y, x, scores, log_target)
    return softmax_grad_terms(t, x) if scores == "logits" else t


def reverse_kl(y, x, scores, log_target):
    t, p = _distributions(y, x, scores, log_target)
    return mpf("inf") if 0 in t else _divergence(p, t)


def reverse_kl_terms(y, x, scores, log_target):
    t, p = _distributions(y, x, scores, log_target)
    return mpf(0) if 0 in t else _divergence_terms(p, t)


def _centred(p, slopes, scores):
    """Of slopes in probabilities, less their mean if the probabilities are a softmax."""
    mean = fsum(u * v for u, v in zip(p, slopes, strict=True)) if scores == "logits" else 0
    return [u * (v + mean) for u, v in zip(p, slopes, strict=True)]


def reverse_kl_grad_terms(y, x, scores, log_target):
    t, p = _distributions(y, x, scores, log_target)
    return _centred(p, [1 + abs(log(v)) + abs(log(u)) for u, v in zip(t, p, strict=True)], scores)


def _mixture(t, p, beta):
    return [beta * a + (1 - beta) * b for a, b in zip(t, p, strict=True)]


def jensen_shannon(y, x, beta, scores, log_target):
    if beta in (0, 1):
        return (forward_kl, reverse_kl)[int(beta)](y, x, scores, log_target)
    t, p = _distributions(y, x, scores, log_target)
    m = _mixture(t, p, beta)
    return beta * _divergence(t, m) + (1 - beta) * _divergence(p, m)


def jensen_shannon_terms(y, x, beta, scores, log_target):
    if beta in (0, 1):
        return (forward_kl_terms, reverse_kl_terms)[int(beta)](y, x, scores, log_target)
    t, p = _distributions(y, x, scores, log_target)
    m = _mixture(t, p, beta)
    pairs = [(beta * a, a / b) for a, b in zip(t, m, strict=True)]
    pairs += [((1 - beta) * a, a / b) for a, b in zip(p, m, strict=True)]
    return fsum(weight * abs(log(ratio)) for weight, ratio in pairs if weight)


def jensen_shannon_grad_terms(y, x, beta, scores, log_target):
    if beta in (0, 1):
        return (forward_kl_grad_terms, reverse_kl_grad_terms)[int(beta)](y, x, scores, log_target)
    t, p = _distributions(y, x, scores, log_target)
    ratios = [u / v for u, v in zip(p, _mixture(t, p, beta), strict=True)]
    return _centred(p, [(1 - beta) * (1 + abs(log(v))) for v in ratios], scores)


def generalized_kl(y, x):
    return fsum((t * (log(t) - v) if t else 0) + exp(v) - t for t, v in zip(y, x, strict=True))


def generalized_kl_terms(y, x):
    return fsum((t * (abs(log(t)) + abs(v)) if t else 0) + exp(v) + t for t, v in zip(y, x, strict=True))


def generalized_kl_grad_terms(y, x):
    return [exp(v) + t for t, v in zip(y, x, strict=True)]


def total_variation(y, x):
    return fsum(abs(t - p) for t, p in zip(y, x, strict=True)) / 2


def _softmaxes(y, x, temperature):
    rows = [[v / temperature for v in row] for row in (y, x)]
    return [[exp(v - log_sum_exp(row)) for v in row] for row in rows]


def distillation(y, x, temperature):
    return temperature**2 * _divergence(*_softmaxes(y, x, temperature))


def distillation_terms(y, x, temperature):
    return temperature**2 * _divergence_terms(*_softmaxes(y, x, temperature))


def distillation_grad_terms(y, x, temperature):
    t, _ = _softmaxes(y, x, temperature)
    return [temperature * v for v in softmax_grad_terms(t, [v / temperature for v in x])]
