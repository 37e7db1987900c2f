"""Arrays of losses of vectors: about a margin apart, so that some tuples have a loss and others have none."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from fastloss import Loss
from fastloss._core.signature import NUMBER
from tests.inputs import Array

FEATURES = 128  # at most
CLASSES = 50


def draw(loss: Loss, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[Array, ...]:
    """As `tests.inputs.draw_arrays`."""
    signature = loss.signature
    features = min(FEATURES, math.isqrt(size))
    rows = [argument for argument in signature.predictions if not argument.shared]
    tuples = max(1, size // (features * len(rows)))
    found: dict[str, Array] = {}
    for argument in signature.predictions:
        shape = (CLASSES, features) if argument.shared else (tuples, features)
        x = rng.standard_normal(shape, np.float32)
        x *= np.float32(0.7 / math.sqrt(features))
        found[argument.name] = x.astype(dtype, copy=False)
    for argument in signature.targets:
        assert argument.shapes == (NUMBER,)
        labelled = any(other.shared for other in signature.predictions)
        found[argument.name] = rng.integers(0, CLASSES, tuples) if labelled else rng.choice([-1, 1], tuples)
    return tuple(found[argument.name] for argument in signature.arguments)
