"""Every loss as its textbook formula in mpmath, and its derivatives by differences of very high precision."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mpmath import mp, mpf

from fastloss import Loss

mp.dps = 1300  # a second derivative that vanishes with x: 324 digits of x, twice 424 of the step


class Exact:
    """The oracle of one loss: value, derivatives in each prediction, and how much of them cancels."""

    def __init__(self, loss: Loss) -> None:
        self._module = import_module(f"tests.exact.{type(loss).__module__.rpartition('.')[2]}")
        self._name = loss.function_name
        self._parameters = {
            name: mpf(value) if type(value) is float else value for name, value in loss.parameters().items()
        }
        self._value = self._find("")
        assert self._value is not None, f"tests/exact has no {self._name}"

    def _find(self, suffix: str) -> Callable[..., Any] | None:
        function = getattr(self._module, self._name + suffix, None)
        return function and (lambda *arguments: function(*arguments, **self._parameters))

    def kinks(self, y: float) -> list[Any]:
        """Abscissae where a derivative jumps."""
        kinks = self._find("_kinks")
        return kinks(mpf(y)) if kinks else []

    def terms(self, order: int, *point: float) -> Any:
        """The sum of the absolute terms that the value or a derivative is a difference of; 0 if it is none."""
        terms = self._find(("_terms", "_grad_terms", "_hess_terms")[order])
        return terms(*map(mpf, point)) if terms else mpf(0)

    def value(self, *point: float) -> Any:
        return self._value(*map(mpf, point))

    def derivatives(self, y: float, *predictions: float, which: int = 0) -> tuple[Any, Any]:
        """First and second derivative in one prediction, by central differences 10^-100 of its scale apart."""
        exact = [mpf(p) for p in predictions]
        x, target = exact[which], mpf(y)
        scales = [abs(v) for v in (x, x - target) if v != 0]
        step = min([mpf(1), *scales]) * mpf(10) ** -100

        def at(value: Any) -> Any:
            return self._value(target, *exact[:which], value, *exact[which + 1 :])

        below, here, above = values = at(x - step), at(x), at(x + step)
        first, second = above - below, above - 2 * here + below
        # What the digits do not resolve is 0, as is a slope that belongs to a stationary point much nearer to x
        # than floats are to each other: at x itself, seen through the third derivative.
        noise = max(map(abs, values)) * mpf(10) ** (50 - mp.dps)
        if abs(second) <= noise:
            second = mpf(0)
        if abs(first) <= max(noise, abs(second) * mpf(10) ** -90):
            first = mpf(0)
        return first / (2 * step), second / step**2


class ExactRow:
    """The oracle of a rowwise loss, for one row of scores."""

    DIGITS = 250  # enough for logits that differ by a few hundred, and for differences 10^-60 apart

    def __init__(self, loss: Loss) -> None:
        self._module = import_module(f"tests.exact.{type(loss).__module__.rpartition('.')[2]}")
        self._name = loss.function_name
        assert hasattr(self._module, self._name), f"tests/exact has no {self._name}"
        self._parameters = {
            name: mpf(value) if type(value) is float else value
            for name, value in loss.parameters().items()
            if name not in ("axis", "ignore_index")
        }

    def value(self, y: Any, x: Any) -> Any:
        with mp.workdps(self.DIGITS):
            return getattr(self._module, self._name)(y, x, **self._parameters)

    def derivatives(self, y: Any, x: Any, k: int) -> tuple[Any, Any]:
        """First and second derivative in the score of class k."""
        with mp.workdps(self.DIGITS):
            step = mpf(10) ** -60
            below, here, above = (self.value(y, [*x[:k], x[k] + d, *x[k + 1 :]]) for d in (-step, 0, step))
            first, second = above - below, above - 2 * here + below
            # What the digits do not resolve is 0.
            noise = max(1, *map(abs, (below, here, above))) * mpf(10) ** (20 - self.DIGITS)
            return (first if abs(first) > noise else mpf(0)) / (2 * step), second / step**2

    def terms(self, y: Any, x: Any) -> Any:
        """The sum of the absolute terms that the value is a difference of; 0 if it is none."""
        return self._optional("_terms", mpf(0), y, x)

    def grad_terms(self, y: Any, x: Any) -> Any:
        """The largest such sum of the derivatives in the scores."""
        return max(self._optional("_grad_terms", [mpf(0)], y, x))

    def _optional(self, suffix: str, otherwise: Any, y: Any, x: Any) -> Any:
        function = getattr(self._module, self._name + suffix, None)
        with mp.workdps(self.DIGITS):
            return function(y, x, **self._parameters) if function else otherwise
