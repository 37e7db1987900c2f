"""Losses of an anchor, a vector that is to be near it, and one or two that are to be far."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastloss._core.loss import choice, loss, number
from fastloss._core.parameters import ANY
from fastloss._core.signature import Argument, Signature
from fastloss.vectors.distances import DEGREE
from fastloss.vectors.vectors import FEATURES, Measure, VectorLoss, power_measure

ANCHOR = Argument("anchor", FEATURES, description="Vectors along the last axis.")
POSITIVE = Argument("positive", FEATURES, description="The vector that is to be near each, of the same shape.")
NEGATIVE = Argument("negative", FEATURES, description="The vector that is to be far from each, of the same shape.")
SECOND = Argument("second_negative", FEATURES, description="One that is to be far from `negative`, of the same shape.")


class TripletGrads(NamedTuple):
    """The gradients in the vectors of each triplet."""

    anchor: NDArray[Any]
    positive: NDArray[Any]
    negative: NDArray[Any]


class QuadrupletGrads(NamedTuple):
    """The gradients in the vectors of each quadruplet."""

    anchor: NDArray[Any]
    positive: NDArray[Any]
    negative: NDArray[Any]
    second_negative: NDArray[Any]


@loss("triplet_margin_loss", "triplet_margin_with_distance_loss")
class TripletMargin(VectorLoss):
    r"""Triplet margin loss: an anchor is to be nearer to one vector than to another, by a margin.

    With the distances :math:`d_p` of the anchor and the positive vector and :math:`d_n` of the anchor and the negative
    one, or with `swap` of the positive and the negative one where that is less,

    .. math::

        \ell = \max(0, t) \text{ or } \log(1 + e^t) \qquad t = d_p - d_n + m \qquad
        \nabla \ell = \ell'(t) \, (\nabla d_p - \nabla d_n) \qquad
        \ell'(t) = [\,t > 0\,] \text{ or } \frac{1}{1 + e^{-t}}

    Parameters
    ----------
    margin : float, default=1.0
        By how much :math:`d_n` is to be larger.
    p : float, default=2.0
        The degree of the norm that is the distance, from 1 on; of infinity it is the largest difference. For
        ``distance="norm"``.
    eps : float, default=1e-06
        What is added to each difference before; for ``distance="norm"``.
    swap : bool, default=False
        Whether the negative vector's distance is that from the anchor or the positive vector, whichever is nearer.
    smooth : bool, default=False
        Whether to take the softplus in place of the ramp.
    distance : {"norm", "squared_euclidean", "cosine"}, default="norm"
        The distance of two vectors: the norm of degree `p` of their difference, the square of the Euclidean one, or 1
        less the cosine.

    See Also
    --------
    Quadruplet : With a second negative vector.
    Contrastive : Of pairs.

    Notes
    -----
    Domain: any vectors. At :math:`t = 0` the gradient of the ramp is 0, and so is that of a distance of 0. Of two equal
    distances `swap` takes the anchor's.

    Numerics: sums of features are in float64; norms that are too large or too small for their squares are scaled.

    References
    ----------
    .. [1] F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet: a unified embedding for face recognition and clustering",
       CVPR (2015), arXiv:1503.03832.
    .. [2] V. Balntas, E. Riba, D. Ponsa, K. Mikolajczyk, "Learning local feature descriptors with triplets and shallow
       convolutional neural networks", BMVC (2016), doi:10.5244/C.30.119: `swap`.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.TripletMargin(eps=0)
    >>> value, grad = loss.value_and_grad([[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 2.0]])
    >>> value, grad.anchor
    (4.0, array([[-0.6,  0.2]]))
    """

    gradients = TripletGrads
    signature = Signature((), (ANCHOR, POSITIVE, NEGATIVE))
    variants = (
        {"margin": 0.25, "p": 1.0},
        {"p": 3.0, "eps": 0.5},
        {"p": math.inf},
        {"swap": True},
        {"smooth": True},
        {"swap": True, "smooth": True, "distance": "squared_euclidean"},
        {"distance": "cosine"},
        {"distance": "cosine", "swap": True, "smooth": True},
    )
    margin: float = number(ANY, default=1.0)
    p: float = number(DEGREE, default=2.0, infinite=True)
    eps: float = number(ANY, default=1e-6)
    swap: bool = False
    smooth: bool = False
    distance: str = choice("norm", "squared_euclidean", "cosine", default="norm")

    def _kernel(self) -> tuple[str, dict[str, float]]:
        kernel = "triplet_swap" if self.swap else "triplet"
        return kernel, {"margin": self.margin, "smooth": float(self.smooth)}

    def _measured(self) -> tuple[Measure, float, float]:
        if self.distance == "norm":
            return power_measure(self.p), self.eps, self.p
        return "cosine" if self.distance == "cosine" else "squared_euclidean", 0.0, 2.0


@loss("quadruplet_loss")
class Quadruplet(VectorLoss):
    r"""Quadruplet loss: as of triplets, and the negative vector is to be far from another one too.

    With the distances :math:`d_p` of anchor and positive vector, :math:`d_n` of anchor and negative one, and
    :math:`d_{nn}` of the negative one and the second,

    .. math::

        \ell = \max(0, d_p - d_n + m_1) + \max(0, d_p - d_{nn} + m_2)

    whose derivative in :math:`d_p` is the number of the terms that are not 0, and -1 in the other distance of each.

    Parameters
    ----------
    margin : float, default=1.0
        By how much :math:`d_n` is to be larger, :math:`m_1`.
    second_margin : float, default=0.5
        By how much :math:`d_{nn}` is to be larger, :math:`m_2`.
    distance : {"squared_euclidean", "euclidean", "cosine"}, default="squared_euclidean"
        The distance of two vectors; the cosine distance is 1 less the cosine.

    See Also
    --------
    TripletMargin : The first term alone.

    Notes
    -----
    Domain: any vectors. The gradient of a term that is 0 is 0, and so is that of a distance of 0.

    Numerics: as of `TripletMargin`.

    References
    ----------
    .. [1] W. Chen, X. Chen, J. Zhang, K. Huang, "Beyond triplet loss: a deep quadruplet network for person
       re-identification", CVPR (2017), arXiv:1704.01719.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Quadruplet()([[0.0, 0.0]], [[1.0, 1.0]], [[0.0, 1.0]], [[2.0, 1.0]])
    2.0
    """

    kernel = "quadruplet"
    gradients = QuadrupletGrads
    signature = Signature((), (ANCHOR, POSITIVE, NEGATIVE, SECOND))
    variants = (
        {"margin": 0.25, "distance": "euclidean"},
        {"second_margin": 0.25, "distance": "cosine"},
    )
    margin: float = number(ANY, default=1.0)
    second_margin: float = number(ANY, default=0.5)
    distance: str = choice("squared_euclidean", "euclidean", "cosine", default="squared_euclidean")

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"margin": self.margin, "second_margin": self.second_margin}

    def _measured(self) -> tuple[Measure, float, float]:
        if self.distance == "cosine":
            return "cosine", 0.0, 2.0
        return "euclidean" if self.distance == "euclidean" else "squared_euclidean", 0.0, 2.0
