# Robust losses of the residual r = x - y: about linear far from zero. Arithmetic as in residual.pxi.

from libc.math cimport sqrt
from fastloss._kernels.arithmetic cimport absolute, bounded, directed, exact_magnitude, ratio
from fastloss._kernels.vecmath cimport (
    divided, exp_parts, exp_hilo, expm1_hilo, finite_or_zero, fl_sqrt_to_f32, log1p, log1p_positive, log1p_small,
    log_cosh_near, log_dd, log_parts, log_tail, quotient, square, tanh, two_sum
)


cdef inline floating huber(floating y, floating x, double delta, double b, double c, double d,
                           floating* grad, floating* hess) noexcept nogil:
    """r^2 / 2 up to delta, delta (|r| - delta / 2) beyond; with m = min(|r|, delta) both are m (|r| - m / 2)."""
    cdef double r = <double> x - y
    cdef double size = absolute(r)
    cdef double m = delta if size > delta else size
    grad[0] = <floating> (delta if r > delta else (-delta if r < -delta else r))
    hess[0] = 0 if size > delta else 1
    return <floating> (m * (size - 0.5 * m))


cdef void huber_kernel(const Block* block) noexcept nogil:
    run(huber[float], huber[double], block)

declare("huber", huber_kernel, ("delta",))


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


cdef void smooth_l1_kernel(const Block* block) noexcept nogil:
    run(smooth_l1[float], smooth_l1[double], block)

declare("smooth_l1", smooth_l1_kernel, ("beta",))


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
        e = exp_hilo(-2 * size, -2 * low)
        f = expm1_hilo(-size, -low)
        w = 0.5 * f * f / (1 + f)
        grad[0] = tanh(x - y)
        hess[0] = 4 * e / ((1 + e) * (1 + e))
        logarithm = log1p(w if near else e)                             # one logarithm serves both
        line = size + ((logarithm - 0.6931471805599453) + low)
    return <floating> (logarithm if near else line)


cdef void log_cosh_kernel(const Block* block) noexcept nogil:
    run(log_cosh[float], log_cosh[double], block)

declare("log_cosh", log_cosh_kernel)


cdef inline floating pseudo_huber(floating y, floating x, double delta, double b, double c, double d,
                                  floating* grad, floating* hess) noexcept nogil:
    """With root = sqrt(1 + q^2): r^2 / (1 + root) up to delta, delta |r| / (q + root) beyond."""
    cdef double low, q_low, v_low, rest, size, q, v, one, root, m, h, r
    cdef bint near
    if floating is float:
        r = bounded(<double> x - y)
        q = r * (1 / delta)
        v = 1 + q * q
        root = fl_sqrt_to_f32(1e300 if v > 1e300 else v)
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


cdef void pseudo_huber_kernel(const Block* block) noexcept nogil:
    run(pseudo_huber[float], pseudo_huber[double], block)

declare("pseudo_huber", pseudo_huber_kernel, ("delta",))


cdef inline floating fair(floating y, floating x, double c, double b, double a, double d,
                          floating* grad, floating* hess) noexcept nogil:
    """c^2 (s - log1p(s)), s = |r| / c: a series near 0, a double-double logarithm, and c |r| from 1e20 on."""
    cdef double low, s_low, one_low, log_low, sum_low, r, size, s, one, logarithm, tail, m, q, total, h, series, line
    cdef double curve
    if floating is float:
        size = absolute(<double> x - y)
        s = size * (1 / c)
        h = 1 / (1 + s)
        r = bounded(<double> x - y)
        grad[0] = <float> (r * (1 / (1 + absolute(r) * (1 / c))))
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


cdef void fair_kernel(const Block* block) noexcept nogil:
    run(fair[float], fair[double], block)

declare("fair", fair_kernel, ("c",))


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


cdef void wing_kernel(const Block* block) noexcept nogil:
    run(wing[float], wing[double], block)

declare("wing", wing_kernel, ("width", "curvature", "height"))
