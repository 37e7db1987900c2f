"""Losses of rows of classes: what they declare, and one call of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastloss._core.evaluation import ABSENT, NARROW, Evaluation, Operand, Specification, mismatched
from fastloss._core.isa import kernels
from fastloss._core.loss import Loss, integer
from fastloss._core.operands import EXACT_IN_SINGLE, INTEGERS, TYPE_CODES, as_array, memory_order, readable
from fastloss._core.parameters import NON_NEGATIVE, Domain
from fastloss._core.runtime import (
    FLOAT64,
    HESS,
    INT64,
    PROPAGATE,
    RAISE,
    SWAPPED,
    UINT64,
    Kernel,
    Mismatch,
    enter_mode,
    leave_mode,
)
from fastloss._core.signature import NUMBER, ROW, Shape, Signature, of_rows
from fastloss._core.threads import threads_for
from fastloss.state import GroupStates

_rowwise: Callable[..., tuple[int, int, tuple[float, ...]]] = kernels("rowwise").rowwise
KERNELS: dict[str, Kernel] = kernels("rowwise").KERNELS

# Further results for each row, in the order of ROW_LSE ...
Extra: TypeAlias = Literal["lse", "entropy", "argmax", "correct", "shift", "sum", "target"]
EXTRAS: tuple[Extra, ...] = ("lse", "entropy", "argmax", "correct", "shift", "sum", "target")

# The arrays of a call in the kernel's order.
ARRAYS = (
    "y_true",
    "y_pred",
    "grad_out",
    "hess_out",
    "y_true",
    "sample_weight",
    "mask",
    "out",
    *EXTRAS,
    "weights",
    "class_weight",
)


@dataclass(frozen=True, slots=True)
class RowSpecification(Specification):
    """What a rowwise loss tells the driver."""

    labelled: Kernel | None  # for labels, None where the loss takes none
    dense: Kernel | None  # ... and for a target of each class
    class_weight: NDArray[np.float64] | None
    logit_scale: float
    softcap: float
    smoothing: float
    ignore_index: int | None


class RowEvaluation(Evaluation):
    """The arrays of one call of a rowwise loss, checked, and what to do with them."""

    __slots__ = ("_axis", "_class_major", "_classes", "_dense", "_extras", "_merged", "_order", "_sharded")

    _loss: RowLoss
    _spec: RowSpecification

    def __init__(self, loss: RowLoss, y_true: ArrayLike | None, y_pred: ArrayLike, *options: Any, **named: Any) -> None:
        super().__init__(*loss._with_targets(y_true, y_pred), y_pred, *options, **named)

    @property
    def divisible(self) -> bool:
        return self._axis == self._x.ndim - 1

    def ask(self, *names: Extra, dtype: DTypeLike = np.float64) -> tuple[NDArray[Any], ...]:
        """Arrays with one more number for each row, which the next run of the kernel fills."""
        code = TYPE_CODES[np.dtype(dtype)]
        made = tuple(np.empty_like(self._like(), dtype=dtype, subok=False) for _ in names)
        self._extras |= {name: Operand(name, array, array, code) for name, array in zip(names, made, strict=True)}
        return made

    def share(self, **merged: NDArray[np.float64]) -> None:
        """Let the logits be a shard of their rows: a label may be of another one, with the `merged` sums of all."""
        self._sharded, self._merged = True, bool(merged)
        for name in EXTRAS:
            if name in merged:
                self._extras[name] = Operand(name, merged[name], merged[name], FLOAT64)

    def labels(self) -> NDArray[Any]:
        """The class of each row, the first of the largest targets where there is one of each class."""
        y = readable(self._y, self._y_code)
        found: NDArray[Any] = np.argmax(y, axis=self._axis) if self._dense else y
        return found

    def _arrange(self) -> None:
        spec, y, x, axis = self._spec, self._y, self._x, self._loss.axis
        owner, signature = spec.owner, self._loss.signature
        true, pred = signature.names
        self._extras: dict[Extra, Operand] = {}
        self._sharded = self._merged = False
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"{owner}: {pred} has shape {x.shape}, must have the class axis {axis}")
        axis %= x.ndim
        self._axis, self._classes = axis, x.shape[axis]
        self._shape = self._loss._shape_of_losses(x.shape)
        if not self._classes:
            raise ValueError(f"{owner}: {pred} has shape {x.shape}, must have at least one class along axis {axis}")
        self._dense = signature.dense and y.shape == x.shape
        if not self._dense and not (signature.labels and y.shape == self._shape):
            expected = [f"{self._shape} for labels"] if signature.labels else []
            expected += [f"{x.shape} for a target of each class"] if signature.dense else []
            swap = self._x_code in INTEGERS and self._y_code not in INTEGERS and y.ndim > x.ndim
            hint = f"; did you swap {true} and {pred}?" if swap else ""
            raise ValueError(f"{owner}: {true} has shape {y.shape}, must have {pred}'s {' or '.join(expected)}{hint}")
        if spec.class_weight is not None and len(spec.class_weight) != self._classes:
            raise ValueError(
                f"{owner}: class_weight has {len(spec.class_weight)} numbers, must have one for each of the"
                f" {self._classes} classes"
            )
        self._single = self._x_code in NARROW and (not self._dense or self._y_code in EXACT_IN_SINGLE)
        # A label is always checked; so are targets, which cost a pass over them.
        self._domains = (0,)
        if (spec.ignore_index is not None and not self._dense) or spec.class_weight is not None:
            self._weighted = True
        # Rows and classes in the order in which they lie in memory; the class axis goes first or last.
        of_a_class = self._like()
        self._order = memory_order(of_a_class)
        stride = abs(x.strides[axis])
        lanes = [abs(s) for s, n in zip(of_a_class.strides, of_a_class.shape, strict=True) if n > 1]
        self._class_major = bool(self._classes > 1 and lanes and stride > min(lanes))

    def _walked(self, array: Any) -> Any:
        """An array of rows and classes as the kernel walks it."""
        if array is None:
            return None
        rest = [axis if axis < self._axis else axis + 1 for axis in self._order]
        return array.transpose([self._axis, *rest] if self._class_major else [*rest, self._axis])

    def _like(self) -> Any:
        return self._x[(slice(None),) * self._axis + (0,)]

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        spec, policy = self._spec, self._nan_policy
        grad = grads[0] if grads else ABSENT
        if operation & HESS and not self._loss.curvature:
            raise ValueError(f"{spec.owner}: there is no grad_and_hess, it has no second derivative of use")
        if not check and policy == RAISE:
            policy = PROPAGATE
        rows = (ABSENT if self._dense else Operand("labels", self._y, code=self._y_code), self._weight, self._kept)
        results = (value, *(self._extras.get(name, ABSENT) for name in EXTRAS), self._apart)
        target = self._y if self._dense else None
        threads = threads_for(self._num_threads, self._x.size)
        mode = enter_mode()
        constants = self._loss._constants(self._classes)
        leave_mode(mode)
        kernel = spec.dense if self._dense else spec.labelled
        assert kernel is not None
        try:
            bad, culprit, sums = _rowwise(
                kernel,
                operation,
                planes=tuple(self._walked(array) for array in (target, self._x, grad.array, hess.array)),
                plane_dtypes=(self._y_code, self._x_code, grad.code, hess.code),
                rows=tuple(None if row.array is None else row.array.transpose(self._order) for row in rows),
                row_dtypes=tuple(row.code for row in rows),
                results=tuple(None if row.array is None else row.array.transpose(self._order) for row in results),
                result_dtypes=tuple(row.code for row in results),
                class_major=self._class_major,
                constants=kernel.constants(constants),
                scale=scale,
                class_weight=spec.class_weight,
                logit_scale=spec.logit_scale,
                softcap=spec.softcap,
                smoothing=spec.smoothing,
                ignore_index=self._ignored(),
                least=self._loss.target.low if check and self._dense and self._loss.target.low > -math.inf else None,
                nan_policy=policy,
                single=self._single,
                num_threads=threads,
                sharded=self._sharded,
                merged=self._merged,
            )
        except Mismatch as error:
            raise mismatched(spec.owner, ARRAYS, error) from None
        if bad >= 0:
            self._complain(bad, culprit, self._order)
        return sums

    def _ignored(self) -> int | None:
        """The ignored label, if the type of the labels holds it."""
        ignored, code = self._spec.ignore_index, self._y_code & ~SWAPPED
        if ignored is None or self._dense:
            return None
        if code in (INT64, UINT64):
            return ignored if 0 <= ignored + 2**63 * (code == INT64) < 2**64 else None
        return ignored if int(float(ignored)) == ignored else None

    def _complain(self, bad: int, culprit: int, order: tuple[int, ...] | None) -> None:
        """Raise for the row that the kernel found."""
        owner, order, true = self._spec.owner, self._order, self._loss.signature.names[0]
        walked = np.unravel_index(bad, [self._shape[axis] for axis in order])
        row = tuple(int(walked[order.index(axis)]) for axis in range(len(self._shape)))
        if culprit:
            weight = self._weight.array[row]
            raise ValueError(f"{owner}: sample_weight{_index(row)} is {weight}, must be {self._spec.rules[culprit]}")
        if self._dense:
            targets = np.moveaxis(self._y, self._axis, -1)[row]
            targets = readable(targets, self._y_code)
            wrong = ~(targets >= self._loss.target.low)
            if self._nan_policy != RAISE:
                wrong &= targets == targets
            k = int(np.flatnonzero(wrong)[0])
            at = (*row[: self._axis], k, *row[self._axis :])
            rule = str(self._loss.target) if targets[k] == targets[k] else "a number with nan_policy='raise'"
            raise ValueError(f"{owner}: {true}{_index(at)} is {targets[k]}, must be {rule}")
        label = readable(self._y[row], self._y_code)
        if label != label:
            raise ValueError(f"{owner}: {true}{_index(row)} is nan, must be a number with nan_policy='raise'")
        ignored = self._spec.ignore_index
        also = "" if ignored is None else f", or the ignored {ignored}"
        error = IndexError if label == np.floor(label) else ValueError
        allowed = f"a class from 0 to {self._classes - 1}{' or between two' if self._loss.between else ''}"
        raise error(f"{owner}: {true}{_index(row)} is {label}, must be {allowed}{also}")


class RowLoss(Loss):
    """A loss of each row of classes: one number for the logits along an axis, and a label or a target of each.

    `labelled` and `dense` name the kernels for a label of each row and for a target of each class; `targets` says what
    the targets of each class are.
    """

    _evaluation = RowEvaluation
    labelled: ClassVar[str | None] = None
    dense: ClassVar[str | None] = None
    target = NON_NEGATIVE  # of a target of each class
    targets: ClassVar[Literal["probabilities", "log_probabilities", "labels", "reals"]] = "probabilities"
    curvature: ClassVar[bool] = True  # there is a second derivative
    between: ClassVar[bool] = False  # a label may lie between two classes
    prediction: ClassVar[Domain] = Domain()
    axis: int = integer(default=-1)

    @cached_property
    def signature(self) -> Signature:  # type: ignore[override]
        forms = zip((NUMBER, ROW), self._kernels(), strict=True)
        return of_rows(*(form for form, kernel in forms if kernel is not None))

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        return (self.axis % ndim,) if core and ndim else ()

    def _constants(self, classes: int) -> dict[str, float]:
        """The constants of the formula by name, up to three."""
        return {}

    def _specified(self) -> RowSpecification:
        labelled, dense = (None if name is None else KERNELS[name] for name in self._kernels())
        kernel = labelled or dense
        assert kernel is not None
        given = self.parameters()
        class_weight = given.get("class_weight")
        return RowSpecification(
            owner=type(self).__name__,
            kernel=kernel,
            constants=(),
            bounded=False,
            closed=(None, None),
            rules=("", "", "", "finite and not negative"),
            labelled=labelled,
            dense=dense,
            class_weight=None if class_weight is None else np.array(class_weight, np.float64),
            logit_scale=given["scale"] if "scale" in given else 1 / given.get("temperature", 1.0),
            softcap=given.get("softcap") or 0.0,
            smoothing=given.get("label_smoothing", 0.0),
            ignore_index=given.get("ignore_index"),
        )

    def _kernels(self) -> tuple[str | None, str | None]:
        return self.labelled, self.dense

    def _with_targets(self, y_true: ArrayLike | None, y_pred: ArrayLike) -> tuple[RowLoss, ArrayLike | None]:
        """The loss and its targets; where it needs none and is given none, a label for each row, none ignored."""
        if y_true is not None or not self.signature.unsupervised:
            return self, y_true
        shape = as_array(type(self).__name__, "y_pred", y_pred).shape
        return _ignoring_none(self), np.broadcast_to(np.int8(0), shape[: self.axis] + shape[self.axis :][1:])

    def states(self, y_true: ArrayLike | None, y_pred: ArrayLike, **options: Any) -> GroupStates:
        loss, y_true = self._with_targets(y_true, y_pred)
        x = as_array(type(self).__name__, "y_pred", y_pred)
        if self.axis == -1 or not -x.ndim <= self.axis < x.ndim:
            return Loss.states(loss, y_true, y_pred, **options)
        y = as_array(type(self).__name__, "y_true", y_true)
        y = np.moveaxis(y, self.axis, -1) if y.shape == x.shape else y
        return replace(loss, axis=-1).states(y, np.moveaxis(x, self.axis, -1), **options)

    states.__doc__ = Loss.states.__doc__


@lru_cache(maxsize=256)
def _ignoring_none(loss: RowLoss) -> RowLoss:
    return type(loss)(**loss.parameters() | {"ignore_index": None})


def _index(index: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, index)) + "]" if index else ""
