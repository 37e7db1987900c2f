"""Losses of regions: every option against the NumPy twins, what counts, what is refused, what merges, the same bits."""

from __future__ import annotations

import pickle
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from mpmath import mp, mpf

import fastloss as fl
from fastloss import registry
from fastloss._core.isa import installed
from fastloss.regions.regions import RegionState
from tests.exact import FORMULAS
from tests.inputs import family
from tests.inputs.regions import drawn
from tests.reference import twin
from tests.support import EVERY, IN_ORDER, LAYOUTS, assert_same_bits, fresh, generator

LOSSES = [loss for loss in EVERY if family(loss) == "regions"]
DEFAULTS = [loss for loss in (cls() for cls in registry.values()) if family(loss) == "regions"]
SUMMED = [loss for loss in LOSSES if not loss.sorted]
OF_IMAGES = [loss for loss in LOSSES if loss.groups in ("image", "image_class")]
OF_BATCH = [loss for loss in LOSSES if loss.groups in ("batch", "class")]
MODES = ("binary", "multiclass", "multilabel")
GROUPS = ("batch", "image", "class", "image_class")
DTYPES = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)


def of(losses):
    return pytest.mark.parametrize("loss", losses, ids=repr)


def arrays_of(loss, shape=(3, 5, 7), dtype=np.float64, key=0):
    return drawn(loss, shape, dtype, generator("regions", key))


def wide(arrays):
    return [array if array.dtype.kind == "i" else array.astype(np.float64) for array in arrays]


def spaced_images(arrays, index):
    """The same call of some images."""
    return [array[index] for array in arrays]


def close(actual, wanted, dtype=np.float64):
    rtol = {np.float64: 1e-12, np.float32: 4e-6}.get(dtype, 1e-2)
    scale = np.max(np.abs(wanted), initial=1e-30)
    np.testing.assert_allclose(np.asarray(actual, np.float64), wanted, rtol=rtol, atol=rtol * scale)


# Values and gradients ---------------------------------------------------------------------------------


@of(LOSSES)
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_values_and_gradients_are_those_of_the_twin(loss, dtype):
    arrays = arrays_of(loss, dtype=dtype)
    if loss.scores == "probabilities":
        arrays = (*arrays[:-1], np.minimum(arrays[-1], arrays[-1].dtype.type(0.99)))
    losses, grad = loss.value_and_grad(*arrays, reduction="none")
    close(losses, twin_value(loss, arrays), dtype)
    close(grad, twin_grad(loss, arrays), dtype)
    assert losses.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert grad.dtype == arrays[-1].dtype
    assert_same_bits(loss(*arrays, reduction="none"), losses, "value alone")
    assert_same_bits(loss.grad(*arrays, reduction="none"), grad, "gradient alone")


def twin_value(loss, arrays):
    with np.errstate(all="ignore"):
        return twin(loss)(*wide(arrays))


def twin_grad(loss, arrays):
    with np.errstate(all="ignore"):
        return twin(loss, "_grad")(*wide(arrays))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("empty", ["formula", "zero", "one", "mean", "skip"])
@pytest.mark.parametrize("cls", [fl.Dice, fl.Tversky, fl.SensitivitySpecificity, fl.Combo, fl.MCC])
def test_every_option_against_the_twin(cls, mode, groups, empty):
    for from_logits in (False, True):
        loss = cls(mode=mode, groups=groups, empty=empty, from_logits=from_logits)
        y, x = arrays_of(loss, (2, 3, 4))
        y[0][...] = 0
        if mode == "multiclass":
            y[y == 1] = 2
        losses, grad = loss.value_and_grad(y, x, reduction="none")
        close(losses, twin_value(loss, (y, x)))
        close(grad, twin_grad(loss, (y, x)))


@of([loss for loss in DEFAULTS if loss.function_name != "hausdorff_dt"])
def test_exact(loss):
    """One small region in 60 digits, with numerical derivatives."""
    parameters = {name: value for name, value in loss.parameters().items() if name not in ("axis", "mode", "groups")}
    formula = FORMULAS[loss.function_name]
    rng = generator("exact", loss)
    t = (rng.random(9) < 0.4).astype(float)
    t[0], t[1] = 1, 0
    p = rng.uniform(0.05, 0.95, 9)
    y, x = t[None], p[None]
    if loss.function_name == "lovasz_softmax":
        loss = replace(loss, class_weight=(0.0, 1.0))
        y, x = t[None].astype(int), np.stack([1 - p, p])[None]
    with mp.workdps(60):
        numbers = [mpf(v) for v in p]
        value = formula([mpf(v) for v in t], numbers, **parameters)

        def along(k):
            return lambda v: formula([mpf(a) for a in t], [*numbers[:k], v, *numbers[k + 1 :]], **parameters)

        grad = [float(mp.diff(along(k), numbers[k], h=mpf(10) ** -20)) for k in range(9)]
    got, got_grad = loss.value_and_grad(y, x)
    np.testing.assert_allclose(got, float(value), rtol=1e-14)
    np.testing.assert_allclose(got_grad[0, 1] if x.ndim == 3 else got_grad[0], grad, rtol=2e-13, atol=1e-15)


def test_exact_of_distances():
    rng = generator("distances")
    t, d, p = (rng.random(9) < 0.4).astype(float), rng.gamma(2.0, 1.0, 9), rng.random(9)
    with mp.workdps(60):
        value = FORMULAS["hausdorff_dt"](*([mpf(v) for v in array] for array in (t, d, p)))
    np.testing.assert_allclose(fl.HausdorffDT()(t[None], d[None], p[None]), float(value), rtol=1e-14)


@pytest.mark.parametrize("cls", [fl.Dice, fl.Jaccard, fl.Tversky, fl.MCC, fl.LogCoshDice])
@pytest.mark.parametrize("mode", ["binary", "multiclass"])
def test_confident_right_predictions_keep_their_relative_accuracy(cls, mode):
    loss = cls(mode=mode, from_logits=True, smooth=0.0)
    y = np.arange(64)[None] % 2
    x = np.where(y == 1, 21.0, -21.0)
    if mode == "multiclass":
        x = np.stack([-x / 2, x / 2], axis=1)
    close(np.float64(loss(y, x.astype(np.float32))), loss(y, x), np.float32)
    close(loss.grad(y, x.astype(np.float32)), loss.grad(y, x), np.float32)
    q = mpf(1) / (1 + mp.exp(21))
    if cls is fl.Dice:
        np.testing.assert_allclose(loss(y, x), float(q), rtol=1e-13)


@of([loss for loss in SUMMED if loss.mode == "multiclass" and loss.labels])
def test_labels_are_targets_of_each_class(loss):
    y, x = arrays_of(loss)
    dense = np.moveaxis(np.eye(3)[y], -1, 1)
    assert_same_bits(loss(y, x), loss(dense, x))
    assert_same_bits(loss.grad(y, x), loss.grad(dense, x))
    for dtype in (*np.typecodes["AllInteger"], np.float16, np.float32, np.float64):
        assert loss(y.astype(dtype), x) == loss(y, x), dtype


@of([loss for loss in LOSSES if loss.mode != "binary"])
def test_the_axis_of_classes_is_anywhere(loss):
    arrays = arrays_of(loss)
    value, grad = loss.value_and_grad(*arrays)
    for axis in (0, 1, 2, 3, -1):
        other = replace(loss, axis=axis)
        moved = [np.moveaxis(array, 1, axis) if array.ndim == 4 else array for array in arrays]
        got, got_grad = other.value_and_grad(*moved)
        close(got, value)
        close(np.moveaxis(got_grad, axis, 1), grad)


@of(LOSSES)
def test_one_class_and_one_element(loss):
    if loss.mode != "binary":
        loss = replace(loss, class_weight=None)
    arrays = [array[:, :1] if array.ndim == 4 else array for array in arrays_of(loss)]
    if loss.mode == "multiclass" and loss.labels:
        arrays[0][...] = 0
    with np.errstate(all="ignore"):
        assert np.isfinite(loss.grad(*arrays)).all()
        small = [array[:1, :1, :1, :1] if array.ndim == 4 else array[:1, :1, :1] for array in arrays]
        assert np.isfinite(loss.grad(*small)).all()


def test_elements_without_images():
    y, x = np.array([0, 1, 1]), np.array([0.25, 0.5, 1.0])
    assert fl.Dice(smooth=0.0)(y, x) == pytest.approx(1 - 3 / 3.75)
    assert fl.Dice(smooth=0.0)(1, 0.5) == pytest.approx(1 / 3)
    of_classes = fl.Dice(mode="multiclass", axis=0, smooth=0.0, groups="class")
    np.testing.assert_allclose(of_classes(1, [0.25, 0.75], reduction="none"), [1.0, 1 / 7])
    with pytest.raises(ValueError, match=r"^Dice: y_pred has shape \(2,\), must have an axis of images with 'image'"):
        fl.Dice(mode="multiclass", axis=0, groups="image")(1, [0.25, 0.75])


# What counts ------------------------------------------------------------------------------------------


def thrown_out(loss, y, x, kept):
    """The loss and gradient of what is kept, by the twin, of one image whose elements lie in one axis."""
    axis = (slice(None),) * (x.ndim - 1)
    grad = np.zeros_like(x)
    short = (y[..., kept], x[(*axis, kept)])
    grad[(*axis, kept)] = twin_grad(loss, short)
    return twin_value(loss, short), grad


@of([loss for loss in LOSSES if loss.function_name != "hausdorff_dt"])
def test_a_mask_takes_elements_out_of_all_sums(loss):
    y, x = arrays_of(loss, (1, 40))
    kept = generator("kept").random(40) < 0.7
    value, grad = thrown_out(loss, y, x, kept)
    x[..., ~kept] = np.nan
    got, got_grad = loss.value_and_grad(y, x, mask=kept[None], reduction="none")
    close(got, value)
    close(got_grad, grad)
    if not loss.sorted:
        assert_same_bits(loss(y, x, sample_weight=kept[None].astype(float), reduction="none"), got)


@of([loss for loss in LOSSES if "ignore_index" in loss.parameters()])
def test_what_is_ignored_leaves_all_sums(loss):
    y, x = arrays_of(loss, (1, 40))
    kept = generator("kept").random(40) < 0.7
    value, grad = thrown_out(loss, y, x, kept)
    y[..., ~kept] = 255
    got, got_grad = replace(loss, ignore_index=255).value_and_grad(y, x, reduction="none")
    close(got, value)
    close(got_grad, grad)


@of([loss for loss in SUMMED if loss.function_name != "hausdorff_dt"])
def test_weights_of_elements_are_repetitions(loss):
    y, x = arrays_of(loss, (1, 30))
    times = generator("times").integers(0, 4, 30)
    again = np.repeat(np.arange(30), times)
    got, grad = loss.value_and_grad(y, x, sample_weight=times[None], reduction="none")
    close(got, twin_value(loss, (y[..., again], x[..., again])))
    repeated = twin_grad(loss, (y[..., again], x[..., again]))
    summed = np.zeros_like(x)
    np.add.at(summed, (..., again), repeated)
    close(grad, summed)


@of(OF_IMAGES)
def test_weights_of_images_weight_their_losses(loss):
    arrays = arrays_of(loss, (4, 3, 5))
    weight = np.array([0.5, 0.0, 2.0, 1.0])
    arrays[-1][1] = np.nan
    losses, grad = loss.value_and_grad(*arrays, sample_weight=weight, reduction="none")
    each = [loss.value_and_grad(*spaced_images(arrays, slice(i, i + 1)), reduction="none") for i in (0, 2, 3)]
    for (one, one_grad), i in zip(each, (0, 2, 3), strict=True):
        close(losses[i], weight[i] * one[0])
        close(grad[i], weight[i] * one_grad[0])
    assert not losses[1].any()
    assert not grad[1].any()
    kept = weight > 0
    assert loss(*arrays, mask=kept) == pytest.approx(loss(*spaced_images(arrays, kept)), rel=1e-14)
    assert loss.state(*arrays, mask=kept).count == loss.state(*spaced_images(arrays, kept)).count


@of(OF_IMAGES)
def test_an_image_without_weight_may_hold_anything(loss):
    y, *further, x = arrays_of(loss)
    weight = np.array([1.0, 0.0, 2.0])
    wanted = loss.value_and_grad(y, *further, x, sample_weight=weight)
    y, x = y.copy(), x.copy()
    y[1], x[1] = 77, -7
    found = loss.value_and_grad(y, *further, x, sample_weight=weight)
    assert found[0] == wanted[0]
    assert_same_bits(found[1], wanted[1])


@of([loss for loss in OF_BATCH if not loss.sorted])
def test_weights_of_images_weight_their_elements_where_regions_are_of_all(loss):
    arrays = arrays_of(loss, (4, 3, 5))
    weight = np.array([0.5, 0.0, 2.0, 1.0])
    of_elements = np.broadcast_to(weight[:, None, None], (4, 3, 5))
    assert_same_bits(loss(*arrays, sample_weight=weight), loss(*arrays, sample_weight=of_elements))
    assert_same_bits(loss(*arrays, mask=weight > 0), loss(*arrays, mask=of_elements > 0))


@of(LOSSES)
def test_reductions(loss):
    arrays = arrays_of(loss)
    losses, grad = loss.value_and_grad(*arrays, reduction="none")
    state = loss.state(*arrays) if loss in OF_IMAGES else None
    weight = np.ones(losses.shape)
    if loss.class_weight is not None and loss.groups in ("class", "image_class"):
        weight = np.broadcast_to(loss.class_weight, losses.shape)
    divisors = {"sum": 1, "mean": weight.sum(), "batch_mean": (weight > 0).sum()}
    for reduction, divisor in divisors.items():
        value, of_value = loss.value_and_grad(*arrays, reduction=reduction)
        assert isinstance(value, float)
        assert value == pytest.approx(losses.sum() / divisor, rel=1e-6)
        close(of_value, grad / divisor)
    if state is not None:
        assert state.mean == pytest.approx(loss(*arrays), rel=1e-15)


@of(LOSSES)
def test_nothing_counts(loss):
    arrays = arrays_of(loss)
    nothing = np.zeros((3, 5, 7), bool)
    with pytest.warns(RuntimeWarning, match=f"{type(loss).__name__}: no element counts, the mean is NaN"):
        value, grad = loss.value_and_grad(*arrays, mask=nothing)
    assert np.isnan(value)
    assert not grad.any()
    assert not np.any(loss(*arrays, mask=nothing, reduction="none"))


@of(LOSSES)
def test_no_images(loss):
    arrays = [array[:0] for array in arrays_of(loss)]
    with pytest.warns(RuntimeWarning, match="no element counts"):
        assert np.isnan(loss(*arrays))
    assert loss(*arrays, reduction="sum") == 0
    assert loss.grad(*arrays).shape == arrays[-1].shape


@of([loss for loss in LOSSES if "empty" in loss.parameters() and loss.mode == "binary" and loss in OF_IMAGES])
def test_empty_masks_count_as_they_are_told(loss):
    y, x = arrays_of(loss)
    y[1] = 0
    for empty, wanted in (("zero", 0), ("one", 1)):
        told = replace(loss, empty=empty)
        losses, grad = told.value_and_grad(y, x, reduction="none")
        assert np.ravel(losses)[1] == wanted
        assert not grad[1].any()
        assert told.state(y, x).count == 3
    assert replace(loss, empty="skip").state(y, x).count == 2
    assert replace(loss, empty="skip")(y, x) == pytest.approx(np.ravel(losses)[[0, 2]].mean(), rel=1e-12)


SCORES = [cls() for cls in (fl.Dice, fl.Jaccard, fl.Tversky, fl.LogCoshDice, fl.FocalTversky, fl.GeneralizedDice)]


@of([*SCORES, fl.Dice(squared=True)])
def test_nothing_predicted_where_nothing_is(loss):
    y = x = np.zeros((2, 3))
    value, grad = loss.value_and_grad(y, x)
    assert value == 0
    assert not grad.any()
    assert loss(y, x + 0.5) == pytest.approx(1 if loss.function_name != "log_cosh_dice" else np.log(np.cosh(1)))
    assert loss(y + 1, x + 1) == 0
    assert np.isfinite(loss.grad(y + 1, x + 1)).all()


def monai_losses():
    """Losses of MONAI and ours of the same number, of logits and one-hot masks of (3, 3, 5, 7)."""
    monai = pytest.importorskip("monai.losses", reason="MONAI is not installed: its losses are not compared")
    options = {"mode": "multilabel", "from_logits": True, "smooth": 1e-5}
    each = {"groups": "image_class", **options}
    several = {"mode": "multiclass", "from_logits": True, "smooth": 1e-5}
    return [
        (monai.DiceLoss(sigmoid=True), fl.Dice(**each)),
        (monai.DiceLoss(sigmoid=True, squared_pred=True), fl.Dice(squared=True, **each)),
        (monai.DiceLoss(sigmoid=True, jaccard=True, smooth_nr=0, smooth_dr=0), fl.Jaccard(**each | {"smooth": 0.0})),
        (monai.DiceLoss(softmax=True, batch=True), fl.Dice(groups="class", **several)),
        (monai.TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7), fl.Tversky(alpha=0.3, beta=0.7, **each)),
        (monai.GeneralizedDiceLoss(softmax=True), fl.GeneralizedDice(groups="image", **several)),
        (monai.GeneralizedDiceLoss(sigmoid=True, w_type="simple", batch=True), fl.GeneralizedDice(power=1, **options)),
    ]


def test_numbers_of_monai():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: losses of MONAI are not compared")
    label, x = arrays_of(fl.Dice(mode="multiclass", from_logits=True))
    y = np.moveaxis(np.eye(3)[label], -1, 1).copy()
    for theirs, ours in monai_losses():
        logits = torch.from_numpy(x).requires_grad_()
        wanted = theirs(logits, torch.from_numpy(y))
        wanted.backward()
        value, grad = ours.value_and_grad(y, x)
        assert value == pytest.approx(wanted.item(), rel=1e-9), theirs
        close(grad, logits.grad.numpy(), np.float32)


def test_degenerate_tables_have_no_correlation():
    for y, x in ((0, 0), (1, 1), (1, 0), (0, 1)):
        value, grad = fl.MCC(smooth=0.0).value_and_grad(np.full((1, 4), y), np.full((1, 4), float(x)))
        assert value == 1
        assert not grad.any()
    y = np.array([[1, 0, 1, 0]])
    assert fl.MCC(smooth=0.0)(y, y.astype(float)) == 0
    assert fl.MCC(smooth=0.0)(y, 1.0 - y) == 2


def test_lovasz_without_foreground():
    x = np.array([[0.5, -2.0, 3.0]])
    value, grad = fl.LovaszHinge().value_and_grad(np.zeros((1, 3), int), x)
    assert value == 4
    np.testing.assert_array_equal(grad, [[0, 0, 1]])
    p = np.array([[[0.75, 0.5], [0.25, 0.5]]])
    assert fl.LovaszSoftmax()([[0, 0]], p) == pytest.approx(0.5 * 0.5 + 0.25 * 0.5)
    assert fl.LovaszSoftmax(empty="formula")([[0, 0]], p) == pytest.approx((0.375 + 0.5) / 2)


def test_equal_errors_come_in_the_order_of_their_elements():
    y = np.array([[1, 0, 1, 0]])
    value, grad = fl.LovaszHinge().value_and_grad(y, np.zeros((1, 4)))
    assert value == pytest.approx(1)
    np.testing.assert_allclose(grad, [[-1 / 2, 1 / 6, -1 / 3, 0]], rtol=1e-15)


@of([loss for loss in LOSSES if loss.scores in ("logits", "scores")])
def test_infinite_logits(loss):
    arrays = arrays_of(loss, dtype=np.float32)
    x = arrays[-1]
    x[0, ..., 0, 0] = np.inf if loss.mode == "binary" else [np.inf, -np.inf, 1.0]
    grad = loss.grad(*arrays)
    if not loss.sorted and loss.function_name != "combo":
        assert np.isfinite(loss(*arrays))
        assert np.isfinite(grad).all()
        assert not grad[np.isinf(x)].any()
    far = [*arrays[:-1], 1e30 * np.sign(x)]
    assert np.isfinite(loss.grad(*far)).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_nan_that_does_not_count_leaves_no_trace(mode):
    loss = fl.Combo(mode=mode, groups="class", from_logits=True)
    y, x = arrays_of(loss)
    keep = np.arange(3) > 0
    wanted = loss.value_and_grad(y, x, mask=keep)
    x = x.copy()
    x[0] = np.nan
    for _ in range(3):
        assert_same_bits(loss.grad(y, x, mask=keep, num_threads=1), wanted[1])
        assert_same_bits(loss.value_and_grad(y, x, mask=keep, num_threads=1)[1], wanted[1])


@of(OF_IMAGES)
def test_a_nan_makes_its_image_nan_and_no_other(loss):
    arrays = arrays_of(loss)
    clean, clean_grad = loss.value_and_grad(*arrays, reduction="none")
    arrays[-1][1, ..., 2, 2] = np.nan
    losses, grad = loss.value_and_grad(*arrays, reduction="none")
    assert np.isnan(np.ravel(losses[1])[0])
    assert np.isnan(np.ravel(grad[1])[0])
    for i in (0, 2):
        assert_same_bits(losses[i], clean[i])
        assert_same_bits(grad[i], clean_grad[i])


@pytest.mark.parametrize("loss", [fl.Dice(groups="image"), fl.Dice(mode="multiclass", groups="image"),
                                  fl.LovaszHinge(groups="image_class")], ids=repr)  # fmt: skip
def test_missing_targets(loss):
    y, x = arrays_of(loss)
    y = y.astype(float)
    y[1, 2, 2] = np.nan
    kept = ~np.isnan(y)
    assert np.isnan(np.ravel(loss(y, x, reduction="none"))[1])
    assert_same_bits(loss(y, x, nan_policy="omit"), loss(np.nan_to_num(y), x, mask=kept))
    with pytest.raises(ValueError, match=r"y_true\[1, 2, 2\] is nan, must be a number with nan_policy='raise'"):
        loss(y, x, nan_policy="raise")


# States -------------------------------------------------------------------------------------------------


@of([loss for loss in OF_BATCH if not loss.sorted])
def test_states_of_parts_merge_to_the_loss_of_all(loss):
    arrays = arrays_of(loss, (6, 5, 7))
    parts = [loss.state(*spaced_images(arrays, slice(i, i + 2))) for i in (0, 2, 4)]
    whole = RegionState.merge(parts)
    assert whole.mean == pytest.approx(loss(*arrays), rel=1e-13)
    assert sum(parts) == whole
    assert loss.state(*arrays).mean == pytest.approx(loss(*arrays), rel=1e-15)
    assert pickle.loads(pickle.dumps(whole)) == whole
    losses = loss(*arrays, reduction="none")
    if loss.class_weight is None:
        close(np.ravel(whole.losses), np.ravel(losses))
    by_group = loss.states(*arrays, groups=["b", "a", "b", "a", "a", "b"])
    assert list(by_group) == ["a", "b"]
    assert by_group["a"].mean == pytest.approx(loss(*spaced_images(arrays, [1, 3, 4])), rel=1e-13)


@of(OF_IMAGES)
def test_states_of_images_are_those_of_their_losses(loss):
    arrays = arrays_of(loss, (6, 5, 7))
    parts = [loss.state(*spaced_images(arrays, slice(i, i + 2))) for i in (0, 2, 4)]
    assert sum(parts).mean == pytest.approx(loss(*arrays), rel=1e-13)
    by_group = loss.states(*arrays, groups=["b", "a", "b", "a", "a", "b"])
    assert by_group["b"].mean == pytest.approx(loss(*spaced_images(arrays, [0, 2, 5])), rel=1e-13)


def test_states_that_do_not_merge_are_refused():
    y, x = arrays_of(fl.LovaszHinge())
    with pytest.raises(ValueError, match=r"^LovaszHinge: there is no state with groups='class'"):
        fl.LovaszHinge().state(y, x)
    loss = fl.Dice()
    with pytest.raises(ValueError, match=r"^RegionState: a state of Dice.* is added to one of Dice"):
        loss.state(y, x / 10 % 1) + fl.Dice(smooth=1.0).state(y, x / 10 % 1)
    with pytest.raises(ValueError, match=r"^RegionState: there is no state to merge"):
        RegionState.merge([])


# Arrays ---------------------------------------------------------------------------------------------------


@of(LOSSES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(loss, layout):
    arrays = arrays_of(loss, dtype=np.float32)
    value, grad = loss.value_and_grad(*arrays)
    lain = [LAYOUTS[layout](array) for array in arrays]
    got, got_grad = loss.value_and_grad(*lain)
    if layout in IN_ORDER:
        assert got == value
        assert_same_bits(got_grad.astype(np.float32), grad, layout)
    else:
        close(np.float64(got), value, np.float32)
        close(got_grad, grad.astype(np.float64), np.float32)


@of(LOSSES)
def test_outputs(loss):
    arrays = arrays_of(loss, dtype=np.float32)
    losses, grad = loss.value_and_grad(*arrays, reduction="none")
    for dtype in DTYPES:
        out, grad_out = np.empty(losses.shape, dtype), np.asfortranarray(np.empty(grad.shape, dtype))
        got, got_grad = loss.value_and_grad(*arrays, reduction="none", out=out, grad_out=grad_out)
        assert got is out
        assert got_grad is grad_out
        close(out, losses.astype(np.float64), np.float32 if dtype is np.float64 else dtype)
        close(grad_out, grad.astype(np.float64), np.float32 if dtype is np.float64 else dtype)
    in_place = [array.copy() for array in arrays]
    loss.value_and_grad(*in_place, reduction="none", grad_out=in_place[-1])
    assert_same_bits(in_place[-1], grad)


@of(LOSSES)
def test_the_same_bits_for_any_number_of_threads(loss):
    arrays = arrays_of(loss, (9, 90, 110), np.float32)
    kept = generator("kept").random((9, 90, 110)) < 0.9
    for options in ({}, {"mask": kept}):
        results = [loss.value_and_grad(*arrays, num_threads=n, **options) for n in (1, 2, 3, 7)]
        for value, grad in results[1:]:
            assert value == results[0][0]
            assert_same_bits(grad, results[0][1])


@of(LOSSES)
def test_the_team_and_single_threads_agree(loss):
    """One image for each thread, or all threads on an image: the same bits, and those of an image alone."""
    arrays = arrays_of(loss, (9, 60, 61), np.float32)
    losses, grad = loss.value_and_grad(*arrays, num_threads=2, reduction="none")
    again, grad_again = loss.value_and_grad(*arrays, num_threads=8, reduction="none")
    assert_same_bits(again, losses)
    assert_same_bits(grad_again, grad)
    if loss in OF_IMAGES:
        one, one_grad = loss.value_and_grad(*spaced_images(arrays, slice(4, 5)), reduction="none")
        assert_same_bits(losses[4:5], one)
        assert_same_bits(grad[4:5], one_grad)


def test_many_classes_and_chunks():
    loss = fl.Dice(mode="multiclass", from_logits=True, groups="image_class")
    rng = generator("many")
    for shape in ((2, 150, 40, 41), (3, 2, 200, 300), (1, 1200, 3, 3)):
        x, y = rng.standard_normal(shape), rng.integers(0, shape[1], (shape[0], *shape[2:]))
        losses, grad = loss.value_and_grad(y, x, reduction="none")
        close(losses, twin_value(loss, (y, x)))
        close(grad, twin_grad(loss, (y, x)))


@pytest.mark.parametrize("isa", installed())
def test_every_build(isa):
    code = (
        "import fastloss as fl, numpy as np; from tests.test_regions import *\n"
        "for loss in LOSSES:\n"
        "    arrays = arrays_of(loss, dtype=np.float32)\n"
        "    losses, grad = loss.value_and_grad(*arrays, reduction='none')\n"
        "    close(losses, twin_value(loss, arrays), np.float32); close(grad, twin_grad(loss, arrays), np.float32)\n"
        "print('done')"
    )
    assert "done" in fresh(code, FASTLOSS_ISA=isa)


# What is refused ------------------------------------------------------------------------------------------


def refused(loss, y, x, error, match, **options):
    with pytest.raises(error, match=match):
        loss(y, x, **options)
    grad = np.full(np.shape(x), 7.0)
    with pytest.raises(error, match=match):
        loss.value_and_grad(y, x, grad_out=grad, **options)
    assert (grad == 7).all(), "an error left its mark"


def test_bad_elements_are_named():
    y, x = arrays_of(fl.Dice(), (2, 3, 4))
    bad = y.copy()
    bad[1, 2, 3] = 255
    refused(fl.Dice(), bad, x, ValueError, r"^Dice: y_true\[1, 2, 3\] is 255.0, must be in \[0, 1\]$")
    refused(fl.LovaszHinge(), bad, x, ValueError, r"^LovaszHinge: y_true\[1, 2, 3\] is 255.0, must be 0 or 1$")
    refused(fl.Dice(ignore_index=9), bad, x, ValueError, r"must be in \[0, 1\], or the ignored 9$")
    bad = x.copy()
    bad[0, 1, 2] = 1.5
    rule = r"^Dice: y_pred\[0, 1, 2\] is 1.5, must be in \[0, 1\]; of logits with from_logits=True$"
    refused(fl.Dice(), y, bad, ValueError, rule)
    refused(fl.Dice(groups="image"), y, bad, ValueError, rule)
    refused(fl.Dice(groups="image"), np.asfortranarray(y), np.asfortranarray(bad), ValueError, rule)
    weight = np.ones((2, 3, 4))
    weight[1, 0, 1] = -1
    refused(
        fl.Dice(), y, x, ValueError, r"^Dice: sample_weight\[1, 0, 1\] is -1.0, must be finite", sample_weight=weight
    )
    weight = np.array([1.0, np.inf])
    refused(fl.Dice(groups="image"), y, x, ValueError, r"^Dice: sample_weight\[1\] is inf", sample_weight=weight)


def test_bad_labels_are_named():
    loss = fl.Dice(mode="multiclass", from_logits=True)
    y, x = arrays_of(loss, (2, 3, 4))
    for wrong in (3, -1, -(2**40)):
        bad = y.copy()
        bad[1, 2, 0] = wrong
        refused(loss, bad, x, IndexError, rf"^Dice: y_true\[1, 2, 0\] is {wrong}, must be a class from 0 to 2$")
        refused(loss, np.asfortranarray(bad), x, IndexError, rf"^Dice: y_true\[1, 2, 0\] is {wrong}")
    refused(loss, y + 0.5, x, ValueError, r"^Dice: y_true\[0, 0, 0\] is .*, must be a class from 0 to 2$")
    dense = np.moveaxis(np.eye(3)[y], -1, 1)
    dense[1, 2, 0, 3] = 2
    refused(loss, dense, x, ValueError, r"^Dice: y_true\[1, 2, 0, 3\] is 2.0, must be in \[0, 1\]$")


def test_shapes_and_types_are_refused():
    loss = fl.Dice(mode="multiclass", from_logits=True)
    y, x = arrays_of(loss, (2, 3, 4))
    refused(loss, y[:1], x, ValueError, r"^Dice: y_true has shape \(1, 3, 4\), must have y_pred's \(2, 3, 4\) for")
    refused(fl.Dice(), y, x, ValueError, r"^Dice: y_true has shape \(2, 3, 4\), must have y_pred's \(2, 3, 3, 4\)$")
    refused(replace(loss, axis=4), y, x, ValueError, r"^Dice: y_pred has shape .*, must have the class axis 4$")
    refused(replace(loss, class_weight=(1, 2)), y, x, ValueError, r"^Dice: class_weight has 2 numbers, .* 3 classes")
    refused(loss, x, y[:, None], ValueError, "did you swap y_true and y_pred")
    refused(loss, y, x, ValueError, r"^Dice: mask has shape \(3,\), must have the elements' \(2, 3, 4\) or \(2,\)",
            mask=np.ones(3, bool))  # fmt: skip
    refused(loss, y, x, TypeError, "Dice: mask has dtype int64, must be bool", mask=np.ones(2, int))
    with pytest.raises(ValueError, match=r"^LovaszHinge: sample_weight has shape .*, must be one for each image"):
        fl.LovaszHinge()(y > 0, x[:, 0], sample_weight=np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="Dice: there is no grad_and_hess, the Hessian is not diagonal"):
        loss.grad_and_hess(y, x)
    with pytest.raises(ValueError, match=r"^HausdorffDT: distance\[0, 1, 1\] is -1.0, must be at least 0$"):
        fl.HausdorffDT()(np.ones((1, 2, 2)), np.array([[[0.0, 1.0], [2.0, -1.0]]]), np.full((1, 2, 2), 0.5))
    with pytest.raises(ValueError, match=r"^HausdorffDT: distance has shape \(1, 2\), must have y_pred's \(1, 3\)$"):
        fl.HausdorffDT()(np.ones((1, 3)), np.ones((1, 2)), np.full((1, 3), 0.5))
