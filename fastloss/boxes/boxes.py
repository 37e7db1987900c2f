"""Losses of boxes: what they declare, and one call of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastloss._core.evaluation import ABSENT, NARROW, Evaluation, Operand, Specification, mismatched
from fastloss._core.isa import kernels
from fastloss._core.loss import Loss, choice
from fastloss._core.operands import EXACT_IN_SINGLE, memory_order, readable
from fastloss._core.runtime import HESS, PROPAGATE, RAISE, Kernel, Mismatch
from fastloss._core.signature import Argument, Signature
from fastloss._core.threads import threads_for

_boxes: Callable[..., tuple[int, int, tuple[float, ...]]] = kernels("boxes").boxes
KERNELS: dict[str, Kernel] = kernels("boxes").KERNELS

FORMATS = ("xyxy", "xywh", "cxcywh")  # in the order of the kernel's codes
ROTATED = len(FORMATS)
ARRAYS = ("y_true", "y_pred", "grad_out", "sample_weight", "mask", "out", "weights")  # in the kernel's order


def of_boxes(sides: int) -> Signature:
    """That of boxes of so many numbers along the last axis."""
    core = ((sides,),)
    return Signature((Argument("y_true", core),), (Argument("y_pred", core),))


@dataclass(frozen=True, slots=True)
class BoxSpecification(Specification):
    """What a loss of boxes tells the driver."""

    format: int
    least: float  # unit of lengths: in a smaller one, eps might be too large for float32


class BoxEvaluation(Evaluation):
    """The arrays of one call, checked, and what to do with them."""

    __slots__ = ("_order",)

    _spec: BoxSpecification

    def _arrange(self) -> None:
        """Settle the shape of the boxes, the order in which they lie in memory, and the type of the computation."""
        owner, y, x = self._spec.owner, self._y, self._x
        sides = self._loss.signature.columns
        if x.shape[-1:] != (sides,):
            raise ValueError(f"{owner}: y_pred has shape {x.shape}, must have {sides} numbers for each box, last")
        if y.shape != x.shape:
            raise ValueError(f"{owner}: y_true has shape {y.shape}, must match y_pred's {x.shape}")
        self._shape = x.shape[:-1]
        self._single = self._x_code in NARROW and self._y_code in EXACT_IN_SINGLE
        self._domains = None
        self._order = tuple(range(len(self._shape))) if x.flags.c_contiguous else memory_order(self._like())

    def _like(self) -> Any:
        return self._x[..., 0]

    def _whose_shape(self) -> str:
        return "the boxes'"

    @property
    def indexed(self) -> bool:
        return len(self._shape) > 0

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        spec, policy, order = self._spec, self._nan_policy, self._order
        if operation & HESS:
            raise ValueError(f"{spec.owner}: there is no grad_and_hess, the Hessian is not diagonal")
        grad = grads[0] if grads else ABSENT
        if not check and policy == RAISE:
            policy = PROPAGATE
        whole, each = (self._y, self._x, grad.array), (self._weight, self._kept, value, self._apart)
        arrays = (*whole, *(one.array for one in each))
        if order != tuple(range(len(order))):
            axes = (*order, len(order))
            arrays = tuple(None if array is None else array.transpose(axes[: array.ndim]) for array in arrays)
        try:
            bad, culprit, sums = _boxes(
                spec.kernel,
                operation,
                arrays=arrays,
                dtypes=(self._y_code, self._x_code, grad.code, *(one.code for one in each)),
                constants=spec.constants,
                format=spec.format,
                least=spec.least,
                scale=scale,
                nan_policy=policy,
                single=self._single,
                num_threads=threads_for(self._num_threads, self._x.size),
            )
        except Mismatch as error:
            raise mismatched(spec.owner, ARRAYS, error) from None
        if bad >= 0:
            self._complain(bad, culprit, order)
        return sums

    def _complain(self, bad: int, culprit: int, order: tuple[int, ...] | None) -> None:
        """Raise for the box that the kernel found."""
        owner, order = self._spec.owner, self._order
        walked = np.unravel_index(bad, [self._shape[axis] for axis in order])
        box = tuple(int(walked[order.index(axis)]) for axis in range(len(self._shape)))
        if culprit:
            weight = self._weight.array[box]
            raise ValueError(f"{owner}: sample_weight{_index(box)} is {weight}, must be {self._spec.rules[culprit]}")
        numbers = readable(self._y[box], self._y_code)
        at = (*box, int(np.flatnonzero(numbers != numbers)[0]))
        raise ValueError(f"{owner}: y_true{_index(at)} is nan, must be a number with nan_policy='raise'")


COMMON = {
    "format": """
format : {"xyxy", "xywh", "cxcywh"}
    What the four numbers of a box are: two corners; a corner and the sides; or the centre and the sides.
""",
    "sides": """
any real numbers. A side that is negative counts as one of 0 about the same centre, and has the derivative of the centre
alone.
""",
    "rotated": """
any real numbers: centre, sides, and the angle of the first side in radians. A side that is negative counts as 0, and
has no derivative.
""",
    "edges": """
Where two edges meet, a derivative is the mean of those on both sides: of identical boxes it is 0, but for `eps`.
Infinite coordinates may give NaN, finite ones never do.
""",
    "strips": """
what is not shared is summed from the strips between the edges, without a difference that cancels, in a unit of about
the size of both boxes: neither small nor huge boxes lose digits, and areas do not overflow.
""",
}


class _BoxLoss(Loss):
    """A loss of pairs of boxes, whose numbers lie along the last axis of both arrays: one number for each pair."""

    common = COMMON
    _evaluation = BoxEvaluation

    def _constants(self) -> dict[str, float]:
        """The constants of the formula by name, up to four; by default the parameters."""
        return {name: float(value) for name, value in self.parameters().items() if name != "format"}

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, self._constants()

    def _specified(self) -> BoxSpecification:
        kernel = KERNELS[self.kernel]
        return BoxSpecification(
            owner=type(self).__name__,
            kernel=kernel,
            constants=kernel.constants(self._constants()),
            bounded=False,
            closed=(None, None),
            rules=("", "", "", "finite and not negative"),
            format=FORMATS.index(self.parameters()["format"]) if "format" in self._fields else ROTATED,
            least=math.sqrt(self.parameters().get("eps", 0.0)),
        )


class BoxLoss(_BoxLoss):
    """A loss of boxes with upright sides."""

    signature = of_boxes(4)
    scores = "boxes"
    format: str = choice(*FORMATS, default="xyxy", kw_only=True)


class RotatedBoxLoss(_BoxLoss):
    """A loss of rotated boxes: centre, sides, and the angle of the first side in radians."""

    signature: ClassVar[Signature] = of_boxes(5)
    scores = "rotated_boxes"


def _index(index: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, index)) + "]" if index else ""
