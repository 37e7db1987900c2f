# Negative log-likelihoods of counts and positive amounts, up to terms of the target alone.

cpdef enum:
    POISSON_LOG = 0x200
    GAMMA_LOG
    POISSON_LOG_FULL = 0x280
    POISSON_IDENTITY
    POISSON_IDENTITY_FULL
    GAMMA_IDENTITY
    NORMAL_IDENTITY
    TWEEDIE_LOG
    TWEEDIE_LOG_OUTER
    TWEEDIE_IDENTITY

cdef inline floating poisson_log(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    """e^x - y x; where e^x overflows it has won, and 0 x is 0 even for an infinite x."""
    cdef floating e = fl_exp_f32(x) if floating is float else exp(x)
    cdef floating product = 0 if (y == 0) | (e == INFINITY) & (y == y) else y * x
    grad[0] = e - y
    hess[0] = e
    return e - product


cdef inline double poisson_log_full(double y, double x, double a, double b, double c, double d, double* grad,
                                    double* hess) noexcept nogil:
    """With Stirling's y log y - y + log(2 pi y) / 2 for y > 1."""
    cdef double e = exp(x)
    cdef double log_y = log(y)
    cdef double entropy = log_y - 1.0 if y > 1 else 0.0
    cdef double product = 0.0 if (y == 0) | (e == INFINITY) & (y == y) else y * (entropy - x)
    grad[0] = e - y
    hess[0] = e
    return e + (product + (0.5 * log_y + 0.9189385332046728 if y > 1 else 0.0))


cdef inline double poisson_ratios(double y, double rate, double* hess) noexcept nogil:
    """y / rate and y / rate^2, by way of a tiny y times 2^300; 0 for y = 0, whatever the rate."""
    cdef double up = 2.037035976334486e90 if y < 1e-200 else 1.0
    cdef double ratio = y * up / rate
    cdef bint none = (y == 0) & (rate == rate)
    hess[0] = 0.0 if none else ratio / (rate * up)
    return 0.0 if none else ratio / up


cdef inline double poisson_identity(double y, double x, double epsilon, double b, double c, double d, double* grad,
                                    double* hess) noexcept nogil:
    """x - y log(x + epsilon), the logarithm corrected for the rounding of the sum; 0 log 0 is 0."""
    cdef double low
    cdef double rate = two_sum(x, epsilon, &low)
    cdef double log_rate = log(rate) + low / (1.0 if rate == 0 else rate)
    grad[0] = 1.0 - poisson_ratios(y, rate, hess)
    return x - (0.0 if y == 0 else y * log_rate)


cdef inline double poisson_identity_full(double y, double x, double epsilon, double b, double c, double d,
                                         double* grad, double* hess) noexcept nogil:
    cdef double low
    cdef double rate = two_sum(x, epsilon, &low)
    cdef double log_rate = log(rate) + low / (1.0 if rate == 0 else rate)
    cdef double log_y = log(y)
    cdef double entropy = log_y - 1.0 if y > 1 else 0.0
    grad[0] = 1.0 - poisson_ratios(y, rate, hess)
    return x + ((0.0 if y == 0 else y * (entropy - log_rate)) + (0.5 * log_y + 0.9189385332046728 if y > 1 else 0.0))


cdef inline double exp_split(double hi, double lo, double* factor) noexcept nogil:
    """exp(hi + lo) / factor with a power of two that keeps it in range from e^-1437 to e^1402.

    A product (v * exp_split(...)) * factor of v > 0 then over- or underflows only if its result does.
    """
    cdef double k = 1.0 if hi > 700 else (-1.0 if hi < -700 else 0.0)
    factor[0] = 1.0715086071862673e301 if k > 0 else (9.332636185032189e-302 if k < 0 else 1.0)      # 2^1000
    return exp_sum(hi - k * 693.1471805599454, lo + k * 4.5199270178446646e-14)


cdef inline floating gamma_log(floating y, floating x, double a, double b, double c, double d, floating* grad,
                               floating* hess) noexcept nogil:
    """x + y e^-x; the range of float64 is wide enough for float32."""
    cdef double ratio, factor
    if floating is float:
        ratio = y * exp(-x)
    else:
        ratio = y * exp_split(-x, 0.0, &factor)
        ratio = ratio * factor
    grad[0] = <floating> (1.0 - ratio)
    hess[0] = <floating> ratio
    return <floating> (ratio + (x if x > -INFINITY else 0))


cdef inline double gamma_identity(double y, double x, double a, double b, double c, double d, double* grad,
                                  double* hess) noexcept nogil:
    cdef double ratio = y / x
    grad[0] = (x - y) / x / x
    hess[0] = (2.0 * ratio - 1.0) / x / x
    return log(x) + ratio


cdef inline double normal_identity(double y, double x, double a, double b, double c, double d, double* grad,
                                   double* hess) noexcept nogil:
    grad[0] = x - y
    hess[0] = 0.0 * (x - y) + 1.0
    return x * (0.5 * x - y)


cdef inline double tweedie_log(double y, double x, double power, double b, double c, double d, double* grad,
                               double* hess) noexcept nogil:
    """1 < power < 2: both terms are positive, and 1 - power and 2 - power are exact."""
    cdef double first = 2.0 - power, second = 1.0 - power
    cdef double lo, factor
    cdef double hi = two_prod(first, x, &lo)
    cdef double u = exp_sum(hi, lo)
    hi = two_prod(second, x, &lo)
    cdef double v = exp_split(hi, lo, &factor)
    v = 0.0 if y == 0 else y * v * factor
    grad[0] = u - v
    hess[0] = first * u - second * v
    return u / first - v / second


cdef inline double tweedie_log_outer(double y, double x, double power, double b, double c, double d, double* grad,
                                     double* hess) noexcept nogil:
    """power <= 0 or > 2: u / first - v / second is a difference; where both overflow v / u = y e^-x decides."""
    cdef double first_lo, second_lo, lo, factor
    cdef double first = two_sum(2.0, -power, &first_lo)
    cdef double second = two_sum(1.0, -power, &second_lo)
    cdef double hi = two_prod(first, x, &lo)
    cdef double u = exp_sum(hi, lo + first_lo * x)
    hi = two_prod(second, x, &lo)
    cdef double v = exp_split(hi, lo + second_lo * x, &factor)
    cdef double lead = log(y) - x
    cdef double even = log(second / first)
    v = 0.0 if y == 0 else y * v * factor
    cdef bint both = (u == INFINITY) & (v == INFINITY)
    grad[0] = (-INFINITY if lead > 0 else INFINITY) if both else u - v
    hess[0] = (INFINITY if (lead > -even) == (first < 0) else -INFINITY) if both else first * u - second * v
    return (INFINITY if (lead > even) == (first < 0) else -INFINITY) if both else u / first - v / second


cdef inline double times_power(double v, double w, double log_hi, double log_lo, double e,
                               double e_lo) noexcept nogil:
    """v w x^(e + e_lo): v is multiplied twice by the root, which leads to v x^e without leaving the range between."""
    cdef double lo
    cdef double hi = two_prod(0.5 * e, log_hi, &lo)
    cdef double root = exp_sum(hi, lo + 0.5 * (e * log_lo + e_lo * log_hi))
    cdef double product = v * root * w * root
    return 0.0 if v == 0 else product


cdef inline double tweedie_identity(double y, double x, double power, double b, double c, double d, double* grad,
                                    double* hess) noexcept nogil:
    """x^(1-p) (x / (2-p) - y / (1-p)), the bracket in units of the larger of x and |y|."""
    cdef double first_lo, second_lo, third_lo, log_lo
    cdef double first = two_sum(2.0, -power, &first_lo)
    cdef double second = two_sum(1.0, -power, &second_lo)
    cdef double third = two_sum(-1.0, -power, &third_lo)
    cdef double log_x = log_dd(x, 0.0, &log_lo)
    cdef double size = y if y > 0 else -y
    cdef double m = size if size >= x else x
    cdef double share = x / m, target = y / m
    grad[0] = times_power(x - y, 1.0, log_x, log_lo, -power, 0.0)
    hess[0] = times_power(m, second * share + power * target, log_x, log_lo, third, third_lo)
    return times_power(m, share / first - target / second, log_x, log_lo, second, second_lo)


cdef void likelihood(int kernel, const floating* y, const floating* x, const double* p, floating* value,
                     floating* grad, floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if kernel == POISSON_LOG:
        specialise(poisson_log[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == GAMMA_LOG:
        specialise(gamma_log[floating], y, x, p, value, grad, hess, n, operation)
    elif floating is double:
        if kernel == POISSON_LOG_FULL:
            specialise(poisson_log_full, y, x, p, value, grad, hess, n, operation)
        elif kernel == POISSON_IDENTITY:
            specialise(poisson_identity, y, x, p, value, grad, hess, n, operation)
        elif kernel == POISSON_IDENTITY_FULL:
            specialise(poisson_identity_full, y, x, p, value, grad, hess, n, operation)
        elif kernel == GAMMA_IDENTITY:
            specialise(gamma_identity, y, x, p, value, grad, hess, n, operation)
        elif kernel == NORMAL_IDENTITY:
            specialise(normal_identity, y, x, p, value, grad, hess, n, operation)
        elif kernel == TWEEDIE_LOG:
            specialise(tweedie_log, y, x, p, value, grad, hess, n, operation)
        elif kernel == TWEEDIE_LOG_OUTER:
            specialise(tweedie_log_outer, y, x, p, value, grad, hess, n, operation)
        elif kernel == TWEEDIE_IDENTITY:
            specialise(tweedie_identity, y, x, p, value, grad, hess, n, operation)
