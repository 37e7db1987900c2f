# Losses of boxes as normal distributions, in float64 throughout.
#
# A box of sides 2 a and 2 b is the distribution of its centre and the variances a^2 and b^2 along its sides. Two of
# them are compared by their sides, the turn between them, and the line between their centres along the sides of each.
# Where one is long and the other tall, the target is turned by a right angle and its sides exchanged, which is the same
# box: then what makes the shapes differ is a sum of terms that are not negative.
#
# A box without area is infinitely far from every other one, and not from itself; one whose sides are less than 1e-70 of
# the others' has none.

from fastloss._kernels.vecmath cimport less_log1p, log, sincos


cdef inline floating nwd(const floating* q, double constant, double b, double c, double d, floating* g) noexcept nogil:
    """1 - exp(-W / constant), W^2 half of the sum of the squared distances of the edges."""
    cdef double left = q[LEFT], top = q[TOP], right = q[RIGHT], bottom = q[BOTTOM]
    cdef double square = 0.5 * ((left * left + top * top) + (right * right + bottom * bottom))
    cdef double root = sqrt(square)
    cdef double z = root / (constant * q[SCALE])
    cdef double slope = over(exp_for(q[SCALE], -z, 0), 2 * constant * root)
    g[0] = <floating> (slope * left)
    g[1] = <floating> (slope * top)
    g[2] = <floating> (slope * right)
    g[3] = <floating> (slope * bottom)
    return <floating> -expm1_for(q[SCALE], -z, 0)


cdef void nwd_kernel(const BoxBlock* block) noexcept nogil:
    run(nwd[float], nwd[double], block)

declare("nwd", nwd_kernel, ("constant",))


# Rotated boxes ----------------------------------------------------------------------------------------

# What the losses of rotated boxes are made of.
cdef struct Twist:
    double a                            # the prediction's sides
    double b
    double u                            # the target's, in the order that suits them
    double v
    double cosine                       # of the turn from the target to the prediction
    double sine
    double aside                        # the squared sine of the turn, if the target's sides are exchanged the cosine
    double along                        # 1 less that
    double skew                         # (a^2 - b^2) times the target's, whose sign says whether they are
    bint flat                           # one of them has no area
    bint same                           # they are identical
    double scale


cdef inline Twist twisted(const floating* q) noexcept nogil:
    cdef Twist t
    cdef double first = positive(<double> q[TRUE_LENGTH]), second = positive(<double> q[TRUE_BREADTH])
    cdef bint crossed
    t.a = positive(<double> q[LENGTH])
    t.b = positive(<double> q[BREADTH])
    sincos(q[TURN], &t.sine, &t.cosine)
    t.skew = ((t.a - t.b) * (t.a + t.b)) * ((first - second) * (first + second))
    crossed = t.skew < 0
    t.u = second if crossed else first
    t.v = first if crossed else second
    t.aside = t.cosine * t.cosine if crossed else t.sine * t.sine
    t.along = t.sine * t.sine if crossed else t.cosine * t.cosine
    t.flat = (t.a * t.b) * (first * second) < 1e-280
    t.same = (t.a == first) & (t.b == second) & (q[ACROSS] == 0) & (q[DOWN] == 0) & (t.sine == 0)
    t.scale = q[SCALE]
    return t


cdef inline double of_each(double constant, const Twist* t) noexcept nogil:
    """A constant that a loop compares: as a number of each pair, without which GCC does not vectorise the choice."""
    return constant + 0 * t.scale


cdef inline double bent(floating like, double distance, double fun, double tau, double* slope) noexcept nogil:
    """1 - 1 / (tau + f), or f where tau is less than 1; f is the distance, its log1p or its root. 0 for 0 and tau 1."""
    cdef double root = sqrt(distance)
    cdef double logarithm = log1p_for(like, distance if distance < INFINITY else 0)
    cdef double f = logarithm if fun == 1 else distance
    cdef double by = 1 / (1 + distance) if fun == 1 else 1
    cdef double turned
    f = root if fun == 2 else f
    f = distance if not (distance < INFINITY) else f
    by = over(<double> 0.5, root) if fun == 2 else by
    turned = 1 / (tau + f)
    slope[0] = by * (turned * turned) if tau >= 1 else by
    if tau >= 1:
        return ((tau - 1) + f) * turned if f < INFINITY else 1 + 0 * turned
    return f


cdef inline double sound(double by, double slope, double value) noexcept nogil:
    """The product, 0 where parts of it are out of range, NaN where the value is."""
    cdef double product = by * slope
    cdef double none = 0 * value if value < INFINITY else 0
    none = value if value != value else none
    product = product if product == product else none
    return product if by != 0 else none


cdef inline floating given(const Twist* t, floating like, double value, double slope, double x, double y, double w,
                           double h, double angle, floating* g) noexcept nogil:
    """The value of a pair of boxes; derivatives of lengths in the caller's unit, 0 where there are none."""
    cdef double by = 0 if t.flat | t.same else slope
    g[0] = <floating> sound(by, x * t.scale, value)
    g[1] = <floating> sound(by, y * t.scale, value)
    g[2] = <floating> sound(by, w * t.scale, value)
    g[3] = <floating> sound(by, h * t.scale, value)
    g[4] = <floating> sound(by, angle, value)
    return 0 if t.same else <floating> value


cdef inline floating gwd(const floating* q, double fun, double tau, double alpha, double normalize,
                         floating* g) noexcept nogil:
    """The distance of Wasserstein, over twice the fourth root of the product of all half sides.

    The sides here are whole: distances of centres count twice, and the root is that of the sides.
    """
    cdef Twist t = twisted(q)
    cdef double chosen = of_each(fun, &t), shift = of_each(tau, &t), relative = of_each(normalize, &t)
    cdef double dx = 2 * q[ACROSS], dy = 2 * q[DOWN]
    cdef double straight = t.a * t.u + t.b * t.v, across = t.a * t.v + t.b * t.u
    cdef double middle = sqrt(t.along * (straight * straight) + t.aside * (across * across))
    cdef double skew = fabs(t.skew)
    cdef double least = over(skew, straight + middle)
    cdef double shape = (t.a - t.u) * (t.a - t.u) + (t.b - t.v) * (t.b - t.v) + 2 * t.aside * least
    cdef double k = over(t.aside, middle), square = alpha * alpha
    cdef double root = sqrt(dx * dx + dy * dy + square * shape)
    # 1 over the unit of the distance, of whole sides: 2 times the root, or 2 in the caller's unit.
    cdef double norm = over(<double> 1, 2 * sqrt(sqrt(t.a * t.b * (t.u * t.v)))), plain = 0.5 / t.scale
    cdef double by = norm if relative != 0 else plain
    cdef double distance = root * by, slope, value, w, h, part, half = over(by, root)
    cdef double infinite = INFINITY if (relative != 0) & t.flat else 0
    t.flat = t.flat & (relative != 0)
    value = bent(q[0], distance + infinite, chosen, shift, &slope)
    part = 0.25 * distance if relative != 0 else 0
    w = half * square * ((t.a - t.u) + k * (t.u * (straight - least) - across * t.v)) - over(part, t.a)
    h = half * square * ((t.b - t.v) + k * (t.v * (straight - least) - across * t.u)) - over(part, t.b)
    return given(&t, q[0], value, slope, 2 * half * dx, 2 * half * dy, w, h,
                 half * square * t.sine * t.cosine * over(t.skew, middle), g)


cdef void gwd_kernel(const BoxBlock* block) noexcept nogil:
    run_rotated(gwd[float], gwd[double], block)

declare("gwd", gwd_kernel, ("fun", "tau", "alpha", "normalize"))


cdef inline double excess(double side, double target) noexcept nogil:
    """What the squared quotient target / side is more than 1."""
    return over(target - side, side) * over(target + side, side)


cdef inline double divergence(double side, double target, double e) noexcept nogil:
    """e less the logarithm of the squared quotient."""
    cdef double off = fabs(e - 0.25)
    cdef double close = less_log1p(e if off < 0.75 else 0)
    cdef double apart = e - 2 * log(1 if off < 0.75 else over(target, side))
    return close if off < 0.75 else apart


cdef inline floating kld(const floating* q, double fun, double tau, double alpha, double root,
                         floating* g) noexcept nogil:
    """The divergence of Kullback and Leibler from the prediction to the target, or its root."""
    cdef Twist t = twisted(q)
    cdef double sine, cosine, slope, value, by
    cdef double e, f, x, y, p, r, s, distance, apart, side, k = 4 / (alpha * alpha)
    cdef double chosen = of_each(fun, &t), shift = of_each(tau, &t), rooted = of_each(root, &t)
    sincos(q[ANGLE], &sine, &cosine)
    # The line between the centres along the prediction's sides, in units of these.
    x = over(cosine * q[ACROSS] + sine * q[DOWN], t.a)
    y = over(cosine * q[DOWN] - sine * q[ACROSS], t.b)
    e = excess(t.a, t.u)
    f = excess(t.b, t.v)
    s = (t.u - t.v) * (t.u + t.v)
    p = over(<double> 1, t.a)
    r = over(<double> 1, t.b)
    apart = over(fabs(t.skew), (t.a * t.b) * (t.a * t.b))
    distance = 0.5 * (k * (x * x + y * y) + divergence(t.a, t.u, e) + divergence(t.b, t.v, f) + t.aside * apart)
    distance = INFINITY if t.flat else distance
    side = sqrt(distance)
    by = over(<double> 0.5, side) if rooted != 0 else 1
    value = bent(q[0], side if rooted != 0 else distance, chosen, shift, &slope)
    return given(&t, q[0], value, slope * by,
                 k * (x * cosine * p - y * sine * r), k * (x * sine * p + y * cosine * r),
                 (t.aside * s * (p * p) - e - k * (x * x)) * p, -(t.aside * s * (r * r) + f + k * (y * y)) * r,
                 k * x * y * ((t.b - t.a) * (t.b + t.a)) * (p * r)
                 + t.sine * t.cosine * over(t.skew, (t.a * t.b) * (t.a * t.b)), g)


cdef void kld_kernel(const BoxBlock* block) noexcept nogil:
    run_rotated(kld[float], kld[double], block)

declare("kld", kld_kernel, ("fun", "tau", "alpha", "root"))


cdef inline floating prob_iou(const floating* q, double a, double b, double c, double d, floating* g) noexcept nogil:
    """The distance of Hellinger, sqrt(1 - exp(-B)), B that of Bhattacharyya; variances are squared sides over 12."""
    cdef Twist t = twisted(q)
    cdef double sine, cosine, sine_true, cosine_true
    cdef double x, y, z, w, areas, first, second, third, more, whole, quadratic, distance, hellinger, slope
    cdef double by_a, by_b, by_turn, m, inverse
    sincos(q[ANGLE], &sine, &cosine)
    sine_true = sine * t.cosine - cosine * t.sine
    cosine_true = cosine * t.cosine + sine * t.sine
    # The line between the centres along the sides of the prediction, and along those of the target.
    x = cosine * q[ACROSS] + sine * q[DOWN]
    y = cosine * q[DOWN] - sine * q[ACROSS]
    z = cosine_true * q[ACROSS] + sine_true * q[DOWN]
    w = cosine_true * q[DOWN] - sine_true * q[ACROSS]
    # 1 + more is the determinant of the sum of the variances over four times the root of their determinants' product.
    areas = (t.a * t.b) * (t.u * t.v)
    first = (t.a - t.u) * t.b + t.u * (t.b - t.v)
    second = (t.a - t.u) * t.v - (t.b - t.v) * t.u
    third = t.a * t.u - t.b * t.v
    inverse = over(<double> 0.25, areas)
    more = (first * first + t.along * (second * second) + t.aside * (third * third)) * inverse
    # Sides of the target where it was given them.
    m = positive(<double> q[TRUE_LENGTH])
    b = positive(<double> q[TRUE_BREADTH])
    quadratic = (t.b * x) * (t.b * x) + (t.a * y) * (t.a * y) + (b * z) * (b * z) + (m * w) * (m * w)
    whole = over(<double> 0.75, areas * (1 + more))
    distance = whole * quadratic + 0.5 * log1p_for(q[0], more)
    hellinger = sqrt(-expm1_for(q[0], -distance, 0))
    slope = over(0.5 * exp_for(q[0], -distance, 0), hellinger)
    by_a = 2 * inverse * (first * t.b + t.along * second * t.v + t.aside * third * t.u) - over(more, t.a)
    by_b = 2 * inverse * (first * t.a - t.along * second * t.u - t.aside * third * t.v) - over(more, t.b)
    by_turn = 2 * inverse * t.sine * t.cosine * t.skew
    c = over(0.5 - whole * quadratic, 1 + more)
    d = 2 * whole
    return given(
        &t, q[0], 1 if t.flat else hellinger, slope,
        d * (t.b * t.b * x * cosine - t.a * t.a * y * sine + b * b * z * cosine_true - m * m * w * sine_true),
        d * (t.b * t.b * x * sine + t.a * t.a * y * cosine + b * b * z * sine_true + m * m * w * cosine_true),
        d * t.a * (y * y) - over(whole * quadratic, t.a) + c * by_a,
        d * t.b * (x * x) - over(whole * quadratic, t.b) + c * by_b,
        d * x * y * ((t.b - t.a) * (t.b + t.a)) + c * by_turn, g)


cdef void prob_iou_kernel(const BoxBlock* block) noexcept nogil:
    run_rotated(prob_iou[float], prob_iou[double], block)

declare("prob_iou", prob_iou_kernel)
