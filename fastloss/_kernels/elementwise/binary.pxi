# Losses of a binary target in [0, 1], most of them of a logit z.
#
# The odd symmetry of the logistic function halves the formulas: with s the sign of z, `wrong` the share of the target
# on the other side of it (1 - y for z > 0, else y), L = log1p(exp(-|z|)) and c = sigmoid(-|z|),
# the cross-entropy is L + |z| wrong and its derivative s (wrong - c). Nothing in that cancels for hard labels.

from fastloss._kernels.vecmath cimport (
    exp, exp_for, exp_hilo, expm1_for, log, log1p, log1p_for, log_dd, log_for, logistic, logistic_for, logistic_slope,
    product_for, sum_for, two_prod, two_sum
)


cdef extern from "elementwise/cross_entropies.h" nogil:
    enum: TOGETHER "FL_TOGETHER"
    double cross_entropies "fl_cross_entropies"(const float* y, const float* z, Py_ssize_t n, bint want_value,
                                                float* grad, float* hess, float high, float low)


cdef inline floating binary_cross_entropy_with_logits(floating y, floating z, double a, double b, double c, double d,
                                                      floating* grad, floating* hess) noexcept nogil:
    cdef floating tail, far
    cdef floating wrong = 1 - y if z > 0 else y
    logistic(z, &tail, &far)
    grad[0] = wrong - far if z > 0 else far - wrong
    hess[0] = logistic_slope(far)
    return tail + (0 if wrong == 0 else abs(z) * wrong)


cdef void binary_cross_entropy_with_logits_kernel(const Block* block) noexcept nogil:
    cdef Rest* rest = block.rest
    cdef float* grad = NULL
    cdef float* hess = NULL
    if TOGETHER and rest != NULL and block.n % TOGETHER == 0:
        grad = <float*> block.results.grad if block.operation & (GRAD | HESS) else NULL
        hess = <float*> block.results.hess if block.operation & HESS else NULL
        rest.loss = cross_entropies(<const float*> block.y, <const float*> block.x, block.n,
                                    (block.operation & VALUE) != 0, grad, hess, rest.high, rest.low)
        rest.done = True
        return
    run(binary_cross_entropy_with_logits[float], binary_cross_entropy_with_logits[double], block)

declare("binary_cross_entropy_with_logits", binary_cross_entropy_with_logits_kernel)


cdef inline floating weighted_binary_cross_entropy(floating y, floating z, double positive_at_0, double positive_at_1,
                                                   double negative_at_0, double negative_at_1, floating* grad,
                                                   floating* hess) noexcept nogil:
    """positive softplus(-z) + negative softplus(z), weights linear in y: exact ends keep hard labels exact.

    The weights' roundings would add up to more than those of the logarithm: they are in double precision.
    """
    cdef floating tail, far
    cdef double other = 1 - <double> y
    cdef double positive = positive_at_0 * other + positive_at_1 * y
    cdef double negative = negative_at_0 * other + negative_at_1 * y
    cdef double both = positive + negative
    cdef double wrong = negative if z > 0 else positive
    logistic(z, &tail, &far)
    grad[0] = <floating> (wrong - both * far if z > 0 else both * far - wrong)
    hess[0] = <floating> (both * far * (1 - <double> far))
    return <floating> (both * tail + (0 if wrong == 0 else abs(z) * wrong))


cdef void weighted_binary_cross_entropy_kernel(const Block* block) noexcept nogil:
    run(weighted_binary_cross_entropy[float], weighted_binary_cross_entropy[double], block)

declare(
    "weighted_binary_cross_entropy", weighted_binary_cross_entropy_kernel,
    ("positive_at_0", "positive_at_1", "negative_at_0", "negative_at_1"),
)


cdef inline floating zero_one(floating y, floating z, double threshold, double below, double c, double d,
                              floating* grad, floating* hess) noexcept nogil:
    """`below` is the largest number of float32 up to the threshold: no other of them lies between the two."""
    cdef floating cut = <floating> (below if floating is float else threshold)
    cdef floating nan = z if z != z else y
    cdef floating miss = 1 if (z > cut) != (y > 0) else 0
    cdef bint good = (z == z) & (y == y)
    grad[0] = 0 if good else nan
    hess[0] = 0 if good else nan
    return miss if good else nan


cdef void zero_one_kernel(const Block* block) noexcept nogil:
    run(zero_one[float], zero_one[double], block)

declare("zero_one", zero_one_kernel, ("threshold", "below"))


cdef inline floating binary_cross_entropy(floating y, floating p, double low, double high, double eps,
                                          double floor, floating* grad, floating* hess) noexcept nogil:
    """Both logarithms clamped to [low, high]; a term has a slope where its own argument is at least `floor`, and
    both where p is not clipped by `eps`."""
    p = p + 0                                                   # never -0, whose reciprocal is negative
    cdef double other = 1 - <double> y, q = 1 - <double> p
    cdef double yes = log_for(y, p), no = log1p_for(y, -<double> p)
    cdef bint yes_flat = (p < floor) | (q < eps)
    cdef bint no_flat = (q < floor) | (p < eps)
    cdef double ratio, other_ratio, least, most, steepness
    cdef bint steep
    if floating is float:
        # One division for all; in double precision the difference of the two terms is as good as p - y.
        least = 1e-100 if p <= 0 else p
        most = 1e-100 if q <= 0 else q
        ratio = (0 if yes_flat else y) * most
        other_ratio = (0 if no_flat else other) * least
        steepness = 1 / (least * most)
        grad[0] = <float> ((other_ratio - ratio) * steepness)
        hess[0] = <float> ((ratio * most + other_ratio * least) * steepness * steepness)
    else:
        steep = (p >= floor) & (q >= floor) & (p >= eps) & (q >= eps) & (y > 0) & (y < 1)
        ratio = y / p if y != 0 else 0
        other_ratio = other / q if other != 0 else 0
        ratio = 0 if yes_flat else ratio
        other_ratio = 0 if no_flat else other_ratio
        grad[0] = (p - y) / (p * q) if steep else other_ratio - ratio                       # p - y cancels but once
        hess[0] = (ratio / p if ratio != 0 else 0) + (other_ratio / q if other_ratio != 0 else 0)
    yes = high if yes > high else yes
    no = high if no > high else no
    yes = low if yes < low else yes                             # the clamp is the last word
    no = low if no < low else no
    grad[0] = grad[0] if y == y else y
    hess[0] = hess[0] if y == y else y
    return <floating> ((-y * yes if y != 0 else 0) + (-other * no if other != 0 else 0))


cdef void binary_cross_entropy_kernel(const Block* block) noexcept nogil:
    run(binary_cross_entropy[float], binary_cross_entropy[double], block)

declare("binary_cross_entropy", binary_cross_entropy_kernel, ("low", "high", "eps", "floor"))


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


cdef inline floating focal(floating y, floating z, double weight, double gamma, double unit, bint flat,
                           floating* grad, floating* hess) noexcept nogil:
    """weight (m / e^unit)^gamma times the cross-entropy, m = y sigmoid(-z) + (1 - y) sigmoid(z); gamma = 0 where flat.

    The power magnifies the relative error of m by gamma: float64 has it from a double-double.
    """
    cdef double tail, far, m, log_m, log_lo, power_hi, power_lo, factor
    cdef double size = abs(<double> z)
    cdef double near = 1000 if size > 1000 else size        # beyond, only the value has a term left that grows
    cdef double other = 1 - <double> y
    cdef double other_lo = (1 - other) - y
    cdef double wrong = other if z > 0 else y, wrong_lo = other_lo if z > 0 else 0
    cdef double right = y if z > 0 else other, right_lo = 0 if z > 0 else other_lo
    logistic_for(y, near, &tail, &far)
    if floating is float:
        m = wrong * (1 - far) + right * far
        log_m = log_for(y, m)
        factor = exp_for(y, gamma * ((-near - tail if wrong == 0 else log_m) - unit), 0)
    else:
        log_m = log_share(near, wrong, wrong_lo, right, right_lo, &m, &log_lo)
        log_m = two_sum(log_m, -unit, &power_lo)
        log_lo += power_lo
        power_hi = two_prod(gamma, log_m, &power_lo)
        factor = exp_hilo(power_hi, power_lo + gamma * log_lo)
    factor = weight * (1 if flat else factor)
    gamma = 0 if flat else gamma
    cdef double entropy = tail + near * wrong
    cdef double steep = far * (1 - far)
    cdef double lean = steep / m
    lean = (wrong - right) * (1 - far if wrong == 0 else lean)                  # s m' / m, s the sign of z
    cdef double slope = factor * (gamma * lean * entropy + (wrong - far))
    cdef double bend = (gamma - 1) * lean - (1 - 2 * far)
    grad[0] = <floating> (slope if z > 0 else -slope)
    hess[0] = <floating> (factor * (gamma * lean * (entropy * bend + 2 * (wrong - far)) + steep))
    return <floating> (0 if factor == 0 else factor * (tail + (0 if wrong == 0 else size * wrong)))


cdef inline floating sigmoid_focal(floating y, floating z, double positive, double negative, double gamma, double d,
                                   floating* grad, floating* hess) noexcept nogil:
    return focal(y, z, positive * y + negative * (1 - <double> y), gamma, 0, False, grad, hess)


cdef void sigmoid_focal_kernel(const Block* block) noexcept nogil:
    run(sigmoid_focal[float], sigmoid_focal[double], block)

declare("sigmoid_focal", sigmoid_focal_kernel, ("positive", "negative", "gamma"))


cdef inline floating reduced_focal(floating y, floating z, double alpha, double gamma, double unit, double cut,
                                   floating* grad, floating* hess) noexcept nogil:
    """The label is hard, so the threshold is one of the margin, where the test for it is exact."""
    cdef double weight = 1 if alpha < 0 else (alpha if y > 0 else (1 - alpha) + (y - y))        # NaN for NaN
    return focal(y, z, weight, gamma, unit, (z if y > 0 else -z) < cut, grad, hess)


cdef void reduced_focal_kernel(const Block* block) noexcept nogil:
    run(reduced_focal[float], reduced_focal[double], block)

declare("reduced_focal", reduced_focal_kernel, ("alpha", "gamma", "unit", "cut"))


cdef inline floating asymmetric_focal(floating y, floating z, double gamma_neg, double gamma_pos, double clip, double d,
                                      floating* grad, floating* hess) noexcept nogil:
    """m^gamma (-log(1 - m)), m = sigmoid(t) - shift, t the score of the wrong class: m cancels near the shift.

    What depends on the label is arithmetic of 0 and 1: selects by it would be merged to branches.
    """
    cdef double tiny, product_lo, far_lo, share_lo, m_lo, log_lo, power_lo, e, product, log_m, entropy
    cdef double other = 1 - <double> y
    cdef double t = (other - y) * z
    cdef double shift = other * clip
    cdef double gamma = gamma_pos * y + gamma_neg * other
    cdef double size = abs(t)
    cdef double near = 1000 if size > 1000 else size        # beyond, only the value has a term left that grows
    if floating is float:
        e = exp(-near)
        tiny = 0
    else:
        e = exp_dd(-near, &tiny)
    cdef double bottom = 1 + e
    cdef double far = e / bottom
    if floating is float:
        share_lo = 0
        far_lo = 0
    else:
        product = two_prod(far, bottom, &product_lo)
        far_lo = (((e - product) - product_lo) + (tiny - far * ((e - (bottom - 1)) + tiny))) / bottom
    cdef double share = sum_for(y, 1, -far, &share_lo)
    share = share if t > 0 else far                             # sigmoid(t)
    share_lo = share_lo - far_lo if t > 0 else far_lo
    cdef double m = sum_for(y, share, -shift, &m_lo)
    m = sum_for(y, m, m_lo + share_lo, &m_lo)                   # all of it may be in the low part
    cdef bint clipped = m + m_lo <= 0
    m = 1 if clipped else m
    m_lo = 0 if clipped else m_lo
    cdef double complement = (far if t > 0 else 1 - far) + shift
    cdef bint steady = (t > 40) & (shift == 0)
    if floating is float:
        log_m = log_for(y, m)
        entropy = m * (1 + m / 2) if m < 1e-6 else -log_for(y, complement)
        product = exp_for(y, gamma * log_m, 0)
    else:
        log_m = log_dd(m, m_lo, &log_lo)
        entropy = -log1p(-(m + m_lo)) if m < 0.5 else -log(complement)
        product = two_prod(gamma, log_m, &power_lo)
        product = exp_hilo(product, power_lo + gamma * log_lo)
    entropy = near if steady else entropy
    cdef double factor = 0 if clipped else product
    cdef double steep = far * (1 - far)
    cdef double bend = 2 * far - 1 if t > 0 else 1 - 2 * far    # m'' / m'
    cdef double lean = steep / (m + m_lo)
    lean = (far if t > 0 else 1 - far) if shift == 0 else lean
    cdef double rise = (1 - far if t > 0 else far) if shift == 0 else steep / complement
    cdef double last = steep if shift == 0 else rise * (bend + rise)
    cdef double slope = factor * (gamma * lean * entropy + rise)
    cdef double curve = gamma * lean * (entropy * ((gamma - 1) * lean + bend) + 2 * rise) + last
    grad[0] = <floating> (-slope if y > 0 else slope)
    hess[0] = <floating> (factor * curve)
    return <floating> (0 if clipped else factor * (size if steady else entropy))


cdef void asymmetric_focal_kernel(const Block* block) noexcept nogil:
    run(asymmetric_focal[float], asymmetric_focal[double], block)

declare("asymmetric_focal", asymmetric_focal_kernel, ("gamma_neg", "gamma_pos", "clip"))


# Other losses of a logit --------------------------------------------------------------------------

cdef inline floating brier(floating y, floating z, double a, double b, double c, double d,
                           floating* grad, floating* hess) noexcept nogil:
    cdef double tail, far
    cdef double wrong = 1 - <double> y if z > 0 else y
    logistic_for(y, z, &tail, &far)
    cdef double steep = far * (1 - far)
    cdef double miss = wrong - far
    grad[0] = <floating> (2 * steep * (miss if z > 0 else -miss))
    hess[0] = <floating> (2 * steep * (steep - miss * (1 - 2 * far)))
    return <floating> (miss * miss)


cdef void brier_kernel(const Block* block) noexcept nogil:
    run(brier[float], brier[double], block)

declare("brier", brier_kernel)


cdef inline floating cross_entropy_lambda(floating y, floating z, double exposure, double log_exposure, double c,
                                          double d, floating* grad, floating* hess) noexcept nogil:
    """-y log(1 - e^-u) + (1 - y) u, u = exposure softplus(z); u keeps its low part for the sake of e^-u."""
    cdef double tail, far, soft_lo, u_lo, log_p, other = 1 - <double> y
    logistic_for(y, z, &tail, &far)
    cdef double soft = sum_for(y, z if z > 0 else 0, tail, &soft_lo)
    cdef double u = product_for(y, exposure, soft, &u_lo)
    if floating is double:
        u_lo = u_lo + exposure * soft_lo if u < 1000 else 0
    cdef double none = exp_for(y, -u, -u_lo)                    # 1 - p
    cdef double p = -expm1_for(y, -u, -u_lo)
    cdef double least = -300 if floating is float else -690    # where e^z saturates, or is near to underflow
    cdef bint remote = z < least                                # p = exposure e^z
    if floating is float:
        log_p = log_for(y, p) if none > 1e-6 else -none * (1 + none / 2)
    else:
        log_p = log(p) if u < 0.69 else log1p(-none)
    log_p = z + log_exposure if remote else log_p
    cdef double share = 1 - far if z > 0 else far               # sigmoid(z)
    cdef double ratio = 1 if remote else exposure * share / p
    cdef double miss = other - none if u > 0.69 else p - y
    grad[0] = <floating> (miss * ratio)
    hess[0] = <floating> (miss * ratio * (far if z > 0 else 1 - far) + y * none * ratio * ratio)
    cdef double none_cost = other * exposure * soft if u == INFINITY else other * u     # the product alone may overflow
    return <floating> ((-y * log_p if y != 0 else 0) + (none_cost if other != 0 else 0))


cdef void cross_entropy_lambda_kernel(const Block* block) noexcept nogil:
    run(cross_entropy_lambda[float], cross_entropy_lambda[double], block)

declare("cross_entropy_lambda", cross_entropy_lambda_kernel, ("exposure", "log_exposure"))


cdef inline floating slide(floating y, floating z, double mu, double before, double boost, double d,
                           floating* grad, floating* hess) noexcept nogil:
    cdef double tail, far
    cdef double wrong = 1 - <double> y if z > 0 else y
    cdef double weight = 1 if y <= before else (boost if y < mu else exp_for(y, 1 - <double> y, 0))
    logistic_for(y, z, &tail, &far)
    grad[0] = <floating> (weight * (wrong - far if z > 0 else far - wrong))
    hess[0] = <floating> (weight * (far * (1 - far)))
    return <floating> (weight * (tail + (0 if wrong == 0 else abs(<double> z) * wrong)))


cdef void slide_kernel(const Block* block) noexcept nogil:
    run(slide[float], slide[double], block)

declare("slide", slide_kernel, ("mu", "before", "boost"))
