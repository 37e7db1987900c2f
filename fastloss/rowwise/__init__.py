"""The rowwise losses: one value for each row of classes."""

from fastloss.rowwise import simplex, softmax

__all__ = ["simplex", "softmax"]
