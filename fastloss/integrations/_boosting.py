"""What the boosting libraries share: derivatives that a tree can be grown from."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np

from fastloss import Loss
from fastloss._core.evaluation import Array, Floats
from fastloss._core.loss import RAW, require_loss
from fastloss._core.runtime import GRAD, HESS

Curvature: TypeAlias = Literal["majorizing", "own"]

# Curvature ------------------------------------------------------------------------------------------

FLOOR = 2e-6  # under curvatures that are "floored"; XGBoost's half squared logarithmic error has half this


def constant_hessian(loss: Loss) -> float | None:
    """What stands for the curvature of a loss that has none to use; None for a loss with its own."""
    return _largest_curvature(loss) if loss.hessian_approximation == "constant" else None


@lru_cache(maxsize=256)
def _largest_curvature(loss: Loss) -> float:
    """The largest curvature, of a row in any direction, where it is finite and positive, else 1."""
    if loss.signature.columns:
        return 1.0
    parameters = loss.parameters()
    class_weight: tuple[float, ...] | None = parameters.get("class_weight")
    if class_weight is not None:
        return max(class_weight) * _largest_curvature(type(loss)(**parameters | {"class_weight": None}))
    target, _, _ = loss.domains()
    distance = np.geomspace(1e-3, 1e6, 4000)
    x = np.concatenate([[0.0], distance, -distance, 1 - distance, distance - 1])  # kinks are at 0 or at margins of 1
    labels = (target.low, target.high) if target.bounded else (0.0,)
    if loss.signature.rowwise:
        x = np.column_stack((x, np.zeros_like(x)))  # the direction of the largest one changes two scores
    curvatures = (loss.grad_and_hess(np.full(len(x), y), x, reduction="sum")[1] for y in labels)
    largest = max(float(curvature.max()) for curvature in curvatures) * (2 if loss.signature.rowwise else 1)
    return largest if 0 < largest < math.inf else 1.0


@lru_cache(maxsize=256)
def _largest_weight(loss: Loss) -> float:
    """The weight of a residual of 0, the limit of slope over residual, which is the curvature there."""
    return float(loss.grad_and_hess([0.0], [0.0], reduction="sum")[1][0])


# Objectives -----------------------------------------------------------------------------------------


class Value:
    """Something that never changes, so that its copy is itself; CatBoost's estimators can be cloned only then."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True)
class Metric(Value):
    """A mean loss for a booster to watch."""

    loss: Loss

    def __post_init__(self) -> None:
        require_loss("metric", self.loss)


def refuse_untrainable(owner: str, loss: Loss) -> None:
    """Refuse what is no loss, and losses that no trees are grown from."""
    require_loss(owner, loss)
    name = type(loss).__name__
    if not loss.signature.additive:
        raise ValueError(
            f"{name}: the loss is one of the whole sample, must be a sum over elements to be an objective of"
            " gradient boosting; its metric can still be watched"
        )
    if loss.signature.rowwise and not loss.signature.labels:
        raise ValueError(
            f"{name}: y_true holds a target of each class, must hold labels for an objective of gradient boosting"
        )
    if loss.signature.rowwise and loss.scores not in RAW:
        raise ValueError(
            f"{name}: y_pred holds {loss.scores.replace('_', ' ')}, must hold logits for an objective of gradient"
            " boosting, which predicts any real numbers"
        )
    if loss.signature.unsupervised:
        raise ValueError(
            f"{name}: labels say only which rows count, must be what an objective of gradient boosting learns"
        )
    if loss.hessian_approximation == "none":
        raise ValueError(f"{name}: the gradient is 0 everywhere, must be another loss to be learned from")


@dataclass(frozen=True)
class Objective(Value):
    """The gradient and the curvature of a loss for a booster, in arrays that each thread uses again and again."""

    loss: Loss
    curvature: Curvature | None = None
    constant: float | None = field(init=False, repr=False, compare=False)  # in place of the curvature
    order: ClassVar[Literal["C", "F"]] = "C"
    _memory: threading.local = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        loss, curvature = self.loss, self.curvature
        refuse_untrainable("objective", loss)
        if curvature not in (None, "majorizing", "own"):
            raise ValueError(f"{type(loss).__name__}: curvature is {curvature!r}, must be 'majorizing', 'own' or None")
        if curvature == "majorizing" and not loss.reweighted:
            raise ValueError(
                f"{type(loss).__name__}: curvature is 'majorizing', must be 'own': slope over residual is no bounded"
                " weight that falls with the residual, as it is for Huber or LogCosh"
            )
        object.__setattr__(self, "curvature", curvature or ("majorizing" if loss.reweighted else "own"))
        object.__setattr__(self, "constant", constant_hessian(loss))
        object.__setattr__(self, "_memory", threading.local())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.loss, self.curvature)

    def derivatives(self, y_true: Array, y_pred: Array, sample_weight: Array | None) -> tuple[Floats, Floats]:
        """The weighted derivatives in float32; the next call of this thread for as many rows overwrites them."""
        y = y_true.reshape(y_pred.shape) if y_true.size == y_pred.size else y_true
        return self.write(y, y_pred, sample_weight, *self._outputs(y_pred.shape))

    def write(self, y: Array, x: Array, weight: Array | None, grad: Floats, hess: Floats) -> tuple[Floats, Floats]:
        """Write the weighted gradient, and the curvature or what stands for it."""
        loss, constant = self.loss, self.constant
        call = loss._evaluation(loss, y, x, weight)
        by_row = None if weight is None else weight.reshape(weight.shape + (1,) * (hess.ndim - weight.ndim))
        if self.curvature == "majorizing":
            call.reduced(GRAD, "sum", grad_out=grad, scratch=True)
            _weigh(y, x, grad, hess, _largest_weight(loss), by_row)
        elif constant is None:
            call.reduced(GRAD | HESS, "sum", grad_out=grad, hess_out=hess, scratch=True)
            if loss.hessian_approximation == "floored":
                np.maximum(hess, FLOOR if by_row is None else FLOOR * by_row, out=hess)
        else:
            call.reduced(GRAD, "sum", grad_out=grad, scratch=True)
            np.copyto(hess, constant if by_row is None else constant * by_row, casting="same_kind")
        return grad, hess

    def _outputs(self, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        memory = self._memory
        if getattr(memory, "shape", None) != shape:
            memory.outputs = tuple(np.empty(shape, np.float32, self.order) for _ in range(2))
            memory.shape = shape
        outputs: tuple[Floats, Floats] = memory.outputs
        return outputs


def _weigh(y: Array, x: Array, grad: Floats, hess: Floats, largest: float, weight: Array | None) -> None:
    """Write the slope over the residual, which costs three passes of NumPy and a byte for each target."""
    with np.errstate(all="ignore"):
        np.subtract(x, y, out=hess, casting="same_kind")
        exact = hess == 0
        np.divide(grad, hess, out=hess)
    np.copyto(hess, largest if weight is None else largest * weight, where=exact, casting="same_kind")
