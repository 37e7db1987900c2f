"""Losses of two predictions for each target, along the last axis of `y_pred`, and of several quantiles there."""

from __future__ import annotations

import math

import numpy as np

from fastloss._base import Loss, loss, number, numbers
from fastloss._call import FLOAT64, Array
from fastloss._parameters import NON_NEGATIVE, OPEN_UNIT, POSITIVE, SIGN


def _check_columns(owner: str, y: tuple[int, ...], x: tuple[int, ...], columns: int) -> None:
    """`columns` predictions for each target, along a last axis."""
    if x[-1:] != (columns,):
        raise ValueError(f"{owner}: y_pred has shape {x}, must be {(*y, columns)}: {columns} predictions per target")
    if y != x[:-1]:
        raise ValueError(f"{owner}: y_true has shape {y}, must be {x[:-1]}, y_pred's {x} without its last axis")


class PairLoss(Loss):
    """A loss of the two predictions that `y_pred` holds for each target along its last axis."""

    pair = True

    def _check_shapes(self, y: tuple[int, ...], x: tuple[int, ...]) -> None:
        _check_columns(type(self).__name__, y, x, 2)

    def _align(self, y: Array, x: Array) -> tuple[Array, Array, Array | None]:
        return y, x[..., 0], x[..., 1]

    def _parts(self, derivative: Array | None) -> tuple[Array | None, Array | None]:
        return (None, None) if derivative is None else (derivative[..., 0], derivative[..., 1])


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

    kernel = "GAUSSIAN_NLL"
    scores = "means_and_variances"
    second_prediction = NON_NEGATIVE
    newton = "surrogate"
    variants = ({"full": True, "eps": 0.1},)
    full: bool = False
    eps: float = number(POSITIVE, default=1e-6)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, (0.5 * math.log(2 * math.pi) if self.full else 0.0, self.eps)


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

    kernel = "GAUSSIAN_NLL_LOG_SIGMA"
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

    kernel = "LAPLACE_NLL"
    scores = "locations_and_log_scales"
    newton = "surrogate"


@loss()
class MarginRanking(PairLoss):
    r"""Margin ranking loss: of two scores one ought to be larger by a margin.

    With the scores :math:`x_1, x_2` and :math:`s = 1` where the first ought to be larger, else :math:`s = -1`,

    .. math::

        \ell = \max(0,\, m - s (x_1 - x_2))
        \qquad \frac{\partial \ell}{\partial x_1} = -s\,[\,\ell > 0\,]
        \qquad \frac{\partial \ell}{\partial x_2} = s\,[\,\ell > 0\,]

    and the second derivatives are 0.

    Parameters
    ----------
    margin : float, default=0.0
        The margin :math:`m`; not negative, in the units of the scores.

    Notes
    -----
    Shapes: `y_pred` has the shape of `y_true` and a further last axis of length 2, the two scores. Values, weights
    and masks have the shape of `y_true`.

    Domain: `y_true` is 1 where the first score ought to be larger, 0 or -1 where the second; the scores are any real
    numbers. The derivatives are 0 where the scores are exactly the margin apart.

    Numerics: the rounding errors of both subtractions are carried, so that a short fall is accurate where the
    difference nearly cancels the margin.

    References
    ----------
    .. [1] R. Herbrich, T. Graepel, K. Obermayer, "Large margin rank boundaries for ordinal regression", in
       "Advances in Large Margin Classifiers", MIT Press (2000), doi:10.7551/mitpress/1113.003.0010.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MarginRanking(margin=1.0)([1, -1], [[3.0, 1.5], [3.0, 1.5]], reduction="none")
    array([0. , 2.5])
    """

    target = SIGN
    scores = "pairs_of_scores"
    newton = "surrogate"
    variants = ({"margin": 1.0},)
    margin: float = number(NON_NEGATIVE, default=0.0)

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return "MARGIN_RANKING" if self.margin else "RANKING", (self.margin,)


@loss("multi_quantile_loss", "multi_pinball_loss")
class MultiQuantile(Loss):
    r"""Pinball loss of several quantiles, predicted side by side.

    With the quantiles :math:`\tau_k` and the residuals :math:`r_k = \hat y_k - y` of each row,

    .. math::

        \ell = \max(-\tau_k r_k,\, (1 - \tau_k) r_k)
        \qquad \ell' = \begin{cases} -\tau_k & r_k \le 0 \\ 1 - \tau_k & r_k > 0 \end{cases}
        \qquad \ell'' = 0

    Parameters
    ----------
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        The levels :math:`\tau_k`, one for each column of `y_pred`, each in (0, 1), in any order.

    See Also
    --------
    Quantile : One quantile.

    Notes
    -----
    Shapes: `y_pred` has the shape of `y_true` and a further last axis with one column for each quantile; values have
    the shape of `y_pred`, and the mean is over all of them. Weights and masks have that shape or one entry for
    each index of its first axis.

    Domain: `y_true` and `y_pred` are any real numbers. The derivative at :math:`r_k = 0` is :math:`-\tau_k`.
    Nothing keeps the predicted quantiles from crossing.

    Numerics: a residual that overflows is halved first. The result is linear in it and needs no more care.

    References
    ----------
    .. [1] R. Koenker, G. Bassett, "Regression quantiles", Econometrica 46 (1978), doi:10.2307/1913643.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MultiQuantile(quantiles=(0.25, 0.75)).grad([1.0, 2.0], [[0.0, 2.0], [2.0, 3.0]], reduction="none")
    array([[-0.25,  0.25],
           [-0.25,  0.25]])
    """

    kernel = "MULTI_QUANTILE"
    scores = "quantiles"
    newton = "surrogate"
    variants = ({"quantiles": (0.75, 0.25)},)
    quantiles: tuple[float, ...] = numbers(OPEN_UNIT, default=(0.1, 0.5, 0.9))

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, ()

    def _check_shapes(self, y: tuple[int, ...], x: tuple[int, ...]) -> None:
        _check_columns(type(self).__name__, y, x, len(self.quantiles))

    def _align(self, y: Array, x: Array) -> tuple[Array, Array, Array | None]:
        levels = np.array([tau - 1 if tau > 0.5 else tau for tau in self.quantiles])
        return np.broadcast_to(y[..., np.newaxis], x.shape), x, np.broadcast_to(levels, x.shape)

    def _second_kind(self, kind: int) -> int:
        return FLOAT64
