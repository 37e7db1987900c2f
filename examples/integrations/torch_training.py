"""
Training with PyTorch
=====================

A network of PyTorch learns with losses of fastloss, whose gradient is computed with the value in one pass. `functional`
has the names of `torch.nn.functional`, and gives the same training to rounding.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

from fastloss.integrations import torch as flt
from fastloss.integrations.torch import functional as F

torch.set_num_threads(1)
images, digits = load_digits(return_X_y=True)
images, digits = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(digits)


def train(criterion, steps=150):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.Tanh(), torch.nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    values = []
    for _ in range(steps):
        batch = torch.randint(len(digits), (128,))
        optimizer.zero_grad()
        value = criterion(model(images[batch]), digits[batch])
        value.backward()
        optimizer.step()
        values.append(value.item())
    right = (model(images).argmax(dim=1) == digits).float().mean().item()
    return values, right


# %%
# PyTorch's own, the same of fastloss, and one that PyTorch does not have
# ------------------------------------------------------------------------
# Modules take targets first, as all of fastloss.

focal = flt.SoftmaxFocal(gamma=2.0)
runs = {
    "torch.nn.functional": torch.nn.functional.cross_entropy,
    "fastloss": F.cross_entropy,
    "fastloss, focal": lambda scores, labels: focal(labels, scores),
}
found = {name: train(criterion) for name, criterion in runs.items()}
for name, (values, right) in found.items():
    print(f"{name}: {values[0]:.4f} at first, {values[-1]:.4f} at last, {right:.1%} right")

# %%
# The losses of each step

figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (name, (values, _)), style in zip(found.items(), ("-", "--", "-"), strict=True):
    axis.plot(values, style, label=name)
axis.set(xlabel="steps", ylabel="loss of the batch", yscale="log")
axis.legend()
plt.show()
