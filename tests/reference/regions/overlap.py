"""The NumPy twins of `fastloss.regions.overlap`."""

import numpy as np

from tests.reference.regions.regions import of_regions


def score(n, d, dn, dd, eps, log_loss=False):
    """1 - n / d, or -log(n / d), and its slope from those of n and d."""
    dd = np.where(d < eps, 0, dd)
    d = np.maximum(d, eps)
    s = np.where(d == 0, 1, n / np.where(d == 0, 1, d))
    slope = np.where(d == 0, 0, (dn - s * dd) / np.where(d == 0, 1, d))
    if log_loss:
        return -np.log(np.maximum(s, eps)), np.where(s < eps, 0, -slope / np.maximum(s, eps))
    return 1 - s, -slope


def _dice(smooth, eps, log_loss=False, squared=False):
    def formula(t, p, u, total):
        d = total(p * p + t * t if squared else p + t) + smooth
        return score(2 * total(p * t) + smooth, d, 2 * u * t, u * (2 * p if squared else 1), eps, log_loss)

    return formula


def _tversky(alpha, beta, smooth, eps, log_loss=False):
    def formula(t, p, u, total):
        n = total(p * t) + smooth
        d = n + alpha * total(p * (1 - t)) + beta * total((1 - p) * t)
        return score(n, d, u * t, u * (t + alpha * (1 - t) - beta * t), eps, log_loss)

    return formula


def _power(formula, gamma):
    def of(t, p, u, total):
        loss, slope = formula(t, p, u, total)
        return loss**gamma, gamma * loss ** (gamma - 1) * slope

    return of


def _log_cosh(formula):
    def of(t, p, u, total):
        loss, slope = formula(t, p, u, total)
        return np.log(np.cosh(loss)), np.tanh(loss) * slope

    return of


def _generalized(smooth, eps, power, groups):
    def formula(t, p, u, total):
        size = t.sum(axis=(2,) if groups == "image" else (0, 2), keepdims=True)
        w = np.where(size > 0, np.where(size > 0, size, 1.0) ** -power, 0)
        most = np.where(u > 0, w, 0).max(axis=1, keepdims=True)
        w = np.where(size > 0, w, most)
        least = eps * np.where(most > 0, most, 1)
        return score(2 * total(w * p * t) + smooth, total(w * (p + t)) + smooth, 2 * u * w * t, u * w, least)

    return formula


def _mcc(smooth):
    def formula(t, p, u, total):
        tp, fp = total(p * t) + smooth, total(p * (1 - t)) + smooth
        fn, tn = total((1 - p) * t) + smooth, total((1 - p) * (1 - t)) + smooth
        n, d = tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        positive, negative = 1 / (tp + fp), 1 / (tn + fn)
        by_p = t * (tn + fp) - (1 - t) * (tp + fn)
        return 1 - n / d, -u * (by_p / d - 0.5 * (n / d) * (positive - negative))

    return formula


def _sensitivity_specificity(sensitivity, smooth):
    def formula(t, p, u, total):
        inside, outside = total(t) + smooth, total(1 - t) + smooth
        loss = (
            sensitivity * total(t * (p - t) ** 2) / inside + (1 - sensitivity) * total((1 - t) * (p - t) ** 2) / outside
        )
        return loss, 2 * u * (p - t) * (sensitivity * t / inside + (1 - sensitivity) * (1 - t) / outside)

    return formula


def _combo(share, smooth, eps, mode):
    def formula(t, p, u, total):
        dice, slope = _dice(smooth, eps)(t, p, u, total)
        with np.errstate(all="ignore"):
            entropy = -np.where(t == 0, 0, t * np.log(p))
            by_p = -np.where(t == 0, 0, t / p)
            if mode != "multiclass":
                entropy = entropy - np.where(t == 1, 0, (1 - t) * np.log1p(-p))
                by_p = by_p + np.where(t == 1, 0, (1 - t) / (1 - p))
        factor = p.shape[1] if mode == "multiclass" else 1
        number = total(np.ones_like(p))
        loss = share * factor * total(entropy) / number + (1 - share) * dice
        return loss, share * factor * u * by_p / number + (1 - share) * slope

    return formula


def _of_dice(y, x, smooth, eps, log_loss, squared, mode, from_logits, groups, class_weight, empty):
    formula = _dice(smooth, eps, log_loss, squared)
    return of_regions(formula, y, x, mode, groups, class_weight, from_logits, empty, squared)


def dice(y, x, smooth, eps, log_loss, squared, mode, from_logits, groups, class_weight, empty):
    return _of_dice(y, x, smooth, eps, log_loss, squared, mode, from_logits, groups, class_weight, empty)[0]


def dice_grad(y, x, smooth, eps, log_loss, squared, mode, from_logits, groups, class_weight, empty):
    return _of_dice(y, x, smooth, eps, log_loss, squared, mode, from_logits, groups, class_weight, empty)[1]


def _of_jaccard(y, x, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty):
    return of_regions(_tversky(1, 1, smooth, eps, log_loss), y, x, mode, groups, class_weight, from_logits, empty)


def jaccard(y, x, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty):
    return _of_jaccard(y, x, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty)[0]


def jaccard_grad(y, x, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty):
    return _of_jaccard(y, x, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty)[1]


def _of_tversky(y, x, alpha, beta, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty):
    formula = _tversky(alpha, beta, smooth, eps, log_loss)
    return of_regions(formula, y, x, mode, groups, class_weight, from_logits, empty)


def tversky(y, x, alpha, beta, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty):
    return _of_tversky(y, x, alpha, beta, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty)[0]


def tversky_grad(y, x, alpha, beta, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty):
    return _of_tversky(y, x, alpha, beta, smooth, eps, log_loss, mode, from_logits, groups, class_weight, empty)[1]


def _of_focal_tversky(y, x, alpha, beta, gamma, smooth, eps, mode, from_logits, groups, class_weight, empty):
    formula = _power(_tversky(alpha, beta, smooth, eps), gamma)
    return of_regions(formula, y, x, mode, groups, class_weight, from_logits, empty)


def focal_tversky(y, x, alpha, beta, gamma, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return _of_focal_tversky(y, x, alpha, beta, gamma, smooth, eps, mode, from_logits, groups, class_weight, empty)[0]


def focal_tversky_grad(y, x, alpha, beta, gamma, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return _of_focal_tversky(y, x, alpha, beta, gamma, smooth, eps, mode, from_logits, groups, class_weight, empty)[1]


def _of_log_cosh_dice(y, x, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return of_regions(_log_cosh(_dice(smooth, eps)), y, x, mode, groups, class_weight, from_logits, empty)


def log_cosh_dice(y, x, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return _of_log_cosh_dice(y, x, smooth, eps, mode, from_logits, groups, class_weight, empty)[0]


def log_cosh_dice_grad(y, x, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return _of_log_cosh_dice(y, x, smooth, eps, mode, from_logits, groups, class_weight, empty)[1]


def _of_generalized_dice(y, x, smooth, eps, power, mode, from_logits, groups, class_weight, empty):
    formula = _generalized(smooth, eps, power, groups)
    return of_regions(formula, y, x, mode, groups, class_weight, from_logits, empty)


def generalized_dice(y, x, smooth, eps, power, mode, from_logits, groups, class_weight, empty):
    return _of_generalized_dice(y, x, smooth, eps, power, mode, from_logits, groups, class_weight, empty)[0]


def generalized_dice_grad(y, x, smooth, eps, power, mode, from_logits, groups, class_weight, empty):
    return _of_generalized_dice(y, x, smooth, eps, power, mode, from_logits, groups, class_weight, empty)[1]


def _of_mcc(y, x, smooth, mode, from_logits, groups, class_weight, empty):
    return of_regions(_mcc(smooth), y, x, mode, groups, class_weight, from_logits, empty)


def mcc(y, x, smooth, mode, from_logits, groups, class_weight, empty):
    return _of_mcc(y, x, smooth, mode, from_logits, groups, class_weight, empty)[0]


def mcc_grad(y, x, smooth, mode, from_logits, groups, class_weight, empty):
    return _of_mcc(y, x, smooth, mode, from_logits, groups, class_weight, empty)[1]


def _of_sensitivity_specificity(y, x, sensitivity, smooth, mode, from_logits, groups, class_weight, empty):
    formula = _sensitivity_specificity(sensitivity, smooth)
    return of_regions(formula, y, x, mode, groups, class_weight, from_logits, empty, squared=True)


def sensitivity_specificity(y, x, sensitivity, smooth, mode, from_logits, groups, class_weight, empty):
    return _of_sensitivity_specificity(y, x, sensitivity, smooth, mode, from_logits, groups, class_weight, empty)[0]


def sensitivity_specificity_grad(y, x, sensitivity, smooth, mode, from_logits, groups, class_weight, empty):
    return _of_sensitivity_specificity(y, x, sensitivity, smooth, mode, from_logits, groups, class_weight, empty)[1]


def _of_combo(y, x, share, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return of_regions(_combo(share, smooth, eps, mode), y, x, mode, groups, class_weight, from_logits, empty)


def combo(y, x, share, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return _of_combo(y, x, share, smooth, eps, mode, from_logits, groups, class_weight, empty)[0]


def combo_grad(y, x, share, smooth, eps, mode, from_logits, groups, class_weight, empty):
    return _of_combo(y, x, share, smooth, eps, mode, from_logits, groups, class_weight, empty)[1]
