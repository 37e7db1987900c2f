"""The losses of vectors in NumPy, one value for each tuple."""
