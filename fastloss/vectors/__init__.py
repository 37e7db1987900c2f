"""Losses of vectors: of pairs and tuples of rows, of rows and the centres of their classes, of whole batches."""

from fastloss.vectors import centers, contrast, distances, metric, pairs, proxies, redundancy, triplets

__all__ = ["centers", "contrast", "distances", "metric", "pairs", "proxies", "redundancy", "triplets"]
