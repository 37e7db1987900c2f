"""The vector mathematics of every kernel build against mpmath, within the accuracy that its header states."""

import re
from importlib import import_module

import mpmath
import numpy as np
import pytest
from mpmath import mp

from fastloss._core.isa import installed
from tools.polynomials import constant, headers, polynomials, stated
from tools.vecmath import F32, F64, FUNCTIONS, HEADER, around_16_bits, measured, same_bits, to_float16, with_table

BY_NAME = {function.name: function for function in FUNCTIONS}
EVERY_FLOAT32 = [function for function in FUNCTIONS if function.wide or function.name in ("to_f16", "to_bf16")]


def name(function):
    return function.name


def check(function, errors):
    for isa, largest in errors.items():
        assert (largest <= function.bounds(isa)).all(), f"{function.name} in {isa}: {largest}"


@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_within_the_stated_accuracy(function):
    check(function, measured(function, installed(), 1000, seed=3))


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS, ids=name)
def test_a_million_points(function):
    check(function, measured(function, installed(), 1_000_000, seed=4))


@pytest.mark.slow
@pytest.mark.parametrize("isa", installed())
@pytest.mark.parametrize("function", EVERY_FLOAT32, ids=name)
def test_every_float32(isa, function):
    """Against the exact result, or the same function in float64, whose own error is 2^-29 of a float32 unit."""
    size = 1 << 16  # arrays that stay in a cache: a sixth of the time
    for start in range(0, 1 << 32, size):
        x = np.arange(start, start + size, dtype=np.uint64).astype(np.uint32).view(F32)
        x = x[function.domain(x)][None]
        if x.size:
            if function.exact:
                true = function.true(x)
            else:
                with np.errstate(invalid="ignore"):  # signaling NaNs
                    true = [function.units(row) for row in BY_NAME[function.wide].run(isa, x.astype(F64))]
            error = function.error(x, function.run(isa, x), true)
            assert (error.max(axis=1) <= function.bounds(isa) + 1e-6).all(), x[0][error.argmax(axis=1)]


def test_the_table_is_current():
    assert with_table(HEADER.read_text()) == HEADER.read_text(), "run python -m tools.vecmath"


def test_every_function_that_kernels_can_call_is_in_the_list():
    declared = re.findall(r"fl_\w+", HEADER.with_suffix(".pxd").read_text().partition("cdef inline")[0])
    assert sorted(declared) == sorted(f"fl_{function.name}" for function in FUNCTIONS)


@pytest.mark.parametrize("isa", installed())
def test_an_unknown_function_is_an_error(isa):
    with pytest.raises(ValueError, match="'gamma'"):
        import_module(f"fastloss._kernels.{isa}.vecmath").apply("gamma", np.ones((1, 1)), np.ones((1, 1)))


@pytest.mark.parametrize("isa", installed())
@pytest.mark.parametrize("function", [BY_NAME[odd] for odd in ("log1p_f64", "tanh_f32", "tanh_f64")], ids=name)
def test_signed_zeros_are_kept(isa, function):
    zeros = np.array([[0.0, -0.0]], function.type)
    assert same_bits(function.run(isa, zeros), zeros).all()


@pytest.mark.parametrize("isa", installed())
def test_terms_of_a_sum_fade_to_zero(isa):
    """Below the accurate part of exp_in_sum: at 0 the largest term is 1."""
    x = np.array([[0.0, -87.5, -88.0, -104.0, -1e30, -np.inf, np.nan]], F32)
    (e,) = BY_NAME["exp_in_sum_f32"].run(isa, x)
    assert e[0] == 1
    assert ((e[1:-1] >= 0) & (e[1:-1] <= np.exp(np.maximum(x[0, 1:-1], -110)) + 2.0**-126)).all()
    assert np.isnan(e[-1])


@pytest.mark.parametrize("isa", installed())
def test_a_float64_is_rounded_to_16_bits_once(isa):
    x = around_16_bits(F64)(np.random.default_rng(5), 1000)
    odd = BY_NAME["round_to_odd"].run(isa, x)
    (half,) = BY_NAME["to_f16"].run(isa, odd)
    with np.errstate(all="ignore"):
        nearest = x[0].astype(np.float16).view(np.uint16)
    np.testing.assert_array_equal(half[~np.isnan(x[0])], nearest[~np.isnan(x[0])])
    np.testing.assert_array_equal(half[np.isnan(x[0])], to_float16(odd[0])[np.isnan(x[0])])


# Polynomials and constants ------------------------------------------------------------------------


@pytest.mark.parametrize("polynomial", polynomials(), ids=name)
def test_the_error_of_a_polynomial_is_as_stated(polynomial):
    with mpmath.workdps(40):
        error = polynomial.error(polynomial.coefficients())
    assert np.log2(error) == pytest.approx(stated()[polynomial.name], abs=0.051)


def test_every_polynomial_is_in_the_tool():
    arrays = re.findall(r"^static const \w+ flv_(\w+)\[\]", headers(), re.MULTILINE)
    assert sorted(arrays) == sorted(stated()) == sorted(polynomial.name for polynomial in polynomials())


@pytest.mark.parametrize("polynomial", [p for p in polynomials() if p.name in ("exp2_f32", "log_f64")], ids=name)
def test_a_fit_is_at_least_as_good_as_the_header(polynomial):
    with mpmath.workdps(40):
        ideal, rounded = polynomial.fitted()
        assert ideal <= polynomial.error(rounded) <= polynomial.error(polynomial.coefficients()) * 1.001


def bits_of(value):
    """How many bits a number has from its first to its last that is set."""
    return len(f"{int(mp.ldexp(value, 200)):b}".rstrip("0"))


@pytest.mark.parametrize(
    "dtype, suffix, exponent_bits, smallest", [(F32, "f32", 8, 2.0**-150), (F64, "f64", 11, mp.mpf(2) ** -1075)]
)
def test_constants(dtype, suffix, exponent_bits, smallest):
    def of(constant_name):
        (value,) = constant(f"{constant_name}_{suffix}")
        return value

    info = np.finfo(dtype)
    with mpmath.workdps(40):
        assert of("log2e") == dtype(float(1 / mp.log(2)))
        assert bits_of(of("ln2_high")) <= info.nmant + 1 - exponent_bits
        assert of("ln2_low") == dtype(float(mp.log(2) - of("ln2_high")))
        near = np.array([of("sqrt_half_bits") - 1, of("sqrt_half_bits")], f"u{info.dtype.itemsize}").view(dtype)
        assert near[0] < mp.sqrt(0.5) <= near[1] * (1 + mp.mpf(float(info.eps)))
        assert of("to_integer") == 1.5 * 2.0**info.nmant
        assert mp.exp(of("exp_most")) > mp.mpf(float(info.max)) * (1 + mp.mpf(float(info.eps)) / 4)
        assert mp.exp(of("exp_least")) < smallest
        assert 1 - mp.tanh(of("tanh_most")) < mp.mpf(float(info.eps)) / 4


def test_constants_of_float64_alone():
    with mpmath.workdps(40):
        assert constant("ln2_f64") == [float(mp.log(2))]
        assert mp.exp(constant("expm1_least_f64")[0]) < mp.mpf(2) ** -54
        for fraction, parts in ((mp.mpf(2) / 3, "two_thirds"), (mp.mpf(2) / 5, "two_fifths")):
            (high,), (low,) = constant(f"{parts}_high_f64"), constant(f"{parts}_low_f64")
            assert (high, low) == (float(fraction), float(fraction - high))
        (middle,), (at_middle,) = constant("logistic_middle_f64"), constant("logistic_at_middle_f64")
        assert abs(mp.log1p(middle) / middle / at_middle - 1) < mp.mpf(2) ** -70
