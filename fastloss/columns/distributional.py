"""Negative log-likelihoods of a distribution of which two parameters are predicted."""

from __future__ import annotations

import math

from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE
from fastloss.columns.columns import PairLoss


@loss()
class GaussianNLL(PairLoss):
    r"""Gaussian negative log-likelihood of a predicted mean and variance.

    With the mean :math:`\mu` and the variance :math:`v = \max(\hat v, \epsilon)` predicted for each target,
    and :math:`r = \mu - y`,

    .. math::

        \ell = \tfrac12 \left( \log v + \frac{r^2}{v} \right)
        \qquad \frac{\partial \ell}{\partial \mu} = \frac{r}{v}
        \qquad \frac{\partial \ell}{\partial \hat v} = \tfrac12 \left( \frac1v - \frac{r^2}{v^2} \right)

    .. math::

        \frac{\partial^2 \ell}{\partial \mu^2} = \frac1v
        \qquad \frac{\partial^2 \ell}{\partial \hat v^2} = \frac{r^2}{v^3} - \frac{1}{2 v^2}

    Parameters
    ----------
    full : bool, default=False
        Add the constant :math:`\tfrac12 \log 2 \pi`.
    eps : float, default=1e-6
        The least that a variance counts as; positive, in the squared units of `y_true`.

    See Also
    --------
    GaussianNLLLogSigma : The logarithm of the standard deviation is predicted, which needs no bound.
    LaplaceNLL : For heavier tails.

    Notes
    -----
    Shapes: `y_pred` has the shape of `y_true` and a further last axis of length 2, the mean and the variance.
    Values, weights and masks have the shape of `y_true`.

    Domain: `y_true` and the mean are any real numbers; the variance is not negative. Where it is below `eps` the
    derivatives in it are 0, those of the loss as it is; PyTorch's ``gaussian_nll_loss`` lets the gradient through.

    Numerics: :math:`r^2` is never formed, so that nothing overflows before the results do. The value and the
    derivatives in the variance are differences, accurate relative to the sum of their terms.

    References
    ----------
    .. [1] D. A. Nix, A. S. Weigend, "Estimating the mean and variance of the target probability distribution",
       IEEE International Conference on Neural Networks (1994), doi:10.1109/ICNN.1994.374138.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GaussianNLL()([0.0, 1.0], [[0.0, 1.0], [3.0, 1.0]], reduction="none")
    array([0., 2.])
    """

    kernel = "gaussian_nll"
    scores = "means_and_variances"
    second_prediction = NON_NEGATIVE
    hessian_approximation = "constant"
    variants = ({"full": True, "eps": 0.1},)
    full: bool = False
    eps: float = number(POSITIVE, default=1e-6)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"constant": 0.5 * math.log(2 * math.pi) if self.full else 0.0, "eps": self.eps}


@loss()
class GaussianNLLLogSigma(PairLoss):
    r"""Gaussian negative log-likelihood of a predicted mean and log standard deviation.

    With the mean :math:`\mu` and :math:`s = \log \sigma` predicted for each target, and the standard score
    :math:`q = (\mu - y) e^{-s}`,

    .. math::

        \ell = s + \tfrac12 q^2
        \qquad \frac{\partial \ell}{\partial \mu} = q e^{-s}
        \qquad \frac{\partial \ell}{\partial s} = 1 - q^2
        \qquad \frac{\partial^2 \ell}{\partial \mu^2} = e^{-2s}
        \qquad \frac{\partial^2 \ell}{\partial s^2} = 2 q^2

    See Also
    --------
    GaussianNLL : The variance itself is predicted.
    LaplaceNLL : For heavier tails.

    Notes
    -----
    Shapes: `y_pred` has the shape of `y_true` and a further last axis of length 2, the mean and the logarithm.
    Values, weights and masks have the shape of `y_true`.

    Domain: any real numbers. CatBoost's RMSEWithUncertainty is this loss plus :math:`\tfrac12 \log 2 \pi`.

    Numerics: a standard score over- or underflows only where it does itself, also where :math:`e^{-s}` alone
    would. The value and the first derivative in :math:`s` are differences, accurate relative to the sum of their
    terms.

    References
    ----------
    .. [1] A. Kendall, Y. Gal, "What uncertainties do we need in Bayesian deep learning for computer vision?",
       NeurIPS (2017), arXiv:1703.04977.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GaussianNLLLogSigma()([0.0, 1.0], [[0.0, -1.0], [3.0, 0.0]], reduction="none")
    array([-1.,  2.])
    """

    kernel = "gaussian_nll_log_sigma"
    scores = "means_and_log_deviations"


@loss()
class LaplaceNLL(PairLoss):
    r"""Laplace negative log-likelihood of a predicted location and logarithm of the scale.

    With the location :math:`\mu` and :math:`s = \log b` predicted for each target, and
    :math:`q = |\mu - y| e^{-s}`,

    .. math::

        \ell = s + \log 2 + q
        \qquad \frac{\partial \ell}{\partial \mu} = e^{-s} \operatorname{sign}(\mu - y)
        \qquad \frac{\partial \ell}{\partial s} = 1 - q
        \qquad \frac{\partial^2 \ell}{\partial \mu^2} = 0
        \qquad \frac{\partial^2 \ell}{\partial s^2} = q

    See Also
    --------
    GaussianNLLLogSigma : For lighter tails.
    AbsoluteError : The same with a constant scale, up to a constant.

    Notes
    -----
    Shapes: `y_pred` has the shape of `y_true` and a further last axis of length 2, the location and the logarithm.
    Values, weights and masks have the shape of `y_true`.

    Domain: any real numbers. The derivative in the location is 0 where it equals the target.

    Numerics: :math:`q` over- or underflows only where it does itself, also where :math:`e^{-s}` alone would. The
    value and the first derivative in :math:`s` are differences, accurate relative to the sum of their terms.

    References
    ----------
    .. [1] A. Kendall, Y. Gal, "What uncertainties do we need in Bayesian deep learning for computer vision?",
       NeurIPS (2017), arXiv:1703.04977.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LaplaceNLL().grad([0.0, 1.0], [[0.0, 0.0], [3.0, 0.0]], reduction="none")
    array([[ 0.,  1.],
           [ 1., -1.]])
    """

    kernel = "laplace_nll"
    scores = "locations_and_log_scales"
    hessian_approximation = "constant"
