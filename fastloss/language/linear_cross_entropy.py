"""Cross-entropy of a linear layer, such as the head of a language model, whose logits are never held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack, cast

from numpy.typing import ArrayLike

from fastloss._core.evaluation import Reduction
from fastloss._core.signature import NUMBER, ROW, of_rows
from fastloss.composition.linear_layer import CHUNK_BYTES, Layer, LinearGrads
from fastloss.rowwise.rows import RowSpecification
from fastloss.rowwise.softmax import CrossEntropy

__all__ = ["linear_cross_entropy", "linear_cross_entropy_value_and_grad"]

OWNER = "linear_cross_entropy"


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
    loss = _CrossEntropy(**cast(Any, options))
    layer = Layer(OWNER, loss, hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes, num_threads)
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
    loss = _CrossEntropy(**cast(Any, options))
    layer = Layer(OWNER, loss, hidden, weight, targets, bias, sample_weight, mask, reduction, chunk_bytes, num_threads)
    return layer.value_and_grad()


class _CrossEntropy(CrossEntropy):
    """The loss under the names that callers know."""

    signature = of_rows(NUMBER, ROW, names=("targets", "logits"))

    def _specified(self) -> RowSpecification:
        return replace(super()._specified(), owner=OWNER)
