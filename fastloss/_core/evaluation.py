"""One call of a loss: check its arrays, allocate its results, run the kernel, reduce."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core import counting
from fastloss._core.isa import kernels
from fastloss._core.operands import (
    EXACT_IN_SINGLE,
    FLOATS,
    INTEGERS,
    memory_order,
    operand,
    output,
    readable,
    refuse_overlap,
)
from fastloss._core.parameters import ANY, Domain
from fastloss._core.runtime import (
    APART,
    BFLOAT16,
    BOOL,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    GRAD,
    HESS,
    MOMENTS,
    OMIT,
    PROPAGATE,
    RAISE,
    SWAPPED,
    VALUE,
    Kernel,
    Mismatch,
)
from fastloss._core.signature import Signature
from fastloss._core.threads import check_number, threads_for
from fastloss.state import LossState

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.floating[Any]]
Reduction: TypeAlias = Literal["mean", "batch_mean", "sum", "none"]
NanPolicy: TypeAlias = Literal["propagate", "omit", "raise"]

REDUCTIONS = ("mean", "batch_mean", "sum", "none")
_elementwise: Callable[..., tuple[int, int, tuple[float, ...]]] = kernels("elementwise").elementwise
KERNELS: dict[str, Kernel] = kernels("elementwise").KERNELS
NAN_POLICIES = {"propagate": PROPAGATE, "omit": OMIT, "raise": RAISE}
NARROW = frozenset(code | swapped for code in (FLOAT16, BFLOAT16, FLOAT32) for swapped in (0, SWAPPED))
CULPRITS = ("y_true", "y_pred", "y_pred", "sample_weight")
ARRAYS = (*CULPRITS, "mask", "out", "grad_out", "grad_out", "hess_out", "hess_out", "weights")  # in the kernel's order


@dataclass(frozen=True, slots=True)
class Specification:
    """What a loss tells the driver, settled once when it is made."""

    owner: str
    kernel: Kernel
    constants: tuple[float, ...]  # in the order of the kernel's parameters
    bounded: bool  # labels: exact in float32 whatever their type
    closed: tuple[Any, Any]  # the domains as the kernel tests them, in float64 and in float32
    rules: tuple[str, ...]
    by_column: Array | None = field(default=None, kw_only=True)  # a constant of each column that has a loss of its own

    @classmethod
    def of(cls, owner: str, kernel: str, constants: dict[str, float], domains: tuple[Domain, ...]) -> Specification:
        formula = KERNELS[kernel]
        return cls.made(owner, formula, formula.constants(constants), domains)

    @classmethod
    def made(
        cls, owner: str, kernel: Kernel, constants: tuple[float, ...], domains: tuple[Domain, ...]
    ) -> Specification:
        closed = [
            tuple(None if domain is ANY else domain.closed(dtype) for domain in domains)
            if any(domain is not ANY for domain in domains)
            else None
            for dtype in (np.float64, np.float32)
        ]
        rules = (*(str(domain) for domain in domains), "finite and not negative")
        return cls(owner, kernel, constants, domains[0].bounded, (closed[0], closed[1]), rules)

    def using(self, kernel: str, constants: dict[str, float]) -> Specification:
        """The same owner and domains with another formula."""
        formula = KERNELS[kernel]
        return replace(self, kernel=formula, constants=formula.constants(constants))


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that a kernel reads or writes: as the kernel sees it and as the caller does."""

    name: str = ""
    array: Any = None
    public: Any = None
    code: int = -1
    given: bool = False


ABSENT = Operand()


class Declared(Protocol):
    """What an evaluation asks of a loss."""

    @property
    def signature(self) -> Signature: ...

    @property
    def _spec(self) -> Specification: ...


class Evaluation:
    """The arrays of one call, checked, and what to do with them."""

    __slots__ = (
        "_apart",
        "_domains",
        "_kept",
        "_loss",
        "_nan_policy",
        "_num_threads",
        "_operands",
        "_pair",
        "_second_code",
        "_shape",
        "_single",
        "_spec",
        "_weight",
        "_weighted",
        "_x",
        "_x_code",
        "_y",
        "_y_code",
    )  # fmt: skip

    def __init__(
        self,
        loss: Declared,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: str = "propagate",
        num_threads: int | None = None,
    ) -> None:
        self._begin(loss, nan_policy, num_threads)
        owner = self._spec.owner
        true, pred = loss.signature.names
        self._y, self._y_code = operand(owner, true, y_true)
        self._x, self._x_code = operand(owner, pred, y_pred)
        self._arrange()
        self._select(sample_weight, mask)

    def _begin(self, loss: Declared, nan_policy: str, num_threads: int | None) -> None:
        """Check the options that need no arrays."""
        self._loss, self._spec = loss, loss._spec
        owner = self._spec.owner
        if nan_policy not in NAN_POLICIES:
            raise ValueError(f"{owner}: nan_policy is {nan_policy!r}, must be {_one_of(NAN_POLICIES)}")
        check_number(owner, num_threads)
        self._nan_policy = NAN_POLICIES[nan_policy]
        self._apart = ABSENT
        self._num_threads = num_threads
        self._weighted = nan_policy == "omit"

    def _select(self, sample_weight: ArrayLike | None, mask: ArrayLike | None) -> None:
        """Check what says which elements count, and how much."""
        self._weight = self._per_element("sample_weight", sample_weight)
        self._kept = self._per_element("mask", mask)
        if self._kept.array is not None and self._kept.code != BOOL:
            raise TypeError(f"{self._spec.owner}: mask has dtype {self._kept.array.dtype}, must be bool")
        self._weighted = self._weighted or sample_weight is not None or mask is not None

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave out further elements."""
        array = kept if self._kept.array is None else kept & self._kept.array
        self._kept = Operand("mask", array, array, BOOL)
        self._weighted = True

    def _arrange(self) -> None:
        """Check the targets against the predictions and settle the shape and the type of the computation."""
        spec, y, x = self._spec, self._y, self._x
        if spec.bounded and self._x_code in INTEGERS and self._y_code not in INTEGERS:
            raise ValueError(
                f"{spec.owner}: y_pred has dtype {x.dtype} and y_true {y.dtype}, predictions must be floating-point;"
                " did you swap y_true and y_pred?"
            )
        signature = self._loss.signature
        signature.check(spec.owner, y.shape, x.shape)
        self._pair = signature.pair
        prediction, second = self._parts(x)
        self._second_code = self._x_code
        if spec.by_column is not None:
            y, second = np.broadcast_to(y[..., np.newaxis], x.shape), np.broadcast_to(spec.by_column, x.shape)
            self._second_code = FLOAT64
        self._operands: tuple[Array, Array, Array | None] = (y, prediction, second)
        self._shape = y.shape
        exact = self._y_code in EXACT_IN_SINGLE or (spec.bounded and self._y_code in INTEGERS)
        self._single = self._x_code in NARROW and exact
        self._domains = spec.closed[self._single]

    def _parts(self, of_predictions: Any) -> tuple[Any, Any]:
        """The predictions, or a derivative in them, that each loss is of: one, or two side by side."""
        if of_predictions is None or not self._pair:
            return of_predictions, None
        return of_predictions[..., 0], of_predictions[..., 1]

    def using(self, kernel: str, **constants: float) -> Self:
        """The same call of another formula."""
        evaluation = copy(self)
        evaluation._spec = self._spec.using(kernel, constants)
        return evaluation

    def at(self, y_pred: ArrayLike) -> Self:
        """The same call at other predictions, of the same shape."""
        evaluation = copy(self)
        evaluation._x, evaluation._x_code = operand(self._spec.owner, "y_pred", y_pred)
        evaluation._arrange()
        return evaluation

    def part(self, index: tuple[int | slice, ...]) -> Self:
        """The same call of some of the elements, whose axes come first."""
        evaluation = copy(self)
        evaluation._cut(index)
        evaluation._weight, evaluation._kept = (
            operand if operand.array is None else replace(operand, array=operand.array[index])
            for operand in (self._weight, self._kept)
        )
        evaluation._arrange()
        return evaluation

    def _cut(self, index: tuple[int | slice, ...]) -> None:
        self._y, self._x = self._y[index], self._x[index]

    def apart(self, losses: NDArray[np.float64], weights: NDArray[np.float64] | None) -> None:
        """Write each loss, 0 where it has no weight, and each weight, -inf where the element does not count.

        A weight of -f is a factor alone: f times the loss is added to the sum of losses, nothing to that of weights.
        The elements come in the order of their indices; there are no weights to write unless the call is `weighted`.
        """
        value, self._apart = (
            ABSENT if room is None else Operand(array=room[: math.prod(self._shape)].reshape(self._shape), code=FLOAT64)
            for room in (losses, weights)
        )
        self._run(VALUE | APART, 1.0, value)

    @property
    def owner(self) -> str:
        """The name of the loss."""
        return self._spec.owner

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the elements, each of which has one loss."""
        return self._shape

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """The type of a result for each element."""
        return np.float32 if self._x_code in NARROW else np.float64

    @property
    def divisible(self) -> bool:
        """Whether a part of the elements is a call of its own, so that a large one may be made of small ones."""
        return self._loss.signature.additive

    @property
    def separable(self) -> bool:
        """Whether `apart` has a loss of each element."""
        return self._loss.signature.additive

    @property
    def indexed(self) -> bool:
        """Whether targets and predictions have a first axis."""
        return self._y.ndim > 0 and self._x.ndim > 0 and len(self._shape) > 0

    @property
    def weighted(self) -> bool:
        """Whether some elements may count differently from others."""
        return self._weighted

    @property
    def num_threads(self) -> int | None:
        """What was asked for."""
        return self._num_threads

    def _per_element(self, name: str, given: ArrayLike | None) -> Operand:
        """A view of weights or a mask in the shape of the elements; (n,) stands for the first axis."""
        if given is None:
            return ABSENT
        array, code = operand(self._spec.owner, name, given)
        shape = self._shape
        if array.shape == shape:
            return Operand(name, array, array, code)
        if shape and array.shape == shape[:1]:
            array = np.broadcast_to(array.reshape(array.shape + (1,) * (len(shape) - 1)), shape)
            return Operand(name, array, array, code)
        whose = self._whose_shape()
        also = f" or {shape[:1]}, one for each index of {whose} first axis" if len(shape) > 1 else ""
        raise ValueError(f"{self._spec.owner}: {name} has shape {array.shape}, must have {whose} {shape}{also}")

    def _whose_shape(self) -> str:
        """What has the shape of the elements."""
        return f"{self._loss.signature.names[self._x.shape == self._shape]}'s"

    def reduced(
        self, operation: int, reduction: str, out: Floats | None = None, grad_out: Floats | None = None,
        hess_out: Floats | None = None, *, factor: float = 1.0, scratch: bool = False,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        """What was asked for of value, gradient and curvature, else None; `factor` multiplies the last two.

        With moments the value is the state. An error may leave outputs that are `scratch` half written, which saves a
        pass over targets and weights.
        """
        owner = self._spec.owner
        check_reduction(owner, reduction, out)
        if operation == VALUE and reduction != "none":
            return self._average(self._run(VALUE, 1.0), reduction), None, None

        value = hess = ABSENT
        grads: tuple[Operand, ...] = ()
        if operation & VALUE and reduction == "none":
            value = self._result("out", out, self._like(), FLOAT32 if self.dtype is np.float32 else FLOAT64)
        if operation & GRAD:
            grads = self._derivatives("grad_out", grad_out)
            if operation & HESS:
                (hess,) = self._derivatives("hess_out", hess_out)
        given = [(result.name, result.array) for result in (value, *grads, hess) if result.given]
        if given:
            inputs = self._inputs()
            inputs += [(one.name, one.array) for one in (self._weight, self._kept) if one.array is not None]
            refuse_overlap(owner, given, inputs)

        # Outputs that the caller holds stay untouched by an error, and a gradient of a mean needs the sum of
        # weights before the first element: both take a pass over the targets and weights first.
        averaged = operation & GRAD and reduction in ("mean", "batch_mean")
        doubtful = self._domains is not None or self._nan_policy == RAISE or self._weight.array is not None
        inspected = bool((averaged and self._weighted) or (given and doubtful and not scratch))
        scale = factor
        if inspected:
            sums = self._run(0, 1.0)
            if averaged:
                divided = counting.divisor(reduction, sums[1], sums[2])
                scale = counting.mean(factor, divided) if divided else 0.0
        elif averaged:
            scale = counting.mean(factor, max(1, math.prod(self._shape)))
        sums = self._run(operation, scale, value, grads, hess, check=not inspected)
        reduced: Any = None
        if operation & MOMENTS:
            reduced = self._state_of(sums)
        elif operation & VALUE:
            reduced = value.public if reduction == "none" else self._average(sums, reduction)
        return reduced, self._public(grads), hess.public

    def mean(self, warn: bool = False) -> float:
        """The mean, NaN where nothing counts, with or without a warning; for losses that are made of means."""
        sums = self._run(VALUE, 1.0)
        if warn:
            return self._average(sums, "mean", stacklevel=6)
        return counting.mean(sums[0], sums[1])

    def state(self) -> LossState:
        return self._state_of(self._run(VALUE | MOMENTS, 1.0))

    def _state_of(self, sums: tuple[float, ...]) -> LossState:
        _, _, count, *numbers = sums
        return state_of(int(count), math.prod(self._shape), numbers)

    def weights(self) -> tuple[float, float]:
        """The sum of the weights, and how many elements count; predictions are not read."""
        _, weight, count, *_ = self._run(0, 1.0, check=False)
        return weight, count

    def divisor(self, reduction: str) -> float:
        """What a sum of losses is divided by, after a check of targets and weights that reads no predictions."""
        check_reduction(self._spec.owner, reduction, None)
        return self._divisor(self._run(0, 1.0), reduction, stacklevel=5)

    def _average(self, sums: tuple[float, ...], reduction: str, stacklevel: int = 4) -> float:
        return counting.mean(sums[0], self._divisor(sums, reduction, stacklevel + 1))

    def _divisor(self, sums: tuple[float, ...], reduction: str, stacklevel: int) -> float:
        divisor = counting.divisor(reduction, sums[1], sums[2])
        if not divisor:
            counting.warn_of_nothing(self._spec.owner, reduction, sums[2], stacklevel + 1)
        return divisor

    def _derivatives(self, name: str, given: Any) -> tuple[Operand, ...]:
        """Where to write the derivatives of each array that has one."""
        return (self._result(name, given, self._x, self._type_of_derivative(self._x_code)),)

    def _public(self, derivatives: tuple[Operand, ...]) -> Any:
        """Derivatives as the caller gets them."""
        return derivatives[0].public if derivatives else None

    def _inputs(self) -> list[tuple[str, Array]]:
        """The arrays by name, targets first."""
        return list(zip(self._loss.signature.names, (self._y, self._x), strict=True))

    @staticmethod
    def _type_of_derivative(code: int) -> int:
        return code & ~SWAPPED if code in NARROW else FLOAT64

    def _result(self, name: str, given: Floats | None, like: Array, code: int) -> Operand:
        """Where to write something of an array's shape: what is given, or new and in the memory order of that array."""
        if given is not None:
            array, code = output(self._spec.owner, name, given, like.shape)
            return Operand(name, array, given, code, True)
        if code == BFLOAT16:
            import ml_dtypes

            array = np.empty_like(like, dtype=np.uint16, subok=False)
            return Operand(name, array, array.view(ml_dtypes.bfloat16), code, False)
        array = np.empty_like(like, dtype=FLOATS[code], subok=False)
        return Operand(name, array, array, code, False)

    def _like(self) -> Array:
        """An array of the shape of the elements, in the memory order that suits results for each."""
        return self._operands[1]

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        """Run the kernel; the sums (loss, weight, count) of what it saw, and with MOMENTS the numbers of a state."""
        spec, policy = self._spec, self._nan_policy
        grad = grads[0] if grads else ABSENT
        arrays: tuple[Array | None, ...] = (
            *self._operands, self._weight.array, self._kept.array, value.array, *self._parts(grad.array),
            *self._parts(hess.array), self._apart.array,
        )  # fmt: skip
        codes = (
            self._y_code, self._x_code, self._second_code, self._weight.code, self._kept.code, value.code,
            grad.code, grad.code, hess.code, hess.code, self._apart.code,
        )  # fmt: skip
        order = None
        prediction = self._operands[1]
        if prediction.ndim > 1 and not all(array is None or array.flags.c_contiguous for array in arrays):
            order = memory_order(prediction)
            arrays = tuple(None if array is None else array.transpose(order) for array in arrays)
        if not check and policy == RAISE:
            policy = PROPAGATE
        threads = threads_for(self._num_threads, prediction.size)
        try:
            bad, culprit, sums = _elementwise(
                spec.kernel, operation, arrays=arrays, dtypes=codes, constants=spec.constants,
                domains=self._domains if check else None, scale=scale, nan_policy=policy, single=self._single,
                num_threads=threads,
            )  # fmt: skip
        except Mismatch as error:
            raise mismatched(spec.owner, ARRAYS, error) from None
        if bad >= 0:
            self._complain(bad, culprit, order)
        return sums

    def _complain(self, bad: int, culprit: int, order: tuple[int, ...] | None) -> None:
        """Raise for the element that the kernel found, by its index in the caller's array."""
        shape, spec = self._shape, self._spec
        axes = tuple(range(len(shape))) if order is None else order
        walked = [int(i) for i in np.unravel_index(bad, [shape[axis] for axis in axes])]
        index = tuple(walked[axes.index(axis)] for axis in range(len(shape)))
        array = (*self._operands, self._weight.array)[culprit]
        assert array is not None
        code = (self._y_code, self._x_code, self._second_code, self._weight.code)[culprit]
        element = readable(array[index], code)
        if culprit == 0:
            index = index[: self._y.ndim]
        elif culprit == 2:
            index = (*index, 1)
        elif culprit == 1 and self._x.ndim > len(index):
            index = (*index, 0)
        where = "[" + ", ".join(str(i) for i in index) + "]" if index else ""
        rule = "a number with nan_policy='raise'" if element != element and culprit < 3 else spec.rules[culprit]
        raise ValueError(f"{spec.owner}: {CULPRITS[culprit]}{where} is {element}, must be {rule}")


def state_of(count: int, size: int, numbers: Sequence[float]) -> LossState:
    """The state of so many elements, of which some count, from the numbers that come after these."""
    return LossState(count, size - count, int(numbers[0]), *numbers[1:])


def state_of_losses(losses: NDArray[np.float64], weights: NDArray[np.float64] | None) -> LossState:
    """The state of what `Evaluation.apart` wrote."""
    if weights is None:
        weights = np.ones(losses.shape)
    counts = weights > -np.inf
    return state_of(int(counts.sum()), losses.size, counting.moments(np.where(counts, weights, 0.0), losses))


def check_reduction(owner: str, reduction: str, out: Floats | None) -> None:
    """Refuse a reduction that there is none, and a place for losses that are reduced."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{owner}: reduction is {reduction!r}, must be {_one_of(REDUCTIONS)}")
    if out is not None and reduction != "none":
        raise ValueError(f"{owner}: out is given with reduction={reduction!r}, must be None unless that is 'none'")


def pieces(shape: tuple[int, ...], chunk: int) -> Iterator[tuple[int | slice, ...]]:
    """Indices of pieces of at most `chunk` elements, in order: each of a slice of one axis and all inside it."""
    axis, width = len(shape) - 1, 1
    while axis and width * shape[axis] <= chunk:
        width *= shape[axis]
        axis -= 1
    step = max(1, chunk // max(1, width))
    for outer in np.ndindex(shape[:axis]):
        for start in range(0, shape[axis], step):
            yield *outer, slice(start, start + step)


def mismatched(owner: str, names: Sequence[str], error: ValueError) -> ValueError:
    """The error of an array whose memory is not what its checks saw."""
    place, shape, itemsize = error.args
    return ValueError(
        f"{owner}: the memory of {names[place]} has shape {shape} and elements of {itemsize} bytes, must fit the other"
        " arrays; one of them changed during the call"
    )


def _one_of(words: Iterable[str]) -> str:
    return "one of " + ", ".join(map(repr, words))
