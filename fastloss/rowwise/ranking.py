"""Losses of an order of the classes, or of items in their place."""

from __future__ import annotations

from fastloss._core.loss import loss
from fastloss._core.parameters import ANY
from fastloss.rowwise.rows import RowLoss


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

    dense = "list_net"
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

    dense = "list_mle"
    scores = "scores"
    target = ANY
    targets = "reals"
