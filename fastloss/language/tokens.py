"""Scores of language models: log-probabilities of tokens, their sums over sequences, and perplexities."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted
from fastloss._core.evaluation import Floats
from fastloss._core.loss import integer, number
from fastloss._core.operands import as_array
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE
from fastloss._core.runtime import VALUE
from fastloss._core.signature import NUMBER, of_rows
from fastloss.rowwise.rows import RowEvaluation, RowLoss, RowSpecification

__all__ = ["SequenceScores", "TokenScores", "segment_sum", "sequence_logprobs", "token_logprobs"]


class TokenScores(NamedTuple):
    """What a language model thinks of each token: `token_logprobs` says what the fields are."""

    logprob: Floats
    greedy: NDArray[np.bool_]
    entropy: Floats


class SequenceScores(NamedTuple):
    """What a language model thinks of each sequence of tokens.

    Parameters
    ----------
    logprob : ndarray of float64
        The log-probability of the whole sequence, the sum of those of its tokens.
    tokens : ndarray of int64
        How many tokens that is; ignored ones do not count.
    greedy : ndarray of bool
        Whether every one of them is the greedy token: whether greedy decoding yields the sequence.
    """

    logprob: NDArray[np.float64]
    tokens: NDArray[np.int64]
    greedy: NDArray[np.bool_]

    @property
    def perplexity(self) -> NDArray[np.float64]:
        r"""Perplexity of each sequence, :math:`e^{-\log p / n}` for its n tokens; NaN for one without tokens."""
        return np.asarray(_perplexity(self.logprob, self.tokens))

    @property
    def token_perplexity(self) -> float:
        r"""Perplexity over all tokens, :math:`e^{-\sum_s \log p_s / \sum_s n_s}`: every token counts alike.

        The number that is reported of a corpus; NaN where there is no token.
        """
        return float(_perplexity(self.logprob.sum(), self.tokens.sum()))

    @property
    def sequence_perplexity(self) -> float:
        """Mean of the perplexities of the sequences: every sequence counts alike, however short it is.

        Sequences without a token are left out; NaN where there are no others.
        """
        tokens = self.tokens > 0
        return float(self.perplexity[tokens].mean()) if tokens.any() else math.nan


def _perplexity(logprob: Any, tokens: Any) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(-np.divide(logprob, tokens))


class _Tokens(RowLoss):
    """The loss whose values are negative log-probabilities of tokens."""

    labelled = "token"
    function_name = "token_logprobs"
    signature = of_rows(NUMBER, names=("targets", "logits"))
    ignore_index: int | None = integer(default=-100, optional=True)
    temperature: float = number(POSITIVE, default=1.0)
    softcap: float = number(NON_NEGATIVE, default=0.0)

    def _specified(self) -> RowSpecification:
        return replace(super()._specified(), owner=self.function_name)


def token_logprobs(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    ignore_index: int | None = -100,
    temperature: float = 1.0,
    softcap: float = 0.0,
    num_threads: int | None = None,
) -> TokenScores:
    r"""Compute the log-probability of each token, whether it is the greedy one, and the entropy of its distribution.

    With :math:`z = x / T`, or :math:`z = s \tanh(x / s) / T` under a softcap, and :math:`p = \mathrm{softmax}(z)`,
    these are :math:`\log p_y`, whether :math:`y = \arg\max_k x_k`, and :math:`-\sum_k p_k \log p_k`.

    Parameters
    ----------
    logits : array_like of shape (..., vocabulary)
        Any layout of float16, bfloat16, float32 or float64, such as (batch, time, vocabulary).
    targets : array_like of shape (...)
        The tokens, from 0 to vocabulary - 1, of any integer type. Those of position t are scored by the logits of
        position t: where a model predicts the next token, shift one against the other.
    ignore_index : int or None, default=-100
        Tokens that are not scored. None: there are none.
    temperature : float, default=1.0
        Divides the logits; positive.
    softcap : float, default=0.0
        Bounds the logits smoothly to (-s, s); 0 does not.
    num_threads : int, optional
        As for calling a loss.

    Returns
    -------
    logprob : ndarray
        The log-probability of each token, of the shape of `targets`; 0 for one that is ignored.
    greedy : ndarray of bool
        Whether it is the token of the largest logit, the first of several; False for one that is ignored.
    entropy : ndarray
        Of the distribution at its place, in nats; 0 for one that is ignored.

    See Also
    --------
    sequence_logprobs : The same for whole sequences.
    CrossEntropy : The loss, whose values are ``-logprob``.

    Notes
    -----
    Unlike those of a loss the targets come last.

    The logits are read once, and memory is needed for the results only. These are float32 for logits of 32 bits or
    fewer, else float64.

    A token that is neither in the vocabulary nor ignored raises IndexError, and its place is named.

    Numerics: a log-probability near 0 keeps its relative accuracy, where ``log_softmax`` gives 0; so does the entropy
    of a distribution that is nearly certain of the token. Where that is certain of another one, the entropy may lack
    what all others have, up to 1e-7 for logits of 32 bits or fewer and 2e-16 for float64; `SoftmaxEntropy` has it.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5]])
    >>> scores = fl.token_logprobs(logits, [0, 2, -100])
    >>> np.exp(scores.logprob).round(3), scores.greedy
    (array([0.5, 0.1, 1. ]), array([ True, False, False]))
    >>> (scores.entropy / np.log(2)).round(3)
    array([1.5  , 0.922, 0.   ])
    """
    loss = _Tokens(ignore_index=ignore_index, temperature=temperature, softcap=softcap)
    evaluation = RowEvaluation(loss, targets, logits, num_threads=num_threads)
    (entropy,) = evaluation.ask("entropy", dtype=evaluation.dtype)
    (greedy,) = evaluation.ask("correct", dtype=np.float32)
    losses = evaluation.reduced(VALUE, "none")[0]
    return TokenScores(np.subtract(0, losses, out=losses), greedy != 0, entropy)


def sequence_logprobs(
    logits: ArrayLike,
    targets: ArrayLike,
    offsets: ArrayLike | None = None,
    *,
    ignore_index: int | None = -100,
    temperature: float = 1.0,
    softcap: float = 0.0,
    num_threads: int | None = None,
) -> SequenceScores:
    """Compute the log-probability of each sequence of tokens, and whether it is the greedy one.

    Parameters
    ----------
    logits, targets, ignore_index, temperature, softcap, num_threads
        As for `token_logprobs`.
    offsets : array_like of int, optional
        Sequence s is of the tokens ``offsets[s]`` to ``offsets[s + 1] - 1``, as in `segment_sum`. By default a sequence
        lies along the last axis of `targets`.

    Returns
    -------
    SequenceScores
        The log-probability of each sequence, its number of tokens that are not ignored, and whether all of these are
        the greedy ones. Its perplexities are properties.

    See Also
    --------
    token_logprobs : The scores of each token.

    Notes
    -----
    Unlike those of a loss the targets come last.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.log([[0.5, 0.5], [0.75, 0.25], [0.75, 0.25]])
    >>> scores = fl.sequence_logprobs(logits, [0, 1, 0], offsets=[0, 2, 3])
    >>> np.exp(scores.logprob), scores.tokens, scores.greedy
    (array([0.125, 0.75 ]), array([2, 1]), array([False,  True]))
    >>> scores.perplexity.round(3), round(scores.token_perplexity, 3), round(scores.sequence_perplexity, 3)
    (array([2.828, 1.333]), 2.201, 2.081)
    """
    targets = as_array("sequence_logprobs", "targets", targets)
    scores = token_logprobs(
        logits, targets, ignore_index=ignore_index, temperature=temperature, softcap=softcap, num_threads=num_threads
    )
    scored = counted(targets.shape, labels=targets, ignored=ignore_index)
    if offsets is None:
        if not targets.ndim:
            raise ValueError("sequence_logprobs: targets has shape (), must have an axis of tokens without offsets")
        offsets = np.arange(math.prod(targets.shape[:-1]) + 1) * targets.shape[-1]
        shape = targets.shape[:-1]
    else:
        shape = (-1,)
    logprob, tokens, misses = (
        segment_sum(array, offsets).reshape(shape) for array in (scores.logprob, scored, scored & ~scores.greedy)
    )
    return SequenceScores(logprob, tokens.astype(np.int64), misses == 0)


def segment_sum(values: ArrayLike, offsets: ArrayLike) -> NDArray[np.float64]:
    """Sum the segments of an array, of any lengths: the sequences of a ragged batch.

    Parameters
    ----------
    values : array_like
        Real numbers of any shape, taken in row-major order.
    offsets : array_like of int, of shape (segments + 1,)
        Where the segments begin, and where the last one ends: from ``offsets[s]`` up to ``offsets[s + 1]``, as in
        Arrow's lists and in the cumulative lengths of ragged batches. They do not fall, and lie within the array.

    Returns
    -------
    ndarray of float64, of shape (segments,)
        The sums, computed in float64; 0 for a segment of nothing.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.segment_sum([1.0, 2.0, 3.0, 4.0], [0, 2, 2, 4])
    array([3., 0., 7.])
    """
    flat = as_array("segment_sum", "values", values).reshape(-1)
    ends: NDArray[Any] = as_array("segment_sum", "offsets", offsets)
    if ends.dtype.kind not in "iu":
        raise TypeError(f"segment_sum: offsets has dtype {ends.dtype}, must be of integers")
    if ends.ndim != 1 or not ends.size:
        raise ValueError(f"segment_sum: offsets has shape {ends.shape}, must have one axis of at least one number")
    falls = np.flatnonzero(ends[1:] < ends[:-1])
    if falls.size or ends[0] < 0 or ends[-1] > flat.size:
        at = int(falls[0]) + 1 if falls.size else 0 if ends[0] < 0 else ends.size - 1
        rule = "at least the one before" if falls.size else f"from 0 to the {flat.size} values"
        raise ValueError(f"segment_sum: offsets[{at}] is {ends[at]}, must be {rule}")
    # To reduceat a segment ends where the next begins, and one of nothing would be a segment of one.
    filled = ends[1:] > ends[:-1]
    sums = np.zeros(len(filled))
    if filled.any():
        sums[filled] = np.add.reduceat(flat[: ends[-1]], ends[:-1][filled].astype(np.intp), dtype=np.float64)
    return sums
