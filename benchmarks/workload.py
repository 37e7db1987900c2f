"""What every contender is asked to compute, and whether its answer is right."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np

from fastloss import registry
from fastloss._threads import available
from tests.inputs import Array, draw
from tests.reference import twin

Work: TypeAlias = Literal["value", "value_and_grad"]
Call: TypeAlias = Callable[[], Any]

WORKS: tuple[Work, ...] = ("value", "value_and_grad")
SIZES = {"small": 100, "cache": 100_000, "large": 1 << 24}
TOLERANCE = 1e-4  # of a mean of float32 losses, and of the Euclidean norm of its gradient


class LeftOut(Exception):
    """Why a contender does not take part."""


class Workload:
    """One loss with its defaults, the float32 arrays it is computed on, and the threads that fastloss takes."""

    def __init__(self, name: str, n: int) -> None:
        self.name = name
        self.loss = registry[name]()
        self.y, self.x = draw(self.loss, n, np.float32, np.random.default_rng(0))
        self.threads = available()[0]
        self.processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    @cached_property
    def expected(self) -> tuple[float, float, Array]:
        """The mean, the scale of its terms, and the gradient, from the reference in float64."""
        value, grad = reference(self, np.float64, "value_and_grad")()
        return value, float(np.mean(np.abs(twin(self.loss)(self.y, self.x)))), grad

    def check(self, work: Work, result: Any) -> None:
        """Refuse a result that is not the reference's."""
        value, grad = result if work == "value_and_grad" else (result, None)
        expected, scale, expected_grad = self.expected
        if not abs(float(value) - expected) <= TOLERANCE * scale:
            raise LeftOut(f"its mean is {float(value):.7g}, the reference's {expected:.7g}")
        if grad is not None:
            error, norm = np.linalg.norm(np.asarray(grad) - expected_grad), np.linalg.norm(expected_grad)
            if not error <= TOLERANCE * norm:
                raise LeftOut(f"its gradient is off by {error:.2g}, where the reference's norm is {norm:.2g}")


def reference(load: Workload, dtype: type[np.floating[Any]], work: Work) -> Call:
    """The NumPy twin of a loss, reduced as a user of NumPy would do it."""
    loss, gradient = twin(load.loss), twin(load.loss, "_grad")
    y, x = load.y.astype(dtype, copy=False), load.x.astype(dtype, copy=False)

    def value() -> Any:
        return np.mean(loss(y, x))

    def value_and_grad() -> Any:
        values, grad = loss(y, x), gradient(y, x)
        grad /= np.size(values)
        return np.mean(values), grad

    return value if work == "value" else value_and_grad


@lru_cache(maxsize=1)
def workload(name: str, n: int) -> Workload:
    """The arrays of a loss; only those of the last one are kept."""
    return Workload(name, n)
