"""Losses of boxes as normal distributions, upright or rotated."""

from __future__ import annotations

from fastloss._core.loss import choice, loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE
from fastloss.boxes.boxes import BoxLoss, RotatedBoxLoss

FUNS = ("none", "log1p", "sqrt")  # in the order of the kernel's codes


@loss("nwd_loss", name="nwd")
class NWD(BoxLoss):
    r"""Normalized Wasserstein distance of two boxes, for objects of a few pixels.

    With the differences :math:`d_l, d_t, d_r, d_b` of the edges, the distance of two normal distributions whose means
    are the centres and whose standard deviations are half of the sides is

    .. math::

        W = \sqrt{\tfrac12 (d_l^2 + d_t^2 + d_r^2 + d_b^2)} \qquad \ell = 1 - e^{-W / C} \qquad
        \frac{\partial \ell}{\partial e} = e^{-W / C} \frac{d_e}{2 C W}

    for each edge :math:`e` of the prediction.

    Parameters
    ----------
    constant : float, default=12.8
        The scale :math:`C`, in the unit of the boxes: about the mean size of the objects.
    {format}

    See Also
    --------
    IoU : How much the boxes overlap.
    GWD : The distance of rotated boxes.

    Notes
    -----
    Domain:
    {sides}
    Of identical boxes loss and derivative are 0, whether they have an area or not; boxes that do not overlap are
    told apart by their distance. Infinite coordinates may give NaN.

    Numerics: in float64, with `expm1`: near identical boxes have all digits.

    References
    ----------
    .. [1] J. Wang et al., "A normalized Gaussian Wasserstein distance for tiny object detection", 2021,
       arXiv:2110.13389.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.NWD(constant=2.0)([[0, 0, 2, 2]], [[1.0, 0.0, 3.0, 2.0]])
    0.3934693402873666
    """

    kernel = "nwd"
    variants = ({"format": "xywh", "constant": 1.5}, {"format": "cxcywh"})
    constant: float = number(POSITIVE, default=12.8)


class _Bent(RotatedBoxLoss):
    """A loss that is a function of a distance."""

    fun: str = choice(*FUNS, default="log1p")
    tau: float = number(NON_NEGATIVE, default=1.0)
    alpha: float = number(POSITIVE, default=1.0)

    def _constants(self) -> dict[str, float]:
        given = self.parameters()
        return {name: float(FUNS.index(value) if name == "fun" else value) for name, value in given.items()}


@loss("gwd_loss", name="gwd")
class GWD(_Bent):
    r"""Gaussian Wasserstein distance of two rotated boxes.

    With the distance :math:`\rho` of the centres, the half sides :math:`a, b` and :math:`a^*, b^*`, and the turn
    :math:`\varphi` between the boxes,

    .. math::

        W^2 = \rho^2 + \alpha^2 \left( a^2 + b^2 + a^{*2} + b^{*2}
        - 2 \sqrt{(a a^* + b b^*)^2 \cos^2 \varphi + (a b^* + b a^*)^2 \sin^2 \varphi} \right) \qquad
        \ell = 1 - \frac{1}{\tau + f(W / n)} \qquad n = 2 (a b a^* b^*)^{1/4}

    and the derivative :math:`\ell' = f' / (\tau + f)^2` times that of :math:`W / n` in each of the five numbers.

    Parameters
    ----------
    fun : {"log1p", "none", "sqrt"}, default="log1p"
        The function :math:`f`: the logarithm of 1 more, nothing, or the square root.
    tau : float, default=1.0
        The shift :math:`\tau`; below 1 the loss is :math:`f` itself.
    alpha : float, default=1.0
        How much sizes and turn count beside the distance of the centres.
    normalize : bool, default=True
        Whether the distance is divided by :math:`n`, so that it does not change with the unit of lengths.

    See Also
    --------
    KLD : A divergence, whose gradient weighs each side by its length.
    NWD : The distance of upright boxes.

    Notes
    -----
    Domain:
    {rotated}
    A normalized distance of a box without area from any other is infinite, and the derivative 0. Identical boxes
    have the loss and the derivative 0 (with `tau` 1 or less). Angles beyond 2^20 count as 0.

    Numerics: in float64, from differences of the sides and the sine of the turn: of near identical boxes no digits
    are lost, also where one has its sides exchanged and is turned by a right angle.

    References
    ----------
    .. [1] X. Yang et al., "Rethinking rotated object detection with Gaussian Wasserstein distance loss", ICML 2021,
       arXiv:2101.11952.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GWD()([[0.0, 0.0, 4.0, 2.0, 0.0]], [[1.0, 0.0, 4.0, 2.0, 0.0]])
    0.23238316029888453
    """

    kernel = "gwd"
    variants = (
        {"fun": "none", "tau": 0.0, "alpha": 2.0}, {"fun": "sqrt", "tau": 2.0}, {"normalize": False},
    )  # fmt: skip
    normalize: bool = True


@loss("kld_loss", name="kld")
class KLD(_Bent):
    r"""Kullback-Leibler divergence of two rotated boxes as normal distributions, from the prediction to the target.

    With the difference :math:`d` of the centres, the half sides :math:`a, b` of the prediction, and the covariances
    :math:`\Sigma` and :math:`\Sigma^*`,

    .. math::

        D = \frac{1}{2 \alpha^2} d^\top \Sigma^{-1} d + \tfrac12 \operatorname{tr} \Sigma^{-1} \Sigma^*
        + \tfrac12 \log \frac{\det \Sigma}{\det \Sigma^*} - 1 \qquad
        \ell = 1 - \frac{1}{\tau + f(\sqrt D)} \qquad \Sigma = R \begin{pmatrix} a^2 & 0 \\ 0 & b^2 \end{pmatrix} R^\top

    and the derivative :math:`\ell' = f' / (\tau + f)^2` times that of :math:`\sqrt D` in each of the five numbers.

    Parameters
    ----------
    fun : {"log1p", "none", "sqrt"}, default="log1p"
        The function :math:`f`: the logarithm of 1 more, nothing, or the square root.
    tau : float, default=1.0
        The shift :math:`\tau`; below 1 the loss is :math:`f` itself.
    alpha : float, default=1.0
        How much sizes and turn count beside the distance of the centres.
    sqrt : bool, default=True
        Whether :math:`f` is of the root of the divergence.

    See Also
    --------
    GWD : A distance.

    Notes
    -----
    Domain:
    {rotated}
    A box without area is infinitely far from any other, where the derivative is 0. Identical boxes have the loss
    and the derivative 0 (with `tau` 1 or less). Angles beyond 2^20 count as 0.

    Numerics: in float64, a sum of terms that are not negative: of near identical boxes no digits are lost, also where
    one has its sides exchanged and is turned by a right angle.

    References
    ----------
    .. [1] X. Yang et al., "Learning high-precision bounding box for rotated object detection via Kullback-Leibler
       divergence", NeurIPS 2021, arXiv:2106.01883.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.KLD()([[0.0, 0.0, 4.0, 2.0, 0.0]], [[1.0, 0.0, 4.0, 2.0, 0.0]])
    0.23238316029888453
    """

    kernel = "kld"
    variants = ({"fun": "none", "tau": 0.0, "alpha": 2.0}, {"fun": "sqrt", "tau": 2.0}, {"sqrt": False})
    sqrt: bool = True

    def _constants(self) -> dict[str, float]:
        found = super()._constants()
        return {name: value for name, value in found.items() if name != "sqrt"} | {"root": found["sqrt"]}


@loss("probiou_loss", name="prob_iou")
class ProbIoU(RotatedBoxLoss):
    r"""Hellinger distance of two rotated boxes as normal distributions, 1 less their probabilistic overlap.

    With the difference :math:`d` of the centres and covariances of the squared sides over 12,

    .. math::

        B = \tfrac14 d^\top (\Sigma + \Sigma^*)^{-1} d
        + \tfrac12 \log \frac{\det(\Sigma + \Sigma^*)}{4 \sqrt{\det \Sigma \det \Sigma^*}} \qquad
        \ell = \sqrt{1 - e^{-B}} \qquad \ell' = \frac{e^{-B}}{2 \ell} B'

    in each of the five numbers.

    See Also
    --------
    KLD : A divergence that is not bounded.

    Notes
    -----
    Domain:
    {rotated}
    A box without area has the loss 1 and the derivative 0, unless both are identical: these have the loss and the
    derivative 0. Angles beyond 2^20 count as 0.

    Numerics: in float64, a sum of terms that are not negative: of near identical boxes no digits are lost. What
    Ultralytics adds in several places, 1e-7, makes the loss of identical boxes 4.5e-4; it is not here.

    References
    ----------
    .. [1] J. M. Llerena et al., "Gaussian bounding boxes and probabilistic intersection-over-union for object
       detection", 2021, arXiv:2106.06072.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ProbIoU()([[0.0, 0.0, 4.0, 2.0, 0.0]], [[1.0, 0.0, 4.0, 2.0, 0.0]])
    0.2991481883949255
    """

    kernel = "prob_iou"
