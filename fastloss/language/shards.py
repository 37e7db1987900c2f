"""ShardState: cross-entropy of rows whose classes are in several places, such as a vocabulary over several machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted
from fastloss._core.evaluation import Floats, Reduction
from fastloss._core.operands import as_array
from fastloss._core.runtime import GRAD, VALUE
from fastloss.rowwise.rows import RowEvaluation
from fastloss.rowwise.softmax import CrossEntropy

__all__ = ["ShardState"]

OWNER = "ShardState"
FIELDS = {
    "labels": np.dtype(np.int64),
    "highest": np.dtype(np.float64),
    "total": np.dtype(np.float64),
    "target": np.dtype(np.float64),
    "found": np.dtype(np.bool_),
}


@dataclass(frozen=True, slots=True, eq=False)
class ShardState:
    r"""What some classes of rows of logits come to, mergeable with the states of the other classes.

    A shard is a range of the classes of all rows. With :math:`m = \max_k x_k` and
    :math:`\sigma = \sum_k e^{(x_k - m) / T}` over the classes of a shard, without the label's, states merge into

    .. math::

        m = \max(m_a, m_b) \qquad \sigma = \sigma_a e^{(m_a - m) / T} + \sigma_b e^{(m_b - m) / T}

    and the state of all classes gives the loss of whole rows, and the gradient in the logits of each shard.

    Parameters
    ----------
    loss : CrossEntropy
        Without class weights and label smoothing.
    labels : ndarray of int64
        The class of each row, counted over all shards.
    highest : ndarray of float64
        The largest logit of the other classes, under the softcap; 0 where all are -inf.
    total : ndarray of float64
        The sum of their exponentials relative to that.
    target : ndarray of float64
        The logit of the label, -inf where it is in none of these shards.
    found : ndarray of bool
        Whether it is in one of them.

    See Also
    --------
    CrossEntropy : The loss of whole rows.

    Notes
    -----
    A state takes 33 bytes a row, whatever the number of classes, and can be pickled. As the label's class is kept
    apart, nothing cancels: a confident right answer keeps its relative accuracy. The order of merging changes the
    last bits.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits, labels = np.array([[2.0, 0.0, 1.0, 0.5], [0.0, 1.0, 3.0, 0.0]]), [0, 3]
    >>> shards = {0: logits[:, :3], 3: logits[:, 3:]}
    >>> state = sum(fl.ShardState.of(fl.CrossEntropy(), labels, x, first_class=k) for k, x in shards.items())
    >>> round(state.value(), 12) == round(fl.cross_entropy(labels, logits), 12)
    True
    >>> state.grad(shards[3], first_class=3)
    array([[ 0.06462502],
           [-0.47984181]])
    """

    loss: CrossEntropy
    labels: NDArray[np.int64]
    highest: NDArray[np.float64]
    total: NDArray[np.float64]
    target: NDArray[np.float64]
    found: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = np.shape(self.labels)
        for name, dtype in FIELDS.items():
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
                given = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
                raise TypeError(f"{OWNER}: {name} is {given}, must be an array of {dtype} of the labels' shape {shape}")

    @staticmethod
    def of(
        loss: CrossEntropy,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        first_class: int,
        num_threads: int | None = None,
    ) -> ShardState:
        """Compute the state of one shard.

        Parameters
        ----------
        loss : CrossEntropy
            With any temperature, softcap, z-loss, axis and ignored label.
        y_true : array_like of int
            The class of each row, counted over all shards.
        y_pred : array_like
            The logits of the shard's classes, as for calling the loss.
        first_class : int
            The class of the shard's first logit.
        num_threads : int, optional
            As for calling the loss.

        Returns
        -------
        ShardState
            To be added to those of the other shards.
        """
        if loss.class_weight is not None or loss.label_smoothing:
            raise ValueError(f"{OWNER}: loss is {loss!r}, must have neither class_weight nor label_smoothing")
        labels = as_array(OWNER, "y_true", y_true)
        if labels.dtype.kind not in "iu":
            raise TypeError(f"{OWNER}: y_true has dtype {labels.dtype}, must be of integers")
        huge = np.argwhere(labels > np.iinfo(np.int64).max)
        if len(huge):
            at = tuple(int(i) for i in huge[0])
            raise IndexError(f"{OWNER}: y_true{list(at)} is {labels[at]}, must be a class of one of the shards")
        labels = labels.astype(np.int64)
        evaluation = _evaluation(loss, labels, y_pred, first_class, num_threads=num_threads)
        highest, total, target = evaluation.ask("shift", "sum", "target")
        evaluation.reduced(VALUE, "sum")
        classes = np.shape(y_pred)[loss.axis]
        found = _kept(loss, labels) & (labels >= first_class) & (labels - first_class < classes)
        return ShardState(loss, labels, highest, total, target, found)

    def __add__(self, other: ShardState) -> ShardState:
        if not isinstance(other, ShardState):
            return NotImplemented
        if self.loss != other.loss:
            raise ValueError(f"{OWNER}: one state is of {self.loss!r} and one of {other.loss!r}, must be of one loss")
        if not np.array_equal(self.labels, other.labels):
            raise ValueError(f"{OWNER}: the states are of different labels, must be of the same rows")
        if (self.found & other.found).any():
            raise ValueError(f"{OWNER}: both states hold class {self.labels[self.found & other.found][0]}")
        # The largest exponential is 1, but in a shard of -inf alone, which has no logit to be relative to.
        mine, theirs = (np.where(one.total < 0.5, -np.inf, one.highest) for one in (self, other))
        highest = np.maximum(mine, theirs)
        highest[highest == -np.inf] = 0
        with np.errstate(invalid="ignore"):
            total, more = (
                one.total * np.exp((own - highest) / self.loss.temperature)
                for one, own in ((self, mine), (other, theirs))
            )
        target = np.where(other.found, other.target, self.target)
        return ShardState(self.loss, self.labels, highest, total + more, target, self.found | other.found)

    def __radd__(self, other: int) -> ShardState:
        return self if other == 0 else NotImplemented

    @staticmethod
    def merge(states: Iterable[ShardState]) -> ShardState:
        """The state of all classes of several states.

        Parameters
        ----------
        states : iterable of ShardState
            At least one.

        Returns
        -------
        ShardState
            Their sum.
        """
        first, *others = states
        return sum(others, first)

    @property
    def lse(self) -> NDArray[np.float64]:
        """Log-sum-exp of the logits of each row, as the loss takes them; -inf where all are, inf where one is."""
        evaluation = self._whole()
        (lse,) = evaluation.ask("lse")
        evaluation.reduced(VALUE, "sum")
        return lse

    def value(
        self,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
    ) -> Any:
        """Compute the loss of whole rows from the state of all their classes.

        Parameters
        ----------
        sample_weight, mask, reduction
            As for calling the loss.

        Returns
        -------
        float or ndarray of float64
            The reduced loss, or that of each row.
        """
        self._check_complete()
        return self._whole(sample_weight, mask).reduced(VALUE, reduction)[0]

    def grad(
        self,
        y_pred: ArrayLike,
        *,
        first_class: int,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        grad_out: Floats | None = None,
        num_threads: int | None = None,
    ) -> Floats:
        """Compute the gradient of the loss of whole rows in the logits of one shard.

        Parameters
        ----------
        y_pred : array_like
            The logits that the shard's state was made of.
        first_class : int
            The class of the shard's first logit.
        sample_weight, mask, reduction, grad_out, num_threads
            As for the gradient of the loss.

        Returns
        -------
        ndarray
            Of `y_pred`'s shape and, unless `grad_out` is given, its type.
        """
        evaluation = self._of_shard(y_pred, first_class, sample_weight, mask, num_threads)
        grad: Floats = evaluation.reduced(GRAD, reduction, grad_out=grad_out)[1]
        return grad

    def _of_shard(self, y_pred: ArrayLike, first_class: int, *options: Any) -> RowEvaluation:
        """The call of whole rows in which the logits are those of one shard, and the sums those of all."""
        self._check_complete()
        evaluation = _evaluation(self.loss, self.labels, y_pred, first_class, *options)
        evaluation.share(shift=self.highest, sum=self.total, target=self.target)
        return evaluation

    def _whole(self, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None) -> RowEvaluation:
        """A call that takes everything from the state, and nothing from logits."""
        nothing = np.broadcast_to(np.zeros(1), (*self.labels.shape, 1))
        evaluation = _evaluation(replace(self.loss, axis=-1), self.labels, nothing, 0, sample_weight, mask)
        evaluation.share(shift=self.highest, sum=self.total, target=self.target)
        return evaluation

    def _check_complete(self) -> None:
        lost = np.argwhere(_kept(self.loss, self.labels) & ~self.found)
        if len(lost):
            at = tuple(int(i) for i in lost[0])
            raise IndexError(f"{OWNER}: y_true{list(at)} is {self.labels[at]}, must be a class of one of the shards")


def _kept(loss: CrossEntropy, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    return counted(labels.shape, labels=labels, ignored=loss.ignore_index)


def _evaluation(
    loss: CrossEntropy,
    labels: NDArray[np.int64],
    y_pred: ArrayLike,
    first_class: int,
    sample_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    num_threads: int | None = None,
) -> RowEvaluation:
    """A call of a shard, whose labels are counted from its first class."""
    local = replace(loss, ignore_index=None)
    evaluation = RowEvaluation(local, labels - first_class, y_pred, sample_weight, mask, num_threads=num_threads)
    evaluation.keep(_kept(loss, labels))
    evaluation.share()
    return evaluation
