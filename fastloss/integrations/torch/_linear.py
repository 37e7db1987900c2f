"""A loss of a linear layer as a loss of arrays: those of the layer, and its targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from fastloss._core.loss import Loss, require_loss
from fastloss._core.multi_input import MultiInputLoss
from fastloss._core.runtime import GRAD
from fastloss._core.signature import NUMBER, ROW, Argument, Signature
from fastloss.composition.linear_layer import CHUNK_BYTES, LinearGrads, layer_of


class _LinearLayer(MultiInputLoss):
    """A loss of the rows of ``hidden @ weight.T + bias``, under the name of the function that it is called by.

    Only the gradients that are `wanted` are computed; `parameters` take the place of the loss's own.
    """

    signature = Signature(
        (Argument("targets", (NUMBER, ROW)),),
        (
            Argument("hidden", (("feature",),)),
            Argument("weight", (("class", "feature"),), shared=True),
            Argument("bias", (("class",),), keyword=True, shared=True),
        ),
    )
    scores = "embeddings"
    gradients = LinearGrads
    loss: ClassVar[Loss]
    owner: ClassVar[str]
    wanted: ClassVar[tuple[str, ...]]

    def __init__(self, loss: Loss, owner: str, wanted: Iterable[str] = LinearGrads._fields, **parameters: Any) -> None:
        require_loss(owner, loss)
        loss = type(loss)(**loss.parameters() | parameters) if parameters else loss
        own = {"loss": loss, "owner": owner, "wanted": tuple(wanted), "_spec": replace(loss._spec, owner=owner)}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def parameters(self) -> dict[str, Any]:
        return {"loss": self.loss, "owner": self.owner, "wanted": self.wanted}


class LayerEvaluation:
    """A call of it, which only the reduction completes."""

    def __init__(self, loss: _LinearLayer, arrays: Sequence[Any], sample_weight: Any, mask: Any, *_: Any) -> None:
        targets, hidden, weight, bias = arrays
        self._call = partial(layer_of, loss.owner, loss.loss, hidden, weight, targets, bias, sample_weight, mask)
        self._wanted = loss.wanted

    def reduced(
        self, operation: int, reduction: str, out: Any = None, grad_out: Any = None, **_: Any
    ) -> tuple[Any, LinearGrads | None, None]:
        """The value and, if asked for, the gradients, in room for them where there is."""
        layer = self._call(reduction, CHUNK_BYTES, None)
        value, grads = layer.value_and_grad(self._wanted) if operation & GRAD else (layer.value(), None)
        if out is not None:
            np.copyto(out, value)
        if grads is None or grad_out is None:
            return value, grads, None
        rooms = dict(zip(LinearGrads._fields, grad_out, strict=False))
        for name, room in rooms.items():
            if room is not None:
                np.copyto(room, getattr(grads, name))
        return value, grads._replace(**rooms), None


_LinearLayer._evaluation = LayerEvaluation  # type: ignore[assignment]
