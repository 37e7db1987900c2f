"""The vector mathematics of every kernel build against mpmath, within the accuracy that its header states."""

import re
from importlib import import_module
from pathlib import Path

import mpmath
import numpy as np
import pytest

import fastloss
from fastloss._core.isa import installed

HEADER = Path(fastloss.__file__).parent / "_kernels" / "vecmath.h"
ORACLES = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "expm1": mpmath.expm1,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "atan": mpmath.atan,
}


def stated():
    """The table at the top of the header: {function: units in the last place for (f32 FMA, f32, f64 FMA, f64)}."""
    rows = re.findall(r"^ \*   (\w+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$", HEADER.read_text(), re.MULTILINE)
    return {name: tuple(map(float, columns)) for name, *columns in rows}


STATED = stated()


def run(isa, name, x):
    out = np.empty_like(x)
    import_module(f"fastloss._kernels.{isa}").vecmath(name, x, out)
    return out


def bound(isa, name, dtype):
    return STATED[name][2 * (dtype == np.float64) + (isa == "baseline")]


def specials(dtype):
    info = np.finfo(dtype)
    ends = [0, info.smallest_subnormal, info.smallest_normal, info.eps, 0.5, 1, 2, 88, 104, 709, 746, info.max, np.inf]
    positive = np.array(ends, np.float64).clip(max=np.inf)
    with np.errstate(over="ignore"):
        positive = positive.astype(dtype)
    return np.concatenate([positive, -positive, np.array([np.nan], dtype)])


def spread(dtype, count, rng):
    """Points over every exponent of both signs, and as many where the functions vary."""
    unsigned = np.uint32 if dtype == np.float32 else np.uint64
    bits = rng.integers(0, np.iinfo(unsigned).max, count // 2, dtype=unsigned, endpoint=True)
    near = rng.normal(size=count - count // 2) * np.exp2(rng.uniform(-12, 6, count - count // 2))
    return np.concatenate([bits.view(dtype), near.astype(dtype), specials(dtype)])


def exact(name, x):
    """The function in mpmath, rounded to 40 digits; NaN outside its domain."""
    with mpmath.workdps(40):
        if np.isnan(x) or (name == "log" and x < 0) or (name == "log1p" and x < -1):
            return mpmath.nan
        if (name, x) in {("log", 0), ("log1p", -1)}:
            return -mpmath.inf
        if name == "sigmoid" and x < 0:
            return mpmath.exp(x) / (1 + mpmath.exp(x))
        if name == "softplus":  # mpmath's log1p of exp(-10^300) would want as many digits
            small = mpmath.exp(-abs(mpmath.mpf(float(x))))
            return max(x, 0) + (mpmath.log1p(small) if abs(x) < 1000 else small)
        return ORACLES[name](mpmath.mpf(float(x)))


def errors(got, true, dtype):
    """Units in the last place between results and exact values given as float64 pairs (high, low)."""
    info = np.finfo(dtype)
    high, low = true
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(high)[1] - 1, info.minexp)
        error = np.ldexp(np.abs((got.astype(np.float64) - high) - low), info.nmant - exponent)
        overflow = np.abs(high) >= float(info.max)
        error[overflow] = np.where(np.abs(got[overflow]) >= info.max, 0, np.inf)
    error[np.isinf(high)] = np.where(got[np.isinf(high)] == high[np.isinf(high)], 0, np.inf)
    error[np.isnan(high)] = np.where(np.isnan(got[np.isnan(high)]), 0, np.inf)
    return error


def against_mpmath(isa, name, x):
    true = [exact(name, v) for v in x]
    high = np.array([float(t) for t in true])
    low = np.array([float(t - mpmath.mpf(h)) if np.isfinite(h) else 0.0 for t, h in zip(true, high, strict=True)])
    got = run(isa, name, x)
    error = errors(got, (high, low), x.dtype.type)
    worst = int(np.argmax(error))
    return error[worst], f"{name}({x[worst]!r}) = {got[worst]!r} in {isa}"


@pytest.mark.parametrize("isa", installed())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_within_the_stated_accuracy(isa, name, dtype):
    x = spread(dtype, 3000, np.random.default_rng(3))
    error, where = against_mpmath(isa, name, x)
    assert error <= bound(isa, name, dtype), where


@pytest.mark.slow
@pytest.mark.parametrize("isa", installed())
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_a_million_points_in_float64(isa, name):
    x = spread(np.float64, 1_000_000, np.random.default_rng(4))
    error, where = against_mpmath(isa, name, x)
    assert error <= bound(isa, name, np.float64), where


@pytest.mark.slow
@pytest.mark.parametrize("isa", installed())
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_every_float32(isa, name):
    """Against the same function in float64, whose own error is 2^-29 of a float32 unit."""
    size = 1 << 22
    for start in range(0, 1 << 32, size):
        x = np.arange(start, start + size, dtype=np.uint64).astype(np.uint32).view(np.float32)
        with np.errstate(invalid="ignore"):  # signaling NaNs
            got, high = run(isa, name, x), run(isa, name, x.astype(np.float64))
        error = errors(got, (high, 0.0), np.float32)
        worst = int(np.argmax(error))
        assert error[worst] <= bound(isa, name, np.float32) + 1e-6, f"{name}({x[worst]!r}) = {got[worst]!r} in {isa}"


def test_the_table_names_every_function():
    assert set(ORACLES) <= set(STATED)


@pytest.mark.parametrize("isa", installed())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_signed_zeros_are_kept(isa, dtype):
    zeros = np.array([0.0, -0.0], dtype)
    for name in ("log1p", "expm1", "tanh", "atan"):
        assert list(np.signbit(run(isa, name, zeros))) == [False, True], name
