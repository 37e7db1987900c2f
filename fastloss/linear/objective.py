"""Linear models: the objective whose minimum they are, and its derivatives in their coefficients."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted
from fastloss._core.isa import kernels
from fastloss._core.loss import RAW, Loss, require_loss
from fastloss._core.operands import as_array, operand
from fastloss._core.parameters import NON_NEGATIVE, checked
from fastloss._core.runtime import GRAD, HESS, VALUE, enter_mode, leave_mode
from fastloss._core.threads import threads_for
from fastloss.elementwise.residual import AbsoluteError, MeanBias, Quantile
from fastloss.elementwise.robust import Huber
from fastloss.linear import solvers
from fastloss.linear.solvers import Vector
from fastloss.rowwise.rows import RowLoss, RowSpecification
from fastloss.rowwise.softmax import CrossEntropy

Solver: TypeAlias = Literal["lbfgs", "trust-ncg", "proximal"]
SOLVERS = ("lbfgs", "trust-ncg", "proximal")
OWNER = "LinearObjective"
QUIET = np.errstate(all="ignore")  # what is not finite is so in the results

P = ParamSpec("P")
R = TypeVar("R")


def _standard(function: Callable[P, R]) -> Callable[P, R]:
    """In the floating-point mode of IEEE's default, whatever that of the process, and without NumPy's warnings."""

    @functools.wraps(function)
    @QUIET
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        mode = enter_mode()
        try:
            return function(*args, **kwargs)
        finally:
            leave_mode(mode)

    return inner


MOST_COEFFICIENTS = sys.maxsize // 64  # their sums have addresses
INDEX_TYPES = (np.dtype(np.int32), np.dtype(np.int64))


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
        or a part of such an array); it is viewed, never copied. The rows of a sparse matrix may have their entries in
        any order, and several in one column, which add up; its three arrays may be strided.
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
        For a loss of classes, how many there are; by default as many as the largest label of a row that counts says.

    Raises
    ------
    TypeError, ValueError, IndexError
        Where an argument is none that is described here, or breaks the loss's domain. A sparse matrix must be
        consistent: as many indices as numbers, row pointers that begin with 0 and do not fall, both of one type.

    See Also
    --------
    Loss.value_and_grad : The gradient in the predictions.

    Notes
    -----
    Coefficients are a vector: those of the columns of X and then the intercept, class after class; for a loss of
    classes ``coef.reshape(n_classes, -1)`` has a row for each.

    X is read from memory once for value and gradient, or for a Hessian-vector product: a block of rows is
    multiplied by the coefficients, put through the loss and multiplied back while it is in cache. Nothing of length
    n is stored; a call allocates at most 6 MB, or six of each derivative where these are larger.

    An objective does not change, but X, y and the weights may, in place, from one call to the next: what a call finds
    wrong it refuses as the constructor does. While a call runs, another thread that changes them makes its result
    any number.

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
    >>> objective = fl.LinearObjective(fl.BinaryCrossEntropyWithLogits(), X, y, l2=0.1)
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
        signature = loss.signature
        if signature.rowwise:
            if not signature.labels or loss.scores not in RAW:
                targets = "labels" if signature.labels else "targets of each class"
                takes = f"{targets} and {loss.scores.replace('_', ' ')}"
                raise TypeError(f"{OWNER}: loss is {loss!r}, which takes {takes}, must be {allowed}")
        elif not (signature.single and signature.additive):
            raise TypeError(f"{OWNER}: loss is {loss!r}, must be {allowed}")
        self.loss = loss
        self.l1: float = checked(OWNER, "l1", l1, {"domain": NON_NEGATIVE})
        self.l2: float = checked(OWNER, "l2", l2, {"domain": NON_NEGATIVE})
        self.fit_intercept: bool = checked(OWNER, "fit_intercept", fit_intercept, {})
        self._x = _features(X)
        self._y = self._column("y", y)
        self._weight = None if sample_weight is None else self._column("sample_weight", sample_weight)
        arrays = [*self._x.parts.items(), ("y", self._y.array)]
        if self._weight is not None:
            arrays.append(("sample_weight", self._weight.array))
        self._made_of = [(name, array, array.dtype, array.shape) for name, array in arrays]
        self.n_classes = self._counted_classes(n_classes)
        if self.size > MOST_COEFFICIENTS:
            raise ValueError(
                f"{OWNER}: it would have {self.size} coefficients, {self._what()}; must be at most {MOST_COEFFICIENTS}"
            )
        self._run(0, None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise AttributeError(f"{OWNER}: {name} cannot be set, make another objective")
        super().__setattr__(name, value)

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
        return self._subgradient(grad, w), self._smooth_hess(hess)

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

    @QUIET
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
            The most iterations, at least 0.
        num_threads : int, optional
            As for calling the objective.

        Returns
        -------
        LinearFit
            The coefficients, whether the solver converged, and predictions for other rows.

        Raises
        ------
        ValueError
            Where the objective is not finite at the start: y or a row of X that counts holds NaN or infinity, say.
        ImportError
            Where the solver needs SciPy and it is not installed.

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
        tol = checked(OWNER, "tol", tol, {"domain": NON_NEGATIVE})
        if checked(OWNER, "max_iter", max_iter, {"integer": True}) < 0:
            raise ValueError(f"{OWNER}: max_iter is {max_iter}, must be at least 0")
        w = np.zeros(self.size) if start is None else self._vector("start", start).copy()
        value = self(w, num_threads=num_threads)
        if not math.isfinite(value):
            raise ValueError(f"{OWNER}: the objective at the start is {value:g}, must be finite")
        iterations = 0
        for terms in self._smooth_terms(w, num_threads):
            function, product = self._problem(terms, num_threads)
            if solver == "proximal":
                found = solvers.proximal(function, self._shrunk, w, tol, max_iter - iterations)
            else:
                found = solvers.scipy(function, product, w, solver, tol, max_iter - iterations)
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
        tilt = 0.5 - self.loss.alpha if isinstance(self.loss, Quantile) else 0.0
        share = 0.5 if isinstance(self.loss, Quantile) else 1.0
        size = self._run(VALUE, w, num_threads=num_threads, loss=AbsoluteError())[0]
        widths = [(size or 1.0) * 10.0**-k for k in range(1, 8)]
        return [[(share / width, Huber(width)), (tilt, MeanBias())] for width in widths]

    def _problem(
        self, terms: list[tuple[float, Loss]], num_threads: int | None
    ) -> tuple[solvers.Function, solvers.Product]:
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

    @_standard
    def _smooth(self, mean: float, w: Vector) -> float:
        return mean + 0.5 * self.l2 * float(np.sum(self._slopes(w) ** 2)) if self.l2 else mean

    @_standard
    def _smooth_grad(self, grad: Vector, w: Vector) -> Vector:
        self._slopes(grad)[:] += self.l2 * self._slopes(w)
        return grad

    @_standard
    def _smooth_hess(self, hess: Vector) -> Vector:
        self._slopes(hess)[:] += self.l2
        return hess

    @_standard
    def _value(self, mean: float, w: Vector) -> float:
        value = self._smooth(mean, w)
        return value + self.l1 * float(np.abs(self._slopes(w)).sum()) if self.l1 else value

    @_standard
    def _subgradient(self, grad: Vector, w: Vector) -> Vector:
        grad = self._smooth_grad(grad, w)
        if self.l1:
            of, g = self._slopes(w), self._slopes(grad)
            g[:] = np.where(of == 0, _shrink(g, self.l1), g + self.l1 * np.sign(of))
        return grad

    # The kernel

    def _column(self, name: str, given: ArrayLike) -> _Column:
        shown = as_array(OWNER, name, given)
        array, code = operand(OWNER, name, shown)
        if array.shape != (self._x.rows,):
            raise ValueError(
                f"{OWNER}: {name} has shape {array.shape}, must be ({self._x.rows},), one for each row of X"
            )
        return _Column(array, code, shown)

    def _vector(self, name: str, given: ArrayLike) -> Vector:
        array = as_array(OWNER, name, given)
        operand(OWNER, name, array)  # refuses what is no real number
        if array.shape != (self.size,):
            raise ValueError(f"{OWNER}: {name} has shape {array.shape}, must be ({self.size},): {self._what()}")
        return np.asarray(array, dtype=np.float64)

    def _what(self) -> str:
        what = f"{self._x.columns} coefficients{' and the intercept' if self.fit_intercept else ''}"
        return what + (f" for each of {self.n_classes} classes" if self.n_classes else "")

    @_standard
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
        for name, array, dtype, shape in self._made_of:
            if (array.dtype, array.shape) != (dtype, shape):
                now = f"of shape {array.shape} and dtype {array.dtype}"
                raise ValueError(f"{OWNER}: {name} is now {now}, must stay of shape {shape} and dtype {dtype}")
        x, spec = self._x, (loss or self.loss)._spec
        vectors = bool(operation & GRAD) + bool(operation & HESS)
        sums = np.empty((vectors, x.columns + 1, self.n_classes or 1))
        kernel, constants, domains, classes = spec.kernel, spec.constants, spec.closed[x.dtype == np.float32], None
        if isinstance(spec, RowSpecification) and isinstance(self.loss, RowLoss) and self.n_classes:
            assert spec.labelled is not None
            kernel, domains = spec.labelled, None
            constants = kernel.constants(self.loss._constants(self.n_classes))
            classes = (
                self.n_classes, spec.logit_scale, spec.softcap, spec.smoothing, spec.class_weight, spec.ignore_index,
            )  # fmt: skip
        threads = threads_for(num_threads, x.stored * (self.n_classes or 1) + x.rows)
        y, s = self._y, self._weight
        bad, culprit, total, weight = kernels("linear").linear(
            kernel, operation, constants=constants, domains=domains,
            arrays=(y.array, None if s is None else s.array, *x.arrays, self._laid_out(w), self._laid_out(v), sums),
            y_dtype=y.code, weight_dtype=-1 if s is None else s.code, rows_of_x=x.rows, columns=x.columns,
            classes=classes, num_threads=threads,
        )  # fmt: skip
        if bad >= 0:
            self._complain(bad, culprit, w)
        if not 0 < weight < math.inf:
            raise ValueError(f"{OWNER}: weights sum to {weight:g}, must be finite and leave a row that counts")
        if not operation:
            return math.nan, weight
        sums /= weight
        by_class = sums.transpose(0, 2, 1)[:, :, : x.columns + self.fit_intercept]
        return total / weight, weight, *by_class.reshape(vectors, self.size)

    @_standard
    def _laid_out(self, w: Vector | None) -> NDArray[Any] | None:
        """Coefficients as the kernel reads them: in the type of X, classes side by side, with 64 bytes of slack."""
        if w is None:
            return None
        columns, classes = self._x.columns, self.n_classes or 1
        out = np.zeros((columns + 1) * classes + 64 // self._x.dtype.itemsize, self._x.dtype)
        by_class = w.reshape(classes, -1).T
        out[: by_class.size] = by_class.ravel()
        return out

    def _counted_classes(self, given: int | None) -> int | None:
        if not self.loss.signature.rowwise:
            if given is not None:
                raise TypeError(f"{OWNER}: n_classes is {given!r}, must be None for {self.loss!r}")
            return None
        parameters = self.loss.parameters()
        class_weight = parameters.get("class_weight")
        if given is None:
            ignored = parameters.get("ignore_index")
            given = self._largest_label(ignored) + 1 if class_weight is None else len(class_weight)
        if not isinstance(given, (int, np.integer)) or isinstance(given, bool) or given < 1:
            raise ValueError(f"{OWNER}: n_classes is {given!r}, must be a positive integer")
        if class_weight is not None and len(class_weight) != given:
            raise ValueError(f"{OWNER}: n_classes is {given}, must be {len(class_weight)}, as class_weight has it")
        return int(given)

    def _largest_label(self, ignored: int | None) -> int:
        """Of the rows that count."""
        labels = self._y.shown
        weight = None if self._weight is None else self._weight.shown
        rows = np.flatnonzero(counted(labels.shape, weight=weight, labels=labels, ignored=ignored))
        if not rows.size:
            return 0
        row = rows[labels[rows].argmax()]  # of the first NaN, if there is one
        largest = float(labels[row])
        if not 0 <= largest < math.inf:
            raise ValueError(f"{OWNER}: y[{row}] is {largest:g}, must be a class from 0 on, or n_classes be given")
        return math.ceil(largest)

    def _complain(self, row: int, culprit: int, w: Vector | None) -> None:
        rules, name = self.loss._spec.rules, type(self.loss).__name__
        if culprit == kernels("linear").MATRIX:
            raise ValueError(f"{OWNER}: {self._x.fault(row)}")
        if culprit == 1:
            assert w is not None
            b = w[-1] if self.fit_intercept else 0.0
            prediction = self._x.times(row, w[: self._x.columns]) + b
            raise ValueError(f"{name}: the prediction of row {row} is {prediction:g}, must be {rules[1]}")
        if culprit == 0:
            y = self._y.shown[row]
            if self.n_classes:
                raise IndexError(f"{name}: y[{row}] is {y}, must be a class from 0 to {self.n_classes - 1}")
            raise ValueError(f"{name}: y[{row}] is {y}, must be {rules[0]}")
        assert self._weight is not None
        raise ValueError(f"{OWNER}: sample_weight[{row}] is {self._weight.shown[row]}, must be {rules[3]}")


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
        Whether the gradient is within the tolerance, or as near to it as rounding lets it be.
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


class _Column(NamedTuple):
    """A number for each row: as the kernel takes them, the code of their type, and as messages show them."""

    array: NDArray[Any]
    code: int
    shown: NDArray[Any]


class _Features(NamedTuple):
    """X by the names of its arrays: itself, or the data, indices and row pointers of compressed rows."""

    parts: dict[str, NDArray[Any]]
    rows: int
    columns: int

    @property
    def arrays(self) -> tuple[NDArray[Any] | None, ...]:
        """As the kernel takes them."""
        return (*self.parts.values(), None, None)[:3]

    @property
    def dtype(self) -> np.dtype[Any]:
        return next(iter(self.parts.values())).dtype

    @property
    def stored(self) -> int:
        return next(iter(self.parts.values())).size

    @QUIET
    def times(self, row: int, w: Vector) -> float:
        if len(self.parts) == 1:
            return float(self.parts["X"][row] @ w)
        data, indices, indptr = self.parts.values()
        entries = slice(indptr[row], indptr[row + 1])
        return float(data[entries] @ w[indices[entries]])

    def fault(self, row: int) -> str:
        """What is wrong with a compressed row."""
        _, indices, indptr = self.parts.values()
        first, stop = int(indptr[row]), int(indptr[row + 1])
        if row == 0 and first != 0:
            return f"X.indptr[0] is {first}, must be 0"
        if stop < first or stop > self.stored:
            rule = f"from {first}, the one before, to {self.stored}, the length of X.indices"
            return f"X.indptr[{row + 1}] is {stop}, must be {rule}"
        for k in range(max(first, 0), stop):
            if not 0 <= indices[k] < self.columns:
                return f"X.indices[{k}] is {indices[k]}, must be a column from 0 to {self.columns - 1}"
        return f"row {row} of X was changed while it was read, must stay as it is"


def _shrink(v: Vector, by: float) -> Vector:
    return np.maximum(v - by, 0.0) - np.maximum(-v - by, 0.0)


def _is_sparse(X: Any) -> bool:
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(X)


def _features(given: Any) -> _Features:
    sparse = _is_sparse(given)
    if sparse and given.format != "csr":
        raise TypeError(f"{OWNER}: X is a sparse matrix in {given.format} format, must be in CSR: X.tocsr()")
    names = ("X.data", "X.indices", "X.indptr") if sparse else ("X",)
    values = (given.data, given.indices, given.indptr) if sparse else (given,)
    parts = {name: as_array(OWNER, name, value) for name, value in zip(names, values, strict=True)}
    X = parts[names[0]]
    shape = given.shape if sparse else X.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{OWNER}: X has shape {shape}, must be (n, n_features), neither of them 0")
    if X.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{OWNER}: X has dtype {X.dtype}, must be float32 or float64 in native byte order")
    rows, columns = map(int, shape)
    if sparse:
        _check_compressed(parts, rows)
    elif not (X.flags.aligned and any(X.itemsize == by or n == 1 for by, n in zip(X.strides, shape, strict=True))):
        raise ValueError(
            f"{OWNER}: X has strides {X.strides}, must have contiguous rows or columns, aligned:"
            " np.ascontiguousarray(X) copies it so"
        )
    return _Features(parts, rows, columns)


def _check_compressed(parts: dict[str, NDArray[Any]], rows: int) -> None:
    """What the kernel takes for granted; what the arrays hold it checks itself."""
    data, indices, indptr = parts.values()
    if indices.dtype not in INDEX_TYPES or indptr.dtype != indices.dtype:
        raise TypeError(
            f"{OWNER}: X.indices has dtype {indices.dtype} and X.indptr {indptr.dtype}, must both be int32 or both"
            " int64 in native byte order: scipy.sparse.csr_array((X.data, X.indices, X.indptr), X.shape) makes them so"
        )
    lengths = (data.size, f"({data.size},), as long as X.data"), (rows + 1, f"({rows + 1},), one more than rows")
    for (name, array), (length, rule) in zip(parts.items(), (lengths[0], *lengths), strict=True):
        if array.shape != (length,):
            raise ValueError(f"{OWNER}: {name} has shape {array.shape}, must be {rule}")
        if not array.flags.aligned:
            raise ValueError(f"{OWNER}: {name} is not aligned in memory, must be: {name}.copy()")
