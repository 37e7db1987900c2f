"""Arrays that know how far from their exact values arithmetic of some precision may take them.

A twin, the obvious NumPy expression of a loss, is evaluated on `Bounded` arrays: the values are computed in
`numpy.longdouble`, and beside each stands a bound on the error that the same expression has in the working precision,
by running error analysis: every operation passes on the errors of its operands and adds a rounding of its own. What
cancels is thus judged relative to its terms and everything else relative to itself, for any loss, without a list of
tolerances. Comparisons are 0 or 1 with an error of 1 where rounding might have decided otherwise.

`Dual` arrays carry a derivative along as well, made of the same bounded arithmetic: the curvature of a twin's gradient.
"""

from __future__ import annotations

from functools import lru_cache

import ml_dtypes
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

WIDE = np.longdouble
WIDE_EPS = np.finfo(WIDE).eps
UFUNCS: dict = {}
FUNCTIONS: dict = {}


class Precision:
    """The working precision that errors are bounded for: one of float32 and float64."""

    def __init__(self, dtype) -> None:
        info = np.finfo(dtype)
        self.dtype = np.dtype(dtype)
        self.eps = WIDE(info.eps)
        self.least = WIDE(4 * info.smallest_subnormal)
        self.tiny = WIDE(info.tiny)
        self.max = WIDE(info.max)

    def __enter__(self) -> Precision:
        global _now
        self._before, _now = _now, self
        return self

    def __exit__(self, *_) -> None:
        global _now
        _now = self._before


SINGLE, DOUBLE = Precision(np.float32), Precision(np.float64)
_now = DOUBLE


def implements(table, *functions):
    def register(rule):
        table.update(dict.fromkeys(functions, rule))
        return rule

    return register


class Bounded(NDArrayOperatorsMixin):
    """Values in long double and bounds on the errors of the working precision."""

    __slots__ = ("error", "value")

    def __init__(self, value, error) -> None:
        self.value, self.error = value, error

    @classmethod
    def exact(cls, array) -> Bounded:
        value = np.asarray(array, WIDE)
        return cls(value, np.zeros(value.shape, WIDE))

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = np.dtype(WIDE)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key) -> Bounded:
        key = _index(key)
        return Bounded(self.value[key], self.error[key])

    def __setitem__(self, key, given) -> None:
        key, given = _index(key), bounded(given)
        self.value[key], self.error[key] = given.value, given.error

    def astype(self, _dtype) -> Bounded:
        return self

    def copy(self) -> Bounded:
        return Bounded(self.value.copy(), self.error.copy())

    def reshape(self, *shape) -> Bounded:
        return Bounded(self.value.reshape(*shape), self.error.reshape(*shape))

    def sum(self, axis=None, keepdims=False) -> Bounded:
        total = self.value.sum(axis, keepdims=keepdims)
        terms = np.abs(self.value).sum(axis, keepdims=keepdims)
        return Bounded(total, self.error.sum(axis, keepdims=keepdims) + _now.eps * terms)

    def mean(self, axis=None) -> Bounded:
        return self.sum(axis) / (self.size if axis is None else self.shape[axis])

    def max(self, axis=None, keepdims=False) -> Bounded:
        highest = self.value.max(axis, keepdims=keepdims)
        near = self.value + self.error >= self.value.max(axis, keepdims=True)
        return Bounded(highest, np.where(near, self.error, 0).max(axis, keepdims=keepdims))

    def argmax(self, axis=None):
        return self.value.argmax(axis)

    def cumsum(self, axis) -> Bounded:
        terms = np.abs(self.value).cumsum(axis)
        return Bounded(self.value.cumsum(axis), self.error.cumsum(axis) + _now.eps * terms)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if any(isinstance(i, Dual) for i in inputs):
            return NotImplemented
        if method == "accumulate" and ufunc is np.logaddexp:
            return _accumulated(*inputs, **options)
        (into,) = options.pop("out", (None,))
        if method != "__call__" or options:
            raise TypeError(f"no rule for {ufunc.__name__}.{method} with {options}")
        return _put(UFUNCS[ufunc](*map(bounded, inputs)), into)

    def __array_function__(self, function, types, args, options):
        if any(issubclass(kind, Dual) for kind in types):
            return NotImplemented
        return FUNCTIONS[function](*args, **options)


def _put(result, into):
    """A result, in place of what `out` holds where that is given: of ``a += b``."""
    if into is None:
        return result
    for part in type(into).__slots__:
        setattr(into, part, getattr(result, part))
    return into


def _first(array):
    return array.value if isinstance(array, Dual) else array


def _index(key):
    """An index of which a part may be a comparison of bounded arrays."""
    if isinstance(key, tuple):
        return tuple(map(_index, key))
    return _first(key).value != 0 if isinstance(key, Dual | Bounded) else key


@lru_cache(maxsize=4096)
def _constant(number: float, precision: Precision) -> Bounded:
    value = np.asarray(number, WIDE)
    return Bounded(value, np.where(value == value.astype(np.float32), 0, precision.eps * np.abs(value)))


def bounded(given) -> Bounded:
    """An operand; one that even float32 does not hold is rounded, or may be a rounded result such as 1 / (2 beta)."""
    if isinstance(given, Bounded):
        return given
    if isinstance(given, (float, int)):
        return _constant(float(given), _now)
    array = np.asarray(given)
    if array.dtype.kind in "biu":
        return Bounded.exact(array)
    value = array.astype(WIDE)
    held = value == value.astype(np.float32)
    return Bounded(value, np.where(held, 0, _now.eps * np.abs(value)))


def _rounded(value, error) -> Bounded:
    """A result: the errors of its operands as they come through, of which NaN says nothing, and its own rounding."""
    error = np.where(np.isnan(error), np.inf, error)
    return Bounded(value, np.where(np.isinf(value), error, error + _now.eps * np.abs(value)) + _now.least)


# Arithmetic ---------------------------------------------------------------------------------------


def _unless_exact(value, error):
    """As `_rounded`, where a result of exact operands that the working precision holds is exact."""
    exact = (error == 0) & (value == value.astype(_now.dtype))
    return Bounded(value, np.where(exact, 0, error + _now.eps * np.abs(value) + _now.least))


@implements(UFUNCS, np.add)
def _(a, b):
    value = a.value + b.value
    lost = np.isfinite(value) & ((value - a.value != b.value) | (value - b.value != a.value))  # by long double itself
    return _unless_exact(value, np.where(lost, WIDE_EPS * np.abs(value), 0) + a.error + b.error)


@implements(UFUNCS, np.subtract)
def _(a, b):
    return UFUNCS[np.add](a, Bounded(-b.value, b.error))


@implements(UFUNCS, np.multiply)
def _(a, b):
    value = a.value * b.value
    if not (a.error.any() or b.error.any()):
        return _unless_exact(value, a.error + b.error)
    error = np.abs(a.value) * b.error + np.abs(b.value) * a.error + a.error * b.error
    zero = ((a.value == 0) & (a.error == 0)) | ((b.value == 0) & (b.error == 0))
    return Bounded(value, np.where(zero, 0, error + _now.eps * np.abs(value) + _now.least))


@implements(UFUNCS, np.divide)
def _(a, b):
    value = a.value / b.value
    room = np.abs(b.value) - b.error
    error = np.where(room > 0, (a.error + np.abs(value) * b.error) / np.where(room > 0, room, 1), np.inf)
    error = np.where((b.error == 0) & (b.value == 0), 0, error)
    zero = (a.value == 0) & (a.error == 0)
    return Bounded(value, np.where(zero, 0, error + _now.eps * np.abs(value) + _now.least))


@implements(UFUNCS, np.power)
def _(a, b):
    value = a.value**b.value
    # Relative to the base's error, and to the exponent's times the logarithm.
    logarithm = np.abs(np.log(np.abs(a.value)))
    with_base = np.where(a.error > 0, np.abs(b.value) * -np.log1p(-np.minimum(a.error / np.abs(a.value), 1)), 0)
    exponent = np.where(b.error > 0, b.error * logarithm, 0) + with_base
    plain = np.isin(b.value, (0, 1, 2, 3)) | (value == 0) | np.isinf(value)
    spread = exponent + np.where(plain, 0, _now.eps * np.abs(b.value) * logarithm)
    error = np.where(spread > 0, np.abs(value) * np.expm1(spread), 0)
    # From an inexact 0 or less than its error, up to the power of what it may be.
    vague = (a.error >= np.abs(a.value)) & (a.error > 0)
    error = np.where(vague, (np.abs(a.value) + a.error) ** b.value, error)
    return Bounded(value, np.where(b.value == 0, 0, error + 2 * _now.eps * np.abs(value) + _now.least))


@implements(UFUNCS, np.negative)
def _(a):
    return Bounded(-a.value, a.error)


@implements(UFUNCS, np.absolute, np.fabs)
def _(a):
    return Bounded(np.abs(a.value), a.error)


@implements(UFUNCS, np.square)
def _(a):
    return UFUNCS[np.multiply](a, a)


@implements(UFUNCS, np.sqrt)
def _(a):
    value = np.sqrt(a.value)
    return _rounded(value, np.where(a.error < a.value, a.error / value, np.sqrt(a.value + a.error)) * (a.error > 0))


@implements(UFUNCS, np.sign)
def _(a):
    return Bounded(np.sign(a.value), np.where((a.error > 0) & (np.abs(a.value) <= a.error), WIDE(2), 0))


@implements(UFUNCS, np.maximum)
def _(a, b):
    return _either(a, b, np.maximum(a.value, b.value), a.value >= b.value)


@implements(UFUNCS, np.minimum)
def _(a, b):
    return _either(a, b, np.minimum(a.value, b.value), a.value <= b.value)


def _either(a, b, value, first):
    close = np.abs(a.value - b.value) <= a.error + b.error
    return Bounded(value, np.where(close, np.maximum(a.error, b.error), np.where(first, a.error, b.error)))


# Functions of one number, which are accurate to two units ---------------------------------------------


@implements(UFUNCS, np.exp)
def _(a):
    value = np.exp(a.value)
    return _rounded(value, np.where(a.error > 0, value * np.expm1(a.error), 0) + _now.eps * value)


@implements(UFUNCS, np.expm1)
def _(a):
    value = np.expm1(a.value)
    error = np.where(a.error > 0, np.exp(a.value) * np.expm1(a.error), 0)
    return _rounded(value, error + _now.eps * np.abs(value))


def _log(argument, value, error):
    share = error / argument
    moved = np.where(share < 1, -np.log1p(-np.minimum(share, WIDE(0.999999))), np.inf)
    return _rounded(value, np.where(error > 0, moved, 0) + _now.eps * np.abs(value))


@implements(UFUNCS, np.log)
def _(a):
    return _log(a.value, np.log(a.value), a.error)


@implements(UFUNCS, np.log1p)
def _(a):
    return _log(1 + a.value, np.log1p(a.value), a.error)


@implements(UFUNCS, np.tanh)
def _(a):
    value = np.tanh(a.value)
    steepest = 1 - np.tanh(np.maximum(np.abs(a.value) - a.error, 0)) ** 2
    return _rounded(value, np.where(a.error > 0, np.minimum(steepest * a.error, 2), 0) + _now.eps * np.abs(value))


@implements(UFUNCS, np.logaddexp)
def _(a, b):
    value = np.logaddexp(a.value, b.value)
    return _rounded(value, np.maximum(a.error, b.error) + 2 * _now.eps)


def _accumulated(a, axis):
    value = np.logaddexp.accumulate(a.value, axis=axis)
    error = np.maximum.accumulate(a.error, axis=axis)
    return _rounded(value, error + 2 * _now.eps)


@implements(UFUNCS, np.arccos)
def _(a):
    value = np.arccos(a.value)
    return _rounded(value, np.where(a.error > 0, a.error / np.sin(value), 0) + _now.eps * value)


@implements(UFUNCS, np.cos)
def _(a):
    return _rounded(np.cos(a.value), a.error)


@implements(UFUNCS, np.sin)
def _(a):
    return _rounded(np.sin(a.value), a.error)


# Comparisons --------------------------------------------------------------------------------------


def _compared(ufunc):
    @implements(UFUNCS, ufunc)
    def _(a, b):
        error = a.error + b.error
        unsure = (error > 0) & (np.abs(a.value - b.value) <= error)
        return Bounded(ufunc(a.value, b.value).astype(WIDE), unsure.astype(WIDE))


for _ufunc in (np.less, np.less_equal, np.greater, np.greater_equal, np.not_equal):
    _compared(_ufunc)


@implements(UFUNCS, np.equal)
def _(a, b):
    error = a.error + b.error
    close = np.abs(a.value - b.value) <= error
    unsure = (error > 0) & close
    if a.ndim == b.ndim and a.shape[-1:] != b.shape[-1:] == (1,):
        unsure &= close.sum(-1, keepdims=True) > 1  # the largest of a row equals it for certain, unless another may
    return Bounded((a.value == b.value).astype(WIDE), unsure.astype(WIDE))


@implements(UFUNCS, np.bitwise_or)
def _(a, b):
    return Bounded(np.maximum(a.value, b.value), np.maximum(a.error, b.error))


@implements(UFUNCS, np.bitwise_and)
def _(a, b):
    return Bounded(np.minimum(a.value, b.value), np.maximum(a.error, b.error))


@implements(UFUNCS, np.invert)
def _(a):
    return Bounded(1 - a.value, a.error)


@implements(FUNCTIONS, np.where)
def _(condition, a, b):
    condition, a, b = bounded(condition), bounded(a), bounded(b)
    first = condition.value != 0
    value, error = np.where(first, a.value, b.value), np.where(first, a.error, b.error)
    if condition.error.any():
        apart = np.abs(a.value - b.value) + a.error + b.error
        error = np.where(condition.error > 0, np.maximum(error, apart), error)
    return Bounded(value, error)


# Functions of arrays ------------------------------------------------------------------------------


@implements(FUNCTIONS, np.clip)
def _(a, low, high):
    return np.minimum(np.maximum(a, low), high)


@implements(FUNCTIONS, np.sum)
def _(a, axis=None):
    return a.sum(axis)


@implements(FUNCTIONS, np.average)
def _(a, weights=None):
    return a.mean() if weights is None else (a * weights).sum() / np.sum(weights)


@implements(FUNCTIONS, np.zeros_like)
def _(a):
    return Bounded.exact(np.zeros(a.shape))


@implements(FUNCTIONS, np.empty_like)
def _(a):
    return Bounded.exact(np.zeros(a.shape))


@implements(FUNCTIONS, np.ones_like)
def _(a):
    return Bounded.exact(np.ones(a.shape))


@implements(FUNCTIONS, np.shape)
def _(a):
    return a.shape


@implements(FUNCTIONS, np.stack)
def _(arrays, axis):
    arrays = list(map(bounded, arrays))
    return Bounded(np.stack([a.value for a in arrays], axis), np.stack([a.error for a in arrays], axis))


@implements(FUNCTIONS, np.take_along_axis)
def _(a, indices, axis):
    if not isinstance(indices, np.ndarray):
        indices = _first(indices).value.astype(np.intp)
    if isinstance(a, Dual):
        return a._taken(indices, axis)
    return Bounded(np.take_along_axis(a.value, indices, axis), np.take_along_axis(a.error, indices, axis))


@implements(FUNCTIONS, np.put_along_axis)
def _(a, indices, values, axis):
    values = bounded(values)
    np.put_along_axis(a.value, indices, values.value, axis)
    np.put_along_axis(a.error, indices, values.error, axis)


@implements(FUNCTIONS, np.sort)
def _(a, axis):
    order = a.value.argsort(axis)
    error = np.take_along_axis(a.error, order, axis)
    return Bounded(np.take_along_axis(a.value, order, axis), np.maximum(error, a.error.max(axis, keepdims=True)))


@implements(FUNCTIONS, np.argsort)
def _(a, axis, kind):
    return _first(a).value.argsort(axis, kind=kind)


# Derivatives --------------------------------------------------------------------------------------

SLOPES: dict = {
    np.negative: lambda a, _: (-1.0,),
    np.absolute: lambda a, _: (np.sign(a),),
    np.square: lambda a, _: (2 * a,),
    np.sqrt: lambda a, r: (0.5 / r,),
    np.exp: lambda a, r: (r,),
    np.expm1: lambda a, _: (np.exp(a),),
    np.log: lambda a, _: (1 / a,),
    np.log1p: lambda a, _: (1 / (1 + a),),
    np.tanh: lambda a, r: (1 - r * r,),
    np.arccos: lambda a, r: (-1 / np.sin(r),),
    np.cos: lambda a, _: (-np.sin(a),),
    np.sin: lambda a, _: (np.cos(a),),
    np.add: lambda a, b, _: (1.0, 1.0),
    np.subtract: lambda a, b, _: (1.0, -1.0),
    np.multiply: lambda a, b, _: (b, a),
    np.divide: lambda a, b, r: (1 / b, -r / b),
    np.maximum: lambda a, b, _: (a >= b, a < b),
    np.minimum: lambda a, b, _: (a <= b, a > b),
    np.power: lambda a, b, r: (b * a ** (b - 1), None),
    np.logaddexp: lambda a, b, r: (np.exp(a - r), np.exp(b - r)),
}
COMPARISONS = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}
LOGICAL = {np.bitwise_or, np.bitwise_and, np.invert}
JUMPING = COMPARISONS | LOGICAL | {np.sign}  # their derivative is 0 or there is none
BRANCHING = COMPARISONS | {np.maximum, np.minimum, np.absolute, np.sign}


class Dual(NDArrayOperatorsMixin):
    """Bounded values and their derivatives in one variable."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Bounded, slope: Bounded) -> None:
        self.value, self.slope = value, slope

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = Bounded.dtype

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def _both(self, name, *args, **options):
        return Dual(getattr(self.value, name)(*args, **options), getattr(self.slope, name)(*args, **options))

    def __getitem__(self, key):
        return self._both("__getitem__", key)

    def __setitem__(self, key, given):
        given = _dual(given)
        self.value[key], self.slope[key] = given.value, given.slope

    def astype(self, _dtype):
        return self

    def copy(self):
        return self._both("copy")

    def reshape(self, *shape):
        return self._both("reshape", *shape)

    def sum(self, axis=None, keepdims=False):
        return self._both("sum", axis, keepdims)

    def mean(self, axis=None):
        return self._both("mean", axis)

    def cumsum(self, axis):
        return self._both("cumsum", axis)

    def argmax(self, axis=None):
        return self.value.argmax(axis)

    def _taken(self, indices, axis):
        return Dual(*(np.take_along_axis(part, indices, axis) for part in (self.value, self.slope)))

    def max(self, axis=None, keepdims=False):
        """Whichever of equal ones is the largest, the twins subtract it again."""
        at = np.expand_dims(self.argmax(axis), axis)
        found = np.take_along_axis(self, at, axis)
        return (
            found
            if keepdims
            else Dual(
                *(Bounded(part.value.squeeze(axis), part.error.squeeze(axis)) for part in (found.value, found.slope))
            )
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        inputs = [_dual(i) for i in inputs]
        (into,) = options.pop("out", (None,))
        if method == "accumulate" and ufunc is np.logaddexp:
            axis = options["axis"]
            value = np.logaddexp.accumulate(inputs[0].value, axis=axis)
            size = inputs[0].shape[axis]
            apart = inputs[0].value[..., np.newaxis, :] - value[..., :, np.newaxis]
            share = np.where(np.tri(size, dtype=bool), np.exp(apart), 0.0)
            return Dual(value, (share * inputs[0].slope[..., np.newaxis, :]).sum(-1))
        if method != "__call__" or options:
            raise TypeError(f"no rule for {ufunc.__name__}.{method} with {options}")
        values = [i.value for i in inputs]
        if ufunc in BRANCHING:
            values = _unsure(values, [i.slope for i in inputs])
        result = UFUNCS[ufunc](*values)
        if ufunc in JUMPING:
            slope = np.where(result.error > 0, WIDE(np.inf), 0)
            return _put(Dual(result, Bounded(np.zeros(result.shape, WIDE), slope)), into)
        parts = [
            factor * i.slope
            for factor, i in zip(SLOPES[ufunc](*values, result), inputs, strict=True)
            if factor is not None and (i.slope.value.any() or i.slope.error.any())
        ]
        slope = sum(parts[1:], parts[0]) if parts else Bounded.exact(np.zeros(result.shape))
        return _put(Dual(result, slope), into)

    def __array_function__(self, function, types, args, options):
        if function is np.where:
            condition, a, b = map(_dual, args)
            return Dual(np.where(condition.value, a.value, b.value), np.where(condition.value, a.slope, b.slope))
        if function is np.sort:
            return args[0]._taken(args[0].value.value.argsort(options["axis"]), options["axis"])
        if function in (np.clip, np.average, np.shape, np.take_along_axis):
            return FUNCTIONS[function](*args, **options)
        if function in (np.zeros_like, np.ones_like, np.empty_like):
            return _dual(FUNCTIONS[function](args[0]))
        if function is np.stack:
            arrays = list(map(_dual, args[0]))
            return Dual(*(np.stack([getattr(a, part) for a in arrays], **options) for part in ("value", "slope")))
        if function is np.put_along_axis:
            into, indices, values = args[0], args[1], _dual(args[2])
            np.put_along_axis(into.value, indices, values.value, **options)
            np.put_along_axis(into.slope, indices, values.slope, **options)
            return None
        return Dual(*(FUNCTIONS[function](part, *args[1:], **options) for part in (args[0].value, args[0].slope)))


def _unsure(values, slopes):
    """The operands of what branches: where they meet exactly, a derivative is on neither side."""
    if len(values) == 2:
        meeting = (values[0].value == values[1].value) & (slopes[0].value != slopes[1].value)
        moved = Bounded(values[0].value, values[0].error + np.where(meeting, _now.least, 0))
        return [moved, values[1]]
    meeting = (values[0].value == 0) & (slopes[0].value != 0)
    return [Bounded(values[0].value, values[0].error + np.where(meeting, _now.least, 0))]


def _dual(given) -> Dual:
    if isinstance(given, Dual):
        return given
    value = bounded(given)
    return Dual(value, Bounded.exact(np.zeros(value.shape)))


class Limits:
    """What storing in a type rounds to."""

    def __init__(self, dtype) -> None:
        info = ml_dtypes.finfo(dtype)
        self.eps, self.least = WIDE(float(info.eps)), WIDE(float(info.smallest_subnormal))
        self.max = WIDE(float(info.max))


LIMITS = {np.dtype(t): Limits(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)}
