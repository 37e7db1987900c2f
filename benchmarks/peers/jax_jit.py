"""JAX, compiled: the natural expression of each loss, and its gradient by `jax.value_and_grad`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.workload import Call, LeftOut, Work, Workload


def cross_entropy(y: Array, x: Array) -> Array:
    return jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))


def softmax_cross_entropy(y: Array, x: Array, p: Any) -> Array:
    """Optax's, of integer labels."""
    target = jnp.take_along_axis(x, y[:, None], axis=-1)[:, 0]
    return jax.nn.logsumexp(x, axis=-1) - target


def huber(r: Array, delta: float) -> Array:
    return jnp.where(r <= delta, 0.5 * r * r, delta * (r - 0.5 * delta))


def focal(y: Array, x: Array, p: Any) -> Any:
    probability = jax.nn.sigmoid(x)
    missed = probability * (1 - y) + (1 - probability) * y
    return (p.alpha * y + (1 - p.alpha) * (1 - y)) * missed**p.gamma * cross_entropy(y, x)


def tweedie(y: Array, x: Array, p: Any) -> Any:
    return jnp.exp((2 - p.power) * x) / (2 - p.power) - y * jnp.exp((1 - p.power) * x) / (1 - p.power)


# Each loss of y_true and y_pred, given the loss with its parameters; the mean is taken below.
LOSSES: dict[str, Callable[[Array, Array, Any], Array]] = {
    "squared_error": lambda y, x, p: (x - y) ** 2,
    "absolute_error": lambda y, x, p: jnp.abs(x - y),
    "huber": lambda y, x, p: huber(jnp.abs(x - y), p.delta),
    "smooth_l1": lambda y, x, p: huber(jnp.abs(x - y), p.beta) / p.beta,
    "log_cosh": lambda y, x, p: jnp.logaddexp(x - y, y - x) - jnp.log(2.0),
    "quantile": lambda y, x, p: jnp.maximum(p.alpha * (y - x), (p.alpha - 1) * (y - x)),
    "poisson_nll": lambda y, x, p: jnp.exp(x) - y * x,
    "gamma_nll": lambda y, x, p: x + y * jnp.exp(-x),
    "tweedie": tweedie,
    "binary_cross_entropy_with_logits": lambda y, x, p: cross_entropy(y, x),
    "sigmoid_focal": focal,
    "soft_margin": lambda y, x, p: jax.nn.softplus(-y * x),
    "exponential": lambda y, x, p: jnp.exp(-y * x),
    "hinge": lambda y, x, p: jnp.maximum(0, p.margin - y * x),
    "squared_hinge": lambda y, x, p: jnp.maximum(0, p.margin - y * x) ** 2,
    "cross_entropy": softmax_cross_entropy,
    "perceptron": lambda y, x, p: jnp.maximum(0, -y * x),
}


def bind(load: Workload, work: Work) -> Call:
    if load.threads != load.processors:
        raise LeftOut(f"it runs on all {load.processors} processors, the others on {load.threads}")
    processor = jax.devices("cpu")[0]
    labels = load.y.astype(np.int32) if load.y.dtype.kind == "i" else load.y
    y, x = jax.device_put(labels, processor), jax.device_put(load.x, processor)

    def mean(y: Array, x: Array) -> Array:
        return jnp.mean(LOSSES[load.name](y, x, load.loss))

    compiled = jax.jit(mean if work == "value" else jax.value_and_grad(mean, argnums=1))
    finished: Callable[[Any], Any] = jax.block_until_ready
    return lambda: finished(compiled(y, x))
