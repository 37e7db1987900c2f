"""LossState: the mergeable partial result of a loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from fastloss._core.counting import mean
from fastloss._core.runtime import Sums


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
