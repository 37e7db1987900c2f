"""Solvers for smooth functions of coefficients, with a proximal step for a penalty that is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastloss._core.extras import missing

Vector: TypeAlias = NDArray[np.float64]
Function: TypeAlias = Callable[[Vector], tuple[float, Vector]]
Product: TypeAlias = Callable[[Vector, Vector], Vector]

EPS = float(np.finfo(float).eps)
PRECISION = 4 * EPS  # of a function's value, relative
SHORTEST, LONGEST = 1e-300, 1e300  # steps
STOPPED = "max_iter is reached"


class Found(NamedTuple):
    """Where a solver stopped, after how many iterations, and why."""

    w: Vector
    iterations: int
    converged: bool
    message: str


def scipy(
    function: Function, product: Product, w: Vector, solver: str, tol: float, max_iter: int, eps: float = EPS
) -> Found:
    """Minimize a smooth function that is computed with the precision `eps` by SciPy's L-BFGS-B or trust-ncg."""
    try:
        import scipy.optimize
    except ImportError as error:
        raise missing(f"the solver {solver!r}", "SciPy", "linear") from error

    if max_iter == 0:
        return Found(w, 0, False, STOPPED)
    minimize: Any = scipy.optimize.minimize
    options: dict[str, Any] = {"maxiter": max_iter, "gtol": tol}
    if solver == "lbfgs":
        # The gradient says when to stop, unless rounding does; narrow valleys take more than SciPy's 20 steps a line.
        options |= {"maxls": 50, "maxfun": 50 * max_iter, "ftol": PRECISION}
        found = minimize(function, w, jac=True, method="L-BFGS-B", options=options)
        # Its status 2: no step along the line leads down.
        left = 0.5 * float(found.jac @ (found.hess_inv @ found.jac)) if found.status == 2 else math.inf
        rounded = left <= 4 * eps * abs(found.fun)
    else:
        found = minimize(function, w, jac=True, hessp=product, method="trust-ncg", options=options)
        rounded = found.status == 2  # the model predicts a decrease that is lost in rounding
    message = "the decrease that is left is lost in rounding" if rounded else str(found.message)
    return Found(found.x, int(found.nit), bool(found.success or rounded) and math.isfinite(found.fun), message)


def proximal(function: Function, shrink: Callable[[Vector, float], Vector], w: Vector, tol: float,
             max_iter: int) -> Found:  # fmt: skip
    """Minimize a smooth function plus a penalty by accelerated proximal gradient steps.

    ``shrink(w, step)`` is the penalty's proximal step. Momentum starts anew where it leads uphill, and the step
    length, found by backtracking, may grow again.
    """
    ahead, momentum, step = w, 1.0, 1.0
    for iteration in range(1, max_iter + 1):
        value, grad = function(ahead)
        if not (math.isfinite(value) and np.isfinite(grad).all()):
            if ahead is w:
                return Found(w, iteration, False, "the gradient is not finite")
            ahead, momentum = w, 1.0
            continue
        while True:
            new = shrink(ahead - step * grad, step)
            move = new - ahead
            bound = value + grad @ move + move @ move / (2 * step) + PRECISION * abs(value)
            if function(new)[0] <= bound or step < SHORTEST:
                break
            step /= 2
        if np.max(np.abs(move), initial=0.0) <= tol * step:
            return Found(new, iteration, True, "the proximal gradient is within tol")
        if (ahead - new) @ (new - w) > 0:
            momentum = 1.0
        following = (1 + math.sqrt(1 + 4 * momentum * momentum)) / 2
        ahead = new + (momentum - 1) / following * (new - w)
        w, momentum, step = new, following, min(1.1 * step, LONGEST)
    return Found(w, max_iter, False, STOPPED)
