"""The parameters of losses and the domains of their arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Domain:
    """An interval of allowed numbers, or with `ternary` only -1, 0 and 1."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    ternary: bool = False

    @property
    def bounded(self) -> bool:
        return self.low > -math.inf and self.high < math.inf

    def __contains__(self, number: float) -> bool:
        low, high, _ = self.closed(np.float64)
        return low <= number <= high and (not self.ternary or number in (-1, 0, 1))

    def closed(self, dtype: type[np.floating[Any]]) -> tuple[float, float, bool]:
        """The closed interval of the numbers of a type that lie in this one, as the kernels test it."""
        low, high = dtype(self.low), dtype(self.high)
        if self.low_open:
            low = np.nextafter(low, dtype(np.inf))
        if self.high_open:
            high = np.nextafter(high, dtype(-np.inf))
        return float(low), float(high), self.ternary

    def __str__(self) -> str:
        if self.ternary:
            return "1 for the positive class and 0 or -1 for the negative one" if self.low < 0 else "0 or 1"
        if self.bounded:
            return f"in {'(' if self.low_open else '['}{self.low:g}, {self.high:g}{')' if self.high_open else ']'}"
        if self.low > -math.inf:
            return f"{'greater than' if self.low_open else 'at least'} {self.low:g}"
        return f"{'less than' if self.high_open else 'at most'} {self.high:g}"


ANY = Domain()
POSITIVE = Domain(low=0, low_open=True)
NON_NEGATIVE = Domain(low=0)
UNIT = Domain(low=0, high=1)
OPEN_UNIT = Domain(low=0, high=1, low_open=True, high_open=True)
BINARY = Domain(low=0, high=1, ternary=True)
SIGN = Domain(low=-1, high=1, ternary=True)


def number(domain: Domain = ANY, *, default: float, infinite: bool = False) -> Any:
    """A parameter of a loss: a real number in a domain, finite unless it may be `infinite`."""
    return field(default=default, metadata={"domain": domain, "infinite": infinite})


def numbers(domain: Domain = ANY, *, default: tuple[float, ...]) -> Any:
    """A parameter of a loss: one or more finite real numbers in a domain, kept as a tuple."""
    return field(default=default, metadata={"domain": domain, "several": True})


def weights(*, default: None, kw_only: bool = False) -> Any:
    """A parameter of a loss: a finite weight that is not negative for each class, kept as a tuple, or None."""
    return field(default=default, kw_only=kw_only, metadata={"domain": NON_NEGATIVE, "several": True, "optional": True})


def integer(*, default: int | None, optional: bool = False) -> Any:
    """A parameter of a loss: an integer, or None if `optional`; by keyword alone."""
    return field(default=default, kw_only=True, metadata={"integer": True, "optional": optional})


def choice(*options: str, default: str, kw_only: bool = False) -> Any:
    """A parameter of a loss: one of some words."""
    return field(default=default, kw_only=kw_only, metadata={"options": options})


def check_names(owner: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse what is not among the known names, with the one that may be meant."""
    for name in given:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(name, known)
            hint = f"did you mean {close[0]!r}?" if close else f"must be one of {', '.join(known)}"
            hint = hint if known else "there are none"
            raise TypeError(f"{owner}: unknown parameter {name!r}, {hint}")


def checked(owner: str, name: str, given: Any, metadata: Any) -> Any:
    if given is None and metadata.get("optional"):
        return None
    if "integer" in metadata:
        try:
            if isinstance(given, (bool, np.bool_)):
                raise TypeError
            value = operator.index(given)
        except TypeError as error:
            raise TypeError(f"{owner}: {name} is {given!r}, must be an integer") from error
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{owner}: {name} is an integer of {value.bit_length()} bits, must be one of at most 64")
        return value
    if "options" in metadata:
        if given not in metadata["options"]:
            options = ", ".join(map(repr, metadata["options"]))
            raise ValueError(f"{owner}: {name} is {given!r}, must be one of {options}")
        return given
    if "domain" not in metadata:
        if not isinstance(given, (bool, np.bool_)):
            raise TypeError(f"{owner}: {name} is {given!r}, must be True or False")
        return bool(given)
    if "several" not in metadata:
        return _number(owner, name, given, metadata["domain"], metadata.get("infinite", False))
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{owner}: {name} is {given!r}, must be a sequence of numbers")
    try:
        several = tuple(given)
    except TypeError as error:
        raise TypeError(f"{owner}: {name} is {given!r}, must be a sequence of numbers") from error
    if not several:
        raise ValueError(f"{owner}: {name} is empty, must hold at least one number")
    domain = metadata["domain"]
    if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind == "f" and _lie_in(domain, given):
        return tuple(given.astype(np.float64).tolist())
    return tuple(_number(owner, f"{name}[{i}]", one, domain) for i, one in enumerate(several))


def _lie_in(domain: Domain, numbers: Any) -> bool:
    """Whether all numbers of an array do and are finite; of very many it takes long to say which do not."""
    return bool(np.isfinite(numbers).all()) and numbers.min() in domain and numbers.max() in domain


def _number(owner: str, name: str, given: Any, domain: Domain, infinite: bool = False) -> float:
    if isinstance(given, (bool, np.bool_, str, bytes, bytearray)):
        raise TypeError(f"{owner}: {name} is {given!r}, must be a number")
    try:
        value = float(given)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{owner}: {name} is {given!r}, must be a number") from error
    except OverflowError as error:
        raise ValueError(f"{owner}: {name} is too large, must be finite") from error
    if not (math.isfinite(value) or (infinite and not math.isnan(value))):
        raise ValueError(f"{owner}: {name} is {value}, must be finite")
    if value not in domain:
        raise ValueError(f"{owner}: {name} is {value:g}, must be {domain}")
    return value
