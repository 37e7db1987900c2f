# Negative log-likelihoods of two predictions for each target: a location and a scale.

from fastloss._kernels.arithmetic cimport difference, exp_split
from fastloss._kernels.vecmath cimport log_for


cdef inline floating gaussian_nll(floating y, floating x, floating z, double constant, double eps, floating* grad,
                                  floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    cdef double unit, slope, curve, flat
    cdef double r = difference(x, y, &unit)
    cdef double variance = eps if z < eps else z
    cdef double inverse = 1.0 / variance
    if floating is float:
        inverse = 1e300 if inverse > 1e300 else inverse         # finite, for a residual of 0
        slope = r * inverse
        curve = (slope * r - 0.5) * inverse * inverse
    else:
        slope = r / variance * unit
        curve = slope * (slope * inverse) - 0.5 * inverse * inverse
    flat = 0.0 if slope == slope else slope                     # NaN where the target is
    grad[0] = <floating> slope
    grad_z[0] = <floating> (flat if z < eps else 0.5 * inverse - 0.5 * slope * slope)
    hess[0] = <floating> inverse
    hess_z[0] = <floating> (flat if z < eps else curve)
    return <floating> (0.5 * log_for(z, variance) + (constant + 0.5 * slope * r * unit))


cdef void gaussian_nll_kernel(const Block* block) noexcept nogil:
    run_pair(gaussian_nll[float], gaussian_nll[double], block)

declare("gaussian_nll", gaussian_nll_kernel, ("constant", "eps"))


cdef inline floating gaussian_nll_log_sigma(floating y, floating x, floating z, double a, double b, floating* grad,
                                            floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    cdef double factor, unit
    cdef double r = difference(x, y, &unit)
    cdef double e = exp_split(z, -z, 0.0, &factor)
    cdef double score = r * e * (factor * unit)
    cdef double slope = score * e * factor
    score = 0.0 if (r == 0) & (z == z) else score               # even where e overflows
    cdef double high = 1e100 if floating is float else INFINITY  # which outweighs any z, also -inf
    cdef double half = 0.5 * score * score
    grad[0] = <floating> (0.0 if (r == 0) & (z == z) else slope)
    grad_z[0] = <floating> (1.0 - score * score)
    hess[0] = <floating> ((e * factor) * (e * factor))
    hess_z[0] = <floating> (2.0 * (score * score))
    return <floating> (half if half >= high else z + half)


cdef void gaussian_nll_log_sigma_kernel(const Block* block) noexcept nogil:
    run_pair(gaussian_nll_log_sigma[float], gaussian_nll_log_sigma[double], block)

declare("gaussian_nll_log_sigma", gaussian_nll_log_sigma_kernel)


cdef inline floating laplace_nll(floating y, floating x, floating z, double a, double b, floating* grad,
                                 floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    cdef double factor, unit
    cdef double r = difference(x, y, &unit)
    cdef double e = exp_split(z, -z, 0.0, &factor)
    cdef double score = (r if r > 0 else 0.0 - r) * e * (factor * unit)
    cdef double rate = e * factor
    cdef double kink = r if z == z else z                       # 0 at 0, NaN at NaN
    score = 0.0 if (r == 0) & (z == z) else score
    grad[0] = <floating> (rate if r > 0 else (-rate if r < 0 else kink))
    grad_z[0] = <floating> (1.0 - score)
    hess[0] = <floating> (0.0 if score == score else score)
    hess_z[0] = <floating> score
    cdef floating rest = <floating> (0.6931471805599453 + score)
    return rest if rest == INFINITY else z + rest


cdef void laplace_nll_kernel(const Block* block) noexcept nogil:
    run_pair(laplace_nll[float], laplace_nll[double], block)

declare("laplace_nll", laplace_nll_kernel)
