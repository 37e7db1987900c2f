"""What the redescending losses promise beyond what holds for every loss: kinks, limits, identities."""

import math

import pytest

import fastloss as fl
from tests.residuals import (
    FLOATS,
    assert_a_tie_costs_nothing,
    assert_derivatives,
    assert_even,
    assert_limit,
    assert_multiple,
    derivatives,
    value,
)

INF = math.inf
EVEN = [
    fl.Cauchy(), fl.Tukey(), fl.Welsch(), fl.GemanMcClure(), fl.Barron(), fl.Barron(alpha=-2.0), fl.Barron(alpha=0.0),
    fl.StudentTNLL(),
]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
def test_stated_derivatives_at_the_kink(dtype):
    assert_derivatives(fl.Tukey(c=2.0), 2, dtype, 0, 0)


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
        (fl.Cauchy(c=2.0), INF, 0),
        (fl.Tukey(c=3.0), 1.5, 0),
        (fl.Welsch(c=2.0), 2, 0),
        (fl.GemanMcClure(c=2.0), 2, 0),
        (fl.StudentTNLL(), INF, 0),
        (fl.Barron(alpha=-2.0), 2, 0),
        (fl.Barron(alpha=0.0), INF, 0),
    ],
    ids=repr,
)
def test_infinite_residuals_give_the_limit(loss, limit, slope):
    assert_limit(loss, limit, slope)


@pytest.mark.parametrize(
    ("loss", "r", "expected"),
    [
        (fl.Cauchy(c=1e300), 1e-10, 5e-21),
        (fl.Welsch(c=1e300), 1e-10, 5e-21),
        (fl.Welsch(c=1e-150), 1e300, 5e-301),
        (fl.GemanMcClure(c=1e-150), 1e300, 5e-301),
        (fl.Tukey(c=1e300), 1e-10, 5e-21),
        (fl.Barron(alpha=1.0), 1e300, 1e300),
    ],
    ids=repr,
)
def test_no_early_overflow_or_underflow(loss, r, expected):
    assert value(loss, r).item() == pytest.approx(expected, rel=1e-15)


def test_redescending_gradients_survive_far_tails():
    # e^-w is subnormal at w = 729, the gradient r e^-w is not.
    grad = derivatives(fl.Welsch(c=1e299), 27e299)[0].item()
    assert grad == pytest.approx(27e299 * math.exp(-364.5) ** 2, rel=1e-12)
    assert derivatives(fl.Cauchy(c=1e140), 1e300)[0].item() == pytest.approx(1e-20, rel=1e-15)


@pytest.mark.parametrize(
    ("loss", "other", "factor"),
    [
        (fl.Barron(alpha=2.0, c=3.0), fl.SquaredError(half=True), 1 / 9),
        (fl.Barron(alpha=1.0, c=3.0), fl.PseudoHuber(delta=3.0), 1 / 9),
        (fl.Barron(alpha=0.0, c=3.0), fl.Cauchy(c=3.0 * math.sqrt(2)), 1 / 9),
        (fl.Barron(alpha=-2.0, c=3.0), fl.GemanMcClure(c=6.0), 1 / 9),
        (fl.Barron(alpha=-1e18, c=3.0), fl.Welsch(c=3.0 * math.sqrt(2)), 1 / 9),
        (fl.Barron(alpha=1e-12, c=3.0), fl.Barron(alpha=0.0, c=3.0), 1),
        (fl.Barron(alpha=-1e-12, c=3.0), fl.Barron(alpha=0.0, c=3.0), 1),
        (fl.Barron(alpha=1e-30, c=3.0), fl.Barron(alpha=0.0, c=3.0), 1),
        (fl.Barron(alpha=2 - 1e-12, c=3.0), fl.Barron(alpha=2.0, c=3.0), 1),
        (fl.Barron(alpha=2 + 1e-12, c=3.0), fl.Barron(alpha=2.0, c=3.0), 1),
        (fl.StudentTNLL(df=4.0, scale=1.5), fl.Cauchy(c=3.0), 5 / 9),
    ],
    ids=repr,
)
def test_identities(loss, other, factor):
    assert_multiple(loss, other, factor)
