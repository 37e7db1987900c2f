"""What the losses of regions share: probabilities and targets of (images, classes, elements), and sums over regions."""

import numpy as np

AXES = {"batch": (0, 1, 2), "image": (1, 2), "class": (0, 2), "image_class": (2,)}


def arranged(y, x, mode, from_logits):
    """Targets and probabilities of (images, classes, elements), and the slope of the loss in `x` from that in these."""
    y, x = np.asarray(y), np.asarray(x)
    shape = x.shape
    x = x.reshape(shape[0], 1 if mode == "binary" else shape[1], -1)
    if mode == "multiclass" and y.ndim < len(shape):
        y = y.reshape(shape[0], 1, -1) == np.arange(shape[1])[:, None]
    t = y.reshape(x.shape).astype(x.dtype)
    if not from_logits:
        return t, x, lambda slope: slope.reshape(shape)
    if mode == "multiclass":
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return t, p, lambda slope: (p * (slope - (p * slope).sum(axis=1, keepdims=True))).reshape(shape)
    p = 1 / (1 + np.exp(-x))
    return t, p, lambda slope: (slope * p * (1 - p)).reshape(shape)


def of_regions(formula, y, x, mode, groups, class_weight, from_logits, empty="formula", squared=False):
    """The weighted loss of each region and the gradient of their sum, by a formula of targets, probabilities, weights
    of classes and what sums up over a region, which returns the losses and their slopes in the probabilities."""
    t, p, back = arranged(y, x, mode, from_logits)
    weight = np.ones(p.shape[1]) if class_weight is None else np.array(class_weight)
    weight = weight.astype(p.dtype)[:, None]
    by_class = groups in ("class", "image_class")
    inside = np.ones_like(weight) if by_class else weight

    def total(v):
        return np.sum(inside * v, axis=AXES[groups], keepdims=True)

    losses, slopes = formula(t, p, inside, total)
    if empty != "formula":
        nothing = total(t) == 0
        number, found = total(np.ones_like(p)), p * p if squared else p
        instead = {"zero": 0, "skip": 0, "one": 1, "mean": total(found) / number}[empty]
        slope = {"mean": inside * (2 * p if squared else 1) / number}.get(empty, 0)
        losses, slopes = np.where(nothing, instead, losses), np.where(nothing, slope, slopes)
    if by_class:
        losses, slopes = weight * losses, weight * slopes
    kept = tuple(axis for axis in range(3) if axis not in AXES[groups])
    return losses.reshape([losses.shape[axis] for axis in kept]), back(slopes)
