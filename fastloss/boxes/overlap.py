"""Losses of how two upright boxes overlap, and how they lie apart."""

from __future__ import annotations

import math
from typing import Any

from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, Domain
from fastloss.boxes.boxes import BoxLoss

EPS = 1e-7  # what torchvision adds to areas

_FORMATS: tuple[dict[str, Any], ...] = ({"format": "xywh"}, {"format": "cxcywh", "eps": 0.0})


@loss(name="iou")
class IoU(BoxLoss):
    r"""Intersection over union of two boxes, subtracted from 1.

    With the intersection :math:`I` and the union :math:`U` of the areas, and an edge :math:`e` of the prediction,

    .. math::

        \ell = 1 - \frac{I}{U + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = \frac{I\, \partial_e U}{(U + \epsilon)^2} - \frac{\partial_e I}{U + \epsilon}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union. With 0 the loss does not change with the unit of lengths.
    {format}

    See Also
    --------
    GIoU : Also pulls boxes together that do not meet.

    Notes
    -----
    Domain:
    {sides}
    Boxes that do not overlap have the loss 1 and the derivative 0. With `eps` 0, of two boxes without area the loss
    is 0 if they are identical, else 1; with another it is 1.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] J. Yu et al., "UnitBox: an advanced object detection network", 2016, arXiv:1608.01471.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.IoU(eps=0.0)([[0, 0, 2, 2]], [[1.0, 0.0, 3.0, 2.0]])
    0.6666666666666666
    >>> fl.IoU(format="cxcywh").grad([[1, 1, 2, 2]], [[2.0, 1.5, 2.0, 2.0]]).round(3)
    array([[ 0.284,  0.189, -0.071, -0.024]])
    """

    kernel = "iou"
    variants = _FORMATS
    eps: float = number(NON_NEGATIVE, default=EPS)


@loss(name="log_iou")
class LogIoU(BoxLoss):
    r"""Logarithm of the union over the intersection of two boxes.

    With the intersection :math:`I` and the union :math:`U` of the areas, and an edge :math:`e` of the prediction,

    .. math::

        \ell = \log \frac{U + \epsilon}{I + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = \frac{\partial_e U}{U + \epsilon} - \frac{\partial_e I}{I + \epsilon}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to both areas. FCOS adds 1, in pixels.
    {format}

    See Also
    --------
    IoU : The same quotient, subtracted from 1.

    Notes
    -----
    Domain:
    {sides}
    Boxes that do not overlap have a loss that depends on `eps`, infinite for 0, and the derivative of the union
    alone. Of identical boxes without area the loss is 0.
    {edges}

    Numerics: computed as log(1 + (U - I) / (I + eps)), of strips as the loss of `IoU`: near identical boxes have all
    digits. Of boxes apart by more than the root of the largest number the loss may overflow.

    References
    ----------
    .. [1] J. Yu et al., "UnitBox: an advanced object detection network", 2016, arXiv:1608.01471.
    .. [2] Z. Tian et al., "FCOS: fully convolutional one-stage object detection", 2019, arXiv:1904.01355.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.LogIoU(eps=0.0)([[0, 0, 2, 2]], [[1.0, 0.0, 3.0, 2.0]])
    1.0986122886681098
    """

    kernel = "log_iou"
    variants = ({"eps": 1.0, "format": "xywh"}, {"eps": 0.0, "format": "cxcywh"})
    eps: float = number(NON_NEGATIVE, default=EPS)


@loss("generalized_box_iou_loss", name="giou")
class GIoU(BoxLoss):
    r"""Generalized intersection over union of two boxes, subtracted from 1.

    With the intersection :math:`I` and the union :math:`U`, the area :math:`A` of the smallest box around both, and an
    edge :math:`e` of the prediction,

    .. math::

        \ell = 1 - \frac{I}{U + \epsilon} + \frac{A - U}{A + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = \frac{I\, \partial_e U}{(U + \epsilon)^2} - \frac{\partial_e I}{U + \epsilon}
        + \frac{\partial_e A - \partial_e U}{A + \epsilon} - \frac{(A - U)\, \partial_e A}{(A + \epsilon)^2}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the areas of the union and of the box around both, as in torchvision. With 0 the loss does not
        change with the unit of lengths.
    {format}

    See Also
    --------
    IoU : Without the second part.
    generalized_box_iou : The matrix of all pairs of two sets of boxes, subtracted from 1.

    Notes
    -----
    Domain:
    {sides}
    Boxes far apart have a loss up to 2. With `eps` 0, identical boxes without area have the loss 0.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] H. Rezatofighi et al., "Generalized intersection over union", CVPR 2019, arXiv:1902.09630.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GIoU(eps=0.0)([[0, 0, 2, 2]], [[3.0, 0.0, 5.0, 2.0]])
    1.2
    """

    kernel = "giou"
    variants = _FORMATS
    eps: float = number(NON_NEGATIVE, default=EPS)


@loss("distance_box_iou_loss", name="diou")
class DIoU(BoxLoss):
    r"""Intersection over union of two boxes with a penalty for the distance of their centres.

    With the distance :math:`\rho` of the centres, whose difference is :math:`d_e` along the axis of an edge :math:`e`
    of the prediction, and the diagonal :math:`c` of the smallest box around both,

    .. math::

        \ell = \ell_{IoU} + \frac{\rho^2}{c^2 + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = \frac{\partial \ell_{IoU}}{\partial e}
        + \frac{d_e}{c^2 + \epsilon} - \frac{\rho^2\, \partial_e c^2}{(c^2 + \epsilon)^2}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union and to the squared diagonal, as in torchvision. With 0 the loss does not
        change with the unit of lengths.
    {format}

    See Also
    --------
    CIoU : Also compares the shapes.
    distance_box_iou : The matrix of all pairs of two sets of boxes, subtracted from 1.

    Notes
    -----
    Domain:
    {sides}
    Boxes far apart have a loss up to 2. With `eps` 0, identical boxes without area have the loss 0.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] Z. Zheng et al., "Distance-IoU loss", AAAI 2020, arXiv:1911.08287.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.DIoU(eps=0.0)([[0, 0, 2, 2]], [[3.0, 0.0, 5.0, 2.0]])
    1.3103448275862069
    """

    kernel = "diou"
    variants = _FORMATS
    eps: float = number(NON_NEGATIVE, default=EPS)


@loss("complete_box_iou_loss", name="ciou")
class CIoU(BoxLoss):
    r"""Complete intersection over union of two boxes: their distance and their shapes count too.

    With the loss :math:`\ell_{DIoU}`, the widths :math:`w` and heights :math:`h`, and an edge :math:`e` of the
    prediction,

    .. math::

        \ell = \ell_{DIoU} + \alpha v \qquad
        v = \frac{4}{\pi^2} \left( \arctan \frac{w^*}{h^*} - \arctan \frac{w}{h} \right)^2 \qquad
        \alpha = \frac{v}{\ell_{IoU} + v + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = \frac{\partial \ell_{DIoU}}{\partial e} + \alpha \frac{\partial v}{\partial
        e}

    of which :math:`\alpha` counts as a constant, or the derivative is
    :math:`(2 \alpha - \alpha^2)\, \partial_e v - \alpha^2\, \partial_e \ell_{IoU}` in place of :math:`\alpha\,
    \partial_e v`.

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union, to the squared diagonal and to the divisor of alpha, as in torchvision.
        With 0 the loss does not change with the unit of lengths.
    detach_alpha : bool, default=True
        Whether alpha counts as a constant in the derivative, as in the paper and in torchvision. With False the
        gradient is that of the value.
    {format}

    See Also
    --------
    DIoU : Without the shapes.
    complete_box_iou : The matrix of all pairs of two sets of boxes, subtracted from 1.

    Notes
    -----
    Domain:
    {sides}
    A box without height has the angle of a right angle, and a point any shape: its v is 0. With `eps` 0, identical
    boxes have the loss 0.
    {edges}

    Numerics:
    {strips}
    The difference of the two arc tangents is one, of a quotient that has all its digits near 0.

    References
    ----------
    .. [1] Z. Zheng et al., "Distance-IoU loss", AAAI 2020, arXiv:1911.08287.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CIoU(eps=0.0)([[0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0]]).__round__(6)
    0.534498
    """

    kernel = "ciou"
    variants = (*_FORMATS, {"detach_alpha": False})
    eps: float = number(NON_NEGATIVE, default=EPS)
    detach_alpha: bool = True

    def _constants(self) -> dict[str, float]:
        return {"eps": self.eps, "attached": float(not self.detach_alpha)}


@loss(name="eiou")
class EIoU(BoxLoss):
    r"""Efficient intersection over union of two boxes: distances of centres, widths and heights.

    With the loss :math:`\ell_{DIoU}`, the differences :math:`\delta_w, \delta_h` of widths and heights, the sides
    :math:`c_w, c_h` of the smallest box around both, and an edge :math:`e` of the prediction,

    .. math::

        \ell = \ell_{DIoU} + \frac{\delta_w^2}{c_w^2 + \epsilon} + \frac{\delta_h^2}{c_h^2 + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = \frac{\partial \ell_{DIoU}}{\partial e} + \sum_s
        \frac{2 \delta_s\, \partial_e \delta_s}{c_s^2 + \epsilon}
        - \frac{2 \delta_s^2 c_s\, \partial_e c_s}{(c_s^2 + \epsilon)^2}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union and to all squares that divide.
    {format}

    See Also
    --------
    CIoU : Compares the shapes by an angle.

    Notes
    -----
    Domain:
    {sides}
    Boxes far apart have a loss up to 4. With `eps` 0, identical boxes without area have the loss 0.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] Y. Zhang et al., "Focal and efficient IOU loss for accurate bounding box regression", 2021, arXiv:2101.08158.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.EIoU(eps=0.0)([[0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0]])
    0.78125
    """

    kernel = "eiou"
    variants = _FORMATS
    eps: float = number(NON_NEGATIVE, default=EPS)


@loss(name="siou")
class SIoU(BoxLoss):
    r"""Intersection over union of two boxes with costs for the angle, the distance and the shape.

    With the differences :math:`d_x, d_y` of the centres, the sides :math:`c_w, c_h` of the smallest box around both,
    and the sizes :math:`w, h` and :math:`w^*, h^*`,

    .. math::

        \ell = \ell_{IoU} + \tfrac12 (\Delta + \Omega) \qquad
        \Delta = \sum_{t \in \{x, y\}} 1 - e^{(\Lambda - 2) \rho_t} \qquad
        \rho_x = \frac{d_x^2}{c_w^2},\, \rho_y = \frac{d_y^2}{c_h^2} \qquad
        \Lambda = \frac{2 |d_x d_y|}{d_x^2 + d_y^2}

        \Omega = \sum_{s \in \{w, h\}} (1 - e^{-\omega_s})^\theta \qquad \omega_s = \frac{|s - s^*|}{\max(s, s^*)}
        \qquad
        \frac{\partial \ell}{\partial e} = \frac{\partial \ell_{IoU}}{\partial e}
        + \tfrac12 \frac{\partial (\Delta + \Omega)}{\partial e}

    for each edge :math:`e` of the prediction, through all of these.

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union. With 0 the loss does not change with the unit of lengths.
    theta : float, default=4.0
        How much the shapes count, at least 1; the paper has 2 to 6.
    {format}

    See Also
    --------
    EIoU : Penalties that are squares.

    Notes
    -----
    Domain:
    {sides}
    Of equal centres the angle's cost is 0, and its derivative. With `eps` 0, identical boxes have the loss 0.
    {edges}

    Numerics:
    {strips}
    The cost of the angle, the sine of twice an angle, is computed without one.

    References
    ----------
    .. [1] Z. Gevorgyan, "SIoU loss: more powerful learning for bounding box regression", 2022, arXiv:2205.12740.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SIoU(eps=0.0)([[0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0]]).__round__(6)
    0.570736
    """

    kernel = "siou"
    variants = ({"format": "xywh"}, {"format": "cxcywh", "eps": 0.0, "theta": 2.5})
    eps: float = number(NON_NEGATIVE, default=EPS)
    theta: float = number(Domain(low=1), default=4.0)


@loss(name="alpha_iou")
class AlphaIoU(BoxLoss):
    r"""Power of the intersection over union of two boxes, subtracted from 1.

    With the quotient :math:`q = 1 - \ell_{IoU}` and an edge :math:`e` of the prediction,

    .. math::

        \ell = 1 - q^\alpha \qquad
        \frac{\partial \ell}{\partial e} = \alpha q^{\alpha - 1} \frac{\partial \ell_{IoU}}{\partial e}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union. With 0 the loss does not change with the unit of lengths.
    alpha : float, default=3.0
        The power, greater than 0; above 1 boxes that overlap well weigh more.
    {format}

    See Also
    --------
    IoU : The power 1.

    Notes
    -----
    Domain:
    {sides}
    Boxes that do not overlap have the loss 1 and the derivative 0. With `eps` 0, identical boxes have the loss 0.
    {edges}

    Numerics:
    {strips}
    The power is taken of the logarithm of 1 less the loss: near identical boxes have all digits.

    References
    ----------
    .. [1] J. He et al., "Alpha-IoU: a family of power intersection over union losses", 2021, arXiv:2110.13675.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.AlphaIoU(eps=0.0)([[0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0]])
    0.875
    """

    kernel = "alpha_iou"
    variants = ({"format": "xywh", "alpha": 0.5}, {"format": "cxcywh", "eps": 0.0, "alpha": 2.0})
    eps: float = number(NON_NEGATIVE, default=EPS)
    alpha: float = number(POSITIVE, default=3.0)


@loss(name="mpdiou")
class MPDIoU(BoxLoss):
    r"""Intersection over union of two boxes with the distances of their corners.

    With the differences :math:`d_l, d_t, d_r, d_b` of the edges, and the sides of the image,

    .. math::

        \ell = \ell_{IoU} + \frac{d_l^2 + d_t^2 + d_r^2 + d_b^2}{width^2 + height^2} \qquad
        \frac{\partial \ell}{\partial e} = \frac{\partial \ell_{IoU}}{\partial e} + \frac{2 d_e}{width^2 + height^2}

    for each edge :math:`e` of the prediction.

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union. With 0 the loss does not change with the unit of lengths.
    width : float, default=640.0
        The width of the image, in the unit of the boxes.
    height : float, default=640.0
        Its height.
    {format}

    See Also
    --------
    DIoU : The distance of the centres, in the smallest box around both.

    Notes
    -----
    Domain:
    {sides}
    With `eps` 0, identical boxes have the loss 0.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] S. Ma, Y. Xu, "MPDIoU: a loss for efficient and accurate bounding box regression", 2023, arXiv:2307.07662.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MPDIoU(width=4.0, height=3.0)([[0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0]]).__round__(6)
    0.54
    """

    kernel = "mpdiou"
    variants = ({"format": "xywh", "width": 1.0, "height": 2.0}, {"format": "cxcywh", "eps": 0.0})
    eps: float = number(NON_NEGATIVE, default=EPS)
    width: float = number(POSITIVE, default=640.0)
    height: float = number(POSITIVE, default=640.0)

    def _constants(self) -> dict[str, float]:
        return {"eps": self.eps, "diagonal": math.hypot(self.width, self.height)}


@loss(name="wise_iou")
class WiseIoU(BoxLoss):
    r"""Wise intersection over union, version 1: the loss times how far the centres are apart.

    With the distance :math:`\rho` of the centres, whose difference is :math:`d_e` along the axis of an edge :math:`e`
    of the prediction, and the diagonal :math:`c` of the smallest box around both, which counts as a constant,

    .. math::

        \ell = R\, \ell_{IoU} \qquad R = \exp \frac{\rho^2}{c^2 + \epsilon} \qquad
        \frac{\partial \ell}{\partial e} = R \left( \frac{\partial \ell_{IoU}}{\partial e}
        + \ell_{IoU} \frac{d_e}{c^2 + \epsilon} \right)

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union and to the squared diagonal.
    {format}

    See Also
    --------
    DIoU : Adds the distance.

    Notes
    -----
    Domain:
    {sides}
    Boxes far apart have a loss up to e. With `eps` 0, identical boxes have the loss 0.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] Z. Tong et al., "Wise-IoU: bounding box regression loss with dynamic focusing mechanism", 2023,
       arXiv:2301.10051.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.WiseIoU(eps=0.0)([[0, 0, 2, 2]], [[0.0, 0.0, 2.0, 1.0]]).__round__(6)
    0.515872
    """

    kernel = "wise_iou"
    variants = _FORMATS
    eps: float = number(NON_NEGATIVE, default=EPS)


@loss(name="inner_iou")
class InnerIoU(BoxLoss):
    r"""Intersection over union of two boxes that are shrunk, or grown, about their centres.

    The loss :math:`\ell_{IoU}` of the boxes with `ratio` times their sides about the same centres: with the inner edges
    :math:`l', r'` of the prediction

    .. math::

        \ell = \ell_{IoU}(inner) \qquad
        \frac{\partial \ell}{\partial l} = \frac{1 + ratio}{2} \frac{\partial \ell}{\partial l'}
        + \frac{1 - ratio}{2} \frac{\partial \ell}{\partial r'}

    Parameters
    ----------
    eps : float, default=1e-7
        What is added to the area of the union. With 0 the loss does not change with the unit of lengths.
    ratio : float, default=0.7
        Of the sides, greater than 0; the paper has 0.5 to 1.5. Below 1 it helps boxes that overlap well, above 1
        others.
    {format}

    See Also
    --------
    IoU : The ratio 1.

    Notes
    -----
    Domain:
    {sides}
    Inner boxes that do not overlap have the loss 1 and the derivative 0. With `eps` 0, identical boxes have the
    loss 0.
    {edges}

    Numerics:
    {strips}

    References
    ----------
    .. [1] H. Zhang et al., "Inner-IoU: more effective intersection over union loss with auxiliary bounding box", 2023,
       arXiv:2311.02877.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.InnerIoU(ratio=0.5, eps=0.0)([[0, 0, 2, 2]], [[0.5, 0.0, 2.5, 2.0]])
    0.6666666666666666
    """

    kernel = "inner_iou"
    variants = ({"format": "xywh", "ratio": 1.3}, {"format": "cxcywh", "eps": 0.0})
    eps: float = number(NON_NEGATIVE, default=EPS)
    ratio: float = number(POSITIVE, default=0.7)
