"""The bandwidth of memory, from two plain loops that the system's C compiler makes for this very processor."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workload import LeftOut
from tests.inputs import Array

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
    return library


def read(a: Array, b: Array, threads: int) -> float:
    """Read two arrays once."""
    return float(_library().read_and_write(a, a.size, b, b.size, None, threads))


def read_and_write(a: Array, b: Array, to: Array, threads: int) -> float:
    """Read two arrays once and write an array like the second one past the caches."""
    return float(_library().read_and_write(a, a.size, b, b.size, to.ctypes.data, threads))


def aligned_like(array: Array) -> Array:
    """An uninitialized array that starts on a cache line, as stores past the caches ask for."""
    buffer: np.ndarray[Any, np.dtype[Any]] = np.empty(array.nbytes + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
