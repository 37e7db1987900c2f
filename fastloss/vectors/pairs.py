"""Losses of two vectors that belong together or do not."""

from __future__ import annotations

from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE, SIGN, Domain
from fastloss.vectors.vectors import LABELLED_PAIR, Measure, PairGrads, VectorLoss


class LabelledPair(VectorLoss):
    """A loss of two vectors, and of whether they belong together."""

    signature = LABELLED_PAIR
    gradients = PairGrads
    target = SIGN


@loss("cosine_embedding_loss")
class CosineEmbedding(LabelledPair):
    r"""Cosine embedding loss: vectors that belong together are turned to each other, others apart.

    With the cosine :math:`s = a \cdot b / (\|a\| \, \|b\|)`,

    .. math::

        \ell = \begin{cases} 1 - s & y = 1 \\ \max(0, s - m) & \text{else} \end{cases} \qquad
        \frac{\partial s}{\partial a} = \frac{1}{\|a\|} \left( \frac{b}{\|b\|} - s \frac{a}{\|a\|} \right)

    Parameters
    ----------
    margin : float, default=0.0
        The cosine :math:`m` up to which vectors that do not belong together have no loss; from -1 to 1.

    See Also
    --------
    Contrastive : With the Euclidean distance.

    Notes
    -----
    Domain: `y_true` is 1 for vectors that belong together and 0 or -1 for others. A vector of zeros has a cosine of 0
    with any other, and gradients of 0. At :math:`s = m` the gradient is 0.

    Numerics: as of `CosineDistance`. PyTorch adds 1e-12 to the squared norms; nothing is added here.

    Examples
    --------
    >>> import fastloss as fl
    >>> left, right = [[1.0, 0.0], [1.0, 1.0]], [[0.0, 2.0], [3.0, 3.0]]
    >>> fl.CosineEmbedding(margin=0.25)([1, -1], left, right, reduction="none")
    array([1.  , 0.75])
    """

    kernel = "cosine_embedding"
    variants = ({"margin": 0.25},)
    margin: float = number(Domain(low=-1, high=1), default=0.0)

    def _measured(self) -> tuple[Measure, float, float]:
        return "similarity", 0.0, 2.0


@loss("contrastive_loss")
class Contrastive(LabelledPair):
    r"""Contrastive loss: vectors that belong together are drawn to each other, others pushed out of a margin.

    With the distance :math:`d = \|a - b\|`,

    .. math::

        \ell = \begin{cases} d^2 & y = 1 \\ \max(0, m - d)^2 & \text{else} \end{cases} \qquad
        \frac{\partial \ell}{\partial a} = -\frac{\partial \ell}{\partial b}
        = \begin{cases} 2 (a - b) & y = 1 \\ -2 \max(0, m - d) \, (a - b) / d & \text{else} \end{cases}

    Parameters
    ----------
    margin : float, default=1.0
        The distance :math:`m` from which on vectors that do not belong together have no loss; not negative.
    half : bool, default=False
        Whether the loss is multiplied by a half, as in the article.

    See Also
    --------
    CosineEmbedding : With the cosine.
    TripletMargin : Of a vector and two others.

    Notes
    -----
    Domain: `y_true` is 1 for vectors that belong together and 0 or -1 for others; the article's labels are the other
    way round. The gradient of equal vectors is 0.

    Numerics: the sum of the squared differences is in float64; it is scaled where it would overflow or vanish.

    References
    ----------
    .. [1] R. Hadsell, S. Chopra, Y. LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR (2006),
       doi:10.1109/CVPR.2006.100.

    Examples
    --------
    >>> import fastloss as fl
    >>> left, right = [[3.0, 0.0], [0.0, 0.0]], [[0.0, 4.0], [0.0, 0.5]]
    >>> fl.Contrastive()([1, 0], left, right, reduction="none")
    array([25.  ,  0.25])
    """

    kernel = "contrastive"
    variants = ({"margin": 9.0}, {"half": True})
    margin: float = number(NON_NEGATIVE, default=1.0)
    half: bool = False

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"margin": self.margin, "factor": 0.5 if self.half else 1.0}
