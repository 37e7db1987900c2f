"""Loss functions for CPUs: value, gradient and curvature at the speed of memory."""

from fastloss import _isa  # isort: skip  # first, since it says what to do where nothing is built
from fastloss import elementwise as _elementwise
from fastloss import penalties, testing
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
from fastloss.sequence import SequenceScores, TokenScores, segment_sum, sequence_logprobs, token_logprobs
from fastloss.shards import ShardState
from fastloss.state import LossState

__version__ = "0.1.0"

# Classes and functions come from the registry; `__init__.pyi` describes them to type checkers.
globals().update({cls.__name__: cls for cls in registry.values()})
globals().update(_functions())
