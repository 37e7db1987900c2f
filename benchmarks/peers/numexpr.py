"""NumExpr: the losses and the gradients of their sums as expressions over blocks."""

from __future__ import annotations

from typing import Any

import numexpr
import numpy as np

from benchmarks.workload import Call, Work, Workload

# The loss and its derivative in x. Parameters are float32, so that nothing is promoted.
LOSSES: dict[str, tuple[str, str]] = {
    "squared_error": ("(x - y)**2", "2 * (x - y)"),
    "absolute_error": ("abs(x - y)", "where(x > y, one, -one)"),
    "huber": (
        "where(abs(x - y) <= delta, half * (x - y)**2, delta * (abs(x - y) - half * delta))",
        "where(abs(x - y) <= delta, x - y, where(x > y, delta, -delta))",
    ),
    "quantile": (
        "where(y >= x, quantile * (y - x), (quantile - 1) * (y - x))",
        "where(y >= x, -quantile, 1 - quantile)",
    ),
    "poisson_nll": ("exp(x) - y * x", "exp(x) - y"),
    "gamma_nll": ("x + y * exp(-x)", "1 - y * exp(-x)"),
    "binary_cross_entropy_with_logits": (
        "where(x > 0, x, zero) - x * y + log1p(exp(-abs(x)))",
        "1 / (1 + exp(-x)) - y",
    ),
    "soft_margin": ("where(y * x < 0, -y * x, zero) + log1p(exp(-abs(x)))", "-y / (1 + exp(y * x))"),
    "exponential": ("exp(-y * x)", "-y * exp(-y * x)"),
    "hinge": ("where(y * x < margin, margin - y * x, zero)", "where(y * x < margin, -y, zero)"),
    "squared_hinge": (
        "where(y * x < margin, (margin - y * x)**2, zero)",
        "where(y * x < margin, -2 * y * (margin - y * x), zero)",
    ),
    "perceptron": ("where(y * x < 0, -y * x, zero)", "where(y * x < 0, -y, zero)"),
}
CONSTANTS = {"zero": 0, "half": 0.5, "one": 1}


def bind(load: Workload, work: Work) -> Call:
    numexpr.set_num_threads(load.threads)
    loss, derivative = LOSSES[load.name]
    numbers = {k: v for k, v in load.loss.parameters().items() if isinstance(v, float)} | CONSTANTS
    names = {"y": load.y, "x": load.x, "scale": np.float32(1 / load.y.size)}
    names |= {name: np.float32(number) for name, number in numbers.items()}

    # NumExpr's own sum takes as long and adds up in one float32: it is percents off on large arrays.
    def value() -> Any:
        return numexpr.evaluate(loss, names).mean()

    def value_and_grad() -> tuple[Any, Any]:
        return value(), numexpr.evaluate(f"scale * ({derivative})", names)

    return value if work == "value" else value_and_grad
