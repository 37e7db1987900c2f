"""Negative log-likelihoods of counts, of positive amounts and of heavy tails, and deviances."""

from __future__ import annotations

from fastloss._core.loss import Loss, Scores, loss, number
from fastloss._core.parameters import ANY, NON_NEGATIVE, POSITIVE, Domain, choice


@loss("poisson_nll_loss")
class PoissonNLL(Loss):
    r"""Poisson negative log-likelihood of counts.

    With `log_input` the prediction is the logarithm of the rate,

    .. math::

        \ell = e^{\hat y} - y \hat y
        \qquad \ell' = e^{\hat y} - y
        \qquad \ell'' = e^{\hat y}

    and without it the rate itself,

    .. math::

        \ell = \hat y - y \log(\hat y + \epsilon)
        \qquad \ell' = 1 - \frac{y}{\hat y + \epsilon}
        \qquad \ell'' = \frac{y}{(\hat y + \epsilon)^2}

    Parameters
    ----------
    log_input : bool, default=True
        Whether `y_pred` is the logarithm of the rate.
    full : bool, default=False
        Add Stirling's approximation :math:`y \log y - y + \tfrac12 \log(2 \pi y)` of :math:`\log y!` where
        :math:`y > 1`. It does not depend on the prediction: the derivatives stay.
    eps : float, default=1e-8
        What is added to the rate in the logarithm; not negative, in the units of `y_true`. Unused with `log_input`.

    See Also
    --------
    Tweedie : The family that this and `GammaNLL` belong to.

    Notes
    -----
    Domain: `y_true` is not negative, and without `log_input` neither is `y_pred`. The names and defaults are those
    of PyTorch's ``poisson_nll_loss``.

    Numerics: the value and the first derivative are differences, accurate relative to the sum of their terms. A
    target of 0 takes no part, whatever the logarithm. Where :math:`e^{\hat y}` overflows the loss is infinite.

    References
    ----------
    .. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd edition, Chapman and Hall (1989),
       doi:10.1007/978-1-4899-3242-6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.PoissonNLL(log_input=False, eps=0.0)([0.0, 1.0], [2.0, 1.0], reduction="none")
    array([2., 1.])
    """

    variants = (
        {"full": True},
        {"log_input": False},
        {"log_input": False, "eps": 0.0},
        {"log_input": False, "full": True, "eps": 1e-3},
    )
    target = NON_NEGATIVE
    log_input: bool = True
    full: bool = False
    eps: float = number(NON_NEGATIVE, default=1e-8)

    @property
    def scores(self) -> Scores:  # type: ignore[override]
        return "log_means" if self.log_input else "means"

    def _kernel(self) -> tuple[str, dict[str, float]]:
        full = "_full" if self.full else ""
        return ("poisson_log" + full, {}) if self.log_input else ("poisson_identity" + full, {"eps": self.eps})

    def _prediction_domain(self) -> Domain:
        return ANY if self.log_input else NON_NEGATIVE


@loss()
class GammaNLL(Loss):
    r"""Gamma negative log-likelihood of positive amounts.

    The prediction is the logarithm of their mean.

    .. math::

        \ell = \hat y + y e^{-\hat y}
        \qquad \ell' = 1 - y e^{-\hat y}
        \qquad \ell'' = y e^{-\hat y}

    See Also
    --------
    Tweedie : The family that this and `PoissonNLL` belong to; also with the mean itself as the prediction.

    Notes
    -----
    Domain: `y_true` is positive; `y_pred` is any real number. The shape of the distribution scales the loss and
    adds terms without the prediction; both are left out.

    Numerics: :math:`y e^{-\hat y}` overflows only where the product does, also where the exponential alone would.
    The value and the first derivative are differences, accurate relative to the sum of their terms.

    References
    ----------
    .. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd edition, Chapman and Hall (1989),
       doi:10.1007/978-1-4899-3242-6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GammaNLL()([1.0, 2.0], [0.0, 0.0], reduction="none")
    array([1., 2.])
    """

    kernel = "gamma_log"
    scores = "log_means"
    target = POSITIVE


@loss()
class Tweedie(Loss):
    r"""Tweedie negative log-likelihood, of variance proportional to a power of the mean.

    With the power :math:`p` and the mean :math:`\mu`, which is :math:`e^{\hat y}` or :math:`\hat y` itself,

    .. math::

        \ell = \frac{\mu^{2-p}}{2-p} - y \frac{\mu^{1-p}}{1-p}

    with :math:`\log \mu` for :math:`\mu^0 / 0`. For the log link

    .. math::

        \ell' = \mu^{2-p} - y \mu^{1-p}
        \qquad \ell'' = (2 - p) \mu^{2-p} - (1 - p) y \mu^{1-p}

    and for the identity link

    .. math::

        \ell' = \mu^{-p} (\mu - y)
        \qquad \ell'' = \mu^{-p} \left( (1 - p) + p \frac{y}{\mu} \right)

    Parameters
    ----------
    power : float, default=1.5
        The power :math:`p` of the mean that the variance follows; at most 0 or at least 1, without units. 0 is the
        normal distribution, 1 Poisson, between 1 and 2 a sum of a Poisson number of gamma amounts with a point
        mass at 0, 2 gamma, 3 inverse Gaussian. None has a power between 0 and 1.
    link : {"log", "identity"}, default="log"
        Whether `y_pred` is the logarithm of the mean or the mean.

    See Also
    --------
    PoissonNLL, GammaNLL : Powers 1 and 2 with the log link.

    Notes
    -----
    Domain: `y_true` is any real number up to power 0, not negative from 1, and positive from 2 on. With the identity
    link `y_pred` is positive, but for power 0, where it is any real number. Half of the unit deviance is this loss
    minus its value at :math:`\mu = y`, a term without the prediction.

    Numerics: exponents and powers carry the rounding error of :math:`(1-p) \hat y` or :math:`\log \hat y`, which the
    exponential would multiply. Products with the target overflow only where the result does. Outside of powers
    from 1 to 2 the value is a difference, and everywhere the first derivative: they are accurate relative to the
    sum of their terms. Near powers 1 and 2 the term that diverges is a large constant, and the value is
    accurate relative to it.

    References
    ----------
    .. [1] B. Jorgensen, "Exponential dispersion models", Journal of the Royal Statistical Society B 49 (1987),
       doi:10.1111/j.2517-6161.1987.tb01685.x.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Tweedie(power=1.5)([0.0, 1.0], [0.0, 0.0], reduction="none")
    array([2., 4.])
    """

    hessian_approximation = "floored"
    variants = (
        {"power": 1.1},
        {"power": 1.0},
        {"power": 2.0},
        {"power": 0.0},
        {"power": -0.7},
        {"power": 3.0},
        {"link": "identity"},
        {"power": 1.9, "link": "identity"},
        {"power": 1.0, "link": "identity"},
        {"power": 2.0, "link": "identity"},
        {"power": 0.0, "link": "identity"},
        {"power": -0.7, "link": "identity"},
        {"power": 3.0, "link": "identity"},
    )
    power: float = number(default=1.5)
    link: str = choice("log", "identity", default="log")

    @property
    def scores(self) -> Scores:  # type: ignore[override]
        return "log_means" if self.link == "log" else "means"

    def _kernel(self) -> tuple[str, dict[str, float]]:
        _check_power(self)
        if self.link == "identity":
            special = {
                0.0: ("normal_identity", {}),
                1.0: ("poisson_identity", {"eps": 0.0}),
                2.0: ("gamma_identity", {}),
            }
            return special.get(self.power, ("tweedie_identity", {"power": self.power}))
        if self.power in (1, 2):
            return "poisson_log" if self.power == 1 else "gamma_log", {}
        return "tweedie_log" if 1 < self.power < 2 else "tweedie_log_outer", {"power": self.power}

    def _target_domain(self) -> Domain:
        return _targets(self.power)

    def _prediction_domain(self) -> Domain:
        return POSITIVE if self.link == "identity" and self.power != 0 else ANY


# Deviances ------------------------------------------------------------------------------------------


@loss("mean_poisson_deviance")
class PoissonDeviance(Loss):
    r"""Poisson deviance of counts: twice what the log-likelihood of the mean lacks to the largest one.

    .. math::

        \ell = 2 \left( y \log \frac{y}{\hat y} - y + \hat y \right)
        \qquad \ell' = 2 \left( 1 - \frac{y}{\hat y} \right)
        \qquad \ell'' = \frac{2 y}{\hat y^2}

    See Also
    --------
    PoissonNLL : Half of it up to a term of the target, and with the logarithm of the mean.
    TweedieDeviance : The family.

    Notes
    -----
    Domain: `y_true` is not negative, `y_pred` is positive. The loss is 0 where they are equal, and
    :math:`2 \hat y` for a target of 0.

    Numerics: the ratio's logarithm is ``log1p`` of the relative difference where that is small. The value is a
    difference, accurate relative to the sum of :math:`|\hat y - y|` and :math:`y |\log (\hat y / y)|`.

    References
    ----------
    .. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd edition, Chapman and Hall (1989),
       doi:10.1007/978-1-4899-3242-6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.PoissonDeviance()([0.0, 1.0, 1.0], [2.0, 1.0, 2.0], reduction="none")
    array([4.        , 0.        , 0.61370564])
    """

    kernel = "poisson_deviance"
    scores = "means"
    target = NON_NEGATIVE
    prediction = POSITIVE


@loss("mean_gamma_deviance")
class GammaDeviance(Loss):
    r"""Gamma deviance of positive amounts: twice what the log-likelihood of the mean lacks to the largest one.

    .. math::

        \ell = 2 \left( \log \frac{\hat y}{y} + \frac{y}{\hat y} - 1 \right)
        \qquad \ell' = \frac{2 (\hat y - y)}{\hat y^2}
        \qquad \ell'' = \frac{2}{\hat y^2} \left( \frac{2 y}{\hat y} - 1 \right)

    See Also
    --------
    GammaNLL : Half of it up to a term of the target, and with the logarithm of the mean.
    TweedieDeviance : The family.

    Notes
    -----
    Domain: `y_true` and `y_pred` are positive. The loss is 0 where they are equal, and depends on their ratio alone. It
    is not convex: the curvature is negative where the prediction is more than twice too large.

    Numerics: the ratio's logarithm is ``log1p`` of the relative difference where that is small. The value is a
    difference, accurate relative to the sum of :math:`|\log (\hat y / y)|` and :math:`|1 - y / \hat y|`.

    References
    ----------
    .. [1] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd edition, Chapman and Hall (1989),
       doi:10.1007/978-1-4899-3242-6.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GammaDeviance()([1.0, 2.0], [2.0, 2.0], reduction="none")
    array([0.38629436, 0.        ])
    """

    kernel = "gamma_deviance"
    scores = "means"
    hessian_approximation = "floored"
    target = POSITIVE
    prediction = POSITIVE


@loss("mean_tweedie_deviance")
class TweedieDeviance(Loss):
    r"""Tweedie deviance, of variance proportional to a power of the mean.

    With the power :math:`p`,

    .. math::

        \ell = 2 \left( \frac{\max(y, 0)^{2-p}}{(1-p)(2-p)} - y \frac{\hat y^{1-p}}{1-p}
            + \frac{\hat y^{2-p}}{2-p} \right)
        \qquad \ell' = 2 \hat y^{-p} (\hat y - y)
        \qquad \ell'' = 2 \hat y^{-p} \left( (1 - p) + p \frac{y}{\hat y} \right)

    and at the powers 0, 1 and 2 the limits: the squared error, and the deviances of Poisson and gamma.

    Parameters
    ----------
    power : float, default=0.0
        The power :math:`p` of the mean that the variance follows; at most 0 or at least 1, without units. 0 is the
        normal distribution, 1 Poisson, between 1 and 2 a sum of a Poisson number of gamma amounts with a point
        mass at 0, 2 gamma, 3 inverse Gaussian. None has a power between 0 and 1.

    See Also
    --------
    Tweedie : Half of it up to a term of the target, also with the logarithm of the mean.
    PoissonDeviance, GammaDeviance, SquaredError : Powers 1, 2 and 0.

    Notes
    -----
    Domain: `y_true` is any real number up to power 0, not negative from 1, and positive from 2 on; `y_pred` is
    positive, but for power 0, where it is any real number. The loss is 0 where they are equal.

    Numerics: where prediction and target are within a factor of e the value is computed of the logarithm of their
    ratio, so that neither the terms above cancel nor powers near 1 and 2 lose accuracy. It is accurate relative to the
    sum of the absolute terms.

    References
    ----------
    .. [1] B. Jorgensen, "Exponential dispersion models", Journal of the Royal Statistical Society B 49 (1987),
       doi:10.1111/j.2517-6161.1987.tb01685.x.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.TweedieDeviance(power=1.5)([0.0, 1.0, 4.0], [1.0, 1.0, 1.0], reduction="none")
    array([4., 0., 4.])
    """

    scores = "means"
    hessian_approximation = "floored"
    variants = ({"power": 1.0}, {"power": 1.1}, {"power": 1.5}, {"power": 2.0}, {"power": -0.7}, {"power": 3.0})
    power: float = number(default=0.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        _check_power(self)
        special = {
            0.0: ("squared_error", {"factor": 1.0}),
            1.0: (PoissonDeviance.kernel, {}),
            2.0: (GammaDeviance.kernel, {}),
        }
        return special.get(self.power, ("tweedie_deviance", {"power": self.power}))

    def _target_domain(self) -> Domain:
        return _targets(self.power)

    def _prediction_domain(self) -> Domain:
        return POSITIVE if self.power else ANY


def _check_power(loss: Tweedie | TweedieDeviance) -> None:
    if 0 < loss.power < 1:
        raise ValueError(
            f"{type(loss).__name__}: power is {loss.power:g}, must be at most 0 or at least 1: no distribution has one"
            " between"
        )


def _targets(power: float) -> Domain:
    return ANY if power <= 0 else NON_NEGATIVE if power < 2 else POSITIVE


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

    kernel = "student_t"
    scores = "values"
    hessian_approximation = "constant"
    reweighted = True
    variants = ({"df": 0.7, "scale": 0.3}, {"df": 50.0, "scale": 70.0})
    df: float = number(POSITIVE, default=3.0)
    scale: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        factor, rate = 0.5 * (self.df + 1.0), (self.df + 1.0) / self.df
        return self.kernel, {"c": self.scale, "k": self.df, "factor": factor, "rate": rate}
