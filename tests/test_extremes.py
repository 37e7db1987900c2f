"""Numbers of any size: no early overflow, no saturated exponential, no endless loop; and what NaN does to a row."""

import math

import numpy as np
import pytest
from mpmath import inf, mpf

import fastloss as fl
from tests.exact import Exact, ExactRow
from tests.inputs import draw_rows
from tests.support import LOSSES, ROW_LOSSES, additive, assert_same_bits, fresh, generator
from tests.test_rowwise import every_form, kinds

SINGLES = [loss for loss in additive(LOSSES) if not loss.signature.losses]
NARROW, WIDE = np.float32, np.float64


def corners(dtype):
    """Magnitudes where something ends: the range of a type, of its square and its exponential, its last digit."""
    info = np.finfo(dtype)
    tiny = [0, info.smallest_subnormal, info.tiny, math.sqrt(info.tiny), info.eps]
    middle = [1e-3, 0.1, 0.3, 1, 2, 10, 17, 37, 89, 104, 301, 340, 560, 709, 746, 1e3, 1e4, 2.0**24, 1e9, 2e16]
    root, most = math.sqrt(info.max), float(info.max)
    found = np.array([*tiny, *middle, root / 4, 1.3 * root, root**1.5, most / 1e3, most / 3, 0.6 * most, most])
    return np.unique(np.concatenate([found, -found]).astype(dtype))


def inside(domain, dtype):
    """The corners of a domain: of the numbers themselves, and of their distances to its ends."""
    low, high, ternary = domain.closed(dtype)
    if ternary:
        return np.array([v for v in (-1, 0, 1) if low <= v <= high], dtype)
    found, size = corners(dtype), np.abs(corners(dtype))
    for end, side in ((low, 1), (high, -1)):
        if math.isfinite(end):
            found = np.concatenate([found, (end + side * size).astype(dtype)])
    return np.unique(found[(found >= low) & (found <= high)])


def grid(loss, dtype):
    """All pairs, or triples, of targets and predictions in corners."""
    target, prediction, second = (inside(domain, dtype) for domain in loss.domains())
    if not loss.signature.pair:
        y, x = np.meshgrid(target, prediction)
        return y.ravel(), x.ravel()
    y, x, z = np.meshgrid(target[::4], prediction[::2], second[::2])
    return y.ravel(), np.stack([x.ravel(), z.ravel()], axis=-1)


def everything(loss, y, x):
    """Values and derivatives of elements, or of rows."""
    results = [loss(y, x, reduction="none"), loss.grad(y, x, reduction="none")]
    return results + ([loss.grad_and_hess(y, x, reduction="none")[1]] if getattr(loss, "curvature", True) else [])


def assert_alike(narrow, wide, size, what):
    """Float32 results are those of float64, rounded, up to a thousandth or a few roundings of terms of this size."""
    with np.errstate(over="ignore"):
        wanted = wide.astype(NARROW).astype(WIDE)
    found = narrow.astype(WIDE)
    both = np.maximum(np.abs(found), np.abs(wanted))
    with np.errstate(invalid="ignore"):
        near = np.abs(found - wanted) <= np.maximum(1e-3 * both, 1e-6 * size)
        edge = (both >= 0.99 * np.finfo(NARROW).max) & (np.minimum(np.abs(found), np.abs(wanted)) >= 1e38)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted)) | near | (edge & (found * wanted > 0))
    assert same.all(), f"{what}: {(~same).sum()} of {same.size} differ, at {np.argwhere(~same)[:5].tolist()}"


# Loops that end -------------------------------------------------------------------------------------


def test_sparsemax_returns_whatever_the_scores_are():
    # In a process of its own, which can be ended where the loss cannot be.
    fresh(
        """
import numpy as np, fastloss as fl
loss = fl.MulticlassSparsemax()
assert loss([0], [[2e16, 0.0]]) == 0
assert loss([1], [[2e16, 0.0]]) == 2e16
assert loss([0, 1], [[1e308, 0.0], [1e308, 0.0]], reduction="none").tolist() == [0, 1e308]
assert loss([0], [[-2e16]]) == 0
assert np.isnan(loss([0], [[-np.inf, -np.inf]]))
assert np.isnan(loss([0], [[9.0, np.nan]]))
cold = fl.MulticlassSparsemax(temperature=1e-300)([0, 1], [[3.0, 1.0], [3.0, 1.0]], reduction="none")
np.testing.assert_allclose(cold, [0, 2e300], rtol=1e-15)
for dtype in (np.float32, np.float64):
    for big in 2.0 ** np.arange(20, 64, 4):
        x = np.array([[big, 0.0, -big], [-1e9, 1.0, -1e9], [0.25, 0.0, -1e9]], dtype)
        value, grad = loss.value_and_grad([0, 1, 1], x, reduction="none")
        assert value[:2].tolist() == [0, 0]
        assert not grad[:2].any()
        np.testing.assert_allclose(grad[2], [0.625, -0.625, 0])
    # Steps of Newton that take away one class each, as far as there are numbers for them.
    for classes in (40, 1000):
        for ratio in (0.5, 0.9, 0.99):
            x = -np.minimum(2 * ratio ** np.arange(classes), 1e30)[None, ::-1].astype(dtype)
            for label in (0, classes - 1):
                grad = loss.grad([label], x, reduction="none")
                assert abs(grad.sum()) < 1e-4
""",
        timeout=60,
    )


def test_every_loss_returns_whatever_the_numbers_are():
    # In a process of its own, too.
    fresh(
        """
import numpy as np
from tests.test_extremes import NARROW, SINGLES, WIDE, everything, extreme_rows, grid
from tests.test_rowwise import forms
from tests.support import ROW_LOSSES
for dtype in (NARROW, WIDE):
    with np.errstate(all="ignore"):
        for loss in SINGLES:
            everything(loss, *grid(loss, dtype))
        for form in forms(ROW_LOSSES):
            for classes in (5, 200):
                everything(form.values[0], *extreme_rows(*form.values, classes, dtype))
""",
        timeout=120,
    )


# Elements -----------------------------------------------------------------------------------------


def comparable(loss, y, x):
    """Where float32 promises what float64 does."""
    y, x = y.astype(WIDE), x.astype(WIDE)
    kernel, residual = loss._kernel()[0], np.abs(x - y)
    if kernel in ("epsilon_insensitive", "squared_epsilon_insensitive"):  # it rounds both sides of a kink
        epsilon = loss.parameters()["epsilon"]
        return np.abs(residual - epsilon) > 1e-6 * (epsilon + np.abs(x) + np.abs(y))
    if kernel == "quantile":  # its residual overflows
        return residual <= np.finfo(NARROW).max
    if kernel == "poisson_log":  # its e^x overflows before a product that is larger yet
        return y <= 1e36
    return np.ones(len(y), bool)


@pytest.mark.parametrize("loss", SINGLES, ids=repr)
def test_elements_of_any_size_are_the_same_in_both_types(loss):
    y, x = grid(loss, NARROW)
    keep = np.ones(len(y), bool) if loss.signature.pair else comparable(loss, y, x)
    y, x = y[keep], x[keep]
    with np.errstate(all="ignore"):
        narrow, wide = everything(loss, y, x), everything(loss, y.astype(WIDE), x.astype(WIDE))
    for what, one, other in zip(("value", "gradient", "curvature"), narrow, wide, strict=True):
        assert_alike(one, other, 1.0, f"{loss!r} {what}")


@pytest.mark.parametrize("loss", SINGLES, ids=repr)
def test_sums_of_losses_too_large_for_float32_are_finite(loss):
    y, x = grid(loss, NARROW)
    with np.errstate(all="ignore"):
        wide = loss(y.astype(WIDE), x.astype(WIDE), reduction="none")
    keep = (wide > -1e30) & (wide < 1e290)  # nothing cancels, and their sum is a number, too
    y, x, wide = y[keep], x[keep], wide[keep]
    assert loss(y, x, reduction="sum") == pytest.approx(float(wide.sum()), rel=1e-5, abs=1e-3)
    half = np.where(np.arange(len(y)) % 2, 0.5, 0)
    state = loss.state(y, x, sample_weight=half)
    assert state.total == pytest.approx(float((half * wide).sum()), rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("loss", [loss for loss in SINGLES if not loss.signature.pair], ids=repr)
@pytest.mark.parametrize("dtype", [NARROW, WIDE])
def test_an_infinite_prediction_has_the_limit(loss, dtype):
    low, high, _ = loss.domains()[1].closed(dtype)
    targets = [y for y in inside(loss.domains()[0], dtype) if abs(y) in (0, 1, 2)]
    exact = Exact(loss)
    for sign in (-1, 1):
        if not low <= sign * math.inf <= high or loss._kernel()[0].removesuffix("_full").endswith(
            ("_identity", "_deviance")
        ):
            continue  # such a rate is NaN
        for y in targets:
            found = float(loss(np.array([y], dtype), np.array([sign * math.inf], dtype), reduction="none")[0])
            near, far = (exact.value(float(y), sign * mpf(10) ** exponent, digits=60) for exponent in (1000, 2000))
            grows = abs(far) > 1 and abs(far - near) > 1e-10 * abs(near)
            wanted = math.copysign(math.inf, far) if grows else float(far)
            assert found == pytest.approx(wanted, rel=1e-6, abs=1e-30), (y, sign)


@pytest.mark.parametrize("loss", SINGLES, ids=repr)
def test_float64_values_of_any_size_are_those_of_mpmath(loss):
    y, x = grid(loss, WIDE)
    predictions = x.T if loss.signature.pair else x[np.newaxis]
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(predictions[0] - y)
    keep = np.flatnonzero(np.isfinite(apart) & (np.abs(y) != np.finfo(WIDE).smallest_subnormal))
    chosen = generator(repr(loss)).choice(keep, 8)
    exact, most = Exact(loss), mpf(float(np.finfo(WIDE).max))
    values = loss(y[chosen], x[chosen], reduction="none")
    for i, found in zip(chosen, values, strict=True):
        point = (float(y[i]), *map(float, predictions[:, i]))
        true, terms = exact.value(*point), exact.terms("value", *point)
        error = abs(mpf(float(found)) - true) if math.isfinite(found) else inf
        near = error <= mpf(2) ** -48 * max(abs(true), terms) + mpf(2) ** -1070
        too_large = abs(true) > most * 0.999 and found * true > 0 and abs(found) > 1e308  # a term of it may be
        assert near or too_large, (point, found, float(true))


# What exponentials that saturate or underflow did.


@pytest.mark.parametrize("dtype", [NARROW, WIDE])
def test_the_logarithm_of_a_probability_that_underflows(dtype):
    z = np.array([-301, -559.76, -689, -1e4], dtype)
    np.testing.assert_allclose(fl.CrossEntropyLambda()(np.ones(4), z, reduction="none"), -z, rtol=1e-6)
    _, grad = fl.GeneralizedCrossEntropy(q=0.01).value_and_grad([0], np.array([[0, 1000]], dtype))
    np.testing.assert_allclose(grad, [[-math.exp(-10), math.exp(-10)]], rtol=1e-6)
    hess = fl.GeneralizedCrossEntropy(q=0.01).grad_and_hess([0], np.array([[0, 1000]], dtype))[1]
    np.testing.assert_allclose(hess, -0.01 * math.exp(-10) * np.ones((1, 2)), rtol=1e-5)
    grad = fl.GeneralizedCrossEntropy(q=1 / 1024).grad([0], np.array([[0, 2048, 2048]], dtype))  # the others are two
    np.testing.assert_allclose(grad[0, 0], -math.exp(-2) * 2 ** (-1 / 1024), rtol=3e-7)


@pytest.mark.parametrize("power", [-3.0, -0.38, 0.0, 2.5, 4.0])
@pytest.mark.parametrize("y", [0.0, 1e-3, 2.0, 3e38])
def test_of_two_exponentials_the_larger_decides(power, y):
    loss = fl.Tweedie(power=power)
    if y == 0 and power > 2:
        y = 1e-30
    x = np.linspace(-400, 400, 41)
    wide = everything(loss, np.full(41, y), x)
    for one, other in zip(everything(loss, np.full(41, y, NARROW), x.astype(NARROW)), wide, strict=True):
        assert_alike(one, other, 0.0, loss)


@pytest.mark.parametrize(
    ("loss", "y", "x", "wanted"),
    [
        (fl.PoissonDeviance(), 1.7e308, 6e307, 2 * (6e307 - 1.7e308 * (1 + math.log(6 / 17)))),
        (fl.TweedieDeviance(power=1.1), 1.7976931348623157e308, 7.650086153911932e19, 3.692996728869142e307),
        (fl.TweedieDeviance(power=-6.349910474998065), 1.036402579836204e37, 8e-253, 3.885215966973093e307),
        (fl.TweedieDeviance(power=12915.0), 20.234375, 13.96875, 0.0),
        (fl.Tweedie(power=-0.5), 1.7e308, 0.0, -1.7e308 / 1.5),
    ],
    ids=repr,
)
def test_terms_larger_than_the_result_do_not_overflow(loss, y, x, wanted):
    assert loss([y], [x]) == pytest.approx(wanted, rel=1e-13)


def test_the_curvature_of_tweedie_is_finite_where_it_is_less_than_the_largest_number():
    _, hess = fl.Tweedie(power=1.5).grad_and_hess([1.7e308], [-1.0], reduction="sum")
    assert hess[0] == pytest.approx(0.5 * math.exp(0.5) * 1.7e308, rel=1e-13)


def test_the_ends_of_float64():
    most = np.finfo(WIDE).max
    for sizes in ((most, most), (most, most / 2), (most / 2, most)):
        value, grad = fl.SquaredLogError().value_and_grad(sizes[:1], sizes[1:])
        assert value == pytest.approx(math.log(sizes[0] / sizes[1]) ** 2, rel=1e-13)
        assert abs(grad[0]) < 1e-300
    _, hess = fl.GammaDeviance().grad_and_hess([1.6e308], [1.7], reduction="sum")
    assert hess[0] == pytest.approx(4 * (1.6e308 / 1.7**3), rel=1e-13)
    assert fl.GaussianNLLLogSigma()([0.0], [[1.0, -354.85]]) == pytest.approx(0.5 * math.exp(709.7), rel=1e-11)


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 1.0])
def test_a_missing_label_is_nan_whatever_the_weights_of_the_labels(alpha, wide):
    assert math.isnan(fl.ReducedFocal(alpha=alpha)(np.array([np.nan], wide), np.array([0.5], wide)))


def test_a_power_far_beyond_float32_is_infinite():
    least = np.finfo(NARROW).smallest_subnormal
    value = fl.Tweedie(power=68.0, link="identity")(np.array([least]), np.array([least]), reduction="none")
    assert value[0] == -math.inf


# Rows ---------------------------------------------------------------------------------------------


def extreme_rows(loss, dense, classes, dtype, rows=400):
    """Rows of which some scores, or all, are in corners."""
    rng = generator(repr(loss), classes, "rows")
    y, x = draw_rows(loss, rows, classes, dtype, rng, dense=dense)
    found = np.concatenate([corners(NARROW), [-1e9, 1e18]]).astype(dtype)
    found = found[np.abs(found) < 1e38]  # differences are numbers, too
    if loss.scores == "log_probabilities":
        found = -np.abs(found)
    if loss.scores in ("logits", "log_probabilities"):
        x = np.where(rng.random((rows, classes)) < rng.choice([0.1, 0.5, 1], (rows, 1)), rng.choice(found, x.shape), x)
    if dense and loss.targets == "reals":
        y = np.where(rng.random((rows, classes)) < 0.2, rng.choice(found, x.shape), y)
    return y, x


def roundings(loss, x):
    """The size of what a row's results are differences of, where they cancel."""
    size = np.abs(x.astype(WIDE)).max(axis=1, where=np.abs(x) < 1e4, initial=1.0)
    given = loss.parameters()
    return size * given.get("scale", 1.0) ** 2 * given.get("temperature", 1.0) ** 2


@every_form
@pytest.mark.parametrize("classes", [2, 5, 200])
def test_rows_of_any_size_are_the_same_in_both_types(loss, dense, classes):
    y, x = extreme_rows(loss, dense, classes, NARROW)
    narrow, wide = everything(loss, y, x), everything(loss, y.astype(WIDE) if dense else y, x.astype(WIDE))
    size = roundings(loss, x)
    if loss.parameters().get("z_loss"):
        narrow, wide = narrow[:2], wide[:2]  # the curvature is a difference of squares of the log-sum-exp
    if isinstance(loss, fl.MultilabelMargin):
        narrow, wide = narrow[:1], wide[:1]  # whether a pair is at the margin is a matter of rounding
        size = np.abs(x.astype(WIDE)).max(axis=1) * classes
    for what, one, other in zip(("value", "gradient", "curvature"), narrow, wide, strict=False):
        if other.ndim == 2:  # a row's derivatives are differences of its largest
            size = np.maximum(roundings(loss, x), np.abs(other).max(axis=1))[:, np.newaxis]
        assert_alike(one, other, size, f"{loss!r} {what}")
    finite = np.isfinite(wide[0])
    if not isinstance(loss, fl.MultilabelMargin):
        total = float(wide[0][finite].sum())
        assert loss(y[finite], x[finite], reduction="sum") == pytest.approx(total, rel=1e-4, abs=1e-3)


@every_form
def test_float64_rows_of_any_size_are_those_of_mpmath(loss, dense):
    rows, exact = 6, ExactRow(loss)
    y, x = extreme_rows(loss, dense, 5, WIDE, rows)
    value = loss(y, x, reduction="none")
    for i in range(rows):
        target = y[i] if dense else int(y[i])
        true, terms = exact.value(target, x[i]), exact.terms("value", target, x[i])
        error = abs(mpf(float(value[i])) - true) if math.isfinite(value[i]) else inf
        # Terms of this size are rounded before they cancel.
        size = max(loss.parameters().get("temperature", 1.0) ** 2, abs(true), terms)
        assert error <= 1e-13 * size, (y[i], x[i], value[i], float(true))


def test_a_mean_over_classes_is_finite_where_their_sum_is_not():
    for dtype, size in ((NARROW, 2e19), (WIDE, 1.5e154)):
        value, grad = fl.MultiMargin(p=2).value_and_grad([0], np.array([[0, size]], dtype), reduction="none")
        assert value[0] == pytest.approx(size / 2 * size, rel=1e-6)
        np.testing.assert_allclose(grad, [[-size, size]], rtol=1e-6)
    value = fl.MultiMargin()([0], np.array([[0, 3e38, 3e38]], NARROW), reduction="none")
    assert value[0] == pytest.approx(2e38, rel=1e-6)
    found = fl.GANDiscriminator("ls")([0.0], np.array([2.55e19], NARROW), reduction="none")[0]
    assert found == pytest.approx(2.55e19**2 / 2, rel=1e-6)


# What a NaN does to a row ---------------------------------------------------------------------------

LAYOUTS = {
    "a tile": (5, lambda a: a),
    "several tiles": (150, lambda a: a),
    "rows": (300, lambda a: a),
    "columns": (5, np.asfortranarray),
    "long columns": (300, np.asfortranarray),
}


def with_one_nan(loss, dense, classes, where):
    """Rows, and the same with a NaN in row 3 as a target, or as a score, of a target of 0 if it may be that."""
    y, x = draw_rows(loss, 70, classes, WIDE, generator(repr(loss), classes), dense=dense)
    y = y.astype(WIDE)
    if dense and loss.targets == "probabilities" and not isinstance(loss, fl.ReverseKL):
        y[3, classes // 2] = 0
    one, other = y.copy(), x.copy()
    if where == "target":
        one[3] = [math.nan, *y[3, 1:]] if dense else math.nan
    else:
        label = int(y[3]) if isinstance(loss, fl.NegativeLogLikelihood) else classes // 2
        other[3, label] = math.nan
    return y, x, one, other


@every_form
@pytest.mark.parametrize("where", ["target", "score"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_with_a_nan_is_nan_throughout_and_counts(loss, dense, where, layout, wide):
    classes, lay = LAYOUTS[layout]
    y, x, one, other = with_one_nan(loss, dense, classes, where)
    y, x, one, other = (lay(a.astype(wide)) for a in (y, x, one, other))
    rest = np.arange(70) != 3
    for before, after in zip(everything(loss, y, x), everything(loss, one, other), strict=True):
        assert np.isnan(after[3]).all()
        assert_same_bits(after[rest], before[rest])
    # It counts in the divisor of a mean, and in a state.
    assert math.isnan(loss(one, other))
    assert_same_bits(loss.grad(one, other)[rest], loss.grad(y, x)[rest])
    whole, state = loss.state(y, x), loss.state(one, other)
    assert (state.count, state.weight) == (whole.count, whole.weight)
    assert math.isnan(state.mean)


@pytest.mark.parametrize("loss", [loss for loss in ROW_LOSSES if loss == type(loss)()], ids=repr)
def test_a_missing_target_has_the_class_weight_one(loss):
    if "class_weight" not in loss.parameters():
        pytest.skip("has no class weights")
    weighted = type(loss)(class_weight=(2.0, 3.0, 5.0, 7.0, 11.0))
    for dense in kinds(loss):
        y, x = draw_rows(loss, 20, 5, WIDE, generator("missing"), dense=dense)
        y = y.astype(WIDE)
        kept = np.arange(20) != 3
        y[3] = math.nan
        whole, rest = weighted.state(y, x), weighted.state(y[kept], x[kept])
        assert whole.weight == pytest.approx(rest.weight + 1, rel=1e-13)
        np.testing.assert_allclose(
            weighted.grad(y, x)[kept] * whole.weight, weighted.grad(y[kept], x[kept]) * rest.weight, rtol=1e-12
        )
        groups = weighted.states(y, x, groups=np.zeros(20))
        assert groups[0].weight == pytest.approx(whole.weight, rel=1e-13)


def test_a_class_of_weight_nothing_costs_nothing_whatever_its_score():
    x = [[-math.inf, 0.0, 1.0], [0.5, 0.0, 1.0]]
    for loss in (fl.CrossEntropy, fl.SoftmaxFocal, fl.NegativeLogLikelihood, fl.CrammerSinger, fl.MultiMargin):
        weighted = loss(class_weight=(0.0, 1.0, 1.0))
        value, grad = weighted.value_and_grad([0, 2], x, reduction="none")
        assert value[0] == 0
        assert not grad[0].any()
        assert weighted([0, 2], x) == value[1]


@pytest.mark.parametrize("loss", [loss for loss in ROW_LOSSES if loss == type(loss)()], ids=repr)
@pytest.mark.parametrize("classes", [3, 300])
def test_the_slope_at_a_class_of_weight_nothing_is_nothing_whatever_the_scores(loss, classes, wide):
    if "class_weight" not in loss.parameters() or not loss.signature.labels:
        pytest.skip("has no class weights of labels")
    weighted = type(loss)(class_weight=(0.0,) + (1.0,) * (classes - 1))
    x = np.full((2, classes), -1.0, wide)
    x[0, 1] = np.inf
    value, grad = weighted.value_and_grad([0, 2], x, reduction="none")
    same = (value[0] == 0 and not grad[0].any()) or (np.isnan(value[0]) and np.isnan(grad[0]).all())
    assert same, (value, grad)
    assert np.isfinite(grad[1]).all()
