"""Losses of several predictions for each target, side by side along the last axis of `y_pred`."""

from __future__ import annotations

from fastloss._core.evaluation import Array
from fastloss._core.loss import Loss


def check_columns(owner: str, y: tuple[int, ...], x: tuple[int, ...], columns: int) -> None:
    """`columns` predictions for each target, along a last axis."""
    if x[-1:] != (columns,):
        raise ValueError(f"{owner}: y_pred has shape {x}, must be {(*y, columns)}: {columns} predictions per target")
    if y != x[:-1]:
        raise ValueError(f"{owner}: y_true has shape {y}, must be {x[:-1]}, y_pred's {x} without its last axis")


class PairLoss(Loss):
    """A loss of the two predictions that `y_pred` holds for each target along its last axis."""

    pair = True

    def _check_shapes(self, y: tuple[int, ...], x: tuple[int, ...]) -> None:
        check_columns(type(self).__name__, y, x, 2)

    def _align(self, y: Array, x: Array) -> tuple[Array, Array, Array | None]:
        return y, x[..., 0], x[..., 1]

    def _parts(self, derivative: Array | None) -> tuple[Array | None, Array | None]:
        return (None, None) if derivative is None else (derivative[..., 0], derivative[..., 1])
