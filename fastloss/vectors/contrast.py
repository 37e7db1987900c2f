"""Contrastive losses: a row's own candidate, or those of its class, among all others of a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss._core.evaluation import Floats, Operand
from fastloss._core.loss import loss, number
from fastloss._core.operands import readable
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE
from fastloss._core.signature import Argument
from fastloss.vectors.batches import (
    Doubles,
    LabelledLoss,
    PairedEvaluation,
    PairedLoss,
    coded,
    paired_signature,
)

QUERIES = paired_signature(
    "queries",
    "keys",
    "A row for each query.",
    "The key of each query, in the row of its index; further rows are keys of none.",
)


class QueryGrads(NamedTuple):
    """The gradient in each array, and the derivative in the temperature."""

    queries: Floats
    keys: Floats
    temperature: float


class InfoNCEEvaluation(PairedEvaluation):
    """Queries among keys, and keys among queries."""

    __slots__ = ()

    _loss: InfoNCE

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        if not self._loss.symmetric:
            return super()._compute(weights, factor, grads)
        left, right = self._rows("queries"), self._rows("keys")
        own = np.arange(len(left))
        comparison = self._comparison(left, right, row_codes=own, column_codes=own, own=own, paired=True, factor=factor)
        found, of_left, of_right = comparison.of_both_directions(weights, bool(grads))
        if of_left is not None and of_right is not None:
            along = left.finish(of_left, grads[0])
            right.finish(of_right, grads[1])
            self._of_parameters = self._loss._of_parameters(float(along.sum()), 0.0)
        return found


@loss("info_nce_loss")
class InfoNCE(PairedLoss):
    r"""InfoNCE: the cross-entropy of a query's own key among all keys, one way or both ways as CLIP has it.

    With the scores :math:`s_{ij} = \hat q_i^\top \hat k_j / \tau` of rows divided by their norms,

    .. math::

        \ell_i = \log \sum_j e^{s_{ij}} - s_{ii}
        \qquad \frac{\partial \ell_i}{\partial s_{ij}} = p_{ij} - \delta_{ij}
        \qquad p_{ij} = \frac{e^{s_{ij}}}{\sum_k e^{s_{ik}}}

    and symmetric the mean of that and of :math:`\log \sum_j e^{s_{ji}} - s_{ii}`. Of the gradient in a unit row what
    lies along the row is taken out, and the rest divided by its norm; the derivative in the temperature is
    :math:`-\frac{1}{\tau} \sum_{ij} \frac{\partial L}{\partial s_{ij}} s_{ij}`.

    Parameters
    ----------
    temperature : float, default=0.07
        The temperature :math:`\tau`; positive. A gradient has its derivative as the field `temperature`. Where the
        logarithm of a scale is learned, :math:`\tau = e^{-t}`, the derivative in t is :math:`-\tau` times that.
    symmetric : bool, default=False
        Whether keys look for their queries too: there are then as many keys as queries.
    normalize : bool, default=True
        Whether rows are divided by their norms.

    See Also
    --------
    NTXent : Several positives, and a batch against itself.
    SigmoidPairwise : Each pair for itself.
    InBatchSoftmax : Items that are drawn by popularity, or more than once.

    Notes
    -----
    Shapes: `queries` is (n, features), `keys` (m, features) with m at least n, or n if symmetric. Values, weights and
    masks are of shape (n,); a query that does not count still has its key among those of the others.

    Domain: queries and keys are any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: a loss is the softplus of a difference from the sum over the other keys, so that a confident right answer
    keeps its relative accuracy. Products of matrices are NumPy's, whose BLAS may round otherwise for another number of
    its threads; no number of threads here changes a bit. At most 16 MB of similarities are held at a time.

    References
    ----------
    .. [1] A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive coding",
       arXiv:1807.03748 (2018).
    .. [2] A. Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021,
       arXiv:2103.00020.

    Examples
    --------
    >>> import fastloss as fl
    >>> images, texts = [[3.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [1.0, 1.0]]
    >>> value, grad = fl.InfoNCE(temperature=0.5, symmetric=True).value_and_grad(images, texts)
    >>> round(value, 4), round(grad.temperature, 4)
    (0.3701, 0.3622)
    """

    signature = QUERIES
    gradients = QueryGrads
    kernel = "share_of_positives"
    _evaluation = InfoNCEEvaluation
    variants = ({"temperature": 0.5}, {"symmetric": True}, {"normalize": False, "temperature": 2.0})
    temperature: float = number(POSITIVE, default=0.07)
    symmetric: bool = False
    normalize: bool = True

    @property
    def square(self) -> bool:  # type: ignore[override]
        return self.symmetric

    @property
    def unit(self) -> bool:  # type: ignore[override]
        return self.normalize

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 1 / self.temperature

    def _of_parameters(self, along: float, slope: float) -> tuple[float, ...]:
        return (-along / self.temperature,)


class SigmoidGrads(NamedTuple):
    """The gradient in each array, and the derivatives in temperature and bias."""

    queries: Floats
    keys: Floats
    temperature: float
    bias: float


@loss("siglip", "siglip_loss")
class SigmoidPairwise(PairedLoss):
    r"""Sigmoid loss of pairs, SigLIP: each pair of a query and a key is classified for itself.

    With the logits :math:`z_{ij} = \hat q_i^\top \hat k_j / \tau + b` and :math:`y_{ij} = 1` for a query and its own
    key, else -1,

    .. math::

        \ell_i = \sum_j \log(1 + e^{-y_{ij} z_{ij}})
        \qquad \frac{\partial \ell_i}{\partial z_{ij}} = -y_{ij} \, \sigma(-y_{ij} z_{ij})

    whose sums with the factors 1 and :math:`-\hat q_i^\top \hat k_j / \tau^2` are the derivatives in :math:`b` and
    :math:`\tau`.

    Parameters
    ----------
    temperature : float, default=0.1
        The temperature :math:`\tau`; positive. SigLIP starts at a scale :math:`1/\tau` of 10.
    bias : float, default=-10.0
        The bias :math:`b`.

    See Also
    --------
    InfoNCE : A query's key among all keys.

    Notes
    -----
    Shapes: `queries` is (n, features), `keys` (m, features) with m at least n. Values, weights and masks are of shape
    (n,), one for each query; the mean over the queries is the number of the paper and of open_clip.

    Domain: queries and keys are any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: losses and slopes to full relative accuracy of their logits, which are products of NumPy's BLAS. At most
    16 MB of similarities are held at a time.

    References
    ----------
    .. [1] X. Zhai, B. Mustafa, A. Kolesnikov, L. Beyer, "Sigmoid loss for language image pre-training", ICCV 2023,
       arXiv:2303.15343.

    Examples
    --------
    >>> import fastloss as fl
    >>> images, texts = [[3.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [1.0, 1.0]]
    >>> value, grad = fl.SigmoidPairwise(temperature=0.2, bias=-2.0).value_and_grad(images, texts)
    >>> round(value, 4), round(grad.bias, 4)
    (1.0505, 0.3587)
    """

    signature = QUERIES
    gradients = SigmoidGrads
    kernel = "sigmoid_pairwise"
    variants = ({"temperature": 0.5, "bias": -1.0},)
    temperature: float = number(POSITIVE, default=0.1)
    bias: float = number(default=-10.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"bias": self.bias}

    def _scale(self) -> float:
        return 1 / self.temperature

    def _of_parameters(self, along: float, slope: float) -> tuple[float, ...]:
        return -along / self.temperature, slope


# Recommenders -----------------------------------------------------------------------------------------

ITEMS = paired_signature(
    "queries",
    "items",
    "A row for each query, such as a user.",
    "The item of each query, in the row of its index; further rows are items of none.",
    Argument(
        "item_ids", (("item",),), keyword=True, shared=True,
        description="What the rows of `items` are: others of a query's own item are left out of its candidates.",
    ),
    Argument(
        "log_q", (("item",),), keyword=True, shared=True,
        description="The logarithm of the probability with which each item came into the batch.",
    ),
)  # fmt: skip


class ItemGrads(NamedTuple):
    """The gradient in each array."""

    queries: Floats
    items: Floats


class ItemEvaluation(PairedEvaluation):
    """Queries among items, some of which may be the same."""

    __slots__ = ("_coded",)

    def _arrange(self) -> None:
        super()._arrange()
        given = self._arrays["item_ids"]
        self._coded: NDArray[Any] | None = None
        if given.given:
            (self._coded,) = coded(self._spec.owner, [given], self._nan_policy)
            if self._coded.min(initial=0) < 0:
                k = int(np.argmin(self._coded))
                raise ValueError(f"{self._spec.owner}: item_ids[{k}] is nan, must be an integer")

    def _codes(self) -> NDArray[Any]:
        return super()._codes() if self._coded is None else self._coded

    def _bias(self) -> NDArray[Any] | None:
        given = self._arrays.get("log_q")
        if given is None or not given.given:
            return None
        log_q: NDArray[Any] = readable(given.array, given.code).astype(self.dtype)
        log_q *= -1
        return log_q


@loss()
class InBatchSoftmax(PairedLoss):
    r"""Softmax over the items of a batch, corrected for how they were drawn: two-tower retrieval.

    With the scores :math:`s_{ij} = q_i^\top v_j / \tau - \log Q_j` of a query :math:`i` and an item :math:`j` that came
    into the batch with probability :math:`Q_j`,

    .. math::

        \ell_i = \log \Big( e^{s_{ii}} + \sum_{j \in N_i} e^{s_{ij}} \Big) - s_{ii}
        \qquad \frac{\partial \ell_i}{\partial s_{ij}} = p_{ij} - \delta_{ij}

    where :math:`N_i` are the items other than the query's own, and :math:`p_{ij}` the softmax over these and that.

    Parameters
    ----------
    temperature : float, default=1.0
        The temperature :math:`\tau`; positive.
    normalize : bool, default=False
        Whether rows are divided by their norms.

    See Also
    --------
    InfoNCE : All items differ, and are equally likely.
    WMRB, WARP : Ranks in place of probabilities.

    Notes
    -----
    Shapes: `queries` is (n, features), `items` (m, features) with m at least n; `item_ids` and `log_q` are (m,).
    Values, weights and masks are of shape (n,).

    Domain: queries and items are any real numbers; `item_ids` integers, of which equal ones are one item; `log_q` has
    no derivative, and without it all items are equally likely.

    Numerics: as for `InfoNCE`.

    References
    ----------
    .. [1] X. Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019,
       doi:10.1145/3298689.3346996.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> users, items = [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]
    >>> round(fl.in_batch_softmax(users, items, log_q=np.log([0.9, 0.1])), 4)
    0.7506
    """

    signature = ITEMS
    gradients = ItemGrads
    kernel = "share_of_positives"
    _evaluation = ItemEvaluation
    variants = ({"temperature": 0.3, "normalize": True},)
    temperature: float = number(POSITIVE, default=1.0)
    normalize: bool = False

    @property
    def unit(self) -> bool:  # type: ignore[override]
        return self.normalize

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 1 / self.temperature


class RankedItems(PairedLoss):
    """A loss of the items that come too close to a query's own."""

    signature = paired_signature(
        "queries",
        "items",
        "A row for each query, such as a user.",
        "The item of each query, in the row of its index; further rows are items of none.",
        ITEMS.targets[0],
    )
    gradients = ItemGrads
    unit = False
    _evaluation = ItemEvaluation

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"margin": self.parameters()["margin"]}


@loss("weighted_margin_rank_batch")
class WMRB(RankedItems):
    r"""Weighted margin-rank batch loss: the logarithm of a smooth rank of a query's own item among those of the batch.

    With the scores :math:`s_{ij} = q_i^\top v_j` and the items :math:`N_i` other than the query's own,

    .. math::

        \ell_i = \log(1 + R_i)
        \qquad R_i = \sum_{j \in N_i} \max(0, m - s_{ii} + s_{ij})
        \qquad \frac{\partial \ell_i}{\partial s_{ij}} = \frac{[\,m - s_{ii} + s_{ij} > 0\,]}{1 + R_i}

    and the derivative in :math:`s_{ii}` is minus the sum of these.

    Parameters
    ----------
    margin : float, default=1.0
        The margin :math:`m`; not negative.

    See Also
    --------
    WARP : The logarithm of how many items come close, times by how much.

    Notes
    -----
    Shapes: as for `InBatchSoftmax`.

    Domain: queries and items are any real numbers; `item_ids` integers, of which equal ones are one item. The
    derivative is 0 where an item is exactly the margin behind.

    Numerics: scores are products of NumPy's BLAS; sums over items are in float64 from one piece of a row to the next.

    References
    ----------
    .. [1] K. Liu, P. Natarajan, "WMRB: Learning to rank in a scalable batch training approach", RecSys 2017 posters,
       arXiv:1711.04015.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.wmrb([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]), 4)
    0.0
    """

    kernel = "wmrb"
    variants = ({"margin": 3.0},)
    margin: float = number(NON_NEGATIVE, default=1.0)


@loss()
class WARP(RankedItems):
    r"""Weighted approximate-rank pairwise loss, of all items of the batch in place of drawn ones.

    With the scores :math:`s_{ij} = q_i^\top v_j`, and :math:`r_i` the number of items other than the query's own that
    are not the margin behind it,

    .. math::

        \ell_i = \frac{1}{r_i} \Big( 1 + \frac{1}{2} + \dots + \frac{1}{r_i} \Big) \sum_{j} \max(0, m - s_{ii} + s_{ij})

    and 0 where :math:`r_i = 0`. The factor in front is a constant in the derivative, as the rank has none: the
    derivative in the score of each of these items is the factor, and in :math:`s_{ii}` minus their sum.

    Parameters
    ----------
    margin : float, default=1.0
        The margin :math:`m`; not negative.

    See Also
    --------
    WMRB : A smooth rank, whose derivative is whole.

    Notes
    -----
    Shapes: as for `InBatchSoftmax`.

    Domain: queries and items are any real numbers; `item_ids` integers, of which equal ones are one item. The loss
    jumps where the rank does.

    Numerics: scores are products of NumPy's BLAS; sums over items are in float64 from one piece of a row to the next.

    References
    ----------
    .. [1] J. Weston, S. Bengio, N. Usunier, "WSABIE: Scaling up to large vocabulary image annotation", IJCAI 2011.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.warp([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [2.5, 1.0]])
    0.75
    """

    kernel = "warp"
    variants = ({"margin": 3.0},)
    margin: float = number(NON_NEGATIVE, default=1.0)


# Labelled batches -------------------------------------------------------------------------------------


@loss("ntxent", "ntxent_loss")
class NTXent(LabelledLoss):
    r"""Normalized temperature-scaled cross-entropy, SimCLR's: each positive of an anchor alone among its negatives.

    With the scores :math:`s_{ij} = \hat x_i^\top \hat x_j / \tau`, the embeddings :math:`P_i` of an anchor's class
    other than itself and those :math:`N_i` of other classes,

    .. math::

        \ell_i = \sum_{p \in P_i} \log \Big( 1 + \sum_{n \in N_i} e^{s_{in} - s_{ip}} \Big)
        \qquad \frac{\partial \ell_i}{\partial s_{ip}} = -q_{ip}
        \qquad \frac{\partial \ell_i}{\partial s_{in}} = \frac{e^{s_{in}}}{\sum_m e^{s_{im}}} \sum_p q_{ip}

    where :math:`q_{ip}` is 1 less the softmax of the positive.

    Parameters
    ----------
    temperature : float, default=0.07
        The temperature :math:`\tau`; positive.

    See Also
    --------
    InfoNCE : A query's own key among all keys.
    SupCon : Positives among one another.

    Notes
    -----
    Shapes: `y_true` is (n,), `embeddings` (n, features); `references` (m, features), if given with `reference_labels`,
    takes the place of the others of the batch. Values, weights and masks are of shape (n,).

    The two views of SimCLR are one batch of twice the size, with labels that say which belong together.

    An anchor counts as often as it has positives, so that the mean is over pairs as in pytorch-metric-learning and
    optax, and not at all where it has no positive or no negative.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: a pair's loss is a softplus, so that a confident right answer keeps its relative accuracy. Products of
    matrices are NumPy's, whose BLAS may round otherwise for another number of its threads; no number of threads here
    changes a bit. At most 16 MB of similarities are held at a time.

    References
    ----------
    .. [1] T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A simple framework for contrastive learning of visual
       representations", ICML 2020, arXiv:2002.05709.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.nt_xent([0, 0, 1, 1], embeddings, temperature=0.5), 4)
    0.536
    """

    kernel = "nt_xent"
    needs_negatives = True
    by_pairs = True
    variants = ({"temperature": 0.5},)
    temperature: float = number(POSITIVE, default=0.07)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 1 / self.temperature


@loss("supcon", "supcon_loss", "sup_con_loss")
class SupCon(LabelledLoss):
    r"""Supervised contrastive loss: the mean cross-entropy of an anchor's positives among all others.

    With the scores :math:`s_{ij} = \hat x_i^\top \hat x_j / \tau` and the embeddings :math:`P_i` of an anchor's class
    other than itself,

    .. math::

        \ell_i = \log \sum_{j \ne i} e^{s_{ij}} - \frac{1}{|P_i|} \sum_{p \in P_i} s_{ip}
        \qquad \frac{\partial \ell_i}{\partial s_{ij}} = \frac{e^{s_{ij}}}{\sum_{k \ne i} e^{s_{ik}}}
        - \frac{[\,j \in P_i\,]}{|P_i|}

    Parameters
    ----------
    temperature : float, default=0.1
        The temperature :math:`\tau`; positive.

    See Also
    --------
    NTXent : Each positive alone among the negatives.

    Notes
    -----
    Shapes: as for `NTXent`. An anchor without a positive does not count.

    Domain: `y_true` are integers; embeddings any real numbers. A row of zeros has similarity 0 to all, and gradient 0.

    Numerics: of one positive a softplus, as for `NTXent`; of several the difference of the logarithm and the mean.

    References
    ----------
    .. [1] P. Khosla et al., "Supervised contrastive learning", NeurIPS 2020, arXiv:2004.11362.

    Examples
    --------
    >>> import fastloss as fl
    >>> embeddings = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(fl.sup_con([0, 0, 1, 1], embeddings, temperature=0.5), 4)
    0.536
    """

    kernel = "supervised_contrast"
    variants = ({"temperature": 0.5},)
    temperature: float = number(POSITIVE, default=0.1)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 1 / self.temperature
