"""Where the labels of two sorted columns come in the sorted column of both."""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport Py_EQ, Py_LT, PyObject, PyObject_RichCompareBool
from cpython.unicode cimport PyUnicode_Compare
from libc.stdint cimport int64_t, uint64_t

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object)

ctypedef fused label:
    int64_t
    uint64_t
    double


cdef Py_ssize_t join_numbers(const label* first, Py_ssize_t n, const label* second, Py_ssize_t m, int64_t* mine,
                             int64_t* theirs) noexcept nogil:
    cdef Py_ssize_t i = 0, j = 0, k = 0
    cdef bint take, give
    while i < n and j < m:
        take = first[i] <= second[j]
        give = second[j] <= first[i]
        mine[k] = i if take else -1
        theirs[k] = j if give else -1
        i += take
        j += give
        k += 1
    return k + rest(i, n, j, m, mine + k, theirs + k)


cdef Py_ssize_t join_objects(PyObject** first, Py_ssize_t n, PyObject** second, Py_ssize_t m, int64_t* mine,
                             int64_t* theirs) except -1:
    cdef Py_ssize_t i = 0, j = 0, k = 0
    cdef int order
    while i < n and j < m:
        order = compared(<object> first[i], <object> second[j])
        mine[k] = i if order <= 0 else -1
        theirs[k] = j if order >= 0 else -1
        i += order <= 0
        j += order >= 0
        k += 1
    return k + rest(i, n, j, m, mine + k, theirs + k)


cdef int compared(object first, object second) except? -2:
    """-1, 0 or 1: whether the first is less, the same or larger."""
    if first is second:
        return 0
    if PyUnicode_CheckExact(first) and PyUnicode_CheckExact(second):
        return PyUnicode_Compare(first, second)
    if PyObject_RichCompareBool(first, second, Py_EQ):
        return 0
    return -1 if PyObject_RichCompareBool(first, second, Py_LT) else 1


cdef Py_ssize_t rest(Py_ssize_t i, Py_ssize_t n, Py_ssize_t j, Py_ssize_t m, int64_t* mine,
                     int64_t* theirs) noexcept nogil:
    """What is left of one column when the other is at its end."""
    cdef Py_ssize_t k
    for k in range(n - i):
        mine[k] = i + k
        theirs[k] = -1
    for k in range(m - j):
        mine[k] = -1
        theirs[k] = j + k
    return n - i + m - j


def join(first, second, mine, theirs):
    """Write the place of each label of both columns in either, -1 where it is not there; how many labels they are.

    The columns are contiguous, of one type of int64, uint64, float64 and object, and their labels sorted and different.
    There is room for the int64 places of as many labels as both have.
    """
    cdef Py_buffer views[4]
    cdef int held = 0, k
    cdef Py_ssize_t n, m, found = 0
    cdef int64_t* to
    cdef int64_t* of
    try:
        for k, array in enumerate((first, second, mine, theirs)):
            PyObject_GetBuffer(array, &views[k], PyBUF_FORMAT | PyBUF_ND | (PyBUF_WRITABLE if k > 1 else 0))
            held += 1
            if views[k].ndim != 1 or views[k].itemsize != 8:
                raise ValueError("memory of another type")
        n, m = views[0].shape[0], views[1].shape[0]
        kind = chr(views[0].format[0])
        if kind != chr(views[1].format[0]) or kind not in "lqLQdO":
            raise ValueError("memory of another type")
        if views[2].format[0] not in (b"l", b"q") or views[3].format[0] not in (b"l", b"q"):
            raise ValueError("memory of another type")
        if views[2].shape[0] < n + m or views[3].shape[0] < n + m:
            raise ValueError("no room for all places")
        to, of = <int64_t*> views[2].buf, <int64_t*> views[3].buf
        if kind == "O":
            return join_objects(<PyObject**> views[0].buf, n, <PyObject**> views[1].buf, m, to, of)
        with nogil:
            if views[0].format[0] in (b"l", b"q"):
                found = join_numbers(<const int64_t*> views[0].buf, n, <const int64_t*> views[1].buf, m, to, of)
            elif views[0].format[0] in (b"L", b"Q"):
                found = join_numbers(<const uint64_t*> views[0].buf, n, <const uint64_t*> views[1].buf, m, to, of)
            else:
                found = join_numbers(<const double*> views[0].buf, n, <const double*> views[1].buf, m, to, of)
        return found
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
