"""Losses of PyTorch's tensors on the CPU, with their gradients: every loss as a function and as a module.

They take and return tensors in place of arrays, and are called as in `fastloss`: ``huber(y_true, y_pred, delta=2.0)``,
or ``Huber(delta=2.0)(y_true, y_pred)``. `functional` has the names and the order of `torch.nn.functional`.
"""

from fastloss import registry as _registry
from fastloss._core.extras import missing as _missing

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise _missing("fastloss.integrations.torch", "PyTorch", "torch") from _error

from fastloss.integrations.torch import functional as functional
from fastloss.integrations.torch._functions import function_of as _function_of
from fastloss.integrations.torch._layer import linear_cross_entropy as linear_cross_entropy
from fastloss.integrations.torch._layer import linear_loss as linear_loss
from fastloss.integrations.torch._modules import LossModule as LossModule
from fastloss.integrations.torch._modules import module_of as _module_of

__all__ = ["LossModule", "functional", "linear_cross_entropy", "linear_loss"]

for _cls in _registry.values():
    _named = {_cls.__name__: _module_of(_cls)} | dict.fromkeys((_cls.function_name, *_cls.aliases), _function_of(_cls))
    globals().update(_named)
    __all__ += _named
