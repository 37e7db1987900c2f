"""What the robust losses promise beyond what holds for every loss: kinks, limits, identities, parity."""

import math

import pytest

import fastloss as fl
from tests.residuals import (
    FLOATS,
    assert_a_tie_costs_nothing,
    assert_as_torch_has_it,
    assert_derivatives,
    assert_even,
    assert_limit,
    assert_multiple,
    value,
)

INF = math.inf
EVEN = [fl.Huber(), fl.SmoothL1(), fl.LogCosh(), fl.PseudoHuber(), fl.Fair(), fl.Wing()]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("loss", "r", "grad", "hess"),
    [
        (fl.Huber(delta=2.0), 2, 2, 1),
        (fl.Huber(delta=2.0), -2, -2, 1),
        (fl.SmoothL1(beta=2.0), 2, 1, 0),
        (fl.SmoothL1(beta=0.0), 0, 0, 0),
        (fl.Wing(width=4.0, curvature=1.0), 4, 1, 0),
        (fl.Wing(width=4.0, curvature=1.0), 0, 0, -4),
    ],
)
def test_stated_derivatives_at_kinks(loss, r, grad, hess, dtype):
    assert_derivatives(loss, r, dtype, grad, hess)


@pytest.mark.parametrize("loss", EVEN, ids=repr)
def test_even_to_the_bit(loss):
    assert_even(loss)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("loss", EVEN, ids=repr)
def test_a_tie_costs_nothing(loss, dtype):
    assert_a_tie_costs_nothing(loss, dtype)


@pytest.mark.parametrize(
    ("loss", "limit", "slope"),
    [
        (fl.Huber(delta=2.0), INF, 2),
        (fl.SmoothL1(beta=2.0), INF, 1),
        (fl.LogCosh(), INF, 1),
        (fl.PseudoHuber(delta=2.0), INF, 2),
        (fl.Fair(c=2.0), INF, 2),
        (fl.Wing(), INF, 1),
    ],
    ids=repr,
)
def test_infinite_residuals_give_the_limit(loss, limit, slope):
    assert_limit(loss, limit, slope)


@pytest.mark.parametrize(
    ("loss", "r", "expected"),
    [
        (fl.Huber(delta=1e-3), 1e308, 1e305),
        (fl.SmoothL1(beta=1e300), 1e299, 5e297),
        (fl.PseudoHuber(delta=1e-10), 1e305, 1e295),
        (fl.PseudoHuber(delta=1e300), 1e-10, 5e-21),
        (fl.Fair(c=1e-10), 1e305, 1e295),
        (fl.Fair(c=1e300), 1e-10, 5e-21),
        (fl.LogCosh(), 1e-150, 5e-301),
        (fl.LogCosh(), 1e308, 1e308),
    ],
    ids=repr,
)
def test_no_early_overflow_or_underflow(loss, r, expected):
    assert value(loss, r).item() == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("loss", "other", "factor"),
    [
        (fl.SmoothL1(beta=0.7), fl.Huber(delta=0.7), 1 / 0.7),
        (fl.SmoothL1(beta=0.0), fl.AbsoluteError(), 1),
        (fl.Huber(delta=1e9), fl.SquaredError(half=True), 1),
    ],
    ids=repr,
)
def test_identities(loss, other, factor):
    assert_multiple(loss, other, factor)


@pytest.mark.parametrize(
    ("loss", "function", "parameters"),
    [
        (fl.Huber(delta=0.7), "huber_loss", {"delta": 0.7}),
        (fl.SmoothL1(beta=0.7), "smooth_l1_loss", {"beta": 0.7}),
        (fl.SmoothL1(beta=0.0), "smooth_l1_loss", {"beta": 0.0}),
    ],
    ids=repr,
)
def test_as_torch_has_it(loss, function, parameters):
    assert_as_torch_has_it(loss, function, parameters)
