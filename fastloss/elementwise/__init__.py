"""The elementwise losses: one value for each target and prediction."""

from fastloss.elementwise import aggregate, binary, likelihood, margin, pair, relative, residual

__all__ = ["aggregate", "binary", "likelihood", "margin", "pair", "relative", "residual"]
