"""Distances and similarities of two vectors, as losses."""

from __future__ import annotations

import math

from fastloss._core.loss import loss, number
from fastloss._core.parameters import ANY, Domain
from fastloss.vectors.vectors import PAIR, Measure, PairGrads, VectorLoss, power_measure

DEGREE = Domain(low=1)


class Distance(VectorLoss):
    """A distance of two vectors."""

    kernel = "distance"
    signature = PAIR
    gradients = PairGrads

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"factor": 1.0}


@loss()
class CosineDistance(Distance):
    r"""Cosine distance: 1 less the cosine of the angle between two vectors.

    .. math::

        \ell = 1 - s \qquad s = \frac{a \cdot b}{\|a\| \, \|b\|} \qquad
        \frac{\partial \ell}{\partial a} = \frac{1}{\|a\|} \left( s \frac{a}{\|a\|} - \frac{b}{\|b\|} \right)

    and likewise in :math:`b`.

    See Also
    --------
    NegativeCosineSimilarity : Without the 1.

    Notes
    -----
    Domain: any vectors. A vector of zeros has a cosine of 0 with any other, and gradients of 0.

    Numerics: the cosine is that of sums in float64, within [-1, 1], so that the loss is never negative and has an
    absolute error of a few roundings of float64 to 1; gradients have one of a few roundings to the inverse norm. Norms
    that are too large or too small for their squares are scaled.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CosineDistance()([[1.0, 0.0], [1.0, 1.0]], [[0.0, 2.0], [3.0, 3.0]], reduction="none")
    array([1., 0.])
    """

    def _measured(self) -> tuple[Measure, float, float]:
        return "cosine", 0.0, 2.0


@loss()
class NegativeCosineSimilarity(Distance):
    r"""Negative cosine of the angle between two vectors.

    .. math::

        \ell = -\frac{a \cdot b}{\|a\| \, \|b\|} \qquad
        \frac{\partial \ell}{\partial a} = \frac{1}{\|a\|} \left( -\ell \frac{a}{\|a\|} - \frac{b}{\|b\|} \right)

    and likewise in :math:`b`.

    See Also
    --------
    CosineDistance : The same plus 1, never negative.

    Notes
    -----
    Domain: any vectors. A vector of zeros has a cosine of 0 with any other, and gradients of 0.

    Numerics: as of `CosineDistance`.

    References
    ----------
    .. [1] X. Chen, K. He, "Exploring simple Siamese representation learning", CVPR (2021), arXiv:2011.10566.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.NegativeCosineSimilarity()([[1.0, 0.0], [1.0, 1.0]], [[0.0, 2.0], [3.0, 3.0]], reduction="none")
    array([ 0., -1.])
    """

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"factor": -1.0}

    def _measured(self) -> tuple[Measure, float, float]:
        return "similarity", 0.0, 2.0


@loss()
class EuclideanDistance(Distance):
    r"""Euclidean distance of two vectors.

    .. math::

        \ell = \|a - b\| \qquad \frac{\partial \ell}{\partial a} = -\frac{\partial \ell}{\partial b}
        = \frac{a - b}{\|a - b\|}

    See Also
    --------
    PairwiseDistance : Of any degree, as PyTorch has it.
    SquaredEuclideanDistance : With a gradient that vanishes at 0.

    Notes
    -----
    Domain: any vectors. The gradient of equal vectors is 0.

    Numerics: the sum of the squared differences is in float64; it is scaled where it would overflow or vanish.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.EuclideanDistance().value_and_grad([[3.0, 0.0]], [[0.0, 4.0]])
    >>> value, grad.left
    (5.0, array([[ 0.6, -0.8]]))
    """


@loss()
class SquaredEuclideanDistance(Distance):
    r"""Squared Euclidean distance of two vectors.

    .. math::

        \ell = \|a - b\|^2 \qquad \frac{\partial \ell}{\partial a} = -\frac{\partial \ell}{\partial b} = 2 (a - b)

    See Also
    --------
    EuclideanDistance : Its square root.

    Notes
    -----
    Domain: any vectors.

    Numerics: the sum of the squared differences is in float64.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grad = fl.SquaredEuclideanDistance().value_and_grad([[3.0, 0.0]], [[0.0, 4.0]])
    >>> value, grad.left
    (25.0, array([[ 6., -8.]]))
    """

    def _measured(self) -> tuple[Measure, float, float]:
        return "squared_euclidean", 0.0, 2.0


@loss()
class ManhattanDistance(Distance):
    r"""Manhattan distance of two vectors: the sum of the absolute differences.

    .. math::

        \ell = \sum_k |a_k - b_k| \qquad \frac{\partial \ell}{\partial a_k} = -\frac{\partial \ell}{\partial b_k}
        = \operatorname{sign}(a_k - b_k)

    See Also
    --------
    AbsoluteError : Of each number.

    Notes
    -----
    Domain: any vectors. The derivative in numbers that are equal is 0.

    Numerics: the sum is in float64.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ManhattanDistance()([[3.0, 0.0]], [[0.0, 4.0]])
    7.0
    """

    def _measured(self) -> tuple[Measure, float, float]:
        return "manhattan", 0.0, 1.0


@loss()
class PairwiseDistance(Distance):
    r"""Norm of any degree of the difference of two vectors, as PyTorch has it.

    .. math::

        \ell = \left( \sum_k |\delta_k|^p \right)^{1/p} \qquad \delta = a - b + \varepsilon \qquad
        \frac{\partial \ell}{\partial a_k} = -\frac{\partial \ell}{\partial b_k}
        = \operatorname{sign}(\delta_k) \left( \frac{|\delta_k|}{\ell} \right)^{p - 1}

    Parameters
    ----------
    p : float, default=2.0
        The degree of the norm, from 1 on; of infinity it is the largest difference.
    eps : float, default=1e-06
        The number :math:`\varepsilon` that is added to each difference.

    See Also
    --------
    EuclideanDistance, ManhattanDistance : With nothing added.

    Notes
    -----
    Domain: any vectors. The gradient at a distance of 0 is 0, and so is the derivative where a difference is 0. With p
    infinite, differences that are equally the largest share the derivative.

    Numerics: sums are in float64, and scaled where a power would overflow or vanish. Other degrees than 1 and 2 take a
    power of each difference, accurate to float32 for such vectors and in double-double for float64.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.PairwiseDistance(p=3, eps=0)([[3.0, 4.0]], [[0.0, 9.0]])
    5.336803297443889
    """

    variants = ({"p": 1.0}, {"p": 3.0, "eps": 0.5}, {"eps": 0.0}, {"p": math.inf})
    p: float = number(DEGREE, default=2.0, infinite=True)
    eps: float = number(ANY, default=1e-6)

    def _measured(self) -> tuple[Measure, float, float]:
        return power_measure(self.p), self.eps, self.p
