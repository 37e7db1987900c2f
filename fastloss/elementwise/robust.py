"""Robust losses of the residual: about linear far from zero, so that the pull of an outlier has a bound."""

from __future__ import annotations

import math

from fastloss._core.loss import Loss, loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE
from fastloss.elementwise.residual import AbsoluteError


@loss("huber_loss")
class Huber(Loss):
    r"""Huber loss: quadratic near zero, linear beyond `delta`.

    With the residual :math:`r = \hat y - y`,

    .. math::

        \ell = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta (|r| - \delta / 2) & |r| > \delta \end{cases}
        \qquad \ell' = \min(\max(r, -\delta), \delta)
        \qquad \ell'' = [\,|r| \le \delta\,]

    Parameters
    ----------
    delta : float, default=1.0
        Where the loss turns linear; positive, in the units of `y_true`.

    See Also
    --------
    PseudoHuber : The same limits with all derivatives continuous.
    SmoothL1 : The same loss divided by `delta`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The curvature at :math:`|r| = \delta` is 1.

    Numerics: both branches are :math:`m (|r| - m / 2)` with :math:`m = \min(|r|, \delta)`, so that nothing
    but the residual itself overflows before the loss does.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964),
       doi:10.1214/aoms/1177703732.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Huber(delta=1.0)([0.0, 0.0], [0.5, 3.0], reduction="none")
    array([0.125, 2.5  ])
    """

    kernel = "huber"
    scores = "values"
    hessian_approximation = "constant"
    reweighted = True
    variants = ({"delta": 0.3},)
    delta: float = number(POSITIVE, default=1.0)


@loss("smooth_l1_loss")
class SmoothL1(Loss):
    r"""Absolute error with a quadratic bottom: the Huber loss divided by its parameter.

    With the residual :math:`r = \hat y - y`,

    .. math::

        \ell = \begin{cases} r^2 / (2 \beta) & |r| < \beta \\ |r| - \beta / 2 & |r| \ge \beta \end{cases}
        \qquad \ell' = \min(\max(r / \beta, -1), 1)
        \qquad \ell'' = [\,|r| < \beta\,] / \beta

    Parameters
    ----------
    beta : float, default=1.0
        Where the loss turns linear; not negative, in the units of `y_true`. With 0 it is the absolute error.

    See Also
    --------
    Huber : The same loss times `beta`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The curvature at :math:`|r| = \beta` is 0.

    Numerics: the ratio :math:`|r| / \beta` comes first, so that nothing but the residual itself
    overflows before the loss does.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV 2015, arXiv:1504.08083.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SmoothL1(beta=0.5)([0.0, 0.0], [0.25, 3.0], reduction="none")
    array([0.0625, 2.75  ])
    """

    kernel = "smooth_l1"
    scores = "values"
    hessian_approximation = "constant"
    variants = ({"beta": 0.3}, {"beta": 0.0})
    beta: float = number(NON_NEGATIVE, default=1.0)

    @property
    def reweighted(self) -> bool:  # type: ignore[override]
        return self.beta > 0

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return (self.kernel, {"beta": self.beta}) if self.beta else (AbsoluteError.kernel, {})


@loss("logcosh")
class LogCosh(Loss):
    r"""Logarithm of the hyperbolic cosine: quadratic near zero, then linear with slope 1.

    With the residual :math:`r = \hat y - y`,

    .. math:: \ell = \log \cosh r \qquad \ell' = \tanh r \qquad \ell'' = \operatorname{sech}^2 r = 1 - \tanh^2 r

    See Also
    --------
    PseudoHuber : A similar shape with a parameter, without transcendental functions.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: it is :math:`\log(1 + (\cosh r - 1))` for :math:`|r| < 1` and
    :math:`|r| + \log(1 + e^{-2 |r|}) - \log 2` beyond, accurate near 0 and never overflowing early; the curvature
    counts the rounding error of the residual, which the exponential would amplify.

    References
    ----------
    .. [1] P. J. Green, "Bayesian reconstructions from emission tomography data using a modified EM algorithm", IEEE
       Transactions on Medical Imaging 9 (1990), doi:10.1109/42.52985.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LogCosh()([0.0, 0.0], [1e-3, 1000.0], reduction="none")
    array([4.99999917e-07, 9.99306853e+02])
    """

    kernel = "log_cosh"
    scores = "values"
    reweighted = True


@loss("pseudo_huber_loss")
class PseudoHuber(Loss):
    r"""Smooth Huber loss: quadratic near zero, linear far from it, every derivative continuous.

    With the residual :math:`r = \hat y - y` and :math:`h = \sqrt{1 + (r / \delta)^2}`,

    .. math:: \ell = \delta^2 (h - 1) \qquad \ell' = r / h \qquad \ell'' = h^{-3}

    Parameters
    ----------
    delta : float, default=1.0
        Around where the loss turns linear, and its final slope; positive, in the units of `y_true`.

    See Also
    --------
    Huber : The same limits, exactly quadratic and linear.
    Barron : With ``alpha=1`` this loss divided by the square of `delta`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: :math:`h - 1` is replaced by a quotient that does not cancel near 0, in ratios of the smaller of
    :math:`|r|` and :math:`\delta` to the larger that cannot overflow.

    References
    ----------
    .. [1] P. Charbonnier, L. Blanc-Féraud, G. Aubert and M. Barlaud, "Deterministic edge-preserving regularization in
       computed imaging", IEEE Transactions on Image Processing 6 (1997), doi:10.1109/83.551699.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.PseudoHuber(delta=3.0)([0.0, 0.0], [4.0, 1e200], reduction="none")
    array([6.e+000, 3.e+200])
    """

    kernel = "pseudo_huber"
    scores = "values"
    reweighted = True
    variants = ({"delta": 0.3}, {"delta": 70.0})
    delta: float = number(POSITIVE, default=1.0)


@loss("fair_loss")
class Fair(Loss):
    r"""Fair's robust loss: between the squared and the absolute error, and convex.

    With the residual :math:`r = \hat y - y` and :math:`s = |r| / c`,

    .. math::

        \ell = c^2 (s - \log(1 + s)) \qquad \ell' = \frac{r}{1 + s} \qquad \ell'' = \frac{1}{(1 + s)^2}

    Parameters
    ----------
    c : float, default=1.3998
        Scale of the residuals, and the final slope; positive, in the units of `y_true`. The default has 95% efficiency
        for normal residuals of unit variance.

    See Also
    --------
    PseudoHuber : The same limits, closer to the Huber loss.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: near 0 the difference is a series and farther out taken in twice the precision, so that it does not
    cancel; the residual enters in twice the precision.

    References
    ----------
    .. [1] R. C. Fair, "On the robust estimation of econometric models", Annals of Economic and Social Measurement 3
       (1974), 667-677.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Fair(c=1.0).grad([0.0, 0.0], [1.0, -3.0], reduction="none")
    array([ 0.5 , -0.75])
    """

    kernel = "fair"
    scores = "values"
    reweighted = True
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=1.3998)


@loss("wing_loss")
class Wing(Loss):
    r"""Wing loss: a logarithm with a steep bottom that turns into the absolute error.

    With the residual :math:`r = \hat y - y`, the width :math:`\omega` and the curvature :math:`\epsilon`,

    .. math::

        \ell = \begin{cases}
            \omega \log(1 + |r| / \epsilon) & |r| < \omega \\
            |r| - \omega + \omega \log(1 + \omega / \epsilon) & |r| \ge \omega
        \end{cases}
        \qquad \ell' = \operatorname{sign} r \begin{cases} \omega / (\epsilon + |r|) \\ 1 \end{cases}
        \qquad \ell'' = \begin{cases} -\omega / (\epsilon + |r|)^2 \\ 0 \end{cases}

    Parameters
    ----------
    width : float, default=10.0
        Where the loss turns linear; positive, in the units of `y_true`.
    curvature : float, default=2.0
        How far the logarithm bends; positive, in the units of `y_true`. Not to be confused with the second derivative.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative within the width, and the
    slope jumps at it.

    Numerics: the derivatives at :math:`|r| = \omega` are those of the line, the gradient at :math:`r = 0`, where it
    jumps, is 0.

    References
    ----------
    .. [1] Z.-H. Feng, J. Kittler, M. Awais, P. Huber and X.-J. Wu, "Wing loss for robust facial landmark localisation
       with convolutional neural networks", CVPR 2018, arXiv:1711.06753.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Wing(width=3.0, curvature=1.0).grad([0.0, 0.0], [1.0, 5.0], reduction="none")
    array([1.5, 1. ])
    """

    kernel = "wing"
    scores = "values"
    hessian_approximation = "constant"
    variants = ({"width": 0.3, "curvature": 70.0}, {"width": 5.0, "curvature": 0.1})
    width: float = number(POSITIVE, default=10.0)
    curvature: float = number(POSITIVE, default=2.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        height = self.width * math.log1p(self.width / self.curvature)
        return self.kernel, {"width": self.width, "curvature": self.curvature, "height": height}
