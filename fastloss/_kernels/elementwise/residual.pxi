# Regression losses of the residual r = x - y.
#
# Results in float32 are the textbook formulas in float64, whose range and precision are ample, rounded once; the
# simplest, which wait for the memory, are in float32 itself where that costs at most two units. Results in float64
# count the rounding error of r wherever it is amplified, and where a scale c divides r, they are written in ratios
# of the smaller of |r| and c to the larger, which can neither overflow nor lose what is small.

from fastloss._kernels.arithmetic cimport absolute, directed, exact_magnitude
from fastloss._kernels.vecmath cimport (
    exp_parts, exp_hilo, exp_tail, expm1_hilo, finite_or_zero, power, power_for, two_prod, two_sum
)


cdef inline floating squared_error(floating y, floating x, double factor, double b, double c, double d,
                                   floating* grad, floating* hess) noexcept nogil:
    """factor r^2, factor 1 or 1/2; aggregates take derivatives by any factor, which may bring 2 r back into range."""
    cdef floating r = x - y
    grad[0] = <floating> (2 * factor * (<double> x - y))
    hess[0] = <floating> (2 * factor)
    return <floating> factor * r * r


cdef void squared_error_kernel(const Block* block) noexcept nogil:
    run(squared_error[float], squared_error[double], block)

declare("squared_error", squared_error_kernel, ("factor",))


cdef inline floating absolute_error(floating y, floating x, double a, double b, double c, double d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - y
    grad[0] = 1 if r > 0 else (-1 if r < 0 else r)      # 0 at 0, NaN at NaN
    hess[0] = 0 if r == r else r
    return absolute(r)


cdef void absolute_error_kernel(const Block* block) noexcept nogil:
    run(absolute_error[float], absolute_error[double], block)

declare("absolute_error", absolute_error_kernel)


cdef inline floating mean_bias(floating y, floating x, double a, double b, double c, double d,
                               floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - y
    grad[0] = 1 if r == r else r
    hess[0] = 0 if r == r else r
    return r


cdef void mean_bias_kernel(const Block* block) noexcept nogil:
    run(mean_bias[float], mean_bias[double], block)

declare("mean_bias", mean_bias_kernel)


cdef inline floating lp(floating y, floating x, double p, double b, double c, double d,
                        floating* grad, floating* hess) noexcept nogil:
    """|r|^p; derivatives from the root of their power, which is normal where p times the power still is."""
    cdef double low, f, g
    cdef double size = exact_magnitude(y, y, x, &low)
    if floating is float:
        grad[0] = <float> directed(p * power_for(y, size, 0, p - 1), <double> y, <double> x)
        hess[0] = <float> (p * (p - 1) * power_for(y, size, 0, p - 2))
    else:
        f = power(size, low, 0.5 * p - 0.5)
        g = power(size, low, 0.5 * p - 1)
        grad[0] = directed(p * f * f, y, x)
        hess[0] = p * (p - 1) * g * g
    return <floating> power_for(y, size, low, p)


cdef void lp_kernel(const Block* block) noexcept nogil:
    run(lp[float], lp[double], block)

declare("lp", lp_kernel, ("p",))


cdef inline floating quantile(floating y, floating x, double alpha, double b, double c, double d,
                              floating* grad, floating* hess) noexcept nogil:
    """`under` is the cost of a prediction that is too low by 1, `over` of one that is too high."""
    cdef floating under = <floating> alpha, over = <floating> (1 - alpha)
    cdef floating r = x - y
    cdef floating slope = over if r > 0 else (-under if r <= 0 else r)
    grad[0] = slope
    hess[0] = 0 if r == r else r
    return slope * r + 0                                # + 0: no -0 at a tie


cdef void quantile_kernel(const Block* block) noexcept nogil:
    run(quantile[float], quantile[double], block)

declare("quantile", quantile_kernel, ("alpha",))


cdef inline floating expectile(floating y, floating x, double alpha, double b, double c, double d,
                               floating* grad, floating* hess) noexcept nogil:
    cdef double r = <double> x - y
    cdef double factor = alpha if r < 0 else 1 - alpha
    grad[0] = <floating> (2 * factor * r)
    hess[0] = <floating> (2 * factor)
    return <floating> (factor * r * r)


cdef void expectile_kernel(const Block* block) noexcept nogil:
    run(expectile[float], expectile[double], block)

declare("expectile", expectile_kernel, ("alpha",))


cdef inline floating excess(floating y, floating x, floating epsilon) noexcept nogil:
    """|r| - epsilon where that is positive, else 0; for float64 the rounding error of r is counted near epsilon."""
    cdef double low
    cdef floating t
    if floating is float:
        t = absolute(x - y) - epsilon
    else:
        t = exact_magnitude(y, y, x, &low) - epsilon
        t = t + low
    return 0 if t <= 0 else t


cdef inline floating epsilon_insensitive(floating y, floating x, double epsilon, double b, double c, double d,
                                         floating* grad, floating* hess) noexcept nogil:
    cdef floating t = excess(y, x, <floating> epsilon)
    grad[0] = directed(<floating> (0 if t <= 0 else 1), y, x)
    hess[0] = 0 if t == t else t
    return t


cdef void epsilon_insensitive_kernel(const Block* block) noexcept nogil:
    run(epsilon_insensitive[float], epsilon_insensitive[double], block)

declare("epsilon_insensitive", epsilon_insensitive_kernel, ("epsilon",))


cdef inline floating squared_epsilon_insensitive(floating y, floating x, double epsilon, double b, double c, double d,
                                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating t = excess(y, x, <floating> epsilon)
    grad[0] = directed(2 * t, y, x)
    hess[0] = 0 if absolute(x - y) < <floating> epsilon else 2
    return t * t


cdef void squared_epsilon_insensitive_kernel(const Block* block) noexcept nogil:
    run(squared_epsilon_insensitive[float], squared_epsilon_insensitive[double], block)

declare("squared_epsilon_insensitive", squared_epsilon_insensitive_kernel, ("epsilon",))


cdef inline floating linex(floating y, floating x, double a, double b, double c, double d,
                           floating* grad, floating* hess) noexcept nogil:
    """b (e^z - 1 - z), z = a r. Beyond |z| = 700, e^z is the square of e^(z/2): b may bring it back into range."""
    cdef double low, z_low, r, z, size, share, rest, e, f, far, near, middle
    if floating is float:
        z = a * (<double> x - y)
        z = 700 if z > 700 else z                                       # beyond, all is infinite
        hess[0] = <float> (a * b * a * exp_parts(z, &e, &far))
        grad[0] = <float> (a * b * e)
        return <float> (b * far)
    else:
        r = two_sum(x, -y, &low)
        z = two_prod(a, r, &z_low)
        size = absolute(z)
        share = 0.5 if size >= 700 else 1
        rest = finite_or_zero(z_low) + a * finite_or_zero(low)
        e = expm1_hilo(share * z, share * rest)
        f = exp_hilo(share * z, share * rest)
        far = b * e * e
        near = b * z * exp_tail(z) + b * e * rest
        middle = b * ((e - z) - rest)
        grad[0] = a * b * e * (e if z >= 700 else 1)
        hess[0] = (a * b * f) * a * (f if size >= 700 else 1)
        return far if z >= 700 else (near if size < 1 else middle)


cdef void linex_kernel(const Block* block) noexcept nogil:
    run(linex[float], linex[double], block)

declare("linex", linex_kernel, ("a", "b"))
