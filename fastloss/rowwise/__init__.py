"""The rowwise losses: one value for each row of classes."""

from fastloss.rowwise import divergence, multiclass, multilabel, softmax

__all__ = ["divergence", "multiclass", "multilabel", "softmax"]
