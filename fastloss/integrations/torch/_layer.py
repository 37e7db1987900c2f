"""Losses of a linear layer, whose outputs are never held, as functions of tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastloss._core.evaluation import Reduction
from fastloss._core.functions import made
from fastloss._core.loss import Loss, require_loss
from fastloss._core.parameters import check_names
from fastloss.composition.linear_layer import LinearGrads
from fastloss.integrations.torch._interface import Interface
from fastloss.integrations.torch._linear import _LinearLayer
from fastloss.integrations.torch._text import described, text_of
from fastloss.language.linear_cross_entropy import OWNER, _CrossEntropy

INTERFACE = Interface.of(_LinearLayer(_CrossEntropy(), OWNER))


def linear_loss(
    loss: Loss,
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    *,
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Compute a loss of ``hidden @ weight.T + bias`` without holding these scores.

    Parameters
    ----------
    loss : Loss
        Of rows along the last axis, such as ``fl.SoftmaxFocal()``.
    hidden, weight, bias : Tensor
        The input of the layer and its parameters; those of 16 bits are copied to float32, which is computed in.
    targets, sample_weight, mask, reduction
        As for `fastloss.linear_loss`.

    Returns
    -------
    Tensor
        The reduced loss; for "none" that of each row.

    See Also
    --------
    linear_cross_entropy : The same of cross-entropy by its options.

    Examples
    --------
    >>> import torch
    >>> import fastloss as fl
    >>> from fastloss.integrations.torch import linear_loss
    >>> layer, hidden = torch.nn.Linear(3, 5), torch.ones(2, 3)
    >>> linear_loss(fl.SoftmaxFocal(), hidden, layer.weight, torch.tensor([0, 4]), layer.bias).backward()
    >>> layer.weight.grad.shape
    torch.Size([5, 3])
    """
    owner = "linear_loss"
    require_loss(owner, loss)
    arrays = {"targets": targets, "hidden": hidden, "weight": weight, "bias": bias}
    arrays |= {"sample_weight": sample_weight, "mask": mask}
    return _computed(owner, text_of(loss) if torch.compiler.is_compiling() else loss, arrays, reduction, {})


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    *,
    sample_weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
    **options: Any,
) -> Tensor:
    """Compute the cross-entropy of ``hidden @ weight.T + bias`` without holding these logits.

    Parameters
    ----------
    hidden, weight, bias : Tensor
        Hidden states of tokens, and the layer's parameters; those of 16 bits are copied to float32, which is computed
        in.
    targets, sample_weight, mask, reduction
        As for `fastloss.linear_cross_entropy`.
    **options
        `class_weight`, which may be a tensor, `ignore_index`, `label_smoothing`, `temperature`, `softcap` and `z_loss`.

    Returns
    -------
    Tensor
        The reduced loss; for "none" that of each token.

    See Also
    --------
    linear_loss : The same of any loss of rows.

    Notes
    -----
    Unlike those of a loss the targets come last, as in PyTorch's ``linear_cross_entropy``.

    Examples
    --------
    >>> import torch
    >>> from fastloss.integrations.torch import linear_cross_entropy
    >>> head, hidden = torch.nn.Linear(3, 5, bias=False), torch.ones(2, 3)
    >>> linear_cross_entropy(hidden, head.weight, torch.tensor([0, 4]), label_smoothing=0.1).backward()
    >>> head.weight.grad.shape
    torch.Size([5, 3])
    """
    check_names(OWNER, options, tuple(_CrossEntropy._fields))
    tensors = {name: value for name, value in options.items() if isinstance(value, Tensor)}
    numbers = {name: value for name, value in options.items() if not isinstance(value, Tensor)}
    loss: Loss | str
    loss = described("_CrossEntropy", numbers) if torch.compiler.is_compiling() else made(_CrossEntropy, numbers)
    arrays = {"targets": targets, "hidden": hidden, "weight": weight, "bias": bias}
    arrays |= {"sample_weight": sample_weight, "mask": mask}
    return _computed(OWNER, loss, arrays, reduction, tensors)


def _computed(
    owner: str, loss: Loss | str, arrays: dict[str, Tensor | None], reduction: Reduction, parameters: dict[str, Tensor]
) -> Tensor:
    interface = INTERFACE._replace(owner=owner)
    names, tensors = interface.bound((), arrays)
    found = dict(zip(names, tensors, strict=True)) | parameters
    for name in LinearGrads._fields:
        if name in found and found[name].dtype in (torch.float16, torch.bfloat16):
            found[name] = found[name].float()
    given = tuple(found), tuple(found.values())
    wanted = interface.wanted(given)
    layer: _LinearLayer | str
    if isinstance(loss, str):
        layer = f"_LinearLayer(loss={loss}, owner={owner!r}, wanted={wanted!r})"
    else:
        layer = _LinearLayer(loss, owner, wanted)
    return interface.evaluate(layer, given, reduction, "propagate")
