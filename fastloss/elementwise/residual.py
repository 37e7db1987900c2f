"""Regression losses of the residual, the prediction minus the target."""

from __future__ import annotations

import math

from fastloss._base import Loss, loss, number
from fastloss._parameters import NON_NEGATIVE, OPEN_UNIT, POSITIVE, Domain

AT_LEAST_ONE = Domain(low=1)


@loss("mse", "mse_loss", "l2_loss", "mean_squared_error")
class SquaredError(Loss):
    r"""Squared error.

    With the residual :math:`r = \hat y - y` and a factor :math:`k` of 1, or 1/2 with `half`,

    .. math:: \ell = k r^2 \qquad \ell' = 2 k r \qquad \ell'' = 2 k

    Parameters
    ----------
    half : bool, default=False
        Halve the loss, so that its gradient is the residual.

    See Also
    --------
    Huber : Linear far from zero, for data with outliers.
    Expectile : Weighs residuals of either sign differently.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: one subtraction and one product, each rounded once.

    References
    ----------
    .. [1] A.-M. Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes", Paris 1805.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredError()([1.0, 2.0], [1.5, 4.0], reduction="none")
    array([0.25, 4.  ])
    """

    kernel = "SQUARED_ERROR"
    variants = ({"half": True},)
    half: bool = False

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, (0.5 if self.half else 1.0,)


@loss("mae", "l1_loss", "mean_absolute_error")
class AbsoluteError(Loss):
    r"""Absolute error, whose mean is least at the median.

    With the residual :math:`r = \hat y - y`,

    .. math:: \ell = |r| \qquad \ell' = \operatorname{sign} r \qquad \ell'' = 0

    See Also
    --------
    Quantile : Any quantile in place of the median.
    SmoothL1 : Differentiable at zero.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the gradient at :math:`r = 0`, where it jumps, is 0.

    References
    ----------
    .. [1] P. Bloomfield and W. L. Steiger, "Least Absolute Deviations", Birkhäuser 1983,
       doi:10.1007/978-1-4684-8574-5.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.AbsoluteError()([1.0, 2.0], [1.5, 0.0], reduction="none")
    array([0.5, 2. ])
    """

    kernel = "ABSOLUTE_ERROR"


@loss("mbe", "mean_bias_error")
class MeanBias(Loss):
    r"""Bias: the residual itself, whose mean tells whether predictions are too high.

    .. math:: \ell = \hat y - y \qquad \ell' = 1 \qquad \ell'' = 0

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Being linear it has no minimum: a metric, not an objective.

    Numerics: one subtraction.

    References
    ----------
    .. [1] C. J. Willmott, "Some comments on the evaluation of model performance", Bulletin of the American
       Meteorological Society 63 (1982), doi:10.1175/1520-0477(1982)063<1309:SCOTEO>2.0.CO;2.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MeanBias()([1.0, 2.0], [1.5, 0.0])
    -0.75
    """

    kernel = "MEAN_BIAS"


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
    overflows before the loss itself does.

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

    kernel = "HUBER"
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

    Numerics: the ratio :math:`|r| / \beta` comes first, so that nothing overflows before the loss itself does.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV 2015, arXiv:1504.08083.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SmoothL1(beta=0.5)([0.0, 0.0], [0.25, 3.0], reduction="none")
    array([0.0625, 2.75  ])
    """

    kernel = "SMOOTH_L1"
    variants = ({"beta": 0.3}, {"beta": 0.0})
    beta: float = number(NON_NEGATIVE, default=1.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel if self.beta else AbsoluteError.kernel, (self.beta,)


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

    kernel = "LOG_COSH"


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

    kernel = "PSEUDO_HUBER"
    variants = ({"delta": 0.3}, {"delta": 70.0})
    delta: float = number(POSITIVE, default=1.0)


@loss("pinball", "quantile_loss", "pinball_loss")
class Quantile(Loss):
    r"""Pinball loss, whose mean is least at a quantile of the targets.

    With the residual :math:`r = \hat y - y` and the quantile :math:`\tau`,

    .. math::

        \ell = \max((1 - \tau) r, -\tau r)
        \qquad \ell' = \begin{cases} 1 - \tau & r > 0 \\ -\tau & r \le 0 \end{cases}
        \qquad \ell'' = 0

    Parameters
    ----------
    quantile : float, default=0.5
        The quantile, in the open unit interval; a prediction that is too low costs `quantile` for each unit, one that
        is too high the rest to 1.

    See Also
    --------
    Expectile : The same asymmetry of squared errors.
    AbsoluteError : Twice this loss at the median.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the gradient at :math:`r = 0`, where it jumps, is :math:`-\tau`.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1978), doi:10.2307/1913643.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Quantile(quantile=0.75)([0.0, 0.0], [-1.0, 1.0], reduction="none")
    array([0.75, 0.25])
    """

    kernel = "QUANTILE"
    variants = ({"quantile": 0.1}, {"quantile": 0.999})
    quantile: float = number(OPEN_UNIT, default=0.5)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, (self.quantile, 1.0 - self.quantile)


@loss("expectile_loss")
class Expectile(Loss):
    r"""Asymmetric squared error, whose mean is least at an expectile of the targets.

    With the residual :math:`r = \hat y - y` and the weight :math:`a = \alpha` where :math:`y > \hat y`, else
    :math:`a = 1 - \alpha`,

    .. math:: \ell = a r^2 \qquad \ell' = 2 a r \qquad \ell'' = 2 a

    Parameters
    ----------
    alpha : float, default=0.5
        Weight of a prediction that is too low, in the open unit interval; one that is too high has the rest to 1.

    See Also
    --------
    Quantile : The same asymmetry of absolute errors.
    SquaredError : Twice this loss at ``alpha=0.5``.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The curvature at :math:`r = 0`, where it jumps, is
    :math:`2 (1 - \alpha)`.

    Numerics: the residual of float32 input is squared in float64 and rounded once.

    References
    ----------
    .. [1] W. K. Newey and J. L. Powell, "Asymmetric least squares estimation and testing", Econometrica 55 (1987),
       doi:10.2307/1911031.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Expectile(alpha=0.75)([0.0, 0.0], [-2.0, 2.0], reduction="none")
    array([3., 1.])
    """

    kernel = "EXPECTILE"
    variants = ({"alpha": 0.1}, {"alpha": 0.999})
    alpha: float = number(OPEN_UNIT, default=0.5)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, (self.alpha, 1.0 - self.alpha)


@loss("linex_loss")
class Linex(Loss):
    r"""Linear-exponential loss: errors of one sign cost exponentially, of the other linearly.

    With the residual :math:`r = \hat y - y`,

    .. math:: \ell = b (e^{a r} - 1 - a r) \qquad \ell' = a b (e^{a r} - 1) \qquad \ell'' = a^2 b\, e^{a r}

    Parameters
    ----------
    a : float, default=1.0
        Asymmetry, not 0, in inverse units of `y_true`: positive where predictions that are too high cost exponentially.
    b : float, default=1.0
        Factor of the loss; positive.

    See Also
    --------
    Expectile : A milder asymmetry.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the loss is infinite where it overflows, from :math:`a r` of about 709. For :math:`|a r| < 1` it is a
    series, accurate near 0; :math:`a r` is kept in twice the precision, as the exponential amplifies its error.

    References
    ----------
    .. [1] H. R. Varian, "A Bayesian approach to real estate assessment", in Studies in Bayesian Econometrics and
       Statistics in Honor of L. J. Savage, North-Holland 1975.
    .. [2] A. Zellner, "Bayesian estimation and prediction using asymmetric loss functions", Journal of the American
       Statistical Association 81 (1986), doi:10.1080/01621459.1986.10478289.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Linex(a=1.0)([0.0, 0.0], [-50.0, 50.0], reduction="none").tolist()
    [49.0, 5.184705528587072e+21]
    """

    kernel = "LINEX"
    variants = ({"a": -1.7, "b": 0.3}, {"a": 1e-3, "b": 2.0})
    a: float = number(default=1.0)
    b: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        if self.a == 0:
            raise ValueError("Linex: a is 0, must be another number: the loss would vanish")
        return self.kernel, (self.a, self.b)


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

    kernel = "FAIR"
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=1.3998)


@loss("cauchy_loss", "lorentzian")
class Cauchy(Loss):
    r"""Cauchy or Lorentzian loss: grows as a logarithm, so that the pull of outliers fades.

    With the residual :math:`r = \hat y - y` and :math:`u = (r / c)^2`,

    .. math::

        \ell = \frac{c^2}{2} \log(1 + u) \qquad \ell' = \frac{r}{1 + u} \qquad \ell'' = \frac{1 - u}{(1 + u)^2}

    Parameters
    ----------
    c : float, default=2.3849
        Scale of the residuals; positive, in the units of `y_true`. The default has 95% efficiency for normal residuals
        of unit variance.

    See Also
    --------
    StudentTNLL : The likelihood that this loss belongs to.
    Barron : With ``alpha=0`` this loss of :math:`\sqrt 2 c` divided by the square of `c`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for :math:`|r| > c`.

    Numerics: derivatives are in ratios that cannot overflow, and :math:`1 - u` counts the rounding errors of
    the residual and of its square.

    References
    ----------
    .. [1] M. J. Black and P. Anandan, "The robust estimation of multiple motions", Computer Vision and Image
       Understanding 63 (1996), doi:10.1006/cviu.1996.0006.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Cauchy(c=1.0).grad([0.0, 0.0], [1.0, 1e200], reduction="none")
    array([5.e-001, 1.e-200])
    """

    kernel = "CAUCHY"
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=2.3849)


@loss("tukey_biweight", "bisquare", "tukey_loss")
class Tukey(Loss):
    r"""Tukey's biweight: constant beyond `c`, so that outliers do not pull at all.

    With the residual :math:`r = \hat y - y` and :math:`u = \min((r / c)^2, 1)`,

    .. math::

        \ell = \frac{c^2}{6} (1 - (1 - u)^3) \qquad \ell' = r (1 - u)^2 \qquad \ell'' = (1 - u)(1 - 5 u)

    Parameters
    ----------
    c : float, default=4.685
        Where the loss turns constant; positive, in the units of `y_true`. The default has 95% efficiency for normal
        residuals of unit variance.

    See Also
    --------
    Welsch : A similar shape that is never exactly constant.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for
    :math:`c / \sqrt 5 < |r| < c`.

    Numerics: it is evaluated as :math:`r^2 (1 - u + u^2 / 3) / 2`, which does not cancel near 0; :math:`1 - u` counts
    the rounding error of the residual.

    References
    ----------
    .. [1] A. E. Beaton and J. W. Tukey, "The fitting of power series, meaning polynomials, illustrated on
       band-spectroscopic data", Technometrics 16 (1974), doi:10.1080/00401706.1974.10489171.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Tukey(c=2.0).grad([0.0, 0.0], [1.0, 100.0], reduction="none")
    array([0.5625, 0.    ])
    """

    kernel = "TUKEY"
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=4.685)


@loss("leclerc", "welsch_loss")
class Welsch(Loss):
    r"""Welsch or Leclerc loss: bounded, with a gradient that falls as a bell curve.

    With the residual :math:`r = \hat y - y` and :math:`u = (r / c)^2`,

    .. math:: \ell = \frac{c^2}{2} (1 - e^{-u}) \qquad \ell' = r e^{-u} \qquad \ell'' = (1 - 2 u) e^{-u}

    Parameters
    ----------
    c : float, default=2.985
        Scale of the residuals; positive, in the units of `y_true`. The default has 95% efficiency for normal residuals
        of unit variance.

    See Also
    --------
    Tukey : A similar shape that is exactly constant far out.
    Barron : This loss of :math:`\sqrt 2 c` over the square of `c` is the limit of ``alpha`` to minus infinity.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for
    :math:`|r| > c / \sqrt 2`.

    Numerics: :math:`u` is kept in twice the precision with the rounding error of the residual, which the exponential
    would amplify.

    References
    ----------
    .. [1] J. E. Dennis and R. E. Welsch, "Techniques for nonlinear least squares and robust regression", Communications
       in Statistics, Simulation and Computation 7 (1978), doi:10.1080/03610917808812083.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Welsch(c=1.0)([0.0, 0.0], [1e-10, 10.0], reduction="none")
    array([5.e-21, 5.e-01])
    """

    kernel = "WELSCH"
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=2.985)


@loss("geman_mcclure_loss", name="geman_mcclure")
class GemanMcClure(Loss):
    r"""Geman-McClure loss: bounded, with a gradient that falls as the inverse cube.

    With the residual :math:`r = \hat y - y` and :math:`u = (r / c)^2`,

    .. math::

        \ell = \frac{r^2 / 2}{1 + u} \qquad \ell' = \frac{r}{(1 + u)^2} \qquad \ell'' = \frac{1 - 3 u}{(1 + u)^3}

    Parameters
    ----------
    c : float, default=1.0
        Scale of the residuals; positive, in the units of `y_true`. The loss stays below :math:`c^2 / 2`.

    See Also
    --------
    Barron : With ``alpha=-2`` this loss of :math:`2 c` over the square of `c`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for
    :math:`|r| > c / \sqrt 3`.

    Numerics: everything is in the ratio of the smaller of :math:`|r|` and :math:`c` to the larger, which cannot
    overflow, and :math:`1 - 3 u` counts the rounding errors of the residual and of its square.

    References
    ----------
    .. [1] S. Geman and D. E. McClure, "Statistical methods for tomographic image reconstruction", Bulletin of the
       International Statistical Institute 52 (1987), 5-21.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GemanMcClure()([0.0, 0.0], [1.0, 1e200], reduction="none")
    array([0.25, 0.5 ])
    """

    kernel = "GEMAN_MCCLURE"
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=1.0)


@loss("adaptive_robust_loss", "general_robust_loss")
class Barron(Loss):
    r"""General robust loss: one shape parameter leads from the squared to the Welsch loss.

    With the residual :math:`r = \hat y - y`, :math:`u = (r / c)^2`, :math:`k = |\alpha - 2|` and
    :math:`B = 1 + u / k`,

    .. math::

        \ell = \frac{k}{\alpha} (B^{\alpha / 2} - 1)
        \qquad \ell' = \frac{r}{c^2} B^{\alpha / 2 - 1}
        \qquad \ell'' = \frac{1}{c^2} B^{\alpha / 2 - 2} \left(1 + (\alpha - 1) \frac{u}{k}\right)
        \quad (\alpha < 2)

    and for :math:`\alpha > 2` the last factor is :math:`1 + (\alpha - 1) u / k` as well. The limits are
    :math:`u / 2` at :math:`\alpha = 2` and :math:`\log(1 + u / 2)` at :math:`\alpha = 0`.

    Parameters
    ----------
    alpha : float, default=1.0
        Shape, any finite number: 2 is the squared error, 1 the pseudo-Huber, 0 the Cauchy, -2 the Geman-McClure loss.
        Lower is more robust.
    c : float, default=1.0
        Scale of the residuals; positive, in the units of `y_true`. The loss near 0 is :math:`(r / c)^2 / 2`.

    See Also
    --------
    PseudoHuber, Cauchy, GemanMcClure : Members of this family, times the square of `c`.
    Welsch : The limit of `alpha` to minus infinity.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Convex for :math:`\alpha \ge 1`.

    Numerics: the powers are exponentials of a logarithm of twice the precision, so that the loss is accurate near 0
    and continuous in `alpha`; 0 and 2 have their own formulas.

    References
    ----------
    .. [1] J. T. Barron, "A general and adaptive robust loss function", CVPR 2019, arXiv:1701.03077.

    Examples
    --------
    >>> import fastloss as fl
    >>> [round(fl.Barron(alpha=alpha)([0.0], [2.0]), 6) for alpha in (2.0, 1.0, 0.0, -2.0)]
    [2.0, 1.236068, 1.098612, 1.0]
    """

    kernel = "BARRON"
    variants = (
        {"alpha": 2.0, "c": 0.3}, {"alpha": 0.0, "c": 3.0}, {"alpha": -2.0, "c": 0.3}, {"alpha": 1.7, "c": 70.0},
        {"alpha": 5.5}, {"alpha": -1e9}, {"alpha": 1e-9}, {"alpha": 2.0 - 1e-9},
    )  # fmt: skip
    alpha: float = number(default=1.0)
    c: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        k = abs(self.alpha - 2.0)
        if k == 0:
            return "BARRON_QUADRATIC", (self.c,)
        if abs(self.alpha) < 2.0**-70:  # less than a rounding from the limit
            return StudentTNLL.kernel, (self.c, 2.0, 1.0, 1.0)
        return self.kernel, (self.alpha, self.c, k)


@loss("epsilon_insensitive_loss")
class EpsilonInsensitive(Loss):
    r"""Absolute error beyond a tube: residuals up to `epsilon` cost nothing.

    With the residual :math:`r = \hat y - y`,

    .. math::

        \ell = \max(|r| - \varepsilon, 0)
        \qquad \ell' = [\,|r| > \varepsilon\,] \operatorname{sign} r
        \qquad \ell'' = 0

    Parameters
    ----------
    epsilon : float, default=0.1
        Half the width of the tube; not negative, in the units of `y_true`.

    See Also
    --------
    SquaredEpsilonInsensitive : Its square.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the gradient at :math:`|r| = \varepsilon`, where it jumps, is 0. The rounding error of a float64
    residual is counted where :math:`\varepsilon` nearly cancels it; in float32 `epsilon` is rounded to that type.

    References
    ----------
    .. [1] V. Vapnik, "The Nature of Statistical Learning Theory", Springer 1995, doi:10.1007/978-1-4757-2440-0.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.EpsilonInsensitive(epsilon=0.5)([0.0, 0.0], [0.25, -2.0], reduction="none")
    array([0. , 1.5])
    """

    kernel = "EPSILON_INSENSITIVE"
    variants = ({"epsilon": 0.0}, {"epsilon": 2.0})
    epsilon: float = number(NON_NEGATIVE, default=0.1)


@loss("squared_epsilon_insensitive_loss")
class SquaredEpsilonInsensitive(Loss):
    r"""Squared error beyond a tube: residuals up to `epsilon` cost nothing.

    With the residual :math:`r = \hat y - y` and :math:`t = \max(|r| - \varepsilon, 0)`,

    .. math::

        \ell = t^2 \qquad \ell' = 2 t \operatorname{sign} r \qquad \ell'' = 2\, [\,|r| \ge \varepsilon\,]

    Parameters
    ----------
    epsilon : float, default=0.1
        Half the width of the tube; not negative, in the units of `y_true`. With 0 it is the squared error.

    See Also
    --------
    EpsilonInsensitive : Its square root.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The curvature at :math:`|r| = \varepsilon`, where it jumps,
    is 2.

    Numerics: the rounding error of a float64 residual is counted where :math:`\varepsilon` nearly cancels it; in
    float32 `epsilon` is rounded to that type.

    References
    ----------
    .. [1] V. Vapnik, "The Nature of Statistical Learning Theory", Springer 1995, doi:10.1007/978-1-4757-2440-0.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredEpsilonInsensitive(epsilon=0.5)([0.0, 0.0], [0.25, -2.0], reduction="none")
    array([0.  , 2.25])
    """

    kernel = "SQUARED_EPSILON_INSENSITIVE"
    variants = ({"epsilon": 0.0}, {"epsilon": 2.0})
    epsilon: float = number(NON_NEGATIVE, default=0.1)


@loss("lp_loss", "lq_loss")
class Lp(Loss):
    r"""Power of the absolute error.

    With the residual :math:`r = \hat y - y`,

    .. math::

        \ell = |r|^p \qquad \ell' = p\, |r|^{p - 1} \operatorname{sign} r \qquad \ell'' = p (p - 1) |r|^{p - 2}

    Parameters
    ----------
    p : float, default=2.0
        Exponent, at least 1. The units of the loss are those of `y_true` to this power.

    See Also
    --------
    AbsoluteError, SquaredError : The losses of exponents 1 and 2.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the gradient at :math:`r = 0` is 0; the curvature there is infinite for :math:`1 < p < 2`. Powers are
    exponentials of a logarithm of twice the precision; exponents 1 and 2 have kernels without them.

    References
    ----------
    .. [1] J. R. Rice and J. S. White, "Norms for smoothing and estimation", SIAM Review 6 (1964), doi:10.1137/1006061.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Lp(p=3.0)([0.0, 0.0], [0.5, -2.0], reduction="none")
    array([0.125, 8.   ])
    """

    kernel = "LP"
    variants = ({"p": 1.0}, {"p": 1.5}, {"p": 3.7}, {"p": 9.5})
    p: float = number(AT_LEAST_ONE, default=2.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        if self.p == 1:
            return AbsoluteError.kernel, ()
        if self.p == 2:
            return SquaredError.kernel, (1.0,)
        return self.kernel, (self.p,)


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

    kernel = "WING"
    variants = ({"width": 0.3, "curvature": 70.0}, {"width": 5.0, "curvature": 0.1})
    width: float = number(POSITIVE, default=10.0)
    curvature: float = number(POSITIVE, default=2.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        height = self.width * math.log1p(self.width / self.curvature)
        return self.kernel, (self.width, self.curvature, height)


@loss(name="student_t_nll")
class StudentTNLL(Loss):
    r"""Negative log-likelihood of Student's t distribution, up to the constant of its density.

    With the residual :math:`r = \hat y - y`, :math:`\nu` degrees of freedom, the scale :math:`c` and
    :math:`w = r^2 / (\nu c^2)`,

    .. math::

        \ell = \frac{\nu + 1}{2} \log(1 + w)
        \qquad \ell' = \frac{(\nu + 1) r}{\nu c^2 (1 + w)}
        \qquad \ell'' = \frac{\nu + 1}{\nu c^2} \frac{1 - w}{(1 + w)^2}

    Parameters
    ----------
    df : float, default=3.0
        Degrees of freedom; positive. Few make heavy tails; many approach the squared error.
    scale : float, default=1.0
        Scale of the residuals; positive, in the units of `y_true`.

    See Also
    --------
    Cauchy : The same shape in the units of a squared error.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for :math:`w > 1`.

    Numerics: derivatives are in ratios that cannot overflow, and :math:`1 - w` counts the rounding errors of the
    residual and of its square.

    References
    ----------
    .. [1] K. L. Lange, R. J. A. Little and J. M. G. Taylor, "Robust statistical modeling using the t distribution",
       Journal of the American Statistical Association 84 (1989), doi:10.1080/01621459.1989.10478852.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.StudentTNLL(df=1.0).grad([0.0, 0.0], [1.0, 1e200], reduction="none")
    array([1.e+000, 2.e-200])
    """

    kernel = "STUDENT_T"
    variants = ({"df": 0.7, "scale": 0.3}, {"df": 50.0, "scale": 70.0})
    df: float = number(POSITIVE, default=3.0)
    scale: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, (self.scale, self.df, 0.5 * (self.df + 1.0), (self.df + 1.0) / self.df)
