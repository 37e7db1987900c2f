"""Measure the largest errors of losses of one prediction for a target, against mpmath over the whole finite range.

``python -m benchmarks.accuracy`` prints a Markdown table; with ``--record`` it keeps the results in `measured.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.record import markdown, record
from fastloss import Loss
from tests.inputs import Array
from tests.support import LOSSES, additive, expected, expected_grad
from tests.test_accuracy import ALLOWED, arrays, computed, worst

CONDITIONS = (
    "Units in the last place of the exact result, at {count} points of each loss, over all magnitudes of the type;"
    " where a result is a difference that cancels, of its absolute terms."
)
OF = {"value": "value", "grad": "gradient", "hess": "curvature"}


@dataclass(frozen=True)
class Error:
    """The largest error of all losses in one type: how large it may be, and how often NumPy's is larger than that."""

    dtype: str
    of: str
    at_most: float
    largest: float
    loss: str
    beyond: list[str]  # the losses
    numpy_beyond: int | None
    losses: int


def by_numpy(loss: Loss, y: Array, x: Array) -> tuple[Any, Any, None]:
    """What the expressions that users write in NumPy give."""
    return expected(loss, y, x), expected_grad(loss, y, x), None


def errors(count: int) -> list[Error]:
    found = []
    for dtype, at_most in ALLOWED.items():
        of_loss: dict[str, dict[str, tuple[float, float]]] = {of: {} for of in OF}
        for loss in (loss for loss in additive(LOSSES) if not loss.signature.losses):
            at = arrays(loss, dtype, count)
            ours, theirs = (worst(loss, dtype, *at, compute=compute) for compute in (computed, by_numpy))
            for of, largest in of_loss.items():
                pair = ours[of][0], theirs[of][0]
                so_far = largest.get(loss.function_name, (0.0, 0.0))
                largest[loss.function_name] = max(so_far[0], pair[0]), max(so_far[1], pair[1])
        for of, largest in of_loss.items():
            name = max(largest, key=lambda name: largest[name][0])
            beyond = [name for name, (ours, _) in largest.items() if ours > at_most]
            of_numpy = sum(theirs > at_most for _, theirs in largest.values()) if of != "hess" else None
            found.append(
                Error(np.dtype(dtype).name, OF[of], at_most, largest[name][0], name, beyond, of_numpy, len(largest))
            )
    return found


def table(errors: Sequence[Error]) -> str:
    """The errors in Markdown."""
    cells = []
    for error in errors:
        more = f", of {len(error.beyond)} losses" if len(error.beyond) > 1 else ""
        of_numpy = "" if error.numpy_beyond is None else f"{error.numpy_beyond} of {error.losses} losses"
        reached = f"no{more}" if error.beyond else "yes"
        largest = f"{error.largest:.2f} (`{error.loss}`)"
        cells.append((error.dtype, error.of, f"{error.at_most:g}", largest, reached, of_numpy))
    return markdown(("type", "of", "at most", "largest error found", "reached", "NumPy's expressions exceed it"), cells)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--points", type=int, default=40, help="points of each loss and type (default: 40)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    options = parser.parse_args(arguments)
    conditions, found = CONDITIONS.format(count=options.points), errors(options.points)
    print(f"{conditions}\n\n{table(found)}")
    if options.record:
        record("accuracy", conditions=conditions, rows=[asdict(error) for error in found])


if __name__ == "__main__":
    sys.exit(main())
