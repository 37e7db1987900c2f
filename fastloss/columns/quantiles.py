"""Losses of several quantiles of one target."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from fastloss._core.evaluation import Specification
from fastloss._core.loss import Loss, loss, numbers
from fastloss._core.parameters import OPEN_UNIT
from fastloss._core.signature import Signature, of_columns


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

    kernel = "multi_quantile"
    scores = "quantiles"
    hessian_approximation = "constant"
    variants = ({"quantiles": (0.75, 0.25)},)
    quantiles: tuple[float, ...] = numbers(OPEN_UNIT, default=(0.1, 0.5, 0.9))

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _specified(self) -> Specification:
        levels = np.array([tau - 1 if tau > 0.5 else tau for tau in self.quantiles])
        return replace(super()._specified(), by_column=levels)

    @cached_property
    def signature(self) -> Signature:  # type: ignore[override]
        number = len(self.quantiles)
        return of_columns(number, losses=(number,))
