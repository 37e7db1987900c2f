"""Losses of rows of classes of which any number may be true."""

from __future__ import annotations

import numpy as np

from fastloss._core.evaluation import ABSENT, Operand
from fastloss._core.loss import loss, weights
from fastloss.rowwise.rows import RowEvaluation, RowLoss


@loss("multilabel_soft_margin_loss")
class MultilabelSoftMargin(RowLoss):
    r"""Multi-label soft margin loss: the mean over classes of binary cross-entropy.

    With :math:`s_k = 1` where :math:`y_k = 1` and -1 where it is 0, and :math:`\sigma_k = 1 / (1 + e^{s_k x_k})`,

    .. math::

        \ell = \frac{1}{C} \sum_k c_k \log(1 + e^{-s_k x_k})
        \qquad \frac{\partial \ell}{\partial x_k} = -\frac{1}{C} c_k s_k \sigma_k
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = \frac{1}{C} c_k \sigma_k (1 - \sigma_k)

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.

    See Also
    --------
    BinaryCrossEntropyWithLogits : Of each class on its own; its targets may be anywhere in [0, 1].
    AsymmetricLoss : With less weight on the many negatives.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds 0 or 1 for each class (what is positive counts as 1); `y_pred` is
    any real number. The class weights are not part of the denominator of a mean, as in PyTorch.

    Numerics: no term is negative, so that nothing cancels; each is accurate to the last bits however small.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MultilabelSoftMargin()([[1, 0, 1]], [[2.0, -1.0, 0.0]])
    0.377778...
    """

    dense = "multilabel_soft_margin"
    scores = "logits"
    targets = "labels"
    class_weight: tuple[float, ...] | None = weights(default=None)


class _PairEvaluation(RowEvaluation):
    """A call of a loss that may read a class when the derivative of another is written."""

    __slots__ = ()

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        outputs = [result.array for result in (*grads, hess) if result.given]
        self._y, self._x = (
            array.copy(order="K") if any(np.may_share_memory(array, output) for output in outputs) else array
            for array in (self._y, self._x)
        )
        return super()._run(operation, scale, value, grads, hess, check)


@loss()
class MultilabelMargin(RowLoss):
    r"""Multi-label margin loss: what each false class lacks to a margin of 1 below each true one.

    With the true classes :math:`Y` and the pairs :math:`z_{ji} = \max(0, 1 - x_j + x_i)`,

    .. math::

        \ell = \frac{1}{C} \sum_{j \in Y} \sum_{i \notin Y} z_{ji} \qquad
        \frac{\partial \ell}{\partial x_i} = \frac{1}{C} \sum_{j \in Y} [\,z_{ji} > 0\,] \qquad
        \frac{\partial \ell}{\partial x_j} = -\frac{1}{C} \sum_{i \notin Y} [\,z_{ji} > 0\,] \qquad
        \frac{\partial^2 \ell}{\partial x_k^2} = 0

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.

    See Also
    --------
    MultiMargin : Of one true class.
    MultilabelSoftMargin : A smooth loss without pairs.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds 0 or 1 for each class (what is positive counts as 1), where PyTorch
    has the indices of the true classes, ended by -1; `y_pred` is any real number. A pair exactly at the margin has
    derivative 0. A row whose classes are all true or all false costs nothing; one with a NaN is NaN.

    The time grows as the number of true classes times that of all classes. Where an output is the memory of `y_true`
    or `y_pred`, these are copied first.

    Numerics: no term is negative, so that nothing cancels.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MultilabelMargin()([[1, 0, 0, 1]], [[0.1, 0.2, 0.4, 0.8]])
    0.85...
    """

    dense = "multilabel_margin"
    scores = "scores"
    targets = "labels"
    _evaluation = _PairEvaluation
    hessian_approximation = "constant"
