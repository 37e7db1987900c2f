"""The elementwise losses: one value for each target and prediction."""

from fastloss.elementwise import aggregate, likelihood, pair, relative, residual

__all__ = ["aggregate", "likelihood", "pair", "relative", "residual"]
