"""The NumPy twins of `fastloss.regions.boundary`."""

import numpy as np

from tests.reference.regions.regions import of_regions


def _of_boundary(y, x, mode, from_logits, groups, class_weight):
    def formula(t, p, u, total):
        number = total(np.ones_like(p))
        return total(p * t) / number, u * t / number

    return of_regions(formula, y, x, mode, groups, class_weight, from_logits)


def boundary(y, x, mode, from_logits, groups, class_weight):
    return _of_boundary(y, x, mode, from_logits, groups, class_weight)[0]


def boundary_grad(y, x, mode, from_logits, groups, class_weight):
    return _of_boundary(y, x, mode, from_logits, groups, class_weight)[1]


def _of_hausdorff(y, d, x, mode, from_logits, groups, class_weight):
    def formula(t, p, u, total):
        number, distance = total(np.ones_like(p)), np.reshape(d, p.shape)
        return total(distance * (p - t) ** 2) / number, 2 * u * distance * (p - t) / number

    return of_regions(formula, y, x, mode, groups, class_weight, from_logits)


def hausdorff_dt(y, d, x, mode, from_logits, groups, class_weight):
    return _of_hausdorff(y, d, x, mode, from_logits, groups, class_weight)[0]


def hausdorff_dt_grad(y, d, x, mode, from_logits, groups, class_weight):
    return _of_hausdorff(y, d, x, mode, from_logits, groups, class_weight)[1]
