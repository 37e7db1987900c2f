"""Losses as custom objectives and metrics of LightGBM, for its native and its scikit-learn interface.

A model that is trained with the objective of a loss that LightGBM has as well is LightGBM's own, to rounding, if both
start from the same constant:

* ``SquaredError(half=True)`` is ``regression``, ``BinaryCrossEntropyWithLogits()`` is ``binary`` and ``cross_entropy``,
  ``GammaNLL()`` is ``gamma``, ``Tweedie(power=p)`` is ``tweedie``, ``CrossEntropy(hessian="lightgbm")`` is
  ``multiclass``, and without weights ``CrossEntropyLambda()`` is ``cross_entropy_lambda``;
* with ``curvature="own"``, ``Huber(delta=d)`` is ``huber`` with ``alpha=d``, and ``Fair(c=c)`` is ``fair`` with
  ``fair_c=c``;
* ``BinaryCrossEntropyWithLogits(pos_weight=w)`` is ``binary`` with ``scale_pos_weight=w``, started from the score of
  ``BinaryCrossEntropyWithLogits()``;
* ``PoissonNLL()`` is ``poisson`` with a ``poisson_max_delta_step`` near 0. With its default of m = 0.7 LightGBM
  multiplies the curvature by exp(m): ``learning_rate``, ``lambda_l2`` and ``min_sum_hessian_in_leaf`` divided by
  exp(m), and ``min_gain_to_split`` multiplied by it, make the custom objective equal to that;
* ``AbsoluteError()``, ``Quantile(q)`` and, without weights, ``AbsolutePercentageError(epsilon=1)`` grow the first tree
  of ``regression_l1``, ``quantile`` and ``mape``, which then set leaves to quantiles of residuals. No custom objective
  can.

The constant is `init_score`: LightGBM starts a custom objective from 0 whatever ``boost_from_average`` says. It is
where LightGBM starts its own of the above too, but for ``huber`` and ``fair``, which start from the mean, and
``cross_entropy_lambda``, which starts from the logarithm of the mean's exponential less 1. It is given to the data set,
one for each row, and added to predictions again, which are raw scores: logits for cross-entropies, logarithms for the
likelihoods. Metrics are of raw scores likewise, which is what LightGBM hands to them as long as the objective is a
custom one too.

Curvature: LightGBM divides by it, and the second derivatives of `LogCosh`, `PseudoHuber`, `Fair` and all losses that
redescend vanish far from the target, where such a step explodes. A loss whose attribute `reweighted` is True, one of
these or `Huber`, therefore has the weight of iteratively reweighted least squares in place of the curvature: the slope
over the residual. That is bounded, and it majorizes: the parabola with this curvature touches the loss and lies nowhere
below it, so that a full step in every leaf lowers the training loss even with ``lambda_l2=0``. It costs three passes of
NumPy over the targets in each round, and saves the second derivative. ``curvature="own"`` is the loss's own instead, as
LightGBM's objectives have it.

"majorizing" is the default by measurement: mean losses of the held-out fifths of two data sets of scikit-learn, of the
best constant, and after 100 rounds with LightGBM's defaults:

===================  ========  ==========  =====  ========  ==========  =====
data                 diabetes                     proline of wines
-------------------  ---------------------------  ---------------------------
loss                 constant  majorizing  own    constant  majorizing  own
===================  ========  ==========  =====  ========  ==========  =====
LogCosh()            64        46          694    250       160         242
PseudoHuber(1)       64        45          1606   249       163         242
PseudoHuber(50)      1817      1132        1156   10540     5959        5581
Fair(50)             1341      824         853    8627      4666        4858
Huber(1)             65        46          62     250       162         246
Cauchy(70)           1587      997         1008   5311      3854        4559
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

from fastloss import Loss
from fastloss._core.evaluation import Array, Floats
from fastloss.integrations._boosting import Curvature, Metric, Objective
from fastloss.integrations._start import Doubles, start

__all__ = ["init_score", "metric", "objective", "sklearn_metric", "sklearn_objective"]


def objective(loss: Loss, curvature: Curvature | None = None) -> NativeObjective:
    """Make an objective of LightGBM's native interface.

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
        For ``lightgbm.train({"objective": ...})``. Called with predictions and a Dataset it returns gradient and
        curvature, multiplied by the Dataset's weights, as float32 arrays in Fortran order, which LightGBM reads in
        place; the next call in the same thread overwrites them. It can be pickled, copied and compared.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.lightgbm import init_score, objective
    >>> objective(fl.Huber(delta=2.0)) == objective(fl.Huber(delta=2.0))
    True

    Training with it::

        first = init_score(loss, y)
        data = lightgbm.Dataset(X, y, init_score=numpy.full(len(y), first))
        model = lightgbm.train({"objective": objective(loss)}, data, 100, feval=metric(loss))
        model.predict(X) + first
    """
    return NativeObjective(loss, curvature)


def sklearn_objective(loss: Loss, curvature: Curvature | None = None) -> SklearnObjective:
    """Make an objective of LightGBM's scikit-learn interface.

    Parameters
    ----------
    loss, curvature
        As for `objective`.

    Returns
    -------
    callable
        For ``LGBMRegressor(objective=)`` and its relatives: of `y_true`, `y_pred` and `weight`, else as that of
        `objective`. Estimators with it can be cloned and searched over.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.integrations.lightgbm import sklearn_objective
    >>> grad, hess = sklearn_objective(fl.SquaredError(half=True))(np.array([1.0, 2.0]), np.array([3.0, 1.0]))
    >>> grad, hess
    (array([ 2., -1.], dtype=float32), array([1., 1.], dtype=float32))
    """
    return SklearnObjective(loss, curvature)


def metric(loss: Loss) -> NativeMetric:
    """Make a metric of LightGBM's native interface: the weighted mean of a loss.

    Parameters
    ----------
    loss : Loss
        Any loss; of raw scores, as the objective.

    Returns
    -------
    callable
        For ``lightgbm.train(..., feval=)``: the loss's name, its value, and False for lower is better.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.lightgbm import metric
    >>> metric(fl.AbsoluteError())
    NativeMetric(loss=AbsoluteError())
    """
    return NativeMetric(loss)


def sklearn_metric(loss: Loss) -> SklearnMetric:
    """Make a metric of LightGBM's scikit-learn interface: the weighted mean of a loss.

    Parameters
    ----------
    loss : Loss
        Any loss; of raw scores, as the objective.

    Returns
    -------
    callable
        For ``LGBMRegressor().fit(..., eval_metric=)``.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.lightgbm import sklearn_metric
    >>> sklearn_metric(fl.AbsoluteError())([1.0, 2.0], [3.0, 2.0])
    ('absolute_error', 1.0, False)
    """
    return SklearnMetric(loss)


def init_score(loss: Loss, y_true: ArrayLike, sample_weight: ArrayLike | None = None) -> float | Doubles:
    """Compute the raw score to start from, which LightGBM computes for its own objectives alone.

    It is the constant of the least mean loss. That has a closed form for means, their logarithms and logits, for
    the logarithms of the classes' shares, and for quantiles, by LightGBM's definition. For other losses it is searched
    for, as said below.

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
    float or ndarray
        The score; an array of one for each class or prediction where there are several. LightGBM wants it for each
        row: ``np.full(n, score)`` or ``np.tile(score, (n, 1))``.

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
    >>> from fastloss.integrations.lightgbm import init_score
    >>> init_score(fl.BinaryCrossEntropyWithLogits(), [0, 1, 1, 1])  # the logarithm of 3
    1.0986122886681098
    """
    return start("init_score", loss, y_true, sample_weight, _quantile)


def _quantile(y: Doubles, weight: Doubles | None, level: float) -> float:
    """The quantiles of LightGBM 4.7: with weights between neighbors only where the upper one weighs 1 or more."""
    if weight is None:
        return float(np.quantile(y, level))
    order = np.argsort(y, kind="stable")
    y, below = y[order], np.cumsum(weight[order])
    threshold = level * below[-1]
    at = min(int(np.searchsorted(below, threshold, side="right")), y.size - 1)
    if at in (0, y.size - 1):
        return float(y[at])
    gap = below[at] - below[at - 1]
    part = (threshold - below[at - 1]) / gap if gap >= 1 else 0.0
    return float(y[at - 1] + part * (y[at] - y[at - 1]))


class NativeObjective(Objective):
    """An objective of predictions and a Dataset."""

    order = "F"

    def __call__(self, y_pred: Array, train_data: Any) -> tuple[Floats, Floats]:
        return self.derivatives(train_data.get_label(), y_pred, train_data.get_weight())


class SklearnObjective(Objective):
    """An objective of targets, predictions and weights."""

    order = "F"

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None = None) -> tuple[Floats, Floats]:
        return self.derivatives(y_true, y_pred, weight)


class NativeMetric(Metric):
    """A metric of predictions and a Dataset."""

    def __call__(self, y_pred: Array, data: Any) -> tuple[str, float, bool]:
        return self.loss.function_name, self.loss(data.get_label(), y_pred, sample_weight=data.get_weight()), False


class SklearnMetric(Metric):
    """A metric of targets, predictions and weights."""

    def __call__(self, y_true: Array, y_pred: Array, weight: Array | None = None) -> tuple[str, float, bool]:
        return self.loss.function_name, self.loss(y_true, y_pred, sample_weight=weight), False
