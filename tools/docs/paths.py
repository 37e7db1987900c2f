"""A path of calls for any loss, from a poor prediction to a good one and past it, to draw the loss along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss import Loss
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, UNIT
from fastloss.vectors.batches import BatchLoss
from tests.inputs import draw_arrays, family

Array = NDArray[Any]


class Path(NamedTuple):
    """The arrays of a call at each step, in the order of the signature, and what a step is called."""

    steps: Array
    arrays: Callable[[float], tuple[Any, ...]]
    label: str


def path_of(loss: Loss) -> Path:
    """The path along which a loss is drawn."""
    kind = family(loss)
    if kind in ("elementwise", "aggregate"):
        return _of_numbers(loss, kind == "aggregate")
    if kind == "columns":
        return _of_columns(loss)
    if kind == "rowwise":
        return _of_rows(loss)
    if kind == "vectors":
        batch = isinstance(loss, BatchLoss) or "centers" in loss.signature.names
        return _of_batches(loss) if batch else _of_pairs(loss)
    if kind == "boxes":
        return _of_boxes(loss)
    if kind == "regions":
        return _of_regions(loss)
    return _of_drawn(loss)


def target_of(loss: Loss) -> float:
    """A target of one prediction to draw: in the domain, and one that most use."""
    domain = loss.domains()[0]
    if loss.scores in ("values", "means", "log_means", "log_amounts") and domain in (NON_NEGATIVE, POSITIVE):
        return 1.0
    relative = type(loss).__module__.endswith(".relative")  # of which a target of 0 is a case of its own
    return 1.0 if relative or 0.0 not in domain or _binary(loss) else 0.0


def _binary(loss: Loss) -> bool:
    return loss.scores in ("logits", "scores", "probabilities", "distances", "log_ratios")


def _of_numbers(loss: Loss, several: bool) -> Path:
    low, high = -4.0, 4.0
    domain = loss.domains()[1]
    if type(loss).__module__.endswith(".relative"):
        low = -2.0
    if domain == UNIT:
        low, high = 0.02, 0.98
    elif domain.low >= 0:
        low, high = 0.1, 4.0
    elif domain.low == -1:
        low, high = -0.9, 4.0
    steps = np.linspace(low, high, 241)
    # Of a loss of the whole sample one prediction of three moves.
    targets = np.array([1.0, 2.0, 4.0]) if several else np.array([target_of(loss)])
    others = [1.5, 3.5] if several else []
    return Path(steps, lambda t: (targets, np.array([t, *others])), f"prediction, target {targets[0]:g}")


def _of_columns(loss: Loss) -> Path:
    columns = loss.signature.columns or 1
    fixed = {"quantiles": 0.0, "pairs_of_scores": 0.0, "means_and_variances": 1.0}.get(loss.scores, 0.0)
    target = np.array([1.0]) if loss.scores == "pairs_of_scores" else np.array([0.0])
    steps = np.linspace(-4.0, 4.0, 241)
    label = {"quantiles": "first quantile, target 0", "pairs_of_scores": "first score, the second is 0"}
    return Path(
        steps,
        lambda t: (target, np.array([[t, *[fixed] * (columns - 1)]])),
        label.get(loss.scores, "mean or location, target 0"),
    )


def _of_rows(loss: Loss) -> Path:
    target: Array = np.array([0])
    if not loss.signature.labels:
        target = np.array([[0.8, 0.1, 0.1]]) if "multilabel" not in loss.function_name else np.array([[1, 0, 0]])
    if loss.function_name in ("list_mle", "list_net"):
        target = np.array([[3.0, 2.0, 1.0]]) if loss.function_name == "list_mle" else np.array([[0.8, 0.1, 0.1]])
    probable = loss.scores in ("probabilities", "log_probabilities")
    if probable:

        def shares(t: float) -> Array:
            row = np.array([[t, (1 - t) / 2, (1 - t) / 2]])
            return np.log(row) if loss.scores == "log_probabilities" else row

        return Path(np.linspace(0.02, 0.98, 241), lambda t: (target, shares(t)), "probability of the true class of 3")
    reach = 0.95 if loss.scores == "cosines" else 6.0
    label = f"{'cosine' if loss.scores == 'cosines' else 'score'} of the first class, the two others are 0"
    return Path(np.linspace(-reach, reach, 241), lambda t: (target, np.array([[t, 0.0, 0.0]])), label)


def _of_pairs(loss: Loss) -> Path:
    def turned(angle: float, length: float = 1.0) -> Array:
        return length * np.array([[np.cos(angle), np.sin(angle)]])

    names = loss.signature.names
    steps = np.linspace(0.01, np.pi - 0.01, 241)
    together = np.array([1])
    if names == ("y_true", "left", "right"):
        return Path(steps, lambda t: (together, turned(0.0), turned(t)), "angle of two vectors that belong together")
    if names == ("left", "right"):
        return Path(steps, lambda t: (turned(0.0), turned(t)), "angle of two vectors of length 1")
    rest = [turned(np.pi / 2), turned(2 * np.pi / 3)][: len(names) - 2]
    return Path(steps, lambda t: (turned(0.0), turned(t), *rest), "angle of anchor and positive, the negative's is 90°")


def _of_batches(loss: Loss) -> Path:
    """From rows that are mixed up to rows that lie where they belong."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(4), 2)
    homes, mixed = np.eye(4)[labels], rng.normal(size=(8, 4)) * 0.5
    names = [argument.name for argument in loss.signature.arguments if not argument.keyword]
    held = 1.5 * np.eye(4)

    def arrays(t: float) -> tuple[Any, ...]:
        rows = (1 - t) * mixed + t * homes
        if names[0] == "y_true":
            # In front of the centres or proxies of the four classes.
            return (labels, rows, *[held] * (len(names) - 2))
        firsts = rng_rows if loss.function_name in ("barlow_twins", "vic_reg") else np.eye(4)
        moved = (1 - t) * rng_other[: len(firsts)] + t * firsts
        return firsts, moved

    rng_rows, rng_other = rng.normal(size=(8, 4)), 0.7 * rng.normal(size=(8, 4))
    return Path(np.linspace(0.0, 1.0, 121), arrays, "from mixed up (0) to each with its own (1)")


def _of_boxes(loss: Loss) -> Path:
    rotated = loss.scores == "rotated_boxes"
    target = np.array([[0.0, 0.0, 4.0, 2.0, 0.2]]) if rotated else np.array([[0.0, 0.0, 4.0, 2.0]])
    move = np.array([[1.0, 0, 0, 0, 0]]) if rotated else np.array([[1.0, 0.0, 1.0, 0.0]])
    other = np.array([[0.0, 0, 0, 0.5, 0.3]]) if rotated else np.array([[0.0, 0.0, 0.5, 0.3]])
    return Path(np.linspace(-6, 6, 241), lambda t: (target, target + other + t * move), "how far a box 4 by 2 is moved")


def _of_regions(loss: Loss) -> Path:
    y, x = np.mgrid[:16, :16]
    mask = ((y - 8) ** 2 + (x - 8) ** 2 < 20).astype(float)
    distance = np.hypot(y - 8, x - 8) - np.sqrt(20)
    softmax = loss.function_name == "lovasz_softmax"
    hinge = loss.function_name == "lovasz_hinge"

    def predicted(t: float) -> Array:
        scores = t * (2 * mask - 1) if hinge else 0.5 + t / 2 * (2 * mask - 1)
        return np.stack([1 - scores, scores])[None] if softmax else scores[None, None]

    def arrays(t: float) -> tuple[Any, ...]:
        if softmax:
            return mask[None].astype(int), predicted(t)
        if loss.function_name == "boundary":
            return distance[None, None], predicted(t)
        if loss.function_name == "hausdorff_dt":
            return mask[None, None], np.abs(distance)[None, None], predicted(t)
        return mask[None, None], predicted(t)

    reach = 3.0 if hinge else 0.96
    return Path(np.linspace(-reach, reach, 121), arrays, "from all pixels wrong to all right")


def _of_drawn(loss: Loss) -> Path:
    """From predictions that were drawn, along their gradient."""
    rng = np.random.default_rng(0)
    given = draw_arrays(loss, 400, np.float64, rng)
    places = [i for i, argument in enumerate(loss.signature.arguments) if argument in loss.signature.predictions]
    grad = loss.grad(*given, reduction="sum") if len(places) == 1 else None  # type: ignore[call-overload]
    at = places[0]
    if grad is None:
        grad = loss.grad(*given[:2], mean=given[2], log_variance=given[3], reduction="sum")[0]  # type: ignore[call-arg]
    scale = np.abs(grad).max() or 1.0

    def arrays(t: float) -> tuple[Any, ...]:
        moved = list(given)
        moved[at] = given[at] - t * grad / scale
        return tuple(moved)

    return Path(np.linspace(0.0, 6.0, 121), arrays, "along the gradient, downhill")
