"""A loss of rows of a linear layer, whose outputs are never held, with its gradients in the layer and its input."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted, mean
from fastloss._core.evaluation import Floats, Reduction
from fastloss._core.loss import Loss, require_loss
from fastloss._core.operands import as_array
from fastloss._core.runtime import GRAD, VALUE
from fastloss.rowwise.rows import RowEvaluation, RowLoss

__all__ = ["LinearGrads", "linear_loss", "linear_loss_value_and_grad"]

CHUNK_BYTES = 1 << 26
SHARE_OF_SUMS = 8  # of the chunk: what is added to the gradient of the weights, a block of classes at a time


class LinearGrads(NamedTuple):
    """The gradient in each array; `bias` is None where there is none."""

    hidden: Floats
    weight: Floats
    bias: Floats | None


def linear_loss(
    loss: Loss,
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
) -> Any:
    r"""Compute a loss of ``hidden @ weight.T + bias`` without holding these scores.

    Parameters
    ----------
    loss : Loss
        Of rows along the last axis, such as ``fl.SoftmaxFocal()``.
    hidden : array_like of shape (..., features)
        The input of the layer, float32 or float64.
    weight : array_like of shape (classes, features)
        The layer's weight, of the type of `hidden`; PyTorch's ``Linear.weight``.
    targets : array_like of shape (...) or (..., classes)
        The class of each row, or a target of each class, as the loss takes them.
    bias : array_like of shape (classes,), optional
        Of the type of `hidden`.
    sample_weight, mask, reduction
        As for calling a loss.
    chunk_bytes : int, default=67108864
        Scratch memory: as many rows are taken at a time as fit with their scores, and one at least.
    num_threads : int, optional
        Threads of the loss. The matrix products are NumPy's, whose BLAS has threads of its own.

    Returns
    -------
    float or ndarray
        The reduced loss; for "none" that of each row.

    See Also
    --------
    linear_loss_value_and_grad : The gradients as well.
    linear_cross_entropy : The same of cross-entropy by its options.
    LinearObjective : Of features that stay the same, for optimizers.

    Notes
    -----
    Rows that are ignored, masked or of weight 0 are left out of the matrix products too.

    Numerics: the products are float32 or float64 as the arrays are, and BLAS may round them otherwise for another
    number of threads; the loss is that of its own docstring.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> rng = np.random.default_rng(0)
    >>> hidden, weight, targets = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), [0, 6, 1, 2, 2]
    >>> fused = fl.linear_loss(fl.SoftmaxFocal(), hidden, weight, targets)
    >>> abs(fused - fl.softmax_focal(targets, hidden @ weight.T)) < 1e-14
    True
    """
    layer = layer_of("linear_loss", loss, hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes,
                   num_threads)  # fmt: skip
    return layer.value()


def linear_loss_value_and_grad(
    loss: Loss,
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
) -> tuple[Any, LinearGrads]:
    r"""Compute a loss of a linear layer and its gradients, without holding the scores.

    With the gradient :math:`G` in the scores, those in `hidden`, `weight` and `bias` are :math:`G W`,
    :math:`G^\top H` and :math:`G^\top 1`.

    Parameters
    ----------
    loss, hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes, num_threads
        As for `linear_loss`.

    Returns
    -------
    value : float or ndarray
        What `linear_loss` returns.
    grad : LinearGrads
        The gradients of exactly that value, or for "none" of its sum, by the names of the arrays `hidden`, `weight` and
        `bias` and of their shape and type. None in place of `bias` where there is none.

    Notes
    -----
    Beyond these results, memory is needed for one chunk. The divisor of a mean depends on targets and weights only,
    so that one pass over the scores of a chunk makes their gradient, in their place.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> hidden, weight = np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros((2, 2))
    >>> value, grad = fl.linear_loss_value_and_grad(fl.SoftmaxFocal(gamma=0.0), hidden, weight, [0, 1])
    >>> grad.weight
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    layer = layer_of("linear_loss_value_and_grad", loss, hidden, weight, targets, bias, sample_weight, mask, reduction,
                   chunk_bytes, num_threads)  # fmt: skip
    return layer.value_and_grad()


def layer_of(owner: str, loss: Loss, *arguments: Any) -> Layer:
    require_loss(owner, loss)
    if not isinstance(loss, RowLoss) or loss.axis != -1:
        raise TypeError(f"{owner}: loss is {loss!r}, must be one of rows along the last axis")
    return Layer(owner, loss, *arguments)


class Layer:
    """The arrays of one call, checked; `_tokens` are those that count."""

    def __init__(
        self,
        owner: str,
        loss: RowLoss,
        hidden: ArrayLike,
        weight: ArrayLike,
        targets: ArrayLike,
        bias: ArrayLike | None,
        sample_weight: ArrayLike | None,
        mask: ArrayLike | None,
        reduction: Reduction,
        chunk_bytes: int,
        num_threads: int | None,
    ) -> None:
        self._owner = owner
        given = [("hidden", hidden), ("weight", weight)] + ([] if bias is None else [("bias", bias)])
        arrays = {name: as_array(owner, name, array) for name, array in given}
        states, self._weight, self._bias = arrays["hidden"], arrays["weight"], arrays.get("bias")
        if not states.ndim:
            raise ValueError(f"{owner}: hidden has shape (), must have an axis of features")
        if self._weight.ndim != 2 or self._weight.shape[1] != states.shape[-1]:
            shape = f"(classes, {states.shape[-1]}), the features of hidden"
            raise ValueError(f"{owner}: weight has shape {self._weight.shape}, must be {shape}")
        self._classes, self._features = self._weight.shape
        if self._bias is not None and self._bias.shape != (self._classes,):
            raise ValueError(f"{owner}: bias has shape {self._bias.shape}, must be {(self._classes,)}")
        self._dtype = states.dtype
        for name, array in arrays.items():
            if array.dtype not in (np.float32, np.float64) or array.dtype != self._dtype:
                raise TypeError(
                    f"{owner}: {name} has dtype {array.dtype}, must be float32 or float64, in native byte order, and"
                    " the same as the others"
                )
        if not isinstance(chunk_bytes, (int, np.integer)) or chunk_bytes < 1:
            raise ValueError(f"{owner}: chunk_bytes is {chunk_bytes!r}, must be a positive integer")

        # Everything but the logits is checked before there are any.
        self._loss = loss
        self._shape, self._hidden = states.shape[:-1], states.reshape(-1, self._features)
        y = as_array(owner, "targets", targets)
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
            ignored=loss.parameters().get("ignore_index"),
        )
        self._tokens = np.flatnonzero(tokens)
        size = (self._classes + 2 * self._features) * self._dtype.itemsize + dense * self._classes * y.itemsize
        sums = chunk_bytes // SHARE_OF_SUMS
        self._chunk = min(max(1, (chunk_bytes - sums) // size), max(1, len(self._tokens)))
        self._block = min(max(1, sums // (self._features * self._dtype.itemsize or 1)), self._classes)

    def _flat(self, name: str, given: ArrayLike) -> NDArray[Any]:
        """Something for each token, or for each index of the first axis."""
        array = as_array(self._owner, name, given)
        array = array.reshape(array.shape + (1,) * (len(self._shape) - array.ndim))
        return np.broadcast_to(array, self._shape).reshape(-1)

    def value(self) -> Any:
        losses = self._losses()
        total = 0.0
        for tokens, _, logits in self._chunks():
            total += self._evaluate(VALUE, tokens, logits, losses)
        return self._reduced(total, losses)

    def value_and_grad(self, wanted: Collection[str] = LinearGrads._fields) -> tuple[Any, LinearGrads]:
        """The value, and the gradients that are wanted; None in place of others."""
        losses = self._losses()
        total = 0.0
        shapes = self._hidden.shape, self._weight.shape, None if self._bias is None else (self._classes,)
        hidden_grad, weight_grad, bias_grad = (
            None if shape is None or name not in wanted else np.zeros(shape, self._dtype)
            for name, shape in zip(LinearGrads._fields, shapes, strict=True)
        )
        product = np.empty((self._chunk, self._features), self._dtype)
        sums = np.empty((self._block, self._features), self._dtype)
        for tokens, hidden, logits in self._chunks():
            total += self._evaluate(VALUE | GRAD, tokens, logits, losses)
            if hidden_grad is not None:
                hidden_grad[tokens] = np.matmul(logits, self._weight, out=product[: len(tokens)])
            if weight_grad is not None:
                for first in range(0, self._classes, self._block):
                    some = slice(first, min(first + self._block, self._classes))
                    weight_grad[some] += np.matmul(logits[:, some].T, hidden, out=sums[: some.stop - first])
            if bias_grad is not None:
                bias_grad += np.ones(len(tokens), self._dtype) @ logits
        if hidden_grad is not None:
            hidden_grad = hidden_grad.reshape(*self._shape, self._features)
        grads: Any = hidden_grad, weight_grad, bias_grad
        return self._reduced(total, losses), LinearGrads(*grads)

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
