# Losses of a binary target in [0, 1], most of them of a logit z.
#
# The odd symmetry of the logistic function halves the formulas: with s the sign of z, `wrong` the share of the target
# on the other side of it (1 - y for z > 0, else y), L = log1p(exp(-|z|)) and c = sigmoid(-|z|),
# the cross-entropy is L + |z| wrong and its derivative s (wrong - c). Nothing in that cancels for hard labels.

cpdef enum:
    BINARY_CROSS_ENTROPY = 0x300
    WEIGHTED_BINARY_CROSS_ENTROPY
    ZERO_ONE
    SIGMOID_FOCAL
    ASYMMETRIC_FOCAL
    BINARY_CROSS_ENTROPY_PROBABILITY = 0x380
    REDUCED_FOCAL
    CLIPPED_ASYMMETRIC_FOCAL
    BRIER
    CROSS_ENTROPY_LAMBDA
    SLIDE


cdef inline floating binary_cross_entropy(floating y, floating z, floating a, floating b, floating c, floating d,
                                          floating* grad, floating* hess) noexcept nogil:
    cdef floating tail, far
    cdef floating size = -z if z < 0 else z
    cdef floating wrong = 1 - y if z > 0 else y
    logistic(z, &tail, &far)
    grad[0] = wrong - far if z > 0 else far - wrong
    hess[0] = far * (1 - far)
    return tail + (0 if wrong == 0 else size * wrong)


cdef inline floating weighted_binary_cross_entropy(floating y, floating z, floating a, floating b, floating c, floating d,
                                                   floating* grad, floating* hess) noexcept nogil:
    """positive softplus(-z) + negative softplus(z), weights linear in y: exact ends keep hard labels exact.

    The weights' roundings would add up to more than those of the logarithm: they are in double precision.
    """
    cdef floating tail, far
    cdef double other = 1 - <double> y
    cdef double positive = a * other + <double> b * y
    cdef double negative = c * other + <double> d * y
    cdef double both = positive + negative
    cdef double wrong = negative if z > 0 else positive
    cdef floating size = -z if z < 0 else z
    logistic(z, &tail, &far)
    grad[0] = <floating> (wrong - both * far if z > 0 else both * far - wrong)
    hess[0] = <floating> (both * far * (1 - far))
    return <floating> (both * tail + (0 if wrong == 0 else size * wrong))


cdef inline floating zero_one(floating y, floating x, floating threshold, floating b, floating c, floating d,
                              floating* grad, floating* hess) noexcept nogil:
    cdef floating predicted = 1 if x > threshold else (0 if x <= threshold else x)
    cdef floating label = 1 if y > 0 else (0 if y <= 0 else y)
    cdef floating miss = predicted - label
    grad[0] = 0 if miss == miss else miss
    hess[0] = 0 if miss == miss else miss
    return miss * miss


cdef inline double binary_cross_entropy_probability(double y, double p, double low, double high, double eps,
                                                    double floor, double* grad, double* hess) noexcept nogil:
    """Both logarithms clamped to [low, high]; a term has a slope where its own argument is at least `floor`, and
    both where p is not clipped by `eps`."""
    cdef double other = 1 - y, q = 1 - p
    cdef double yes = log(p), no = log1p(-p)
    cdef double ratio = y / p if y != 0 else 0
    cdef double other_ratio = other / q if other != 0 else 0
    cdef bint steep = (p >= floor) & (q >= floor) & (p >= eps) & (q >= eps) & (y > 0) & (y < 1)
    ratio = 0 if (p < floor) | (q < eps) else ratio
    other_ratio = 0 if (q < floor) | (p < eps) else other_ratio
    grad[0] = (p - y) / (p * q) if steep else other_ratio - ratio                           # p - y cancels but once
    hess[0] = (ratio / p if ratio != 0 else 0) + (other_ratio / q if other_ratio != 0 else 0)
    yes = low if yes < low else (high if yes > high else yes)
    no = low if no < low else (high if no > high else no)
    return (-y * yes if y != 0 else 0) + (-other * no if other != 0 else 0)


# Focal losses -------------------------------------------------------------------------------------

cdef inline double exp_dd(double x, double* lo) noexcept nogil:
    """exp(x), x <= 0, to twice the precision: a rounded exponential is put right by its own logarithm."""
    cdef double e = exp(x), log_lo
    cdef double log_hi = log_dd(e, 0, &log_lo)
    lo[0] = e * ((x - log_hi) - log_lo) if e > 1e-290 else 0
    return e


cdef inline double log_share(double size, double wrong, double wrong_lo, double right, double right_lo,
                             double* share, double* lo) noexcept nogil:
    """The logarithm of m = (wrong + right e) / (1 + e), e = exp(-size), to twice the precision.

    Where no target is on the wrong side m may underflow, but there its logarithm is -size - log(1 + e).
    """
    cdef double tiny, product_lo, top_lo, m_lo
    cdef double e = exp_dd(-size, &tiny)
    cdef double product = two_prod(right, e, &product_lo)
    cdef double top = two_sum(wrong, product, &top_lo)
    top_lo += product_lo + right * tiny + right_lo * e + wrong_lo
    cdef double bottom = 1 + e
    cdef double bottom_lo = (e - (bottom - 1)) + tiny
    cdef double m = top / bottom
    product = two_prod(m, bottom, &product_lo)
    m_lo = (((top - product) - product_lo) + (top_lo - m * bottom_lo)) / bottom
    share[0] = m
    m = bottom if wrong == 0 else m
    m_lo = bottom_lo if wrong == 0 else m_lo
    cdef double log_lo
    cdef double log_hi = log_dd(m, m_lo, &log_lo)
    m = two_sum(-size, -log_hi, &m_lo)
    lo[0] = m_lo - log_lo if wrong == 0 else log_lo
    return m if wrong == 0 else log_hi


cdef inline double focal(double y, double z, double weight, double gamma, double unit, bint flat, bint single,
                         double* grad, double* hess) noexcept nogil:
    """weight (m / e^unit)^gamma times the cross-entropy, m = y sigmoid(-z) + (1 - y) sigmoid(z); gamma = 0 where flat.

    The power magnifies the relative error of m by gamma: double precision has it from a double-double.
    """
    cdef double tail, far, m, log_m, log_lo, power_hi, power_lo, factor
    cdef double size = -z if z < 0 else z
    cdef double near = 1000 if size > 1000 else size        # beyond, only the value has a term left that grows
    cdef double other = 1 - y
    cdef double other_lo = (1 - other) - y
    cdef double wrong = other if z > 0 else y, wrong_lo = other_lo if z > 0 else 0
    cdef double right = y if z > 0 else other, right_lo = 0 if z > 0 else other_lo
    logistic(z, &tail, &far)
    if single:
        m = wrong * (1 - far) + right * far
        log_m = log(m)
        factor = exp(gamma * (-near - tail if wrong == 0 else log_m))
    else:
        log_m = log_share(near, wrong, wrong_lo, right, right_lo, &m, &log_lo)
        log_m = two_sum(log_m, -unit, &power_lo)
        log_lo += power_lo
        power_hi = two_prod(gamma, log_m, &power_lo)
        factor = exp_sum(power_hi, power_lo + gamma * log_lo)
    factor = weight * (1 if flat else factor)
    gamma = 0 if flat else gamma
    cdef double entropy = tail + near * wrong
    cdef double steep = far * (1 - far)
    cdef double lean = steep / m
    lean = (wrong - right) * (1 - far if wrong == 0 else lean)                  # s m' / m, s the sign of z
    cdef double slope = factor * (gamma * lean * entropy + (wrong - far))
    grad[0] = slope if z > 0 else -slope
    hess[0] = factor * (gamma * lean * (entropy * ((gamma - 1) * lean - (1 - 2 * far)) + 2 * (wrong - far)) + steep)
    return 0 if factor == 0 else factor * (tail + (0 if wrong == 0 else size * wrong))


cdef inline floating sigmoid_focal(floating y, floating z, floating positive, floating negative, floating gamma,
                                   floating gamma_lo, floating* grad, floating* hess) noexcept nogil:
    """`gamma` comes in two parts, which together are exact in single precision too."""
    cdef double g, h
    cdef double weight = <double> positive * y + <double> negative * (1 - <double> y)
    cdef double value = focal(y, z, weight, <double> gamma + gamma_lo, 0, False, floating is float, &g, &h)
    grad[0] = <floating> g
    hess[0] = <floating> h
    return <floating> value


cdef inline floating asymmetric_focal(floating y, floating z, floating positive, floating positive_lo,
                                      floating negative, floating negative_lo, floating* grad, floating* hess) noexcept nogil:
    cdef double g, h
    cdef double gamma = <double> positive + positive_lo if y > 0 else <double> negative + negative_lo
    cdef double value = focal(y, z, 1, gamma, 0, False, floating is float, &g, &h)
    grad[0] = <floating> g
    hess[0] = <floating> h
    return <floating> value


cdef inline double reduced_focal(double y, double z, double alpha, double gamma, double unit, double cut,
                                 double* grad, double* hess) noexcept nogil:
    """The label is hard, so the threshold is one of the margin, where the test for it is exact."""
    cdef double weight = 1 if alpha < 0 else (alpha if y > 0 else 1 - alpha)
    return focal(y, z, weight, gamma, unit, (z if y > 0 else -z) < cut, False, grad, hess)


cdef inline double clipped_asymmetric_focal(double y, double z, double gamma_positive, double gamma, double clip,
                                            double d, double* grad, double* hess) noexcept nogil:
    """For y = 0 p^gamma (-log(1 - p)), p = sigmoid(z) - clip: a double-double, as it cancels."""
    cdef double g, h, tiny, product_lo, share_lo, p_lo, log_lo, power_lo
    cdef double value = focal(y, z, 1, gamma_positive, 0, False, False, &g, &h)
    cdef double size = -z if z < 0 else z
    cdef double near = 1000 if size > 1000 else size            # as in `focal`, so that the exponential is shared
    cdef double e = exp_dd(-near, &tiny)
    cdef double bottom = 1 + e
    cdef double bottom_lo = (e - (bottom - 1)) + tiny
    cdef double far = e / bottom
    cdef double product = two_prod(far, bottom, &product_lo)
    cdef double far_lo = (((e - product) - product_lo) + (tiny - far * bottom_lo)) / bottom
    cdef double share = two_sum(1, -far, &share_lo)
    share = share if z > 0 else far                             # sigmoid(z)
    share_lo = share_lo - far_lo if z > 0 else far_lo
    cdef double p = two_sum(share, -clip, &p_lo)
    p_lo += share_lo
    cdef bint clipped = p + p_lo <= 0
    p = 1 if clipped else p
    p_lo = 0 if clipped else p_lo
    cdef double complement = (far if z > 0 else 1 - far) + clip
    cdef double entropy = -log1p(-(p + p_lo)) if p < 0.5 else -log(complement)
    cdef double log_p = log_dd(p, p_lo, &log_lo)
    cdef double power_hi = two_prod(gamma, log_p, &power_lo)
    cdef double factor = exp_sum(power_hi, power_lo + gamma * log_lo)
    cdef double steep = far * (1 - far)
    cdef double bend = 2 * far - 1 if z > 0 else 1 - 2 * far    # p'' / p'
    cdef double lean = steep / (p + p_lo), rise = steep / complement
    cdef double slope = factor * (gamma * lean * entropy + rise)
    cdef double curve = gamma * lean * (entropy * ((gamma - 1) * lean + bend) + 2 * rise) + rise * (bend + rise)
    value = value if y > 0 else (y if y != y else factor * entropy)
    g = g if y > 0 else (y if y != y else slope)
    h = h if y > 0 else (y if y != y else factor * curve)
    clipped = clipped and y <= 0
    grad[0] = 0 if clipped else g
    hess[0] = 0 if clipped else h
    return 0 if clipped else value


# Other losses of a logit --------------------------------------------------------------------------

cdef inline double brier(double y, double z, double a, double b, double c, double d,
                         double* grad, double* hess) noexcept nogil:
    cdef double tail, far
    cdef double wrong = 1 - y if z > 0 else y
    logistic(z, &tail, &far)
    cdef double steep = far * (1 - far)
    cdef double miss = wrong - far
    grad[0] = 2 * steep * (miss if z > 0 else -miss)
    hess[0] = 2 * steep * (steep - miss * (1 - 2 * far))
    return miss * miss


cdef inline double cross_entropy_lambda(double y, double z, double weight, double log_weight, double c, double d,
                                        double* grad, double* hess) noexcept nogil:
    """-y log(1 - e^-u) + (1 - y) u, u = weight softplus(z); u keeps its low part for the sake of e^-u."""
    cdef double tail, far, soft_lo, u_lo, other = 1 - y
    logistic(z, &tail, &far)
    cdef double soft = two_sum(z if z > 0 else 0, tail, &soft_lo)
    cdef double u = two_prod(weight, soft, &u_lo)
    u_lo = u_lo + weight * soft_lo if u < 1000 else 0
    cdef double none = exp_sum(-u, -u_lo)                       # 1 - p
    cdef double p = -expm1_sum(-u, -u_lo)
    cdef bint remote = z < -700                                 # p = weight e^z, near to underflow
    cdef double log_p = log(p) if u < 0.69 else log1p(-none)
    log_p = z + log_weight if remote else log_p
    cdef double share = 1 - far if z > 0 else far               # sigmoid(z)
    cdef double ratio = 1 if remote else weight * share / p
    cdef double miss = other - none if u > 0.69 else p - y
    grad[0] = miss * ratio
    hess[0] = miss * ratio * (far if z > 0 else 1 - far) + y * none * ratio * ratio
    return (-y * log_p if y != 0 else 0) + (other * u if other != 0 else 0)


cdef inline double slide(double y, double z, double mu, double before, double boost, double d,
                         double* grad, double* hess) noexcept nogil:
    cdef double g, h
    cdef double value = binary_cross_entropy[double](y, z, 0, 0, 0, 0, &g, &h)
    cdef double weight = 1 if y <= before else (boost if y < mu else exp(1 - y))
    grad[0] = weight * g
    hess[0] = weight * h
    return weight * value


cdef void binary(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                 floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if kernel == BINARY_CROSS_ENTROPY:
        specialise(binary_cross_entropy[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == WEIGHTED_BINARY_CROSS_ENTROPY:
        specialise(weighted_binary_cross_entropy[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == ZERO_ONE:
        specialise(zero_one[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SIGMOID_FOCAL:
        specialise(sigmoid_focal[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == ASYMMETRIC_FOCAL:
        specialise(asymmetric_focal[floating], y, x, p, value, grad, hess, n, operation)
    elif floating is double:
        if kernel == BINARY_CROSS_ENTROPY_PROBABILITY:
            specialise(binary_cross_entropy_probability, y, x, p, value, grad, hess, n, operation)
        elif kernel == REDUCED_FOCAL:
            specialise(reduced_focal, y, x, p, value, grad, hess, n, operation)
        elif kernel == CLIPPED_ASYMMETRIC_FOCAL:
            specialise(clipped_asymmetric_focal, y, x, p, value, grad, hess, n, operation)
        elif kernel == BRIER:
            specialise(brier, y, x, p, value, grad, hess, n, operation)
        elif kernel == CROSS_ENTROPY_LAMBDA:
            specialise(cross_entropy_lambda, y, x, p, value, grad, hess, n, operation)
        elif kernel == SLIDE:
            specialise(slide, y, x, p, value, grad, hess, n, operation)
