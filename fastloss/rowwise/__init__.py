"""The rowwise losses: one value for each row of classes."""

from fastloss.rowwise import softmax

__all__ = ["softmax"]
