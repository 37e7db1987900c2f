# Regression losses of the residual r = x - y.
#
# Results in float32 are the textbook formulas in float64, whose range and precision are ample, rounded once; the
# simplest, which wait for the memory, are in float32 itself where that costs at most two units. Results in float64
# count the rounding error of r wherever it is amplified, and where a scale c divides r, they are written in ratios
# of the smaller of |r| and c to the larger, which can neither overflow nor lose what is small.

cpdef enum:
    SQUARED_ERROR = 0x000
    ABSOLUTE_ERROR
    MEAN_BIAS
    LP
    QUANTILE
    EXPECTILE
    EPSILON_INSENSITIVE
    SQUARED_EPSILON_INSENSITIVE
    LINEX


# Parts, of robust.pxi and redescending.pxi as well ------------------------------------------------

cdef inline floating absolute(floating r) noexcept nogil:
    """|r|, never -0."""
    return <floating> fabs(r)


cdef inline double bounded(double r) noexcept nogil:
    """A residual of float32 numbers, finite where they are not: its powers stay finite, and products with 0 are 0."""
    return 1e120 if r > 1e120 else (-1e120 if r < -1e120 else r)


cdef inline double exact_magnitude(floating like, double y, double x, double* low) noexcept nogil:
    """|x - y| as a double-double."""
    cdef double lo
    cdef double r = sum_for(like, x, -y, &lo)
    if floating is float:
        low[0] = 0
    else:
        lo = finite_or_zero(lo)
        low[0] = -lo if r <= 0 else lo
    return absolute(r)


cdef inline bint is_infinite(double r) noexcept nogil:
    return (r == INFINITY) | (r == -INFINITY)


cdef inline floating directed(floating size, floating y, floating x) noexcept nogil:
    """`size` with the sign of x - y: 0 at a tie, NaN at NaN."""
    return size if x > y else (-size if x < y else x - y)


cdef inline double ratio(double size, double low, double c, double* out_low) noexcept nogil:
    """The smaller of size + low and c over the larger, as a double-double."""
    cdef bint near = size <= c
    cdef double m = size if near else c
    cdef double most = c if near else size
    cdef double m_low = low if near else 0
    cdef double most_low = 0 if near else low
    cdef double q_low
    cdef double q = quotient(m, m_low, most, &q_low)
    out_low[0] = q_low - q * (most_low / most)
    return q


# The losses ---------------------------------------------------------------------------------------

cdef inline floating squared_error(floating y, floating x, double a, double b, double c, double d,
                                   floating* grad, floating* hess) noexcept nogil:
    """factor r^2, factor 1 or 1/2."""
    cdef double r = <double> x - y
    grad[0] = <floating> (2 * a * r)
    hess[0] = <floating> (2 * a)
    return <floating> (a * r * r)


cdef inline floating absolute_error(floating y, floating x, double a, double b, double c, double d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef double r = <double> x - y
    grad[0] = <floating> (1 if r > 0 else (-1 if r < 0 else r))     # 0 at 0, NaN at NaN
    hess[0] = <floating> (0 if r == r else r)
    return <floating> absolute(r)


cdef inline floating mean_bias(floating y, floating x, double a, double b, double c, double d,
                               floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - y
    grad[0] = 1 if r == r else r
    hess[0] = 0 if r == r else r
    return r


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


cdef inline floating quantile(floating y, floating x, double a, double b, double c, double d,
                              floating* grad, floating* hess) noexcept nogil:
    """`under` is the quantile, the cost of a prediction that is too low; `over` is the rest to 1."""
    cdef floating under = <floating> a, over = <floating> b
    cdef floating r = x - y
    cdef floating slope = over if r > 0 else (-under if r <= 0 else r)
    grad[0] = slope
    hess[0] = 0 if r == r else r
    return slope * r + 0                                # + 0: no -0 at a tie


cdef inline floating expectile(floating y, floating x, double under, double over, double c, double d,
                               floating* grad, floating* hess) noexcept nogil:
    cdef double r = <double> x - y
    cdef double factor = under if r < 0 else over
    grad[0] = <floating> (2 * factor * r)
    hess[0] = <floating> (2 * factor)
    return <floating> (factor * r * r)


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


cdef inline floating epsilon_insensitive(floating y, floating x, double a, double b, double c, double d,
                                         floating* grad, floating* hess) noexcept nogil:
    cdef floating epsilon = <floating> a
    cdef floating t = excess(y, x, epsilon)
    grad[0] = directed(<floating> (0 if t <= 0 else 1), y, x)
    hess[0] = 0 if t == t else t
    return t


cdef inline floating squared_epsilon_insensitive(floating y, floating x, double a, double b, double c, double d,
                                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating epsilon = <floating> a
    cdef floating t = excess(y, x, epsilon)
    grad[0] = directed(2 * t, y, x)
    hess[0] = 0 if absolute(x - y) < epsilon else 2
    return t * t


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
        e = expm1_sum(share * z, share * rest)
        f = exp_sum(share * z, share * rest)
        far = b * e * e
        near = b * z * exp_tail(z) + b * e * rest
        middle = b * ((e - z) - rest)
        grad[0] = a * b * e * (e if z >= 700 else 1)
        hess[0] = (a * b * f) * a * (f if size >= 700 else 1)
        return far if z >= 700 else (near if size < 1 else middle)


cdef void residual(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                   floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if kernel == SQUARED_ERROR:
        specialise(squared_error[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == ABSOLUTE_ERROR:
        specialise(absolute_error[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == MEAN_BIAS:
        specialise(mean_bias[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == LP:
        specialise(lp[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == QUANTILE:
        specialise(quantile[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == EXPECTILE:
        specialise(expectile[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == EPSILON_INSENSITIVE:
        specialise(epsilon_insensitive[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SQUARED_EPSILON_INSENSITIVE:
        specialise(squared_epsilon_insensitive[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == LINEX:
        specialise(linex[floating], y, x, p, value, grad, hess, n, operation)
