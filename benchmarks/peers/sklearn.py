"""scikit-learn's private `_loss`: arrays of losses and derivatives, reduced as its linear models do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn._loss import loss as losses

from benchmarks.workload import Call, Work, Workload

# The loss, and what its values are to be multiplied with to be fastloss's.
LOSSES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "squared_error": (lambda p: losses.HalfSquaredError(), 2),
    "absolute_error": (lambda p: losses.AbsoluteError(), 1),
    "huber": (lambda p: losses.HuberLoss(delta=p.delta), 1),
    "quantile": (lambda p: losses.PinballLoss(quantile=p.alpha), 1),
    "poisson_nll": (lambda p: losses.HalfPoissonLoss(), 1),
    "gamma_nll": (lambda p: losses.HalfGammaLoss(), 1),
    "tweedie": (lambda p: losses.HalfTweedieLoss(power=p.power), 1),
    "binary_cross_entropy_with_logits": (lambda p: losses.HalfBinomialLoss(), 1),
}


def bind(load: Workload, work: Work) -> Call:
    make, factor = LOSSES[load.name]
    loss = make(load.loss)
    arguments = {"y_true": load.y, "raw_prediction": load.x, "n_threads": load.threads}

    def value() -> float:
        return factor * float(np.mean(loss.loss(**arguments)))

    def value_and_grad() -> tuple[float, np.ndarray]:
        values, grad = loss.loss_gradient(**arguments)
        grad *= factor / grad.size
        return factor * float(np.mean(values)), grad

    return value if work == "value" else value_and_grad
