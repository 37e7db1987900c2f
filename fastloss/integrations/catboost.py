"""Losses as custom objectives and metrics of CatBoost, for models with one output.

The objective of a loss that CatBoost has as well trains CatBoost's own model, to rounding, if both are given
``leaf_estimation_method``, ``leaf_estimation_iterations=1`` and ``boost_from_average=False``: CatBoost chooses others
for custom objectives than for its own. A constant to start from is the `baseline` of a Pool;
``fastloss.integrations.lightgbm.init_score`` finds the best.
``SquaredError(half=True)`` is its ``RMSE``, ``BinaryCrossEntropyWithLogits()`` its ``Logloss``, ``PoissonNLL()`` its
``Poisson``.

Losses with several predictions for a target are left out: CatBoost would call for each row by itself.

Curvature: CatBoost divides by it, and the second derivatives of `LogCosh`, `PseudoHuber`, `Fair` and all losses that
redescend vanish far from the target, where such a step explodes. A loss whose attribute `reweighted` is True, one of
these or `Huber`, therefore has the weight of iteratively reweighted least squares in place of the curvature: the slope
over the residual. That is bounded, and it majorizes: the parabola with this curvature touches the loss and lies nowhere
below it, so that a full step in every leaf lowers the training loss even with ``l2_leaf_reg=0``. It costs three passes
of NumPy over the targets in each round, and saves the second derivative. ``curvature="own"`` is the loss's own instead.

Of the own curvatures, that of a loss without any, or with negative curvature in places, whose attribute
`hessian_approximation` is "constant", is one number: the largest curvature of the loss where that is finite, as 1 for
`Huber`, else 1, as for `Quantile`, `AbsoluteError` or `Hinge`. Steps are then those of gradient descent: for targets in
large units raise the learning rate, or scale them. One whose `hessian_approximation` is "floored" has a floor of 2e-6
under its curvature.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastloss import Loss
from fastloss._core.counting import mean
from fastloss._core.evaluation import Array, Floats
from fastloss._core.loss import require_loss
from fastloss.integrations._boosting import Curvature, Metric, Objective

__all__ = ["metric", "objective"]


def objective(loss: Loss, curvature: Curvature | None = None) -> LossObjective:
    """Make an objective of CatBoost.

    Parameters
    ----------
    loss : Loss
        Any loss with a value for each element and one prediction for each target.
    curvature : {"majorizing", "own"}, optional
        What stands for the curvature, as above; "majorizing" for losses that are `reweighted` alone. By default
        "majorizing" for those and "own" for others.

    Returns
    -------
    object
        For ``CatBoostRegressor(loss_function=)`` and its relatives. CatBoost raises what it learns on, so that its
        derivatives are those of minus the loss, multiplied by the weights. It can be pickled, copied and compared.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.integrations.catboost import objective
    >>> objective(fl.SquaredError(half=True)).calc_ders_range(np.array([3.0, 1.0]), np.array([1.0, 2.0]), None)
    array([[-2., -1.],
           [ 1., -1.]])

    Training with it::

        CatBoostRegressor(loss_function=objective(loss), eval_metric=metric(loss))
    """
    return LossObjective(_single("objective", loss), curvature)


def metric(loss: Loss) -> LossMetric:
    """Make a metric of CatBoost: the weighted mean of a loss.

    Parameters
    ----------
    loss : Loss
        As for `objective`; of raw scores, as that.

    Returns
    -------
    object
        For ``CatBoostRegressor(eval_metric=)`` and its relatives. Lower is better.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.integrations.catboost import metric
    >>> metric(fl.AbsoluteError()).evaluate([np.array([3.0, 1.0])], np.array([1.0, 2.0]), None)
    (3.0, 2.0)
    """
    return LossMetric(_single("metric", loss))


def _single(owner: str, loss: Loss) -> Loss:
    require_loss(owner, loss)
    if not (loss.signature.single and loss.signature.additive):
        raise ValueError(f"{type(loss).__name__}: must be a sum over elements with one prediction each for CatBoost")
    return loss


class LossObjective(Objective):
    """The derivatives of minus a loss."""

    no_jit = True  # CatBoost would translate the source with numba

    def calc_ders_range(self, approxes: Array, targets: Array, weights: Array | None) -> Floats:
        """Compute the derivatives.

        Parameters
        ----------
        approxes, targets : ndarray
            Predictions and targets.
        weights : ndarray or None
            Their weights.

        Returns
        -------
        ndarray
            Of shape (n, 2): the first and the second derivative of minus the loss.
        """
        ders = np.empty((approxes.size, 2))
        self.write(targets, approxes, weights, ders[:, 0], ders[:, 1])
        return np.negative(ders, out=ders)


class LossMetric(Metric):
    """A metric of sums that CatBoost adds up over parts of the data."""

    no_jit = True

    def evaluate(self, approxes: Any, target: Array, weight: Array | None) -> tuple[float, float]:
        """Compute the sums.

        Parameters
        ----------
        approxes : sequence of ndarray
            The predictions, of one output.
        target : ndarray
            The targets.
        weight : ndarray or None
            Their weights.

        Returns
        -------
        tuple of float
            The sum of weighted losses and the sum of weights.
        """
        state = self.loss.state(target, approxes[0], sample_weight=weight)
        return state.total, state.weight

    def get_final_error(self, error: float, weight: float) -> float:
        """Compute the mean.

        Parameters
        ----------
        error, weight : float
            The sums of weighted losses and of weights.

        Returns
        -------
        float
            Their quotient; NaN without weight.
        """
        return mean(error, weight)

    def is_max_optimal(self) -> bool:
        """Tell that lower is better.

        Returns
        -------
        bool
            False.
        """
        return False
