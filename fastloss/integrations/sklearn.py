"""What scikit-learn's users take: linear models of any loss, scorers of every loss, the log loss of each example."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastloss as fl
from fastloss import Loss
from fastloss._core.evaluation import Array, Floats
from fastloss._core.loss import require_loss
from fastloss._core.parameters import UNIT

if TYPE_CHECKING:
    from fastloss.integrations._estimators import LossClassifier as LossClassifier
    from fastloss.integrations._estimators import LossRegressor as LossRegressor

ResponseMethod: TypeAlias = Literal["predict", "predict_proba", "decision_function"]

__all__ = ["LossClassifier", "LossRegressor", "per_example_log_loss", "scorer"]


def __getattr__(name: str) -> Any:
    """The estimators, whose base classes are scikit-learn's: it is imported with the first of them."""
    if name in ("LossClassifier", "LossRegressor"):
        from fastloss.integrations import _estimators

        return getattr(_estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# Scorers --------------------------------------------------------------------------------------------


def scorer(loss: Loss, *, response_method: ResponseMethod | None = None, pos_label: Any = None) -> Any:
    """Make a scorer: minus the mean of a loss over what an estimator predicts.

    Parameters
    ----------
    loss : Loss
        Any loss. One of the logarithm of a mean, `PoissonNLL`, `GammaNLL` or `Tweedie`, is taken of the mean itself,
        which is what estimators predict.
    response_method : {"predict", "predict_proba", "decision_function"}, optional
        What to ask the estimator for. By default the loss's domain decides: probabilities for a loss of those, the
        decision function for one of a label and a score, predictions otherwise.
    pos_label : int, float, bool or str, optional
        The label of the positive class, for binary targets with labels outside of the loss's domain.

    Returns
    -------
    callable
        Of an estimator, X and y, and `sample_weight` if wanted: what ``sklearn.metrics.make_scorer`` returns, for
        ``cross_val_score``, ``GridSearchCV`` and metadata routing. Greater is better.

    See Also
    --------
    per_example_log_loss : The loss of each example.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.sklearn import scorer
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = load_diabetes(return_X_y=True)
    >>> cross_val_score(Ridge(), X, y, scoring=scorer(fl.Huber(delta=50)), cv=3).round()
    array([-1448., -1549., -1364.])
    """
    from sklearn.metrics import make_scorer

    require_loss("scorer", loss)
    loss = _of_the_mean(loss)
    target, prediction, _ = loss.domains()
    if response_method is None:
        if prediction == UNIT:
            response_method = "predict_proba"
        elif loss.signature.rowwise or (target.bounded and not loss.signature.pair):
            response_method = "decision_function"
        else:
            response_method = "predict"
    labels = {} if pos_label is None else {"pos_label": pos_label}
    return make_scorer(MeanLoss(loss), response_method=response_method, greater_is_better=False, **labels)


@dataclass(frozen=True)
class MeanLoss:
    """The mean of a loss as a metric of scikit-learn's."""

    loss: Loss

    @property
    def __name__(self) -> str:  # scorers show it
        return self.loss.function_name

    def __call__(
        self, y_true: ArrayLike, y_pred: Array, *, sample_weight: ArrayLike | None = None, pos_label: Any = None
    ) -> float:
        y = np.asarray(y_true)
        if pos_label is not None:
            y = y == pos_label
        if y_pred.ndim == 1 and self.loss.signature.rowwise:
            y_pred = np.column_stack((np.zeros_like(y_pred), y_pred))  # the one logit of two classes
        return self.loss(y, y_pred, sample_weight=sample_weight)


def _of_the_mean(loss: Loss) -> Loss:
    """The loss with an identity link for one with a logarithmic one."""
    match loss:
        case fl.PoissonNLL(log_input=True):
            return fl.PoissonNLL(log_input=False, full=loss.full, eps=0.0)
        case fl.GammaNLL():
            return fl.Tweedie(power=2.0, link="identity")
        case fl.Tweedie():
            return fl.Tweedie(power=loss.power, link="identity")
    return loss


# The logarithmic loss -------------------------------------------------------------------------------


def per_example_log_loss(y_true: ArrayLike, y_prob: ArrayLike, *, labels: ArrayLike | None = None) -> Floats:
    r"""Compute the logarithmic loss of each example, minus the logarithm of the probability of its class.

    .. math:: \ell_i = -\log p_{i, y_i}

    Parameters
    ----------
    y_true : array_like
        Labels of any type that sorts: numbers, strings, booleans.
    y_prob : array_like
        Probabilities, of shape (n, classes) with a column for each class in sorted order, as of ``predict_proba``; or
        (n,), of the second of two classes.
    labels : array_like, optional
        The classes, where `y_true` does not hold all of them; in any order.

    Returns
    -------
    ndarray
        Of shape (n,); float32 for probabilities of 32 bits or fewer, else float64. Its mean, or its average with
        weights, is ``sklearn.metrics.log_loss``.

    See Also
    --------
    fastloss.BinaryCrossEntropy : With gradients, for two classes.
    scorer : Any loss for model selection.

    Notes
    -----
    As in scikit-learn, probabilities are clipped to [eps, 1 - eps] with the machine precision eps of their type, and
    rows that do not sum to 1 are warned of. Nothing of the size of `y_prob` is made: the probability of each row's
    class is gathered.

    Examples
    --------
    >>> from fastloss.integrations.sklearn import per_example_log_loss
    >>> per_example_log_loss(["spam", "ham", "ham"], [[0.1, 0.9], [0.9, 0.1], [0.2, 0.8]]).round(6)
    array([0.105361, 0.105361, 1.609438])
    """
    owner = "per_example_log_loss"
    y, p = np.asarray(y_true), np.asarray(y_prob)
    if p.dtype.kind != "f":
        p = p.astype(np.float64)
    if y.ndim != 1 or p.ndim not in (1, 2) or len(p) != len(y):
        shapes = f"y_true has shape {y.shape} and y_prob {p.shape}"
        raise ValueError(f"{owner}: {shapes}, must be (n,) and (n, classes), or both (n,)")
    classes, index = _encoded(owner, y, labels)
    columns = 2 if p.ndim == 1 else p.shape[1]
    if len(classes) != columns:
        where = "y_true" if labels is None else "labels"
        raise ValueError(
            f"{owner}: {where} has {len(classes)} classes, must have one for each of y_prob's {columns}"
            + ("; labels= tells those that are missing" if labels is None else "")
        )
    eps = np.finfo(p.dtype).eps
    ones, normalized = np.ones(columns, p.dtype), True
    chosen = np.empty(len(y), p.dtype)
    for start in range(0, len(y), ROWS):
        some = slice(start, start + ROWS)
        block = p[some]
        if not (block.min() >= 0 and block.max() <= 1):
            at = np.argwhere(~((block >= 0) & (block <= 1)))[0]
            where = ", ".join(str(i) for i in (start + at[0], *at[1:]))
            raise ValueError(f"{owner}: y_prob[{where}] is {block[tuple(at)]}, must be in [0, 1]")
        if p.ndim == 1:
            chosen[some] = np.where(index[some] == 1, block, 1 - block)
        else:
            normalized &= bool(np.abs(block @ ones - 1).max() <= math.sqrt(eps))
            chosen[some] = _gathered(block, index[some])
    if not normalized:
        warnings.warn(f"{owner}: rows of y_prob do not sum to 1, must be probabilities", UserWarning, stacklevel=2)
    np.clip(chosen, eps, 1 - eps, out=chosen)
    np.log(chosen, out=chosen)
    return np.negative(chosen, out=chosen)


ROWS = 1 << 13  # a block of probabilities that stays in cache while it is checked, summed and gathered from


def _encoded(owner: str, y: Array, labels: ArrayLike | None) -> tuple[Array, NDArray[np.intp]]:
    """The classes in sorted order, and the position of each label among them."""
    classes = None if labels is None else np.unique(np.asarray(labels))
    if y.size and y.dtype.kind in "iub" and np.can_cast(y.dtype, np.intp):
        low, high = int(y.min()), int(y.max())
        if high - low < max(len(y), 1 << 16) and (classes is None or classes.dtype.kind in "iub"):
            return _tabulated(owner, y, low, high, classes)
    if classes is None:
        return np.unique(y, return_inverse=True)
    index = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    _refuse_unknown(owner, y, classes[index] != y)
    return classes, index


def _tabulated(owner: str, y: Array, low: int, high: int, classes: Array | None) -> tuple[Array, NDArray[np.intp]]:
    """The same for integers that lie close together: a table is faster than sorting."""
    offset = np.subtract(y, low, dtype=np.intp)
    if classes is None:
        classes = np.flatnonzero(np.bincount(offset)) + low
    position = np.full(high - low + 1, -1, np.intp)
    present = (classes >= low) & (classes <= high)
    position[classes[present] - low] = np.flatnonzero(present)
    index = position.take(offset, out=offset)
    if index.min() < 0:
        _refuse_unknown(owner, y, index < 0)
    return classes, index


def _refuse_unknown(owner: str, y: Array, unknown: NDArray[np.bool_]) -> None:
    if unknown.any():
        row = int(unknown.argmax())
        raise ValueError(f"{owner}: y_true[{row}] is {y[row]!r}, must be one of labels")


def _gathered(p: Array, index: NDArray[np.intp]) -> Array:
    """The element of each row at an index; where rows follow each other one flat index is faster than two."""
    rows, columns = p.shape
    if not p.flags.c_contiguous:
        return np.asarray(p[np.arange(rows), index])
    flat = np.arange(0, rows * columns, columns)
    flat += index
    return p.reshape(-1).take(flat)
