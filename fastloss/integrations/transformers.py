"""What the Trainer of Hugging Face's transformers takes: the perplexity of a language model, a batch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import counted
from fastloss._core.operands import as_array
from fastloss.elementwise.residual import MeanBias
from fastloss.language.tokens import SequenceScores, TokenScores, token_logprobs
from fastloss.state import LossState

Array: TypeAlias = NDArray[Any]

__all__ = ["Perplexity"]

OWNER = "Perplexity"
PADDING = -100  # what the Trainer pads labels with, and models ignore


@dataclass(eq=False)
class Perplexity:
    """Perplexities of a language model for the Trainer's ``compute_metrics``: sums of the batches, never their logits.

    Parameters
    ----------
    shift : bool, default=True
        Whether the logits of a position are of the next token, as those of causal models; False for masked models and
        for those of an encoder and a decoder, whose logits are of the label at their own position.
    token_bytes : array_like of int, of shape (vocabulary,), optional
        How many bytes of text each token stands for, 0 for special ones. With it the bits for each byte are reported.
    num_threads : int, optional
        As for calling a loss.

    Attributes
    ----------
    tokens : LossState
        Of the negative log-probabilities of the tokens of the batches since the last result, or up to it; its
        `perplexity` is what is reported, its `standard_error` and `confidence_interval` are of the logarithm of that.
    sequences : LossState
        Of the perplexities of their sequences.
    correct : LossState
        Of whether each token is the one of the largest logit.

    Notes
    -----
    The metrics are

    * "perplexity", the exponential of the mean negative log-probability of all tokens: what is reported of a corpus;
    * "sequence_perplexity", the mean of the perplexities of the sequences, however short they are, as Hugging Face's
      ``evaluate`` has it. Rows of the batches are the sequences; those without a token are left out;
    * "accuracy", the share of tokens that have the largest logit;
    * "bits_per_byte", the negative logarithm to base 2 of the probability of all tokens over their bytes, where
      `token_bytes` says how many these are: of a tokenizer of bytes, such as GPT-2's and Llama 3's, the length of each
      token as its ``convert_ids_to_tokens`` spells it.

    The Trainer puts its prefix, ``eval_``, before these names. Labels of -100 do not count, as for the models' own
    losses. That of the first position does not either where logits are shifted.

    With ``batch_eval_metrics=True`` the logits of a batch are scored where they lie, in one pass and of any
    floating-point type, bfloat16 too, and forgotten: memory is that of a batch, however many there are. Several
    processes gather the logits of each batch from each other. Given `preprocess_logits_for_metrics` too, they gather
    five bytes for each token instead, nine of float64 logits; so much is all that is kept without
    ``batch_eval_metrics``.

    Logits on another device are copied to the CPU, a batch at a time.

    An evaluation that is interrupted leaves what it added behind: `reset` forgets it.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from fastloss.integrations.transformers import Perplexity
    >>> metrics = Perplexity(shift=False)
    >>> logits = np.log([[[0.5, 0.5], [0.25, 0.75]], [[0.2, 0.8], [0.5, 0.5]]])
    >>> batch = SimpleNamespace(predictions=logits, label_ids=np.array([[0, 1], [0, -100]]))
    >>> {name: round(value, 3) for name, value in metrics(batch, compute_result=True).items()}
    {'perplexity': 2.371, 'sequence_perplexity': 3.316, 'accuracy': 0.667}

    In training::

        metrics = Perplexity()
        arguments = TrainingArguments(..., batch_eval_metrics=True)
        trainer = Trainer(model, arguments, ..., compute_metrics=metrics,
                          preprocess_logits_for_metrics=metrics.preprocess_logits_for_metrics)
        trainer.evaluate()["eval_perplexity"]
    """

    shift: bool = True
    token_bytes: ArrayLike | None = field(default=None, repr=False)
    num_threads: int | None = None
    tokens: LossState = field(init=False, repr=False)
    sequences: LossState = field(init=False, repr=False)
    correct: LossState = field(init=False, repr=False)
    _bytes: int = field(init=False, repr=False)
    _complete: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.token_bytes is not None:
            self.token_bytes = _counts("token_bytes", self.token_bytes)
        self.reset()

    def reset(self) -> None:
        """Forget what was added: the next batch is the first of an evaluation."""
        self.tokens = self.sequences = self.correct = LossState()
        self._bytes = 0
        self._complete = False

    def __call__(self, eval_prediction: Any, compute_result: bool = True) -> dict[str, float]:
        """Add a batch of an evaluation, and compute the metrics of what was added.

        Parameters
        ----------
        eval_prediction : transformers.EvalPrediction
            Its `predictions` are logits of shape (batch, time, vocabulary), the first of several outputs, or what
            `preprocess_logits_for_metrics` made of them; its `label_ids` of shape (batch, time) are the tokens. Tensors
            or arrays, or lists of those of all batches.
        compute_result : bool, default=True
            Whether this is the last batch, so that the next one is the first of another evaluation.

        Returns
        -------
        dict of str to float
            The metrics by name.
        """
        predictions, labels = eval_prediction.predictions, eval_prediction.label_ids
        batches = zip(predictions, labels, strict=True) if isinstance(predictions, list) else [(predictions, labels)]
        added = [self._of_batch(*batch) for batch in batches]
        if self._complete:
            self.reset()
        for tokens, sequences, correct, n_bytes in added:
            self.tokens += tokens
            self.sequences += sequences
            self.correct += correct
            self._bytes += n_bytes
        self._complete = compute_result
        return self._metrics()

    def preprocess_logits_for_metrics(self, logits: Any, labels: Any) -> Any:
        """Score the tokens of a batch, for the Trainer's argument of this name.

        Parameters
        ----------
        logits : Tensor or tuple of Tensor
            Of shape (batch, time, vocabulary), the first of several outputs.
        labels : Tensor or None
            The tokens, of shape (batch, time).

        Returns
        -------
        tuple of Tensor
            The log-probability of each token, and whether it is the one of the largest logit: what is gathered and kept
            in place of the logits, and given back as `predictions`. Without labels the logits as they are.
        """
        if labels is None:
            return logits
        import torch

        logprob, greedy, _ = self._scores(_first(logits), _on_cpu("labels", labels))
        return tuple(torch.from_numpy(scores).to(labels.device) for scores in (logprob, greedy))

    def _of_batch(self, predictions: Any, label_ids: Any) -> tuple[LossState, LossState, LossState, int]:
        """The states of tokens, sequences and hits, and the bytes of the tokens."""
        labels = _on_cpu("labels", label_ids)
        if not labels.ndim:
            raise ValueError(f"{OWNER}: labels has shape (), must have an axis of tokens")
        targets = labels[..., 1:] if self.shift else labels
        if isinstance(predictions, tuple) and np.shape(predictions[0]) == targets.shape:
            logprob, greedy = (_on_cpu("predictions", scores) for scores in predictions)
        else:
            logprob, greedy, _ = self._scores(_first(predictions), labels)
        kept = counted(targets.shape, labels=targets, ignored=PADDING)
        sequences = SequenceScores(
            logprob.sum(axis=-1, dtype=np.float64, where=kept),
            kept.sum(axis=-1),
            np.logical_and.reduce(greedy, axis=-1, where=kept),
        )
        return (
            _state(-logprob, kept),
            _state(sequences.perplexity, sequences.tokens > 0),
            _state(greedy, kept),
            self._bytes_of(targets[kept]),
        )

    def _scores(self, logits: Any, labels: Array) -> TokenScores:
        array = _on_cpu("logits", logits)
        if array.shape[:-1] != labels.shape:
            raise ValueError(
                f"{OWNER}: logits has shape {array.shape}, must be that of labels, {labels.shape}, and a last axis of"
                " the vocabulary"
            )
        if self.shift:
            array, labels = array[..., :-1, :], labels[..., 1:]
        return token_logprobs(array, labels, ignore_index=PADDING, num_threads=self.num_threads)

    def _bytes_of(self, tokens: Array) -> int:
        if self.token_bytes is None:
            return 0
        known = np.asarray(self.token_bytes)
        unknown = tokens[tokens >= len(known)]
        if unknown.size:
            raise IndexError(f"{OWNER}: token_bytes has {len(known)} numbers, must have one for token {unknown[0]}")
        return int(known[tokens].sum(dtype=np.int64))

    def _metrics(self) -> dict[str, float]:
        found = {
            "perplexity": self.tokens.perplexity,
            "sequence_perplexity": self.sequences.mean,
            "accuracy": self.correct.mean,
        }
        if self.token_bytes is not None:
            found["bits_per_byte"] = self.tokens.bits_per_byte(self._bytes) if self._bytes else math.nan
        return found


def _counts(name: str, given: ArrayLike) -> Array:
    array = as_array(OWNER, name, given)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        what = f"shape {array.shape} and dtype {array.dtype}"
        raise TypeError(f"{OWNER}: {name} has {what}, must be an integer for each token")
    negative = np.flatnonzero(array < 0)
    if negative.size:
        raise ValueError(f"{OWNER}: {name}[{negative[0]}] is {array[negative[0]]}, must not be negative")
    return array


def _first(outputs: Any) -> Any:
    """The logits, which come first where a model has several outputs."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def _on_cpu(name: str, given: Any) -> Array:
    return as_array(OWNER, name, given.cpu() if hasattr(given, "cpu") else given)


def _state(losses: Array, kept: Array) -> LossState:
    """The state of losses that are known already."""
    return MeanBias().state(np.broadcast_to(np.int8(0), losses.shape), losses, mask=kept)
