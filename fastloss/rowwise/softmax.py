"""Losses of the softmax of logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._base import choice, integer, loss, number, weights
from fastloss._call import GRAD, VALUE, Floats, NanPolicy
from fastloss._parameters import NON_NEGATIVE, POSITIVE, Domain
from fastloss._rows import RowCall, RowLoss

SMOOTHING = Domain(low=0, high=1)


class Rows(NamedTuple):
    """What one pass over logits tells of each row; `grad` is None unless it is asked for."""

    value: Floats
    lse: Floats
    argmax: NDArray[np.int64]
    correct: NDArray[np.bool_]
    grad: Floats | None


@loss("softmax_cross_entropy", "sparse_categorical_crossentropy", "categorical_crossentropy")
class CrossEntropy(RowLoss):
    r"""Cross-entropy of the softmax of logits.

    With the logits :math:`z = x / T`, or :math:`z = s \tanh(x / s) / T` under a softcap, their log-sum-exp
    :math:`\Lambda = \log \sum_k e^{z_k}`, the probabilities :math:`p_k = e^{z_k - \Lambda}`, and the smoothed target
    of each class :math:`t_k = (1 - \epsilon) y_k + \epsilon / C`, where :math:`y` is a distribution or 1 at the label,

    .. math::

        \ell = \sum_k c_k t_k (\Lambda - z_k) + \zeta \Lambda^2
        \qquad \frac{\partial \ell}{\partial z_k} = (S + 2 \zeta \Lambda) p_k - c_k t_k
        \qquad \frac{\partial^2 \ell}{\partial z_k^2} = S p_k (1 - p_k)
            + 2 \zeta (p_k^2 + \Lambda p_k (1 - p_k))

    with the class weights :math:`c` and :math:`S = \sum_k c_k t_k`; the chain rule takes them to :math:`x`.

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none. (Rows of distributions are left out by `mask`.)
    label_smoothing : float, default=0.0
        The share :math:`\epsilon` of the target that is spread evenly, in [0, 1].
    temperature : float, default=1.0
        Divides the logits; positive.
    softcap : float, default=0.0
        Bounds the logits smoothly to (-s, s); 0 does not.
    z_loss : float, default=0.0
        The weight :math:`\zeta` of the squared log-sum-exp; not negative.
    hessian : {"exact", "upper_bound", "lightgbm"}
        The curvature in :math:`z`: as above; twice that, the bound of XGBoost; or C / (C - 1) times that, as LightGBM
        has it.

    See Also
    --------
    BinaryCrossEntropy : The same of one logit for each target.
    token_logprobs : Scores of the tokens of a language model.
    linear_cross_entropy : Cross-entropy of a linear layer whose logits are never held.
    ShardState : Cross-entropy of rows whose classes are in several places.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape without the class axis and holds labels from 0 to C - 1, of any integer type
    or integral floats; or it has `y_pred`'s shape and holds the targets of each class, not negative, which need not
    sum to 1. `y_pred` is any real number.

    A mean divides by the sum of the sample weights times the class weight of each row: that of its label, or
    :math:`\sum_k c_k y_k`. With labels this is PyTorch's mean; with distributions PyTorch divides by the number of
    rows, as ``reduction="batch_mean"`` does.

    Edge cases: a logit of -inf has probability 0; its loss is infinite if it is the target's. A row of -inf alone,
    and one where a logit other than the label's is +inf, is NaN. A class of target 0 contributes 0 whatever its logit.
    A label that is no class raises IndexError, and its row is named.

    Numerics: with a label the loss is a function of the log-odds of all other classes against it, so that a confident
    right answer keeps its relative accuracy, in value and gradient, where ``log(softmax)`` gives 0 from a margin of
    17 (float32) or 37 (float64) on. Sums run in float64; exponentials of float32 logits in float32.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 100.0, 0.0]])
    >>> fl.CrossEntropy()([0, 1], logits, reduction="none")
    array([2.39544766e-01, 7.44015195e-44])
    """

    labelled = "CROSS_ENTROPY"
    dense = "DENSE_CROSS_ENTROPY"
    variants = (
        {"label_smoothing": 0.1},
        {"temperature": 2.0, "z_loss": 0.01},
        {"softcap": 3.0, "hessian": "upper_bound"},
        {"label_smoothing": 0.2, "temperature": 0.5, "softcap": 5.0, "z_loss": 0.1, "hessian": "lightgbm"},
    )
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)
    label_smoothing: float = number(SMOOTHING, default=0.0)
    temperature: float = number(POSITIVE, default=1.0)
    softcap: float = number(NON_NEGATIVE, default=0.0)
    z_loss: float = number(NON_NEGATIVE, default=0.0)
    hessian: str = choice("exact", "upper_bound", "lightgbm", default="exact")

    def _kernels(self) -> tuple[str | None, str | None]:
        return "SMOOTHED_CROSS_ENTROPY" if self.label_smoothing else "CROSS_ENTROPY", "DENSE_CROSS_ENTROPY"

    def _constants(self, classes: int) -> tuple[float, ...]:
        curve = {"exact": 1.0, "upper_bound": 2.0, "lightgbm": classes / max(1, classes - 1)}[self.hessian]
        return (1 - self.label_smoothing, self.z_loss, curve)

    def rows(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: NanPolicy = "propagate",
        grad: bool = False,
        grad_out: Floats | None = None,
        num_threads: int | None = None,
    ) -> Rows:
        """Compute the loss of each row and what else the same pass over the logits tells.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, nan_policy, num_threads
            As for calling the loss.
        grad : bool, default=False
            Also compute the gradient, as ``value_and_grad(reduction="none")`` does.
        grad_out : ndarray, optional
            Where to write the gradient, which is then computed; may be `y_pred` itself.

        Returns
        -------
        value : ndarray
            The weighted losses, as of ``reduction="none"``; this and the following are of one number for each row.
        lse : ndarray
            The log-sum-exp of the logits as the loss takes them, under its temperature and softcap; of the type of
            `value`. As `argmax`, it is there for every row, whether the row counts or not.
        argmax : ndarray of int64
            The class of the largest logit, the first of several. NaN is passed over.
        correct : ndarray of bool
            Whether `argmax` is the label, or the first class of the largest target; False for an ignored label.
        grad : ndarray or None
            The gradient.

        Examples
        --------
        >>> import fastloss as fl
        >>> rows = fl.CrossEntropy().rows([0, 1, -100], [[3.0, 1.0], [0.5, 0.0], [0.0, 9.0]])
        >>> rows.argmax, rows.correct
        (array([0, 0, 1]), array([ True, False, False]))
        >>> rows.lse.round(3)
        array([3.127, 0.974, 9.   ])
        """
        call = RowCall(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        (lse,) = call.ask("lse", dtype=call.dtype)
        (argmax,) = call.ask("argmax")
        operation = VALUE | GRAD if grad or grad_out is not None else VALUE
        value, gradient, _ = call.reduced(operation, "none", grad_out=grad_out)
        return Rows(value, lse, argmax.astype(np.int64), argmax == call.labels(), gradient)
