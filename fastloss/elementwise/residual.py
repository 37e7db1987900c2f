"""Regression losses of the residual, the prediction minus the target."""

from __future__ import annotations

from fastloss._core.loss import HessianApproximation, Loss, loss, number
from fastloss._core.parameters import NON_NEGATIVE, OPEN_UNIT, POSITIVE, Domain

AT_LEAST_ONE = Domain(low=1)


@loss("mse", "mse_loss", "mean_squared_error")
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

    kernel = "squared_error"
    scores = "values"
    variants = ({"half": True},)
    half: bool = False

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"factor": 0.5 if self.half else 1.0}


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

    kernel = "absolute_error"
    scores = "values"
    hessian_approximation = "constant"


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

    kernel = "mean_bias"
    scores = "values"
    hessian_approximation = "constant"


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

    kernel = "lp"
    scores = "values"
    variants = ({"p": 1.0}, {"p": 1.5}, {"p": 3.7}, {"p": 9.5})
    p: float = number(AT_LEAST_ONE, default=2.0)

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "constant" if self.p < 2 else "own"

    def _kernel(self) -> tuple[str, dict[str, float]]:
        if self.p == 1:
            return AbsoluteError.kernel, {}
        if self.p == 2:
            return SquaredError.kernel, {"factor": 1.0}
        return self.kernel, {"p": self.p}


@loss("pinball", "quantile_loss", "pinball_loss", "mean_pinball_loss")
class Quantile(Loss):
    r"""Pinball loss, whose mean is least at a quantile of the targets.

    With the residual :math:`r = \hat y - y` and the level :math:`\alpha` of the quantile,

    .. math::

        \ell = \max((1 - \alpha) r, -\alpha r)
        \qquad \ell' = \begin{cases} 1 - \alpha & r > 0 \\ -\alpha & r \le 0 \end{cases}
        \qquad \ell'' = 0

    Parameters
    ----------
    alpha : float, default=0.5
        The level of the quantile, in the open unit interval; a prediction that is too low costs `alpha` for each unit,
        one that is too high the rest to 1.

    See Also
    --------
    Expectile : The same asymmetry of squared errors.
    AbsoluteError : Twice this loss at the median.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the gradient at :math:`r = 0`, where it jumps, is :math:`-\alpha`.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1978), doi:10.2307/1913643.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Quantile(alpha=0.75)([0.0, 0.0], [-1.0, 1.0], reduction="none")
    array([0.75, 0.25])
    """

    kernel = "quantile"
    scores = "values"
    hessian_approximation = "constant"
    variants = ({"alpha": 0.1}, {"alpha": 0.999})
    alpha: float = number(OPEN_UNIT, default=0.5)


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

    kernel = "expectile"
    scores = "values"
    variants = ({"alpha": 0.1}, {"alpha": 0.999})
    alpha: float = number(OPEN_UNIT, default=0.5)


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

    kernel = "epsilon_insensitive"
    scores = "values"
    hessian_approximation = "constant"
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

    kernel = "squared_epsilon_insensitive"
    scores = "values"
    hessian_approximation = "constant"
    variants = ({"epsilon": 0.0}, {"epsilon": 2.0})
    epsilon: float = number(NON_NEGATIVE, default=0.1)


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

    kernel = "linex"
    scores = "values"
    variants = ({"a": -1.7, "b": 0.3}, {"a": 1e-3, "b": 2.0})
    a: float = number(default=1.0)
    b: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        if self.a == 0:
            raise ValueError("Linex: a is 0, must be another number: the loss would vanish")
        return self.kernel, {"a": self.a, "b": self.b}
