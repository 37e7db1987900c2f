"""The losses of regions in NumPy: their weighted losses, one for each region, and the gradient of the sum of these."""
