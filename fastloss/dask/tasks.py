"""What a task computes of the arguments of a call, on one thread: Dask has others for other tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss import GroupStates, Loss, LossState, WeightedSum
from fastloss._core import counting
from fastloss._core.evaluation import NanPolicy, Reduction
from fastloss._core.groups import encode
from fastloss._core.runtime import MOMENTS, VALUE
from fastloss.dask.chunks import Arguments

States: TypeAlias = tuple[LossState, ...]  # of each term of a sum of losses

GROUPS = "groups"


@dataclass(frozen=True)
class Task:
    """A call of a loss, but for its arrays.

    Parameters
    ----------
    loss : Loss
        The loss.
    nan_policy : str
        As for calling the loss.
    keys : tuple, default=()
        The names of columns of groups, if they were given by name.
    """

    loss: Loss
    nan_policy: NanPolicy
    keys: tuple[Any, ...] = ()

    @property
    def terms(self) -> Sequence[tuple[float, Loss]]:
        """The losses that are added up, and their factors: each has a divisor of its own."""
        apart = isinstance(self.loss, WeightedSum) and not self.loss._of_elements()
        return self.loss._terms() if apart else ((1.0, self.loss),)

    def called(self, loss: Loss, arguments: Arguments) -> Any:
        """The call of these arguments."""
        arrays = [arguments.get(name) for name in loss.signature.names]
        return loss._called(arrays, arguments.get("sample_weight"), arguments.get("mask"), self.nan_policy, 1)

    def given(self, arguments: Arguments) -> tuple[list[Any], dict[str, Any]]:
        """The same arguments by position and by name, as public methods take them."""
        by_position = [argument.name for argument in self.loss.signature.arguments if not argument.keyword]
        by_name = {name: given for name, given in arguments.items() if name not in by_position}
        options = by_name | {"nan_policy": self.nan_policy, "num_threads": 1}
        return [arguments.get(name) for name in by_position], options


# Of the arguments of a chunk ----------------------------------------------------------------------


def losses(task: Task, operation: int, arguments: Arguments) -> tuple[Any, ...]:
    """The loss of each element and, if asked for, the gradient."""
    value, grads, _ = task.called(task.loss, arguments).reduced(operation, "none")
    return value, *_several(grads)


def derivatives(task: Task, operation: int, arguments: Arguments, divisors: Sequence[float]) -> tuple[Any, ...]:
    """The states, if asked for, and the derivatives of the sum over the divisors."""
    moments = MOMENTS if operation & VALUE else 0
    found: list[Any] = []
    total: list[Any] = []
    for (factor, loss), divisor in zip(task.terms, divisors, strict=True):
        call = task.called(loss, arguments)
        state, grads, hess = call.reduced(operation | moments, "sum", factor=quotient(factor, divisor))
        own = [*_several(grads), *_several(hess)]
        total = [a + b for a, b in zip(total, own, strict=True)] if total else own
        found.append(state)
    return tuple(found), *total


def quotient(factor: float, divisor: float) -> float:
    """What a sum's derivatives are multiplied by, 0 where nothing counts."""
    return counting.mean(factor, divisor) if divisor else 0.0


def states(task: Task, arguments: Arguments) -> States:
    return tuple(task.called(loss, arguments).state() for _, loss in task.terms)


def weights(task: Task, arguments: Arguments) -> NDArray[np.float64]:
    """For each term the sum of weights, and the number of elements that count."""
    return np.array([task.called(loss, arguments).weights() for _, loss in task.terms])


def state(task: Task, arguments: Arguments) -> Any:
    """That of the loss, which if it is a sum has losses that weigh elements alike."""
    return task.called(task.loss, arguments).state()


def group_states(task: Task, arguments: Arguments) -> Any:
    """The states of groups, whose labels are given as they are or a column for each key."""
    by_key = [arguments.pop(column(key)) for key in task.keys]
    groups = dict(zip(task.keys, by_key, strict=True)) if by_key else arguments.pop(GROUPS)
    arrays, options = task.given(arguments)
    return task.loss.states(*arrays, groups=groups, **options)


def column(key: Any) -> str:
    """What a column of groups is known as."""
    return f"{GROUPS}[{key!r}]"


def _several(found: Any) -> tuple[Any, ...]:
    return () if found is None else found if isinstance(found, tuple) else (found,)


# Of the results of several ------------------------------------------------------------------------


def merged_states(found: Sequence[States]) -> States:
    return tuple(LossState.merge(each) for each in zip(*found, strict=True))


def merged_groups(found: Sequence[Any]) -> Any:
    """Tables of states, or dictionaries of those of regions."""
    if isinstance(found[0], GroupStates):
        return GroupStates.merge(found)
    labels, places = encode(np.fromiter(dict.fromkeys(label for states in found for label in states), object))
    present = (labels[place] for place in np.unique(places))
    return {label: LossState.merge(states[label] for states in found if label in states) for label in present}


def added(found: Sequence[Any]) -> Any:
    """The sum of arrays, in float64, and of their type."""
    total = sum(found[1:], found[0].astype(np.float64))
    return total.astype(found[0].dtype)


def divisors(reduction: Reduction, weights: NDArray[np.float64]) -> tuple[float, ...]:
    """What the sums of losses are divided by."""
    return tuple(counting.divisor(reduction, *term) for term in weights.tolist())


def value(task: Task, reduction: Reduction, found: States) -> Any:
    """The reduced loss."""
    total = 0.0
    for (factor, loss), state in zip(task.terms, found, strict=True):
        divisor = counting.divisor(reduction, state.weight, state.count)
        if not divisor:
            counting.warn_of_nothing(loss._spec.owner, reduction, state.count)
        total += factor * (state.mean if reduction == "mean" else counting.mean(state.sum, divisor))
    return np.float64(total)
