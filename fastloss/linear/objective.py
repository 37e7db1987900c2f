"""Linear models: the objective whose minimum they are, and its derivatives in their coefficients."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastloss._core.loss import RAW, Loss, require_loss
from fastloss._core.operands import as_array, operand
from fastloss._core.parameters import NON_NEGATIVE, checked
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss.elementwise.residual import AbsoluteError, MeanBias, Quantile
from fastloss.elementwise.robust import Huber
from fastloss.linear import solvers
from fastloss.linear.rows import OWNER, QUIET, Rows, RowSums, is_sparse, standard
from fastloss.linear.solvers import Vector
from fastloss.rowwise.softmax import CrossEntropy

Solver: TypeAlias = Literal["lbfgs", "trust-ncg", "proximal"]
SOLVERS = ("lbfgs", "trust-ncg", "proximal")
MOST_COEFFICIENTS = sys.maxsize // 64  # their sums have addresses


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
        self._begin(loss, Rows(X, y, sample_weight), l1, l2, fit_intercept, n_classes)
        self._run(0, None)

    def _begin(
        self, loss: Loss, rows: RowSums, l1: float, l2: float, fit_intercept: bool, n_classes: int | None
    ) -> None:
        """Check all but what the rows hold."""
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
        self._rows = rows
        self.n_classes = self._counted_classes(n_classes)
        if self.size > MOST_COEFFICIENTS:
            raise ValueError(
                f"{OWNER}: it would have {self.size} coefficients, {self._what()}; must be at most {MOST_COEFFICIENTS}"
            )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise AttributeError(f"{OWNER}: {name} cannot be set, make another objective")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        made_of = f"{self.loss!r}, X of shape {self._rows.shape}"
        return f"{OWNER}({made_of}, l1={self.l1:g}, l2={self.l2:g}, fit_intercept={self.fit_intercept})"

    @property
    def _columns(self) -> int:
        return self._rows.shape[1]

    @property
    def size(self) -> int:
        """The length of a vector of coefficients, intercepts included."""
        return (self.n_classes or 1) * (self._columns + self.fit_intercept)

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
        for loss in self._smooth_losses(w, num_threads):
            function, product = self._problem(loss, num_threads)
            if solver == "proximal":
                found = solvers.proximal(function, self._shrunk, w, tol, max_iter - iterations)
            else:
                eps = float(np.finfo(self._rows.dtype).eps)
                found = solvers.scipy(function, product, w, solver, tol, max_iter - iterations, eps)
            w, iterations = found.w, iterations + found.iterations
        columns, value = self._columns, self(w, num_threads=num_threads)
        of_classes = w.reshape(self.n_classes or 1, -1)
        intercepts = of_classes[:, columns] if self.fit_intercept else np.zeros(len(of_classes))
        coef, intercept = (
            (of_classes[:, :columns], intercepts) if self.n_classes else (w[:columns], float(intercepts[0]))
        )
        return LinearFit(coef, intercept, value, iterations, found.converged, found.message)

    def _smooth_losses(self, w: Vector, num_threads: int | None) -> list[Loss]:
        """The loss, or where it has a kink smooth ones that come ever closer to it."""
        if not isinstance(self.loss, (AbsoluteError, Quantile)):
            return [self.loss]
        size = self._run(VALUE, w, num_threads=num_threads, loss=AbsoluteError())[0]
        widths = [(size or 1.0) * 10.0**-k for k in range(1, 8)]
        if isinstance(self.loss, AbsoluteError):
            return [Huber(width) * (1 / width) for width in widths]
        # Half the absolute error, smoothed, and a line that tilts it.
        halves: list[Loss] = [Huber(width) * (0.5 / width) for width in widths]
        tilt = 0.5 - self.loss.alpha
        return [half + tilt * MeanBias() for half in halves] if tilt else halves

    def _problem(self, loss: Loss, num_threads: int | None) -> tuple[solvers.Function, solvers.Product]:
        """The smooth part of the objective for a loss: value with gradient, and Hessian-vector product."""

        def function(w: Vector) -> tuple[float, Vector]:
            mean, _, grad = self._run(VALUE | GRAD, w, num_threads=num_threads, loss=loss)
            return self._smooth(mean, w), self._smooth_grad(grad, w)

        def product(w: Vector, v: Vector) -> Vector:
            return self._smooth_grad(self._run(HESS, w, v, num_threads, loss)[2], v)

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
        return w.reshape(self.n_classes or 1, -1)[:, : self._columns]

    @standard
    def _smooth(self, mean: float, w: Vector) -> float:
        return mean + 0.5 * self.l2 * float(np.sum(self._slopes(w) ** 2)) if self.l2 else mean

    @standard
    def _smooth_grad(self, grad: Vector, w: Vector) -> Vector:
        self._slopes(grad)[:] += self.l2 * self._slopes(w)
        return grad

    @standard
    def _smooth_hess(self, hess: Vector) -> Vector:
        self._slopes(hess)[:] += self.l2
        return hess

    @standard
    def _value(self, mean: float, w: Vector) -> float:
        value = self._smooth(mean, w)
        return value + self.l1 * float(np.abs(self._slopes(w)).sum()) if self.l1 else value

    @standard
    def _subgradient(self, grad: Vector, w: Vector) -> Vector:
        grad = self._smooth_grad(grad, w)
        if self.l1:
            of, g = self._slopes(w), self._slopes(grad)
            g[:] = np.where(of == 0, _shrink(g, self.l1), g + self.l1 * np.sign(of))
        return grad

    # What the rows come to

    def _vector(self, name: str, given: ArrayLike) -> Vector:
        array = as_array(OWNER, name, given)
        operand(OWNER, name, array)  # refuses what is no real number
        if array.shape != (self.size,):
            raise ValueError(f"{OWNER}: {name} has shape {array.shape}, must be ({self.size},): {self._what()}")
        return np.asarray(array, dtype=np.float64)

    def _what(self) -> str:
        what = f"{self._columns} coefficients{' and the intercept' if self.fit_intercept else ''}"
        return what + (f" for each of {self.n_classes} classes" if self.n_classes else "")

    @standard
    def _run(
        self,
        operation: int,
        w: Vector | None,
        v: Vector | None = None,
        num_threads: int | None = None,
        loss: Loss | None = None,
    ) -> tuple[Any, ...]:
        """The mean loss, the sum of weights, and the means of what was asked for of the derivatives."""
        total, weight, sums = self._rows.sums(loss or self.loss, operation, w, v, self.n_classes, num_threads)
        if not 0 < weight < math.inf:
            raise ValueError(f"{OWNER}: weights sum to {weight:g}, must be finite and leave a row that counts")
        if not operation:
            return math.nan, weight
        sums /= weight
        by_class = sums.transpose(0, 2, 1)[:, :, : self._columns + self.fit_intercept]
        return total / weight, weight, *by_class.reshape(len(sums), self.size)

    def _counted_classes(self, given: int | None) -> int | None:
        if not self.loss.signature.rowwise:
            if given is not None:
                raise TypeError(f"{OWNER}: n_classes is {given!r}, must be None for {self.loss!r}")
            return None
        parameters = self.loss.parameters()
        class_weight = parameters.get("class_weight")
        if given is None:
            ignored = parameters.get("ignore_index")
            given = self._rows.largest_label(ignored) + 1 if class_weight is None else len(class_weight)
        if not isinstance(given, (int, np.integer)) or isinstance(given, bool) or given < 1:
            raise ValueError(f"{OWNER}: n_classes is {given!r}, must be a positive integer")
        if class_weight is not None and len(class_weight) != given:
            raise ValueError(f"{OWNER}: n_classes is {given}, must be {len(class_weight)}, as class_weight has it")
        return int(given)


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
        X = X if is_sparse(X) else as_array("LinearFit", "X", X)
        if X.ndim != 2 or X.shape[1] != self.coef.shape[-1]:
            raise ValueError(f"LinearFit: X has shape {X.shape}, must be (n, {self.coef.shape[-1]})")
        return np.asarray(X @ self.coef.T + self.intercept)


def _shrink(v: Vector, by: float) -> Vector:
    return np.maximum(v - by, 0.0) - np.maximum(-v - by, 0.0)
