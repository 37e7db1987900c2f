"""Losses of a batch against itself or another: arrays of any kind, weights and masks, blocks, threads, edges, peers."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from mpmath import mp, mpf

import fastloss as fl
from fastloss import registry
from fastloss._core.isa import kernels
from fastloss.vectors import batches
from fastloss.vectors.batches import BatchLoss, LabelledLoss
from tests.exact import batches as exact
from tests.inputs import draw_arrays
from tests.reference import twin
from tests.support import LAYOUTS, assert_same_bits, fresh, generator

CLASSES = [cls for cls in registry.values() if issubclass(cls, BatchLoss)]
DEFAULTS = [cls() for cls in CLASSES]
EVERY = list(dict.fromkeys(cls(**parameters) for cls in CLASSES for parameters in ({}, *cls.variants)))
LABELLED = [loss for loss in DEFAULTS if isinstance(loss, LabelledLoss)]
OF_ROWS = [loss for loss in DEFAULTS if loss.axes == 1]
WHOLE = [loss for loss in DEFAULTS if loss.axes == 0]
REFERRED = [loss for loss in LABELLED if "references" in loss.signature.names]
DTYPES = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 3e-6, "float64": 2e-14}


def named(losses):
    return pytest.mark.parametrize("loss", losses, ids=repr)


def small(loss, dtype=np.float64, size=600):
    return draw_arrays(loss, size, dtype, generator(loss, size))


def some_classes(loss, rows=23, classes=4, features=5, dtype=np.float64):
    """A labelled batch of classes of several sizes, the last one alone in its class."""
    rng = generator(loss, rows, classes)
    labels = rng.integers(0, classes, rows)
    labels[-1] = classes
    return labels, rng.standard_normal((rows, features)).astype(dtype)


def tupled(grads):
    return grads if isinstance(grads, tuple) else (grads,)


def assert_near(actual, wanted, tolerance, what=""):
    """Each gradient within a tolerance of its largest entry."""
    for mine, other in zip(tupled(actual), tupled(wanted), strict=True):
        other = np.asarray(other, np.float64)
        scale = np.max(np.abs(other), initial=1e-300)
        np.testing.assert_allclose(np.asarray(mine, np.float64), other, rtol=0, atol=tolerance * scale, err_msg=what)


# Declarations -------------------------------------------------------------------------------------


def test_every_kernel_of_similarities_has_a_class():
    used = {loss._kernel()[0] for loss in EVERY}
    assert used == set(kernels("vectors").SIMILARITY_KERNELS)


@named(EVERY)
def test_losses_are_pickled_and_are_functions(loss):
    assert pickle.loads(pickle.dumps(loss)) == loss
    arrays = small(loss)
    assert getattr(fl, loss.function_name)(*arrays, **loss.parameters()) == loss(*arrays)


# Values and gradients -----------------------------------------------------------------------------


@named(EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients_are_the_twin_s(loss, dtype):
    arrays = small(loss, dtype)
    wide = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in arrays]
    tolerance = 5e-6 if dtype is np.float32 else 2e-14
    values, grads = loss.value_and_grad(*arrays, reduction="none")
    assert np.dtype(dtype) == values.dtype
    assert_near(values, twin(loss)(*wide), tolerance)
    assert_near(grads, twin(loss, "_grad")(*wide), tolerance)


@named([loss for loss in EVERY if isinstance(loss, LabelledLoss)])
@pytest.mark.parametrize("block", [1, 3000, 1 << 26], ids=["rows one by one", "blocks", "one block"])
def test_classes_of_any_size_in_blocks_of_any_size(loss, block, monkeypatch):
    monkeypatch.setattr(batches, "BLOCK_BYTES", block)
    labels, embeddings = some_classes(loss)
    values, grad = loss.value_and_grad(labels, embeddings, reduction="none")
    with np.errstate(all="ignore"):
        wanted, wanted_grad = twin(loss)(labels, embeddings), twin(loss, "_grad")(labels, embeddings)
    assert_near(values, wanted, 2e-14)
    assert_near(grad, wanted_grad, 2e-14)


@named(DEFAULTS)
def test_blocks_change_nothing(loss, monkeypatch):
    arrays = small(loss, np.float64, 3000)
    whole, of_whole = loss.value_and_grad(*arrays, reduction="none")
    monkeypatch.setattr(batches, "BLOCK_BYTES", 5000)
    values, grads = loss.value_and_grad(*arrays, reduction="none")
    assert_near(values, whole, 1e-13)
    assert_near(grads, of_whole, 1e-13)


@named([fl.InfoNCE(), fl.InfoNCE(symmetric=True), fl.SupCon(), fl.NTXent(), fl.SigmoidPairwise(), fl.Circle()])
@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 511, 513, 1030])
def test_every_length_of_a_row(loss, rows):
    rng = generator(loss, rows)
    if isinstance(loss, LabelledLoss):
        arrays = np.arange(rows) // 3, rng.standard_normal((rows, 6))
    else:
        arrays = rng.standard_normal((rows, 6)), rng.standard_normal((rows, 6))
    with np.errstate(all="ignore"):
        wanted = twin(loss)(*arrays)
    kept = np.isfinite(wanted)
    assert_near(loss(*arrays, reduction="none")[kept], wanted[kept], 2e-14)


@named(REFERRED)
def test_a_batch_against_references(loss):
    labels, embeddings = some_classes(loss)
    rng = generator(loss, "references")
    references, of_them = rng.standard_normal((37, 5)), rng.integers(0, 6, 37)
    given = {"references": references, "reference_labels": of_them}
    values, grads = loss.value_and_grad(labels, embeddings, **given, reduction="none")
    assert grads._fields == ("embeddings", "references")
    assert_near(values, twin(loss)(labels, embeddings, of_them, references), 2e-14)
    assert_near(grads, twin(loss, "_grad")(labels, embeddings, of_them, references), 2e-14)
    with pytest.raises(TypeError, match=f"{type(loss).__name__}: reference_labels is missing"):
        loss(labels, embeddings, references=references)
    with pytest.raises(ValueError, match=r"references has shape \(37, 4\), must be \(37, 5\)"):
        loss(labels, embeddings, references=references[:, :4], reference_labels=of_them)


@named([fl.InfoNCE(), fl.SigmoidPairwise(), fl.InBatchSoftmax(), fl.WMRB(), fl.WARP()])
def test_candidates_that_belong_to_no_row(loss):
    rng = generator(loss)
    arrays = rng.standard_normal((7, 4)), rng.standard_normal((12, 4))
    values, grads = loss.value_and_grad(*arrays, reduction="none")
    assert_near(values, twin(loss)(*arrays), 2e-14)
    assert_near(grads, twin(loss, "_grad")(*arrays), 2e-14)


@named([fl.InBatchSoftmax(temperature=0.5), fl.WMRB(margin=2.0), fl.WARP(margin=2.0)])
def test_items_that_are_the_same_are_no_candidates(loss):
    rng = generator(loss)
    queries, items, ids = rng.standard_normal((9, 4)), rng.standard_normal((12, 4)), rng.integers(0, 5, 12)
    given = {"item_ids": ids}
    extra = [None] if "log_q" not in loss.signature.names else [rng.standard_normal(12)]
    if extra[0] is not None:
        given["log_q"] = extra[0]
    wanted = [queries, items, ids, *(extra if "log_q" in given else [])]
    values, grads = loss.value_and_grad(queries, items, **given, reduction="none")
    assert_near(values, twin(loss)(*wanted), 2e-14)
    assert_near(grads, twin(loss, "_grad")(*wanted), 2e-14)


# To fifty digits ----------------------------------------------------------------------------------


def of_lists(loss, arrays, parameters):
    lists = [array.tolist() if array.dtype.kind == "i" else [list(map(mpf, row)) for row in array] for array in arrays]
    return getattr(exact, loss.function_name)(*lists, **parameters)


def exact_parameters(loss):
    return {name: mpf(v) if type(v) is float else v for name, v in loss.parameters().items()}


@named(EVERY)
def test_values_and_gradients_to_fifty_digits(loss):
    rng = generator(loss, "exact")
    shape, other = (6, 3), (6, 3)
    if isinstance(loss, LabelledLoss):
        arrays = [np.array([0, 1, 1, 0, 2, 2]), rng.standard_normal(shape)]
    elif "proxies" in loss.signature.names:
        arrays = [np.array([0, 1, 1, 0, 2, 2]), rng.standard_normal(shape), rng.standard_normal((4, 3))]
    else:
        arrays = [rng.standard_normal(shape), rng.standard_normal(other)]
    value, grads = loss.value_and_grad(*arrays, reduction="sum")
    step = mpf(10) ** -20
    with mp.workdps(60):
        parameters = exact_parameters(loss)
        wanted = of_lists(loss, arrays, parameters)
        assert abs(value - wanted) <= 4e-15 * abs(wanted) + 4e-16
        if getattr(loss, "detach", False):
            return  # the twin has its derivative
        grads = list(tupled(grads))
        floats = [k for k, array in enumerate(arrays) if array.dtype.kind == "f"]
        for k, grad in zip(floats, grads, strict=False):
            found = np.empty(grad.shape, object)
            for at in np.ndindex(grad.shape):
                sides = []
                for sign in (1, -1):
                    moved = arrays.copy()
                    moved[k] = arrays[k].astype(object)
                    moved[k][at] = mpf(arrays[k][at]) + sign * step
                    sides.append(of_lists(loss, moved, parameters))
                found[at] = (sides[0] - sides[1]) / (2 * step)
            scale = max(abs(g) for g in found.flat)
            error = max(abs(g - float(f)) for g, f in zip(grad.flat, found.flat, strict=True))
            assert error <= 1e-14 * float(scale), (k, error, scale)
        for name, derivative in zip(("temperature", "bias"), grads[len(floats) :], strict=False):
            sides = [of_lists(loss, arrays, parameters | {name: parameters[name] + s * step}) for s in (1, -1)]
            wanted = float((sides[0] - sides[1]) / (2 * step))
            assert abs(derivative - wanted) <= 4e-14 * abs(wanted), name


# Weights, masks, reductions -----------------------------------------------------------------------


def units(loss, labels):
    """How many pairs a loss is the sum of, and which losses count."""
    if not isinstance(loss, LabelledLoss):
        return np.ones(len(labels)), np.ones(len(labels), bool)
    same = np.equal.outer(labels, labels)
    positives, negatives = same.sum(axis=1) - 1, (~same).sum(axis=1)
    counts = np.ones(len(labels), bool)
    if loss.needs_positives:
        counts &= positives > 0
    if loss.needs_negatives:
        counts &= negatives > 0
    return (positives.astype(float) if loss.by_pairs else np.ones(len(labels))), counts


@named(OF_ROWS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_reductions_are_of_the_losses_that_count(loss, weighted, masked):
    arrays = some_classes(loss) if isinstance(loss, LabelledLoss) else small(loss, size=120)
    first = arrays[-1] if isinstance(loss, LabelledLoss) else arrays[0]
    rng = generator(loss, weighted, masked)
    weight = rng.random(len(first)) if weighted else np.ones(len(first))
    if weighted:
        weight[::5] = 0
    kept = rng.random(len(first)) > 0.3 if masked else np.ones(len(first), bool)
    options = ({"sample_weight": weight} if weighted else {}) | ({"mask": kept} if masked else {})
    with np.errstate(all="ignore"):
        each = twin(loss)(*arrays)
    counted, of_pairs = units(loss, arrays[0])[::-1]
    counted = counted & kept
    total = float(np.sum(np.where(counted & (weight > 0), weight * each, 0)))
    divisors = {"mean": np.sum((weight * of_pairs)[counted]), "batch_mean": counted.sum(), "sum": 1.0}
    values, grads = loss.value_and_grad(*arrays, reduction="none", **options)
    np.testing.assert_allclose(values, np.where(counted & (weight > 0), weight * each, 0), rtol=1e-12, atol=1e-14)
    for reduction, divisor in divisors.items():
        value, reduced = loss.value_and_grad(*arrays, reduction=reduction, **options)
        assert type(value) is float
        assert value == pytest.approx(total / divisor, rel=1e-13)
        assert value == loss(*arrays, reduction=reduction, **options)
        assert_near(reduced, tuple(np.asarray(g) / divisor for g in tupled(grads)), 1e-13, reduction)
    state = loss.state(*arrays, **options)
    assert state.mean == pytest.approx(loss(*arrays, **options), rel=1e-14)
    assert state.count == counted.sum()


@named(OF_ROWS)
def test_the_gradient_is_that_of_the_weighted_sum(loss):
    arrays = some_classes(loss) if isinstance(loss, LabelledLoss) else small(loss, size=120)
    rows = len(arrays[-1] if isinstance(loss, LabelledLoss) else arrays[0])
    weight = generator(loss, "weights").random(rows)
    grads = tupled(loss.grad(*arrays, sample_weight=weight, reduction="sum"))
    one_by_one = [tupled(loss.grad(*arrays, mask=np.arange(rows) == k, reduction="sum")) for k in range(rows)]
    for place, grad in enumerate(grads):
        wanted = sum(w * np.asarray(each[place]) for w, each in zip(weight, one_by_one, strict=True))
        assert_near(grad, wanted, 1e-12)


@named([loss for loss in OF_ROWS if not isinstance(loss, LabelledLoss)])
def test_a_row_without_weight_contributes_nothing_even_where_it_is_nan(loss):
    arrays = list(small(loss, size=200))
    place = loss.signature.names.index(loss.signature.predictions[0].name)
    wanted, of_clean = loss.value_and_grad(*arrays, mask=np.arange(len(arrays[place])) != 2)
    arrays[place] = arrays[place].copy()
    arrays[place][2] = np.nan
    for options in ({"mask": np.arange(len(arrays[place])) != 2},
                    {"sample_weight": (np.arange(len(arrays[place])) != 2).astype(float)}):  # fmt: skip
        value, grads = loss.value_and_grad(*arrays, **options)
        assert value == pytest.approx(wanted, rel=1e-14)
        assert_near(grads, of_clean, 1e-14)
        assert not np.any(grads[0][2])


@named(OF_ROWS)
def test_nothing_left_is_nan_with_a_warning_and_a_gradient_of_zeros(loss):
    arrays = small(loss, size=60)
    rows = loss._evaluated(arrays, {}, None, None, "propagate", None).shape[0]
    with pytest.warns(RuntimeWarning, match=f"{type(loss).__name__}: no element counts, the mean is NaN"):
        value, grads = loss.value_and_grad(*arrays, mask=np.zeros(rows, bool))
    assert np.isnan(value)
    assert all(not np.any(grad) for grad in tupled(grads))


@named(WHOLE)
def test_a_loss_of_the_whole_batch_is_one_number(loss):
    arrays = small(loss)
    value, grads = loss.value_and_grad(*arrays)
    for reduction in ("batch_mean", "sum"):
        again, others = loss.value_and_grad(*arrays, reduction=reduction)
        assert again == value
        assert_near(others, grads, 1e-15)
    assert loss(*arrays, reduction="none").shape == ()
    assert loss(*arrays, sample_weight=3.0, reduction="sum") == pytest.approx(3 * value, rel=1e-14)
    assert_near(loss.grad(*arrays, sample_weight=3.0, reduction="sum"), tuple(3 * g for g in grads), 1e-14)
    assert loss(*arrays, sample_weight=0.0, reduction="sum") == 0


@named(OF_ROWS)
def test_states_are_of_the_groups_of_anchors(loss):
    arrays = small(loss, size=300)
    each = loss(*arrays, reduction="none").astype(float)
    groups = np.arange(len(each)) % 3
    found = loss.states(*arrays, groups=groups)
    for k, state in found.items():
        assert state.mean == pytest.approx(each[groups == k].mean(), rel=1e-13)
        assert state.count == (groups == k).sum()


# Arrays -------------------------------------------------------------------------------------------


@named(DEFAULTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_in_and_out(loss, dtype):
    import ml_dtypes

    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    arrays = small(loss, kind, 200)
    wide = [array.astype(np.float64) if array.dtype.kind not in "iu" else array for array in arrays]
    value, grads = loss.value_and_grad(*arrays)
    wanted, of_wide = loss.value_and_grad(*wide)
    assert value == pytest.approx(wanted, rel=1e-5 if dtype != "float64" else 1e-15)
    predictions = [array for array in arrays if array.dtype.kind not in "iu"]
    for grad, array in zip(tupled(grads), predictions, strict=False):
        assert (grad.dtype, grad.shape) == (array.dtype, array.shape)
    assert_near(tuple(g.astype(np.float64) for g in tupled(grads)[: len(predictions)]),
                tupled(of_wide)[: len(predictions)], DTYPES[dtype] * 4)  # fmt: skip
    assert loss(*arrays, reduction="none").dtype == (np.float64 if dtype == "float64" else np.float32)


@named(DEFAULTS)
def test_layouts_are_all_the_same(loss):
    arrays = small(loss, np.float32, 200)
    value, grads = loss.value_and_grad(*arrays)
    for layout, change in LAYOUTS.items():
        again, others = loss.value_and_grad(*(change(array) for array in arrays))
        assert again == value, layout
        for one, other in zip(tupled(grads), tupled(others), strict=True):
            assert_same_bits(other, one, layout)


@named(LABELLED)
def test_labels_are_of_any_type(loss):
    labels, embeddings = some_classes(loss)
    wanted = loss(labels, embeddings)
    for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", "f2", "f4", "f8"):
        assert loss(labels.astype(kind), embeddings) == wanted, kind
    assert loss(labels.astype("u8") + 2**63, embeddings) == wanted
    assert loss(-labels, embeddings) == pytest.approx(wanted, rel=1e-13)  # in another order of codes
    two = labels % 2 == 1
    assert loss(two, embeddings) == loss(two.astype(int), embeddings)
    with pytest.raises(ValueError, match=rf"{type(loss).__name__}: y_true\[3\] is 0.5, must be an integer"):
        loss(np.where(np.arange(len(labels)) == 3, 0.5, labels), embeddings)


def test_labels_of_both_signs_and_unsigned_ones_are_told_apart():
    rng = np.random.default_rng(0)
    embeddings, references = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    of_them = np.array([2**64 - 1, 5, 5, 1], np.uint64)
    found = fl.nca(np.array([-1, 5, 5, 1]), embeddings, references=references, reference_labels=of_them)
    wanted = fl.nca([9, 5, 5, 1], embeddings, references=references, reference_labels=[8, 5, 5, 1])
    assert found == wanted


@named([loss for loss in DEFAULTS if "y_true" in loss.signature.names])
def test_missing_labels(loss):
    labels, *others = small(loss, size=120)
    missing = labels.astype(float)
    missing[1] = np.nan
    value, grads = loss.value_and_grad(missing, *others)
    assert np.isnan(value)
    assert np.isnan(tupled(grads)[0][1]).all()
    assert np.isfinite(np.delete(tupled(grads)[0], 1, axis=0)).all()
    with pytest.raises(ValueError, match=r"y_true\[1\] is nan, must be a number with nan_policy='raise'"):
        loss(missing, *others, nan_policy="raise")
    value, grads = loss.value_and_grad(missing, *others, nan_policy="omit")
    rest = np.delete(labels, 1), np.delete(others[0], 1, axis=0), *others[1:]
    wanted, of_rest = loss.value_and_grad(*rest)
    assert value == pytest.approx(wanted, rel=1e-13)
    assert not np.any(tupled(grads)[0][1])
    assert_near(np.delete(tupled(grads)[0], 1, axis=0), tupled(of_rest)[0], 1e-13)


@named(DEFAULTS)
def test_outputs_that_are_given(loss):
    arrays = small(loss, np.float32, 200)
    values, grads = loss.value_and_grad(*arrays, reduction="none")
    shapes = [g for g in tupled(grads) if np.ndim(g)]
    for kind in (np.float32, np.float64):
        rooms = [np.empty(g.shape, kind) for g in shapes]
        out = np.empty(values.shape, kind)
        given = rooms[0] if len(rooms) == 1 else tuple(rooms)
        loss.value_and_grad(*arrays, reduction="none", out=out, grad_out=given)
        np.testing.assert_array_equal(out.astype(np.float32), values)
        for room, grad in zip(rooms, shapes, strict=True):
            np.testing.assert_array_equal(room.astype(np.float32), grad)
    # A gradient may take the place of its array.
    own = [array.copy() if array.dtype.kind == "f" else array for array in arrays]
    into = [array for array in own if array.dtype.kind == "f"]
    loss.grad(*own, reduction="none", grad_out=into[0] if len(into) == 1 else tuple(into))
    for room, grad in zip(into, shapes, strict=True):
        assert_same_bits(room, grad)


@named(OF_ROWS)
def test_an_error_leaves_outputs_untouched(loss):
    arrays = small(loss, np.float32, 200)
    rows = loss._evaluated(arrays, {}, None, None, "propagate", None).shape[0]
    weight = np.ones(rows)
    weight[2] = -1
    predictions = [array for array in arrays if array.dtype.kind == "f"]
    rooms = [np.full(array.shape, 7, np.float32) for array in predictions]
    out = np.full(rows, 7, np.float32)
    with pytest.raises(ValueError, match=r"sample_weight\[2\] is -1.0, must be finite and not negative"):
        loss.value_and_grad(*arrays, sample_weight=weight, reduction="none", out=out,
                            grad_out=rooms[0] if len(rooms) == 1 else tuple(rooms))  # fmt: skip
    assert all(np.all(room == 7) for room in (out, *rooms))


@named(DEFAULTS)
@pytest.mark.parametrize("size", [200, 20_000])
def test_threads_change_no_bit(loss, size):
    arrays = small(loss, np.float32, size)
    value, grads = loss.value_and_grad(*arrays, num_threads=1)
    for threads in (2, 5):
        again, others = loss.value_and_grad(*arrays, num_threads=threads)
        assert again == value
        for one, other in zip(tupled(grads), tupled(others), strict=True):
            assert_same_bits(other, one)


# Edges --------------------------------------------------------------------------------------------


@named(DEFAULTS)
def test_rows_of_zeros_have_finite_losses_and_gradient_zero(loss):
    arrays = [array.copy() for array in small(loss, np.float32, 200)]
    for array in arrays:
        if array.dtype.kind == "f":
            array[1] = 0
    value, grads = loss.value_and_grad(*arrays)
    assert np.isfinite(value)
    for grad in tupled(grads):
        assert np.all(np.isfinite(grad))
    if loss.unit:
        assert all(not np.any(grad[1]) for grad in tupled(grads) if np.ndim(grad))


@named([loss for loss in DEFAULTS if loss.unit])
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_norms_neither_overflow_nor_underflow(loss, scale):
    arrays = small(loss, np.float64, 200)
    value, grads = loss.value_and_grad(*arrays)
    scaled = [array * scale if array.dtype.kind == "f" else array for array in arrays]
    again, others = loss.value_and_grad(*scaled)
    assert again == pytest.approx(value, rel=1e-12)
    if scale > 1:
        assert_near(tuple(np.asarray(g) * (scale if np.ndim(g) else 1) for g in tupled(others)), grads, 1e-10)


@named([fl.NTXent(), fl.SupCon(), fl.NCA(), fl.InfoNCE(temperature=0.02), fl.InfoNCE(temperature=0.02, symmetric=True)])
def test_a_confident_right_answer_keeps_its_accuracy(loss):
    """Each belongs to a direction of its own, and cosines of other rows are negative."""
    left = np.array([[1.0, 0.01], [-1.0, 0.02]], np.float32)
    right = np.array([[1.0, 0.03], [-1.0, 0.01]], np.float32)
    arrays = ([0, 1, 0, 1], np.concatenate([left, right])) if isinstance(loss, LabelledLoss) else (left, right)
    value = loss(*arrays)
    wide = [np.asarray(array, np.float64) for array in arrays]
    assert 0 < value < 1
    assert value == pytest.approx(loss(*wide), rel=1e-4)


@named([fl.InfoNCE(temperature=0.001), fl.InfoNCE(temperature=0.001, symmetric=True), fl.NTXent(temperature=0.001),
        fl.SupCon(temperature=0.001), fl.NCA(softmax_scale=2000.0), fl.MultiSimilarity(beta=3000.0),
        fl.Circle(gamma=3000.0), fl.ProxyAnchor(alpha=3000.0), fl.SigmoidPairwise(temperature=0.001)])  # fmt: skip
def test_scores_of_any_size(loss):
    arrays = small(loss, np.float32, 200)
    value, grads = loss.value_and_grad(*arrays)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(grad)) for grad in tupled(grads))
    wide = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in arrays]
    assert value == pytest.approx(loss(*wide), rel=1e-3)


@named([fl.InfoNCE(), fl.NTXent(), fl.SupCon(), fl.NCA(), fl.MultiSimilarity(), fl.Circle(), fl.LiftedStructure()])
def test_rows_that_are_all_the_same(loss):
    rows = np.tile(np.array([[0.6, 0.8]], np.float32), (6, 1))
    arrays = ([0, 0, 1, 1, 2, 2], rows) if isinstance(loss, LabelledLoss) else (rows, rows)
    value, grads = loss.value_and_grad(*arrays)
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(grad)) for grad in tupled(grads))


@named(LABELLED)
def test_a_batch_of_one_class_and_one_of_none_alike(loss):
    embeddings = generator(loss).standard_normal((5, 3))
    if loss.needs_negatives:
        with pytest.warns(RuntimeWarning, match="no element counts"):
            assert np.isnan(loss(np.zeros(5, int), embeddings))
    else:
        assert np.isfinite(loss(np.zeros(5, int), embeddings))
    if loss.needs_positives:
        with pytest.warns(RuntimeWarning, match="no element counts"):
            value, grad = loss.value_and_grad(np.arange(5), embeddings)
        assert np.isnan(value)
        assert not np.any(grad)
    else:
        assert np.isfinite(loss(np.arange(5), embeddings))


@named([loss for loss in OF_ROWS if not isinstance(loss, LabelledLoss)])
def test_no_rows(loss):
    names = loss.signature.names
    arrays = [np.empty(0, int) if name == "y_true" else np.empty((0, 3)) for name in names if name[0] in "leqkaipy"]
    arrays = arrays[: len(small(loss))]
    with pytest.warns(RuntimeWarning, match="no element counts"):
        assert np.isnan(loss(*arrays))


def test_nan_in_an_embedding_comes_out():
    embeddings = np.ones((4, 2))
    embeddings[1, 0] = np.nan
    for loss in LABELLED:
        assert np.isnan(loss([0, 0, 1, 1], embeddings)), loss


# Errors -------------------------------------------------------------------------------------------


def test_what_is_refused():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    with pytest.raises(ValueError, match="InfoNCE: keys has 3 rows, must have at least 4, the first for queries"):
        fl.info_nce(a, b)
    with pytest.raises(ValueError, match="InfoNCE: keys has 4 rows, must have 3, one for each of queries"):
        fl.info_nce(b, a, symmetric=True)
    with pytest.raises(ValueError, match=r"InfoNCE: queries has shape \(2, 4, 3\), must have 2 axes"):
        fl.info_nce(np.stack([a, a]), a)
    with pytest.raises(ValueError, match=r"NTXent: y_true has shape \(3,\), must be \(4,\), as embeddings has shape"):
        fl.nt_xent([0, 1, 0], a)
    with pytest.raises(IndexError, match=r"ProxyNCA: y_true\[2\] is 3, must be a class from 0 to 2"):
        fl.proxy_nca([0, 1, 3, 1], a, b)
    with pytest.raises(IndexError, match=r"ProxyAnchor: y_true\[0\] is -1, must be a class from 0 to 2"):
        fl.proxy_anchor([-1, 1, 1, 1], a, b)
    with pytest.raises(ValueError, match="BarlowTwins: left has 1 rows, must have at least 2"):
        fl.barlow_twins(a[:1], a[:1])
    with pytest.raises(ValueError, match=r"InBatchSoftmax: item_ids\[1\] is nan, must be an integer"):
        fl.in_batch_softmax(a, a, item_ids=[0, np.nan, 1, 2])
    with pytest.raises(ValueError, match=r"InBatchSoftmax: log_q has shape \(3,\), must be \(4,\)"):
        fl.in_batch_softmax(a, a, log_q=np.zeros(3))
    with pytest.raises(ValueError, match="NTXent: there is no grad_and_hess"):
        fl.NTXent().grad_and_hess([0, 0, 1, 1], a)


# Other builds and libraries -----------------------------------------------------------------------

COMPUTE = """
import numpy as np, pickle
from tests.test_batches import EVERY, small
found = {{repr(loss): loss.value_and_grad(*small(loss, np.float32)) for loss in EVERY}}
pickle.dump(found, open({path!r}, "wb"))
"""


@pytest.mark.parametrize("build", ["baseline", "x86_64_v3"])
def test_builds_agree(build, tmp_path):
    from fastloss._core import isa

    if build not in isa.installed():
        pytest.skip(f"{build} is not built, or this processor does not run it")
    fresh(COMPUTE.format(path=str(tmp_path / "found")), FASTLOSS_ISA=build)
    found = pickle.loads((tmp_path / "found").read_bytes())
    for loss in EVERY:
        value, grads = loss.value_and_grad(*small(loss, np.float32))
        assert value == pytest.approx(found[repr(loss)][0], rel=2e-6), loss
        assert_near(grads, found[repr(loss)][1], 4e-6, repr(loss))


def torch_grads(call, *arrays):
    import torch

    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    value = call(*tensors)
    value.backward()
    return value.item(), tuple(tensor.grad.numpy() for tensor in tensors)


PML = {
    "NTXentLoss": (fl.NTXent(temperature=0.2), {"temperature": 0.2}),
    "SupConLoss": (fl.SupCon(temperature=0.2), {"temperature": 0.2}),
    "NCALoss": (fl.NCA(softmax_scale=3.0), {"softmax_scale": 3}),
    "MultiSimilarityLoss": (fl.MultiSimilarity(), {}),
    "CircleLoss": (fl.Circle(gamma=8.0), {"gamma": 8}),
    "GeneralizedLiftedStructureLoss": (fl.GeneralizedLiftedStructure(), {}),
    "LiftedStructureLoss": (fl.LiftedStructure(), {}),
    "AngularLoss": (fl.Angular(), {}),
}


@pytest.mark.parametrize("name", PML)
def test_labelled_batches_are_those_of_pytorch_metric_learning(name):
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    import torch

    ours, parameters = PML[name]
    labels, embeddings = some_classes(ours)
    if name == "AngularLoss":  # which takes negatives as they are
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    value, grad = ours.value_and_grad(labels, embeddings)
    wanted, (of_theirs,) = torch_grads(
        lambda e: getattr(theirs, name)(**parameters)(e, torch.tensor(labels)), embeddings
    )
    assert value == pytest.approx(wanted, rel=1e-9)
    if name != "AngularLoss":
        assert_near(grad, of_theirs, 1e-8)


def test_proxies_are_those_of_pytorch_metric_learning():
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    import torch

    rng = np.random.default_rng(0)
    labels, embeddings, proxies = rng.integers(0, 5, 20), rng.standard_normal((20, 4)), rng.standard_normal((6, 4))
    for ours, peer in (
        (fl.ProxyNCA(softmax_scale=3.0), theirs.ProxyNCALoss(6, 4, softmax_scale=3)),
        (fl.ProxyAnchor(), theirs.ProxyAnchorLoss(6, 4)),
    ):
        peer.proxies.data = torch.tensor(proxies)
        wanted, (of_embeddings,) = torch_grads(lambda e, peer=peer: peer(e, torch.tensor(labels)), embeddings)
        value, grads = ours.value_and_grad(labels, embeddings, proxies)
        assert value == pytest.approx(wanted, rel=1e-9)
        assert_near(grads, (of_embeddings, peer.proxies.grad.numpy()), 1e-9)


def test_n_pairs_and_vicreg_are_those_of_pytorch_metric_learning():
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    import torch

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((12, 4)), rng.standard_normal((12, 4))
    value, grads = fl.NPairs().value_and_grad(a, b)
    labels = torch.arange(12).repeat(2)
    wanted, (of_both,) = torch_grads(lambda e: theirs.NPairsLoss()(e, labels), np.concatenate([a, b]))
    assert value == pytest.approx(wanted, rel=1e-12)
    assert_near(np.concatenate(grads), of_both, 1e-12)
    value, grads = fl.VICReg().value_and_grad(a, b)
    wanted, of_both = torch_grads(lambda x, y: theirs.VICRegLoss()(x, ref_emb=y), a, b)
    assert value == pytest.approx(wanted, rel=1e-12)
    assert_near(grads, of_both, 1e-12)


@pytest.mark.parametrize("symmetric", [False, True])
def test_info_nce_is_clip_s_cross_entropy(symmetric):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    rng = np.random.default_rng(0)

    def clip(images, texts, temperature):
        scores = F.normalize(images) @ F.normalize(texts).T / temperature
        own = torch.arange(len(images))
        forth = F.cross_entropy(scores, own)
        return (forth + F.cross_entropy(scores.T, own)) / 2 if symmetric else forth

    arrays = rng.standard_normal((12, 4)), rng.standard_normal((12, 4)), np.array(0.3)
    wanted, of_theirs = torch_grads(clip, *arrays)
    value, grads = fl.InfoNCE(temperature=0.3, symmetric=symmetric).value_and_grad(*arrays[:2])
    assert value == pytest.approx(wanted, rel=1e-13)
    assert_near(grads, of_theirs, 1e-13)


def test_sigmoid_pairwise_is_siglip_s():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    rng = np.random.default_rng(0)

    def siglip(images, texts, temperature, bias):
        logits = F.normalize(images) @ F.normalize(texts).T / temperature + bias
        return -F.logsigmoid((2 * torch.eye(len(images)) - 1) * logits).sum() / len(images)

    arrays = rng.standard_normal((12, 4)), rng.standard_normal((12, 4)), np.array(0.3), np.array(-1.5)
    wanted, of_theirs = torch_grads(siglip, *arrays)
    value, grads = fl.SigmoidPairwise(temperature=0.3, bias=-1.5).value_and_grad(*arrays[:2])
    assert value == pytest.approx(wanted, rel=1e-13)
    assert_near(grads, of_theirs, 1e-13)


def test_nt_xent_is_optax_s():
    optax = pytest.importorskip("optax")
    labels, embeddings = some_classes(fl.NTXent(), dtype=np.float32)
    wanted = float(optax.losses.ntxent(embeddings, labels, temperature=0.2))
    assert fl.nt_xent(labels, embeddings, temperature=0.2) == pytest.approx(wanted, rel=1e-5)


def test_barlow_twins_is_its_authors():
    torch = pytest.importorskip("torch")

    def theirs(left, right):
        standard = torch.nn.BatchNorm1d(left.shape[1], affine=False).double()
        c = standard(left).T @ standard(right) / len(left)
        on = c.diagonal()
        return (on - 1).pow(2).sum() + 0.0051 * (c.pow(2).sum() - on.pow(2).sum())

    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((12, 4)), rng.standard_normal((12, 4))
    wanted, of_theirs = torch_grads(theirs, *arrays)
    value, grads = fl.BarlowTwins().value_and_grad(*arrays)
    assert value == pytest.approx(wanted, rel=1e-12)
    assert_near(grads, of_theirs, 1e-11)


# Miners -------------------------------------------------------------------------------------------


def brute_triplets(labels, embeddings):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distances = np.sqrt(np.maximum(2 - 2 * unit @ unit.T, 0))
    places = range(len(labels))
    for a in places:
        positives = [p for p in places if p != a and labels[p] == labels[a]]
        yield a, distances[a], positives, [n for n in places if labels[n] != labels[a]]


def test_hard_triplets_are_the_farthest_positive_and_the_nearest_negative():
    from fastloss.vectors.miners import hard_triplets

    labels, embeddings = some_classes(fl.NCA())
    wanted = [
        (a, max(positives, key=d.__getitem__), min(negatives, key=d.__getitem__))
        for a, d, positives, negatives in brute_triplets(labels, embeddings)
        if positives and negatives
    ]
    assert list(zip(*(indices.tolist() for indices in hard_triplets(labels, embeddings)), strict=True)) == wanted


@pytest.mark.parametrize("margin", [0.0, 0.1, 5.0])
def test_semi_hard_triplets_are_beyond_their_positive_within_a_margin(margin):
    from fastloss.vectors.miners import semi_hard_triplets

    labels, embeddings = some_classes(fl.NCA())
    wanted = []
    for a, d, positives, negatives in brute_triplets(labels, embeddings):
        for p in positives:
            chosen = [n for n in negatives if d[p] < d[n] <= d[p] + margin]
            if chosen:
                wanted.append((a, p, min(chosen, key=d.__getitem__)))
    found = semi_hard_triplets(labels, embeddings, margin)
    assert list(zip(*(indices.tolist() for indices in found), strict=True)) == wanted


def test_ties_of_triplets_go_to_the_first_and_missing_labels_have_none():
    from fastloss.vectors.miners import hard_triplets, semi_hard_triplets

    rows = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    for _ in range(2):
        found = hard_triplets([0, 0, 0, 1, 1, np.nan], rows)
        assert [indices.tolist() for indices in found] == [[0, 1, 2, 3, 4], [1, 0, 0, 4, 3], [3, 3, 3, 0, 0]]
    found = semi_hard_triplets([0, 0, 0, 1, 1, np.nan], rows, margin=2.0)
    assert found.negatives.tolist() == [3, 3, 3, 3, 3, 3, 0, 0]
    assert all(len(indices) == 0 for indices in hard_triplets([0, 0], rows[:2]))
    assert all(len(indices) == 0 for indices in hard_triplets([], np.empty((0, 2))))
    with pytest.raises(ValueError, match=r"hard_triplets: y_true has shape \(2,\), must be \(6,\)"):
        hard_triplets([0, 1], rows)
    with pytest.raises(ValueError, match="semi_hard_triplets: margin is -1, must be at least 0"):
        semi_hard_triplets([0] * 6, rows, margin=-1)


def test_triplets_of_several_blocks_are_those_of_one(monkeypatch):
    from fastloss.vectors import miners

    labels, embeddings = some_classes(fl.NCA())
    wanted = miners.hard_triplets(labels, embeddings), miners.semi_hard_triplets(labels, embeddings)
    monkeypatch.setattr(miners, "BLOCK", 50)
    found = miners.hard_triplets(labels, embeddings), miners.semi_hard_triplets(labels, embeddings)
    for mine, other in zip(itertools.chain(*found), itertools.chain(*wanted), strict=True):
        np.testing.assert_array_equal(mine, other)
