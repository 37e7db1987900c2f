# The loss of several quantiles, each a prediction beside its level.

from fastloss._kernels.arithmetic cimport difference


cdef inline floating multi_quantile(floating y, floating x, floating level, double a, double b, floating* grad,
                                    floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    """The second prediction is the quantile, less 1 above a half: float32 holds the distance from 1 exactly."""
    cdef double unit
    cdef double r = difference(x, y, &unit)
    cdef double below = level if level > 0 else 1.0 + level, above = 1.0 - level if level > 0 else -level
    cdef double slope = above if r > 0 else (-below if r <= 0 else r)
    grad[0] = <floating> slope
    grad_z[0] = 0
    hess[0] = <floating> (0.0 if r == r else r)
    hess_z[0] = 0
    return <floating> (slope * r * unit + 0.0)                  # never -0


cdef void multi_quantile_kernel(const Block* block) noexcept nogil:
    run_pair(multi_quantile[float], multi_quantile[double], block)

declare("multi_quantile", multi_quantile_kernel)
