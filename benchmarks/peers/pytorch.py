"""PyTorch, eager: the library's own losses, and plain expressions where it has none."""

from __future__ import annotations

import math
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


def boxes(y: Tensor, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """The overlap and the union of boxes, their smallest common box, and the sides of both."""
    across, down = (torch.min(x[:, k + 2], y[:, k + 2]) - torch.max(x[:, k], y[:, k]) for k in (0, 1))
    shared = torch.where((across > 0) & (down > 0), across * down, 0.0)
    w, h, u, v = x[:, 2] - x[:, 0], x[:, 3] - x[:, 1], y[:, 2] - y[:, 0], y[:, 3] - y[:, 1]
    union = w * h + u * v - shared
    around = torch.max(x[:, 2:], y[:, 2:]) - torch.min(x[:, :2], y[:, :2])
    return shared / (union + eps), union, around, [w, h, u, v]


def iou(y: Tensor, x: Tensor, p: Any) -> Any:
    return (1 - boxes(y, x, p.eps)[0]).mean()


def giou(y: Tensor, x: Tensor, p: Any) -> Any:
    overlap, union, around, _ = boxes(y, x, p.eps)
    area = around[:, 0] * around[:, 1]
    return (1 - overlap + (area - union) / (area + p.eps)).mean()


def _distance(y: Tensor, x: Tensor, around: Tensor, eps: float) -> Tensor:
    centres = (x[:, :2] + x[:, 2:] - y[:, :2] - y[:, 2:]) / 2
    return centres.square().sum(1) / (around.square().sum(1) + eps)


def diou(y: Tensor, x: Tensor, p: Any) -> Any:
    overlap, _, around, _ = boxes(y, x, p.eps)
    return (1 - overlap + _distance(y, x, around, p.eps)).mean()


def ciou(y: Tensor, x: Tensor, p: Any) -> Any:
    overlap, _, around, (w, h, u, v) = boxes(y, x, p.eps)
    aspect = 4 / math.pi**2 * (torch.atan(u / v) - torch.atan(w / h)).square()
    alpha = (aspect / (1 - overlap + aspect + p.eps)).detach()
    return (1 - overlap + _distance(y, x, around, p.eps) + alpha * aspect).mean()


def nwd(y: Tensor, x: Tensor, p: Any) -> Any:
    return (1 - torch.exp(-torch.sqrt((x - y).square().sum(1) / 2) / p.constant)).mean()


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
    "iou": iou,
    "giou": giou,
    "diou": diou,
    "ciou": ciou,
    "nwd": nwd,
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
