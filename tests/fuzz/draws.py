"""How losses, their parameters and their arrays are drawn from integer seeds."""

from __future__ import annotations

import math
from dataclasses import fields

import ml_dtypes
import numpy as np

from fastloss._core.parameters import ANY, Domain
from tests.support import DRAWN

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HALF, SINGLE, DOUBLE = (np.dtype(t) for t in ("f2", "f4", "f8"))
FLOATS = (HALF, BFLOAT16, SINGLE, DOUBLE)
INTEGERS = tuple(np.dtype(t) for t in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))
CLASSES = list(dict.fromkeys(map(type, DRAWN)))
EVERY_OF = {cls: [loss for loss in DRAWN if type(loss) is cls] for cls in CLASSES}
EDGES = (63, 64, 65, 511, 512, 513, 1023, 1024, 1025)  # blocks, groups of rows, streaming stores
ROW_EDGES = (63, 64, 65, 127, 128, 129, 159, 160, 161, 200, 513, 1100)


def pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def chance(rng: np.random.Generator, share: float) -> bool:
    return rng.random() < share


# Parameters ---------------------------------------------------------------------------------------


def a_loss(rng: np.random.Generator, cls=None):
    """A loss of the registry; a third of the time any parameters of their domains, else declared ones."""
    cls = pick(rng, CLASSES) if cls is None else cls
    base = pick(rng, EVERY_OF[cls])
    if not chance(rng, 0.4):
        return base
    parameters = base.parameters()
    for field in fields(cls):
        if chance(rng, 0.7):
            parameters[field.name] = _parameter(rng, field, parameters[field.name])
    try:
        return cls(**parameters)
    except ValueError:  # a few combinations have no meaning
        return base


def _parameter(rng, field, before):
    metadata = field.metadata
    if field.name == "axis" or field.name == "ignore_index":
        return before  # belongs to the arrays
    if field.name == "class_weight":
        return before  # likewise
    if field.name == "p" and "integer" in metadata:
        return pick(rng, (1, 2))
    if "options" in metadata:
        return pick(rng, metadata["options"])
    if "domain" not in metadata:
        return chance(rng, 0.5)
    if metadata.get("several"):
        return tuple(_number(rng, metadata["domain"]) for _ in range(int(rng.integers(1, 5))))
    return _number(rng, metadata["domain"])


def _number(rng, domain: Domain) -> float:
    """A number of a domain: an end, a simple one, any; mostly of few digits, so that float32 holds it."""
    if domain.bounded:
        width = domain.high - domain.low
        number = domain.low + width * pick(rng, (rng.random(), rng.integers(0, 9) / 8, 1e-3 * rng.random()))
    else:
        size = float(np.exp2(rng.uniform(-7, 5))) if chance(rng, 0.9) else float(np.exp2(rng.uniform(-30, 20)))
        size = pick(rng, (size, size, size, round(size), 0.0, 1.0))
        if domain.low > -math.inf:
            number = domain.low + size
        elif domain.high < math.inf:
            number = domain.high - size
        else:
            number = size * pick(rng, (-1, 1))
    number = float(np.float32(number)) if chance(rng, 0.8) else float(number)
    return number if number in domain else 0.5 if 0.5 in domain else 1.0


# Numbers ------------------------------------------------------------------------------------------


def representable(values, dtype):
    """Rounded to a type."""
    with np.errstate(all="ignore"):
        return np.asarray(values, np.float64).astype(dtype).astype(np.float64)


def special(rng, shape, dtype):
    """Numbers over all exponents of a type, zeros of both signs, and the ends."""
    info = ml_dtypes.finfo(dtype)
    least, top = float(info.smallest_subnormal), float(info.max)
    exponents = rng.uniform(math.log2(least), math.log2(top), shape)
    values = np.exp2(exponents) * rng.choice([-1.0, 1.0], shape)
    ends = rng.choice([0.0, -0.0, least, -least, float(info.tiny), top, -top, 1.0, -1.0], shape)
    return np.where(rng.random(shape) < 0.3, ends, values)


def within(rng, domain: Domain, shape, dtype, mood: str):
    """Numbers of a domain that a type holds."""
    low, high, ternary = domain.closed(np.float64)
    if ternary:
        return rng.choice([v for v in (-1.0, 0.0, 1.0) if low <= v <= high], shape)
    if domain.bounded:
        unit = 1 / (1 + np.exp(-2 * rng.standard_normal(shape)))
        if mood == "extreme":
            near = np.exp2(-rng.uniform(1, 60, shape))
            unit = np.where(rng.random(shape) < 0.5, near, 1 - near)
        unit = np.where(rng.random(shape) < 0.3, np.rint(unit), unit)
        values = low + (high - low) * unit
    else:
        values = np.exp(rng.normal(0, 2, shape)) if domain != ANY else 3 * rng.standard_normal(shape)
        if mood == "integers":
            values = np.rint(values)
        elif mood == "wide":
            values = rng.choice([-1.0, 1.0], shape) * np.exp2(rng.uniform(-12, 12, shape))
        elif mood == "extreme":
            values = special(rng, shape, dtype)
        if low > -math.inf:
            values = low + np.abs(values)
        elif high < math.inf:
            values = high - np.abs(values)
    values = representable(values, dtype)
    inside = (values >= low) & (values <= high) & np.isfinite(values)
    # In the working precisions an open end is the next number, which float64 need not be.
    inside &= ~(domain.low_open & (values == domain.low)) & ~(domain.high_open & (values == domain.high))
    return np.where(inside, values, 0.5 if 0.5 in domain else 1.0)


def shape_of_elements(rng) -> tuple[int, ...]:
    kind = rng.random()
    if kind < 0.55:
        return (int(rng.integers(1, 24)),)
    if kind < 0.85:
        return tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(2, 5))))
    if kind < 0.9:
        return pick(rng, [(), (0,), (1,), (0, 3), (3, 0), (2, 0, 2)])
    return (pick(rng, EDGES),)


def shape_of_rows(rng, most: int | None) -> tuple[tuple[int, ...], int]:
    """The shape of rows, and the number of their classes."""
    kind = rng.random()
    classes = rng.integers(1, 8) if kind < 0.7 else rng.integers(8, 40) if kind < 0.9 else pick(rng, ROW_EDGES)
    classes = int(min(classes, most or classes))
    kind = rng.random()
    if kind < 0.3:
        return tuple(int(n) for n in rng.integers(1, 4, int(rng.integers(0, 4)))), classes
    if kind < 0.33:
        return pick(rng, [(0,), (2, 0), (1,)]), classes
    if kind < 0.38 and classes < 8:
        return (int(pick(rng, (63, 64, 65, 129))),), classes
    return (int(rng.integers(1, 12 if classes < 40 else 3)),), classes


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def weights(rng, shape) -> np.ndarray:
    """Weights that float16 and bfloat16 hold, some of them 0."""
    return rng.choice([0.0, 0.25, 0.5, 1.0, 1.5, 3.0], shape)


# Types that hold the same numbers -----------------------------------------------------------------------


def float_types(values: np.ndarray) -> list[np.dtype]:
    """The floating-point types that hold all of these numbers."""
    return [dtype for dtype in FLOATS if np.array_equal(representable(values, dtype), values, equal_nan=True)]


def integer_types(values: np.ndarray) -> list[np.dtype]:
    """The integer types that hold all of these numbers."""
    if not (np.all(np.rint(values) == values) and not np.signbit(values[values == 0]).any()):
        return []
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    limits = {t: (0, 1) if t.kind == "b" else (np.iinfo(t).min, np.iinfo(t).max) for t in INTEGERS}
    return [t for t, (a, b) in limits.items() if a <= low and high <= b and abs(low) < 2**53 and abs(high) < 2**53]
