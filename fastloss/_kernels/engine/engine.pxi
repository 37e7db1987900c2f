# What the drivers of all families are made of; the module of each family and instruction set includes it.
#
# Cython specialises a function by the types of its arguments. Where none of them is of the type that it computes in,
# the last one is: a number of that type, `like`, whose value does not matter.

import sys

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cython cimport floating
from libc.math cimport INFINITY, NAN, fabs, nextafterf
from libc.stdint cimport SIZE_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastloss._core.runtime cimport (
    APART, BFLOAT16, BOOL, FLOAT16, FLOAT32, FLOAT64, GRAD, HESS, INT8, INT16, INT32, INT64, MOMENTS, OMIT, PROPAGATE,
    RAISE, SWAPPED, UINT8, UINT16, UINT32, UINT64, VALUE, Kernel, Task, Worker, go_on, parallel_for, team
)
from fastloss._kernels.vecmath cimport (
    float_bits, from_bfloat16, from_float16, mul_add_f32, round_to_odd, to_bfloat16, to_float16
)

from fastloss._core.runtime import Mismatch

cdef extern from "engine/modes.h" nogil:
    unsigned enter_ieee_mode "fl_enter_ieee_mode"()
    void leave_ieee_mode "fl_leave_ieee_mode"(unsigned found)

include "engine/operands.pxi"
include "engine/state.pxi"
include "engine/job.pxi"
