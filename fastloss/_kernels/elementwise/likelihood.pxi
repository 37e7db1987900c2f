# Negative log-likelihoods of counts and positive amounts, up to terms of the target alone.

from fastloss._kernels.arithmetic cimport (
    bounded, directed, exact_magnitude, exp_split, is_near, log1p_scaled, scaled_square
)
from fastloss._kernels.vecmath cimport (
    divided, exp, exp_hilo, expm1_for, fl_exp_f32, fl_exp_to_f32, fl_log_hilo_to_f32, fl_log_to_f32, log, log1p,
    log1p_positive, log_dd, log_for, product_for, sum_for, two_prod, two_sum
)


cdef inline floating poisson_log(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    """e^x - y x; where e^x overflows it has won, and 0 x is 0 even for an infinite x."""
    cdef floating e = fl_exp_f32(x) if floating is float else exp(x)
    cdef floating product = 0 if (y == 0) | (e == INFINITY) & (y == y) else y * x
    grad[0] = e - y
    hess[0] = e
    return e - product


cdef void poisson_log_kernel(const Block* block) noexcept nogil:
    run(poisson_log[float], poisson_log[double], block)

declare("poisson_log", poisson_log_kernel)


cdef inline double stirling_rest(floating y, double* entropy) noexcept nogil:
    """Stirling's log y! = y log y - y + log(2 pi y) / 2 for y > 1 is y times `entropy` and this."""
    cdef double log_y = log_for(y, y)
    entropy[0] = log_y - 1.0 if y > 1 else 0.0
    return 0.5 * log_y + 0.9189385332046728 if y > 1 else 0.0


cdef inline floating poisson_log_full(floating y, floating x, double a, double b, double c, double d, floating* grad,
                                      floating* hess) noexcept nogil:
    cdef double e = fl_exp_to_f32(x) if floating is float else exp(x)
    cdef double high = 1e130 if floating is float else INFINITY     # where e saturates
    cdef double entropy
    cdef double rest = stirling_rest(y, &entropy)
    cdef double product = 0.0 if (y == 0) | (e >= high) & (y == y) else y * (entropy - x)
    grad[0] = <floating> (e - y)
    hess[0] = <floating> e
    return <floating> (e + (product + rest))


cdef void poisson_log_full_kernel(const Block* block) noexcept nogil:
    run(poisson_log_full[float], poisson_log_full[double], block)

declare("poisson_log_full", poisson_log_full_kernel)


cdef inline double poisson_ratio(floating y, double rate, double* hess) noexcept nogil:
    """y / rate and y / rate^2, by way of a tiny y times 2^300 in float64; 0 for y = 0, whatever the rate."""
    cdef double up, ratio, curve
    cdef bint none = (y == 0) & (rate == rate)
    if floating is float:
        up = 1.0 / rate
        ratio = y * up
        curve = ratio * up
    else:
        up = 2.037035976334486e90 if y < 1e-200 else 1.0
        ratio = y * up / rate
        curve = ratio / (rate * up)
        ratio = ratio / up
    hess[0] = 0.0 if none else curve
    return 0.0 if none else ratio


cdef inline double log_rate(floating x, double epsilon, double* rate) noexcept nogil:
    """The rate x + epsilon and its logarithm, corrected for the rounding of the sum."""
    cdef double low
    rate[0] = sum_for(x, x, epsilon, &low)
    if floating is float:
        return fl_log_to_f32(rate[0])
    else:
        return log(rate[0]) + low / (1.0 if rate[0] == 0 else rate[0])


cdef inline floating poisson_identity(floating y, floating x, double eps, double b, double c, double d,
                                      floating* grad, floating* hess) noexcept nogil:
    """x - y log(x + eps); 0 log 0 is 0."""
    cdef double rate, curve
    cdef double log_of_rate = log_rate(x, eps, &rate)
    grad[0] = <floating> (1.0 - poisson_ratio(y, rate, &curve))
    hess[0] = <floating> curve
    return <floating> (x - (0.0 if y == 0 else y * log_of_rate))


cdef void poisson_identity_kernel(const Block* block) noexcept nogil:
    run(poisson_identity[float], poisson_identity[double], block)

declare("poisson_identity", poisson_identity_kernel, ("eps",))


cdef inline floating poisson_identity_full(floating y, floating x, double eps, double b, double c, double d,
                                           floating* grad, floating* hess) noexcept nogil:
    cdef double rate, curve, entropy
    cdef double log_of_rate = log_rate(x, eps, &rate)
    cdef double rest = stirling_rest(y, &entropy)
    grad[0] = <floating> (1.0 - poisson_ratio(y, rate, &curve))
    hess[0] = <floating> curve
    return <floating> (x + ((0.0 if y == 0 else y * (entropy - log_of_rate)) + rest))


cdef void poisson_identity_full_kernel(const Block* block) noexcept nogil:
    run(poisson_identity_full[float], poisson_identity_full[double], block)

declare("poisson_identity_full", poisson_identity_full_kernel, ("eps",))


cdef inline floating gamma_log(floating y, floating x, double a, double b, double c, double d, floating* grad,
                               floating* hess) noexcept nogil:
    """x + y e^-x."""
    cdef double factor
    cdef double e = exp_split(x, -x, 0.0, &factor)
    cdef double ratio = y * e * factor
    grad[0] = <floating> (1.0 - ratio)
    hess[0] = <floating> ratio
    return <floating> (ratio + (0 if x == -INFINITY else x))


cdef void gamma_log_kernel(const Block* block) noexcept nogil:
    run(gamma_log[float], gamma_log[double], block)

declare("gamma_log", gamma_log_kernel)


cdef inline floating gamma_identity(floating y, floating x, double a, double b, double c, double d, floating* grad,
                                    floating* hess) noexcept nogil:
    cdef double r = <double> x - <double> y, ratio, inverse
    if floating is float:
        inverse = 1.0 / x
        ratio = y * inverse
        grad[0] = <floating> (r * inverse * inverse)
        hess[0] = <floating> ((2.0 * ratio - 1.0) * inverse * inverse)
    else:
        ratio = y / x
        grad[0] = r / x / x
        hess[0] = 2.0 * ((ratio - 0.5) / x / x)
    return <floating> (log_for(x, x) + ratio)


cdef void gamma_identity_kernel(const Block* block) noexcept nogil:
    run(gamma_identity[float], gamma_identity[double], block)

declare("gamma_identity", gamma_identity_kernel)


cdef inline floating normal_identity(floating y, floating x, double a, double b, double c, double d, floating* grad,
                                     floating* hess) noexcept nogil:
    cdef double r = <double> x - <double> y
    grad[0] = <floating> r
    hess[0] = <floating> (1.0 if r == r else r)
    return <floating> (x * (0.5 * x - y))


cdef void normal_identity_kernel(const Block* block) noexcept nogil:
    run(normal_identity[float], normal_identity[double], block)

declare("normal_identity", normal_identity_kernel)


cdef inline floating tweedie_log(floating y, floating x, double power, double b, double c, double d, floating* grad,
                                 floating* hess) noexcept nogil:
    """1 < power < 2: both terms are positive, and 1 - power and 2 - power are exact.

    In the curvature they are less than in the gradient, and may be finite where those are not.
    """
    cdef double first = 2.0 - power, second = 1.0 - power
    cdef double lo, growth, factor
    cdef double hi = product_for(x, first, x, &lo)
    cdef double u = exp_split(x, hi, lo, &growth)
    hi = product_for(x, second, x, &lo)
    cdef double v = exp_split(x, hi, lo, &factor)
    cdef double up = u * growth, down = 0.0 if y == 0 else y * v * factor
    cdef double bend = 0.0 if y == 0 else y * (second * v) * factor
    grad[0] = <floating> (up - down)
    hess[0] = <floating> (first * u * growth - bend)
    return <floating> (up * (1.0 / first) - down * (1.0 / second))


cdef void tweedie_log_kernel(const Block* block) noexcept nogil:
    run(tweedie_log[float], tweedie_log[double], block)

declare("tweedie_log", tweedie_log_kernel, ("power",))


cdef inline floating tweedie_log_outer(floating y, floating x, double power, double b, double c, double d,
                                       floating* grad, floating* hess) noexcept nogil:
    """power <= 0 or > 2: u / first - v / second is a difference; where both overflow v / u = y e^-x decides.

    For float32 one is enough, as its exponentials saturate before they overflow.
    """
    cdef double first_lo, second_lo, hi, lo, growth, factor, u, v
    cdef double first = two_sum(2.0, -power, &first_lo)
    cdef double second = two_sum(1.0, -power, &second_lo)
    if floating is float:
        u = fl_exp_to_f32(first * x)
        v = fl_exp_to_f32(second * x)
        growth = factor = 1.0
    else:
        hi = two_prod(first, x, &lo)
        u = exp_split(x, hi, lo + first_lo * x, &growth)
        hi = two_prod(second, x, &lo)
        v = exp_split(x, hi, lo + second_lo * x, &factor)
    cdef double lead = log_for(y, y) - x
    cdef double even = log(second / first)
    cdef bint saturated = ((u >= 1e130) | (v >= 1e130) & (y != 0)) & (y == y) if floating is float else False
    cdef bint nothing = y == 0
    grad[0] = <floating> terms_apart(
        u * growth, 0.0 if nothing else y * v * factor, saturated, -INFINITY if lead > 0 else INFINITY
    )
    hess[0] = <floating> terms_apart(
        first * u * growth, 0.0 if nothing else y * (second * v) * factor, saturated,
        INFINITY if (lead > -even) == (first < 0) else -INFINITY
    )
    return <floating> terms_apart(
        u / first * growth, 0.0 if nothing else y * (v / second) * factor, saturated,
        INFINITY if (lead > even) == (first < 0) else -INFINITY
    )


cdef void tweedie_log_outer_kernel(const Block* block) noexcept nogil:
    run(tweedie_log_outer[float], tweedie_log_outer[double], block)

declare("tweedie_log_outer", tweedie_log_outer_kernel, ("power",))


cdef inline double terms_apart(double u, double v, bint saturated, double decided) noexcept nogil:
    """u - v, or what is decided of them where both overflow, or saturate."""
    return decided if saturated | (fabs(u) == INFINITY) & (u == v) else u - v


cdef inline double times_power(double v, double w, double log_hi, double log_lo, double e,
                               double e_lo) noexcept nogil:
    """v w x^(e + e_lo), with half of the power at a time: in one order of the factors nothing over- or underflows."""
    cdef double lo
    cdef double hi = two_prod(0.5 * e, log_hi, &lo)
    cdef double root = exp_hilo(hi, lo + 0.5 * (e * log_lo + e_lo * log_hi))
    cdef double apart = (v * root) * (w * root), together = v * w * root * root, last = w * root * root * v
    cdef double product = together if (fabs(apart) == INFINITY) & (fabs(together) < INFINITY) else apart
    product = last if (fabs(v * root) < 1e-290) & (fabs(last) < INFINITY) else product
    return 0.0 if v == 0 else product


cdef inline floating tweedie_identity(floating y, floating x, double power, double b, double c, double d,
                                      floating* grad, floating* hess) noexcept nogil:
    """x^-p (x^2 / (2-p) - x y / (1-p)); in float64 the bracket is in units of the larger of x and |y|."""
    cdef double first_lo, second_lo, third_lo, log_lo, log_x, size, m, share, target, scale
    cdef double first = two_sum(2.0, -power, &first_lo)
    cdef double second = two_sum(1.0, -power, &second_lo)
    cdef double third = two_sum(-1.0, -power, &third_lo)
    if floating is float:
        log_x = fl_log_to_f32(x)
        scale = fl_exp_to_f32(-power * log_x) + 0.0 * x     # NaN for an infinite x
        grad[0] = <floating> ((<double> x - <double> y) * scale)
        hess[0] = <floating> ((second * x + power * y) / x * scale)
        size = fl_exp_to_f32(second * log_x) + 0.0 * x      # saturates far above what float32 holds
        return <floating> (size * (x * (1.0 / first) - y * (1.0 / second)))
    else:
        log_x = log_dd(x, 0.0, &log_lo)
        size = y if y > 0 else -y
        m = size if size >= x else x
        share = x / m
        target = y / m
        grad[0] = times_power(x - y, 1.0, log_x, log_lo, -power, 0.0)
        hess[0] = times_power(m, second * share + power * target, log_x, log_lo, third, third_lo)
        return times_power(m, share / first - target / second, log_x, log_lo, second, second_lo)


cdef void tweedie_identity_kernel(const Block* block) noexcept nogil:
    run(tweedie_identity[float], tweedie_identity[double], block)

declare("tweedie_identity", tweedie_identity_kernel, ("power",))


# Deviances: twice what the likelihood of the mean lacks to that of the target itself.

cdef inline double log_quotient(floating like, double x, double y) noexcept nogil:
    """log(x / y), also where the two are close, or their quotient over- or underflows."""
    cdef double inverse, ratio, excess, base, far
    cdef bint near
    if floating is float:
        inverse = 1 / y
        ratio = x * inverse
        excess = (x - y) * inverse
        base = 1 + excess
        near = (ratio > 0.5) & (ratio < 2)
        return fl_log_hilo_to_f32(base if near else ratio, excess - (base - 1) if near else 0)
    else:
        ratio = x / y
        far = log(ratio) if (ratio > 1e-300) & (ratio < 1e300) else log(x) - log(y)
        near = (ratio > 0.5) & (ratio < 2)
        return log1p((x - y) / y) if near else far


cdef inline floating poisson_deviance(floating y, floating x, double a, double b, double c, double d, floating* grad,
                                      floating* hess) noexcept nogil:
    cdef double r = <double> x - <double> y, curve
    poisson_ratio(y, x, &curve)
    grad[0] = <floating> (2.0 * (r / x))
    hess[0] = <floating> (2.0 * curve)
    cdef double half = 0.0 if y == 0 else 0.5 * y * log_quotient(x, x, y)      # a term may be larger than the result
    return <floating> (4.0 * (0.5 * r - half))


cdef void poisson_deviance_kernel(const Block* block) noexcept nogil:
    run(poisson_deviance[float], poisson_deviance[double], block)

declare("poisson_deviance", poisson_deviance_kernel)


cdef inline floating gamma_deviance(floating y, floating x, double a, double b, double c, double d, floating* grad,
                                    floating* hess) noexcept nogil:
    gamma_identity(y, x, a, b, c, d, grad, hess)
    grad[0] = 2 * grad[0]
    hess[0] = 2 * hess[0]
    return <floating> (2.0 * (log_quotient(x, x, y) - (<double> x - <double> y) / x))


cdef void gamma_deviance_kernel(const Block* block) noexcept nogil:
    run(gamma_deviance[float], gamma_deviance[double], block)

declare("gamma_deviance", gamma_deviance_kernel)


cdef inline floating tweedie_deviance(floating y, floating x, double power, double b, double c, double d,
                                      floating* grad, floating* hess) noexcept nogil:
    """With L = log(x / y) the value is 2 y^(2-p) (expm1((2-p) L) / (2-p) - expm1((1-p) L) / (1-p)), which near L = 0
    and near the powers 1 and 2 has no large terms; far from it, for large powers and for y <= 0 it is a sum of powers.
    """
    cdef double first_lo, second_lo, log_lo = 0, log_y, most, slope, bracket, near, far
    cdef double first = two_sum(2.0, -power, &first_lo)
    cdef double second = two_sum(1.0, -power, &second_lo)
    cdef double likelihood_of_mean = tweedie_identity(y, x, power, b, c, d, grad, hess)
    cdef double size = y if y > 0 else 1.0
    cdef double ratio = log_quotient(x, x, size)
    grad[0] = 2 * grad[0]
    hess[0] = 2 * hess[0]
    bracket = expm1_for(x, first * ratio, 0) / first - expm1_for(x, second * ratio, 0) / second
    if floating is float:
        most = fl_exp_to_f32(first * fl_log_to_f32(size))
        near = most * bracket
        slope = most / (first * second)
        far = (fl_exp_to_f32(second * fl_log_to_f32(x)) + 0.0 * x) * (x / first - y / second)
    else:
        log_y = log_dd(size, 0.0, &log_lo)
        slope = times_power(size, 1 / (first * second), log_y, log_lo, second, second_lo)
        near = 0.0 if bracket == 0 else times_power(size, bracket, log_y, log_lo, second, second_lo)
        far = likelihood_of_mean
    far = slope if slope == INFINITY else far + slope
    near = near if (ratio > -1) & (ratio < 1) & (fabs(first * ratio) < 4) else far
    return <floating> (2.0 * (near if y > 0 else likelihood_of_mean + 0.0 * y))


cdef void tweedie_deviance_kernel(const Block* block) noexcept nogil:
    run(tweedie_deviance[float], tweedie_deviance[double], block)

declare("tweedie_deviance", tweedie_deviance_kernel, ("power",))


# Heavy tails ---------------------------------------------------------------------------------------

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


cdef void student_t_kernel(const Block* block) noexcept nogil:
    run(student_t[float], student_t[double], block)

declare("student_t", student_t_kernel, ("c", "k", "factor", "rate"))
