"""Negative log-likelihoods of counts and positive amounts."""

from __future__ import annotations

from fastloss._base import Loss, loss, number
from fastloss._parameters import ANY, NON_NEGATIVE, POSITIVE, Domain, choice


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

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return f"POISSON_{'LOG' if self.log_input else 'IDENTITY'}{'_FULL' if self.full else ''}", (self.eps,)

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

    kernel = "GAMMA_LOG"
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

    newton = "floored"
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

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        if 0 < self.power < 1:
            raise ValueError(
                f"Tweedie: power is {self.power:g}, must be at most 0 or at least 1: no distribution has one between"
            )
        special = {0.0: "NORMAL", 1.0: "POISSON", 2.0: "GAMMA"}
        if self.link == "identity":
            # The Poisson kernel's constant is added to the rate.
            return f"{special.get(self.power, 'TWEEDIE')}_IDENTITY", (0.0 if self.power == 1 else self.power,)
        if self.power in (1, 2):
            return f"{special[self.power]}_LOG", ()
        return "TWEEDIE_LOG" if 1 < self.power < 2 else "TWEEDIE_LOG_OUTER", (self.power,)

    def _target_domain(self) -> Domain:
        return ANY if self.power <= 0 else NON_NEGATIVE if self.power < 2 else POSITIVE

    def _prediction_domain(self) -> Domain:
        return POSITIVE if self.link == "identity" and self.power != 0 else ANY
