"""Libraries that compute some of the losses too, one adapter each.

An adapter has `LOSSES`, a table of the losses it knows under fastloss's names, and `bind(load, work)`, which hands
the arrays over in the library's own format and returns a call without arguments that gives the mean, or the mean
and its gradient in a new array, when they are done. Each is given the form of the loss in which it is fastest.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def installed() -> dict[str, ModuleType]:
    """The adapters whose library is there, by name."""
    found = {}
    for info in pkgutil.iter_modules(__path__):
        try:
            found[info.name] = import_module(f"{__name__}.{info.name}")
        except ImportError:
            continue
    return found
