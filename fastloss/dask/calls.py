"""A call of a loss of chunked arrays, checked, and the graphs of what it comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count, islice
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import Delayed

from fastloss import Loss, LossState
from fastloss._core.evaluation import NanPolicy, Reduction, check_reduction
from fastloss._core.multi_input import bound
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss._core.signature import Argument
from fastloss.dask import tasks
from fastloss.dask.chunks import Chunks, Indexed, Labels, Whole
from fastloss.dask.operands import Operand, operands
from fastloss.dask.tasks import GROUPS, Task

ELEMENTS = ("sample_weight", "mask")


class Call:
    """A call of a loss, and what it comes to."""

    def __init__(
        self,
        loss: Loss,
        arrays: Sequence[Any],
        named: Mapping[str, Any],
        *,
        sample_weight: Any = None,
        mask: Any = None,
        nan_policy: NanPolicy = "propagate",
        groups: Any = None,
        data: Any = None,
    ) -> None:
        self.owner, self.signature = loss._spec.owner, loss.signature
        if not self.signature.additive:
            raise TypeError(
                f"{self.owner}: it is a loss of a whole sample or batch, must be a mean of losses of elements, which"
                " those of chunks add up to"
            )
        given = bound(self.owner, self.signature.arguments, arrays, named)
        given |= {"sample_weight": sample_weight, "mask": mask}
        keys = tuple(groups) if isinstance(groups, Mapping) else ()
        given |= {tasks.column(key): groups[key] for key in keys} or {GROUPS: groups}
        self.task = Task(loss, nan_policy, keys)
        self.loss = loss
        found = operands(self.owner, given, data)
        self._others = count(-1, -1)  # labels of axes that are not of elements
        labels = self._labelled(found)
        self._outline, self._by_target = self._checked(found, labels)
        self._check_axes(found, labels)
        self.chunks = Chunks(self.owner, found, labels, self._split(labels))

    # What the axes are

    def _labelled(self, found: Mapping[str, Operand]) -> dict[str, Labels]:
        """Those of elements, which chunks are of, are numbered; others are what belongs to one of them."""
        arguments = {argument.name: argument for argument in self.signature.arguments}
        leader = self.signature.predictions[0]
        whole = found[leader.name].ndim
        self._axes = whole - len(self.loss._core_axes(leader.shapes[0], whole))
        labels = {}
        for name, operand in found.items():
            if name in arguments:
                core = self._core(arguments[name], operand.ndim)
            else:
                each = name in ELEMENTS and operand.ndim == self._axes + len(self.signature.losses)
                core = range(self._axes if each else 1, operand.ndim)  # else of each index of the first axis
            numbers = count()
            labels[name] = tuple(next(self._others if axis in core else numbers) for axis in range(operand.ndim))
        return labels

    def _core(self, argument: Argument, ndim: int) -> Sequence[int]:
        """The axes of an array that belong to one element."""
        if argument.shared:
            return range(ndim)
        choices = [self.loss._core_axes(core, ndim) for core in argument.shapes]
        return next((core for core in choices if ndim - len(core) == self._axes), choices[0])

    def _checked(self, found: Mapping[str, Operand], labels: Mapping[str, Labels]) -> tuple[Any, bool]:
        """The call of arrays of these shapes and types that are not there; whether elements count by their targets."""
        unknown = {
            label
            for name, operand in found.items()
            for label, length in zip(labels[name], operand.shape, strict=True)
            if math.isnan(length)
        }
        stands = {}
        for name in found.keys() & {*self.signature.names, *ELEMENTS}:
            operand = found[name]
            lengths = zip(labels[name], operand.shape, strict=True)
            shape = tuple(0 if label in unknown else int(length) for label, length in lengths)
            stands[name] = np.broadcast_to(np.zeros((), operand.dtype), shape)
        arrays = [stands.get(name) for name in self.signature.names]
        by_target: bool = self.loss._outlined(arrays, None, None, self.task.nan_policy, 1).weighted
        options = (*(stands.get(name) for name in ELEMENTS), self.task.nan_policy, 1)
        return self.loss._outlined(arrays, *options), by_target

    def _check_axes(self, found: Mapping[str, Operand], labels: Mapping[str, Labels]) -> None:
        """Refuse arrays of all elements in a row, such as labels of one sequence after another."""
        for argument in self.signature.arguments:
            if argument.name in found and not argument.shared:
                axes = sum(label >= 0 for label in labels[argument.name])
                if axes != self._axes:
                    shape = found[argument.name].shape
                    raise ValueError(
                        f"{self.owner}: {argument.name} has shape {shape}, must have an axis of elements to be cut"
                    )

    def _split(self, labels: Mapping[str, Labels]) -> Labels:
        """Labels of axes of which a chunk need not have all, though it belongs to one element."""
        return ()

    # What it comes to

    def value(self, reduction: Reduction) -> da.Array:
        check_reduction(self.owner, reduction, None)
        if reduction == "none":
            return self._losses(VALUE)[0]
        return self._reduced(self._each(tasks.states), reduction)

    def state(self) -> Delayed:
        return Whole.of(self.chunks.tree(self._each(tasks.state), LossState.merge))

    def states(self) -> Delayed:
        if not self.task.keys and GROUPS not in self.chunks.operands:
            raise ValueError(f"{self.owner}: groups is None, must be the group of each index of the first axis")
        if not self._axes:
            raise ValueError(f"{self.owner}: the arrays are of one element, must have an axis for groups to index")
        return Whole.of(self.chunks.tree(self._each(tasks.group_states), tasks.merged_groups))

    def derivatives(self, operation: int, reduction: Reduction) -> tuple[Any, Any, Any]:
        """What was asked for of value, gradient and curvature, else None."""
        check_reduction(self.owner, reduction, None)
        if operation & VALUE and reduction == "none":
            return self._losses(operation)
        empty = self.chunks.empty()
        if operation & HESS:  # which some losses refuse
            arrays, options = self.task.given(empty)
            self.loss.grad_and_hess(*arrays, **options, reduction="sum")
        function: Callable[..., Any] = partial(tasks.derivatives, self.task, operation)
        example = function(empty, self._ones)
        function, divisors = self._divided(function, reduction)
        blocks = self.chunks.blocks(function, *divisors)
        value = self._reduced(blocks, reduction, 0) if operation & VALUE else None
        return value, *self._derivatives(operation, blocks, example)

    def _each(self, function: Callable[..., Any]) -> da.Array:
        """What a function of a task and its arguments comes to, of each chunk."""
        return self.chunks.blocks(partial(function, self.task))

    def _reduced(self, blocks: da.Array, reduction: Reduction, part: int | None = None) -> da.Array:
        """The loss of states, or of those that are a part of each result."""
        states = self.chunks.tree(blocks, tasks.merged_states, part)
        return self.chunks.after(partial(tasks.value, self.task, reduction), states, np.float64)

    def _losses(self, operation: int) -> tuple[da.Array, Any, Any]:
        """The loss of each element and, if asked for, the gradient."""
        function = partial(tasks.losses, self.task, operation)
        example, blocks = function(self.chunks.empty()), self.chunks.blocks(function)
        elements = self.chunks.elements
        own = islice(self._others, example[0].ndim - len(elements))  # such as one of quantiles
        value = self.chunks.part(blocks, elements, 0, (*elements, *own), example[0])
        return value, *self._derivatives(operation, blocks, example)

    def _derivatives(self, operation: int, blocks: da.Array, example: Any) -> tuple[Any, Any]:
        """Gradient and curvature among the results of all chunks, which are like those of an example."""
        orders = bool(operation & GRAD) + bool(operation & HESS)
        given = [argument for argument in self.signature.predictions if argument.name in self.chunks.operands]
        found = [
            self._derivative(argument, blocks, part, example[part])
            for part, argument in enumerate(given * orders, start=1)
        ]
        if not found:
            return None, None
        hess = found.pop() if operation & HESS else None
        gradients = getattr(self.task.terms[0][1], "gradients", None)
        return gradients(*found) if gradients else found[0], hess

    def _derivative(self, argument: Argument, blocks: da.Array, part: int, like: Any) -> da.Array:
        """That in an array, of which each chunk has a part or, where all elements share it, a term."""
        labels = self.chunks.labels[argument.name]
        if not argument.shared:
            return self.chunks.part(blocks, self.chunks.elements, part, labels, like)
        return self.chunks.part(self.chunks.tree(blocks, tasks.added, part), (), None, labels, like)

    # What sums are divided by

    @property
    def _ones(self) -> tuple[float, ...]:
        return (1.0,) * len(self.task.terms)

    def _divided(
        self, function: Callable[..., Any], reduction: Reduction
    ) -> tuple[Callable[..., Any], tuple[Indexed, ...]]:
        """A function of divisors, and these as a further block unless they are known at once."""
        if reduction in ("sum", "none"):
            return partial(function, divisors=self._ones), ()
        if self.chunks.known and not self._outline.weighted:
            number = float(math.prod(self._outline.shape))
            return partial(function, divisors=tuple(number for _ in self._ones)), ()
        return function, ((self.chunks.after(partial(tasks.divisors, reduction), self._weights()), ()),)

    def _weights(self) -> da.Array:
        """The states of all weights, which do not wait for what they do not depend on."""
        instead = {}
        for argument in self.signature.arguments:
            operand = self.chunks.operands.get(argument.name)
            if operand is not None and operand.known and self._is_aside(argument):
                nothing, chunks = da.zeros((), operand.dtype), self.chunks.of(argument.name)
                instead[argument.name] = da.broadcast_to(nothing, operand.shape, chunks=chunks)
        return self.chunks.tree(self.chunks.blocks(partial(tasks.weights, self.task), instead=instead), tasks.added)

    def _is_aside(self, argument: Argument) -> bool:
        """Whether weights do not depend on an array: predictions, and targets where no label or NaN is left out."""
        if argument.shared:
            return False
        lengths = any(one.keyword for one in self.signature.arguments)  # which targets must fit
        return argument in self.signature.predictions or not (self._by_target or lengths)
