# What losses of the whole sample need beyond the formulas of other families.

cpdef enum:
    CENTERED_SQUARED_ERROR = 0x680

cdef inline double centered_squared_error(double y, double x, double center, double b, double c, double d,
                                          double* grad, double* hess) noexcept nogil:
    cdef double r = (x - y) - center
    grad[0] = 2 * r
    hess[0] = 2
    return r * r


cdef void aggregate(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                    floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if floating is double:
        specialise(centered_squared_error, y, x, p, value, grad, hess, n, operation)
