"""What the functions and modules of tensors have in common: which tensors a loss takes, and the way that they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad

from fastloss._core.loss import Loss
from fastloss._core.multi_input import bound
from fastloss._core.signature import Argument
from fastloss.integrations.torch._autograd import apply_directly, apply_transformed, by_operator
from fastloss.integrations.torch._calls import WEIGHING, Tensors, call_of, differentiable, no_forward_mode

Given: TypeAlias = tuple[tuple[str, ...], Sequence[Any]]  # tensors and their names

PLAIN = (Tensor, torch.nn.Parameter)

# Of what would not see a call that does without the dispatcher PyTorch tells nowhere else.
_transforming: Callable[[], bool] = torch._C._are_functorch_transforms_active
_modes: Callable[[], int] = torch._C._len_torch_dispatch_stack


class Interface(NamedTuple):
    """What a loss takes: the arrays, and which of them, and of its parameters, have a derivative."""

    owner: str
    arguments: tuple[Argument, ...]
    by_position: tuple[str, ...]
    differentiable: frozenset[str]

    @classmethod
    def of(cls, loss: Loss) -> Interface:
        arguments = (*loss.signature.arguments, *WEIGHING)
        by_position = tuple(argument.name for argument in arguments if not argument.keyword)
        return cls(loss._spec.owner, arguments, by_position, frozenset(differentiable(loss)))

    def bound(self, tensors: Sequence[Any], named: Mapping[str, Any]) -> Given:
        """The tensors of a call that are not None, and their names."""
        if not named and len(tensors) == len(self.by_position):
            for tensor in tensors:
                if tensor is None:
                    break
            else:
                return self.by_position, tensors
        found = bound(self.owner, self.arguments, tensors, named)
        given = {name: tensor for name, tensor in found.items() if tensor is not None}
        return tuple(given), tuple(given.values())

    def evaluate(self, loss: Loss | str, given: Given, reduction: str, nan_policy: str) -> Tensor:
        """The loss of tensors, or their losses; where that is being compiled the loss may be text."""
        names, tensors = given
        plain, wanted = self._examined(given)
        if torch.compiler.is_compiling():
            return by_operator(loss, names, tensors, wanted, reduction, nan_policy)
        assert isinstance(loss, Loss)
        if _transforming():
            call = call_of(loss, names, self.wanted(given), reduction, nan_policy)
            return apply_transformed(call, *tensors)[0]
        if forward_ad._current_level >= 0:
            self._refuse_tangents(tensors)
        if not plain or _modes() or torch.jit.is_tracing():
            return by_operator(loss, names, tensors, wanted, reduction, nan_policy)
        call = call_of(loss, names, wanted, reduction, nan_policy)
        return apply_directly(call, *tensors)[0] if wanted else call.compute(tensors)[0]

    def wanted(self, given: Given) -> tuple[str, ...]:
        """The names of the tensors whose gradients are computed."""
        if torch.compiler.is_compiling() or not _transforming():
            return self._examined(given)[1]
        named = zip(*given, strict=True)  # which do not say within `torch.func` whether they require one
        return tuple(name for name, tensor in named if name in self.differentiable and tensor.is_floating_point())

    def _examined(self, given: Given) -> tuple[bool, tuple[str, ...]]:
        """Whether all are of PyTorch's own types, and the names of those that require a gradient."""
        plain, wanted, enabled = True, [], torch.is_grad_enabled()
        for name, tensor in zip(*given, strict=True):
            if type(tensor) not in PLAIN:
                self._require_tensor(name, tensor)
                plain = False
            if enabled and tensor.requires_grad:
                if name not in self.differentiable:
                    raise self._no_derivative(name)
                wanted.append(name)
        return plain, tuple(wanted)

    def _require_tensor(self, name: str, given: Any) -> None:
        if not isinstance(given, Tensor):
            raise TypeError(f"{self.owner}: {name} is a {type(given).__name__}, must be a tensor")

    def _no_derivative(self, name: str) -> ValueError:
        return ValueError(
            f"{self.owner}: {name} requires a gradient, must not, as there is none in it; pass {name}.detach()"
        )

    def _refuse_tangents(self, tensors: Tensors) -> None:
        for tensor in tensors:
            if forward_ad.unpack_dual(tensor).tangent is not None:
                raise no_forward_mode(self.owner)
