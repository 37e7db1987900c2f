"""Coefficients of the polynomials of ``vecmath.h``, and their errors.

``python -m tools.polynomials`` fits each polynomial. It prints the largest error of the fit in real numbers, of the fit
rounded to its type, and of the header's coefficients, and then the rounded ones as they would stand there.

A fit is a Remez exchange on a fine grid for the least largest error. Coefficients are rounded to their type one after
the other, that of the lowest power first, and the later ones are fitted again to what is left.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mp
from numpy.typing import NDArray

HEADERS = Path(__file__).parent.parent / "fastloss" / "_kernels" / "vecmath"
GRID = 40  # points for each coefficient
Real = Any  # numbers of mpmath
Reals = NDArray[Any]  # arrays of them


@dataclass(frozen=True)
class Polynomial:
    """P of so many coefficients in `whole` = `base` + `factor` P from `low` to `high`.

    Its error is relative to `whole`.
    """

    name: str
    count: int
    low: Real
    high: Real
    whole: Callable[[Real], Real]
    base: Callable[[Real], Real] = lambda x: 0
    factor: Callable[[Real], Real] = lambda x: 1
    first: tuple[float, ...] = ()  # coefficients that are given, and not fitted

    @property
    def type(self) -> type[np.floating[Any]]:
        return np.float64 if self.name.endswith(("_f64", "_to_f32")) else np.float32

    def coefficients(self) -> list[float]:
        """Those of the header."""
        return constant(self.name)

    def problem(self) -> Problem:
        x = grid(mp.mpf(self.low), mp.mpf(self.high), GRID * self.count)
        whole, base, factor = (np.array([f(v) for v in x]) + mp.mpf(0) for f in (self.whole, self.base, self.factor))
        return Problem(x, whole, base, factor).less(self.first)

    def error(self, coefficients: list[float]) -> float:
        """The largest relative error with these coefficients."""
        return float(max(abs(self.problem().less(coefficients[len(self.first) :]).target())))

    def fitted(self) -> tuple[float, list[float]]:
        """The error of the fit in real numbers, and the coefficients rounded."""
        problem, rounded = self.problem(), list(self.first)
        error = problem.fit(self.count - len(rounded))[1]
        while len(rounded) < self.count:
            best = problem.fit(self.count - len(rounded))[0]
            rounded.append(float(self.type(float(best[0]))))
            problem = problem.less(rounded[-1:])
        return float(error), rounded


@dataclass(frozen=True)
class Problem:
    """What is to be fitted, on a grid."""

    x: Reals
    whole: Reals
    base: Reals
    factor: Reals

    def less(self, coefficients: list[float] | tuple[float, ...]) -> Problem:
        """What is left for the later coefficients."""
        base, factor = self.base, self.factor
        for c in coefficients:
            base, factor = base + factor * mp.mpf(c), factor * self.x
        return Problem(self.x, self.whole, base, factor)

    def target(self) -> Reals:
        """What |`factor` / `whole`| P is to be."""
        return (self.whole - self.base) / self.whole * np.where(self.factor / self.whole < 0, -1, 1)

    def fit(self, count: int) -> tuple[Reals, Real]:
        """The coefficients with the least largest error, and that."""
        weight, target = np.abs(self.factor / self.whole), self.target()
        basis = np.array([weight * self.x**k for k in range(count)]).T
        chosen = np.linspace(0, len(self.x) - 1, count + 1).round().astype(int)
        while True:
            signs = np.array([[mp.mpf((-1) ** k)] for k in range(count + 1)])
            matrix = np.hstack([basis[chosen], signs])
            *solution, level = mp.lu_solve(mp.matrix(matrix.tolist()), mp.matrix(target[chosen].tolist()))
            residual = target - basis @ np.array(solution)
            largest = max(abs(residual))
            if largest <= abs(level) * 1.0001:
                return np.array(solution), largest
            chosen = alternating(residual, abs(level) * (1 - mp.mpf(2) ** -40), count + 1)


def alternating(residual: Reals, level: Real, count: int) -> NDArray[np.intp]:
    """So many points with residuals of alternating signs, none smaller than `level`, the largest of all among them."""
    high = np.flatnonzero(np.abs(residual) >= level)
    turns = np.flatnonzero(np.diff((residual[high] > 0).astype(int))) + 1
    peaks = [max(run, key=lambda i: abs(residual[i])) for run in np.split(high, turns)]
    while len(peaks) > count:
        peaks.pop(0 if abs(residual[peaks[0]]) < abs(residual[peaks[-1]]) else -1)
    return np.array(peaks)


def grid(low: Real, high: Real, count: int) -> Reals:
    """Points from low to high, closer to each other at the ends as those of Chebyshev; never 0."""
    x = np.array([(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / (count - 1)) for k in range(count)])
    return x[np.abs(x) > (high - low) * 1e-12]


@cache
def headers() -> str:
    """The text of the vector mathematics."""
    return "".join(path.read_text() for path in sorted(HEADERS.glob("*.h")))


def constant(name: str) -> list[float]:
    """The numbers of a constant of the headers, or the one."""
    found = re.search(rf" flv_{name}(?:\[\])? = ([^;]*);", headers())
    if found is None:
        raise ValueError(f"{HEADERS} has no constant flv_{name}")
    return [number(text.strip()) for text in found[1].strip("{}").split(",")]


def number(literal: str) -> float:
    if literal.endswith("u"):
        return int(literal[:-1], 16)
    literal = literal.removesuffix("f")
    return float.fromhex(literal) if "x" in literal else float(literal)


# The polynomials ----------------------------------------------------------------------------------

with mpmath.workdps(50):
    HALF_LN2 = mp.log(2) / 2
    EIGHTH_TURN = mp.pi / 4
    SQRT_HALF, SQRT_TWO = mp.sqrt(0.5) - 1, mp.sqrt(2) - 1
    MOST_Z = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2  # of z = s^2, s = f / (2 + f)


def ratio(e: Real) -> Real:
    return mp.log1p(e) / e if e else mp.mpf(1)


def atanh_ratio(z: Real) -> Real:
    """log((1 + s) / (1 - s)) / s for z = s^2."""
    return 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z)


def atan_over(z: Real) -> Real:
    """atan(t) / t for z = t^2."""
    return mp.atan(mp.sqrt(z)) / mp.sqrt(z)


def sin_over(z: Real) -> Real:
    """sin(r) / r for z = r^2."""
    return mp.sin(mp.sqrt(z)) / mp.sqrt(z)


def exponential(name: str, count: int) -> Polynomial:
    """Of e^r - 1, and so of e^r."""
    return Polynomial(name, count, -HALF_LN2, HALF_LN2, mp.expm1, lambda r: r, lambda r: r**2, (0.5,))


def logistic(name: str, count: int, middle: float) -> Polynomial:
    return Polynomial(name, count, -middle, 1 - middle, lambda v: ratio(middle + v))


def polynomials() -> list[Polynomial]:
    middle, at_middle = constant("logistic_middle_f64")[0], constant("logistic_at_middle_f64")[0]
    return [
        exponential("exp_f32", 6),
        exponential("exp_f64", 11),
        Polynomial("exp_nonpositive_f32", 5, -HALF_LN2, HALF_LN2, mp.exp, lambda r: 1 + r, lambda r: r**2, (0.5,)),
        exponential("exp_to_f32", 7),
        Polynomial("exp_parts_to_f32", 6, -HALF_LN2, HALF_LN2, lambda r: mp.expm1(r) - r, factor=lambda r: r**2),
        Polynomial("exp2_f32", 6, -0.5, 0.5, lambda r: mp.power(2, r), first=(1.0,)),
        Polynomial("log_f32", 8, SQRT_HALF, SQRT_TWO, mp.log1p, lambda f: f - f**2 / 2, lambda f: f**3),
        Polynomial("log_f64", 7, 0, MOST_Z, atanh_ratio, lambda z: 2, lambda z: z),
        Polynomial(
            "log_dd_f64",
            8,
            0,
            MOST_Z,
            atanh_ratio,
            lambda z: 2 + z * (mp.mpf(2) / 3 + z * mp.mpf(2) / 5),
            lambda z: z**3,
        ),
        Polynomial("log_to_f32", 12, SQRT_HALF, SQRT_TWO, mp.log1p, lambda f: f, lambda f: f**2),
        Polynomial("log1p_parts_to_f32", 10, SQRT_HALF, SQRT_TWO, lambda f: mp.log1p(f) - f, factor=lambda f: f**2),
        Polynomial("log1p_small_to_f32", 6, 0, mp.exp(-2), ratio),
        logistic("logistic_f32", 10, constant("logistic_middle_f32")[0]),
        Polynomial(
            "logistic_f64",
            21,
            -middle,
            1 - middle,
            lambda v: ratio(middle + v),
            lambda v: at_middle,
            lambda v: v,
        ),
        logistic("logistic_to_f32", 13, 0.5),
        Polynomial("atan_f32", 9, 0, 1, atan_over, lambda z: 1, lambda z: z),
        Polynomial("atan_f64", 21, 0, 1, atan_over, lambda z: 1, lambda z: z),
        Polynomial("sin_f64", 6, 0, EIGHTH_TURN**2, sin_over, lambda z: 1, lambda z: z),
        Polynomial("cos_f64", 6, 0, EIGHTH_TURN**2, lambda z: mp.cos(mp.sqrt(z)), lambda z: 1 - z / 2, lambda z: z**2),
        Polynomial("log_cosh_to_f32", 8, 0, 1, lambda v: mp.log(mp.cosh(mp.sqrt(v))) / v),
    ]


def literal(value: float, type: type[np.floating[Any]]) -> str:
    sign, digits, exponent = re.fullmatch(r"(-?)0x(1\.\w*?)0*p(.*)", value.hex()).groups()  # type: ignore[union-attr]
    return f"{sign}0x{digits.rstrip('.')}p{exponent}{'f' if type is np.float32 else ''}"


def stated() -> dict[str, float]:
    """The errors in the headers' comments as binary logarithms."""
    text = re.sub(r"\s+", " ", headers())
    return {name: float(error) for name, error in re.findall(r"Polynomial (\w+):[^;]*;[^;]*? 2\^(-[\d.]+)\.", text)}


def main(arguments: list[str]) -> int:
    mp.dps = 50
    for polynomial in polynomials():
        if not arguments or polynomial.name in arguments:
            ideal, coefficients = polynomial.fitted()
            errors = (ideal, polynomial.error(coefficients), polynomial.error(polynomial.coefficients()))
            print(polynomial.name, *(f"2^{np.log2(error):.2f}" for error in errors))
            print("   ", ", ".join(literal(c, polynomial.type) for c in coefficients), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
