"""Every loss in NumPy, written for obviousness: the slow twin that tests and benchmarks compare with."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from fastloss import Loss


def twin(loss: Loss, suffix: str = "") -> Callable[..., Any]:
    """The reference of a loss, or of its gradient with the suffix "_grad", with the parameters bound."""
    module = import_module(f"tests.reference.{type(loss).__module__.rpartition('.')[2]}")
    function = getattr(module, loss.function_name + suffix)
    return lambda *arrays: function(*arrays, **loss.parameters())
