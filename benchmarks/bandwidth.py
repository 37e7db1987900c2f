"""The bandwidth and the latency of memory, from plain loops, made for this very processor."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path
from timeit import Timer
from typing import Any

import numpy as np

from benchmarks.workload import Call, LeftOut
from tests.inputs import Array

STATE_BYTES = 1 << 28  # what is read to see how fast memory is
LINE = 64
STEPS = 1 << 18
FLAGS = ["-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]


@cache
def _library() -> ctypes.CDLL:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise LeftOut("there is no C compiler to measure the memory with")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bandwidth.so"
        command = [compiler, *FLAGS, str(Path(__file__).with_suffix(".c")), "-o", str(target)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise LeftOut(f"the C compiler cannot build the loops that measure the memory: {made.stderr.strip()}")
        library = ctypes.CDLL(str(target))
    floats = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
    library.read_and_write.argtypes = [
        floats, ctypes.c_ssize_t, floats, ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_int,
    ]  # fmt: skip
    library.read_and_write.restype = ctypes.c_float
    library.follow.argtypes = [np.ctypeslib.ndpointer(np.intp, flags="C_CONTIGUOUS"), ctypes.c_ssize_t]
    library.follow.restype = ctypes.c_ssize_t
    return library


def read(a: Array, b: Array, threads: int) -> float:
    """Read two arrays once."""
    return float(_library().read_and_write(a, a.size, b, b.size, None, threads))


def read_and_write(a: Array, b: Array, to: Array, threads: int) -> float:
    """Read two arrays once and write an array like the second one past the caches."""
    return float(_library().read_and_write(a, a.size, b, b.size, to.ctypes.data, threads))


def state(threads: int) -> str:
    """How fast memory is at this moment, which on the same machine differs by a factor of two from hour to hour."""
    array = np.ones(STATE_BYTES // 4, np.float32)
    half = len(array) // 2
    reads = [
        f"{array.nbytes / best(partial(read, array[:half], array[half:], n)) / 1e9:.3g} GB/s on {n}"
        for n in dict.fromkeys((1, threads))
    ]
    step = LINE // np.dtype(np.intp).itemsize
    order = np.random.default_rng(0).permutation(STATE_BYTES // LINE) * step
    links = np.zeros(STATE_BYTES // LINE * step, np.intp)
    links[order] = np.roll(order, -1)
    jump = best(partial(_library().follow, links, STEPS)) / STEPS
    return f"reading {' and '.join(reads)} thread{'s' * (threads > 1)}, {jump * 1e9:.3g} ns a jump"


def best(call: Call) -> float:
    return min(Timer(call).repeat(5, 1))


def aligned_like(array: Array) -> Array:
    """An uninitialized array that starts on a cache line, as stores past the caches ask for."""
    buffer: np.ndarray[Any, np.dtype[Any]] = np.empty(array.nbytes + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
