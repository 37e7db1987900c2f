"""PyTorch, eager: the library's own losses, and plain expressions where it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.workload import Call, Work, Workload


def focal(y: Tensor, x: Tensor, p: Any) -> Any:
    probability = torch.sigmoid(x)
    missed = probability * (1 - y) + (1 - probability) * y
    weight = p.alpha * y + (1 - p.alpha) * (1 - y)
    return (weight * missed**p.gamma * F.binary_cross_entropy_with_logits(x, y, reduction="none")).mean()


def tweedie(y: Tensor, x: Tensor, p: Any) -> Any:
    return (torch.exp((2 - p.power) * x) / (2 - p.power) - y * torch.exp((1 - p.power) * x) / (1 - p.power)).mean()


# The mean of each loss, given y_true, y_pred and the loss with its parameters.
LOSSES: dict[str, Callable[[Tensor, Tensor, Any], Tensor]] = {
    "squared_error": lambda y, x, p: F.mse_loss(x, y),
    "absolute_error": lambda y, x, p: F.l1_loss(x, y),
    "huber": lambda y, x, p: F.huber_loss(x, y, delta=p.delta),
    "smooth_l1": lambda y, x, p: F.smooth_l1_loss(x, y, beta=p.beta),
    "log_cosh": lambda y, x, p: (x - y + F.softplus(-2 * (x - y)) - 0.6931471805599453).mean(),
    "quantile": lambda y, x, p: torch.maximum(p.alpha * (y - x), (p.alpha - 1) * (y - x)).mean(),
    "poisson_nll": lambda y, x, p: F.poisson_nll_loss(x, y),
    "gamma_nll": lambda y, x, p: (x + y * torch.exp(-x)).mean(),
    "tweedie": tweedie,
    "binary_cross_entropy_with_logits": lambda y, x, p: F.binary_cross_entropy_with_logits(x, y),
    "sigmoid_focal": focal,
    "soft_margin": lambda y, x, p: F.soft_margin_loss(x, y),
    "exponential": lambda y, x, p: torch.exp(-y * x).mean(),
    "hinge": lambda y, x, p: torch.relu(p.margin - y * x).mean(),
    "squared_hinge": lambda y, x, p: torch.relu(p.margin - y * x).square().mean(),
    "cross_entropy": lambda y, x, p: F.cross_entropy(x, y),
    "perceptron": lambda y, x, p: torch.relu(-y * x).mean(),
}


def bind(load: Workload, work: Work) -> Call:
    torch.set_num_threads(load.threads)
    y, x = torch.from_numpy(load.y), torch.from_numpy(load.x)
    mean, loss = LOSSES[load.name], load.loss

    def value() -> Tensor:
        with torch.inference_mode():
            return mean(y, x, loss)

    leaf = x.requires_grad_(work == "value_and_grad")

    def value_and_grad() -> tuple[Tensor, Tensor]:
        result = mean(y, leaf, loss)
        return result.detach(), torch.autograd.grad(result, leaf)[0]

    return value if work == "value" else value_and_grad
