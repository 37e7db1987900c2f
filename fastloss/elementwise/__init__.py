"""The elementwise losses: one value for each target and prediction."""

from fastloss.elementwise import residual

__all__ = ["residual"]
