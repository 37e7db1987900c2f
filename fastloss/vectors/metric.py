"""Losses of metric learning: all pairs of a labelled batch at once."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss._core.evaluation import Floats
from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, Domain
from fastloss._core.signature import Signature
from fastloss.vectors.batches import (
    LABELLED,
    Comparison,
    Doubles,
    LabelledEvaluation,
    LabelledLoss,
    PairedLoss,
    Places,
    paired_signature,
)


@loss("nca_loss")
class NCA(LabelledLoss):
    r"""Neighbourhood components analysis: the share that an anchor's class has of its soft neighbours.

    With the squared distances of unit rows :math:`d_{ij}^2 = 2 - 2 \hat x_i^\top \hat x_j`, the probabilities
    :math:`p_{ij} \propto e^{-\gamma d_{ij}^2}` over all others and the embeddings :math:`P_i` of the anchor's class
    other than itself,

    .. math::

        \ell_i = -\log \sum_{j \in P_i} p_{ij}
        \qquad \frac{\partial \ell_i}{\partial d_{ij}^2}
        = \gamma \Big( \frac{[\,j \in P_i\,] \, p_{ij}}{\sum_{k \in P_i} p_{ik}} - p_{ij} \Big)

    Parameters
    ----------
    softmax_scale : float, default=1.0
        The scale :math:`\gamma`; positive.

    See Also
    --------
    ProxyNCA : Learned proxies of the classes in place of the batch.
    SupCon : The mean over the positives outside of the logarithm.

    Notes
    -----
    Shapes: `y_true` is (n,), `embeddings` (n, features); `references` (m, features), if given with `reference_labels`,
    takes the place of the others of the batch. Values, weights and masks are of shape (n,). An anchor without a
    positive does not count.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: a loss is the softplus of the difference of two log-sum-exps, so that one near 0 keeps its relative
    accuracy. Products of matrices are NumPy's, whose BLAS may round otherwise for another number of its threads; no
    number of threads here changes a bit. At most 16 MB of similarities are held at a time.

    References
    ----------
    .. [1] J. Goldberger, S. Roweis, G. Hinton, R. Salakhutdinov, "Neighbourhood components analysis", NIPS 2004.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.nca([0, 0, 1, 1], embeddings), 4)
    0.536
    """

    kernel = "share_of_positives"
    variants = ({"softmax_scale": 8.0},)
    softmax_scale: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 2 * self.softmax_scale


@loss("multi_similarity_loss")
class MultiSimilarity(LabelledLoss):
    r"""Multi-similarity loss: soft maxima of the positives that are far and of the negatives that are near.

    With the cosines :math:`s_{ij}`, the embeddings :math:`P_i` of the anchor's class other than itself and those
    :math:`N_i` of others,

    .. math::

        \ell_i = \frac{1}{\alpha} \log \Big( 1 + \sum_{p \in P_i} e^{-\alpha (s_{ip} - \lambda)} \Big)
        + \frac{1}{\beta} \log \Big( 1 + \sum_{n \in N_i} e^{\beta (s_{in} - \lambda)} \Big)

    .. math::

        \frac{\partial \ell_i}{\partial s_{ip}}
        = -\frac{e^{-\alpha (s_{ip} - \lambda)}}{1 + \sum_q e^{-\alpha (s_{iq} - \lambda)}}
        \qquad \frac{\partial \ell_i}{\partial s_{in}}
        = \frac{e^{\beta (s_{in} - \lambda)}}{1 + \sum_m e^{\beta (s_{im} - \lambda)}}

    Parameters
    ----------
    alpha : float, default=2.0
        The scale :math:`\alpha` of positives; positive.
    beta : float, default=50.0
        The scale :math:`\beta` of negatives; positive.
    base : float, default=0.5
        The cosine :math:`\lambda` that pairs are compared with.

    See Also
    --------
    Circle : Pairs that pull the harder the farther they are from their optimum.

    Notes
    -----
    Shapes: as for `NCA`; every anchor counts.

    This is the loss of all pairs, as pytorch-metric-learning has it; the paper's has its miner before it.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: as for `NCA`.

    References
    ----------
    .. [1] X. Wang, X. Han, W. Huang, D. Dong, M. R. Scott, "Multi-similarity loss with general pair weighting for deep
       metric learning", CVPR 2019, arXiv:1904.06627.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.multi_similarity([0, 0, 1, 1], embeddings), 4)
    0.3572
    """

    kernel = "multi_similarity"
    needs_positives = False
    variants = ({"alpha": 1.0, "beta": 10.0, "base": 0.2},)
    alpha: float = number(POSITIVE, default=2.0)
    beta: float = number(POSITIVE, default=50.0)
    base: float = number(default=0.5)


@loss("circle_loss")
class Circle(LabelledLoss):
    r"""Circle loss: the soft maximum of negatives against positives, each weighted by how far it is from its optimum.

    With the cosines :math:`s_{ij}`, the embeddings :math:`P_i` of the anchor's class other than itself and those
    :math:`N_i` of others,

    .. math::

        \ell_i = \log \Big( 1 + \sum_{n \in N_i} e^{\gamma \alpha_n (s_{in} - m)}
        \sum_{p \in P_i} e^{-\gamma \alpha_p (s_{ip} - 1 + m)} \Big)
        \qquad \alpha_n = \max(0, s_{in} + m)
        \qquad \alpha_p = \max(0, 1 + m - s_{ip})

    With :math:`\alpha` a constant the derivatives are :math:`\sigma \, w_n \gamma \alpha_n` in :math:`s_{in}` and
    :math:`-\sigma \, w_p \gamma \alpha_p` in :math:`s_{ip}`, where :math:`\sigma` is the sigmoid of the logarithm of
    both sums and :math:`w` the share of a term in its sum. Otherwise :math:`\alpha_n` becomes :math:`2 s_{in}` and
    :math:`\alpha_p` becomes :math:`2 (1 - s_{ip})` there, and 0 where the maximum is.

    Parameters
    ----------
    m : float, default=0.4
        The relaxation :math:`m`, which sets the margin.
    gamma : float, default=80.0
        The scale :math:`\gamma`; positive.
    detach : bool, default=True
        Whether :math:`\alpha` is a constant in the derivative, as in the paper.

    See Also
    --------
    MultiSimilarity : One weight for all pairs of a side.

    Notes
    -----
    Shapes: as for `NCA`. An anchor without a positive or without a negative does not count.

    pytorch-metric-learning leaves losses that are 0 out of its mean; these are none but those, as far as float32 tells
    them from 0.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: as for `NCA`.

    References
    ----------
    .. [1] Y. Sun et al., "Circle loss: A unified perspective of pair similarity optimization", CVPR 2020,
       arXiv:2002.10857.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.circle([0, 0, 1, 1], embeddings, gamma=8.0), 4)
    1.3946
    """

    needs_negatives = True
    variants = ({"m": 0.25, "gamma": 16.0}, {"gamma": 16.0, "detach": False})
    m: float = number(NON_NEGATIVE, default=0.4)
    gamma: float = number(POSITIVE, default=80.0)
    detach: bool = True

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return "circle" if self.detach else "circle_of_weights", {"m": self.m, "gamma": self.gamma}


@loss("generalized_lifted_structure_loss")
class GeneralizedLiftedStructure(LabelledLoss):
    r"""Generalized lifted structure loss: soft maxima of the farthest positive and the nearest negative of an anchor.

    With the distances of unit rows :math:`d_{ij} = \sqrt{2 - 2 \hat x_i^\top \hat x_j}`, the embeddings :math:`P_i` of
    the anchor's class other than itself and those :math:`N_i` of others,

    .. math::

        \ell_i = \max \Big( 0, \log \sum_{p \in P_i} e^{d_{ip} - m_p} + \log \sum_{n \in N_i} e^{m_n - d_{in}} \Big)

    The derivatives, where it is positive, are the share of a pair in its sum, of a negative with a minus; a sum of
    nothing counts as 1.

    Parameters
    ----------
    neg_margin : float, default=1.0
        The margin :math:`m_n` of negatives.
    pos_margin : float, default=0.0
        The margin :math:`m_p` of positives.

    See Also
    --------
    LiftedStructure : The loss of each positive pair, with the negatives of both.

    Notes
    -----
    Shapes: as for `NCA`; every anchor counts.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.
    The derivative in a distance of 0 is taken as 0 in the rows.

    Numerics: a distance is found from a cosine, and is off by up to :math:`\varepsilon / d`, where :math:`\varepsilon`
    is the rounding of the cosine.

    References
    ----------
    .. [1] A. Hermans, L. Beyer, B. Leibe, "In defense of the triplet loss for person re-identification",
       arXiv:1703.07737 (2017).

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.generalized_lifted_structure([0, 0, 1, 1], embeddings), 4)
    1.1356
    """

    kernel = "generalized_lifted"
    needs_positives = False
    variants = ({"neg_margin": 0.5, "pos_margin": 0.25},)
    neg_margin: float = number(default=1.0)
    pos_margin: float = number(default=0.0)


class LiftedEvaluation(LabelledEvaluation):
    """Pairs that know the negatives of both: a batch against itself, twice."""

    __slots__ = ()

    def _compared(
        self, comparison: Comparison, weights: Doubles, gradient: bool
    ) -> tuple[Doubles, Floats | None, Floats | None]:
        return *comparison.of_pairs(weights, gradient), None


OF_ITSELF = Signature(LABELLED.targets[:1], LABELLED.predictions[:1], additive=False)


@loss("lifted_structure_loss")
class LiftedStructure(LabelledLoss):
    r"""Lifted structure loss: each positive pair against the negatives of both of its embeddings.

    With the distances of unit rows :math:`d_{ij} = \sqrt{2 - 2 \hat x_i^\top \hat x_j}`, the embeddings :math:`P_i` of
    the anchor's class other than itself and those :math:`N_i` of others,

    .. math::

        \ell_i = \sum_{p \in P_i} \tfrac12 \max(0, J_{ip})^2
        \qquad J_{ip} = \log \Big( \sum_{n \in N_i} e^{m_n - d_{in}} + \sum_{n \in N_p} e^{m_n - d_{pn}} \Big)
        + d_{ip} - m_p

    The derivative of a pair's loss is :math:`\max(0, J_{ip})` in :math:`d_{ip}`, and minus that times the share of
    :math:`e^{m_n - d}` in the logarithm's sum in the distance of a negative.

    Parameters
    ----------
    neg_margin : float, default=1.0
        The margin :math:`m_n` of negatives.
    pos_margin : float, default=0.0
        The margin :math:`m_p` of positives.

    See Also
    --------
    GeneralizedLiftedStructure : The loss of each anchor, in one pass.

    Notes
    -----
    Shapes: `y_true` is (n,), `embeddings` (n, features); values, weights and masks are of shape (n,). An anchor counts
    as often as it has positives, so that the mean is over pairs, and not at all where it has no positive or no
    negative.

    Similarities are made twice, for what a pair needs of both of its embeddings.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.
    The derivative in a distance of 0 is taken as 0 in the rows.

    Numerics: as for `GeneralizedLiftedStructure`.

    References
    ----------
    .. [1] H. O. Song, Y. Xiang, S. Jegelka, S. Savarese, "Deep metric learning via lifted structured feature
       embedding", CVPR 2016, arXiv:1511.06452.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.lifted_structure([0, 0, 1, 1], embeddings), 4)
    1.7462
    """

    signature = OF_ITSELF
    kernel = "lifted_structure"
    needs_negatives = True
    by_pairs = True
    _evaluation = LiftedEvaluation
    variants = ({"neg_margin": 0.5, "pos_margin": 0.25},)
    neg_margin: float = number(default=1.0)
    pos_margin: float = number(default=0.0)


# Angular ----------------------------------------------------------------------------------------------


class AngularEvaluation(LabelledEvaluation):
    """Sums of positive pairs, compared with the batch."""

    __slots__ = ()

    _loss: Angular

    def _compared(
        self, comparison: Comparison, weights: Doubles, gradient: bool
    ) -> tuple[Doubles, Floats | None, Floats | None]:
        left, right = comparison.sides
        codes, of_columns = comparison.codes
        anchors, positives = _pairs(codes, of_columns, weights, comparison.of_itself)
        together = left.made_of(left.values[anchors] + right.values[positives])
        square = math.tan(math.radians(self._loss.alpha)) ** 2
        pull = 2 * (1 + square)
        products = np.einsum("ij,ij->i", left.values[anchors], right.values[positives], dtype=np.float64)
        of_pairs = self._comparison(
            together, right, row_codes=codes[anchors], column_codes=of_columns, own=np.full(len(anchors), -1),
            paired=True, given=pull * products, factor=comparison.factor,
        )  # fmt: skip
        if not gradient:
            found, _ = of_pairs.losses(weights[anchors])
            return _added(found, anchors, len(left)), None, None
        found, slopes, of_sums, of_right = of_pairs.losses_and_gradients(weights[anchors])
        slopes *= pull / of_pairs.scale
        of_left = np.zeros_like(left.values)
        pulled = slopes[:, np.newaxis].astype(left.dtype)
        _add(of_left, anchors, of_sums + pulled * right.values[positives])
        _add(of_left if comparison.of_itself else of_right, positives, of_sums + pulled * left.values[anchors])
        losses = _added(found, anchors, len(left))
        if comparison.of_itself:
            of_left += of_right
            return losses, of_left, None
        return losses, of_left, of_right


def _pairs(codes: NDArray[Any], of_columns: NDArray[Any], weights: Doubles, of_itself: bool) -> tuple[Places, Places]:
    """The anchors that count and their positives, anchor by anchor, in the order of their places."""
    order = np.argsort(of_columns, kind="stable")
    sorted_codes = of_columns[order]
    anchors = np.flatnonzero(weights)
    first, last = (np.searchsorted(sorted_codes, codes[anchors], side) for side in ("left", "right"))
    counts = last - first
    every = np.repeat(anchors, counts)
    before = np.repeat(np.cumsum(counts) - counts - first, counts)
    positives = order[np.arange(len(every)) - before]
    keep = every != positives if of_itself else slice(None)
    return every[keep], positives[keep]


def _added(losses: Doubles, places: Places, size: int) -> Doubles:
    """The sum of the losses of each place."""
    found: Doubles = np.bincount(places, losses, size).astype(np.float64)
    return found


def _add(into: Floats, places: Places, rows: Floats) -> None:
    """Add rows to those of their places, which may be the same, in the order of the rows."""
    if not len(places):
        return
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    into[ordered[starts]] += np.add.reduceat(rows[order], starts, axis=0)


@loss("angular_loss")
class Angular(LabelledLoss):
    r"""Angular loss: the angle at a negative of the triangle that it makes with a positive pair.

    With unit rows, the embeddings :math:`P_i` of the anchor's class other than itself, those :math:`N_i` of others and
    :math:`t = \tan^2 \alpha`,

    .. math::

        \ell_i = \sum_{p \in P_i} \log \Big( 1 + \sum_{n \in N_i} e^{f_{ipn}} \Big)
        \qquad f_{ipn} = 4 t (\hat x_i + \hat x_p)^\top \hat x_n - 2 (1 + t) \hat x_i^\top \hat x_p

    The derivative of a pair's loss in :math:`f_{ipn}` is :math:`e^{f_{ipn}} / (1 + \sum_m e^{f_{ipm}})`.

    Parameters
    ----------
    alpha : float, default=40.0
        The angle :math:`\alpha` in degrees, between 0 and 90.

    See Also
    --------
    NTXent : The cosine in place of the angle.

    Notes
    -----
    Shapes: as for `NTXent`, and likewise an anchor counts as often as it has positives. Beyond a block of similarities
    memory is needed for a row of features of each positive pair.

    pytorch-metric-learning takes the negatives as they are, without dividing them by their norms; of unit rows its
    number is this.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: as for `NTXent`.

    References
    ----------
    .. [1] J. Wang, F. Zhou, S. Wen, X. Liu, Y. Lin, "Deep metric learning with angular loss", ICCV 2017,
       arXiv:1708.01682.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.angular([0, 0, 1, 1], embeddings), 4)
    0.513
    """

    kernel = "share_of_positives"
    needs_negatives = True
    by_pairs = True
    _evaluation = AngularEvaluation
    variants = ({"alpha": 30.0},)
    alpha: float = number(Domain(0, 90, low_open=True, high_open=True), default=40.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 4 * math.tan(math.radians(self.alpha)) ** 2


# N-pairs ----------------------------------------------------------------------------------------------


class AnchorGrads(NamedTuple):
    """The gradient in each array."""

    anchors: Floats
    positives: Floats


@loss("n_pairs_loss", name="n_pairs")
class NPairs(PairedLoss):
    r"""Multi-class N-pairs loss: the softmax of an anchor's positive among those of the other classes.

    With the products :math:`s_{ij} = x_i^\top y_j` of anchors and positives, one pair of each class,

    .. math::

        \ell_i = \log \Big( 1 + \sum_{j \ne i} e^{s_{ij} - s_{ii}} \Big)
        \qquad \frac{\partial \ell_i}{\partial s_{ij}} = p_{ij} - \delta_{ij}

    where :math:`p_{ij}` is the softmax of the row.

    Parameters
    ----------
    normalize : bool, default=True
        Whether rows are divided by their norms, as pytorch-metric-learning does; the paper does not, and adds a penalty
        on their squares.

    See Also
    --------
    InfoNCE : With a temperature.

    Notes
    -----
    Shapes: `anchors` and `positives` are (n, features), values, weights and masks (n,).

    Domain: anchors and positives are any real numbers. A row of zeros has similarity 0 to all, and with `normalize`
    gradient 0.

    Numerics: as for `InfoNCE`.

    References
    ----------
    .. [1] K. Sohn, "Improved deep metric learning with multi-class N-pair loss objective", NIPS 2016.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.n_pairs([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]], normalize=False), 4)
    0.3133
    """

    signature = paired_signature(
        "anchors", "positives", "A row for each class.", "The positive of each anchor, in the row of its index."
    )
    gradients = AnchorGrads
    kernel = "share_of_positives"
    square = True
    variants = ({"normalize": False},)
    normalize: bool = True

    @property
    def unit(self) -> bool:  # type: ignore[override]
        return self.normalize

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}
