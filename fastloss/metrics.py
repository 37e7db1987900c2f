"""Metrics that are no losses, as they are not lowered or have no gradient: scikit-learn's, to the number."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted
from fastloss._core.operands import as_array, operand
from fastloss.aggregate import FractionOfVarianceUnexplained, UnexplainedVariance, VarianceRatioLoss

__all__ = ["explained_variance_score", "median_absolute_error", "r2_score"]

Array = NDArray[Any]


def r2_score(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Compute the coefficient of determination, the share of the targets' variance that predictions explain.

    With the weights :math:`w_i` and the targets' weighted mean :math:`\bar y`,

    .. math:: R^2 = 1 - \frac{\sum_i w_i (y_i - \hat y_i)^2}{\sum_i w_i (y_i - \bar y)^2}

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, outputs)
        Targets; any real number.
    y_pred : array_like
        Predictions, of the shape of `y_true`.
    sample_weight : array_like of shape (n,), optional
        Finite and not negative.

    Returns
    -------
    float
        1 for perfect predictions, 0 for that of the mean; of several outputs the mean of theirs.

    See Also
    --------
    FractionOfVarianceUnexplained : 1 less this, as a loss with a gradient.
    explained_variance_score : The same without the bias of the predictions.

    Notes
    -----
    It is ``sklearn.metrics.r2_score``: constant targets have 1 where they are predicted exactly, else 0; of a single
    one the score is NaN, with a warning.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    return _share_explained(FractionOfVarianceUnexplained(), "r2_score", y_true, y_pred, sample_weight, least=2)


def explained_variance_score(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Compute the share of the targets' variance that is not left in the residuals.

    With the residuals :math:`r_i = y_i - \hat y_i`, the weights :math:`w_i`, and the weighted means :math:`\bar r` and
    :math:`\bar y`,

    .. math:: 1 - \frac{\sum_i w_i (r_i - \bar r)^2}{\sum_i w_i (y_i - \bar y)^2}

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, outputs)
        Targets; any real number.
    y_pred : array_like
        Predictions, of the shape of `y_true`.
    sample_weight : array_like of shape (n,), optional
        Finite and not negative.

    Returns
    -------
    float
        1 for predictions that are perfect up to a constant; of several outputs the mean of theirs.

    See Also
    --------
    UnexplainedVariance : 1 less this, as a loss with a gradient.
    r2_score : The same with the bias of the predictions.

    Notes
    -----
    It is ``sklearn.metrics.explained_variance_score``: constant targets have 1 where the residuals are constant,
    else 0.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.explained_variance_score([1.0, 2.0, 3.0], [11.0, 12.0, 13.0])
    1.0
    """
    return _share_explained(UnexplainedVariance(), "explained_variance_score", y_true, y_pred, sample_weight, least=1)


def median_absolute_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Compute the median of absolute errors, which half of the predictions may spoil without effect.

    .. math:: \operatorname{median}_i |y_i - \hat y_i|

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, outputs)
        Targets; any real number.
    y_pred : array_like
        Predictions, of the shape of `y_true`.
    sample_weight : array_like of shape (n,), optional
        Finite and not negative, and not all 0.

    Returns
    -------
    float
        The median; between two errors that halve the weights it is their mean. Of several outputs the mean of theirs.

    See Also
    --------
    AbsoluteError : The errors themselves.

    Notes
    -----
    It is ``sklearn.metrics.median_absolute_error``.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.median_absolute_error([0.0, 0.0, 0.0], [1.0, 100.0, 2.0])
    2.0
    """
    owner = "median_absolute_error"
    weight = None if sample_weight is None else as_array(owner, "sample_weight", sample_weight)
    medians = []
    for y, x in _outputs(owner, y_true, y_pred, weight):
        errors = np.abs(x - y)
        medians.append(float(np.median(errors) if weight is None else _weighted_median(owner, errors, weight)))
    return float(np.mean(medians))


def _outputs(owner: str, y_true: ArrayLike, y_pred: ArrayLike, weight: Array | None) -> Iterator[tuple[Array, Array]]:
    """Targets and predictions of each output."""
    y, x = as_array(owner, "y_true", y_true), as_array(owner, "y_pred", y_pred)
    for name, array in (("y_true", y), ("y_pred", x)):
        operand(owner, name, array)  # of real numbers
    if y.shape != x.shape:
        raise ValueError(f"{owner}: y_true has shape {y.shape}, must match y_pred's {x.shape}")
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(f"{owner}: y_true has shape {y.shape}, must be (n,) or (n, outputs), and not empty")
    if weight is not None and weight.shape != y.shape[:1]:
        raise ValueError(f"{owner}: sample_weight has shape {weight.shape}, must be {y.shape[:1]}")
    columns = (array.astype(np.float64).reshape(len(array), -1).T for array in (y, x))
    return zip(*columns, strict=True)


def _share_explained(
    loss: VarianceRatioLoss, owner: str, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: Any, least: int
) -> float:
    weight = None if sample_weight is None else as_array(owner, "sample_weight", sample_weight)
    scores = []
    for y, x in _outputs(owner, y_true, y_pred, weight):
        if len(y) < least:
            warnings.warn(f"{owner}: of fewer than {least} targets there is no variance", RuntimeWarning, stacklevel=3)
            return float("nan")
        unexplained = loss(y, x, sample_weight=weight)
        scores.append(0.0 if unexplained == np.inf else 1 - unexplained)
    return float(np.mean(scores))


def _weighted_median(owner: str, values: Array, weight: Array) -> float:
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ValueError(f"{owner}: sample_weight must be finite and not negative, and not all 0")
    if np.isnan(values).any():
        return float("nan")
    counts = counted(values.shape, weight=weight)
    order = np.argsort(values[counts])
    ordered, cumulated = values[counts][order], np.cumsum(weight[counts][order], dtype=np.float64)
    at = int(np.searchsorted(cumulated, cumulated[-1] / 2))
    halved = cumulated[at] - cumulated[-1] / 2 <= np.finfo(np.float64).eps
    return float((ordered[at] + ordered[min(at + 1, len(ordered) - 1)]) / 2 if halved else ordered[at])
