from typing import Any

from numpy.typing import NDArray

def join(first: NDArray[Any], second: NDArray[Any], mine: NDArray[Any], theirs: NDArray[Any]) -> int: ...
