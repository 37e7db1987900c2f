"""Losses of the overlap of a mask and a prediction: Dice, Jaccard, Tversky and their relatives, and correlation."""

from __future__ import annotations

from dataclasses import field

from fastloss._core.loss import choice, loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, UNIT
from fastloss.regions.regions import OverlapLoss

__all__ = [
    "MCC",
    "Combo",
    "Dice",
    "FocalTversky",
    "GeneralizedDice",
    "Jaccard",
    "LogCoshDice",
    "SensitivitySpecificity",
    "Tversky",
]

# What every option of regions does, in a few losses.
EVERYWHERE: tuple[dict[str, object], ...] = (
    {"from_logits": True, "groups": "image"},
    {"mode": "multiclass", "from_logits": True, "groups": "class", "empty": "skip"},
    {"mode": "multiclass", "from_logits": True, "groups": "image_class", "class_weight": (1.0, 0.0, 2.5)},
    {"mode": "multilabel", "from_logits": True, "groups": "image_class", "empty": "mean"},
)


@loss()
class Dice(OverlapLoss):
    r"""Dice loss: 1 less twice the overlap of mask and prediction over the sum of their sizes.

    .. math::

        \ell = 1 - S \qquad S = \frac{2 \sum p t + s}{\sum p + \sum t + s} \qquad
        \frac{\partial \ell}{\partial p} = -\frac{2 t}{D} + \frac{N}{D^2}

    with the numerator :math:`N` and the denominator :math:`D` of the score :math:`S`. With squares, as in V-Net,
    :math:`D = \sum p^2 + \sum t^2 + s` and the derivative is :math:`-2 t / D + 2 p N / D^2`.

    Parameters
    ----------
    {score}
    squared : bool, default=False
        Squares in the denominator.
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    Jaccard : The overlap over the union.
    Tversky : False positives and false negatives with weights of their own.
    Combo : With cross-entropy, in one pass.

    Notes
    -----
    Domain:
    {domain}
    The score of nothing found where nothing is, 0 / 0, is 1, with a gradient of 0.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: fully convolutional neural networks for volumetric medical
       image segmentation", 3DV (2016), doi:10.1109/3DV.2016.79.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Dice()([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]])
    0.25
    >>> labels, logits = [[0, 1, 2]], [[[9.0, 0.0, 0.0], [0.0, 9.0, 9.0], [0.0, 0.0, 0.0]]]
    >>> fl.Dice(mode="multiclass", from_logits=True, groups="class")(labels, logits, reduction="none").round(3)
    array([0.   , 0.333, 1.   ])
    """

    variants = ({"squared": True, "smooth": 1.0}, {"log_loss": True, "from_logits": True, "eps": 1e-3}, *EVERYWHERE)
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)
    log_loss: bool = field(default=False, kw_only=True)
    squared: bool = field(default=False, kw_only=True)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return "dice_squared" if self.squared else "dice", {}


@loss()
class Jaccard(OverlapLoss):
    r"""Jaccard loss, or soft IoU: 1 less the overlap of mask and prediction over their union.

    .. math::

        \ell = 1 - \frac{\sum p t + s}{\sum p + \sum t - \sum p t + s} \qquad
        \frac{\partial \ell}{\partial p} = -\frac{t}{D} + \frac{N (1 - t)}{D^2}

    with the numerator :math:`N` and the denominator :math:`D` of the score.

    Parameters
    ----------
    {score}
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    LovaszHinge : The convex extension of the same for binary masks.
    LovaszSoftmax : ... and for several classes.

    Notes
    -----
    Domain:
    {domain}
    The score of nothing found where nothing is, 0 / 0, is 1, with a gradient of 0.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] M. A. Rahman, Y. Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation",
       ISVC (2016), doi:10.1007/978-3-319-50835-1_22.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Jaccard()([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]])
    0.4
    """

    variants = ({"smooth": 1.0, "log_loss": True, "eps": 1e-3}, *EVERYWHERE[1:3])
    kernel = "jaccard"
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)
    log_loss: bool = field(default=False, kw_only=True)


@loss()
class Tversky(OverlapLoss):
    r"""Tversky loss: false positives and false negatives with weights of their own, for precision against recall.

    .. math::

        \ell = 1 - \frac{TP + s}{TP + \alpha FP + \beta FN + s} \qquad
        \frac{\partial \ell}{\partial p} = -\frac{t}{D} + \frac{N (t + \alpha (1 - t) - \beta t)}{D^2}

    with :math:`TP = \sum p t`, :math:`FP = \sum p (1 - t)`, :math:`FN = \sum (1 - p) t`, the numerator :math:`N` and
    the denominator :math:`D` of the score. With both weights 1/2 it is Dice's, with both 1 Jaccard's.

    Parameters
    ----------
    alpha : float, default=0.5
        The weight of false positives.
    beta : float, default=0.5
        The weight of false negatives.
    {score}
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    FocalTversky : A power of it.

    Notes
    -----
    Domain:
    {domain}
    The score of nothing found where nothing is, 0 / 0, is 1, with a gradient of 0.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image segmentation using 3D fully
       convolutional deep networks", MLMI (2017), doi:10.1007/978-3-319-67389-9_44.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Tversky(alpha=0.25, beta=0.75)([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]])
    0.25
    """

    variants = ({"alpha": 0.3, "beta": 0.7, "smooth": 1.0, "log_loss": True, "eps": 1e-3}, *EVERYWHERE[:2])
    kernel = "tversky"
    alpha: float = number(NON_NEGATIVE, default=0.5)
    beta: float = number(NON_NEGATIVE, default=0.5)
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)
    log_loss: bool = field(default=False, kw_only=True)


@loss()
class FocalTversky(OverlapLoss):
    r"""Focal Tversky loss: a power of Tversky's, which weights regions that are far from right down or up.

    .. math::

        \ell = (1 - T)^\gamma \qquad \frac{\partial \ell}{\partial p} = -\gamma (1 - T)^{\gamma - 1}
        \frac{\partial T}{\partial p} \qquad T = \frac{TP + s}{TP + \alpha FP + \beta FN + s}

    Parameters
    ----------
    alpha : float, default=0.3
        The weight of false positives.
    beta : float, default=0.7
        The weight of false negatives.
    gamma : float, default=0.75
        The power; the paper's is its inverse, 4/3.
    smooth : float, default=0.0
        What is added to numerator and denominator.
    eps : float, default=0.0
        The least denominator.
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    Tversky : With the power 1.

    Notes
    -----
    Domain:
    {domain}
    A loss of 0 has a gradient of 0, also where a power below 1 has an infinite slope.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] N. Abraham, N. M. Khan, "A novel focal Tversky loss function with improved attention U-Net for lesion
       segmentation", ISBI (2019), doi:10.1109/ISBI.2019.8759329.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.FocalTversky(gamma=0.5)([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]])
    0.5
    """

    variants = ({"alpha": 0.5, "beta": 0.5, "gamma": 2.0, "smooth": 1.0, "eps": 1e-3}, *EVERYWHERE[:2])
    kernel = "focal_tversky"
    alpha: float = number(NON_NEGATIVE, default=0.3)
    beta: float = number(NON_NEGATIVE, default=0.7)
    gamma: float = number(POSITIVE, default=0.75)
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)


@loss()
class LogCoshDice(OverlapLoss):
    r"""Logarithm of the hyperbolic cosine of the Dice loss: flat where it is small.

    .. math::

        \ell = \log \cosh(1 - S) \qquad
        \frac{\partial \ell}{\partial p} = \tanh(1 - S) \left(-\frac{2 t}{D} + \frac{N}{D^2}\right) \qquad
        S = \frac{N}{D} = \frac{2 \sum p t + s}{\sum p + \sum t + s}

    Parameters
    ----------
    smooth : float, default=0.0
        What is added to numerator and denominator.
    eps : float, default=0.0
        The least denominator.
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    Dice : What it is a function of.

    Notes
    -----
    Domain:
    {domain}

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] S. Jadon, "A survey of loss functions for semantic segmentation", CIBCB (2020),
       doi:10.1109/CIBCB48159.2020.9277638.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.LogCoshDice()([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]]), 6)
    0.03093
    """

    variants = ({"smooth": 1.0, "eps": 1e-3}, *EVERYWHERE[:2])
    kernel = "log_cosh_dice"
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)


@loss()
class GeneralizedDice(OverlapLoss):
    r"""Generalized Dice loss: the classes of a region in one score, rare ones with a larger weight.

    .. math::

        \ell = 1 - \frac{2 \sum_k w_k \sum p_k t_k + s}{\sum_k w_k (\sum p_k + \sum t_k) + s} \qquad
        w_k = \left(\sum t_k\right)^{-q} \qquad
        \frac{\partial \ell}{\partial p_k} = w_k \left(-\frac{2 t_k}{D} + \frac{N}{D^2}\right)

    with the power :math:`q`, the numerator :math:`N` and the denominator :math:`D` of the score.

    Parameters
    ----------
    smooth : float, default=0.0
        What is added to numerator and denominator.
    eps : float, default=0.0
        The least denominator, in units of the largest :math:`w_k`.
    power : float, default=2.0
        By which power of its size a class is weighted down; 0 for equal weights.
    {regions}
    {logits}
    groups : {"batch", "image"}, default="batch"
        What a region is, that has one loss: all elements, or those of an image. Images lie along the first axis other
        than that of classes.
    axis : int, default=1
        The axis of the classes.
    class_weight : sequence of float, optional
        Further factors of the weights of the classes; 0 leaves a class out.
    {empty}

    See Also
    --------
    Dice : Of each class for itself, or of all alike.

    Notes
    -----
    Domain:
    {domain}
    A class without targets has the largest weight of those that have some.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] C. H. Sudre et al., "Generalised Dice overlap as a deep learning loss function for highly unbalanced
       segmentations", DLMIA (2017), doi:10.1007/978-3-319-67558-9_28.

    Examples
    --------
    >>> import fastloss as fl
    >>> labels, probabilities = [[0, 0, 1]], [[[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]]
    >>> round(fl.GeneralizedDice(mode="multiclass")(labels, probabilities), 6)
    0.185185
    """

    variants = (
        {"mode": "multiclass", "from_logits": True, "groups": "image"},
        {"mode": "multilabel", "from_logits": True, "power": 1.0, "smooth": 1.0, "eps": 1e-3},
        {"mode": "multiclass", "class_weight": (1.0, 0.0, 2.5), "power": 0.0, "empty": "one"},
    )
    kernel = "generalized_dice"
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)
    power: float = number(NON_NEGATIVE, default=2.0)
    groups: str = choice("batch", "image", default="batch", kw_only=True)


@loss()
class MCC(OverlapLoss):
    r"""1 less Matthews' correlation coefficient, of soft counts: true negatives count as well.

    .. math::

        \ell = 1 - M \qquad M = \frac{TP \cdot TN - FP \cdot FN}{\sqrt{(TP + FP)(TP + FN)(TN + FP)(TN + FN)}} \qquad
        \frac{\partial \ell}{\partial p} = -\frac{\partial M}{\partial p}

    of :math:`TP = \sum p t`, :math:`FP = \sum p (1 - t)`, :math:`FN = \sum (1 - p) t` and
    :math:`TN = \sum (1 - p)(1 - t)`.

    Parameters
    ----------
    smooth : float, default=1e-05
        What is added to each of the four counts.
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    Dice : Without true negatives.

    Notes
    -----
    Domain:
    {domain}
    Where a row or column of the table is 0 the coefficient is 0, and so is the gradient.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] K. Abhishek, G. Hamarneh, "Matthews correlation coefficient loss for deep convolutional networks: application
       to skin lesion segmentation", ISBI (2021), doi:10.1109/ISBI48211.2021.9433782.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MCC(smooth=0.0)([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]])
    0.5
    """

    variants = ({"smooth": 0.5}, *EVERYWHERE[:2])
    kernel = "mcc"
    smooth: float = number(NON_NEGATIVE, default=1e-5)


@loss()
class SensitivitySpecificity(OverlapLoss):
    r"""Sensitivity and specificity: a weighted sum of the mean squared errors inside and outside of the mask.

    .. math::

        \ell = \lambda \frac{\sum t (p - t)^2}{\sum t + s} + (1 - \lambda) \frac{\sum (1 - t)(p - t)^2}{\sum (1 - t) +
        s} \qquad \frac{\partial \ell}{\partial p} = 2 (p - t)
        \left(\frac{\lambda t}{\sum t + s} + \frac{(1 - \lambda)(1 - t)}{\sum (1 - t) + s}\right)

    Parameters
    ----------
    sensitivity : float, default=0.05
        The share :math:`\lambda` of the errors inside.
    smooth : float, default=1e-05
        What is added to both denominators.
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    Tversky : Another balance of false positives and false negatives.

    Notes
    -----
    Domain:
    {domain}
    The error of what has no element is 0.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] T. Brosch et al., "Deep convolutional encoder networks for multiple sclerosis lesion segmentation", MICCAI
       (2015), doi:10.1007/978-3-319-24574-4_1.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SensitivitySpecificity(sensitivity=0.5, smooth=0.0)([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]])
    0.125
    """

    variants = ({"sensitivity": 0.5, "smooth": 1.0}, *EVERYWHERE[:2])
    kernel = "sensitivity_specificity"
    sensitivity: float = number(UNIT, default=0.05)
    smooth: float = number(NON_NEGATIVE, default=1e-5)


@loss()
class Combo(OverlapLoss):
    r"""Cross-entropy and Dice loss in one pass.

    .. math::

        \ell = \lambda H + (1 - \lambda) \left(1 - \frac{2 \sum p t + s}{\sum p + \sum t + s}\right) \qquad
        \frac{\partial \ell}{\partial p} = \lambda \frac{\partial H}{\partial p} +
        (1 - \lambda) \left(-\frac{2 t}{D} + \frac{N}{D^2}\right)

    with the numerator :math:`N` and the denominator :math:`D` of the score, and the mean cross-entropy :math:`H` of the
    region's elements: :math:`-t \log p - (1 - t) \log(1 - p)`, or with `mode` "multiclass" :math:`-\sum_k t_k \log
    p_k`, of which a region of one class has its own terms, times the number of classes: their mean over the classes is
    the cross-entropy of all.

    Parameters
    ----------
    share : float, default=0.5
        The share :math:`\lambda` of cross-entropy.
    smooth : float, default=0.0
        What is added to numerator and denominator.
    eps : float, default=0.0
        The least denominator.
    {regions}
    {logits}
    {groups}
    {classes}
    {empty}

    See Also
    --------
    Dice : With a share of 0.

    Notes
    -----
    Domain:
    {domain}
    The cross-entropy of a probability of 0 is infinite where it is not that of a target of 0, which is 0.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] S. A. Taghanaki et al., "Combo loss: handling input and output imbalance in multi-organ segmentation",
       Computerized Medical Imaging and Graphics 75 (2019), doi:10.1016/j.compmedimag.2019.04.005.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.Combo()([[1, 1, 0, 0]], [[1.0, 0.5, 0.5, 0.0]]), 6)
    0.298287
    """

    variants = ({"share": 0.25, "smooth": 1.0, "eps": 1e-3}, *EVERYWHERE[:3])
    kernel = "combo"
    share: float = number(UNIT, default=0.5)
    smooth: float = number(NON_NEGATIVE, default=0.0)
    eps: float = number(NON_NEGATIVE, default=0.0)

    def _constants(self, classes: int) -> dict[str, float]:
        factor = classes if self.mode == "multiclass" else 1
        return {"smooth": self.smooth, "eps": self.eps, "share": self.share, "factor": factor}
