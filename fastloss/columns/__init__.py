"""Losses of several predictions for each target, side by side."""

from fastloss.columns import distributional, quantiles, ranking

__all__ = ["distributional", "quantiles", "ranking"]
