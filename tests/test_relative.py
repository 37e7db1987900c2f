"""Edges and identities of the relative regression losses."""

import numpy as np
import pytest

import fastloss as fl

HUGE = 1.7e308


def each(loss, y, x):
    y, x = np.atleast_1d(np.float64(y)), np.atleast_1d(np.float64(x))
    return loss(y, x, reduction="none"), *loss.grad_and_hess(y, x, reduction="none")


def test_absolute_percentage_error_at_a_target_of_zero_and_at_the_kink():
    value, grad, hess = each(fl.AbsolutePercentageError(epsilon=0.5, scale=100), [0.0, 2.0], [1.0, 2.0])
    assert value.tolist() == [200, 0]
    assert grad.tolist() == [200, 0]
    assert hess.tolist() == [0, 0]
    assert not np.signbit(value[1])


@pytest.mark.parametrize(
    "cls", [fl.AbsolutePercentageError, fl.SquaredPercentageError, fl.SymmetricAbsolutePercentageError]
)
def test_opposite_ends_of_the_range(cls):
    value, grad, hess = each(cls(), HUGE, -HUGE)
    assert value[0] == {"squared_percentage_error": 4}.get(cls.function_name, 2)
    assert np.isfinite(grad).all()
    assert np.isfinite(hess).all()


@pytest.mark.parametrize("scale", [0.05, 1.0, 100.0])
@pytest.mark.parametrize("r", [1e308, 3e-308])
def test_neither_the_quotient_nor_the_scale_overflows_alone(scale, r):
    found = fl.AbsolutePercentageError(epsilon=0.5, scale=scale)([0.0], [r])
    with np.errstate(over="ignore"):
        assert found == pytest.approx(float(np.longdouble(r) / 0.5 * scale), rel=1e-15)


def test_symmetric_where_signs_differ_and_at_zero():
    value, grad, hess = each(
        fl.SymmetricAbsolutePercentageError(), [1.0, -1.0, 0.0, 2.0, 0.0], [-3.0, 4.0, 0.0, 0.0, 7.0]
    )
    assert value.tolist() == [2, 2, 0, 2, 2]
    assert grad.tolist() == [0, 0, 0, -1, 0]
    assert hess.tolist() == [0, 0, 0, 1, 0]


def test_squared_log_error_of_neighbours():
    y = np.array([1e-300, 0.5, 1e15])
    x = np.nextafter(y, np.inf)
    value, grad, _ = each(fl.SquaredLogError(), y, x)
    np.testing.assert_allclose(grad, 2 * (x - y) / (1 + y) ** 2, rtol=1e-14)
    np.testing.assert_allclose(value, ((x - y) / (1 + y)) ** 2, rtol=1e-14)


def test_squared_log_error_over_the_whole_domain():
    least = np.nextafter(-1.0, 0)
    value, grad, hess = each(fl.SquaredLogError(), [least, HUGE], [HUGE, least])
    np.testing.assert_allclose(value, (np.log(HUGE) + 53 * np.log(2)) ** 2, rtol=1e-14)
    assert np.isfinite(grad).all()
    assert np.isfinite(hess).all()
    for y, x in ((-1.0, 0.0), (0.0, -1.0)):
        with pytest.raises(ValueError, match="greater than -1"):
            fl.SquaredLogError()([y], [x])


def test_squared_log_error_of_the_largest_numbers():
    x = HUGE * np.linspace(0.05, 1, 400)
    value, grad, hess = each(fl.SquaredLogError(), np.full(400, HUGE), x)
    np.testing.assert_allclose(value, np.log(x / HUGE) ** 2, rtol=1e-13, atol=1e-32)
    np.testing.assert_allclose(grad, 2 * np.log(x / HUGE) / x, rtol=1e-9, atol=1e-320)
    assert np.isfinite(hess).all()


@pytest.mark.parametrize("cls", [
    fl.AbsolutePercentageError, fl.SquaredPercentageError, fl.SymmetricAbsolutePercentageError, fl.SquaredLogError,
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_comes_out_as_nan(cls, dtype):
    y, x = np.array([np.nan, 1, np.nan], dtype), np.array([1, np.nan, np.nan], dtype)
    assert np.isnan(cls()(y, x, reduction="none")).all()
    assert np.isnan(cls().grad(y, x, reduction="none")).all()


def test_parity_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y, x, w = rng.gamma(2, size=(3, 1000))
    assert fl.msle(y, x, sample_weight=w) == pytest.approx(
        metrics.mean_squared_log_error(y, x, sample_weight=w), rel=1e-13
    )
    ours = fl.absolute_percentage_error(y, x, sample_weight=w, epsilon=float(np.finfo(float).eps))
    assert ours == pytest.approx(metrics.mean_absolute_percentage_error(y, x, sample_weight=w), rel=1e-13)
