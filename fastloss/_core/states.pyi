from collections.abc import Iterable
from typing import Any, TypeVar

from numpy.typing import NDArray

_S = TypeVar("_S", bound=Sums)

NUMBERS: tuple[str, ...]

class Sums:
    count: int
    ignored: int
    nonfinite: int
    minimum: float
    maximum: float
    weight: float
    total: float
    square: float
    first: float
    second: float
    weight_low: float
    total_low: float
    square_low: float
    first_low: float
    second_low: float
    def __init__(
        self, count: int, ignored: int, nonfinite: int, minimum: float, maximum: float, weight: float, total: float,
        square: float, first: float, second: float, weight_low: float, total_low: float, square_low: float,
        first_low: float, second_low: float,
    ) -> None: ...  # fmt: skip

def mean(sums: Sums) -> float: ...
def standard_error(sums: Sums) -> float: ...
def merged(cls: type[_S], states: Iterable[Sums]) -> _S: ...
def total_of(cls: type[_S], columns: tuple[NDArray[Any], ...]) -> _S: ...
def objects_of(cls: type[_S], columns: tuple[NDArray[Any], ...]) -> list[_S]: ...
