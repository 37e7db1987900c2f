"""Losses of tensors as autograd has them: the gradient is computed with the value, and multiplied in the backward pass.

One operator computes every loss, which it has as text; its fake implementation gives the shapes that `torch.compile`
and `torch.export` ask for. Plain tensors take the same steps without the dispatcher, whose way through Python would
take longer than the loss of a small tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from fastloss._core.loss import Loss
from fastloss.integrations.torch._calls import (
    Call,
    Tensors,
    call_of,
    no_forward_mode,
    no_second_derivative,
    no_third_derivative,
    spread,
)
from fastloss.integrations.torch._text import loss_of, text_of

Backward: TypeAlias = Callable[..., Any]  # of a call, what multiplies its derivatives, and its tensors

# Whether another backward pass may follow this one; for want of a function that says so, one always may.
_graph_is_kept: Callable[[], bool] = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def _remember(ctx: Any, call: Call, tensors: Tensors, grads: Tensors) -> None:
    """Keep what the backward pass needs: the gradients, and the tensors where more may have to be made of them."""
    ctx.call, ctx.axes, ctx.gradients = call, call.axes(tensors), len(grads)
    ctx.set_materialize_grads(False)
    if grads and not call.curved:
        ctx.save_for_backward(*grads)
    else:
        ctx.save_for_backward(*grads, *tensors)


def _slopes(
    ctx: Any, factors: Tensor | None, vectors: Sequence[Tensor | None], coupled: Backward, curved: Backward
) -> list[Tensor | None]:
    """The gradient in each tensor, given those in the value and in the gradients, of which these are the outputs.

    Those of losses that are `coupled`, and what is `curved`, are computed only now.
    """
    call, saved = ctx.call, ctx.saved_tensors
    grads, tensors = saved[: ctx.gradients], saved[ctx.gradients :]
    found: list[Tensor | None] = [None] * len(call.names)
    if factors is not None:
        if grads:
            products = [(grad * spread(factors, ctx.axes, grad.ndim)).to(grad.dtype) for grad in grads]
        else:
            products = coupled(call, factors, *tensors)
        for k, product in zip(call.places, products, strict=True):
            found[k] = product
    for k, vector in zip(call.places, vectors, strict=False):
        if vector is not None:
            of_gradient = curved(call, vector, *tensors)
            found[k] = of_gradient if found[k] is None else found[k] + of_gradient
    return found


def _slopes_in_place(ctx: Any, factors: Tensor) -> list[Tensor | None]:
    """The same where no one asks for the gradients again: they are multiplied where they are."""
    call, axes = ctx.call, ctx.axes
    found: list[Tensor | None] = [None] * len(call.names)
    factor = None if axes else factors.item()
    for k, kept in zip(call.places, ctx.saved_tensors[: ctx.gradients], strict=True):
        grad = found[k] = kept.detach()
        if factor is None:
            grad.mul_(spread(factors, axes, grad.ndim))
        elif factor != 1:
            grad.mul_(factor)
    return found


def _one_by_one(function: type[Function], info: Any, in_dims: Sequence[int | None], *given: Any) -> tuple[Any, Any]:
    """A batch of calls, one after another, stacked along the first axis."""
    arguments = list(zip(given, in_dims, strict=True))
    each = [
        function.apply(*(one if axis is None else one.select(axis, k) for one, axis in arguments))
        for k in range(info.batch_size)
    ]
    if isinstance(each[0], Tensor):
        return torch.stack(each), 0
    return tuple(torch.stack(found) for found in zip(*each, strict=True)), (0,) * len(each[0])


class _Coupled(Function):
    """The gradients of losses under a factor for each, where these depend on the same numbers."""

    @staticmethod
    def forward(call: Call, factors: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(call.slopes(tensors, factors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.owner = inputs[0].owner

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Any) -> Any:
        raise no_second_derivative(ctx.owner)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Any) -> tuple[Any, Any]:
        return _one_by_one(_Coupled, info, in_dims, *given)


class _Curved(Function):
    """The product of a vector and the Hessian, where that is diagonal."""

    @staticmethod
    def forward(call: Call, vector: Tensor, *tensors: Tensor) -> Tensor:
        return (vector * call.curvature(tensors)).to(vector.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.owner = inputs[0].owner

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Any) -> Any:
        raise no_third_derivative(ctx.owner)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Any) -> tuple[Any, Any]:
        return _one_by_one(_Curved, info, in_dims, *given)


class _Direct(Function):
    """A call of plain tensors."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        value, grads = call.compute(tensors)
        _remember(ctx, call, tensors, grads)
        return value, *grads

    @staticmethod
    def backward(ctx: Any, factors: Tensor | None, *vectors: Tensor | None) -> tuple[Any, ...]:
        kept = torch.compiler.is_compiling() or torch.is_grad_enabled() or _graph_is_kept()
        if factors is None or kept or not ctx.gradients:
            return None, *_slopes(ctx, factors, vectors, _Coupled.apply, _Curved.apply)
        return None, *_slopes_in_place(ctx, factors)


# What `Function.apply` calls where no function is being transformed, as is known by then.
apply_directly: Callable[..., Any] = super(Function, _Direct).apply


class _Transformed(Function):
    """A call within `torch.func`."""

    @staticmethod
    def forward(call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        value, grads = call.compute(tensors)
        return value, *grads

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        call, *tensors = inputs
        _remember(ctx, call, tensors, output[1:])

    @staticmethod
    def backward(ctx: Any, factors: Tensor | None, *vectors: Tensor | None) -> tuple[Any, ...]:
        return None, *_slopes(ctx, factors, vectors, _Coupled.apply, _Curved.apply)

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> Any:
        raise no_forward_mode(ctx.call.owner)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Any) -> tuple[Any, Any]:
        return _one_by_one(_Transformed, info, in_dims, *given)


apply_transformed: Callable[..., Any] = _Transformed.apply


# The operator -----------------------------------------------------------------------------------------


def _texts(call: Call) -> tuple[str, str, str]:
    """A loss, the names of its tensors and of those that have a gradient, as the operators take them."""
    return text_of(call.loss), " ".join(call.names), " ".join(call.wanted)


def _call(loss: str, names: str, wanted: str, reduction: str, nan_policy: str) -> Call:
    return call_of(loss_of(loss), tuple(names.split()), tuple(wanted.split()), reduction, nan_policy)


@torch.library.custom_op("fastloss::loss", mutates_args=())
def _loss(
    loss: str, names: str, tensors: list[Tensor], wanted: str, reduction: str, nan_policy: str
) -> tuple[Tensor, list[Tensor]]:
    return _call(loss, names, wanted, reduction, nan_policy).compute(tensors)


@_loss.register_fake
def _fake_loss(
    loss: str, names: str, tensors: list[Tensor], wanted: str, reduction: str, nan_policy: str
) -> tuple[Tensor, list[Tensor]]:
    return _call(loss, names, wanted, reduction, nan_policy).outputs(tensors)


def _setup_loss(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, list[Tensor]]) -> None:
    loss, names, tensors, *options = inputs
    call = _call(loss, names, *options)
    _remember(ctx, call, tensors, output[1])
    if not call.curved:
        ctx.mark_non_differentiable(*output[1])


def _backward_of_loss(ctx: Any, factors: Tensor | None, vectors: Sequence[Tensor | None]) -> tuple[Any, ...]:
    if torch.is_grad_enabled() and not ctx.call.curved:
        raise no_second_derivative(ctx.call.owner)
    return None, None, _slopes(ctx, factors, vectors, _coupled_by_operator, _curved_by_operator), None, None, None


_loss.register_autograd(_backward_of_loss, setup_context=_setup_loss)


def by_operator(
    loss: Loss | str, names: Sequence[str], tensors: Tensors, wanted: Sequence[str], reduction: str, nan_policy: str
) -> Tensor:
    text = loss if isinstance(loss, str) else text_of(loss)
    found = torch.ops.fastloss.loss(text, " ".join(names), [*tensors], " ".join(wanted), reduction, nan_policy)
    value: Tensor = found[0]
    return value


@torch.library.custom_op("fastloss::slopes", mutates_args=())
def _slopes_of_losses(
    loss: str, names: str, tensors: list[Tensor], wanted: str, nan_policy: str, factors: Tensor
) -> list[Tensor]:
    return _call(loss, names, wanted, "none", nan_policy).slopes(tensors, factors)


@_slopes_of_losses.register_fake
def _fake_slopes(
    loss: str, names: str, tensors: list[Tensor], wanted: str, nan_policy: str, factors: Tensor
) -> list[Tensor]:
    return [torch.empty_like(tensors[k]) for k in _call(loss, names, wanted, "none", nan_policy).places]


@torch.library.custom_op("fastloss::curvature", mutates_args=())
def _curvature(loss: str, names: str, tensors: list[Tensor], wanted: str, reduction: str, nan_policy: str) -> Tensor:
    return _call(loss, names, wanted, reduction, nan_policy).curvature(tensors)


@_curvature.register_fake
def _fake_curvature(
    loss: str, names: str, tensors: list[Tensor], wanted: str, reduction: str, nan_policy: str
) -> Tensor:
    (k,) = _call(loss, names, wanted, reduction, nan_policy).places
    return tensors[k].new_empty(tensors[k].shape)


def _coupled_by_operator(call: Call, factors: Tensor, *tensors: Tensor) -> list[Tensor]:
    text, names, wanted = _texts(call)
    found: list[Tensor] = torch.ops.fastloss.slopes(text, names, [*tensors], wanted, call.nan_policy, factors)
    return found


def _curved_by_operator(call: Call, vector: Tensor, *tensors: Tensor) -> Tensor:
    text, names, wanted = _texts(call)
    return vector * torch.ops.fastloss.curvature(text, names, [*tensors], wanted, call.reduction, call.nan_policy)


def _setup_of_owner(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.owner = loss_of(inputs[0])._spec.owner


def _refuse_second_derivative(ctx: Any, *_: Any) -> Any:
    raise no_second_derivative(ctx.owner)


def _refuse_third_derivative(ctx: Any, *_: Any) -> Any:
    raise no_third_derivative(ctx.owner)


_slopes_of_losses.register_autograd(_refuse_second_derivative, setup_context=_setup_of_owner)
_curvature.register_autograd(_refuse_third_derivative, setup_context=_setup_of_owner)
