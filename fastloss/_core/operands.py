"""What arrays may come in and go out: element types, layouts, overlaps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastloss._core import runtime

BFLOAT16 = runtime.BFLOAT16
FLOATS: dict[int, np.dtype[Any]] = {
    runtime.FLOAT16: np.dtype("f2"),
    runtime.FLOAT32: np.dtype("f4"),
    runtime.FLOAT64: np.dtype("f8"),
}

TYPE_CODES: dict[np.dtype[Any], int] = {}
for _name, _code in [
    ("?", runtime.BOOL), ("i1", runtime.INT8), ("i2", runtime.INT16), ("i4", runtime.INT32), ("i8", runtime.INT64),
    ("u1", runtime.UINT8), ("u2", runtime.UINT16), ("u4", runtime.UINT32), ("u8", runtime.UINT64),
    ("f2", runtime.FLOAT16), ("f4", runtime.FLOAT32), ("f8", runtime.FLOAT64),
]:  # fmt: skip
    _dtype = np.dtype(_name)
    TYPE_CODES[_dtype] = _code
    if _dtype.itemsize > 1:
        TYPE_CODES[_dtype.newbyteorder("S")] = _code | runtime.SWAPPED

# Types that float32 holds exactly, and predictions that are computed in it.
EXACT_IN_SINGLE = frozenset(
    code | swapped
    for code in (
        runtime.BOOL, runtime.INT8, runtime.INT16, runtime.UINT8, runtime.UINT16,
        runtime.FLOAT16, runtime.BFLOAT16, runtime.FLOAT32,
    )
    for swapped in (0, runtime.SWAPPED)
)  # fmt: skip
INTEGERS = frozenset(
    code | swapped for code in range(runtime.BOOL, runtime.UINT64 + 1) for swapped in (0, runtime.SWAPPED)
)


# Steps of the search for a common element, exponential at worst, after which two arrays count as overlapping.
OVERLAP_WORK = 100_000


def operand(owner: str, name: str, given: Any) -> tuple[NDArray[Any], int]:
    """A view of what was given, never a copy of an array, with the code of its element type."""
    array = given if type(given) is np.ndarray else as_array(owner, name, given)
    code = TYPE_CODES.get(array.dtype)
    if code is not None:
        return array, code
    if array.dtype.name == "bfloat16":
        if array.dtype.isnative:
            return array.view(np.uint16), BFLOAT16
        return array.view(np.dtype(np.uint16).newbyteorder("S")), BFLOAT16 | runtime.SWAPPED
    raise TypeError(f"{owner}: {name} has dtype {array.dtype}, must be a real number type of at most 64 bits")


def readable(array: Any, code: int) -> Any:
    """The elements of an operand as NumPy computes with them: bfloat16, which it lacks, as float32."""
    if code & ~runtime.SWAPPED != BFLOAT16:
        return array
    return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)


def as_array(owner: str, name: str, given: Any) -> NDArray[Any]:
    """What was given as an array, viewed where it can be."""
    # Another thread may be importing these; what is given is of none of them then.
    masked, tensor = (
        getattr(sys.modules.get(m), cls, ()) for m, cls in (("numpy.ma", "MaskedArray"), ("torch", "Tensor"))
    )
    if isinstance(given, masked):
        raise TypeError(f"{owner}: {name} is a masked array, must be plain; pass its data, and mask=~{name}.mask")
    try:
        if isinstance(given, tensor):
            torch = sys.modules["torch"]
            if given.dtype == torch.bfloat16 and not given.requires_grad:
                import ml_dtypes

                return np.asarray(given.view(torch.uint16)).view(ml_dtypes.bfloat16)
            return np.asarray(given)
        if hasattr(given, "__dlpack__") and not hasattr(given, "__array__"):
            return np.from_dlpack(given)
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        what = type(given).__name__
        raise TypeError(f"{owner}: {name} is a {what} that NumPy cannot view as an array: {error}") from error


def output(owner: str, name: str, given: Any, shape: tuple[int, ...]) -> tuple[NDArray[Any], int]:
    """Check an output that the caller provides; the array itself and the code of its element type."""
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{owner}: {name} is a {type(given).__name__}, must be a NumPy array")
    array = np.asarray(given)  # a subclass may say of itself what is not so
    if array.shape != shape:
        raise ValueError(f"{owner}: {name} has shape {array.shape}, must be {shape}")
    if not array.flags.writeable:
        raise ValueError(f"{owner}: {name} is read-only, must be writeable")
    if _may_overlap_itself(array):
        raise ValueError(f"{owner}: {name} overlaps itself, must have a place for each element")
    array, code = operand(owner, name, array)
    if code & ~runtime.SWAPPED < runtime.FLOAT16:
        raise TypeError(f"{owner}: {name} has dtype {given.dtype}, must be a floating-point type")
    return array, code


def refuse_overlap(
    owner: str, outputs: Sequence[tuple[str, NDArray[Any]]], inputs: Sequence[tuple[str, NDArray[Any]]]
) -> None:
    """Outputs must be apart; one may be an input element for element, since a block is read before it is written."""
    for position, (name, out) in enumerate(outputs):
        for other_name, other in outputs[:position]:
            if _overlap(out, other):
                raise ValueError(f"{owner}: {name} overlaps {other_name}, must be apart from it")
        for other_name, other in inputs:
            if np.may_share_memory(out, other) and not _same_elements(out, other) and _overlap(out, other):
                raise ValueError(f"{owner}: {name} overlaps {other_name}, must be apart from it or the very same array")


def _may_overlap_itself(array: NDArray[Any]) -> bool:
    """Whether an axis steps into what the axes of shorter strides span: never so for what NumPy's slices make."""
    if array.flags.c_contiguous or not array.size:
        return False
    end = array.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < end:
            return True
        end += stride * (length - 1)
    return False


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=OVERLAP_WORK)  # type: ignore[arg-type]  # any integer may be given
    except np.exceptions.TooHardError:
        return True


def _same_elements(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return (
        a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
        and a.strides == b.strides
        and a.shape == b.shape
        and a.itemsize == b.itemsize
    )


def memory_order(array: NDArray[Any]) -> tuple[int, ...]:
    """The axes from the longest stride to the shortest: the order in which the elements lie in memory."""
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))
