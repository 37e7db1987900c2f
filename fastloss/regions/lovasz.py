"""Lovasz extensions of the Jaccard loss."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from fastloss._core.loss import Scores, choice, integer, loss
from fastloss._core.parameters import ANY, BINARY
from fastloss.regions.regions import EMPTY, RegionLoss

__all__ = ["LovaszHinge", "LovaszSoftmax"]


@loss()
class LovaszHinge(RegionLoss):
    r"""Lovasz hinge: the convex extension of the Jaccard loss, of the hinge errors of a binary mask.

    .. math::

        \ell = \sum_i \max(0, m_{(i)})\, \Delta_i \qquad m = 1 - x s \qquad
        \frac{\partial \ell}{\partial x_{(i)}} = -s_{(i)} \Delta_i [\,m_{(i)} > 0\,]

    with the sign :math:`s` of the target, 1 inside of the mask and -1 outside, the errors :math:`m` in descending
    order, and the growth :math:`\Delta_i` of the Jaccard loss as the i-th of them is counted as wrong after the others.

    Parameters
    ----------
    mode : {"binary", "multilabel"}, default="binary"
        Whether an element belongs to one class or not, for predictions of the shape of the targets, or to any of
        several.
    groups : {"class", "image_class"}, default="class"
        What a region is, that has one loss: the elements of a class in all images, or in one. Images lie along the
        first axis other than that of classes.
    {classes}
    {empty}

    See Also
    --------
    LovaszSoftmax : Of probabilities of several classes.
    Jaccard : The soft form, of sums alone.

    Notes
    -----
    Domain: `y_true` holds 0 and 1, of any type; `y_pred` is any real number. Equal errors come in the order of their
    elements, as they lie in memory; the value does not depend on it, and any order gives a subgradient. The gradient of
    an error of 0 is 0. Of an empty mask the formula is the largest error.

    `mask` has the shape of the elements, that of `y_pred` without the class axis; an element that does not count leaves
    the order. `sample_weight` is one number for each image, and weights its losses where these are of one image.
    States merge where regions are of one image; otherwise they would need all errors.

    Numerics: errors are sorted by their bits, exactly; the growth of the Jaccard loss is found without a difference,
    and the sum is in float64. A NaN makes its region NaN, value and gradient, and no other.

    References
    ----------
    .. [1] M. Berman, A. R. Triki, M. B. Blaschko, "The Lovasz-softmax loss: a tractable surrogate for the optimization
       of the intersection-over-union measure in neural networks", CVPR (2018), doi:10.1109/CVPR.2018.00464.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LovaszHinge()([[1, 1, 0, 0]], [[2.0, -1.0, 0.5, -3.0]])
    1.25
    """

    variants = (
        {"groups": "image_class", "empty": "skip"},
        {"mode": "multilabel", "groups": "image_class", "class_weight": (1.0, 0.0, 2.5)},
    )
    kernel = "lovasz"
    sorted = True
    target = BINARY
    mode: str = choice("binary", "multilabel", default="binary", kw_only=True)
    groups: str = choice("class", "image_class", default="class", kw_only=True)
    empty: str = choice(*EMPTY, default="formula", kw_only=True)
    ignore_index: int | None = integer(default=None, optional=True)

    @property
    def scores(self) -> Scores:  # type: ignore[override]
        return "scores"


@loss()
class LovaszSoftmax(RegionLoss):
    r"""Lovasz softmax: the extension of the Jaccard loss of each class, of the errors of its probabilities.

    .. math::

        \ell_k = \sum_i m_{(i)} \Delta_i \qquad m = |t_k - p_k| \qquad
        \frac{\partial \ell_k}{\partial p_k} = \Delta_i \operatorname{sign}(p_k - t_k)

    with the errors :math:`m` in descending order, and the growth :math:`\Delta_i` of the Jaccard loss of the class as
    the i-th of them is counted as wrong after those before.

    Parameters
    ----------
    {logits}
    groups : {"class", "image_class"}, default="class"
        What a region is, that has one loss: the elements of a class in all images, or in one. Images lie along the
        first axis other than that of classes.
    {classes}
    empty : {"formula", "zero", "one", "mean", "skip"}, default="skip"
        The loss of a class without targets: what the formula gives, its largest probability; 0 or 1, whatever is
        predicted; 0 for "mean" too; or none, so that the class does not count.
    ignore_index : int, optional
        The label of elements that do not count: they leave the order.

    See Also
    --------
    LovaszHinge : Of scores of a binary mask.
    Jaccard : The soft form, of sums alone.

    Notes
    -----
    Domain: `y_true` holds labels from 0 to C - 1; `y_pred` lies in [0, 1], or is any real number with `from_logits`.
    Equal errors come in the order of their elements, as they lie in memory; the value does not depend on it, and any
    order gives a subgradient. The gradient in the probability of an error of 0 is 0.

    `mask` has the shape of the elements, that of `y_pred` without the class axis; an element that does not count leaves
    the order. `sample_weight` is one number for each image, and weights its losses where these are of one image.
    States merge where regions are of one image; otherwise they would need all errors.

    Numerics: probabilities and their complements are accurate each by itself; errors are sorted by their bits, exactly;
    the growth of the Jaccard loss is found without a difference, and the sum is in float64. A NaN makes the regions of
    its image NaN, value and gradient, and no other.

    References
    ----------
    .. [1] M. Berman, A. R. Triki, M. B. Blaschko, "The Lovasz-softmax loss: a tractable surrogate for the optimization
       of the intersection-over-union measure in neural networks", CVPR (2018), doi:10.1109/CVPR.2018.00464.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LovaszSoftmax()([[0, 1]], [[[0.75, 0.5], [0.25, 0.5]]])
    0.4375
    """

    variants = (
        {"from_logits": True},
        {"from_logits": True, "groups": "image_class", "empty": "formula", "class_weight": (1.0, 0.0, 2.5)},
    )
    kernel = "lovasz"
    sorted = True
    target = ANY
    mode: ClassVar[str] = "multiclass"  # type: ignore[misc]
    from_logits: bool = field(default=False, kw_only=True)
    groups: str = choice("class", "image_class", default="class", kw_only=True)
    empty: str = choice(*EMPTY, default="skip", kw_only=True)
    ignore_index: int | None = integer(default=None, optional=True)
