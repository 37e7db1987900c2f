"""Edges and identities of the likelihoods of counts and amounts."""

import math

import numpy as np
import pytest

import fastloss as fl


def each(loss, y, x):
    y, x = np.atleast_1d(np.float64(y)), np.atleast_1d(np.float64(x))
    return loss(y, x, reduction="none"), *loss.grad_and_hess(y, x, reduction="none")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("full", [False, True])
def test_poisson_overflow_is_infinite_and_zero_counts_take_no_part(dtype, full):
    y, x = np.array([3, 0, 0, 1e30], dtype), np.array([1e5, -np.inf, np.inf, 1e30], dtype)
    loss = fl.PoissonNLL(full=full)
    assert loss(y, x, reduction="none").tolist() == [np.inf, 0, np.inf, np.inf]
    assert loss.grad(y, x, reduction="none").tolist() == [np.inf, 0, np.inf, np.inf]


def test_poisson_rate_of_zero():
    value, grad, hess = each(fl.PoissonNLL(log_input=False, eps=0.0), [0.0, 2.0], [0.0, 0.0])
    assert value.tolist() == [0, np.inf]
    assert grad.tolist() == [1, -np.inf]
    assert hess.tolist() == [0, np.inf]


def test_domains():
    for loss, y, x, what in [
        (fl.PoissonNLL(), -1.0, 0.0, "y_true.*at least 0"),
        (fl.PoissonNLL(log_input=False), 1.0, -1.0, "y_pred.*at least 0"),
        (fl.GammaNLL(), 0.0, 0.0, "y_true.*greater than 0"),
        (fl.Tweedie(), -1.0, 0.0, "y_true.*at least 0"),
        (fl.Tweedie(power=3), 0.0, 0.0, "y_true.*greater than 0"),
        (fl.Tweedie(link="identity"), 1.0, 0.0, "y_pred.*greater than 0"),
    ]:
        with pytest.raises(ValueError, match=what):
            loss([y], [x])
    fl.Tweedie(power=0)([-1.0], [0.0])
    fl.Tweedie(power=0, link="identity")([-1.0], [-1.0])
    with pytest.raises(ValueError, match=r"power is 0\.5"):
        fl.Tweedie(power=0.5)


def test_gamma_product_overflows_only_where_it_does():
    value, grad, hess = each(fl.GammaNLL(), [1e-300, 1e300, 1.0], [-1000.0, 1000.0, -np.inf])
    np.testing.assert_allclose(hess[:2], [np.exp(1000 - 300 * np.log(10)), np.exp(300 * np.log(10) - 1000)], rtol=1e-12)
    assert value[2] == np.inf
    assert grad[2] == -np.inf


@pytest.mark.parametrize("power", [-0.7, 0.0, 1.5, 3.0])
def test_tweedie_of_two_overflowing_terms(power):
    y, x = np.full(4, 2.0), np.array([-1e300, -2000.0, 2000.0, 1e300])
    value, grad, _ = each(fl.Tweedie(power=power), y, x)
    assert not np.isnan(value).any()
    assert not np.isnan(grad).any()
    assert (value[:2] * (power - 1) >= 0).all()
    assert (grad[:2] <= 0).all()
    assert (grad[2:] >= 0).all()


def test_special_powers():
    rng = np.random.default_rng(0)
    y, x = rng.gamma(2, size=100), rng.normal(size=100)
    for power, other in ((1, fl.PoissonNLL()), (2, fl.GammaNLL())):
        for ours, theirs in zip(each(fl.Tweedie(power=power), y, x), each(other, y, x), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for power in (-0.7, 0.0, 1.0, 1.5, 2.0, 3.0):
        log = fl.Tweedie(power=power)(y, x, reduction="none")
        identity = fl.Tweedie(power=power, link="identity")(y, np.exp(x), reduction="none")
        np.testing.assert_allclose(log, identity, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", [
    fl.PoissonNLL(), fl.PoissonNLL(full=True), fl.PoissonNLL(log_input=False), fl.GammaNLL(), fl.Tweedie(),
    fl.Tweedie(power=3), fl.Tweedie(power=1.5, link="identity"), fl.Tweedie(power=2, link="identity"),
    fl.Tweedie(power=0, link="identity"),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_comes_out_as_nan(loss, dtype):
    y, x = np.array([np.nan, 1, np.nan, np.nan], dtype), np.array([1, np.nan, np.nan, 1e6], dtype)
    assert np.isnan(loss(y, x, reduction="none")).all()
    assert np.isnan(loss.grad(y, x, reduction="none")[:3]).all()


@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_parity_with_torch(log_input, full):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    y, x = rng.poisson(2.0, 500).astype(float), rng.gamma(2.0, size=500)
    theirs = torch.nn.functional.poisson_nll_loss(torch.tensor(x), torch.tensor(y), log_input, full).item()
    assert fl.poisson_nll_loss(y, x, log_input=log_input, full=full) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("power", [-0.7, 0, 1, 1.5, 2, 3])
def test_half_deviance_of_scikit_learn_up_to_the_perfect_prediction(power):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    y, x = rng.gamma(2.0, size=(2, 500))
    loss = fl.Tweedie(power=power, link="identity")
    theirs = metrics.mean_tweedie_deviance(y, x, power=power) / 2
    assert loss(y, x) - loss(y, y) == pytest.approx(theirs, rel=1e-10)


# Deviances ------------------------------------------------------------------------------------------

DEVIANCES = [
    fl.PoissonDeviance(),
    fl.GammaDeviance(),
    *(fl.TweedieDeviance(power=p) for p in (-0.7, 1, 1.5, 2, 2.5, 3)),
]


@pytest.mark.parametrize("loss", DEVIANCES, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_deviance_is_zero_where_the_mean_is_the_target(loss, dtype):
    x = np.array([1e-30, 0.3, 1.0, 7.0, 1e30], dtype)
    value, grad = loss.value_and_grad(x, x, reduction="none")
    assert not value.any()
    assert not grad.any()
    assert math.isnan(loss([np.nan], x[:1]))
    assert math.isnan(loss(x[:1], x[:1] * np.nan))


@pytest.mark.parametrize("loss", DEVIANCES, ids=repr)
def test_a_deviance_is_twice_the_likelihoods_excess(loss):
    rng = np.random.default_rng(1)
    y, x = rng.gamma(2.0, size=(2, 200))
    power = {"PoissonDeviance": 1.0, "GammaDeviance": 2.0}.get(type(loss).__name__) or loss.power
    half = fl.Tweedie(power=power, link="identity")
    value, grad, hess = each(loss, y, x)
    excess = half(y, x, reduction="none") - half(y, y, reduction="none")
    np.testing.assert_allclose(value, 2 * excess, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(grad, 2 * half.grad(y, x, reduction="none"), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(hess, 2 * half.grad_and_hess(y, x, reduction="none")[1], rtol=1e-13, atol=1e-13)


def test_a_deviance_near_its_least_and_near_the_powers_1_and_2_keeps_its_accuracy():
    near = 1 + 1e-6
    for power in (1.0, 1 + 1e-12, 1.5, 2 - 1e-12, 2.0, 3.0):
        assert fl.mean_tweedie_deviance([1.0], [near], power=power) == pytest.approx(1e-12, rel=1e-5)
    far = [fl.mean_tweedie_deviance([1.0], [20.0], power=power) for power in (1.0, 1 + 1e-12, 2 - 1e-12, 2.0)]
    assert far[0] == pytest.approx(far[1], rel=1e-3)
    assert far[2] == pytest.approx(far[3], rel=1e-3)


def test_deviances_of_a_target_of_zero():
    assert fl.PoissonDeviance()([0], [3.0]) == 6
    assert fl.TweedieDeviance(power=1.5)([0], [4.0]) == pytest.approx(8, rel=1e-15)
    assert fl.TweedieDeviance(power=1)([0], [3.0]) == 6
    for loss in (fl.GammaDeviance(), fl.TweedieDeviance(power=2)):
        with pytest.raises(ValueError, match=r"y_true\[0\] is 0.0, must be greater than 0"):
            loss([0.0], [1.0])
    with pytest.raises(ValueError, match=r"^TweedieDeviance: power is 0\.5, must be at most 0 or at least 1"):
        fl.TweedieDeviance(power=0.5)
