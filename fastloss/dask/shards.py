"""Cross-entropy of logits whose classes are in several chunks: the states of these are merged, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from fastloss import CrossEntropy, Loss, MeanBias, ShardState
from fastloss._core import counting
from fastloss._core.evaluation import Reduction, Specification
from fastloss._core.operands import as_array
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss.dask import tasks
from fastloss.dask.calls import Call
from fastloss.dask.chunks import Arguments, Indexed, Labels
from fastloss.dask.tasks import Task

LABELS, LOGITS = "y_true", "y_pred"


def of_shards(loss: Loss, arrays: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether a call is of logits whose classes are in several chunks."""
    y_pred = arrays[1] if len(arrays) > 1 else named.get(LOGITS)
    if not isinstance(loss, CrossEntropy) or not isinstance(y_pred, da.Array):
        return False
    return -y_pred.ndim <= loss.axis < y_pred.ndim and len(y_pred.chunks[loss.axis]) > 1


class ShardedCall(Call):
    """A call of cross-entropy of which a chunk has some classes of some rows."""

    loss: CrossEntropy

    def __init__(self, loss: CrossEntropy, *arguments: Any, **options: Any) -> None:
        super().__init__(loss, *arguments, **options)
        y_true, y_pred = (self.chunks.empty()[name] for name in (LABELS, LOGITS))
        ShardState.of(loss, y_true, y_pred, first_class=0)  # refuses what shards have not
        self._like = loss.grad(y_true, y_pred, reduction="sum")
        self._class = min(self.chunks.labels[LOGITS])
        lengths = [int(length) for length in self.chunks.lengths[self._class]]
        self._first: Indexed = da.from_array(np.cumsum([0, *lengths[:-1]]), chunks=1), (self._class,)

    def _split(self, labels: Mapping[str, Labels]) -> Labels:
        return labels[LOGITS]

    def _rows(self) -> Indexed:
        """The states of all classes of the rows of each chunk."""
        elements = self.chunks.elements
        shards = self.chunks.blocks(partial(shard, self.loss), self._first, labels=(*elements, self._class))
        return self.chunks.tree(shards, ShardState.merge, axis=len(elements)), elements

    def _each(self, function: Callable[..., Any]) -> da.Array:
        return self.chunks.blocks(partial(of_rows, function, self.task), self._rows(), without=LOGITS)

    def _weights(self) -> da.Array:
        blocks = self.chunks.blocks(partial(of_rows, tasks.weights, self.task), without=LOGITS)
        return self.chunks.tree(blocks, tasks.added)

    def _losses(self, operation: int) -> tuple[da.Array, Any, Any]:
        elements = self.chunks.elements
        losses = self.chunks.part(self._each(weighted_losses), elements, None, elements, np.empty((0,) * len(elements)))
        return losses.astype(self._outline.dtype), None, None

    def derivatives(self, operation: int, reduction: Reduction) -> tuple[Any, Any, Any]:
        if operation & HESS:
            raise ValueError(
                f"{self.owner}: there is no grad_and_hess of classes in several chunks, {LOGITS} must have them in one:"
                f" {LOGITS}.rechunk({{{self.loss.axis}: -1}})"
            )
        value = self.value(reduction) if operation & VALUE else None
        return value, self._grad(reduction) if operation & GRAD else None, None

    def _grad(self, reduction: Reduction) -> da.Array:
        labels = self.chunks.labels[LOGITS]
        function, divisors = self._divided(gradient, reduction)
        blocks = self.chunks.blocks(function, self._first, self._rows(), *divisors, labels=labels)
        return self.chunks.part(blocks, labels, None, labels, self._like)


def shard(loss: CrossEntropy, arguments: Arguments, first: Any) -> ShardState:
    """The state of the classes of a chunk."""
    return ShardState.of(loss, arguments[LABELS], arguments[LOGITS], first_class=int(first[0]), num_threads=1)


def gradient(arguments: Arguments, first: Any, whole: ShardState, divisors: Sequence[float]) -> Any:
    """The gradient in the logits of a chunk."""
    options = arguments.get("sample_weight"), arguments.get("mask"), 1
    call = whole._of_shard(arguments[LOGITS], int(first[0]), *options)
    return call.reduced(GRAD, "sum", factor=tasks.quotient(1.0, *divisors))[1]


def of_rows(function: Callable[..., Any], task: Task, arguments: Arguments, whole: ShardState | None = None) -> Any:
    """A function of a call of elements, of which each is a row; their losses are those of the state, if it is given."""
    loss: Any = task.loss
    labels = as_array(loss._spec.owner, LABELS, arguments[LABELS])
    mask = arguments.get("mask")
    if mask is not None:
        mask = as_array(loss._spec.owner, "mask", mask)
        mask = mask.reshape(mask.shape + (1,) * (labels.ndim - mask.ndim))
    elements = {
        "y_true": np.broadcast_to(0.0, labels.shape),
        "y_pred": np.broadcast_to(0.0, labels.shape) if whole is None else whole.value(reduction="none"),
        "mask": counting.counted(labels.shape, mask=mask, labels=labels, ignored=loss.ignore_index),
    }
    return function(replace(task, loss=_Row()), arguments | elements)


def weighted_losses(task: Task, arguments: Arguments) -> Any:
    """The loss of each row."""
    return tasks.losses(task, VALUE, arguments)[0]


class _Row(MeanBias):
    """The loss of what is a loss already: the prediction, for a target of 0."""

    def _specified(self) -> Specification:
        return replace(super()._specified(), owner="CrossEntropy")
