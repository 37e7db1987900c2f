"""The elementwise losses: one value for each target and prediction."""

from fastloss.elementwise import binary, margin, residual

__all__ = ["binary", "margin", "residual"]
