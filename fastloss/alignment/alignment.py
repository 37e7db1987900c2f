"""Losses of sequences: what they declare, and one call of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import field, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.evaluation import ABSENT, Operand, Specification, mismatched
from fastloss._core.isa import kernels
from fastloss._core.loss import HessianApproximation, integer
from fastloss._core.multi_input import MultiInputEvaluation, MultiInputLoss
from fastloss._core.operands import INTEGERS, readable
from fastloss._core.runtime import FLOAT64, INT64, Kernel, Mismatch
from fastloss._core.signature import Argument, Shape, Signature
from fastloss._core.threads import threads_for

_align: Callable[..., tuple[int, int, tuple[float, ...]]] = kernels("alignment").align
KERNELS: dict[str, Kernel] = kernels("alignment").KERNELS

MOST_CLASSES = 2**31 - 1

# The arrays of a call in the kernel's order.
ARRAYS = (
    "y_true",
    "y_pred",
    "grad_out",
    "sample_weight",
    "mask",
    "out",
    "weights",
    "input_lengths",
    "target_lengths",
    "target_lengths",
    "path",
    "positions",
    "scores",
)

Trace = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


class SequenceEvaluation(MultiInputEvaluation):
    """The arrays of one call, checked, and what to do with them."""

    __slots__ = ("_blank", "_frames", "_labels", "_sequences", "_starts")

    _loss: SequenceLoss

    def _arrange(self) -> None:
        owner, loss = self._spec.owner, self._loss
        y, x = self._arrays["y_true"].array, self._arrays["y_pred"].array
        self._x, self._x_code, self._y_code = x, self._arrays["y_pred"].code, self._arrays["y_true"].code
        axes = loss.axes
        if x.ndim not in (len(axes), len(axes) - 1):
            single = ", ".join(axis for axis in axes if axis != "N")
            raise ValueError(f"{owner}: y_pred has shape {x.shape}, must be ({', '.join(axes)}), or ({single}) of one")
        self._shape = loss._shape_of_losses(x.shape)
        self._sequences = self._by_sequence(x)
        number, longest, *_, classes = self._sequences.shape
        if not 1 <= classes <= MOST_CLASSES:
            raise ValueError(f"{owner}: y_pred has shape {x.shape}, must have from 1 to {MOST_CLASSES} classes")
        if not -classes <= loss.blank < classes:
            raise ValueError(f"{owner}: blank is {loss.blank}, must be one of y_pred's {classes} classes")
        self._blank = loss.blank % classes
        self._frames = self._lengths_of("input_lengths", longest, "frames of y_pred")
        self._arrange_targets(y, number)
        self._single = self._is_narrow()
        self._domains = None  # the kernel refuses before it writes

    def _arrange_targets(self, y: NDArray[Any], number: int) -> None:
        """Settle where in the targets the labels of each sequence are: in rows, or one after another."""
        owner, most = self._spec.owner, self._loss.most_labels(self._sequences.shape)
        given = self._arrays["target_lengths"].given
        if y.ndim == len(self._shape) + 1 and y.shape[:-1] == self._shape:
            if most is not None and y.shape[-1] != most:
                shape = (*self._shape, most)
                raise ValueError(f"{owner}: y_true has shape {y.shape}, must be {shape}, as y_pred has {self._x.shape}")
            self._labels = self._lengths_of("target_lengths", y.shape[-1], "labels of y_true")
            self._starts = np.arange(number, dtype=np.int64) * y.shape[-1]
        elif y.ndim == 1 and self._shape and given:
            longest = y.shape[0] if most is None else most
            self._labels = self._lengths_of("target_lengths", longest, "labels that there may be")
            ends = np.cumsum(self._labels)
            if y.shape[0] != (ends[-1] if number else 0):
                raise ValueError(
                    f"{owner}: y_true has {y.shape[0]} labels of all sequences, must have {ends[-1] if number else 0},"
                    " the sum of target_lengths"
                )
            self._starts = ends - self._labels
        else:
            rows = (*self._shape, "S" if most is None else most)
            also = ", or the labels of all sequences one after another, with target_lengths" if self._shape else ""
            raise ValueError(f"{owner}: y_true has shape {y.shape}, must be ({', '.join(map(str, rows))}){also}")

    def _lengths_of(self, name: str, most: int, what: str) -> NDArray[np.int64]:
        """The lengths of all sequences: those given, or of the whole axis."""
        owner, one = self._spec.owner, self._arrays[name]
        number = self._sequences.shape[0]
        if not one.given:
            return np.full(number, most, np.int64)
        if one.array.shape != self._shape:
            raise ValueError(f"{owner}: {name} has shape {one.array.shape}, must be {self._shape}, one per sequence")
        lengths = np.atleast_1d(readable(one.array, one.code))
        wrong = ~((lengths >= 0) & (lengths <= most) & (lengths == np.floor(lengths)))
        if wrong.any():
            n = int(np.argmax(wrong))
            where = f"[{n}]" if self._shape else ""
            raise ValueError(f"{owner}: {name}{where} is {lengths[n]}, must be from 0 to {most}, the {what}")
        return np.require(lengths, np.int64, ("C", "A"))

    def _is_narrow(self) -> bool:
        one = self._arrays["y_pred"]
        return self._type_of_derivative(one.code) != FLOAT64

    def _by_sequence(self, array: NDArray[Any]) -> NDArray[Any]:
        """Predictions, or what is of their shape, with the axis of sequences first."""
        axes = self._loss.axes
        return np.moveaxis(array, axes.index("N"), 0) if array.ndim == len(axes) else array[np.newaxis]

    @property
    def blank(self) -> int:
        """The class of the blank, counted from the first."""
        return int(self._blank)

    @property
    def divisible(self) -> bool:
        return self._loss.signature.additive and self._loss.axes.startswith("N")

    def part(self, index: tuple[int | slice, ...]) -> Self:
        evaluation = copy(self)
        for name in ("_sequences", "_frames", "_labels", "_starts"):
            setattr(evaluation, name, getattr(self, name)[index])
        evaluation._shape = evaluation._frames.shape
        evaluation._weight, evaluation._kept = (
            one if one.array is None else replace(one, array=one.array[index]) for one in (self._weight, self._kept)
        )
        return evaluation

    def decoded(self, kernel: str) -> tuple[Trace, NDArray[np.float64]]:
        """What a decoder says of each frame, and the score of each sequence."""
        evaluation = copy(self)
        evaluation._spec = replace(self._spec, kernel=KERNELS[kernel], constants=())
        shape = self._sequences.shape[:2]
        trace = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64), np.zeros(shape)
        losses = np.empty(self._shape)
        evaluation._run(1, 1.0, Operand(array=losses, code=FLOAT64), trace=trace)
        return trace, -losses

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True, trace: Trace | tuple[None, ...] = (None, None, None),
    ) -> tuple[float, ...]:  # fmt: skip
        spec, target = self._spec, self._arrays["y_true"]
        x = self._sequences
        grad = None if not grads else self._by_sequence(grads[0].array)
        frames_first = abs(x.strides[0]) < abs(x.strides[1]) and x.shape[0] > 1
        if frames_first:
            x, grad = x.swapaxes(0, 1), None if grad is None else grad.swapaxes(0, 1)
        of_sequences = (self._weight, self._kept, value, self._apart)
        rows = (None if one.array is None else np.atleast_1d(one.array) for one in of_sequences)
        lengths = (self._frames, self._labels, self._starts)
        arrays = (target.array, x, grad, *rows, *map(np.ascontiguousarray, lengths), *map(_flat, trace))
        codes = (
            target.code, self._x_code, grads[0].code if grads else -1, *(one.code for one in of_sequences),
            INT64, INT64, INT64, INT64, INT64, FLOAT64,
        )  # fmt: skip
        try:
            bad, culprit, sums = _align(
                spec.kernel,
                operation,
                arrays=arrays,
                dtypes=codes,
                frames_first=frames_first,
                constants=spec.constants,
                blank=self._blank,
                logits=self._loss.scores == "logits",
                scale=scale,
                nan_policy=self._nan_policy,
                single=self._single,
                num_threads=threads_for(self._num_threads, x.size),
            )
        except Mismatch as error:
            raise mismatched(spec.owner, ARRAYS, error) from None
        if bad >= 0:
            self._complain(bad, culprit, None)
        return sums

    def _complain(self, bad: int, culprit: int, order: tuple[int, ...] | None) -> None:
        """Raise for the sequence that the kernel found."""
        owner, number = self._spec.owner, f"[{bad}]" if self._shape else ""
        if culprit:
            weight = np.atleast_1d(self._weight.array)[bad]
            raise ValueError(f"{owner}: sample_weight{number} is {weight}, must be {self._spec.rules[culprit]}")
        one = self._arrays["y_true"]
        y = readable(one.array, one.code)
        start, classes = int(self._starts[bad]), self._sequences.shape[-1]
        rows = y.reshape(1, -1) if not self._shape else y
        labels = rows[bad] if rows.ndim == 2 else rows[start:]
        labels = labels[: self._labels[bad]]
        inside = (labels >= 0) & (labels < classes) & (labels == np.floor(labels))
        missing = labels != labels
        wrong = ~inside & ~missing | (labels == self._blank)
        k = int(np.argmax(wrong if wrong.any() else missing))
        whole = one.code in INTEGERS or labels[k] == np.floor(labels[k])
        where = f"[{bad}, {k}]" if rows.ndim == 2 and self._shape else f"[{k if rows.ndim == 2 else start + k}]"
        whose = "" if rows.ndim == 2 else f", label {k} of sequence {bad},"
        rule = f"a class from 0 to {classes - 1} other than the blank, {self._blank}"
        if missing[k]:
            rule = "a number with nan_policy='raise'"
        error = IndexError if whole and not inside[k] else ValueError
        raise error(f"{owner}: y_true{where}{whose} is {labels[k]}, must be {rule}")


def _flat(array: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if array is None else array.reshape(-1)


def of_sequences(*prediction: str) -> Signature:
    """The signature of a loss of frames, with the core dimensions of its predictions."""
    core: Shape = prediction
    return Signature(
        (
            Argument("y_true", (("label",),), description=TARGETS),
            Argument("input_lengths", keyword=True, description=FRAMES),
            Argument("target_lengths", keyword=True, description=LABELS),
        ),
        (Argument("y_pred", (core,), description=PREDICTIONS),),
    )


TARGETS = """Labels of each sequence, of any integer type or integral floats: (N, S), of which the first
    `target_lengths` count, or (sum of `target_lengths`,), one sequence after another. Of one sequence (S,)."""
PREDICTIONS = "Scores of the classes at each frame, along the last axis."
FRAMES = "How many frames of each sequence count, of any integer type; by default all."
LABELS = "How many labels each target has; by default all that `y_true` has room for."


class SequenceLoss(MultiInputLoss):
    """A loss of each sequence of frames, and its target: the negative logarithm of a probability.

    `axes` names those of `y_pred`; one that is left out, N, means a single sequence.
    """

    _evaluation = SequenceEvaluation
    hessian_approximation: ClassVar[HessianApproximation] = "none"
    blank: int = integer(default=0)
    scores: Literal["logits", "log_probabilities"] = field(  # type: ignore[misc]
        default="logits", kw_only=True, metadata={"options": ("logits", "log_probabilities")}
    )

    @property
    def axes(self) -> str:
        """The axes of `y_pred`, a letter each."""
        raise NotImplementedError

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        if "class" not in core or ndim < len(self.axes):
            return super()._core_axes(core, ndim)
        return tuple(axis for axis, name in enumerate(self.axes) if name != "N")

    def most_labels(self, shape: tuple[int, ...]) -> int | None:
        """How many labels a target has room for, if predictions of a shape say so."""
        return None

    def _constants(self) -> dict[str, float]:
        """The constants of the kernel by name."""
        raise NotImplementedError

    def _outlined(self, arrays: Sequence[Any], *options: Any) -> Any:
        named = dict(zip(self.signature.names, arrays, strict=True))
        y, lengths = named["y_true"], named["target_lengths"]
        if lengths is not None and lengths.ndim == y.ndim == 1:  # labels one after another: equal shares add up to all
            named["target_lengths"] = np.diff(np.arange(len(lengths) + 1) * len(y) // max(1, len(lengths)))
        return super()._outlined(list(named.values()), *options)

    def _of_sequences(self, named: dict[str, ArrayLike | None], num_threads: int | None) -> SequenceEvaluation:
        evaluation = self._evaluated((), named, None, None, "propagate", num_threads)
        assert isinstance(evaluation, SequenceEvaluation)
        return evaluation

    def _specified(self) -> Specification:
        kernel = KERNELS[self.kernel]
        return Specification(
            owner=type(self).__name__,
            kernel=kernel,
            constants=kernel.constants(self._constants()),
            bounded=False,
            closed=(None, None),
            rules=("", "", "", "finite and not negative"),
        )
