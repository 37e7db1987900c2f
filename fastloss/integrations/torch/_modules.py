"""Every loss as a module, made of the registry."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch
from torch import Tensor

from fastloss._core.evaluation import NAN_POLICIES, REDUCTIONS, NanPolicy, Reduction
from fastloss._core.functions import joined, sections, signature_of_tensors
from fastloss._core.loss import Loss, require_loss
from fastloss._core.parameters import check_names, checked
from fastloss.integrations.torch._interface import Interface
from fastloss.integrations.torch._text import text_of

_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
PARAMETERS = """\
reduction : {"mean", "batch_mean", "sum", "none"}
    As for calling the loss.
nan_policy : {"propagate", "omit", "raise"}
    Likewise.
"""


class LossModule(torch.nn.Module):
    """A loss as a module, whose call is that of the loss's function.

    Parameters
    ----------
    loss : Loss
        Any loss, also a sum of losses or one that is `Chained`.
    reduction : {"mean", "batch_mean", "sum", "none"}
        As for calling the loss.
    nan_policy : {"propagate", "omit", "raise"}
        Likewise.
    **parameters : Tensor
        Parameters of the loss that are tensors: a `torch.nn.Parameter` becomes one of the module, another tensor a
        buffer.

    Examples
    --------
    >>> import torch
    >>> import fastloss as fl
    >>> from fastloss.integrations.torch import LossModule
    >>> criterion = LossModule(fl.SquaredError() + 0.5 * fl.AbsoluteError())
    >>> prediction = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> criterion(torch.zeros(2), prediction).backward()
    >>> prediction.grad
    tensor([ 1.2500, -2.2500])
    """

    def __init__(
        self, loss: Loss, reduction: Reduction = "mean", nan_policy: NanPolicy = "propagate", **parameters: Tensor
    ) -> None:
        super().__init__()
        owner = type(self).__name__
        require_loss(owner, loss)
        check_names(owner, parameters, list(loss.parameters()))
        self.loss = loss
        self.reduction = checked(owner, "reduction", reduction, {"options": REDUCTIONS})
        self.nan_policy = checked(owner, "nan_policy", nan_policy, {"options": tuple(NAN_POLICIES)})
        self._text, self._interface, self._tensors = text_of(loss), Interface.of(loss), tuple(parameters)
        for name, tensor in parameters.items():
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{owner}: {name} is {tensor!r}, must be a tensor, or a parameter of the loss itself")
            if isinstance(tensor, torch.nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)

    def forward(self, *tensors: Any, **named: Any) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        *tensors : Tensor
            The arrays of the loss, in its order.
        **named : Tensor
            Arrays by name, and `sample_weight` and `mask`.

        Returns
        -------
        Tensor
            The reduced loss, or for "none" the losses.
        """
        found, given = self._interface.bound(tensors, named)
        if self._tensors:
            found, given = (*found, *self._tensors), (*given, *(getattr(self, name) for name in self._tensors))
        loss = self._text if torch.compiler.is_compiling() else self.loss
        return self._interface.evaluate(loss, (found, given), self.reduction, self.nan_policy)

    def extra_repr(self) -> str:
        """What the module's representation says beside its class.

        Returns
        -------
        str
            The loss and the reduction.
        """
        return f"{self.loss!r}, reduction={self.reduction!r}"


@cache
def module_of(cls: type[Loss]) -> type[LossModule]:
    """The module of a loss, which takes the loss's parameters."""

    def make(
        self: LossModule, *values: Any, reduction: Reduction = "mean", nan_policy: NanPolicy = "propagate", **named: Any
    ) -> None:
        tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
        numbers = {name: value for name, value in named.items() if name not in tensors}
        LossModule.__init__(self, cls(*values, **numbers), reduction, nan_policy, **tensors)

    def extra_repr(self: LossModule) -> str:
        shown = {name: value for name, value in self.loss.parameters().items() if name not in self._tensors}
        return ", ".join(f"{name}={value!r}" for name, value in (shown | {"reduction": self.reduction}).items())

    options = (signature_of_tensors(cls).parameters[name] for name in ("reduction", "nan_policy"))
    parameters = [_SELF, *inspect.signature(cls).parameters.values(), *options]
    make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    members = {"__init__": make, "extra_repr": extra_repr, "__doc__": _documentation(cls)}
    return type(cls.__name__, (LossModule,), members | {"__module__": "fastloss.integrations.torch"})


def _documentation(cls: type[Loss]) -> str | None:
    """That of the loss, whose parameters are the module's too."""
    if not Loss.__doc__:  # python -OO
        return None
    own = sections(inspect.getdoc(cls) or "")
    own["Parameters"] = own.get("Parameters", "").rstrip("\n") + "\n" * ("Parameters" in own) + PARAMETERS
    del own["Examples"]
    return joined(own)
