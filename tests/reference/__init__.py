"""Every loss in NumPy, written for obviousness: the slow twin that tests and benchmarks compare with."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastloss import Loss


def twin(loss: Loss, suffix: str = "") -> Callable[..., Any]:
    """The reference of a loss, or of its gradient with the suffix "_grad", with the parameters bound.

    That of a rowwise loss has its classes along the last axis, and no row is ignored.
    """
    module = import_module(type(loss).__module__.replace("fastloss", "tests.reference", 1))
    function = getattr(module, loss.function_name + suffix)
    parameters = {name: value for name, value in loss.parameters().items() if name not in ("axis", "ignore_index")}
    return lambda *arrays: function(*arrays, **parameters)
