"""What formulas of several families are made of: magnitudes, differences and ratios that lose nothing."""

from cython cimport floating
from libc.math cimport INFINITY, fabs

from fastloss._kernels.vecmath cimport exp_hilo, finite_or_zero, fl_exp_to_f32, log, quotient, square, sum_for, two_sum


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

cdef inline double difference(floating x, floating y, double* unit) noexcept nogil:
    """x - y in units of 1, or of 2 where it overflows."""
    cdef double r = <double> x - <double> y
    cdef bint over
    if floating is float:
        unit[0] = 1.0
        return r
    else:
        over = (r == INFINITY) | (r == -INFINITY)
        unit[0] = 2.0 if over else 1.0
        return 0.5 * x - 0.5 * y if over else r

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

cdef inline double exp_split(floating like, double hi, double lo, double* factor) noexcept nogil:
    """exp(hi + lo) / factor with a power of two that keeps it in range from e^-1437 to e^1402.

    A product (v * exp_split(...)) * factor of v > 0 then over- or underflows only if its result does. The range
    of float64 is wide enough for a product with a float32 as it is.
    """
    cdef double k
    if floating is float:
        factor[0] = 1.0
        return fl_exp_to_f32(hi)
    else:
        k = 1.0 if hi > 700 else (-1.0 if hi < -700 else 0.0)
        factor[0] = 1.0715086071862673e301 if k > 0 else (9.332636185032189e-302 if k < 0 else 1.0)     # 2^1000
        return exp_hilo(hi - k * 693.1471805599454, lo + k * 4.5199270178446646e-14)

cdef inline floating sign(floating y) noexcept nogil:
    return -1 if y == 0 else y
