"""Arrays for losses that are made of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastloss import Loss, registry
from tests import inputs

PIXELS, CODE = 784, 20


def draw(loss: Loss, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[NDArray[np.floating], ...]:
    """Images, their reconstruction, and codes: as many as there are of these pixels, and one at least."""
    samples = max(1, size // PIXELS)
    inner = registry[loss.parameters()["reconstruction"]]()
    y, x = inputs.draw(inner, samples * PIXELS, dtype, rng)
    codes = (rng.standard_normal((samples, CODE)).astype(dtype) for _ in range(2))
    return y.reshape(samples, PIXELS), x.reshape(samples, PIXELS), *codes
