"""Scorers in scikit-learn's model selection, and the logarithmic loss of each example."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest

import fastloss as fl
from tests.support import DEFAULTS

pytest.importorskip("sklearn")
import sklearn
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import GammaRegressor, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.metrics import check_scoring, log_loss, mean_gamma_deviance, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastloss.integrations.sklearn import per_example_log_loss, scorer

# Scorers --------------------------------------------------------------------------------------------


def classifier(**parameters):
    return make_pipeline(StandardScaler(), LogisticRegression(**parameters))


def test_scorers_are_means():
    X, y = load_diabetes(return_X_y=True)
    model, w = Ridge().fit(X, y), np.random.default_rng(0).random(len(y))
    for loss in (fl.Huber(delta=20.0), fl.Quantile(alpha=0.2), fl.SquaredLogError(), fl.RootMeanSquaredError()):
        score = scorer(loss)
        assert score(model, X, y) == -loss(y, model.predict(X))
        assert score(model, X, y, sample_weight=w) == -loss(y, model.predict(X), sample_weight=w)


@pytest.mark.parametrize(
    ("loss", "method"),
    [
        (fl.SquaredError(), "predict"),
        (fl.PoissonNLL(), "predict"),
        (fl.GaussianNLL(), "predict"),
        (fl.MultiQuantile(), "predict"),
        (fl.BinaryCrossEntropy(), "predict_proba"),
        (fl.BinaryCrossEntropyWithLogits(), "decision_function"),
        (fl.Hinge(), "decision_function"),
        (fl.BrierWithLogits(), "decision_function"),
        (fl.ZeroOne(), "decision_function"),
    ],
    ids=repr,
)
def test_the_domain_decides_what_is_asked_for(loss, method):
    shown = repr(scorer(loss))
    assert f"response_method='{method}'" in shown, shown


@pytest.mark.parametrize("loss", DEFAULTS, ids=repr)
def test_every_loss_has_a_scorer(loss):
    score = scorer(loss)
    assert score._sign == -1
    assert pickle.loads(pickle.dumps(score))._score_func == score._score_func
    assert check_scoring(LinearRegression(), scoring=score) is score


def test_cross_entropy_of_logits_and_of_probabilities():
    X, y = load_breast_cancer(return_X_y=True)
    model = classifier().fit(X, y)
    expected = pytest.approx(-log_loss(y, model.predict_proba(X)), rel=1e-9)
    assert scorer(fl.BinaryCrossEntropyWithLogits())(model, X, y) == expected
    assert scorer(fl.BinaryCrossEntropy(eps=1e-15))(model, X, y) == expected
    assert scorer(fl.BinaryCrossEntropyWithLogits(), response_method="predict_proba")(model, X, y) != expected


def test_labels_of_any_type():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    model = classifier().fit(X, names)
    assert model.classes_[1] == "malignant"
    expected = -fl.Hinge()(y == 0, model.decision_function(X))
    assert scorer(fl.Hinge(), pos_label="malignant")(model, X, names) == pytest.approx(expected, rel=1e-14)
    with pytest.raises((TypeError, ValueError), match="Hinge: y_true"):
        scorer(fl.Hinge())(model, X, names)


def test_likelihoods_are_of_the_mean_that_estimators_predict():
    X, y = load_diabetes(return_X_y=True)
    for loss, estimator, deviance in (
        (fl.PoissonNLL(), PoissonRegressor(), mean_poisson_deviance),
        (fl.GammaNLL(), GammaRegressor(), mean_gamma_deviance),
        (fl.Tweedie(power=2.0), GammaRegressor(), mean_gamma_deviance),
    ):
        means = estimator.fit(X, y).predict(X)
        constant = DummyRegressor().fit(X, y)
        gain = scorer(loss)(estimator, X, y) - scorer(loss)(constant, X, y)
        # A deviance is twice the loss and a term of the targets alone.
        expected = (deviance(y, constant.predict(X)) - deviance(y, means)) / 2
        assert gain == pytest.approx(expected, rel=1e-9)


def test_in_model_selection():
    X, y = load_breast_cancer(return_X_y=True)
    score = scorer(fl.BinaryCrossEntropyWithLogits())
    folds = cross_val_score(classifier(), X, y, scoring=score, cv=3)
    assert (folds < 0).all()
    builtin = cross_val_score(classifier(), X, y, scoring="neg_log_loss", cv=3)
    np.testing.assert_allclose(folds, builtin, rtol=1e-6)
    grid = {"logisticregression__C": [1e-4, 1.0]}
    search = GridSearchCV(classifier(), grid, scoring=score, cv=3).fit(X, y)
    assert search.best_params_ == {"logisticregression__C": 1.0}


def test_with_routed_weights():
    X, y = load_diabetes(return_X_y=True)
    w = np.random.default_rng(1).random(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        score = scorer(fl.AbsoluteError()).set_score_request(sample_weight=True)
        estimator = Ridge().set_fit_request(sample_weight=True)
        folds = cross_val_score(estimator, X, y, scoring=score, cv=3, params={"sample_weight": w})
        search = GridSearchCV(estimator, {"alpha": [0.1, 1e4]}, scoring=score, cv=3).fit(X, y, sample_weight=w)
    assert search.best_params_ == {"alpha": 0.1}
    model = Ridge().fit(X[148:], y[148:], sample_weight=w[148:])
    expected = -fl.AbsoluteError()(y[:148], model.predict(X[:148]), sample_weight=w[:148])
    assert folds[0] == pytest.approx(expected, rel=1e-12)


def test_several_classes():
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression(C=1e-3, max_iter=30).fit(X[:500] / 16, y[:500])
    found = scorer(fl.CrossEntropy())(model, X / 16, y)
    assert found == pytest.approx(-log_loss(y, model.predict_proba(X / 16)), rel=1e-9)
    two = LogisticRegression().fit(X[y < 2] / 16, y[y < 2])
    found = scorer(fl.CrossEntropy())(two, X[y < 2] / 16, y[y < 2])
    assert found == pytest.approx(-log_loss(y[y < 2], two.predict_proba(X[y < 2] / 16)), rel=1e-9)


# The logarithmic loss -------------------------------------------------------------------------------


def probabilities(n, classes, seed=0, dtype=np.float64):
    p = np.random.default_rng(seed).random((n, classes)).astype(dtype)
    return p / p.sum(axis=1, keepdims=True)


LABELS = {
    "integers": np.arange(4),
    "int8": np.array([-128, -1, 0, 127], np.int8),
    "uint64": np.array([0, 1, 2**63, 2**64 - 1], np.uint64),
    "far apart": np.array([-(10**12), 0, 5, 10**12]),
    "floats": np.array([0.0, 0.5, 1.0, 7.0]),
    "strings": np.array(["ant", "bee", "cat", "dog"]),
    "objects": np.array(["ant", "bee", "cat", "dog"], object),
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", LABELS)
def test_its_mean_is_the_logarithmic_loss(kind, dtype, order):
    n = 20_000  # more than one block
    classes = LABELS[kind]
    which = np.random.default_rng(1).integers(0, 4, n)
    p = np.asarray(probabilities(n, 4, dtype=dtype), order=order)
    losses = per_example_log_loss(classes[which], p)
    assert losses.dtype == dtype
    np.testing.assert_allclose(losses, -np.log(p[np.arange(n), which]), rtol=1e-5 if dtype == np.float32 else 1e-14)
    if kind not in ("uint64", "floats"):  # which scikit-learn does not take
        assert losses.mean(dtype=float) == pytest.approx(log_loss(classes[which], p), rel=1e-6)
    seen = per_example_log_loss(classes[which][which < 2], p[which < 2], labels=classes[::-1])
    np.testing.assert_array_equal(seen, losses[which < 2])


def test_two_classes():
    y, p = np.random.default_rng(2).integers(0, 2, 50), np.random.default_rng(3).random(50)
    losses = per_example_log_loss(y.astype(bool), p)
    np.testing.assert_array_equal(losses, per_example_log_loss(y, np.column_stack((1 - p, p))))
    assert losses.mean() == pytest.approx(log_loss(y, p), rel=1e-14)
    np.testing.assert_allclose(losses, fl.BinaryCrossEntropy()(y, p, reduction="none"), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_probabilities_are_clipped(dtype):
    p = np.eye(2, dtype=dtype)
    losses = per_example_log_loss([1, 1], p, labels=[0, 1])
    eps = np.finfo(dtype).eps
    assert losses[0] == pytest.approx(-np.log(float(eps)), rel=1e-3)
    assert 0 < losses[1] < 1.01 * eps
    assert losses.mean(dtype=float) == pytest.approx(log_loss([1, 1], p, labels=[0, 1]), rel=1e-3)


def test_lists_and_integers():
    assert per_example_log_loss([0, 1], [[1, 0], [0, 1]]).dtype == np.float64
    assert per_example_log_loss([], np.empty((0, 3)), labels=[1, 2, 3]).shape == (0,)


def test_nothing_of_the_size_of_the_matrix_is_made():
    n, classes = 100_000, 50
    y, p = np.random.default_rng(4).integers(0, classes, n), probabilities(n, classes)
    for given in (p, np.asfortranarray(p), p[::-1]):
        tracemalloc.start()
        per_example_log_loss(y, given)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.15 * p.nbytes


def test_rows_that_do_not_sum_to_one_are_warned_of():
    with pytest.warns(UserWarning, match="rows of y_prob do not sum to 1"):
        per_example_log_loss([0, 1], [[0.5, 0.4], [0.5, 0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        per_example_log_loss([0, 1], [[0.5, 0.5 + 1e-9], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("y", "p", "labels", "message"),
    [
        ([0, 1], [[0.5, 0.5]], None, r"y_true has shape \(2,\) and y_prob \(1, 2\), must be"),
        ([[0, 1]], [[0.5, 0.5]], None, r"y_true has shape \(1, 2\)"),
        ([0, 0], [[0.5, 0.5]] * 2, None, "y_true has 1 classes, must have one for each of y_prob's 2; labels= tells"),
        ([0, 1], [[0.5, 0.5]] * 2, [0, 1, 2], "labels has 3 classes, must have one for each of y_prob's 2"),
        ([0, 7], [[0.5, 0.5]] * 2, [0, 1], r"y_true\[1\] is .*7.*, must be one of labels"),
        (["a", "z"], [[0.5, 0.5]] * 2, ["a", "b"], r"y_true\[1\] is .*'z'.*, must be one of labels"),
        ([0, 1], [[0.5, 0.5], [1.5, -0.5]], None, r"y_prob\[1, 0\] is 1.5, must be in \[0, 1\]"),
        ([0, 1], [0.5, np.nan], None, r"y_prob\[1\] is nan, must be in \[0, 1\]"),
    ],
)
def test_errors_name_what_is_wrong(y, p, labels, message):
    with pytest.raises(ValueError, match=f"per_example_log_loss: {message}"):
        per_example_log_loss(y, p, labels=labels)


def test_the_row_of_a_bad_probability_counts_from_the_start():
    p = probabilities(10_000, 2)
    p[9_000, 1] = -1e-3
    with pytest.raises(ValueError, match=r"y_prob\[9000, 1\] is -0.001"):
        per_example_log_loss(np.arange(10_000) % 2, p)
