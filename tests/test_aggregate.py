"""Losses of the whole sample: values, gradients, weights, edges, parity with scikit-learn."""

import pickle
import warnings

import numpy as np
import pytest

import fastloss as fl
from fastloss import registry
from tests.exact import gradient_of_sample
from tests.inputs import family
from tests.reference import twin

LOSSES = [cls() for cls in registry.values() if family(cls()) == "aggregate"]


@pytest.fixture(params=LOSSES, ids=repr)
def loss(request):
    return request.param


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    y = rng.gamma(2.0, size=287)
    return y, y * rng.gamma(9.0, 1 / 9, size=y.shape), rng.random(y.shape) * (rng.random(y.shape) > 0.2)


def test_value_and_gradient_are_those_of_the_definition(loss, data):
    y, x, w = data
    for weight in (None, w):
        value, grad = loss.value_and_grad(y, x, sample_weight=weight)
        assert value == pytest.approx(float(twin(loss)(y, x, weight)), rel=1e-14)
        assert value == loss(y, x, sample_weight=weight)
        np.testing.assert_allclose(grad, twin(loss, "_grad")(y, x, weight), rtol=1e-12, atol=1e-18)
        np.testing.assert_array_equal(grad, loss.grad(y, x, sample_weight=weight))


def test_gradient_is_that_of_the_value(loss, data):
    y, x, w = (v[:4] for v in data)
    w = w + 0.1
    exact = np.array(gradient_of_sample(loss, y, x, w), float)
    np.testing.assert_allclose(loss.grad(y, x, sample_weight=w), exact, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_dtypes_layouts_and_outputs(loss, data, dtype):
    y, x, w = (v.astype(dtype) for v in data)
    value, grad = loss.value_and_grad(y, x, sample_weight=w)
    assert type(value) is float
    assert grad.dtype == x.dtype
    wide = loss.value_and_grad(*(v.astype(float) for v in (y, x)), sample_weight=w.astype(float))
    tolerance = 4 * float(np.finfo(dtype).eps) + 1e-6
    assert value == pytest.approx(wide[0], rel=1e-5)
    np.testing.assert_allclose(grad, wide[1], rtol=20 * tolerance, atol=tolerance * np.max(np.abs(wide[1])))
    flipped = loss.value_and_grad(*(np.repeat(v, 2)[::-2] for v in (y, x)), sample_weight=w[::-1])
    assert flipped[0] == pytest.approx(value, rel=1e-6)
    into = x.copy()
    loss.grad(y, into, sample_weight=w, grad_out=into)
    np.testing.assert_array_equal(into, grad)


def test_masked_and_omitted_elements_do_not_count(loss, data):
    y, x, w = data
    kept = w > 0.3
    y_nan, x_bad = np.where(kept, y, np.nan), np.where(kept, x, np.inf)
    value, grad = loss.value_and_grad(y, np.where(kept, x, 5.0), mask=kept)
    assert value == pytest.approx(loss(y[kept], x[kept]), rel=1e-14)
    assert np.all(grad[~kept] == 0)
    np.testing.assert_allclose(grad[kept], loss.grad(y[kept], x[kept]), rtol=1e-12)
    assert loss(y_nan, x_bad, nan_policy="omit") == pytest.approx(value, rel=1e-14)
    assert np.isnan(loss(y_nan, x))
    with pytest.raises(ValueError, match=f"{type(loss).__name__}: y_true"):
        loss(y_nan, x, nan_policy="raise")


def test_same_bits_for_any_number_of_threads(loss):
    rng = np.random.default_rng(5)
    y, x = rng.random(100_003), rng.random(100_003)
    one = loss.value_and_grad(y, x, num_threads=1)
    three = loss.value_and_grad(y, x, num_threads=3)
    assert one[0] == three[0]
    np.testing.assert_array_equal(one[1], three[1])


@pytest.mark.parametrize("reduction", ["sum", "batch_mean", "none"])
def test_other_reductions_are_refused(loss, reduction):
    with pytest.raises(ValueError, match="must be 'mean'"):
        loss([1.0, 2.0], [1.0, 2.5], reduction=reduction)


def test_there_is_no_diagonal_hessian_and_no_out(loss):
    with pytest.raises(ValueError, match="Hessian is not diagonal"):
        loss.grad_and_hess([1.0, 2.0], [1.0, 2.5])
    with pytest.raises(ValueError, match="out is given"):
        loss([1.0, 2.0], [1.0, 2.5], out=np.empty(2))


def test_nothing_left_is_nan_with_one_warning_and_gradient_zero(loss):
    y, x = np.ones(3), np.full(3, 2.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value, grad = loss.value_and_grad(y, x, sample_weight=np.zeros(3))
        assert np.isnan(loss([], []))
    assert np.isnan(value)
    assert np.all(grad == 0)
    assert [w.filename for w in caught] == [__file__] * 2


def test_perfect_predictions(loss):
    y = np.array([1.0, 2.0, 4.0])
    value, grad = loss.value_and_grad(y, y)
    assert value == 0
    assert np.all(grad == 0)


def test_float32_targets_of_float64_predictions_are_exact(loss, data):
    y, x, w = data
    y = y.astype(np.float32)
    for weight in (None, w):
        value, grad = loss.value_and_grad(y, x, sample_weight=weight)
        wanted = loss.value_and_grad(y.astype(np.float64), x, sample_weight=weight)
        assert value == wanted[0]
        np.testing.assert_array_equal(grad, wanted[1])


def test_pickles_and_states(loss, data):
    y, x, _w = data
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert loss.state(y, x).count == y.size


def test_constant_targets_have_no_variance_to_explain():
    for loss in (fl.FractionOfVarianceUnexplained(), fl.UnexplainedVariance()):
        assert loss([2.0, 2.0], [2.0, 2.0]) == 0
        assert loss([2.0, 2.0], [1.0, 5.0]) == np.inf


def test_merged_states_make_the_root_of_the_mean(data):
    y, x, _ = data
    loss = fl.RootMeanSquaredError()
    merged = loss.state(y[:10], x[:10]) + loss.state(y[10:], x[10:])
    assert np.sqrt(merged.mean) == pytest.approx(loss(y, x), rel=1e-15)


def test_parity_with_scikit_learn(data):
    metrics = pytest.importorskip("sklearn.metrics")
    y, x, w = data
    for name, other in {
        "rmse": metrics.root_mean_squared_error,
        "rmsle": metrics.root_mean_squared_log_error,
        "r2_loss": lambda *a, **k: 1 - metrics.r2_score(*a, **k),
        "explained_variance_loss": lambda *a, **k: 1 - metrics.explained_variance_score(*a, **k),
    }.items():
        assert getattr(fl, name)(y, x, sample_weight=w) == pytest.approx(other(y, x, sample_weight=w), rel=1e-12)


def test_several_outputs_are_refused_where_libraries_differ(loss):
    y = np.ones((4, 2))
    with pytest.raises(ValueError, match=rf"^{type(loss).__name__}: y_true has shape \(4, 2\), must have one axis"):
        loss(y, y)
    for shape in ((8, 1), (1, 8), (8,)):
        assert loss(y.reshape(shape), y.reshape(shape)) == 0


def test_a_residual_that_is_no_float32_has_a_gradient_that_is_one():
    y, x = np.array([2.5e36, 0.0], np.float32), np.array([-3.4028235e38, 1.0], np.float32)
    grad = fl.RootMeanSquaredError().grad(y, x)
    assert grad == pytest.approx(fl.RootMeanSquaredError().grad(y.astype(float), x.astype(float)), rel=1e-6)
