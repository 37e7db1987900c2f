"""The loss of a variational autoencoder: its terms, its gradients, what counts."""

import numpy as np
import pytest
import sympy
from mpmath import mp, mpf

import fastloss as fl
from fastloss.testing import check_grad
from tests.exact import FORMULAS
from tests.exact.functions import NUMBERS
from tests.reference import twin
from tests.support import EVERY, LAYOUTS, assert_same_bits, generator

LOSSES = [loss for loss in EVERY if isinstance(loss, fl.VAE)]
SHAPE, CODE = (7, 3, 4), (7, 5)


@pytest.fixture(params=LOSSES, ids=repr)
def loss(request):
    return request.param


def drawn(loss, dtype=np.float64, shape=SHAPE, code=CODE):
    rng = generator(loss, dtype, shape)
    unit = loss.reconstruction == "binary_cross_entropy"
    y, x = rng.random(shape), rng.uniform(0.01, 0.99, shape) if unit else rng.standard_normal(shape)
    return [array.astype(dtype) for array in (y, x, rng.standard_normal(code), rng.standard_normal(code))]


def test_value_and_gradients_are_the_twins(loss, dtype):
    arrays = drawn(loss, dtype)
    wide = [array.astype(np.float64) for array in arrays]
    tolerance = {"rtol": 1e-12} if dtype == np.float64 else {"rtol": 1e-2, "atol": 4e-3} if dtype.itemsize == 2 else {
        "rtol": 1e-5, "atol": 1e-6
    }  # fmt: skip
    rng = generator("weights")
    weight, mask = rng.random(7) * (rng.random(7) < 0.8), rng.random(7) < 0.8
    wanted, slopes = twin(loss)(*wide), twin(loss, "_grad")(*wide)
    for w, m in ((None, None), (weight, None), (None, mask), (weight, mask)):
        units = (np.ones(7) if w is None else w) * (np.ones(7) if m is None else m)
        options = {"sample_weight": w, "mask": m}
        counts = {"mean": units.sum(), "batch_mean": 7 if m is None else m.sum(), "sum": 1, "none": 1}
        for reduction, divisor in counts.items():
            value, grads = loss.value_and_grad(*arrays, reduction=reduction, **options)
            each = units * wanted
            np.testing.assert_allclose(value, each if reduction == "none" else each.sum() / divisor, rtol=1e-5)
            np.testing.assert_array_equal(value, loss(*arrays, reduction=reduction, **options))
            for grad, slope, like in zip(grads, slopes, arrays[1:], strict=True):
                assert (grad.dtype, grad.shape) == (like.dtype, like.shape)
                factor = (units / divisor).reshape(-1, *[1] * (slope.ndim - 1))
                np.testing.assert_allclose(grad.astype(np.float64), factor * slope, **tolerance)


def test_value_and_gradients_are_exact(loss):
    y, x, mean, log_variance = drawn(loss, shape=(1, 3), code=(1, 2))
    symbols = [sympy.symbols(f"{name}:{count}", real=True) for name, count in zip("yxmv", (3, 3, 2, 2), strict=True)]
    formula = FORMULAS["vae"](*symbols, loss.reconstruction, loss.beta)
    predictions = [symbol for several in symbols[1:] for symbol in several]
    flat = [symbol for several in symbols for symbol in several]
    exact = sympy.lambdify(flat, [formula, *(formula.diff(s) for s in predictions)], [NUMBERS, "mpmath"])
    log_variance[0, 0] = 1e-9  # where the terms of the divergence cancel
    with mp.workdps(50):
        numbers = [mpf(float(v)) for array in (y, x, mean, log_variance) for v in array.ravel()]
        wanted = [float(v) for v in exact(*numbers)]
    value, grads = loss.value_and_grad(y, x, mean, log_variance)
    found = [value, *np.concatenate([grad.ravel() for grad in grads])]
    np.testing.assert_allclose(found, wanted, rtol=4e-15)


def test_any_layout_and_number_of_threads(loss):
    arrays = drawn(loss, np.float32, (64, 50), (64, 6))
    wanted = loss.value_and_grad(*arrays)
    for name, layout in LAYOUTS.items():
        value, grads = loss.value_and_grad(*map(layout, arrays), num_threads=1)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-6, err_msg=name)
        for grad, other in zip(grads, wanted[1], strict=True):
            np.testing.assert_allclose(grad, other, rtol=1e-6, atol=1e-9, err_msg=name)
    for threads in (1, 2, 3):
        value, grads = loss.value_and_grad(*arrays, num_threads=threads)
        assert value == wanted[0]
        for grad, other in zip(grads, wanted[1], strict=True):
            assert_same_bits(grad, other)


def test_gradients_go_where_they_are_wanted():
    arrays = drawn(fl.VAE(), np.float32)
    wanted = fl.VAE().grad(*arrays)
    y, x, mean, log_variance = (array.copy() for array in arrays)
    found = fl.VAE().grad(y, x, mean, log_variance, grad_out=(x, None, log_variance))
    assert found.y_pred is x
    assert found.log_variance is log_variance
    for grad, other in zip(found, wanted, strict=True):
        assert_same_bits(grad, other)


def test_a_sample_that_does_not_count_may_hold_anything():
    y, x, mean, log_variance = drawn(fl.VAE())
    mask = np.arange(7) != 2
    wanted = fl.VAE().value_and_grad(y, x, mean, log_variance, mask=mask)
    y[2], x[2], mean[2], log_variance[2] = 7, np.nan, np.inf, 1e5
    for options in ({"mask": mask}, {"sample_weight": mask.astype(float)}):
        value, grads = fl.VAE().value_and_grad(y, x, mean, log_variance, **options)
        assert value == wanted[0]
        assert not any(grad[2].any() for grad in grads)


def test_states_and_groups():
    arrays = drawn(fl.VAE())
    losses = fl.VAE()(*arrays, reduction="none")
    state = fl.VAE().state(*arrays, sample_weight=np.arange(7.0))
    assert state.count == 7
    np.testing.assert_allclose(state.mean, np.average(losses, weights=np.arange(7.0)))
    parts = [fl.VAE().state(*(array[part] for array in arrays)) for part in (slice(3), slice(3, None))]
    np.testing.assert_allclose((parts[0] + parts[1]).standard_error, losses.std(ddof=1) / 7**0.5)


def test_wrong_arrays_are_refused():
    y, x, mean, log_variance = drawn(fl.VAE())
    for arrays, said in (
        ((y[:5], x, mean, log_variance), r"y_true has shape \(5, 3, 4\), must be \(7, 3, 4\)"),
        ((y, x, mean[:5], log_variance[:5]), r"mean has shape \(5, 5\), must be \(7, 5\)"),
        ((y, x, mean, log_variance[:, :2]), r"log_variance has shape \(7, 2\), must be \(7, 5\)"),
        ((y[0, 0, 0], x[0, 0, 0], mean, log_variance), r"y_pred has shape \(\), must be"),
        ((y + 3, x, mean, log_variance), r"y_true\[0, 0, 0\] is"),
    ):
        with pytest.raises(ValueError, match=f"VAE: {said}"):
            fl.VAE()(*arrays)
    weight = np.ones(7)
    for bad in (-1.0, np.nan, np.inf):
        weight[2] = bad
        with pytest.raises(ValueError, match=rf"VAE: sample_weight\[2\] is {bad}, must be finite and not negative"):
            fl.VAE().grad(y, x, mean, log_variance, sample_weight=weight)
    with pytest.raises(ValueError, match="VAE: reconstruction is 'huber', must be one of"):
        fl.VAE(reconstruction="huber")


def test_the_gradient_is_the_differences():
    y, x, mean, log_variance = drawn(fl.VAE(), shape=(2, 3), code=(2, 2))

    def value_and_grad(theta):
        a, b, c = np.split(theta, [6, 10])
        value, grads = fl.VAE(beta=2.0).value_and_grad(y, a.reshape(2, 3), b.reshape(2, 2), c.reshape(2, 2))
        return value, np.concatenate([grad.ravel() for grad in grads])

    check_grad(value_and_grad, np.concatenate([x.ravel(), mean.ravel(), log_variance.ravel()]))
