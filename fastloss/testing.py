"""Checks of derivatives by central differences, for the losses here and for anyone's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.loss import Loss

Doubles: TypeAlias = NDArray[np.float64]

__all__ = ["check_grad", "check_hess"]

EPS = float(np.finfo(np.float64).eps)
PROBES = 8  # random directions that stand for the elements of a large array


def check_grad(
    function: Any,
    *arguments: ArrayLike,
    step: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_elements: int = 1000,
    seed: int = 0,
    **options: Any,
) -> float:
    """Compare a gradient with central differences of the value, in float64.

    Parameters
    ----------
    function : object
        A loss, or anything with ``value_and_grad(*arguments, **options)``, or such a function itself. The gradient is
        that in the last argument; a value that is an array counts as its sum.
    *arguments : array_like
        What to call it with: `y_true` and `y_pred` for a loss, the parameters for an objective.
    step : float, default=1e-5
        The distance of the differences, in units of the larger of 1 and the element's magnitude; smaller where the
        domain of a loss ends.
    rtol, atol : float
        How far a derivative may be off: `rtol` times its magnitude plus `atol` plus the rounding errors that the
        difference has by itself.
    max_elements : int, default=1000
        Arrays with more elements are tested along eight random directions instead of element by element.
    seed : int, default=0
        Of these directions.
    **options
        Passed on with every call, such as ``sample_weight=`` or ``reduction=``.

    Returns
    -------
    float
        The largest error as a part of what was allowed.

    Raises
    ------
    AssertionError
        If a derivative is further off than allowed. The message names the worst one, with its index, the analytic and
        the numeric value, the tolerance, and how many others are wrong.

    Notes
    -----
    The last argument is converted to float64, in which alone differences mean something. At a kink a difference is the
    mean of both slopes: keep elements further than the step from kinks.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.testing import check_grad
    >>> rng = np.random.default_rng(0)
    >>> check_grad(fl.LogCosh(), rng.normal(size=20), rng.normal(size=20), reduction="sum") < 1
    True

    An objective of one's own, with a mistake:

    >>> def objective(theta):
    ...     return float(theta @ theta), theta
    >>> check_grad(objective, [1.0, 4.0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: objective: 2 of 2 derivatives are wrong, the worst at [1]: analytic 4, numeric 8..., tolerance ...
    """
    call = getattr(function, "value_and_grad", function)

    def value(x: Doubles) -> float:
        return float(np.sum(call(*fixed, x, **options)[0]))

    fixed, x = arguments[:-1], np.array(arguments[-1], np.float64)
    grad = np.asarray(call(*fixed, x, **options)[1], np.float64)
    if grad.shape != x.shape:
        raise AssertionError(
            f"{_name(function)}: the gradient has shape {grad.shape}, must have the argument's {x.shape}"
        )
    steps = _steps(function, x, step)
    report = _Report(_name(function), rtol, atol)
    if x.size <= max_elements:
        for index in np.ndindex(x.shape):
            h = np.zeros_like(x)
            h[index] = steps[index]
            report.compare(str(list(index)), float(grad[index]), *_difference(value, x, h, float(steps[index])))
    else:
        rng = np.random.default_rng(seed)
        for probe in range(PROBES):
            direction = steps * rng.choice([-1.0, 1.0], x.shape)
            norm = float(np.linalg.norm(direction))
            analytic = float(np.sum(grad * (direction / norm)))
            report.compare(f"direction {probe}", analytic, *_difference(value, x, direction, norm))
    return report.finish()


def check_hess(
    function: Any,
    *arguments: ArrayLike,
    step: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 0.0,
    max_elements: int = 1000,
    seed: int = 0,
    **options: Any,
) -> float:
    """Compare the diagonal of a Hessian with central differences of the gradient, in float64.

    Parameters
    ----------
    function : object
        A loss, or anything with ``grad_and_hess(*arguments, **options)``, or such a function itself: the gradient in
        the last argument and the diagonal of the Hessian, both of its shape.
    *arguments, step, rtol, atol
        As for `check_grad`.
    max_elements : int, default=1000
        Of larger arrays as many elements as this are tested, chosen at random.
    seed : int, default=0
        Of this choice.
    **options
        Passed on with every call.

    Returns
    -------
    float
        The largest error as a part of what was allowed.

    Raises
    ------
    AssertionError
        As for `check_grad`.

    See Also
    --------
    check_grad : Of the gradient itself, which this check trusts.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.testing import check_hess
    >>> check_hess(fl.PoissonNLL(), [1.0, 4.0], [0.5, 1.0]) < 1
    True
    """
    call = getattr(function, "grad_and_hess", function)
    fixed, x = arguments[:-1], np.array(arguments[-1], np.float64)
    hess = np.asarray(call(*fixed, x, **options)[1], np.float64)
    if hess.shape != x.shape:
        raise AssertionError(
            f"{_name(function)}: the Hessian has shape {hess.shape}, must have the argument's {x.shape}"
        )
    steps = _steps(function, x, step)
    report = _Report(_name(function), rtol, atol)
    tested = np.arange(x.size)
    if x.size > max_elements:
        tested = np.random.default_rng(seed).choice(x.size, max_elements, replace=False)
    for index in zip(*np.unravel_index(tested, x.shape), strict=True) if x.ndim else [()]:

        def slope(x: Doubles, index: Any = index) -> float:
            return float(np.asarray(call(*fixed, x, **options)[0])[index])

        h = np.zeros_like(x)
        h[index] = steps[index]
        report.compare(str([int(i) for i in index]), float(hess[index]), *_difference(slope, x, h, float(steps[index])))
    return report.finish()


def _name(function: Any) -> str:
    return repr(function) if isinstance(function, Loss) else getattr(function, "__name__", type(function).__name__)


def _steps(function: Any, x: Doubles, step: float) -> Doubles:
    """The step of each element: relative to its magnitude, and at most half way to the end of a loss's domain."""
    steps: Doubles = step * np.maximum(np.abs(x), 1.0)
    if isinstance(function, Loss):
        _, first, second = function.domains()
        low, high = np.array([(domain.low, domain.high) for domain in (first, second)]).T
        if not function.signature.pair:
            low, high = low[0], high[0]
        room = np.minimum(x - low, high - x)
        if (room <= 0).any():
            index = [int(i) for i in np.argwhere(room <= 0)[0]]
            raise ValueError(f"{_name(function)}: y_pred{index} is on the end of the domain, must be inside of it")
        steps = np.minimum(steps, room / 2)
    return np.asarray((x + steps) - x)  # what the sum shows, so that the distance is exact


def _difference(function: Callable[[Doubles], float], x: Doubles, h: Doubles, length: float) -> tuple[float, float]:
    """The slope of a function along a vector, and the rounding error that it may have."""
    above, below = function(x + h), function(x - h)
    noise = 8 * EPS * (abs(above) + abs(below)) / length
    return (above - below) / (2 * length), noise


class _Report:
    """The worst of some comparisons, and what it says."""

    def __init__(self, owner: str, rtol: float, atol: float) -> None:
        self._owner, self._rtol, self._atol = owner, rtol, atol
        self._count = self._wrong = 0
        self._worst, self._text = 0.0, ""

    def compare(self, where: str, analytic: float, numeric: float, noise: float) -> None:
        tolerance = self._rtol * max(abs(analytic), abs(numeric)) + self._atol + noise
        error = abs(analytic - numeric)
        part = 0.0 if analytic == numeric else error / tolerance if tolerance and error == error else np.inf
        self._count += 1
        self._wrong += part > 1
        if part > self._worst:
            self._worst = float(part)
            self._text = f"{where}: analytic {analytic:.10g}, numeric {numeric:.10g}, tolerance {tolerance:.3g}"

    def finish(self) -> float:
        if self._wrong:
            raise AssertionError(
                f"{self._owner}: {self._wrong} of {self._count} derivatives are wrong, the worst at {self._text}"
            )
        return self._worst
