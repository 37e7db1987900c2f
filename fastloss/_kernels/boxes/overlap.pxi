# Losses of how two boxes overlap, made of one part and of penalties for how they lie apart.
#
# What is not shared is summed from the strips between the edges, U - I = X ih + Y iw + ox oy + ux uy: `o` is how far
# the prediction lies beyond the target along an axis, `u` how far the target lies beyond the prediction, X = ox + ux,
# Y = oy + uy. Nothing of it cancels, so that the loss of boxes that are nearly the same has all its digits. The same
# goes for what the smallest box around both has beside their union, ox uy + ux oy.
#
# Where two edges meet, a derivative is the mean of those on both sides: of identical boxes it is 0. A quotient of 0 by
# 0 is 0: boxes without area, and boxes that are one point.

from libc.math cimport sqrt

from fastloss._kernels.vecmath cimport (
    atan_of, exp_of, expm1_for, exp_for, log1p_for, log1p_within_for, log_for
)

cdef double TWO_OVER_PI = 0.6366197723675814


cdef inline floating beyond(floating v) noexcept nogil:
    """The derivative of the larger of v and 0."""
    cdef floating half = 0.5, above = 1 if v > 0 else 0, not_below = 1 if v >= 0 else 0
    return half * (above + not_below)


cdef inline floating nothing(floating like) noexcept nogil:
    return <floating> (1e-36 if floating is float else 1e-300)


cdef inline floating over(floating n, floating d) noexcept nogil:
    """n / d, 0 where d is next to nothing in the unit of the boxes: a quotient and its square are then in range."""
    return 0 if d < nothing(d) else n / d


cdef inline floating least_area(const floating* q, double eps) noexcept nogil:
    """eps, which is an area, in the formula's unit."""
    return (<floating> eps * q[SCALE]) * q[SCALE]


cdef inline bint meet(const floating* q) noexcept nogil:
    return (q[SHARED_X] > 0) & (q[SHARED_Y] > 0)


cdef inline floating shared_area(const floating* q) noexcept nogil:
    return q[SHARED_X] * q[SHARED_Y] if meet(q) else 0


cdef inline floating unshared_area(const floating* q) noexcept nogil:
    cdef floating ox = positive(-q[LEFT]) + positive(q[RIGHT]), ux = positive(q[LEFT]) + positive(-q[RIGHT])
    cdef floating oy = positive(-q[TOP]) + positive(q[BOTTOM]), uy = positive(q[TOP]) + positive(-q[BOTTOM])
    cdef floating strips = (ox + ux) * q[SHARED_Y] + (oy + uy) * q[SHARED_X]
    cdef floating corners = ox * oy + ux * uy
    cdef floating areas = q[WIDTH] * q[HEIGHT] + q[TRUE_WIDTH] * q[TRUE_HEIGHT]
    return strips + corners if meet(q) else areas


cdef inline bint differ(const floating* q) noexcept nogil:
    return (q[LEFT] != 0) | (q[RIGHT] != 0) | (q[TOP] != 0) | (q[BOTTOM] != 0)


cdef inline floating overlap(const floating* q, floating eps, floating* iou, floating* g) noexcept nogil:
    """1 - I / (U + eps), the quotient itself, and its derivatives, by which those of others begin."""
    cdef floating shared = shared_area(q), apart = unshared_area(q), one = 1
    cdef floating union = shared + apart + eps
    cdef floating inverse = over(one, union)
    cdef floating alone = 1 if differ(q) else 0
    cdef floating ratio = shared * inverse
    cdef floating gain = (one + ratio) * inverse, cost = ratio * inverse
    cdef floating width = q[SHARED_X] if meet(q) else 0, height = q[SHARED_Y] if meet(q) else 0
    g[0] = gain * (height * beyond(q[LEFT])) - cost * q[HEIGHT]
    g[1] = gain * (width * beyond(q[TOP])) - cost * q[WIDTH]
    g[2] = cost * q[HEIGHT] - gain * (height * beyond(-q[RIGHT]))
    g[3] = cost * q[WIDTH] - gain * (width * beyond(-q[BOTTOM]))
    iou[0] = ratio
    return alone if union < nothing(union) else (apart + eps) / union


cdef inline floating finite(floating v) noexcept nogil:
    """The largest number in place of an infinite one: sums of derivatives of opposite edges stay numbers."""
    cdef floating most = <floating> (3.4028234663852886e38 if floating is float else 1.7976931348623157e308)
    v = most if v > most else v
    return -most if v < -most else v


cdef inline void scaled(const floating* q, floating* g) noexcept nogil:
    """Derivatives in the caller's unit of lengths."""
    g[0] = finite(g[0] * q[SCALE])
    g[1] = finite(g[1] * q[SCALE])
    g[2] = finite(g[2] * q[SCALE])
    g[3] = finite(g[3] * q[SCALE])


# The smallest box around both, and distances in it --------------------------------------------------

cdef inline floating spanned(floating size, floating true, floating low, floating high) noexcept nogil:
    """What both boxes span along an axis; its derivatives are beyond(low) - 1, and 1 - beyond(-high)."""
    return larger(size + positive(low) + positive(-high), true)


cdef inline floating off_centre(floating low, floating high) noexcept nogil:
    cdef floating half = 0.5
    return half * (low + high)


cdef inline floating vacancy(const floating* q, floating eps, floating* g) noexcept nogil:
    """The part of the smallest box around both that is in neither."""
    cdef floating across = spanned(q[WIDTH], q[TRUE_WIDTH], q[LEFT], q[RIGHT])
    cdef floating down = spanned(q[HEIGHT], q[TRUE_HEIGHT], q[TOP], q[BOTTOM])
    cdef floating ox = positive(-q[LEFT]) + positive(q[RIGHT]), ux = positive(q[LEFT]) + positive(-q[RIGHT])
    cdef floating oy = positive(-q[TOP]) + positive(q[BOTTOM]), uy = positive(q[TOP]) + positive(-q[BOTTOM])
    cdef floating corners = ox * uy + ux * oy
    cdef floating around = across * down, one = 1
    cdef floating empty = corners if meet(q) else around - unshared_area(q)
    cdef floating inverse = over(one, around + eps)
    cdef floating part = empty * inverse
    cdef floating rest = (one - part) * inverse
    cdef floating width = q[SHARED_X] if meet(q) else 0, height = q[SHARED_Y] if meet(q) else 0
    g[0] += rest * (down * (beyond(q[LEFT]) - one)) - inverse * (height * beyond(q[LEFT]) - q[HEIGHT])
    g[1] += rest * (across * (beyond(q[TOP]) - one)) - inverse * (width * beyond(q[TOP]) - q[WIDTH])
    g[2] += rest * (down * (one - beyond(-q[RIGHT]))) - inverse * (q[HEIGHT] - height * beyond(-q[RIGHT]))
    g[3] += rest * (across * (one - beyond(-q[BOTTOM]))) - inverse * (q[WIDTH] - width * beyond(-q[BOTTOM]))
    return part


cdef inline floating distance(const floating* q, floating eps, bint whole, floating factor,
                              floating* g) noexcept nogil:
    """The squared distance of the centres over the squared diagonal around both; its derivatives times `factor`.

    Unless they are of the `whole`, the diagonal counts as a constant.
    """
    cdef floating across = spanned(q[WIDTH], q[TRUE_WIDTH], q[LEFT], q[RIGHT])
    cdef floating down = spanned(q[HEIGHT], q[TRUE_HEIGHT], q[TOP], q[BOTTOM])
    cdef floating dx = off_centre(q[LEFT], q[RIGHT]), dy = off_centre(q[TOP], q[BOTTOM]), one = 1
    cdef floating inverse = over(one, across * across + down * down + eps)
    cdef floating part = (dx * dx + dy * dy) * inverse
    cdef floating by = factor * inverse
    cdef floating x = (part + part) * across if whole else 0, y = (part + part) * down if whole else 0
    g[0] += by * (dx - x * (beyond(q[LEFT]) - one))
    g[1] += by * (dy - y * (beyond(q[TOP]) - one))
    g[2] += by * (dx - x * (one - beyond(-q[RIGHT])))
    g[3] += by * (dy - y * (one - beyond(-q[BOTTOM])))
    return part


cdef inline floating aspect(const floating* q, floating* by_width, floating* by_height) noexcept nogil:
    """4 / pi^2 times the squared difference of the angles atan(width / height), and its derivatives in both.

    The difference is one arc tangent, of a quotient that is exact near 0. A box that is a point has any shape.
    """
    cdef floating two_over_pi = <floating> TWO_OVER_PI
    cdef floating across = q[RIGHT] - q[LEFT], down = q[BOTTOM] - q[TOP]
    cdef floating cross = q[TRUE_WIDTH] * down - q[TRUE_HEIGHT] * across
    cdef floating dot = q[TRUE_WIDTH] * q[WIDTH] + q[TRUE_HEIGHT] * q[HEIGHT]
    cdef floating turn = two_over_pi * atan_of(cross / dot if cross != 0 else 0)
    cdef floating square = q[WIDTH] * q[WIDTH] + q[HEIGHT] * q[HEIGHT]
    cdef floating slope = over((turn + turn) * two_over_pi, square)
    by_width[0] = -slope * q[HEIGHT]
    by_height[0] = slope * q[WIDTH]
    return turn * turn


# Losses ---------------------------------------------------------------------------------------------

cdef inline floating iou(const floating* q, double eps, double b, double c, double d, floating* g) noexcept nogil:
    cdef floating ratio
    cdef floating loss = overlap(q, least_area(q, eps), &ratio, g)
    scaled(q, g)
    return loss


cdef void iou_kernel(const BoxBlock* block) noexcept nogil:
    run(iou[float], iou[double], block)

declare("iou", iou_kernel, ("eps",))


cdef inline floating log_iou(const floating* q, double eps, double b, double c, double d, floating* g) noexcept nogil:
    """log((U + eps) / (I + eps)), as log(1 + (U - I) / (I + eps))."""
    cdef double small = eps * q[SCALE] * q[SCALE]
    cdef floating shared = shared_area(q), apart = unshared_area(q), one = 1
    cdef floating least = least_area(q, eps)
    cdef floating of_union = over(one, shared + apart + least), of_shared = over(one, shared + least)
    cdef floating width = q[SHARED_X] if meet(q) else 0, height = q[SHARED_Y] if meet(q) else 0
    cdef floating gain = of_union + of_shared
    cdef double none = INFINITY if differ(q) else 0
    cdef double ratio = apart / (shared + small) if shared + small != 0 else none
    g[0] = gain * (height * beyond(q[LEFT])) - of_union * q[HEIGHT]
    g[1] = gain * (width * beyond(q[TOP])) - of_union * q[WIDTH]
    g[2] = of_union * q[HEIGHT] - gain * (height * beyond(-q[RIGHT]))
    g[3] = of_union * q[WIDTH] - gain * (width * beyond(-q[BOTTOM]))
    scaled(q, g)
    return <floating> log1p_for(q[SCALE], ratio)


cdef void log_iou_kernel(const BoxBlock* block) noexcept nogil:
    run(log_iou[float], log_iou[double], block)

declare("log_iou", log_iou_kernel, ("eps",))


cdef inline floating giou(const floating* q, double eps, double b, double c, double d, floating* g) noexcept nogil:
    cdef floating ratio, least = least_area(q, eps)
    cdef floating loss = overlap(q, least, &ratio, g)
    loss += vacancy(q, least, g)
    scaled(q, g)
    return loss


cdef void giou_kernel(const BoxBlock* block) noexcept nogil:
    run(giou[float], giou[double], block)

declare("giou", giou_kernel, ("eps",))


cdef inline floating diou(const floating* q, double eps, double b, double c, double d, floating* g) noexcept nogil:
    cdef floating ratio, least = least_area(q, eps), one = 1
    cdef floating loss = overlap(q, least, &ratio, g)
    loss += distance(q, least, True, one, g)
    scaled(q, g)
    return loss


cdef void diou_kernel(const BoxBlock* block) noexcept nogil:
    run(diou[float], diou[double], block)

declare("diou", diou_kernel, ("eps",))


cdef inline floating ciou(const floating* q, double eps, double attached, double c, double d,
                          floating* g) noexcept nogil:
    """`attached` is 1 where the weight of the aspect ratio has a derivative, else 0."""
    cdef floating ratio, by_width, by_height, least = least_area(q, eps), one = 1, k = <floating> attached
    cdef floating loss = overlap(q, least, &ratio, g)
    cdef floating v = aspect(q, &by_width, &by_height)
    cdef floating alpha = over(v, loss + v + <floating> eps)
    cdef floating of_v = alpha + k * (alpha - alpha * alpha), of_loss = one - k * (alpha * alpha)
    g[0] = of_loss * g[0] - of_v * by_width
    g[1] = of_loss * g[1] - of_v * by_height
    g[2] = of_loss * g[2] + of_v * by_width
    g[3] = of_loss * g[3] + of_v * by_height
    loss += distance(q, least, True, one, g) + alpha * v
    scaled(q, g)
    return loss


cdef void ciou_kernel(const BoxBlock* block) noexcept nogil:
    run(ciou[float], ciou[double], block)

declare("ciou", ciou_kernel, ("eps", "attached"))


cdef inline floating stretch(floating size, floating true, floating low, floating high, floating eps, floating* g_low,
                             floating* g_high) noexcept nogil:
    """The squared difference of the sizes along an axis over the squared span of both."""
    cdef floating span = spanned(size, true, low, high), more = high - low, one = 1
    cdef floating inverse = over(one, span * span + eps)
    cdef floating part = more * more * inverse
    cdef floating twice = inverse + inverse
    g_low[0] -= twice * (more + part * span * (beyond(low) - one))
    g_high[0] += twice * (more - part * span * (one - beyond(-high)))
    return part


cdef inline floating eiou(const floating* q, double eps, double b, double c, double d, floating* g) noexcept nogil:
    cdef floating ratio, least = least_area(q, eps), one = 1
    cdef floating loss = overlap(q, least, &ratio, g)
    loss += distance(q, least, True, one, g)
    loss += stretch(q[WIDTH], q[TRUE_WIDTH], q[LEFT], q[RIGHT], least, &g[0], &g[2])
    loss += stretch(q[HEIGHT], q[TRUE_HEIGHT], q[TOP], q[BOTTOM], least, &g[1], &g[3])
    scaled(q, g)
    return loss


cdef void eiou_kernel(const BoxBlock* block) noexcept nogil:
    run(eiou[float], eiou[double], block)

declare("eiou", eiou_kernel, ("eps",))


cdef inline floating shift_cost(floating size, floating true, floating low, floating high, floating gamma,
                                floating* g_low, floating* g_high, floating* by) noexcept nogil:
    """1 - exp(gamma rho), rho the squared part of the span by which the centres are apart; halves of derivatives.

    `by` is how the cost goes with gamma.
    """
    cdef floating span = spanned(size, true, low, high), half = 0.5, one = 1
    cdef floating inverse = over(one, span)
    cdef floating part = off_centre(low, high) * inverse
    cdef floating rho = part * part
    cdef floating fade = exp_of(gamma * rho)
    cdef floating slope = -fade * gamma * part * inverse
    g_low[0] += half * slope * (one - (part + part) * (beyond(low) - one))
    g_high[0] += half * slope * (one - (part + part) * (one - beyond(-high)))
    by[0] = -fade * rho
    return <floating> -expm1_for(size, gamma * rho, 0)


cdef inline floating shape_cost(floating size, floating true, floating low, floating high, double theta,
                                floating* g_low, floating* g_high) noexcept nogil:
    """(1 - exp(-omega))^theta, omega the difference of the sizes over the larger one; halves of derivatives.

    The power is no better than its logarithm: beside the overlap it is small where that is large.
    """
    cdef floating most = larger(size, true), half = 0.5, one = 1
    cdef floating omega = over(magnitude(high - low), most)
    cdef double q = -expm1_for(size, -omega, 0)
    cdef double logarithm = log_for(size, larger(q, <double> 1e-300))
    cdef floating slope = <floating> (theta * exp_for(size, (theta - 1) * logarithm, 0)) * exp_of(-omega)
    cdef floating inverse = over(one, most)
    slope *= true * inverse * inverse * beyond(size - true) - inverse * beyond(true - size)
    g_low[0] -= half * slope
    g_high[0] += half * slope
    return <floating> exp_for(size, theta * logarithm, 0)


cdef inline floating siou(const floating* q, double eps, double theta, double c, double d, floating* g) noexcept nogil:
    """The angle's part, the sine of twice the angle between the centres' line and an axis, needs no angle."""
    cdef floating ratio, by_x, by_y, half = 0.5, one = 1
    cdef floating loss = overlap(q, least_area(q, eps), &ratio, g)
    cdef floating dx = off_centre(q[LEFT], q[RIGHT]), dy = off_centre(q[TOP], q[BOTTOM])
    cdef floating inverse = over(one, <floating> sqrt(dx * dx + dy * dy))
    cdef floating ux = dx * inverse, uy = dy * inverse
    cdef floating angle = magnitude(ux * uy), two = 2
    cdef floating gamma = angle + angle - two, turn, cost
    cost = shift_cost(q[WIDTH], q[TRUE_WIDTH], q[LEFT], q[RIGHT], gamma, &g[0], &g[2], &by_x)
    cost += shift_cost(q[HEIGHT], q[TRUE_HEIGHT], q[TOP], q[BOTTOM], gamma, &g[1], &g[3], &by_y)
    # Half of the costs, half for each edge.
    turn = half * (by_x + by_y) * (uy * uy - ux * ux) * inverse
    by_x = turn * magnitude(uy) * (beyond(ux) - beyond(-ux))
    by_y = -turn * magnitude(ux) * (beyond(uy) - beyond(-uy))
    g[0] += by_x
    g[1] += by_y
    g[2] += by_x
    g[3] += by_y
    cost += shape_cost(q[WIDTH], q[TRUE_WIDTH], q[LEFT], q[RIGHT], theta, &g[0], &g[2])
    cost += shape_cost(q[HEIGHT], q[TRUE_HEIGHT], q[TOP], q[BOTTOM], theta, &g[1], &g[3])
    scaled(q, g)
    return loss + half * cost


cdef void siou_kernel(const BoxBlock* block) noexcept nogil:
    run(siou[float], siou[double], block)

declare("siou", siou_kernel, ("eps", "theta"))


cdef inline floating alpha_iou(const floating* q, double eps, double alpha, double c, double d,
                               floating* g) noexcept nogil:
    """1 - IoU^alpha, from the logarithm of 1 - loss where that is the smaller."""
    cdef floating ratio
    cdef floating loss = overlap(q, least_area(q, eps), &ratio, g)
    cdef bint far = loss > 0.5
    cdef double small = log_for(loss, ratio if far and ratio > 0 else 1)
    cdef double logarithm = small if far else log1p_within_for(loss, -(0 if far else loss))
    cdef floating factor = <floating> (alpha * exp_for(loss, (alpha - 1) * logarithm, 0)) if ratio > 0 else 0 * ratio
    cdef floating value = <floating> -expm1_for(loss, alpha * logarithm, 0)
    g[0] *= factor
    g[1] *= factor
    g[2] *= factor
    g[3] *= factor
    scaled(q, g)
    return value if ratio > 0 else loss


cdef void alpha_iou_kernel(const BoxBlock* block) noexcept nogil:
    run(alpha_iou[float], alpha_iou[double], block)

declare("alpha_iou", alpha_iou_kernel, ("eps", "alpha"))


cdef inline floating mpdiou(const floating* q, double eps, double diagonal, double c, double d,
                            floating* g) noexcept nogil:
    """The corners' squared distances are in units of the image's squared diagonal."""
    cdef floating ratio, k = <floating> (1 / diagonal)
    cdef floating left = k * q[LEFT] / q[SCALE], top = k * q[TOP] / q[SCALE]
    cdef floating right = k * q[RIGHT] / q[SCALE], bottom = k * q[BOTTOM] / q[SCALE]
    cdef floating loss = overlap(q, least_area(q, eps), &ratio, g)
    scaled(q, g)
    g[0] = finite(g[0] + (left + left) * k)
    g[1] = finite(g[1] + (top + top) * k)
    g[2] = finite(g[2] + (right + right) * k)
    g[3] = finite(g[3] + (bottom + bottom) * k)
    return loss + ((left * left + top * top) + (right * right + bottom * bottom))


cdef void mpdiou_kernel(const BoxBlock* block) noexcept nogil:
    run(mpdiou[float], mpdiou[double], block)

declare("mpdiou", mpdiou_kernel, ("eps", "diagonal"))


cdef inline floating wise_iou(const floating* q, double eps, double b, double c, double d, floating* g) noexcept nogil:
    """exp(the distance's part) (1 - IoU), of which the diagonal counts as a constant."""
    cdef floating ratio, focus, least = least_area(q, eps)
    cdef floating loss = overlap(q, least, &ratio, g)
    cdef floating apart[4]
    apart[0] = apart[1] = apart[2] = apart[3] = 0
    focus = exp_of(distance(q, least, False, loss, apart))
    g[0] = focus * (g[0] + apart[0])
    g[1] = focus * (g[1] + apart[1])
    g[2] = focus * (g[2] + apart[2])
    g[3] = focus * (g[3] + apart[3])
    scaled(q, g)
    return focus * loss


cdef void wise_iou_kernel(const BoxBlock* block) noexcept nogil:
    run(wise_iou[float], wise_iou[double], block)

declare("wise_iou", wise_iou_kernel, ("eps",))


cdef inline void within(floating size, floating true, floating low, floating high, floating ratio, floating* inner_low,
                        floating* inner_high, floating* shared) noexcept nogil:
    """Distances and what is shared of both boxes shrunk about their centres."""
    cdef floating half = 0.5
    cdef floating centre = off_centre(low, high), more = half * ratio * (high - low)
    inner_low[0] = centre - more
    inner_high[0] = centre + more
    shared[0] = smaller(ratio * smaller(size, true), half * ratio * (size + true) - magnitude(centre))


cdef inline floating inner_iou(const floating* q, double eps, double shrink, double c, double d,
                               floating* g) noexcept nogil:
    cdef floating p[SCALE + 1]
    cdef floating ratio, loss, left, top, half = 0.5, k = <floating> shrink
    p[WIDTH] = k * q[WIDTH]
    p[TRUE_WIDTH] = k * q[TRUE_WIDTH]
    p[HEIGHT] = k * q[HEIGHT]
    p[TRUE_HEIGHT] = k * q[TRUE_HEIGHT]
    within(q[WIDTH], q[TRUE_WIDTH], q[LEFT], q[RIGHT], k, &p[LEFT], &p[RIGHT], &p[SHARED_X])
    within(q[HEIGHT], q[TRUE_HEIGHT], q[TOP], q[BOTTOM], k, &p[TOP], &p[BOTTOM], &p[SHARED_Y])
    p[SCALE] = q[SCALE]
    loss = overlap(p, least_area(q, eps), &ratio, g)
    left = half * ((g[0] + g[2]) + k * (g[0] - g[2]))
    top = half * ((g[1] + g[3]) + k * (g[1] - g[3]))
    g[2] = half * ((g[0] + g[2]) + k * (g[2] - g[0]))
    g[3] = half * ((g[1] + g[3]) + k * (g[3] - g[1]))
    g[0] = left
    g[1] = top
    scaled(q, g)
    return loss


cdef void inner_iou_kernel(const BoxBlock* block) noexcept nogil:
    run(inner_iou[float], inner_iou[double], block)

declare("inner_iou", inner_iou_kernel, ("eps", "ratio"))
