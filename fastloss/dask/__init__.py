"""Losses of what is larger than one machine: arrays and data frames of Dask.

Each function takes a loss and what calling it takes, and returns lazily what that gives.
"""

from importlib.util import find_spec

from fastloss._core.extras import missing

if find_spec("dask") is None:
    raise missing("fastloss.dask", "Dask", "dask")

from fastloss.dask.objective import LinearFit, LinearObjective
from fastloss.dask.verbs import grad, grad_and_hess, state, states, value, value_and_grad

__all__ = [
    "LinearFit",
    "LinearObjective",
    "grad",
    "grad_and_hess",
    "state",
    "states",
    "value",
    "value_and_grad",
]
