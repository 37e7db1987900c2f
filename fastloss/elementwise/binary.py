"""Losses of a binary target, a label or a probability, and mostly of a logit."""

from __future__ import annotations

import math

import numpy as np

from fastloss._core.loss import Loss, loss, number
from fastloss._core.parameters import BINARY, NON_NEGATIVE, OPEN_UNIT, POSITIVE, SIGN, UNIT, Domain

SMOOTHING = Domain(low=0, high=1, high_open=True)
BALANCE = Domain(low=-1, high=1)


def _balance(alpha: float) -> tuple[float, float]:
    """The weights of the positive and the negative class."""
    return (alpha, 1 - alpha) if alpha >= 0 else (1.0, 1.0)


@loss("bce_with_logits", "sigmoid_binary_cross_entropy")
class BinaryCrossEntropyWithLogits(Loss):
    r"""Binary cross-entropy of a logit.

    With :math:`\sigma(z) = 1 / (1 + e^{-z})`, softplus :math:`\operatorname{sp}(z) = \log(1 + e^z)`, the smoothed
    target :math:`t = (1 - \epsilon) y + \epsilon / 2` and the weights :math:`A = P t` and :math:`B = 1 - t`,

    .. math::

        \ell = A \operatorname{sp}(-z) + B \operatorname{sp}(z)
        \qquad \ell' = (A + B) \sigma(z) - A
        \qquad \ell'' = (A + B) \sigma(z) (1 - \sigma(z))

    Parameters
    ----------
    pos_weight : float, default=1.0
        The weight :math:`P` of the positive class; not negative.
    label_smoothing : float, default=0.0
        The share :math:`\epsilon` of the target that is replaced with 1/2, in [0, 1).

    See Also
    --------
    BinaryCrossEntropy : The same of a probability.
    SoftMargin : The same with classes -1 and 1.

    Notes
    -----
    Domain: `y_true` is in [0, 1], a label or a probability; `y_pred` is any real number.

    Numerics: the loss is computed as :math:`(A + B) \log(1 + e^{-|z|})` and :math:`|z|` times the weight on the wrong
    side of 0, the gradient from :math:`\sigma(-|z|)`: nothing cancels for hard labels, and a confident right answer
    keeps its relative accuracy down to the smallest numbers. A factor of 0 is skipped: :math:`z = \infty` with
    :math:`y = 1`, and :math:`z = -\infty` with :math:`y = 0`, have loss and gradient 0. With float32 the largest
    error found is 2.4 units in the last place where weights or the second derivative come in, else 2.0 (2.8 and 2.1 on
    processors without fused multiply-add).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.BinaryCrossEntropyWithLogits()([1, 0, 1], [0.0, -100.0, -100.0], reduction="none")
    array([6.93147181e-01, 3.72007598e-44, 1.00000000e+02])
    """

    kernel = "binary_cross_entropy_with_logits"
    scores = "logits"
    target = UNIT
    variants = ({"pos_weight": 3.0}, {"label_smoothing": 0.1}, {"pos_weight": 0.3, "label_smoothing": 0.2})
    pos_weight: float = number(NON_NEGATIVE, default=1.0)
    label_smoothing: float = number(SMOOTHING, default=0.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        if self.pos_weight == 1 and self.label_smoothing == 0:
            return self.kernel, {}
        few, weight = self.label_smoothing / 2, self.pos_weight
        return "weighted_binary_cross_entropy", {
            "positive_at_0": weight * few,
            "positive_at_1": weight * (1 - few),
            "negative_at_0": 1 - few,
            "negative_at_1": few,
        }


@loss("bce", "log_loss", "binary_crossentropy")
class BinaryCrossEntropy(Loss):
    r"""Binary cross-entropy of a probability, the logarithmic loss.

    .. math::

        \ell = -y \log p - (1 - y) \log(1 - p)
        \qquad \ell' = \frac{p - y}{p (1 - p)}
        \qquad \ell'' = \frac{y}{p^2} + \frac{1 - y}{(1 - p)^2}

    Parameters
    ----------
    eps : float, default=0.0
        `y_pred` is clipped to [eps, 1 - eps]; in [0, 0.5). Keras has 1e-7; 0 does not clip.
    log_clamp : float, default=0.0
        Both logarithms are at least this; not positive. PyTorch has -100; 0 does not clamp.

    See Also
    --------
    BinaryCrossEntropyWithLogits : The same of a logit, and the better choice wherever there is one.

    Notes
    -----
    Domain: `y_true` and `y_pred` are in [0, 1]. A term without weight is 0 whatever its logarithm, so that
    :math:`p = y = 0` and :math:`p = y = 1` have loss 0; :math:`p = 0` with :math:`y > 0` has an infinite one unless
    `eps` or `log_clamp` bounds it. The derivatives are those of the bounded loss: 0 outside [eps, 1 - eps], and the
    clamped logarithm has none; at the bounds themselves they are those of the inside.

    Numerics: the gradient is computed from one rounded difference :math:`p - y`, and for hard labels without any.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.BinaryCrossEntropy()([1, 0, 0], [0.5, 0.0, 1.0], reduction="none")
    array([0.69314718, 0.        ,        inf])
    >>> fl.BinaryCrossEntropy(log_clamp=-100)([0], [1.0])
    100.0
    """

    kernel = "binary_cross_entropy"
    scores = "probabilities"
    target = UNIT
    prediction = UNIT
    variants = ({"eps": 1e-7}, {"log_clamp": -100.0}, {"eps": 0.01, "log_clamp": -3.0})
    eps: float = number(Domain(low=0, high=0.5, high_open=True), default=0.0)
    log_clamp: float = number(Domain(high=0), default=0.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        low = max(math.log(self.eps) if self.eps else -math.inf, self.log_clamp or -math.inf)
        floor = max(self.eps, math.exp(self.log_clamp) if self.log_clamp else 0)
        return self.kernel, {"low": low, "high": math.log1p(-self.eps), "eps": self.eps, "floor": floor}


@loss()
class SigmoidFocal(Loss):
    r"""Focal loss of a logit: cross-entropy, with less weight on what is classified well.

    With :math:`m = y \sigma(-z) + (1 - y) \sigma(z)`, for a hard label the probability of the wrong class, the
    weight :math:`\alpha_y = \alpha y + (1 - \alpha) (1 - y)` and the cross-entropy :math:`H`,

    .. math::

        \ell &= \alpha_y m^\gamma H, \qquad H = y \operatorname{sp}(-z) + (1 - y) \operatorname{sp}(z) \\
        \ell' &= \alpha_y m^\gamma \left(\gamma \frac{m'}{m} H + \sigma(z) - y\right),
        \qquad m' = (1 - 2 y) \sigma(z) \sigma(-z) \\
        \ell'' &= \alpha_y m^\gamma \left(\gamma (\gamma - 1) \frac{m'^2}{m^2} H
        + \gamma \frac{m'}{m} (1 - 2 \sigma(z)) H + 2 \gamma \frac{m'}{m} (\sigma(z) - y)
        + \sigma(z) \sigma(-z)\right)

    Parameters
    ----------
    alpha : float, default=0.25
        The weight of the positive class, 1 - alpha being that of the negative one; in [-1, 1]. A negative number
        weighs both by 1.
    gamma : float, default=2.0
        The exponent, not negative; with 0 the loss is a weighted cross-entropy.

    See Also
    --------
    ReducedFocal : Focusing begins at a threshold.
    AsymmetricLoss : An exponent for each class.

    Notes
    -----
    Domain: `y_true` is in [0, 1], a label or a probability; `y_pred` is any real number.

    Numerics: :math:`m^\gamma` is the exponential of :math:`\gamma \log m`, for float64 with the logarithm to twice the
    precision; where :math:`m` underflows its logarithm is still known. The quotient :math:`m' / m` is formed without
    dividing by a vanishing :math:`m`, so that the derivatives are finite for :math:`\gamma < 1` as well. They are
    sums of terms of different signs for soft labels, the second one for all: there the error is relative to the terms.

    References
    ----------
    .. [1] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SigmoidFocal(alpha=0.25, gamma=2.0)([1, 1], [0.0, 5.0], reduction="none")
    array([4.33216988e-02, 7.52022556e-08])
    """

    kernel = "sigmoid_focal"
    scores = "logits"
    target = UNIT
    hessian_approximation = "constant"
    variants = ({"gamma": 0.0}, {"gamma": 0.5, "alpha": -1.0}, {"gamma": 5.0, "alpha": 0.7})
    alpha: float = number(BALANCE, default=0.25)
    gamma: float = number(NON_NEGATIVE, default=2.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        positive, negative = _balance(self.alpha)
        return self.kernel, {"positive": positive, "negative": negative, "gamma": self.gamma}


@loss("reduced_focal_loss")
class ReducedFocal(Loss):
    r"""Reduced focal loss: cross-entropy up to a threshold of the true class's probability, focal beyond.

    With :math:`m`, :math:`\alpha_y` and :math:`H` as for the focal loss and the threshold :math:`\theta`,

    .. math::

        \ell = \alpha_y f H, \qquad f = \begin{cases} 1 & 1 - m < \theta \\ (m / \theta)^\gamma & 1 - m \ge \theta
        \end{cases}

    and the derivatives are those of the focal loss, divided by :math:`\theta^\gamma`, or of the cross-entropy.

    Parameters
    ----------
    threshold : float, default=0.5
        The probability :math:`\theta` of the true class from which on its loss is reduced; in (0, 1).
    gamma : float, default=2.0
        The exponent, not negative.
    alpha : float, default=-1.0
        The weight of the positive class, 1 - alpha being that of the negative one; in [-1, 1]. A negative number
        weighs both by 1.

    Notes
    -----
    Domain: `y_true` is 0 or 1; `y_pred` is any real number. At the threshold the loss jumps unless
    :math:`\theta = 1/2`, and its gradient always; there all are those of the reduced side.

    Numerics: as for the focal loss.

    References
    ----------
    .. [1] N. Sergievskiy, A. Ponamarev, "Reduced focal loss: 1st place solution to xView object detection in satellite
       imagery", 2019, arXiv:1903.01347.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ReducedFocal(threshold=0.5)([1, 1], [-1.0, 1.0], reduction="none")
    array([1.31326169, 0.09063223])
    """

    kernel = "reduced_focal"
    scores = "logits"
    target = BINARY
    hessian_approximation = "constant"
    variants = ({"threshold": 0.3, "gamma": 1.5, "alpha": 0.25},)
    threshold: float = number(OPEN_UNIT, default=0.5)
    gamma: float = number(NON_NEGATIVE, default=2.0)
    alpha: float = number(BALANCE, default=-1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        unit = math.log(self.threshold)
        cut = unit - math.log1p(-self.threshold)
        return self.kernel, {"alpha": self.alpha, "gamma": self.gamma, "unit": unit, "cut": cut}


@loss("asl")
class AsymmetricLoss(Loss):
    r"""Asymmetric loss for multi-label classification: focal, with more focus on negatives, the easiest dropped.

    With :math:`p = \sigma(z)` and :math:`q = \max(p - c, 0)`,

    .. math::

        \ell &= \begin{cases} -(1 - p)^{\gamma_+} \log p & y = 1 \\ -q^{\gamma_-} \log(1 - q) & y = 0 \end{cases} \\
        \ell' &= \begin{cases} (1 - p)^{\gamma_+} (\gamma_+ p \log p - (1 - p)) & y = 1 \\
        q^{\gamma_-} (-\gamma_- \log(1 - q) / q + 1 / (1 - q)) \, p (1 - p) & y = 0 \end{cases}

    For positives the second derivative is that of the focal loss; for negatives with :math:`s = p (1 - p)`,
    :math:`b = 1 - 2 p` and :math:`H = -\log(1 - q)` it is

    .. math::

        \ell'' = q^{\gamma_-} \left(\gamma_- \frac sq \left(\left((\gamma_- - 1) \frac sq + b\right) H
        + \frac{2 s}{1 - q}\right) + \frac{s}{1 - q} \left(b + \frac{s}{1 - q}\right)\right)

    Parameters
    ----------
    gamma_neg : float, default=4.0
        The exponent :math:`\gamma_-` of negatives; not negative.
    gamma_pos : float, default=1.0
        The exponent :math:`\gamma_+` of positives; not negative.
    clip : float, default=0.05
        The probability :math:`c` up to which negatives count for nothing; in [0, 1).

    See Also
    --------
    SigmoidFocal : One exponent for both classes, and soft labels.

    Notes
    -----
    Domain: `y_true` is 0 or 1; `y_pred` is any real number. The derivatives at :math:`p = c` are 0.

    Numerics: the difference :math:`p - c` is formed in twice the precision, and the powers as in the focal loss.

    References
    ----------
    .. [1] E. Ben-Baruch et al., "Asymmetric loss for multi-label classification", ICCV 2021, arXiv:2009.14119.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.AsymmetricLoss()([1, 0, 0], [0.0, 0.0, -3.0], reduction="none")
    array([0.34657359, 0.02451505, 0.        ])
    """

    kernel = "asymmetric_focal"
    scores = "logits"
    target = BINARY
    hessian_approximation = "constant"
    variants = ({"clip": 0.0}, {"gamma_neg": 2.5, "gamma_pos": 0.0, "clip": 0.2})
    gamma_neg: float = number(NON_NEGATIVE, default=4.0)
    gamma_pos: float = number(NON_NEGATIVE, default=1.0)
    clip: float = number(SMOOTHING, default=0.05)


@loss()
class BrierWithLogits(Loss):
    r"""Brier score of a logit: the squared error of its probability.

    .. math::

        \ell = (\sigma(z) - y)^2 \qquad \ell' = 2 (\sigma(z) - y) s \qquad
        \ell'' = 2 s \left(s + (\sigma(z) - y) (1 - 2 \sigma(z))\right), \quad s = \sigma(z) (1 - \sigma(z))

    See Also
    --------
    BrierScore : The same of a probability.

    Notes
    -----
    Domain: `y_true` is in [0, 1], a label or a probability; `y_pred` is any real number. The loss is not convex in
    the logit, and its gradient vanishes for confident wrong answers.

    Numerics: everything is computed from :math:`\sigma(-|z|)`, so that nothing cancels for hard labels but the
    second derivative where it changes its sign.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950),
       doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.BrierWithLogits()([1, 0], [0.0, -20.0], reduction="none")
    array([2.50000000e-01, 4.24835424e-18])
    """

    kernel = "brier"
    scores = "logits"
    target = UNIT
    hessian_approximation = "constant"


@loss("brier_score_loss")
class BrierScore(Loss):
    r"""Brier score of a probability: its squared error.

    .. math:: \ell = (p - y)^2 \qquad \ell' = 2 (p - y) \qquad \ell'' = 2

    See Also
    --------
    BrierWithLogits : The same of a logit.
    MulticlassBrier : Of the softmax of several logits.
    BinaryCrossEntropy : The logarithmic score.

    Notes
    -----
    Domain: `y_true` and `y_pred` are in [0, 1].

    Numerics: one subtraction and one product, each rounded once.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950),
       doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.BrierScore()([1, 0], [0.75, 0.5], reduction="none")
    array([0.0625, 0.25  ])
    """

    kernel = "squared_error"
    scores = "probabilities"
    target = UNIT
    prediction = UNIT

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"factor": 1.0}


@loss("xentlambda")
class CrossEntropyLambda(Loss):
    r"""Cross-entropy of the probability of at least one event, whose rate is a softplus.

    .. math::

        p = 1 - e^{-w \operatorname{sp}(z)} \qquad
        \ell = -y \log p + (1 - y) \, w \operatorname{sp}(z) \qquad
        \ell' = \left(1 - \frac yp\right) w \sigma(z) \qquad
        \ell'' = \left(1 - \frac yp\right) w \sigma(z) \sigma(-z) + y (1 - p) \left(\frac{w \sigma(z)}{p}\right)^2

    With :math:`w = 1` this is the binary cross-entropy.

    Parameters
    ----------
    exposure : float, default=1.0
        The exposure :math:`w`: how many trials a target stands for; positive.

    See Also
    --------
    BinaryCrossEntropyWithLogits : The case of one trial.

    Notes
    -----
    Domain: `y_true` is in [0, 1], a label or a probability; `y_pred` is any real number.

    Numerics: :math:`p` and :math:`1 - p` both have their full relative accuracy. The second derivative is a difference
    for positive targets: far on the negative side its error is relative to the terms.

    References
    ----------
    .. [1] LightGBM's objective ``cross_entropy_lambda``, lightgbm.readthedocs.io/en/stable/Parameters.html#objective.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CrossEntropyLambda(exposure=2.0)([1, 0], [0.0, 0.0], reduction="none")
    array([0.28768207, 1.38629436])
    """

    kernel = "cross_entropy_lambda"
    scores = "logits"
    target = UNIT
    hessian_approximation = "floored"
    variants = ({"exposure": 0.3}, {"exposure": 5.0})
    exposure: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"exposure": self.exposure, "log_exposure": math.log(self.exposure)}


@loss()
class ZeroOne(Loss):
    r"""Zero-one loss: 1 for a score on the wrong side of the threshold, else 0.

    .. math::

        \ell = [\,(\hat y > \theta) \ne (y = 1)\,] \qquad \ell' = 0 \qquad \ell'' = 0

    Parameters
    ----------
    threshold : float, default=0.0
        The score :math:`\theta` above which a prediction is positive; 0.5 for probabilities.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. A score
    that equals the threshold is negative. The mean is one minus the accuracy.

    Numerics: exact.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ZeroOne()([1, 1, 0, 0], [2.0, -1.0, 0.0, 3.0], reduction="none")
    array([0., 1., 0., 1.])
    """

    kernel = "zero_one"
    scores = "scores"
    target = SIGN
    hessian_approximation = "none"
    variants = ({"threshold": 0.5},)
    threshold: float = number(default=0.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        with np.errstate(over="ignore"):
            near = np.float32(self.threshold)
            below = near if near <= self.threshold else np.nextafter(near, np.float32(-np.inf))
        return self.kernel, {"threshold": self.threshold, "below": float(below)}


@loss("slide_loss")
class Slide(Loss):
    r"""Slide loss: cross-entropy of a logit, with more weight on targets near to their mean and above.

    With the targets' mean :math:`\mu`, at least 0.2,

    .. math::

        \ell = f(y) H \qquad \ell' = f(y) (\sigma(z) - y) \qquad \ell'' = f(y) \sigma(z) (1 - \sigma(z)) \qquad
        f(y) = \begin{cases} 1 & y \le \mu - 0.1 \\ e^{1 - \mu} & \mu - 0.1 < y < \mu \\
        e^{1 - y} & y \ge \mu \end{cases}

    where :math:`H` is the binary cross-entropy.

    Parameters
    ----------
    mu : float, default=0.5
        The mean overlap (IoU) of the boxes of a batch, in [0, 1].

    See Also
    --------
    BinaryCrossEntropyWithLogits : The loss without these weights.

    Notes
    -----
    Domain: `y_true` is in [0, 1], the overlap (IoU) of a box with its object; `y_pred` is any real number.

    Numerics: as for the binary cross-entropy.

    References
    ----------
    .. [1] Z. Yu et al., "YOLO-FaceV2: A scale and occlusion aware face detector", 2022, arXiv:2208.02019.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Slide(mu=0.5)([0.0, 0.45, 1.0], [0.0, 0.0, 0.0], reduction="none")
    array([0.69314718, 1.1428065 , 0.69314718])
    """

    kernel = "slide"
    scores = "logits"
    target = UNIT
    variants = ({"mu": 0.1}, {"mu": 0.75})
    mu: float = number(UNIT, default=0.5)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        mu = max(self.mu, 0.2)
        return self.kernel, {"mu": mu, "before": mu - 0.1, "boost": math.exp(1 - mu)}
