"""Loss functions for CPUs: value, gradient and curvature at the speed of memory."""

import sys as _sys
from importlib import import_module as _import_module

from fastloss._core import isa as _isa  # isort: skip  # first, since it says what to do where nothing is built
from fastloss import elementwise as _elementwise  # isort: skip  # in the order of the registry
from fastloss import columns as _columns, aggregate as _aggregate, rowwise as _rowwise  # isort: skip
from fastloss import regions as _regions  # isort: skip
from fastloss._core import VERSION as __version__
from fastloss._core.functions import function_of as _function_of
from fastloss._core.loss import Loss, registry
from fastloss.state import LossState

# What is imported when it is first asked for, by the name of its module: the import of the package brings in every loss
# and nothing that a user of losses alone does without.
_LATER = {
    "LinearFit": "linear.objective",
    "LinearGrads": "language.linear_cross_entropy",
    "LinearObjective": "linear.objective",
    "RegionState": "regions.regions",
    "SequenceScores": "language.tokens",
    "ShardState": "language.shards",
    "TokenScores": "language.tokens",
    "config": "_core.config",
    "explained_variance_score": "metrics",
    "linear_cross_entropy": "language.linear_cross_entropy",
    "linear_cross_entropy_value_and_grad": "language.linear_cross_entropy",
    "median_absolute_error": "metrics",
    "r2_score": "metrics",
    "segment_sum": "language.tokens",
    "sequence_logprobs": "language.tokens",
    "show_config": "_core.config",
    "token_logprobs": "language.tokens",
}
_MODULES = ("integrations", "penalties", "testing")

# Classes and functions of losses come from the registry; `__init__.pyi` describes them to type checkers. A function is
# made when it is first asked for.
_classes = {cls.__name__: cls for cls in registry.values()}
_functions = {name: cls for cls in registry.values() for name in (cls.function_name, *cls.aliases)}
globals().update(_classes)

__all__ = sorted(["Loss", "LossState", "registry", *_LATER, *_MODULES])
__all__ += [*_classes, *_functions]


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def __getattr__(name: str) -> object:
    found: object
    if name in _functions:
        found = _function_of(_functions[name])
    elif name in _LATER:
        found = getattr(_import_module(f"fastloss.{_LATER[name]}"), name)
    elif name in _MODULES:
        found = _import_module(f"fastloss.{name}")
    else:
        from fastloss._core.parity import advice

        advised = advice(name)
        message = f"module 'fastloss' has no attribute {name!r}" + (f"; {advised}" if advised else "")
        raise AttributeError(message, name=name, obj=_sys.modules[__name__])
    globals()[name] = found
    return found
