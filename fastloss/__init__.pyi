# Written by tools/generate.py from the registry; do not edit.
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from fastloss._base import Loss as Loss
from fastloss._base import registry as registry
from fastloss._call import Floats, NanPolicy, Reduction
from fastloss._config import config as config
from fastloss._config import show_config as show_config
from fastloss.elementwise.residual import SquaredError as SquaredError
from fastloss.elementwise.residual import AbsoluteError as AbsoluteError
from fastloss.elementwise.residual import Huber as Huber
from fastloss.state import LossState as LossState

__version__: str

@overload
def squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, half: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, half: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
mse = squared_error
mse_loss = squared_error
l2_loss = squared_error
mean_squared_error = squared_error
@overload
def absolute_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def absolute_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
mae = absolute_error
l1_loss = absolute_error
mean_absolute_error = absolute_error
@overload
def huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
huber_loss = huber
