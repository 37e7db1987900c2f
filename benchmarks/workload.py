"""What every contender is asked to compute, and whether its answer is right."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from fastloss import registry
from fastloss._core.threads import available
from tests.inputs import Array, draw, draw_rows
from tests.reference import twin

Work: TypeAlias = Literal["value", "value_and_grad"]
Call: TypeAlias = Callable[[], Any]
Size: TypeAlias = int | tuple[int, int]  # elements, or rows and classes

WORKS: tuple[Work, ...] = ("value", "value_and_grad")
SIZES = {"small": 100, "cache": 100_000, "large": 1 << 24}
CLASSES = 1000  # of a rowwise loss at most, where only the number of elements is given
FEWER = {"multilabel_margin": 20}  # whose NumPy twin compares each pair of classes
PART = 1 << 17  # elements that are checked at a time, in a cache
CACHE = 64 << 20  # bytes of the largest, where the system does not say
TOLERANCE = 1e-4  # of a mean of float32 losses, and of the Euclidean norm of its gradient


class LeftOut(Exception):
    """Why a contender does not take part."""


class Workload:
    """One loss with its defaults, the arrays it is computed on, and the threads that fastloss takes."""

    def __init__(self, name: str, size: Size, dtype: DTypeLike = np.float32) -> None:
        self.name = name
        self.loss = registry[name]()
        rng = np.random.default_rng(0)
        if self.loss.signature.rowwise:
            if isinstance(size, int):
                classes = min(FEWER.get(name, CLASSES), math.isqrt(size))
                size = (size // classes, classes)
            self.y, self.x = draw_rows(self.loss, *size, dtype, rng)
            if self.y.dtype.kind == "f" and self.y.shape == self.x.shape and self.loss.targets == "probabilities":
                self.y *= 0.9  # some are 0, to which a divergence may be infinite
                self.y += 0.1 / size[1]
        else:
            assert isinstance(size, int)
            self.y, self.x = draw(self.loss, size, dtype, rng)
        self.threads = available()[0]
        self.processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    def bytes(self, work: Work) -> int:
        """What is read, and with a gradient written."""
        return int(self.y.nbytes + self.x.nbytes * (2 if work == "value_and_grad" else 1))

    def beyond_cache(self, work: Work) -> bool:
        """Whether the memory limits how fast the arrays can be read."""
        return self.bytes(work) > last_cache()

    @cached_property
    def expected(self) -> tuple[float, float, Array]:
        """The mean, the scale of its terms, and the gradient of the first part, by the float64 twin."""
        loss, gradient = twin(self.loss), twin(self.loss, "_grad")
        step = max(1, PART // math.prod(self.x.shape[1:])) if self.loss.signature.additive else len(self.y)

        def part(first: int) -> tuple[Array, Array]:
            rows = slice(first, first + step)
            return _wide(self.y[rows], np.float64), _wide(self.x[rows], np.float64)

        each = np.concatenate([np.ravel(loss(*part(first))) for first in range(0, len(self.y), step)])
        return float(np.mean(each)), float(np.mean(np.abs(each))), gradient(*part(0)) / each.size

    def check(self, work: Work, result: Any) -> None:
        """Refuse a result that is not the reference's."""
        value, grad = result if work == "value_and_grad" else (result, None)
        expected, scale, expected_grad = self.expected
        if not abs(float(value) - expected) <= TOLERANCE * scale:
            raise LeftOut(f"its mean is {float(value):.7g}, the reference's {expected:.7g}")
        if grad is not None:
            checked = np.asarray(grad)[: len(expected_grad)]
            error, norm = np.linalg.norm(checked - expected_grad), np.linalg.norm(expected_grad)
            if not error <= TOLERANCE * norm:
                raise LeftOut(f"its gradient is off by {error:.2g}, where the reference's norm is {norm:.2g}")


def reference(load: Workload, dtype: type[np.floating[Any]], work: Work) -> Call:
    """The NumPy twin of a loss, reduced as a user of NumPy would do it."""
    loss, gradient = twin(load.loss), twin(load.loss, "_grad")
    y, x = _wide(load.y, dtype), _wide(load.x, dtype)

    def value() -> Any:
        return np.mean(loss(y, x))

    def value_and_grad() -> Any:
        values, grad = loss(y, x), gradient(y, x)
        grad /= np.size(values)
        return np.mean(values), grad

    return value if work == "value" else value_and_grad


def _wide(array: Array, dtype: type[np.floating[Any]]) -> Array:
    """The array in a floating-point type, but labels as they are: they are indices."""
    return array if array.dtype.kind == "i" else array.astype(dtype, copy=False)


@lru_cache(maxsize=1)
def workload(name: str, size: Size) -> Workload:
    """The arrays of a loss; only those of the last one are kept."""
    return Workload(name, size)


@cache
def last_cache() -> int:
    """Bytes of the largest cache that a processor has."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    return max((int(size.read_text().strip().removesuffix("K")) << 10 for size in sizes), default=CACHE)
