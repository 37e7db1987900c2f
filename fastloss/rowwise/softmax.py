"""Losses of the softmax of logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss._base import choice, integer, loss, number, weights
from fastloss._call import Floats
from fastloss._parameters import NON_NEGATIVE, POSITIVE, Domain
from fastloss._rows import RowLoss

SMOOTHING = Domain(low=0, high=1)


class Rows(NamedTuple):
    """What one pass over logits tells of each row."""

    value: Floats
    lse: Floats
    argmax: NDArray[np.int64]
    correct: NDArray[np.bool_]


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
        The curvature: as above; twice that, the bound of XGBoost; or C / (C - 1) times that, as LightGBM has it.

    See Also
    --------
    BinaryCrossEntropy : The same of one logit for each target.

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
    array([2.39544... , 7.44015196e-44])
    """

    labelled = "CROSS_ENTROPY"
    dense = "DENSE_CROSS_ENTROPY"
    variants = (
        {"label_smoothing": 0.1},
        {"temperature": 2.0, "z_loss": 0.01},
        {"softcap": 3.0, "hessian": "upper_bound"},
        {"label_smoothing": 0.2, "temperature": 0.5, "softcap": 5.0, "z_loss": 0.1, "hessian": "lightgbm"},
    )
    class_weight: tuple[float, ...] | None = weights()
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
