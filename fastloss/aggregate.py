"""Losses of the whole sample: functions of means of elementwise losses, with the gradient of exactly that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastloss._core.evaluation import Evaluation, Floats
from fastloss._core.loss import Loss, loss
from fastloss._core.parameters import Domain
from fastloss._core.runtime import GRAD, HESS, VALUE, enter_mode, leave_mode
from fastloss._core.signature import SAMPLE


class AggregateEvaluation(Evaluation):
    """A call whose result is a function of means."""

    __slots__ = ()

    _loss: AggregateLoss

    def reduced(
        self, operation: int, reduction: str, out: Floats | None = None, grad_out: Floats | None = None,
        hess_out: Floats | None = None, *, factor: float = 1.0, scratch: bool = False,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        owner = self._spec.owner
        if reduction != "mean":
            raise ValueError(
                f"{owner}: reduction is {reduction!r}, must be 'mean': the loss is one of the whole sample, not a sum"
                " over elements"
            )
        if out is not None:
            raise ValueError(f"{owner}: out is given, must be None where a number is returned")
        if operation & HESS:
            raise ValueError(
                f"{owner}: there is no grad_and_hess, because every derivative depends on every prediction:"
                " the Hessian is not diagonal"
            )
        mode = enter_mode()
        try:
            value, slope, evaluation = self._loss._fold(self, bool(operation & VALUE))
        finally:
            leave_mode(mode)
        if not operation & GRAD:
            return value, None, None
        grad = Evaluation.reduced(
            evaluation, GRAD, "mean", grad_out=grad_out, factor=factor * slope, scratch=scratch
        )[1]  # fmt: skip
        return value, grad, None


class AggregateLoss(Loss):
    """A loss that is a function of means over the sample, of which the first is the mean of `kernel`'s losses."""

    signature = SAMPLE
    scores = "values"
    _evaluation = AggregateEvaluation

    def _fold(self, evaluation: Evaluation, warn: bool) -> tuple[float, float, Evaluation]:
        """The value, its derivative in the mean of a call's losses, and that call."""
        raise NotImplementedError


def _bias(evaluation: Evaluation) -> float:
    """The mean residual."""
    return evaluation.using("mean_bias").mean()


def _about(evaluation: Evaluation, center: float) -> Evaluation:
    """The call of the squares of residuals less a center."""
    return evaluation.using("centered_squared_error", center=center, factor=1.0)


def _factor(square: float) -> float:
    """What squares of this mean are multiplied by for the sake of their derivatives, which may overflow in float32."""
    return 0.5 if square < 1e30 else 2.0**-4


class RootMeanLoss(AggregateLoss):
    """The square root of a mean."""

    def _fold(self, evaluation: Evaluation, warn: bool) -> tuple[float, float, Evaluation]:
        root = math.sqrt(evaluation.mean(warn))
        return root, 0.5 / root if root else 0.0, evaluation


@loss("rmse", "root_mean_square_error")
class RootMeanSquaredError(RootMeanLoss):
    r"""Root mean squared error: the square root of the weighted mean of squared residuals.

    With the residuals :math:`r_i = \hat y_i - y_i`, the weights :math:`w_i` and their sum :math:`W`,

    .. math::

        L = \sqrt{\frac1W \sum_i w_i r_i^2}
        \qquad \frac{\partial L}{\partial \hat y_i} = \frac{w_i r_i}{W L}

    See Also
    --------
    SquaredError : The mean itself, which has the same minimum and adds up over parts of a sample.
    RootMeanSquaredLogError : The same of logarithms.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The gradient at :math:`L = 0` is 0. Several outputs are refused,
    as libraries differ in whether they have one root or the mean of several. It is a loss of the whole sample: the
    reduction is "mean", the Hessian is not diagonal, and the state is that of the squared residuals, so that the loss
    of merged states is the square root of their mean.

    Numerics: the squares, which are summed in float64, overflow from residuals of about 1e154 on.

    References
    ----------
    .. [1] R. J. Hyndman, A. B. Koehler, "Another look at measures of forecast accuracy", International Journal of
       Forecasting 22 (2006), doi:10.1016/j.ijforecast.2006.03.001.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.RootMeanSquaredError().value_and_grad([0.0, 0.0], [1.0, 7.0])
    (5.0, array([0.1, 0.7]))
    """

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return "squared_error", {"factor": 1.0}

    def _fold(self, evaluation: Evaluation, warn: bool) -> tuple[float, float, Evaluation]:
        square = evaluation.mean(warn)
        root, factor = math.sqrt(square), _factor(square)
        return root, 0.5 / factor / root if root else 0.0, evaluation.using("squared_error", factor=factor)


@loss("rmsle", "root_mean_squared_logarithmic_error")
class RootMeanSquaredLogError(RootMeanLoss):
    r"""Root mean squared logarithmic error: the root of the mean of `SquaredLogError`.

    With :math:`d_i = \log(1 + \hat y_i) - \log(1 + y_i)`, the weights :math:`w_i` and their sum :math:`W`,

    .. math::

        L = \sqrt{\frac1W \sum_i w_i d_i^2}
        \qquad \frac{\partial L}{\partial \hat y_i} = \frac{w_i d_i}{W L (1 + \hat y_i)}

    See Also
    --------
    SquaredLogError : The mean itself, which has the same minimum and adds up over parts of a sample.
    RootMeanSquaredError : The same of the numbers themselves.

    Notes
    -----
    Domain: `y_true` and `y_pred` are greater than -1. The gradient at :math:`L = 0` is 0. Several outputs are refused,
    as libraries differ in whether they have one root or the mean of several. It is a loss of the whole sample: the
    reduction is "mean", the Hessian is not diagonal, and the state is that of `SquaredLogError`, so that the loss of
    merged states is the square root of their mean.

    Numerics: those of `SquaredLogError`, whose squares of logarithms neither overflow nor cancel.

    References
    ----------
    .. [1] C. Tofallis, "A better measure of relative prediction accuracy for model selection and model
       estimation", Journal of the Operational Research Society 66 (2015), doi:10.1057/jors.2014.103.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.RootMeanSquaredLogError()([0.0, 1.0], [1.0, 0.0]), 6)
    0.693147
    """

    kernel = "squared_log_error"
    target = Domain(low=-1, low_open=True)
    prediction = Domain(low=-1, low_open=True)


class VarianceRatioLoss(AggregateLoss):
    """A mean of squares, about a center, relative to the variance of the targets."""

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return "squared_error", {"factor": 1.0}

    def _ratio(self, evaluation: Evaluation, center: float, square: float) -> tuple[float, float, Evaluation]:
        """Of the mean square to the targets' variance; where that is 0, 0 for no squares and infinity for others."""
        factor = _factor(square)
        derived = evaluation.using("centered_squared_error", center=center, factor=factor)
        targets = evaluation.at(np.broadcast_to(evaluation.dtype(0), evaluation.shape))
        variance = _about(targets, _bias(targets)).mean()
        if variance == 0:
            return (0.0, 0.0, derived) if square == 0 else (square * math.inf, math.inf, derived)
        return square / variance, 1 / factor / variance, derived


@loss("r2_loss", "fvu")
class FractionOfVarianceUnexplained(VarianceRatioLoss):
    r"""Fraction of variance unexplained: 1 - R2, the coefficient of determination.

    With the weights :math:`w_i` and the targets' weighted mean :math:`\bar y`,

    .. math::

        L = 1 - R^2 = \frac{\sum_i w_i (\hat y_i - y_i)^2}{\sum_i w_i (y_i - \bar y)^2}
        \qquad \frac{\partial L}{\partial \hat y_i} = \frac{2 w_i (\hat y_i - y_i)}{\sum_j w_j (y_j - \bar y)^2}

    See Also
    --------
    UnexplainedVariance : The same without the bias of the predictions.
    SquaredError : The numerator, which adds up over parts of a sample.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. 0 is a perfect prediction, 1 that of the mean, and there is no
    upper bound. For constant targets the loss is infinite, or 0 if the prediction is perfect. Several outputs are
    refused, as `r2_score` has the mean of theirs. It is a loss of the whole sample: the reduction is "mean", the
    Hessian is not diagonal, and the state is that of the squared residuals.

    Numerics: the variance is summed about the mean, in a second pass over the targets. `1 - L` is `r2_score`,
    scikit-learn's.

    References
    ----------
    .. [1] D. Chicco, M. J. Warrens, G. Jurman, "The coefficient of determination R-squared is more informative than
       SMAPE, MAE, MAPE, MSE and RMSE in regression analysis evaluation", PeerJ Computer Science 7 (2021),
       doi:10.7717/peerj-cs.623.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.FractionOfVarianceUnexplained()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    def _fold(self, evaluation: Evaluation, warn: bool) -> tuple[float, float, Evaluation]:
        return self._ratio(evaluation, 0.0, evaluation.mean(warn))


@loss("explained_variance_loss")
class UnexplainedVariance(VarianceRatioLoss):
    r"""Unexplained variance: the variance of the residuals relative to that of the targets.

    With the weights :math:`w_i`, the residuals :math:`r_i = \hat y_i - y_i`, and the weighted means :math:`\bar r` and
    :math:`\bar y`,

    .. math::

        L = \frac{\sum_i w_i (r_i - \bar r)^2}{\sum_i w_i (y_i - \bar y)^2}
        \qquad \frac{\partial L}{\partial \hat y_i} = \frac{2 w_i (r_i - \bar r)}{\sum_j w_j (y_j - \bar y)^2}

    See Also
    --------
    FractionOfVarianceUnexplained : The same with the bias of the predictions.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. A constant added to all predictions changes nothing. For
    constant targets the loss is infinite, or 0 if the residuals are constant. Several outputs are refused, as
    `explained_variance_score` has the mean of theirs. It is a loss of the whole sample: the reduction is "mean", the
    Hessian is not diagonal, and the state is that of the squared residuals.

    Numerics: both variances are summed about their means, in further passes. `1 - L` is `explained_variance_score`,
    scikit-learn's.

    References
    ----------
    .. [1] F. Pedregosa et al., "Scikit-learn: Machine Learning in Python", Journal of Machine Learning Research 12
       (2011), arXiv:1201.0490.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.UnexplainedVariance()([1.0, 2.0, 3.0], [11.0, 12.0, 13.0])
    0.0
    """

    def _fold(self, evaluation: Evaluation, warn: bool) -> tuple[float, float, Evaluation]:
        bias = _bias(evaluation)
        return self._ratio(evaluation, bias, _about(evaluation, bias).mean(warn))
