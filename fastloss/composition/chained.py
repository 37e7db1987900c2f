"""A loss of what the last layer of a network makes of its logits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastloss._core.evaluation import NARROW, Evaluation, Floats, Specification
from fastloss._core.loss import Loss, Scores, require_loss
from fastloss._core.operands import as_array, operand, output, readable
from fastloss._core.parameters import ANY, Domain
from fastloss._core.runtime import FLOAT16, GRAD, HESS, SWAPPED
from fastloss._core.signature import Shape, Signature
from fastloss._core.sums import composed

Layer: TypeAlias = Literal["sigmoid", "softmax"]
PIECE = 1 << 18  # logits whose chain rule is computed at a time


class Chained(Loss):
    r"""A loss of the sigmoid or the softmax of logits, with its derivatives in these.

    With :math:`p = \sigma(z)`, or :math:`p_k = e^{z_k} / \sum_j e^{z_j}`, and the slopes :math:`g` of the loss in
    :math:`p`,

    .. math::

        \ell = \ell_0(y, p)
        \qquad \frac{\partial \ell}{\partial z} = g\, p (1 - p)
        \qquad \frac{\partial \ell}{\partial z_k} = p_k \Bigl(g_k - \sum_j g_j p_j\Bigr)

    Parameters
    ----------
    loss : Loss
        Of values between 0 and 1: for the sigmoid one of single elements, for the softmax one of elements or of rows
        along the last axis.
    layer : {"sigmoid", "softmax"}
        What makes the loss's predictions of the logits.

    See Also
    --------
    BinaryCrossEntropyWithLogits : The cross-entropy of a sigmoid, which is exact where the sigmoid is 0 or 1.
    CrossEntropy : That of a softmax.
    LinearObjective : A loss, also one that is chained, of a linear layer.
    linear_loss : A loss of rows of a linear layer with several outputs.

    Notes
    -----
    Domain: that of the loss, whose predictions must lie in it wherever they are between 0 and 1; `y_pred` is any real
    number.

    With a sigmoid the loss is still one kernel: the sigmoid, the formula and the chain rule are passes over a block of
    elements in first-level cache, and `grad_and_hess`, `LinearObjective` and the boosters take it as any other. With a
    softmax there is no `grad_and_hess`, and the probabilities are held once.

    Numerics: a sigmoid within half a unit in the last place of 1 is 1, and so is a probability. The derivative is 0
    where the layer is flat in its type, even where the loss's own is infinite there.

    References
    ----------
    .. [1] M. Nielsen, "Neural networks and deep learning", chapter 3, Determination Press, 2015: why a sigmoid under a
       squared error learns slowly.

    Examples
    --------
    >>> import fastloss as fl
    >>> quadratic_cost = fl.Chained(fl.SquaredError(half=True), "sigmoid")
    >>> value, grad = quadratic_cost.value_and_grad([0.0], [2.0])
    >>> round(value, 6), grad.round(6)
    (0.387902, array([0.092478]))
    """

    loss: ClassVar[Loss]
    layer: ClassVar[Layer]

    def __init__(self, loss: Loss, layer: Layer) -> None:
        owner = type(self).__name__
        require_loss(owner, loss)
        if layer not in ("sigmoid", "softmax"):
            raise ValueError(f"{owner}: layer is {layer!r}, must be one of 'sigmoid', 'softmax'")
        plain = loss._evaluation is Evaluation and loss.signature.single
        if layer == "sigmoid" and not plain:
            raise TypeError(f"{owner}: loss is {loss!r}, must be one of single elements to be of a sigmoid")
        if layer == "softmax" and not (plain or (loss.signature.rowwise and loss.parameters()["axis"] == -1)):
            raise TypeError(f"{owner}: loss is {loss!r}, must be one of elements or of rows along the last axis")
        domain = loss.domains()[1]
        if domain.low > 0 or domain.high < 1:
            raise ValueError(f"{owner}: loss is {loss!r}, whose predictions must be {domain}, not between 0 and 1")
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "layer", layer)
        object.__setattr__(self, "_spec", self._specified())

    def _specified(self) -> Specification:
        if self.layer == "softmax":
            return self.loss._spec
        return composed(repr(self), ((1.0, self.loss),), self.domains(), of_sigmoid=True)

    def domains(self) -> tuple[Domain, Domain, Domain]:
        return self.loss.domains()[0], ANY, ANY

    @property
    def _separate(self) -> bool:
        return self.layer == "sigmoid" or self.signature.rowwise  # a softmax has all logits of a row in each number

    def parameters(self) -> dict[str, Any]:
        return {"loss": self.loss, "layer": self.layer}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.loss, self.layer)

    @property
    def signature(self) -> Signature:  # type: ignore[override]
        return self.loss.signature

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        return self.loss._core_axes(core, ndim)

    @property
    def scores(self) -> Scores:  # type: ignore[override]
        return "logits"

    @property
    def hessian_approximation(self) -> Any:  # type: ignore[override]
        return "floored"

    @property
    def _evaluation(self) -> Any:  # type: ignore[override]
        return Evaluation if self.layer == "sigmoid" else SoftmaxEvaluation

    def _outlined(self, arrays: Sequence[Any], *options: Any) -> Any:
        # That of the loss has the same shapes, and no softmax is computed of what stands for logits.
        return super()._outlined(arrays, *options) if self.layer == "sigmoid" else self.loss._outlined(arrays, *options)


class SoftmaxEvaluation:
    """A call of a loss of a softmax: that of its probabilities, and the chain rule."""

    def __init__(self, loss: Chained, y_true: ArrayLike | None, y_pred: ArrayLike, *options: Any, **named: Any) -> None:
        owner = type(loss).__name__
        given = as_array(owner, "y_pred", y_pred)
        array, code = operand(owner, "y_pred", given)
        logits = readable(array, code)
        if not logits.ndim:
            raise ValueError(f"{owner}: y_pred has shape (), must have an axis of classes")
        self._logits = logits
        self._dtype = given.dtype.newbyteorder("=") if code & ~SWAPPED >= FLOAT16 else np.dtype(np.float64)
        wide = np.float32 if code in NARROW else np.float64
        self._probabilities = np.empty(logits.shape, wide)
        with np.errstate(all="ignore"):
            for rows in self._pieces():
                x = logits[rows].astype(wide)
                x -= x.max(axis=-1, keepdims=True)
                np.exp(x, out=x)
                np.divide(x, x.sum(axis=-1, keepdims=True), out=self._probabilities[rows])
        self._call = loss.loss._evaluation(loss.loss, y_true, self._probabilities, *options, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)  # no loss depends on what made its predictions

    def reduced(
        self, operation: int, reduction: str, out: Floats | None = None, grad_out: Floats | None = None,
        hess_out: Floats | None = None, **options: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        """What was asked for of value and gradient, else None."""
        if operation & HESS:
            raise ValueError(f"{self._call.owner}: there is no grad_and_hess of a softmax, the Hessian is not diagonal")
        if operation & GRAD and grad_out is None:
            grad_out = np.empty(self._logits.shape, self._dtype)
        elif operation & GRAD:
            output(self._call.owner, "grad_out", grad_out, self._logits.shape)
        value, grad, _ = self._call.reduced(operation, reduction, out, **options)
        if grad_out is None:
            return value, None, None
        with np.errstate(all="ignore"):
            for rows in self._pieces():
                p, g = self._probabilities[rows], grad[rows]
                g[p == 0] = 0
                g -= (g * p).sum(axis=-1, keepdims=True)
                np.multiply(g, p, out=grad_out[rows], casting="unsafe")
        return value, grad_out, None

    def _pieces(self) -> Iterator[slice]:
        """Rows whose logits stay in a cache while NumPy goes through them."""
        x = self._logits
        step = max(1, PIECE // max(1, math.prod(x.shape[1:])))
        yield from (slice(first, first + step) for first in range(0, len(x), step))
