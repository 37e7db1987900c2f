"""The losses of regions: overlap of masks, from sums over images, classes or a whole batch."""

from fastloss.regions import boundary, lovasz, overlap

__all__ = ["boundary", "lovasz", "overlap"]
