"""Objectives of linear models: the mean loss of X w with its derivatives in w, and fits."""

from fastloss.linear.objective import LinearFit, LinearObjective

__all__ = ["LinearFit", "LinearObjective"]
