"""Losses of the margin, the score times the class of -1 or 1."""

from __future__ import annotations

from fastloss._core.loss import Loss, loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, SIGN


@loss("hinge_loss")
class Hinge(Loss):
    r"""Hinge loss of the support vector machine.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = \max(0, m - t) \qquad \ell' = -s \, [\,t < m\,] \qquad \ell'' = 0

    Parameters
    ----------
    margin : float, default=1.0
        The margin :math:`m` from which on the loss is 0; not negative, in the units of `y_pred`.

    See Also
    --------
    SquaredHinge, SmoothedHinge : With a continuous derivative.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. At
    :math:`t = m` the derivative is 0.

    Numerics: one rounding.

    References
    ----------
    .. [1] C. Cortes, V. Vapnik, "Support-vector networks", Machine Learning 20 (1995), doi:10.1007/BF00994018.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Hinge()([1, -1, 0], [0.5, 0.5, -2.0], reduction="none")
    array([0.5, 1.5, 0. ])
    """

    kernel = "hinge"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"
    variants = ({"margin": 0.25},)
    margin: float = number(NON_NEGATIVE, default=1.0)


@loss("squared_hinge_loss")
class SquaredHinge(Loss):
    r"""Squared hinge loss.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = \max(0, m - t)^2 \qquad \ell' = -2 s \max(0, m - t) \qquad \ell'' = 2 \, [\,t < m\,]

    Parameters
    ----------
    margin : float, default=1.0
        The margin :math:`m` from which on the loss is 0; not negative, in the units of `y_pred`.

    See Also
    --------
    ModifiedHuber : Linear for outliers.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. The
    curvature at :math:`t = m` is 0.

    Numerics: two roundings.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredHinge()([1, -1, 0], [0.5, 0.5, -2.0], reduction="none")
    array([0.25, 2.25, 0.  ])
    """

    kernel = "squared_hinge"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"
    variants = ({"margin": 0.25},)
    margin: float = number(NON_NEGATIVE, default=1.0)


@loss("smooth_hinge")
class SmoothedHinge(Loss):
    r"""Hinge loss with a quadratic piece in place of the kink.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = \begin{cases} 0 & t \ge 1 \\ (1 - t)^2 / (2 \gamma) & 1 - \gamma \le t < 1 \\
        1 - t - \gamma / 2 & t < 1 - \gamma \end{cases}
        \qquad \ell' = -s \min(\max(1 - t, 0) / \gamma, 1)
        \qquad \ell'' = [\,1 - \gamma \le t < 1\,] / \gamma

    Parameters
    ----------
    gamma : float, default=1.0
        The width of the quadratic piece; positive, in the units of `y_pred`. Towards 0 this becomes the hinge loss.

    See Also
    --------
    Hinge : The limit of a narrow piece.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. The
    curvature at :math:`t = 1` is 0, at :math:`t = 1 - \gamma` it is :math:`1 / \gamma`.

    Numerics: this is Huber's loss of :math:`h = \max(0, 1 - t)`, both branches as :math:`(h - m / 2) \, m / \gamma`
    with :math:`m = \min(h, \gamma)`.

    References
    ----------
    .. [1] S. Shalev-Shwartz, T. Zhang, "Stochastic dual coordinate ascent methods for regularized loss minimization",
       Journal of Machine Learning Research 14 (2013), arXiv:1209.1873.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SmoothedHinge()([1, -1, 0], [0.5, 0.5, -2.0], reduction="none")
    array([0.125, 1.   , 0.   ])
    """

    kernel = "smoothed_hinge"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"
    variants = ({"gamma": 0.25},)
    gamma: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"gamma": self.gamma, "corner": 1 - self.gamma, "steepness": 1 / self.gamma}


@loss("modified_huber_loss")
class ModifiedHuber(Loss):
    r"""Modified Huber loss: the squared hinge loss, linear for outliers.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = \begin{cases} 0 & t \ge 1 \\ (1 - t)^2 & -1 \le t < 1 \\ -4 t & t < -1 \end{cases}
        \qquad \ell' = -2 s \min(\max(1 - t, 0), 2)
        \qquad \ell'' = 2 \, [\,-1 \le t < 1\,]

    See Also
    --------
    SquaredHinge : Quadratic all the way.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. The
    curvature at :math:`t = 1` is 0, at :math:`t = -1` it is 2.

    Numerics: at most two roundings.

    References
    ----------
    .. [1] T. Zhang, "Solving large scale linear prediction problems using stochastic gradient descent algorithms", ICML
       2004, doi:10.1145/1015330.1015332.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ModifiedHuber()([1, -1, 1], [0.5, 0.5, -2.0], reduction="none")
    array([0.25, 2.25, 8.  ])
    """

    kernel = "modified_huber"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"


@loss("perceptron_loss")
class Perceptron(Loss):
    r"""Perceptron loss: the hinge loss without a margin.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = \max(0, -t) \qquad \ell' = -s \, [\,t < 0\,] \qquad \ell'' = 0

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. At 0 the
    derivative is 0.

    Numerics: exact.

    References
    ----------
    .. [1] F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain",
       Psychological Review 65 (1958), doi:10.1037/h0042519.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Perceptron()([1, -1, 0], [0.5, 0.5, -2.0], reduction="none")
    array([0. , 0.5, 0. ])
    """

    kernel = "perceptron"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"


@loss("soft_margin_loss")
class SoftMargin(Loss):
    r"""Logistic loss of a margin.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = \log(1 + e^{-t}) \qquad \ell' = -s \, \sigma(-t) \qquad \ell'' = \sigma(t) \, \sigma(-t)

    See Also
    --------
    BinaryCrossEntropyWithLogits : The same with classes 0 and 1, and with soft labels.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number.

    Numerics: as for the binary cross-entropy, nothing cancels.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SoftMargin()([1, -1, 1], [0.0, 100.0, 100.0], reduction="none")
    array([6.93147181e-01, 1.00000000e+02, 3.72007598e-44])
    """

    kernel = "soft_margin"
    scores = "logits"
    target = SIGN


@loss("exponential_loss")
class Exponential(Loss):
    r"""Exponential loss of boosting.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = e^{-t} \qquad \ell' = -s e^{-t} \qquad \ell'' = e^{-t}

    See Also
    --------
    SoftMargin : The same for right answers, linear for wrong ones.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number. The loss
    is infinite from :math:`t < -709.8` on (-88.7 in float32).

    Numerics: one exponential.

    References
    ----------
    .. [1] Y. Freund, R. E. Schapire, "A decision-theoretic generalization of on-line learning and an application to
       boosting", Journal of Computer and System Sciences 55 (1997), doi:10.1006/jcss.1997.1504.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Exponential()([1, -1], [0.0, 1.0], reduction="none")
    array([1.        , 2.71828183])
    """

    kernel = "exponential"
    scores = "scores"
    target = SIGN


@loss("savage_loss")
class Savage(Loss):
    r"""Savage loss: bounded, for noisy labels.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one, and
    :math:`p = \sigma(-2 t)`,

    .. math::

        \ell = p^2 \qquad \ell' = -4 s p^2 (1 - p) \qquad \ell'' = 8 p^2 (1 - p) (2 - 3 p)

    See Also
    --------
    SigmoidLoss : Another bounded loss.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number.

    Numerics: nothing cancels but the second derivative where it changes its sign.

    References
    ----------
    .. [1] H. Masnadi-Shirazi, N. Vasconcelos, "On the design of loss functions for classification: theory, robustness
       to outliers, and SavageBoost", NIPS 2008.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Savage()([1, -1], [0.0, 1.0], reduction="none")
    array([0.25      , 0.77580349])
    """

    kernel = "savage"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"


@loss("tanh_loss")
class SigmoidLoss(Loss):
    r"""Sigmoid loss: a smooth zero-one loss, twice over.

    With the margin :math:`t = s \hat y`, :math:`s = 1` for the positive class and -1 for the negative one,

    .. math::

        \ell = 1 - \tanh t = 2 \sigma(-2 t) \qquad \ell' = -s \operatorname{sech}^2 t
        \qquad \ell'' = 2 \tanh t \operatorname{sech}^2 t

    See Also
    --------
    Savage : Another bounded loss.
    KTO : The logistic function of a scaled margin.

    Notes
    -----
    Domain: `y_true` is 1 for the positive class and 0 or -1 for the negative one; `y_pred` is any real number.

    Numerics: computed as :math:`2 \sigma(-2 t)`, which does not cancel for right answers.

    References
    ----------
    .. [1] L. Mason et al., "Boosting algorithms as gradient descent", NIPS 1999.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SigmoidLoss()([1, -1], [0.0, 1.0], reduction="none")
    array([1.        , 1.76159416])
    """

    kernel = "sigmoid_loss"
    scores = "scores"
    target = SIGN
    hessian_approximation = "constant"


@loss("hinge_embedding_loss")
class HingeEmbedding(Loss):
    r"""Hinge embedding loss of a distance: small for pairs that match, at least a margin for others.

    .. math::

        \ell = \begin{cases} \hat y & y = 1 \\ \max(0, m - \hat y) & y = -1 \end{cases}
        \qquad \ell' = \begin{cases} 1 & y = 1 \\ -[\,\hat y < m\,] & y = -1 \end{cases}
        \qquad \ell'' = 0

    Parameters
    ----------
    margin : float, default=1.0
        The distance :math:`m` from which on pairs that do not match cost nothing; not negative.

    Notes
    -----
    Domain: `y_true` is 1 for a pair that matches and 0 or -1 for one that does not; `y_pred` is any real number,
    commonly a distance. At :math:`\hat y = m` the derivative for a pair that does not match is 0.

    Numerics: one rounding.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.HingeEmbedding()([1, -1, -1], [0.25, 0.25, 2.0], reduction="none")
    array([0.25, 0.75, 0.  ])
    """

    kernel = "hinge_embedding"
    scores = "distances"
    target = SIGN
    hessian_approximation = "constant"
    variants = ({"margin": 0.25},)
    margin: float = number(NON_NEGATIVE, default=1.0)


# Adversarial games --------------------------------------------------------------------------------


# Preferences --------------------------------------------------------------------------------------
