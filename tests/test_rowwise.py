"""Every rowwise loss: against its twin and mpmath, in every layout and type, with every option and any threads."""

import math
import pickle
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from mpmath import mpf

import fastloss as fl
from fastloss._core.loss import RAW
from tests.exact import ExactRow
from tests.inputs import draw_rows
from tests.reference import twin
from tests.support import IN_ORDER, ROW_LOSSES, assert_same_bits, generator

DEFAULTS = [loss for loss in ROW_LOSSES if loss == type(loss)()]
WIDTHS = [1, 2, 3, 10, 63, 64, 65, 127, 160, 200, 1100]


def kinds(loss):
    """Whether the targets are dense: both ways where the loss takes both."""
    return [False] * loss.signature.labels + [True] * loss.signature.dense


def forms(losses):
    return [
        pytest.param(loss, dense, id=f"{loss!r}-{'dense' if dense else 'labels'}")
        for loss in losses
        for dense in kinds(loss)
    ]


every_form = pytest.mark.parametrize("loss, dense", forms(ROW_LOSSES))
default_forms = pytest.mark.parametrize("loss, dense", forms(DEFAULTS))


def close(actual, wanted, dtype, scale=None):
    """Within a few hundred roundings of the largest entry, or of `scale`."""
    wanted = np.asarray(wanted, np.float64)
    scale = np.abs(wanted).max(initial=1e-3) if scale is None else scale
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=300 * np.finfo(dtype).eps * scale)


# Values -------------------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("classes", WIDTHS)
def test_value_and_gradient_are_the_twins(loss, dense, classes, wide):
    y, x = draw_rows(loss, 67 if classes < 300 else 5, classes, wide, generator(repr(loss), classes), dense=dense)
    target, scores = (y.astype(np.float64) if dense else y), x.astype(np.float64)
    with np.errstate(all="ignore"):
        value, grad = twin(loss)(target, scores), twin(loss, "_grad")(target, scores)
    close(loss(y, x, reduction="none"), value, wide, max(1, np.abs(value).max(), np.abs(scores).max()))
    close(loss.grad(y, x, reduction="sum"), grad, wide, max(1, np.abs(grad).max()))
    both = loss.value_and_grad(y, x, reduction="none")
    assert_same_bits(both[0], loss(y, x, reduction="none"))
    assert_same_bits(both[1], loss.grad(y, x, reduction="sum"))


@pytest.mark.parametrize("loss, dense", [form for form in forms(ROW_LOSSES) if form.values[0].curvature])
def test_curvature_is_the_difference_of_gradients(loss, dense):
    if "hessian" in loss.parameters():
        loss = replace(loss, hessian="exact")
    y, x = draw_rows(loss, 9, 6, np.float64, generator(repr(loss)), dense=dense)
    grad, hess = loss.grad_and_hess(y, x, reduction="none")
    assert_same_bits(grad, loss.grad(y, x, reduction="none"))
    for k in range(6):
        step = 1e-6 * np.eye(6)[k]
        wanted = (loss.grad(y, x + step, reduction="none") - loss.grad(y, x - step, reduction="none"))[:, k] / 2e-6
        np.testing.assert_allclose(hess[:, k], wanted, rtol=1e-5, atol=1e-6)


# The largest errors of 800 rows as below, in any build of the kernels: of a value in units in the last place, or in
# roundoffs of the absolute terms that it is a difference of; of a row's derivatives in roundoffs of the largest of
# them or of such terms.
MEASURED = {np.float32: 2.8, np.float64: 3.7}
MARGIN = 1.3  # over what was measured

# Where a loss needs more.
EXCEPTIONS = {
    # Differences of logits are rounded before their exponential, here by half a unit of a hundred.
    ("cross_entropy", "dense", np.float32, "value"): 17.4,
    ("forward_kl", "dense", np.float32, "value"): 29.2,
    ("reverse_kl", "dense", np.float32, "value"): 21.7,
    ("reverse_kl", "dense", np.float64, "value"): 14.8,
    ("jensen_shannon", "dense", np.float32, "value"): 4.7,
    ("distillation", "dense", np.float32, "value"): 7.1,
    ("distillation", "dense", np.float64, "value"): 5.0,
    ("distribution_focal_loss", "labels", np.float32, "value"): 19.0,
    ("distribution_focal_loss", "labels", np.float32, "grad"): 13.0,
    ("multiclass_brier", "labels", np.float32, "value"): 27.6,
    ("softmax_entropy", "labels", np.float32, "value"): 53.6,
    ("softmax_entropy", "labels", np.float32, "grad"): 27.5,
    # The scale of 64 multiplies the rounding of a logit.
    ("arc_face", "labels", np.float64, "grad"): 35.0,
    ("cos_face", "labels", np.float64, "grad"): 32.7,
    # A softcap and two further terms.
    ("cross_entropy", "labels", np.float32, "value"): 3.2,
    ("cross_entropy", "labels", np.float64, "value"): 5.0,
    # A softcap rounds logits that are nearly equal.
    ("softmax_entropy", "labels", np.float64, "value"): 12.3,
    ("softmax_entropy", "labels", np.float64, "grad"): 13.2,
    # Differences of probabilities; terms are not allowed for, so that a confident right answer is measured by itself.
    ("multiclass_brier", "labels", np.float32, "grad"): 31.5,
    ("multiclass_brier", "labels", np.float64, "grad"): 28.7,
    ("multiclass_brier", "labels", np.float64, "value"): 4.2,
    ("multiclass_brier", "dense", np.float32, "value"): 5.0,
    ("multiclass_brier", "dense", np.float64, "value"): 11.1,
    # The power multiplies the rounding of 1 - q.
    ("softmax_focal", "labels", np.float32, "grad"): 4.6,
    ("softmax_focal", "labels", np.float64, "grad"): 8.5,
}


def ulps(got, exact, dtype):
    info = np.finfo(dtype)
    exponent = max(math.frexp(float(exact))[1] - 1, info.minexp) if exact else info.minexp
    return float(abs(mpf(float(got)) - exact) / mpf(2) ** (exponent - info.nmant))


@every_form
def test_values_are_those_of_mpmath(loss, dense, wide):
    exact, info, rows = ExactRow(loss), np.finfo(wide), 24
    y, x = draw_rows(loss, rows, 5, wide, generator(repr(loss)), dense=dense)
    if loss.scores in RAW:
        x *= np.resize(np.array([1, 1, 4, 12], wide), (rows, 1))
    value, grad = loss.value_and_grad(y, x, reduction="none")
    least = 32 * float(info.tiny)  # less has underflowed on the way
    form = loss.function_name, "dense" if dense else "labels", wide.type
    most = {what: MARGIN * EXCEPTIONS.get((*form, what), MEASURED[wide.type]) for what in ("value", "grad")}
    for i in range(rows):
        target = y[i] if dense else int(y[i])
        true, slopes = exact.value(target, x[i]), exact.gradient(target, x[i])

        def near(what, error, size, target=target, row=x[i]):
            allowed = most[what] * float(info.eps)
            return error <= least + allowed * size or error <= least + allowed * exact.terms(what, target, row)

        error = abs(mpf(float(value[i])) - true)
        assert ulps(value[i], true, wide) <= most["value"] or near("value", error, 0), (y[i], x[i], float(true))
        error = max(abs(mpf(float(g)) - slope) for g, slope in zip(grad[i], slopes, strict=True))
        assert near("grad", error, max(map(abs, slopes))), (y[i], x[i], grad[i], [*map(float, slopes)])


# Layouts and types --------------------------------------------------------------------------------


@default_forms
@pytest.mark.parametrize("classes", [7, 300])
@pytest.mark.parametrize("layout", IN_ORDER)
def test_any_layout_gives_the_same_bits(loss, dense, classes, layout):
    change = IN_ORDER[layout]
    y, x = draw_rows(loss, 70, classes, np.float32, generator(layout), dense=dense)
    value, grad = loss.value_and_grad(y, x)
    other, moved = loss.value_and_grad(change(y), change(x))
    assert value == other
    assert_same_bits(np.asarray(moved, np.float32), grad)


@default_forms
@pytest.mark.parametrize("classes", [7, 300])
def test_the_class_axis_may_be_anywhere(loss, dense, classes):
    rng = generator(classes)
    y, x = draw_rows(loss, 24, classes, np.float64, rng, dense=dense)
    wanted = loss.value_and_grad(y, x, reduction="none")
    cube = x.reshape(4, 6, classes)
    for axis in (0, 1, 2):
        moved = np.moveaxis(cube, -1, axis)
        target = np.moveaxis(y.reshape(4, 6, classes), -1, axis) if dense else y.reshape(4, 6)
        for lay in (lambda a: a, np.ascontiguousarray, np.asfortranarray):
            there = replace(loss, axis=axis)
            value, grad = there.value_and_grad(lay(target), lay(moved), reduction="none")
            np.testing.assert_allclose(value.ravel(), wanted[0], rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(np.moveaxis(grad, axis, -1).reshape(24, -1), wanted[1], rtol=1e-11, atol=1e-13)


@default_forms
@pytest.mark.parametrize("narrow", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_sixteen_bits_are_computed_in_thirty_two(loss, dense, narrow):
    y, x = draw_rows(loss, 70, 33, np.float32, generator(str(narrow)), dense=dense)
    x = x.astype(narrow)
    wide = x.astype(np.float32)
    assert_same_bits(loss(y, x, reduction="none"), loss(y, wide, reduction="none"))
    grad = loss.grad(y, x)
    assert grad.dtype == narrow
    assert_same_bits(grad.astype(np.float32), loss.grad(y, wide).astype(narrow).astype(np.float32))


@pytest.mark.parametrize("loss", [loss for loss in DEFAULTS if loss.signature.labels], ids=repr)
@pytest.mark.parametrize("kind", [*"bhilqBHILQ", "f4", "f8", ">i4", ">f8"])
def test_labels_of_any_type(loss, kind):
    y, x = draw_rows(loss, 70, 9, np.float32, generator(kind))
    assert loss(y.astype(kind), x) == loss(y, x)


@pytest.mark.parametrize("loss", [loss for loss in DEFAULTS if loss.signature.labels], ids=repr)
def test_one_hot_targets_are_labels(loss):
    if not loss.signature.dense or loss.targets != "probabilities":
        pytest.skip("takes no distribution in place of a label")
    y, x = draw_rows(loss, 40, 9, np.float64, generator("one hot"))
    y[0], x[0, y[0]] = 3, 80  # a confident right answer
    hot = np.eye(9)[y]
    for mine, other in zip(loss.value_and_grad(hot, x, reduction="none"),
                           loss.value_and_grad(y, x, reduction="none"), strict=True):  # fmt: skip
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-300)


@default_forms
def test_the_gradient_may_take_the_place_of_the_logits(loss, dense):
    for classes in (7, 300):
        y, x = draw_rows(loss, 70, classes, np.float32, generator(classes), dense=dense)
        value, grad = loss.value_and_grad(y, x)
        copy = x.copy()
        again, out = loss.value_and_grad(y, copy, grad_out=copy)
        assert out is copy
        assert value == again
        assert_same_bits(copy, grad)


@default_forms
@pytest.mark.parametrize("shape", [(7,), (0, 7), (2, 0, 7), (2, 3, 7)])
def test_any_number_of_rows(loss, dense, shape):
    n = math.prod(shape[:-1])
    y, x = draw_rows(loss, n, 7, np.float64, generator(shape), dense=dense)
    y, x = y.reshape(shape if dense else shape[:-1]), x.reshape(shape)
    value = loss(y, x, reduction="none")
    assert np.shape(value) == shape[:-1]
    assert loss(y, x, reduction="sum") == pytest.approx(float(np.sum(value)))
    if n:
        assert loss(y, x) == pytest.approx(float(np.mean(value)))
    else:
        with pytest.warns(RuntimeWarning, match="no element counts"):
            assert math.isnan(loss(y, x))


# Options ------------------------------------------------------------------------------------------


@default_forms
def test_weights_masks_and_reductions(loss, dense):
    rng = generator("weights")
    y, x = draw_rows(loss, 70, 9, np.float64, rng, dense=dense)
    w, mask = rng.random(70) * (rng.random(70) < 0.8), rng.random(70) < 0.8
    each, grads = loss.value_and_grad(y, x, reduction="none")
    counted = w * mask
    for reduction, divisor in (("sum", 1), ("mean", counted.sum()), ("batch_mean", mask.sum())):
        value, grad = loss.value_and_grad(y, x, sample_weight=w, mask=mask, reduction=reduction)
        assert value == pytest.approx((counted * each).sum() / divisor, rel=1e-12)
        np.testing.assert_allclose(grad, grads * counted[:, None] / divisor, rtol=1e-12, atol=1e-300)
    none = loss(y, x, sample_weight=w, mask=mask, reduction="none")
    np.testing.assert_allclose(none, counted * each, rtol=1e-14)


@default_forms
@pytest.mark.parametrize("classes", [7, 300])
def test_a_row_without_weight_contributes_nothing_whatever_is_in_it(loss, dense, classes):
    y, x = draw_rows(loss, 70, classes, np.float64, generator("nothing"), dense=dense)
    mask = np.ones(70, bool)
    mask[::3] = False
    value, grad = loss.value_and_grad(y, x, mask=mask)
    x[::3], y[::3] = np.nan, -7
    again, moved = loss.value_and_grad(y, x, mask=mask)
    assert again == value
    assert_same_bits(moved, grad)
    assert not moved[::3].any()


# Functions of scores that are no logarithms of probabilities; what is not listed must be NaN without a softmax.
OF_SCORES = (
    fl.MultiMargin, fl.WestonWatkins, fl.CrammerSinger, fl.MulticlassPerceptron, fl.MulticlassSparsemax,
    fl.MulticlassZeroOne, fl.MultilabelSoftMargin, fl.MultilabelMargin, fl.ListMLE,
)  # fmt: skip


@pytest.mark.parametrize(
    "loss, dense", forms([loss for loss in DEFAULTS if loss.scores in RAW and not isinstance(loss, OF_SCORES)])
)
@pytest.mark.parametrize("logit, classes", [(-np.inf, 1), (-np.inf, 5), (-np.inf, 300), (np.inf, 5), (np.inf, 300)])
def test_logits_without_a_softmax_are_nan(loss, dense, classes, logit, wide):
    y, x = draw_rows(loss, 3, classes, wide, generator("infinite"), dense=dense)
    value, grad = loss.value_and_grad(y, x, reduction="none")
    x[1] = logit
    again, moved = loss.value_and_grad(y, x, reduction="none")
    assert math.isnan(again[1])
    assert np.isnan(moved[1]).all()
    assert_same_bits(again[[0, 2]], value[[0, 2]])
    assert_same_bits(moved[[0, 2]], grad[[0, 2]])


@default_forms
def test_missing_targets(loss, dense):
    y, x = draw_rows(loss, 20, 5, np.float64, generator("missing"), dense=dense)
    y = y.astype(np.float64)
    without = np.delete(y, 3, 0), np.delete(x, 3, 0)
    y[3] = np.nan
    assert loss(y, x, nan_policy="omit") == pytest.approx(loss(*without), rel=1e-14)
    with pytest.raises(ValueError, match=r"y_true\[3"):
        loss(y, x, nan_policy="raise")


@default_forms
@pytest.mark.parametrize("n, classes", [(3000, 10), (100, 700)])
def test_any_number_of_threads_gives_the_same_bits(loss, dense, n, classes):
    y, x = draw_rows(loss, n, classes, np.float32, generator(n), dense=dense)
    w = np.linspace(0, 1, n)
    one = loss.value_and_grad(y, x, sample_weight=w, num_threads=1)
    for threads in (2, 3, 8):
        value, grad = loss.value_and_grad(y, x, sample_weight=w, num_threads=threads)
        assert value == one[0]
        assert_same_bits(grad, one[1])


@default_forms
def test_states_merge(loss, dense):
    y, x = draw_rows(loss, 70, 9, np.float64, generator("states"), dense=dense)
    w = np.linspace(0, 2, 70)
    whole = loss.state(y, x, sample_weight=w)
    parts = [loss.state(y[s], x[s], sample_weight=w[s]) for s in (slice(0, 20), slice(20, 70))]
    merged = pickle.loads(pickle.dumps(parts[0])) + parts[1]
    assert whole.mean == pytest.approx(loss(y, x, sample_weight=w), rel=1e-14)
    assert abs(merged.mean - whole.mean) <= math.ulp(whole.mean)
    assert abs(merged.standard_error - whole.standard_error) <= math.ulp(whole.standard_error)


@default_forms
def test_groups_have_the_states_of_their_rows(loss, dense):
    y, x = draw_rows(loss, 40, 5, np.float64, generator("groups"), dense=dense)
    if "class_weight" in loss.parameters():
        loss = replace(loss, class_weight=(1.0, 2.0, 0.5, 0.0, 3.0))
    if not dense and loss.parameters().get("ignore_index") is not None:
        y[::6] = loss.ignore_index
    groups = np.arange(40) % 3
    for there, scores, targets in (
        (loss, x, y),
        (replace(loss, axis=0), np.ascontiguousarray(x.T), y.T if dense else y),
    ):
        found = there.states(targets, scores, groups=groups)
        for label, state in found.items():
            mine = loss.state(y[groups == label], x[groups == label])
            assert state.count == mine.count
            np.testing.assert_allclose(
                [state.weight, state.mean, state.standard_error],
                [mine.weight, mine.mean, mine.standard_error],
                rtol=1e-9,
            )


# Bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [loss for loss in DEFAULTS if loss.signature.labels], ids=repr)
@pytest.mark.parametrize("classes", [5, 300])
@pytest.mark.parametrize("label", [-1, "classes", 2**63 - 1, -(2**63)])
def test_a_label_that_is_no_class_is_named_and_nothing_is_written(loss, classes, label):
    y, x = draw_rows(loss, 70, classes, np.float32, generator(classes))
    y[41] = classes if label == "classes" else label
    out, grad = np.full(70, 7, np.float32), np.full_like(x, 7)
    with pytest.raises(IndexError, match=rf"{type(loss).__name__}: y_true\[41\] is {y[41]}, must be a class from 0"):
        loss.value_and_grad(y, x, reduction="none", out=out, grad_out=grad)
    assert (out == 7).all()
    assert (grad == 7).all()


@default_forms
def test_shapes_and_types_are_checked(loss, dense):
    y, x = draw_rows(loss, 20, 5, np.float64, generator("shapes"), dense=dense)
    name = type(loss).__name__
    for wrong in (y[:-1], y[..., None], np.float64(0)):
        with pytest.raises(ValueError, match=f"{name}: y_true has shape"):
            loss(wrong, x)
    with pytest.raises(TypeError, match=f"{name}: y_pred has dtype"):
        loss(y, x.astype(complex))
    with pytest.raises(ValueError, match=f"{name}: y_pred has shape .* at least one class"):
        loss(np.zeros((3, 0)) if dense else np.zeros(3), np.zeros((3, 0)))
    with pytest.raises(ValueError, match=f"{name}: sample_weight has shape"):
        loss(y, x, sample_weight=np.ones(5))
    with pytest.raises(ValueError, match=rf"{name}: sample_weight\[3\] is -1"):
        loss(y, x, sample_weight=np.where(np.arange(20) == 3, -1.0, 1))
    with pytest.raises(ValueError, match=f"{name}: y_pred has shape .* the class axis 2"):
        replace(loss, axis=2)(y, x)
    if dense and loss.target.low == 0:
        y[4, 2] = -0.5
        with pytest.raises(ValueError, match=rf"{name}: y_true\[4, 2\] is -0.5, must be at least 0"):
            loss(y, x)


@pytest.mark.parametrize("loss", DEFAULTS, ids=repr)
def test_the_function_is_the_class(loss):
    dense = not loss.signature.labels
    y, x = draw_rows(loss, 20, 5, np.float64, generator("function"), dense=dense)
    assert getattr(fl, loss.function_name)(y, x) == loss(y, x)
