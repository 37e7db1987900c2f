"""Loss functions for CPUs: value, gradient and curvature at the speed of memory."""

import sys as _sys

from fastloss._core import isa as _isa  # isort: skip  # first, since it says what to do where nothing is built
from fastloss import elementwise as _elementwise  # isort: skip  # in the order of the registry
from fastloss import columns as _columns, aggregate as _aggregate, rowwise as _rowwise  # isort: skip
from fastloss import integrations, penalties, testing
from fastloss._core.config import config, show_config
from fastloss._core.functions import functions as _functions
from fastloss._core.loss import Loss, registry
from fastloss.language.linear_cross_entropy import (
    LinearGrads,
    linear_cross_entropy,
    linear_cross_entropy_value_and_grads,
)
from fastloss.language.shards import ShardState
from fastloss.language.tokens import SequenceScores, TokenScores, segment_sum, sequence_logprobs, token_logprobs
from fastloss.linear import LinearFit, LinearObjective
from fastloss.metrics import explained_variance_score, median_absolute_error, r2_score
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
    from fastloss._core.parity import advice

    advised = advice(name)
    message = f"module 'fastloss' has no attribute {name!r}" + (f"; {advised}" if advised else "")
    raise AttributeError(message, name=name, obj=_sys.modules[__name__])
