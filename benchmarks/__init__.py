"""How fast the losses are, against NumPy, other libraries, and the memory: ``pytest --benchmark-only``."""
