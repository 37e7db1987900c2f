"""Custom objectives of gradient boosting: they reproduce the built-in ones, on real data, and waste nothing."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest

import fastloss as fl
from fastloss._base import RAW
from fastloss._parameters import ANY
from fastloss.integrations import _boosting, catboost, lightgbm, xgboost
from fastloss.testing import check_hess
from tests.inputs import draw, draw_rows
from tests.support import EVERY, additive, fresh, generator

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
    for loss in additive(EVERY)
    if loss.newton == "none"
    or loss.unsupervised
    or (loss.rowwise and (loss.labelled is None or loss.scores not in RAW))
]
TRAINABLE = [loss for loss in additive(EVERY) if loss not in REFUSED]


@pytest.fixture(params=TRAINABLE, ids=repr)
def loss(request):
    return request.param


def arrays(loss, n=500, dtype=np.float32):
    rng = generator(loss, "boosting")
    return draw_rows(loss, n, 5, dtype, rng) if loss.rowwise else draw(loss, n, dtype, rng)


def spread(loss):
    """Predictions near their targets or 0, and far from them."""
    y, x = arrays(loss, 4000, np.float64)
    if loss.domains()[1] == ANY and not loss.pair:
        factors = np.resize([0.01, 1.0] if loss.rowwise else [0.01, 1.0, 2.5], len(x))
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
    assert (hess >= 0 if loss.newton == "own" else hess > 0).all()  # may underflow
    assert hess.mean() > 1e-7


def test_the_curvature_is_what_the_loss_declares(loss):
    y, x = spread(loss)
    grad, own = loss.grad_and_hess(y, x, reduction="sum")
    _, hess = xgboost.sklearn_objective(loss)(y, x)
    match loss.newton:
        case "own":
            straight = loss.scores == "means" and y == 0  # the one target without any
            assert ((own > 0) | (grad == 0) | straight).all()
            assert np.mean(own > 0) > 0.85
            np.testing.assert_array_equal(hess, own.astype(np.float32))
        case "floored":
            np.testing.assert_array_equal(hess, np.maximum(own, _boosting.FLOOR).astype(np.float32))
        case "surrogate":
            assert np.unique(hess).size == 1


@pytest.mark.parametrize("loss", [loss for loss in REFUSED if loss.newton == "own"], ids=repr)
def test_losses_that_are_no_objective_declare_their_curvature_too(loss):
    y, x = draw_rows(loss, 1000, 5, np.float64, generator(loss, "boosting"), dense=loss.labelled is None)
    _, hess = loss.grad_and_hess(y, x, reduction="sum")
    assert (hess >= 0).all()
    assert np.mean(hess > 0) > 0.85


@pytest.mark.parametrize("loss", [loss for loss in TRAINABLE if loss.rowwise and loss.newton == "surrogate"], ids=repr)
def test_no_direction_of_a_row_has_more_curvature_than_its_surrogate(loss):
    rng = generator(loss, "directions")
    for classes in (2, 3, 7):
        y, x = draw_rows(loss, 300, classes, np.float64, rng)
        steps = 1e-5 * np.eye(classes)
        slopes = [loss.grad(y, x + d, reduction="sum") - loss.grad(y, x - d, reduction="sum") for d in steps]
        hessian = np.stack(slopes, axis=1) / 2e-5
        smooth = np.abs(hessian).max(axis=(1, 2)) < 1e3  # without a kink between the steps
        assert np.linalg.eigvalsh(hessian[smooth]).max() <= 1.001 * _boosting.surrogate(loss)


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
    assert _boosting.surrogate(loss) == (None if constant is None else pytest.approx(constant, rel=1e-3))


@pytest.mark.parametrize("make", [xgboost.sklearn_objective, lightgbm.sklearn_objective])
def test_weights_multiply_once(loss, make):
    y, x = arrays(loss)
    w = weights(y)
    objective = make(loss)
    grad, hess = (result.copy() for result in objective(y, x))
    weighted_grad, weighted_hess = objective(y, x, w)
    by_row = w.reshape(-1, *(1 for _ in x.shape[1:]))
    rounding = 2e-7 if loss.rowwise else 0  # before a difference of probabilities
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
    if loss.rowwise and loss.labelled is None:
        reason = "y_true holds a target of each class, must hold labels"
    elif loss.rowwise and loss.scores not in RAW:
        reason = rf"y_pred holds {loss.scores.replace('_', ' ')}, must hold logits"
    elif loss.unsupervised:
        reason = "labels say only which rows count, must be what an objective of gradient boosting learns"
    with pytest.raises(ValueError, match=f"^{type(loss).__name__}: {reason}"):
        make(loss)


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

BEST = [
    fl.SquaredError(), fl.BinaryCrossEntropyWithLogits(pos_weight=2.0, label_smoothing=0.1), fl.SoftMargin(),
    fl.PoissonNLL(), fl.BinaryCrossEntropy(), fl.GammaNLL(), fl.Tweedie(power=1.3),
    fl.Tweedie(power=1.3, link="identity"),
]  # fmt: skip


@pytest.mark.parametrize("start", [xgboost.base_score, lightgbm.init_score])
@pytest.mark.parametrize("loss", BEST, ids=repr)
def test_closed_forms_are_stationary(loss, start):
    y, _ = draw(loss, 300, np.float64, np.random.default_rng(4))
    for w in (None, weights(y)):
        grad = loss.grad(y, np.full(300, start(loss, y, w)), sample_weight=w)
        assert abs(grad.sum()) < 1e-12 * max(1, np.abs(y).max())


@pytest.mark.parametrize("start", [xgboost.base_score, lightgbm.init_score])
def test_other_losses_start_from_a_newton_step(start):
    loss = fl.LogCosh()
    y = np.random.default_rng(5).normal(size=50)
    grad, hess = loss.grad_and_hess(y, np.zeros(50))
    assert start(loss, y) == pytest.approx(-grad.sum() / hess.sum())
    assert np.shape(start(fl.GaussianNLLLogSigma(), y)) == (2,)


@pytest.mark.parametrize("start", [xgboost.base_score, lightgbm.init_score])
@pytest.mark.parametrize(
    ("loss", "y", "w", "message"),
    [
        (fl.PoissonNLL(), [0, 0], None, "the best constant for y_true is -inf, must be finite"),
        (fl.SquaredError(), [[1.0]], None, r"y_true has shape \(1, 1\), must have one axis"),
        (fl.SquaredError(), [], None, r"y_true has shape \(0,\), must have one axis, and elements"),
        (fl.SquaredError(), [1.0], [0.0], "sample_weight sums to 0, must be positive"),
        (fl.SquaredError(), [1.0], [1.0, 2.0], r"sample_weight has shape \(2,\), must have y_true's \(1,\)"),
    ],
)
def test_no_start_without_data(start, loss, y, w, message):
    with pytest.raises(ValueError, match=message):
        start(loss, y, w)


def test_classes_start_from_their_shares():
    y, w = np.array([0, 2, 2, 1]), np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(np.exp(lightgbm.init_score(fl.CrossEntropy(), y, w)), [0.1, 0.4, 0.5])
    centered = xgboost.base_score(fl.CrossEntropy(), y, w)
    np.testing.assert_allclose(np.diff(centered), np.log([4, 1.25]))
    assert sum(centered) == pytest.approx(0, abs=1e-15)
    assert np.shape(xgboost.base_score(fl.CrossEntropy(class_weight=(1, 2, 3)), y)) == (3,)


@pytest.mark.parametrize("start", [xgboost.base_score, lightgbm.init_score])
def test_rows_start_from_a_newton_step(start):
    y, w = np.array([0, 2, 2, 1]), np.array([1.0, 2.0, 3.0, 4.0])
    grad = fl.MulticlassSparsemax().grad(y, np.zeros((4, 3)), sample_weight=w)
    np.testing.assert_allclose(start(fl.MulticlassSparsemax(), y, w), -grad.sum(axis=0), rtol=1e-6)
    assert np.shape(start(fl.CrossEntropy(z_loss=0.1), y, w)) == (3,)
    assert np.shape(start(fl.DistributionFocalLoss(), [0.0, 1.5])) == (3,)


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
    theirs = xgb.train({**common, **builtin}, data, ROUNDS)
    ours = xgb.train(
        {**common, **own, "base_score": xgboost.base_score(loss, y, w)}, data, ROUNDS, obj=xgboost.objective(loss)
    )
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
    theirs = xgb.train({**common, "objective": "reg:squaredlogerror", "min_child_weight": 1e-5}, data, ROUNDS)
    own = {"min_child_weight": 2e-5, "base_score": xgboost.base_score(loss, y)}
    ours = xgb.train({**common, **own}, data, ROUNDS, obj=xgboost.objective(loss))
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


def lightgbm_model(loss, X, y, w, rounds, parameters):
    """A model from the stated start, and that start."""
    lgb = pytest.importorskip("lightgbm")
    score = lightgbm.init_score(loss, y, w)
    first = np.full(len(y), score) if np.ndim(score) == 0 else np.tile(score, (len(y), 1))
    data = lgb.Dataset(X, y, weight=w, init_score=first)
    return lgb.train({**QUIET, **parameters, "objective": lightgbm.objective(loss)}, data, rounds), score


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
