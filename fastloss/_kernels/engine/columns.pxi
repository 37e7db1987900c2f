# The numbers of many states, an array for each: all of them, or those that are left where all weights are 1, since the
# sums of w and w^2 are then the count, and that of w^2 l is the total. First come counts, then the ends, then the high
# and then the low parts of the sums.

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBuffer_Release, PyObject_GetBuffer

cdef enum:
    ALL_COLUMNS = 15
    PLAIN_COLUMNS = 8

cdef struct Columns:
    Py_buffer views[ALL_COLUMNS]
    int number
    Py_ssize_t rows


cdef inline int integers_among(const Columns* columns) noexcept nogil:
    return 3 if columns.number == ALL_COLUMNS else 2


cdef inline int sums_among(const Columns* columns) noexcept nogil:
    return STATE_SUMS if columns.number == ALL_COLUMNS else 2


cdef int hold_columns(tuple arrays, Columns* columns, int flags) except -1:
    """Hold contiguous arrays of one length until they are released."""
    cdef Py_buffer* view
    cdef bint integer
    cdef int integers = 3 if len(arrays) == ALL_COLUMNS else 2
    columns.number = 0
    if len(arrays) not in (ALL_COLUMNS, PLAIN_COLUMNS):
        raise ValueError(f"{len(arrays)} columns of numbers")
    try:
        for array in arrays:
            view = &columns.views[columns.number]
            PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT | PyBUF_ND)
            columns.number += 1
            integer = view.format[0] in (b"l", b"q")
            if view.ndim != 1 or view.itemsize != 8 or integer != (columns.number <= integers) or not (
                integer or view.format[0] == b"d"
            ):
                raise ValueError("memory of another type")
            columns.rows = view.shape[0] if columns.number == 1 else columns.rows
            if view.shape[0] != columns.rows:
                raise ValueError("arrays of lengths that do not agree")
    except BaseException:
        release_columns(columns)
        raise
    return 0


cdef void release_columns(Columns* columns):
    cdef int k
    for k in range(columns.number):
        PyBuffer_Release(&columns.views[k])
    columns.number = 0


cdef inline int64_t* integers_of(const Columns* columns, int column) noexcept nogil:
    return <int64_t*> columns.views[column].buf


cdef inline double* numbers_of(const Columns* columns, int column) noexcept nogil:
    return <double*> columns.views[column].buf


cdef inline State row_of(const Columns* columns, Py_ssize_t row) noexcept nogil:
    cdef State s
    cdef int k
    s.count = integers_of(columns, 0)[row]
    if columns.number == ALL_COLUMNS:
        s.ignored = integers_of(columns, 1)[row]
        s.nonfinite = integers_of(columns, 2)[row]
        s.minimum = numbers_of(columns, 3)[row]
        s.maximum = numbers_of(columns, 4)[row]
        for k in range(STATE_SUMS):
            s.high[k] = numbers_of(columns, 5 + k)[row]
            s.low[k] = numbers_of(columns, 5 + STATE_SUMS + k)[row]
        return s
    s.ignored = 0
    s.nonfinite = integers_of(columns, 1)[row]
    s.minimum = numbers_of(columns, 2)[row]
    s.maximum = numbers_of(columns, 3)[row]
    s.high[WEIGHT_SUM] = s.high[SQUARE_SUM] = <double> s.count
    s.low[WEIGHT_SUM] = s.low[SQUARE_SUM] = 0
    s.high[TOTAL_SUM] = s.high[FIRST_SUM] = numbers_of(columns, 4)[row]
    s.high[SECOND_SUM] = numbers_of(columns, 5)[row]
    s.low[TOTAL_SUM] = s.low[FIRST_SUM] = numbers_of(columns, 6)[row]
    s.low[SECOND_SUM] = numbers_of(columns, 7)[row]
    return s


cdef inline void set_row(const Columns* columns, Py_ssize_t row, const State* s) noexcept nogil:
    cdef int k
    integers_of(columns, 0)[row] = s.count
    if columns.number == ALL_COLUMNS:
        integers_of(columns, 1)[row] = s.ignored
        integers_of(columns, 2)[row] = s.nonfinite
        numbers_of(columns, 3)[row] = s.minimum
        numbers_of(columns, 4)[row] = s.maximum
        for k in range(STATE_SUMS):
            numbers_of(columns, 5 + k)[row] = s.high[k]
            numbers_of(columns, 5 + STATE_SUMS + k)[row] = s.low[k]
        return
    integers_of(columns, 1)[row] = s.nonfinite
    numbers_of(columns, 2)[row] = s.minimum
    numbers_of(columns, 3)[row] = s.maximum
    numbers_of(columns, 4)[row] = s.high[TOTAL_SUM]
    numbers_of(columns, 5)[row] = s.high[SECOND_SUM]
    numbers_of(columns, 6)[row] = s.low[TOTAL_SUM]
    numbers_of(columns, 7)[row] = s.low[SECOND_SUM]
