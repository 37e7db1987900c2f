"""Losses of vectors: every type, layout, reduction and number of threads; edge cases, extremes and bad input."""

import math

import ml_dtypes
import numpy as np
import pytest
from mpmath import mp, mpf

import fastloss as fl
from fastloss.vectors.vectors import VectorLoss
from tests.exact import vectors as exact
from tests.inputs import draw_arrays
from tests.reference import twin
from tests.support import EVERY, LAYOUTS, assert_same_bits, generator

LOSSES = [loss for loss in EVERY if isinstance(loss, VectorLoss)]
ONE_OF_EACH = list({type(loss): loss for loss in reversed(LOSSES)}.values())
DISTANCES = [loss for loss in LOSSES if loss.function_name.endswith(("distance", "similarity"))]
PAIRS = [loss for loss in LOSSES if loss.signature.names[-2:] == ("left", "right")]
CENTERS = [fl.Center(), fl.Island(island_weight=0.5)]
REDUCTIONS = ("mean", "batch_mean", "sum", "none")
BFLOAT16 = ml_dtypes.bfloat16
every = pytest.mark.parametrize("loss", LOSSES, ids=repr)
each = pytest.mark.parametrize("loss", ONE_OF_EACH, ids=lambda loss: type(loss).__name__)


def shared(loss):
    """Which arrays of a call all tuples have in common."""
    return [argument.shared for argument in loss.signature.arguments]


def drawn(loss, tuples=37, features=13, dtype=np.float64, classes=5):
    """Arrays of a call of this shape."""
    rng = generator("vectors", loss, tuples, features)
    found = []
    for argument in loss.signature.arguments:
        if argument in loss.signature.targets:
            found.append(rng.integers(0, classes, tuples) if any(shared(loss)) else rng.choice([-1, 1], tuples))
        else:
            rows = classes if argument.shared else tuples
            found.append((rng.standard_normal((rows, features)) * 0.7 / math.sqrt(max(features, 1))).astype(dtype))
    return found


def wide(arrays):
    return [array.astype(np.float64) if array.dtype.kind not in "iub" else array for array in arrays]


def expected(loss, arrays):
    return twin(loss)(*wide(arrays))


def expected_grads(loss, arrays):
    return twin(loss, "_grad")(*wide(arrays))


def assert_close(actual, wanted, tolerance, what=""):
    """Within a part of the largest number wanted."""
    scale = np.abs(wanted).max(initial=0) or 1
    np.testing.assert_allclose(actual.astype(np.float64), wanted, rtol=0, atol=tolerance * scale, err_msg=what)


def everything(loss, arrays, **options):
    found = {}
    for reduction in REDUCTIONS:
        value, grads = loss.value_and_grad(*arrays, reduction=reduction, **options)
        found[reduction] = value
        found |= {f"{reduction} {name}": grad for name, grad in grads._asdict().items()}
    state = loss.state(*arrays, **options)
    found["state"] = np.array([state.total, state.weight, state.second])
    return found


def assert_same(actual, wanted):
    for name, result in actual.items():
        assert_same_bits(result, wanted[name], name)


# Values and gradients ---------------------------------------------------------------------------------


@every
@pytest.mark.parametrize(
    "dtype, tolerance", [(np.float16, 1e-3), (BFLOAT16, 8e-3), (np.float32, 3e-6), (np.float64, 1e-13)]
)
def test_it_is_the_twin(loss, dtype, tolerance):
    arrays = drawn(loss, dtype=dtype)
    value, grads = loss.value_and_grad(*arrays, reduction="none")
    assert value.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert_close(value, expected(loss, arrays), min(tolerance, 3e-6), "value")
    for name, grad, wanted in zip(grads._fields, grads, expected_grads(loss, arrays), strict=True):
        assert grad.dtype == dtype
        assert_close(grad, wanted, tolerance, name)


@each
@pytest.mark.parametrize("features", [1, 2, 7, 8, 9, 16, 17, 31, 100, 511, 512, 513, 1300, 20_000])
def test_any_number_of_features(loss, features):
    for dtype, tolerance in ((np.float32, 3e-6), (np.float64, 1e-12)):
        arrays = drawn(loss, max(2, 3000 // features), features, dtype)
        value, grads = loss.value_and_grad(*arrays, reduction="none")
        assert_close(value, expected(loss, arrays), tolerance, "value")
        for name, grad, wanted in zip(grads._fields, grads, expected_grads(loss, arrays), strict=True):
            if features > 1 or loss._spec.measure not in ("cosine", "similarity"):  # whose gradient is 0 of large terms
                assert_close(grad, wanted, tolerance, f"{name}, {dtype.__name__}")


@each
@pytest.mark.parametrize("tuples", [0, 1, 2, 63, 64, 65, 1000])
def test_any_number_of_tuples(loss, tuples):
    arrays = drawn(loss, tuples, 40)
    value, grads = loss.value_and_grad(*arrays, reduction="sum")
    assert value == pytest.approx(expected(loss, arrays).sum(), rel=1e-12)
    for grad, wanted in zip(grads, expected_grads(loss, arrays), strict=True):
        assert_close(grad, wanted, 1e-12)
    if not tuples:
        with pytest.warns(RuntimeWarning, match="no element counts, the mean is NaN"):
            assert math.isnan(loss(*arrays))


@each
def test_tuples_may_have_any_axes(loss):
    arrays = drawn(loss, 24, 7)
    wanted = everything(loss, arrays)
    shaped = [
        array if common else array.reshape(2, 3, 4, *array.shape[1:])
        for array, common in zip(arrays, shared(loss), strict=True)
    ]
    for name, result in everything(loss, shaped).items():
        assert_same_bits(np.reshape(result, np.shape(wanted[name])), wanted[name], name)
    alone = [array if common else array[0] for array, common in zip(arrays, shared(loss), strict=True)]
    assert loss(*alone) == pytest.approx(loss(*arrays, reduction="none")[0], rel=1e-14)
    assert loss.grad(*alone)[0].shape == (7,)


@each
def test_vectors_of_no_features(loss):
    arrays = drawn(loss, 4, 0)
    value, grads = loss.value_and_grad(*arrays, reduction="none")
    np.testing.assert_array_equal(value, expected(loss, arrays))
    assert all(grad.shape[1] == 0 for grad in grads)


# Arrays -------------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_gives_the_same_bits(loss, layout):
    for dtype in (np.float32, np.float64):
        arrays = drawn(loss, 70, 21, dtype)
        wanted = everything(loss, arrays)
        assert_same(everything(loss, [LAYOUTS[layout](array) for array in arrays]), wanted)


@each
def test_axes_in_another_order_of_memory(loss):
    arrays = drawn(loss, 24, 7)
    shaped = [
        array if common else array.reshape(4, 6, *array.shape[1:])
        for array, common in zip(arrays, shared(loss), strict=True)
    ]
    turned = [array if common else np.asfortranarray(array) for array, common in zip(shaped, shared(loss), strict=True)]
    value, grads = loss.value_and_grad(*turned, reduction="none")
    wanted, wanted_grads = loss.value_and_grad(*shaped, reduction="none")
    assert_same_bits(value, wanted)
    for grad, other, common in zip(grads, wanted_grads, shared(loss)[-len(grads) :], strict=True):
        if not common:
            assert_same_bits(grad, other)


@each
def test_outputs_may_be_of_any_type_and_layout(loss):
    arrays = drawn(loss, 70, 21, np.float32)
    values, grads = loss.value_and_grad(*arrays, reduction="none")
    for dtype in (np.float16, BFLOAT16, np.float32, np.float64):
        for layout in ("unaligned", "every second", "Fortran", "reversed"):
            out = LAYOUTS[layout](np.zeros(70, dtype))
            places = tuple(LAYOUTS[layout](np.zeros(grad.shape, dtype)) for grad in grads)
            found = loss.value_and_grad(*arrays, reduction="none", out=out, grad_out=places)
            assert found[0] is out
            assert all(grad is place for grad, place in zip(found[1], places, strict=True))
            if dtype == np.float32:
                for grad, wanted in zip((out, *places), (values, *grads), strict=True):
                    assert_same_bits(grad, wanted, layout)
            for place, wanted in zip((out, *places), (values, *grads), strict=True):
                assert_close(place, wanted.astype(np.float64), 8e-3, f"{np.dtype(dtype)} {layout}")


@each
@pytest.mark.parametrize("features", [33, 700])
def test_a_gradient_may_be_written_over_its_array(loss, features):
    arrays = drawn(loss, 200, features)
    arrays[-1][...] *= np.linspace(1, 1e-300, len(arrays[-1]))[:, np.newaxis]  # some are looked at closely
    wanted = loss.grad(*arrays)
    own = tuple(array for array in arrays if array.ndim == 2)
    loss.grad(*arrays, grad_out=own)
    for mine, other in zip(own, wanted, strict=True):
        assert_same_bits(mine, other)


@pytest.mark.parametrize("integer", "bBhHiIlLqQ")
def test_labels_of_any_integer_type(integer):
    rng = np.random.default_rng(0)
    x, c, y = rng.standard_normal((20, 3)), rng.standard_normal((4, 3)), rng.integers(0, 4, 20)
    assert fl.center_loss(y.astype(integer), x, c) == fl.center_loss(y.astype(np.float32), x, c)
    assert fl.contrastive_loss((y > 1).astype(integer), x, -x) == fl.contrastive_loss(np.sign(y - 1.5), x, -x)


def test_arrays_of_different_types_keep_theirs():
    loss, arrays = fl.TripletMargin(), drawn(fl.TripletMargin())
    mixed = [array.astype(dtype) for array, dtype in zip(arrays, (np.float16, np.float64, np.float32), strict=True)]
    value, grads = loss.value_and_grad(*mixed)
    assert [grad.dtype for grad in grads] == [array.dtype for array in mixed]
    assert value == pytest.approx(loss(*wide(mixed)), rel=1e-15)


# Weights and reductions ---------------------------------------------------------------------------------


@each
def test_weights_masks_and_reductions(loss):
    arrays, rng = drawn(loss, 90, 21), np.random.default_rng(3)
    weight, mask = rng.random(90) * (rng.random(90) < 0.8), rng.random(90) < 0.7
    values = expected(loss, arrays)
    for options, factor, count in (
        ({"sample_weight": weight}, weight, 90),
        ({"mask": mask}, mask * 1.0, mask.sum()),
        ({"sample_weight": weight, "mask": mask}, weight * mask, mask.sum()),
    ):
        for reduction, divisor in (("mean", factor.sum()), ("batch_mean", count), ("sum", 1), ("none", 1)):
            value, grads = loss.value_and_grad(*arrays, reduction=reduction, **options)
            wanted = factor * values
            wanted = wanted if reduction == "none" else wanted.sum() / divisor
            np.testing.assert_allclose(value, wanted, rtol=1e-12, atol=1e-15)
            each_alone = [
                array if common else array[k : k + 1]
                for k in range(90)
                for array, common in zip(arrays, shared(loss), strict=True)
            ]
            step = len(arrays)
            per_tuple = [expected_grads(loss, each_alone[k * step : (k + 1) * step]) for k in range(90)]
            for j, (grad, common) in enumerate(zip(grads, shared(loss)[-len(grads) :], strict=True)):
                parts = [factor[k] / divisor * per_tuple[k][j] for k in range(90)]
                assert_close(
                    grad, sum(parts) if common else np.concatenate(parts), 1e-12, f"{reduction} {options.keys()}"
                )


@each
def test_what_has_no_weight_is_not_there(loss):
    arrays = drawn(loss, 30, 9)
    kept = np.arange(30) % 3 != 0
    spoilt = [array.copy() for array in arrays]
    for array, common in zip(spoilt, shared(loss), strict=True):
        if not common:
            array[~kept] = np.nan if array.dtype.kind == "f" else 99
            if array.dtype.kind == "f":
                array[0] = np.inf
    chosen = [array if common else array[kept] for array, common in zip(arrays, shared(loss), strict=True)]
    for options in ({"sample_weight": kept * 1.0}, {"mask": kept}):
        value, grads = loss.value_and_grad(*spoilt, **options)
        assert value == pytest.approx(loss(*chosen), rel=1e-14)
        assert (loss(*spoilt, reduction="none", **options)[~kept] == 0).all()
        for grad, wanted, common in zip(grads, loss.grad(*chosen), shared(loss)[-len(grads) :], strict=True):
            assert_close(grad if common else grad[kept], wanted, 1e-14)
            assert common or (grad[~kept] == 0).all()


@each
def test_states_merge_and_groups_are_states(loss):
    arrays, weight = drawn(loss, 60, 9), np.linspace(0, 2, 60)
    halves = [
        [array if common else array[part] for array, common in zip(arrays, shared(loss), strict=True)]
        for part in (slice(20), slice(20, None))
    ]
    whole = loss.state(*arrays, sample_weight=weight)
    merged = loss.state(*halves[0], sample_weight=weight[:20]) + loss.state(*halves[1], sample_weight=weight[20:])
    assert abs(merged.mean - whole.mean) <= math.ulp(whole.mean)
    assert whole.mean == pytest.approx(loss(*arrays, sample_weight=weight), rel=1e-14)
    groups = np.arange(60) // 20
    states = loss.states(*arrays, groups=groups, sample_weight=weight)
    assert states[0].mean == pytest.approx(loss.state(*halves[0], sample_weight=weight[:20]).mean, rel=1e-14)
    assert sum(state.count for state in states.values()) == 60


@pytest.mark.parametrize("loss", [fl.CosineEmbedding(), fl.Contrastive(), fl.Center()], ids=repr)
def test_what_a_missing_target_does(loss):
    arrays = drawn(loss, 12, 5)
    arrays[0] = arrays[0].astype(float)
    arrays[0][4] = np.nan
    value, grads = loss.value_and_grad(*arrays, reduction="none")
    assert np.isnan(value[4])
    assert np.isnan(grads[0][4]).all()
    assert np.isfinite(np.delete(value, 4)).all()
    rest = [array if common else np.delete(array, 4, 0) for array, common in zip(arrays, shared(loss), strict=True)]
    assert loss(*arrays, nan_policy="omit") == pytest.approx(loss(*rest), rel=1e-14)
    first = 1 if any(shared(loss)) else 0
    found, wanted = loss.grad(*arrays, nan_policy="omit")[first], loss.grad(*rest)[first]
    assert_close(found[:4], wanted[:4], 1e-14)
    with pytest.raises(ValueError, match=r"y_true\[4\] is nan, must be a number with nan_policy='raise'"):
        loss(*arrays, nan_policy="raise")


# Threads ------------------------------------------------------------------------------------------------


@each
def test_the_number_of_threads_leaves_no_trace(loss):
    for dtype in (np.float32, np.float64):
        arrays = drawn(loss, 3000, 67, dtype)
        weight = np.random.default_rng(0).random(3000)
        for options in ({}, {"sample_weight": weight, "mask": weight < 0.9}):
            wanted = everything(loss, arrays, num_threads=1, **options)
            for threads in (2, 3, 8):
                assert_same(everything(loss, arrays, num_threads=threads, **options), wanted)


# Precision ----------------------------------------------------------------------------------------------


def derivative(function, arguments, which, k):
    """Of a function of lists of numbers, in number k of one of them, by central differences of 50 digits."""
    step, found = mpf(10) ** -25, []
    for sign in (-1, 1):
        moved = [list(argument) if isinstance(argument, list) else argument for argument in arguments]
        target = moved[which]
        if isinstance(target[0], list):
            target[k[0]] = list(target[k[0]])
            target[k[0]][k[1]] += sign * step
        else:
            target[k] += sign * step
        found.append(function(*moved))
    return (found[1] - found[0]) / (2 * step)


def numbers(array):
    return [numbers(row) for row in array] if np.ndim(array) else mpf(float(array))


@every
def test_it_is_exact(loss):
    """To a few roundings, of the largest derivative in a vector."""
    arrays = drawn(loss, 6, 4, classes=3)
    value, grads = loss.value_and_grad(*arrays, reduction="none")
    parameters = {name: mpf(given) if type(given) is float else given for name, given in loss.parameters().items()}
    first = len(loss.signature.targets)
    with mp.workdps(50):
        totals = {}
        for i in range(6):
            row = [
                numbers(array) if common else int(array[i]) if array.ndim == 1 else numbers(array[i])
                for array, common in zip(arrays, shared(loss), strict=True)
            ]

            def formula(*arguments):
                return getattr(exact, loss.function_name)(*arguments, **parameters)

            wanted = formula(*row)
            assert abs(value[i] - wanted) <= 1e-15 * max(1, abs(wanted)), i
            for j, grad in enumerate(grads):
                if shared(loss)[first + j]:
                    part = np.array(
                        [[float(derivative(formula, row, first + j, (a, b))) for b in range(4)] for a in range(3)]
                    )
                    totals[j] = totals.get(j, 0) + part
                    continue
                slope = np.array([float(derivative(formula, row, first + j, k)) for k in range(4)])
                scale = np.abs(slope).max() + 0.05 / np.linalg.norm(arrays[first + j][i])
                assert np.abs(grad[i] - slope).max() <= 2e-15 * scale, (i, j)
        for j, total in totals.items():
            assert_close(grads[j], total, 4e-15)


# Extremes -----------------------------------------------------------------------------------------------


SCALES = {
    np.float32: [1e-44, 1e-30, 1e-19, 1e19, 1e30, 1e37],
    np.float64: [1e-320, 1e-300, 1e-160, 1e160, 1e200, 1e307],
}


@pytest.mark.parametrize("dtype", SCALES, ids=lambda dtype: dtype.__name__)
def test_angles_do_not_depend_on_size(dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 9, 21)).astype(dtype)
    for scale in SCALES[dtype]:
        big = (a * dtype(scale)).astype(dtype)
        precise = [big.astype(np.longdouble), b.astype(np.longdouble)]
        want = fl.cosine_distance((precise[0] / np.longdouble(scale)).astype(np.float64), b, reduction="none")
        value, grads = fl.CosineDistance().value_and_grad(big, b, reduction="none")
        np.testing.assert_allclose(value, want, rtol=1e-5 if dtype == np.float32 else 1e-13)
        plain = fl.CosineDistance().grad((precise[0] / np.longdouble(scale)).astype(np.float64), b, reduction="none")
        assert_close(grads.right, plain.right, 1e-5 if dtype == np.float32 else 1e-13, f"{scale}")
        with np.errstate(over="ignore"):
            wanted = (plain.left.astype(np.longdouble) / np.longdouble(scale)).astype(dtype)
        if np.isfinite(wanted).all():
            np.testing.assert_allclose(grads.left, wanted, rtol=1e-4, atol=np.abs(wanted).max() * 1e-6)
        for other in (fl.NegativeCosineSimilarity(), fl.TripletMargin(distance="cosine")):
            arrays = (big, b) if other.signature.names[0] == "left" else (big, b, -b)
            assert np.isfinite(other(*arrays, reduction="none")).all()


@pytest.mark.parametrize("dtype", SCALES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distances_scale(dtype, p):
    rng = np.random.default_rng(0)
    loss = fl.PairwiseDistance(p=p, eps=0)
    a, b = (rng.integers(1, 9, (2, 9, 21)) * np.array([[[1]], [[-1]]])).astype(dtype)
    want, grads = loss.value_and_grad(a, b, reduction="none")
    for exponent in (-140, -100, -40, 40, 100, 120) if dtype == np.float32 else (-1065, -900, -500, 500, 900, 1015):
        scale = dtype(2.0**exponent)
        value, found = loss.value_and_grad(a * scale, b * scale, reduction="none")
        np.testing.assert_allclose(value, want * scale, rtol=1e-6 if dtype == np.float32 else 1e-14)
        if exponent > -1000 and exponent > -126:
            assert_close(found.left, grads.left, 1e-6 if dtype == np.float32 else 1e-14, f"2^{exponent}")


def test_a_difference_may_overflow_where_the_numbers_do_not():
    for dtype in (np.float32, np.float64):
        most = np.finfo(dtype).max
        a, b = np.array([[0.75, 0.25]], dtype) * most, np.array([[-0.75, 0.25]], dtype) * most
        grads = fl.EuclideanDistance().grad(a, b)
        np.testing.assert_array_equal(grads.left, [[1, 0]])
        np.testing.assert_array_equal(grads.right, [[-1, 0]])
        assert fl.euclidean_distance(a, b) == (2 * float(a[0, 0]) if dtype == np.float32 else math.inf)


def test_small_gradients_are_there():
    """A mean of many has a coefficient that is none of float16 and hardly one of float32."""
    a, b = np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)
    grad = fl.EuclideanDistance().grad(a, b, sample_weight=[1e-40], reduction="sum")
    np.testing.assert_allclose(grad.left, np.full((1, 4), np.float32(0.5e-40)))


def test_large_offsets_do_not_cancel():
    a = np.full((5, 64), 1e4, np.float32)
    b = a + np.linspace(0, 0.25, 5, dtype=np.float32)[:, np.newaxis]
    want = np.linalg.norm(a.astype(float) - b, axis=1)
    np.testing.assert_allclose(fl.euclidean_distance(a, b, reduction="none"), want, rtol=1e-6)
    np.testing.assert_allclose(fl.TripletMargin(margin=0).grad(a, a, b)[0], 0, atol=1e-3)


# Edge cases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_vectors_and_vectors_of_zeros_have_a_gradient_of_0(dtype):
    x, zeros = np.ones((3, 20), dtype), np.zeros((3, 20), dtype)
    for loss in DISTANCES:
        if loss.parameters().get("eps", 0) == 0:
            for pair in ((x, x), (zeros, zeros)):
                value, grads = loss.value_and_grad(*pair, reduction="none")
                wanted = expected(loss, pair)
                np.testing.assert_array_equal(value, wanted)
                for grad in grads:
                    np.testing.assert_allclose(grad, 0, atol=1e-7, err_msg=repr(loss))
    for loss in (fl.CosineDistance(), fl.NegativeCosineSimilarity()):
        value, grads = loss.value_and_grad(x, zeros)
        assert value == (1 if isinstance(loss, fl.CosineDistance) else 0)
        assert not any(grad.any() for grad in grads)
    grads = fl.Contrastive(margin=2).grad([-1, 1, 0], x, x)
    assert not grads.left.any()


def test_kinks():
    a, p = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])
    assert not any(grad.any() for grad in fl.TripletMargin(margin=0, eps=0).grad(a, p, -p))
    assert not any(grad.any() for grad in fl.Contrastive(margin=5).grad([-1], a, p))
    assert not any(grad.any() for grad in fl.CosineEmbedding().grad([-1], [[1.0, 0.0]], [[0.0, 1.0]]))
    tie = fl.TripletMargin(margin=9, eps=0, swap=True).grad([[0.0, 1.0]], [[0.0, -1.0]], [[5.0, 0.0]])
    np.testing.assert_allclose(tie.positive, [[0, -1]])  # nothing of the swapped distance


def test_swap_takes_the_nearer_one():
    rng = np.random.default_rng(0)
    a, p, n = rng.standard_normal((3, 50, 6))
    by_hand = np.minimum(np.linalg.norm(a - n, axis=1), np.linalg.norm(p - n, axis=1))
    want = np.maximum(0, np.linalg.norm(a - p, axis=1) - by_hand + 0.5)
    np.testing.assert_allclose(fl.triplet_margin(a, p, n, margin=0.5, eps=0, swap=True, reduction="none"), want)


def test_what_is_not_finite_is_not_hidden():
    for loss in LOSSES:
        if not any(shared(loss)):
            arrays = drawn(loss, 6, 9)
            arrays[-1][2, 3] = np.nan
            value, grads = loss.value_and_grad(*arrays, reduction="none")
            np.testing.assert_array_equal(np.isnan(value), np.arange(6) == 2, err_msg=repr(loss))
            assert all(np.isfinite(np.delete(grad, 2, 0)).all() for grad in grads)
            assert np.isnan(grads[-1][2]).all(), repr(loss)


# Centres ------------------------------------------------------------------------------------------------


def test_the_rule_for_the_centres_is_the_articles():
    rng = np.random.default_rng(0)
    x, c, y = rng.standard_normal((30, 4)), rng.standard_normal((6, 4)), rng.integers(0, 5, 30)
    mask = rng.random(30) < 0.6
    for options, counted in (({}, np.ones(30, bool)), ({"mask": mask}, mask)):
        want = c.copy()
        for j in range(6):
            own = (y == j) & counted
            want[j] -= 0.25 * (c[j] - x[own]).sum(axis=0) / (1 + own.sum())
        for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-6), (np.float16, 3e-3), (BFLOAT16, 3e-2)):
            for loss in CENTERS:
                found = loss.updated_centers(y, x.astype(dtype), c.astype(dtype), rate=0.25, **options)
                assert found.dtype == dtype
                assert_close(found, want, tolerance)
    np.testing.assert_array_equal(fl.Center().updated_centers(y, x, c)[5], c[5])
    with pytest.raises(ValueError, match=r"Center: rate is 2, must be in \[0, 1\]"):
        fl.Center().updated_centers(y, x, c, rate=2)
    with pytest.raises(IndexError, match=r"Center: y_true\[29\] is 7, must be a class from 0 to 5"):
        fl.Center().updated_centers(np.where(np.arange(30) == 29, 7, y), x, c)


def test_centres_that_point_apart_have_no_island():
    y, x = [0, 1], [[1.0, 0.0], [-2.0, 0.0]]
    assert fl.island_loss(y, x, [[1.0, 0.0], [-2.0, 0.0]]) == 0
    assert fl.island_loss(y, x, [[1.0, 0.0], [-2.0, 0.0]], reduction="sum") == 0
    value, grads = fl.Island().value_and_grad(y, x, [[0.0, 0.0], [-2.0, 0.0]])
    assert value == 0.5 * 0.5 + 10 * 2
    np.testing.assert_array_equal(grads.centers, [[-0.5, 0], [0, 0]])


def test_a_centre_has_the_gradient_of_the_reduced_loss():
    rng = np.random.default_rng(0)
    y, x, c, weight = rng.integers(0, 3, 20), rng.standard_normal((20, 4)), rng.standard_normal((3, 4)), rng.random(20)
    for loss in CENTERS:
        for reduction in ("mean", "sum", "batch_mean"):
            grad = loss.grad(y, x, c, sample_weight=weight, reduction=reduction).centers
            for j, k in np.ndindex(c.shape):
                step = np.zeros_like(c)
                step[j, k] = 1e-5
                high, low = (loss(y, x, c + s * step, sample_weight=weight, reduction=reduction) for s in (1, -1))
                assert grad[j, k] == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-7)


# Bad input ----------------------------------------------------------------------------------------------


def refused(loss, arrays, error, text, **options):
    """Every verb refuses, and leaves what it was to write."""
    verbs = (loss, loss.grad, loss.value_and_grad, loss.state)
    for verb in verbs:
        with pytest.raises(error, match=text):
            verb(*arrays, **options)
    like = [np.full(np.shape(array), 7.25) for array in arrays if np.ndim(array) > 1]
    out = np.full(len(arrays[0]), 7.25)
    with pytest.raises(error, match=text):
        loss.value_and_grad(*arrays, reduction="none", out=out, grad_out=tuple(like), **options)
    assert all((array == 7.25).all() for array in (out, *like))


@pytest.mark.parametrize("loss", [fl.Contrastive(), fl.CosineEmbedding()], ids=repr)
def test_labels_of_pairs_are_checked(loss):
    arrays = drawn(loss, 700, 3)
    for wrong in (2, -2, 0.5):
        arrays[0] = np.where(np.arange(700) >= 650, wrong, 1)
        text = rf"{type(loss).__name__}: y_true\[650\] is {wrong}, must be 1 for the positive class and 0 or -1 for the"
        refused(loss, arrays, ValueError, text)
    loss(*arrays, mask=arrays[0] == 1)


@pytest.mark.parametrize("loss", CENTERS, ids=repr)
def test_labels_of_centres_are_checked(loss):
    arrays = drawn(loss, 700, 3)
    labels = arrays[0]
    for wrong, error in ((5, IndexError), (-1, IndexError), (2**40, IndexError), (0.5, ValueError)):
        arrays[0] = np.where(np.arange(700) == 650, wrong, labels)
        text = rf"{type(loss).__name__}: y_true\[650\] is {wrong}, must be a class from 0 to 4"
        refused(loss, arrays, error, text)
    arrays[0] = np.where(np.arange(700) == 650, 9, labels)
    kept = np.arange(700) != 650
    assert loss(*arrays, mask=kept) == pytest.approx(loss(labels[kept], arrays[1][kept], arrays[2]), rel=1e-14)
    with pytest.raises(ValueError, match=r"centers has shape \(0, 3\), must have at least one class"):
        loss(labels, arrays[1], np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"centers has shape \(5, 2\), must be \(5, 3\), as embeddings has shape"):
        loss(labels, arrays[1], arrays[2][:, :2])


@each
def test_bad_weights_and_shapes_are_refused(loss):
    arrays, name = drawn(loss, 700, 3), type(loss).__name__
    for wrong in (-1, np.inf, np.nan):
        weight = np.where(np.arange(700) == 650, wrong, 1.0)
        refused(
            loss, arrays, ValueError, rf"{name}: sample_weight\[650\] is .*finite and not neg", sample_weight=weight
        )
    with pytest.raises(ValueError, match=rf"{name}: sample_weight has shape \(3,\), must have the losses' \(700,\)"):
        loss(*arrays, sample_weight=np.ones(3))
    last = [index for index, common in enumerate(shared(loss)) if not common][-1]
    arrays[last] = arrays[last][:9]
    with pytest.raises(ValueError, match=rf"{name}: .* has shape .*, must be .*, as .* has shape"):
        loss(*arrays)


def test_the_index_is_that_of_the_callers_array():
    loss, arrays = fl.Contrastive(), drawn(fl.Contrastive(), 24, 3)
    y, a, b = (array.reshape(4, 6, *array.shape[1:]) for array in arrays)
    y = y.copy()
    y[2, 3] = 5
    for order in (np.ascontiguousarray, np.asfortranarray):
        with pytest.raises(ValueError, match=r"y_true\[2, 3\] is 5"):
            loss(order(y), order(a), order(b))


# Other libraries ----------------------------------------------------------------------------------------


def torchs(loss, arrays):
    """The number and the gradients of PyTorch."""
    import torch
    from torch.nn import functional as F

    rows = [torch.from_numpy(array).requires_grad_(array.ndim > 1) for array in arrays]
    given = {name: value for name, value in loss.parameters().items() if name not in ("smooth", "distance")}
    if isinstance(loss, fl.CosineEmbedding):
        value = F.cosine_embedding_loss(rows[1], rows[2], rows[0], **given)
    elif isinstance(loss, fl.PairwiseDistance):
        value = F.pairwise_distance(*rows, **given).mean()
    elif isinstance(loss, fl.TripletMargin) and loss.distance == "norm":
        value = F.triplet_margin_loss(*rows, **given)
    else:
        of = {
            "cosine": lambda a, b: 1 - F.cosine_similarity(a, b),
            "squared_euclidean": lambda a, b: (a - b).square().sum(dim=-1),
        }[loss.distance]
        value = F.triplet_margin_with_distance_loss(*rows, distance_function=of, margin=loss.margin, swap=loss.swap)
    return value.item(), torch.autograd.grad(value, [row for row in rows if row.requires_grad])


@pytest.mark.parametrize(
    "loss",
    [
        *(loss for loss in LOSSES if isinstance(loss, (fl.CosineEmbedding, fl.PairwiseDistance, fl.TripletMargin))
          and not loss.parameters().get("smooth")),
        fl.TripletMargin(swap=True, distance="squared_euclidean"),
    ],
    ids=repr,
)  # fmt: skip
def test_it_is_pytorchs(loss):
    pytest.importorskip("torch", reason="PyTorch is not installed: nothing is compared with it")
    arrays = drawn(loss, 50, 12)
    wanted, wanted_grads = torchs(loss, arrays)
    value, grads = loss.value_and_grad(*arrays)
    assert value == pytest.approx(wanted, rel=1e-10)
    for grad, other in zip(grads, wanted_grads, strict=True):
        assert_close(grad, other.numpy(), 1e-10)


# Benchmarks ---------------------------------------------------------------------------------------------


def test_the_arrays_of_the_benchmarks_are_what_the_losses_take():
    for loss in LOSSES:
        arrays = draw_arrays(loss, 5000, np.float32, np.random.default_rng(0))
        assert math.isfinite(loss(*arrays))
        assert np.count_nonzero(loss(*arrays, reduction="none")) > 0


def test_the_benchmark_of_targets_runs(capsys):
    pytest.importorskip("pytest_benchmark")
    from benchmarks import vectors

    assert vectors.main(["--rounds", "1", "--scale", "4096", "--only", "every"]) in (0, 1)
    printed = capsys.readouterr().out
    assert all(f"`{loss.function_name}`" in printed for loss in ONE_OF_EACH)
    with pytest.raises(SystemExit):
        vectors.main(["--only", "nothing"])
