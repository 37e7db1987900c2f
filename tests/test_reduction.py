"""Sums, means, weights, masks, omission, gradients of the reduced value, and mergeable states.

What a formula decides is tested of every loss; what is the same for all losses of a signature, of one of each.
"""

import math
import pickle
import warnings

import numpy as np
import pytest

import fastloss as fl
from fastloss.state import LossState
from tests.inputs import draw, draw_rows
from tests.support import (
    AGGREGATES,
    ELEMENTWISE,
    LOSSES,
    SIGNATURES,
    additive,
    assert_same_bits,
    elements,
    expected,
    expected_grad,
    generator,
    per_prediction,
    reductions,
)


@pytest.fixture(params=additive(LOSSES), ids=repr)
def every_loss(request):
    """Every loss that is a mean over elements."""
    return request.param


@pytest.fixture(params=SIGNATURES.values(), ids=SIGNATURES)
def loss(request):
    """A loss of each signature that is a mean over elements or rows."""
    return request.param


@pytest.fixture(params=(SIGNATURES | AGGREGATES).values(), ids=SIGNATURES | AGGREGATES)
def any_loss(request):
    """A loss of each signature, and those that allow only the mean."""
    return request.param


N = 3000  # several blocks of any kernel, the last one partly filled
LOOSE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-9}  # the twins are obvious, not accurate


def case(loss, dtype=np.float64, n=N):
    """Targets, predictions, values, weights of which some are 0, and a mask."""
    rng = generator(loss, dtype)
    if loss.signature.rowwise:
        y, x = draw_rows(loss, n, 5, dtype, rng)
        y, shape = y.astype(dtype), (n,)  # labels may be floating-point numbers, and missing
    else:
        y, x = draw(loss, n, dtype, rng)
        shape = elements(loss, y, x)
    weight = rng.choice([0.0, 0.5, 1.0, 2.75], shape)
    return y, x, weight, rng.random(shape) < 0.7


def close(actual, wanted, tolerance):
    with np.errstate(over="ignore"):
        wanted = wanted.astype(actual.dtype).astype(np.float64)
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=1e-300)
    np.testing.assert_allclose(actual.astype(np.float64), wanted, rtol=tolerance, atol=tolerance * float(scale))


# Values and reductions ----------------------------------------------------------------------------


def test_values_are_those_of_the_reference(every_loss, wide):
    y, x, _, _ = case(every_loss, wide)
    values = every_loss(y, x, reduction="none")
    assert values.dtype == wide
    close(values, expected(every_loss, y.astype(np.float64), x.astype(np.float64)), LOOSE[wide])


def test_gradients_are_those_of_the_reference(every_loss, wide):
    y, x, _, _ = case(every_loss, wide)
    gradient = every_loss.grad(y, x, reduction="sum")
    assert gradient.dtype == wide
    close(gradient, expected_grad(every_loss, y.astype(np.float64), x.astype(np.float64)), LOOSE[wide])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_reductions_are_numpys_of_the_values(loss, wide, weighted, masked):
    y, x, weight, mask = case(loss, wide)
    values = loss(y, x, reduction="none").astype(np.float64)
    keep = mask if masked else np.ones_like(mask)
    w = np.where(keep, weight if weighted else 1.0, 0.0)
    total = math.fsum((w * values).ravel())
    options = {"sample_weight": weight if weighted else None, "mask": mask if masked else None}
    # A row is added up before its value is rounded.
    rounding = float(np.finfo(wide).eps) if loss.signature.rowwise else 1e-13
    bound = rounding * math.fsum(np.abs(w * values).ravel())
    for reduction, divisor in [("sum", 1), ("mean", w.sum()), ("batch_mean", keep.sum())]:
        result = loss(y, x, reduction=reduction, **options)
        assert type(result) is float
        assert result == pytest.approx(total / divisor, rel=0, abs=bound / divisor)
    weighted_values = loss(y, x, reduction="none", **options)
    np.testing.assert_allclose(
        weighted_values, (w * values).astype(wide), rtol=rounding if loss.signature.rowwise else 0
    )


@pytest.mark.parametrize("default_loss", ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_one_weight_for_each_row_is_that_weight_for_every_element(default_loss):
    y, x, _, _ = case(default_loss, n=60)
    y, x = (a.reshape((12, 5, *a.shape[1:])) for a in (y, x))
    shape = elements(default_loss, y, x)
    rows = np.arange(12.0)
    every = np.broadcast_to(rows.reshape(12, *[1] * (len(shape) - 1)), shape).copy()
    for reduction in reductions(default_loss):
        by_row = default_loss.value_and_grad(y, x, sample_weight=rows, mask=rows > 3, reduction=reduction)
        by_element = default_loss.value_and_grad(y, x, sample_weight=every, mask=every > 3, reduction=reduction)
        for one, other in zip(by_row, by_element, strict=True):
            assert_same_bits(one, other)


@pytest.mark.parametrize("kind", ["f2", "f4", "i1", "u8", "?", ">f8"])
def test_weights_of_any_real_type_are_their_numbers(kind):
    loss = fl.SquaredError()
    y, x, weight, _ = case(loss)
    weight = np.floor(weight).astype(kind)
    assert_same_bits(loss(y, x, sample_weight=weight), loss(y, x, sample_weight=weight.astype(np.float64)))


def test_weights_of_one_change_nothing(loss, wide):
    y, x, weight, mask = case(loss, wide)
    info = np.finfo(wide)  # where nothing is weighted, a float32 gradient is scaled by two multiply-adds
    unit = {"rtol": info.eps, "atol": info.smallest_subnormal} if wide == np.float32 else {"rtol": 0, "atol": 0}
    for reduction in reductions(loss):
        plain = loss.value_and_grad(y, x, reduction=reduction)
        for options in ({"sample_weight": np.ones_like(weight)}, {"mask": np.ones_like(mask)}, {"nan_policy": "omit"}):
            value, gradient = loss.value_and_grad(y, x, reduction=reduction, **options)
            assert_same_bits(value, plain[0], str(options))
            np.testing.assert_allclose(gradient, plain[1], err_msg=str(options), **unit)


def test_gradients_of_tiny_weights_are_those_of_the_weights_scaled():
    y, x, weight, _ = case(fl.SquaredError())
    wanted = fl.SquaredError().grad(y, x, sample_weight=weight)
    for exponent in (-1000, 900):
        tiny = np.ldexp(weight, exponent)
        np.testing.assert_allclose(fl.SquaredError().grad(y, x, sample_weight=tiny), wanted, rtol=1e-15)


# Selection ----------------------------------------------------------------------------------------

GONE = [0, 5, 511, 512, 1024, N - 1]  # at the ends of blocks, and within


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_no_formula_lets_through_what_is_left_out(every_loss, poison):
    y, x, _, mask = case(every_loss)
    mask[...] = True
    y[GONE], x[GONE], mask[GONE] = math.nan, poison, False
    for result in (every_loss(y, x, mask=mask, reduction="none"), *every_loss.grad_and_hess(y, x, mask=mask)):
        assert not result[GONE].any()
        assert np.isfinite(result).all()
    assert math.isfinite(every_loss(y, x, mask=mask))


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("way", ["weight", "mask", "row mask"])
def test_what_is_left_out_contributes_nothing_even_where_it_is_not_finite(loss, wide, poison, way):
    y, x, weight, _ = case(loss, wide)
    gone = np.zeros(len(y), bool)
    gone[GONE] = True
    y[gone] = math.nan
    x[gone] = poison
    every = np.broadcast_to(gone.reshape(-1, *[1] * (weight.ndim - 1)), weight.shape)
    options = {
        "weight": {"sample_weight": np.where(every, 0.0, 1.0)},
        "mask": {"mask": ~every},
        "row mask": {"mask": ~gone},
    }[way]
    for reduction in ("mean", "sum", *(["batch_mean"] if way != "weight" else [])):
        value, gradient = loss.value_and_grad(y, x, reduction=reduction, **options)
        kept_value, kept_gradient = loss.value_and_grad(y[~gone], x[~gone], reduction=reduction)
        assert value == pytest.approx(kept_value, rel=1e-12)
        assert not gradient[gone].any()
        np.testing.assert_allclose(gradient[~gone], kept_gradient, rtol=4 * np.finfo(wide).eps)
    values = loss(y, x, reduction="none", **options)
    assert not values[gone].any()
    gradient, curvature = loss.grad_and_hess(y, x, **options)
    assert not gradient[gone].any()
    assert not curvature[gone].any()
    assert math.isfinite(loss.state(y, x, **options).standard_error)


def test_omission_leaves_out_nan_targets_and_counts_the_rest(loss, wide):
    y, x, weight, _ = case(loss, wide)
    y[::3] = math.nan
    kept = np.arange(N) % 3 > 0
    for reduction in ("mean", "batch_mean", "sum"):
        value, gradient = loss.value_and_grad(y, x, reduction=reduction, nan_policy="omit", sample_weight=weight)
        wanted, _ = loss.value_and_grad(y[kept], x[kept], reduction=reduction, sample_weight=weight[kept])
        assert value == pytest.approx(wanted, rel=1e-12)
        assert not gradient[~kept].any()
    assert math.isnan(loss(y, x, nan_policy="propagate"))


def test_nan_predictions_are_not_omitted(every_loss):
    y, x, _, _ = case(every_loss, n=10)
    x[3] = math.nan
    assert math.isnan(every_loss(y, x, nan_policy="omit"))
    assert np.isnan(every_loss.grad(y, x, nan_policy="omit")[3]).all()


def test_nan_stays_in_its_own_element(every_loss, wide):
    y, x, _, _ = case(every_loss, wide)
    clean = every_loss.value_and_grad(y, x, reduction="none")
    for array in (y, x):
        kept = array[1500].copy()
        array[1500] = math.nan
        for result, wanted in zip(every_loss.value_and_grad(y, x, reduction="none"), clean, strict=True):
            assert np.isnan(result[1500]).all()
            assert_same_bits(np.delete(result, 1500, 0), np.delete(wanted, 1500, 0))
        array[1500] = kept


NOTHING = {
    "empty": lambda y, x: (y[:0], x[:0], {}),
    "masked": lambda y, x: (y, x, {"mask": np.zeros(len(y), bool)}),
    "omitted": lambda y, x: (np.full_like(y, math.nan), x, {"nan_policy": "omit"}),
    "weights of 0": lambda y, x: (y, x, {"sample_weight": np.zeros(len(y))}),
}


@pytest.mark.parametrize("nothing", NOTHING)
def test_nothing_to_average_is_nan_with_one_warning_and_a_zero_gradient(any_loss, nothing):
    y, x, options = NOTHING[nothing](*case(any_loss, n=20)[:2])
    means = ("mean",) if nothing == "weights of 0" else ("mean", "batch_mean")
    for reduction in set(means) & set(reductions(any_loss)):
        with pytest.warns(RuntimeWarning, match=f"{type(any_loss).__name__}: .*the mean is NaN") as record:
            assert math.isnan(any_loss(y, x, reduction=reduction, **options))
        assert len(record) == 1
        assert record[0].filename == __file__
        with pytest.warns(RuntimeWarning) as record:
            value, gradient = any_loss.value_and_grad(y, x, reduction=reduction, **options)
        assert len(record) == 1
        assert math.isnan(value)
        assert gradient.shape == x.shape
        assert not gradient.any()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not any_loss.grad(y, x, reduction=reduction, **options).any()


@pytest.mark.parametrize("nothing", NOTHING)
def test_the_sum_of_nothing_is_zero(loss, nothing):
    y, x, options = NOTHING[nothing](*case(loss, n=20)[:2])
    assert loss(y, x, reduction="sum", **options) == 0.0
    assert not loss.grad(y, x, reduction="sum", **options).any()
    state = loss.state(y, x, **options)
    assert math.isnan(state.mean)
    assert math.isnan(state.standard_error)
    assert state.total == 0.0


def test_weights_of_zero_have_a_batch_mean(loss):
    y, x, _, _ = case(loss, n=20)
    assert loss(y, x, sample_weight=np.zeros(20), reduction="batch_mean") == 0.0


# Derivatives --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plain", "weighted", "masked", "weighted and masked"])
def test_the_gradient_is_that_of_exactly_the_reduced_value(any_loss, how):
    y, x, weight, mask = case(any_loss, n=6)
    weight[...] = generator(how).uniform(0.5, 2, weight.shape)
    mask[1:] = True
    mask[0] = False
    options = {}
    if "weighted" in how:
        options["sample_weight"] = weight
    if "masked" in how:
        options["mask"] = mask
    for reduction in set(reductions(any_loss)) - {"none"}:
        gradient = any_loss.grad(y, x, reduction=reduction, **options)
        for index in np.ndindex(x.shape):
            step = 1e-6 * max(1.0, abs(x[index]))
            moved = []
            for direction in (step, -step):
                there = x.copy()
                there[index] += direction
                moved.append(any_loss(y, there, reduction=reduction, **options))
            slope = (moved[0] - moved[1]) / (2 * step)
            rounding = 8 * np.finfo(float).eps * (abs(moved[0]) + 1) / step
            assert gradient[index] == pytest.approx(slope, rel=1e-4, abs=rounding), (reduction, index)


def test_the_curvature_is_the_slope_of_the_gradient(every_loss):
    y, x, _, _ = case(every_loss, n=50)
    _, curvature = every_loss.grad_and_hess(y, x, reduction="none")
    step = 1e-5 * np.maximum(1.0, np.abs(x))
    entries = [np.ones(x.shape, bool)] if x.ndim == 1 else [np.arange(x.shape[1]) == k for k in range(x.shape[1])]
    for entry in entries:  # the entries of a row are moved one at a time
        above, below = (every_loss.grad(y, x + s * entry, reduction="none") for s in (step, -step))
        slope = (above - below) / (2 * step)
        scale = np.abs(above) + np.abs(below) + 1
        off = np.abs(curvature - slope) > 1e-4 * np.abs(slope) + 1e-8 * scale
        assert not (off & entry).any(), (curvature[off], slope[off])


def assert_verbs_agree(loss, y, x, **options):
    for reduction in reductions(loss):
        value, gradient = loss.value_and_grad(y, x, reduction=reduction, **options)
        assert_same_bits(value, loss(y, x, reduction=reduction, **options))
        assert_same_bits(gradient, loss.grad(y, x, reduction=reduction, **options))
        if loss.signature.additive:
            again, curvature = loss.grad_and_hess(y, x, reduction=reduction, **options)
            assert_same_bits(again, gradient)
            assert (curvature.dtype, curvature.shape) == (x.dtype, x.shape)


def test_every_verb_gives_the_bits_of_the_others(every_loss, wide):
    y, x, _, _ = case(every_loss, wide)
    assert_verbs_agree(every_loss, y, x)


def test_every_verb_gives_the_bits_of_the_others_with_weights(any_loss, dtype):
    y, x, weight, mask = case(any_loss, dtype)
    assert_verbs_agree(any_loss, y, x)
    assert_verbs_agree(any_loss, y, x, sample_weight=weight, mask=mask)


def test_the_gradient_of_none_is_that_of_the_sum(loss):
    y, x, weight, _ = case(loss)
    assert_same_bits(
        loss.grad(y, x, sample_weight=weight, reduction="none"), loss.grad(y, x, sample_weight=weight, reduction="sum")
    )


def test_derivatives_scale_with_the_weights_and_the_mean(loss):
    y, x, weight, _ = case(loss)
    gradient, curvature = loss.grad_and_hess(y, x, reduction="none")
    w = per_prediction(weight, x)
    for reduction, divisor in [("sum", 1), ("mean", weight.sum()), ("batch_mean", weight.size)]:
        scaled = loss.grad_and_hess(y, x, sample_weight=weight, reduction=reduction)
        for one, plain in zip(scaled, (gradient, curvature), strict=True):
            # A row's derivatives are weighted before their terms cancel.
            cancelled = 4e-15 * w.max() / divisor if loss.signature.rowwise else 0
            np.testing.assert_allclose(one, plain * w / divisor, rtol=4e-15, atol=cancelled)


# States -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_of_a_state_is_that_of_the_call(loss, dtype, weighted):
    y, x, weight, mask = case(loss, dtype)
    options = {"sample_weight": weight, "mask": mask} if weighted else {}
    state = loss.state(y, x, **options)
    assert state.mean == pytest.approx(loss(y, x, **options), rel=1e-13, abs=1e-15)
    assert state.sum == pytest.approx(loss(y, x, reduction="sum", **options), rel=1e-13, abs=1e-12)
    assert state.count == (mask.sum() if weighted else mask.size)
    assert state.ignored == mask.size - state.count
    assert state.weight == pytest.approx(weight[mask].sum() if weighted else mask.size, rel=1e-14)


def test_states_of_the_parts_merge_into_that_of_the_whole(loss):
    y, x, weight, _ = case(loss)
    whole = loss.state(y, x, sample_weight=weight)
    for cuts in ([1500], [0, 1, 2, 512, 513, 1024, 2999, 3000]):
        parts = np.split(np.arange(N), cuts)
        states = [loss.state(y[p], x[p], sample_weight=weight[p]) for p in parts]
        for merged in (LossState.merge(states), sum(states), sum(reversed(states), LossState())):
            for name in ("count", "ignored", "nonfinite", "minimum", "maximum"):
                assert getattr(merged, name) == getattr(whole, name), name
            for name in ("weight", "total", "square", "first", "second", "mean", "standard_error"):
                assert abs(getattr(merged, name) - getattr(whole, name)) <= math.ulp(getattr(whole, name)), name


@pytest.mark.parametrize("weighted", [False, True])
def test_the_standard_error_is_numpys(loss, weighted):
    y, x, weight, _ = case(loss)
    values = loss(y, x, reduction="none")
    if weighted:
        mean = np.average(values, weights=weight)
        spread = np.sum(weight**2 * (values - mean) ** 2) * weight.size / (weight.size - 1)
        wanted = math.sqrt(spread) / weight.sum()
        state = loss.state(y, x, sample_weight=weight)
    else:
        wanted = values.std(ddof=1) / math.sqrt(values.size)
        state = loss.state(y, x)
    assert state.standard_error == pytest.approx(wanted, rel=1e-10)


def test_a_small_spread_about_a_large_mean_does_not_cancel():
    offsets = generator("spread").normal(size=10_000)
    state = fl.AbsoluteError().state(np.zeros(10_000), 1e9 + offsets)
    assert state.standard_error == pytest.approx((1e9 + offsets).std(ddof=1) / 100, rel=1e-9)


def test_a_state_is_pickled_and_adds_only_to_states():
    state = fl.SquaredError().state([0.0, 1.0], [1.0, 3.0])
    assert pickle.loads(pickle.dumps(state)) == state
    assert state + LossState() == LossState() + state == state
    with pytest.raises(TypeError):
        state + 1.0


# Accumulation -------------------------------------------------------------------------------------


def test_float32_losses_accumulate_in_float64():
    ones = np.broadcast_to(np.float32(1), (2**25 + 3,))
    zeros = np.broadcast_to(np.float32(0), ones.shape)
    assert fl.AbsoluteError()(zeros, ones, reduction="sum") == 2**25 + 3
    assert fl.AbsoluteError()(zeros, ones) == 1.0
    tenths = np.broadcast_to(np.float32(0.1), ones.shape)
    assert fl.AbsoluteError()(zeros, tenths) == pytest.approx(float(np.float32(0.1)), rel=1e-14)


def test_the_test_inputs_vary():
    for loss in additive(LOSSES):
        y, x, weight, mask = case(loss)
        assert len(np.unique(x)) > N / 2
        assert len(np.unique(y)) > 1
        assert 0 < mask.sum() < mask.size
        assert weight.any()
