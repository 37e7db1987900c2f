"""The losses of one region in plain arithmetic, of lists of targets and probabilities; of several classes, of lists of
these. They are differentiated numerically, with all digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpmath import cosh, log, sqrt

Numbers = Sequence[Any]


def counts(t: Numbers, p: Numbers) -> tuple[Any, Any, Any, Any]:
    pairs = list(zip(t, p, strict=True))
    return (
        sum(p * t for t, p in pairs),
        sum(p * (1 - t) for t, p in pairs),
        sum((1 - p) * t for t, p in pairs),
        sum((1 - p) * (1 - t) for t, p in pairs),
    )


def dice(t: Numbers, p: Numbers, smooth: Any, squared: bool = False, log_loss: bool = False, **_: Any) -> Any:
    power = 2 if squared else 1
    found = 2 * sum(a * b for a, b in zip(t, p, strict=True)) + smooth
    score = found / (sum(a**power for a in t) + sum(b**power for b in p) + smooth)
    return -log(score) if log_loss else 1 - score


def tversky(t: Numbers, p: Numbers, alpha: Any, beta: Any, smooth: Any, log_loss: bool = False, **_: Any) -> Any:
    tp, fp, fn, _tn = counts(t, p)
    score = (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)
    return -log(score) if log_loss else 1 - score


def jaccard(t: Numbers, p: Numbers, **parameters: Any) -> Any:
    return tversky(t, p, alpha=1, beta=1, **parameters)


def focal_tversky(t: Numbers, p: Numbers, gamma: Any, **parameters: Any) -> Any:
    return tversky(t, p, **parameters) ** gamma


def log_cosh_dice(t: Numbers, p: Numbers, **parameters: Any) -> Any:
    return log(cosh(dice(t, p, **parameters)))


def generalized_dice(t: Numbers, p: Numbers, smooth: Any, **_: Any) -> Any:
    """Of a single class, whose weight is one of all terms."""
    w = sum(t) ** -2
    return 1 - (2 * w * counts(t, p)[0] + smooth) / (w * (sum(p) + sum(t)) + smooth)


def mcc(t: Numbers, p: Numbers, smooth: Any, **_: Any) -> Any:
    tp, fp, fn, tn = (count + smooth for count in counts(t, p))
    return 1 - (tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def sensitivity_specificity(t: Numbers, p: Numbers, sensitivity: Any, smooth: Any, **_: Any) -> Any:
    pairs = list(zip(t, p, strict=True))
    inside = sum(t * (p - t) ** 2 for t, p in pairs) / (sum(t) + smooth)
    outside = sum((1 - t) * (p - t) ** 2 for t, p in pairs) / (sum(1 - a for a in t) + smooth)
    return sensitivity * inside + (1 - sensitivity) * outside


def combo(t: Numbers, p: Numbers, share: Any, **parameters: Any) -> Any:
    entropy = -sum(t * log(p) + (1 - t) * log(1 - p) for t, p in zip(t, p, strict=True)) / len(t)
    return share * entropy + (1 - share) * dice(t, p, **parameters)


def lovasz(t: Numbers, errors: Numbers) -> Any:
    """The sum over errors in descending order of each times what the Jaccard loss gains with it."""
    wrong: set[int] = set()
    found, before = 0, 0
    for i in sorted(range(len(errors)), key=lambda i: -errors[i]):
        wrong.add(i)
        mask = {i for i, a in enumerate(t) if a}
        loss = 1 - (len(mask - wrong) + type(errors[i])(0)) / len(mask | wrong)
        found += max(errors[i], 0) * (loss - before)
        before = loss
    return found


def lovasz_hinge(t: Numbers, x: Numbers, **_: Any) -> Any:
    return lovasz(t, [1 - b * (2 * a - 1) for a, b in zip(t, x, strict=True)])


def lovasz_softmax(t: Numbers, p: Numbers, **_: Any) -> Any:
    """Of one class."""
    return lovasz(t, [abs(a - b) for a, b in zip(t, p, strict=True)])


def boundary(t: Numbers, p: Numbers, **_: Any) -> Any:
    return sum(a * b for a, b in zip(t, p, strict=True)) / len(t)


def hausdorff_dt(t: Numbers, d: Numbers, p: Numbers, **_: Any) -> Any:
    return sum(c * (b - a) ** 2 for a, c, b in zip(t, d, p, strict=True)) / len(t)
