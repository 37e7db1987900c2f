"""Losses of the order of two scores."""

from __future__ import annotations

from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE, SIGN
from fastloss.columns.columns import PairLoss


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
    hessian_approximation = "constant"
    variants = ({"margin": 1.0},)
    margin: float = number(NON_NEGATIVE, default=0.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return ("margin_ranking", {"margin": self.margin}) if self.margin else ("ranking", {})


@loss("bpr", "bpr_loss", "rank_net")
class BayesianPersonalizedRanking(PairLoss):
    r"""Bayesian personalized ranking, BPR: the logistic loss of the difference of two scores.

    With the scores :math:`x_1, x_2`, :math:`s = 1` where the first ought to be larger, else :math:`s = -1`, and
    :math:`d = s (x_1 - x_2)`,

    .. math::

        \ell = \log(1 + e^{-d})
        \qquad \frac{\partial \ell}{\partial x_1} = -s \, \sigma(-d)
        \qquad \frac{\partial \ell}{\partial x_2} = s \, \sigma(-d)

    and the second derivatives are :math:`\sigma(d) \sigma(-d)`.

    See Also
    --------
    MarginRanking : A hinge in place of the logistic loss.

    Notes
    -----
    Shapes: `y_pred` has the shape of `y_true` and a further last axis of length 2, the two scores: of a user's item and
    of one that is none. Values, weights and masks have the shape of `y_true`.

    Domain: `y_true` is 1 where the first score ought to be larger, 0 or -1 where the second; the scores are any real
    numbers.

    Numerics: losses and slopes to full relative accuracy of the difference, which is rounded once.

    References
    ----------
    .. [1] S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme, "BPR: Bayesian personalized ranking from implicit
       feedback", UAI 2009, arXiv:1205.2618.
    .. [2] C. Burges et al., "Learning to rank using gradient descent", ICML 2005, doi:10.1145/1102351.1102363.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.bpr([1, 1], [[3.0, 1.0], [0.5, 1.0]]), 4)
    0.5505
    """

    target = SIGN
    scores = "pairs_of_scores"
    kernel = "bayesian_ranking"
