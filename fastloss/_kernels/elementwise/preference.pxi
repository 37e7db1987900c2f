# Losses of preferences between answers.
#
# The product of the temperature and the difference is rounded, which its exponential would magnify.

from fastloss._kernels.arithmetic cimport sign
from fastloss._kernels.vecmath cimport logistic_for, product_for, sum_for, tanh_for


cdef inline void scaled_logistic(floating like, double beta, double x, double* u, double* tail,
                                 double* far) noexcept nogil:
    """`logistic` at u = beta x, put right to first order by the rounding error of the product."""
    cdef double lo, steep
    u[0] = product_for(like, beta, x, &lo)
    logistic_for(like, u[0], tail, far)
    if floating is double:
        lo = 0 if (u[0] < -1000) | (u[0] > 1000) else (lo if u[0] > 0 else -lo)
        steep = far[0] * (1 - far[0])
        tail[0] -= far[0] * lo
        far[0] -= steep * lo


cdef inline floating dpo(floating y, floating x, double beta, double label_smoothing, double c, double d,
                         floating* grad, floating* hess) noexcept nogil:
    cdef double u, tail, far
    scaled_logistic(y, beta, x, &u, &tail, &far)
    cdef double against = 1 - <double> y if u > 0 else y
    cdef double wrong = (1 - label_smoothing) * against + label_smoothing * (1 - against)
    cdef double size = abs(u)
    size = size * wrong if size < 1e308 else abs(<double> x) * wrong * beta     # u itself may overflow
    grad[0] = <floating> (beta * (wrong - far if u > 0 else far - wrong))
    hess[0] = <floating> (beta * (far * (1 - far)) * beta)
    return <floating> (tail + (0 if wrong == 0 else size))


cdef void dpo_kernel(const Block* block) noexcept nogil:
    run(dpo[float], dpo[double], block)

declare("dpo", dpo_kernel, ("beta", "label_smoothing"))


cdef inline floating ipo(floating y, floating x, double goal, double goal_lo, double c, double d,
                         floating* grad, floating* hess) noexcept nogil:
    cdef double lo
    cdef floating s = sign(y)
    cdef double r = sum_for(y, s * x, -goal, &lo)
    if floating is double:
        r = r + (lo - goal_lo) if (r > -1e300) & (r < 1e300) else r
    grad[0] = <floating> (2 * s * r)
    hess[0] = 2
    return <floating> (r * r)


cdef void ipo_kernel(const Block* block) noexcept nogil:
    run(ipo[float], ipo[double], block)

declare("ipo", ipo_kernel, ("goal", "goal_lo"))


cdef inline floating kto(floating y, floating x, double beta, double b, double c, double d,
                         floating* grad, floating* hess) noexcept nogil:
    cdef double u, tail, far
    cdef floating s = sign(y)
    scaled_logistic(y, beta, s * x, &u, &tail, &far)
    cdef double steep = beta * (far * (1 - far))
    grad[0] = <floating> (-s * steep)
    hess[0] = <floating> (beta * steep * tanh_for(y, u / 2))
    return <floating> (far if u > 0 else 1 - far)


cdef void kto_kernel(const Block* block) noexcept nogil:
    run(kto[float], kto[double], block)

declare("kto", kto_kernel, ("beta",))
