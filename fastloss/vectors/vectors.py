"""Losses of vectors: what they declare, and one call of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core.evaluation import ABSENT, CULPRITS, Operand, Specification, mismatched
from fastloss._core.isa import kernels
from fastloss._core.multi_input import MultiInputEvaluation, MultiInputLoss
from fastloss._core.operands import FLOATS, memory_order, readable
from fastloss._core.parameters import ANY, Domain
from fastloss._core.runtime import FLOAT32, FLOAT64, PROPAGATE, RAISE, Kernel, Mismatch
from fastloss._core.signature import NUMBER, Argument, Signature
from fastloss._core.threads import threads_for

_tuples: Callable[..., tuple[int, int, tuple[float, ...]]] = kernels("vectors").tuples
KERNELS: dict[str, Kernel] = kernels("vectors").KERNELS
MEASURES: dict[str, int] = kernels("vectors").MEASURES

Measure: TypeAlias = Literal["squared_euclidean", "euclidean", "manhattan", "power", "largest", "cosine", "similarity"]

NAMED_DEGREES: dict[float, Measure] = {1: "manhattan", 2: "euclidean", math.inf: "largest"}

FEATURES = (("feature",),)
MOST_ROWS = 4  # of a tuple, as the kernel has it
NUMBERS = ("y_true", "sample_weight", "mask", "out", "weights", "coefficients")  # one for each tuple, in its order
TOGETHER = Argument("y_true", (NUMBER,), description="1 where the two rows belong together, 0 or -1 where they do not.")
LEFT = Argument("left", FEATURES, description="Vectors along the last axis, the first of each pair.")
RIGHT = Argument("right", FEATURES, description="The second of each pair, of the same shape.")


class PairGrads(NamedTuple):
    """The gradients in the two vectors of each pair."""

    left: NDArray[Any]
    right: NDArray[Any]


PAIR = Signature((), (LEFT, RIGHT))
LABELLED_PAIR = Signature((TOGETHER,), (LEFT, RIGHT))


@dataclass(frozen=True, slots=True)
class VectorSpecification(Specification):
    """What a loss of vectors tells the driver."""

    measure: Measure
    eps: float  # added to each difference
    p: float  # the degree of "power"


class VectorEvaluation(MultiInputEvaluation):
    """The arrays of one call of a loss of tuples of vectors, and what to do with them."""

    __slots__ = ("_coefficients", "_order")

    _loss: VectorLoss
    _spec: VectorSpecification

    def _arrange(self) -> None:
        super()._arrange()
        self._coefficients = ABSENT
        self._order = memory_order(self._like())
        self._domains = self._spec.closed[self._single]

    def _like(self) -> Any:
        """The first of the features, in whose memory order the tuples are walked."""
        return self._x[..., 0] if self._x.shape[-1] else np.broadcast_to(np.zeros((), self.dtype), self._shape)

    def _targets(self) -> Operand:
        targets = self._loss.signature.targets
        return self._arrays[targets[0].name] if targets else ABSENT

    def _rows(self) -> list[Operand]:
        """The arrays whose rows a tuple is made of."""
        return [self._arrays[argument.name] for argument in self._loss.signature.predictions]

    def _walked(self, array: Any) -> Any:
        """An array as the kernel walks it: the tuples as they lie in memory, the features last."""
        if array is None or len(self._order) < 2:
            return array
        features = range(len(self._order), array.ndim)
        return array.transpose((*self._order, *features))

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        spec, policy = self._spec, self._nan_policy
        if not check and policy == RAISE:
            policy = PROPAGATE
        rows = self._rows()
        numbers = (self._targets(), self._weight, self._kept, value, self._apart, self._coefficients)
        try:
            bad, culprit, sums = _tuples(
                spec.kernel,
                operation,
                rows=tuple(self._walked(row.array) for row in rows),
                row_dtypes=tuple(row.code for row in rows),
                grads=tuple(self._walked(grad.array) for grad in grads),
                grad_dtypes=tuple(grad.code for grad in grads),
                numbers=tuple(self._walked(number.array) for number in numbers),
                number_dtypes=tuple(number.code for number in numbers),
                constants=spec.constants,
                domain=self._domains[0] if check and self._domains is not None else None,
                measure=MEASURES[spec.measure],
                eps=spec.eps,
                p=spec.p,
                scale=scale,
                nan_policy=policy,
                single=self._single,
                num_threads=threads_for(self._num_threads, self._x.size),
            )
        except Mismatch as error:
            raise mismatched(spec.owner, self._names(), error) from None
        if bad >= 0:
            self._complain(bad, culprit, self._order)
        return sums

    def _names(self) -> list[str]:
        """The arrays in the kernel's order."""
        names = [row.name for row in self._rows()]
        filled = [""] * (MOST_ROWS - len(names))
        return [*names, *filled, *(f"grad_out.{name}" for name in names), *filled, *NUMBERS]

    def _complain(self, bad: int, culprit: int, order: tuple[int, ...] | None) -> None:
        """Raise for the tuple that the kernel found."""
        walked = np.unravel_index(bad, [self._shape[axis] for axis in self._order])
        index = tuple(int(walked[self._order.index(axis)]) for axis in range(len(self._shape)))
        where = "[" + ", ".join(map(str, index)) + "]" if index else ""
        if culprit:
            weight = self._weight.array[index]
            raise ValueError(
                f"{self.owner}: {CULPRITS[culprit]}{where} is {weight}, must be {self._spec.rules[culprit]}"
            )
        self._refuse(where, readable(self._targets().array[index], self._targets().code))

    def _refuse(self, where: str, target: Any) -> None:
        """Raise for a target."""
        rule = "a number with nan_policy='raise'" if target != target else self._spec.rules[0]
        raise ValueError(f"{self.owner}: {self._targets().name}{where} is {target}, must be {rule}")

    def contiguous(self, given: Operand) -> Operand:
        """Rows that are looked up, in the type that is computed in: a copy only where they are not that already."""
        code = FLOAT32 if self._single else FLOAT64
        array = np.require(readable(given.array, given.code), FLOATS[code], ["C", "ALIGNED"])
        return replace(given, array=array, code=code)


class VectorLoss(MultiInputLoss):
    """A loss of each tuple of vectors: a formula of distances between two of them.

    `kernel` names the formula, `_measured` says how a distance is measured.
    """

    _evaluation = VectorEvaluation
    scores = "embeddings"
    target: ClassVar[Domain] = ANY

    def _measured(self) -> tuple[Measure, float, float]:
        """The measure, what is added to each difference, and the degree of "power"."""
        return "euclidean", 0.0, 2.0

    def _specified(self) -> VectorSpecification:
        name, constants = self._kernel()
        formula, domain = KERNELS[name], self.target
        closed = [None if domain is ANY else (domain.closed(dtype),) for dtype in (np.float64, np.float32)]
        measure, eps, p = self._measured()
        return VectorSpecification(
            owner=type(self).__name__,
            kernel=formula,
            constants=formula.constants(constants),
            bounded=domain.bounded,
            closed=(closed[0], closed[1]),
            rules=(str(domain), "", "", "finite and not negative"),
            measure=measure,
            eps=eps,
            p=p,
        )


def power_measure(p: float) -> Measure:
    """The measure of this degree."""
    return NAMED_DEGREES.get(p, "power")
