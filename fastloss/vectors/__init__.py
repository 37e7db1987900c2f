"""Losses of vectors: a batch of embeddings against itself or another."""

from fastloss.vectors import contrast, metric, proxies, redundancy

__all__ = ["contrast", "metric", "proxies", "redundancy"]
