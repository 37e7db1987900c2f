"""Losses of boxes: four numbers a side, or five where the box is rotated."""

from fastloss.boxes import gaussian as gaussian
from fastloss.boxes import overlap as overlap
