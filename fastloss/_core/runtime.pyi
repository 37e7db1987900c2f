from typing import Any, TypeVar

from numpy.typing import NDArray

_S = TypeVar("_S", bound=Sums)

compiler: str
openmp_version: int

def instruction_sets() -> tuple[str, ...]: ...
def openmp_threads() -> int: ...

class Sums:
    count: float
    weight: float
    total: float
    square: float
    center: float
    spread: float
    def __init__(
        self, count: float, weight: float, total: float, square: float, center: float, spread: float
    ) -> None: ...

def states_of(cls: type[_S], rows: NDArray[Any], stride: int) -> list[_S]: ...
