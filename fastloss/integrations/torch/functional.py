"""The losses of `torch.nn.functional`, argument for argument: a program changes one import.

``from fastloss.integrations.torch import functional as F`` takes the place of ``from torch.nn import functional as F``
for losses of tensors on the CPU; what is no loss, such as ``F.relu``, is PyTorch's own. The gradient is computed with
the value, in one pass, where an input requires one.

What differs: targets may be of any real type; what lies outside a loss's domain is refused by name, as are weights that
are negative; there is no gradient in weights, nor in targets but for `mse_loss`, `l1_loss`, `smooth_l1_loss` and
`huber_loss`; results are of the type of the predictions, whatever that of the targets. Where nothing counts a mean is
NaN with a warning, and its gradient 0. Numbers are those of PyTorch to rounding, or nearer to what is exact. Errors are
those of the losses, which call the input `y_pred` and the target `y_true`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

import fastloss as fl
from fastloss.integrations.torch import _layer
from fastloss.integrations.torch._functions import function_of

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss",
    "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy",
    "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip

# The losses, made here and not where they are called, which `torch.compile` follows.
_absolute_error = function_of(fl.AbsoluteError)
_binary_cross_entropy = function_of(fl.BinaryCrossEntropy)
_binary_cross_entropy_with_logits = function_of(fl.BinaryCrossEntropyWithLogits)
_cosine_embedding = function_of(fl.CosineEmbedding)
_cross_entropy = function_of(fl.CrossEntropy)
_ctc = function_of(fl.CTC)
_forward_kl = function_of(fl.ForwardKL)
_gaussian_nll = function_of(fl.GaussianNLL)
_hinge_embedding = function_of(fl.HingeEmbedding)
_huber = function_of(fl.Huber)
_margin_ranking = function_of(fl.MarginRanking)
_multi_margin = function_of(fl.MultiMargin)
_multilabel_margin = function_of(fl.MultilabelMargin)
_negative_log_likelihood = function_of(fl.NegativeLogLikelihood)
_poisson_nll = function_of(fl.PoissonNLL)
_smooth_l1 = function_of(fl.SmoothL1)
_soft_margin = function_of(fl.SoftMargin)
_squared_error = function_of(fl.SquaredError)
_triplet_margin = function_of(fl.TripletMargin)

Function: TypeAlias = Callable[..., Tensor]
_F = TypeVar("_F", bound=Function)

RETURNS = """

The arguments are those of ``torch.nn.functional.{name}``.

Returns
-------
Tensor
    The reduced loss, or for "none" the losses, of the type of the input; under autocast float32, as PyTorch has it.
"""


def _documented(function: _F) -> _F:
    if function.__doc__:  # None under python -OO
        function.__doc__ = function.__doc__.rstrip() + RETURNS.format(name=function.__name__)
    return function


def __getattr__(name: str) -> Any:
    """What is no loss is PyTorch's own."""
    return getattr(torch.nn.functional, name)


# What the functions share -----------------------------------------------------------------------------


def _reduction(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> Any:
    """The reduction, by the arguments that PyTorch deprecates where these are given."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=3,
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _by_count(reduction: Any, weight: Tensor | None) -> Any:
    """The mean of PyTorch where weights are not part of its divisor."""
    return "batch_mean" if reduction == "mean" and weight is not None else reduction


def _typed(loss: Tensor, given: Tensor) -> Tensor:
    """The loss in PyTorch's type."""
    if given.dtype in (torch.float16, torch.bfloat16) and not torch.is_autocast_enabled("cpu"):
        return loss.to(given.dtype)
    return loss


def _alike(*tensors: Tensor) -> Sequence[Tensor]:
    """The tensors in one shape."""
    first = tensors[0].shape
    return tensors if all(tensor.shape == first for tensor in tensors) else torch.broadcast_tensors(*tensors)


def _weighted(weight: Tensor | None) -> dict[str, Any]:
    return {} if weight is None else {"sample_weight": weight}


def _residual(
    function: Function, input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, **parameters: Any
) -> Tensor:
    """A loss of the difference of both, which has a gradient in either."""
    x, y = input, target
    if y.shape != x.shape:
        warnings.warn(
            f"Using a target size ({y.size()}) that is different to the input size ({x.size()}). This will likely lead"
            " to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
        x, y = torch.broadcast_tensors(x, y)
    if weight is not None and weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    if y.requires_grad and torch.is_grad_enabled():
        x = x - y
        y = x.new_zeros(()).expand_as(x)
    return _typed(function(y, x, reduction=reduction, **_weighted(weight), **parameters), input)


def _classes(input: Tensor) -> int:
    """The axis of the classes."""
    return 1 if input.ndim > 1 else 0


# Of values --------------------------------------------------------------------------------------------


@_documented
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Compute the squared error, by `SquaredError`."""
    return _residual(_squared_error, input, target, weight, _reduction(reduction, size_average, reduce))


@_documented
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Compute the absolute error, by `AbsoluteError`."""
    return _residual(_absolute_error, input, target, weight, _reduction(reduction, size_average, reduce))


@_documented
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Compute the absolute error that is quadratic near 0, by `SmoothL1`."""
    reduction = _reduction(reduction, size_average, reduce)
    if beta == 0:
        return _residual(_absolute_error, input, target, None, reduction)
    return _residual(_smooth_l1, input, target, None, reduction, beta=beta)


@_documented
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Compute the squared error that is linear far from 0, by `Huber`."""
    return _residual(_huber, input, target, weight, _by_count(_reduction(reduction), weight), delta=delta)


@_documented
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the negative log-likelihood of a Poisson distribution, by `PoissonNLL`."""
    y, x = _alike(target, input)
    reduction = _reduction(reduction, size_average, reduce)
    return _typed(_poisson_nll(y, x, log_input=log_input, full=full, eps=eps, reduction=reduction), input)


@_documented
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Compute the negative log-likelihood of a normal distribution, by `GaussianNLL`.

    Mean and variance are copied to one tensor. The gradient in a variance below `eps` is 0, that of the loss.
    """
    reduction = _reduction(reduction)
    if not isinstance(var, Tensor):
        var = torch.full_like(input, var)
    elif var.shape != input.shape:
        differing = [k for k, (n, m) in enumerate(zip(input.shape, var.shape, strict=False)) if n != m]
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or len(differing) != 1 or var.shape[differing[0]] != 1:
            raise ValueError("var is of incorrect size")
    y, mean, var = _alike(target, input, var)
    pair = torch.stack((mean, var), -1)
    return _typed(_gaussian_nll(y, pair, full=full, eps=eps, reduction=reduction), input)


# Of two classes ---------------------------------------------------------------------------------------


@_documented
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the cross-entropy of probabilities, by `BinaryCrossEntropy` with logarithms of at least -100."""
    return _binary(
        _binary_cross_entropy, input, target, weight, _reduction(reduction, size_average, reduce), log_clamp=-100
    )


@_documented
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Compute the cross-entropy of logits, by `BinaryCrossEntropyWithLogits`.

    With one positive weight it is a parameter of the loss; several make weights and targets of the size of the input.
    """
    function, reduction = _binary_cross_entropy_with_logits, _reduction(reduction, size_average, reduce)
    if pos_weight is None:
        return _binary(function, input, target, weight, reduction)
    if pos_weight.numel() == 1:
        return _binary(function, input, target, weight, reduction, pos_weight=pos_weight.reshape(()))
    # As much as weights of the loss: p y log s + (1 - y) log (1 - s) is w (t log s + (1 - t) log (1 - s)) with
    # w = p y + (1 - y) and t = p y / w.
    positive = pos_weight * target
    scale = positive + (1 - target)
    share = torch.where(scale == 0, 0, positive / scale)
    return _binary(function, input, share, scale if weight is None else scale * weight, reduction)


def _binary(
    function: Function,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    **parameters: Any,
) -> Tensor:
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    if weight is not None:
        weight = weight.expand_as(input)
    reduction = _by_count(reduction, weight)
    return _typed(function(target, input, reduction=reduction, **_weighted(weight), **parameters), input)


@_documented
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the logistic loss of labels -1 and 1, by `SoftMargin`."""
    return _typed(_soft_margin(target, input, reduction=_reduction(reduction, size_average, reduce)), input)


@_documented
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the loss of a distance of pairs that match or do not, by `HingeEmbedding`."""
    y, x = _alike(target, input)
    reduction = _reduction(reduction, size_average, reduce)
    return _typed(_hinge_embedding(y, x, margin=margin, reduction=reduction), input)


@_documented
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the hinge loss of a difference of scores, by `MarginRanking`.

    The scores are copied to one tensor.
    """
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1:"
            f" {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    y, first, second = _alike(target, input1, input2)
    reduction = _reduction(reduction, size_average, reduce)
    pair = torch.stack((first, second), -1)
    return _typed(_margin_ranking(y, pair, margin=margin, reduction=reduction), input1)


# Of several classes -----------------------------------------------------------------------------------


@_documented
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute the cross-entropy of logits of classes, by `CrossEntropy`."""
    reduction = _reduction(reduction, size_average, reduce)
    return _rows(_cross_entropy, input, target, weight, reduction, ignore_index, label_smoothing=label_smoothing)


@_documented
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the negative log-likelihood of classes, by `NegativeLogLikelihood`."""
    reduction = _reduction(reduction, size_average, reduce)
    return _rows(_negative_log_likelihood, input, target, weight, reduction, ignore_index)


def _rows(
    function: Function,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    ignore_index: int,
    **parameters: Any,
) -> Tensor:
    if target.shape == input.shape:  # probabilities
        reduction = _by_count(reduction, weight)
    if weight is not None:
        parameters["class_weight"] = weight
    parameters |= {"axis": _classes(input), "ignore_index": ignore_index}
    return _typed(function(target, input, reduction=reduction, **parameters), input)


@_documented
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the margin loss of classes, by `MultiMargin`."""
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    reduction = _by_count(_reduction(reduction, size_average, reduce), weight)
    parameters: dict[str, Any] = {} if weight is None else {"class_weight": weight}
    target = target.reshape(input.shape[:-1])
    found = _multi_margin(target, input, p=p, margin=margin, ignore_index=None, reduction=reduction, **parameters)
    return _typed(found, input)


@_documented
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the margin loss of several labels, by `MultilabelMargin`.

    The indices, up to the first that is negative, are turned to a label of each class, so that one that is there twice
    counts once.
    """
    reduction, classes = _reduction(reduction, size_average, reduce), input.shape[-1]
    counted = (target < 0).cumsum(-1) == 0
    labels = target.new_zeros((*input.shape[:-1], classes + 1), dtype=torch.uint8)
    labels = labels.scatter(-1, torch.where(counted, target, classes).long(), 1)[..., :-1]
    return _typed(_multilabel_margin(labels, input, reduction=reduction), input)


@_documented
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the mean over the classes of the cross-entropy of each, by `BinaryCrossEntropyWithLogits`."""
    reduction = _reduction(reduction, size_average, reduce)
    found = _binary_cross_entropy_with_logits(
        *_alike(target, input),
        reduction=_by_count(reduction, weight),
        **_weighted(None if weight is None else weight.expand_as(input)),
    )
    if reduction != "mean":
        found = found.mean(-1) if reduction == "none" else found / input.shape[-1]
    return _typed(found, input)


@_documented
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Compute the divergence of logarithms of probabilities from a target, by `ForwardKL`."""
    if size_average is not None or reduce is not None:
        reduction = _reduction(reduction, size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides"
            " only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the"
            " same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    elif reduction != "batchmean":
        reduction = _reduction(reduction)
    y, x = _alike(target, input)
    divergence = _forward_kl
    parameters: dict[str, Any] = {"scores": "log_probabilities", "log_target": log_target}
    if reduction == "none":
        return _typed(divergence(y.unsqueeze(-1), x.unsqueeze(-1), reduction="none", **parameters), input)
    number = {"mean": x.numel(), "batchmean": input.shape[0] if input.ndim else 1, "sum": 1}[reduction]
    rows = (y, x) if x.numel() and x.ndim else (y.reshape(-1, 1), x.reshape(-1, 1))
    return _typed(divergence(*rows, reduction="sum", **parameters) / number, input)


# Of vectors -------------------------------------------------------------------------------------------


@_documented
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the loss of the cosine of pairs that belong together or do not, by `CosineEmbedding`."""
    left, right = _alike(input1, input2)
    reduction = _reduction(reduction, size_average, reduce)
    return _typed(_cosine_embedding(target, left, right, margin=margin, reduction=reduction), input1)


@_documented
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute the loss of an anchor's distances, by `TripletMargin`."""
    _require_margin(margin)
    reduction = _reduction(reduction, size_average, reduce)
    found = _triplet_margin(
        *_alike(anchor, positive, negative), margin=margin, p=p, eps=eps, swap=swap, reduction=reduction
    )
    return _typed(found, anchor)


@_documented
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Compute the loss of an anchor's distances, by `TripletMargin`; of other distances by `MarginRanking`."""
    if distance_function is None:
        return triplet_margin_loss(anchor, positive, negative, margin=margin, swap=swap, reduction=reduction)
    _require_margin(margin)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got:"
            f" anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    near, far = distance_function(anchor, positive), distance_function(anchor, negative)
    if swap:
        far = torch.minimum(far, distance_function(positive, negative))
    return margin_ranking_loss(far, near, torch.ones_like(near), margin=margin, reduction=reduction)


def _require_margin(margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


# Of sequences and layers ------------------------------------------------------------------------------


@_documented
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Compute the loss of sequences that are not aligned, by `CTC`.

    The gradient is that in any logarithms; through a ``log_softmax`` it is PyTorch's, whose own takes that for given.
    That of a target without alignment is 0.
    """
    reduction, sequences = _reduction(reduction), log_probs.shape[1:-1]
    found = _ctc(
        targets,
        log_probs,
        input_lengths=_lengths(input_lengths, sequences),
        target_lengths=_lengths(target_lengths, sequences),
        layout="TNC",
        scores="log_probabilities",
        blank=blank,
        zero_infinity=zero_infinity,
        per_label=reduction == "mean",
        reduction=reduction,
    )
    return _typed(found, log_probs)


def _lengths(given: Tensor | Sequence[int], shape: Sequence[int]) -> Tensor:
    return (given if isinstance(given, Tensor) else torch.tensor(given, device="cpu")).reshape(shape)


@_documented
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Compute the cross-entropy of a linear layer whose logits are never held.

    They are where the layer has further axes of outputs. `options`, which say how PyTorch divides its work, are not
    needed.
    """
    label = -100 if ignore_index is None else ignore_index
    mean: Any = _reduction(reduction)
    if linear_weight.ndim > 2:
        shape = (*input.shape[:-1], *linear_weight.shape[:-1])
        bias = None if linear_bias is None else linear_bias.reshape(-1)
        logits = torch.nn.functional.linear(input, linear_weight.flatten(0, -2), bias).reshape(shape)
        return cross_entropy(
            logits, target, weight, ignore_index=label, reduction=reduction, label_smoothing=label_smoothing
        )
    dense = target.shape == (*input.shape[:-1], linear_weight.shape[0])
    parameters: dict[str, Any] = {} if weight is None else {"class_weight": weight}
    found = _layer.linear_cross_entropy(
        input,
        linear_weight,
        target,
        linear_bias,
        reduction=_by_count(mean, weight) if dense else mean,
        ignore_index=label,
        label_smoothing=label_smoothing,
        **parameters,
    )
    return _typed(found, input)
