"""Linear models of any loss and any penalty as estimators of scikit-learn."""

from __future__ import annotations

import math
import warnings
from difflib import get_close_matches
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss import BinaryCrossEntropyWithLogits, CrossEntropy, LinearFit, LinearObjective, Loss, registry
from fastloss._core.evaluation import Array
from fastloss._core.extras import missing
from fastloss._core.loss import RAW, require_loss
from fastloss._core.operands import as_array
from fastloss._core.parameters import ANY, NON_NEGATIVE, UNIT, checked
from fastloss.linear.objective import Solver
from fastloss.linear.solvers import Vector
from fastloss.penalties import L1, L2, ElasticNet, Penalty

try:
    from scipy.special import expit, log_expit, log_softmax, softmax
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise missing("a linear model of scikit-learn's kind", "scikit-learn 1.7 or newer", "sklearn") from error

Doubles: TypeAlias = NDArray[np.float64]
PenaltyName: TypeAlias = Literal["l2", "l1", "elasticnet"]

PENALTIES = ("l2", "l1", "elasticnet")
INPUT: dict[str, Any] = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}


class _LossModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the estimators share: the parameters, and how a model is fit."""

    def __init__(
        self,
        loss: Loss | str = "squared_error",
        *,
        penalty: Penalty | PenaltyName | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        solver: Solver | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _resolved(self) -> Loss:
        """The loss; of a name, that with default parameters."""
        owner, loss = type(self).__name__, self.loss
        if isinstance(loss, str):
            known = {name: cls for cls in registry.values() for name in (cls.function_name, *cls.aliases)}
            if loss not in known:
                close = get_close_matches(loss, known)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"{owner}: loss is {loss!r}, must be a Loss or the name of its function{hint}")
            loss = known[loss]()
        require_loss(owner, loss)
        if loss.signature.additive and loss.hessian_approximation == "none":
            raise ValueError(f"{owner}: loss is {loss!r}, whose gradient is 0 everywhere, must be another")
        return loss

    def _known(self) -> Loss | None:
        """The loss, if there is one."""
        try:
            return self._resolved()
        except (TypeError, ValueError):
            return None

    def _penalized(self) -> tuple[Penalty | None, float]:
        """The penalty, and its factor."""
        owner, penalty = type(self).__name__, self.penalty
        factor: float = checked(owner, "alpha", self.alpha, {"domain": NON_NEGATIVE})
        if isinstance(penalty, str) and penalty in PENALTIES:
            ratio = checked(owner, "l1_ratio", self.l1_ratio, {"domain": UNIT})
            penalty = {"l2": L2(), "l1": L1(), "elasticnet": ElasticNet(l1_ratio=ratio)}[penalty]
        if not (penalty is None or isinstance(penalty, Penalty)):
            names = ", ".join(map(repr, PENALTIES))
            raise ValueError(f"{owner}: penalty is {penalty!r}, must be one of {names}, a Penalty or None")
        return (penalty if factor else None), factor

    def _weights(self, *given: Any) -> Array | None:
        """The product of the weights that are given, if any are."""
        owner = type(self).__name__
        arrays = [as_array(owner, "sample_weight", weight) for weight in given if weight is not None]
        if not arrays:
            return None
        product: Array = math.prod(arrays[1:], start=arrays[0])
        if not product.any():
            raise ValueError(f"{owner}: each sample_weight is zero, must leave a row that counts")
        return product

    def _objective(self, *arguments: Any, **options: Any) -> LinearObjective:
        """The mean loss plus the penalty."""
        penalty, factor = self._penalized()
        options["fit_intercept"] = self.fit_intercept
        match penalty:
            case None:
                return LinearObjective(*arguments, **options)
            case L1():
                return LinearObjective(*arguments, l1=factor * penalty.strength, **options)
            case L2():
                return LinearObjective(*arguments, l2=factor * penalty.strength, **options)
            case ElasticNet(l1=first, l2=second):
                return LinearObjective(*arguments, l1=factor * first.strength, l2=factor * second.strength, **options)
        return _PenalizedObjective(penalty, factor, *arguments, **options)

    def _minimized(self, objective: LinearObjective, start: Vector | None) -> LinearFit:
        """The fit, with a warning where it did not converge."""
        if start is not None and start.size != objective.size:
            start = None
        fit = objective.fit(start, solver=self.solver, tol=self.tol, max_iter=self.max_iter)
        if not fit.converged:
            stopped = f"the solver stopped after {fit.iterations} iterations, since {fit.message}"
            warnings.warn(
                f"{type(self).__name__}: {stopped}; scale the features, or raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.n_iter_ = fit.iterations
        return fit

    def _warm(self) -> bool:
        """Whether a fit begins with the coefficients of the last."""
        return bool(self.warm_start) and hasattr(self, "coef_")

    def _linear(self, X: Any) -> Array:
        """The linear predictions of rows, of one output or of each class."""
        check_is_fitted(self)
        found: Array = validate_data(self, X, reset=False, **INPUT) @ self.coef_.T + self.intercept_
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _PenalizedObjective(LinearObjective):
    """An objective with any penalty that has a proximal step; it acts on a row of coefficients for each feature."""

    def __init__(self, penalty: Penalty, factor: float, *arguments: Any, **options: Any) -> None:
        self.penalty, self.factor = penalty, factor
        super().__init__(*arguments, **options)

    def fit(self, start: Any = None, *, solver: Solver | None = None, **options: Any) -> LinearFit:
        if solver not in (None, "proximal"):
            raise ValueError(f"LinearObjective: solver is {solver!r}, must be 'proximal' with {self.penalty!r}")
        return super().fit(start, solver="proximal", **options)

    def _value(self, mean: float, w: Vector) -> float:
        return super()._value(mean, w) + self.factor * self.penalty(self._slopes(w).T)

    def _shrunk(self, w: Vector, step: float) -> Vector:
        w = w.copy()
        of = self._slopes(w)
        of[:] = self.penalty.proximal(of.T, step * self.factor).T
        return w


def _readable(X: Any) -> Any:
    """Features in a layout that `LinearObjective` reads: rows or columns that lie together, or a copy."""
    if not isinstance(X, np.ndarray) or X.itemsize in X.strides or 1 in X.shape:
        return X
    return np.ascontiguousarray(X)


class LossRegressor(RegressorMixin, _LossModel):  # type: ignore[misc]
    r"""Linear regression of any loss, with any penalty.

    The coefficients :math:`w` and the intercept :math:`b` minimize

    .. math:: \frac1{\sum_i s_i} \sum_i s_i \, \ell(y_i, x_i^\top w + b) + \alpha R(w)

    as those of `LinearObjective`.

    Parameters
    ----------
    loss : Loss or str, default="squared_error"
        A loss of one number for each target, of values or of logarithms of means such as `PoissonNLL`; or the name of
        its function, for that with default parameters.
    penalty : {"l2", "l1", "elasticnet"}, Penalty or None, default="l2"
        The penalty :math:`R`, which does not act on the intercept: :math:`\lVert w \rVert^2 / 2`,
        :math:`\lVert w \rVert_1`, `ElasticNet` with `l1_ratio`, or any of `fastloss.penalties` that has a proximal
        step, such as `GroupLasso`.
    alpha : float, default=1e-4
        The factor of the penalty.
    l1_ratio : float, default=0.5
        The share of the L1 penalty in "elasticnet".
    fit_intercept : bool, default=True
        Whether there is an intercept.
    solver : {"lbfgs", "trust-ncg", "proximal"}, optional
        As for `LinearObjective.fit`; by default "proximal" for penalties with kinks and "lbfgs" for others.
    tol : float, default=1e-6
        The largest entry of the gradient at which to stop.
    max_iter : int, default=1000
        The most iterations.
    warm_start : bool, default=False
        Whether a fit begins with the coefficients of the last.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        The coefficients.
    intercept_ : float
        The intercept, 0 without one.
    loss_ : Loss
        The loss.
    n_iter_ : int
        The iterations of the solver.
    n_features_in_ : int
        How many features there are.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    LossClassifier : Of classes.
    fastloss.LinearObjective : What is minimized.

    Notes
    -----
    The names and their meanings are those of scikit-learn's ``SGDRegressor``, whose losses and penalties may be chosen
    too: the loss is a mean, so that `alpha` does not grow with the number of rows. The same model is

    * ``Ridge(alpha=a)`` for "squared_error" with ``half=True`` and ``alpha=a / n``; ``Lasso(alpha=a)`` and
      ``ElasticNet(alpha=a, l1_ratio=r)`` for it with those penalties and ``alpha=a``;
    * ``QuantileRegressor(quantile=q, alpha=a)`` for ``Quantile(q)``, "l1" and ``alpha=a``;
    * ``PoissonRegressor(alpha=a)``, ``GammaRegressor(alpha=a)`` and ``TweedieRegressor(power=p, alpha=a, link="log")``
      for `PoissonNLL`, `GammaNLL` and `Tweedie` with ``alpha=a``.

    ``HuberRegressor`` estimates the scale of the residuals, too, and is another model than `Huber` with its `delta`.
    Features of like scale let every solver converge in few iterations: standardize them first.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.sklearn import LossRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import GridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LossRegressor(fl.Huber(delta=50.0), alpha=1e-5).fit(X, y)
    >>> model.predict(X[:3]).round()
    array([204.,  68., 173.])
    >>> grid = {"loss": [fl.Huber(delta=50.0), fl.Huber(delta=5.0)]}
    >>> GridSearchCV(LossRegressor(alpha=1e-5), grid, cv=3).fit(X, y).best_params_
    {'loss': Huber(delta=5.0)}
    """

    coef_: Doubles
    intercept_: float

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features; float32 and float64 in C or Fortran order, and CSR, are read in place.
        y : array_like of shape (n,)
            Targets, in the domain of the loss.
        sample_weight : array_like of shape (n,), optional
            Weights, not negative.

        Returns
        -------
        LossRegressor
            The estimator itself.
        """
        loss = self._resolved()
        numbers = loss.signature.single and loss.signature.additive
        if not numbers or loss.scores not in LINKS or loss.domains()[1] != ANY:
            raise TypeError(
                f"{type(self).__name__}: loss is {loss!r}, must be one of numbers and of predictions that may be any"
                " real number"
            )
        X, y = validate_data(self, X, y, y_numeric=True, **INPUT)
        weight = self._weights(sample_weight)
        objective = self._objective(loss, _readable(X), y, sample_weight=weight)
        start = np.append(self.coef_, [self.intercept_] * objective.fit_intercept) if self._warm() else None
        fit = self._minimized(objective, start)
        self.loss_, self.coef_, self.intercept_ = loss, fit.coef, float(fit.intercept)
        return self

    def predict(self, X: Any) -> Array:
        """Predict the targets of rows.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Values; for a loss of logarithms of means, the means.
        """
        found = self._linear(X)
        return np.exp(found) if LINKS[self.loss_.scores] == "log" else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        loss = self._known()
        tags.target_tags.positive_only = loss is not None and loss.domains()[0].low >= 0
        return tags


LINKS: dict[str, str] = {"values": "identity", "means": "identity", "log_means": "log"}


def _has_probabilities(model: LossClassifier) -> bool:
    """Whether the logits of the loss are those of probabilities; says which are not."""
    loss = model._resolved()
    if loss.scores == "logits" and not loss.parameters().get("softcap"):
        return True
    raise AttributeError(f"{type(model).__name__}: loss is {loss!r}, must be one of logits to have probabilities")


class LossClassifier(ClassifierMixin, _LossModel):  # type: ignore[misc]
    """Linear classification of any loss, with any penalty.

    Parameters
    ----------
    loss : Loss or str, default="cross_entropy"
        A loss of labels and logits or scores: of rows of classes, which makes the model multinomial; or, for two
        classes, of one number, such as `Hinge`. `CrossEntropy` of two classes is that of one logit. A string is the
        name of the loss's function, for that with default parameters.
    penalty, alpha, l1_ratio, fit_intercept, solver, tol, max_iter, warm_start
        As for `LossRegressor`.
    class_weight : dict or "balanced", optional
        Weights of the classes, with which those of the samples are multiplied; "balanced" gives all the same sum.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes in sorted order.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The coefficients; for two classes of the second, or of the difference of both.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts, 0 without any.
    loss_ : Loss
        The loss that was minimized.
    n_iter_ : int
        The iterations of the solver.
    n_features_in_ : int
        How many features there are.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all are strings.

    See Also
    --------
    LossRegressor : Of numbers.

    Notes
    -----
    ``LogisticRegression(C=c)`` is the same model for ``alpha=1 / (c * n)`` and n rows, whose losses it adds up; with
    weights n is their sum. Only losses of logits have `predict_proba`: the sigmoid or the softmax of these.

    Examples
    --------
    >>> import fastloss as fl
    >>> from fastloss.integrations.sklearn import LossClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LossClassifier(alpha=1e-2).fit(X, y)
    >>> model.predict_proba(X[:1]).round(2)
    array([[0.98, 0.02, 0.  ]])
    >>> LossClassifier("hinge").fit(X, y == 2).score(X, y == 2) > 0.95
    True
    """

    classes_: Array
    coef_: Doubles
    intercept_: Doubles

    def __init__(
        self,
        loss: Loss | str = "cross_entropy",
        *,
        penalty: Penalty | PenaltyName | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: Solver | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        warm_start: bool = False,
    ) -> None:
        super().__init__(
            loss, penalty=penalty, alpha=alpha, l1_ratio=l1_ratio, fit_intercept=fit_intercept, solver=solver, tol=tol,
            max_iter=max_iter, warm_start=warm_start,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features; float32 and float64 in C or Fortran order, and CSR, are read in place.
        y : array_like of shape (n,)
            Labels of any type that sorts, of at least two classes.
        sample_weight : array_like of shape (n,), optional
            Weights, not negative.

        Returns
        -------
        LossClassifier
            The estimator itself.
        """
        loss = self._resolved()
        X, y = validate_data(self, X, y, **INPUT)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        loss = self._of_classes(loss, len(classes))
        of_class = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=sample_weight)
        weight = self._weights(sample_weight, None if self.class_weight is None else of_class[labels])
        rows = len(classes) if loss.signature.rowwise else None
        objective = self._objective(loss, _readable(X), labels, sample_weight=weight, n_classes=rows)
        fit = self._minimized(objective, self._starting(objective) if self._warm() else None)
        coef, intercept = np.atleast_2d(fit.coef), np.atleast_1d(fit.intercept)
        if rows == 2:
            coef, intercept = np.diff(coef, axis=0), np.diff(intercept)
        self.loss_, self.classes_, self.coef_, self.intercept_ = loss, classes, coef, intercept
        return self

    def _of_classes(self, loss: Loss, number: int) -> Loss:
        """The loss of so many classes."""
        owner = type(self).__name__
        signature = loss.signature
        several = signature.labels and not signature.unsupervised
        if loss.scores not in RAW or not signature.additive or not (several or signature.single):
            raise TypeError(f"{owner}: loss is {loss!r}, must be one of labels and of logits or scores")
        if number < 2:
            raise ValueError(f"{owner}: y has {number} class, must have at least two classes")
        if number > 2 and not several:
            raise ValueError(
                f"{owner}: y has {number} classes, must have two for {loss!r}, other than for losses of rows such as"
                " CrossEntropy(). Only binary classification is supported. The type of the target is multiclass."
            )
        if (
            number == 2
            and isinstance(loss, CrossEntropy)
            and loss == CrossEntropy(label_smoothing=loss.label_smoothing, hessian=loss.hessian)
        ):
            return BinaryCrossEntropyWithLogits(label_smoothing=loss.label_smoothing)
        return loss

    def _starting(self, objective: LinearObjective) -> Vector:
        """The coefficients of the last fit as a vector, class after class."""
        last = np.column_stack((self.coef_, self.intercept_))[:, : self.coef_.shape[1] + objective.fit_intercept]
        if objective.n_classes == 2:
            last = np.concatenate((-last / 2, last / 2))
        start: Vector = last.ravel()
        return start

    def decision_function(self, X: Any) -> Array:
        """Compute the logits or scores of rows.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            Of the second of two classes, positive where it is predicted; or of each class.
        """
        found = self._linear(X)
        return found.ravel() if found.shape[1] == 1 else found

    def predict(self, X: Any) -> Array:
        """Predict the classes of rows.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Of the type of the labels.
        """
        found = self._linear(X)
        chosen = found.argmax(axis=1) if found.shape[1] > 1 else (found[:, 0] > 0).astype(np.intp)
        labels: Array = self.classes_[chosen]
        return labels

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """Predict the probabilities of the classes, where the loss is one of logits.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, in the order of `classes_`.
        """
        z = self._logits(X)
        found: Array = softmax(z, axis=1) if z.shape[1] > 1 else expit(np.concatenate((-z, z), axis=1))
        return found

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Array:
        """Predict the logarithms of the probabilities of the classes, where the loss is one of logits.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Logarithms of probabilities, in the order of `classes_`; finite where probabilities underflow.
        """
        z = self._logits(X)
        found: Array = log_softmax(z, axis=1) if z.shape[1] > 1 else log_expit(np.concatenate((-z, z), axis=1))
        return found

    def _logits(self, X: Any) -> Array:
        """Logits whose sigmoid or softmax is that of the loss."""
        found = self._linear(X)
        scaled: Array = found / self.loss_.parameters().get("temperature", 1.0)
        return scaled

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        loss = self._known()
        tags.classifier_tags.multi_class = loss is None or loss.signature.rowwise
        return tags
