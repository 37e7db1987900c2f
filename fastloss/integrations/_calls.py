"""What libraries that trace and differentiate share: a call that is known before its data, and its gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from fastloss import Loss, WeightedSum
from fastloss._core.evaluation import Array, Evaluation, Floats, NanPolicy, Reduction, check_reduction
from fastloss._core.runtime import GRAD, VALUE

Shape: TypeAlias = tuple[int, ...]

OPTIONAL = ("sample_weight", "mask")
FACTORS = "factors"  # of losses, among the arrays of a call that is differentiated


def groups_of_regions(loss: Loss) -> set[str]:
    """What the regions are that a loss is one of each of; none where it is of something else."""
    terms = (term for _, term in loss._terms())
    return {term.parameters()["groups"] for term in terms if "region" in term.signature.predictions[0].shapes[0]}


@dataclass(frozen=True)
class Call:
    """A call of a loss but for what the arrays hold: what a library may know of it before it runs.

    Its arrays come in the order of `given`. They may have further axes in front, of lengths that broadcast: a batch of
    calls, each of which has results of its own.

    Parameters
    ----------
    loss : Loss
        The loss.
    given : tuple of str
        The arrays that are given: those of the signature in its order, then weights and mask.
    axes : tuple of int
        How many axes each of them has.
    shape : tuple of int
        Of the losses, one for each of what is weighted.
    dtype : dtype
        Of the losses.
    reduction, nan_policy, num_threads
        As for calling the loss.
    """

    loss: Loss
    given: tuple[str, ...]
    axes: tuple[int, ...]
    shape: Shape
    dtype: np.dtype[Any]
    reduction: Reduction
    nan_policy: NanPolicy
    num_threads: int | None

    @classmethod
    def of(
        cls,
        loss: Loss,
        arrays: Mapping[str, Any],
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        num_threads: int | None = None,
    ) -> Call:
        """The call of arrays of which only shapes and types are known, None where one is left out; it is checked."""
        check_reduction(loss._spec.owner, reduction, None)
        given = {
            name: np.broadcast_to(np.zeros((), array.dtype), array.shape)
            for name, array in arrays.items()
            if array is not None
        }
        evaluation = loss._outlined(
            [given.get(name) for name in loss.signature.names],
            *(given.get(name) for name in OPTIONAL),
            nan_policy,
            num_threads,
        )
        axes = tuple(array.ndim for array in given.values())
        dtype = np.dtype(evaluation.dtype)
        return cls(loss, tuple(given), axes, evaluation.shape, dtype, reduction, nan_policy, num_threads)

    # What it has

    @property
    def owner(self) -> str:
        """The name of the loss."""
        return self.loss._spec.owner

    @property
    def result(self) -> Shape:
        """The shape of what it returns."""
        return self.shape if self.reduction == "none" else ()

    @cached_property
    def predictions(self) -> tuple[int, ...]:
        """The places of the arrays that have a gradient."""
        return tuple(
            self.given.index(argument.name)
            for argument in self.loss.signature.predictions
            if argument.name in self.given
        )

    @cached_property
    def separate(self) -> bool:
        """Whether each predicted number has a loss of its own, so that the Hessian is diagonal."""
        return all(
            term._evaluation is Evaluation
            and [argument.shapes for argument in term.signature.predictions] == [(term.signature.losses,)]
            for _, term in self.loss._terms()
        )

    @cached_property
    def weighable(self) -> bool:
        """Whether weights of the shape of the losses multiply these."""
        by_element = "sample_weight" in self.given and self.axes[self.given.index("sample_weight")] > 1
        regions = groups_of_regions(self.loss)
        return not regions or (regions == {"image"} and not by_element)

    # What it comes to

    def run(
        self, operation: int, arrays: Sequence[Array], value: Array | None, grads: Sequence[Floats], hess: Any = None
    ) -> None:
        """Write what was asked for of value, gradients and curvature."""
        batch, by_name = self._split(arrays)
        whole = self._as_one(batch, by_name)
        if whole is None:
            for index in np.ndindex(batch):
                some = [None if result is None else result[(*index, ...)] for result in (value, hess)]
                self._run_one(operation, _at(index, by_name), some[0], [grad[(*index, ...)] for grad in grads], some[1])
        elif batch and self.reduction != "none":
            self._run_batch(operation, batch, whole, value, grads, hess)
        else:
            self._run_one(operation, whole, value, grads, hess)

    def pull_back(self, arrays: Sequence[Array], factors: Array, grads: Sequence[Floats]) -> None:
        """Write the gradients of the sum of the losses times factors of any sign, one for each loss."""
        batch, by_name = self._split((*arrays, factors))
        whole = self._as_one(batch, by_name)
        if whole is not None:
            self._pull_one(whole, grads)
            return
        for index in np.ndindex(batch):
            self._pull_one(_at(index, by_name), [grad[(*index, ...)] for grad in grads])

    def _run_one(
        self, operation: int, arrays: dict[str, Array], value: Array | None, grads: Sequence[Floats], hess: Any
    ) -> None:
        out = value if self.reduction == "none" else None
        call = self._evaluated(arrays)
        found, *_ = call.reduced(operation, self.reduction, out, _places(grads), hess, scratch=True)
        if value is not None and out is None:
            value[...] = found

    @np.errstate(all="ignore")
    def _run_batch(
        self, operation: int, batch: Shape, arrays: dict[str, Array], value: Array | None, grads: Any, hess: Any
    ) -> None:
        """Reduce each call of a batch that is one."""
        number = math.prod(batch)
        joined = {name: array.reshape(number, *array.shape[len(batch) :]) for name, array in arrays.items()}
        every: dict[str, Any] = {name: joined.get(name) for name in (*self.loss.signature.names, *OPTIONAL)}
        states = self.loss.states(
            **every, groups=np.arange(number), nan_policy=self.nan_policy, num_threads=self.num_threads
        )
        weight, mean = states.weight, states.mean
        divisor = {"mean": weight, "batch_mean": states.count, "sum": np.ones(number)}[self.reduction]
        if value is not None:
            total = np.where(weight != 0, mean * weight, 0.0)
            value[...] = (mean if self.reduction == "mean" else total / divisor).reshape(batch)
        if not operation & GRAD:
            return
        shares = np.where(divisor != 0, 1 / divisor, 0.0)
        if "sample_weight" in joined:
            own = joined["sample_weight"].astype(np.float64)
            shares = own * shares.reshape(-1, *(1 for _ in own.shape[1:]))
        flat = [grad.reshape(number, *grad.shape[len(batch) :]) for grad in grads]
        hess = None if hess is None else hess.reshape(number, *hess.shape[len(batch) :])
        self._evaluated(joined | {"sample_weight": shares}).reduced(
            operation & ~VALUE, "sum", grad_out=_places(flat), hess_out=hess, scratch=True
        )

    @np.errstate(all="ignore")  # what is not finite is so in the gradients
    def _pull_one(self, arrays: dict[str, Array], grads: Sequence[Floats]) -> None:
        """Weights are finite and not negative: factors are taken apart by sign, and others have no gradient."""
        factors = arrays[FACTORS].astype(np.float64)
        weight = arrays.get("sample_weight")
        if weight is not None:
            weight = weight.astype(np.float64).reshape(weight.shape + (1,) * (factors.ndim - weight.ndim))
            factors = np.where(weight != 0, factors * weight, 0.0)
        finite = np.isfinite(factors)

        def gradients(weights: Array, places: Sequence[Floats]) -> None:
            call = self._evaluated(arrays | {"sample_weight": weights})
            call.reduced(GRAD, "sum", grad_out=_places(places), scratch=True)

        gradients(np.where(finite & (factors > 0), factors, 0.0), grads)
        down = np.where(finite & (factors < 0), -factors, 0.0)
        if down.any():
            more = [np.empty_like(grad) for grad in grads]
            gradients(down, more)
            for grad, part in zip(grads, more, strict=True):
                np.subtract(grad, part, out=grad)
        if not finite.all():
            more = [np.empty_like(grad) for grad in grads]
            gradients(np.where(finite, 0.0, 1.0), more)
            for grad, part in zip(grads, more, strict=True):
                grad[part != 0] = np.nan

    def _evaluated(self, arrays: dict[str, Array], *, outline: bool = False) -> Any:
        called = self.loss._outlined if outline else self.loss._called
        return called(
            [arrays.get(name) for name in self.loss.signature.names],
            *(arrays.get(name) for name in OPTIONAL),
            self.nan_policy,
            self.num_threads,
        )

    # Batches of calls

    def _split(self, arrays: Sequence[Array]) -> tuple[Shape, dict[str, Array]]:
        """The shape of the batch, () for a single call, and the arrays by name, with as many axes in front."""
        axes = (*self.axes, len(self.shape))
        batch = np.broadcast_shapes(
            *(array.shape[: array.ndim - own] for array, own in zip(arrays, axes, strict=False))
        )
        by_name = dict(zip((*self.given, FACTORS), arrays, strict=False))
        return batch, {name: _widened(array, batch) for name, array in by_name.items()}

    def _as_one(self, batch: Shape, arrays: dict[str, Array]) -> dict[str, Array] | None:
        """The arrays of one call of all elements of the batch, where the losses of that are those of the calls."""
        loss = self.loss
        if not batch:
            return arrays
        if (
            not loss.signature.additive
            or isinstance(loss, WeightedSum)  # of which each may have a divisor of its own
            or any(argument.keyword or argument.shared for argument in loss.signature.arguments)
            or loss.parameters().get("axis", -1) >= 0  # counted from the front
        ):
            return None
        whole = dict(arrays)
        for name in whole.keys() & {*OPTIONAL}:  # one for each index of the first axis is for all elements of it
            array = whole[name]
            array = array.reshape(array.shape + (1,) * (len(batch) + len(self.shape) - array.ndim))
            whole[name] = np.broadcast_to(array, batch + self.shape)
        return whole if self._evaluated(whole, outline=True).shape == batch + self.shape else None


def _widened(array: Array, batch: Shape) -> Array:
    """The same for each call of a batch for which it has one axis of length 1 for each of the batch's."""
    return np.broadcast_to(array, batch + array.shape[len(batch) :])


def _at(index: tuple[int, ...], arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays of one call of a batch."""
    of_one: Any = (*index, ...)
    return {name: array[of_one] for name, array in arrays.items()}


def _places(grads: Sequence[Floats]) -> Any:
    """Where to write gradients, as a loss of so many arrays takes it."""
    return tuple(grads) if len(grads) > 1 else grads[0] if grads else None
