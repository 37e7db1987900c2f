"""The losses of vectors: of pairs, triplets and quadruplets of rows, and of rows and the centres of their classes."""

from fastloss.vectors import centers, distances, pairs, triplets

__all__ = ["centers", "distances", "pairs", "triplets"]
