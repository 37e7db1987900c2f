# Redescending losses of the residual r = x - y: flatter far from zero. Arithmetic as in residual.pxi.

from fastloss._kernels.arithmetic cimport (
    absolute, bounded, directed, exact_magnitude, is_infinite, is_near, log1p_scaled, ratio, scaled_square
)
from fastloss._kernels.vecmath cimport (
    divided, exp_for, exp_parts, exp_hilo, expm1_hilo, finite_or_zero, log1p_positive, log_dd, log_parts, quotient,
    square, two_prod, two_sum
)


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


cdef void cauchy_kernel(const Block* block) noexcept nogil:
    run(cauchy[float], cauchy[double], block)

declare("cauchy", cauchy_kernel, ("c",))


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


cdef void tukey_kernel(const Block* block) noexcept nogil:
    run(tukey[float], tukey[double], block)

declare("tukey", tukey_kernel, ("c",))


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
        f = exp_hilo(-0.5 * w, -0.5 * w_low)
        e = expm1_hilo(-w, -w_low)
        grad[0] = directed(m * f * f, y, x)
        hess[0] = ((1 - 2 * w) - 2 * w_low) * f * f
        far = -0.5 * c * e * c
        w = 0.5 * size * size
        return w if s < 7e-9 else far


cdef void welsch_kernel(const Block* block) noexcept nogil:
    run(welsch[float], welsch[double], block)

declare("welsch", welsch_kernel, ("c",))


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


cdef void geman_mcclure_kernel(const Block* block) noexcept nogil:
    run(geman_mcclure[float], geman_mcclure[double], block)

declare("geman_mcclure", geman_mcclure_kernel, ("c",))


cdef inline floating barron(floating y, floating x, double alpha, double c, double a, double d,
                            floating* grad, floating* hess) noexcept nogil:
    """k / alpha (B^(alpha/2) - 1), B = 1 + w, w = (r / c)^2 / k, k = |alpha - 2|; all powers from one logarithm.

    An infinite residual has the derivatives of a very large one; its value is the limit.
    """
    cdef double low, w_low, base_low, l_low, sum_low, p_low, h_low, power_low
    cdef double r, size, w, base, logarithm, shrunk, rest, p, half_power, h, f, share, e, bend
    cdef double k = fabs(alpha - 2)
    cdef double far_value = INFINITY if alpha > 0 else -k / alpha
    cdef bint near, far = is_infinite(<double> x - y)
    if floating is float:
        r = <double> x - y
        r = 1e60 if r > 1e60 else (-1e60 if r < -1e60 else r)           # so that f does not saturate
        w = r * (1 / c) * (r * (1 / c)) * (1 / k)
        logarithm = log_parts(w, &rest)
        f = exp_for(y, (0.5 * alpha - 1) * logarithm, 0) * (1 / c) * (1 / c)
        grad[0] = <float> (r * f)
        hess[0] = <float> ((1 + (alpha - 1) * w) / (1 + w) * f)
        p = 0.5 * alpha * logarithm
        exp_parts(700 if p > 700 else p, &e, &rest)
        e = k / alpha * e + 0
        return <float> (far_value if far else e)
    else:
        size = exact_magnitude(y, y, x, &low)
        size = 1.7976931348623157e308 if size > 1.7976931348623157e308 else size
        near = is_near(size, c)
        w = scaled_square(size, low, c, k, &w_low)
        base = two_sum(1, w, &base_low)
        logarithm = log_dd(base if near else w, w_low + (base_low if near else 0), &l_low)
        shrunk = two_sum(logarithm, 0 if near else 970.4060527839234, &sum_low)
        rest = l_low + sum_low + (0 if near else 4.933124383144313e-15)
        p = two_prod(0.5 * alpha, shrunk, &p_low)
        half_power = two_sum(0.25 * alpha, -0.5, &power_low)            # of the root of B^(alpha/2 - 1)
        h = two_prod(half_power, shrunk, &h_low)
        f = exp_hilo(h, h_low + half_power * rest + power_low * shrunk)
        share = 0.5 if p >= 700 else 1                                  # k / alpha may bring it back into range
        e = expm1_hilo(share * p, share * (p_low + 0.5 * alpha * rest))
        bend = ((1 + (alpha - 1) * w) + (alpha - 1) * w_low) / base
        f = f / c
        grad[0] = directed(size * f * f, y, x)
        hess[0] = (bend if near else alpha - 1) * f * f
        e = k / alpha * e * (e if p >= 700 else 1) + 0                  # + 0: no -0 at a tie
        return far_value if far else e


cdef void barron_kernel(const Block* block) noexcept nogil:
    run(barron[float], barron[double], block)

declare("barron", barron_kernel, ("alpha", "c"))


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


cdef void barron_quadratic_kernel(const Block* block) noexcept nogil:
    run(barron_quadratic[float], barron_quadratic[double], block)

declare("barron_quadratic", barron_quadratic_kernel, ("c",))
