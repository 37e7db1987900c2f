# The functions of the vector mathematics by name, as the kernels use them: for the tests of their accuracy.

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef extern from "vecmath_functions.h" nogil:
    bint fl_apply(const char* name, const void* arguments, void* results, Py_ssize_t n)


def apply(str name, arguments, results):
    """Write a function of contiguous arrays, a row for each argument, to `results`."""
    cdef Py_buffer given, wanted
    _, n = arguments.shape
    PyObject_GetBuffer(arguments, &given, PyBUF_SIMPLE)
    PyObject_GetBuffer(results, &wanted, PyBUF_WRITABLE)
    known = fl_apply(name.encode(), given.buf, wanted.buf, n)
    PyBuffer_Release(&given)
    PyBuffer_Release(&wanted)
    if not known:
        raise ValueError(f"vecmath: no function {name!r}")
