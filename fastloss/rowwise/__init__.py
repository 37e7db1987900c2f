"""The rowwise losses: one value for each row of classes."""

from fastloss.rowwise import divergence, margin, multilabel, projection, ranking, softmax

__all__ = ["divergence", "margin", "multilabel", "projection", "ranking", "softmax"]
