"""Losses that are made of others."""

from fastloss.composition import chained, vae

__all__ = ["chained", "vae"]
