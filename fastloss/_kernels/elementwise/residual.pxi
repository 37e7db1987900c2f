# Regression losses of the residual r = x - y.
#
# Generic formulas compute in float64 whatever the type: rounding r to float32 would cost up to three units in
# r^2, and the conversions hide behind the memory. Where a scale c divides r, everything is written in ratios of
# the smaller of |r| and c to the larger, which can neither overflow nor lose what is small.

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
    LOG_COSH = 0x080
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


# Parts --------------------------------------------------------------------------------------------

cdef inline double finite_or_zero(double low) noexcept nogil:
    """The low part of a double-double, which is NaN or infinite where the high part overflows."""
    return low if low - low == 0 else 0


cdef inline double magnitude(double y, double x) noexcept nogil:
    """|x - y|, never -0."""
    cdef double r = x - y
    return 0 - r if r <= 0 else r


cdef inline double exact_magnitude(double y, double x, double* low) noexcept nogil:
    """|x - y| as a double-double."""
    cdef double lo
    cdef double r = two_sum(x, -y, &lo)
    lo = finite_or_zero(lo)
    low[0] = -lo if r <= 0 else lo
    return 0 - r if r <= 0 else r


cdef inline double directed(double size, double y, double x) noexcept nogil:
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


# Arithmetic, in both types ------------------------------------------------------------------------

cdef inline floating squared_error(floating y, floating x, floating factor, floating b, floating c, floating d,
                                   floating* grad, floating* hess) noexcept nogil:
    """factor r^2, factor 1 or 1/2."""
    cdef double r = <double> x - y
    grad[0] = <floating> (2 * factor * r)
    hess[0] = 2 * factor
    return <floating> (factor * r * r)


cdef inline floating absolute_error(floating y, floating x, floating a, floating b, floating c, floating d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - y
    grad[0] = 1 if r > 0 else (-1 if r < 0 else r)      # 0 at 0, NaN at NaN
    hess[0] = 0 if r == r else r
    return 0 - r if r <= 0 else r                       # 0 - r: -r would make -0 of 0


cdef inline floating mean_bias(floating y, floating x, floating a, floating b, floating c, floating d,
                               floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - y
    grad[0] = 1 if r == r else r
    hess[0] = 0 if r == r else r
    return r


cdef inline floating huber(floating y, floating x, floating delta, floating b, floating c, floating d,
                           floating* grad, floating* hess) noexcept nogil:
    """r^2 / 2 up to delta, delta (|r| - delta / 2) beyond; with m = min(|r|, delta) both are m (|r| - m / 2)."""
    cdef double r = <double> x - y
    cdef double size = magnitude(y, x)
    cdef double m = delta if size > delta else size
    grad[0] = <floating> (delta if r > delta else (-delta if r < -delta else r))
    hess[0] = 0 if size > delta else 1
    return <floating> (m * (size - 0.5 * m))


cdef inline floating smooth_l1(floating y, floating x, floating beta, floating b, floating c, floating d,
                               floating* grad, floating* hess) noexcept nogil:
    """Huber's loss over beta; the slope |r| / beta is divided out first, so that no product overflows."""
    cdef double size = magnitude(y, x)
    cdef double m = beta if size >= beta else size
    cdef double slope = size / beta
    cdef double curvature = 1 / <double> beta
    slope = 1 if size >= beta else slope
    grad[0] = <floating> directed(slope, y, x)
    hess[0] = <floating> (0 if size >= beta else curvature)
    return <floating> (slope * (size - 0.5 * m))


cdef inline floating quantile(floating y, floating x, floating under, floating over, floating c, floating d,
                              floating* grad, floating* hess) noexcept nogil:
    """`under` is the quantile, the cost of a prediction that is too low; `over` is the rest to 1."""
    cdef double r = <double> x - y
    cdef double slope = over if r > 0 else (-under if r <= 0 else r)
    grad[0] = <floating> slope
    hess[0] = <floating> (0 if r == r else r)
    return <floating> (slope * r + 0)                   # + 0: no -0 at a tie


cdef inline floating expectile(floating y, floating x, floating under, floating over, floating c, floating d,
                               floating* grad, floating* hess) noexcept nogil:
    cdef double r = <double> x - y
    cdef double factor = under if r < 0 else over
    grad[0] = <floating> (2 * factor * r)
    hess[0] = <floating> (2 * factor)
    return <floating> (factor * r * r)


cdef inline double excess(double y, double x, double epsilon) noexcept nogil:
    """|r| - epsilon where that is positive, else 0: exact near epsilon, as the low part of r is counted."""
    cdef double low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double t = (size - epsilon) + low
    return 0 if t <= 0 else t


cdef inline floating epsilon_insensitive(floating y, floating x, floating epsilon, floating b, floating c, floating d,
                                         floating* grad, floating* hess) noexcept nogil:
    cdef double t = excess(y, x, epsilon)
    grad[0] = <floating> directed(0 if t <= 0 else 1, y, x)
    hess[0] = <floating> (0 if t == t else t)
    return <floating> t


cdef inline floating squared_epsilon_insensitive(floating y, floating x, floating epsilon, floating b, floating c,
                                                 floating d, floating* grad, floating* hess) noexcept nogil:
    cdef double t = excess(y, x, epsilon)
    grad[0] = <floating> directed(2 * t, y, x)
    hess[0] = 0 if magnitude(y, x) < epsilon else 2
    return <floating> (t * t)


# Float64 only -------------------------------------------------------------------------------------

cdef inline double log_cosh(double y, double x, double a, double b, double c, double d,
                            double* grad, double* hess) noexcept nogil:
    """log1p(cosh(r) - 1) near 0, |r| + log1p(exp(-2 |r|)) - log(2) far from it; one logarithm serves both."""
    cdef double low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double e = exp_sum(-2 * size, -2 * low)
    cdef double f = expm1_sum(-size, -low)
    cdef double w = 0.5 * f * f / (1 + f)
    cdef bint near = size < 1
    cdef double logarithm = log1p(w if near else e)
    cdef double line = size + ((logarithm - 0.6931471805599453) + low)
    grad[0] = tanh(x - y)
    hess[0] = 4 * e / ((1 + e) * (1 + e))
    return logarithm if near else line


cdef inline double pseudo_huber(double y, double x, double delta, double b, double c, double d,
                                double* grad, double* hess) noexcept nogil:
    """With root = sqrt(1 + q^2): r^2 / (1 + root) up to delta, delta |r| / (q + root) beyond."""
    cdef double low, q_low, v_low, rest
    cdef double size = exact_magnitude(y, x, &low)
    cdef double q = ratio(size, low, delta, &q_low)
    cdef double v = square(q, q_low, &v_low)
    cdef double one = two_sum(1, v, &rest)
    cdef double root = sqrt(one)
    cdef bint near = size <= delta
    cdef double m = delta if size > delta else size
    cdef double h = divided(1 if near else v, 0 if near else v_low, one, rest + v_low)
    grad[0] = directed(m / root, y, x)
    hess[0] = h * sqrt(h)
    return size / ((1 if near else q) + root) * m


cdef inline double linex(double y, double x, double a, double b, double c, double d,
                         double* grad, double* hess) noexcept nogil:
    """b (e^z - 1 - z), z = a r. Beyond |z| = 700, e^z is the square of e^(z/2): b may bring it back into range."""
    cdef double low, z_low
    cdef double r = two_sum(x, -y, &low)
    cdef double z = two_prod(a, r, &z_low)
    cdef double size = 0 - z if z <= 0 else z
    cdef double share = 0.5 if size >= 700 else 1
    cdef double rest = finite_or_zero(z_low) + a * finite_or_zero(low)
    cdef double e = expm1_sum(share * z, share * rest)
    cdef double f = exp_sum(share * z, share * rest)
    cdef double far = b * e * e
    cdef double near = b * z * exp_tail(z) + b * e * rest
    cdef double middle = b * ((e - z) - rest)
    grad[0] = a * b * e * (e if z >= 700 else 1)
    hess[0] = (a * b * f) * a * (f if size >= 700 else 1)
    return far if z >= 700 else (near if size < 1 else middle)


cdef inline double fair(double y, double x, double c, double b, double a, double d,
                        double* grad, double* hess) noexcept nogil:
    """c^2 (s - log1p(s)), s = |r| / c: a series near 0, a double-double logarithm, and c |r| from 1e20 on."""
    cdef double low, s_low, one_low, log_low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double s = quotient(size, low, c, &s_low)
    cdef double one = two_sum(1, s, &one_low)
    cdef double logarithm = log_dd(one, one_low + s_low, &log_low)
    cdef double tail = (s - logarithm) + (s_low - log_low)
    cdef double m = c if size > c else size
    cdef double q = m / (size if size > c else c)
    cdef double sum_low
    cdef double total = two_sum(size, c, &sum_low)
    cdef double h = divided(c, 0, total, finite_or_zero(sum_low) + low)
    cdef double series = size * log_tail(s) * size
    cdef double line = c * size
    cdef double curve = c * tail * c
    grad[0] = directed(m / (1 + q), y, x)
    hess[0] = h * h
    return series if s < 0.015625 else (line if s > 1e20 else curve)


cdef inline double cauchy(double y, double x, double c, double b, double a, double d,
                          double* grad, double* hess) noexcept nogil:
    """c^2 / 2 log1p(w), w = (r / c)^2; r^2 / 2 where w is below one rounding."""
    cdef double low, q_low, v_low, w_low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double w = scaled_square(size, low, c, 1, &w_low)
    cdef double q = ratio(size, low, c, &q_low)
    cdef double v = square(q, q_low, &v_low)
    cdef bint near = size <= c
    cdef double m = c if size > c else size
    grad[0] = directed(m * (1 if near else q) / (1 + v), y, x)
    hess[0] = ((1 - v) - v_low) / (1 + v) * (1 if near else -v) / (1 + v)
    cdef double far = 0.5 * c * log1p_scaled(w, is_near(size, c)) * c
    w = 0.5 * size * size
    return w if size < 7e-9 * c else far


cdef inline double tukey(double y, double x, double c, double b, double a, double d,
                         double* grad, double* hess) noexcept nogil:
    """r^2 / 2 (1 - w + w^2 / 3), w = (r / c)^2 at most 1."""
    cdef double low, s_low, w_low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double gap = (c - size) - low
    cdef double m = size if gap > 0 else (c if gap <= 0 else gap)
    cdef double s = quotient(m, low if gap > 0 else 0, c, &s_low)
    cdef double w = square(s, s_low, &w_low)
    cdef double rest = (1 - w) - w_low
    rest = 0 if gap <= 0 else rest
    grad[0] = directed(m * rest * rest, y, x)
    hess[0] = rest * (((1 - 4 * w) - w) - 5 * w_low)                    # 5 w would round
    return 0.5 * m * (1 - w + w * w * (1 / 3.)) * m


cdef inline double welsch(double y, double x, double c, double b, double a, double d,
                          double* grad, double* hess) noexcept nogil:
    """c^2 / 2 (1 - e^-w), w = (r / c)^2. e^-w is the square of e^(-w/2), as r may bring it back into range."""
    cdef double low, s_low, w_low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double m = 64 * c if size > 64 * c else size                   # beyond, e^-w counts for nothing
    cdef double s = quotient(m, low, c, &s_low)
    cdef double w = square(s, s_low, &w_low)
    cdef double f = exp_sum(-0.5 * w, -0.5 * w_low)
    cdef double e = expm1_sum(-w, -w_low)
    grad[0] = directed(m * f * f, y, x)
    hess[0] = ((1 - 2 * w) - 2 * w_low) * f * f
    cdef double far = -0.5 * c * e * c
    w = 0.5 * size * size
    return w if s < 7e-9 else far


cdef inline double geman_mcclure(double y, double x, double c, double b, double a, double d,
                                 double* grad, double* hess) noexcept nogil:
    """m^2 / 2 / (1 + v), m = min(|r|, c), v the square of the ratio of both; derivatives fall as r^-3 and r^-4."""
    cdef double low, q_low, v_low, rest
    cdef double size = exact_magnitude(y, x, &low)
    cdef double q = ratio(size, low, c, &q_low)
    cdef double v = square(q, q_low, &v_low)
    cdef double one = two_sum(1, v, &rest)
    cdef bint near = size <= c
    cdef double m = c if size > c else size
    cdef double near_bend = ((1 - 2 * v) - v) - 3 * v_low               # 3 v would round
    cdef double far_bend = v - 3
    cdef double cube_q_low, fourth_low, two_low, three_low
    cdef double cube_q = two_prod(q, v, &cube_q_low)
    cdef double fourth = square(v, v_low, &fourth_low)
    cdef double two = two_prod(one, one, &two_low)
    cdef double three = two_prod(two, one, &three_low)
    cube_q_low = cube_q_low + q * v_low + q_low * v
    rest = rest + v_low
    two_low = two_low + 2 * rest * one
    three_low = three_low + two_low * one + rest * two
    cube_q = m * cube_q
    cube_q_low = m * cube_q_low
    fourth = far_bend * fourth
    fourth_low = far_bend * fourth_low
    grad[0] = directed(divided(m if near else cube_q, low if near else cube_q_low, two, two_low), y, x)
    hess[0] = divided(near_bend if near else fourth, 0 if near else fourth_low, three, three_low)
    return 0.5 * m * (m / one)


cdef inline double barron(double y, double x, double alpha, double c, double k, double d,
                          double* grad, double* hess) noexcept nogil:
    """k / alpha (B^(alpha/2) - 1), B = 1 + w, w = (r / c)^2 / k, k = |alpha - 2|; all powers from one logarithm."""
    cdef double low, w_low, base_low, l_low, sum_low, p_low, h_low
    cdef double size = exact_magnitude(y, x, &low)
    cdef bint near = is_near(size, c)
    cdef double w = scaled_square(size, low, c, k, &w_low)
    cdef double base = two_sum(1, w, &base_low)
    cdef double logarithm = log_dd(base if near else w, w_low + (base_low if near else 0), &l_low)
    cdef double shrunk = two_sum(logarithm, 0 if near else 970.4060527839234, &sum_low)
    cdef double rest = l_low + sum_low + (0 if near else 4.933124383144313e-15)
    cdef double p = two_prod(0.5 * alpha, shrunk, &p_low)
    cdef double power_low
    cdef double half_power = two_sum(0.25 * alpha, -0.5, &power_low)    # of the root of B^(alpha/2 - 1)
    cdef double h = two_prod(half_power, shrunk, &h_low)
    cdef double f = exp_sum(h, h_low + half_power * rest + power_low * shrunk)
    cdef double share = 0.5 if p >= 700 else 1                          # k / alpha may bring it back into range
    cdef double e = expm1_sum(share * p, share * (p_low + 0.5 * alpha * rest))
    cdef double bend = ((1 + (alpha - 1) * w) + (alpha - 1) * w_low) / base
    size = 1.7976931348623157e308 if size > 1.7976931348623157e308 else size
    f = f / c
    grad[0] = directed(size * f * f, y, x)
    hess[0] = (bend if near else alpha - 1) * f * f
    return k / alpha * e * (e if p >= 700 else 1) + 0                   # + 0: no -0 at a tie


cdef inline double barron_quadratic(double y, double x, double c, double b, double a, double d,
                                    double* grad, double* hess) noexcept nogil:
    """(r / c)^2 / 2, the limit of alpha = 2."""
    cdef double low, s_low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double s = quotient(size, low, c, &s_low)
    grad[0] = directed(s / c, y, x)
    hess[0] = 1 / c / c
    return 0.5 * s * s + finite_or_zero(s * s_low)


cdef inline double lp(double y, double x, double p, double b, double c, double d,
                      double* grad, double* hess) noexcept nogil:
    """|r|^p; derivatives from the root of their power, which is normal where p times the power still is."""
    cdef double low
    cdef double size = exact_magnitude(y, x, &low)
    cdef double f = power(size, low, 0.5 * p - 0.5)
    cdef double g = power(size, low, 0.5 * p - 1)
    grad[0] = directed(p * f * f, y, x)
    hess[0] = p * (p - 1) * g * g
    return power(size, low, p)


cdef inline double wing(double y, double x, double width, double curvature, double height, double d,
                        double* grad, double* hess) noexcept nogil:
    """`height` is the value at |r| = width, where the logarithm becomes a line of slope 1."""
    cdef double low
    cdef double size = exact_magnitude(y, x, &low)
    cdef bint near = size < width
    cdef double slope = width / (curvature + size)
    cdef double bend = -slope / (curvature + size)
    cdef double curve = width * log1p(size / curvature)
    cdef double line = ((size - width) + low) + height
    grad[0] = directed(slope if near else 1, y, x)
    hess[0] = bend if near else 0
    return curve if near else line


cdef inline double student_t(double y, double x, double c, double k, double factor, double rate,
                             double* grad, double* hess) noexcept nogil:
    """factor log1p(w), w = (r / c)^2 / k, rate = 2 factor / k; the limit of alpha = 0 of `barron` as well."""
    cdef double low, w_low, rest
    cdef double size = exact_magnitude(y, x, &low)
    cdef bint near = is_near(size, c)
    cdef double w = scaled_square(size, low, c, k, &w_low)
    cdef double one = two_sum(1, w, &rest)
    cdef bint far = (w if near else 1e30) >= 1e30                       # 1 + w is w
    cdef double tiny = size / c * (0.5 * rate) * (size / c)             # w may be subnormal, this not
    cdef double slope = size / c * (rate / c) / one
    cdef double bend = divided(1 - w, -w_low, one, rest + w_low)
    cdef double outer = 2 * factor / size
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
    elif floating is double:
        if kernel == LOG_COSH:
            specialise(log_cosh, y, x, p, value, grad, hess, n, operation)
        elif kernel == PSEUDO_HUBER:
            specialise(pseudo_huber, y, x, p, value, grad, hess, n, operation)
        elif kernel == LINEX:
            specialise(linex, y, x, p, value, grad, hess, n, operation)
        elif kernel == FAIR:
            specialise(fair, y, x, p, value, grad, hess, n, operation)
        elif kernel == CAUCHY:
            specialise(cauchy, y, x, p, value, grad, hess, n, operation)
        elif kernel == TUKEY:
            specialise(tukey, y, x, p, value, grad, hess, n, operation)
        elif kernel == WELSCH:
            specialise(welsch, y, x, p, value, grad, hess, n, operation)
        elif kernel == GEMAN_MCCLURE:
            specialise(geman_mcclure, y, x, p, value, grad, hess, n, operation)
        elif kernel == BARRON:
            specialise(barron, y, x, p, value, grad, hess, n, operation)
        elif kernel == BARRON_QUADRATIC:
            specialise(barron_quadratic, y, x, p, value, grad, hess, n, operation)
        elif kernel == LP:
            specialise(lp, y, x, p, value, grad, hess, n, operation)
        elif kernel == WING:
            specialise(wing, y, x, p, value, grad, hess, n, operation)
        elif kernel == STUDENT_T:
            specialise(student_t, y, x, p, value, grad, hess, n, operation)
