"""Margin losses: limits, kinks, identities, and what other libraries say."""

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry

X = np.linspace(-30, 30, 241)
SIGNS = np.where(np.arange(241) % 2, 1.0, -1.0)
INF = np.inf


def each(loss, y, x):
    value, grad = loss.value_and_grad(y, x, reduction="none")
    hess = loss.grad_and_hess(y, x, reduction="none")[1]
    return value.tolist(), grad.tolist(), hess.tolist()


MARGIN = [
    cls(**parameters)
    for cls in dict.fromkeys(registry.values())
    if cls.__module__.startswith("fastloss.elementwise.")
    and cls.__module__.endswith(("margin", "adversarial", "preference"))
    for parameters in ({}, *cls.variants)
]


@pytest.mark.parametrize("loss", MARGIN, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_stays_nan(loss, dtype):
    for y, x in (([0.0, 1.0], [np.nan, np.nan]), ([np.nan, np.nan], [-0.25, 0.75])):
        value, grad, _ = each(loss, np.array(y, dtype), np.array(x, dtype))
        assert np.isnan(value).all()
        assert np.isnan(grad).all()


@pytest.mark.parametrize("loss", [loss for loss in MARGIN if not isinstance(loss, fl.DPO)], ids=repr)
def test_zero_and_minus_one_are_the_same_class(loss):
    for found, expected in zip(each(loss, SIGNS > 0, X), each(loss, SIGNS, X), strict=True):
        assert found == expected


@pytest.mark.parametrize(
    ("loss", "margin", "expected"),
    [
        (fl.Hinge(), 1.0, (0, 0, 0)),
        (fl.SquaredHinge(), 1.0, (0, 0, 0)),
        (fl.SmoothedHinge(gamma=0.5), 1.0, (0, 0, 0)),
        (fl.SmoothedHinge(gamma=0.5), 0.5, (0.25, -1, 2)),
        (fl.ModifiedHuber(), 1.0, (0, 0, 0)),
        (fl.ModifiedHuber(), -1.0, (4, -4, 2)),
        (fl.Perceptron(), 0.0, (0, 0, 0)),
    ],
    ids=repr,
)
def test_kinks(loss, margin, expected):
    value, grad, hess = each(loss, [1, -1], [margin, -margin])
    assert value == [expected[0]] * 2
    assert grad == [expected[1], -expected[1]]
    assert hess == [expected[2]] * 2


def test_hinge_embedding_at_its_kink():
    assert each(fl.HingeEmbedding(), [-1, 1, 1], [1.0, 1.0, -2.0]) == ([0, 1, -2], [0, 1, 1], [0, 0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_scores(dtype):
    x = np.array([INF, -INF], dtype)
    hinges = (fl.Hinge(), fl.SquaredHinge(), fl.SmoothedHinge(), fl.ModifiedHuber(), fl.Perceptron())
    for loss in (*hinges, fl.SoftMargin(), fl.Exponential(), fl.DPO()):
        value, grad, _ = each(loss, [1, 1], x)
        assert value == [0, INF]
        assert grad[0] == 0
        assert grad[1] < 0
    for loss, most in ((fl.Savage(), 1), (fl.SigmoidLoss(), 2), (fl.KTO(), 1)):
        assert each(loss, [1, 1], x) == ([0, most], [0, 0], [0, 0])
    assert each(fl.IPO(), [1, 1], x)[0] == [INF, INF]


def test_soft_margin_is_binary_cross_entropy():
    for found, expected in zip(
        each(fl.SoftMargin(), SIGNS, X), each(fl.BinaryCrossEntropyWithLogits(), SIGNS > 0, X), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_games_are_made_of_other_losses():
    real = SIGNS > 0
    pairs = [
        (fl.GANDiscriminator(), fl.BinaryCrossEntropyWithLogits()),
        (fl.GANDiscriminator(mode="ls"), fl.SquaredError(half=True)),
        (fl.GANDiscriminator(mode="hinge"), fl.Hinge()),
        (fl.GANGenerator(), fl.BinaryCrossEntropyWithLogits()),
    ]
    for game, other in pairs:
        for found, expected in zip(each(game, real, X), each(other, real, X), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-14)
    for mode in ("wgan", "hinge"):
        assert each(fl.GANGenerator(mode=mode), [1, 0], [3.0, 3.0]) == ([-3, 3], [-1, 1], [0, 0])
    fooled = np.array(each(fl.GANGenerator(mode="minimax"), real, X))
    np.testing.assert_allclose(fooled, -np.array(each(fl.BinaryCrossEntropyWithLogits(), ~real, X)), rtol=1e-14)


def test_preferences():
    entropy = np.array(each(fl.BinaryCrossEntropyWithLogits(label_smoothing=0.2), SIGNS > 0, 0.5 * X))
    found = each(fl.DPO(beta=0.5, label_smoothing=0.1), SIGNS > 0, X)
    for order in range(3):
        np.testing.assert_allclose(found[order], 0.5**order * entropy[order], rtol=1e-13, atol=1e-17)
    assert each(fl.IPO(beta=0.25), [1, 0], [2.0, -2.0]) == ([0, 0], [0, 0], [2, 2])
    x = np.array([-1e300, -5000.0, 5000.0, 1e300])
    assert np.isfinite(each(fl.KTO(beta=0.1), np.ones(4), x)).all()
    np.testing.assert_allclose(fl.KTO(beta=0.1)([1], [7000.3]), np.exp(-700.03), rtol=1e-12)


# Other libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "name"),
    [(fl.SoftMargin(), "soft_margin_loss"), (fl.HingeEmbedding(margin=2.0), "hinge_embedding_loss")],
)
def test_torch(loss, name):
    torch = pytest.importorskip("torch")
    y, x = torch.tensor(SIGNS), torch.tensor(X, requires_grad=True)
    options = {"margin": 2.0} if name == "hinge_embedding_loss" else {}
    expected = getattr(torch.nn.functional, name)(x, y, reduction="none", **options)
    expected.sum().backward()
    value, grad = loss.value_and_grad(SIGNS, X, reduction="none")
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    inside = x.detach().numpy() != 2
    np.testing.assert_allclose(grad[inside], x.grad.numpy()[inside], rtol=1e-12, atol=1e-14)


def test_sklearn_hinge():
    metrics = pytest.importorskip("sklearn.metrics")
    np.testing.assert_allclose(fl.Hinge()(SIGNS, X), metrics.hinge_loss(SIGNS, X), rtol=1e-14)
