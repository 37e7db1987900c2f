"""
A variational autoencoder
=========================

Images of digits are squeezed through two numbers. `VAE` is the whole loss: how well an image is drawn again, and
how far the two numbers are from a normal distribution. It has a gradient in the picture, the means and the variances.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastloss as fl

images, digits = load_digits(return_X_y=True)
images = images / 16
rng = np.random.default_rng(0)
sizes = {"a": (64, 48), "mean": (48, 2), "log_variance": (48, 2), "b": (2, 48), "c": (48, 64)}
weights = {name: rng.normal(size=size) / np.sqrt(size[0]) for name, size in sizes.items()}
loss = fl.VAE(reconstruction="binary_cross_entropy_with_logits")

# %%
# The chain rule by hand
# ----------------------
# A sample is the mean plus noise times the deviation, so that gradients go through it.


def step(x):
    hidden = np.tanh(x @ weights["a"])
    mean, log_variance = hidden @ weights["mean"], hidden @ weights["log_variance"]
    noise = rng.normal(size=mean.shape)
    code = mean + noise * np.exp(0.5 * log_variance)
    drawn = np.tanh(code @ weights["b"])
    value, grads = loss.value_and_grad(x, drawn @ weights["c"], mean=mean, log_variance=log_variance)
    back = (grads.y_pred @ weights["c"].T) * (1 - drawn**2)
    of_code = back @ weights["b"].T
    of_mean = grads.mean + of_code
    of_variance = grads.log_variance + of_code * noise * 0.5 * np.exp(0.5 * log_variance)
    of_hidden = (of_mean @ weights["mean"].T + of_variance @ weights["log_variance"].T) * (1 - hidden**2)
    return value, {"a": x.T @ of_hidden, "mean": hidden.T @ of_mean, "log_variance": hidden.T @ of_variance,
                   "b": code.T @ back, "c": drawn.T @ grads.y_pred}  # fmt: skip


means = {name: np.zeros(size) for name, size in sizes.items()}
squares = {name: np.zeros(size) for name, size in sizes.items()}
values = []
for k in range(1, 1501):
    value, grads = step(images[rng.integers(0, len(images), 128)])
    values.append(value)
    for name, grad in grads.items():
        means[name] += 0.1 * (grad - means[name])
        squares[name] += 0.001 * (grad**2 - squares[name])
        weights[name] -= 3e-3 * (means[name] / (1 - 0.9**k)) / (np.sqrt(squares[name] / (1 - 0.999**k)) + 1e-8)
print(f"the loss falls from {np.mean(values[:50]):.1f} to {np.mean(values[-50:]):.1f}")

# %%
# Where the digits lie, and what is drawn in between

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
codes = np.tanh(images @ weights["a"]) @ weights["mean"]
left.scatter(*codes.T, c=digits, cmap="tab10", s=8)
left.set(title="the two numbers of each image")
grid = np.stack(np.meshgrid(np.linspace(-2, 2, 9), np.linspace(2, -2, 9)), axis=-1)
pictures = 1 / (1 + np.exp(-np.tanh(grid @ weights["b"]) @ weights["c"]))
right.imshow(pictures.reshape(9, 9, 8, 8).transpose(0, 2, 1, 3).reshape(72, 72), cmap="gray_r")
right.set(title="images drawn from two numbers", xticks=[], yticks=[])
plt.show()
