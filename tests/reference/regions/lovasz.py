"""The NumPy twins of `fastloss.regions.lovasz`."""

import numpy as np

from tests.reference.regions.regions import arranged


def jaccard_growth(inside):
    """What the Jaccard loss gains with each error, of elements in descending order of their errors."""
    inside = inside.astype(np.float64)
    left = inside.sum() - inside.cumsum()
    union = inside.sum() + (1 - inside).cumsum()
    return np.diff(1 - left / union, prepend=0)


def _of_lovasz(t, errors, slopes, groups, class_weight, empty):
    """The weighted loss of each region and the gradient of their sum, from that of the errors."""
    images, classes, n = errors.shape
    if groups == "class":
        t, errors, slopes = (v.swapaxes(0, 1).reshape(1, classes, images * n) for v in (t, errors, slopes))
    losses, grad = np.zeros(errors.shape[:2], errors.dtype), np.zeros_like(errors)
    for i, k in np.ndindex(losses.shape):
        weight = 1 if class_weight is None else class_weight[k]
        if empty != "formula" and not t[i, k].any():
            losses[i, k] = weight * (empty == "one")
            continue
        order = np.argsort(-errors[i, k], kind="stable")
        growth = jaccard_growth(t[i, k, order])
        losses[i, k] = weight * (errors[i, k, order] * growth).sum()
        grad[i, k, order] = weight * growth * slopes[i, k, order]
    if groups == "class":
        return losses[0], grad.reshape(classes, images, n).swapaxes(0, 1)
    return losses, grad


def _of_hinge(y, x, mode, groups, class_weight, empty):
    shape = np.shape(x)
    t, scores, _ = arranged(y, x, mode, False)
    sign = 2 * t - 1
    errors = np.maximum(1 - scores * sign, 0)
    losses, grad = _of_lovasz(t, errors, np.where(errors > 0, -sign, 0), groups, class_weight, empty)
    return losses, grad.reshape(shape)


def lovasz_hinge(y, x, mode, groups, class_weight, empty):
    return _of_hinge(y, x, mode, groups, class_weight, empty)[0]


def lovasz_hinge_grad(y, x, mode, groups, class_weight, empty):
    return _of_hinge(y, x, mode, groups, class_weight, empty)[1]


def _of_softmax(y, x, from_logits, groups, class_weight, empty):
    t, p, back = arranged(y, x, "multiclass", from_logits)
    losses, grad = _of_lovasz(t, np.abs(t - p), np.sign(p - t), groups, class_weight, empty)
    return losses, back(grad)


def lovasz_softmax(y, x, from_logits, groups, class_weight, empty):
    return _of_softmax(y, x, from_logits, groups, class_weight, empty)[0]


def lovasz_softmax_grad(y, x, from_logits, groups, class_weight, empty):
    return _of_softmax(y, x, from_logits, groups, class_weight, empty)[1]
