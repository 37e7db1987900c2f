"""Loss functions for CPUs: value, gradient and curvature at the speed of memory."""

import sys as _sys

from fastloss import _isa  # isort: skip  # first, since it says what to do where nothing is built
from fastloss import elementwise as _elementwise
from fastloss import integrations, penalties, testing
from fastloss import rowwise as _rowwise
from fastloss._base import Loss, registry
from fastloss._config import config, show_config
from fastloss._functions import functions as _functions
from fastloss._linear_cross_entropy import (
    LinearGrads,
    linear_cross_entropy,
    linear_cross_entropy_value_and_grads,
)
from fastloss.linear import LinearFit, LinearObjective
from fastloss.metrics import explained_variance_score, median_absolute_error, r2_score
from fastloss.sequence import SequenceScores, TokenScores, segment_sum, sequence_logprobs, token_logprobs
from fastloss.shards import ShardState
from fastloss.state import LossState

__version__ = "0.1.0"

__all__ = [
    "LinearFit", "LinearGrads", "LinearObjective", "Loss", "LossState", "SequenceScores", "ShardState", "TokenScores",
    "config", "explained_variance_score", "integrations", "linear_cross_entropy",
    "linear_cross_entropy_value_and_grads", "median_absolute_error", "penalties", "r2_score", "registry",
    "segment_sum", "sequence_logprobs", "show_config", "testing", "token_logprobs",
]  # fmt: skip

# Classes and functions of losses come from the registry; `__init__.pyi` describes them to type checkers.
_losses = {cls.__name__: cls for cls in registry.values()} | _functions()
globals().update(_losses)
__all__ += _losses


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def __getattr__(name: str) -> object:
    from fastloss._parity import advice

    advised = advice(name)
    message = f"module 'fastloss' has no attribute {name!r}" + (f"; {advised}" if advised else "")
    raise AttributeError(message, name=name, obj=_sys.modules[__name__])
