# Regression losses of the residual r = x - y.

cpdef enum:
    SQUARED_ERROR = 0x000
    ABSOLUTE_ERROR
    HUBER

cdef inline floating squared_error(floating y, floating x, floating half, floating b, floating c, floating d,
                                   floating* grad, floating* hess) noexcept nogil:
    """factor r^2, factor 1 or 1/2."""
    cdef floating r = x - y
    grad[0] = 2 * half * r
    hess[0] = 2 * half
    return half * (r * r)


cdef inline floating absolute_error(floating y, floating x, floating a, floating b, floating c, floating d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - y
    grad[0] = 1 if r > 0 else (-1 if r < 0 else r)      # 0 at 0, NaN at NaN
    hess[0] = 0 * r
    return r if r > 0 else -r


cdef inline floating huber(floating y, floating x, floating delta, floating b, floating c, floating d,
                           floating* grad, floating* hess) noexcept nogil:
    """r^2 / 2 up to delta, delta (|r| - delta / 2) beyond; with m = min(|r|, delta) both are m (|r| - m / 2)."""
    cdef floating r = x - y
    cdef floating size = r if r > 0 else -r
    cdef floating m = delta if size > delta else size
    grad[0] = m if r > 0 else -m
    hess[0] = 0 if size > delta else 1
    return m * (size - m / 2)


cdef void residual(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                   floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if kernel == SQUARED_ERROR:
        specialise(squared_error[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == ABSOLUTE_ERROR:
        specialise(absolute_error[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == HUBER:
        specialise(huber[floating], y, x, p, value, grad, hess, n, operation)
