"""What every contender is asked to compute, and whether its answer is right."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from fastloss import registry
from fastloss._core.signature import Argument
from fastloss._core.threads import available
from tests.inputs import Array, draw_arrays, draw_rows
from tests.reference import twin

Work: TypeAlias = Literal["value", "value_and_grad"]
Call: TypeAlias = Callable[[], Any]
Size: TypeAlias = int | tuple[int, int]  # predicted numbers, or rows and classes

WORKS: tuple[Work, ...] = ("value", "value_and_grad")
SIZES = {"small": 100, "cache": 100_000, "large": 1 << 24}
PART = 1 << 17  # elements that are checked at a time, in a cache
CACHE = 32 << 20  # bytes that caches may keep between calls; a shared one's size says nothing of a guest's part of it
TOLERANCE = 1e-4  # of a mean of float32 losses, and of the Euclidean norm of its gradient


class LeftOut(Exception):
    """Why a contender does not take part."""


class Workload:
    """One loss with its defaults, the arrays it is computed on, and the threads that fastloss takes."""

    def __init__(self, name: str, size: Size, dtype: DTypeLike = np.float32) -> None:
        self.name = name
        self.loss = registry[name]()
        rng = np.random.default_rng(0)
        self.arrays: tuple[Array, ...] = (
            draw_arrays(self.loss, size, dtype, rng) if isinstance(size, int)
            else draw_rows(self.loss, *size, dtype, rng)
        )  # fmt: skip
        if self.loss.signature.dense and self.y.shape == self.x.shape and self.loss.targets == "probabilities":
            np.multiply(self.y, 0.9, out=self.y)  # some are 0, to which a divergence may be infinite
            np.add(self.y, 0.1 / self.x.shape[1], out=self.y)
        self.threads = available()[0]
        self.processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    @property
    def y(self) -> Array:
        """The targets, where there is one array of them."""
        return self.arrays[0]

    @property
    def x(self) -> Array:
        """The predictions, where there is one array of them."""
        return self.arrays[1]

    @property
    def predictions(self) -> list[Array]:
        """The arrays that have a derivative."""
        return [array for argument, array in self._named if argument in self.loss.signature.predictions]

    @property
    def _named(self) -> list[tuple[Argument, Array]]:
        return list(zip(self.loss.signature.arguments, self.arrays, strict=False))

    def bytes(self, work: Work) -> int:
        """What is read, and with a gradient written."""
        written = self.predictions if work == "value_and_grad" else []
        return sum(array.nbytes for array in (*self.arrays, *written))

    def beyond_cache(self, work: Work) -> bool:
        """Whether the memory limits how fast the arrays can be read."""
        return self.bytes(work) > CACHE

    @cached_property
    def expected(self) -> tuple[float, float, Array]:
        """The mean, the scale of its terms, and the gradient of the first part, by the float64 twin."""
        loss, gradient = twin(self.loss), twin(self.loss, "_grad")
        numbers = math.prod(self.predictions[0].shape[1:])
        step = max(1, PART // numbers) if self.loss.signature.additive else len(self.predictions[0])

        def part(first: int) -> list[Array]:
            return [
                _wide(array if argument.shared else array[first : first + step], np.float64)
                for argument, array in self._named
            ]

        each = np.concatenate([np.ravel(loss(*part(first))) for first in range(0, len(self.predictions[0]), step)])
        expected = _joined(self._of_elements(gradient(*part(0))))
        return float(np.mean(each)), float(np.mean(np.abs(each))), expected / each.size

    def check(self, work: Work, result: Any) -> None:
        """Refuse a result that is not the reference's."""
        value, grad = result if work == "value_and_grad" else (result, None)
        expected, scale, expected_grad = self.expected
        if not abs(float(value) - expected) <= TOLERANCE * scale:
            raise LeftOut(f"its mean is {float(value):.7g}, the reference's {expected:.7g}")
        if grad is not None:
            checked = _joined(self._of_elements(grad), len(expected_grad))
            error, norm = np.linalg.norm(checked - expected_grad), np.linalg.norm(expected_grad)
            if not error <= TOLERANCE * norm:
                raise LeftOut(f"its gradient is off by {error:.2g}, where the reference's norm is {norm:.2g}")

    def _of_elements(self, grads: Any) -> list[Array]:
        """The gradients that can be checked in parts: not those in what all elements have in common."""
        each = grads if isinstance(grads, tuple) else (grads,)
        return [
            grad for grad, argument in zip(each, self.loss.signature.predictions, strict=False) if not argument.shared
        ]


def reference(load: Workload, dtype: type[np.floating[Any]], work: Work) -> Call:
    """The NumPy twin of a loss, reduced as a user of NumPy would do it."""
    loss, gradient = twin(load.loss), twin(load.loss, "_grad")
    arrays = [_wide(array, dtype) for array in load.arrays]

    def value() -> Any:
        return np.mean(loss(*arrays))

    def value_and_grad() -> Any:
        values, grad = loss(*arrays), gradient(*arrays)
        for each in grad if isinstance(grad, tuple) else (grad,):
            each /= np.size(values)
        return np.mean(values), grad

    return value if work == "value" else value_and_grad


def _joined(grads: list[Array], length: int | None = None) -> Array:
    """One or several gradients, of so many indices of the first axis, as one array."""
    return np.concatenate([np.asarray(grad)[:length].reshape(len(grad[:length]), -1) for grad in grads], axis=1)


def _wide(array: Array, dtype: type[np.floating[Any]]) -> Array:
    """The array in a floating-point type, but labels as they are: they are indices."""
    return array if array.dtype.kind == "i" else array.astype(dtype, copy=False)


@lru_cache(maxsize=1)
def workload(name: str, size: Size) -> Workload:
    """The arrays of a loss; only those of the last one are kept."""
    return Workload(name, size)
