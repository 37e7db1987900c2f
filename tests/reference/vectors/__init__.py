"""Twins of the losses of vectors."""
