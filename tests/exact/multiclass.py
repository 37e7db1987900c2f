"""Losses of the margins of a label in mpmath, for one row: the textbook formulas."""

from mpmath import fsum, mpf


def _weight(y, class_weight):
    return 1 if class_weight is None else mpf(class_weight[y])


def multi_margin(y, x, margin, class_weight, p):
    others = [max(mpf(0), margin + v - x[y]) for k, v in enumerate(x) if k != y]
    return _weight(y, class_weight) * fsum(z**p for z in others) / len(x)


def multi_margin_terms(y, x, margin, class_weight, p):
    others = [margin + abs(v) + abs(x[y]) for k, v in enumerate(x) if k != y and margin + v > x[y]]
    return _weight(y, class_weight) * fsum(z**p for z in others) / len(x)


def multi_margin_grad_terms(y, x, margin, class_weight, p):
    if p == 1:
        return [mpf(0)]
    others = [margin + abs(v) + abs(x[y]) for k, v in enumerate(x) if k != y and margin + v > x[y]]
    return [_weight(y, class_weight) * 2 * fsum(others) / len(x)]


def weston_watkins(y, x, class_weight):
    return len(x) * multi_margin(y, x, mpf(1), class_weight, 1)


def weston_watkins_terms(y, x, class_weight):
    return len(x) * multi_margin_terms(y, x, mpf(1), class_weight, 1)


def crammer_singer(y, x, class_weight):
    return _weight(y, class_weight) * (max(v + (k != y) for k, v in enumerate(x)) - x[y])


def multiclass_perceptron(y, x, class_weight):
    return _weight(y, class_weight) * (max(x) - x[y])


def _threshold(z):
    ordered = sorted(z, reverse=True)
    for count in range(len(z), 0, -1):
        tau = (fsum(ordered[:count]) - 1) / count
        if ordered[count - 1] > tau:
            return tau
    raise AssertionError


def multiclass_sparsemax(y, x, class_weight, temperature):
    z = [v / temperature for v in x]
    tau = _threshold(z)
    return _weight(y, class_weight) * (fsum(v**2 - tau**2 for v in z if v > tau) / 2 + mpf(1) / 2 - z[y])


def multiclass_sparsemax_terms(y, x, class_weight, temperature):
    z = [abs(v / temperature) for v in x]
    return _weight(y, class_weight) * (1 + max(z))
