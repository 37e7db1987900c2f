# Distances to the boundary of a mask, which are given, as weights of what is predicted.

cdef inline void signed_distance(floating p, floating q, floating t, floating d, floating* s0, floating* s1,
                                 floating* s2, floating* s3) noexcept nogil:
    s0[0] = t * p


cdef inline floating signed_distance_slope(floating p, floating q, floating t, floating d, floating c0, floating c1,
                                           floating c2, floating c3) noexcept nogil:
    return c0 * t


cdef inline void distant_errors(floating p, floating q, floating t, floating d, floating* s0, floating* s1,
                                floating* s2, floating* s3) noexcept nogil:
    cdef floating r = apart_from(p, q, t)
    s0[0] = d * (r * r)


cdef inline floating distant_errors_slope(floating p, floating q, floating t, floating d, floating c0, floating c1,
                                          floating c2, floating c3) noexcept nogil:
    cdef floating r = apart_from(p, q, t)
    return c0 * d * (r + r)


cdef void add_signed_distance(const Elements* e) noexcept nogil:
    add(signed_distance, signed_distance, e, 1)


cdef void signed_distance_slopes(const Elements* e) noexcept nogil:
    slopes(signed_distance_slope, signed_distance_slope, e)


cdef void add_distant_errors(const Elements* e) noexcept nogil:
    add(distant_errors, distant_errors, e, 1)


cdef void distant_errors_slopes(const Elements* e) noexcept nogil:
    slopes(distant_errors_slope, distant_errors_slope, e)


cdef double mean_of_terms(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                          double* c) noexcept nogil:
    c[0] = 1 / s[EXTENT]
    c[1] = c[2] = c[3] = 0
    return s[0] / s[EXTENT]


declare("boundary", program(add_signed_distance, signed_distance_slopes, mean_of_terms))
declare("hausdorff", program(add_distant_errors, distant_errors_slopes, mean_of_terms))
