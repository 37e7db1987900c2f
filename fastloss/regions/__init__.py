"""The losses of regions: overlap of masks, from sums over images, classes or a whole batch."""

from fastloss.regions import overlap

__all__ = ["overlap"]
