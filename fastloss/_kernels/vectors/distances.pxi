# Distances of two rows, as losses.

cdef inline double distance(double y, double d0, double d1, double d2, const double* p, double* g0, double* g1,
                            double* g2) noexcept nogil:
    g0[0] = p[0]
    return p[0] * d0 + 0.0              # never -0


cdef void distance_loop(TupleGroup* group) noexcept nogil:
    each_tuple(distance, group)

declare("distance", program(NO_TARGET, 2, ((0, 1),), distance_loop), ("factor",))
