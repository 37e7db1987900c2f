"""Losses of a projection of the scores onto the simplex of probabilities."""

from __future__ import annotations

from fastloss._core.loss import integer, loss, number, weights
from fastloss._core.parameters import POSITIVE
from fastloss.rowwise.rows import RowLoss


@loss("multiclass_sparsemax_loss")
class MulticlassSparsemax(RowLoss):
    r"""Sparsemax loss: cross-entropy for probabilities of which most are exactly 0.

    With the sparsemax :math:`p_k = \max(0, x_k - \tau)`, whose threshold makes it sum to 1, its support :math:`S` and
    the label :math:`y`,

    .. math::

        \ell = \frac{1}{2} \sum_{k \in S} (x_k^2 - \tau^2) + \frac{1}{2} - x_y \qquad
        \frac{\partial \ell}{\partial x_k} = p_k - [\,k = y\,] \qquad
        \frac{\partial^2 \ell}{\partial x_k^2} = [\,k \in S\,] \left( 1 - \frac{1}{|S|} \right)

    times the class weight of the label.

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight for each class; not negative.
    temperature : float, default=1.0
        Divides the scores; positive.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrossEntropy : With the softmax.

    Notes
    -----
    Domain: `y_true` holds labels from 0 to C - 1, of any integer type or integral floats; `y_pred` is any real number.
    The loss is 0 from a margin of 1 on. A class whose score is exactly the threshold is outside the support.

    Numerics: with the probabilities the value is
    :math:`\frac{1}{2} (\sum_{k \ne y} p_k^2 + (1 - p_y)^2) + \max(0, \tau - x_y)`, of which no term is negative. The
    probabilities are differences from the threshold, to a unit in the last place of 1, however far apart the scores
    are. The threshold is found by Newton's steps, mostly five, at most :math:`30 + 1.5 \log_2 C`.

    References
    ----------
    .. [1] A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax: a sparse model of attention and multi-label
       classification", ICML (2016).

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.MulticlassSparsemax()
    >>> loss([0, 1], [[2.0, 0.5, 0.0], [0.5, 0.0, -3.0]], reduction="none")
    array([0.    , 0.5625])
    >>> loss.grad([1], [[0.5, 0.0, -3.0]])
    array([[ 0.75, -0.75,  0.  ]])
    """

    labelled = "sparsemax"
    scores = "scores"
    hessian_approximation = "constant"
    variants = ({"temperature": 0.5},)
    class_weight: tuple[float, ...] | None = weights(default=None)
    temperature: float = number(POSITIVE, default=1.0)
    ignore_index: int | None = integer(default=-100, optional=True)
