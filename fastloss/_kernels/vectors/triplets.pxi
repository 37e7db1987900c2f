# Losses of an anchor, a row that is to be near it, and one or two that are to be far.

from fastloss._kernels.vecmath cimport logistic


cdef inline double ramp(double t, double* slope) noexcept nogil:
    slope[0] = 0 if t <= 0 else 1
    return 0 if t <= 0 else t


cdef inline double smooth_ramp(double t, double* slope) noexcept nogil:
    """log(1 + exp(t)) and its derivative."""
    cdef double rest, small
    logistic(t, &rest, &small)
    slope[0] = small if t < 0 else 1 - small
    return rest if t < 0 else t + rest


cdef inline double triplet_of(double near, double far, const double* p, double* slope) noexcept nogil:
    cdef double hard, soft, hard_slope, soft_slope, t = (near - far) + p[0]
    hard = ramp(t, &hard_slope)
    soft = smooth_ramp(t, &soft_slope)
    slope[0] = soft_slope if p[1] != 0 else hard_slope
    return soft if p[1] != 0 else hard


cdef inline double triplet(double y, double d0, double d1, double d2, const double* p, double* g0, double* g1,
                           double* g2) noexcept nogil:
    cdef double slope
    cdef double value = triplet_of(d0, d1, p, &slope)
    g0[0] = slope
    g1[0] = -slope
    return value


cdef inline double triplet_swap(double y, double d0, double d1, double d2, const double* p, double* g0, double* g1,
                                double* g2) noexcept nogil:
    cdef double slope
    cdef bint swapped = d2 < d1
    cdef double value = triplet_of(d0, d2 if swapped else d1, p, &slope)
    g0[0] = slope
    g1[0] = 0 if swapped else -slope
    g2[0] = -slope if swapped else 0
    return value


cdef void triplet_loop(TupleGroup* group) noexcept nogil:
    each_tuple(triplet, group)


cdef void triplet_swap_loop(TupleGroup* group) noexcept nogil:
    each_tuple(triplet_swap, group)

declare("triplet", program(NO_TARGET, 3, ((0, 1), (0, 2)), triplet_loop), ("margin", "smooth"))
declare("triplet_swap", program(NO_TARGET, 3, ((0, 1), (0, 2), (1, 2)), triplet_swap_loop), ("margin", "smooth"))


cdef inline double quadruplet(double y, double d0, double d1, double d2, const double* p, double* g0, double* g1,
                              double* g2) noexcept nogil:
    cdef double one, other
    cdef double value = ramp((d0 - d1) + p[0], &one) + ramp((d0 - d2) + p[1], &other)
    g0[0] = one + other
    g1[0] = -one
    g2[0] = -other
    return value


cdef void quadruplet_loop(TupleGroup* group) noexcept nogil:
    each_tuple(quadruplet, group)

declare("quadruplet", program(NO_TARGET, 4, ((0, 1), (0, 2), (3, 2)), quadruplet_loop), ("margin", "second_margin"))
