"""Every loss as a function of tensors, made of the registry."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from fastloss._core.functions import documentation, joined, made, sections, signature_of_tensors
from fastloss._core.loss import Loss
from fastloss._core.parameters import check_names
from fastloss.integrations.torch._interface import Interface
from fastloss.integrations.torch._text import described

CALL = """
Parameters
----------
y_true : Tensor
    Targets, in the domain that the loss states, of any real type.
y_pred : Tensor
    Predictions, of exactly the shape that belongs to `y_true`; nothing is broadcast.
sample_weight : Tensor, optional
    Finite and not negative, one for each loss or one for each index of the first axis. An element of weight 0
    contributes exactly 0, even where its loss is infinite or NaN.
mask : Tensor of bool, optional
    True where an element counts, one for each loss or one for each index of the first axis.
reduction : {"mean", "batch_mean", "sum", "none"}
    The sum of weighted losses over the sum of weights; over the number of elements that are neither masked nor omitted;
    the sum; or a tensor of weighted losses.
nan_policy : {"propagate", "omit", "raise"}
    What a NaN among the targets does: make the result NaN, leave the element out of sums and counts, or raise.

Returns
-------
Tensor
    The reduced loss, or the losses: float32 for predictions of 32 bits or fewer, else float64. Its gradient is that of
    exactly this value, in predictions, and in parameters that are tensors where the loss has a derivative in them.
"""


@cache
def function_of(cls: type[Loss]) -> Callable[..., Tensor]:
    """The function of a loss: its tensors, and by keyword its parameters and the options of a call."""
    default, names, parameters = cls(), list(signature_of_tensors(cls).parameters), tuple(cls._fields)
    interface = Interface.of(default)

    def function(*tensors: Any, reduction: Any = "mean", nan_policy: Any = "propagate", **named: Any) -> Tensor:
        if not named:
            return interface.evaluate(default, interface.bound(tensors, named), reduction, nan_policy)
        check_names(cls.function_name, named, names)
        own = {name: named.pop(name) for name in parameters if name in named}
        found, values = interface.bound(tensors, named)
        given = {name: value for name, value in own.items() if isinstance(value, Tensor)}
        numbers = {name: value for name, value in own.items() if name not in given}
        loss = described(cls.__name__, numbers) if torch.compiler.is_compiling() else made(cls, numbers)
        return interface.evaluate(loss, ((*found, *given), (*values, *given.values())), reduction, nan_policy)

    function.__name__ = function.__qualname__ = cls.function_name
    function.__module__ = "fastloss.integrations.torch"
    function.__signature__ = signature_of_tensors(cls)  # type: ignore[attr-defined]
    function.__doc__ = _documentation(cls)
    return function


def _documentation(cls: type[Loss]) -> str | None:
    """That of the loss and of its call."""
    if not Loss.__doc__:  # python -OO
        return None
    found = sections(documentation(cls, CALL, "Tensor"))
    del found["Examples"]  # of arrays
    return joined(found)
