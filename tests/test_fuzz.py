"""Random calls of random losses: a documented exception or the reference's result, never a crash."""

import math
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inputs import draw
from tests.support import LAYOUTS, LOSSES, elements, expected, expected_grad, per_prediction, reductions

ORDINARY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
SOAK = settings(ORDINARY, max_examples=20_000)

PREDICTIONS = [np.dtype(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
TARGETS = [*PREDICTIONS, *(np.dtype(t) for t in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))]
LENGTHS = st.one_of(st.integers(0, 20), st.sampled_from([511, 512, 513, 1024, 1025, 2500]))
SHAPES = st.one_of(LENGTHS.map(lambda n: (n,)), st.lists(st.integers(0, 9), max_size=4).map(tuple))


@st.composite
def calls(draw_from):
    """A loss, its arrays in any type and layout, and any options; what is bad about them, if anything."""
    loss = draw_from(st.sampled_from(LOSSES))
    rng = np.random.default_rng(draw_from(st.integers(0, 2**32)))
    shape = draw_from(SHAPES)
    y, x = draw(loss, math.prod(shape), np.float64, rng)
    shaped_y, shaped_x = y.reshape(shape + y.shape[1:]), x.reshape(shape + x.shape[1:])
    try:
        loss._check_shapes(shaped_y.shape, shaped_x.shape)
        y, x = shaped_y, shaped_x
    except ValueError:
        pass  # takes rows only
    elemental = elements(loss, y, x)

    target, prediction = draw_from(st.sampled_from(TARGETS)), draw_from(st.sampled_from(PREDICTIONS))
    with np.errstate(all="ignore"):
        whole = np.abs(np.rint(y)) if target.kind in "bu" else np.rint(y)
        y, x = (whole if target.kind in "bui" else y).astype(target), x.astype(prediction)
    if target.kind not in "bui" and y.size and draw_from(st.booleans()):
        y.flat[rng.integers(y.size)] = math.nan

    options = {"reduction": draw_from(st.sampled_from(reductions(loss)))}
    options["nan_policy"] = draw_from(st.sampled_from(["propagate", "omit", "raise"]))
    options["num_threads"] = draw_from(st.sampled_from([None, 1, 2, 3]))
    shapes = [elemental, elemental[:1]] if elemental else [elemental]
    if draw_from(st.booleans()):
        weight = rng.choice([0.0, 0.25, 1.0, 3.0], draw_from(st.sampled_from(shapes)))
        if weight.size and draw_from(st.integers(0, 9)) == 0:
            weight.flat[rng.integers(weight.size)] = draw_from(st.sampled_from([-1.0, math.nan, math.inf]))
        options["sample_weight"] = weight.astype(draw_from(st.sampled_from(PREDICTIONS)))
    if draw_from(st.booleans()):
        options["mask"] = rng.random(draw_from(st.sampled_from(shapes))) < 0.6

    def moved(array):
        layouts = [name for name in LAYOUTS if array.dtype != ml_dtypes.bfloat16 or "swapped" not in name]
        name = draw_from(st.sampled_from(["plain", *layouts]))
        return array if name == "plain" or not array.ndim else LAYOUTS[name](array)

    y, x = moved(y), moved(x)
    for name in {"sample_weight"} & options.keys():
        options[name] = moved(options[name])
    if draw_from(st.integers(0, 15)) == 0 and y.ndim:
        y = y[..., np.newaxis] if draw_from(st.booleans()) else y[:-1]
    return loss, y, x, options


def spread_out(given, shape):
    """Weights or a mask for every element."""
    if given is None or given.shape == shape:
        return given
    return np.broadcast_to(given.reshape(given.shape + (1,) * (len(shape) - 1)), shape)


def allowed(domain, array):
    low, high, ternary = domain.closed(array.dtype.type)
    inside = (array >= low) & (array <= high) & (not ternary or np.isin(array, [-1, 0, 1]))
    return inside | np.isnan(array)


def refused(loss, y, x, options):
    """Whether a call must raise, by the documented rules."""
    try:
        loss._check_shapes(y.shape, x.shape)
    except ValueError:
        return True
    target, prediction, second = loss._align(y.astype(np.float64), x.astype(np.float64))
    keep = np.ones(prediction.shape, bool)
    weight, mask = (spread_out(options.get(name), keep.shape) for name in ("sample_weight", "mask"))
    if mask is not None:
        keep &= mask
    if options["nan_policy"] == "omit":
        keep &= ~np.isnan(target)
    if weight is not None:
        weight = weight.astype(np.float64)
        if not (np.isfinite(weight) & (weight >= 0))[keep].all():
            return True
        keep &= weight != 0
    for domain, array in zip(loss.domains(), (target, prediction, second), strict=True):
        if array is not None and not allowed(domain, array)[keep].all():
            return True
    return options["nan_policy"] == "raise" and np.isnan(target)[keep].any()


def reference(loss, y, x, options):
    """Value and gradient by NumPy alone."""
    y, x = y.astype(np.float64), x.astype(np.float64)
    target, prediction, _ = loss._align(y, x)
    values = expected(loss, y, x) + np.where(np.isnan(target), math.nan, 0.0)  # whatever the twin makes of NaN
    keep = np.ones(prediction.shape, bool)
    if options.get("mask") is not None:
        keep &= spread_out(options["mask"], keep.shape)
    if options["nan_policy"] == "omit":
        keep &= ~np.isnan(target)
    weight = options.get("sample_weight")
    weight = 1.0 if weight is None else spread_out(weight, keep.shape).astype(np.float64)
    weight = np.where(keep, weight, 0.0)
    reduction = options["reduction"]
    divisor = {"mean": weight.sum(), "batch_mean": keep.sum()}.get(reduction, 1)
    losses = np.where(weight != 0, weight * values, 0.0)
    value = losses if reduction == "none" else (losses.sum() / divisor if divisor else math.nan)
    scale = weight / divisor if divisor else np.zeros_like(weight)
    factors = per_prediction(scale, x)
    with np.errstate(all="ignore"):
        slopes = expected_grad(loss, y, x) + per_prediction(np.where(np.isnan(target), math.nan, 0.0), x)
        gradient = np.where(factors != 0, factors * slopes, 0.0)
    return value, gradient


def assert_close(actual, wanted, kind):
    tolerance = {2: 2e-2 if kind == ml_dtypes.bfloat16 else 2e-3, 4: 3e-5, 8: 1e-8}[kind.itemsize]
    with np.errstate(over="ignore"):
        wanted = np.asarray(wanted).astype(np.asarray(actual).dtype).astype(np.float64)
    actual = np.asarray(actual, np.float64)
    finite = np.abs(wanted[np.isfinite(wanted)])
    atol = tolerance * (float(finite.max()) if finite.size else 1.0) + (1e-6 if kind.itemsize == 2 else 0)
    assert actual.shape == wanted.shape
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=atol)


def check(call):
    loss, y, x, options = call
    with np.errstate(all="ignore"):
        must_raise = refused(loss, y, x, options)
    if must_raise:
        for verb in (loss, loss.grad, loss.value_and_grad):
            with pytest.raises((ValueError, TypeError), match=f"^{type(loss).__name__}: "):
                verb(y, x, **options)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        value, gradient = loss.value_and_grad(y, x, **options)
        assert np.array_equal(loss(y, x, **options), value, equal_nan=True)
    assert gradient.dtype == x.dtype.newbyteorder("=")
    assert gradient.shape == x.shape
    if loss.aggregate:
        return
    with np.errstate(all="ignore"):
        wanted_value, wanted_gradient = reference(loss, y, x, options)
    stored = np.dtype(np.float64) if x.dtype.itemsize == 8 else np.dtype(np.float32)
    assert_close(value, wanted_value, stored)
    assert_close(gradient, wanted_gradient, x.dtype.newbyteorder("="))


@ORDINARY
@given(calls())
def test_a_random_call_is_right_or_refused(call):
    check(call)


@pytest.mark.slow
@SOAK
@given(calls())
def test_very_many_random_calls_are_right_or_refused(call):
    check(call)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=1), st.lists(st.floats(), max_size=2)), max_size=3),
    st.dictionaries(st.text(max_size=1), st.floats(), max_size=1),
    st.sampled_from([object(), np.zeros(3, "O"), np.zeros((2, 0)), np.zeros(3, "M8[D]"), np.array(1j), type, ...]),
)
ARGUMENTS = ("y_true", "y_pred", "sample_weight", "mask", "reduction", "nan_policy", "out", "grad_out", "num_threads")


@settings(ORDINARY, max_examples=600)
@given(st.sampled_from(LOSSES), st.dictionaries(st.sampled_from(ARGUMENTS), JUNK, min_size=1, max_size=3))
def test_junk_is_refused_or_right(loss, junk):
    y, x = draw(loss, 3, np.float64, np.random.default_rng(0))
    arguments = {"y_true": y, "y_pred": x, "reduction": "mean"} | junk
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            value, gradient = loss.value_and_grad(arguments.pop("y_true"), arguments.pop("y_pred"), **arguments)
        except (TypeError, ValueError):
            return
    assert isinstance(value, (float, np.ndarray))
    assert isinstance(gradient, np.ndarray)


@settings(ORDINARY, max_examples=300)
@given(st.data())
def test_junk_parameters_are_refused_or_a_loss(data):
    cls = type(data.draw(st.sampled_from([loss for loss in LOSSES if loss.parameters()])))
    name = data.draw(st.sampled_from(list(cls().parameters())))
    try:
        made = cls(**{name: data.draw(JUNK)})
    except (TypeError, ValueError):
        return
    hash(made)
    assert made == cls(**made.parameters())
