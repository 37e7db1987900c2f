"""Every function of the vector mathematics that kernels call: what it computes, where, and how well.

``python -m tools.vecmath`` writes the table at the top of ``vecmath.h``; with ``--measure 1000000`` prints errors
at so many points of each function.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from mpmath import mp
from numpy import inf, nan
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from fastloss._core.isa import installed

HEADER = Path(__file__).parent.parent / "fastloss" / "_kernels" / "vecmath.h"
Array = NDArray[Any]
Points = Callable[[Generator, int], Array]  # arguments of so many elements, a row for each argument


# Points -------------------------------------------------------------------------------------------


def everywhere(dtype: DTypeLike, high: float = inf) -> Points:
    """Any bits, as many numbers where functions vary, and the ends of the type."""
    info = np.finfo(dtype)
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    ends = [0.0, info.smallest_subnormal, info.smallest_normal, info.eps, 0.5, 1.0, 2.0, 88.0, 104.0, 709.0, 746.0]

    def points(rng: Generator, count: int) -> Array:
        wide = rng.integers(0, np.iinfo(bits).max, count // 2, dtype=bits, endpoint=True).view(dtype)
        near = rng.normal(size=count - count // 2) * np.exp2(rng.uniform(-12, 6, count - count // 2))
        last = np.array([*ends, info.max, inf], dtype)
        x = np.concatenate([wide, near.astype(dtype), last, -last, np.array([nan], dtype)])
        return x[~(x > high)][None]

    return points


def between(low: float, high: float, dtype: DTypeLike = np.float64) -> Points:
    """Numbers from low to high, half of them uniform and half of any size from 2^-60 on; never 0."""

    def points(rng: Generator, count: int) -> Array:
        uniform = rng.uniform(low, high, count // 2)
        small = np.exp2(rng.uniform(-60, np.log2(max(-low, high)), count - count // 2))
        x = np.concatenate([uniform, small, -small, [low, high]])
        return x[(x >= low) & (x <= high) & (x != 0)].astype(dtype)[None]

    return points


def sizes(low: float, high: float, dtype: DTypeLike = np.float64) -> Points:
    """Positive numbers of any size from 2^low to 2^high, and as many that are closer to 1 than a half."""

    def points(rng: Generator, count: int) -> Array:
        wide = np.exp2(rng.uniform(low, high, count // 2))
        near = 1 + rng.choice([-0.5, 1], count - count // 2) * np.exp2(rng.uniform(-52, 0, count - count // 2))
        return rng.permutation(np.concatenate([wide, near])).astype(dtype)[None]

    return points


def signed(sizes: Points) -> Points:
    def points(rng: Generator, count: int) -> Array:
        x = sizes(rng, count)
        return x * rng.choice([-1, 1], x.shape)

    return points


def with_low(high: Points) -> Points:
    """Double-doubles: numbers, and low parts of up to half a unit."""

    def points(rng: Generator, count: int) -> Array:
        x = high(rng, count)
        return np.concatenate([x, x * rng.uniform(-1, 1, x.shape) * 2.0**-53])

    return points


def together(*several: Points) -> Points:
    """An argument from each."""
    return lambda rng, count: np.concatenate([points(rng, count) for points in several])


def either(*several: Points) -> Points:
    """Points of each."""
    return lambda rng, count: np.concatenate([points(rng, count // len(several)) for points in several], axis=1)


def powers(base: Points, most: float) -> Points:
    """Bases, and exponents p with |p log(base)| up to `most`."""

    def points(rng: Generator, count: int) -> Array:
        x = base(rng, count)
        x = x[:, x[0] != 1]
        return np.concatenate([x, rng.uniform(-most, most, x.shape[1])[None] / np.log(x[0])])

    return points


def every_16_bits(rng: Generator, count: int) -> Array:
    return np.arange(1 << 16, dtype=np.uint16)[None]


def around_16_bits(dtype: DTypeLike) -> Points:
    """Every float16 and bfloat16, the middles between neighbours, what is next to them, and any numbers."""

    def points(rng: Generator, count: int) -> Array:
        bits = np.arange(1 << 16, dtype=np.uint32)
        with np.errstate(all="ignore"):
            half = bits.astype(np.uint16).view(np.float16).astype(np.float64)
            brain, middles = (bits << 16).view(np.float32), (bits << 16 | 1 << 15).view(np.float32)
            x = np.concatenate([half, (half[:-1] + half[1:]) / 2, brain, middles]).astype(dtype)
            x = np.concatenate([x, np.nextafter(x, dtype(inf)), np.nextafter(x, dtype(-inf))])
        return np.concatenate([x, everywhere(dtype)(rng, count)[0]])[None]

    return points


# Oracles ------------------------------------------------------------------------------------------


def logistic(z: Any) -> tuple[Any, Any]:
    e = mp.exp(-abs(z))
    return mp.log1p(e) if abs(z) < 1000 else e, e / (1 + e)


def inverse_size(x: Array) -> Array:
    return np.ldexp(x.dtype.type(1), 1 - np.frexp(x)[1])


def from_float16(bits: Array) -> Array:
    with np.errstate(invalid="ignore"):  # signaling NaNs
        return bits.view(np.float16).astype(np.float32)


def from_bfloat16(bits: Array) -> Array:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bfloat16(x: Array) -> Array:
    """The nearest of two neighbours in exact integers, the even one of a tie."""
    bits = x.view(np.uint32).astype(np.int64)
    down, rest = bits >> 16, bits & 0xFFFF
    up = (rest > 0x8000) | (rest == 0x8000) & (down % 2 == 1)
    return np.where(np.isnan(x), down | 0x40, down + up).astype(np.uint16)


def to_float16(x: Array) -> Array:
    bits = x.view(np.uint32)
    with np.errstate(all="ignore"):
        nearest = x.astype(np.float16).view(np.uint16)
    return np.where(np.isnan(x), bits >> 16 & 0x8000 | 0x7E00 | bits >> 13 & 0x3FF, nearest).astype(np.uint16)


def to_odd(x: Array) -> Array:
    with np.errstate(all="ignore"):
        near = x.astype(np.float32)
        cut = np.where(np.abs(near.astype(np.float64)) > np.abs(x), np.nextafter(near, np.float32(0)), near)
        return np.where((cut == x) | np.isnan(x), cut, (cut.view(np.uint32) | 1).view(np.float32))


# The list -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """A function of ``vecmath_functions.h``, by its name there.

    `oracle` is of mpmath's numbers, for each result, or where no bit may differ (`exact`) of arrays. `errors` are the
    largest that were found, for each result with FMA and without: in units in the last place of the exact result, or
    where they are negative, the binary logarithm of the error relative to it.
    """

    name: str
    oracle: Callable[..., Any]
    points: Points
    where: str
    errors: dict[str, tuple[float, float]] = field(default_factory=lambda: {"": (0.0, 0.0)})
    type: DTypeLike = np.float64  # of the results
    limits: dict[float, tuple[float, ...]] = field(default_factory=dict)  # results where the formula has none
    double_double: bool = False  # the two results are one number
    per: Callable[..., Array] | None = None  # what the error grows with
    exact: bool = False
    wide: str = ""  # the same function in float64, for tests of every float32
    domain: Callable[[Array], Array] = np.isreal  # of those

    def run(self, isa: str, x: Array) -> Array:
        """The results of one build of the kernels, a row for each."""
        results = np.empty((2 if self.double_double else len(self.errors), x.shape[1]), self.type)
        import_module(f"fastloss._kernels.{isa}.vecmath").apply(self.name, np.ascontiguousarray(x), results)
        return results

    def true(self, x: Array) -> list[tuple[Array, Array, Array]]:
        """The exact results: each rounded, what the rounding took in units of the error, and that unit."""
        if self.exact:
            expected = self.oracle(x[0])
            return [(expected, np.zeros(1), np.ones(1))]
        with mpmath.workdps(60), np.errstate(invalid="ignore"):  # signaling NaNs
            rows = zip(*(self._true(*arguments) for arguments in x.T.astype(np.float64).tolist()), strict=True)
            return [self._in_units(row) for row in rows]

    def _in_units(self, values: tuple[Any, ...]) -> tuple[Array, Array, Array]:
        high, _, unit = self.units(np.array([float(value) for value in values]))
        parts = zip(values, high.tolist(), unit.tolist(), strict=True)
        return high, np.array([float((v - h) / one) if 0 < abs(h) < inf else 0.0 for v, h, one in parts]), unit

    def units(self, exact: Array) -> tuple[Array, Array, Array]:
        """Exact results in float64 as `true` gives them."""
        info = np.finfo(self.type)
        with np.errstate(invalid="ignore"):
            exponent = np.maximum(np.frexp(exact)[1] - 1, info.minexp) - info.nmant
        return exact, np.zeros(1), np.abs(exact) if self.relative else np.ldexp(1.0, exponent)

    @property
    def relative(self) -> bool:
        return min(min(self.errors.values())) < 0

    def _true(self, *arguments: float) -> tuple[Any, ...]:
        if arguments[0] in self.limits:
            return self.limits[arguments[0]]
        if any(argument != argument for argument in arguments):
            return (nan,) * len(self.errors)
        value = self.oracle(*map(mpmath.mpf, arguments))
        return value if isinstance(value, tuple) else (value,)

    def error(self, x: Array, results: Array, true: list[tuple[Array, Array, Array]]) -> Array:
        """The error of each result at each point, in the units of `errors`, relative ones not as logarithms."""
        if self.exact:
            return np.where(same_bits(results, true[0][0]), 0.0, inf)
        parts = [(results[0], results[1])] if self.double_double else [(row, np.zeros(1)) for row in results]
        errors = np.array([self._error(*got, *pair) for got, pair in zip(parts, true, strict=True)])
        return errors / self.per(*x.astype(np.float64)) if self.per else errors

    def _error(self, got: Array, got_low: Array, high: Array, rest: Array, unit: Array) -> Array:
        most = float(np.finfo(self.type).max)
        with np.errstate(all="ignore"):
            error = np.abs(((got - high) + got_low) / unit - rest)
            overflow = (np.abs(high) >= most) & (np.abs(got) >= most) & (got * high > 0)
        right = (got == high) & (rest == 0) | overflow | np.isnan(high) & np.isnan(got)
        return np.where(right, 0, np.where(np.isnan(error), inf, error))

    def bounds(self, isa: str) -> Array:
        """What the errors of one build must not exceed."""
        bounds = np.array([pair[isa == "baseline"] for pair in self.errors.values()])
        return np.where(bounds < 0, np.exp2(bounds), bounds)


def same_bits(a: Array, b: Array) -> Array:
    """Whether numbers are the same, also in the signs of zeros; any NaN is any other."""
    if a.dtype.kind == "f":
        return (a == b) & (np.signbit(a) == np.signbit(b)) | np.isnan(a) & np.isnan(b)
    return a == b


F32, F64 = np.float32, np.float64
EXP = {inf: (inf,), -inf: (0.0,)}
LOG = {0.0: (-inf,), inf: (inf,), -inf: (nan,)}
LOG1P = {-1.0: (-inf,), inf: (inf,), -inf: (nan,)}
TANH = {inf: (1.0,), -inf: (-1.0,)}
ATAN = {inf: (math.pi / 2,), -inf: (-math.pi / 2,)}
LOGISTIC = {inf: (0.0, 0.0), -inf: (0.0, 0.0)}

ABOVE_MINUS_1_F32 = either(between(-1 + 2.0**-24, 1, F32), sizes(0, 128, F32))
ABOVE_MINUS_1 = either(between(-1 + 2.0**-53, 1), sizes(0, 1000))


FUNCTIONS = [
    Function("exp_f32", mp.exp, everywhere(F32), "", {"": (0.77, 0.77)}, F32, EXP, wide="exp_f64"),
    Function(
        "exp_nonpositive_f32",
        mp.exp,
        everywhere(F32, high=0.0),
        "x <= 0",
        {"": (1.05, 1.02)},
        F32,
        EXP,
        wide="exp_f64",
        domain=lambda x: ~(x > 0),
    ),
    Function(
        "exp_in_sum_f32",
        mp.exp,
        between(-87.0, 0.0, F32),
        "-87 <= x < 0, over 1 + |x|",
        {"": (1.81, 1.92)},
        F32,
        per=lambda x: 1 + np.abs(x),
        wide="exp_f64",
        domain=lambda x: (x >= -87) & (x <= 0),
    ),
    Function(
        "log_f32",
        lambda x: mp.log(x) if x > 0 else nan,
        everywhere(F32),
        "",
        {"": (0.94, 0.96)},
        F32,
        LOG,
        wide="log_f64",
    ),
    Function(
        "log1p_within_f32",
        mp.log1p,
        ABOVE_MINUS_1_F32,
        "-1 < x < inf",
        {"": (0.96, 1.02)},
        F32,
        wide="log1p_within_f64",
        domain=lambda x: (x > -1) & (x < inf),
    ),
    Function("tanh_f32", mp.tanh, everywhere(F32), "", {"": (0.76, 0.77)}, F32, TANH, wide="tanh_f64"),
    Function("atan_f32", mp.atan, everywhere(F32), "", {"": (1.21, 1.32)}, F32, ATAN, wide="atan_f64"),
    Function(
        "logistic_f32",
        logistic,
        everywhere(F32),
        "",
        {"softplus": (1.55, 1.84), "sigmoid": (1.71, 2.03)},
        F32,
        LOGISTIC,
        wide="logistic_f64",
    ),
    Function(
        "mul_add_f32", lambda a, b, c: a * b + c, together(*[sizes(-30, 30, F32)] * 3), "all > 0", {"": (0.5, 1.0)}, F32
    ),
    Function("exp_f64", mp.exp, everywhere(F64), "", {"": (0.75, 0.77)}, limits=EXP),
    Function("log_f64", lambda x: mp.log(x) if x > 0 else nan, everywhere(F64), "", {"": (0.86, 0.86)}, limits=LOG),
    Function(
        "log1p_f64", lambda x: mp.log1p(x) if x > -1 else nan, everywhere(F64), "", {"": (0.87, 0.9)}, limits=LOG1P
    ),
    Function("log1p_within_f64", mp.log1p, ABOVE_MINUS_1, "-1 < x < inf", {"": (0.88, 0.88)}),
    Function("less_log1p_f64", lambda x: x - mp.log1p(x), ABOVE_MINUS_1, "-1 < x < inf", {"": (7.2, 7.2)}),
    Function("tanh_f64", mp.tanh, everywhere(F64), "", {"": (0.81, 0.8)}, limits=TANH),
    Function("atan_f64", mp.atan, everywhere(F64), "", {"": (1.2, 1.3)}, limits=ATAN),
    Function(
        "sincos_f64",
        lambda x: (mp.sin(x), mp.cos(x)),
        either(between(-10.0, 10.0), between(-1048576.0, 1048576.0)),
        "|x| <= 2^20",
        {"sine": (0.8, 0.9), "cosine": (0.85, 0.93)},
    ),
    Function(
        "logistic_f64",
        logistic,
        everywhere(F64),
        "",
        {"softplus": (1.19, 1.44), "sigmoid": (0.77, 0.78)},
        limits=LOGISTIC,
    ),
    Function("exp_tail_f64", lambda z: (mp.expm1(z) - z) / z, between(-1.0, 1.0), "|z| <= 1", {"": (1.8, 1.8)}),
    Function(
        "log1p_tail_f64",
        lambda s: (s - mp.log1p(s)) / s**2,
        between(0.0, 0.015625),
        "0 < s <= 1/64",
        {"": (0.53, 0.53)},
    ),
    Function("mul_add_f64", lambda a, b, c: a * b + c, together(*[sizes(-30, 30)] * 3), "all > 0", {"": (0.5, 1.0)}),
    Function(
        "two_sum_f64",
        lambda a, b: mp.fadd(a, b, exact=True),
        together(*[signed(sizes(-1000, 1000))] * 2),
        "|a + b| < inf",
        double_double=True,
    ),
    Function(
        "two_prod_f64",
        lambda a, b: a * b,
        together(*[signed(sizes(-480, 500))] * 2),
        "2^-960 <= |a b| <= 2^1000",
        double_double=True,
    ),
    Function("finite_or_zero_f64", lambda x: np.where(np.isfinite(x), x, 0.0), everywhere(F64), "", exact=True),
    Function("inverse_size_f32", inverse_size, sizes(-126, 126, F32), "2^-126 <= x < 2^126", type=F32, exact=True),
    Function("inverse_size_f64", inverse_size, sizes(-1022, 1022), "2^-1022 <= x < 2^1022", exact=True),
    Function(
        "quotient_f64",
        lambda hi, lo, d: (hi + lo) / d,
        together(with_low(sizes(-400, 400)), sizes(-400, 400)),
        "2^-800 <= |hi / d| <= 2^800",
        {"": (-103.7, -103.7)},
        double_double=True,
    ),
    Function(
        "square_f64",
        lambda hi, lo: (hi + lo) ** 2,
        with_low(sizes(-450, 500)),
        "2^-450 <= |hi| <= 2^500",
        {"": (-103.6, -103.6)},
        double_double=True,
    ),
    Function(
        "divided_f64",
        lambda n, nl, d, dl: (n + nl) / (d + dl),
        together(with_low(sizes(-400, 400)), with_low(sizes(-400, 400))),
        "2^-800 <= |n / d| <= 2^800",
        {"": (1.0, 1.0)},
    ),
    Function("exp_hilo_f64", lambda hi, lo: mp.exp(hi + lo), with_low(between(-746.0, 710.0)), "", {"": (0.76, 0.76)}),
    Function(
        "expm1_hilo_f64", lambda hi, lo: mp.expm1(hi + lo), with_low(between(-746.0, 710.0)), "", {"": (1.1, 1.09)}
    ),
    Function(
        "log_dd_f64",
        lambda hi, lo: mp.log(hi + lo),
        with_low(sizes(-1020, 1020)),
        "hi > 0",
        {"": (-68.3, -68.3)},
        double_double=True,
    ),
    Function(
        "pow_f64",
        lambda hi, lo, p: mp.power(hi + lo, p),
        powers(with_low(sizes(-1000, 1000)), 745.0),
        "hi > 0",
        {"": (0.77, 0.76)},
    ),
    Function("sqrt_to_f32", mp.sqrt, sizes(-990, 990), "2^-1000 <= x <= 1e300", {"": (-38.4, -38.4)}),
    Function("exp_to_f32", mp.exp, between(-300.0, 300.0), "|x| <= 300", {"": (-37.7, -37.7)}),
    Function("expm1_to_f32", mp.expm1, between(-300.0, 300.0), "|x| <= 300", {"": (-36.0, -36.0)}),
    Function("log_to_f32", mp.log, sizes(-1000, 1000), "x > 0", {"": (-34.8, -34.8)}),
    Function("log_hilo_to_f32", lambda hi, lo: mp.log(hi + lo), with_low(sizes(-1000, 1000)), "", {"": (-34.8, -34.8)}),
    Function("log1p_to_f32", mp.log1p, ABOVE_MINUS_1, "x > -1", {"": (-34.8, -34.8)}),
    Function("log1p_within_to_f32", mp.log1p, ABOVE_MINUS_1, "-1 < x < inf", {"": (-34.8, -34.8)}),
    Function("tanh_to_f32", mp.tanh, between(-300.0, 300.0), "|x| <= 300", {"": (-36.2, -36.2)}),
    Function(
        "logistic_to_f32",
        logistic,
        between(-300.0, 300.0),
        "|z| <= 300",
        {"softplus": (-35.3, -35.3), "sigmoid": (-37.7, -37.7)},
    ),
    Function(
        "pow_to_f32",
        mp.power,
        powers(sizes(-126, 128), 300.0),
        "|p log x| <= 300, over 1 + |p log x|",
        {"": (-34.8, -34.8)},
        per=lambda x, p: 1 + np.abs(p * np.log(x)),
    ),
    Function(
        "log1p_parts_to_f32",
        lambda w: (mp.log1p(w), w - mp.log1p(w)),
        sizes(-60, 930),
        "2^-60 <= w <= 2^930",
        {"log1p": (-29.5, -29.5), "w less it": (-27.0, -27.0)},
    ),
    Function(
        "exp_parts_to_f32",
        lambda z: (mp.exp(z), mp.expm1(z), mp.expm1(z) - z),
        between(-700.0, 700.0),
        "|z| <= 700",
        {"exp": (-32.0, -32.0), "less 1": (-30.3, -30.3), "less 1 + z": (-27.6, -27.6)},
    ),
    Function(
        "log_cosh_near_to_f32",
        lambda v: mp.log(mp.cosh(mp.sqrt(v))) / v,
        between(0.0, 1.0),
        "0 < v <= 1",
        {"": (-30.7, -30.7)},
    ),
    Function("log1p_small_to_f32", mp.log1p, between(0.0, 0.1353352832366127), "0 < e <= e^-2", {"": (-31.6, -31.6)}),
    Function("from_f16", from_float16, every_16_bits, "all 2^16", type=F32, exact=True),
    Function("from_bf16", from_bfloat16, every_16_bits, "all 2^16", type=F32, exact=True),
    Function("to_f16", to_float16, around_16_bits(F32), "", type=np.uint16, exact=True),
    Function("to_bf16", to_bfloat16, around_16_bits(F32), "", type=np.uint16, exact=True),
    Function("round_to_odd", to_odd, around_16_bits(F64), "", type=F32, exact=True),
]


# Measuring, and the table -------------------------------------------------------------------------


def measured(function: Function, isas: list[str], count: int, seed: int) -> dict[str, Array]:
    """The largest errors of the results of a function in some builds of the kernels."""
    x = function.points(np.random.default_rng(seed), count)
    true = function.true(x)
    return {isa: function.error(x, function.run(isa, x), true).max(axis=1) for isa in isas}


def table() -> str:
    """The list as it stands in the header."""
    lines = [
        "Largest error found with FMA and without, in units in the last place of the exact result, or relative to it",
        "(powers of 2); 0 where no bit may differ. Functions of one float32 were measured at all of them, the others",
        "at millions of points.",
        "",
        f"{'':32}{'FMA':>9}{'none':>9}   arguments",
    ]
    for function in FUNCTIONS:
        for result, errors in function.errors.items():
            name = f"{function.name}, {result}" if result else function.name
            shown = [f"2^{error:.1f}" if error < 0 else f"{error:.2f}" if error else "0" for error in errors]
            lines.append(f"{name:32}{shown[0]:>9}{shown[1]:>9}   {function.where}".rstrip())
    return "\n".join(f" * {line}".rstrip() for line in lines)


def with_table(header: str) -> str:
    return re.sub(r"( \* <accuracy>\n).*?( \* </accuracy>)", rf"\1{table()}\n\2", header, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", type=int, metavar="POINTS", help="print the largest errors at so many points")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="*", help="the functions to measure (all)")
    given = parser.parse_args(arguments)
    if given.measure:
        for function in FUNCTIONS:
            if not given.names or function.name in given.names:
                for isa, errors in measured(function, installed(), given.measure, given.seed).items():
                    shown = [f"{e:.4f}" if e >= 2**-20 or e == 0 else f"2^{np.log2(e):.2f}" for e in errors]
                    print(f"{function.name:24}{isa:12}", *shown, flush=True)
        return 0
    HEADER.write_text(with_table(HEADER.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
