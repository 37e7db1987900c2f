"""Fixtures that run over the registry."""

import os

import ml_dtypes
import numpy as np
import pytest

# More threads than processors are normal in these tests; without this they would spin while they wait.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from fastloss import _threads
from tests.support import DEFAULTS, LOSSES, additive

FLOATS = [np.dtype(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch):
    """Calls that stall on a busy machine do not take the threads of the next test."""
    monkeypatch.setattr(_threads, "PAUSE", 0.0)


@pytest.fixture(params=LOSSES, ids=repr)
def loss(request):
    """Every loss with every set of parameters worth testing."""
    return request.param


@pytest.fixture(params=DEFAULTS, ids=repr)
def any_default(request):
    """Every loss with its default parameters: for what no parameter changes."""
    return request.param


@pytest.fixture(params=additive(DEFAULTS), ids=repr)
def default_loss(request):
    """Every loss that is a mean over elements, with its default parameters."""
    return request.param


@pytest.fixture(params=FLOATS, ids=str)
def dtype(request):
    """Every floating-point type of predictions."""
    return request.param


@pytest.fixture(params=FLOATS[2:], ids=str)
def wide(request):
    """The two types that are computed in."""
    return request.param
