"""What Ray Data takes: an aggregation whose result is a state, and functions of batches for each example's loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastloss._core.evaluation import NanPolicy
from fastloss._core.extras import missing
from fastloss._core.loss import Loss
from fastloss.arrow import score_batches
from fastloss.arrow.columns import NullPolicy
from fastloss.arrow.scoring import Output, State

try:
    from ray.data.aggregate import AggregateFnV2
except ImportError as error:
    raise missing("fastloss.integrations.ray", "Ray Data", "ray") from error

__all__ = ["StateAggregate", "add_losses"]

EVERY_COLUMN = ""  # of None Ray takes it that an aggregation of groups needs no column but their keys


class StateAggregate(AggregateFnV2):  # type: ignore[misc]  # of no type that is known
    """The state of a loss as an aggregation of a dataset: its result is a LossState, or a table of those of groups.

    Parameters
    ----------
    loss : Loss
        Of targets and predictions, and a mean of the losses of its examples.
    y_true : str, optional
        The column of the targets. None only where the loss says so.
    y_pred : str or sequence of str
        The column of the predictions, numbers, tensors or lists of one length; or several columns, which are
        predictions side by side.
    weight : str, optional
        The column of the weight of each row.
    groups : str or sequence of str, optional
        The columns by whose values the rows are scored apart.
    null_policy : {"propagate", "omit", "raise"}
        What a null in a column of numbers does: count as NaN, leave its row out of sums and counts, or raise.
    nan_policy : {"propagate", "omit", "raise"}
        What a NaN among the targets does, as for calling the loss.
    alias_name : str, default="state"
        What the result is called.

    See Also
    --------
    fastloss.arrow.score_batches : The same of batches in one process.

    Notes
    -----
    ``dataset.aggregate(StateAggregate(...))`` is a dictionary with the state under its name, and with `groups` with a
    GroupStates, for which no row is moved to another process. ``dataset.groupby(key).aggregate(...)`` has a LossState
    in a row for each key; Ray sorts all columns of the dataset for it, so that one selects those that are needed
    before. Blocks are scored on one thread each.

    Ray merges the states of blocks in any order, which does not change their results but for one unit in the last
    place.

    Examples
    --------
    >>> import fastloss as fl, pyarrow as pa
    >>> from fastloss.integrations.ray import StateAggregate
    >>> mean = StateAggregate(fl.AbsoluteError(), y_true="y", y_pred="p")
    >>> block = pa.table({"y": [1.0, 2.0, 4.0], "p": [1.5, 2.0, 3.0]})
    >>> mean.combine(mean.aggregate_block(block[:2]), mean.aggregate_block(block[2:])).mean
    0.5
    """

    def __init__(
        self,
        loss: Loss,
        *,
        y_true: str | None = None,
        y_pred: str | Sequence[str],
        weight: str | None = None,
        groups: str | Sequence[str] | None = None,
        null_policy: NullPolicy = "propagate",
        nan_policy: NanPolicy = "propagate",
        alias_name: str = "state",
    ) -> None:
        self._loss = loss
        self._options: dict[str, Any] = {
            "y_true": y_true,
            "y_pred": y_pred,
            "weight": weight,
            "groups": groups,
            "null_policy": null_policy,
            "nan_policy": nan_policy,
            "num_threads": 1,
        }
        score_batches([], loss, **self._options)  # or it is refused
        super().__init__(alias_name, _nothing, on=EVERY_COLUMN, ignore_nulls=True)

    def aggregate_block(self, block: Any) -> State:
        """Compute the state of a block of rows.

        Parameters
        ----------
        block : pyarrow.Table or DataFrame
            Rows of the dataset.

        Returns
        -------
        LossState or GroupStates
            Of these rows.
        """
        state: State = score_batches(block, self._loss, **self._options)
        return state

    def combine(self, current_accumulator: Any, new: Any) -> State:
        """Merge two states.

        Parameters
        ----------
        current_accumulator, new : LossState or GroupStates
            Those of some rows and of others.

        Returns
        -------
        LossState or GroupStates
            That of the rows of both.
        """
        both: State = current_accumulator + new
        return both


def _nothing() -> None:
    """The state of no rows yet."""


def add_losses(
    loss: Loss,
    *,
    y_true: str | None = None,
    y_pred: str | Sequence[str],
    weight: str | None = None,
    outputs: Output | Sequence[Output] = "loss",
    null_policy: NullPolicy = "propagate",
    nan_policy: NanPolicy = "propagate",
) -> Callable[[Any], Any]:
    """Make a function of batches that adds columns of the loss of each example, or of its derivatives.

    Parameters
    ----------
    loss, y_true, y_pred, weight, null_policy, nan_policy
        As for `StateAggregate`.
    outputs : {"loss", "grad", "hess"} or sequence of these
        What to add, under these names: the weighted loss, its derivative in the predictions, the diagonal of the second
        derivatives. They are those of the sum of losses, since a batch knows no other; for a mean divide them by the
        `weight` of the state of all batches.

    Returns
    -------
    callable
        Of a pyarrow Table, which returns it with further columns, for
        ``dataset.map_batches(..., batch_format="pyarrow", batch_size=None)``; blocks are then handed over as they are.

    Examples
    --------
    >>> import fastloss as fl, pyarrow as pa
    >>> from fastloss.integrations.ray import add_losses
    >>> add = add_losses(fl.AbsoluteError(), y_true="y", y_pred="p", outputs=["loss", "grad"])
    >>> add(pa.table({"y": [1.0, 2.0, 4.0], "p": [1.5, 2.0, 3.0]})).to_pydict()
    {'y': [1.0, 2.0, 4.0], 'p': [1.5, 2.0, 3.0], 'loss': [0.5, 0.0, 1.0], 'grad': [1.0, 0.0, -1.0]}
    """
    options: dict[str, Any] = {
        "y_true": y_true,
        "y_pred": y_pred,
        "weight": weight,
        "outputs": outputs,
        "null_policy": null_policy,
        "nan_policy": nan_policy,
        "num_threads": 1,
    }
    score_batches([], loss, **options)  # or it is refused
    return partial(_with_outputs, loss, options)


def _with_outputs(loss: Loss, options: dict[str, Any], batch: Any) -> Any:
    import pyarrow

    found = pyarrow.table(score_batches(batch, loss, **options))
    for name in found.column_names:
        if name in batch.column_names:
            raise ValueError(f"{loss._spec.owner}: the batch has a column {name!r}, must have none of that name")
        batch = batch.append_column(name, found[name])
    return batch
