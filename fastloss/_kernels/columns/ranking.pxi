# Losses of the order of two scores.

from fastloss._kernels.vecmath cimport logistic, two_sum


cdef inline floating ranking(floating y, floating x, floating z, double a, double b, floating* grad,
                             floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    """No margin: a single subtraction."""
    cdef floating sign = 1 if y > 0 else (-1 if y <= 0 else y)
    cdef floating short = sign * (z - x)
    cdef floating slope = 0 if short <= 0 else (sign if short > 0 else short)
    grad[0] = -slope
    grad_z[0] = slope
    hess[0] = 0 * slope
    hess_z[0] = hess[0]
    return 0 if short <= 0 else short


cdef void ranking_kernel(const Block* block) noexcept nogil:
    run_pair(ranking[float], ranking[double], block)

declare("ranking", ranking_kernel)


cdef inline floating margin_ranking(floating y, floating x, floating z, double margin, double a, floating* grad,
                                    floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    """Both subtractions keep what they round off, so that a short fall below the margin is exact."""
    cdef double sign = 1.0 if y > 0 else (-1.0 if y <= 0 else y)
    cdef double apart_lo, lo
    cdef double apart = two_sum(x, -z, &apart_lo)
    cdef double hi = two_sum(margin, -sign * apart, &lo)
    cdef double rest = lo - sign * apart_lo
    cdef double short = hi + (0.0 if rest != rest else rest)        # where the difference overflows it has no rest
    cdef double slope = 0.0 if short <= 0 else (sign if short > 0 else short)
    grad[0] = <floating> -slope
    grad_z[0] = <floating> slope
    hess[0] = <floating> (0.0 * slope)
    hess_z[0] = hess[0]
    return <floating> (0.0 if short <= 0 else short)


cdef void margin_ranking_kernel(const Block* block) noexcept nogil:
    run_pair(margin_ranking[float], margin_ranking[double], block)

declare("margin_ranking", margin_ranking_kernel, ("margin",))


cdef inline floating bayesian_ranking(floating y, floating x, floating z, double a, double b, floating* grad,
                                      floating* grad_z, floating* hess, floating* hess_z) noexcept nogil:
    """The softplus of how far the first score is behind, and what the rounding of that changes."""
    cdef floating one = 1
    cdef floating sign = one if y > 0 else (-one if y <= 0 else y)
    cdef double lo
    cdef double apart = two_sum(z, -x, &lo)
    cdef floating behind = sign * <floating> apart
    cdef floating rest = <floating> (apart - <floating> apart + lo)
    cdef floating tail, less
    rest = sign * rest if fabs(rest) < 1e38 else 0      # where the difference overflows it has no rest
    logistic(behind, &tail, &less)
    cdef floating missed = one - less if behind > 0 else less
    cdef floating bend = less * (one - less)
    cdef floating slope = missed + bend * rest
    grad[0] = -sign * slope
    grad_z[0] = sign * slope
    hess[0] = bend + bend * (one - missed - missed) * rest
    hess_z[0] = hess[0]
    return (behind if behind > 0 else 0) + (tail + missed * rest)


cdef void bayesian_ranking_kernel(const Block* block) noexcept nogil:
    run_pair(bayesian_ranking[float], bayesian_ranking[double], block)

declare("bayesian_ranking", bayesian_ranking_kernel)
