"""Losses of a whole distribution over the classes, of an order of them, and of one class alone."""

from __future__ import annotations

from fastloss._base import integer, loss, weights
from fastloss._parameters import ANY
from fastloss._rows import RowLoss


@loss("nll_loss")
class NegativeLogLikelihood(RowLoss):
    r"""Negative log-likelihood of labels, from the logarithms of their probabilities.

    .. math:: \ell = -c_y x_y \qquad \frac{\partial \ell}{\partial x_k} = -c_y \delta_{k y}

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrossEntropy : From logits, which is faster and more accurate than a log-softmax before this.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; logarithms of probabilities
    in `y_pred`, which are not checked. A mean divides by the sum of the weights of rows times those of their labels'
    classes, as PyTorch's does. The second derivative is 0.

    Numerics: exact up to the rounding of the result. Only the labels' scores are read: one that is NaN makes its row
    NaN, any other may be anything.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.nll_loss([1, 0], [[-0.5, -1.5], [-0.25, -2.0]], reduction="none")
    array([1.5 , 0.25])
    """

    labelled = "NEGATIVE_LOG_LIKELIHOOD"
    scores = "log_probabilities"
    newton = "surrogate"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)


@loss()
class MulticlassZeroOne(RowLoss):
    r"""Zero-one loss of classes: 1 where the largest score is not the label's; its mean is 1 - accuracy.

    .. math::

        \ell = c_y \left[\operatorname{argmax}_k x_k \ne y\right]
        \qquad \frac{\partial \ell}{\partial x_k} = 0

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative. With the reciprocals of the classes' frequencies a mean is
        1 - balanced accuracy.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    ZeroOne : Of one score for each target.
    CrossEntropy : A loss to train with.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; any real number in
    `y_pred`: logits, probabilities or any other scores. Of equal scores the first is the largest, as for
    ``numpy.argmax``. A row with a NaN is NaN. The gradient and the second derivative are 0 everywhere.

    Numerics: scores are compared as they are, without rounding.

    Examples
    --------
    >>> import fastloss as fl
    >>> labels, scores = [0, 1, 1], [[2.0, 1.0], [0.5, 0.1], [0.0, 3.0]]
    >>> accuracy = 1 - fl.multiclass_zero_one(labels, scores)
    >>> round(accuracy, 6)
    0.666667
    """

    labelled = "MULTICLASS_ZERO_ONE"
    scores = "scores"
    newton = "none"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)


@loss("brier_multi")
class MulticlassBrier(RowLoss):
    r"""Brier score of classes: the squared distance of the softmax of logits from the target.

    With the probabilities :math:`p_k = e^{x_k} / \sum_j e^{x_j}` and targets :math:`t_k`, which are 1 at the label,

    .. math::

        \ell = \sum_k (p_k - t_k)^2
        \qquad \frac{\partial \ell}{\partial x_k} = 2 p_k (p_k - t_k - B)
        \qquad B = \sum_j p_j (p_j - t_j)

    .. math::

        \frac{\partial^2 \ell}{\partial x_k^2} = 2 p_k \left((1 - p_k) (p_k - t_k - B)
            + p_k (1 - 3 p_k + t_k + B + {\textstyle\sum_j} p_j^2)\right)

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none. (Rows of distributions are left out by `mask`.)

    See Also
    --------
    BrierWithLogits : Of one probability for each target.
    CrossEntropy : The logarithmic score.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape without the class axis and holds labels from 0 to C - 1; or it has `y_pred`'s
    shape and holds the targets of each class, not negative. `y_pred` is any real number. The loss of two classes is
    twice the Brier score of one of them.

    Edge cases: logits that are all -inf, or of which one is inf, give NaN.

    Numerics: a confident right answer keeps its relative accuracy, in value and gradient.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MulticlassBrier()([0, 0], [[2.0, 2.0], [40.0, 0.0]], reduction="none")
    array([5.00000000e-01, 3.60970278e-35])
    """

    labelled = "MULTICLASS_BRIER_OF_LABELS"
    dense = "MULTICLASS_BRIER"
    scores = "logits"
    newton = "surrogate"
    ignore_index: int | None = integer(default=-100, optional=True)


@loss("listnet")
class ListNet(RowLoss):
    r"""ListNet, the softmax loss of a ranking: cross-entropy of the scores with the softmax of the relevances.

    With the probabilities :math:`p` and :math:`t` of being first, the softmax of scores and of relevances,

    .. math::

        \ell = -\sum_k t_k \log p_k
        \qquad \frac{\partial \ell}{\partial x_k} = p_k - t_k
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = p_k (1 - p_k)

    Parameters
    ----------
    axis : int, default=-1
        The axis along which the items of a list lie; any layout is read in place.

    See Also
    --------
    ListMLE : The likelihood of the whole order.
    CrossEntropy : With the distribution itself as the target.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds the relevance of each item; both are any real numbers. An item that
    is not there has relevance and score -inf. A list of relevances -inf alone is NaN.

    Numerics: both softmaxes subtract the maximum; the value is a sum of terms that are not negative.

    References
    ----------
    .. [1] Z. Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML 2007,
       doi:10.1145/1273496.1273513.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.ListNet()([[2.0, 1.0, 0.0]], [[1.0, 1.0, 0.0]]), 6)
    0.952025
    """

    dense = "LIST_NET"
    scores = "logits"
    target = ANY
    targets = "reals"


@loss("listmle")
class ListMLE(RowLoss):
    r"""ListMLE: the negative log-likelihood of the order by relevance, under the Plackett-Luce model of the scores.

    With :math:`z` the scores in the order of their relevance, the highest first, and :math:`p_{i k}` the probability of
    item k among those from place i on,

    .. math::

        \ell = \sum_i \left(\log \sum_{j \ge i} e^{z_j} - z_i\right)
        \qquad \frac{\partial \ell}{\partial z_k} = \sum_{i \le k} p_{i k} - 1
        \qquad \frac{\partial^2 \ell}{\partial z_k^2} = \sum_{i \le k} p_{i k} (1 - p_{i k})

    Parameters
    ----------
    axis : int, default=-1
        The axis along which the items of a list lie.

    See Also
    --------
    ListNet : The likelihood of the first place alone.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds the relevance of each item; both are any real numbers. Items of
    equal relevance count in the order in which they lie. An item of relevance -inf is not in the list: it has no
    derivative, and its score is not read; lists of different lengths are padded so.

    Numerics: each term is the softplus of the log-odds of all later items against one, in float64: a list in the right
    order with wide margins keeps its relative accuracy, and no exponential overflows.

    References
    ----------
    .. [1] F. Xia et al., "Listwise approach to learning to rank: theory and algorithm", ICML 2008,
       doi:10.1145/1390156.1390306.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.ListMLE()([[2.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]), 6)
    1.244592
    """

    dense = "LIST_MLE"
    scores = "scores"
    target = ANY
    targets = "reals"
