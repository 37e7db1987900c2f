# What losses of the whole sample need beyond the formulas of other families.

cpdef enum:
    CENTERED_SQUARED_ERROR = 0x600

cdef inline floating centered_squared_error(floating y, floating x, double center, double b, double c, double d,
                                            floating* grad, floating* hess) noexcept nogil:
    """Half the square, whose derivative is the residual itself: twice as much may overflow."""
    cdef double r = (<double> x - <double> y) - center
    grad[0] = <floating> r
    hess[0] = 1
    return <floating> (0.5 * r * r)


cdef void aggregate(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                    floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    specialise(centered_squared_error[floating], y, x, p, value, grad, hess, n, operation)
