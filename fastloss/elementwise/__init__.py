"""The elementwise losses: one value for each target and prediction."""

# In the order of the registry and of all that is generated from it.
from fastloss.elementwise import residual, robust, redescending, relative, likelihood  # isort: skip
from fastloss.elementwise import binary, margin, adversarial, preference  # isort: skip

__all__ = [
    "adversarial", "binary", "likelihood", "margin", "preference", "redescending", "relative", "residual", "robust",
]  # fmt: skip
