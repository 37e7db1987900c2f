# What losses of the whole sample need beyond the formulas of other families.

cdef inline floating centered_squared_error(floating y, floating x, double center, double factor, double c, double d,
                                            floating* grad, floating* hess) noexcept nogil:
    cdef double r = (<double> x - <double> y) - center
    grad[0] = <floating> (2 * factor * r)
    hess[0] = <floating> (2 * factor)
    return <floating> (factor * r * r)


cdef void centered_squared_error_kernel(const Block* block) noexcept nogil:
    run(centered_squared_error[float], centered_squared_error[double], block)

declare("centered_squared_error", centered_squared_error_kernel, ("center", "factor"))
