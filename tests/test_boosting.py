"""Custom objectives of gradient boosting: they reproduce the built-in ones, on real data, and waste nothing."""

import copy
import math
import pickle
import threading
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

import fastloss as fl
from fastloss._core.loss import RAW
from fastloss._core.parameters import ANY
from fastloss.integrations import _boosting, _start, catboost, lightgbm, sklearn, xgboost
from fastloss.testing import check_hess
from tests import conftest
from tests.inputs import draw, draw_rows
from tests.support import DRAWN, additive, fresh, generator

datasets = pytest.importorskip("sklearn.datasets")
ROUNDS = 100


@pytest.fixture(scope="module")
def diabetes():
    return datasets.load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def breast_cancer():
    return datasets.load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    return datasets.load_digits(return_X_y=True)


def data_of(loss, request):
    return request.getfixturevalue("diabetes" if loss.domains()[0].high > 1 else "breast_cancer")


def weights(y, seed=0):
    return np.random.default_rng(seed).random(len(y)).astype(np.float32)


def assert_same_model(found, wanted, rtol):
    """Predictions equal relative to the largest; over so many rounds rounding errors of float32 add up."""
    assert np.abs(found - wanted).max() <= rtol * np.abs(wanted).max()


# What every objective promises ----------------------------------------------------------------------

REFUSED = [
    loss
    for loss in additive(DRAWN)
    if loss.hessian_approximation == "none"
    or loss.signature.unsupervised
    or (loss.signature.rowwise and (not loss.signature.labels or loss.scores not in RAW))
]
TRAINABLE = [loss for loss in additive(DRAWN) if loss not in REFUSED]


@pytest.fixture(params=TRAINABLE, ids=repr)
def loss(request):
    return request.param


def arrays(loss, n=500, dtype=np.float32):
    rng = generator(loss, "boosting")
    return draw_rows(loss, n, 5, dtype, rng) if loss.signature.rowwise else draw(loss, n, dtype, rng)


def spread(loss):
    """Predictions near their targets or 0, and far from them."""
    y, x = arrays(loss, 4000, np.float64)
    if loss.domains()[1] == ANY and not loss.signature.pair:
        factors = np.resize([0.01, 1.0] if loss.signature.rowwise else [0.01, 1.0, 2.5], len(x))
        x *= factors.reshape(-1, *(1 for _ in x.shape[1:]))
    return y, x


def test_the_curvature_is_usable(loss):
    y, x = (array.astype(np.float32) for array in spread(loss))
    grad, hess = xgboost.sklearn_objective(loss)(y, x)
    assert grad.shape == hess.shape == x.shape
    assert grad.dtype == hess.dtype == np.float32
    assert np.isfinite(grad).all()
    assert np.isfinite(hess).all()
    np.testing.assert_array_equal(grad, loss.grad(y, x, reduction="sum"))
    assert (hess >= 0 if loss.hessian_approximation == "own" or loss.reweighted else hess > 0).all()  # may underflow
    assert hess.mean() > 1e-7


def test_the_curvature_is_what_the_loss_declares(loss):
    y, x = spread(loss)
    grad, own = loss.grad_and_hess(y, x, reduction="sum")
    _, hess = xgboost.sklearn_objective(loss, curvature="own")(y, x)
    match loss.hessian_approximation:
        case "own":
            straight = loss.scores == "means" and y == 0  # the one target without any
            assert ((own > 0) | (grad == 0) | straight).all()
            assert np.mean(own > 0) > 0.85
            np.testing.assert_array_equal(hess, own.astype(np.float32))
        case "floored":
            np.testing.assert_array_equal(hess, np.maximum(own, _boosting.FLOOR).astype(np.float32))
        case "constant":
            assert np.unique(hess).size == 1


@pytest.mark.parametrize("loss", [loss for loss in REFUSED if loss.hessian_approximation == "own"], ids=repr)
def test_losses_that_are_no_objective_declare_their_curvature_too(loss):
    y, x = draw_rows(loss, 1000, 5, np.float64, generator(loss, "boosting"), dense=not loss.signature.labels)
    _, hess = loss.grad_and_hess(y, x, reduction="sum")
    assert (hess >= 0).all()
    assert np.mean(hess > 0) > 0.85


@pytest.mark.parametrize(
    "loss",
    [loss for loss in TRAINABLE if loss.signature.rowwise and loss.hessian_approximation == "constant"],
    ids=repr,
)
def test_no_direction_of_a_row_has_more_curvature_than_its_surrogate(loss):
    rng = generator(loss, "directions")
    for classes in (2, 3, 7):
        y, x = draw_rows(loss, 300, classes, np.float64, rng)
        steps = 1e-5 * np.eye(classes)
        slopes = [loss.grad(y, x + d, reduction="sum") - loss.grad(y, x - d, reduction="sum") for d in steps]
        hessian = np.stack(slopes, axis=1) / 2e-5
        smooth = np.abs(hessian).max(axis=(1, 2)) < 1e3  # without a kink between the steps
        assert np.linalg.eigvalsh(hessian[smooth]).max() <= 1.001 * _boosting.constant_hessian(loss)


@pytest.mark.parametrize(
    ("loss", "constant"),
    [
        (fl.Huber(delta=50.0), 1),
        (fl.SmoothL1(beta=0.5), 2),
        (fl.SmoothL1(beta=0.0), 1),
        (fl.Quantile(alpha=0.3), 1),
        (fl.Hinge(), 1),
        (fl.SquaredHinge(), 2),
        (fl.SmoothedHinge(gamma=0.01), 100),
        (fl.ModifiedHuber(), 2),
        (fl.Cauchy(c=70.0), 1),
        (fl.Barron(alpha=-2.0, c=0.5), 4),
        (fl.StudentTNLL(df=4.0, scale=2.0), 5 / 16),
        (fl.SquaredEpsilonInsensitive(epsilon=70.0), 2),
        (fl.Wing(), 1),
        (fl.KTO(beta=0.1), 0.01 / math.sqrt(108)),
        (fl.Lp(p=1.5), 1),
        (fl.GaussianNLL(), 1),
        (fl.MulticlassSparsemax(temperature=0.5), 4),
        (fl.MultiMargin(p=2), 2),
        (fl.MultiMargin(p=2, class_weight=(1.0, 3.0, 0.5)), 6),
        (fl.WestonWatkins(), 1),
        (fl.SquaredError(), None),
        (fl.BinaryCrossEntropyWithLogits(), None),
        (fl.Lp(p=3.0), None),
        (fl.Barron(alpha=1.5), None),
        (fl.GANDiscriminator(), None),
        (fl.CrossEntropy(), None),
        (fl.CrossEntropy(z_loss=0.1), None),
        (fl.SoftmaxFocal(gamma=0.0), None),
        (fl.Poly1CrossEntropy(), None),
    ],
    ids=repr,
)
def test_stated_surrogates(loss, constant):
    assert _boosting.constant_hessian(loss) == (None if constant is None else pytest.approx(constant, rel=1e-3))


REWEIGHTED = [loss for loss in TRAINABLE if loss.reweighted]


@pytest.mark.parametrize("loss", TRAINABLE, ids=repr)
def test_a_bounded_weight_that_falls_is_declared(loss):
    target, prediction, _ = loss.domains()
    falls = False
    r = np.geomspace(1e-3, 100.0, 2001)
    single = loss.signature.single
    if single and target == prediction == ANY and np.allclose(loss.grad(0 * r, r), loss.grad(0 * r + 8, r + 8)):
        above, below = loss.grad(0 * r, r, reduction="sum") / r, loss.grad(0 * r, -r, reduction="sum") / -r
        limit = loss.grad_and_hess([0.0], [0.0], reduction="sum")[1][0]
        shrinks = np.all(np.diff(above) <= 1e-12 * above[:-1]) and above[-1] < 0.999 * limit
        falls = 0 < limit < math.inf and np.allclose(above, below) and above[0] <= limit and shrinks
    if isinstance(loss, fl.Barron) and 0 < 2 - loss.alpha < 1e-6:
        falls = True  # too slowly to be seen
    assert loss.reweighted == falls


@pytest.mark.parametrize("loss", REWEIGHTED, ids=repr)
@pytest.mark.parametrize("make", [xgboost.sklearn_objective, lightgbm.sklearn_objective])
def test_the_parabola_of_the_weight_majorizes(loss, make):
    rng = generator(loss, "majorizes")
    scale = 10 ** rng.uniform(-3, 3, (3, 4000))
    y, x, other = scale * rng.normal(size=(3, 4000))
    x[:100] = y[:100]
    grad, weight = (array.astype(np.float64) for array in make(loss)(y, x))
    np.testing.assert_allclose(weight[:100], loss.grad_and_hess([0.0], [0.0], reduction="sum")[1][0], rtol=1e-6)
    value = loss(y, x, reduction="none")
    step = other - x
    parabola = value + grad * step + 0.5 * weight * step**2
    reach = value + np.abs(grad * step) + 0.5 * weight * step**2
    assert (loss(y, other, reduction="none") <= parabola + 1e-6 * reach).all()


def test_curvature_is_a_choice():
    assert xgboost.objective(fl.LogCosh()) == xgboost.objective(fl.LogCosh(), curvature="majorizing")
    assert xgboost.objective(fl.LogCosh()) != xgboost.objective(fl.LogCosh(), curvature="own")
    assert xgboost.objective(fl.Hinge()) == xgboost.objective(fl.Hinge(), curvature="own")
    for make in (xgboost.objective, lightgbm.sklearn_objective, catboost.objective):
        with pytest.raises(ValueError, match=r"^Hinge: curvature is 'majorizing', must be 'own': slope over residual"):
            make(fl.Hinge(), curvature="majorizing")
        with pytest.raises(ValueError, match=r"^Huber: curvature is 'irls', must be 'majorizing', 'own' or None"):
            make(fl.Huber(), curvature="irls")


@pytest.mark.parametrize("make", [xgboost.sklearn_objective, lightgbm.sklearn_objective])
def test_weights_multiply_once(loss, make):
    y, x = arrays(loss)
    w = weights(y)
    objective = make(loss)
    grad, hess = (result.copy() for result in objective(y, x))
    weighted_grad, weighted_hess = objective(y, x, w)
    by_row = w.reshape(-1, *(1 for _ in x.shape[1:]))
    rounding = 2e-7 if loss.signature.rowwise else 0  # before a difference of probabilities
    np.testing.assert_allclose(weighted_grad, grad * by_row, rtol=1e-6, atol=rounding)
    np.testing.assert_allclose(weighted_hess, hess * by_row, rtol=1e-6, atol=rounding)


@pytest.mark.parametrize(("module", "order"), [(xgboost, "C"), (lightgbm, "F")])
def test_results_are_taken_without_a_copy(module, order):
    loss = fl.MultiQuantile()
    y, x = draw(loss, 100, np.float64, np.random.default_rng(0))
    for result in module.sklearn_objective(loss)(y, np.asarray(x, order=order)):
        assert result.dtype == np.float32
        assert np.shares_memory(result, result.ravel(order=order))


def test_the_arrays_of_a_call_are_used_again():
    objective = xgboost.sklearn_objective(fl.LogCosh())
    y, x = np.random.default_rng(0).normal(size=(2, 100))
    grad, hess = objective(y, x)
    again = objective(y, x)
    assert again[0] is grad
    assert again[1] is hess
    assert objective(y[:50], x[:50])[0].shape == (50,)
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.extend(objective(y, x)))
    thread.start()
    thread.join()
    assert not np.shares_memory(elsewhere[0], objective(y, x)[0])


@pytest.mark.parametrize(
    "make",
    [
        xgboost.objective, xgboost.sklearn_objective, xgboost.metric, xgboost.sklearn_metric, lightgbm.objective,
        lightgbm.sklearn_objective, lightgbm.metric, lightgbm.sklearn_metric, catboost.objective, catboost.metric,
    ],
)  # fmt: skip
def test_objects_are_values(make):
    one = make(fl.Huber(delta=2.0))
    for same in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one), copy.copy(one), make(fl.Huber(delta=2.0))):
        assert same == one
        assert hash(same) == hash(one)
        assert "Huber(delta=2.0)" in repr(same)
    assert make(fl.Huber(delta=3.0)) != one


@pytest.mark.parametrize("make", [xgboost.objective, lightgbm.objective, catboost.objective])
def test_what_cannot_be_boosted_says_so(make):
    with pytest.raises(ValueError, match=r"RootMeanSquaredError: .*must be a sum over elements"):
        make(fl.RootMeanSquaredError())
    with pytest.raises(ValueError, match="ZeroOne: the gradient is 0 everywhere"):
        make(fl.ZeroOne())


@pytest.mark.parametrize("make", [xgboost.objective, lightgbm.sklearn_objective])
@pytest.mark.parametrize("loss", REFUSED, ids=repr)
def test_what_no_booster_predicts_is_refused(loss, make):
    reason = "the gradient is 0 everywhere"
    if loss.signature.rowwise and not loss.signature.labels:
        reason = "y_true holds a target of each class, must hold labels"
    elif loss.signature.rowwise and loss.scores not in RAW:
        reason = rf"y_pred holds {loss.scores.replace('_', ' ')}, must hold logits"
    elif loss.signature.unsupervised:
        reason = "labels say only which rows count, must be what an objective of gradient boosting learns"
    with pytest.raises(ValueError, match=f"^{type(loss).__name__}: {reason}"):
        make(loss)


@pytest.mark.parametrize(
    "make",
    [
        xgboost.objective, xgboost.sklearn_objective, xgboost.metric, xgboost.sklearn_metric, lightgbm.objective,
        lightgbm.sklearn_objective, lightgbm.metric, lightgbm.sklearn_metric, catboost.objective, catboost.metric,
        sklearn.scorer, lambda loss: xgboost.base_score(loss, [1.0]), lambda loss: lightgbm.init_score(loss, [1.0]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("given", [fl.huber, fl.Huber, "huber"], ids=repr)
def test_what_is_no_loss_object_is_refused(make, given):
    with pytest.raises(
        TypeError, match=r"^\w+: loss is .*[Hh]uber.*, must be a loss object such as fastloss\.Huber\(\)$"
    ):
        make(given)


def test_catboost_has_one_output():
    for make in (catboost.objective, catboost.metric):
        with pytest.raises(ValueError, match="MultiQuantile: must be a sum over elements with one prediction each"):
            make(fl.MultiQuantile())


def test_metrics_are_means():
    y, x, w = np.random.default_rng(0).random((3, 50))
    loss = fl.BrierWithLogits()
    assert xgboost.sklearn_metric(loss)(y, x, sample_weight=w) == loss(y, x, sample_weight=w)
    assert lightgbm.sklearn_metric(loss)(y, x, w) == ("brier_with_logits", loss(y, x, sample_weight=w), False)
    parts = [catboost.metric(loss).evaluate([x[part]], y[part], w[part]) for part in (slice(20), slice(20, 50))]
    assert catboost.metric(loss).get_final_error(*np.sum(parts, axis=0)) == pytest.approx(loss(y, x, sample_weight=w))
    assert math.isnan(catboost.metric(loss).get_final_error(0.0, 0.0))
    assert xgboost.sklearn_metric(fl.RootMeanSquaredError())(y, x) == fl.rmse(y, x)


# Where to start -------------------------------------------------------------------------------------

STARTS = [xgboost.base_score, lightgbm.init_score]
AT_QUANTILES = (fl.AbsoluteError, fl.Quantile, fl.AbsolutePercentageError, fl.MultiQuantile)
KINKED_ROWS = (fl.MultiMargin, fl.WestonWatkins, fl.CrammerSinger, fl.MulticlassPerceptron)
NO_MINIMUM = [
    fl.MeanBias(), fl.SigmoidLoss(), fl.KTO(), fl.KTO(beta=2.5), fl.GANDiscriminator(mode="wgan"),
    fl.GANGenerator(mode="minimax"), fl.GANGenerator(mode="wgan"), fl.GANGenerator(mode="hinge"),
    fl.GeneralizedCrossEntropy(q=1.0),
]  # fmt: skip


def targets(loss):
    y = arrays(loss, 300, np.float64)[0]
    return np.abs(y) if loss.domains()[1].low == 0 else y  # a mean must be in the domain of predictions


def means(loss, y, constants, w=None):
    return np.array([loss(y, np.broadcast_to(one, y.shape + np.shape(one)), sample_weight=w) for one in constants])


@pytest.mark.parametrize(("start", "weighted"), [(xgboost.base_score, False), (lightgbm.init_score, True)])
@pytest.mark.parametrize("loss", [loss for loss in TRAINABLE if loss not in NO_MINIMUM], ids=repr)
def test_the_start_is_the_best_constant(loss, start, weighted):
    y = targets(loss)
    w = weights(y).astype(np.float64) if weighted else None
    found = np.asarray(start(loss, y, w))
    if isinstance(loss, AT_QUANTILES):
        columns = found.reshape(-1)
        levels = [fl.Quantile(alpha=level) for level in loss.quantiles] if found.ndim else [loss]
        for one, column in zip(levels, columns, strict=True):
            order = np.sort(y)
            best = int(np.argmin(means(one, y, order, w)))
            assert order[max(0, best - 1)] - 1e-6 <= column <= order[min(best + 1, y.size - 1)] + 1e-6
        return
    rng = np.random.default_rng(7)
    others = found + rng.normal(size=(80, *found.shape)) * np.exp(rng.uniform(-6, 3, (80, *(1,) * found.ndim)))
    low, high, _ = loss.domains()[1].closed(np.float64)
    if not found.ndim:
        others = np.concatenate([others, np.quantile(y, np.linspace(0, 1, 31)), np.linspace(-5, 5, 31)])
    if isinstance(loss, fl.GaussianNLL):
        others[:, 1] = np.abs(others[:, 1])
    least = means(loss, y, [found], w)[0]
    allowed = 1e-3 * abs(least) if isinstance(loss, KINKED_ROWS) else 1e-9 * abs(least) + 1e-15
    assert least <= means(loss, y, np.clip(others, low, high), w).min() + allowed


@pytest.mark.parametrize(
    "loss",
    [
        loss
        for loss in TRAINABLE
        if loss.signature.single
        and not isinstance(loss, (*AT_QUANTILES, fl.ReducedFocal))  # which jumps itself
        and loss not in NO_MINIMUM
    ],
    ids=repr,
)
def test_the_slope_changes_sign_at_the_start(loss):
    y = targets(loss)
    found = lightgbm.init_score(loss, y)
    step = 1e-6 * max(1.0, abs(found))
    below, above = (loss.grad(y, np.full(300, found + d), reduction="sum").sum() for d in (-step, step))
    assert below <= 0 <= above


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("loss", NO_MINIMUM, ids=repr)
def test_losses_without_a_minimum_say_so(loss, start):
    y, _ = arrays(loss, 301)
    with pytest.raises(ValueError, match=rf"^{type(loss).__name__}: the mean loss for y_true has no minimum, it sinks"):
        start(loss, y)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("loss", [fl.LogCosh(), fl.PseudoHuber(), fl.PseudoHuber(delta=50.0), fl.Cauchy(), fl.Fair()])
def test_robust_losses_start_among_the_targets(loss, start, diabetes):
    _, y = diabetes
    assert abs(start(loss, y) - np.median(y)) < np.std(y)
    assert means(loss, y, [start(loss, y)]) <= means(loss, y, [np.median(y)])


@pytest.mark.parametrize("loss", [fl.LogCosh(), fl.PseudoHuber(), fl.Fair(), fl.Huber(), fl.Cauchy(), fl.Tukey()])
def test_an_outlier_does_not_move_a_robust_start(loss):
    y = np.arange(20.0)
    for outliers in ([1e300], [1e300, -1e300, 1e300]):
        assert abs(xgboost.base_score(loss, np.append(y, outliers)) - xgboost.base_score(loss, y)) < 2
    assert xgboost.base_score(fl.PseudoHuber(), [0.0, 1.0, 1e300]) < 3
    assert xgboost.base_score(fl.Expectile(alpha=0.1), [0.0, 1.0, 1e300]) == pytest.approx(1e299 / 1.9, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "y", "start"),
    [
        (fl.Hinge(), [1, -1], 0.0),
        (fl.Hinge(), [1, 1, 0], 1.0),
        (fl.Hinge(), [1, 1], 1.0),
        (fl.Perceptron(), [1, 1], 0.0),
        (fl.EpsilonInsensitive(epsilon=3.0), [0.0, 10.0], 5.0),
        (fl.EpsilonInsensitive(epsilon=7.0), [0.0, 10.0], 5.0),
        (fl.Tukey(c=1.0), [0.0, 0.1, 5.0, 5.0, 5.1, 40.0], 5.033),
        (fl.LogCosh(), [7.0], 7.0),
        (fl.Huber(), [-3.0, -3.0, -3.0], -3.0),
        (fl.Cauchy(), [0.0, 0.0], 0.0),
        (fl.SquaredLogError(), [0, 0], 0.0),
        (fl.BrierWithLogits(), [0.25, 0.25], math.log(1 / 3)),
        (fl.GaussianNLLLogSigma(), [1.0, 3.0], [2.0, 0.0]),
        (fl.LaplaceNLL(), [1.0, 5.0], [3.0, math.log(2)]),
        (fl.GaussianNLL(eps=0.25), [1.0, 1.0], [1.0, 0.25]),
        (fl.MarginRanking(margin=1.0), [1, 1, -1], [0.5, -0.5]),
        (fl.MulticlassBrier(), [0, 0, 1, 1], [0.0, 0.0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("start_of", STARTS)
def test_known_starts(loss, y, start, start_of):
    assert start_of(loss, y) == pytest.approx(start, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    "loss",
    [fl.PseudoHuber(), fl.SigmoidFocal(), fl.Hinge(), fl.SquaredError(), fl.Quantile(), fl.MultiMargin()],
    ids=repr,
)
def test_any_type_of_targets_gives_one_start(loss):
    import ml_dtypes

    y = np.random.default_rng(3).integers(0, 2, 50)
    wanted = lightgbm.init_score(loss, y)
    for dtype in (bool, np.int8, np.uint64, np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ">f4"):
        np.testing.assert_array_equal(lightgbm.init_score(loss, y.astype(dtype)), wanted)
        of_pair = lightgbm.init_score(fl.GaussianNLL(), y.astype(dtype))
        np.testing.assert_array_equal(of_pair, lightgbm.init_score(fl.GaussianNLL(), y))
    np.testing.assert_array_equal(lightgbm.init_score(loss, list(y)), wanted)
    assert lightgbm.init_score(loss, np.append(y, [1] * 9), np.repeat([1.0, 0.0], [50, 9])) == pytest.approx(wanted)


@pytest.mark.parametrize("loss", [fl.LogCosh(), fl.EpsilonInsensitive(), fl.Tukey()], ids=repr)
def test_the_search_takes_few_passes_and_little_memory(loss, monkeypatch):
    y = np.random.default_rng(8).normal(150, 70, 400_000).astype(np.float32)
    whole = np.sort(y)
    passes = []
    monkeypatch.setattr(_start, "BLOCK", 1 << 13)
    call = _start.MeanLoss.__call__
    monkeypatch.setattr(_start.MeanLoss, "__call__", lambda mean, at: passes.append(mean.y.size) or call(mean, at))
    tracemalloc.start()
    found = lightgbm.init_score(loss, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert passes.count(y.size) < 20
    assert peak < 2 * y.size  # a byte for each in a check, and blocks
    assert found == pytest.approx(lightgbm.init_score(loss, whole), rel=1e-6)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    ("loss", "y", "w", "message"),
    [
        (fl.PoissonNLL(), [0, 0], None, "the best constant for y_true is -inf, must be finite"),
        (fl.Tweedie(power=-1.0, link="identity"), [0, -2], None, "constant for y_true is -1.0, must be greater"),
        (fl.GaussianNLLLogSigma(), [2.0], None, r"the best constant for y_true is \[  2. -inf\], must be finite"),
        (fl.SigmoidFocal(), [1, 1], None, "has no minimum, it sinks the more predictions rise; start from 0"),
        (fl.Exponential(), [0, 0], None, "has no minimum, it sinks the more predictions fall; start from 0"),
        (fl.SquaredError(), [[1.0]], None, r"y_true has shape \(1, 1\), must have one axis"),
        (fl.SquaredError(), [], None, r"y_true has shape \(0,\), must have one axis, and elements"),
        (fl.SquaredError(), [1.0], [0.0], "sample_weight sums to 0, must be positive"),
        (fl.SquaredError(), [1.0], [1.0, 2.0], r"sample_weight has shape \(2,\), must have y_true's \(1,\)"),
        (fl.SquaredError(), [1.0, 1.0], [2.0, -1.0], r"sample_weight\[1\] is -1.0, must be finite and not negative"),
        (fl.SquaredError(), [1.0, 1.0], [2.0, np.inf], r"sample_weight\[1\] is inf, must be finite"),
        (fl.LogCosh(), [1.0, np.nan], None, r"y_true\[1\] is nan, must be finite"),
        (fl.CrossEntropy(), [1.0, np.nan], None, r"y_true\[1\] is nan, must be finite"),
        (fl.LogCosh(), [1.0, -np.inf], [1, 0], r"y_true\[1\] is -inf, must be finite"),
        (fl.Lp(p=3.0), [-1e300, 0.0, 0.0, 1e300], None, "the best constant for y_true is nan, must be finite"),
        (fl.CrossEntropy(), [-100, -100], None, "y_true holds ignored labels alone, must hold a class"),
        (fl.MultiMargin(), [-100, 1], [1.0, 0.0], "y_true holds ignored labels alone, must hold a class"),
        (fl.BinaryCrossEntropyWithLogits(), [0, 1, 2], None, r"y_true\[2\] is 2\.?0?, must be in \[0, 1\]"),
        (fl.Hinge(), [0, 3], None, r"y_true\[1\] is 3\.?0?, must be 1 for the positive class"),
        (fl.CrossEntropy(), [0, -1], None, r"y_true\[1\] is -1, must be a class from 0 to 0"),
        (fl.MultiMargin(), [0, 1.5], None, r"y_true\[1\] is 1.5, must be a class from 0 to 2"),
    ],
)
def test_no_start_without_data(start, loss, y, w, message):
    with pytest.raises(ValueError if "class from 0 to 0" not in message else IndexError, match=message):
        start(loss, y, w)


@pytest.mark.parametrize("start", STARTS)
def test_no_start_of_what_cannot_be_boosted(start):
    with pytest.raises(TypeError, match="LogCosh: y_true has dtype <U1, must be a real number type"):
        start(fl.LogCosh(), ["a"])
    for loss in REFUSED:
        with pytest.raises(ValueError, match=f"^{type(loss).__name__}: "):
            start(loss, [1.0])


def test_classes_start_from_their_shares():
    y, w = np.array([0, 2, 2, 1]), np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(np.exp(lightgbm.init_score(fl.CrossEntropy(), y, w)), [0.1, 0.4, 0.5])
    centered = xgboost.base_score(fl.CrossEntropy(), y, w)
    np.testing.assert_allclose(np.diff(centered), np.log([4, 1.25]))
    assert sum(centered) == pytest.approx(0, abs=1e-15)
    ignored = lightgbm.init_score(fl.CrossEntropy(), np.append(y, -100), np.append(w, 9.0))
    np.testing.assert_array_equal(ignored, lightgbm.init_score(fl.CrossEntropy(), y, w))


def test_rows_start_where_their_loss_is_least():
    y, w = np.array([0, 2, 2, 1]), np.array([1.0, 2.0, 3.0, 4.0])
    shares = np.array([0.1, 0.4, 0.5])
    np.testing.assert_allclose(lightgbm.init_score(fl.MulticlassSparsemax(), y, w), shares - 1 / 3, atol=1e-6)
    smooth = lightgbm.init_score(fl.CrossEntropy(label_smoothing=0.3), y, w)
    np.testing.assert_allclose(np.exp(smooth) / np.exp(smooth).sum(), 0.7 * shares + 0.1, atol=1e-6)
    assert np.shape(xgboost.base_score(fl.CrossEntropy(class_weight=(1, 2, 3, 4)), y)) == (4,)
    between = lightgbm.init_score(fl.DistributionFocalLoss(), [0.0, 1.5])
    np.testing.assert_allclose(np.exp(between), [0.5, 0.25, 0.25])


def test_one_class_has_a_finite_logit():
    assert xgboost.base_score(fl.BinaryCrossEntropyWithLogits(), [1, 1]) == pytest.approx(34.5, abs=0.1)


# XGBoost ---------------------------------------------------------------------------------------------

DELTA, FACTOR = 0.7, math.exp(0.7)

# The loss, XGBoost's objective with its parameters, and what else the custom objective is given.
XGBOOST = {
    "squared error": (fl.SquaredError(half=True), {"objective": "reg:squarederror"}, {}),
    "logistic": (fl.BinaryCrossEntropyWithLogits(), {"objective": "binary:logistic"}, {}),
    "poisson": (fl.PoissonNLL(), {"objective": "count:poisson", "max_delta_step": 0}, {"max_delta_step": 0}),
    "poisson by default": (
        fl.PoissonNLL(),
        {"objective": "count:poisson", "lambda": 1, "min_child_weight": 1},
        {"eta": 0.1 / FACTOR, "lambda": 1 / FACTOR, "min_child_weight": 1 / FACTOR, "max_delta_step": DELTA * FACTOR},
    ),
    "gamma": (fl.GammaNLL(), {"objective": "reg:gamma"}, {}),
    "tweedie": (fl.Tweedie(power=1.3), {"objective": "reg:tweedie", "tweedie_variance_power": 1.3}, {}),
    "pseudo-Huber": (fl.PseudoHuber(delta=50.0), {"objective": "reg:pseudohubererror", "huber_slope": 50}, {}),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_model_is_reproduced(name, weighted, request):
    xgb = pytest.importorskip("xgboost")
    loss, builtin, own = XGBOOST[name]
    X, y = data_of(loss, request)
    w = weights(y) if weighted else None
    data = xgb.DMatrix(X, y, weight=w)
    common = {"eta": 0.1, "max_depth": 4, "nthread": 1}
    start = xgboost.base_score(loss, y, w)
    if name == "pseudo-Huber":  # which XGBoost starts from a Newton step
        builtin = builtin | {"base_score": start}
    theirs = xgb.train({**common, **builtin}, data, ROUNDS)
    objective = xgboost.objective(loss, curvature="own")
    ours = xgb.train({**common, **own, "base_score": start}, data, ROUNDS, obj=objective)
    assert_same_model(ours.predict(data), theirs.predict(data, output_margin=True), 1e-5)


def test_xgboost_scale_pos_weight(breast_cancer):
    xgb = pytest.importorskip("xgboost")
    X, y = breast_cancer
    data, loss = xgb.DMatrix(X, y), fl.BinaryCrossEntropyWithLogits(pos_weight=3.0)
    score = xgboost.base_score(loss, y)
    builtin = {"objective": "binary:logistic", "scale_pos_weight": 3, "base_score": 1 / (1 + math.exp(-score))}
    theirs = xgb.train({"nthread": 1, **builtin}, data, ROUNDS)
    ours = xgb.train({"nthread": 1, "base_score": score}, data, ROUNDS, obj=xgboost.objective(loss))
    assert_same_model(ours.predict(data), theirs.predict(data, output_margin=True), 1e-5)


def test_xgboost_squared_log_error(diabetes):
    """Without weights; with them gains of splits are so close that rounding decides between them."""
    xgb = pytest.importorskip("xgboost")
    X, y = diabetes
    data, loss, common = xgb.DMatrix(X, y), fl.SquaredLogError(), {"lambda": 0, "max_depth": 4, "nthread": 1}
    grad, hess = loss.grad_and_hess(y, np.zeros(len(y)))
    common["base_score"] = -grad.sum() / hess.sum()  # from above the targets, where curvatures are floors, it diverges
    theirs = xgb.train({**common, "objective": "reg:squaredlogerror", "min_child_weight": 1e-5}, data, ROUNDS)
    ours = xgb.train({**common, "min_child_weight": 2e-5}, data, ROUNDS, obj=xgboost.objective(loss))
    assert_same_model(ours.predict(data), theirs.predict(data, output_margin=True), 1e-5)


def test_xgboost_multiclass_is_reproduced(digits):
    xgb, loss = pytest.importorskip("xgboost"), fl.CrossEntropy(hessian="upper_bound")
    X, y = digits
    data = xgb.DMatrix(X, y)
    # Of leaves with less weight many tie exactly, pixels being few whole numbers, and the last bit decides.
    common = {"num_class": 10, "max_depth": 3, "eta": 0.1, "min_child_weight": 5, "nthread": 2}
    theirs = xgb.train({**common, "objective": "multi:softprob"}, data, ROUNDS)
    score = xgboost.base_score(loss, y)
    ours = xgb.train({**common, "base_score": score}, data, ROUNDS, obj=xgboost.objective(loss))
    assert_same_model(ours.predict(data, output_margin=True), theirs.predict(data, output_margin=True), 1e-4)


def splits(frame):
    """The splits of a tree, without its leaves."""
    if "Feature" in frame:
        rows = frame[frame.Feature != "Leaf"][["ID", "Feature", "Split"]]
    else:
        rows = frame[frame.split_gain > 1e-9]  # less is rounding
        rows = rows[["node_depth", "split_feature", "threshold"]]
    return {tuple(row) for row in rows.to_numpy()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "builtin"),
    [
        (fl.AbsoluteError(), {"objective": "reg:absoluteerror"}),
        (fl.Quantile(alpha=0.3), {"objective": "reg:quantileerror", "quantile_alpha": 0.3}),
        (fl.Quantile(alpha=0.75), {"objective": "reg:quantileerror", "quantile_alpha": 0.75}),
    ],
    ids=str,
)
def test_xgboost_quantiles_differ_in_leaves_alone(loss, builtin, weighted, diabetes):
    xgb = pytest.importorskip("xgboost")
    X, y = diabetes
    w = weights(y) if weighted else None
    data = xgb.DMatrix(X, y, weight=w)
    theirs = xgb.train({"nthread": 1, **builtin}, data, 1)
    ours = xgb.train({"nthread": 1, "base_score": xgboost.base_score(loss, y, w)}, data, 1, obj=xgboost.objective(loss))
    assert splits(ours.trees_to_dataframe()) == splits(theirs.trees_to_dataframe())
    assert not np.allclose(ours.predict(data), theirs.predict(data))


def test_xgboost_interfaces_agree(breast_cancer):
    xgb = pytest.importorskip("xgboost")
    X, y = breast_cancer
    loss, w = fl.BinaryCrossEntropyWithLogits(), weights(y)
    history = {}
    data = xgb.DMatrix(X, y, weight=w)
    native = xgb.train(
        {"max_depth": 3, "nthread": 1, "base_score": 0.5, "eta": 0.3}, data, 10, obj=xgboost.objective(loss),
        custom_metric=xgboost.metric(loss), evals=[(data, "train")], evals_result=history, verbose_eval=False,
    )  # fmt: skip
    model = xgb.XGBRegressor(
        n_estimators=10, max_depth=3, n_jobs=1, learning_rate=0.3, base_score=0.5,
        objective=xgboost.sklearn_objective(loss), eval_metric=xgboost.sklearn_metric(loss),
    )  # fmt: skip
    model.fit(X, y, sample_weight=w, eval_set=[(X, y)], sample_weight_eval_set=[w], verbose=False)
    np.testing.assert_array_equal(native.predict(data), model.predict(X))
    curve = history["train"]["binary_cross_entropy_with_logits"]
    assert curve == model.evals_result()["validation_0"]["binary_cross_entropy_with_logits"]
    assert curve[-1] == pytest.approx(loss(y, native.predict(data), sample_weight=w), rel=1e-5)
    assert curve[-1] < 0.2 < curve[0]


def test_xgboost_predicts_several_quantiles(diabetes):
    xgb = pytest.importorskip("xgboost")
    X, y = diabetes
    data, loss = xgb.DMatrix(X, y), fl.MultiQuantile(quantiles=(0.1, 0.9))
    score = xgboost.base_score(loss, y)
    parameters = {"num_class": 2, "disable_default_eval_metric": True, "eta": 20.0, "max_depth": 3, "nthread": 1}
    history = {}
    model = xgb.train(
        {**parameters, "base_score": score}, data, 50, obj=xgboost.objective(loss), custom_metric=xgboost.metric(loss),
        evals=[(data, "train")], evals_result=history, verbose_eval=False,
    )  # fmt: skip
    found = model.predict(data, output_margin=True)
    assert history["train"]["multi_quantile"][-1] == pytest.approx(loss(y, found), rel=1e-5)
    assert loss(y, found) < 0.8 * loss(y, np.tile(score, (len(y), 1)))


def test_xgboost_base_score_is_a_raw_score(diabetes, digits):
    xgb = pytest.importorskip("xgboost")
    loss, (X, y) = fl.PoissonNLL(), diabetes
    data, score = xgb.DMatrix(X, y), xgboost.base_score(loss, y)
    still = {"eta": 0.0, "nthread": 1}
    model = xgb.train({**still, "base_score": score}, data, 1, obj=xgboost.objective(loss))
    np.testing.assert_allclose(model.predict(data), score, rtol=1e-6)
    assert score == pytest.approx(math.log(y.mean()))
    X, y = digits
    data, loss = xgb.DMatrix(X, y), fl.SoftmaxFocal()
    scores = xgboost.base_score(loss, y)
    parameters = {**still, "num_class": 10, "base_score": scores, "disable_default_eval_metric": True}
    model = xgb.train(parameters, data, 1, obj=xgboost.objective(loss))
    np.testing.assert_allclose(model.predict(data, output_margin=True), np.tile(scores, (len(y), 1)), rtol=1e-5)


def test_xgboost_base_margin_takes_the_place_of_base_score(diabetes):
    xgb = pytest.importorskip("xgboost")
    X, y = diabetes
    data = xgb.DMatrix(X, y, base_margin=y / 2)
    common = {"nthread": 1, "base_score": 100.0}
    theirs = xgb.train({**common, "objective": "reg:squarederror"}, data, 20)
    ours = xgb.train(common, data, 20, obj=xgboost.objective(fl.SquaredError(half=True)))
    assert_same_model(ours.predict(data), theirs.predict(data), 1e-5)


# LightGBM --------------------------------------------------------------------------------------------

SMALL_STEP = {"objective": "poisson", "poisson_max_delta_step": 1e-12}
LIGHTGBM = {
    "squared error": (fl.SquaredError(half=True), {"objective": "regression"}, {}),
    "logistic": (fl.BinaryCrossEntropyWithLogits(), {"objective": "binary"}, {}),
    "cross-entropy": (fl.BinaryCrossEntropyWithLogits(), {"objective": "cross_entropy"}, {}),
    "poisson": (fl.PoissonNLL(), SMALL_STEP, {}),
    "poisson by default": (
        fl.PoissonNLL(),
        {"objective": "poisson"},
        {"learning_rate": 0.1 / FACTOR, "min_sum_hessian_in_leaf": 1e-3 / FACTOR},
    ),
    "gamma": (fl.GammaNLL(), {"objective": "gamma"}, {}),
    "tweedie": (fl.Tweedie(power=1.3), {"objective": "tweedie", "tweedie_variance_power": 1.3}, {}),
    "Huber": (fl.Huber(delta=50.0), {"objective": "huber", "alpha": 50}, {}),
    "Fair": (fl.Fair(c=10.0), {"objective": "fair", "fair_c": 10}, {}),
    "cross-entropy lambda": (fl.CrossEntropyLambda(), {"objective": "cross_entropy_lambda"}, {}),
}
QUIET = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}


# Where LightGBM itself does not start from the least mean loss.
LIGHTGBM_START = {
    fl.Huber: np.average,
    fl.Fair: np.average,
    fl.CrossEntropyLambda: lambda y, weights: np.log(np.expm1(np.average(y, weights=weights))),
}


def lightgbm_model(loss, X, y, w, rounds, parameters):
    """A model of LightGBM's own curvature and start, and that start."""
    lgb = pytest.importorskip("lightgbm")
    start = LIGHTGBM_START.get(type(loss))
    score = start(y, weights=w) if start else lightgbm.init_score(loss, y, w)
    first = np.full(len(y), score) if np.ndim(score) == 0 else np.tile(score, (len(y), 1))
    data = lgb.Dataset(X, y, weight=w, init_score=first)
    return lgb.train({**QUIET, **parameters, "objective": lightgbm.objective(loss, "own")}, data, rounds), score


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LIGHTGBM)
def test_lightgbm_model_is_reproduced(name, weighted, request):
    lgb = pytest.importorskip("lightgbm")
    loss, builtin, own = LIGHTGBM[name]
    if weighted and isinstance(loss, fl.CrossEntropyLambda):
        pytest.skip("LightGBM's weights of cross_entropy_lambda are exposures, not weights")
    X, y = data_of(loss, request)
    w = weights(y, 1) if weighted else None
    theirs = lgb.train({**QUIET, **builtin}, lgb.Dataset(X, y, weight=w), ROUNDS)
    ours, score = lightgbm_model(loss, X, y, w, ROUNDS, own)
    assert_same_model(ours.predict(X) + score, theirs.predict(X, raw_score=True), 1e-6)


def test_lightgbm_scale_pos_weight(breast_cancer):
    lgb = pytest.importorskip("lightgbm")
    X, y = breast_cancer
    score = lightgbm.init_score(fl.BinaryCrossEntropyWithLogits(), y)
    theirs = lgb.train({**QUIET, "objective": "binary", "scale_pos_weight": 3}, lgb.Dataset(X, y), ROUNDS)
    data = lgb.Dataset(X, y, init_score=np.full(len(y), score))
    ours = lgb.train(
        {**QUIET, "objective": lightgbm.objective(fl.BinaryCrossEntropyWithLogits(pos_weight=3.0))}, data, ROUNDS
    )
    assert_same_model(ours.predict(X) + score, theirs.predict(X, raw_score=True), 1e-6)


def test_lightgbm_multiclass_is_reproduced(digits):
    lgb, loss = pytest.importorskip("lightgbm"), fl.CrossEntropy(hessian="lightgbm")
    X, y = digits
    builtin = {**QUIET, "objective": "multiclass", "num_class": 10, "num_leaves": 7, "num_threads": 2}
    theirs = lgb.train(builtin, lgb.Dataset(X, y), ROUNDS)
    ours, score = lightgbm_model(loss, X, y, None, ROUNDS, {k: v for k, v in builtin.items() if k != "objective"})
    assert_same_model(ours.predict(X) + score, theirs.predict(X, raw_score=True), 1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "builtin"),
    [
        (fl.AbsoluteError(), {"objective": "regression_l1"}),
        (fl.Quantile(alpha=0.3), {"objective": "quantile", "alpha": 0.3}),
        (fl.Quantile(alpha=0.75), {"objective": "quantile", "alpha": 0.75}),
        (fl.AbsolutePercentageError(epsilon=1.0), {"objective": "mape"}),
    ],
    ids=str,
)
def test_lightgbm_quantiles_differ_in_leaves_alone(loss, builtin, weighted, diabetes):
    lgb = pytest.importorskip("lightgbm")
    X, y = diabetes
    if weighted and isinstance(loss, fl.AbsolutePercentageError):
        pytest.skip("LightGBM's mape takes the curvature for constant in spite of the weights")
    w = weights(y) if weighted else None
    theirs = lgb.train({**QUIET, **builtin}, lgb.Dataset(X, y, weight=w), 1)
    ours, score = lightgbm_model(loss, X, y, w, 1, {})
    assert splits(ours.trees_to_dataframe()) == splits(theirs.trees_to_dataframe())
    assert not np.allclose(ours.predict(X) + score, theirs.predict(X))


@pytest.mark.parametrize("level", [0.03, 0.3, 0.5, 0.77, 0.99])
@pytest.mark.parametrize("scale", [0, 1, 6])
def test_lightgbm_quantiles(level, scale):
    """Where a built-in model starts is seen in one that learns next to nothing."""
    lgb = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(6)
    X, y = rng.random((31, 1)), rng.normal(size=31)
    w = scale * rng.random(31) if scale else None
    parameters = {**QUIET, "objective": "quantile", "alpha": level, "learning_rate": 1e-12, "min_data_in_leaf": 1}
    start = lgb.train(parameters, lgb.Dataset(X, y, weight=w), 1).predict(X[:1]).item()
    assert lightgbm.init_score(fl.Quantile(alpha=level), y, w) == pytest.approx(start, rel=1e-6, abs=1e-6)


def test_lightgbm_interfaces_agree(breast_cancer):
    lgb = pytest.importorskip("lightgbm")
    X, y = breast_cancer
    loss, w, history = fl.BinaryCrossEntropyWithLogits(), weights(y), {}
    data = lgb.Dataset(X, y, weight=w)
    native = lgb.train(
        {**QUIET, "objective": lightgbm.objective(loss), "metric": "none"}, data, 10, valid_sets=[data],
        feval=lightgbm.metric(loss), callbacks=[lgb.record_evaluation(history)],
    )  # fmt: skip
    model = lgb.LGBMRegressor(n_estimators=10, objective=lightgbm.sklearn_objective(loss), metric="none", **QUIET)
    model.fit(
        X, y, sample_weight=w, eval_X=X, eval_y=y, eval_sample_weight=[w], eval_metric=lightgbm.sklearn_metric(loss)
    )
    np.testing.assert_array_equal(native.predict(X), model.predict(X))
    curve = history["training"]["binary_cross_entropy_with_logits"]
    assert curve == pytest.approx(next(iter(model.evals_result_.values()))["binary_cross_entropy_with_logits"])
    assert curve[-1] == pytest.approx(loss(y, native.predict(X), sample_weight=w))


def test_lightgbm_predicts_mean_and_spread(diabetes):
    lgb = pytest.importorskip("lightgbm")
    X, y = diabetes
    y, loss, history = (y - y.mean()) / y.std(), fl.GaussianNLLLogSigma(), {}
    data = lgb.Dataset(X, y)
    lgb.train(
        {**QUIET, "objective": lightgbm.objective(loss), "num_class": 2, "metric": "none"}, data, 30, valid_sets=[data],
        feval=lightgbm.metric(loss), callbacks=[lgb.record_evaluation(history)],
    )  # fmt: skip
    assert history["training"]["gaussian_nll_log_sigma"][-1] < loss(y, np.zeros((len(y), 2))) - 0.2


# CatBoost --------------------------------------------------------------------------------------------

CATBOOST = {
    "squared error": (fl.SquaredError(half=True), "RMSE"),
    "logistic": (fl.BinaryCrossEntropyWithLogits(), "Logloss"),
    "poisson": (fl.PoissonNLL(), "Poisson"),
}


def catboost_model(objective, X, y, w, rounds=ROUNDS, **more):
    cb = pytest.importorskip("catboost")
    model = cb.CatBoost({
        "loss_function": objective, "iterations": rounds, "learning_rate": 0.1, "depth": 4, "thread_count": 1,
        "leaf_estimation_iterations": 1, "leaf_estimation_method": "Newton", "boost_from_average": False,
        "score_function": "L2", "bootstrap_type": "No", "random_strength": 0, "allow_writing_files": False,
        "verbose": False, **more,
    })  # fmt: skip
    return model.fit(X, y, sample_weight=w)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CATBOOST)
def test_catboost_model_is_reproduced(name, weighted, request):
    loss, builtin = CATBOOST[name]
    X, y = data_of(loss, request)
    w = weights(y) if weighted else None
    more = {"leaf_estimation_method": "Gradient"} if builtin == "Poisson" else {}
    y = y / 100 if builtin == "Poisson" else y
    theirs = catboost_model(builtin, X, y, w, **more)
    metric = catboost.metric(loss)
    ours = catboost_model(catboost.objective(loss), X, y, w, eval_metric=metric, **more)
    assert_same_model(ours.predict(X), theirs.predict(X, prediction_type="RawFormulaVal"), 1e-9)
    found = ours.get_evals_result()["learn"]["LossMetric"][-1]
    assert found == pytest.approx(loss(y, ours.predict(X), sample_weight=w), rel=1e-6)


# Robust losses ---------------------------------------------------------------------------------------

FAR_AWAY = [
    fl.LogCosh(), fl.PseudoHuber(), fl.PseudoHuber(delta=50.0), fl.Fair(), fl.Huber(), fl.SmoothL1(), fl.Cauchy(),
    fl.Barron(alpha=1.0), fl.Barron(alpha=0.0, c=3.0), fl.StudentTNLL(), fl.GemanMcClure(c=70.0),
]  # fmt: skip


def curve_of(library, loss, X, y, rounds, start=0.0, **parameters):
    """The mean loss before each round and after the last, in a model that a booster trains."""
    if library == "xgboost":
        xgb = pytest.importorskip("xgboost")
        data, history = xgb.DMatrix(X, y), {}
        parameters = {"nthread": 1, "base_score": start, "disable_default_eval_metric": True} | parameters
        xgb.train(parameters, data, rounds, obj=xgboost.objective(loss), custom_metric=xgboost.metric(loss),
                  evals=[(data, "train")], evals_result=history, verbose_eval=False)  # fmt: skip
    else:
        lgb = pytest.importorskip("lightgbm")
        data, history = lgb.Dataset(X, y, init_score=np.full(len(y), start)), {}
        parameters = QUIET | {"objective": lightgbm.objective(loss), "metric": "none"} | parameters
        lgb.train(parameters, data, rounds, valid_sets=[data], valid_names=["train"], feval=lightgbm.metric(loss),
                  callbacks=[lgb.record_evaluation(history)])  # fmt: skip
    return np.array([means(loss, y, [start])[0], *history["train"][loss.function_name]])


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("loss", FAR_AWAY, ids=repr)
def test_full_steps_from_afar_lower_the_loss_each_round(library, loss, diabetes):
    X, y = diabetes
    full = {
        "xgboost": {"eta": 1.0, "lambda": 0.0, "min_child_weight": 0.0},
        "lightgbm": {"learning_rate": 1.0, "min_sum_hessian_in_leaf": 0.0},  # its lambda_l2 is 0
    }
    curve = curve_of(library, loss, X, (y + 10_000).astype(np.float32), 30, **full[library])
    assert np.all(np.diff(curve) <= 1e-5 * curve[:-1])
    assert curve[-1] < 0.75 * means(loss, y, [xgboost.base_score(loss, y)])[0]


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("loss", [fl.LogCosh(), fl.PseudoHuber(), fl.PseudoHuber(delta=50.0), fl.Fair()], ids=repr)
def test_robust_losses_train_with_default_parameters(library, loss, diabetes):
    X, y = diabetes
    curve = curve_of(library, loss, X, y, ROUNDS, xgboost.base_score(loss, y))
    assert np.all(np.diff(curve) <= 1e-5 * curve[:-1])
    assert curve[-1] < 0.65 * curve[0]


def test_catboost_majorizes_too(diabetes):
    X, y = diabetes
    loss = fl.LogCosh()
    more = {"l2_leaf_reg": 0, "learning_rate": 1.0, "eval_metric": catboost.metric(loss)}
    model = catboost_model(catboost.objective(loss), X, y + 10_000, None, **more)
    assert loss(y + 10_000, model.predict(X)) < 0.5 * loss(y, np.full(len(y), np.median(y)))


# Together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_estimators_with_objectives_clone_and_search(library, breast_cancer):
    peer = pytest.importorskip(library)
    from sklearn.base import clone
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import GridSearchCV

    X, y = breast_cancer
    ours = {"xgboost": xgboost, "lightgbm": lightgbm}[library]
    objectives = [ours.sklearn_objective(loss) for loss in (fl.BinaryCrossEntropyWithLogits(), fl.SmoothedHinge())]
    quiet = {"n_jobs": 1, "n_estimators": 5} | ({"verbose": -1} if library == "lightgbm" else {})
    estimator = (peer.XGBRegressor if library == "xgboost" else peer.LGBMRegressor)(objective=objectives[0], **quiet)
    assert clone(estimator).get_params()["objective"] == objectives[0]
    accuracy = make_scorer(lambda y, score: np.mean((score > 0) == y))
    search = GridSearchCV(estimator, {"objective": objectives}, cv=2, scoring=accuracy).fit(X, y)
    assert search.best_score_ > 0.9


def test_catboost_estimators_clone(diabetes):
    cb = pytest.importorskip("catboost")
    from sklearn.base import clone

    parameters = {"loss_function": catboost.objective(fl.LogCosh()), "eval_metric": catboost.metric(fl.LogCosh())}
    quiet = {"iterations": 3, "verbose": False, "allow_writing_files": False, "thread_count": 1}
    model = clone(cb.CatBoostRegressor(**parameters, **quiet)).fit(*diabetes)
    assert model.get_params()["loss_function"] == parameters["loss_function"]


def test_xgboost_fits_several_targets(diabetes):
    xgb = pytest.importorskip("xgboost")
    X, y = diabetes
    data = xgb.DMatrix(X, np.column_stack((y, y[::-1])), weight=weights(y))
    parameters = {"num_target": 2, "base_score": 100.0, "nthread": 1}
    theirs = xgb.train({**parameters, "objective": "reg:squarederror"}, data, 20)
    ours = xgb.train(parameters, data, 20, obj=xgboost.objective(fl.SquaredError(half=True)))
    assert_same_model(ours.predict(data), theirs.predict(data), 1e-5)


@pytest.mark.parametrize("first", ["fastloss", "xgboost", "lightgbm"])
def test_the_openmp_runtimes_coexist(first):
    for library in ("xgboost", "lightgbm"):
        pytest.importorskip(library)
    code = f"""
import {first}
import numpy as np, xgboost as xgb, lightgbm as lgb, fastloss as fl
from fastloss.integrations import xgboost as ours, lightgbm as also
X = np.random.default_rng(0).random((50_000, 4)); y = X[:, 0] + X[:, 1]
loss = fl.LogCosh()
for _ in range(3):
    model = xgb.train({{"nthread": 2}}, xgb.DMatrix(X, y), 3, obj=ours.objective(loss))
    parameters = {{"objective": also.objective(loss), "num_threads": 2, "verbose": -1}}
    other = lgb.train(parameters, lgb.Dataset(X, y), 3)
    assert loss(y, other.predict(X), num_threads=2) < loss(y, 0 * y, num_threads=2)
print("done")
"""
    assert fresh(code).strip() == "done"


def test_conventions_of_multiclass_curvature():
    rng = np.random.default_rng(9)
    y, x = rng.integers(0, 5, 40), rng.normal(size=(40, 5))
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    for hessian, factor in {"exact": 1, "upper_bound": 2, "lightgbm": 5 / 4}.items():
        loss = fl.CrossEntropy(hessian=hessian)
        for module, order in ((xgboost, "C"), (lightgbm, "F")):
            grad, hess = module.sklearn_objective(loss)(y.astype(np.float32), np.asarray(x, order=order))
            np.testing.assert_allclose(grad, p - np.eye(5)[y], rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(hess, factor * p * (1 - p), rtol=1e-5)
    check_hess(fl.CrossEntropy(hessian="exact"), y, x)


@pytest.mark.parametrize("missing", [[], ["catboost"], ["xgboost", "lightgbm"]], ids=str)
def test_missing_boosters_are_announced(missing, monkeypatch):
    lines = []
    reporter = SimpleNamespace(
        write_sep=lambda _, text, **style: lines.append(text), write_line=lambda text, **style: lines.append(text)
    )
    monkeypatch.setattr(conftest, "find_spec", lambda name: None if name in missing else name)
    conftest.pytest_terminal_summary(reporter)
    assert ("NOT tested" in "".join(lines)) == bool(missing)
    assert ", ".join(missing) in "".join(lines)
