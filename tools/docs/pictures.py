"""A picture of every loss, its slope and its curvature, computed by the loss itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastloss import Loss, registry
from tools.docs.paths import Array, path_of

COLOURS = {"loss": "#1f6fb4", "slope": "#d1495b", "curvature": "#5c946e"}
STYLES = {"loss": "-", "slope": "--", "curvature": ":"}
HIGH = 12.0  # what goes further is cut off, of most losses: one that is infinite at an end would flatten all else


def curves(loss: Loss) -> tuple[Array, dict[str, Array], str]:
    """The steps of a loss's path, and along it the loss, its slope and its curvature."""
    path = path_of(loss)
    called = [_named(loss, path.arrays(t)) for t in path.steps]
    values = np.array([loss(*arrays, **named) for arrays, named in called])
    if loss.signature.single and loss.signature.additive:
        pairs = [loss.grad_and_hess(*arrays, reduction="sum") for arrays, _ in called]
        slope, curvature = (np.array([float(np.ravel(one[k])[0]) for one in pairs]) for k in (0, 1))
    else:
        slope = np.array([_slope(loss, path.arrays, t) for t in path.steps])
        curvature = np.gradient(slope, path.steps)
        jumps = np.abs(curvature) > 8 * (1 + np.median(np.abs(curvature)))  # at a kink there is none
        curvature[jumps] = np.nan
    return path.steps, {"loss": values, "slope": slope, "curvature": curvature}, path.label


def _named(loss: Loss, arrays: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What is given by position, and what by name alone."""
    arguments = loss.signature.arguments[: len(arrays)]
    given = [(argument, array) for argument, array in zip(arguments, arrays, strict=True)]
    return (
        tuple(array for argument, array in given if not argument.keyword),
        {argument.name: array for argument, array in given if argument.keyword},
    )


def _slope(loss: Loss, arrays: Any, t: float, h: float = 1e-5) -> float:
    """The gradient along the path: by the chain rule, of exact gradients and the path's own direction."""
    given, named = _named(loss, arrays(t))
    grads = loss.grad(*given, **named)
    grads = grads if isinstance(grads, tuple) else (grads,)
    places = [i for i, one in enumerate(loss.signature.arguments) if one in loss.signature.predictions]
    after, before = arrays(t + h), arrays(t - h)
    return sum(
        float(np.sum(grad * (np.asarray(after[i]) - np.asarray(before[i])) / (2 * h)))
        for i, grad in zip(places, grads, strict=False)
        if i < len(after)
    )


def draw(loss: Loss, target: Path) -> None:
    """Write the picture of a loss."""
    from matplotlib import pyplot

    steps, found, label = curves(loss)
    figure, axis = pyplot.subplots(figsize=(4.6, 2.9), layout="constrained")
    for name, values in found.items():
        if name == "curvature" and not np.isfinite(values).any():
            continue
        axis.plot(steps, values, STYLES[name], color=COLOURS[name], label=name, linewidth=2)
    everything = np.concatenate([values[np.isfinite(values)] for values in found.values()])
    axis.axhline(0, color="gray", linewidth=0.6)
    axis.set(xlabel=label)
    usual = np.abs(found["loss"][np.isfinite(found["loss"])])
    cut = max(HIGH, 1.2 * float(np.percentile(usual, 80)))
    low, high = max(everything.min(), -cut), min(everything.max(), cut)
    axis.set_ylim(low - 0.06 * (high - low or 1), high + 0.06 * (high - low or 1))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)


def draw_all(folder: Path) -> None:
    """Write the pictures of all losses, those that are not there yet."""
    import matplotlib

    matplotlib.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fastloss", "font.size": 9}):
        for cls in registry.values():
            target = folder / f"{cls.__name__}.svg"
            if not target.exists():
                draw(cls(), target)
