"""Log-likelihoods as lm-evaluation-harness takes them: its model of Hugging Face's, and the pairs from any logits.

``python -m fastloss.integrations.lm_eval`` is the harness's command, which has that model as ``--model fastloss``::

    python -m fastloss.integrations.lm_eval --model fastloss --model_args pretrained=gpt2 --tasks lambada_openai
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.operands import as_array
from fastloss.language.tokens import sequence_logprobs

if TYPE_CHECKING:
    from fastloss.integrations._hflm import HFLM as HFLM

__all__ = ["HFLM", "loglikelihoods"]

OWNER = "loglikelihoods"
IGNORED = -100  # a token of no continuation


def loglikelihoods(
    logits: ArrayLike,
    continuations: Sequence[Sequence[int]],
    lengths: Sequence[int] | None = None,
    *,
    num_threads: int | None = None,
) -> list[tuple[float, bool]]:
    """Compute the log-probability of each continuation, and whether it is the greedy one.

    Parameters
    ----------
    logits : array_like of shape (batch, time, vocabulary)
        What a model makes of the inputs: of each the context and the continuation without its last token, padded to
        one length. float16, bfloat16, float32 or float64.
    continuations : sequence of sequences of int
        The tokens of each continuation, which the last logits of its input are of.
    lengths : sequence of int, optional
        How many tokens of each input are no padding on its right. By default there is none.
    num_threads : int, optional
        As for calling a loss.

    Returns
    -------
    list of tuple of float and bool
        What ``_loglikelihood_tokens`` of the harness's models returns: the sum of the log-probabilities of a
        continuation's tokens, and whether each of them is that of the largest logit.

    See Also
    --------
    HFLM : The harness's model of a Hugging Face model.
    fastloss.sequence_logprobs : Sequences that are not the ends of inputs.

    Notes
    -----
    The logits of continuations are read once, those of contexts and padding not at all, and no memory of their size is
    needed.

    Examples
    --------
    >>> import numpy as np
    >>> from fastloss.integrations.lm_eval import loglikelihoods
    >>> logits = np.log([[[0.5, 0.5], [0.25, 0.75]], [[0.75, 0.25], [0.5, 0.5]]])
    >>> first, second = loglikelihoods(logits, [[0, 1], [1]], [2, 1])
    >>> first == (np.log(0.5) + np.log(0.75), True), second == (np.log(0.25), False)
    (True, True)
    """
    array = as_array(OWNER, "logits", logits)
    if array.ndim != 3:
        raise ValueError(f"{OWNER}: logits has shape {array.shape}, must be (batch, time, vocabulary)")
    batch, time, vocabulary = array.shape
    ends = np.full(batch, time) if lengths is None else as_array(OWNER, "lengths", lengths)
    if ends.size and ends.dtype.kind not in "iu":
        raise TypeError(f"{OWNER}: lengths has dtype {ends.dtype}, must be of integers")
    for name, shape in (("continuations", (len(continuations),)), ("lengths", ends.shape)):
        if shape != (batch,):
            raise ValueError(f"{OWNER}: {name} has shape {shape}, must be {(batch,)}, one for each of the inputs")
    targets = np.full((batch, time), IGNORED)
    for i, (continuation, end) in enumerate(zip(continuations, ends, strict=True)):
        tokens = _tokens(i, continuation, vocabulary)
        if not len(tokens) <= end <= time:
            rule = f"from the {len(tokens)} tokens of its continuation to the {time} of the logits"
            raise ValueError(f"{OWNER}: lengths[{i}] is {end}, must be {rule}")
        targets[i, end - len(tokens) : end] = tokens
    scores = sequence_logprobs(array, targets, ignore_index=IGNORED, num_threads=num_threads)
    return list(zip(scores.logprob.tolist(), scores.greedy.tolist(), strict=True))


def _tokens(i: int, continuation: Sequence[int], vocabulary: int) -> NDArray[np.int64]:
    """The tokens of a continuation, all of the vocabulary."""
    tokens = as_array(OWNER, f"continuations[{i}]", continuation)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        what = f"shape {tokens.shape} and dtype {tokens.dtype}"
        raise TypeError(f"{OWNER}: continuations[{i}] has {what}, must be a sequence of integers")
    outside = np.flatnonzero((tokens < 0) | (tokens >= vocabulary))
    if outside.size:
        token = tokens[outside[0]]
        raise IndexError(f"{OWNER}: continuations[{i}][{outside[0]}] is {token}, must be from 0 to {vocabulary - 1}")
    return tokens.astype(np.int64)


def __getattr__(name: str) -> Any:
    if name != "HFLM":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from fastloss.integrations._hflm import HFLM
    except ImportError as error:
        raise ImportError("HFLM needs lm_eval: pip install 'fastloss[lm_eval]'") from error
    return HFLM


def main() -> None:
    """Run the harness's command with its arguments, which may name the model "fastloss"."""
    __getattr__("HFLM")
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()


if __name__ == "__main__":
    main()
