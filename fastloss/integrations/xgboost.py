"""Losses as custom objectives and metrics of XGBoost, for its native and its scikit-learn interface.

A model that is trained with the objective of a loss that XGBoost has as well is XGBoost's own, to rounding, if both
start from the same constant:

* ``SquaredError(half=True)`` is ``reg:squarederror``, ``BinaryCrossEntropyWithLogits()`` is ``binary:logistic``,
  ``GammaNLL()`` is ``reg:gamma``, ``Tweedie(power=p)`` is ``reg:tweedie``, ``CrossEntropy(hessian="upper_bound")`` is
  ``multi:softprob``;
* ``PseudoHuber(delta=d)`` with ``curvature="own"`` is ``reg:pseudohubererror`` with ``huber_slope=d``;
* ``BinaryCrossEntropyWithLogits(pos_weight=w)`` is ``binary:logistic`` with ``scale_pos_weight=w``;
* ``PoissonNLL()`` is ``count:poisson`` with ``max_delta_step=0``. With its default of m = 0.7 XGBoost multiplies the
  curvature by exp(m) and bounds leaves by m: ``eta``, ``lambda`` and ``min_child_weight`` divided by exp(m), and
  ``max_delta_step`` (and ``gamma``) multiplied by it, make the custom objective equal to that;
* ``SquaredLogError()`` is twice ``reg:squaredlogerror``: double ``lambda`` and ``min_child_weight``;
* ``AbsoluteError()`` and ``Quantile(q)`` grow the first tree of ``reg:absoluteerror`` and ``reg:quantileerror``, which
  then set leaves to quantiles of residuals. No custom objective can.

The constant is `base_score`, with which custom objectives must be started: XGBoost starts them from 0.5 otherwise. It
is where XGBoost starts its own of the above too, but for ``reg:pseudohubererror``, ``reg:squaredlogerror`` and
``scale_pos_weight``, which it starts from one Newton step from 0, however far from all targets that is. For a custom
objective ``base_score`` is a raw score, as predictions are; for XGBoost's own it is a mean or a probability. The
``base_margin`` of a DMatrix takes its place.

Predictions of the trained model are raw scores: logits for cross-entropies, logarithms for the likelihoods. Metrics are
of raw scores likewise, which is what XGBoost hands to them as long as the objective is a custom one too.

Several predictions for each target, the logits of classes or the quantiles of `MultiQuantile`, are ``num_class``. They
are predicted with ``output_margin=True``, and ``disable_default_eval_metric=True`` keeps XGBoost from taking targets
for classes.

Curvature: XGBoost divides by it, and the second derivatives of `LogCosh`, `PseudoHuber`, `Fair` and all losses that
redescend vanish far from the target, where such a step explodes. A loss whose attribute `reweighted` is True, one of
these or `Huber`, therefore has the weight of iteratively reweighted least squares in place of the curvature: the slope
over the residual. That is bounded, and it majorizes: the parabola with this curvature touches the loss and lies nowhere
below it, so that a full step in every leaf lowers the training loss even with ``lambda=0``. It costs three passes of
NumPy over the targets in each round, and saves the second derivative. ``curvature="own"`` is the loss's own instead, as
XGBoost's objectives have it.

"majorizing" is the default by measurement: mean losses of the held-out fifths of two data sets of scikit-learn, of the
best constant, and after 100 rounds with XGBoost's defaults:

===================  ========  ==========  =====  ========  ==========  =====
data                 diabetes                     proline of wines
-------------------  ---------------------------  ---------------------------
loss                 constant  majorizing  own    constant  majorizing  own
===================  ========  ==========  =====  ========  ==========  =====
LogCosh()            64        46          44     250       174         249
PseudoHuber(1)       64        46          45     249       173         248
PseudoHuber(50)      1817      1302        1357   10540     5953        6173
Fair(50)             1341      960         964    8627      4589        5016
Huber(1)             65        47          57     250       174         238
Cauchy(70)           1587      1115        1112   5311      3685        3932
===================  ========  ==========  =====  ========  ==========  =====

Of the own curvatures, that of a loss without any, or with negative curvature in places, whose attribute
`hessian_approximation` is "constant", is one number: the largest curvature of the loss, of a row of logits in any
direction, where that is finite, as 1 for `Huber`, else 1, as for `Quantile`, `AbsoluteError` or `Hinge`. Steps are then
those of gradient descent: for targets in large units raise the learning rate, or scale them. One whose
`hessian_approximation` is "floored" has a floor of 2e-6 under its curvature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastloss import CrossEntropy, Loss
from fastloss._core.evaluation import Array, Floats
from fastloss.integrations._boosting import Curvature, Metric, Objective
from fastloss.integrations._start import Doubles, start

__all__ = ["base_score", "metric", "objective", "sklearn_metric", "sklearn_objective"]


def objective(loss: Loss, curvature: Curvature | None = None) -> NativeObjective:
    """Make an objective of XGBoost's native interface.

    Parameters
    ----------
    loss : Loss
        Any loss with a value for each element; or of labels and rows of logits, such as `CrossEntropy`.
    curvature : {"majorizing", "own"}, optional
        What stands for the curvature, as above; "majorizing" for losses that are `reweighted` alone. By default
        "majorizing" for those and "own" for others.

    Returns
    -------
    callable
        For ``xgboost.train(..., obj=)``. Called with predictions and a DMatrix it returns gradient and curvature,
        multiplied by the DMatrix's weights, as float32 arrays in C order, which XGBoost reads in place; the next call
        in the same thread overwrites them. It can be pickled, copied and compared.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.xgboost import base_score, objective
    >>> objective(fl.Huber(delta=2.0)) == objective(fl.Huber(delta=2.0))
    True

    Training with it::

        parameters = {"eta": 0.1, "base_score": base_score(loss, y)}
        xgboost.train(parameters, xgboost.DMatrix(X, y), 100, obj=objective(loss), custom_metric=metric(loss))
    """
    return NativeObjective(loss, curvature)


def sklearn_objective(loss: Loss, curvature: Curvature | None = None) -> SklearnObjective:
    """Make an objective of XGBoost's scikit-learn interface.

    Parameters
    ----------
    loss, curvature
        As for `objective`.

    Returns
    -------
    callable
        For ``XGBRegressor(objective=)`` and its relatives: of `y_true`, `y_pred` and `sample_weight`, else as
        that of `objective`. Estimators with it can be cloned and searched over.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.integrations.xgboost import sklearn_objective
    >>> grad, hess = sklearn_objective(fl.SquaredError(half=True))(np.array([1.0, 2.0]), np.array([3.0, 1.0]))
    >>> grad, hess
    (array([ 2., -1.], dtype=float32), array([1., 1.], dtype=float32))
    """
    return SklearnObjective(loss, curvature)


def metric(loss: Loss) -> NativeMetric:
    """Make a metric of XGBoost's native interface: the weighted mean of a loss.

    Parameters
    ----------
    loss : Loss
        Any loss; of raw scores, as the objective.

    Returns
    -------
    callable
        For ``xgboost.train(..., custom_metric=)``: the loss's name and value. Lower is better.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.xgboost import metric
    >>> metric(fl.AbsoluteError())
    NativeMetric(loss=AbsoluteError())
    """
    return NativeMetric(loss)


def sklearn_metric(loss: Loss) -> SklearnMetric:
    """Make a metric of XGBoost's scikit-learn interface: the weighted mean of a loss.

    Parameters
    ----------
    loss : Loss
        Any loss; of raw scores, as the objective.

    Returns
    -------
    callable
        For ``XGBRegressor(eval_metric=)``. Lower is better.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.xgboost import sklearn_metric
    >>> sklearn_metric(fl.AbsoluteError())([1.0, 2.0], [3.0, 2.0])
    1.0
    """
    return SklearnMetric(loss)


def base_score(loss: Loss, y_true: ArrayLike, sample_weight: ArrayLike | None = None) -> float | list[float]:
    """Compute the raw score to start from, which XGBoost computes for its own objectives alone.

    It is the constant of the least mean loss. That has a closed form for means, their logarithms and logits, for
    the logarithms of the classes' shares, which are centered, and for quantiles, by XGBoost's definition. For other
    losses it is searched for, as said below.

    Parameters
    ----------
    loss : Loss
        The loss of the objective.
    y_true : array_like
        The training targets.
    sample_weight : array_like, optional
        Their weights.

    Returns
    -------
    float or list of float
        For the parameter ``base_score``, in raw scores since the objective is a custom one; a list, for each class or
        prediction, where there are several, which XGBoost takes since version 3.1.

    Raises
    ------
    ValueError
        If the mean loss has no minimum, as that of `Poisson` for targets of 0 alone, or of `SigmoidLoss`, which any
        score far out lowers; or if an array holds what the loss does not allow, or what is not finite.

    Notes
    -----
    A thousand of the targets are tried; from the best the slope of the mean loss is followed downhill until it turns,
    and its root found by Brent's method: some ten passes over the targets, fifty where the loss has kinks, which make
    nothing of their length. Of several minima it is the one beside the best of the tried targets, which matters to
    losses that redescend. Where all constants of an interval are as good, as may be for `EpsilonInsensitive` or
    `Hinge`, it is the middle, or the end of an interval without end. The logit of one class alone is finite, since
    shares below 1e-15 count as that. For losses of rows of classes it is what L-BFGS finds from the shares of the
    classes, which for those with kinks is within about a thousandth of the least mean loss. The searches need SciPy,
    which comes with the library.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.xgboost import base_score
    >>> base_score(fl.BinaryCrossEntropyWithLogits(), [0, 1, 1, 1])  # the logarithm of 3
    1.0986122886681098
    """
    found = start("base_score", loss, y_true, sample_weight, _quantile)
    if isinstance(found, float):
        return found
    shifts = isinstance(loss, CrossEntropy) and loss == CrossEntropy(hessian=loss.hessian)
    centered: list[float] = (found - found.mean() if shifts else found).tolist()
    return centered


def _quantile(y: Doubles, weight: Doubles | None, level: float) -> float:
    """XGBoost's quantiles: without weights between neighbors, with weights one of the targets."""
    if weight is None:
        return float(np.quantile(y, level, method="weibull"))
    order = np.argsort(y, kind="stable")
    below = np.cumsum(weight[order])
    return float(y[order[min(int(np.searchsorted(below, level * below[-1])), y.size - 1)]])


def _weights(data: Any) -> Array | None:
    weight: Array = data.get_weight()
    return weight if weight.size else None


class NativeObjective(Objective):
    """An objective of predictions and a DMatrix."""

    def __call__(self, y_pred: Array, dtrain: Any) -> tuple[Floats, Floats]:
        return self.derivatives(dtrain.get_label(), y_pred, _weights(dtrain))


class SklearnObjective(Objective):
    """An objective of targets, predictions and weights."""

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> tuple[Floats, Floats]:
        return self.derivatives(y_true, y_pred, sample_weight)


class NativeMetric(Metric):
    """A metric of predictions and a DMatrix."""

    def __call__(self, y_pred: Array, dmatrix: Any) -> tuple[str, float]:
        y_true = dmatrix.get_label()
        if y_true.size == y_pred.size:
            y_true = y_true.reshape(y_pred.shape)
        return self.loss.function_name, self.loss(y_true, y_pred, sample_weight=_weights(dmatrix))


class SklearnMetric(Metric):
    """A metric of targets, predictions and weights."""

    @property
    def __name__(self) -> str:  # XGBoost reports the value under it
        return self.loss.function_name

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> float:
        return self.loss(y_true, y_pred, sample_weight=sample_weight)
