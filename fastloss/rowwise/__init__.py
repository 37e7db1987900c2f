"""The rowwise losses: one value for each row of classes."""

from fastloss.rowwise import divergence, multiclass, multilabel, simplex, softmax

__all__ = ["divergence", "multiclass", "multilabel", "simplex", "softmax"]
