"""Shapes, edges and identities of the losses of two predictions and of several quantiles."""

import math
import pickle

import numpy as np
import pytest

import fastloss as fl

PAIRS = [fl.GaussianNLL(), fl.GaussianNLLLogSigma(), fl.LaplaceNLL(), fl.MarginRanking(margin=0.5)]


@pytest.fixture(params=PAIRS, ids=repr)
def loss(request):
    return request.param


def made(loss, shape, dtype=float):
    rng = np.random.default_rng(4)
    y = rng.normal(size=shape) if loss.function_name != "margin_ranking" else rng.choice([-1, 1], shape)
    return y.astype(dtype), rng.random((*shape, 2)).astype(dtype), rng.random(shape)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (1,), (700,), (5, 6)])
def test_shapes_weights_and_layouts(loss, shape, dtype):
    y, x, w = made(loss, shape, dtype)
    kept = w > 0.3
    values = loss(y, x, sample_weight=w, mask=kept, reduction="none")
    grad, hess = loss.grad_and_hess(y, x, sample_weight=w, mask=kept, reduction="none")
    assert values.shape == shape
    assert grad.shape == hess.shape == x.shape
    assert grad.dtype == x.dtype
    assert np.all(grad[~kept] == 0)
    assert np.all(hess[~kept] == 0)
    swapped = np.asfortranarray(x)
    np.testing.assert_array_equal(loss.grad(y, swapped, sample_weight=w, mask=kept, reduction="none"), grad)
    into = x.copy()
    loss.grad(y, into, sample_weight=w, mask=kept, reduction="none", grad_out=into)
    np.testing.assert_array_equal(into, grad)


def test_shapes_that_do_not_belong_together(loss):
    with pytest.raises(ValueError, match=r"y_pred has shape \(3,\), must be \(3, 2\)"):
        loss([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3, 2\), must have y_true's \(3,\)$"):
        loss(np.ones(3), np.ones((3, 2)), sample_weight=np.ones((3, 2)))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_nan_comes_out_as_nan(loss, which):
    point = [1.0, 1.0, 1.0]
    point[which] = np.nan
    assert np.isnan(loss(point[:1], [point[1:]]))
    if loss.function_name != "margin_ranking" or which:
        assert np.isnan(loss.grad(point[:1], [point[1:]])).any()


def test_variance_below_eps_counts_as_eps_and_has_no_derivative():
    loss = fl.GaussianNLL(eps=0.25)
    grad, hess = loss.grad_and_hess([0.0, 0.0], [[1.0, 0.0], [1.0, 0.25]])
    assert grad[0].tolist() == [2, 0]
    assert hess[0].tolist() == [2, 0]
    assert grad[1, 1] != 0
    assert loss([0.0], [[1.0, 0.0]]) == loss([0.0], [[1.0, 0.25]])
    with pytest.raises(ValueError, match=r"y_pred\[0, 1\] is -1.0, must be at least 0"):
        loss([0.0], [[1.0, -1.0]])


def test_standard_scores_at_the_ends_of_the_range():
    loss = fl.GaussianNLLLogSigma()
    values = loss([0.0] * 4, [[1e-300, -700.0], [0.0, -1e300], [1e300, 800.0], [1e-300, -1e5]], reduction="none")
    assert values[0] == pytest.approx(-700 + 0.5 * math.exp(2 * (700 - 300 * math.log(10))), rel=1e-12)
    assert values[1] == -1e300
    assert values[3] == np.inf
    assert values[2] == pytest.approx(800 + 0.5 * math.exp(2 * (300 * math.log(10) - 800)), rel=1e-12)
    assert fl.LaplaceNLL()([0.0], [[0.0, -1e300]]) == -1e300


def test_margin_at_the_kink_and_just_before():
    loss = fl.MarginRanking(margin=0.1)
    value, grad = loss.value_and_grad([1, 0], [[1.1, 1.0], [1.0, 1.0]], reduction="none")
    assert value.tolist() == [0, 0.1]  # 1.1 - 1.0 is a little more than 0.1
    assert grad[1].tolist() == [1, -1]
    assert fl.MarginRanking().grad([1], [[2.0, 2.0]]).tolist() == [[0, 0]]


def test_gaussian_is_the_same_in_both_parameters():
    y, x, _ = made(fl.GaussianNLL(), (100,))
    s = x.copy()
    s[:, 1] = 0.5 * np.log(x[:, 1])
    np.testing.assert_allclose(
        fl.GaussianNLL(eps=1e-300)(y, x, reduction="none"), fl.GaussianNLLLogSigma()(y, s, reduction="none"), rtol=1e-9
    )


@pytest.mark.parametrize("full", [True, False])
def test_parity_with_torch(full):
    torch = pytest.importorskip("torch")
    y, x, _ = made(fl.GaussianNLL(), (300,))
    mean, variance, target = (torch.tensor(v) for v in (x[:, 0], x[:, 1], y))
    theirs = torch.nn.functional.gaussian_nll_loss(mean, target, variance, full=full).item()
    assert fl.gaussian_nll(y, x, full=full) == pytest.approx(theirs, rel=1e-12)
    sign = np.sign(y)
    theirs = torch.nn.functional.margin_ranking_loss(mean, variance, torch.tensor(sign), margin=0.3).item()
    assert fl.margin_ranking(sign, x, margin=0.3) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_several_quantiles_are_pinball_losses_side_by_side(dtype):
    rng = np.random.default_rng(6)
    y, x = rng.normal(size=50).astype(dtype), rng.normal(size=(50, 3)).astype(dtype)
    w = rng.random(50)
    loss = fl.MultiQuantile(quantiles=[0.9, 0.5, 0.1])
    r = x.astype(float) - y[:, None].astype(float)
    near = fl.MultiQuantile(quantiles=[1 - 1e-6] * 3)  # whose rounding to float32 is 3 percent closer to 1, or farther
    np.testing.assert_allclose(near(y, y[:, None] + np.ones(3, dtype), reduction="none"), 1e-6, rtol=2e-3)
    levels = np.array(loss.quantiles)
    expected = np.maximum(-levels * r, (1 - levels) * r)
    np.testing.assert_allclose(loss(y, x, reduction="none"), expected, rtol=1e-6)
    assert loss(y, x, sample_weight=w) == pytest.approx(
        np.average(expected, weights=np.repeat(w[:, None], 3, 1)), rel=1e-6
    )
    np.testing.assert_allclose(
        loss.grad(y, x, reduction="none").astype(float), np.where(r > 0, 1 - levels, -levels), rtol=1e-3
    )
    assert loss.grad([1.0], [[1.0, 1.0, 1.0]], reduction="none").tolist() == [[-0.9, -0.5, -0.1]]
    assert np.all(loss.grad_and_hess(y, x)[1] == 0)


def test_quantiles_are_checked_hashable_and_picklable():
    loss = fl.MultiQuantile(quantiles=[0.5, 0.25])
    assert loss.quantiles == (0.5, 0.25)
    assert hash(loss) == hash(fl.MultiQuantile(quantiles=(0.5, 0.25)))
    assert pickle.loads(pickle.dumps(loss)) == loss
    for given, error, what in [
        ((), ValueError, "quantiles is empty"),
        ((0.5, 1.0), ValueError, r"quantiles\[1\] is 1, must be in \(0, 1\)"),
        (0.5, TypeError, "must be a sequence of numbers"),
        ("0.5", TypeError, "must be a sequence of numbers"),
        ((True,), TypeError, r"quantiles\[0\] is True, must be a number"),
    ]:
        with pytest.raises(error, match=what):
            fl.MultiQuantile(quantiles=given)
    y, x = np.ones(4), np.zeros((4, 2))
    assert fl.multi_quantile(y, x, quantiles=[0.5, 0.25]) == loss(y, x)
    with pytest.raises(ValueError, match=r"y_pred has shape \(4, 3\), must be \(4, 2\)"):
        loss(np.ones(4), np.ones((4, 3)))
