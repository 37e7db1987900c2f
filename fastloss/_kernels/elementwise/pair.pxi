# Losses of two predictions for each target.

cpdef enum:
    GAUSSIAN_NLL = 0x500
    GAUSSIAN_NLL_LOG_SIGMA
    LAPLACE_NLL
    RANKING
    MARGIN_RANKING
    MULTI_QUANTILE

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


cdef inline floating margin_ranking(floating y, floating x, floating z, double margin, double b, floating* grad,
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


cdef void pair(int kernel, const floating* y, const floating* x, const floating* z, const double* p, Scratch* s,
               Py_ssize_t n, int operation) noexcept nogil:
    if kernel == GAUSSIAN_NLL:
        specialise_pair(gaussian_nll[floating], y, x, z, p, s, n, operation)
    elif kernel == GAUSSIAN_NLL_LOG_SIGMA:
        specialise_pair(gaussian_nll_log_sigma[floating], y, x, z, p, s, n, operation)
    elif kernel == LAPLACE_NLL:
        specialise_pair(laplace_nll[floating], y, x, z, p, s, n, operation)
    elif kernel == RANKING:
        specialise_pair(ranking[floating], y, x, z, p, s, n, operation)
    elif kernel == MARGIN_RANKING:
        specialise_pair(margin_ranking[floating], y, x, z, p, s, n, operation)
    elif kernel == MULTI_QUANTILE:
        specialise_pair(multi_quantile[floating], y, x, z, p, s, n, operation)
