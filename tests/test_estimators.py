"""Linear models of any loss as estimators of scikit-learn: its own checks, and its own models where losses agree."""

import pickle
import warnings

import numpy as np
import pytest

import fastloss as fl
from fastloss.penalties import L1, L2, Entropy, GroupLasso, Penalty
from tests.support import fresh

linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
import sklearn  # noqa: E402
from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_regression  # noqa: E402
from sklearn.exceptions import ConvergenceWarning, NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from fastloss.integrations.sklearn import LossClassifier, LossRegressor  # noqa: E402

GROUPS = GroupLasso(groups=(0, 0, 1, 1, 2, 2, 3, 3, 3, 3))


@pytest.mark.filterwarnings("ignore")  # fits of random targets with few iterations, and of other kinds
@parametrize_with_checks(
    [
        LossRegressor(),
        LossRegressor("huber", penalty="elasticnet", alpha=0.1, tol=1e-12),
        LossClassifier(),
        LossClassifier("smoothed_hinge", penalty=GroupLasso(), alpha=0.01),
    ]
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


@pytest.fixture(scope="module")
def counts(diabetes):
    X, y = diabetes
    return X, np.random.default_rng(0).poisson(np.exp(0.5 * y)).astype(float)


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def weights(y, seed=1):
    return np.random.default_rng(seed).random(len(y))


def assert_same_model(ours, theirs, tolerance=1e-5):
    """Coefficients and intercepts up to where the solvers stop, relative to the largest."""
    for name in ("coef_", "intercept_"):
        found, wanted = (np.atleast_1d(getattr(model, name)) for model in (ours, theirs))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * max(1, np.abs(theirs.coef_).max()))


# The models of scikit-learn -------------------------------------------------------------------------

HALF = fl.SquaredError(half=True)
EXACT = {"tol": 1e-9, "max_iter": 10_000}


@pytest.mark.parametrize("weighted", [False, True])
def test_ridge(diabetes, weighted):
    X, y = diabetes
    w = weights(y) if weighted else None
    theirs = linear_model.Ridge(alpha=3.0).fit(X, y, sample_weight=w)
    alpha = 3.0 / (len(y) if w is None else w.sum())
    for solver in ("lbfgs", "trust-ncg"):
        ours = LossRegressor(HALF, alpha=alpha, solver=solver, **EXACT).fit(X, y, sample_weight=w)
        assert_same_model(ours, theirs)
        assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)
    without = LossRegressor(HALF, penalty=None, **EXACT).fit(X, y, sample_weight=w)
    assert_same_model(without, linear_model.LinearRegression().fit(X, y, sample_weight=w), 1e-4)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_lasso_and_elastic_net(diabetes, penalty):
    X, y = diabetes
    theirs = linear_model.ElasticNet(alpha=0.1, l1_ratio=1.0 if penalty == "l1" else 0.3, tol=1e-10).fit(X, y)
    ours = LossRegressor(HALF, penalty=penalty, alpha=0.1, l1_ratio=0.3, **EXACT).fit(X, y)
    assert_same_model(ours, theirs)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        (fl.PoissonNLL(), linear_model.PoissonRegressor(alpha=0.1, tol=1e-9, max_iter=1000)),
        (
            fl.Tweedie(power=1.5),
            linear_model.TweedieRegressor(power=1.5, alpha=0.1, link="log", tol=1e-9, max_iter=1000),
        ),
    ],
    ids=repr,
)
def test_generalized_linear_models(counts, loss, theirs):
    X, y = counts
    ours = LossRegressor(loss, alpha=0.1, **EXACT).fit(X, y, sample_weight=weights(y))
    theirs.fit(X, y, sample_weight=weights(y))
    assert_same_model(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5)
    gamma = LossRegressor("gamma_nll", alpha=0.1, **EXACT).fit(X, y + 0.5)
    assert_same_model(gamma, linear_model.GammaRegressor(alpha=0.1, tol=1e-9, max_iter=1000).fit(X, y + 0.5))


def test_quantiles(diabetes):
    X, y = diabetes
    for level in (0.5, 0.8):
        theirs = linear_model.QuantileRegressor(quantile=level, alpha=0.02).fit(X, y)
        ours = LossRegressor(fl.Quantile(level), penalty="l1", alpha=0.02, **EXACT).fit(X, y)
        assert_same_model(ours, theirs, 1e-3)
        assert fl.Quantile(level)(y, ours.predict(X)) == pytest.approx(
            fl.Quantile(level)(y, theirs.predict(X)), rel=1e-4
        )


def test_huber_of_the_scale_that_scikit_learn_finds(diabetes):
    X, y = diabetes
    theirs = linear_model.HuberRegressor(epsilon=1.3, alpha=0.5, tol=1e-9, max_iter=10_000).fit(X, y)
    loss = fl.Huber(delta=1.3 * theirs.scale_)
    assert_same_model(LossRegressor(loss, alpha=0.5 * theirs.scale_ / len(y), **EXACT).fit(X, y), theirs, 1e-4)


@pytest.mark.parametrize("balanced", [None, "balanced"])
def test_logistic_regression_of_two_classes(cancer, balanced):
    X, y = cancer
    w = weights(y)
    theirs = linear_model.LogisticRegression(C=0.5, class_weight=balanced, tol=1e-9, max_iter=10_000)
    theirs.fit(X, y, sample_weight=w)
    ours = LossClassifier(alpha=1 / (0.5 * w.sum()), class_weight=balanced, **EXACT)
    ours.fit(X, y, sample_weight=w)
    assert_same_model(ours, theirs)
    for verb in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(getattr(ours, verb)(X), getattr(theirs, verb)(X), rtol=1e-3, atol=1e-5)
    assert ours.score(X, y) == theirs.score(X, y)
    assert ours.loss_ == fl.BinaryCrossEntropyWithLogits()


def test_logistic_regression_of_several_classes(iris):
    X, y = iris
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-9, max_iter=10_000).fit(X, y)
    for solver in ("lbfgs", "trust-ncg"):
        ours = LossClassifier(alpha=1 / (0.5 * len(y)), solver=solver, **EXACT).fit(X, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
        for verb in ("predict", "predict_proba", "predict_log_proba"):
            np.testing.assert_allclose(getattr(ours, verb)(X), getattr(theirs, verb)(X), atol=1e-4)


def test_support_vectors(cancer):
    X, y = cancer
    theirs = LinearSVC(C=0.01, fit_intercept=False, dual=False, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = LossClassifier(fl.SquaredHinge(), alpha=1 / (0.01 * len(y)), fit_intercept=False, **EXACT).fit(X, y)
    assert_same_model(ours, theirs)
    assert ours.intercept_.tolist() == [0.0]


# Losses and penalties -------------------------------------------------------------------------------


def test_two_rows_of_logits_are_one(cancer):
    X, y = cancer
    for loss in (fl.SoftmaxFocal(), fl.MultiMargin(), fl.MulticlassBrier()):
        model = LossClassifier(loss, alpha=1e-2, max_iter=5000).fit(X, y)
        assert (model.coef_.shape, model.intercept_.shape) == ((1, X.shape[1]), (1,))
        objective = fl.LinearObjective(loss, X, y, l2=1e-2)
        fit = objective.fit(max_iter=5000)
        np.testing.assert_allclose(model.decision_function(X), np.diff(fit.predict(X), axis=1)[:, 0], rtol=1e-9)
        assert model.score(X, y) > 0.95


def test_probabilities_are_those_of_the_loss(iris):
    X, y = iris
    model = LossClassifier(fl.CrossEntropy(temperature=2.0), alpha=1e-3).fit(X, y)
    plain = LossClassifier(alpha=2.0**2 * 1e-3, **EXACT).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(model.decision_function(X), 2 * plain.decision_function(X), atol=1e-3)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-12)
    two = LossClassifier("soft_margin").fit(X, y == 1)
    np.testing.assert_allclose(two.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite(two.predict_log_proba(1e3 * X)).all()


@pytest.mark.parametrize("loss", ["hinge", fl.MultiMargin(), fl.CrossEntropy(softcap=5.0)], ids=repr)
def test_scores_are_no_probabilities(iris, loss):
    X, y = iris
    model = LossClassifier(loss).fit(X, y == 1)
    for verb in ("predict_proba", "predict_log_proba"):
        assert not hasattr(model, verb)
        with pytest.raises(AttributeError) as caught:
            getattr(model, verb)
        assert "must be one of logits to have probabilities" in str(caught.value.__cause__)


def test_sums_of_losses_and_chains(diabetes, cancer):
    X, y = diabetes
    loss = fl.Huber() + 0.1 * fl.SquaredError()
    found = LossRegressor(loss, alpha=0.0, **EXACT).fit(X, y)
    wanted = fl.LinearObjective(loss, X, y).fit(tol=1e-9)
    assert_same_model(found, type("Fit", (), {"coef_": wanted.coef, "intercept_": wanted.intercept}))
    X, y = cancer
    chained = LossClassifier(fl.Chained(fl.SquaredError(), "sigmoid"), alpha=1e-3).fit(X, y)
    assert chained.predict_proba(X).shape == (len(y), 2)
    assert chained.score(X, y) > 0.95


def test_groups_of_features_vanish_together():
    X, y = make_regression(200, 10, n_informative=2, noise=1.0, shuffle=False, random_state=0)
    X, y = StandardScaler().fit_transform(X), y / y.std()
    model = LossRegressor(HALF, penalty=GROUPS, alpha=0.1, **EXACT).fit(X, y)
    assert (model.coef_[:2] != 0).all()
    assert not model.coef_[2:].any()
    residual = y - model.predict(X)
    slope = -X.T @ residual / len(y)  # of the mean loss: minus a subgradient of the penalty
    np.testing.assert_allclose(slope[:2], -0.1 * model.coef_[:2] / np.linalg.norm(model.coef_[:2]), atol=1e-7)
    assert all(np.linalg.norm(slope[np.array(GROUPS.groups) == group]) <= 0.1 for group in (1, 2, 3))


def test_a_row_of_coefficients_is_a_group_of_several_classes(iris):
    X, y = iris
    noisy = np.column_stack((X, np.random.default_rng(3).normal(size=(len(y), 4))))
    model = LossClassifier(penalty=GroupLasso(), alpha=0.1).fit(noisy, y)
    used = (model.coef_ != 0).any(axis=0)
    assert used.any()
    assert not used.all()
    np.testing.assert_array_equal((model.coef_ != 0).all(axis=0), used)


def test_penalties_by_name_and_as_objects(diabetes):
    X, y = diabetes
    for name, penalty in (("l1", L1()), ("l2", L2()), ("l2", L2(strength=1.0))):
        by_name, as_object = (LossRegressor(penalty=one, alpha=0.1).fit(X, y) for one in (name, penalty))
        np.testing.assert_array_equal(by_name.coef_, as_object.coef_)
    half = LossRegressor(penalty=L1(strength=0.5), alpha=0.2).fit(X, y)
    np.testing.assert_array_equal(half.coef_, LossRegressor(penalty="l1", alpha=0.1).fit(X, y).coef_)

    class OneSided(Penalty):
        """Zero for coefficients that are not negative, else infinite."""

        def _value_and_grads(self, theta):
            return (np.inf if (theta < 0).any() else 0.0), (np.zeros_like(theta),)

        def _proximal(self, theta, step):
            return np.maximum(theta, 0.0)

    ours = LossRegressor(HALF, penalty=OneSided(), **EXACT).fit(X, y)
    assert_same_model(ours, linear_model.LinearRegression(positive=True).fit(X, y))


# As estimators --------------------------------------------------------------------------------------


def test_features_of_any_kind(cancer):
    X, y = cancer
    wanted = LossClassifier(alpha=1e-2).fit(X, y)
    kinds = [np.asfortranarray(X), np.repeat(np.repeat(X, 2, 0), 2, 1)[::2, ::2], X.tolist(), X.astype(">f8")]
    kinds += [make(X) for make in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array)]
    for given in kinds:
        model = LossClassifier(alpha=1e-2).fit(given, y)
        np.testing.assert_allclose(model.coef_, wanted.coef_, atol=1e-6)
        np.testing.assert_array_equal(model.predict(given), wanted.predict(X))
    single = LossClassifier(alpha=1e-2).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(single.coef_, wanted.coef_, atol=1e-3)


def test_names_of_features_and_classes(iris):
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = pandas.Series(np.array(["setosa", "versicolor", "virginica"])[y])
    model = LossClassifier(alpha=1e-2).fit(X, names)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model.n_features_in_ == 4
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert set(model.predict(X)) == set(model.classes_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[X.columns[::-1]])


def test_in_pipelines_and_searches(diabetes, cancer):
    X, y = diabetes
    grid = {"lossregressor__loss": ["log_cosh", fl.SquaredError()], "lossregressor__penalty": ["l1", GROUPS, None]}
    search = GridSearchCV(make_pipeline(StandardScaler(), LossRegressor(alpha=0.05)), grid, cv=3).fit(X, y)
    assert search.best_params_["lossregressor__loss"] == fl.SquaredError()
    X, y = cancer
    assert cross_val_score(LossClassifier("hinge", alpha=1e-2), X, y, cv=3).min() > 0.9
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, LossClassifier(alpha=1e-2).set_fit_request(sample_weight=True))
        routed.fit(X, y, sample_weight=weights(y))
    plain = LossClassifier(alpha=1e-2).fit(StandardScaler().fit_transform(X), y, sample_weight=weights(y))
    np.testing.assert_array_equal(routed[-1].coef_, plain.coef_)


def test_copies(cancer):
    X, y = cancer
    model = LossClassifier(fl.SquaredHinge(), penalty=GroupLasso(strength=2.0), alpha=1e-2, class_weight={0: 2.0})
    copied = clone(model)
    assert repr(copied) == repr(model)
    assert copied.get_params() == model.get_params()
    fitted = model.fit(X, y)
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(back.predict(X), fitted.predict(X))
    assert back.loss_ == fl.SquaredHinge()
    with pytest.raises(NotFittedError):
        copied.predict(X)


@pytest.mark.parametrize("loss", ["cross_entropy", "multi_margin", "soft_margin"])
def test_a_warm_start_takes_fewer_iterations(cancer, iris, loss):
    for X, y in (cancer,) if loss == "soft_margin" else (cancer, iris):
        model = LossClassifier(loss, alpha=1e-2, warm_start=True, max_iter=3000).fit(X, y)
        cold, coef = model.n_iter_, model.coef_
        model.fit(X, y)
        assert model.n_iter_ < cold / 2
        np.testing.assert_allclose(model.coef_, coef, atol=1e-3)
        model.fit(X[:, :3], y)  # of other features: from zero
        assert model.coef_.shape[1] == 3
    regressor = LossRegressor("log_cosh", warm_start=True).fit(X, y)
    cold = regressor.n_iter_
    assert regressor.fit(X, y).n_iter_ < cold / 2


def test_a_fit_that_does_not_converge_is_warned_of(cancer):
    X, y = cancer
    with pytest.warns(ConvergenceWarning, match="LossClassifier: the solver stopped after 2 iterations, .* max_iter"):
        model = LossClassifier(max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LossClassifier(alpha=0.1).fit(X, y)


X3, Y3 = np.eye(3), np.array([0, 1, 2])


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (
            ValueError,
            "LossRegressor: loss is 'hubber', must be a Loss or .*; did you mean 'huber'",
            LossRegressor("hubber"),
        ),
        (TypeError, "LossRegressor: loss is 1, must be a loss object", LossRegressor(1)),
        (TypeError, "LossRegressor: loss is Hinge.*, must be one of numbers", LossRegressor("hinge")),
        (TypeError, "LossRegressor: loss is GaussianNLL.*, must be one of numbers", LossRegressor(fl.GaussianNLL())),
        (TypeError, "LossRegressor: loss is PoissonDeviance.*, .* any real number", LossRegressor("poisson_deviance")),
        (TypeError, "LossRegressor: loss is RootMean", LossRegressor("rmse")),
        (TypeError, "LossClassifier: loss is SquaredError.*, must be one of labels", LossClassifier("mse")),
        (TypeError, "LossClassifier: loss is BinaryCrossEntropy.eps", LossClassifier("binary_cross_entropy")),
        (TypeError, "LossClassifier: loss is SoftmaxEntropy", LossClassifier("softmax_entropy")),
        (
            ValueError,
            "LossClassifier: loss is MulticlassZeroOne.*, whose gradient is 0",
            LossClassifier("multiclass_zero_one"),
        ),
        (ValueError, "LossClassifier: y has 3 classes, must have two for Hinge", LossClassifier("hinge")),
        (ValueError, "LossRegressor: penalty is 'l3', must be one of 'l2', 'l1',", LossRegressor(penalty="l3")),
        (TypeError, "Entropy: there is no proximal step", LossRegressor(penalty=Entropy())),
        (ValueError, "LossRegressor: alpha is -1, must be at least 0", LossRegressor(alpha=-1)),
        (
            ValueError,
            r"LossRegressor: l1_ratio is 2, must be in \[0, 1\]",
            LossRegressor(penalty="elasticnet", l1_ratio=2),
        ),
        (ValueError, "solver is 'lbfgs', must be 'proximal' with l1", LossRegressor(penalty="l1", solver="lbfgs")),
        (
            ValueError,
            "solver is 'lbfgs', must be 'proximal' with Group",
            LossRegressor(penalty=GroupLasso(), solver="lbfgs"),
        ),
        (ValueError, "solver is 'newton', must be one of", LossRegressor(solver="newton")),
        (TypeError, "LinearObjective: fit_intercept is 1, must be True", LossRegressor(fit_intercept=1)),
        (ValueError, "PoissonNLL: y", LossRegressor("poisson_nll")),
    ],
    ids=lambda value: repr(value) if isinstance(value, sklearn.base.BaseEstimator) else None,
)
def test_bad_parameters(error, message, make):
    with pytest.raises(error, match=message):
        make.fit(X3, Y3 - 1)


def test_without_scikit_learn_the_rest_is_there():
    code = """
import sys
sys.modules["sklearn"] = None
from fastloss.integrations import sklearn
print(sklearn.per_example_log_loss([0, 1], [0.5, 0.5]).shape)
try:
    sklearn.LossRegressor
except ImportError as error:
    print(error)
try:
    sklearn.LossRanker
except AttributeError as error:
    print(error)
"""
    first, second, third = fresh(code).splitlines()
    assert first == "(2,)"
    assert second.startswith("a linear model of scikit-learn's kind needs scikit-learn 1.7 or newer: run `pip install")
    assert third == "module 'fastloss.integrations.sklearn' has no attribute 'LossRanker'"


def test_bad_targets_and_weights():
    with pytest.raises(ValueError, match="LossClassifier: y has 1 class, must have at least two"):
        LossClassifier().fit(X3, np.ones(3, int))
    with pytest.raises(ValueError, match="LossRegressor: each sample_weight is zero"):
        LossRegressor().fit(X3, Y3, sample_weight=np.zeros(3))
    with pytest.raises(ValueError, match=r"sample_weight\[1\] is -1"):
        LossRegressor().fit(X3, Y3, sample_weight=[1, -1, 1])
    with pytest.raises(ValueError, match=r"sample_weight has shape \(2,\)"):
        LossRegressor().fit(X3, Y3, sample_weight=[1, 1])
