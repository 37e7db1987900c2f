"""What losses of the softmax do beyond what every rowwise loss does."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from mpmath import mp

import fastloss as fl
from tests.support import assert_same_bits, generator

INF = np.inf


@pytest.mark.parametrize(
    "smoothing, temperature, softcap, z_loss", [*itertools.product((0, 0.1), (1, 0.7), (0, 4), (0, 0.03))]
)
@pytest.mark.parametrize("dense", [False, True])
def test_all_options_together(smoothing, temperature, softcap, z_loss, dense):
    rng = generator("together")
    n, classes = 60, 11
    x, y = 3 * rng.standard_normal((n, classes)), rng.integers(0, classes, n)
    if dense:
        y = rng.dirichlet(np.ones(classes), n)
    else:
        y[::7] = -100
    c, w, mask = rng.random(classes), rng.random(n), rng.random(n) < 0.8
    loss = fl.CrossEntropy(
        class_weight=c, label_smoothing=smoothing, temperature=temperature, softcap=softcap, z_loss=z_loss
    )
    z = (softcap * np.tanh(x / softcap) if softcap else x) / temperature
    lse = np.log(np.exp(z).sum(axis=1))
    plain = y if dense else np.eye(classes)[np.maximum(y, 0)]
    t = c * ((1 - smoothing) * plain + smoothing / classes)
    each = (t * (lse[:, None] - z)).sum(axis=1) + z_loss * lse**2
    counted = w * mask * (True if dense else y >= 0)
    wanted = (counted * each).sum() / (counted * (c * plain).sum(axis=1)).sum()
    value, grad = loss.value_and_grad(y, x, sample_weight=w, mask=mask)
    assert value == pytest.approx(wanted, rel=1e-13)
    for _ in range(5):
        step = 1e-6 * rng.standard_normal(x.shape)
        slope = loss(y, x + step, sample_weight=w, mask=mask) - loss(y, x - step, sample_weight=w, mask=mask)
        assert slope == pytest.approx(2 * (grad * step).sum(), rel=1e-4, abs=1e-14)


def test_a_confident_right_answer_keeps_its_relative_accuracy():
    for dtype, margin in ((np.float64, 100.0), (np.float32, 60.0), (np.float64, 700.0)):
        x = np.array([[margin, 0, 0]], dtype)
        value, grad = fl.CrossEntropy().value_and_grad([0], x)
        assert value == pytest.approx(2 * math.exp(-margin), rel=1e-6 if dtype == np.float32 else 1e-14)
        np.testing.assert_allclose(grad[0], np.array([-2, 1, 1]) * math.exp(-margin), rtol=1e-6)
        assert grad[0, 0] < 0


@pytest.mark.parametrize(
    "row, label, value, grad",
    [
        ([0, -INF, 0], 0, math.log(2), [-0.5, 0, 0.5]),
        ([0, -INF, 0], 1, INF, [0.5, -1, 0.5]),
        ([0, -INF, -INF], 0, 0, [0, 0, 0]),
        ([INF, 0, 0], 0, 0, [0, 0, 0]),
        ([-INF, -INF, -INF], 0, np.nan, [np.nan] * 3),
        ([INF, INF, 0], 0, np.nan, [np.nan] * 3),
        ([np.nan, 0, 0], 1, np.nan, [np.nan] * 3),
        ([3e38, -3e38, 0], 1, 6e38, [1, -1, 0]),
    ],
)
def test_rows_with_infinities(row, label, value, grad):
    found, slope = fl.CrossEntropy().value_and_grad([label], [np.array(row, np.float64)])
    np.testing.assert_allclose(found, value, rtol=1e-12)
    if np.isnan(value):
        assert np.isnan(slope).any()
    else:
        np.testing.assert_allclose(slope[0], grad, atol=1e-15)


def test_a_class_of_target_0_contributes_nothing_whatever_its_logit():
    value, grad = fl.CrossEntropy().value_and_grad([[0.5, 0.5, 0.0]], [[1.0, 1.0, -INF]])
    assert value == pytest.approx(math.log(2))
    np.testing.assert_allclose(grad, 0, atol=1e-16)
    assert fl.CrossEntropy()([[0.5, 0.0, 0.5]], [[1.0, 1.0, -INF]]) == INF


def test_ignored_labels_do_not_count():
    x = generator("ignored").standard_normal((6, 3))
    y = np.array([0, -100, 2, -100, 1, 0])
    keep = y >= 0
    assert fl.CrossEntropy()(y, x) == pytest.approx(fl.CrossEntropy()(y[keep], x[keep]), rel=1e-15)
    other = fl.CrossEntropy()(y[[0, 4, 5]], x[[0, 4, 5]])
    assert fl.CrossEntropy(ignore_index=2)(y[keep], x[keep]) == pytest.approx(other, rel=1e-15)
    with pytest.raises(IndexError, match=r"y_true\[1\] is -100, must be a class from 0 to 2$"):
        fl.CrossEntropy(ignore_index=None)(y, x)
    with pytest.warns(RuntimeWarning, match="no element counts"):
        value, grad = fl.CrossEntropy().value_and_grad(np.full(6, -100), x)
    assert math.isnan(value)
    assert not grad.any()


@pytest.mark.parametrize("hessian, factor", [("upper_bound", 2), ("lightgbm", 5 / 4)])
def test_other_curvatures_are_multiples(hessian, factor):
    x, y = generator("curvature").standard_normal((20, 5)), np.arange(20) % 5
    for options in ({}, {"label_smoothing": 0.1, "z_loss": 0.1, "temperature": 2.0}):
        exact = fl.CrossEntropy(**options).grad_and_hess(y, x)[1]
        other = fl.CrossEntropy(hessian=hessian, **options).grad_and_hess(y, x)[1]
        np.testing.assert_allclose(other, factor * exact, rtol=1e-14)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_class_weights_may_be_arrays(kind):
    weights = np.linspace(0, 2, 5).astype(kind)
    assert fl.CrossEntropy(class_weight=weights) == fl.CrossEntropy(class_weight=weights.tolist())
    for wrong, rule in (
        (-1, "-1, must be at least 0"),
        (np.nan, "nan, must be finite"),
        (np.inf, "inf, must be finite"),
    ):
        weights[3] = wrong
        with pytest.raises(ValueError, match=rf"^CrossEntropy: class_weight\[3\] is {rule}$"):
            fl.CrossEntropy(class_weight=weights)


def test_the_number_of_class_weights_is_checked():
    with pytest.raises(ValueError, match="class_weight has 2 numbers, must have one for each of the 3 classes"):
        fl.CrossEntropy(class_weight=[1, 2])([0], [[1.0, 2, 3]])


@pytest.mark.parametrize("classes", [3, 300])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray])
def test_equal_class_weights_are_as_good_as_none(classes, lay):
    rng = generator(classes)
    x, y = rng.standard_normal((70, classes)), rng.integers(0, 3, (70, classes)).astype(float)
    y[3], y[5] = 0, np.arange(classes) == 1  # of nothing, and of one class
    x, y = lay(x), lay(y)
    none, ones = fl.CrossEntropy(), fl.CrossEntropy(class_weight=np.ones(classes))
    for reduction in ("mean", "batch_mean", "sum"):
        value, grad = none.value_and_grad(y, x, reduction=reduction)
        assert ones(y, x, reduction=reduction) == value
        assert_same_bits(ones.grad(y, x, reduction=reduction), grad)
    assert none(y, x) == none(y, x, reduction="batch_mean")
    assert ones.state(y, x) == none.state(y, x)


@pytest.mark.parametrize("classes", [3, 300])
def test_the_class_weight_of_a_row_is_the_mean_under_its_targets(classes):
    rng = generator("units", classes)
    x, y, c = rng.standard_normal((70, classes)), rng.integers(0, 3, (70, classes)).astype(float), rng.random(classes)
    y[3], y[5] = 0, np.arange(classes) == 1
    loss = fl.CrossEntropy(class_weight=c)
    unit = np.divide(y @ c, y.sum(axis=1), out=np.ones(70), where=y.sum(axis=1) > 0)
    value, grad = loss.value_and_grad(y, x, reduction="none")
    assert loss(y, x) == pytest.approx(value.sum() / unit.sum(), rel=1e-13)
    np.testing.assert_allclose(loss.grad(y, x), grad / unit.sum(), rtol=1e-12)
    assert loss(y, x, reduction="batch_mean") == pytest.approx(value.mean(), rel=1e-13)
    whole, groups = loss.state(y, x), loss.states(y, x, groups=np.arange(70) % 2)
    merged = groups[0] + groups[1]
    for state in (whole, merged):
        assert state.weight == pytest.approx(unit.sum(), rel=1e-13)
        assert state.square == pytest.approx((unit**2).sum(), rel=1e-13)
    # A scaled row counts as before, its loss as scaled: a weight of the row is sample_weight's.
    assert loss(3 * y, x) == pytest.approx(3 * loss(y, x), rel=1e-13)


def test_a_very_wide_row():
    rng = generator("wide")
    x, y = rng.standard_normal((3, 100_003)).astype(np.float32), np.array([0, 100_002, 51_111])
    z = x.astype(np.float64)
    wanted = np.log(np.exp(z).sum(axis=1)) - z[np.arange(3), y]
    np.testing.assert_allclose(fl.CrossEntropy()(y, x, reduction="none"), wanted, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("shape", [(20, 5), (9, 130), (3, 6, 4, 5)])
def test_as_pytorch_has_it(reduction, weighted, smoothing, shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = generator(shape)
    classes = shape[1]
    x, y = rng.standard_normal(shape), rng.integers(0, classes, (shape[0], *shape[2:]))
    y[0] = -100
    c = rng.random(classes) if weighted else None
    loss = fl.CrossEntropy(axis=1, class_weight=c, label_smoothing=smoothing)
    leaf = torch.tensor(x, requires_grad=True)
    wanted = torch.nn.functional.cross_entropy(
        leaf, torch.tensor(y), None if c is None else torch.tensor(c), label_smoothing=smoothing, reduction=reduction
    )
    wanted.sum().backward()
    value, grad = loss.value_and_grad(y, x, reduction=reduction)
    np.testing.assert_allclose(value, wanted.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-11, atol=1e-15)


# What else a pass over the rows tells --------------------------------------------------------------


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("classes", [1, 7, 64, 200, 1500])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray])
def test_rows(dense, classes, lay, wide):
    rng = generator(classes)
    x = lay((3 * rng.standard_normal((70, classes))).astype(wide))
    if dense:
        y = rng.random((70, classes)).astype(wide)
        label = y.argmax(axis=1)
    else:
        y = label = np.where(rng.random(70) < 0.5, x.argmax(axis=1), rng.integers(0, classes, 70))
        y[4] = -100
    w, mask = rng.random(70), rng.random(70) < 0.8
    loss = fl.CrossEntropy(temperature=2.0, z_loss=0.1)
    rows = loss.rows(y, x, sample_weight=w, mask=mask)
    assert rows.grad is None
    np.testing.assert_array_equal(rows.value, loss(y, x, sample_weight=w, mask=mask, reduction="none"))
    np.testing.assert_allclose(rows.lse, np.log(np.exp(x.astype(np.float64) / 2).sum(axis=1)), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(rows.argmax, x.argmax(axis=1))
    np.testing.assert_array_equal(rows.correct, x.argmax(axis=1) == label)
    assert [field.dtype for field in rows[:4]] == [wide, wide, np.int64, bool]
    grad = loss.grad(y, x, sample_weight=w, mask=mask, reduction="none")
    np.testing.assert_array_equal(loss.rows(y, x, sample_weight=w, mask=mask, grad=True).grad, grad)
    assert loss.rows(y, x, sample_weight=w, mask=mask, grad_out=x).grad is x
    np.testing.assert_array_equal(x, grad)


@pytest.mark.parametrize("classes", [3, 300])
@pytest.mark.parametrize("dense", [False, True])
def test_the_log_sum_exp_of_rows_with_infinities(classes, dense, wide):
    x = np.zeros((5, classes), wide)
    x[0], x[1, 0], x[2, 1], x[3, 2], x[4, 1:] = -np.inf, np.inf, np.inf, np.nan, -np.inf
    y = np.tile(np.arange(classes) == 0, (5, 1)).astype(float) if dense else np.zeros(5, int)
    for loss in (fl.CrossEntropy(), fl.CrossEntropy(temperature=0.5, z_loss=0.1)):
        for lay in (np.ascontiguousarray, np.asfortranarray):
            rows = loss.rows(y, lay(x))
            np.testing.assert_array_equal(rows.lse, [-np.inf, np.inf, np.inf, np.nan, 0])
            assert np.isnan(rows.value[[0, 2, 3]]).all()


@pytest.mark.parametrize("classes", [1, 5, 400])
def test_the_log_sum_exp_needs_no_label(classes):
    x = np.zeros((4, classes))
    x[1], x[2, 0] = -np.inf, np.inf
    x[3, -1] = np.nan
    rows = fl.CrossEntropy().rows(np.full(4, np.nan), x)
    np.testing.assert_array_equal(rows.lse, [np.log(classes), -np.inf, np.inf, np.nan])


@pytest.mark.parametrize("classes", [3, 300])
@pytest.mark.parametrize("lay", [np.ascontiguousarray, np.asfortranarray])
def test_the_log_sum_exp_of_capped_rows_that_do_not_count(classes, lay):
    x = 3 * generator("capped").standard_normal((2, classes))
    loss = fl.CrossEntropy(softcap=3.0)
    wanted = loss.rows([0, 1], lay(x)).lse
    for idle in ({"sample_weight": [0, 0]}, {"mask": [False, False]}):
        np.testing.assert_allclose(loss.rows([0, 1], lay(x), **idle).lse, wanted, rtol=1e-14)


@pytest.mark.parametrize("cap", [1e-6, 1e-3, 2.0])
@pytest.mark.parametrize("share", [1e-8, 0.1, 3.0])
def test_the_curvature_of_a_capped_logit(cap, share):
    x, y = [share * cap, -0.5 * share * cap], [0.9, 0.1]

    def exact(first):
        capped = [cap * mpmath.tanh(v / mpmath.mpf(cap)) for v in (first, mpmath.mpf(x[1]))]
        return mpmath.log(sum(map(mpmath.exp, capped))) * (y[0] + y[1]) - y[0] * capped[0] - y[1] * capped[1]

    with mpmath.workdps(60):
        wanted = float(mpmath.diff(exact, mpmath.mpf(x[0]), 2))
    hess = fl.CrossEntropy(softcap=cap).grad_and_hess([y], [x])[1]
    np.testing.assert_allclose(hess[0, 0], wanted, rtol=1e-14, atol=1e-14 / cap * share)


def test_rows_of_any_shape_and_axis():
    rng = generator("shape")
    x, y = rng.standard_normal((3, 5, 4)), rng.integers(0, 5, (3, 4))
    rows = fl.CrossEntropy(axis=1).rows(y, x)
    np.testing.assert_array_equal(rows.argmax, x.argmax(axis=1))
    np.testing.assert_allclose(rows.lse, np.log(np.exp(x).sum(axis=1)), rtol=1e-14)
    assert fl.CrossEntropy().rows(1, [0.0, 2.0]).correct
    assert fl.CrossEntropy().rows(np.zeros(0, int), np.zeros((0, 3))).argmax.shape == (0,)


@pytest.mark.parametrize("kind", ["bfloat16", ">f4", "float16", "uint8", "float64"])
def test_rows_of_other_types(kind):
    rng = generator(kind)
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    dtype = ml_dtypes.bfloat16 if kind == "bfloat16" else np.dtype(kind)
    x, y = 9 * rng.standard_normal((50, 6)), rng.integers(0, 6, 50)
    assert fl.CrossEntropy().rows(y.astype(dtype), x).correct.sum() == (x.argmax(axis=1) == y).sum()
    if kind != "uint8":
        x, t = x.astype(dtype), rng.random((50, 6)).astype(dtype)
        rows = fl.CrossEntropy().rows(t, x)
        np.testing.assert_array_equal(rows.argmax, x.argmax(axis=1))
        np.testing.assert_array_equal(rows.correct, x.argmax(axis=1) == t.argmax(axis=1))


# Losses of the label's probability ---------------------------------------------------------------------


def test_cross_entropy_is_their_limit():
    rng = generator("limits")
    x, y, c = rng.standard_normal((30, 7)), rng.integers(0, 7, 30), rng.random(7)
    wanted = fl.CrossEntropy(class_weight=c).value_and_grad(y, x)
    for loss in (
        fl.SoftmaxFocal(gamma=0, class_weight=c),
        fl.Poly1CrossEntropy(epsilon=0, class_weight=c),
        fl.CosFace(margin=0, scale=1, class_weight=c),
        fl.GeneralizedCrossEntropy(q=1e-12, class_weight=c),
    ):
        value, grad = loss.value_and_grad(y, x)
        assert value == pytest.approx(wanted[0], rel=1e-10)
        np.testing.assert_allclose(grad, wanted[1], rtol=1e-9)


@pytest.mark.parametrize(
    "loss, value, slope",
    [
        (fl.SoftmaxFocal(gamma=0.5), lambda p: p**1.5, lambda p: 1.5 * p**1.5),
        (fl.SoftmaxFocal(gamma=2), lambda p: p**3, lambda p: 3 * p**3),
        (fl.Poly1CrossEntropy(epsilon=1), lambda p: 2 * p, lambda p: 2 * p),
        (fl.GeneralizedCrossEntropy(q=0.7), lambda p: p, lambda p: p),
    ],
    ids=repr,
)
def test_what_is_right_already_keeps_its_relative_accuracy(loss, value, slope):
    p = math.exp(-50)
    found, grad = loss.value_and_grad([0], [[50.0, 0.0]])
    assert found == pytest.approx(value(p), rel=1e-13)
    np.testing.assert_allclose(grad, [[-slope(p), slope(p)]], rtol=1e-13)


@pytest.mark.parametrize("gamma", [0, 0.3, 1, 2])
def test_focal_loss_of_certain_rows(gamma):
    x = [[0.0, -INF], [-INF, 0.0], [1e4, 0.0], [0.0, 1e4]]
    value, grad = fl.SoftmaxFocal(gamma=gamma).value_and_grad([0, 0, 0, 0], x, reduction="none")
    assert value.tolist() == [0, INF, 0, 1e4]
    assert grad.tolist() == [[0, 0], [-1, 1], [0, 0], [-1, 1]]


def test_beyond_pi_the_margin_is_in_the_cosine():
    margin, scale = 0.5, 10.0
    for angle in (2.5, 2.64, 2.65, 3.1):
        cosine = math.cos(angle)
        moved = math.cos(angle + margin) if angle + margin < math.pi else cosine - margin * math.sin(margin)
        rate = math.sin(angle + margin) / math.sin(angle) if angle + margin < math.pi else 1
        value, grad = fl.ArcFace(margin=margin, scale=scale).value_and_grad([0], [[cosine, 0.2]])
        assert value == pytest.approx(np.logaddexp(0, scale * (0.2 - moved)), rel=1e-13)
        p = 1 / (1 + math.exp(scale * (moved - 0.2)))
        np.testing.assert_allclose(grad, [[-scale * p * rate, scale * p]], rtol=1e-11)


@pytest.mark.parametrize("cosine", [1.0, 1.0 + 1e-7, -1.0, -1.0 - 1e-7])
def test_at_the_ends_of_cosines_all_is_finite(cosine):
    value, grad = fl.ArcFace(scale=8).value_and_grad([0], [[cosine, 0.5, -1.0]])
    assert math.isfinite(value)
    assert np.isfinite(grad).all()
    assert grad[0, 0] < 0


def test_a_number_between_two_bins():
    rng = generator("bins")
    for n, classes in ((40, 17), (6, 300)):
        x, y = rng.standard_normal((n, classes)), rng.random(n) * (classes - 1)
        y[0], y[1] = 0, classes - 1
        low = np.minimum(np.floor(y).astype(int), classes - 2)
        shares = np.zeros((n, classes))
        shares[np.arange(n), low], shares[np.arange(n), low + 1] = low + 1 - y, y - low
        wanted = fl.CrossEntropy().value_and_grad(shares, x, reduction="none")
        for lay in (np.ascontiguousarray, np.asfortranarray):
            value, grad = fl.DistributionFocalLoss().value_and_grad(y, lay(x), reduction="none")
            np.testing.assert_allclose(value, wanted[0], rtol=1e-12)
            np.testing.assert_allclose(grad, wanted[1], rtol=1e-10, atol=1e-13)
    for wrong in (-0.25, 299.01):
        y[2] = wrong
        with pytest.raises(ValueError, match=rf"y_true\[2\] is {wrong}, must be a class from 0 to 299 or between two$"):
            fl.DistributionFocalLoss()(y, x)
    with pytest.raises(ValueError, match=r"y_true\[0\] is 0.5, must be a class from 0 to 2, or the ignored -100$"):
        fl.MulticlassBrier()([0.5], [[1.0, 2, 3]])


# Entropy ----------------------------------------------------------------------------------------------

ENTROPY = fl.SoftmaxEntropy(ignore_index=2)
WITHOUT = fl.SoftmaxEntropy(ignore_index=None)  # of whose rows each counts, whatever its label


@pytest.mark.parametrize("shape, axis", [((70, 5), -1), ((9, 300), 1), ((3, 5, 4), 1), ((5, 4), 0), ((5,), 0)], ids=str)
def test_without_targets_every_row_counts(shape, axis):
    x = generator(shape).standard_normal(shape)
    y = np.full(np.sum(x, axis=axis).shape, 2)
    loss = fl.SoftmaxEntropy(axis=axis, ignore_index=0)  # which is no reason to ignore a row without a label
    mine = (
        *loss.value_and_grad(None, x), *loss.grad_and_hess(None, x), loss(None, x, reduction="none"), loss.grad(None, x)
    )  # fmt: skip
    wanted = (
        *loss.value_and_grad(y, x), *loss.grad_and_hess(y, x), loss(y, x, reduction="none"), loss.grad(y, x)
    )  # fmt: skip
    for found, other in zip(mine, wanted, strict=True):
        assert_same_bits(found, other)
    assert loss.state(None, x) == loss.state(y, x)
    assert fl.softmax_entropy(None, x, axis=axis, ignore_index=0) == loss(y, x)
    if y.ndim:
        groups = np.arange(len(y)) % 2
        assert loss.states(None, x, groups=groups) == loss.states(y, x, groups=groups)
        w, mask = np.linspace(0, 1, len(y)), np.arange(len(y)) % 3 > 0
        assert loss(None, x, sample_weight=w, mask=mask) == loss(y, x, sample_weight=w, mask=mask)


def test_other_losses_need_their_targets():
    for loss in (fl.CrossEntropy(), fl.ForwardKL(), fl.SquaredError()):
        for call in (loss, loss.state, lambda y, x, loss=loss: loss.states(y, x, groups=[0])):
            with pytest.raises(TypeError, match=f"{type(loss).__name__}: y_true has dtype object, must be a real"):
                call(None, [[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"y_pred has shape \(2, 3\), must have the class axis 2"):
        fl.SoftmaxEntropy(axis=2)(None, np.zeros((2, 3)))


def test_labels_say_which_rows_count():
    x = generator("labels").standard_normal((6, 3))
    y = np.array([0, 2, 1, 2, 1, 0])
    for found, wanted in zip(ENTROPY.value_and_grad(y, x), WITHOUT.value_and_grad(y, x, mask=y != 2), strict=True):
        assert_same_bits(found, wanted)
    with pytest.warns(RuntimeWarning, match="no element counts"):
        value, grad = ENTROPY.value_and_grad(np.full(6, 2), x)
    assert math.isnan(value)
    assert not grad.any()


@pytest.mark.parametrize("classes", [3, 300])
def test_a_missing_label_makes_its_row_nan(classes):
    x = generator(classes).standard_normal((4, classes))
    x[1, 0] = -INF
    for loss in (ENTROPY, WITHOUT):
        value = loss([0, np.nan, 1, 1], x, reduction="none")
        grad, hess = loss.grad_and_hess([0, np.nan, 1, 1], x)
        assert np.isnan(value).tolist() == [False, True, False, False]
        for derivative in (grad, hess):
            np.testing.assert_array_equal(np.isnan(derivative).all(axis=1), np.isnan(value))
            assert np.isfinite(derivative[[0, 2, 3]]).all()


@pytest.mark.parametrize(
    "row, value, grad, hess",
    [
        ([3.0], 0, [0], [0]),
        ([5.0] * 7, math.log(7), [0] * 7, [-6 / 49] * 7),
        ([0, -INF, 0], math.log(2), [0, 0, 0], [-0.25, 0, -0.25]),
        ([0, -INF, -INF], 0, [0, 0, 0], [0, 0, 0]),
        ([3e38, -3e38, 0], 0, [0, 0, 0], [0, 0, 0]),
        ([3e38, -3e38, 3e38], math.log(2), [0, 0, 0], [-0.25, 0, -0.25]),
        ([-INF, -INF, -INF], np.nan, [np.nan] * 3, [np.nan] * 3),
        ([INF, 0, 0], np.nan, [np.nan] * 3, [np.nan] * 3),
        ([np.nan, 0, 0], np.nan, [np.nan] * 3, [np.nan] * 3),
    ],
    ids=str,
)
@pytest.mark.parametrize("padding", [0, 200])
def test_entropy_of_rows_at_the_ends(row, value, grad, hess, padding, wide):
    x = np.array([row + [-INF] * padding], wide)
    found, slope = fl.SoftmaxEntropy().value_and_grad(None, x)
    curve = fl.SoftmaxEntropy().grad_and_hess(None, x)[1]
    tolerance = {"rtol": 4 * np.finfo(wide).eps, "atol": 0}
    np.testing.assert_allclose(found, value, **tolerance)
    np.testing.assert_allclose(slope[0, : len(row)], grad, **tolerance)
    np.testing.assert_allclose(curve[0, : len(row)], hess, **tolerance)
    if value == value:
        assert not slope[0, len(row) :].any()
        assert not curve[0, len(row) :].any()


@pytest.mark.parametrize(
    "dtype, margin", [*itertools.product((np.float32, np.float64), (20, 40, 80)), (np.float64, 300), (np.float64, 700)]
)
@pytest.mark.parametrize("classes", [3, 300])
def test_entropy_of_a_nearly_certain_row_keeps_its_relative_accuracy(dtype, margin, classes):
    x = np.zeros((1, classes), dtype)
    x[0, 1] = margin
    with mp.workdps(700):
        shares = [mp.exp(margin * (k == 1)) for k in range(classes)]
        p = [share / mp.fsum(shares) for share in shares]
        entropy = -mp.fsum(v * mp.log(v) for v in p)
        slopes = [float(-v * (mp.log(v) + entropy)) for v in p]
        curves = [float(-v * ((1 - 2 * v) * (mp.log(v) + entropy) + 1 - v)) for v in p]
    grad, hess = fl.SoftmaxEntropy().grad_and_hess(None, x)
    tolerance = 8 * float(np.finfo(dtype).eps)
    assert fl.softmax_entropy(None, x) == pytest.approx(float(entropy), rel=tolerance, abs=0)
    np.testing.assert_allclose(grad[0], slopes, rtol=tolerance)
    np.testing.assert_allclose(hess[0], curves, rtol=tolerance)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}, {"softcap": 2.0}, {"temperature": 3.0, "softcap": 5.0}])
@pytest.mark.parametrize("vocabulary", [5, 64, 1000])
def test_entropy_is_that_of_tokens(options, vocabulary, wide):
    rng = generator(vocabulary)
    logits, tokens = (3 * rng.standard_normal((4, 6, vocabulary))).astype(wide), rng.integers(0, vocabulary, (4, 6))
    tokens[1, 2:] = -100
    entropy = fl.softmax_entropy(tokens, logits, reduction="none", **options)
    wanted = fl.token_logprobs(logits, tokens, **options).entropy
    np.testing.assert_allclose(entropy, wanted, rtol=50 * np.finfo(wide).eps, atol=2 * np.finfo(wide).eps)


@pytest.mark.parametrize("shape", [(20, 5), (9, 130), (3, 6, 4, 5)])
def test_entropy_as_pytorch_has_it(shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = 3 * generator(shape).standard_normal(shape)
    leaf = torch.tensor(x, requires_grad=True)
    wanted = torch.distributions.Categorical(logits=leaf).entropy()
    wanted.mean().backward()
    np.testing.assert_allclose(fl.softmax_entropy(None, x, reduction="none"), wanted.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(fl.SoftmaxEntropy().grad(None, x), leaf.grad.numpy(), rtol=1e-10, atol=1e-15)


def test_entropy_along_the_probabilities_penalty():
    x = generator("penalty").standard_normal(9)
    p = np.exp(x) / np.exp(x).sum()
    value, slope = fl.penalties.Entropy().value_and_grad(p)
    found, grad = fl.SoftmaxEntropy().value_and_grad(None, x)
    assert found == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(grad, p * (slope - p @ slope), rtol=1e-12)


# Rows of two classes ------------------------------------------------------------------------------


def of_two_classes(dtype):
    """Logits of every size and distance, equal ones, and infinities, with their labels."""
    rng = generator("two classes", dtype)
    x = rng.standard_normal((4000, 2)) * np.exp2(rng.uniform(-20, 9, (4000, 1)))
    x += rng.standard_normal((4000, 1)) * np.exp2(rng.uniform(-5, 12, (4000, 1)))
    x[:40, 1] = x[:40, 0]
    largest = float(np.finfo(dtype).max)
    edges = [(largest, -largest), (np.inf, 0), (-np.inf, 0), (0, np.inf), (-np.inf, -np.inf), (np.inf, np.inf)]
    x[40 : 40 + len(edges)] = edges
    x[300 : 300 + len(edges)] = edges
    y = rng.integers(0, 2, 4000)
    y[40:60], y[300:320] = 0, 1
    return y, x.astype(dtype)


@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_are_three_of_which_one_has_no_probability(wide, weighted):
    y, x = of_two_classes(wide)
    more = np.concatenate([x, np.full((len(x), 1), -np.inf, wide)], axis=1).astype(np.float64)
    rng = generator("weights of two classes")
    options = {"sample_weight": rng.integers(0, 3, len(y)).astype(float), "mask": rng.random(len(y)) < 0.8}
    options = options | {"reduction": "none"} if weighted else {"reduction": "none"}
    # The difference of two numbers of float64 is rounded where there are three classes.
    eps = 4e-7 if wide == np.float32 else 1e-12
    for loss in (fl.CrossEntropy(), fl.CrossEntropy(class_weight=(0.5, 2.0))):
        other = fl.CrossEntropy(class_weight=(*loss.class_weight, 1.0)) if loss.class_weight else loss
        value, grad = loss.value_and_grad(y, x, **options)
        wanted = other.value_and_grad(y, more, **options)
        for mine, theirs in zip((value, grad), wanted, strict=True):
            with np.errstate(over="ignore"):
                theirs = theirs[:, :2] if theirs.ndim > 1 else theirs
                np.testing.assert_allclose(mine, theirs.astype(wide), rtol=eps, atol=np.finfo(wide).tiny)
        assert_same_bits(loss(y, x, **options), value)
        assert_same_bits(loss.grad_and_hess(y, x, **options)[0], grad)


def test_a_row_of_two_classes_does_not_depend_on_its_neighbours(wide):
    y, x = of_two_classes(wide)
    with np.errstate(over="ignore"):
        value, grad = fl.CrossEntropy().value_and_grad(y, x, reduction="none")
    assert np.isinf(value[40:46]).any()
    for part in (slice(0, 40), slice(46, 300), slice(50, 52), slice(310, None)):
        alone = fl.CrossEntropy().value_and_grad(y[part], x[part], reduction="none")
        assert_same_bits(alone[0], value[part])
        assert_same_bits(alone[1], grad[part])


def test_two_classes_are_exact():
    y, x = of_two_classes(np.float64)
    y, x = y[60:240], x[60:240]
    value, grad = fl.CrossEntropy().value_and_grad(y, x, reduction="none")
    bend = fl.CrossEntropy().grad_and_hess(y, x, reduction="none")[1]
    with mp.workdps(60):
        for i in range(len(y)):
            ahead = mp.mpf(x[i, y[i]]) - mp.mpf(x[i, 1 - y[i]])
            assert abs(value[i] - mp.log1p(mp.exp(-ahead))) <= 4e-16 * value[i] + 1e-307
            miss = 1 / (1 + mp.exp(ahead))
            assert abs(grad[i, 1 - y[i]] - miss) <= 5e-16 * miss + 1e-307
            assert grad[i, y[i]] == -grad[i, 1 - y[i]]
            assert abs(bend[i, 0] - miss / (1 + mp.exp(-ahead))) <= 1e-15 * miss + 1e-307
            assert bend[i, 0] == bend[i, 1]


def test_a_missing_label_of_two_is_nan():
    y, x = np.array([0.0, np.nan, 1.0]), np.ones((3, 2), np.float32)
    value, grad = fl.CrossEntropy().value_and_grad(y, x, reduction="none")
    assert np.isnan(value).tolist() == [False, True, False]
    assert np.isnan(grad).tolist() == [[False] * 2, [True] * 2, [False] * 2]


# Ways of one result ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"])
@pytest.mark.parametrize("trouble", ["none", "ignored", "infinite"])
def test_pairs_have_the_bits_of_rows_that_need_care(dtype, trouble):
    """Integer labels of two classes go a block at a time; as float64, which they may be, they go group by group."""
    rng = generator("pairs", dtype, trouble)
    y, x = rng.integers(0, 2, 1700).astype(dtype), 8 * rng.standard_normal((1700, 2), np.float32)
    loss = fl.CrossEntropy(ignore_index=-1)
    if trouble == "ignored" and dtype.startswith("i"):
        y[[700, 1699]] = -1
    if trouble == "infinite":
        x[900, y[900].astype(int)] = -np.inf
    for reduction in ("mean", "sum", "none"):
        value, grad = loss.value_and_grad(y, x, reduction=reduction)
        wanted, wanted_grad = loss.value_and_grad(y.astype(np.float64), x, reduction=reduction)
        np.testing.assert_array_equal(value, wanted)
        np.testing.assert_array_equal(grad, wanted_grad)
        np.testing.assert_array_equal(loss(y, x, reduction=reduction), wanted)


@pytest.mark.parametrize("classes", [3, 10, 200, 1000])
def test_a_gradient_is_the_same_with_and_without_a_curvature(classes):
    """Which exponentials of loops and of vectors by hand are, down to the smallest numbers and to none."""
    rng = generator("with and without", classes)
    x = rng.choice([1, 10, 90], (300, 1)) * rng.standard_normal((300, classes), np.float32)
    x = x.astype(np.float32)
    x[rng.random(x.shape) < 0.02] = -np.inf
    y = rng.integers(0, classes, 300)
    np.testing.assert_array_equal(fl.CrossEntropy().grad(y, x), fl.CrossEntropy().grad_and_hess(y, x)[0])


@pytest.mark.parametrize("classes", [2, 7, 165, 200, 1000])
@pytest.mark.parametrize("offset", [0, 1, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_gradients_are_those_of_their_parts(classes, offset, dtype):
    """Written past the caches, a line of memory at a time, to wherever they begin."""
    rng = generator("large", classes)
    rows = (9 << 20) // (np.dtype(dtype).itemsize * classes)
    y, x = rng.integers(0, classes, rows), rng.standard_normal((rows, classes)).astype(dtype)
    room = np.full(offset + x.size + 40, 7, dtype)
    grad = room[offset : offset + x.size].reshape(x.shape)
    fl.CrossEntropy().value_and_grad(y, x, reduction="sum", grad_out=grad)
    for part in np.array_split(np.arange(rows), 5):
        np.testing.assert_array_equal(grad[part], fl.CrossEntropy().grad(y[part], x[part], reduction="sum"))
    assert np.all(room[:offset] == 7)
    assert np.all(room[offset + x.size :] == 7)
