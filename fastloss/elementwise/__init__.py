"""The elementwise losses: one value for each target and prediction."""

from fastloss.elementwise import likelihood, pair, relative, residual

__all__ = ["likelihood", "pair", "relative", "residual"]
