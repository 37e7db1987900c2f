"""Losses as those of Keras 3, on any of its backends that train on a CPU.

`KerasLoss` is a ``keras.losses.Loss``: it goes into ``compile``, takes the names of Keras's reductions and Keras's
weights and masks, and is saved with a model. A loss that Keras has as well is the same number under every reduction:

* ``Huber(delta=d)`` is ``keras.losses.Huber(delta=d)``, ``LogCosh()`` is ``LogCosh()``, ``SquaredError()`` is
  ``MeanSquaredError()``, ``AbsoluteError()`` is ``MeanAbsoluteError()``;
* ``BinaryCrossEntropyWithLogits()`` is ``BinaryCrossentropy(from_logits=True)``;
* ``CrossEntropy()`` is ``SparseCategoricalCrossentropy(from_logits=True)`` of labels, and
  ``CategoricalCrossentropy(from_logits=True)`` of distributions.

As with Keras's own a sample has the mean of the losses along the last axis, where the loss is one of single numbers,
and Keras weighs, masks and reduces the samples' losses. It converts targets and predictions to `dtype` first.

JAX's backend and PyTorch's train in every mode; compiled, PyTorch leaves the graph for the loss. TensorFlow's trains
with ``compile(..., jit_compile=False)``, as XLA has no calls to Python there. NumPy's, which cannot train, has values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import Any, Self, TypeAlias

import numpy as np

from fastloss import Chained, Loss, WeightedSum, registry
from fastloss._core.evaluation import Array
from fastloss._core.extras import missing
from fastloss._core.loss import require_loss
from fastloss._core.operands import as_array
from fastloss.integrations._calls import Call, groups_of_regions

try:
    import keras
except ImportError as error:
    raise missing("fastloss.integrations.keras", "Keras 3", "keras") from error

__all__ = ["KerasLoss"]

Losses: TypeAlias = Callable[[Loss, Any, Any], Any]
EXACT = {"float16": 2**11, "bfloat16": 2**8}  # up to which whole numbers are


@keras.saving.register_keras_serializable(package="fastloss")
class KerasLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """A loss for Keras.

    Parameters
    ----------
    loss : Loss
        A loss of targets and predictions, or a sum of such, that is a mean over samples; of regions with
        ``groups="image"``.
    reduction : {"sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"} or None
        As Keras has it: the sum of the samples' weighted losses over the number of samples, the same, over the sum of
        weights, the sum, or each.
    name : str, optional
        The name in Keras's logs; by default that of the loss's function.
    dtype : str or keras.DTypePolicy, optional
        What targets and predictions are converted to; by default ``keras.config.floatx()``.

    See Also
    --------
    fastloss.integrations.jax.loss_fn : The same for programs in JAX alone.

    Examples
    --------
    >>> import keras
    >>> import fastloss as fl
    >>> from fastloss.integrations.keras import KerasLoss
    >>> loss = KerasLoss(fl.Huber(delta=2.0), reduction="sum")
    >>> float(loss([[0.0], [1.0]], [[1.0], [6.0]], sample_weight=[1.0, 0.5]))
    4.5

    Training with it::

        model.compile(optimizer="adam", loss=KerasLoss(fl.CrossEntropy(label_smoothing=0.1)))
    """

    def __init__(
        self,
        loss: Loss,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        owner = type(self).__name__
        require_loss(owner, loss)
        if loss.signature.names != ("y_true", "y_pred") or not loss.signature.additive:
            hint = "; groups='image' makes it one" if groups_of_regions(loss) else ""
            raise TypeError(f"{owner}: loss is {loss!r}, must be a mean over samples, of targets and predictions{hint}")
        if groups_of_regions(loss) - {"image"}:
            raise TypeError(f"{owner}: loss is {loss!r}, must have groups='image', a loss for each sample")
        backend = keras.config.backend()
        if backend not in BACKENDS:
            known = ", ".join(map(repr, BACKENDS))
            raise RuntimeError(f"{owner}: Keras's backend is {backend!r}, must be one of {known}")
        super().__init__(name=name or getattr(loss, "function_name", None), reduction=reduction, dtype=dtype)
        self.loss = loss
        self._losses = BACKENDS[backend]()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the losses of samples, which Keras weighs and reduces.

        Parameters
        ----------
        y_true, y_pred : tensor
            Targets and predictions. Targets may have an axis of length 1 too many, or too few.

        Returns
        -------
        tensor
            The loss of each sample, or of each of its places along further axes.
        """
        y_true, y_pred = map(keras.ops.convert_to_tensor, (y_true, y_pred))
        y_true = _fitted(self.loss, y_true, y_pred)
        if self.loss.signature.labels and len(y_true.shape) < len(y_pred.shape) and self.dtype in EXACT:
            rule = f"float32 or wider for labels of classes, which it holds exactly up to {EXACT[self.dtype]} only"
            raise ValueError(f"{type(self).__name__}: dtype is {self.dtype!r}, must be {rule}")
        losses = self._losses(self.loss, y_true, y_pred)
        of_numbers = self.loss.signature.single or self.loss.signature.losses
        return keras.ops.mean(losses, axis=-1) if of_numbers and len(losses.shape) > 1 else losses

    def get_config(self) -> dict[str, Any]:
        """The parameters, as Keras saves them with a model.

        Returns
        -------
        dict
            Of which `from_config` makes an equal loss.
        """
        config: dict[str, Any] = super().get_config()
        return config | {"loss": _described(self.loss), "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a loss of what `get_config` returned.

        Parameters
        ----------
        config : dict
            The parameters.

        Returns
        -------
        KerasLoss
            The loss.
        """
        return cls(**config | {"loss": _made(config["loss"])})


def _fitted(loss: Loss, y: Any, x: Any) -> Any:
    """Targets with an axis of length 1 where predictions have one, and without where only targets do."""
    if loss.signature.single and len(y.shape) == len(x.shape) - 1 and x.shape[-1] == 1:
        return keras.ops.expand_dims(y, axis=-1)
    lacking = len(y.shape) > len(x.shape) or (not loss.signature.single and x.shape[-1] != 1)
    return keras.ops.squeeze(y, axis=-1) if lacking and y.shape and y.shape[-1] == 1 else y


def _described(loss: Loss) -> dict[str, Any]:
    match loss:
        case WeightedSum():
            return {"terms": [[factor, _described(term)] for factor, term in loss.terms]}
        case Chained():
            return {"loss": _described(loss.loss), "layer": loss.layer}
    parameters = {name: list(one) if isinstance(one, tuple) else one for name, one in loss.parameters().items()}
    return {"function": loss.function_name, "parameters": parameters}


def _made(described: dict[str, Any]) -> Loss:
    match described:
        case {"terms": terms}:
            made: Loss = sum(factor * _made(term) for factor, term in terms)
            return made
        case {"loss": loss, "layer": layer}:
            return Chained(_made(loss), layer)
    return registry[described["function"]](**described["parameters"])


# Backends -------------------------------------------------------------------------------------------


def _values(loss: Loss, y: Array, x: Array) -> Array:
    return loss(y, x, reduction="none")


def _call(loss: Loss, y: Array, x: Array) -> Call:
    return Call.of(loss, {"y_true": y, "y_pred": x}, "none")


def _write_gradient(loss: Loss, y: Array, x: Array, factors: Array, grad: Array) -> Array:
    """Write the gradient of the sum of the losses times factors."""
    _call(loss, y, x).pull_back([y, x], factors, [grad])
    return grad


def _of_numpy() -> Losses:
    return _values


def _of_jax() -> Losses:
    from fastloss.integrations.jax import loss_fn

    return lambda loss, y, x: loss_fn(loss)(y, x, reduction="none")


@cache
def _of_torch() -> Losses:
    torch: Any = import_module("torch")  # without its types, which are incomplete

    def viewed(**tensors: Any) -> list[Array]:
        return [as_array("KerasLoss", name, tensor.detach()) for name, tensor in tensors.items()]

    class Gradient(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, loss: Loss, y: Any, x: Any, factors: Any) -> Any:
            ctx.loss = loss
            grad = torch.empty_like(x, memory_format=torch.contiguous_format)
            _write_gradient(loss, *viewed(y_true=y, y_pred=x, factors=factors, grad=grad))
            return grad

        @staticmethod
        def backward(ctx: Any, *factors: Any) -> Any:
            raise TypeError(f"{type(ctx.loss).__name__}: there is no second derivative")

    class Value(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, loss: Loss, y: Any, x: Any) -> Any:
            ctx.loss = loss
            ctx.save_for_backward(y, x)
            return torch.from_numpy(_values(loss, *viewed(y_true=y, y_pred=x)))

        @staticmethod
        def backward(ctx: Any, factors: Any) -> tuple[None, None, Any]:
            return None, None, Gradient.apply(ctx.loss, *ctx.saved_tensors, factors)

    def losses(loss: Loss, y: Any, x: Any) -> Any:
        if y.requires_grad:
            raise TypeError(
                f"{type(loss).__name__}: there is no derivative in y_true, must be constant: y_true.detach()"
            )
        return Value.apply(loss, y, x)

    found: Losses = torch.compiler.disable(losses)
    return found


@cache
def _of_tensorflow() -> Losses:
    tf: Any = import_module("tensorflow")

    def losses(loss: Loss, y: Any, x: Any) -> Any:
        outlines = [np.empty([1 if length is None else length for length in one.shape], np.int8) for one in (y, x)]
        axes, dtype = len(_call(loss, *outlines).shape), tf.float64 if x.dtype == tf.float64 else tf.float32

        def of_predictions(x: Any) -> Any:
            def computed(y: Array, x: Array, factors: Array) -> Array:
                return _write_gradient(loss, y, x, factors, np.empty(x.shape, x.dtype))

            def gradient(factors: Any) -> Any:
                grad = tf.numpy_function(computed, [y, x, factors], x.dtype)
                grad.set_shape(x.shape)
                return grad

            values = tf.numpy_function(partial(_values, loss), [y, x], dtype)
            values.set_shape([None] * axes)
            return values, gradient

        return tf.custom_gradient(of_predictions)(x)

    return losses


BACKENDS: dict[str, Callable[[], Losses]] = {
    "jax": _of_jax,
    "torch": _of_torch,
    "tensorflow": _of_tensorflow,
    "numpy": _of_numpy,
}
