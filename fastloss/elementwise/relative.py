"""Regression losses of the prediction relative to the target."""

from __future__ import annotations

from fastloss._core.loss import Loss, loss, number
from fastloss._core.parameters import POSITIVE, Domain


@loss("msle", "mean_squared_log_error", "mean_squared_logarithmic_error")
class SquaredLogError(Loss):
    r"""Squared logarithmic error, for amounts over orders of magnitude.

    With :math:`L = \log(1 + \hat y) - \log(1 + y)`,

    .. math::

        \ell = L^2
        \qquad \ell' = \frac{2 L}{1 + \hat y}
        \qquad \ell'' = \frac{2 (1 - L)}{(1 + \hat y)^2}

    See Also
    --------
    RootMeanSquaredLogError : The square root of its mean.
    SquaredPercentageError : Relative to the target alone.

    Notes
    -----
    Domain: `y_true` and `y_pred` are greater than -1. The loss is not convex: the curvature is negative where
    the prediction is more than e times too large.

    Numerics: the logarithms are never subtracted. :math:`|L|` is ``log1p`` of
    :math:`|\hat y - y| / (1 + \min(\hat y, y))`, corrected for the rounding of the quotient, so that it has full
    relative accuracy where the two are close. Only :math:`1 - L` can cancel.

    References
    ----------
    .. [1] C. Tofallis, "A better measure of relative prediction accuracy for model selection and model
       estimation", Journal of the Operational Research Society 66 (2015), doi:10.1057/jors.2014.103.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredLogError()([0.0, 0.0], [0.0, 1.0], reduction="none")
    array([0.        , 0.48045301])
    """

    kernel = "squared_log_error"
    scores = "values"
    target = Domain(low=-1, low_open=True)
    prediction = Domain(low=-1, low_open=True)
    hessian_approximation = "floored"


@loss()
class AbsolutePercentageError(Loss):
    r"""Absolute percentage error: the residual in units of the target.

    With the residual :math:`r = \hat y - y` and :math:`m = \max(|y|, \epsilon)`,

    .. math::

        \ell = s \, \frac{|r|}{m}
        \qquad \ell' = s \, \frac{\operatorname{sign} r}{m}
        \qquad \ell'' = 0

    Parameters
    ----------
    epsilon : float, default=1e-8
        The least that a target counts as, so that a target of 0 has a finite loss; positive, in the units of
        `y_true`. 1 makes the loss absolute for targets below 1, as CatBoost has it.
    scale : float, default=1.0
        The factor :math:`s`; positive, without units. 100 gives percent.

    See Also
    --------
    SymmetricAbsolutePercentageError : Bounded, relative to the size of both.
    SquaredPercentageError : Its square.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The derivative at :math:`r = 0` is 0.

    Numerics: the residual is taken of halves, so that the loss overflows only where its value does.

    References
    ----------
    .. [1] A. de Myttenaere, B. Golden, B. Le Grand, F. Rossi, "Mean absolute percentage error for regression
       models", Neurocomputing 192 (2016), doi:10.1016/j.neucom.2015.12.114.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.AbsolutePercentageError(scale=100)([2.0, 8.0], [3.0, 6.0], reduction="none")
    array([50., 25.])
    """

    kernel = "absolute_percentage_error"
    scores = "values"
    hessian_approximation = "constant"
    variants = ({"epsilon": 1.0, "scale": 100.0}, {"epsilon": 2.220446049250313e-16})
    epsilon: float = number(POSITIVE, default=1e-8)
    scale: float = number(POSITIVE, default=1.0)


@loss("spe", "mspe", "mean_squared_percentage_error")
class SquaredPercentageError(Loss):
    r"""Squared percentage error: the square of the residual in units of the target.

    With the residual :math:`r = \hat y - y` and :math:`m = \max(|y|, \epsilon)`,

    .. math::

        \ell = \left( \frac{r}{m} \right)^2
        \qquad \ell' = \frac{2 r}{m^2}
        \qquad \ell'' = \frac{2}{m^2}

    Parameters
    ----------
    epsilon : float, default=1e-8
        The least that a target counts as, so that a target of 0 has a finite loss; positive, in the units of
        `y_true`.

    See Also
    --------
    AbsolutePercentageError : Its square root.
    SquaredLogError : Relative as well, and symmetric in over- and underestimation by a factor.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers.

    Numerics: the quotient is squared, never its parts, so that nothing overflows before the loss itself does.

    References
    ----------
    .. [1] H. Park, L. A. Stefanski, "Relative-error prediction", Statistics & Probability Letters 40 (1998),
       doi:10.1016/S0167-7152(98)00088-1.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SquaredPercentageError()([2.0, 8.0], [3.0, 6.0], reduction="none")
    array([0.25  , 0.0625])
    """

    kernel = "squared_percentage_error"
    scores = "values"
    variants = ({"epsilon": 1.0},)
    epsilon: float = number(POSITIVE, default=1e-8)


@loss("smape", "symmetric_mean_absolute_percentage_error")
class SymmetricAbsolutePercentageError(Loss):
    r"""Symmetric absolute percentage error: relative to target and prediction alike.

    With the residual :math:`r = \hat y - y` and :math:`m = (|\hat y| + |y|) / 2`,

    .. math::

        \ell = \frac{|r|}{m}
        \qquad \ell' = [\,\hat y y > 0\,] \, \frac{|y|}{m^2} \operatorname{sign} r
        \qquad \ell'' = [\,\hat y y > 0\,] \, \frac{|y|}{m^3} \operatorname{sign}(|y| - |\hat y|)

    See Also
    --------
    AbsolutePercentageError : Relative to the target alone, unbounded.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The loss lies between 0 and 2, and is 2 with derivative 0
    wherever the signs differ: a model that starts there does not leave. Where both are 0, so are the loss and
    its derivatives. The derivatives are 0 at :math:`r = 0` and the mean of both sides at :math:`\hat y = 0`.

    Numerics: both sums are taken of halves, so that nothing overflows.

    References
    ----------
    .. [1] S. Makridakis, "Accuracy measures: theoretical and practical concerns", International Journal of
       Forecasting 9 (1993), doi:10.1016/0169-2070(93)90079-3.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SymmetricAbsolutePercentageError()([1.0, 0.0, 0.0], [3.0, 5.0, 0.0], reduction="none")
    array([1., 2., 0.])
    """

    kernel = "symmetric_absolute_percentage_error"
    scores = "values"
    hessian_approximation = "constant"
