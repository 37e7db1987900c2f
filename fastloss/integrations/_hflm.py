"""The Hugging Face model of lm-evaluation-harness with a log-softmax of which only what is asked for is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from lm_eval.api.registry import register_model
from lm_eval.models import huggingface
from torch import Tensor
from torch.utils._pytree import tree_map

from fastloss._core.runtime import VALUE
from fastloss.rowwise.rows import RowEvaluation
from fastloss.rowwise.softmax import CrossEntropy

Function: TypeAlias = Callable[..., Any]

CROSS_ENTROPY = CrossEntropy(ignore_index=None)
SHAPES = (Tensor.shape.__get__, Tensor.dim)
VIEWS = (Tensor.__getitem__, Tensor.unbind, Tensor.unsqueeze, Tensor.expand, Tensor.chunk)


@register_model("fastloss")
class HFLM(huggingface.HFLM):  # type: ignore[misc]
    """The harness's model of a Hugging Face model, whose tokens are scored by fastloss where it runs on the CPU.

    It takes what the harness's own takes, and gives the same log-likelihoods to rounding: of each request the
    log-probability of its continuation and whether that is what greedy decoding yields.

    See Also
    --------
    loglikelihoods : The same pairs from the logits of a model of any library.

    Notes
    -----
    The harness takes the log-softmax of all logits of a batch, of which it needs the continuations' rows, and of these
    their largest numbers and those of the continuations' tokens. Here that is one pass over the continuations' rows,
    computed in float32 or better for logits of any type, and no memory of the logits' size is needed. A log-softmax in
    16 bits, the harness's default for such models, is less exact; ``softmax_dtype`` changes nothing here.

    What else a subclass may do with the log-softmax is done by PyTorch's own.

    Examples
    --------
    In place of the harness's own::

        from fastloss.integrations.lm_eval import HFLM

        lm_eval.simple_evaluate(HFLM(pretrained="gpt2", device="cpu"), tasks=["lambada_openai"])

    It is the harness's model "fastloss" once it is imported, as on the command line of
    ``python -m fastloss.integrations.lm_eval``, which is the harness's.
    """

    def _model_call(self, *args: Any, **kwargs: Any) -> Tensor:
        logits: Tensor = super()._model_call(*args, **kwargs)
        return logits.as_subclass(Logits) if logits.device.type == "cpu" else logits


class Logits(Tensor):  # type: ignore[misc]
    """Logits whose log-softmax waits until something is asked of it."""

    @classmethod
    def __torch_function__(cls, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.log_softmax and kwargs["dim"] == -1:
            return LogSoftmax.of(args[0].as_subclass(Tensor), kwargs["dtype"])
        return super().__torch_function__(func, types, args, kwargs or {})


class LogSoftmax(Tensor):  # type: ignore[misc]
    """The log-softmax of logits along their last axis, held as the logits.

    Some of its rows are held as the same rows of the logits. The largest number of each row and those that are gathered
    come from one pass over the logits. For anything else it is computed by PyTorch, and then stays so.
    """

    logits: Tensor
    softmax_dtype: torch.dtype | None
    known: tuple[Tensor, ...]  # the log-sum-exp of each row and the place of its largest logit, once asked for
    computed: Tensor | None

    @classmethod
    def of(cls, logits: Tensor, softmax_dtype: torch.dtype | None, *known: Tensor) -> LogSoftmax:
        made: LogSoftmax = logits.as_subclass(cls)
        made.logits, made.softmax_dtype, made.known, made.computed = logits, softmax_dtype, known, None
        return made

    @classmethod
    def __torch_function__(cls, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        found = None
        if args and isinstance(args[0], cls) and args[0].computed is None:
            found = args[0]._without_softmax(func, *args[1:], **options)
        return func(*tree_map(_computed, args), **tree_map(_computed, options)) if found is None else found

    def _without_softmax(self, func: Function, *args: Any, **options: Any) -> Any:
        """What does not need all numbers of the log-softmax; None for what does."""
        if func in SHAPES:
            return func(self.logits)
        if func in VIEWS:
            return self._viewed(func, *args, **options)
        if func is Tensor.argmax and options == {"dim": -1}:
            return self._sums()[1].squeeze(-1)
        if func is torch.gather and args[:1] == (self.logits.ndim - 1,) and not options:
            index = args[1]
            return self.logits.gather(-1, index) - self._sums()[0].gather(-1, torch.zeros_like(index))
        return None

    def _viewed(self, func: Function, *args: Any, **options: Any) -> Any:
        """The log-softmax of some of the rows; None where the view may be of parts of rows."""
        cuts = func is Tensor.__getitem__ and not isinstance(args[0], (int, slice))
        if cuts or (func is Tensor.expand and args[-1:] != (-1,)):
            return None
        views = func(self.logits, *args, **options)
        if not all(map(self._has_rows, [views] if isinstance(views, Tensor) else views)):
            return None
        known = [func(each, *args, **options) for each in self.known]
        if isinstance(views, Tensor):
            return self.of(views, self.softmax_dtype, *known)
        return tuple(self.of(view, self.softmax_dtype, *of_rows) for view, *of_rows in zip(views, *known, strict=True))

    def _has_rows(self, view: Tensor) -> bool:
        """Whether the last axis of a view is that of the logits."""
        whole, given = ((each.shape[-1:], each.stride()[-1:]) for each in (self.logits, view))
        return whole == given and whole[0] != (1,)

    def _sums(self) -> tuple[Tensor, ...]:
        if not self.known:
            rows = self.logits.shape[:-1]
            evaluation = RowEvaluation(CROSS_ENTROPY, np.broadcast_to(np.int8(0), rows), self.logits)
            lse, largest = evaluation.ask("lse", "argmax")
            evaluation.reduced(VALUE, "sum")
            self.known = tuple(torch.from_numpy(each).unsqueeze(-1) for each in (lse, largest.astype(np.int64)))
        return self.known


def _computed(given: Any) -> Any:
    """A log-softmax as PyTorch has it; anything else as it is."""
    if not isinstance(given, LogSoftmax):
        return given
    if given.computed is None:
        given.computed = F.log_softmax(given.logits, dim=-1, dtype=given.softmax_dtype)
    return given.computed
