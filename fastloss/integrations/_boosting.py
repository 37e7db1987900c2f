"""What the boosting libraries share: derivatives that a tree can be grown from, and the constant to start from."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastloss as fl
from fastloss import Loss
from fastloss._base import RAW
from fastloss._call import GRAD, HESS, Array, Floats
from fastloss._rows import RowLoss

Doubles: TypeAlias = NDArray[np.float64]
Rule: TypeAlias = Callable[[Doubles, Doubles | None], float]
Quantiles: TypeAlias = Callable[[Doubles, Doubles | None, float], float]

# Curvature ------------------------------------------------------------------------------------------

FLOOR = 2e-6  # under curvatures that are "floored"; XGBoost's half squared logarithmic error has half this


def surrogate(loss: Loss) -> float | None:
    """What stands for the curvature of a loss that has none to use; None for a loss with its own."""
    return _largest_curvature(loss) if loss.newton == "surrogate" else None


@lru_cache(maxsize=256)
def _largest_curvature(loss: Loss) -> float:
    """The largest curvature, of a row in any direction, where it is finite and positive, else 1."""
    if loss.pair or isinstance(loss, fl.MultiQuantile):
        return 1.0
    parameters = loss.parameters()
    class_weight: tuple[float, ...] | None = parameters.get("class_weight")
    if class_weight is not None:
        return max(class_weight) * _largest_curvature(type(loss)(**parameters | {"class_weight": None}))
    target, _, _ = loss.domains()
    distance = np.geomspace(1e-3, 1e6, 4000)
    x = np.concatenate([[0.0], distance, -distance, 1 - distance, distance - 1])  # kinks are at 0 or at margins of 1
    labels = (target.low, target.high) if target.bounded else (0.0,)
    if loss.rowwise:
        x = np.column_stack((x, np.zeros_like(x)))  # the direction of the largest one changes two scores
    curvatures = (loss.grad_and_hess(np.full(len(x), y), x, reduction="sum")[1] for y in labels)
    largest = max(float(curvature.max()) for curvature in curvatures) * (2 if loss.rowwise else 1)
    return largest if 0 < largest < math.inf else 1.0


# Objectives -----------------------------------------------------------------------------------------


class Value:
    """Something that never changes, so that its copy is itself; CatBoost's estimators can be cloned only then."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True)
class Objective(Value):
    """The gradient and the curvature of a loss for a booster, in arrays that each thread uses again and again."""

    loss: Loss
    constant: float | None = field(init=False, repr=False, compare=False)  # in place of the curvature
    order: ClassVar[Literal["C", "F"]] = "C"
    _memory: threading.local = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        loss, owner = self.loss, type(self.loss).__name__
        if loss.aggregate:
            raise ValueError(
                f"{owner}: the loss is one of the whole sample, must be a sum over elements to be an objective of"
                " gradient boosting; its metric can still be watched"
            )
        if isinstance(loss, RowLoss) and loss.labelled is None:
            raise ValueError(
                f"{owner}: y_true holds a target of each class, must hold labels for an objective of gradient boosting"
            )
        if isinstance(loss, RowLoss) and loss.scores not in RAW:
            raise ValueError(
                f"{owner}: y_pred holds {loss.scores.replace('_', ' ')}, must hold logits for an objective of gradient"
                " boosting, which predicts any real numbers"
            )
        if loss.unsupervised:
            raise ValueError(
                f"{owner}: labels say only which rows count, must be what an objective of gradient boosting learns"
            )
        if loss.newton == "none":
            raise ValueError(f"{owner}: the gradient is 0 everywhere, must be another loss to be learned from")
        object.__setattr__(self, "constant", surrogate(loss))
        object.__setattr__(self, "_memory", threading.local())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.loss,)

    def derivatives(self, y_true: Array, y_pred: Array, sample_weight: Array | None) -> tuple[Floats, Floats]:
        """The weighted derivatives in float32; the next call of this thread for as many rows overwrites them."""
        y = y_true.reshape(y_pred.shape) if y_true.size == y_pred.size else y_true
        grad, hess = self._outputs(y_pred.shape)
        return derivatives(self.loss, self.constant, y, y_pred, sample_weight, grad, hess)

    def _outputs(self, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        memory = self._memory
        if getattr(memory, "shape", None) != shape:
            memory.outputs = tuple(np.empty(shape, np.float32, self.order) for _ in range(2))
            memory.shape = shape
        outputs: tuple[Floats, Floats] = memory.outputs
        return outputs


def derivatives(
    loss: Loss, constant: float | None, y: Array, x: Array, weight: Array | None, grad: Floats, hess: Floats
) -> tuple[Floats, Floats]:
    """Write the weighted gradient, and the curvature or the constant that stands for it."""
    call = loss._call(loss, y, x, weight)
    by_row = None if weight is None else weight.reshape(weight.shape + (1,) * (hess.ndim - weight.ndim))
    if constant is None:
        call.reduced(GRAD | HESS, "sum", grad_out=grad, hess_out=hess, scratch=True)
        if loss.newton == "floored":
            np.maximum(hess, FLOOR if by_row is None else FLOOR * by_row, out=hess)
        return grad, hess
    call.reduced(GRAD, "sum", grad_out=grad, scratch=True)
    if by_row is None:
        hess.fill(constant)
    else:
        np.multiply(by_row, constant, out=hess, casting="same_kind")
    return grad, hess


# Where to start -------------------------------------------------------------------------------------


def start(
    loss: Loss, y_true: ArrayLike, sample_weight: ArrayLike | None, quantile: Quantiles, own: Mapping[type[Loss], Rule]
) -> float | Doubles:
    """The constant prediction that training starts from.

    That of a library's own rule for a loss; that of the least mean loss where it has a closed form; else one Newton
    step from 0.
    """
    y = np.asarray(y_true, np.float64)
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    if y.ndim != 1 or not y.size:
        raise ValueError(f"{type(loss).__name__}: y_true has shape {y.shape}, must have one axis, and elements")
    if weight is not None and weight.shape != y.shape:
        raise ValueError(f"{type(loss).__name__}: sample_weight has shape {weight.shape}, must have y_true's {y.shape}")
    if weight is not None and not weight.sum() > 0:
        raise ValueError(f"{type(loss).__name__}: sample_weight sums to {weight.sum():g}, must be positive")
    with np.errstate(divide="ignore"):
        rule = own.get(type(loss))
        found = rule(y, weight) if rule else _start(loss, y, weight, quantile)
    if not np.isfinite(found).all():
        raise ValueError(
            f"{type(loss).__name__}: the best constant for y_true is {found}, must be finite to start from"
        )
    return found


def mean(y: Doubles, weight: Doubles | None) -> float:
    return float(np.average(y, weights=weight))


def _start(loss: Loss, y: Doubles, weight: Doubles | None, quantile: Quantiles) -> float | Doubles:
    match loss:
        case fl.SquaredError():
            return mean(y, weight)
        case fl.BinaryCrossEntropy() | fl.BrierScore() | fl.PoissonNLL(log_input=False) | fl.Tweedie(link="identity"):
            return mean(y, weight)
        case fl.PoissonDeviance() | fl.GammaDeviance() | fl.TweedieDeviance():
            return mean(y, weight)
        case fl.PoissonNLL() | fl.GammaNLL() | fl.Tweedie():
            return float(np.log(mean(y, weight)))
        case fl.BinaryCrossEntropyWithLogits():
            smooth = (1 - loss.label_smoothing) * mean(y, weight) + loss.label_smoothing / 2
            return _logit(loss.pos_weight * smooth, 1 - smooth)
        case fl.SoftMargin():
            positive = mean((y > 0).astype(np.float64), weight)
            return _logit(positive, 1 - positive)
        case fl.AbsoluteError():
            return quantile(y, weight, 0.5)
        case fl.Quantile():
            # Where prediction and target are equal the libraries take the slope above: start there.
            return float(np.nextafter(np.float32(quantile(y, weight, loss.alpha)), np.float32(np.inf)))
        case fl.MultiQuantile():
            return np.array([quantile(y, weight, level) for level in loss.quantiles])
        case fl.AbsolutePercentageError():
            size = np.maximum(np.abs(y), loss.epsilon)
            return quantile(y, (1.0 if weight is None else weight) / size, 0.5)
    if isinstance(loss, fl.CrossEntropy) and loss == fl.CrossEntropy(hessian=loss.hessian):
        counts = np.bincount(y.astype(np.intp), weight)
        shares: Doubles = np.maximum(counts / counts.sum(), EPSILON)
        return np.asarray(np.log(shares))
    columns = (2,) if loss.pair else (math.ceil(y.max()) + 1,) if loss.rowwise else ()
    grad, hess = (np.empty((y.size, *columns)) for _ in range(2))
    derivatives(loss, surrogate(loss), y, np.zeros((y.size, *columns)), weight, grad, hess)
    step: Doubles = -grad.sum(axis=0) / hess.sum(axis=0)
    return step if columns else float(step)


EPSILON = 1e-15  # the least probability of a class, as LightGBM has it


def _logit(positive: float, negative: float) -> float:
    least = EPSILON * (positive + negative)
    return math.log(max(positive, least) / max(negative, least))
