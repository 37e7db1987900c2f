"""Boxes as a detector has them: objects in an image, and predictions that miss them by little and by much."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastloss import Loss

IMAGE = 640.0


def draw(loss: Loss, size: int, dtype: DTypeLike, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Targets and predictions in the loss's format; the sides are positive in its type too."""
    sides = loss.signature.columns
    assert sides is not None
    n = max(1, size // sides)
    centre, size_of = rng.uniform(0, IMAGE, (n, 2)), np.exp(rng.uniform(2, 5, (n, 2)))
    # Of rotated boxes that differ by less, plain formulas in float32 tell little.
    miss = np.exp(rng.uniform(-2 if sides == 5 else -4, 0.5, (n, 1)))
    moved = centre + miss * size_of * rng.normal(size=(n, 2))
    grown = size_of * np.exp(np.minimum(miss, 1) * rng.normal(size=(n, 2)))
    if sides == 5:
        angle = rng.uniform(-2, 2, (n, 1))
        turned = angle + np.minimum(miss, 1) * rng.normal(size=(n, 1))
        y, x = np.concatenate([centre, size_of, angle], axis=1), np.concatenate([moved, grown, turned], axis=1)
    else:
        forms = {
            "xyxy": lambda c, s: (c - s / 2, c + s / 2),
            "xywh": lambda c, s: (c - s / 2, s),
            "cxcywh": lambda c, s: (c, s),
        }
        form = forms[loss.parameters()["format"]]
        y, x = (np.concatenate(form(*pair), axis=1) for pair in ((centre, size_of), (moved, grown)))
    return y.astype(dtype), x.astype(dtype)
