"""Linear models whose rows lie in chunks: the objective is one tree of sums, and a fit such a tree for each step."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute, is_dask_collection
from numpy.typing import ArrayLike, NDArray

from fastloss import Loss, linear
from fastloss._core.runtime import GRAD, HESS
from fastloss.dask.chunks import Arguments, Chunks, Whole
from fastloss.dask.operands import operands
from fastloss.dask.tasks import added
from fastloss.linear.objective import Solver
from fastloss.linear.rows import OWNER, Rows, largest_label, readable
from fastloss.linear.solvers import Vector

__all__ = ["LinearFit", "LinearObjective"]

ROW, COLUMN, COEF, DIRECTION, CLASS = 0, -1, -2, -3, -4  # labels of axes


class LinearObjective(linear.LinearObjective):
    """Mean loss of a linear model plus a penalty, as a function of its coefficients, of rows in chunks.

    It is called as that of `fastloss`, and so are its methods. Each call is one tree of sums over the chunks, which is
    computed at once, by the scheduler that Dask has then: coefficients are here, and rows where they are.

    Parameters
    ----------
    loss : Loss
        As for `fastloss.LinearObjective`.
    X : dask Array or DataFrame, or list of str
        Features, float32 or float64, whose columns are in one chunk; its chunks are NumPy arrays or SciPy CSR matrices.
        Strings are columns of `data`.
    y : dask Array or Series, array_like or str
        Targets, in chunks as the rows of `X` are.
    sample_weight : dask Array or Series, array_like or str, optional
        Weights, likewise.
    l1, l2 : float, default=0
        Strengths of the penalties.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    n_classes : int, optional
        For a loss of classes, how many there are; by default `y` is read at once to find out.
    data : dask DataFrame, optional
        Where columns that are given by name are.

    Raises
    ------
    TypeError, ValueError, IndexError
        As for `fastloss.LinearObjective`; where rows break the loss's domain, by the first call that reads them.

    See Also
    --------
    fastloss.LinearObjective : Its methods, which these are, and what they compute.

    Notes
    -----
    Each call reads all rows. Rows that fit into the memory of the workers are read once if they are kept there:
    ``X.persist()``. Lengths of chunks may be unknown.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import fastloss as fl
    >>> import fastloss.dask
    >>> X, y = da.from_array(np.array([[0.0], [1.0], [2.0], [3.0]]), chunks=(3, 1)), da.arange(1, 9, 2, chunks=3)
    >>> objective = fastloss.dask.LinearObjective(fl.SquaredError(half=True), X, y)
    >>> objective.value_and_grad(np.zeros(2))
    (10.5, array([-8.5, -4. ]))
    >>> fit = objective.fit()
    >>> print(np.round(fit.coef, 3), round(fit.intercept, 3), fit.predict(X).compute().round(3))
    [2.] 1.0 [1. 3. 5. 7.]
    """

    def __init__(
        self,
        loss: Loss,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        l1: float = 0.0,
        l2: float = 0.0,
        fit_intercept: bool = True,
        n_classes: int | None = None,
        data: Any = None,
    ) -> None:
        self._begin(loss, ChunkedRows(X, y, sample_weight, data), l1, l2, fit_intercept, n_classes)

    def fit(
        self,
        start: ArrayLike | None = None,
        *,
        solver: Solver | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        num_threads: int | None = None,
    ) -> LinearFit:
        """Minimize the objective.

        Parameters
        ----------
        start, solver, tol, max_iter
            As for `fastloss.LinearObjective`.
        num_threads : None
            Not to be given, as in other methods: a task takes one thread.

        Returns
        -------
        LinearFit
            The coefficients, whether the solver converged, and predictions for other rows.
        """
        found = super().fit(start, solver=solver, tol=tol, max_iter=max_iter, num_threads=num_threads)
        return LinearFit(**vars(found))


class LinearFit(linear.LinearFit):
    """What the minimization of a `LinearObjective` found: that of `fastloss`, whose predictions may be lazy."""

    def predict(self, X: Any) -> Any:
        """Compute the linear predictions of rows.

        Parameters
        ----------
        X : dask Array or DataFrame, array_like or SciPy sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        dask.array.Array or ndarray of shape (n,) or (n, n_classes)
            ``X @ coef.T + intercept``; lazy, in the chunks of the rows, where those are of Dask.
        """
        if not is_dask_collection(X):
            return super().predict(X)
        found = operands("LinearFit", {"X": X}, None)
        if found["X"].ndim != 2 or found["X"].shape[1] != self.coef.shape[-1]:
            raise ValueError(f"LinearFit: X has shape {found['X'].shape}, must be (n, {self.coef.shape[-1]})")
        chunks = Chunks("LinearFit", found, {"X": (ROW, COLUMN)})
        local = linear.LinearFit(**vars(self))
        labels = (ROW, CLASS)[: self.coef.ndim]
        like = local.predict(np.empty((0, self.coef.shape[-1])))
        return chunks.part(chunks.blocks(partial(_predicted, local)), (ROW,), None, labels, like)


class ChunkedRows:
    """The rows of a linear model, in chunks."""

    def __init__(self, X: Any, y: Any, sample_weight: Any, data: Any) -> None:
        found = operands(OWNER, {"X": X, "y": y, "sample_weight": sample_weight}, data)
        ones = {name: np.zeros((1,) * one.ndim, one.dtype) for name, one in found.items()}
        if found["X"].ndim == 2 and found["X"].shape[1] > 0:  # known, and not none
            ones["X"] = np.zeros((1, int(found["X"].shape[1])), found["X"].dtype)
        Rows(**ones)  # refuses what no rows are of
        self._checked = False
        self._chunks = Chunks(OWNER, found, {name: (ROW, COLUMN)[: one.ndim] for name, one in found.items()})

    @property
    def shape(self) -> tuple[Any, int]:
        rows, columns = self._chunks.operands["X"].shape
        return rows, int(columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self._chunks.operands["X"].dtype)

    def sums(
        self,
        loss: Loss,
        operation: int,
        w: Vector | None,
        v: Vector | None,
        n_classes: int | None,
        num_threads: int | None,
    ) -> tuple[float, float, NDArray[np.float64]]:
        if num_threads is not None:
            raise ValueError(f"{OWNER}: num_threads is {num_threads!r}, must be None: a task takes one thread")
        shape = bool(operation & GRAD) + bool(operation & HESS), self.shape[1] + 1, n_classes or 1
        vectors = [(da.from_array(x, chunks=-1), (label,)) for x, label in ((w, COEF), (v, DIRECTION)) if x is not None]
        blocks = self._chunks.blocks(partial(_sums, loss, operation, n_classes, shape, not self._checked), *vectors)
        ((total, weight, *sums),) = compute(Whole.of(self._chunks.tree(blocks, added)))
        self._checked = True
        return float(total), float(weight), np.reshape(sums, shape)

    def largest_label(self, ignored: int | None) -> int:
        blocks = self._chunks.blocks(partial(_largest, ignored), without="X")
        (largest,) = compute(Whole.of(self._chunks.tree(blocks, max)))
        return int(largest)


def _sums(
    loss: Loss,
    operation: int,
    n_classes: int | None,
    shape: tuple[int, ...],
    check: bool,
    arguments: Arguments,
    w: Vector,
    v: Vector | None = None,
) -> NDArray[np.float64]:
    """What the rows of a chunk come to as one vector, which adds up: of losses, of weights, and of derivatives."""
    if not arguments["X"].shape[0]:
        return np.zeros(2 + int(np.prod(shape)))
    arguments["X"] = readable(arguments["X"])  # what came from another process may lie at any address
    rows = Rows(**arguments)
    if check:
        rows.sums(loss, 0, None, None, n_classes, 1)
    total, weight, sums = rows.sums(loss, operation, w, v, n_classes, 1)
    return np.concatenate([[total, weight], sums.ravel()])


def _largest(ignored: int | None, arguments: Arguments) -> int:
    return largest_label(arguments["y"], arguments.get("sample_weight"), ignored)


def _predicted(fit: linear.LinearFit, arguments: Arguments) -> Any:
    return fit.predict(arguments["X"])
