"""PyTorch, compiled: the same losses; the gradient through `torch.func`, so that it is one graph with the value.

Tried on binary cross-entropy: forward and backward apart, and the mode "max-autotune-no-cudagraphs", are not faster.
"""

from __future__ import annotations

import torch

from benchmarks.peers.pytorch import LOSSES
from benchmarks.workload import Call, Work, Workload

__all__ = ["LOSSES", "bind"]


def bind(load: Workload, work: Work) -> Call:
    torch.set_num_threads(load.threads)
    torch.compiler.reset()  # or many compilations of one function end in the interpreter
    y, x = torch.from_numpy(load.y), torch.from_numpy(load.x)
    mean, loss = LOSSES[load.name], load.loss

    def of_prediction(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return mean(y, x, loss)

    value = torch.compile(of_prediction, dynamic=False)
    grad_and_value = torch.compile(torch.func.grad_and_value(of_prediction, argnums=1), dynamic=False)

    def call() -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            if work == "value":
                return value(y, x)
            grad, mean = grad_and_value(y, x)
            return mean, grad

    return call
