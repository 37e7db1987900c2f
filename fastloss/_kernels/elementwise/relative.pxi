# Regression losses of the prediction relative to the target: of their ratio, or in units of the target.
#
# The arithmetic is in float64 for both types, so that several divisions round once.

from fastloss._kernels.arithmetic cimport difference
from fastloss._kernels.vecmath cimport finite_or_zero, fl_log1p_to_f32, log1p, sum_for, two_prod, two_sum


cdef inline floating absolute_percentage_error(floating y, floating x, double epsilon, double scale, double c,
                                               double d, floating* grad, floating* hess) noexcept nogil:
    cdef double unit
    cdef double r = difference(x, y, &unit)
    cdef double size = y if y > 0 else -y
    cdef double floor = epsilon if size < epsilon else size
    cdef double slope = scale / floor
    grad[0] = <floating> (slope if r > 0 else (-slope if r < 0 else r * slope))     # 0 at 0, NaN at NaN
    hess[0] = <floating> (0 if r == r else r)
    r = r if r > 0 else 0.0 - r
    cdef bint first = (scale < 1) & (r > 1)             # else the quotient overflows too early
    return <floating> (r * (scale if first else 1.0) / floor * (unit * (1.0 if first else scale)))


cdef void absolute_percentage_error_kernel(const Block* block) noexcept nogil:
    run(absolute_percentage_error[float], absolute_percentage_error[double], block)

declare("absolute_percentage_error", absolute_percentage_error_kernel, ("epsilon", "scale"))


cdef inline floating squared_percentage_error(floating y, floating x, double epsilon, double b, double c,
                                              double d, floating* grad, floating* hess) noexcept nogil:
    cdef double unit
    cdef double r = difference(x, y, &unit)
    cdef double size = y if y > 0 else -y
    cdef double floor = epsilon if size < epsilon else size
    cdef double q = r / floor * unit
    grad[0] = <floating> (2.0 * q / floor)
    hess[0] = <floating> (2.0 / floor / floor if x == x else x)
    return <floating> (q * q)


cdef void squared_percentage_error_kernel(const Block* block) noexcept nogil:
    run(squared_percentage_error[float], squared_percentage_error[double], block)

declare("squared_percentage_error", squared_percentage_error_kernel, ("epsilon",))


cdef inline floating symmetric_absolute_percentage_error(floating y, floating x, double a, double b, double c,
                                                         double d, floating* grad, floating* hess) noexcept nogil:
    """2 |r| / D with D = |x| + |y|; the derivative is 4 sign(r) |y| / D^2 on y's side of 0, and 0 beyond."""
    cdef double size_y = y if y > 0 else -y
    cdef double size_x = x if x > 0 else -x
    cdef double scale = 0.25 if size_x + size_y == INFINITY else 1.0
    cdef double r = scale * x - scale * y
    cdef double low
    cdef double total = sum_for(x, scale * size_x, scale * size_y, &low)
    cdef double divisor = 1.0 if total == 0 else total
    cdef double side = 1.0 if (x > 0) & (y > 0) | (x < 0) & (y < 0) else (0.5 if x == 0 else 0.0)
    cdef double slope = 4.0 * side * (scale * size_y / divisor) / divisor * scale
    cdef double curve = 2.0 * slope / divisor * scale
    if floating is double:
        low = 3.0 * (low / divisor)                             # the cube triples what the sum rounds off
        curve = curve * (1.0 - (0.0 if low != low else low))
    grad[0] = <floating> (slope if r > 0 else (-slope if r < 0 else r))         # 0 at a tie, NaN at NaN
    hess[0] = <floating> (-curve if size_x > size_y else (curve if size_x < size_y else r - r))
    cdef double size = r if r > 0 else 0.0 - r
    return <floating> ((1.0 if size == INFINITY else size / divisor) * 2.0)


cdef void symmetric_absolute_percentage_error_kernel(const Block* block) noexcept nogil:
    run(symmetric_absolute_percentage_error[float], symmetric_absolute_percentage_error[double], block)

declare("symmetric_absolute_percentage_error", symmetric_absolute_percentage_error_kernel)


cdef inline double log_ratio(double r, double r_lo, double low) noexcept nogil:
    """log1p(r / (1 + low)) for r + r_lo >= 0, the quotient corrected for its rounding.

    A numerator or divisor above 2^900 goes down by 2^128, so that nothing overflows; a divisor above 1 goes down with
    its numerator, otherwise the logarithm makes up for it.
    """
    cdef double base_lo, product_lo
    cdef double base = two_sum(1.0, low, &base_lo)
    cdef double down = 2.938735877055719e-39 if (r > 8.452712498170644e270) | (base > 8.452712498170644e270) else 1.0
    cdef double base_down = down if base > 1 else 1.0
    cdef double size = r * down, divisor = base * base_down
    cdef double q = size / divisor
    cdef double product = two_prod(q, divisor, &product_lo)
    cdef double error = (((size - product) - product_lo) + (r_lo * down - q * (base_lo * base_down))) / divisor
    cdef double correction = 0.0 if q > 1e18 else error / (1.0 + q)
    return log1p(q) + correction + (88.722839111673 if base_down > down else 0.0)       # 128 log 2


cdef inline floating squared_log_error(floating y, floating x, double a, double b, double c, double d,
                                       floating* grad, floating* hess) noexcept nogil:
    """L = log1p(x) - log1p(y) = +-log1p(|x - y| / (1 + min(x, y))); float64 is exact enough for float32 as it is."""
    cdef double low = x if x < y else y
    cdef double lo, size
    cdef double r = sum_for(x, x, -y, &lo)
    if floating is float:
        size = fl_log1p_to_f32(fabs(r) / (1.0 + low))
    else:
        lo = finite_or_zero(lo)                         # at the largest number what rounding took may overflow
        size = log_ratio(r if r > 0 else -r, lo if r > 0 else -lo, low)
    cdef double log_quotient = size if r > 0 else -size
    cdef double slope = 1.0 / (1.0 + x)
    grad[0] = <floating> (2.0 * (log_quotient * slope))
    hess[0] = <floating> (2.0 * ((1.0 - log_quotient) * slope) * slope)
    return <floating> (size * size)


cdef void squared_log_error_kernel(const Block* block) noexcept nogil:
    run(squared_log_error[float], squared_log_error[double], block)

declare("squared_log_error", squared_log_error_kernel)
