"""What losses of a batch against itself or another share: similarities a block of rows at a time, never all at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, ParamSpec, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastloss._core.counting import moments
from fastloss._core.evaluation import ABSENT, Array, Floats, Operand, Specification
from fastloss._core.isa import kernels
from fastloss._core.multi_input import MultiInputEvaluation, MultiInputLoss
from fastloss._core.operands import readable
from fastloss._core.runtime import (
    APART,
    FLOAT32,
    FLOAT64,
    GRAD,
    MOMENTS,
    OMIT,
    RAISE,
    SWAPPED,
    VALUE,
    Kernel,
    enter_mode,
    leave_mode,
)
from fastloss._core.signature import Argument, Signature
from fastloss._core.threads import threads_for

compiled = kernels("vectors")
KERNELS: dict[str, Kernel] = compiled.SIMILARITY_KERNELS

Doubles = NDArray[np.float64]
Places = NDArray[np.intp]

BLOCK_BYTES = 1 << 24  # of similarities, or of sums of products with them, at a time: they stay in cache
SMALL = 1 << 22  # numbers of a pass that a team would make no faster: see `between_products`
MOST_ROWS = 1 << 24  # float32 holds the codes exactly

FEATURES = (("feature",),)
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


def between_products(threads: int | None, work: int) -> int:
    """Threads for a pass over so many numbers between products of matrices, whose threads go on spinning for a while.

    A team takes turns with them, of milliseconds each; what takes less is done before by one thread.
    """
    return 1 if work < SMALL else threads_for(threads, work)


# Rows and their gradients -----------------------------------------------------------------------------


class Rows:
    """The rows of an array as they are multiplied: contiguous, in the type of the computation, of unit norm if `unit`.

    They are the array itself where that will do, unless they are to be its `own`, which may be changed.
    """

    def __init__(
        self, given: Array, code: int, single: bool, unit: bool, threads: int | None, own: bool = False
    ) -> None:
        self.single, self.threads = single, between_products(threads, given.size)
        self.dtype: Any = np.float32 if single else np.float64
        self.norms: Doubles | None = None
        usable = given.dtype == self.dtype and given.flags.c_contiguous and given.flags.aligned
        if usable and not unit and not own:
            self.values = given
            return
        self.values = np.empty(given.shape, self.dtype)
        if unit:
            self.norms = np.empty(len(given))
        compiled.unit_rows(given, code, self.values, self.norms, single=single, num_threads=self.threads)

    def __len__(self) -> int:
        return len(self.values)

    def some(self, places: Places | None) -> Rows:
        """Some of the rows; all of them for None."""
        if places is None:
            return self
        chosen = copy(self)
        chosen.values = self.values[places]
        chosen.norms = None if self.norms is None else self.norms[places]
        return chosen

    def made_of(self, values: Floats) -> Rows:
        """Other rows of the same computation, as they are."""
        made = copy(self)
        made.values, made.norms = values, None
        return made

    def finish(self, gradient: Floats, result: Operand) -> Doubles:
        """Make of the gradient in these rows that in the caller's, and write it; the products of both before."""
        along = np.empty(len(self))
        array = None if result.array is None or result.array is gradient else result.array
        compiled.gradient_rows(
            array, result.code, gradient, self.values, self.norms, along, single=self.single, num_threads=self.threads
        )
        return along


def scattered(gradient: Floats, places: Places | None, rows: int) -> Floats:
    """The gradient of all rows, of which some have one."""
    if places is None:
        return gradient
    whole = np.zeros((rows, gradient.shape[1]), gradient.dtype)
    whole[places] = gradient
    return whole


# The blocks -------------------------------------------------------------------------------------------


class Comparison:
    """Rows compared with columns: their similarities a block at a time, what a kernel makes of them, the gradients.

    Parameters
    ----------
    kernel : Kernel
        What is made of a row.
    constants : tuple of float
        Those of the kernel.
    left, right : Rows
        The anchors and the candidates, which may be the same.
    row_codes, column_codes : ndarray of int
        Classes or items.
    own : ndarray of intp
        The column that is a row's own, or -1.
    paired : bool
        Whether that is its one positive; otherwise it is left out, and those of its code are.
    scale : float
        What a similarity is multiplied by.
    threads : int or None
        As asked for.
    factor : float, default=1
        What the gradients are multiplied by.
    bias : ndarray, optional
        What a column adds to its scores.
    given : ndarray of float64, optional
        What stands for the log-sum-exp of a row's positives.
    """

    def __init__(
        self, kernel: Kernel, constants: tuple[float, ...], left: Rows, right: Rows, *, row_codes: NDArray[Any],
        column_codes: NDArray[Any], own: Places, paired: bool, scale: float, threads: int | None,
        factor: float = 1.0, bias: NDArray[Any] | None = None, given: Doubles | None = None,
    ) -> None:  # fmt: skip
        self._kernel, self._constants = kernel, constants
        self._left, self._right, self._own = left, right, own
        self._row_codes = row_codes.astype(left.dtype)
        self._columns: dict[str, NDArray[Any]] = {"codes": column_codes.astype(left.dtype)}
        if bias is not None:
            self._columns["bias"] = bias
        self._given, self._paired = given, paired
        row_bytes = max(1, len(right)) * self._left.values.itemsize
        self._rows = min(max(1, BLOCK_BYTES // row_bytes), max(1, len(left)))
        self._room = np.empty((self._rows, len(right)), left.dtype)
        self._threads = between_products(threads, self._room.size)
        self._held = False

        self.codes, self.sides, self.scale, self.factor = (row_codes, column_codes), (left, right), scale, factor

    @property
    def of_itself(self) -> bool:
        """Whether the anchors are the candidates too."""
        return self._left is self._right

    def losses(self, weights: Doubles, *, logs: bool = False) -> tuple[Doubles, Doubles]:
        """The loss of each row, and the log-sum-exp of its negatives if asked for, else the sum of its slopes."""
        found, further = np.empty(len(self._left)), np.empty(len(self._left))
        for rows, block in self._blocks():
            some = found[rows], further[rows] if logs else None, None, None if logs else further[rows]
            self._compare(VALUE, rows, block, weights, some)
        return found, further

    def losses_and_gradients(self, weights: Doubles) -> tuple[Doubles, Doubles, Floats, Floats]:
        """... with the gradients in the rows and in the columns of their sum under these weights."""
        found, slopes = np.empty(len(self._left)), np.empty(len(self._left))
        gradients = Gradients(self._left, self._right)
        for rows, block in self._blocks():
            self._compare(VALUE | GRAD, rows, block, weights, (found[rows], None, None, slopes[rows]))
            gradients.add(rows, block)
        return found, slopes, *gradients.of_both()

    def of_pairs(self, weights: Doubles, gradient: bool) -> tuple[Doubles, Floats | None]:
        """The losses of a kernel whose positive pairs know the negatives of both, in a batch against itself."""
        _, logs = self.losses(np.ones(len(self._left)), logs=True)
        known = {"logs": logs, "weights": weights * (self.factor * self.scale)}
        self._columns |= {name: array.astype(self._left.dtype) for name, array in known.items()}
        if not gradient:
            return self.losses(weights)[0], None
        found, _, of_rows, of_columns = self.losses_and_gradients(weights)
        of_rows += of_columns
        return found, of_rows

    def of_both_directions(self, weights: Doubles, gradient: bool) -> tuple[Doubles, Floats | None, Floats | None]:
        """The mean of the losses of a row among all columns and of its own column among all rows."""
        count, columns = len(self._left), len(self._right)
        forth, logs, own = np.empty(count), np.empty(count), np.empty(count)
        tops, sums = np.full(columns, -np.inf), np.zeros(columns)
        common = {"scale": self.scale, "single": self._left.single, "num_threads": self._threads}
        for rows, block in self._blocks():
            self._compare(VALUE, rows, block, np.ones(count), (forth[rows], logs[rows], own[rows], None))
            of_block = self._row_codes[rows], self._own[rows], np.ones(rows.stop - rows.start)
            compiled.add_columns(block, of_block, self._columns, tops, sums, **common)
        back_logs = np.where(sums == 0, -np.inf, np.log(sums) + np.where(tops > -np.inf, tops, 0))
        found = (forth + np.logaddexp(0, back_logs - own)) / 2
        if not gradient:
            return found, None, None
        # An infinite sum, of no negatives, has no shares.
        slopes = [weights * (self.factor * self.scale / 2) * _sigmoid(all_of - own) for all_of in (logs, back_logs)]
        shifts = [np.where(all_of > -np.inf, all_of, 0) for all_of in (logs, back_logs)]
        self._columns |= {"shifts": shifts[1].astype(self._left.dtype), "factors": slopes[1].astype(self._left.dtype)}
        gradients = Gradients(self._left, self._right)
        for rows, block in self._blocks():
            of_block = self._row_codes[rows], self._own[rows], np.ones(rows.stop - rows.start)
            compiled.map_of_both(block, of_block, self._columns, shifts[0][rows], slopes[0][rows], **common)
            gradients.add(rows, block)
        return found, *gradients.of_both()

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Some rows at a time and their products with all columns; a single block is made once."""
        for first in range(0, len(self._left), self._rows):
            rows = slice(first, min(first + self._rows, len(self._left)))
            block = self._room[: rows.stop - rows.start]
            if not self._held:
                self._multiply(rows, block)
            self._held = self._rows >= len(self._left)
            yield rows, block

    def _multiply(self, rows: slice, block: Floats) -> None:
        """Products of some rows with all columns, in halves.

        Of an array with itself NumPy computes half and copies that to the rest more slowly than BLAS computes it.
        """
        middle = (rows.start + rows.stop) // 2
        for start, stop in ((rows.start, middle), (middle, rows.stop)):
            some = block[start - rows.start : stop - rows.start]
            np.matmul(self._left.values[start:stop], self._right.values.T, out=some)

    def _compare(
        self, operation: int, rows: slice, block: Floats, weights: Doubles, results: tuple[Doubles | None, ...]
    ) -> None:
        compiled.compare(
            self._kernel, operation, block, (self._row_codes[rows], self._own[rows], weights[rows]), self._columns,
            paired=self._paired, scale=self.scale, factor=self.factor * self.scale, constants=self._constants,
            results=results, given=None if self._given is None else self._given[rows], single=self._left.single,
            num_threads=self._threads,
        )  # fmt: skip


class Gradients:
    """The products of blocks of derivatives with the columns, and of their transposes with the rows."""

    def __init__(self, left: Rows, right: Rows) -> None:
        self._left, self._right = left.values, right.values
        self._of_rows = np.empty_like(self._left)
        self._of_columns: Floats | None = None

    def add(self, rows: slice, block: Floats) -> None:
        np.matmul(block, self._right, out=self._of_rows[rows])
        if self._of_columns is None:
            self._of_columns = np.matmul(block.T, self._left[rows], out=np.empty_like(self._right))
            return
        size = max(1, BLOCK_BYTES // max(1, self._right.shape[1] * block.itemsize))
        product = np.empty((min(size, len(self._right)), self._right.shape[1]), block.dtype)
        for first in range(0, len(self._right), size):
            some = slice(first, min(first + size, len(self._right)))
            self._of_columns[some] += np.matmul(block[:, some].T, self._left[rows], out=product[: some.stop - first])

    def of_both(self) -> tuple[Floats, Floats]:
        return self._of_rows, np.zeros_like(self._right) if self._of_columns is None else self._of_columns


def _sigmoid(z: Doubles) -> Doubles:
    small = np.exp(-np.abs(z))
    return np.where(z > 0, 1 / (1 + small), small / (1 + small))


# Labels -----------------------------------------------------------------------------------------------


def coded(owner: str, given: Sequence[Operand], nan_policy: int) -> list[NDArray[np.int64]]:
    """The classes of several arrays of labels as small integers, -1 where one is missing."""
    found = [whole_labels(owner, one, nan_policy) for one in given]
    kinds = {labels.dtype.kind for labels, _ in found}
    mixed = len(kinds) > 1 and "f" not in kinds  # no type of 64 bits holds both
    joined = np.concatenate([labels.astype(object) if mixed else labels for labels, _ in found])
    _, codes = np.unique(joined, return_inverse=True)
    codes = np.where(np.concatenate([missing for _, missing in found]), -1, codes)
    return np.split(codes, np.cumsum([len(labels) for labels, _ in found])[:-1])


def whole_labels(owner: str, given: Operand, nan_policy: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels as integers or integral floats, and which are missing."""
    labels = readable(given.array, given.code)
    labels = labels.astype(labels.dtype.newbyteorder("="))
    missing = labels != labels
    if labels.dtype.kind == "f":
        wrong = labels != np.floor(labels)
        wrong |= np.isinf(labels)
        wrong &= ~missing
        if nan_policy == RAISE:
            wrong |= missing
        if wrong.any():
            k = int(np.argmax(wrong))
            rule = "a number with nan_policy='raise'" if missing[k] else "an integer"
            raise ValueError(f"{owner}: {given.name}[{k}] is {labels[k]}, must be {rule}")
        labels = np.where(missing, 0, labels).astype(np.float64)
    return labels.astype(np.uint8) if labels.dtype.kind == "b" else labels, missing


def counts_of(codes: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of `among` have the code of each; -1 is none."""
    counts = np.bincount(among[among >= 0], minlength=1 + max(codes.max(initial=0), among.max(initial=0)))
    return np.where(codes >= 0, counts[np.maximum(codes, 0)], 0)


# A call -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counting:
    """Which losses count and how much: 0 for those that do not."""

    weights: Doubles
    counted: NDArray[np.bool_]  # neither masked nor omitted
    units: Doubles | None = None  # how many losses each of them is the sum of

    @property
    def whole(self) -> Doubles:
        return self.weights if self.units is None else self.weights * self.units


class BatchEvaluation(MultiInputEvaluation):
    """One call of a loss of comparisons: which anchors count, and the sums of their losses."""

    __slots__ = ("_of_parameters",)

    _loss: BatchLoss

    def _arrange(self) -> None:
        super()._arrange()
        owner = self._spec.owner
        for one in self._arrays.values():
            if one.given and one.array.size > 0 and one.array.shape[0] > MOST_ROWS:
                raise ValueError(f"{owner}: {one.name} has {one.array.shape[0]} rows, must have at most {MOST_ROWS}")
        if len(self._shape) != self._loss.axes:
            first = self._loss.signature.predictions[0].name
            axes = self._loss.axes + len(self._loss.signature.predictions[0].shapes[0])
            raise ValueError(f"{owner}: {first} has shape {self._x.shape}, must have {axes} axes")
        self._of_parameters: tuple[float, ...] = ()

    def part(self, index: tuple[int | slice, ...]) -> Self:
        whole = super().part(index)
        if whole.shape != self._shape:
            raise ValueError(f"{self._spec.owner}: groups are of {self._shape} losses, which depend on one another")
        return whole

    def _public(self, derivatives: tuple[Operand, ...]) -> Any:
        if len(derivatives) + len(self._of_parameters) < 2:
            return derivatives[0].public if derivatives else None
        assert self._loss.gradients is not None
        return self._loss.gradients(*(one.public for one in derivatives), *self._of_parameters)

    @_standard
    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        counting = self._counting()
        whole = counting.whole
        sums = [0.0, float(whole.sum()), float(np.count_nonzero(counting.counted))]
        if operation & (VALUE | GRAD):
            counts = counting.weights != 0
            if counts.any():
                losses = self._compute(counting.weights, scale, grads)
            else:
                losses = np.zeros(self._shape)
                self._give_nothing(grads)
            each = np.where(counts, losses if counting.units is None else losses / counting.units, 0.0)
            if operation & APART:
                value.array[...] = each
                if self._apart.array is not None:
                    self._apart.array[...] = np.where(counting.counted, whole, -np.inf)
                return tuple(sums)
            weighted = np.where(counts, counting.weights * losses, 0.0)
            sums[0] = float(weighted.sum())
            if operation & VALUE and value.array is not None:
                _store(value, weighted)
            if operation & MOMENTS:
                sums += moments(whole, each)
        return tuple(sums)

    def _counting(self) -> Counting:
        """The weights, 0 where a loss does not count."""
        counted = np.ones(self._shape, bool)
        if self._kept.array is not None:
            counted &= self._kept.array
        counted, units = self._chosen(counted)
        weights = np.ones(self._shape)
        if self._weight.array is not None:
            weights = readable(self._weight.array, self._weight.code).astype(np.float64)
            wrong = counted & ~((weights >= 0) & (weights < np.inf))
            if wrong.any():
                at = np.unravel_index(int(np.argmax(wrong)), self._shape)
                where = f"[{', '.join(map(str, at))}]" if self._shape else ""
                given = readable(self._weight.array, self._weight.code)[at]
                raise ValueError(f"{self._spec.owner}: sample_weight{where} is {given}, must be {self._spec.rules[-1]}")
        return Counting(np.where(counted, weights, 0.0), counted, units)

    def _chosen(self, counted: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Doubles | None]:
        """Which of those that are not masked count, and how many losses each is the sum of; checks the targets."""
        return counted, None

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Any:
        """The losses, 0 for those without weight, and the gradients of their weighted sum times a factor."""
        raise NotImplementedError

    def _give_nothing(self, grads: tuple[Operand, ...]) -> None:
        """The gradients where nothing counts."""
        for grad in grads:
            grad.array[...] = 0

    def _rows(self, name: str, *, unit: bool | None = None, own: bool = False) -> Rows:
        one = self._arrays[name]
        unit = self._loss.unit if unit is None else unit
        return Rows(one.array, one.code, self._single, unit, self._num_threads, own)

    def _comparison(self, left: Rows, right: Rows, **named: Any) -> Comparison:
        spec = self._spec
        named = {"paired": False, "scale": self._loss._scale(), "threads": self._num_threads} | named
        return Comparison(spec.kernel, spec.constants, left, right, **named)


def _store(result: Operand, values: Array) -> None:
    """Write values to an output of any floating-point type."""
    if result.code & ~SWAPPED in (FLOAT32, FLOAT64) or result.array.dtype.kind == "f":
        result.array[...] = values
        return
    import ml_dtypes

    bits = values.astype(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
    result.array[...] = bits


class BatchLoss(MultiInputLoss):
    """A loss of comparisons of rows: its kernel is one of similarities."""

    scores = "embeddings"
    axes: ClassVar[int] = 1  # of the losses
    unit: ClassVar[bool] = True  # rows are divided by their norms

    def _specified(self) -> Specification:
        name, constants = self._kernel()
        kernel = KERNELS[name]
        rules = ("", "", "", "finite and not negative")
        return Specification(type(self).__name__, kernel, kernel.constants(constants), False, (None, None), rules)

    def _scale(self) -> float:
        """What a similarity is multiplied by."""
        return 1.0


# Labelled batches -------------------------------------------------------------------------------------

LABELLED = Signature(
    (
        Argument("y_true", description="The class of each embedding: integers of any type, or floats that are such."),
        Argument(
            "reference_labels", (("reference",),), keyword=True, shared=True,
            description="The class of each of `references`.",
        ),
    ),
    (
        Argument("embeddings", FEATURES, description="A row for each label, which is compared with all others."),
        Argument(
            "references", (("reference", "feature"),), keyword=True, shared=True,
            description="Rows to compare with in place of the others of the batch, such as a memory of earlier ones.",
        ),
    ),
    additive=False,
)  # fmt: skip


class EmbeddingGrads(NamedTuple):
    """The gradient in each array, where references are given."""

    embeddings: Floats
    references: Floats


class LabelledEvaluation(BatchEvaluation):
    """Embeddings with labels, compared with one another or with references."""

    __slots__ = ("_codes", "_reference_codes", "_referring")

    _loss: LabelledLoss

    def _arrange(self) -> None:
        super()._arrange()
        owner, arrays = self._spec.owner, self._arrays
        further = [name for name in ("references", "reference_labels") if name in arrays and arrays[name].given]
        if len(further) == 1:
            (other,) = {"references", "reference_labels"}.difference(further)
            raise TypeError(f"{owner}: {other} is missing, must be given with {further[0]}")
        self._referring = len(further) == 2
        given = [arrays["y_true"], *([arrays["reference_labels"]] if self._referring else [])]
        found = coded(owner, given, self._nan_policy)
        self._codes, self._reference_codes = found[0], found[-1]
        loss = self._loss
        self._weighted = self._weighted or loss.needs_positives or loss.needs_negatives or loss.by_pairs

    def _chosen(self, counted: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Doubles | None]:
        positives = counts_of(self._codes, self._reference_codes) - (not self._referring)
        negatives = np.count_nonzero(self._reference_codes >= 0) - positives - (not self._referring)
        known = self._codes >= 0
        counts = np.ones(self._shape, bool)
        if self._loss.needs_positives:
            counts &= positives > 0
        if self._loss.needs_negatives:
            counts &= negatives > 0
        if self._nan_policy == OMIT:
            counts &= known
        else:
            counts |= ~known
        units = np.where(known, positives, 1).astype(np.float64) if self._loss.by_pairs else None
        return counted & counts, units

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        anchors = _known(self._codes)
        left = self._rows("embeddings").some(anchors)
        right = left
        if self._referring:
            references = _known(self._reference_codes)
            right = self._rows("references").some(references)
        codes = self._codes[self._codes >= 0]
        of_columns = self._reference_codes[self._reference_codes >= 0]
        of_rows = weights if anchors is None else weights[anchors]
        if self._referring:  # an anchor that does not count takes no part in the products
            counts = np.flatnonzero(of_rows)
            if len(counts) < len(of_rows):
                anchors = counts if anchors is None else anchors[counts]
                left, codes, of_rows = left.some(counts), codes[counts], of_rows[counts]
        own = np.full(len(left), -1) if self._referring else np.arange(len(left))
        comparison = self._comparison(left, right, row_codes=codes, column_codes=of_columns, own=own, factor=factor)
        found, of_left, of_right = self._compared(comparison, of_rows, bool(grads))
        missing = (self._codes < 0) & (weights != 0)
        if grads:
            assert of_left is not None
            whole = scattered(of_left, anchors, self._shape[0])
            whole[missing] = np.nan
            self._rows_of_all(left, "embeddings", anchors).finish(whole, grads[0])
            if self._referring:
                assert of_right is not None
                whole = scattered(of_right, references, len(self._reference_codes))
                self._rows_of_all(right, "references", references).finish(whole, grads[1])
        losses = np.zeros(self._shape)
        losses[slice(None) if anchors is None else anchors] = found
        losses[missing] = np.nan
        return losses

    def _rows_of_all(self, some: Rows, name: str, places: Places | None) -> Rows:
        return some if places is None else self._rows(name)

    def _compared(
        self, comparison: Comparison, weights: Doubles, gradient: bool
    ) -> tuple[Doubles, Floats | None, Floats | None]:
        """The losses of the anchors, and the gradients in both sides: in the left one alone where they are the same."""
        if not gradient:
            return comparison.losses(weights)[0], None, None
        found, _, of_left, of_right = comparison.losses_and_gradients(weights)
        if comparison.of_itself:
            of_left += of_right
            return found, of_left, None
        return found, of_left, of_right


def _known(codes: NDArray[np.int64]) -> Places | None:
    """Where there is a label; None for everywhere."""
    return np.flatnonzero(codes >= 0) if codes.min(initial=0) < 0 else None


class LabelledLoss(BatchLoss):
    """A loss of each embedding of a batch: of its similarity to those of its class and to all others."""

    signature = LABELLED
    _evaluation = LabelledEvaluation
    needs_positives: ClassVar[bool] = True  # an anchor without another of its class does not count
    needs_negatives: ClassVar[bool] = False
    by_pairs: ClassVar[bool] = False  # its loss is a sum over its positives, each of which counts
    gradients = EmbeddingGrads


# Pairs of rows ----------------------------------------------------------------------------------------


def paired_signature(first: str, second: str, of_first: str, of_second: str, *targets: Argument) -> Signature:
    """That of rows of which each belongs to the row of its index in another array, whose rows all are compared with."""
    columns = f"{second[:-1]}"
    return Signature(
        targets,
        (
            Argument(first, FEATURES, description=of_first),
            Argument(second, ((columns, "feature"),), shared=True, description=of_second),
        ),
        additive=False,
    )


class PairedEvaluation(BatchEvaluation):
    """Rows of which each has its own column, of its index; further columns belong to none."""

    __slots__ = ()

    _loss: PairedLoss

    def _arrange(self) -> None:
        super()._arrange()
        first, second = (argument.name for argument in self._loss.signature.predictions)
        rows, columns = self._shape[0], len(self._arrays[second].array)
        if columns < rows or (columns > rows and self._loss.square):
            rule = (
                f"{rows}, one for each of {first}" if self._loss.square else f"at least {rows}, the first for {first}"
            )
            raise ValueError(f"{self._spec.owner}: {second} has {columns} rows, must have {rule}")

    def _codes(self) -> NDArray[Any]:
        return np.arange(len(self._arrays[self._loss.signature.predictions[1].name].array))

    def _bias(self) -> NDArray[Any] | None:
        return None

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        loss = self._loss
        first, second = (argument.name for argument in loss.signature.predictions)
        left, right = self._rows(first), self._rows(second)
        rows = len(left)
        places = np.flatnonzero(weights)
        own, some = (places, left.some(places)) if len(places) < rows else (np.arange(rows), left)
        codes = self._codes()
        comparison = self._comparison(
            some, right, row_codes=codes[own], column_codes=codes, own=own, paired=True, bias=self._bias(),
            factor=factor,
        )  # fmt: skip
        losses = np.zeros(rows)
        if not grads:
            losses[own] = comparison.losses(weights[own])[0]
            return losses
        losses[own], slopes, of_left, of_right = comparison.losses_and_gradients(weights[own])
        along = left.finish(scattered(of_left, None if some is left else places, rows), grads[0])
        right.finish(of_right, grads[1])
        self._of_parameters = loss._of_parameters(float(along.sum()), float(slopes.sum()) / loss._scale())
        return losses

    def _give_nothing(self, grads: tuple[Operand, ...]) -> None:
        super()._give_nothing(grads)
        if grads:
            self._of_parameters = self._loss._of_parameters(0.0, 0.0)


class PairedLoss(BatchLoss):
    """A loss of each row and its own of another array, among all rows of that."""

    _evaluation: ClassVar[type[MultiInputEvaluation]] = PairedEvaluation
    square: ClassVar[bool] = False  # both arrays have as many rows

    def _of_parameters(self, along: float, slope: float) -> tuple[float, ...]:
        """The derivatives in learned parameters, of the products of rows with their gradients and of slopes."""
        return ()
