"""States as objects: the memory of a LossState, and how it is merged."""

from cpython.buffer cimport PyBUF_SIMPLE
from cpython.type cimport PyType_GenericNew
from libc.stdint cimport int64_t

include "engine/state.pxi"
include "engine/columns.pxi"

cdef extern from "engine/modes.h" nogil:
    unsigned enter_ieee_mode "fl_enter_ieee_mode"()
    void leave_ieee_mode "fl_leave_ieee_mode"(unsigned found)

cdef extern from "Python.h":
    bint PyObject_IS_GC(object)
    void PyObject_GC_UnTrack(object)


# In the order in which columns hold them.
NUMBERS = (
    "count", "ignored", "nonfinite", "minimum", "maximum", "weight", "total", "square", "first", "second",
    "weight_low", "total_low", "square_low", "first_low", "second_low",
)


cdef class Sums:
    """The memory of a LossState."""

    cdef readonly int64_t count, ignored, nonfinite
    cdef readonly double minimum, maximum
    cdef readonly double weight, total, square, first, second
    cdef readonly double weight_low, total_low, square_low, first_low, second_low

    def __init__(
        self, int64_t count, int64_t ignored, int64_t nonfinite, double minimum, double maximum, double weight,
        double total, double square, double first, double second, double weight_low, double total_low,
        double square_low, double first_low, double second_low,
    ):
        self.count, self.ignored, self.nonfinite = count, ignored, nonfinite
        self.minimum, self.maximum = minimum, maximum
        self.weight, self.weight_low = weight, weight_low
        self.total, self.total_low = total, total_low
        self.square, self.square_low = square, square_low
        self.first, self.first_low = first, first_low
        self.second, self.second_low = second, second_low


cdef State state_of(Sums sums):
    cdef State s
    s.count, s.ignored, s.nonfinite = sums.count, sums.ignored, sums.nonfinite
    s.minimum, s.maximum = sums.minimum, sums.maximum
    s.high[WEIGHT_SUM], s.low[WEIGHT_SUM] = sums.weight, sums.weight_low
    s.high[TOTAL_SUM], s.low[TOTAL_SUM] = sums.total, sums.total_low
    s.high[SQUARE_SUM], s.low[SQUARE_SUM] = sums.square, sums.square_low
    s.high[FIRST_SUM], s.low[FIRST_SUM] = sums.first, sums.first_low
    s.high[SECOND_SUM], s.low[SECOND_SUM] = sums.second, sums.second_low
    return s


cdef object object_of(type cls, const State* s):
    """An object of `cls`, made of `Sums`; the collector of garbage need not look at it: numbers are in no cycle."""
    cdef Sums sums = <Sums> PyType_GenericNew(cls, None, None)
    sums.count, sums.ignored, sums.nonfinite = s.count, s.ignored, s.nonfinite
    sums.minimum, sums.maximum = s.minimum, s.maximum
    sums.weight, sums.weight_low = s.high[WEIGHT_SUM], s.low[WEIGHT_SUM]
    sums.total, sums.total_low = s.high[TOTAL_SUM], s.low[TOTAL_SUM]
    sums.square, sums.square_low = s.high[SQUARE_SUM], s.low[SQUARE_SUM]
    sums.first, sums.first_low = s.high[FIRST_SUM], s.low[FIRST_SUM]
    sums.second, sums.second_low = s.high[SECOND_SUM], s.low[SECOND_SUM]
    if PyObject_IS_GC(sums):
        PyObject_GC_UnTrack(sums)
    return sums


cdef check(type cls):
    if not issubclass(cls, Sums):
        raise TypeError(cls)


def mean(Sums sums):
    """The mean of a state, rounded once; NaN where there is no weight."""
    cdef State state = state_of(sums)
    cdef unsigned mode = enter_ieee_mode()
    cdef double found = mean_of_state(&state)
    leave_ieee_mode(mode)
    return found


def standard_error(Sums sums):
    """The standard error of this mean."""
    cdef State state = state_of(sums)
    cdef unsigned mode = enter_ieee_mode()
    cdef double found = standard_error_of(&state, False)
    leave_ieee_mode(mode)
    return found


def merged(type cls, states):
    """The state of all elements of some states, as an object of `cls`."""
    cdef State whole = no_state(), more
    cdef Sums state
    cdef unsigned mode
    check(cls)
    for state in states:
        more = state_of(state)
        mode = enter_ieee_mode()
        add_state(&whole, &more)
        leave_ieee_mode(mode)
    return object_of(cls, &whole)


def total_of(type cls, tuple columns):
    """The state of all elements of the rows of columns of numbers, as an object of `cls`."""
    cdef Columns held
    cdef Py_ssize_t k
    cdef State whole = no_state(), state
    cdef unsigned mode
    check(cls)
    hold_columns(columns, &held, PyBUF_SIMPLE)
    mode = enter_ieee_mode()
    for k in range(held.rows):
        state = row_of(&held, k)
        add_state(&whole, &state)
    leave_ieee_mode(mode)
    release_columns(&held)
    return object_of(cls, &whole)


def objects_of(type cls, tuple columns):
    """An object of `cls` for each row of columns of numbers."""
    cdef Columns held
    cdef Py_ssize_t k
    cdef State state
    cdef list made = []
    check(cls)
    hold_columns(columns, &held, PyBUF_SIMPLE)
    try:
        for k in range(held.rows):
            state = row_of(&held, k)
            made.append(object_of(cls, &state))
    finally:
        release_columns(&held)
    return made
