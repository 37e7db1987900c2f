"""Losses of JAX arrays, under its transformations: ``jit``, ``grad``, ``vmap``, ``scan`` and their like.

`loss_fn` makes a function of JAX arrays of any loss. On JAX's CPU backend the kernels read the arrays where JAX has
them and write the results where JAX wants them; other backends have no such call.

* The value and the gradient of a reduced loss are computed in one pass, where JAX differentiates; the value alone where
  it does not. ``reduction="none"`` of losses that are each of several numbers, as those of rows of classes, takes a
  second pass, for the gradient of their sum under the factors that JAX has by then.
* Derivatives are those in the predictions. One in targets or weights is an error: ``jax.lax.stop_gradient`` makes a
  constant of what is computed, and ``weight * loss(..., reduction="none")`` has a derivative in the weight. Parameters
  of a loss are constants, too.
* Second derivatives are there where the Hessian is diagonal, for losses that are each of one number: ``jax.hessian``,
  and the gradient's Jacobian-vector products. At kinks they are the ones stated with the loss.
* Under ``vmap`` each call has the result that it has alone, up to rounding. A batch of calls of a loss of elements,
  rows, vectors or boxes is one call of more of them; of others it is one call after another.
* Shapes and types are checked when a function is traced, and what the arrays hold when it runs. The error is the
  loss's own, and in a function that is compiled the end of a ``jax.errors.JaxRuntimeError``.
* Of a compiled function of arrays in parts on several devices, each device computes the whole loss; under
  ``jax.shard_map`` each computes that of its part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fastloss import Loss
from fastloss._core.evaluation import Array, NanPolicy, Reduction
from fastloss._core.extras import missing
from fastloss._core.loss import require_loss
from fastloss._core.multi_input import bound
from fastloss._core.operands import as_array, operand
from fastloss._core.parameters import check_names
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss.integrations._calls import OPTIONAL, Call

try:
    import jax
    import jax.numpy as jnp
    from jax.custom_derivatives import SymbolicZero
    from jax.experimental.buffer_callback import buffer_callback
except ImportError as error:
    raise missing("fastloss.integrations.jax", "JAX 0.8 or newer", "jax") from error

__all__ = ["JaxLoss", "loss_fn"]

Arrays: TypeAlias = tuple[Any, ...]

OPTIONS = (*OPTIONAL, "reduction", "nan_policy", "num_threads")
ALIGNMENT = 64  # of memory that JAX takes over without a copy


def loss_fn(loss: Loss) -> JaxLoss:
    """Make a function of JAX arrays of a loss.

    Parameters
    ----------
    loss : Loss
        Any loss, or sum of losses.

    Returns
    -------
    JaxLoss
        To be called as the loss is, with JAX arrays and under any of JAX's transformations. It can be pickled, hashed
        and compared.

    See Also
    --------
    fastloss.Loss.value_and_grad : The same of NumPy arrays.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import fastloss as fl
    >>> from fastloss.integrations.jax import loss_fn
    >>> huber = loss_fn(fl.Huber(delta=2.0))
    >>> X, y = jnp.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), jnp.array([1.0, 3.0, 9.0])
    >>> step = jax.jit(jax.value_and_grad(lambda w: huber(y, X @ w)))
    >>> value, grad = step(jnp.zeros(2))
    >>> print(round(float(value), 4), grad.round(4))
    6.8333 [-2.     -1.6667]

    The loss of each example:

    >>> print(jax.vmap(huber)(y, X @ jnp.ones(2)))
    [ 0.   0.5 10. ]
    """
    return JaxLoss(loss)


@dataclass(frozen=True)
class JaxLoss:
    """A loss of JAX arrays.

    Parameters
    ----------
    loss : Loss
        Any loss, or sum of losses.
    """

    loss: Loss

    def __post_init__(self) -> None:
        require_loss("loss_fn", self.loss)

    def __call__(
        self,
        *arrays: Any,
        sample_weight: Any = None,
        mask: Any = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        num_threads: int | None = None,
        **named: Any,
    ) -> Any:
        """Compute the loss.

        Parameters
        ----------
        *arrays : array_like
            The arrays that the loss takes, in its order; mostly targets and predictions.
        sample_weight, mask : array_like, optional
            As for calling the loss.
        reduction, nan_policy, num_threads
            As for calling the loss. They are no arrays: a function that is compiled has them as constants.
        **named : array_like
            Arrays by name.

        Returns
        -------
        jax.Array
            The reduced loss, or an array for "none": float64 for predictions of that type, else float32.
        """
        signature = self.loss.signature
        check_names(self.owner, named, [*signature.names, *OPTIONS])
        given = bound(self.owner, signature.arguments, arrays, named) | {"sample_weight": sample_weight, "mask": mask}
        traced = {name: self._traced(name, given.get(name)) for name in (*signature.names, *OPTIONAL)}
        call = Call.of(self.loss, traced, reduction, nan_policy, num_threads)
        inputs = tuple(array for array in traced.values() if array is not None)
        inputs = tuple(
            _varying(array, inputs) if place in call.predictions else array for place, array in enumerate(inputs)
        )
        return _value(call, inputs) if call.separate or call.result == () else _losses(call, inputs)

    @property
    def __name__(self) -> str:  # what JAX calls a function that is compiled
        return type(self.loss).__name__

    @property
    def owner(self) -> str:
        """The name of the loss, for messages."""
        return self.loss._spec.owner

    def _traced(self, name: str, given: Any) -> Any:
        if given is None or isinstance(given, jax.Array):
            return given
        array = as_array(self.owner, name, given)
        operand(self.owner, name, array)  # refuses what is no real number
        return jnp.asarray(array)


# What runs ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What is to be computed of a call: the value, with the gradients, the curvature, or gradients under factors.

    Equal tasks are one to JAX, which compiles a function once for them.
    """

    call: Call
    operation: int

    @property
    def under_factors(self) -> bool:
        """Whether the last array holds factors of the losses, of which only the gradients are asked for."""
        return self.operation == GRAD

    def results(self, arrays: Sequence[Any]) -> list[Any]:
        """The shapes and types of the results."""
        call, found = self.call, []
        if self.operation & VALUE:
            found.append(jax.ShapeDtypeStruct(call.result, jax.dtypes.canonicalize_dtype(call.dtype)))
        for place in call.predictions:
            array = arrays[place]
            # What is multiplied by a factor later must not have vanished in float16 before; integers have no gradient.
            narrow = array.dtype == np.float16 and not self.under_factors
            wide = narrow or not jnp.issubdtype(array.dtype, np.floating)
            found.append(jax.ShapeDtypeStruct(array.shape, np.float32 if wide else array.dtype))
        return found[:1] if self.operation == VALUE else found

    def write(self, results: Sequence[Array], arrays: Sequence[Array]) -> None:
        """Write the results."""
        if self.under_factors:
            self.call.pull_back(arrays[:-1], arrays[-1], results)
        elif self.operation & HESS:
            self.call.run(self.operation, arrays, None, [np.empty_like(results[0])], results[0])
        else:
            self.call.run(self.operation, arrays, results[0], results[1:])

    def __call__(self, context: Any, results: Sequence[Any], *arrays: Any) -> None:
        """Run where JAX calls back, on its own memory."""
        self.write([np.asarray(result) for result in results], [np.asarray(array) for array in arrays])


def _compute(task: Task, arrays: Arrays) -> Arrays:
    wanted = task.results(arrays)
    if any(isinstance(array, jax.core.Tracer) for array in arrays):
        # Not `jax.pure_callback`, which makes JAX arrays of its arguments. NumPy waits for them, and their copies for a
        # thread of JAX's, of which each may run such a callback.
        found = buffer_callback(task, wanted, vmap_method="expand_dims")(*arrays)
        return tuple(_varying(one, arrays) for one in found)
    results = [_aligned(one.shape, one.dtype) for one in wanted]
    task.write(results, [np.asarray(array) for array in arrays])
    return tuple(jax.device_put(result, may_alias=True) for result in results)


def _varying(array: Any, others: Arrays) -> Any:
    """An array that differs between devices where others do: ``shard_map`` takes results of callbacks for equal."""
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return array
    return array + sum(jax.lax.full_like(other, 0, array.dtype, ()) for other in others)


def _aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    found: Array = room[start : start + size].view(dtype).reshape(shape)
    return found


# How it is differentiated ---------------------------------------------------------------------------


def _refuse(task: Task, primals: Any, tangents: Any) -> Any:
    what = "third derivative" if task.operation & HESS else "second derivative, the Hessian is not diagonal"
    raise TypeError(f"{task.call.owner}: there is no {what}")


_computed = jax.custom_jvp(_compute, nondiff_argnums=(0,))
_computed.defjvp(_refuse)


def _refuse_constants(call: Call, moved: Sequence[bool]) -> None:
    """Refuse derivatives in what is no prediction."""
    for place, (name, one) in enumerate(zip(call.given, moved, strict=True)):
        if one and place not in call.predictions:
            hint = f"jax.lax.stop_gradient({name})"
            if name == "sample_weight":
                hint += ", or multiply the losses of reduction='none'"
            raise TypeError(f"{call.owner}: there is no derivative in {name}, must be constant to JAX: {hint}")


# Of a number, or of losses that are each of one number: forward, backward, and twice.


def _evaluate(call: Call, arrays: Arrays) -> Any:
    return _computed(Task(call, VALUE), arrays)[0]


def _evaluate_both(call: Call, arrays: Arrays) -> tuple[Any, Arrays]:
    value, *grads = _computed(Task(call, VALUE | GRAD), arrays)
    return value, tuple(grads)


_value = jax.custom_jvp(_evaluate, nondiff_argnums=(0,))
_value_and_grads = jax.custom_jvp(_evaluate_both, nondiff_argnums=(0,))


def _move_value(call: Call, primals: tuple[Arrays], tangents: tuple[Arrays]) -> tuple[Any, Any]:
    (arrays,), (moves,) = primals, tangents
    _refuse_constants(call, [not isinstance(move, SymbolicZero) for move in moves])
    value, grads = _value_and_grads(call, arrays)
    return value, _along(call, value, grads, moves)


def _move_both(call: Call, primals: tuple[Arrays], tangents: tuple[Arrays]) -> tuple[Any, Any]:
    (arrays,), (moves,) = primals, tangents
    _refuse_constants(call, [not isinstance(move, SymbolicZero) for move in moves])
    if not call.separate:
        raise TypeError(f"{call.owner}: there is no second derivative, the Hessian is not diagonal")
    value, grads = _value_and_grads(call, arrays)
    (hess,) = _computed(Task(call, GRAD | HESS), arrays)
    (place,) = call.predictions
    bent = (hess.astype(value.dtype) * moves[place].astype(value.dtype)).astype(hess.dtype)
    return (value, grads), (_along(call, value, grads, moves), (bent,))


def _along(call: Call, value: Any, grads: Arrays, moves: Arrays) -> Any:
    """How far the value moves with the arrays."""
    total = jnp.zeros_like(value)
    for grad, place in zip(grads, call.predictions, strict=True):
        if not isinstance(moves[place], SymbolicZero):
            product = grad.astype(value.dtype) * moves[place].astype(value.dtype)
            total += product if call.reduction == "none" and call.separate else product.sum()
    return total


_value.defjvp(_move_value, symbolic_zeros=True)
_value_and_grads.defjvp(_move_both, symbolic_zeros=True)


# Of losses of which each is of several numbers: backward alone, since no Jacobian is held.

_losses = jax.custom_vjp(_evaluate, nondiff_argnums=(0,))


def _forward(call: Call, arrays: Sequence[Any]) -> tuple[Any, Arrays]:
    _refuse_constants(call, [array.perturbed for array in arrays])
    if not call.weighable:
        raise TypeError(
            f"{call.owner}: there is no derivative of reduction='none' of these regions, must be another reduction, or"
            " have groups='image' without weights of elements"
        )
    values = tuple(array.value for array in arrays)
    return _evaluate(call, values), values


def _backward(call: Call, arrays: Arrays, factors: Any) -> tuple[Arrays]:
    if isinstance(factors, SymbolicZero):
        return (tuple(None for _ in arrays),)
    grads = dict(zip(call.predictions, _computed(Task(call, GRAD), (*arrays, factors)), strict=True))
    real = [jnp.issubdtype(array.dtype, np.floating) for array in arrays]
    return (tuple(grads.get(place) if real[place] else None for place in range(len(arrays))),)


_losses.defvjp(_forward, _backward, symbolic_zeros=True)
