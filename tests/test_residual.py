"""What the losses of the residual promise beyond what holds for every loss: kinks, limits, identities, parity."""

import math

import numpy as np
import pytest

import fastloss as fl

INF = math.inf
FLOATS = [np.float32, np.float64]


def value(loss, r, dtype=np.float64):
    r = np.atleast_1d(np.asarray(r, dtype))
    return loss(np.zeros_like(r), r, reduction="none")


def derivatives(loss, r, dtype=np.float64):
    r = np.atleast_1d(np.asarray(r, dtype))
    return loss.grad_and_hess(np.zeros_like(r), r, reduction="none")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("loss", "r", "grad", "hess"),
    [
        (fl.AbsoluteError(), 0, 0, 0),
        (fl.Huber(delta=2.0), 2, 2, 1),
        (fl.Huber(delta=2.0), -2, -2, 1),
        (fl.SmoothL1(beta=2.0), 2, 1, 0),
        (fl.SmoothL1(beta=0.0), 0, 0, 0),
        (fl.Quantile(quantile=0.25), 0, -0.25, 0),
        (fl.Expectile(alpha=0.25), 0, 0, 1.5),
        (fl.EpsilonInsensitive(epsilon=2.0), 2, 0, 0),
        (fl.EpsilonInsensitive(epsilon=2.0), -2, 0, 0),
        (fl.EpsilonInsensitive(epsilon=0.0), 0, 0, 0),
        (fl.SquaredEpsilonInsensitive(epsilon=2.0), 2, 0, 2),
        (fl.SquaredEpsilonInsensitive(epsilon=0.0), 0, 0, 2),
        (fl.Tukey(c=2.0), 2, 0, 0),
        (fl.Lp(p=1.5), 0, 0, INF),
        (fl.Lp(p=1.0), 0, 0, 0),
        (fl.Lp(p=2.0), 0, 0, 2),
        (fl.Lp(p=3.0), 0, 0, 0),
        (fl.Wing(width=4.0, curvature=1.0), 4, 1, 0),
        (fl.Wing(width=4.0, curvature=1.0), 0, 0, -4),
    ],
)
def test_stated_derivatives_at_kinks(loss, r, grad, hess, dtype):
    found = derivatives(loss, r, dtype)
    assert (found[0].item(), found[1].item()) == (grad, hess)


SYMMETRIC = [
    fl.SquaredError(), fl.AbsoluteError(), fl.Huber(), fl.SmoothL1(), fl.LogCosh(), fl.PseudoHuber(), fl.Fair(),
    fl.Cauchy(), fl.Tukey(), fl.Welsch(), fl.GemanMcClure(), fl.Barron(), fl.Barron(alpha=-2.0), fl.Barron(alpha=0.0),
    fl.EpsilonInsensitive(), fl.SquaredEpsilonInsensitive(), fl.Lp(p=3.5), fl.Wing(), fl.StudentTNLL(),
]  # fmt: skip


@pytest.mark.parametrize("loss", SYMMETRIC, ids=repr)
def test_even_to_the_bit(loss):
    r = np.exp2(np.random.default_rng(3).uniform(-60, 60, 999))
    assert np.array_equal(value(loss, r), value(loss, -r))
    (grad, hess), (mirrored, same) = derivatives(loss, r), derivatives(loss, -r)
    assert np.array_equal(grad, -mirrored)
    assert np.array_equal(hess, same)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("loss", [*SYMMETRIC, fl.Quantile(), fl.Expectile(), fl.Linex(), fl.MeanBias()], ids=repr)
def test_a_tie_costs_nothing(loss, dtype):
    y = np.array([0.0, -0.0, 3.5, -1e30], dtype)
    values = loss(y, y[[1, 0, 2, 3]], reduction="none")
    assert np.array_equal(values, np.zeros(4))
    if not isinstance(loss, fl.MeanBias):
        assert not np.signbit(values).any()


@pytest.mark.parametrize(
    ("loss", "limit", "slope"),
    [
        (fl.SquaredError(), INF, INF),
        (fl.AbsoluteError(), INF, 1),
        (fl.MeanBias(), INF, 1),
        (fl.Huber(delta=2.0), INF, 2),
        (fl.SmoothL1(beta=2.0), INF, 1),
        (fl.LogCosh(), INF, 1),
        (fl.PseudoHuber(delta=2.0), INF, 2),
        (fl.Quantile(quantile=0.25), INF, 0.75),
        (fl.Expectile(alpha=0.25), INF, INF),
        (fl.Linex(), INF, INF),
        (fl.Linex(a=-2.0, b=3.0), INF, 6),
        (fl.Fair(c=2.0), INF, 2),
        (fl.Cauchy(c=2.0), INF, 0),
        (fl.Tukey(c=3.0), 1.5, 0),
        (fl.Welsch(c=2.0), 2, 0),
        (fl.GemanMcClure(c=2.0), 2, 0),
        (fl.EpsilonInsensitive(), INF, 1),
        (fl.SquaredEpsilonInsensitive(), INF, INF),
        (fl.Lp(p=1.5), INF, INF),
        (fl.Wing(), INF, 1),
        (fl.StudentTNLL(), INF, 0),
        (fl.Barron(alpha=-2.0), 2, 0),
        (fl.Barron(alpha=0.0), INF, 0),
    ],
    ids=repr,
)
def test_infinite_residuals_give_the_limit(loss, limit, slope):
    assert value(loss, INF).item() == limit
    assert derivatives(loss, INF)[0].item() == slope


@pytest.mark.parametrize(
    ("loss", "r", "expected"),
    [
        (fl.SquaredError(half=True), 1.8e154, 1.62e308),
        (fl.Huber(delta=1e-3), 1e308, 1e305),
        (fl.SmoothL1(beta=1e300), 1e299, 5e297),
        (fl.PseudoHuber(delta=1e-10), 1e305, 1e295),
        (fl.PseudoHuber(delta=1e300), 1e-10, 5e-21),
        (fl.Fair(c=1e-10), 1e305, 1e295),
        (fl.Fair(c=1e300), 1e-10, 5e-21),
        (fl.Cauchy(c=1e300), 1e-10, 5e-21),
        (fl.Welsch(c=1e300), 1e-10, 5e-21),
        (fl.Welsch(c=1e-150), 1e300, 5e-301),
        (fl.GemanMcClure(c=1e-150), 1e300, 5e-301),
        (fl.Tukey(c=1e300), 1e-10, 5e-21),
        (fl.LogCosh(), 1e-150, 5e-301),
        (fl.LogCosh(), 1e308, 1e308),
        (fl.Barron(alpha=1.0), 1e300, 1e300),
    ],
    ids=repr,
)
def test_no_early_overflow_or_underflow(loss, r, expected):
    assert value(loss, r).item() == pytest.approx(expected, rel=1e-15)


def test_linex_overflows_only_where_it_does():
    # e^712 alone overflows, 1e-10 times it does not.
    expected = math.exp(712 - 10 * math.log(10))
    assert value(fl.Linex(b=1e-10), 712.0).item() == pytest.approx(expected, rel=1e-12)
    assert value(fl.Linex(), 710.0).item() == INF


def test_redescending_gradients_survive_far_tails():
    # e^-w is subnormal at w = 729, the gradient r e^-w is not.
    grad = derivatives(fl.Welsch(c=1e299), 27e299)[0].item()
    assert grad == pytest.approx(27e299 * math.exp(-364.5) ** 2, rel=1e-12)
    assert derivatives(fl.Cauchy(c=1e140), 1e300)[0].item() == pytest.approx(1e-20, rel=1e-15)


IDENTITIES = [
    (fl.SmoothL1(beta=0.7), fl.Huber(delta=0.7), 1 / 0.7),
    (fl.SmoothL1(beta=0.0), fl.AbsoluteError(), 1),
    (fl.Quantile(), fl.AbsoluteError(), 0.5),
    (fl.Expectile(), fl.SquaredError(), 0.5),
    (fl.EpsilonInsensitive(epsilon=0.0), fl.AbsoluteError(), 1),
    (fl.SquaredEpsilonInsensitive(epsilon=0.0), fl.SquaredError(), 1),
    (fl.Lp(p=1.0), fl.AbsoluteError(), 1),
    (fl.Lp(p=2.0), fl.SquaredError(), 1),
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
    (fl.Huber(delta=1e9), fl.SquaredError(half=True), 1),
]


@pytest.mark.parametrize(("loss", "other", "factor"), IDENTITIES, ids=repr)
def test_identities(loss, other, factor):
    r = np.random.default_rng(5).normal(scale=4, size=500)
    r = r[(np.abs(r) > 1e-3)]
    np.testing.assert_allclose(value(loss, r), factor * value(other, r), rtol=1e-9, atol=1e-12)
    for one, another in zip(derivatives(loss, r), derivatives(other, r), strict=True):
        np.testing.assert_allclose(one, factor * another, rtol=1e-9, atol=1e-9)


def test_linex_refuses_a_of_zero():
    with pytest.raises(ValueError, match="Linex: a is 0"):
        fl.Linex(a=0.0)


@pytest.mark.parametrize(
    ("loss", "function", "parameters"),
    [
        (fl.SquaredError(), "mse_loss", {}),
        (fl.AbsoluteError(), "l1_loss", {}),
        (fl.Huber(delta=0.7), "huber_loss", {"delta": 0.7}),
        (fl.SmoothL1(beta=0.7), "smooth_l1_loss", {"beta": 0.7}),
        (fl.SmoothL1(beta=0.0), "smooth_l1_loss", {"beta": 0.0}),
    ],
    ids=repr,
)
def test_as_torch_has_it(loss, function, parameters):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(11)
    y, x = rng.normal(size=(2, 200))
    x[:5] = y[:5]
    given = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, function)(given, torch.tensor(y), **parameters)
    expected.backward()
    found, grad = loss.value_and_grad(y, x)
    assert found == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(grad, given.grad.numpy(), rtol=1e-12, atol=1e-18)


def test_as_sklearn_has_it():
    metrics = pytest.importorskip("sklearn.metrics")
    y, x = np.random.default_rng(13).normal(size=(2, 300))
    assert fl.SquaredError()(y, x) == pytest.approx(metrics.mean_squared_error(y, x), rel=1e-13)
    assert fl.AbsoluteError()(y, x) == pytest.approx(metrics.mean_absolute_error(y, x), rel=1e-13)
    expected = metrics.mean_pinball_loss(y, x, alpha=0.1)
    assert fl.Quantile(quantile=0.1)(y, x) == pytest.approx(expected, rel=1e-13)
