"""A call of a loss of tensors, in whose memory it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fastloss._core.evaluation import Evaluation
from fastloss._core.loss import Loss, WeightedSum
from fastloss._core.operands import as_array
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss._core.signature import Argument
from fastloss._core.threads import GRAIN, at_most
from fastloss.regions.regions import RegionLoss

Tensors: TypeAlias = Sequence[Tensor]
Axes: TypeAlias = tuple[int | None, ...]

WEIGHING = (Argument("sample_weight", keyword=True), Argument("mask", keyword=True))
NARROW = (torch.float16, torch.bfloat16, torch.float32)
WORDS = {2: np.uint16, 4: np.float32, 8: np.float64}  # by their bytes
LARGE = 1 << 22  # bytes from which NumPy asks for large pages
NO_LIMIT: AbstractContextManager[None] = nullcontext()


# Memory -----------------------------------------------------------------------------------------------


def array_of(owner: str, name: str, tensor: Tensor) -> Any:
    """A tensor's memory as an array."""
    if not tensor.is_cpu:
        raise ValueError(f"{owner}: {name} is on the device {tensor.device}, must be on the CPU")
    if tensor.dtype is not torch.bfloat16:
        try:
            return tensor.numpy(force=True)
        except (TypeError, RuntimeError):
            pass  # of a layout or a type that NumPy lacks, which the next line says
    return as_array(owner, name, tensor.detach())


def tensor_of(array: Any) -> Tensor:
    """An array's memory as a tensor."""
    if array.dtype.kind == "V":  # ml_dtypes' bfloat16
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def gradient_of(tensor: Tensor, found: Any) -> Tensor:
    """The gradient in a tensor; that in a parameter is found as a number."""
    return torch.full_like(tensor, found) if isinstance(found, float) else tensor_of(found)


def in_large_pages(tensor: Tensor) -> Tensor:
    """What `torch.empty_like` makes, of NumPy's memory, in which pages of a large tensor are large."""
    if tensor.numel() * tensor.itemsize < LARGE:
        return torch.empty_like(tensor)
    memory = torch.from_numpy(np.empty(tensor.numel(), WORDS[tensor.itemsize])).view(tensor.dtype)
    return memory.as_strided(tensor.shape, torch.empty_like(tensor, device="meta").stride())


# A call -----------------------------------------------------------------------------------------------


class Call:
    """A loss of tensors of these names: arrays, weights, a mask, and parameters that are tensors.

    For those that are `wanted` gradients are computed too.
    """

    __slots__ = (
        "_arguments", "_mask", "_parameters", "_predictions", "_weight", "curved", "loss", "names", "nan_policy",
        "owner", "places", "reduction", "wanted",
    )  # fmt: skip

    def __init__(
        self, loss: Loss, names: tuple[str, ...], wanted: tuple[str, ...], reduction: str, nan_policy: str
    ) -> None:
        signature, place = loss.signature, {name: k for k, name in enumerate(names)}
        self.loss, self.names, self.wanted = loss, names, wanted
        self.owner, self.reduction, self.nan_policy = loss._spec.owner, reduction, nan_policy
        self.curved = loss._evaluation is Evaluation and signature.single and signature.additive
        # Where the tensors are, -1 for one that is not given.
        self._arguments = [place.get(name, -1) for name in signature.names]
        self._weight, self._mask = (place.get(argument.name, -1) for argument in WEIGHING)
        self._parameters = [k for k in place.values() if k not in (*self._arguments, self._weight, self._mask)]
        self._predictions = [place[one.name] for one in signature.predictions if one.name in place]
        self.places = [place[name] for name in wanted]

    # What it returns

    def outputs(
        self, tensors: Tensors, like: Callable[[Tensor], Tensor] = torch.empty_like
    ) -> tuple[Tensor, list[Tensor]]:
        """The value and the gradients, but for the numbers in them."""
        first, dtype = tensors[self._predictions[0]], self._dtype(tensors)
        shape = self.loss._shape_of_losses(first.shape) if self.reduction == "none" else ()
        value = torch.empty_like(first, dtype=dtype) if shape == first.shape else first.new_empty(shape, dtype=dtype)
        return value, [] if self.coupled(tensors) else [like(tensors[k]) for k in self.places]

    def compute(self, tensors: Tensors) -> tuple[Tensor, list[Tensor]]:
        """The value and the gradients."""
        places = () if self.coupled(tensors) else self.places
        out = grads = None
        for k in self._predictions:
            if not tensors[k].is_contiguous():  # NumPy would lay out otherwise than PyTorch what is like it
                out, grads = self._rooms(tensors)
                break
        reduced, slopes, _ = self._reduced(VALUE | GRAD if places else VALUE, tensors, out, grads)
        if self.reduction == "none":
            value = tensor_of(reduced)
        else:
            value = torch.from_numpy(np.array(reduced, WORDS[self._dtype(tensors).itemsize]))
        if not isinstance(slopes, tuple):
            return value, [tensor_of(slopes)] if places else []
        return value, [gradient_of(tensors[k], getattr(slopes, self.names[k])) for k in places]

    def _rooms(self, tensors: Tensors) -> tuple[Any, Any]:
        """Arrays for losses that are not reduced, and for the gradients in predictions."""
        value, grads = self.outputs(tensors, in_large_pages)
        of_places = dict(zip(self.places, grads, strict=False))
        arrays = tuple(
            array_of(self.owner, self.names[k], of_places[k]) if k in of_places else None for k in self._predictions
        )
        return value.numpy() if self.reduction == "none" else None, arrays if len(arrays) > 1 else arrays[0]

    def curvature(self, tensors: Tensors) -> Tensor:
        """The diagonal of the Hessian, where there is nothing else in it."""
        if not self.curved:
            raise no_second_derivative(self.owner)
        return tensor_of(self._reduced(GRAD | HESS, tensors, None, None)[2]).contiguous()

    def slopes(self, tensors: Tensors, factors: Tensor) -> list[Tensor]:
        """The gradients of the sum of losses, not reduced, under a factor for each, which may be negative."""
        loss = self.loss
        if isinstance(loss, WeightedSum):
            each = [self._of(loss=term).slopes(tensors, weight * factors) for weight, term in loss.terms]
            return [torch.stack(grads).sum(0) for grads in zip(*each, strict=True)]
        if not self.coupled(tensors):
            axes = self.axes(tensors)
            return [grad.mul_(spread(factors, axes, grad.ndim)) for grad in self.compute(tensors)[1]]
        if isinstance(loss, RegionLoss):
            return self._slopes_of_softmax(loss, tensors, factors)
        return self._slopes_of_weights(tensors, factors)

    # How it is computed

    def axes(self, tensors: Tensors) -> Axes:
        """The axis of the first prediction that each axis of the value lies along, None where its length is 1."""
        if self.reduction != "none":
            return ()
        return self.loss._axes_of_losses(tensors[self._predictions[0]].ndim)

    def coupled(self, tensors: Tensors) -> bool:
        """Whether losses that are not reduced depend on the same numbers: no product makes one gradient that of all."""
        return self.reduction == "none" and not self.loss._separate and len(self.axes(tensors)) > 0

    def _dtype(self, tensors: Tensors) -> torch.dtype:
        for k in self._predictions:
            if tensors[k].dtype not in NARROW:
                return torch.float64
        return torch.float32

    def _reduced(self, operation: int, tensors: Tensors, out: Any, grads: Any) -> tuple[Any, Any, Any]:
        """Value, gradient and curvature as an evaluation has them, with PyTorch's number of threads."""
        arrays: list[Any] = [array_of(self.owner, *one) for one in zip(self.names, tensors, strict=True)]
        arrays.append(None)
        loss = self._with(arrays) if self._parameters else self.loss
        given = [arrays[k] for k in self._arguments]
        size = arrays[self._predictions[0]].size
        with NO_LIMIT if size < 2 * GRAIN else at_most(torch.get_num_threads()):
            evaluation = loss._called(given, arrays[self._weight], arrays[self._mask], self.nan_policy, None)
            found: tuple[Any, Any, Any] = evaluation.reduced(operation, self.reduction, out, grads, scratch=True)
            return found

    def _with(self, arrays: Sequence[Any]) -> Loss:
        """The loss with parameters from arrays."""
        given = {self.names[k]: arrays[k] if arrays[k].ndim else arrays[k].item() for k in self._parameters}
        return type(self.loss)(**self.loss.parameters() | given)

    def _of(self, **other: Any) -> Call:
        given = {name: getattr(self, name) for name in ("loss", "names", "wanted", "reduction", "nan_policy")}
        return Call(**given | other)

    def _slopes_of_softmax(self, loss: RegionLoss, tensors: Tensors, factors: Tensor) -> list[Tensor]:
        """Those of classes with a loss each: those of their probabilities, and then of the softmax."""
        k, axis = self.names.index("y_pred"), loss.axis
        x = tensors[k]
        p = x.softmax(axis, dtype=torch.float32 if x.dtype in NARROW else torch.float64)
        inner = self._of(loss=type(loss)(**loss.parameters() | {"from_logits": False}))
        (grad,) = inner.slopes([*tensors[:k], p, *tensors[k + 1 :]], factors)
        return [(p * (grad - (grad * p).sum(axis, keepdim=True))).to(x.dtype)]

    def _slopes_of_weights(self, tensors: Tensors, factors: Tensor) -> list[Tensor]:
        """Those of a weighted sum. Weights are not negative: that of the positive ones, less that of the others."""
        given = dict(zip(self.names, tensors, strict=True))
        weight = factors.double()
        if "sample_weight" in given:
            own = given["sample_weight"].double()
            weight = weight * own.reshape(own.shape + (1,) * (weight.ndim - own.ndim))
        if not weight.isfinite().all():
            return [torch.full_like(tensors[k], torch.nan) for k in self.places]

        def under(part: Tensor) -> list[Tensor]:
            weighted = given | {"sample_weight": part}
            return self._of(names=tuple(weighted), reduction="sum").compute([*weighted.values()])[1]

        found = under(weight.clamp(min=0))
        if (weight < 0).any():
            for grad, other in zip(found, under((-weight).clamp(min=0)), strict=True):
                grad.sub_(other)
        return found


call_of = lru_cache(maxsize=1024)(Call)


def no_second_derivative(owner: str) -> NotImplementedError:
    return NotImplementedError(f"{owner}: its gradient has no derivative here, as the Hessian is not diagonal")


def no_third_derivative(owner: str) -> NotImplementedError:
    return NotImplementedError(f"{owner}: its second derivative has no derivative here")


def no_forward_mode(owner: str) -> NotImplementedError:
    return NotImplementedError(f"{owner}: it has no forward mode of differentiation, only the backward one")


def differentiable(loss: Loss) -> set[str]:
    """The names of what has a derivative: predictions, and parameters that the gradient has a field for."""
    gradients: Any = getattr(loss, "gradients", None)
    fields = () if gradients is None else gradients._fields
    return {argument.name for argument in loss.signature.predictions}.union(fields)


def spread(factors: Tensor, axes: Axes, ndim: int) -> Tensor:
    """A factor for each loss as it multiplies gradients of so many axes."""
    along = sorted((axis, k) for k, axis in enumerate(axes) if axis is not None)
    shape = [1] * ndim
    for axis, k in along:
        shape[axis] = factors.shape[k]
    rest = [k for k, axis in enumerate(axes) if axis is None]
    return factors.permute([k for _, k in along] + rest).reshape(shape)
