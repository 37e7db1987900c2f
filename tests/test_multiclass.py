"""Margins of a label: kinks, ties, class weights, sparsemax's threshold, and what other libraries say."""

import numpy as np
import pytest

import fastloss as fl
from tests.reference import twin
from tests.support import generator

INF = np.inf
LOSSES = [
    fl.MultiMargin(),
    fl.MultiMargin(p=2, margin=0.5),
    fl.WestonWatkins(),
    fl.CrammerSinger(),
    fl.MulticlassPerceptron(),
    fl.MulticlassSparsemax(),
]
every = pytest.mark.parametrize("loss", LOSSES, ids=repr)


@every
@pytest.mark.parametrize("classes", [7, 300])
def test_class_weights(loss, classes):
    rng = generator(repr(loss), classes)
    x, y, c = 3 * rng.standard_normal((50, classes)), rng.integers(0, classes, 50), rng.random(classes)
    weighted = type(loss)(**{**loss.parameters(), "class_weight": tuple(c)})
    value, grad = weighted.value_and_grad(y, x, reduction="none")
    np.testing.assert_allclose(value, twin(weighted)(y, x), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(grad, twin(weighted, "_grad")(y, x), rtol=1e-10, atol=1e-12)
    assert weighted(y, x) == pytest.approx(value.sum() / c[y].sum(), rel=1e-12)


@every
@pytest.mark.parametrize("classes", [5, 300])
def test_nan_stays_nan(loss, classes):
    for at in (0, 2):
        x = np.zeros((1, classes))
        x[0, at] = np.nan
        assert np.isnan(loss([0], x))


@every
def test_classes_of_no_score_cost_nothing(loss):
    for label in (0, 1):
        row = [[0.5, 1.5, -1.0]]
        padded = [[0.5, 1.5, -1.0, -INF, -INF]]
        factor = 5 / 3 if isinstance(loss, fl.MultiMargin) else 1
        assert factor * loss([label], padded) == pytest.approx(loss([label], row), rel=1e-15)
    assert loss([0], [[1.0, -INF]]) == 0
    assert loss([0], [[-7.0]]) == 0
    assert loss([0], [[-INF, 0.0]]) == INF


def test_kinks_and_ties():
    assert fl.MultiMargin().grad([0], [[1.0, 0.0]]).tolist() == [[0, 0]]
    assert fl.CrammerSinger().grad([0], [[1.0, 0.0]]).tolist() == [[0, 0]]
    assert fl.CrammerSinger().grad([0], [[0.0, 0.0, 0.0]]).tolist() == [[-1, 0.5, 0.5]]
    assert fl.MulticlassPerceptron().grad([0], [[0.0, 0.0]]).tolist() == [[0, 0]]
    assert fl.MulticlassPerceptron().grad([2], [[3.0, 3.0, 0.0]]).tolist() == [[0.5, 0.5, -1]]
    assert fl.MulticlassSparsemax().grad([0], [[1.0, 0.0]]).tolist() == [[0, 0]]


def test_the_power_is_one_or_two():
    with pytest.raises(ValueError, match="MultiMargin: p is 3, must be 1 or 2"):
        fl.MultiMargin(p=3)


def test_relatives():
    rng = generator("relatives")
    x, y = rng.standard_normal((40, 9)), rng.integers(0, 9, 40)
    np.testing.assert_allclose(
        fl.WestonWatkins()(y, x, reduction="none"), 9 * fl.MultiMargin()(y, x, reduction="none"), rtol=1e-14
    )
    two = np.stack([np.zeros(40), x[:, 0]], axis=1)
    for multiclass, binary in ((fl.CrammerSinger(), fl.Hinge()), (fl.MulticlassPerceptron(), fl.Perceptron())):
        np.testing.assert_allclose(
            multiclass(y % 2, two, reduction="none"), binary(y % 2, x[:, 0], reduction="none"), rtol=1e-14
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1, 30, 1e5])
@pytest.mark.parametrize("classes", [1, 2, 9, 300, 3000])
def test_sparsemax_sums_to_one(dtype, scale, classes):
    rng = generator(scale, classes)
    x, y = (scale * rng.standard_normal((20, classes)) - 5 * scale).astype(dtype), rng.integers(0, classes, 20)
    grad = fl.MulticlassSparsemax().grad(y, x, reduction="none").astype(np.float64)
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=40 * np.finfo(dtype).eps)
    grad[np.arange(20), y] += 1
    assert (grad >= -np.finfo(dtype).eps).all()
    wanted = twin(fl.MulticlassSparsemax(), "_grad")(y, x.astype(np.float64))
    wanted[np.arange(20), y] += 1
    np.testing.assert_allclose(grad, wanted, atol=4 * np.finfo(dtype).eps * max(1, np.ptp(x)))


# Other libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 2])
def test_torch(p):
    torch = pytest.importorskip("torch")
    rng = generator("torch")
    x, y, c = rng.standard_normal((40, 9)), rng.integers(0, 9, 40), rng.random(9)
    scores = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.multi_margin_loss(
        scores, torch.tensor(y), p=p, margin=0.7, weight=torch.tensor(c), reduction="mean"
    )
    expected.backward()
    value, grad = fl.MultiMargin(0.7, p=p, class_weight=c).value_and_grad(y, x, reduction="batch_mean")
    assert value == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(grad, scores.grad.numpy(), rtol=1e-12, atol=1e-16)


def test_sklearn_hinge():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = generator("sklearn")
    x, y = rng.standard_normal((40, 5)), rng.integers(0, 5, 40)
    assert fl.CrammerSinger()(y, x) == pytest.approx(metrics.hinge_loss(y, x, labels=range(5)), rel=1e-13)


@pytest.mark.parametrize("loss", [fl.MultiMargin(), fl.MultiMargin(p=2), fl.WestonWatkins()], ids=repr)
@pytest.mark.parametrize("classes", [4, 300])
def test_every_finite_score_leads_a_label_of_minus_infinity(loss, classes, wide):
    x = np.full((1, classes), -2.0, wide)
    x[0, 0], x[0, 1] = -np.inf, -np.inf
    value, grad = loss.value_and_grad([0], x, reduction="none")
    slope = np.inf if loss.parameters().get("p") == 2 else 1 / classes if isinstance(loss, fl.MultiMargin) else 1.0
    assert value[0] == np.inf
    assert grad[0, 1] == 0
    np.testing.assert_allclose(grad[0, 2:], slope, rtol=1e-6)
    np.testing.assert_allclose(grad[0, 0], -slope * (classes - 2), rtol=1e-6)
