"""Cross-entropy of a linear layer, such as the head of a language model, whose logits are never held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypedDict, Unpack, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted, mean
from fastloss._core.evaluation import Floats, Reduction
from fastloss._core.operands import as_array
from fastloss._core.runtime import GRAD, VALUE
from fastloss._core.signature import NUMBER, ROW, of_rows
from fastloss.rowwise.rows import RowEvaluation, RowSpecification
from fastloss.rowwise.softmax import CrossEntropy

__all__ = ["LinearGrads", "linear_cross_entropy", "linear_cross_entropy_value_and_grad"]

OWNER = "linear_cross_entropy"
CHUNK_BYTES = 1 << 26
SHARE_OF_SUMS = 8  # of the chunk: what is added to the gradient of the weights, a block of classes at a time


class LinearGrads(NamedTuple):
    """The gradient in each array; `bias` is None where there is none."""

    hidden: Floats
    weight: Floats
    bias: Floats | None


class Options(TypedDict, total=False):
    """The options of `CrossEntropy`."""

    class_weight: Sequence[float] | None
    ignore_index: int | None
    label_smoothing: float
    temperature: float
    softcap: float
    z_loss: float


def linear_cross_entropy(
    hidden: ArrayLike,
    weight: ArrayLike,
    targets: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    chunk_bytes: int = CHUNK_BYTES,
    num_threads: int | None = None,
    **options: Unpack[Options],
) -> Any:
    r"""Compute the cross-entropy of ``hidden @ weight.T + bias`` without holding these logits.

    Parameters
    ----------
    hidden : array_like of shape (..., features)
        Hidden states of tokens, float32 or float64.
    weight : array_like of shape (classes, features)
        The layer's weight, of the type of `hidden`; PyTorch's ``Linear.weight``.
    targets : array_like of shape (...) or (..., classes)
        The class of each token, or a target of each class, as for `CrossEntropy`.
    bias : array_like of shape (classes,), optional
        Of the type of `hidden`.
    sample_weight, mask, reduction
        As for calling a loss.
    chunk_bytes : int, default=67108864
        Scratch memory: as many tokens are taken at a time as fit with their logits, and one at least. A small chunk
        costs time, as the weight and its gradient are read again for each one.
    num_threads : int, optional
        Threads of the loss. The matrix products are NumPy's, whose BLAS has threads of its own.
    **options : Options
        `class_weight`, `ignore_index`, `label_smoothing`, `temperature`, `softcap` and `z_loss`, as for
        `CrossEntropy`.

    Returns
    -------
    float or ndarray
        The reduced loss; for "none" that of each token.

    See Also
    --------
    linear_cross_entropy_value_and_grad : The gradients as well.
    CrossEntropy : The loss of logits, and what it does with labels that are ignored or no class.

    Notes
    -----
    Unlike those of a loss the targets come last, as in PyTorch's ``linear_cross_entropy``.

    Tokens that are ignored, masked or of weight 0 are left out of the matrix products too.

    Numerics: the products are float32 or float64 as the arrays are, and BLAS may round them otherwise for another
    number of threads; the loss is that of `CrossEntropy`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> rng = np.random.default_rng(0)
    >>> hidden, weight, targets = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), [0, 6, -100, 2, 2]
    >>> fused = fl.linear_cross_entropy(hidden, weight, targets, softcap=30.0)
    >>> abs(fused - fl.cross_entropy(targets, hidden @ weight.T, softcap=30.0)) < 1e-14
    True
    """
    layer = _Layer(hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes, num_threads, options)
    return layer.value()


def linear_cross_entropy_value_and_grad(
    hidden: ArrayLike,
    weight: ArrayLike,
    targets: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    chunk_bytes: int = CHUNK_BYTES,
    num_threads: int | None = None,
    **options: Unpack[Options],
) -> tuple[Any, LinearGrads]:
    r"""Compute the cross-entropy of a linear layer and its gradients, without holding the logits.

    With the gradient :math:`G` in the logits, those in `hidden`, `weight` and `bias` are :math:`G W`,
    :math:`G^\top H` and :math:`G^\top 1`.

    Parameters
    ----------
    hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes, num_threads, **options
        As for `linear_cross_entropy`.

    Returns
    -------
    value : float or ndarray
        What `linear_cross_entropy` returns.
    grad : LinearGrads
        The gradients of exactly that value, or for "none" of its sum, by the names of the arrays `hidden`, `weight` and
        `bias` and of their shape and type. None in place of `bias` where there is none.

    Notes
    -----
    Beyond these results, memory is needed for one chunk. The divisor of a mean depends on targets and weights only,
    so that one pass over the logits of a chunk makes their gradient, in their place.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> hidden, weight = np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros((2, 2))
    >>> value, grad = fl.linear_cross_entropy_value_and_grad(hidden, weight, [0, 1])
    >>> grad.weight
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    layer = _Layer(hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes, num_threads, options)
    return layer.value_and_grad()


class _CrossEntropy(CrossEntropy):
    """The loss under the names that callers know."""

    signature = of_rows(NUMBER, ROW, names=("targets", "logits"))

    def _specified(self) -> RowSpecification:
        return replace(super()._specified(), owner=OWNER)


class _Layer:
    """The arrays of one call, checked; `_tokens` are those that count."""

    def __init__(
        self,
        hidden: ArrayLike,
        weight: ArrayLike,
        targets: ArrayLike,
        bias: ArrayLike | None,
        sample_weight: ArrayLike | None,
        mask: ArrayLike | None,
        reduction: Reduction,
        chunk_bytes: int,
        num_threads: int | None,
        options: Options,
    ) -> None:
        given = [("hidden", hidden), ("weight", weight)] + ([] if bias is None else [("bias", bias)])
        arrays = {name: as_array(OWNER, name, array) for name, array in given}
        states, self._weight, self._bias = arrays["hidden"], arrays["weight"], arrays.get("bias")
        if not states.ndim:
            raise ValueError(f"{OWNER}: hidden has shape (), must have an axis of features")
        if self._weight.ndim != 2 or self._weight.shape[1] != states.shape[-1]:
            shape = f"(classes, {states.shape[-1]}), the features of hidden"
            raise ValueError(f"{OWNER}: weight has shape {self._weight.shape}, must be {shape}")
        self._classes, self._features = self._weight.shape
        if self._bias is not None and self._bias.shape != (self._classes,):
            raise ValueError(f"{OWNER}: bias has shape {self._bias.shape}, must be {(self._classes,)}")
        self._dtype = states.dtype
        for name, array in arrays.items():
            if array.dtype not in (np.float32, np.float64) or array.dtype != self._dtype:
                raise TypeError(
                    f"{OWNER}: {name} has dtype {array.dtype}, must be float32 or float64, in native byte order, and"
                    " the same as the others"
                )
        if not isinstance(chunk_bytes, (int, np.integer)) or chunk_bytes < 1:
            raise ValueError(f"{OWNER}: chunk_bytes is {chunk_bytes!r}, must be a positive integer")

        # Everything but the logits is checked before there are any.
        self._loss = _CrossEntropy(**cast(Any, options))
        self._shape, self._hidden = states.shape[:-1], states.reshape(-1, self._features)
        y = as_array(OWNER, "targets", targets)
        logits = np.broadcast_to(np.zeros((), self._dtype), (*self._shape, self._classes))
        evaluation = RowEvaluation(self._loss, y, logits, sample_weight, mask, num_threads=num_threads)
        self._divisor = evaluation.divisor(reduction)
        self._reduction, self._threads = reduction, num_threads
        dense = y.shape == logits.shape
        self._targets = y.reshape(-1, self._classes) if dense else y.reshape(-1)
        self._sample_weight = None if sample_weight is None else self._flat("sample_weight", sample_weight)
        tokens = counted(
            self._hidden.shape[:1],
            mask=None if mask is None else self._flat("mask", mask),
            weight=self._sample_weight,
            labels=None if dense else self._targets,
            ignored=self._loss.ignore_index,
        )
        self._tokens = np.flatnonzero(tokens)
        size = (self._classes + 2 * self._features) * self._dtype.itemsize + dense * self._classes * y.itemsize
        sums = chunk_bytes // SHARE_OF_SUMS
        self._chunk = min(max(1, (chunk_bytes - sums) // size), max(1, len(self._tokens)))
        self._block = min(max(1, sums // (self._features * self._dtype.itemsize or 1)), self._classes)

    def _flat(self, name: str, given: ArrayLike) -> NDArray[Any]:
        """Something for each token, or for each index of the first axis."""
        array = as_array(OWNER, name, given)
        array = array.reshape(array.shape + (1,) * (len(self._shape) - array.ndim))
        return np.broadcast_to(array, self._shape).reshape(-1)

    def value(self) -> Any:
        losses = self._losses()
        total = 0.0
        for tokens, _, logits in self._chunks():
            total += self._evaluate(VALUE, tokens, logits, losses)
        return self._reduced(total, losses)

    def value_and_grad(self) -> tuple[Any, LinearGrads]:
        losses = self._losses()
        total = 0.0
        hidden_grad = np.zeros(self._hidden.shape, self._dtype)
        weight_grad = np.zeros(self._weight.shape, self._dtype)
        bias_grad = None if self._bias is None else np.zeros(self._classes, self._dtype)
        product = np.empty((self._chunk, self._features), self._dtype)
        sums = np.empty((self._block, self._features), self._dtype)
        for tokens, hidden, logits in self._chunks():
            total += self._evaluate(VALUE | GRAD, tokens, logits, losses)
            hidden_grad[tokens] = np.matmul(logits, self._weight, out=product[: len(tokens)])
            for first in range(0, self._classes, self._block):
                some = slice(first, min(first + self._block, self._classes))
                weight_grad[some] += np.matmul(logits[:, some].T, hidden, out=sums[: some.stop - first])
            if bias_grad is not None:
                bias_grad += np.ones(len(tokens), self._dtype) @ logits
        hidden_grad = hidden_grad.reshape(*self._shape, self._features)
        return self._reduced(total, losses), LinearGrads(hidden_grad, weight_grad, bias_grad)

    def _chunks(self) -> Iterator[tuple[NDArray[np.intp], Floats, Floats]]:
        """Some tokens at a time: their numbers, hidden states and logits."""
        room = np.empty((self._chunk, self._features), self._dtype)
        results = np.empty((self._chunk, self._classes), self._dtype)
        for first in range(0, len(self._tokens), self._chunk):
            tokens = self._tokens[first : first + self._chunk]
            hidden = np.take(self._hidden, tokens, axis=0, out=room[: len(tokens)], mode="clip")
            logits = np.matmul(hidden, self._weight.T, out=results[: len(tokens)])
            if self._bias is not None:
                logits += self._bias
            yield tokens, hidden, logits

    def _evaluate(self, operation: int, tokens: NDArray[np.intp], logits: Floats, losses: Floats | None) -> float:
        """The sum of the losses of some tokens, whose logits give way to the gradient."""
        weights = None if self._sample_weight is None else self._sample_weight[tokens]
        evaluation = RowEvaluation(self._loss, self._targets[tokens], logits, weights, num_threads=self._threads)
        factor = 1 / self._divisor if self._divisor else 0.0
        grad_out = logits if operation & GRAD else None
        if losses is None:
            return float(evaluation.reduced(operation, "sum", grad_out=grad_out, factor=factor, scratch=True)[0])
        losses[tokens] = evaluation.reduced(operation, "none", grad_out=grad_out, factor=factor, scratch=True)[0]
        return 0.0

    def _losses(self) -> Floats | None:
        return np.zeros(len(self._hidden), self._dtype) if self._reduction == "none" else None

    def _reduced(self, total: float, losses: Floats | None) -> Any:
        if losses is not None:
            return losses.reshape(self._shape)
        return mean(total, self._divisor)
