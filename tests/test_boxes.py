"""Losses of boxes: against NumPy, exact numbers, torchvision; any arrays, weights, threads; what is stated of edges."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from mpmath import mp, mpf

import fastloss as fl
from fastloss import registry
from fastloss._core.isa import installed
from fastloss._core.isa import isa as ISA
from fastloss.boxes.boxes import BoxLoss, _BoxLoss
from tests.exact import boxes as exact
from tests.inputs import draw_arrays
from tests.support import LAYOUTS, assert_same_bits, expected, expected_grad, fresh, generator

DEFAULTS = [cls() for cls in registry.values() if issubclass(cls, _BoxLoss)]
LOSSES = list(dict.fromkeys(type(loss)(**p) for loss in DEFAULTS for p in ({}, *type(loss).variants)))
OVERLAPS = [loss for loss in DEFAULTS if "eps" in loss.parameters()]
DTYPES = ("f2", "f4", "f8", ">f4", ">f8", "bfloat16")


@pytest.fixture(params=LOSSES, ids=repr)
def loss(request):
    return request.param


@pytest.fixture(params=DEFAULTS, ids=lambda loss: type(loss).__name__)
def default(request):
    return request.param


def pairs(loss, n, dtype=np.float64, *key):
    return draw_arrays(loss, n * loss.signature.columns, dtype, generator(loss, n, *key))


def type_of(name):
    if name == "bfloat16":
        return pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes").bfloat16
    return np.dtype(name)


# Values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 255, 256, 257, 1000])
def test_values_and_gradients_are_those_of_numpy(loss, n):
    y, x = pairs(loss, n)
    value, grad = loss.value_and_grad(y, x, reduction="none")
    want, want_grad = expected(loss, y, x), expected_grad(loss, y, x)
    np.testing.assert_allclose(value, want, rtol=1e-9, atol=1e-12)
    size = np.abs(want_grad).max(axis=-1, keepdims=True)
    assert (np.abs(grad - want_grad) <= 1e-8 * size + 1e-300).all()
    assert_same_bits(loss(y, x, reduction="none"), value)
    assert_same_bits(loss.grad(y, x, reduction="none"), grad)


def draw_exact(loss, rng):
    """Boxes that differ by little and by much, near the origin and far from it."""
    centre = rng.uniform(-50, 600, 2) * rng.choice([1, 1e-3, 30])
    size = np.exp(rng.uniform(-1, 4, 2))
    miss = rng.choice([1e-8, 1e-5, 1e-2, 0.3, 1.5])
    moved, grown = centre + miss * size * rng.normal(size=2), size * np.exp(min(miss, 1) * rng.normal(size=2))
    if loss.signature.columns == 5:
        angle = rng.uniform(-3, 3)
        other = angle + min(miss, 1) * rng.normal()
        if rng.random() < 0.3:  # the same box, its sides exchanged
            grown, other = grown[::-1], other + math.pi / 2
        return np.array([*centre, *size, angle]), np.array([*moved, *grown, other])
    form = {
        "xyxy": lambda c, s: [*(c - s / 2), *(c + s / 2)],
        "xywh": lambda c, s: [*(c - s / 2), *s],
        "cxcywh": lambda c, s: [*c, *s],
    }[loss.format]
    return np.array(form(centre, size)), np.array(form(moved, grown))


# Units in the last place of the loss, and of the largest derivative of a box: 7 and 40 are the most found in 20,000.
UNITS, SLOPES = 8, 64


def test_losses_are_exact(loss):
    rng, function = generator(loss, "exact"), getattr(exact, loss.function_name)
    parameters = {k: mpf(v) if type(v) is float else v for k, v in loss.parameters().items()}
    for _ in range(12):
        y, x = draw_exact(loss, rng)
        with mp.workdps(70):
            true, at = [mpf(float(v)) for v in y], [mpf(float(v)) for v in x]
            value = function(true, at, **parameters)
            found, grad = loss.value_and_grad(y, x, reduction="sum")
            if mp.isinf(value):
                assert found == math.inf
                continue
            # What decays exponentially has the roundings of its exponent.
            steep = 1 + (abs(mp.log(1 - value)) if loss.function_name in ("nwd", "prob_iou") else 0)
            assert abs(found - value) <= UNITS * 2.0**-53 * abs(value), (y, x, float(value))
            constant = {"constant": at} if loss.function_name in ("ciou", "wise_iou") else {}
            slopes = []
            for k in range(len(at)):
                step = [mpf(10) ** -25 * (j == k) for j in range(len(at))]
                high, low = ([v + s * d for v, d in zip(at, step, strict=True)] for s in (1, -1))
                difference = function(true, high, **parameters, **constant) - function(
                    true, low, **parameters, **constant
                )
                slopes.append(difference / (2 * mpf(10) ** -25))
            most = max(map(abs, slopes))
            for k, slope in enumerate(slopes):
                assert abs(mpf(float(grad[k])) - slope) <= SLOPES * steep * 2.0**-53 * most, (y, x, k, float(slope))


def test_float32_is_as_good_as_its_numbers(loss):
    y, x = pairs(loss, 2000, np.float32)
    value, grad = loss.value_and_grad(y, x, reduction="none")
    wide, wide_grad = loss.value_and_grad(y.astype(np.float64), x.astype(np.float64), reduction="none")
    assert value.dtype == grad.dtype == np.float32
    finite = np.isfinite(wide)
    np.testing.assert_allclose(value[finite], wide[finite], rtol=3e-6)
    size = np.abs(wide_grad).max(axis=-1, keepdims=True)
    # An overlap of a thousandth of the boxes has a thousandth of the digits.
    assert (np.abs(grad - wide_grad) <= 1e-5 * size + 1e-38)[wide < 3].mean() > 0.99


@pytest.mark.parametrize("name", ["generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"])
@pytest.mark.parametrize("ties", [False, True])
def test_torchvisions_gradients(name, ties):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its gradients are not compared")
    try:
        from torchvision import ops
    except (ImportError, RuntimeError):
        pytest.skip("torchvision is not installed for this PyTorch: its gradients are not compared")
    y, x = pairs(fl.GIoU(), 300)
    if ties:  # edges that meet
        y, x = np.round(y / 40) * 40, np.round(x / 40) * 40
        y[:, 2:], x[:, 2:] = np.maximum(y[:, 2:], y[:, :2] + 40), np.maximum(x[:, 2:], x[:, :2] + 40)
    at = torch.from_numpy(x).requires_grad_()
    value = getattr(ops, name)(at, torch.from_numpy(y), reduction="sum")
    value.backward()
    found, grad = registry[getattr(fl, name).__name__]().value_and_grad(y, x, reduction="sum")
    assert found == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(grad, at.grad.numpy(), rtol=1e-9, atol=1e-14)


# Arrays ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_type(default, dtype):
    dtype = type_of(dtype)
    y, x = (array.astype(np.float32).astype(dtype) for array in pairs(default, 600))
    value, grad = default.value_and_grad(y, x, reduction="none")
    narrow = dtype.itemsize < 8 if isinstance(dtype, np.dtype) else True
    assert value.dtype == (np.float32 if narrow else np.float64)
    assert grad.dtype == np.dtype(dtype).newbyteorder("=")
    assert grad.shape == x.shape
    compute = np.float32 if narrow else np.float64
    same, same_grad = default.value_and_grad(y.astype(compute), x.astype(compute), reduction="none")
    assert_same_bits(value, same)
    assert_same_bits(grad, same_grad.astype(np.dtype(dtype).newbyteorder("=")))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integer_targets(default, dtype):
    y, x = pairs(default, 300, np.float32)
    y = np.clip(y, 1, 100).astype(dtype)
    compute = np.float32 if np.dtype(dtype).itemsize < 4 else np.float64
    wide = default.value_and_grad(y.astype(compute), x.astype(compute), reduction="sum")
    value, grad = default.value_and_grad(y, x, reduction="sum")
    assert value == wide[0]
    assert_same_bits(grad, wide[1].astype(np.float32))


@pytest.mark.parametrize("name", LAYOUTS)
def test_any_layout(default, name):
    y, x = (array.reshape(15, 20, -1) for array in pairs(default, 300, np.float32))
    lay = LAYOUTS[name]
    want, want_grad = default.value_and_grad(y, x, reduction="none")
    for given in ((lay(y), x), (y, lay(x)), (lay(y), lay(x))):
        value, grad = default.value_and_grad(*given, reduction="none")
        assert_same_bits(value, want, name)
        assert_same_bits(grad, want_grad, name)
    out, room = lay(np.zeros((15, 20), np.float32)), lay(np.zeros_like(x))
    if out.flags.writeable:
        value, grad = default.value_and_grad(y, x, reduction="none", out=out, grad_out=room)
        assert value is out
        assert grad is room
        assert_same_bits(value.astype(np.float32), want, name)
        assert_same_bits(grad.astype(np.float32), want_grad, name)


def test_columns_that_lie_apart(default):
    """One array for each number: the last axis has the longest stride."""
    y, x = pairs(default, 700, np.float32)
    want = default.value_and_grad(y, x, reduction="none")
    found = default.value_and_grad(np.asfortranarray(y), np.asfortranarray(x), reduction="none")
    assert_same_bits(found[0], want[0])
    assert_same_bits(found[1], want[1])
    assert found[1].flags.f_contiguous


def test_one_box_and_none(default):
    y, x = pairs(default, 1)
    assert default(y[0], x[0]) == default(y, x)
    assert default.grad(y[0], x[0]).shape == x[0].shape
    with pytest.warns(RuntimeWarning, match="no element counts, the mean is NaN"):
        assert math.isnan(default(y[:0], x[:0]))
    assert default(y[:0], x[:0], reduction="sum") == 0
    assert default.grad(y[:0], x[:0]).shape == (0, x.shape[1])


def test_the_gradient_may_replace_the_predictions(default):
    y, x = pairs(default, 600, np.float32)
    want = default.grad(y, x)
    assert_same_bits(default.grad(y, x, grad_out=x), want)


# Weights, reductions, states ---------------------------------------------------------------------------


def weights(n, *key):
    rng = generator(n, *key)
    return rng.choice([0.0, 0.5, 2.0], n), rng.random(n) < 0.8


@pytest.mark.parametrize("weighted, masked", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("reduction", ["mean", "batch_mean", "sum", "none"])
def test_reductions(default, reduction, weighted, masked):
    y, x = pairs(default, 600)
    weight, mask = weights(600, "reduction")
    each, slopes = default.value_and_grad(y, x, reduction="none")
    w = (weight if weighted else np.ones(600)) * (mask if masked else 1)
    divisor = {"mean": w.sum(), "batch_mean": mask.sum() if masked else 600}.get(reduction, 1)
    options = {"sample_weight": weight if weighted else None, "mask": mask if masked else None, "reduction": reduction}
    y[w == 0], x[w == 0] = np.nan, np.inf  # what does not count is not looked at
    value, grad = default.value_and_grad(y, x, **options)
    want = w * np.where(w == 0, 0, each)
    np.testing.assert_allclose(value, want if reduction == "none" else want.sum() / divisor, rtol=1e-13)
    np.testing.assert_allclose(grad, w[:, None] * slopes / divisor, rtol=1e-12, atol=0)
    assert_same_bits(default.grad(y, x, **options), grad)
    np.testing.assert_array_equal(default(y, x, **options), value)


@pytest.mark.parametrize("policy", ["propagate", "omit", "raise"])
def test_missing_targets(default, policy):
    y, x = pairs(default, 300)
    y[17, 2] = y[200, 0] = np.nan
    if policy == "raise":
        with pytest.raises(ValueError, match=rf"^{type(default).__name__}: y_true\[17, 2\] is nan, must be a number"):
            default(y, x, nan_policy=policy)
    elif policy == "omit":
        kept = np.delete(np.arange(300), [17, 200])
        assert default(y, x, nan_policy=policy) == pytest.approx(default(y[kept], x[kept]), rel=1e-14)
        assert not default.grad(y, x, nan_policy=policy)[[17, 200]].any()
    else:
        grad = default.grad(y, x)
        assert np.isnan(grad[[17, 200]]).all()
        assert np.isfinite(np.delete(grad, [17, 200], axis=0)).all()
        assert math.isnan(default(y, x))


def test_a_missing_prediction_is_nan_there_alone(default):
    for k in range(default.signature.columns):
        y, x = pairs(default, 40)
        x[3, k] = np.nan
        value, grad = default.value_and_grad(y, x, reduction="none")
        assert np.isnan([value[3], *grad[3]]).all(), k
        assert np.isfinite(np.delete(value, 3)).all()
        assert np.isfinite(np.delete(grad, 3, axis=0)).all()


def test_states_merge_and_have_groups(default):
    y, x = pairs(default, 700, np.float32)
    weight, mask = weights(700, "states")
    options = {"sample_weight": weight, "mask": mask}
    whole = default.state(y, x, **options)
    halves = [default.state(y[k], x[k], sample_weight=weight[k], mask=mask[k]) for k in (slice(300), slice(300, None))]
    merged = halves[0] + halves[1]
    assert whole.mean == default(y, x, **options)
    assert merged.mean == pytest.approx(whole.mean, rel=1e-13)
    groups = np.arange(700) % 3
    for label, state in default.states(y, x, groups=groups, **options).items():
        k = groups == label
        assert state.mean == pytest.approx(default(y[k], x[k], sample_weight=weight[k], mask=mask[k]), rel=1e-6)


def test_every_number_of_threads_gives_the_same_bits(default):
    y, x = pairs(default, 5000, np.float32)
    weight, _ = weights(5000, "threads")
    want = default.value_and_grad(y, x, sample_weight=weight, num_threads=1)
    for threads in (2, 3, 8):
        value, grad = default.value_and_grad(y, x, sample_weight=weight, num_threads=threads)
        assert value == want[0]
        assert_same_bits(grad, want[1])


@pytest.mark.parametrize("build", [build for build in installed() if build != ISA])
def test_other_builds_agree(build):
    code = """
import numpy as np, sys
from tests.test_boxes import LOSSES, pairs
for loss in LOSSES:
    y, x = pairs(loss, 300, np.float32)
    value, grad = loss.value_and_grad(y, x)
    print(value, *(float(g) for g in grad[::50].ravel()))
"""
    found = [np.array(line.split(), float) for line in fresh(code, FASTLOSS_ISA=build).splitlines()]
    for loss, numbers in zip(LOSSES, found, strict=True):
        y, x = pairs(loss, 300, np.float32)
        value, grad = loss.value_and_grad(y, x)
        want = np.array([value, *grad[::50].ravel()])
        np.testing.assert_allclose(numbers, want, rtol=1e-5, atol=1e-5 * np.abs(want[1:]).max(), err_msg=repr(loss))


# Errors ---------------------------------------------------------------------------------------------


def test_shapes_that_do_not_fit(default):
    name, k = type(default).__name__, default.signature.columns
    y, x = pairs(default, 6)
    for given, message in (
        ((y, x[:, :3]), rf"{name}: y_pred has shape \(6, 3\), must have {k} numbers for each box, last"),
        ((y, x[0, 0]), rf"{name}: y_pred has shape \(\), must have {k} numbers"),
        ((y[:5], x), rf"{name}: y_true has shape \(5, {k}\), must match y_pred's \(6, {k}\)"),
    ):
        with pytest.raises(ValueError, match=message):
            default(*given)
    with pytest.raises(ValueError, match=rf"{name}: sample_weight has shape \(4,\), must have the boxes' \(6,\)"):
        default(y, x, sample_weight=np.ones(4))
    with pytest.raises(ValueError, match=rf"{name}: sample_weight\[2\] is -1.0, must be finite and not negative"):
        default(y, x, sample_weight=[1, 1, -1.0, 1, 1, 1])
    with pytest.raises(ValueError, match="there is no grad_and_hess, the Hessian is not diagonal"):
        default.grad_and_hess(y, x)


def test_outputs_are_untouched_by_an_error(default):
    y, x = pairs(default, 600)
    room, out = np.full_like(x, 7), np.full(600, 7.0)
    weight = np.ones(600)
    weight[599] = np.inf
    with pytest.raises(ValueError, match=r"sample_weight\[599\] is inf"):
        default.value_and_grad(y, x, sample_weight=weight, reduction="none", out=out, grad_out=room)
    assert (room == 7).all()
    assert (out == 7).all()


def test_a_format_must_be_known():
    with pytest.raises(ValueError, match=r"IoU: format is 'yxyx', must be one of 'xyxy', 'xywh', 'cxcywh'"):
        fl.IoU(format="yxyx")


# Formats --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [type(loss) for loss in DEFAULTS if isinstance(loss, BoxLoss)])
def test_formats_are_the_same_boxes(kind):
    y, x = (np.round(array) for array in pairs(kind(), 300))
    y, x = np.concatenate([y[:, :2], y[:, 2:] + 1], 1), np.concatenate([x[:, :2], x[:, 2:] + 1], 1)
    forms = {
        "xywh": lambda b: np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], 1),
        "cxcywh": lambda b: np.concatenate([(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]], 1),
    }
    want, grad = kind().value_and_grad(y, x, reduction="none")
    low, high = grad[:, :2], grad[:, 2:]
    slopes = {"xywh": (low + high, high), "cxcywh": (low + high, (high - low) / 2)}
    for name, form in forms.items():
        value, found = kind(format=name).value_and_grad(form(y), form(x), reduction="none")
        np.testing.assert_allclose(value, want, rtol=1e-12)
        np.testing.assert_allclose(found, np.concatenate(slopes[name], 1), rtol=1e-9, atol=1e-14)


# Edges ----------------------------------------------------------------------------------------------

POINT, LINE, BOX, FAR = [1, 1, 1, 1], [0, 0, 4, 0], [0, 0, 4, 2], [10, 20, 14, 22]


@pytest.mark.parametrize("box", [POINT, LINE, BOX], ids=["point", "line", "box"])
def test_identical_boxes_cost_nothing(box):
    for kind in (type(loss) for loss in OVERLAPS):
        value, grad = kind(eps=0.0).value_and_grad([box], [list(map(float, box))])
        assert value == 0, kind
        assert not grad.any(), kind
    assert fl.NWD()([box], [box]) == 0
    assert not fl.NWD().grad([box], [list(map(float, box))]).any()


@pytest.mark.parametrize("box", [[3, 4, 5, 2, 0.7], [3, 4, 0, 2, 0.7], [3, 4, 0, 0, 0.7]])
@pytest.mark.parametrize("kind", [fl.GWD, fl.KLD, fl.ProbIoU])
def test_identical_rotated_boxes_cost_nothing(kind, box):
    value, grad = kind().value_and_grad([box], [box])
    assert value == 0
    assert not grad.any()


@pytest.mark.parametrize("kind", [fl.GWD, fl.KLD, fl.ProbIoU])
def test_a_rotated_box_without_area_costs_the_most(kind):
    box, flat = [3.0, 4.0, 5.0, 2.0, 0.7], [3.0, 4.0, 0.0, 2.0, 0.7]
    for y, x in ((box, flat), (flat, box), (box, [3.0, 4.0, -5.0, 2.0, 0.7])):
        value, grad = kind().value_and_grad([y], [x])
        assert value == 1
        assert not grad.any()


@pytest.mark.parametrize("kind", [fl.GWD, fl.KLD, fl.ProbIoU])
def test_a_box_turned_by_a_right_angle_with_its_sides_exchanged_is_the_same(kind):
    y, x = [[3, 4, 5, 2, 0.7]], [[3.0, 4.0, 2.0, 5.0, 0.7 + math.pi / 2]]
    assert kind()(y, x) < 1e-15
    near = [[3.0 + 1e-9, 4.0, 2.0, 5.0, 0.7 + math.pi / 2]]
    assert kind()(y, near) == pytest.approx(kind()(y, [[3.0 + 1e-9, 4.0, 5.0, 2.0, 0.7]]), rel=1e-6)


def test_stated_values_of_boxes_that_do_not_meet():
    for kind in (fl.IoU, fl.AlphaIoU, fl.InnerIoU):
        for other in (FAR, [4.0, 0.0, 8.0, 2.0]):  # apart, and with an edge in common
            value, grad = kind(eps=0.0).value_and_grad([BOX], [list(map(float, other))])
            assert value == 1, kind
            assert not grad.any(), kind
    assert fl.LogIoU(eps=0.0)([BOX], [FAR]) == math.inf
    assert fl.LogIoU(eps=1.0)([BOX], [FAR]) == pytest.approx(math.log(17))
    assert fl.GIoU(eps=0.0)([BOX], [FAR]) == pytest.approx(1 + (14 * 22 - 16) / (14 * 22))
    # The gradient pulls them together.
    for kind in (fl.GIoU, fl.MPDIoU, fl.WiseIoU, fl.NWD):
        at = np.array([FAR], float)
        grad = kind().grad([BOX], at)
        assert (grad[0, :2] + grad[0, 2:] > 0).all(), kind


def test_points_that_differ():
    for kind in (type(loss) for loss in OVERLAPS):
        value, grad = kind(eps=0.0).value_and_grad([POINT], [[2.0, 2.0, 2.0, 2.0]])
        assert value >= 1, kind
        assert np.isfinite(grad).all(), kind
    assert fl.IoU(eps=0.0)([POINT], [[2, 2, 2, 2]]) == 1
    assert fl.IoU()([POINT], [POINT]) == 1  # as torchvision has it, with the default eps
    assert fl.DIoU(eps=0.0)([POINT], [[2, 2, 2, 2]]) == 2


def test_a_line_has_the_angle_of_its_direction():
    upright, flat = [[0, 0, 0, 2]], [[0.0, 0.0, 2.0, 0.0]]
    assert fl.CIoU(eps=0.0)(upright, flat) == pytest.approx(1 + 2 / 8 + 1 / 2)


@pytest.mark.parametrize("format", ["xyxy", "xywh", "cxcywh"])
def test_a_negative_side_counts_as_none_about_the_same_centre(format):
    y, bad, pinched = {
        "xyxy": ([0, 0, 4, 2], [3.0, 0.0, 1.0, 2.0], [2.0, 0.0, 2.0, 2.0]),
        "xywh": ([0, 0, 4, 2], [3.0, 0.0, -2.0, 2.0], [2.0, 0.0, 0.0, 2.0]),
        "cxcywh": ([2, 1, 4, 2], [2.0, 1.0, -2.0, 2.0], [2.0, 1.0, 0.0, 2.0]),
    }[format]
    for kind in [type(loss) for loss in DEFAULTS if isinstance(loss, BoxLoss)]:
        loss = kind(format=format)
        value, grad = loss.value_and_grad([y], [bad])
        assert value == loss([y], [pinched]), kind
        assert loss([bad], [y]) == loss([pinched], [y]), kind
        moved = {"xyxy": grad[0, 0] == grad[0, 2], "xywh": 2 * grad[0, 2] == grad[0, 0], "cxcywh": grad[0, 2] == 0}
        assert moved[format], kind


EXTREME = [0.0, -0.0, 1.0, -2.5, 1e-30, 1e-44, 3e-39, 1e19, -1e19, 1e30, -1e30, 3.4e38, -3.4e38, 7.0, 1e-3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_finite_box_is_nan(loss, dtype):
    rng = generator(loss, "extremes")
    numbers = np.array(EXTREME if dtype == np.float32 else [*EXTREME, 1e-300, 5e-324, 1e154, 1.7e308, -1.7e308], dtype)
    y, x = (rng.choice(numbers, (4000, loss.signature.columns)) for _ in range(2))
    value, grad = loss.value_and_grad(y, x, reduction="none")
    assert not np.isnan(value).any(), (y[np.isnan(value)][:1], x[np.isnan(value)][:1])
    wrong = np.isnan(grad).any(axis=-1)
    assert not wrong.any(), (y[wrong][:1], x[wrong][:1], grad[wrong][:1])
    assert (value >= 0).all()


@pytest.mark.parametrize("factor", [2.0**-60, 2.0**-20, 2.0**60, 2.0**90])
def test_the_unit_of_lengths_does_not_matter(factor):
    for loss in [type(one)(eps=0.0) for one in OVERLAPS if type(one) is not fl.MPDIoU] + [
        fl.ProbIoU(),
        fl.GWD(),
        fl.KLD(),
    ]:
        y, x = pairs(loss, 300, np.float32)
        by = np.array([factor] * 4 + [1.0] * (x.shape[1] - 4), np.float32)
        want, want_grad = loss.value_and_grad(y, x, reduction="none")
        value, grad = loss.value_and_grad(y * by, x * by, reduction="none")
        assert_same_bits(value, want, repr(loss))
        most = 1e-9 * np.abs(want_grad).max()
        np.testing.assert_allclose(grad * by.astype(float), want_grad, rtol=1e-5, atol=most, err_msg=repr(loss))


def test_losses_too_large_for_float32_have_a_mean():
    y, x = np.zeros((4, 4), np.float32), np.full((4, 4), 1e30, np.float32)
    loss = fl.MPDIoU(width=1.0, height=1.0)
    assert loss(y, x) == pytest.approx(2e60, rel=1e-6)
    assert np.isinf(loss(y, x, reduction="none")).all()
    np.testing.assert_allclose(loss.grad(y, x, reduction="none"), 1e30, rtol=1e-6)
    assert loss.state(y, x).mean == loss(y, x)


def test_infinite_boxes_do_no_harm_to_others(default):
    y, x = pairs(default, 40, np.float32)
    want, slopes = default.value_and_grad(y, x, reduction="none")
    x[3, 0] = np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, grad = default.value_and_grad(y, x, reduction="none")
    assert_same_bits(np.delete(value, 3), np.delete(want, 3))
    np.testing.assert_allclose(np.delete(grad, 3, axis=0), np.delete(slopes, 3, axis=0), rtol=1e-6)


def test_with_alpha_detached_the_value_is_the_same():
    y, x = pairs(fl.CIoU(), 100)
    whole = fl.CIoU(detach_alpha=False)
    assert whole(y, x) == fl.CIoU()(y, x)
    assert np.abs(whole.grad(y, x) - fl.CIoU().grad(y, x)).max() > 1e-6


def test_angles_are_periodic():
    for kind in (fl.GWD, fl.KLD, fl.ProbIoU):
        y, x = pairs(kind(), 100)
        turned = x + np.array([0, 0, 0, 0, 2 * math.pi])
        np.testing.assert_allclose(kind()(y, turned), kind()(y, x), rtol=1e-12)
        assert math.isfinite(kind()(y, x + np.array([0, 0, 0, 0, 1e300])))
