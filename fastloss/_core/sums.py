"""One call of a weighted sum of losses: each is computed of a piece of the arrays while it is cached."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core import counting
from fastloss._core.evaluation import ABSENT, Operand, Specification, check_reduction, pieces, state_of_losses
from fastloss._core.isa import kernels
from fastloss._core.operands import refuse_overlap
from fastloss._core.parameters import Domain
from fastloss._core.runtime import FLOAT32, FLOAT64, GRAD, HESS, VALUE
from fastloss.state import LossState

PIECE = 1 << 21  # bytes of predictions, which stay in the second-level caches
Terms: TypeAlias = Sequence[tuple[float, Any]]
Operands: TypeAlias = tuple[Operand, ...]


def common(domains: Sequence[Domain]) -> Domain:
    """What lies in all of some domains."""
    low = max(domains, key=lambda domain: (domain.low, domain.low_open))
    high = min(domains, key=lambda domain: (domain.high, not domain.high_open))
    return Domain(low.low, high.high, low.low_open, high.high_open, any(domain.ternary for domain in domains))


def composed(owner: str, terms: Terms, domains: Sequence[Domain], *, of_sigmoid: bool = False) -> Specification:
    """The specification of a kernel that adds up those of elementwise losses, or that of one of a sigmoid."""
    specs = [loss._spec for _, loss in terms]
    kernel = kernels("elementwise").composed(
        owner,
        tuple(
            (weight, spec.kernel, spec.constants, of_sigmoid) for (weight, _), spec in zip(terms, specs, strict=True)
        ),
    )
    return Specification.made(owner, kernel, (), tuple(domains))


class SumEvaluation:
    """The arrays of one call, checked by each of the losses."""

    def __init__(self, loss: Any, *arguments: Any, **options: Any) -> None:
        self.owner: str = loss._spec.owner
        self._loss = loss
        self._weights = [weight for weight, _ in loss.terms]
        self._calls: list[Any] = [term._evaluation(term, *arguments, **options) for _, term in loss.terms]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the elements, each of which has one loss."""
        shape: tuple[int, ...] = self._calls[0].shape
        return shape

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """The type of a result for each element."""
        dtype: type[np.floating[Any]] = self._calls[0].dtype
        return dtype

    @property
    def indexed(self) -> bool:
        """Whether targets and predictions have a first axis."""
        return bool(self._calls[0].indexed)

    @property
    def weighted(self) -> bool:
        """Whether some elements may count differently from others."""
        return any(call.weighted for call in self._calls)

    @property
    def num_threads(self) -> int | None:
        """What was asked for."""
        threads: int | None = self._calls[0].num_threads
        return threads

    def part(self, index: tuple[int | slice, ...]) -> Self:
        """The same call of some of the elements, whose axes come first."""
        evaluation = copy(self)
        evaluation._calls = [call.part(index) for call in self._calls]
        return evaluation

    def divisor(self, reduction: str) -> float:
        """That of the first loss; all targets and weights are checked."""
        divisors: list[float] = [call.divisor(reduction) for call in self._calls]
        return divisors[0]

    def apart(self, losses: NDArray[np.float64], weights: NDArray[np.float64] | None) -> None:
        """Write each loss, 0 where it has no weight, and each weight, -inf where the element does not count."""
        size = math.prod(self.shape)
        room = np.empty(size)
        own = None if weights is None else np.empty(size)
        for k, (factor, call) in enumerate(zip(self._weights, self._calls, strict=True)):
            call.apart(losses if k == 0 else room, weights if k == 0 else own)
            if k == 0:
                losses[:size] *= factor
            else:
                losses[:size] += factor * room
                if weights is not None and own is not None and not np.array_equal(weights[:size], own):
                    raise ValueError(f"{self.owner}: its losses weigh elements differently, which have no common state")

    def state(self) -> LossState:
        if not all(call.separable for call in self._calls):
            raise ValueError(f"{self.owner}: there is no state, one of its losses is not one of each element")
        self._require_one_shape()
        states = []
        for _, part in self._parts():
            size = math.prod(part.shape)
            losses, weights = np.zeros(size), np.ones(size) if part.weighted else None
            part.apart(losses, weights)
            states.append(state_of_losses(losses, weights))
        return LossState.merge(states)

    def reduced(
        self, operation: int, reduction: str, out: Any = None, grad_out: Any = None, hess_out: Any = None, *,
        factor: float = 1.0, scratch: bool = False,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        """What was asked for of value, gradient and curvature, else None; `factor` multiplies the last two."""
        check_reduction(self.owner, reduction, out)
        first = self._calls[0]
        value = ABSENT
        grads: Operands = ()
        hessians: Operands = ()
        if operation & VALUE and reduction == "none":
            self._require_one_shape()
            value = first._result("out", out, first._like(), FLOAT32 if first.dtype is np.float32 else FLOAT64)
        if operation & GRAD:
            grads = first._derivatives("grad_out", grad_out)
        if operation & HESS:
            hessians = first._derivatives("hess_out", hess_out)
        outputs = (value, *grads, *hessians)
        given = [(result.name, result.array) for result in outputs if result.given]
        inputs = first._inputs()
        inputs += [(one.name, one.array) for one in (first._weight, first._kept) if one.array is not None]
        refuse_overlap(self.owner, given, inputs)

        if self._divisible():
            sums = self._of_pieces(
                operation, reduction, factor, value, grads, hessians, check=bool(given) and not scratch
            )
            public = first._public(grads)
            means = []
            if operation & VALUE:
                means = [call._average(one, reduction) for call, one in zip(self._calls, sums, strict=True)]
        else:
            means, public = self._of_wholes(operation, reduction, factor, value, grads, hessians)
        reduced = None
        if operation & VALUE:
            reduced = value.public if reduction == "none" else self._weighted_total(means)
        return reduced, public, hessians[0].public if hessians else None

    def _require_one_shape(self) -> None:
        """Refuse losses of which one is of an element and another of something else, where each is asked for."""
        shapes = list(dict.fromkeys(call.shape for call in self._calls))
        if len(shapes) > 1:
            raise ValueError(f"{self.owner}: its losses are of shapes {' and '.join(map(str, shapes))}, must be of one")

    def _weighted_total(self, numbers: Sequence[float]) -> float:
        return sum((weight * number for weight, number in zip(self._weights, numbers, strict=True)), 0.0)

    def _divisible(self) -> bool:
        """Whether the arrays may be taken a piece at a time."""
        return bool(self.shape) and all(call.divisible and call.shape == self.shape for call in self._calls)

    def _of_wholes(
        self, operation: int, reduction: str, factor: float, value: Operand, grads: Operands, hessians: Operands
    ) -> tuple[list[Any], Any]:
        """Write what was asked for, adding up results of the whole arrays; the reduced losses, and the gradient."""
        values, slopes, curvatures = [], [], []
        for weight, call in zip(self._weights, self._calls, strict=True):
            found, slope, curvature = call.reduced(operation, reduction, factor=factor * weight)
            values.append(found)
            slopes.append(slope if isinstance(slope, tuple) else (slope,))
            curvatures.append(curvature)
        if value is not ABSENT:
            np.copyto(value.public, sum(w * v for w, v in zip(self._weights, values, strict=True)), casting="unsafe")
        if hessians:
            np.copyto(hessians[0].public, sum(curvatures), casting="unsafe")
        if not grads:
            return values, None
        # Derivatives in parameters, such as a temperature, come after those in arrays.
        total = [sum(each) for each in zip(*slopes, strict=True)]
        for grad, found in zip(grads, total, strict=False):
            np.copyto(grad.public, found, casting="unsafe")
        first = slopes[0]
        named = (*(grad.public for grad in grads), *total[len(grads) :])
        return values, named[0] if len(first) == 1 else type(first)(*named)

    def _of_pieces(
        self, operation: int, reduction: str, factor: float, value: Operand, grads: Operands, hessians: Operands, *,
        check: bool,
    ) -> list[tuple[float, ...]]:  # fmt: skip
        """Write what was asked for; the sums of weighted losses, of weights, and the count of each loss."""
        # Outputs that the caller holds stay untouched by an error, and the gradient of a mean needs its divisor.
        divided = operation & GRAD and reduction in ("mean", "batch_mean")
        divisors = [float(max(1, math.prod(self.shape)))] * len(self._calls)
        if check or (divided and self.weighted):
            divisors = [counting.divisor(reduction, *call._run(0, 1.0)[1:3]) for call in self._calls]
        scales = [
            factor * weight / (divisor or math.inf) if divided else factor * weight
            for weight, divisor in zip(self._weights, divisors, strict=True)
        ]
        outputs = [result for result in (value, *grads, *hessians) if result is not ABSENT]
        wide, code = (np.float32, FLOAT32) if self._calls[0].dtype is np.float32 else (np.float64, FLOAT64)
        rooms: dict[tuple[int, bool, tuple[int, ...]], NDArray[Any]] = {}
        sums: list[tuple[float, ...]] = [(0.0, 0.0, 0.0)] * len(self._calls)
        for index, part in self._parts():
            to = [result.public[(*index, ...)] for result in outputs]
            for k, call in enumerate(part._calls):
                keys = [(j, k > 0, array.shape) for j, array in enumerate(to)]
                for key in keys:
                    rooms.setdefault(key, np.empty(key[-1], wide))
                made = [Operand(array=rooms[key], public=rooms[key], code=code) for key in keys]
                own_value = made.pop(0) if value is not ABSENT else ABSENT
                own_grads, own_hess = tuple(made[: len(grads)]), made[-1] if hessians else ABSENT
                try:
                    found = call._run(operation, scales[k], own_value, own_grads, own_hess)
                except (ValueError, IndexError):
                    self._calls[k].divisor("sum")  # names a bad element by its index in the whole
                    raise
                sums[k] = tuple(a + b for a, b in zip(sums[k], found[:3], strict=True))
                if value is not ABSENT:
                    own_value.array[...] *= wide(self._weights[k])
                if k:
                    for key in keys:
                        rooms[(key[0], False, key[2])] += rooms[key]
            for j, array in enumerate(to):
                np.copyto(array, rooms[(j, False, array.shape)], casting="unsafe")
        return sums

    def _parts(self) -> Iterator[tuple[tuple[int | slice, ...], Self]]:
        """Pieces of the arrays that stay in a cache, or all of them where a loss is not one of each element."""
        first = self._calls[0]
        if not self._divisible():
            yield (), self
            return
        each = max(1, sum(array.nbytes for _, array in first._inputs()) // max(1, math.prod(self.shape)))
        for index in pieces(self.shape, max(1, PIECE // each)):
            yield index, self.part(index)
