"""The losses of sequences whose alignment to their targets is unknown."""

from fastloss.alignment import ctc, transducer

__all__ = ["ctc", "transducer"]
