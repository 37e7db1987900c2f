"""What the losses of the residual promise beyond what holds for every loss: kinks, limits, identities, parity."""

import math

import numpy as np
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
    values_at_ties,
)

INF = math.inf
EVEN = [
    fl.SquaredError(), fl.AbsoluteError(), fl.Lp(p=3.5), fl.EpsilonInsensitive(), fl.SquaredEpsilonInsensitive(),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("loss", "r", "grad", "hess"),
    [
        (fl.AbsoluteError(), 0, 0, 0),
        (fl.Quantile(alpha=0.25), 0, -0.25, 0),
        (fl.Expectile(alpha=0.25), 0, 0, 1.5),
        (fl.EpsilonInsensitive(epsilon=2.0), 2, 0, 0),
        (fl.EpsilonInsensitive(epsilon=2.0), -2, 0, 0),
        (fl.EpsilonInsensitive(epsilon=0.0), 0, 0, 0),
        (fl.SquaredEpsilonInsensitive(epsilon=2.0), 2, 0, 2),
        (fl.SquaredEpsilonInsensitive(epsilon=0.0), 0, 0, 2),
        (fl.Lp(p=1.5), 0, 0, INF),
        (fl.Lp(p=1.0), 0, 0, 0),
        (fl.Lp(p=2.0), 0, 0, 2),
        (fl.Lp(p=3.0), 0, 0, 0),
    ],
)
def test_stated_derivatives_at_kinks(loss, r, grad, hess, dtype):
    assert_derivatives(loss, r, dtype, grad, hess)


@pytest.mark.parametrize("loss", EVEN, ids=repr)
def test_even_to_the_bit(loss):
    assert_even(loss)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("loss", [*EVEN, fl.Quantile(), fl.Expectile(), fl.Linex()], ids=repr)
def test_a_tie_costs_nothing(loss, dtype):
    assert_a_tie_costs_nothing(loss, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_tie_has_no_bias(dtype):
    assert np.array_equal(values_at_ties(fl.MeanBias(), dtype), np.zeros(4))


@pytest.mark.parametrize(
    ("loss", "limit", "slope"),
    [
        (fl.SquaredError(), INF, INF),
        (fl.AbsoluteError(), INF, 1),
        (fl.MeanBias(), INF, 1),
        (fl.Quantile(alpha=0.25), INF, 0.75),
        (fl.Expectile(alpha=0.25), INF, INF),
        (fl.Linex(), INF, INF),
        (fl.Linex(a=-2.0, b=3.0), INF, 6),
        (fl.EpsilonInsensitive(), INF, 1),
        (fl.SquaredEpsilonInsensitive(), INF, INF),
        (fl.Lp(p=1.5), INF, INF),
    ],
    ids=repr,
)
def test_infinite_residuals_give_the_limit(loss, limit, slope):
    assert_limit(loss, limit, slope)


def test_no_early_overflow():
    assert value(fl.SquaredError(half=True), 1.8e154).item() == pytest.approx(1.62e308, rel=1e-15)


def test_linex_overflows_only_where_it_does():
    # e^712 alone overflows, 1e-10 times it does not.
    expected = math.exp(712 - 10 * math.log(10))
    assert value(fl.Linex(b=1e-10), 712.0).item() == pytest.approx(expected, rel=1e-12)
    assert value(fl.Linex(), 710.0).item() == INF


def test_linex_refuses_a_of_zero():
    with pytest.raises(ValueError, match="Linex: a is 0"):
        fl.Linex(a=0.0)


@pytest.mark.parametrize(
    ("loss", "other", "factor"),
    [
        (fl.Quantile(), fl.AbsoluteError(), 0.5),
        (fl.Expectile(), fl.SquaredError(), 0.5),
        (fl.EpsilonInsensitive(epsilon=0.0), fl.AbsoluteError(), 1),
        (fl.SquaredEpsilonInsensitive(epsilon=0.0), fl.SquaredError(), 1),
        (fl.Lp(p=1.0), fl.AbsoluteError(), 1),
        (fl.Lp(p=2.0), fl.SquaredError(), 1),
    ],
    ids=repr,
)
def test_identities(loss, other, factor):
    assert_multiple(loss, other, factor)


@pytest.mark.parametrize(
    ("loss", "function", "parameters"),
    [
        (fl.SquaredError(), "mse_loss", {}),
        (fl.AbsoluteError(), "l1_loss", {}),
    ],
    ids=repr,
)
def test_as_torch_has_it(loss, function, parameters):
    assert_as_torch_has_it(loss, function, parameters)


def test_as_sklearn_has_it():
    metrics = pytest.importorskip("sklearn.metrics")
    y, x = np.random.default_rng(13).normal(size=(2, 300))
    assert fl.SquaredError()(y, x) == pytest.approx(metrics.mean_squared_error(y, x), rel=1e-13)
    assert fl.AbsoluteError()(y, x) == pytest.approx(metrics.mean_absolute_error(y, x), rel=1e-13)
    expected = metrics.mean_pinball_loss(y, x, alpha=0.1)
    assert fl.Quantile(alpha=0.1)(y, x) == pytest.approx(expected, rel=1e-13)
