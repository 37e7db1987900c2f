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
    HUBER
    SMOOTH_L1
    QUANTILE
    EXPECTILE
    EPSILON_INSENSITIVE
    SQUARED_EPSILON_INSENSITIVE
    LOG_COSH
    PSEUDO_HUBER
    LINEX
    FAIR
    CAUCHY
    TUKEY
    WELSCH
    GEMAN_MCCLURE
    BARRON
    BARRON_QUADRATIC
    LP
    WING
    STUDENT_T


cdef extern from "vecmath.h" nogil:
    double mul_add "fl_mul_add_f64"(double a, double b, double c)
    double from_bits "flv_from_bits_f64"(uint64_t bits)
    uint64_t bits_of "flv_bits_f64"(double x)


# Parts --------------------------------------------------------------------------------------------

cdef inline double finite_or_zero(double low) noexcept nogil:
    """The low part of a double-double, which is NaN or infinite where the high part overflows."""
    return low if low - low == 0 else 0


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


cdef inline floating directed(floating size, floating y, floating x) noexcept nogil:
    """`size` with the sign of x - y: 0 at a tie, NaN at NaN."""
    return size if x > y else (-size if x < y else x - y)


cdef inline double quotient(double high, double low, double divisor, double* out_low) noexcept nogil:
    """(high + low) / divisor as a double-double."""
    cdef double product_low
    cdef double q = high / divisor
    cdef double product = two_prod(q, divisor, &product_low)
    # The low part bears the rounding of a reciprocal, which leaves the loop where the divisor is a constant.
    out_low[0] = finite_or_zero((((high - product) - product_low) + low) * (1 / divisor))
    return q


cdef inline double square(double high, double low, double* out_low) noexcept nogil:
    """(high + low)^2 as a double-double."""
    cdef double product_low
    cdef double product = two_prod(high, high, &product_low)
    out_low[0] = finite_or_zero(product_low + 2 * high * low)
    return product


cdef inline double divided(double n, double n_low, double d, double d_low) noexcept nogil:
    """(n + n_low) / (d + d_low), rounded about once."""
    cdef double q = n / d
    return q + (n_low - q * d_low) / d


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


cdef inline double scaled_square(double size, double low, double c, double k, double* out_low) noexcept nogil:
    """((size + low) / c)^2 / k as a double-double; of 2^-700 size where the square may overflow (`is_near`)."""
    cdef double shrink = 1 if is_near(size, c) else 1.90109156629516e-211
    cdef double s_low, w_low
    cdef double s = quotient(size * shrink, low * shrink, c, &s_low)
    cdef double w = square(s, s_low, &w_low)
    return quotient(w, w_low, k, out_low)


cdef inline bint is_near(double size, double c) noexcept nogil:
    return size < 1e140 * c


cdef inline double log1p_scaled(double w, bint near) noexcept nogil:
    """log(1 + scaled_square); the constant is 1400 log(2)."""
    cdef double rest
    cdef double v = two_sum(1, w, &rest)
    cdef double logarithm = log(v if near else w)
    rest = rest / v
    return logarithm + (rest if near else 970.4060527839234)


cdef inline double exp_tail(double z) noexcept nogil:
    """(e^z - 1 - z) / z for |z| <= 1: the Taylor series, nested, to z^18."""
    cdef double p = 1 + z * (1 / 19.)
    p = 1 + z * (1 / 18.) * p
    p = 1 + z * (1 / 17.) * p
    p = 1 + z * (1 / 16.) * p
    p = 1 + z * (1 / 15.) * p
    p = 1 + z * (1 / 14.) * p
    p = 1 + z * (1 / 13.) * p
    p = 1 + z * (1 / 12.) * p
    p = 1 + z * (1 / 11.) * p
    p = 1 + z * (1 / 10.) * p
    p = 1 + z * (1 / 9.) * p
    p = 1 + z * (1 / 8.) * p
    p = 1 + z * (1 / 7.) * p
    p = 1 + z * (1 / 6.) * p
    p = 1 + z * (1 / 5.) * p
    p = 1 + z * 0.25 * p
    p = 1 + z * (1 / 3.) * p
    return 0.5 * z * p


cdef inline double log_tail(double s) noexcept nogil:
    """(s - log1p(s)) / s^2 for 0 <= s <= 1/64: the Taylor series to s^10."""
    cdef double p = (1 / 11.) - s * (1 / 12.)
    p = (1 / 10.) - s * p
    p = (1 / 9.) - s * p
    p = 0.125 - s * p
    p = (1 / 7.) - s * p
    p = (1 / 6.) - s * p
    p = 0.2 - s * p
    p = 0.25 - s * p
    p = (1 / 3.) - s * p
    return 0.5 - s * p


# Parts of float32 results, to 2^-27 -------------------------------------------------------------------

cdef inline double log_parts(double w, double* tail) noexcept nogil:
    """log(1 + w) = k log(2) + f + f^2 P(f), 2^k (1 + f) = 1 + w, and w less it, which does not cancel; w >= 0.

    That the minimum is of integers keeps the compiler from a second path for it; infinity and NaN are added.
    """
    cdef uint64_t b = bits_of(w), most = 0x7e37e43c8800759c             # 1e300
    cdef double v = from_bits(b if b < most else most)
    cdef double u = 1 + v
    b = bits_of(u) + <uint64_t> 0x00095f619980c433
    cdef uint64_t k = b >> 52
    cdef double m = from_bits((b & <uint64_t> 0x000fffffffffffff) + <uint64_t> 0x3fe6a09e667f3bcd)
    cdef double line = (from_bits(k | <uint64_t> 0x4330000000000000) - 4503599627371519.0) * 0.6931471805599453
    cdef double f = mul_add(v - (u - 1), from_bits((2046 - k) << 52), m - 1)
    cdef double p = 0.0676902411381600151
    p = mul_add(p, f, -0.115572878820158211)
    p = mul_add(p, f, 0.118121361423296504)
    p = mul_add(p, f, -0.124208144679089055)
    p = mul_add(p, f, 0.142323178595522209)
    p = mul_add(p, f, -0.16667536772428633)
    p = mul_add(p, f, 0.200014467222002315)
    p = mul_add(p, f, -0.250000109401006757)
    p = mul_add(p, f, 0.333333227936071026)
    p = mul_add(p, f, -0.499999999434963687)
    p = f * f * p
    tail[0] = (w - f) - line - p
    return mul_add(w, 1e-300, f + line + p)


cdef inline double log1p_positive(floating like, double w) noexcept nogil:
    """log(1 + w) for w >= 0."""
    cdef double tail
    return log_parts(w, &tail) if floating is float else log1p(w)


cdef inline double exp_parts(double z, double* less_one, double* tail) noexcept nogil:
    """e^z, e^z - 1 and e^z - 1 - z, which do not cancel, for z <= 700; all but infinite there."""
    cdef double low = -700 if z < -700 else z
    cdef double t = mul_add(low, 1.4426950408889634, 6755399441056767.0)
    cdef double r = mul_add(t - 6755399441056767.0, -0.6931471805599453, low)
    cdef double scale = from_bits(bits_of(t) << 52)
    cdef double p = 0.000198909808697503256
    p = mul_add(p, r, 0.00139336410319867012)
    p = mul_add(p, r, 0.00833331093444886847)
    p = mul_add(p, r, 0.0416664650060400488)
    p = mul_add(p, r, 0.166666666816142557)
    p = mul_add(p, r, 0.500000001345772715)
    p = scale * (r * r) * p
    less_one[0] = mul_add(scale, r, scale - 1) + p
    tail[0] = p + (mul_add(scale, r, scale - 1) - z)
    return scale + (scale * r + p)


cdef inline double log_cosh_near(double v) noexcept nogil:
    """log(cosh(r)) / r^2 for v = r^2 <= 1."""
    cdef double p = -0.0000256173030983130486
    p = mul_add(p, v, 0.000176198626717958642)
    p = mul_add(p, v, -0.000679409912203392327)
    p = mul_add(p, v, 0.0021612918980746728)
    p = mul_add(p, v, -0.00673979948172422117)
    p = mul_add(p, v, 0.0222214644893570719)
    p = mul_add(p, v, -0.0833332977609200636)
    return mul_add(p, v, 0.499999999722870006)


cdef inline double log1p_small(double e) noexcept nogil:
    """log(1 + e) for 0 <= e <= e^-2."""
    cdef double p = -0.11953338093275451
    p = mul_add(p, e, 0.193315483918272626)
    p = mul_add(p, e, -0.249546332059638728)
    p = mul_add(p, e, 0.333319192211780492)
    p = mul_add(p, e, -0.499999837337193918)
    return mul_add(p, e, 0.999999999694749114) * e


# Arithmetic --------------------------------------------------------------------------------------

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


cdef inline floating huber(floating y, floating x, double a, double b, double c, double d,
                           floating* grad, floating* hess) noexcept nogil:
    """r^2 / 2 up to delta, delta (|r| - delta / 2) beyond; with m = min(|r|, delta) both are m (|r| - m / 2)."""
    cdef double delta = a
    cdef double r = <double> x - y
    cdef double size = absolute(r)
    cdef double m = delta if size > delta else size
    grad[0] = <floating> (delta if r > delta else (-delta if r < -delta else r))
    hess[0] = 0 if size > delta else 1
    return <floating> (m * (size - 0.5 * m))


cdef inline floating smooth_l1(floating y, floating x, double beta, double b, double c, double d,
                               floating* grad, floating* hess) noexcept nogil:
    """Huber's loss over beta; the slope |r| / beta is divided out first, so that no product overflows."""
    cdef double size = absolute(<double> x - y)
    cdef double m = beta if size >= beta else size
    cdef double curvature = 1 / beta
    cdef double slope
    if floating is float:
        slope = size * curvature
    else:
        slope = size / beta
    slope = 1 if size >= beta else slope
    grad[0] = <floating> directed(slope, y, x)
    hess[0] = <floating> (0 if size >= beta else curvature)
    return <floating> (slope * (size - 0.5 * m))


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


# Mathematics -------------------------------------------------------------------------------------

cdef inline floating log_cosh(floating y, floating x, double a, double b, double c, double d,
                              floating* grad, floating* hess) noexcept nogil:
    """log1p(cosh(r) - 1) near 0, |r| + log1p(exp(-2 |r|)) - log(2) far from it."""
    cdef double low
    cdef double size = exact_magnitude(y, y, x, &low)
    cdef bint near = size < 1
    cdef double e, share, f, w, logarithm, line
    if floating is float:
        e = exp_parts(-2 * size, &f, &w)
        share = 1 / (1 + e)
        grad[0] = <float> directed(-f * share, <double> y, <double> x)
        hess[0] = <float> (4 * e * share * share)
        logarithm = log_cosh_near(size * size) * (size * size)
        line = size + (log1p_small(e) - 0.6931471805599453)
    else:
        e = exp_sum(-2 * size, -2 * low)
        f = expm1_sum(-size, -low)
        w = 0.5 * f * f / (1 + f)
        grad[0] = tanh(x - y)
        hess[0] = 4 * e / ((1 + e) * (1 + e))
        logarithm = log1p(w if near else e)                             # one logarithm serves both
        line = size + ((logarithm - 0.6931471805599453) + low)
    return <floating> (logarithm if near else line)


cdef inline floating pseudo_huber(floating y, floating x, double delta, double b, double c, double d,
                                  floating* grad, floating* hess) noexcept nogil:
    """With root = sqrt(1 + q^2): r^2 / (1 + root) up to delta, delta |r| / (q + root) beyond."""
    cdef double low, q_low, v_low, rest, size, q, v, one, root, m, h, r
    cdef bint near
    if floating is float:
        r = bounded(<double> x - y)
        q = r * (1 / delta)
        root = sqrt(1 + q * q)
        h = 1 / root
        grad[0] = <float> (r * h)
        hess[0] = <float> (h * h * h)
        return <float> (r * r / (1 + root))
    else:
        size = exact_magnitude(y, y, x, &low)
        q = ratio(size, low, delta, &q_low)
        v = square(q, q_low, &v_low)
        one = two_sum(1, v, &rest)
        root = sqrt(one)
        near = size <= delta
        m = delta if size > delta else size
        h = divided(1 if near else v, 0 if near else v_low, one, rest + v_low)
        grad[0] = directed(m / root, y, x)
        hess[0] = h * sqrt(h)
        return size / ((1 if near else q) + root) * m


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


cdef inline floating fair(floating y, floating x, double c, double b, double a, double d,
                          floating* grad, floating* hess) noexcept nogil:
    """c^2 (s - log1p(s)), s = |r| / c: a series near 0, a double-double logarithm, and c |r| from 1e20 on."""
    cdef double low, s_low, one_low, log_low, sum_low, size, s, one, logarithm, tail, m, q, total, h, series, line
    cdef double curve
    if floating is float:
        size = absolute(<double> x - y)
        s = size * (1 / c)
        h = 1 / (1 + s)
        grad[0] = <float> (bounded(<double> x - y) * (1 / (1 + bounded(s))))
        hess[0] = <float> (h * h)
        log_parts(s, &tail)
        return <float> (c * c * tail)
    else:
        size = exact_magnitude(y, y, x, &low)
        s = quotient(size, low, c, &s_low)
        one = two_sum(1, s, &one_low)
        logarithm = log_dd(one, one_low + s_low, &log_low)
        tail = (s - logarithm) + (s_low - log_low)
        m = c if size > c else size
        q = m / (size if size > c else c)
        total = two_sum(size, c, &sum_low)
        h = divided(c, 0, total, finite_or_zero(sum_low) + low)
        series = size * log_tail(s) * size
        line = c * size
        curve = c * tail * c
        grad[0] = directed(m / (1 + q), y, x)
        hess[0] = h * h
        return series if s < 0.015625 else (line if s > 1e20 else curve)


cdef inline floating cauchy(floating y, floating x, double c, double b, double a, double d,
                            floating* grad, floating* hess) noexcept nogil:
    """c^2 / 2 log1p(w), w = (r / c)^2; r^2 / 2 where w is below one rounding."""
    cdef double low, q_low, v_low, w_low, r, size, w, q, v, m, h, far
    cdef bint near
    if floating is float:
        r = <double> x - y
        w = r * (1 / c) * (r * (1 / c))
        h = 1 / (1 + w)
        grad[0] = <float> (bounded(r) * h)
        hess[0] = <float> ((2 * h - 1) * h)
        return <float> (0.5 * c * c * log1p_positive(y, w))
    else:
        size = exact_magnitude(y, y, x, &low)
        w = scaled_square(size, low, c, 1, &w_low)
        q = ratio(size, low, c, &q_low)
        v = square(q, q_low, &v_low)
        near = size <= c
        m = c if size > c else size
        grad[0] = directed(m * (1 if near else q) / (1 + v), y, x)
        hess[0] = ((1 - v) - v_low) / (1 + v) * (1 if near else -v) / (1 + v)
        far = 0.5 * c * log1p_scaled(w, is_near(size, c)) * c
        w = 0.5 * size * size
        return w if size < 7e-9 * c else far


cdef inline floating tukey(floating y, floating x, double c, double b, double a, double d,
                           floating* grad, floating* hess) noexcept nogil:
    """r^2 / 2 (1 - w + w^2 / 3), w = (r / c)^2 at most 1."""
    cdef double low, s_low, w_low, r, size, gap, m, s, w, rest
    if floating is float:
        r = <double> x - y
        r = c if r > c else (-c if r < -c else r)
        w = r * (1 / c) * (r * (1 / c))
        rest = 0 if absolute(r) >= c else 1 - w
        grad[0] = <float> (r * rest * rest)
        hess[0] = <float> (rest * (1 - 5 * w))
        return <float> (0.5 * r * r * (1 - w + w * w * (1 / 3.)))
    else:
        size = exact_magnitude(y, y, x, &low)
        gap = (c - size) - low
        m = size if gap > 0 else (c if gap <= 0 else gap)
        s = quotient(m, low if gap > 0 else 0, c, &s_low)
        w = square(s, s_low, &w_low)
        rest = (1 - w) - w_low
        rest = 0 if gap <= 0 else rest
        grad[0] = directed(m * rest * rest, y, x)
        hess[0] = rest * (((1 - 4 * w) - w) - 5 * w_low)                # 5 w would round
        return 0.5 * m * (1 - w + w * w * (1 / 3.)) * m


cdef inline floating welsch(floating y, floating x, double c, double b, double a, double d,
                            floating* grad, floating* hess) noexcept nogil:
    """c^2 / 2 (1 - e^-w), w = (r / c)^2. e^-w is the square of e^(-w/2), as r may bring it back into range."""
    cdef double low, s_low, w_low, r, size, m, s, w, f, e, far
    if floating is float:
        r = <double> x - y
        w = r * (1 / c) * (r * (1 / c))
        f = exp_parts(-w, &e, &far)
        grad[0] = <float> (bounded(r) * f)
        w = 700 if w > 700 else w                                       # beyond, e^-w counts for nothing
        hess[0] = <float> ((1 - 2 * w) * f)
        return <float> (-0.5 * c * c * e + 0)                           # + 0: no -0 at a tie
    else:
        size = exact_magnitude(y, y, x, &low)
        m = 64 * c if size > 64 * c else size                           # beyond, e^-w counts for nothing
        s = quotient(m, low, c, &s_low)
        w = square(s, s_low, &w_low)
        f = exp_sum(-0.5 * w, -0.5 * w_low)
        e = expm1_sum(-w, -w_low)
        grad[0] = directed(m * f * f, y, x)
        hess[0] = ((1 - 2 * w) - 2 * w_low) * f * f
        far = -0.5 * c * e * c
        w = 0.5 * size * size
        return w if s < 7e-9 else far


cdef inline floating geman_mcclure(floating y, floating x, double c, double b, double a, double d,
                                   floating* grad, floating* hess) noexcept nogil:
    """m^2 / 2 / (1 + v), m = min(|r|, c), v the square of the ratio of both; derivatives fall as r^-3 and r^-4."""
    cdef double low, q_low, v_low, rest, r, size, q, v, w, h, one, m, near_bend, far_bend, cube, cube_low, two, three
    cdef double far, far_low, fourth, fourth_low, two_low, three_low
    cdef bint near
    if floating is float:
        r = bounded(<double> x - y)
        w = r * (1 / c) * (r * (1 / c))
        h = 1 / (1 + w)
        grad[0] = <float> (r * h * h)
        hess[0] = <float> ((4 * h - 3) * h * h)
        return <float> (0.5 * r * h * r)
    else:
        size = exact_magnitude(y, y, x, &low)
        q = ratio(size, low, c, &q_low)
        v = square(q, q_low, &v_low)
        one = two_sum(1, v, &rest)
        near = size <= c
        m = c if size > c else size
        near_bend = ((1 - 2 * v) - v) - 3 * v_low                       # 3 v would round
        far_bend = v - 3
        # In this order the products are subnormal only where the gradient is.
        far = two_prod(m, q, &far_low)
        cube = two_prod(far, v, &cube_low)
        fourth = square(v, v_low, &fourth_low)
        two = two_prod(one, one, &two_low)
        three = two_prod(two, one, &three_low)
        far_low = far_low + m * q_low
        cube_low = cube_low + far * v_low + far_low * v
        rest = rest + v_low
        two_low = two_low + 2 * rest * one
        three_low = three_low + two_low * one + rest * two
        fourth = far_bend * fourth
        fourth_low = far_bend * fourth_low
        grad[0] = directed(divided(m if near else cube, low if near else cube_low, two, two_low), y, x)
        hess[0] = divided(near_bend if near else fourth, 0 if near else fourth_low, three, three_low)
        return 0.5 * m * (m / one)


cdef inline floating barron(floating y, floating x, double alpha, double c, double k, double d,
                            floating* grad, floating* hess) noexcept nogil:
    """k / alpha (B^(alpha/2) - 1), B = 1 + w, w = (r / c)^2 / k, k = |alpha - 2|; all powers from one logarithm."""
    cdef double low, w_low, base_low, l_low, sum_low, p_low, h_low, power_low
    cdef double r, size, w, base, logarithm, shrunk, rest, p, half_power, h, f, share, e, bend
    cdef bint near
    if floating is float:
        r = bounded(<double> x - y)
        w = r * (1 / c) * (r * (1 / c)) * (1 / k)
        logarithm = log_parts(w, &rest)
        f = exp_for(y, (0.5 * alpha - 1) * logarithm, 0) * (1 / c) * (1 / c)
        grad[0] = <float> (r * f)
        hess[0] = <float> ((1 + (alpha - 1) * w) / (1 + w) * f)
        p = 0.5 * alpha * logarithm
        exp_parts(700 if p > 700 else p, &e, &rest)
        return <float> (k / alpha * e + 0)
    else:
        size = exact_magnitude(y, y, x, &low)
        near = is_near(size, c)
        w = scaled_square(size, low, c, k, &w_low)
        base = two_sum(1, w, &base_low)
        logarithm = log_dd(base if near else w, w_low + (base_low if near else 0), &l_low)
        shrunk = two_sum(logarithm, 0 if near else 970.4060527839234, &sum_low)
        rest = l_low + sum_low + (0 if near else 4.933124383144313e-15)
        p = two_prod(0.5 * alpha, shrunk, &p_low)
        half_power = two_sum(0.25 * alpha, -0.5, &power_low)            # of the root of B^(alpha/2 - 1)
        h = two_prod(half_power, shrunk, &h_low)
        f = exp_sum(h, h_low + half_power * rest + power_low * shrunk)
        share = 0.5 if p >= 700 else 1                                  # k / alpha may bring it back into range
        e = expm1_sum(share * p, share * (p_low + 0.5 * alpha * rest))
        bend = ((1 + (alpha - 1) * w) + (alpha - 1) * w_low) / base
        size = 1.7976931348623157e308 if size > 1.7976931348623157e308 else size
        f = f / c
        grad[0] = directed(size * f * f, y, x)
        hess[0] = (bend if near else alpha - 1) * f * f
        return k / alpha * e * (e if p >= 700 else 1) + 0               # + 0: no -0 at a tie


cdef inline floating barron_quadratic(floating y, floating x, double c, double b, double a, double d,
                                      floating* grad, floating* hess) noexcept nogil:
    """(r / c)^2 / 2, the limit of alpha = 2."""
    cdef double low, s_low, size, s
    hess[0] = <floating> (1 / c / c)
    if floating is float:
        s = (<double> x - y) * (1 / c)
        grad[0] = <float> (s * (1 / c))
        return <float> (0.5 * s * s)
    else:
        size = exact_magnitude(y, y, x, &low)
        s = quotient(size, low, c, &s_low)
        grad[0] = directed(s / c, y, x)
        return 0.5 * s * s + finite_or_zero(s * s_low)


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


cdef inline floating wing(floating y, floating x, double width, double curvature, double height, double d,
                          floating* grad, floating* hess) noexcept nogil:
    """`height` is the value at |r| = width, where the logarithm becomes a line of slope 1."""
    cdef double low, curve, line, tiny
    cdef double size = exact_magnitude(y, y, x, &low)
    cdef bint near = size < width
    cdef double share = 1 / (curvature + size)
    cdef double slope = width * share
    if floating is float:
        curve = width * log1p_positive(y, size * (1 / curvature))
        line = size + (height - width)
    else:
        slope = width / (curvature + size)
        share = 1 / (curvature + size)
        curve = width * log1p(size / curvature)
        tiny = size * (width / curvature)                               # the ratio above may be subnormal
        curve = tiny if size < 1e-18 * curvature else curve
        line = ((size - width) + low) + height
    grad[0] = <floating> directed(slope if near else 1, <double> y, <double> x)
    hess[0] = <floating> (-slope * share if near else 0)
    return <floating> (curve if near else line)


cdef inline floating student_t(floating y, floating x, double c, double k, double factor, double rate,
                               floating* grad, floating* hess) noexcept nogil:
    """factor log1p(w), w = (r / c)^2 / k, rate = 2 factor / k; the limit of alpha = 0 of `barron` as well."""
    cdef double low, w_low, rest, r, size, w, one, tiny, slope, bend, outer, h
    cdef bint near, far
    if floating is float:
        r = <double> x - y
        w = r * (1 / c) * (r * (1 / c)) * (1 / k)
        h = 1 / (1 + w)
        grad[0] = <float> (rate / c / c * bounded(r) * h)
        hess[0] = <float> (rate / c / c * ((2 * h - 1) * h))
        return <float> (factor * log1p_positive(y, w))
    else:
        size = exact_magnitude(y, y, x, &low)
        near = is_near(size, c)
        w = scaled_square(size, low, c, k, &w_low)
        one = two_sum(1, w, &rest)
        far = (w if near else 1e30) >= 1e30                             # 1 + w is w
        tiny = size / c * (0.5 * rate) * (size / c)                     # w may be subnormal, this not
        slope = size / c * (rate / c) / one
        bend = divided(1 - w, -w_low, one, rest + w_low)
        outer = 2 * factor / size
        bend = divided(bend * (rate / c), 0, one, rest + w_low) / c
        grad[0] = directed(outer if far else slope, y, x)
        outer = -outer / size
        hess[0] = outer if far else bend
        outer = factor * log1p_scaled(w, near)
        return tiny if size < 1e-140 * c else outer


cdef void residual(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                   floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if kernel == SQUARED_ERROR:
        specialise(squared_error[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == ABSOLUTE_ERROR:
        specialise(absolute_error[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == MEAN_BIAS:
        specialise(mean_bias[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == HUBER:
        specialise(huber[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SMOOTH_L1:
        specialise(smooth_l1[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == QUANTILE:
        specialise(quantile[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == EXPECTILE:
        specialise(expectile[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == EPSILON_INSENSITIVE:
        specialise(epsilon_insensitive[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SQUARED_EPSILON_INSENSITIVE:
        specialise(squared_epsilon_insensitive[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == LOG_COSH:
        specialise(log_cosh[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == PSEUDO_HUBER:
        specialise(pseudo_huber[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == LINEX:
        specialise(linex[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == FAIR:
        specialise(fair[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == CAUCHY:
        specialise(cauchy[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == TUKEY:
        specialise(tukey[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == WELSCH:
        specialise(welsch[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == GEMAN_MCCLURE:
        specialise(geman_mcclure[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == BARRON:
        specialise(barron[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == BARRON_QUADRATIC:
        specialise(barron_quadratic[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == LP:
        specialise(lp[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == WING:
        specialise(wing[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == STUDENT_T:
        specialise(student_t[floating], y, x, p, value, grad, hess, n, operation)
