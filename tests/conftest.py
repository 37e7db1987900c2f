"""Fixtures that run over the registry, and what was left untested."""

from importlib.util import find_spec

import ml_dtypes
import numpy as np
import pytest

from tests.support import DEFAULTS, LOSSES, additive

FLOATS = [np.dtype(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]


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


def pytest_terminal_summary(terminalreporter):
    """Say loudly which boosters were not there to be tested against."""
    missing = [name for name in ("xgboost", "lightgbm", "catboost") if find_spec(name) is None]
    if missing:
        terminalreporter.write_sep("!", "gradient boosting was NOT tested in full", red=True, bold=True)
        terminalreporter.write_line(f"missing: {', '.join(missing)}; pip install '.[boosters]'", red=True)
