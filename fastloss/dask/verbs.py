"""Losses of arrays and data frames of Dask: what calling a loss and its methods gives, lazily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
from dask.delayed import Delayed

from fastloss import Loss
from fastloss._core.evaluation import NanPolicy, Reduction
from fastloss._core.loss import require_loss
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss.dask.calls import Call
from fastloss.dask.shards import ShardedCall, of_shards

__all__ = ["grad", "grad_and_hess", "state", "states", "value", "value_and_grad"]


def value(
    loss: Loss,
    *arrays: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
    nan_policy: NanPolicy = "propagate",
    data: Any = None,
    **named: Any,
) -> da.Array:
    """Compute a loss of chunked arrays: what calling it gives, lazily.

    Parameters
    ----------
    loss : Loss
        Any that is a mean of losses of elements, as ``loss.signature.additive`` says; or a sum of such.
    *arrays : dask Array, Series or DataFrame, array_like or str
        The arrays of the loss's signature in its order: for most, targets and predictions. One of them at least is of
        Dask; others are cut as it is. A data frame has the columns of a matrix; a string or a list of strings is a
        column or several of `data`.
    sample_weight, mask
        As for calling the loss; likewise of Dask, or a column.
    reduction : {"mean", "batch_mean", "sum", "none"}
        As for calling the loss, over all chunks.
    nan_policy : {"propagate", "omit", "raise"}
        As for calling the loss.
    data : dask DataFrame, optional
        Where columns that are given by name are. Its partitions are read once, and of those columns alone.
    **named : dask Array, Series or DataFrame, array_like or str
        Arrays by name.

    Returns
    -------
    dask.array.Array
        Of no axes, the reduced loss; for "none" the loss of each element, in the chunks of the predictions.

    Raises
    ------
    TypeError, ValueError
        At once where types, shapes or chunks do not fit; of what arrays hold, in the task that sees it.

    See Also
    --------
    state : The mean with its standard error, and further numbers.

    Notes
    -----
    Elements may be cut along any axis. What belongs to one element must be in one chunk: the classes of a row, the
    features of a vector, the frames of a sequence. The classes of `CrossEntropy` may be in several, for integer labels,
    without class weights and label smoothing: the states of chunks merge, as those of `ShardState` do.

    Lengths of chunks may be unknown, as those of a data frame are. Arrays whose chunks do not match are refused; none
    is copied or rechunked.

    The result is that of the whole arrays up to rounding, whatever the chunks. Within a task a loss takes one thread,
    as Dask has others for other tasks.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastloss as fl
    >>> import fastloss.dask
    >>> y_true, y_pred = da.zeros(10, chunks=4), da.arange(10, chunks=4)
    >>> float(fastloss.dask.value(fl.SquaredError(), y_true, y_pred))
    28.5
    """
    return _called(loss, arrays, named, sample_weight, mask, nan_policy, data).value(reduction)


def state(
    loss: Loss,
    *arrays: Any,
    sample_weight: Any = None,
    mask: Any = None,
    nan_policy: NanPolicy = "propagate",
    data: Any = None,
    **named: Any,
) -> Delayed:
    """Compute the state of all chunks, reduced as a tree.

    Parameters
    ----------
    loss, *arrays, sample_weight, mask, nan_policy, data, **named
        As for `value`.

    Returns
    -------
    dask.delayed.Delayed
        Of a LossState; its attributes are lazy too, so that ``state(...).mean.compute()`` brings one number here.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastloss as fl
    >>> import fastloss.dask
    >>> found = fastloss.dask.state(fl.SquaredError(), da.zeros(10, chunks=4), da.arange(10, chunks=4)).compute()
    >>> found.mean, found.count
    (28.5, 10)
    """
    return _called(loss, arrays, named, sample_weight, mask, nan_policy, data).state()


def states(
    loss: Loss,
    *arrays: Any,
    groups: Any,
    sample_weight: Any = None,
    mask: Any = None,
    nan_policy: NanPolicy = "propagate",
    data: Any = None,
    **named: Any,
) -> Delayed:
    """Compute the table of the states of groups, reduced as a tree.

    Parameters
    ----------
    loss, *arrays, sample_weight, mask, nan_policy, data, **named
        As for `value`.
    groups : dask Array, Series or DataFrame, array_like, dict or str
        The group of each index of the first axis, as for `Loss.states`; of several columns a data frame, a list of
        names of columns of `data`, or a dict of arrays by name.

    Returns
    -------
    dask.delayed.Delayed
        Of GroupStates.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> import fastloss as fl
    >>> import fastloss.dask
    >>> frame = pd.DataFrame({"truth": [0.0, 0.0, 0.0], "score": [1.0, 2.0, 4.0], "site": ["b", "a", "b"]})
    >>> frame = dd.from_pandas(frame, npartitions=2)
    >>> table = fastloss.dask.states(fl.AbsoluteError(), "truth", "score", groups="site", data=frame).compute()
    >>> table.labels, table.mean
    (['a', 'b'], array([2. , 2.5]))
    """
    return _called(loss, arrays, named, sample_weight, mask, nan_policy, data, groups).states()


def grad(
    loss: Loss,
    *arrays: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
    nan_policy: NanPolicy = "propagate",
    data: Any = None,
    **named: Any,
) -> Any:
    """Compute the gradient of exactly the reduced loss, in the chunks of the predictions.

    Parameters
    ----------
    loss, *arrays, sample_weight, mask, nan_policy, data, **named
        As for `value`.
    reduction : {"mean", "batch_mean", "sum", "none"}
        The reduction whose gradient is wanted; that of "sum" and "none" is the derivative of each weighted loss.

    Returns
    -------
    dask.array.Array or named tuple of dask.array.Array
        Of the shape, chunks and type of the predictions; of a loss of several such arrays, one for each by name. The
        gradient in an array that all elements share is added up over the chunks.

    Notes
    -----
    The mean of unequal chunks is none of their means: what a sum is divided by is that of all chunks. It is the number
    of elements, known at once; or a sum of weights, of a first pass that waits for weights, masks and labels alone, and
    not for predictions. Each chunk of the gradient is then written once, and no other waits for it.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastloss as fl
    >>> import fastloss.dask
    >>> fastloss.dask.grad(fl.SquaredError(half=True), da.zeros(4, chunks=3), da.arange(4.0, chunks=3)).compute()
    array([0.  , 0.25, 0.5 , 0.75])
    """
    return _called(loss, arrays, named, sample_weight, mask, nan_policy, data).derivatives(GRAD, reduction)[1]


def value_and_grad(
    loss: Loss,
    *arrays: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
    nan_policy: NanPolicy = "propagate",
    data: Any = None,
    **named: Any,
) -> tuple[da.Array, Any]:
    """Compute a loss and its gradient, in one pass over each chunk.

    Parameters
    ----------
    loss, *arrays, sample_weight, mask, reduction, nan_policy, data, **named
        As for `value`.

    Returns
    -------
    value : dask.array.Array
        As of `value`.
    grad : dask.array.Array or named tuple of dask.array.Array
        As of `grad`. ``dask.compute(value, grad)`` makes both of one pass.

    Examples
    --------
    >>> import dask
    >>> import dask.array as da
    >>> import fastloss as fl
    >>> import fastloss.dask
    >>> y_true, y_pred = da.zeros(4, chunks=3), da.arange(4.0, chunks=3)
    >>> value, grad = fastloss.dask.value_and_grad(fl.SquaredError(), y_true, y_pred)
    >>> dask.compute(value, grad)
    (np.float64(3.5), array([0. , 0.5, 1. , 1.5]))
    """
    return _called(loss, arrays, named, sample_weight, mask, nan_policy, data).derivatives(VALUE | GRAD, reduction)[:2]


def grad_and_hess(
    loss: Loss,
    *arrays: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: Reduction = "mean",
    nan_policy: NanPolicy = "propagate",
    data: Any = None,
    **named: Any,
) -> tuple[da.Array, da.Array]:
    """Compute the gradient and the diagonal of the Hessian, in one pass over each chunk.

    Parameters
    ----------
    loss, *arrays, sample_weight, mask, nan_policy, data, **named
        As for `value`.
    reduction : {"mean", "batch_mean", "sum", "none"}
        As for `grad`.

    Returns
    -------
    grad : dask.array.Array
        As of `grad`.
    hess : dask.array.Array
        Likewise.
    """
    return _called(loss, arrays, named, sample_weight, mask, nan_policy, data).derivatives(GRAD | HESS, reduction)[1:]


def _called(
    loss: Loss,
    arrays: Sequence[Any],
    named: Mapping[str, Any],
    sample_weight: Any,
    mask: Any,
    nan_policy: NanPolicy,
    data: Any,
    groups: Any = None,
) -> Call:
    require_loss("fastloss.dask", loss)
    kind: Any = ShardedCall if of_shards(loss, arrays, named) else Call
    found: Call = kind(
        loss, arrays, named, sample_weight=sample_weight, mask=mask, nan_policy=nan_policy, groups=groups, data=data
    )
    return found
