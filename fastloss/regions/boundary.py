"""Losses of predictions by their distance from the boundary of a mask, which is given."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

from fastloss._core.evaluation import Operand
from fastloss._core.loss import choice, loss
from fastloss._core.multi_input import MultiInputLoss
from fastloss._core.operands import operand
from fastloss._core.parameters import ANY, NON_NEGATIVE, Domain
from fastloss._core.signature import Argument, Signature
from fastloss.regions.regions import REGION, RegionEvaluation, RegionLoss

__all__ = ["Boundary", "HausdorffDT"]


@loss()
class Boundary(RegionLoss):
    r"""Boundary loss: the mean of what is predicted times its signed distance from the boundary of the mask.

    .. math::

        \ell = \frac{1}{n} \sum p \varphi \qquad \frac{\partial \ell}{\partial p} = \frac{\varphi}{n}

    with the distance :math:`\varphi`, negative inside of the mask and positive outside.

    Parameters
    ----------
    mode : {"binary", "multiclass", "multilabel"}, default="binary"
        Whether there is one class, or several, of which an element has one or any. Distances have the shape of the
        predictions.
    {logits}
    {groups}
    {classes}

    See Also
    --------
    HausdorffDT : Squared errors by their distance.

    Notes
    -----
    Domain: `y_true` holds the signed distances, any real number; `y_pred` lies in [0, 1], or is any real number with
    `from_logits`. The least value is that of a prediction of exactly the mask, and negative.

    {weights}

    Numerics: the terms have both signs, so that their sum cancels; it is that of float64, of four float32 terms each.

    References
    ----------
    .. [1] H. Kervadec et al., "Boundary loss for highly unbalanced segmentation", Medical Image Analysis 67 (2021),
       doi:10.1016/j.media.2020.101851.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Boundary()([[-1.0, 0.0, 1.0, 2.0]], [[1.0, 1.0, 0.5, 0.5]])
    0.125
    """

    variants = (
        {"from_logits": True, "groups": "image"},
        {"mode": "multiclass", "from_logits": True, "groups": "class"},
    )
    kernel = "boundary"
    labels = False
    target = ANY
    mode: str = choice("binary", "multiclass", "multilabel", default="binary", kw_only=True)
    from_logits: bool = field(default=False, kw_only=True)


class _DistanceEvaluation(RegionEvaluation):
    """A call with a distance for each element."""

    __slots__ = ()

    def __init__(self, loss: Any, arrays: Any, *options: Any, **named: Any) -> None:
        self._begin(loss, *(options[2:] or (named.pop("nan_policy", "propagate"), named.pop("num_threads", None))))
        given = dict(zip(loss.signature.names, arrays, strict=True))
        owner = self._spec.owner
        self._y, self._y_code = operand(owner, "y_true", given["y_true"])
        self._x, self._x_code = operand(owner, "y_pred", given["y_pred"])
        array, code = operand(owner, "distance", given["distance"])
        self._distance = Operand("distance", array, array, code)
        self._arrange()
        if array.shape != self._x.shape:
            raise ValueError(f"{owner}: distance has shape {array.shape}, must have y_pred's {self._x.shape}")
        self._select(*(options[:2] or (named.pop("sample_weight", None), named.pop("mask", None))))

    def _inputs(self) -> list[tuple[str, Any]]:
        return [("y_true", self._y), ("distance", self._distance.array), ("y_pred", self._x)]


_ARGUMENTS = (
    Argument("y_true", REGION, description="The mask, in [0, 1]."),
    Argument("distance", REGION, description="The weight of each element's squared error; not negative."),
)
_PREDICTION = (Argument("y_pred", REGION, description="Predictions, of the shape of `y_true`."),)


@loss()
class HausdorffDT(RegionLoss, MultiInputLoss):
    r"""Hausdorff loss by distance transforms: the mean of squared errors times their distance from the boundary.

    .. math::

        \ell = \frac{1}{n} \sum d (p - t)^2 \qquad \frac{\partial \ell}{\partial p} = \frac{2 d (p - t)}{n}

    The paper's :math:`d` is the sum of the squared distances from the boundary of the mask and from that of the
    prediction, which counts as a constant.

    Parameters
    ----------
    mode : {"binary", "multilabel"}, default="binary"
        Whether there is one class, or several, of which an element has any; all arrays have the shape of the
        predictions.
    {logits}
    {groups}
    {classes}

    See Also
    --------
    Boundary : Predictions by their signed distance.

    Notes
    -----
    Domain: `y_true` lies in [0, 1]; `distance` is not negative; `y_pred` lies in [0, 1], or is any real number with
    `from_logits`. The arrays come in the order `y_true`, `distance`, `y_pred`.

    {weights}

    Numerics:
    {numerics}

    References
    ----------
    .. [1] D. Karimi, S. E. Salcudean, "Reducing the Hausdorff distance in medical image segmentation with convolutional
       neural networks", IEEE Transactions on Medical Imaging 39 (2020), doi:10.1109/TMI.2019.2930068.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.HausdorffDT()([[1, 1, 0, 0]], [[1.0, 0.0, 1.0, 4.0]], [[1.0, 0.5, 0.5, 0.5]])
    0.3125
    """

    _evaluation = _DistanceEvaluation  # type: ignore[assignment]
    variants = ({"from_logits": True, "groups": "image"}, {"mode": "multilabel", "groups": "image_class"})
    kernel = "hausdorff"
    labels = False
    second_prediction: ClassVar[Domain] = NON_NEGATIVE  # as the driver counts the arrays
    mode: str = choice("binary", "multilabel", default="binary", kw_only=True)
    from_logits: bool = field(default=False, kw_only=True)

    @property
    def signature(self) -> Signature:  # type: ignore[override]
        return Signature(_ARGUMENTS, _PREDICTION, additive=self.groups in ("image", "image_class"))

    def _evaluated(self, arrays: Any, *options: Any) -> Any:
        if len(options) == 1:  # of states, by name
            return self._evaluation(self, self._bound(arrays, {}), **options[0])
        return MultiInputLoss._evaluated(self, arrays, *options)
