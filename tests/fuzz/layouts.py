"""Arrays of any layout in the middle of memory that is watched."""

from __future__ import annotations

import numpy as np

from tests.fuzz.draws import chance, pick

JUNK = 0xFF  # NaN in every floating-point type, -1 in every signed one
ORDERS = ("C", "C", "C", "F", "permuted")


def stored_as(rng: np.random.Generator, dtype: np.dtype) -> np.dtype:
    """The type, now and then in the other byte order."""
    return dtype.newbyteorder("S") if dtype.itemsize > 1 and chance(rng, 0.25) else dtype


def place(rng: np.random.Generator, shape: tuple[int, ...], itemsize: int):
    """Memory with room around and between elements of an array: its bytes, where the array starts, its strides, and
    words for that."""
    order = list(range(len(shape)))
    kind = pick(rng, ORDERS) if len(shape) > 1 else "C"
    if kind == "F":
        order.reverse()
    elif kind == "permuted":
        rng.shuffle(order)
    strides, step = [0] * len(shape), itemsize
    gaps = chance(rng, 0.5)
    for axis in reversed(order):
        stride = step * (int(rng.integers(1, 4)) if gaps else 1)
        strides[axis] = stride
        step = stride * max(1, shape[axis]) + (itemsize if gaps and chance(rng, 0.3) else 0)
    start = 64 + (int(rng.integers(0, 9)) if chance(rng, 0.5) else 0)  # odd: not aligned
    memory = np.full(start + step + 64, JUNK, np.uint8)
    for axis, length in enumerate(shape):
        if length > 1 and chance(rng, 0.2):
            start += strides[axis] * (length - 1)
            strides[axis] = -strides[axis]
    words = {
        kind,
        "strided" if gaps else "",
        "unaligned" if start % itemsize else "",
        "reversed" if min(strides, default=0) < 0 else "",
    }
    return memory, start, tuple(strides), words - {""}


def view(memory: np.ndarray, start: int, strides: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype):
    return np.ndarray(shape, dtype, memory, start, strides)


class Given:
    """An input: its elements in some layout, and what its memory must still be after the calls."""

    def __init__(self, array: np.ndarray, memory: np.ndarray, words: set[str]) -> None:
        self.array, self._memory, self._before = array, memory, memory.tobytes()
        self.words = words | {array.dtype.name} | (set() if array.dtype.isnative else {"byte-swapped"})
        self.words |= {"empty"} if not array.size else {"0-d"} if not array.ndim else set()

    def untouched(self) -> bool:
        return self._memory.tobytes() == self._before

    @property
    def writeable(self) -> bool:
        """Whether each element has a place of its own that may be written."""
        repeated = any(s == 0 and n > 1 for s, n in zip(self.array.strides, self.array.shape, strict=True))
        return self.array.flags.writeable and not repeated

    def read(self) -> np.ndarray:
        """What a call wrote over the elements, in the byte order of the machine; they are then as they were before."""
        found = self.array.astype(self.array.dtype.newbyteorder("="))
        bits = np.dtype(f"u{self.array.itemsize}")
        before = np.frombuffer(self._before, np.uint8).copy()
        start = self.array.__array_interface__["data"][0] - self._memory.__array_interface__["data"][0]
        self.array.view(bits)[...] = view(before, start, self.array.strides, self.array.shape, bits)
        return found


def given(rng: np.random.Generator, values: np.ndarray, dtype: np.dtype, *, plain: float = 0.3) -> Given:
    """The values as an input of this type, in any layout and byte order; `plain` is the share of ordinary ones."""
    with np.errstate(all="ignore"):
        values = values.astype(dtype)
    if not values.ndim or chance(rng, plain):
        return Given(values, values, {"plain"})
    stored = stored_as(rng, dtype)
    repeated = _repeats(values)
    if repeated is not None and chance(rng, 0.5):
        base = np.ascontiguousarray(values[repeated])
        return Given(np.broadcast_to(base, values.shape), base, {"zero stride"})
    memory, start, strides, words = place(rng, values.shape, dtype.itemsize)
    array = view(memory, start, strides, values.shape, np.dtype(f"u{dtype.itemsize}"))
    bits = np.ascontiguousarray(values).view(array.dtype)
    array[...] = bits.byteswap() if stored != dtype else bits
    read_only = chance(rng, 0.3)
    found = Given(
        view(memory, start, strides, values.shape, stored), memory, words | ({"read-only"} if read_only else set())
    )
    found.array.flags.writeable = not read_only
    return found


def _repeats(values: np.ndarray):
    """The index of one of the slices along an axis that are all equal, or None."""
    for axis in range(values.ndim):
        first = np.take(values, [0], axis) if values.shape[axis] > 1 else None
        if first is not None and (values.view(f"u{values.itemsize}") == first.view(f"u{values.itemsize}")).all():
            return (slice(None),) * axis + (slice(0, 1),)
    return None


class Taken:
    """An output in some layout; `read` tells what was written, and that nothing else was."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> None:
        stored = stored_as(rng, dtype)
        self._memory, start, strides, _ = place(rng, shape, dtype.itemsize)
        self._before = self._memory.tobytes()
        self.array = view(self._memory, start, strides, shape, stored)
        self._bits = view(self._memory, start, strides, shape, np.dtype(f"u{dtype.itemsize}"))

    def read(self) -> np.ndarray:
        """What was written, in the byte order of the machine; the output is then as it was before."""
        bits = self._bits.copy()
        found = (bits if self.array.dtype.isnative else bits.byteswap()).view(self.array.dtype.newbyteorder("="))
        self._bits[...] = np.iinfo(self._bits.dtype).max
        assert self.untouched(), "wrote outside of its output"
        return found

    def untouched(self) -> bool:
        return self._memory.tobytes() == self._before
