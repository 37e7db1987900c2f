"""LossState: the mergeable partial result of a loss; those of the groups of a data set."""

from __future__ import annotations

import math
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss._core.counting import mean
from fastloss._core.runtime import Sums, states_of

SHOWN = 10  # groups that a representation lists


@dataclass(frozen=True, init=False)
class LossState(Sums):
    r"""What the losses of some elements come to, mergeable with the state of others.

    ``a + b`` is the state of both sets of elements, so that parts of a data set, whether chunks of a file,
    tasks of a cluster or days, are scored apart and put together. The mean and the standard error of the
    whole follow from the merged state.

    Parameters
    ----------
    count : float
        Elements that were neither masked nor omitted.
    weight : float
        Sum of their weights, :math:`W = \sum w_i`.
    total : float
        Weighted sum of their losses, :math:`\sum w_i \ell_i`.
    square : float
        Sum of squared weights, :math:`U = \sum w_i^2`.
    center : float
        Mean of the losses under the weights :math:`w_i^2`.
    spread : float
        :math:`\sum w_i^2 (\ell_i - \mathrm{center})^2`.

    Notes
    -----
    The second moment is kept about its own mean and merged by the update of Chan, Golub and LeVeque [1]_, so
    that a standard error far below the mean does not cancel.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance: analysis and
       recommendations", The American Statistician 37 (1983), doi:10.1080/00031305.1983.10483115.

    Examples
    --------
    >>> import fastloss as fl
    >>> first = fl.SquaredError().state([0.0, 0.0], [1.0, 2.0])
    >>> second = fl.SquaredError().state([0.0], [3.0])
    >>> (first + second).mean
    4.666666666666667
    """

    # There may be one for each of millions of groups: the numbers are fields of C, which `Sums` has.
    __slots__ = ()

    count: float
    weight: float
    total: float
    square: float
    center: float
    spread: float

    def __init__(
        self,
        count: float = 0.0,
        weight: float = 0.0,
        total: float = 0.0,
        square: float = 0.0,
        center: float = 0.0,
        spread: float = 0.0,
    ) -> None:
        super().__init__(count, weight, total, square, center, spread)

    def __reduce__(self) -> tuple[Any, ...]:
        return LossState, astuple(self)

    def __add__(self, other: LossState) -> LossState:
        if not isinstance(other, LossState):
            return NotImplemented
        square = self.square + other.square
        share = other.square / square if square else 0.0
        apart = other.center - self.center if self.square and other.square else 0.0
        return LossState(
            count=self.count + other.count,
            weight=self.weight + other.weight,
            total=self.total + other.total,
            square=square,
            center=self.center + apart * share if self.square else other.center,
            spread=self.spread + other.spread + apart * apart * (self.square * share),
        )

    def __radd__(self, other: int) -> LossState:
        return self if other == 0 else NotImplemented

    @staticmethod
    def merge(states: Iterable[LossState]) -> LossState:
        """The state of all elements of several states.

        Parameters
        ----------
        states : iterable of LossState
            In the order in which they are folded; another order may change the last bits.

        Returns
        -------
        LossState
            Their sum; of no states, the state of no elements.
        """
        return sum(states, LossState())

    @property
    def mean(self) -> float:
        """Weighted mean of the losses; NaN where there is no weight."""
        return mean(self.total, self.weight)

    @property
    def standard_error(self) -> float:
        r"""Standard error of the mean, of elements drawn independently; NaN for fewer than two.

        The linearised error of a ratio of sums, :math:`\sqrt{n/(n-1) \sum w_i^2 (\ell_i - \bar\ell)^2} / W`;
        without weights it is the sample standard deviation over :math:`\sqrt n`.
        """
        if self.count < 2 or not self.weight:
            return math.nan
        apart = self.center - self.mean
        squares = self.spread + self.square * apart * apart
        return math.sqrt(self.count / (self.count - 1) * squares) / self.weight


def _field(column: int, what: str) -> property:
    def read(states: GroupStates) -> NDArray[np.float64]:
        found: NDArray[np.float64] = states._columns[column].copy()
        return found

    return property(read, doc=what)


class GroupStates(Mapping[Any, LossState]):
    """From the label of each group to the LossState of its elements, and what these come to as arrays.

    It is what `Loss.states` returns: a mapping in sorted order of the labels. There may be millions of groups, so that
    the labels and the states are made when they are asked for; the arrays have a number for each group, in that order.

    Parameters
    ----------
    labels : list, or callable that returns one
        The labels, each once.
    sums : ndarray of float64
        A row for each label, which begins with the fields of a LossState.

    Examples
    --------
    >>> import fastloss as fl
    >>> by_site = fl.AbsoluteError().states([0.0, 0.0, 0.0], [1.0, 2.0, 4.0], groups=["b", "a", "b"])
    >>> by_site["b"].mean
    2.5
    >>> by_site.labels, by_site.mean
    (['a', 'b'], array([2. , 2.5]))
    """

    def __init__(self, labels: list[Any] | Callable[[], list[Any]], sums: NDArray[np.float64]) -> None:
        self._given = labels
        self._sums = sums

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupStates, (self.labels, self._sums)

    @cached_property
    def labels(self) -> list[Any]:
        """The labels in sorted order."""
        return self._given() if callable(self._given) else self._given

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        return np.ascontiguousarray(self._sums[:, : len(fields(LossState))].T)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {label: place for place, label in enumerate(self.labels)}

    def _made(self) -> list[LossState]:
        return states_of(LossState, self._sums, self._sums.shape[1])

    def __len__(self) -> int:
        return len(self._sums)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self._places

    def __getitem__(self, label: Any) -> LossState:
        place = self._places[label]
        return states_of(LossState, self._sums[place : place + 1], self._sums.shape[1])[0]

    def values(self) -> ValuesView[LossState]:
        return _States(self)

    def items(self) -> ItemsView[Any, LossState]:
        return _LabelledStates(self)

    def __repr__(self) -> str:
        return f"GroupStates({dict(self)!r})" if len(self) <= SHOWN else f"<GroupStates of {len(self):,} groups>"

    count = _field(0, "Elements of each group that were neither masked nor omitted.")
    weight = _field(1, "Sum of their weights.")
    total = _field(2, "Weighted sum of their losses.")
    square = _field(3, "Sum of squared weights.")
    center = _field(4, "Mean of the losses under the squared weights.")
    spread = _field(5, "Sum of squares about it, under the squared weights.")

    @property
    def mean(self) -> NDArray[np.float64]:
        """Weighted mean of the losses of each group; NaN where there is no weight."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self._columns[1] != 0, self._columns[2] / self._columns[1], np.nan)

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of each mean, as of a LossState."""
        count, weight, _, square, center, spread = self._columns
        apart = center - self.mean
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = spread + square * apart * apart
            found = np.sqrt(count / (count - 1) * squares) / weight
        return np.where((count < 2) | (weight == 0), np.nan, found)


class _States(ValuesView[LossState]):
    """The states of all groups, made at once: one by one each would be looked up."""

    _mapping: GroupStates

    def __iter__(self) -> Iterator[LossState]:
        return iter(self._mapping._made())


class _LabelledStates(ItemsView[Any, LossState]):
    _mapping: GroupStates

    def __iter__(self) -> Iterator[tuple[Any, LossState]]:
        return zip(self._mapping.labels, self._mapping._made(), strict=True)
