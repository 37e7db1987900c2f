# Losses of two predictions for each target, all in float64.

cpdef enum:
    GAUSSIAN_NLL = 0x580
    GAUSSIAN_NLL_LOG_SIGMA
    LAPLACE_NLL
    MARGIN_RANKING
    MULTI_QUANTILE

cdef inline double gaussian_nll(double y, double x, double z, double constant, double eps, double* grad,
                                double* grad_z, double* hess, double* hess_z) noexcept nogil:
    cdef double unit
    cdef double r = difference(x, y, &unit)
    cdef double variance = eps if z < eps else z
    cdef double inverse = 1.0 / variance
    cdef double slope = r / variance * unit
    grad[0] = slope
    grad_z[0] = 0.0 if z < eps else 0.5 * inverse - 0.5 * slope * slope
    hess[0] = inverse
    hess_z[0] = 0.0 if z < eps else slope * (slope * inverse) - 0.5 * inverse * inverse
    return 0.5 * log(variance) + (constant + 0.5 * slope * r * unit)


cdef inline double gaussian_nll_log_sigma(double y, double x, double z, double a, double b, double* grad,
                                          double* grad_z, double* hess, double* hess_z) noexcept nogil:
    cdef double factor, unit
    cdef double r = difference(x, y, &unit)
    cdef double e = exp_split(-z, 0.0, &factor)
    cdef double score = r * e * (factor * unit)
    cdef double slope = score * e * factor
    score = 0.0 if (r == 0) & (z == z) else score               # even where e overflows
    grad[0] = 0.0 if (r == 0) & (z == z) else slope
    grad_z[0] = 1.0 - score * score
    hess[0] = (e * factor) * (e * factor)
    hess_z[0] = 2.0 * (score * score)
    return z + 0.5 * (score * score)


cdef inline double laplace_nll(double y, double x, double z, double a, double b, double* grad, double* grad_z,
                               double* hess, double* hess_z) noexcept nogil:
    cdef double factor, unit
    cdef double r = difference(x, y, &unit)
    cdef double e = exp_split(-z, 0.0, &factor)
    cdef double score = (r if r > 0 else 0.0 - r) * e * (factor * unit)
    cdef double rate = e * factor
    cdef double kink = r if z == z else z                       # 0 at 0, NaN at NaN
    score = 0.0 if (r == 0) & (z == z) else score
    grad[0] = rate if r > 0 else (-rate if r < 0 else kink)
    grad_z[0] = 1.0 - score
    hess[0] = 0.0 if score == score else score
    hess_z[0] = score
    return z + (0.6931471805599453 + score)


cdef inline double margin_ranking(double y, double x, double z, double margin, double b, double* grad, double* grad_z,
                                  double* hess, double* hess_z) noexcept nogil:
    """Both subtractions keep what they round off, so that a short fall below the margin is exact."""
    cdef double sign = 1.0 if y > 0 else (-1.0 if y <= 0 else y)
    cdef double apart_lo, lo
    cdef double apart = two_sum(x, -z, &apart_lo)
    cdef double hi = two_sum(margin, -sign * apart, &lo)
    cdef double rest = lo - sign * apart_lo
    cdef double short = hi + (0.0 if rest != rest else rest)        # where the difference overflows it has no rest
    cdef double slope = 0.0 if short <= 0 else (sign if short > 0 else short)
    grad[0] = -slope
    grad_z[0] = slope
    hess[0] = 0.0 * slope
    hess_z[0] = hess[0]
    return 0.0 if short <= 0 else short


cdef inline double multi_quantile(double y, double x, double quantile, double a, double b, double* grad,
                                  double* grad_z, double* hess, double* hess_z) noexcept nogil:
    """The second prediction is the quantile itself."""
    cdef double unit
    cdef double r = difference(x, y, &unit)
    cdef double slope = 1.0 - quantile if r > 0 else (-quantile if r <= 0 else r)
    grad[0] = slope
    grad_z[0] = 0.0
    hess[0] = 0.0 if r == r else r
    hess_z[0] = 0.0
    return slope * r * unit + 0.0                                # never -0


cdef void pair(int kernel, const floating* y, const floating* x, const double* z, const double* p, Scratch* s,
               Py_ssize_t n, int operation) noexcept nogil:
    if floating is double:
        if kernel == GAUSSIAN_NLL:
            specialise_pair(gaussian_nll, y, x, z, p, s, n, operation)
        elif kernel == GAUSSIAN_NLL_LOG_SIGMA:
            specialise_pair(gaussian_nll_log_sigma, y, x, z, p, s, n, operation)
        elif kernel == LAPLACE_NLL:
            specialise_pair(laplace_nll, y, x, z, p, s, n, operation)
        elif kernel == MARGIN_RANKING:
            specialise_pair(margin_ranking, y, x, z, p, s, n, operation)
        elif kernel == MULTI_QUANTILE:
            specialise_pair(multi_quantile, y, x, z, p, s, n, operation)
