"""Divergences of rows: limits, identities, and what other libraries say."""

import itertools
import math

import numpy as np
import pytest

import fastloss as fl
from tests.reference.rowwise.softmax import log_softmax
from tests.support import generator

INF = np.inf
BOTH_WAYS = [*itertools.product(("logits", "log_probabilities"), (False, True))]


def drawn(n=20, classes=7):
    rng = generator("divergence", n)
    return rng.dirichlet(np.ones(classes), n), 3 * rng.standard_normal((n, classes))


@pytest.mark.parametrize("cls", [fl.ForwardKL, fl.ReverseKL, fl.JensenShannon])
@pytest.mark.parametrize("log_target", [False, True])
def test_logits_and_their_log_probabilities_have_one_value(cls, log_target):
    t, x = drawn()
    y = np.log(t) if log_target else t
    value = cls(log_target=log_target)(y, x, reduction="none")
    other = cls(log_target=log_target, scores="log_probabilities")(y, log_softmax(x), reduction="none")
    np.testing.assert_allclose(value, other, rtol=1e-12)
    np.testing.assert_allclose(value, cls()(t, x + 100, reduction="none"), rtol=1e-11)


@pytest.mark.parametrize("cls", [fl.ForwardKL, fl.ReverseKL, fl.JensenShannon])
def test_a_perfect_prediction_costs_nothing(cls):
    t, _ = drawn()
    value, grad = cls().value_and_grad(t, np.log(t), reduction="none")
    np.testing.assert_allclose(value, 0, atol=1e-14)
    np.testing.assert_allclose(grad, 0, atol=1e-14)


def test_forward_divergence_is_cross_entropy_less_the_entropy():
    t, x = drawn()
    value, grad = fl.ForwardKL().value_and_grad(t, x, reduction="none")
    entropy = -(t * np.log(t)).sum(axis=1)
    other, slope = fl.CrossEntropy().value_and_grad(t, x, reduction="none")
    np.testing.assert_allclose(value, other - entropy, rtol=1e-11)
    np.testing.assert_allclose(grad, slope, rtol=1e-14)


@pytest.mark.parametrize(
    "target, row, forward, reverse",
    [
        ([0.5, 0.5, 0], [0, 0, -INF], 0, 0),
        ([1, 0, 0], [0, 0, -INF], math.log(2), INF),
        ([0.5, 0, 0.5], [0, -INF, -INF], INF, math.log(2)),
        ([0, 0, 1], [0, 0, -INF], INF, INF),
        ([0, 0, 1], [-INF, -INF, -INF], math.nan, math.nan),
    ],
)
def test_zeros(target, row, forward, reverse):
    for classes in (3, 300):
        t, x = np.zeros((1, classes)), np.full((1, classes), -INF)
        t[0, :3], x[0, :3] = target, row
        with np.errstate(divide="ignore"):
            logs = np.log(t)
        for loss, wanted in ((fl.ForwardKL, forward), (fl.ReverseKL, reverse)):
            found = [loss()(t, x), loss(log_target=True)(logs, x)]
            np.testing.assert_allclose(found, wanted, atol=1e-15)
        apart = fl.JensenShannon()(t, x)
        assert math.isnan(apart) if math.isnan(forward) else 0 <= apart <= math.log(2) * (1 + 1e-15)
        assert fl.JensenShannon(log_target=True)(logs, x) == pytest.approx(apart, nan_ok=True)


def test_jensen_shannon_between_its_ends():
    t, x = drawn()
    for scores, log_target in BOTH_WAYS:
        y, y_pred = np.log(t) if log_target else t, x if scores == "logits" else log_softmax(x)
        options = {"scores": scores, "log_target": log_target}
        for beta, end in ((0.0, fl.ForwardKL), (1.0, fl.ReverseKL)):
            value, grad = fl.JensenShannon(beta, **options).value_and_grad(y, y_pred)
            other, slope = end(**options).value_and_grad(y, y_pred)
            assert value == other
            assert (grad == slope).all()
        near = fl.JensenShannon(1e-9, **options)(y, y_pred) / 1e-9
        assert near == pytest.approx(fl.ForwardKL(**options)(y, y_pred), rel=1e-6)
    apart = fl.JensenShannon(0.3)([[1, 0]], [[-800.0, 0.0]])
    assert apart == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7), rel=1e-15)
    with pytest.raises(ValueError, match="JensenShannon: there is no grad_and_hess"):
        fl.JensenShannon().grad_and_hess(t, x)


def test_close_distributions_keep_the_accuracy_of_their_difference():
    t = np.array([[0.5, 0.5]])
    value = fl.JensenShannon()(t, [[1e-5, 0.0]])
    assert value == pytest.approx(1e-10 / 32, rel=1e-5)


def test_generalized_divergence_of_distributions_is_the_divergence():
    t, x = drawn()
    value = fl.GeneralizedKL()(t, log_softmax(x), reduction="none")
    np.testing.assert_allclose(value, fl.ForwardKL()(t, x, reduction="none"), rtol=1e-11)
    assert fl.GeneralizedKL()([[0.0, 0.0]], [[-INF, -INF]]) == 0


def test_total_variation():
    p, t = [[0.25, 0.5, 0.25]], [[0.5, 0.5, 0.0]]
    value, grad = fl.TotalVariation().value_and_grad(t, p, reduction="none")
    assert value.tolist() == [0.25]
    assert grad.tolist() == [[-0.5, 0, 0.5]]
    assert np.isnan(fl.TotalVariation().grad(t, [[np.nan, 0.5, 0.5]])[0, 0])


@pytest.mark.parametrize("classes", [7, 300, 1100])
def test_distillation_is_the_divergence_of_softened_logits(classes):
    _, x = drawn(classes=classes)
    y = 50 * generator("teacher").standard_normal(x.shape)
    y[:, 1] = -INF
    for temperature in (1.0, 4.0):
        soft = np.exp(log_softmax(y / temperature))
        value, grad = fl.Distillation(temperature).value_and_grad(y, x, reduction="none")
        other, slope = fl.ForwardKL().value_and_grad(soft, x / temperature, reduction="none")
        np.testing.assert_allclose(value, temperature**2 * other, rtol=1e-12)
        np.testing.assert_allclose(grad, temperature * slope, rtol=1e-11, atol=1e-15)


# Other libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("log_target", [False, True])
def test_torch(log_target):
    torch = pytest.importorskip("torch")
    t, x = drawn()
    y, logs = np.log(t) if log_target else t, log_softmax(x)
    scores = torch.tensor(logs, requires_grad=True)
    expected = torch.nn.functional.kl_div(scores, torch.tensor(y), reduction="batchmean", log_target=log_target)
    expected.backward()
    value, grad = fl.ForwardKL(scores="log_probabilities", log_target=log_target).value_and_grad(y, logs)
    assert value == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(grad, scores.grad.numpy(), rtol=1e-13)
