"""Loss functions for CPUs: value, gradient and curvature at the speed of memory."""

import sys as _sys
from importlib import import_module as _import_module

from fastloss._core import isa as _isa  # isort: skip  # first, since it says what to do where nothing is built
from fastloss import elementwise as _elementwise  # isort: skip  # in the order of the registry
from fastloss import columns as _columns, aggregate as _aggregate, rowwise as _rowwise  # isort: skip
from fastloss._catalogue import LATER as _LOSSES_LATER
from fastloss._core import VERSION as __version__
from fastloss._core import loss as _loss
from fastloss._core.functions import function_of as _function_of
from fastloss._core.loss import Loss, WeightedSum
from fastloss.state import GroupStates, LossState

# What is imported when it is first asked for, by the name of its module: the import of the package brings in the losses
# of elements and rows, and nothing that their user does without.
_LATER = {
    "Chained": "composition.chained",
    "LinearFit": "linear.objective",
    "LinearGrads": "composition.linear_layer",
    "LinearObjective": "linear.objective",
    "RegionState": "regions.regions",
    "SequenceScores": "language.tokens",
    "ShardState": "language.shards",
    "TokenScores": "language.tokens",
    "box_iou": "boxes.matrices",
    "box_nwd": "boxes.matrices",
    "complete_box_iou": "boxes.matrices",
    "config": "_core.config",
    "distance_box_iou": "boxes.matrices",
    "expected_edges": "boxes.distribution",
    "expected_edges_grad": "boxes.distribution",
    "explained_variance_score": "metrics",
    "generalized_box_iou": "boxes.matrices",
    "linear_cross_entropy": "language.linear_cross_entropy",
    "linear_cross_entropy_value_and_grad": "language.linear_cross_entropy",
    "linear_loss": "composition.linear_layer",
    "linear_loss_value_and_grad": "composition.linear_layer",
    "median_absolute_error": "metrics",
    "r2_score": "metrics",
    "segment_sum": "language.tokens",
    "sequence_logprobs": "language.tokens",
    "show_config": "_core.config",
    "slide_weight": "boxes.distribution",
    "token_logprobs": "language.tokens",
}
_MODULES = ("arrow", "integrations", "penalties", "testing")

# Families in the order of the registry. Those after the first few are imported when one of their losses is asked for,
# whose names are in `_catalogue.py`.
_AT_ONCE = 4
_FAMILIES = (
    "elementwise", "columns", "aggregate", "rowwise", "vectors", "boxes", "regions", "alignment", "composition",
)  # fmt: skip

# Classes and functions of losses come from the registry; `__init__.pyi` describes them to type checkers. A function is
# made when it is first asked for.
_classes = {cls.__name__: cls for cls in _loss.registry.values()}
_functions = {name: cls for cls in _classes.values() for name in (cls.function_name, *cls.aliases)}
globals().update(_classes)

__all__ = sorted(["GroupStates", "Loss", "LossState", "WeightedSum", "registry", *_LATER, *_MODULES])
__all__ += dict.fromkeys([*_classes, *_functions, *_LOSSES_LATER])


def _whole_registry() -> dict[str, type[Loss]]:
    """The losses of all families by the names of their functions."""
    for family in _FAMILIES:
        _import_module(f"fastloss.{family}")
    in_order = sorted(_loss.registry.values(), key=lambda cls: _FAMILIES.index(cls.__module__.split(".")[1]))
    return {cls.function_name: cls for cls in in_order}


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def __getattr__(name: str) -> object:
    found: object
    if name in _functions:
        found = _function_of(_functions[name])
    elif name in _LOSSES_LATER:
        module, of_class = _LOSSES_LATER[name]
        cls = getattr(_import_module(f"fastloss.{module}"), of_class)
        found = cls if name == of_class else _function_of(cls)
    elif name == "registry":
        found = _whole_registry()
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
