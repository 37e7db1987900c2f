"""Losses of embeddings and learned proxies of their classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss._core.evaluation import Floats, Operand
from fastloss._core.loss import loss, number
from fastloss._core.parameters import POSITIVE
from fastloss._core.runtime import OMIT
from fastloss._core.signature import Argument, Signature
from fastloss.vectors.batches import (
    FEATURES,
    BatchEvaluation,
    BatchLoss,
    Comparison,
    Doubles,
    scattered,
    whole_labels,
)


class ProxyGrads(NamedTuple):
    """The gradient in each array."""

    embeddings: Floats
    proxies: Floats


class ProxyEvaluation(BatchEvaluation):
    """Embeddings whose labels are the rows of their proxies."""

    __slots__ = ("_classes", "_missing")

    def _arrange(self) -> None:
        super()._arrange()
        owner, given = self._spec.owner, self._arrays["y_true"]
        labels, self._missing = whole_labels(owner, given, self._nan_policy)
        classes = len(self._arrays["proxies"].array)
        wrong = ((labels < 0) | (labels >= classes)) & ~self._missing
        if wrong.any():
            k = int(np.argmax(wrong))
            raise IndexError(f"{owner}: y_true[{k}] is {labels[k]}, must be a class from 0 to {classes - 1}")
        self._classes: NDArray[np.int64] = labels.astype(np.int64)


class EachEvaluation(ProxyEvaluation):
    """A loss for each embedding."""

    __slots__ = ()

    def _chosen(self, counted: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Doubles | None]:
        return (counted & ~self._missing if self._nan_policy == OMIT else counted), None

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        left, right = self._rows("embeddings"), self._rows("proxies")
        rows = len(left)
        known = (weights != 0) & ~self._missing
        places = None if known.all() else np.flatnonzero(known)
        some, of_rows, classes = left, weights, self._classes
        if places is not None:
            some, of_rows, classes = left.some(places), weights[places], classes[places]
        comparison = self._comparison(
            some, right, row_codes=classes, column_codes=np.arange(len(right)), own=np.full(len(some), -1),
            factor=factor,
        )  # fmt: skip
        losses = np.where(self._missing & (weights != 0), np.nan, 0.0)
        chosen = slice(None) if places is None else places
        if not grads:
            losses[chosen] = comparison.losses(of_rows)[0]
            return losses
        losses[chosen], _, of_left, of_right = comparison.losses_and_gradients(of_rows)
        whole = scattered(of_left, places, rows)
        whole[losses != losses] = np.nan
        left.finish(whole, grads[0])
        right.finish(of_right, grads[1])
        return losses


@loss("proxy_nca_loss", name="proxy_nca")
class ProxyNCA(BatchLoss):
    r"""Proxy NCA: the softmax of an embedding's distance from the proxy of its class among all proxies.

    With the squared distances of unit rows :math:`d_{ik}^2 = 2 - 2 \hat x_i^\top \hat p_k` and the scale
    :math:`\gamma`,

    .. math::

        \ell_i = \gamma d_{i y_i}^2 + \log \sum_k e^{-\gamma d_{ik}^2}
        \qquad \frac{\partial \ell_i}{\partial d_{ik}^2} = \gamma (\delta_{k y_i} - p_{ik})

    where :math:`p_{ik}` is the softmax of :math:`-\gamma d_{ik}^2`.

    Parameters
    ----------
    softmax_scale : float, default=1.0
        The scale :math:`\gamma`; positive.

    See Also
    --------
    NCA : The batch in place of proxies.
    ProxyAnchor : Proxies among embeddings.

    Notes
    -----
    Shapes: `y_true` is (n,), `embeddings` (n, features), `proxies` (classes, features). Values, weights and masks are
    of shape (n,).

    The sum is over all proxies, as in pytorch-metric-learning; the paper's leaves the own one out.

    Domain: `y_true` are integers from 0 to the number of proxies less 1; embeddings and proxies are any real numbers. A
    row of zeros has similarity 0 to all, and gradient 0.

    Numerics: as for `NCA`.

    References
    ----------
    .. [1] Y. Movshovitz-Attias, A. Toshev, T. K. Leung, S. Ioffe, S. Singh, "No fuss distance metric learning using
       proxies", ICCV 2017, arXiv:1703.07464.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.ProxyNCA().value_and_grad([0, 1], [[3.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> round(value, 4), grad.proxies.shape
    (0.41, (2, 2))
    """

    signature = Signature(
        (Argument("y_true", description="The class of each embedding, a row of `proxies`."),),
        (
            Argument("embeddings", FEATURES, description="A row for each label."),
            Argument("proxies", (("class", "feature"),), shared=True, description="A row for each class."),
        ),
        additive=False,
    )
    gradients = ProxyGrads
    kernel = "share_of_positives"
    _evaluation = EachEvaluation
    variants = ({"softmax_scale": 8.0},)
    softmax_scale: float = number(POSITIVE, default=1.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {}

    def _scale(self) -> float:
        return 2 * self.softmax_scale


class WholeEvaluation(ProxyEvaluation):
    """One loss of the batch, a mean over the proxies."""

    __slots__ = ()

    _loss: ProxyAnchor

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        proxies, embeddings = self._rows("proxies"), self._rows("embeddings")
        known = None if not self._missing.any() else np.flatnonzero(~self._missing)
        classes = self._classes if known is None else self._classes[known]
        count = len(proxies)
        share = count / max(1, len(np.unique(classes)))
        comparison = Comparison(
            self._spec.kernel, self._spec.kernel.constants(self._loss.parameters() | {"share": share}), proxies,
            embeddings.some(known), row_codes=np.arange(count), column_codes=classes, own=np.full(count, -1),
            paired=False, scale=1.0, factor=factor, threads=self._num_threads,
        )  # fmt: skip
        of_rows = np.full(count, float(weights) / count)
        spoilt = self._missing.any() and self._nan_policy != OMIT
        if not grads:
            found, _ = comparison.losses(of_rows)
        else:
            found, _, of_proxies, of_embeddings = comparison.losses_and_gradients(of_rows)
            whole = scattered(of_embeddings, known, len(embeddings))
            if spoilt:
                whole[self._missing] = np.nan
            embeddings.finish(whole, grads[0])
            proxies.finish(of_proxies, grads[1])
        return np.asarray(np.nan if spoilt else found.sum() / count)


@loss("proxy_anchor_loss")
class ProxyAnchor(BatchLoss):
    r"""Proxy anchor loss: of each proxy soft maxima of its embeddings that are far and of the others that are near.

    With the cosines :math:`s_{ki}` of the :math:`C` proxies and the embeddings, the embeddings :math:`P_k` of a class
    and the number :math:`C^+` of classes that have some,

    .. math::

        \ell = \frac{1}{C^+} \sum_k \log \Big( 1 + \sum_{i \in P_k} e^{-\alpha (s_{ki} - \delta)} \Big)
        + \frac1C \sum_k \log \Big( 1 + \sum_{i \notin P_k} e^{\alpha (s_{ki} + \delta)} \Big)

    The derivative in a cosine is :math:`\mp \alpha` times the share of its exponential in 1 plus the sum, with the
    factor in front.

    Parameters
    ----------
    margin : float, default=0.1
        The margin :math:`\delta`.
    alpha : float, default=32.0
        The scale :math:`\alpha`; positive.

    See Also
    --------
    ProxyNCA : Embeddings among proxies.

    Notes
    -----
    Shapes: `y_true` is (n,), `embeddings` (n, features), `proxies` (classes, features). The loss is one number for the
    batch, whatever the reduction, and a weight is one too.

    Domain: `y_true` are integers from 0 to the number of proxies less 1; embeddings and proxies are any real numbers. A
    row of zeros has similarity 0 to all, and gradient 0.

    Numerics: as for `NCA`.

    References
    ----------
    .. [1] S. Kim, D. Kim, M. Cho, S. Kwak, "Proxy anchor loss for deep metric learning", CVPR 2020, arXiv:2003.13911.

    Examples
    --------
    >>> import fastloss as fl
    >>> labels, embeddings, proxies = [0, 1], [[3.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> round(fl.proxy_anchor(labels, embeddings, proxies), 4)
    14.5337
    """

    signature = Signature(
        (Argument("y_true", (("sample",),), description="The class of each embedding, a row of `proxies`."),),
        (
            Argument("embeddings", (("sample", "feature"),), description="A row for each label."),
            Argument("proxies", (("class", "feature"),), shared=True, description="A row for each class."),
        ),
        additive=False,
    )
    gradients = ProxyGrads
    kernel = "proxy_anchor"
    axes = 0
    _evaluation = WholeEvaluation
    variants = ({"margin": 0.2, "alpha": 8.0},)
    margin: float = number(default=0.1)
    alpha: float = number(POSITIVE, default=32.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, self.parameters() | {"share": 1.0}
