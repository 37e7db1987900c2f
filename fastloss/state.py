"""LossState: the mergeable partial result of a loss; those of the groups of a data set."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss._core import formats
from fastloss._core import states as _states
from fastloss._core.labels import listed
from fastloss._core.states import NUMBERS, Sums
from fastloss._core.tables import averages, complete, gathered, merged, named

SHOWN = 10  # groups that a representation lists


@dataclass(frozen=True, init=False)
class LossState(Sums):
    r"""What the losses of some elements come to, mergeable with the state of others.

    ``a + b`` is the state of both sets of elements, so that parts of a data set, whether chunks of a file,
    tasks of a cluster or days, are scored apart and put together. The mean and the standard error of the
    whole follow from the merged state.

    Parameters
    ----------
    count : int
        Elements that were neither masked nor omitted.
    ignored : int
        Elements that were masked, omitted for a target of NaN, or of the label to ignore.
    nonfinite : int
        Losses that are NaN or infinite, of elements whose weight is not 0.
    minimum, maximum : float
        Least and largest loss of an element whose weight is not 0, infinite ones among them but not NaN; of none,
        infinity and minus infinity, which leave those of other states as they are.
    weight : float
        Sum of the weights, :math:`\sum w_i`.
    total : float
        Weighted sum of the losses, :math:`\sum w_i \ell_i`.
    square : float
        :math:`\sum w_i^2`.
    first : float
        :math:`\sum w_i^2 \ell_i`.
    second : float
        :math:`\sum w_i^2 \ell_i^2`.
    weight_low, total_low, square_low, first_low, second_low : float
        What these five sums lack: each is exact to some 30 digits as the sum of both numbers.

    Notes
    -----
    Every number but `minimum` and `maximum` is additive. The sums are kept and added up in pairs of float64 [1]_, which
    have some 31 digits, so that sums, means and standard errors, rounded once, are the same to one unit in the last
    place for any partition of the elements and any order of merging. What cancels takes its digits from these: losses
    of both signs in their sum, and squares in a standard error, which loses two of the 31 for each digit by which the
    standard deviation is below the mean. Where squares overflow, of losses from :math:`10^{154}` on, it is infinite.

    A row of class weight :math:`c` and sample weight :math:`s` has the weight :math:`w = c s` and the loss :math:`\ell`
    over :math:`c`. Where :math:`c = 0`, what label smoothing and z-loss give it counts as in the mean of a call:
    :math:`s \ell` and its square are in `total` and `second`, :math:`\ell` in `minimum` and `maximum`, and nothing in
    the sums of weights.

    References
    ----------
    .. [1] T. J. Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18
       (1971), doi:10.1007/BF01397083.

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

    count: int
    ignored: int
    nonfinite: int
    minimum: float
    maximum: float
    weight: float
    total: float
    square: float
    first: float
    second: float
    weight_low: float
    total_low: float
    square_low: float
    first_low: float
    second_low: float

    def __init__(
        self,
        count: int = 0,
        ignored: int = 0,
        nonfinite: int = 0,
        minimum: float = math.inf,
        maximum: float = -math.inf,
        weight: float = 0.0,
        total: float = 0.0,
        square: float = 0.0,
        first: float = 0.0,
        second: float = 0.0,
        weight_low: float = 0.0,
        total_low: float = 0.0,
        square_low: float = 0.0,
        first_low: float = 0.0,
        second_low: float = 0.0,
    ) -> None:
        super().__init__(
            count, ignored, nonfinite, minimum, maximum, weight, total, square, first, second, weight_low, total_low,
            square_low, first_low, second_low,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return LossState, astuple(self)

    def __add__(self, other: LossState) -> LossState:
        return _states.merged(LossState, (self, other)) if isinstance(other, LossState) else NotImplemented

    def __radd__(self, other: int) -> LossState:
        return self if other == 0 else NotImplemented

    @staticmethod
    def merge(states: Iterable[LossState]) -> LossState:
        """The state of all elements of several states.

        Parameters
        ----------
        states : iterable of LossState
            Of parts of the elements, in any order.

        Returns
        -------
        LossState
            Their sum; of no states, the state of no elements.
        """
        return _states.merged(LossState, states)

    @property
    def sum(self) -> float:
        """Weighted sum of the losses."""
        return self.total

    @property
    def mean(self) -> float:
        """Weighted mean of the losses; NaN where there is no weight."""
        return _states.mean(self)

    @property
    def standard_error(self) -> float:
        r"""Standard error of the mean, of elements drawn independently; NaN for fewer than two.

        The linearised error of a ratio of sums, :math:`\sqrt{n/(n-1) \sum w_i^2 (\ell_i - \bar\ell)^2} / W`;
        without weights it is the sample standard deviation over :math:`\sqrt n`. NaN where a loss is not finite.
        """
        return _states.standard_error(self)

    @property
    def perplexity(self) -> float:
        """Exponential of the mean, of losses that are negative logarithms of probabilities."""
        return float(_exponential(self.mean))

    def confidence_interval(self, level: float = 0.95) -> tuple[float, float]:
        """An interval about the mean that holds that of all such elements with some probability.

        Parameters
        ----------
        level : float
            The probability, between 0 and 1.

        Returns
        -------
        low : float
            As many standard errors below the mean as the normal distribution asks for, which are too few for the mean
            of few elements; NaN where there is no standard error.
        high : float
            As many above it.
        """
        margin = _normal_quantile(level) * self.standard_error
        return self.mean - margin, self.mean + margin

    def bits_per_byte(self, n_bytes: float) -> float:
        """Bits that the losses come to for each byte of text, of losses that are negative natural logarithms.

        Parameters
        ----------
        n_bytes : float
            Bytes of the text whose tokens the losses are of.

        Returns
        -------
        float
            The sum over ln 2 and `n_bytes`.
        """
        if not n_bytes > 0:
            raise ValueError(f"LossState: n_bytes is {n_bytes}, must be greater than 0")
        return self.sum / (math.log(2) * n_bytes)

    def to_json(self) -> str:
        """This state as JSON.

        Returns
        -------
        str
            An object of its numbers and the version of the schema; a number that is not finite is one of the strings
            "Infinity", "-Infinity" and "NaN".
        """
        return formats.state_to_json(_row(self))

    @staticmethod
    def from_json(text: str) -> LossState:
        """The state that `to_json` wrote.

        Parameters
        ----------
        text : str
            What it returned.

        Returns
        -------
        LossState
            The same numbers.
        """
        return LossState(*formats.state_from_json(text))

    def to_arrow(self) -> Any:
        """This state as Arrow.

        Returns
        -------
        pyarrow.RecordBatch
            One row with a column for each number, and the version of the schema in the metadata. Rows are merged as
            `GroupStates.to_arrow` says.
        """
        return formats.to_arrow({}, _row(self)).to_batches()[0]

    @staticmethod
    def from_arrow(table: Any) -> LossState:
        """The state of all rows of what `to_arrow` returned, or of several such batches.

        Parameters
        ----------
        table : pyarrow.RecordBatch, Table, or what has the interface of Arrow's streams or arrays
            With the columns of `to_arrow`; others are labels, and left out.

        Returns
        -------
        LossState
            The merged state of all rows.
        """
        _, numbers = formats.from_arrow("LossState", table)
        return _states.total_of(LossState, tuple(numbers.values()))

    def _repr_html_(self) -> str:
        return _html(("",), [("all",)], GroupStates({}, _row(self)))


def _row(state: LossState) -> dict[str, NDArray[Any]]:
    """The numbers of a state, as a column of one each."""
    return {name: np.array([number]) for name, number in zip(NUMBERS, astuple(state), strict=True)}


def _normal_quantile(level: float) -> float:
    """Standard errors on either side of a mean that this share of a normal distribution lies within."""
    if not 0 < level < 1:
        raise ValueError(f"confidence_interval: level is {level}, must lie between 0 and 1")
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)


def _exponential(mean: Any) -> Any:
    with np.errstate(over="ignore"):
        return np.exp(mean)


def _field(name: str, what: str) -> property:
    def read(states: GroupStates) -> NDArray[Any]:
        return states._column(name)

    return property(read, doc=what)


class GroupStates(Mapping[Any, LossState]):
    """From the label of each group to the LossState of its elements, and what these come to as arrays.

    It is what `Loss.states` returns: a mapping in sorted order of the labels. There may be millions of groups, so that
    the states are made when they are asked for; the arrays have a number for each group, in that order. ``a + b`` is
    the table of the groups of both, in which those of one label are merged.

    Parameters
    ----------
    columns : dict of str to ndarray
        Labels of the groups, which are sorted and different: an array for each column they are grouped by.
    numbers : dict of str to ndarray
        The numbers of their states by name, as the fields of a LossState.

    Examples
    --------
    >>> import fastloss as fl
    >>> by_site = fl.AbsoluteError().states([0.0, 0.0, 0.0], [1.0, 2.0, 4.0], groups=["b", "a", "b"])
    >>> by_site["b"].mean
    2.5
    >>> by_site.labels, by_site.mean
    (['a', 'b'], array([2. , 2.5]))
    >>> more = fl.AbsoluteError().states([0.0, 0.0], [6.0, 8.0], groups=["b", "c"])
    >>> {site: state.count for site, state in (by_site + more).items()}
    {'a': 1, 'b': 3, 'c': 1}
    """

    def __init__(self, columns: dict[str, NDArray[Any]], numbers: dict[str, NDArray[Any]]) -> None:
        self._labels = columns
        self._numbers = numbers

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupStates, (self._labels, self._numbers)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of labels; "group" where none was given."""
        return tuple(self._labels)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The labels as an array for each column, by name."""
        return {name: column.copy() for name, column in self._labels.items()}

    @cached_property
    def labels(self) -> list[Any]:
        """The labels in sorted order; tuples of them where there are several columns."""
        return listed(list(self._labels.values()))

    @cached_property
    def total(self) -> LossState:
        """The state of the elements of all groups."""
        return _states.total_of(LossState, self._all)

    def __add__(self, other: GroupStates) -> GroupStates:
        return GroupStates.merge([self, other]) if isinstance(other, GroupStates) else NotImplemented

    def __radd__(self, other: int) -> GroupStates:
        return self if isinstance(other, int) and other == 0 else NotImplemented

    @staticmethod
    def merge(tables: Iterable[GroupStates]) -> GroupStates:
        """The states of the groups of several tables, where the states of one label are merged.

        Parameters
        ----------
        tables : iterable of GroupStates
            One or more, with labels of the same columns.

        Returns
        -------
        GroupStates
            A state for each label that one of them has.
        """
        return GroupStates(*merged([(table._labels, table._numbers) for table in tables]))

    def confidence_interval(self, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """An interval about the mean of each group, as of a LossState.

        Parameters
        ----------
        level : float
            The probability with which it holds the mean of all such elements.

        Returns
        -------
        low : ndarray
            The lower end of each interval.
        high : ndarray
            The upper ends.
        """
        mean, margin = self.mean, _normal_quantile(level) * self.standard_error
        return mean - margin, mean + margin

    def to_json(self) -> str:
        """This table as JSON.

        Returns
        -------
        str
            An object of the labels and numbers by column, and the version of the schema; a number that is not finite
            is a string, as in that of a LossState, and the missing label is null.
        """
        return formats.table_to_json(self._labels, complete(self._numbers))

    @staticmethod
    def from_json(text: str) -> GroupStates:
        """The table that `to_json` wrote.

        Parameters
        ----------
        text : str
            What it returned.

        Returns
        -------
        GroupStates
            The same labels and numbers.
        """
        return GroupStates(*gathered(*formats.table_from_json(text)))

    def to_arrow(self) -> Any:
        """This table as Arrow.

        Returns
        -------
        pyarrow.Table
            A row for each group: its labels, null for the missing one, then the numbers of its state by the names of a
            LossState's fields; the version of the schema is in the metadata.

        Notes
        -----
        An engine merges rows of one label by its sum of every column of numbers but `minimum` and `maximum`, of which
        it takes the least and the largest. Its sums are those of float64: what they lack is no longer told by the
        columns that end in ``_low``, and a standard error may lose digits where it is far below the mean. Where that
        matters, rows are merged by `from_arrow` or by adding tables.
        """
        return formats.to_arrow(self._labels, complete(self._numbers))

    @staticmethod
    def from_arrow(table: Any) -> GroupStates:
        """The table of what `to_arrow` returned, or of several such tables in one.

        Parameters
        ----------
        table : pyarrow.Table, RecordBatch, or what has the interface of Arrow's streams or arrays
            With the columns of numbers of `to_arrow`; the others are labels.

        Returns
        -------
        GroupStates
            The merged state of the rows of each label.
        """
        return GroupStates(*gathered(*formats.from_arrow("GroupStates", table)))

    def _repr_html_(self) -> str:
        labels = listed([column[:SHOWN] for column in self._labels.values()])
        more = f"{SHOWN} of {len(self):,} groups" if len(self) > SHOWN else ""
        states = GroupStates({}, {name: column[:SHOWN] for name, column in self._numbers.items()})
        return _html(self.names, labels if len(self.names) > 1 else [(label,) for label in labels], states, more)

    @property
    def _all(self) -> tuple[NDArray[Any], ...]:
        """The numbers as the compiled functions take them."""
        return tuple(self._numbers.values())

    def _column(self, name: str) -> NDArray[Any]:
        return named(self._numbers, name).copy()

    def _averages(self, *, errors: bool) -> NDArray[np.float64]:
        return averages(self._numbers, errors)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {label: place for place, label in enumerate(self.labels)}

    def _made(self) -> list[LossState]:
        return _states.objects_of(LossState, self._all)

    def __len__(self) -> int:
        return len(self._numbers["count"])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self._places

    def __getitem__(self, label: Any) -> LossState:
        place = self._places[label]
        return _states.objects_of(LossState, tuple(column[place : place + 1] for column in self._all))[0]

    def values(self) -> ValuesView[LossState]:
        return _States(self)

    def items(self) -> ItemsView[Any, LossState]:
        return _LabelledStates(self)

    def __repr__(self) -> str:
        return f"GroupStates({dict(self)!r})" if len(self) <= SHOWN else f"<GroupStates of {len(self):,} groups>"

    count = _field("count", "Elements of each group that were neither masked nor omitted.")
    ignored = _field("ignored", "Elements that were.")
    nonfinite = _field("nonfinite", "Losses of each group that are NaN or infinite.")
    minimum = _field("minimum", "Least loss of each group; infinity where there is none.")
    maximum = _field("maximum", "Largest loss; minus infinity where there is none.")
    weight = _field("weight", "Sum of the weights.")
    sum = _field("total", "Weighted sum of the losses.")

    @property
    def mean(self) -> NDArray[np.float64]:
        """Weighted mean of the losses of each group; NaN where there is no weight."""
        return self._averages(errors=False)

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of each mean, as of a LossState."""
        return self._averages(errors=True)

    @property
    def perplexity(self) -> NDArray[np.float64]:
        """Exponential of each mean."""
        found: NDArray[np.float64] = _exponential(self.mean)
        return found


def _html(names: tuple[str, ...], labels: list[Any], states: GroupStates, more: str = "") -> str:
    low, high = states.confidence_interval()
    return formats.html(names, labels, {"mean": states.mean, "95% from": low, "to": high}, states._numbers, more)


class _States(ValuesView[LossState]):
    """The states of all groups, made at once: one by one each would be looked up."""

    _mapping: GroupStates

    def __iter__(self) -> Iterator[LossState]:
        return iter(self._mapping._made())


class _LabelledStates(ItemsView[Any, LossState]):
    _mapping: GroupStates

    def __iter__(self) -> Iterator[tuple[Any, LossState]]:
        return zip(self._mapping.labels, self._mapping._made(), strict=True)
