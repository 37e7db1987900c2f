"""Losses of other arrays than one of targets and one of predictions: their signature names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from fastloss._core.evaluation import ABSENT, NARROW, Array, Evaluation, Floats, NanPolicy, Operand, Reduction
from fastloss._core.loss import Loss, WeightedSum
from fastloss._core.operands import operand
from fastloss._core.parameters import check_names
from fastloss._core.runtime import GRAD, VALUE
from fastloss._core.signature import Argument
from fastloss.state import GroupStates, LossState

Gradients: TypeAlias = Callable[..., tuple[Any, ...]]
_A = TypeVar("_A")


class MultiInputEvaluation(Evaluation):
    """The arrays of one call, checked against the signature, and what to do with them."""

    __slots__ = ("_arrays", "_lengths")

    _loss: MultiInputLoss

    def __init__(
        self,
        loss: MultiInputLoss,
        arrays: Sequence[ArrayLike | None],
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: str = "propagate",
        num_threads: int | None = None,
    ) -> None:
        self._begin(loss, nan_policy, num_threads)
        self._arrays: dict[str, Operand] = {}
        for argument, given in zip(loss.signature.arguments, arrays, strict=True):
            self._arrays[argument.name] = ABSENT
            if given is not None or not (argument.optional or argument.keyword):
                array, code = operand(self._spec.owner, argument.name, given)
                self._arrays[argument.name] = Operand(argument.name, array, given, code, True)
        self._arrange()
        self._select(sample_weight, mask)

    def _arrange(self) -> None:
        """Settle the shape of the elements and the lengths of the core dimensions, which all arrays must agree on."""
        signature = self._loss.signature
        first = signature.predictions[0]
        leader = self._arrays[first.name]
        self._x, self._x_code = leader.array, leader.code
        self._lengths: dict[str, int] = {}
        self._shape = self._x.shape[: self._x.ndim - len(self._core_of(first))]
        for argument in signature.arguments:
            array = self._arrays[argument.name].array
            if array is not None:
                expected = (() if argument.shared else self._shape) + self._core_of(argument)
                if array.shape != expected:
                    what = f"{argument.name} has shape {array.shape}, must be {expected}"
                    raise ValueError(f"{self._spec.owner}: {what}, as {first.name} has shape {self._x.shape}")
        self._settle()

    def _settle(self) -> None:
        """Settle the type of the computation, and whether there is something that may be refused."""
        signature = self._loss.signature
        predictions = [self._arrays[argument.name] for argument in signature.predictions]
        self._single = all(one.code in NARROW for one in predictions if one.given)
        self._domains = (0,) if signature.targets else None  # whether there is something to refuse

    def _core_of(self, argument: Argument) -> tuple[int, ...]:
        """What an array's last axes must be, given those that came before."""
        shape = self._arrays[argument.name].array.shape
        (core,) = argument.shapes
        if len(shape) < len(core):
            axes = f"at least {len(core)} axes, the last of them for {', '.join(map(str, core))}"
            raise ValueError(f"{self._spec.owner}: {argument.name} has shape {shape}, must have {axes}")
        return tuple(
            axis if isinstance(axis, int) else self._lengths.setdefault(axis, length)
            for axis, length in zip(core, shape[len(shape) - len(core) :], strict=True)
        )

    def _predictions(self) -> Iterator[Operand]:
        """The arrays that have a derivative and were given."""
        for argument in self._loss.signature.predictions:
            if self._arrays[argument.name].given:
                yield self._arrays[argument.name]

    def _inputs(self) -> list[tuple[str, Array]]:
        return [(name, one.array) for name, one in self._arrays.items() if one.given]

    def _like(self) -> Array:
        return np.broadcast_to(np.zeros((), self.dtype), self._shape)

    def _derivatives(self, name: str, given: Any) -> tuple[Operand, ...]:
        predictions = list(self._predictions())
        places = [given] if len(predictions) == 1 else [None] * len(predictions) if given is None else given
        if not isinstance(places, (list, tuple)) or len(places) != len(predictions):
            raise TypeError(
                f"{self._spec.owner}: {name} is {type(given).__name__}, must be a tuple of an array or None for each of"
                f" {', '.join(one.name for one in predictions)}"
            )
        return tuple(
            self._result(
                name if len(predictions) == 1 else f"{name}.{one.name}",
                place, one.array, self._type_of_derivative(one.code),
            )
            for one, place in zip(predictions, places, strict=True)
        )  # fmt: skip

    def _public(self, derivatives: tuple[Operand, ...]) -> Any:
        if not derivatives or self._loss.gradients is None:
            return derivatives[0].public if derivatives else None
        return self._loss.gradients(*(derivative.public for derivative in derivatives))

    def _whose_shape(self) -> str:
        return "the losses'"

    @property
    def dtype(self) -> type[np.floating[Any]]:
        return np.float32 if self._single else np.float64

    @property
    def indexed(self) -> bool:
        return len(self._shape) > 0

    def _cut(self, index: tuple[int | slice, ...]) -> None:
        shared = {argument.name for argument in self._loss.signature.arguments if argument.shared}
        self._arrays = {
            name: one if name in shared or not one.given else replace(one, array=one.array[index])
            for name, one in self._arrays.items()
        }


class MultiInputLoss(Loss):
    """A loss of the arrays that its signature names.

    They come in that order, by position or by name. Where one has a derivative, the gradient is an array; where several
    have, it is a named tuple of one for each, which `gradients` makes, and `grad_out` a tuple of arrays, or None where
    one is to be made.
    """

    _evaluation: ClassVar[type[MultiInputEvaluation]] = MultiInputEvaluation
    gradients: ClassVar[Gradients | None] = None

    def _called(self, arrays: Sequence[ArrayLike | None], *options: Any) -> MultiInputEvaluation:
        return self._evaluation(self, arrays, *options)

    def __call__(
        self,
        *arrays: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        out: Floats | None = None,
        num_threads: int | None = None,
        **named: ArrayLike | None,
    ) -> Any:
        """Compute the loss.

        Parameters
        ----------
        *arrays : array_like
            The arrays of the loss's signature in its order, of any real type, layout and byte order; nothing is
            broadcast or copied.
        sample_weight : array_like, optional
            Finite and not negative, one for each loss or one for each index of its first axis. A loss of weight 0
            contributes exactly 0, even where it is infinite or NaN.
        mask : array_like of bool, optional
            True where a loss counts, one for each or one for each index of the first axis.
        reduction : {"mean", "batch_mean", "sum", "none"}
            The sum of weighted losses over the sum of weights; over the number of losses that are neither masked nor
            omitted; the sum; or an array of weighted losses.
        nan_policy : {"propagate", "omit", "raise"}
            What a NaN among the targets does: make the result NaN, leave the loss out of sums and counts, or raise.
        out : ndarray, optional
            Where to write the losses of ``reduction="none"``; any floating-point type. An error leaves it as it was.
        num_threads : int, optional
            Threads to use. By default as many as OpenMP's settings, the processor affinity and the control
            group's quota allow and the work feeds. The result has the same bits for every number.
        **named : array_like
            Arrays by name.

        Returns
        -------
        float or ndarray
            The reduced loss; for "none" an array, float32 for predictions of 32 bits or fewer, else float64.
        """
        evaluation = self._evaluated(arrays, named, sample_weight, mask, nan_policy, num_threads)
        return evaluation.reduced(VALUE, reduction, out)[0]

    def grad(
        self,
        *arrays: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        grad_out: Any = None,
        num_threads: int | None = None,
        **named: ArrayLike | None,
    ) -> Any:
        """Compute the gradient of exactly the reduced loss in each array that has one.

        Parameters
        ----------
        *arrays, sample_weight, mask, nan_policy, num_threads, **named
            As for calling the loss.
        reduction : {"mean", "batch_mean", "sum", "none"}
            The reduction whose gradient is wanted; that of "sum" and "none" is of the sum of weighted losses.
        grad_out : ndarray or tuple, optional
            Where to write the gradient; of several, a tuple of an array or None for each. Any floating-point type.

        Returns
        -------
        ndarray or named tuple of ndarray
            The gradient in each array, of its shape and, unless `grad_out` is given, its type.
        """
        evaluation = self._evaluated(arrays, named, sample_weight, mask, nan_policy, num_threads)
        return evaluation.reduced(GRAD, reduction, grad_out=grad_out)[1]

    def value_and_grad(
        self,
        *arrays: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        out: Floats | None = None,
        grad_out: Any = None,
        num_threads: int | None = None,
        **named: ArrayLike | None,
    ) -> tuple[Any, Any]:
        """Compute the loss and its gradient in one pass.

        Parameters
        ----------
        *arrays, sample_weight, mask, reduction, nan_policy, out, num_threads, **named
            As for calling the loss.
        grad_out : ndarray or tuple, optional
            As for the gradient.

        Returns
        -------
        value : float or ndarray
            What calling the loss returns, to the bit.
        grad : ndarray or named tuple of ndarray
            What `grad` returns, to the bit.
        """
        evaluation = self._evaluated(arrays, named, sample_weight, mask, nan_policy, num_threads)
        return evaluation.reduced(VALUE | GRAD, reduction, out, grad_out)[:2]

    def grad_and_hess(self, *arrays: ArrayLike | None, **options: Any) -> Any:
        """Refuse: a curvature of several arrays is no array of theirs.

        Parameters
        ----------
        *arrays, **options
            As for the gradient.
        """
        raise ValueError(f"{type(self).__name__}: there is no grad_and_hess, the Hessian is not diagonal")

    def state(
        self,
        *arrays: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: NanPolicy = "propagate",
        num_threads: int | None = None,
        **named: ArrayLike | None,
    ) -> LossState:
        """Compute the mergeable state of these losses: sums, counts and their spread.

        Parameters
        ----------
        *arrays, sample_weight, mask, nan_policy, num_threads, **named
            As for calling the loss.

        Returns
        -------
        LossState
            Its `mean` is what calling the loss returns, but for the rounding of the sum there.
        """
        return self._evaluated(arrays, named, sample_weight, mask, nan_policy, num_threads).state()

    def states(
        self,
        *arrays: ArrayLike | None,
        groups: Any,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: NanPolicy = "propagate",
        num_threads: int | None = None,
        **named: ArrayLike | None,
    ) -> GroupStates:
        """Compute the mergeable state of each group of losses.

        Parameters
        ----------
        *arrays, sample_weight, mask, nan_policy, num_threads, **named
            As for calling the loss.
        groups : array_like, Series, Index or table of pandas, Polars or Arrow, or dict of columns
            The group of each index of the losses' first axis, as for `Loss.states`.

        Returns
        -------
        GroupStates
            A mapping from each label, in sorted order, to the LossState of its losses.
        """
        from fastloss._core.groups import states  # a call of many milliseconds: the import of the package is spared

        return states(self._evaluated(arrays, named, sample_weight, mask, nan_policy, num_threads), groups)

    def _evaluated(
        self, arrays: Sequence[ArrayLike | None], named: dict[str, ArrayLike | None], *options: Any
    ) -> MultiInputEvaluation:
        return self._called(self._bound(arrays, named), *options)

    def _bound(self, arrays: Sequence[ArrayLike | None], named: dict[str, ArrayLike | None]) -> list[ArrayLike | None]:
        """The arrays in the order of the signature, None where one is left out."""
        found = bound(type(self).__name__, self.signature.arguments, arrays, named)
        return [found.get(name) for name in self.signature.names]


def bound(owner: str, arguments: Sequence[Argument], arrays: Sequence[_A], named: Mapping[str, _A]) -> dict[str, _A]:
    """Arrays that are given by position or by name, by their names."""
    by_position = [argument.name for argument in arguments if not argument.keyword]
    check_names(owner, named, [argument.name for argument in arguments])
    if len(arrays) > len(by_position):
        wanted = f"{len(by_position)}: {', '.join(by_position)}"
        raise TypeError(f"{owner}: {len(arrays)} arrays are given by position, must be at most {wanted}")
    found = dict(zip(by_position, arrays, strict=False))
    for name in found.keys() & named.keys():
        raise TypeError(f"{owner}: {name} is given twice, must be given by position or by name")
    found |= named
    missing = [name for name in by_position if name not in found]
    if missing:
        raise TypeError(f"{owner}: {missing[0]} is missing, must be given with {', '.join(by_position)}")
    return found


class MultiInputSum(WeightedSum, MultiInputLoss):  # type: ignore[override]  # _evaluation follows from the terms
    """A weighted sum of losses of the same arrays, of several."""


MultiInputLoss._sum_type = MultiInputSum
