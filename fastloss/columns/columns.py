"""Losses of several predictions for each target, side by side along the last axis of `y_pred`."""

from __future__ import annotations

from fastloss._core.loss import Loss
from fastloss._core.signature import of_columns


class PairLoss(Loss):
    """A loss of the two predictions that `y_pred` holds for each target along its last axis."""

    signature = of_columns(2)
