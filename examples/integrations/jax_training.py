"""
Training with JAX
=================

`loss_fn` makes a function of a loss that `jax.jit`, `jax.grad` and `jax.vmap` take. Here it trains a network whose
gradient is JAX's; the loss's part of it is fastloss's.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl
from fastloss.integrations.jax import loss_fn

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-3, 3, 400)).astype("float32")[:, np.newaxis]
y = (np.sin(2 * x[:, 0]) + rng.normal(scale=0.1, size=400)).astype("float32")
y[rng.random(400) < 0.1] += 3.0


def network(weights, x):
    hidden = jnp.tanh(x @ weights["a"] + weights["b"])
    return hidden @ weights["c"]


def train(loss, steps=1500):
    keys = jax.random.split(jax.random.key(0), 2)
    weights = {"a": 2 * jax.random.normal(keys[0], (1, 32)), "b": jnp.linspace(-4, 4, 32),
               "c": 0.1 * jax.random.normal(keys[1], (32,))}  # fmt: skip
    of_loss = loss_fn(loss)
    step = jax.jit(jax.value_and_grad(lambda weights: of_loss(y, network(weights, x))))
    for _ in range(steps):
        _, grads = step(weights)
        weights = jax.tree.map(lambda weight, grad: weight - 0.03 * grad, weights, grads)
    return np.asarray(network(weights, x))


# %%
# Two losses
# ----------

predicted = {"squared error": train(fl.SquaredError()), "Huber": train(fl.Huber(delta=0.2))}
truth = np.sin(2 * x[:, 0])
for name, values in predicted.items():
    print(f"{name}: mean distance from the truth {fl.mae(truth, values):.3f}")

# %%
# What was learned

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.plot(x, y, ".", color="lightgray", markersize=4)
for name, values in predicted.items():
    axis.plot(x, values, label=name)
axis.plot(x, truth, "k--", linewidth=1, label="truth")
axis.legend()
plt.show()
