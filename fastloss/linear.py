"""Linear models: the objective whose minimum they are, and its derivatives in their coefficients."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss import _solvers, _threads
from fastloss._arrays import as_array, operand
from fastloss._base import Loss, require_loss
from fastloss._call import GRAD, HESS, VALUE
from fastloss._isa import kernels
from fastloss._parameters import NON_NEGATIVE, checked
from fastloss._rows import RowLoss, RowPlan
from fastloss._solvers import Vector
from fastloss.elementwise.residual import AbsoluteError, MeanBias, Quantile
from fastloss.elementwise.robust import Huber
from fastloss.rowwise.softmax import CrossEntropy

Solver: TypeAlias = Literal["lbfgs", "trust-ncg", "proximal"]
SOLVERS = ("lbfgs", "trust-ncg", "proximal")
OWNER = "LinearObjective"


class LinearObjective:
    r"""Mean loss of a linear model plus a penalty, as a function of its coefficients.

    .. math::

        F(w, b) = \frac{1}{\sum_i s_i} \sum_i s_i \, \ell(y_i, x_i^\top w + b)
        + \lambda_1 \lVert w \rVert_1 + \frac{\lambda_2}{2} \lVert w \rVert_2^2

    with the gradient

    .. math::

        \nabla_w F = \frac{X^\top (s \circ \ell')}{\sum_i s_i} + \lambda_1 \operatorname{sign}(w) + \lambda_2 w
        \qquad
        \frac{\partial F}{\partial b} = \frac{\sum_i s_i \ell'_i}{\sum_i s_i}

    Parameters
    ----------
    loss : Loss
        A loss of one prediction for each target, or of a row of logits and a label, such as `CrossEntropy`, which
        makes the model multinomial. Its predictions are :math:`x_i^\top w + b`, so that it is the form that takes
        logits or logarithms of means that one wants.
    X : array_like or SciPy CSR matrix or array, of shape (n, n_features)
        Features, float32 or float64, and computed in that type. Rows or columns are contiguous (C or Fortran order,
        or a part of such an array); it is viewed, never copied.
    y : array_like of shape (n,)
        Targets, in the domain of the loss; of any real type. For `SoftmaxEntropy` labels, which say what rows count.
    sample_weight : array_like of shape (n,), optional
        Finite and not negative. A row of weight 0 takes no part, whatever it holds.
    l1, l2 : float, default=0
        Strengths of the penalties :math:`\lambda_1` and :math:`\lambda_2`. They do not act on the intercept, and do
        not grow with the number of rows: the loss is a mean.
    fit_intercept : bool, default=True
        Whether the model has an intercept :math:`b`: the last entry of a vector of coefficients, or of each class.
    n_classes : int, optional
        For a loss of classes, how many there are; by default as many as the largest label says.

    See Also
    --------
    Loss.value_and_grad : The gradient in the predictions.

    Notes
    -----
    Coefficients are a vector: those of the columns of X and then the intercept, class after class; for a loss of
    classes ``coef.reshape(n_classes, -1)`` has a row for each.

    X is read from memory once for value and gradient, or for a Hessian-vector product: a block of rows is
    multiplied by the coefficients, put through the loss and multiplied back while it is in cache. Nothing of length
    n is stored; a call allocates at most 4 MB, or four of each derivative where these are larger.

    Numerics: products within a row are summed in the type of X, sums over rows in float64, over a grid that depends
    on X alone: a result has the same bits for every number of threads.

    Where a coefficient is 0, the gradient holds the subgradient of the least magnitude,
    :math:`\operatorname{sign}(g) \max(|g| - \lambda_1, 0)` for a derivative :math:`g` of the rest: it is zero
    exactly where F is least. At a kink of the loss the derivative is the one stated with the loss, and second
    derivatives leave out the penalty's kink.

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd edition, Springer (2006),
       doi:10.1007/978-0-387-40065-5.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> objective = fl.LinearObjective(fl.BinaryCrossEntropy(), X, y, l2=0.1)
    >>> value, grad = objective.value_and_grad(np.zeros(2))
    >>> print(round(value, 4), grad)
    0.6931 [-0.5  0. ]

    It goes straight into SciPy:

    >>> from scipy.optimize import minimize
    >>> result = minimize(objective.value_and_grad, np.zeros(2), jac=True, hessp=objective.hessp, method="trust-ncg")
    >>> print(np.round(result.x, 3))
    [ 1.508 -2.261]
    """

    def __init__(
        self,
        loss: Loss,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        fit_intercept: bool = True,
        n_classes: int | None = None,
    ) -> None:
        require_loss(OWNER, loss)
        allowed = "a mean over targets of one prediction each, or over labels of a row of logits each"
        if isinstance(loss, RowLoss):
            if loss.labelled is None or loss.scores != "logits":
                targets = "targets of each class" if loss.labelled is None else "labels"
                takes = f"{targets} and {loss.scores.replace('_', ' ')}"
                raise TypeError(f"{OWNER}: loss is {loss!r}, which takes {takes}, must be {allowed}")
        elif loss.aggregate or type(loss)._align is not Loss._align:
            raise TypeError(f"{OWNER}: loss is {loss!r}, must be {allowed}")
        self.loss = loss
        self.l1: float = checked(OWNER, "l1", l1, {"domain": NON_NEGATIVE})
        self.l2: float = checked(OWNER, "l2", l2, {"domain": NON_NEGATIVE})
        self.fit_intercept: bool = checked(OWNER, "fit_intercept", fit_intercept, {})
        self._x = _features(X)
        self._y, self._y_kind = self._column("y", y)
        self._weight: NDArray[Any] | None = None
        self._weight_kind = -1
        if sample_weight is not None:
            self._weight, self._weight_kind = self._column("sample_weight", sample_weight)
        self.n_classes = self._counted_classes(n_classes, y)
        if not self._run(0, None)[1] > 0:
            raise ValueError(f"{OWNER}: weights sum to 0, must leave a row that counts")

    def __repr__(self) -> str:
        shape = f"X of shape ({self._x.rows}, {self._x.columns})"
        return f"{OWNER}({self.loss!r}, {shape}, l1={self.l1:g}, l2={self.l2:g}, fit_intercept={self.fit_intercept})"

    @property
    def size(self) -> int:
        """The length of a vector of coefficients, intercepts included."""
        return (self.n_classes or 1) * (self._x.columns + self.fit_intercept)

    def __call__(self, coef: ArrayLike, *, num_threads: int | None = None) -> float:
        """Compute the objective.

        Parameters
        ----------
        coef : array_like of shape (size,)
            The coefficients, then the intercept if there is one; class after class.
        num_threads : int, optional
            Threads to use, by default what is available and pays. The result has the same bits for every number.

        Returns
        -------
        float
            The mean loss plus the penalty.
        """
        w = self._vector("coef", coef)
        return self._value(self._run(VALUE, w, num_threads=num_threads)[0], w)

    def grad(self, coef: ArrayLike, *, num_threads: int | None = None) -> Vector:
        """Compute the gradient.

        Parameters
        ----------
        coef, num_threads
            As for calling the objective.

        Returns
        -------
        ndarray of shape (size,)
            Where `l1` makes a kink, the subgradient of the least magnitude.
        """
        w = self._vector("coef", coef)
        return self._subgradient(self._run(GRAD, w, num_threads=num_threads)[2], w)

    def value_and_grad(self, coef: ArrayLike, *, num_threads: int | None = None) -> tuple[float, Vector]:
        """Compute the objective and its gradient in one pass, as SciPy's ``minimize(..., jac=True)`` asks for them.

        Parameters
        ----------
        coef, num_threads
            As for calling the objective.

        Returns
        -------
        value : float
            What calling the objective returns, to the bit.
        grad : ndarray of shape (size,)
            What `grad` returns, to the bit.
        """
        w = self._vector("coef", coef)
        value, _, grad = self._run(VALUE | GRAD, w, num_threads=num_threads)
        return self._value(value, w), self._subgradient(grad, w)

    def grad_and_hess(self, coef: ArrayLike, *, num_threads: int | None = None) -> tuple[Vector, Vector]:
        r"""Compute the gradient and the diagonal of the Hessian in one pass.

        Parameters
        ----------
        coef, num_threads
            As for calling the objective.

        Returns
        -------
        grad : ndarray of shape (size,)
            The gradient.
        hess : ndarray of shape (size,)
            :math:`(X \circ X)^\top (s \circ \ell'') / \sum_i s_i + \lambda_2`, and without
            :math:`\lambda_2` for the intercept.
        """
        w = self._vector("coef", coef)
        _, _, grad, hess = self._run(GRAD | HESS, w, num_threads=num_threads)
        self._slopes(hess)[:] += self.l2
        return self._subgradient(grad, w), hess

    def hessp(self, coef: ArrayLike, direction: ArrayLike, *, num_threads: int | None = None) -> Vector:
        r"""Compute the product of the Hessian and a vector in one pass, without the Hessian.

        Parameters
        ----------
        coef, num_threads
            As for calling the objective.
        direction : array_like of shape (size,)
            The vector :math:`v`.

        Returns
        -------
        ndarray of shape (size,)
            :math:`X^\top (s \circ \ell'' \circ X v) / \sum_i s_i + \lambda_2 v`, likewise with the intercept. Of the
            losses of classes this is for `CrossEntropy`, whose Hessian couples the classes, without `softcap` and
            `z_loss`.
        """
        if self.n_classes and not (isinstance(self.loss, CrossEntropy) and self.loss.softcap == self.loss.z_loss == 0):
            raise TypeError(
                f"{OWNER}: loss is {self.loss!r}, must for hessp be CrossEntropy without softcap and z_loss"
            )
        w, v = self._vector("coef", coef), self._vector("direction", direction)
        return self._smooth_grad(self._run(HESS, w, v, num_threads)[2], v)

    def fit(
        self,
        start: ArrayLike | None = None,
        *,
        solver: Solver | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        num_threads: int | None = None,
    ) -> LinearFit:
        r"""Minimize the objective.

        Parameters
        ----------
        start : array_like of shape (size,), optional
            Where to start; by default at zero.
        solver : {"lbfgs", "trust-ncg", "proximal"}, optional
            SciPy's L-BFGS-B; SciPy's Newton method in a trust region, with Hessian-vector products; or accelerated
            proximal gradient steps [1]_, which set coefficients to exactly zero. By default the last with `l1` and
            the first without it: neither of SciPy's takes a penalty with a kink.
        tol : float, default=1e-6
            The largest entry of the gradient, or of the proximal gradient, at which to stop; trust-ncg takes its
            Euclidean norm.
        max_iter : int, default=1000
            The most iterations.
        num_threads : int, optional
            As for calling the objective.

        Returns
        -------
        LinearFit
            The coefficients, whether the solver converged, and predictions for other rows.

        Notes
        -----
        Features of like scale let every solver converge in few iterations: standardize them first. A loss with
        kinks has no gradient that falls to zero, so that a solver may stop before the minimum. `AbsoluteError` and
        `Quantile` are therefore smoothed, by `Huber` with a `delta` that shrinks to 1e-7 of the mean absolute
        residual at the start; other losses with kinks have smooth relatives, such as `SmoothedHinge`.

        References
        ----------
        .. [1] A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems",
           SIAM Journal on Imaging Sciences 2 (2009), doi:10.1137/080716542.

        Examples
        --------
        >>> import numpy as np
        >>> import fastloss as fl
        >>> X = np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 1.0], [3.0, -1.0]])
        >>> fit = fl.LinearObjective(fl.SquaredError(half=True), X, [1.0, 3.0, 5.0, 7.0], l1=0.1).fit()
        >>> print(np.round(fit.coef, 3), round(fit.intercept, 3), np.round(fit.predict([[4.0, 0.0]]), 3))
        [1.92 0.  ] 1.12 [8.8]
        """
        if solver is None:
            solver = "proximal" if self.l1 else "lbfgs"
        if solver not in SOLVERS:
            raise ValueError(f"{OWNER}: solver is {solver!r}, must be one of {', '.join(map(repr, SOLVERS))}")
        if self.l1 and solver != "proximal":
            raise ValueError(f"{OWNER}: solver is {solver!r}, must be 'proximal' with l1={self.l1:g}")
        w = np.zeros(self.size) if start is None else self._vector("start", start)
        iterations = 0
        for terms in self._smooth_terms(w, num_threads):
            function, product = self._problem(terms, num_threads)
            if solver == "proximal":
                found = _solvers.proximal(function, self._shrunk, w, tol, max_iter - iterations)
            else:
                found = _solvers.scipy(function, product, w, solver, tol, max_iter - iterations)
            w, iterations = found.w, iterations + found.iterations
        columns, value = self._x.columns, self(w, num_threads=num_threads)
        of_classes = w.reshape(self.n_classes or 1, -1)
        intercepts = of_classes[:, columns] if self.fit_intercept else np.zeros(len(of_classes))
        coef, intercept = (
            (of_classes[:, :columns], intercepts) if self.n_classes else (w[:columns], float(intercepts[0]))
        )
        return LinearFit(coef, intercept, value, iterations, found.converged, found.message)

    def _smooth_terms(self, w: Vector, num_threads: int | None) -> list[list[tuple[float, Loss]]]:
        """The loss as a sum of smooth ones, ever closer to it where it has a kink itself."""
        if not isinstance(self.loss, (AbsoluteError, Quantile)):
            return [[(1.0, self.loss)]]
        # Half the absolute error, smoothed, and a line that tilts it.
        tilt = 0.5 - self.loss.quantile if isinstance(self.loss, Quantile) else 0.0
        share = 0.5 if isinstance(self.loss, Quantile) else 1.0
        size = self._run(VALUE, w, num_threads=num_threads, loss=AbsoluteError())[0]
        widths = [(size or 1.0) * 10.0**-k for k in range(1, 8)]
        return [[(share / width, Huber(width)), (tilt, MeanBias())] for width in widths]

    def _problem(
        self, terms: list[tuple[float, Loss]], num_threads: int | None
    ) -> tuple[_solvers.Function, _solvers.Product]:
        """The smooth part of the objective for a sum of losses: value with gradient, and Hessian-vector product."""

        def function(w: Vector) -> tuple[float, Vector]:
            runs = [(factor, self._run(VALUE | GRAD, w, num_threads=num_threads, loss=loss)) for factor, loss in terms]
            mean = sum(factor * run[0] for factor, run in runs)
            return self._smooth(mean, w), self._smooth_grad(sum(factor * run[2] for factor, run in runs), w)

        def product(w: Vector, v: Vector) -> Vector:
            runs = [factor * self._run(HESS, w, v, num_threads, loss)[2] for factor, loss in terms]
            return self._smooth_grad(sum(runs), v)

        return function, product

    def _shrunk(self, w: Vector, step: float) -> Vector:
        """The proximal step of the l1 penalty, which leaves the intercept alone."""
        w = w.copy()
        of = self._slopes(w)
        of[:] = _shrink(of, step * self.l1)
        return w

    # The penalty

    def _slopes(self, w: Vector) -> Vector:
        """A view of what the penalty acts on: all but the intercepts."""
        return w.reshape(self.n_classes or 1, -1)[:, : self._x.columns]

    def _smooth(self, mean: float, w: Vector) -> float:
        return mean + 0.5 * self.l2 * float(np.sum(self._slopes(w) ** 2)) if self.l2 else mean

    def _smooth_grad(self, grad: Vector, w: Vector) -> Vector:
        self._slopes(grad)[:] += self.l2 * self._slopes(w)
        return grad

    def _value(self, mean: float, w: Vector) -> float:
        value = self._smooth(mean, w)
        return value + self.l1 * float(np.abs(self._slopes(w)).sum()) if self.l1 else value

    def _subgradient(self, grad: Vector, w: Vector) -> Vector:
        grad = self._smooth_grad(grad, w)
        if self.l1:
            of, g = self._slopes(w), self._slopes(grad)
            g[:] = np.where(of == 0, _shrink(g, self.l1), g + self.l1 * np.sign(of))
        return grad

    # The kernel

    def _column(self, name: str, given: ArrayLike) -> tuple[NDArray[Any], int]:
        array, kind = operand(OWNER, name, given)
        if array.shape != (self._x.rows,):
            raise ValueError(
                f"{OWNER}: {name} has shape {array.shape}, must be ({self._x.rows},), one for each row of X"
            )
        return array, kind

    def _vector(self, name: str, given: ArrayLike) -> Vector:
        array, _ = operand(OWNER, name, given)
        if array.shape != (self.size,):
            what = f"{self._x.columns} coefficients{' and the intercept' if self.fit_intercept else ''}"
            what += f" for each of {self.n_classes} classes" if self.n_classes else ""
            raise ValueError(f"{OWNER}: {name} has shape {array.shape}, must be ({self.size},): {what}")
        return np.asarray(array, dtype=np.float64)

    def _run(
        self,
        operation: int,
        w: Vector | None,
        v: Vector | None = None,
        num_threads: int | None = None,
        loss: Loss | None = None,
    ) -> tuple[Any, ...]:
        """The mean loss, the sum of weights, and the means of what was asked for of the derivatives."""
        if num_threads is not None and (not isinstance(num_threads, (int, np.integer)) or num_threads < 1):
            raise ValueError(f"{OWNER}: num_threads is {num_threads!r}, must be a positive integer")
        x, plan = self._x, (loss or self.loss)._plan
        vectors = bool(operation & GRAD) + bool(operation & HESS)
        sums = np.empty((vectors, x.columns + 1, self.n_classes or 1))
        formula: tuple[Any, ...] = plan.kernel, operation, plan.constants, plan.closed[x.dtype == np.float32]
        classes = None
        if isinstance(plan, RowPlan) and isinstance(self.loss, RowLoss) and self.n_classes:
            formula = plan.labelled, operation, self.loss._constants(self.n_classes), None
            classes = (
                self.n_classes, plan.logit_scale, plan.softcap, plan.smoothing, plan.class_weight, plan.ignore_index,
            )  # fmt: skip
        threads = _threads.choose(num_threads, x.stored * (self.n_classes or 1) + x.rows)
        bad, culprit, total, weight = kernels.linear(
            *formula, (self._y, self._weight, *x.parts, self._laid_out(w), self._laid_out(v), sums),
            self._y_kind, self._weight_kind, x.columns, x.by_rows, classes, threads,
        )  # fmt: skip
        if bad >= 0:
            self._complain(bad, culprit, w)
        if not operation:
            return math.nan, weight
        sums /= weight
        by_class = sums.transpose(0, 2, 1)[:, :, : x.columns + self.fit_intercept]
        return total / weight, weight, *by_class.reshape(vectors, self.size)

    def _laid_out(self, w: Vector | None) -> NDArray[Any] | None:
        """Coefficients as the kernel reads them: in the type of X, classes side by side, with 64 bytes of slack."""
        if w is None:
            return None
        columns, classes = self._x.columns, self.n_classes or 1
        out = np.zeros((columns + 1) * classes + 64 // self._x.dtype.itemsize, self._x.dtype)
        by_class = w.reshape(classes, -1).T
        out[: by_class.size] = by_class.ravel()
        return out

    def _counted_classes(self, given: int | None, y: ArrayLike) -> int | None:
        plan = self.loss._plan
        if not isinstance(plan, RowPlan):
            if given is not None:
                raise TypeError(f"{OWNER}: n_classes is {given!r}, must be None for {self.loss!r}")
            return None
        class_weight = plan.class_weight
        if given is None:
            given = self._largest_label(y) + 1 if class_weight is None else len(class_weight)
        if not isinstance(given, (int, np.integer)) or given < 1:
            raise ValueError(f"{OWNER}: n_classes is {given!r}, must be a positive integer")
        if class_weight is not None and len(class_weight) != given:
            raise ValueError(f"{OWNER}: n_classes is {given}, must be {len(class_weight)}, as class_weight has it")
        return int(given)

    @staticmethod
    def _largest_label(y: ArrayLike) -> int:
        labels = as_array(OWNER, "y", y)
        row = int(labels.argmax())  # of the first NaN, if there is one
        largest = float(labels[row])
        if not 0 <= largest < math.inf:
            raise ValueError(f"{OWNER}: y[{row}] is {largest:g}, must be a class from 0 on, or n_classes be given")
        return math.ceil(largest)

    def _complain(self, row: int, culprit: int, w: Vector | None) -> None:
        rules, name = self.loss._plan.rules, type(self.loss).__name__
        if culprit == kernels.MATRIX:
            raise ValueError(f"{OWNER}: X has an index out of bounds in row {row}, must be a consistent CSR matrix")
        if culprit == 1:
            assert w is not None
            b = w[-1] if self.fit_intercept else 0.0
            prediction = float(self._x.row(row) @ w[: self._x.columns] + b)
            raise ValueError(f"{name}: the prediction of row {row} is {prediction:g}, must be {rules[1]}")
        if culprit == 0:
            if self.n_classes:
                raise IndexError(f"{name}: y[{row}] is {self._y[row]}, must be a class from 0 to {self.n_classes - 1}")
            raise ValueError(f"{name}: y[{row}] is {self._y[row]}, must be {rules[0]}")
        assert self._weight is not None
        raise ValueError(f"{OWNER}: sample_weight[{row}] is {self._weight[row]}, must be {rules[3]}")


@dataclass(frozen=True)
class LinearFit:
    """What the minimization of a `LinearObjective` found.

    Parameters
    ----------
    coef : ndarray of shape (n_features,) or (n_classes, n_features)
        The coefficients.
    intercept : float or ndarray of shape (n_classes,)
        The intercept, 0 without one.
    value : float
        The objective there.
    iterations : int
        Of the solver.
    converged : bool
        Whether the gradient is within the tolerance.
    message : str
        Why the solver stopped.
    """

    coef: Vector
    intercept: float | Vector
    value: float
    iterations: int
    converged: bool
    message: str

    def predict(self, X: Any) -> Vector:
        """Compute the linear predictions of rows: what the loss takes, such as logits or logarithms of means.

        Parameters
        ----------
        X : array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            ``X @ coef.T + intercept``.
        """
        X = X if _is_sparse(X) else as_array("LinearFit", "X", X)
        if X.ndim != 2 or X.shape[1] != self.coef.shape[-1]:
            raise ValueError(f"LinearFit: X has shape {X.shape}, must be (n, {self.coef.shape[-1]})")
        return np.asarray(X @ self.coef.T + self.intercept)


class _Features(NamedTuple):
    """X as the kernel takes it: dense, or the data, indices and row pointers of compressed rows."""

    parts: tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]
    rows: int
    columns: int
    by_rows: bool
    stored: int
    row: Callable[[int], Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parts[0].dtype


def _shrink(v: Vector, by: float) -> Vector:
    return np.maximum(v - by, 0.0) - np.maximum(-v - by, 0.0)


def _is_sparse(X: Any) -> bool:
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(X)


def _features(given: Any) -> _Features:
    sparse = _is_sparse(given)
    if sparse and given.format != "csr":
        raise TypeError(f"{OWNER}: X is a sparse matrix in {given.format} format, must be in CSR: X.tocsr()")
    X: Any = given if sparse else as_array(OWNER, "X", given)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"{OWNER}: X has shape {X.shape}, must be (n, n_features), neither of them 0")
    if X.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{OWNER}: X has dtype {X.dtype}, must be float32 or float64 in native byte order")
    rows, columns = X.shape
    if sparse:
        return _Features((X.data, X.indices, X.indptr), rows, columns, True, X.nnz, lambda i: X[[i]].toarray()[0])
    unit = [stride == X.itemsize for stride in X.strides]
    if not any(unit) or not X.flags.aligned:
        raise ValueError(
            f"{OWNER}: X has strides {X.strides}, must have contiguous rows or columns, aligned:"
            " np.ascontiguousarray(X) copies it so"
        )
    return _Features((X, None, None), rows, columns, not unit[0], X.size, X.__getitem__)
