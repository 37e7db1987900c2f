"""The rows that a linear model is made of, and one pass over them."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted
from fastloss._core.isa import kernels
from fastloss._core.loss import Loss
from fastloss._core.operands import as_array, operand
from fastloss._core.runtime import GRAD, HESS, enter_mode, leave_mode
from fastloss._core.threads import threads_for
from fastloss.linear.solvers import Vector
from fastloss.rowwise.rows import RowLoss, RowSpecification

OWNER = "LinearObjective"
INDEX_TYPES = (np.dtype(np.int32), np.dtype(np.int64))
QUIET = np.errstate(all="ignore")  # what is not finite is so in the results

P = ParamSpec("P")
R = TypeVar("R")


def standard(function: Callable[P, R]) -> Callable[P, R]:
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


class RowSums(Protocol):
    """What an objective asks of its rows, wherever they are."""

    @property
    def shape(self) -> tuple[Any, int]:
        """The number of rows, and of features."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """What scores and sums over a block of rows are computed in."""

    def sums(
        self,
        loss: Loss,
        operation: int,
        w: Vector | None,
        v: Vector | None,
        n_classes: int | None,
        num_threads: int | None,
    ) -> tuple[float, float, NDArray[np.float64]]:
        """Of weighted losses; of weights; and of what was asked for of the derivatives.

        The last are as many vectors as were asked for, each of one number for each feature and one for the intercept,
        of each class.
        """

    def largest_label(self, ignored: int | None) -> int:
        """Of the rows that count."""


class Rows:
    """Features, and a target and perhaps a weight for each row of them; of arrays that are here."""

    def __init__(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._x = _features(X)
        self._y = self._column("y", y)
        self._weight = None if sample_weight is None else self._column("sample_weight", sample_weight)
        arrays = [*self._x.parts.items(), ("y", self._y.array)]
        if self._weight is not None:
            arrays.append(("sample_weight", self._weight.array))
        self._made_of = [(name, array, array.dtype, array.shape) for name, array in arrays]

    @property
    def shape(self) -> tuple[int, int]:
        return self._x.rows, self._x.columns

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._x.dtype

    @standard
    def sums(
        self,
        loss: Loss,
        operation: int,
        w: Vector | None,
        v: Vector | None,
        n_classes: int | None,
        num_threads: int | None,
    ) -> tuple[float, float, NDArray[np.float64]]:
        if num_threads is not None and (not isinstance(num_threads, (int, np.integer)) or num_threads < 1):
            raise ValueError(f"{OWNER}: num_threads is {num_threads!r}, must be a positive integer")
        for name, array, dtype, shape in self._made_of:
            if (array.dtype, array.shape) != (dtype, shape):
                now = f"of shape {array.shape} and dtype {array.dtype}"
                raise ValueError(f"{OWNER}: {name} is now {now}, must stay of shape {shape} and dtype {dtype}")
        x, spec = self._x, loss._spec
        vectors = bool(operation & GRAD) + bool(operation & HESS)
        sums = np.empty((vectors, x.columns + 1, n_classes or 1))
        kernel, constants, domains, classes = spec.kernel, spec.constants, spec.closed[x.dtype == np.float32], None
        if isinstance(spec, RowSpecification) and isinstance(loss, RowLoss) and n_classes:
            assert spec.labelled is not None
            kernel, domains = spec.labelled, None
            constants = kernel.constants(loss._constants(n_classes))
            classes = n_classes, spec.logit_scale, spec.softcap, spec.smoothing, spec.class_weight, spec.ignore_index
        threads = threads_for(num_threads, x.stored * (n_classes or 1) + x.rows)
        y, s = self._y, self._weight
        coefs = (self._laid_out(w, n_classes or 1), self._laid_out(v, n_classes or 1))
        bad, culprit, total, weight = kernels("linear").linear(
            kernel, operation, constants=constants, domains=domains,
            arrays=(y.array, None if s is None else s.array, *x.arrays, *coefs, sums),
            y_dtype=y.code, weight_dtype=-1 if s is None else s.code, rows_of_x=x.rows, columns=x.columns,
            classes=classes, num_threads=threads,
        )  # fmt: skip
        if bad >= 0:
            self._complain(bad, culprit, loss, w, n_classes)
        return total, weight, sums

    def largest_label(self, ignored: int | None) -> int:
        return largest_label(self._y.shown, None if self._weight is None else self._weight.shown, ignored)

    def _column(self, name: str, given: ArrayLike) -> _Column:
        shown = as_array(OWNER, name, given)
        array, code = operand(OWNER, name, shown)
        if array.shape != (self._x.rows,):
            raise ValueError(
                f"{OWNER}: {name} has shape {array.shape}, must be ({self._x.rows},), one for each row of X"
            )
        return _Column(array, code, shown)

    def _laid_out(self, w: Vector | None, classes: int) -> NDArray[Any] | None:
        """Coefficients as the kernel reads them: in the type of X, classes side by side, with 64 bytes of slack."""
        if w is None:
            return None
        out = np.zeros((self._x.columns + 1) * classes + 64 // self._x.dtype.itemsize, self._x.dtype)
        by_class = w.reshape(classes, -1).T
        out[: by_class.size] = by_class.ravel()
        return out

    def _complain(self, row: int, culprit: int, loss: Loss, w: Vector | None, n_classes: int | None) -> None:
        rules, name, columns = loss._spec.rules, type(loss).__name__, self._x.columns
        if culprit == kernels("linear").MATRIX:
            raise ValueError(f"{OWNER}: {self._x.fault(row)}")
        if culprit == 1:
            assert w is not None
            prediction = self._x.times(row, w[:columns]) + (w[columns] if len(w) > columns else 0.0)
            raise ValueError(f"{name}: the prediction of row {row} is {prediction:g}, must be {rules[1]}")
        if culprit == 0:
            y = self._y.shown[row]
            if n_classes:
                raise IndexError(f"{name}: y[{row}] is {y}, must be a class from 0 to {n_classes - 1}")
            raise ValueError(f"{name}: y[{row}] is {y}, must be {rules[0]}")
        assert self._weight is not None
        raise ValueError(f"{OWNER}: sample_weight[{row}] is {self._weight.shown[row]}, must be {rules[3]}")


def largest_label(y: ArrayLike, sample_weight: ArrayLike | None, ignored: int | None) -> int:
    """Of the rows that count."""
    labels = as_array(OWNER, "y", y)
    weight = None if sample_weight is None else as_array(OWNER, "sample_weight", sample_weight)
    rows = np.flatnonzero(counted(labels.shape, weight=weight, labels=labels, ignored=ignored))
    if not rows.size:
        return 0
    row = rows[labels[rows].argmax()]  # of the first NaN, if there is one
    largest = float(labels[row])
    if not 0 <= largest < math.inf:
        raise ValueError(f"{OWNER}: y[{row}] is {largest:g}, must be a class from 0 on, or n_classes be given")
    return math.ceil(largest)


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


def is_sparse(X: Any) -> bool:
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(X)


def readable(X: Any) -> Any:
    """Features as they are, or a copy of those that lie where no kernel reads them."""
    if is_sparse(X):
        return X if X.format != "csr" or all(a.flags.aligned for a in (X.data, X.indices, X.indptr)) else X.copy()
    array = as_array(OWNER, "X", X)
    return array if array.ndim != 2 or _is_readable(array) else array.copy()


def _is_readable(X: NDArray[Any]) -> bool:
    """Whether rows or columns are contiguous."""
    contiguous = any(X.itemsize == by or n == 1 for by, n in zip(X.strides, X.shape, strict=True))
    return X.flags.aligned and contiguous


def _features(given: Any) -> _Features:
    sparse = is_sparse(given)
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
    elif not _is_readable(X):
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
