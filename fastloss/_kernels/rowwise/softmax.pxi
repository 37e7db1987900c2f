# Losses of the softmax of a row: functions of its probabilities p_k = exp(x_k - lse), lse = log sum_j exp(x_j).
#
# With a label y they are functions of u = log sum_{k != y} exp(x_k) - x_y: the target has probability
# sigmoid(-u), all others together sigmoid(u), both exact to the last bits however small they are.

from libc.math cimport sqrt
from fastloss._kernels.vecmath cimport (
    exp_for, exp_in_sum, exp_nonpositive, expm1_for, log1p_for, log1p_within,
    log1p_within_for, log_for, power_for, product_for
)

# The label's class against all others, where s0 = sum exp(x_k - shift) over those, their largest term 1.
cdef struct Odds:
    double loss                         # -log of the target's probability
    double hit                          # that probability
    double miss                         # and that of all others
    double share                        # miss / s0
    double above                        # lse less the shift
    double lse


cdef inline Odds odds(const Row* r, double target, double scale, floating like) noexcept nogil:
    """With w = exp(target - shift), s0 + w is kept as a sum of terms of which none is above 1."""
    cdef Odds o
    # All others may be -inf: then the target is certain, or if it is -inf too, NaN comes of itself.
    cdef double highest = r.shift if r.s0 >= 0.5 else -INFINITY
    cdef double down = (highest - target) * scale
    cdef double e = exp_for(like, -down if down > 0 else down, 0)
    cdef double tail = (r.s0 - 1) + e if down > 0 else r.s0 * e
    cdef double inverse = 1 / (1 + tail)
    tail = log1p_within_for(like, tail)     # a sum of numbers up to 1
    o.loss = (down if down > 0 else 0) + tail
    o.hit = e * inverse if down > 0 else inverse
    o.share = inverse if down > 0 else e * inverse
    o.miss = r.s0 * o.share
    o.above = tail if down > 0 else (target - r.shift) * scale + tail
    o.lse = (r.shift if down > 0 else target) * scale + tail
    return o


cdef inline double limit_of(double lse, double shift, bint nothing, double target) noexcept nogil:
    """The log-sum-exp of a row, also of one of -inf alone and of one with an infinite logit, which have no softmax."""
    return -INFINITY if nothing else INFINITY if shift == INFINITY and target == target else lse


# Cross-entropy with the parameters (1 - smoothing, z_loss, factor of the curvature, logit scale) -----

cdef inline void sum_others(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                            floating* s3) noexcept nogil:
    s0[0] += exp_in_sum(x)


cdef inline void sum_others_and_smoothing(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                          floating* s2, floating* s3) noexcept nogil:
    s0[0] += exp_in_sum(x)
    s2[0] += 0 if t == 0 else t * x
    s3[0] += t


cdef inline void finish_cross_entropy(Row* r, double classes, double kept, double z_loss, double curve,
                                      double scale, floating like) noexcept nogil:
    cdef Odds o = odds(r, r.target, scale, like)
    cdef double weight = r.label_weight * kept
    cdef double even = r.label_weight * ((1 - kept) / classes)
    cdef double lse = o.lse
    cdef double penalised = lse if z_loss != 0 else 0
    cdef double z = 2 * z_loss * penalised
    cdef double slope = weight + even + r.s3 + z
    r.lse = limit_of(lse, r.shift, (r.s0 == 0) & (r.target == -INFINITY), r.target)
    r.value = weighed(weight, o.loss) + 0.5 * z * penalised + (
        (r.s3 * o.above - r.s2) + weighed(even, o.loss) if kept != 1 else 0
    )
    r.a = slope * o.share
    r.b = 1
    r.target_grad = (r.s3 + z) * o.hit - (weight + even) * o.miss
    r.c = curve * slope * o.share
    r.d = curve * o.share * o.share * (2 * z_loss - slope)
    r.target_hess = curve * (slope * o.hit * o.miss + 2 * z_loss * o.hit * o.hit)


cdef inline void brief_cross_entropy(Lanes* r, bint value_only, floating like) noexcept nogil:
    """... without smoothing and z-loss, of logits that are not scaled.

    The difference of two logits loses to rounding what is added again to first order. Where all others are -inf the
    target is certain, or if it is -inf too, NaN comes of itself.
    """
    cdef floating s0, highest, target, down, back, lost, e, tail, inverse, share, one = 1
    cdef bint behind
    cdef Py_ssize_t i
    for i in range(LANES):
        s0 = <floating> r.s0[i]
        target = <floating> r.target[i]
        highest = <floating> r.shift[i] if s0 >= <floating> 0.5 else -INFINITY
        down = highest - target
        back = down - highest
        lost = (highest - (down - back)) - (target + back)
        lost = lost if lost == lost else 0              # of infinite logits
        behind = down > 0
        e = exp_nonpositive(-down if behind else down)
        tail = (s0 - one) + e if behind else s0 * (e + e * lost)
        r.value[i] = weighed(r.label_weight[i], log1p_within(tail) + (down + lost if behind else 0))
        if not value_only:
            inverse = one / (one + tail)
            share = inverse if behind else e * inverse
            r.a[i] = r.label_weight[i] * share
            r.target_grad[i] = -r.label_weight[i] * (s0 * share)


cdef void brief_cross_entropy_loop(RowGroup* g) noexcept nogil:
    if g.value_only:
        brief_cross_entropy(&g.lanes, True, <float> 1)
    else:
        brief_cross_entropy(&g.lanes, False, <float> 1)


cdef inline floating map_cross_entropy(floating x, floating t, floating a, floating b, floating c, floating d,
                                       floating u, floating v, floating* hess) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    hess[0] = e * (c + d * e)
    return a * e - b * t


# ... with a target for each class: s0 is the sum without the largest logits, s1 how many of them there are.

cdef inline void sum_dense(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    s0[0] += 0 if x == 0 else exp_nonpositive(x)
    s1[0] += 1 if x == 0 else 0
    s2[0] += 0 if t == 0 else t * x
    s3[0] += t


cdef inline void finish_dense_cross_entropy(Row* r, double classes, double kept, double z_loss,
                                            double curve, double scale, floating like) noexcept nogil:
    cdef double rest = r.s0 + (r.s1 - 1)
    cdef double above = log1p_for(like, rest)
    cdef double lse = r.shift * scale + above
    cdef double penalised = lse if z_loss != 0 else 0
    cdef double z = 2 * z_loss * penalised
    cdef double slope = r.s3 + z
    r.lse = limit_of(lse, r.shift, rest == -1, 0)
    r.value = (r.s3 * above - r.s2) + 0.5 * z * penalised
    r.u = 1 / (1 + rest)             # the largest probability
    r.v = rest / (1 + rest)          # and what it lacks of 1
    r.a = slope
    r.b = 1
    r.c = curve * slope
    r.d = curve * 2 * z_loss


cdef inline void finish_distribution(Row* r, double classes, double a, double b, double c, double scale,
                                     floating like) noexcept nogil:
    """Neither smoothed nor penalised."""
    finish_dense_cross_entropy(r, classes, 1, 0, 1, scale, like)


cdef inline floating map_dense_cross_entropy(floating x, floating t, floating a, floating b, floating c, floating d,
                                             floating u, floating v, floating* hess) noexcept nogil:
    cdef floating p = exp_nonpositive(x) * u, rest = 1 - p
    cdef floating other = v if x == 0 else rest
    cdef floating near_one = (a - b * t) - a * v, slope = a * p - b * t
    hess[0] = p * (c * other + d * p)
    return near_one if (x == 0) & (p > v) else slope


# Scores of a token: also the entropy of its distribution -------------------------------------------

cdef inline void sum_token(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    cdef floating e = exp_in_sum(x)
    s0[0] += e
    s1[0] += 0 if x == -INFINITY else e * x


cdef inline void finish_token(Row* r, double classes, double a, double b, double c, double scale,
                              floating like) noexcept nogil:
    """H = p_y (-log p_y) + p_o (-log p_o + H_o) with all other classes o: no term is negative."""
    cdef Odds o = odds(r, r.target, scale, like)
    cdef double others = log_for(like, r.s0)
    finish_cross_entropy(r, classes, 1, 0, 1, scale, like)
    r.entropy = (o.hit * o.loss if o.hit > 0 else o.hit) + (
        o.miss * ((o.above - others) + (others - r.s1 / r.s0)) if r.s0 >= 0.5 and o.miss > 0 else 0
    )


# Other functions f of u ---------------------------------------------------------------------------
#
# As d miss / du = hit miss, the slope f' = g miss gives f'' = (g hit + g') miss.

cdef inline void finish_odds(Row* r, const Odds* o, double value, double slope,
                             double change) noexcept nogil:
    """f, g and g'."""
    cdef double weight = r.label_weight, share = weight * o.share
    cdef double inverse = 1 / r.s0 if r.s0 >= 0.5 else 0
    r.value = weighed(weight, value)
    r.a = slope * share
    r.target_grad = -slope * weight * o.miss
    r.c = slope * share
    r.d = share * (change * inverse - slope * o.share)
    r.target_hess = weight * o.miss * (slope * o.hit + change)


cdef inline floating map_others(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                floating v, floating* hess) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    hess[0] = e * (c + d * e)
    return a * e


cdef inline void finish_softmax_focal(Row* r, double classes, double gamma, double b, double c,
                                      double scale, floating like) noexcept nogil:
    """With the ratio R = loss / miss, which tends to 1: R' = 1 - hit R."""
    cdef Odds o = odds(r, r.target, scale, like)
    cdef double fading = power_for(like, o.miss, 0, gamma)
    cdef double ratio = o.loss / o.miss if o.miss > 0 else 1
    cdef double hit_ratio = o.hit * ratio if o.hit > 0 else 0
    cdef double change = gamma * fading * (o.hit * (gamma * hit_ratio + 2) - hit_ratio)
    finish_odds(r, &o, fading * o.loss, fading * (gamma * hit_ratio + 1), change)


cdef inline void finish_poly1(Row* r, double classes, double epsilon, double b, double c,
                              double scale, floating like) noexcept nogil:
    cdef Odds o = odds(r, r.target, scale, like)
    cdef double slope = 1 + epsilon * o.hit if o.hit < 0.5 else (1 + epsilon) - epsilon * o.miss
    finish_odds(r, &o, o.loss + epsilon * o.miss, slope, -epsilon * o.hit * o.miss)


cdef inline void finish_generalized_cross_entropy(Row* r, double classes, double q, double b, double c,
                                                  double scale, floating like) noexcept nogil:
    """The slope is hit^q, of the logarithm of `hit` where that underflows."""
    cdef Odds o = odds(r, r.target, scale, like)
    cdef double lo
    cdef double exponent = product_for(like, -q, r.shift - r.target, &lo), rest = lo - q * o.above
    cdef double far = exp_for(like, exponent + rest if floating is float else exponent, rest)
    cdef double least = 1e-130 if floating is float else 1e-290
    cdef double slope = far if o.hit < least else power_for(like, o.hit, 0, q)
    finish_odds(r, &o, -expm1_for(like, -q * o.loss, 0) / q, slope, -q * slope * o.miss)


cdef inline void finish_cos_face(Row* r, double classes, double margin, double b, double c,
                                 double scale, floating like) noexcept nogil:
    cdef Odds o = odds(r, r.target - margin, scale, like)
    finish_odds(r, &o, o.loss, 1, 0)


cdef inline void finish_arc_face(Row* r, double classes, double cos_margin, double sin_margin,
                                 double lowered, double scale, floating like) noexcept nogil:
    """The target's cosine becomes cos(angle + margin), or beyond a sum of pi its own less `lowered`.

    The derivative grows without bound towards 1: the sine there is at least that of a cosine of 1 - 2^-24.
    """
    cdef double cosine = r.target
    cdef double square = (1 - cosine) * (1 + cosine)
    cdef double sine = sqrt(square if square > 0 else 0)
    cdef double least = sine if sine > 3.4526697e-4 else 3.4526697e-4
    cdef bint within = cosine > -cos_margin
    cdef double slope = cos_margin + sin_margin * cosine / least if within else 1
    cdef double bend = sin_margin / (least * least * least) if within else 0
    cdef Odds o = odds(r, cosine * cos_margin - sine * sin_margin if within else cosine - lowered, scale, like)
    finish_odds(r, &o, o.loss, 1, 0)
    r.target_hess = slope * slope * r.target_hess + bend / scale * r.target_grad
    r.target_grad = slope * r.target_grad


# The entropy of p: s0 and s1 are those of a target for each class, s2 is the sum of exp(x) x ------------

cdef inline void sum_entropy(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    s0[0] += 0 if x == 0 else e
    s1[0] += 1 if x == 0 else 0
    s2[0] += 0 if x == -INFINITY else e * x


cdef inline void finish_softmax_entropy(Row* r, double classes, double a, double b, double c,
                                        double scale, floating like) noexcept nogil:
    """With the mean m = sum p_k x_k <= 0, H = log1p(rest) - m: no term is negative. And log p_k + H = x_k - m."""
    cdef double rest = r.s0 + (r.s1 - 1)
    cdef double largest = 1 / (1 + rest)
    r.u = r.s2 * largest
    r.value = log1p_for(like, rest) - r.u
    r.v = largest
    r.a = largest
    r.c = largest
    r.d = largest * largest * rest      # p (1 - p) of a class of the largest logit


cdef inline floating map_softmax_entropy(floating x, floating t, floating a, floating b, floating c, floating d,
                                         floating u, floating v, floating* hess) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    cdef floating below = 0 if x == -INFINITY else u - x
    cdef floating p = e * v, rest = 1 - p, change = rest - p, part = e * c * rest
    hess[0] = e * c * change * below - (d if x == 0 else part)
    return e * (a * below)


# The label alone ------------------------------------------------------------------------------------

cdef inline void finish_negative_log_likelihood(Row* r, double classes, double a, double b, double c,
                                                double scale, floating like) noexcept nogil:
    r.value = weighed(r.label_weight, -r.target)
    r.target_grad = -r.label_weight


# Brier score: with B = sum p_k (p_k - t_k), the gradient is 2 p_k (p_k - t_k - B) ---------------------
#
# In two passes: `q` of the second is the largest probability, or where that is more than a half what it lacks of 1,
# below 0. Then its own share of B is subtracted without rounding.

cdef inline void sum_rest(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                          floating* s3) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    s0[0] += 0 if x == 0 else e
    s1[0] += 1 if x == 0 else 0


cdef inline void sum_brier(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    cdef floating one = 1
    cdef floating top = 1 if x == 0 else 0, rest = one - top, positive = 1 if q > 0 else 0
    cdef floating p = exp_nonpositive(x) * (q + (one - positive))
    cdef floating top_off = (one - t) - (positive - q), other_off = p - t
    cdef floating off = top_off if x == 0 else other_off
    s0[0] += top * off
    s1[0] += p * p
    s2[0] += off * off
    s3[0] += rest * (p * off)


cdef inline void finish_brier(Row* r, double classes, double a, double b, double c, double scale,
                              floating like) noexcept nogil:
    cdef bint first = r.again == 0
    cdef double rest = r.s0 + (r.s1 - 1)
    cdef double largest = 1 / (1 + rest) if first else r.v
    cdef double lack = rest * largest if first else 1 - largest if r.u > 0 else -r.u
    cdef double mean = r.s3 + largest * r.s0
    r.again = first
    r.value = r.s2
    r.u = (largest if largest <= 0.5 else -lack) if first else largest
    r.v = largest if first else lack
    r.a = 2
    r.b = 2 * mean
    r.c = 2 * (r.s3 if lack < 0.5 else mean)
    r.d = 2 * r.s1


cdef inline floating map_brier(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                               floating v, floating* hess) noexcept nogil:
    cdef floating one = 1
    cdef floating p = exp_nonpositive(x) * u, other_lack = one - p
    cdef floating lack = v if x == 0 else other_lack
    cdef floating top_off = (one - t) - v, other_off = p - t
    cdef floating off = top_off if x == 0 else other_off
    cdef floating rest = v if v < <floating> 0.5 else one
    cdef floating part = rest if x == 0 else one
    cdef floating mean = c if x == 0 else b
    cdef floating slope = a * off * part - mean
    hess[0] = p * (lack * slope + p * (a * (lack - p - off) + b + d))
    return p * slope


# Programs -----------------------------------------------------------------------------------------

cdef Program of_odds(RowLoop formula, RowLoop map) noexcept:
    cdef Program p = program(LABEL, RUNNING_MAXIMUM, 1, sum_others_loop, formula, map)
    p.of_odds = True
    return p


cdef void sum_others_loop(RowGroup* g) noexcept nogil:
    if g.single:
        sum_lanes_exp2(<const float*> g.x, g.groups, <const float*> g.shift, exp2_unit(g), <float*> g.s0)
    else:
        sum_loop(sum_others[double], False, g, g.parameters[0], g.scale)


cdef void sum_others_and_smoothing_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_others_and_smoothing[float], sum_others_and_smoothing[double], True, g)


cdef void sum_dense_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_dense[float], sum_dense[double], True, g)


cdef void sum_token_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_token[float], sum_token[double], False, g)


cdef void sum_entropy_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_entropy[float], sum_entropy[double], False, g)


cdef void sum_rest_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_rest[float], sum_rest[double], False, g)


cdef void sum_brier_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_brier[float], sum_brier[double], True, g)


cdef void finish_cross_entropy_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_cross_entropy[float], finish_cross_entropy[double], g)


cdef void finish_dense_cross_entropy_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_dense_cross_entropy[float], finish_dense_cross_entropy[double], g)


cdef void finish_distribution_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_distribution[float], finish_distribution[double], g)


cdef void finish_token_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_token[float], finish_token[double], g)


cdef void finish_softmax_focal_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_softmax_focal[float], finish_softmax_focal[double], g)


cdef void finish_poly1_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_poly1[float], finish_poly1[double], g)


cdef void finish_generalized_cross_entropy_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_generalized_cross_entropy[float], finish_generalized_cross_entropy[double], g)


cdef void finish_cos_face_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_cos_face[float], finish_cos_face[double], g)


cdef void finish_arc_face_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_arc_face[float], finish_arc_face[double], g)


cdef void finish_softmax_entropy_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_softmax_entropy[float], finish_softmax_entropy[double], g)


cdef void finish_negative_log_likelihood_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_negative_log_likelihood[float], finish_negative_log_likelihood[double], g)


cdef void finish_brier_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_brier[float], finish_brier[double], g)


cdef void map_smoothed_cross_entropy_loop(RowGroup* g) noexcept nogil:
    map_classes(map_cross_entropy[float], map_cross_entropy[double], True, g)


cdef void map_dense_cross_entropy_loop(RowGroup* g) noexcept nogil:
    map_classes(map_dense_cross_entropy[float], map_dense_cross_entropy[double], True, g)


cdef void map_others_loop(RowGroup* g) noexcept nogil:
    if g.single and not g.want_hess:
        map_lanes_exp(<const float*> g.x, g.groups, <const float*> g.shift, <float> g.scale, <const float*> g.a,
                      <float*> g.grad)
    else:
        map_classes(map_others[float], map_others[double], False, g)


cdef void map_softmax_entropy_loop(RowGroup* g) noexcept nogil:
    map_classes(map_softmax_entropy[float], map_softmax_entropy[double], False, g)


cdef void map_brier_loop(RowGroup* g) noexcept nogil:
    map_classes(map_brier[float], map_brier[double], True, g)


declare(
    "cross_entropy",
    brief(with_z_loss(of_odds(finish_cross_entropy_loop, map_others_loop)), brief_cross_entropy_loop),
    ("kept", "z_loss", "curve"),
)
declare(
    "smoothed_cross_entropy",
    with_z_loss(program(
        LABEL, RUNNING_MAXIMUM, 4, sum_others_and_smoothing_loop, finish_cross_entropy_loop,
        map_smoothed_cross_entropy_loop
    )),
    ("kept", "z_loss", "curve"),
)
declare(
    "dense_cross_entropy",
    with_z_loss(
        program(DENSE, MAXIMUM, 4, sum_dense_loop, finish_dense_cross_entropy_loop, map_dense_cross_entropy_loop)
    ),
    ("kept", "z_loss", "curve"),
)
declare("token", program(LABEL, RUNNING_MAXIMUM, 4, sum_token_loop, finish_token_loop, map_others_loop))
declare(
    "softmax_focal",
    of_odds(finish_softmax_focal_loop, map_others_loop),
    ("gamma",),
)
declare("poly1", of_odds(finish_poly1_loop, map_others_loop), ("epsilon",))
declare(
    "generalized_cross_entropy",
    of_odds(finish_generalized_cross_entropy_loop, map_others_loop),
    ("q",),
)
declare(
    "cos_face",
    of_odds(finish_cos_face_loop, map_others_loop),
    ("margin",),
)
declare(
    "arc_face",
    of_odds(finish_arc_face_loop, map_others_loop),
    ("cos_margin", "sin_margin", "lowered"),
)
declare(
    "distribution_focal",
    program(BETWEEN, MAXIMUM, 4, sum_dense_loop, finish_distribution_loop, map_dense_cross_entropy_loop),
)
declare(
    "softmax_entropy",
    program(UNUSED_LABEL, MAXIMUM, 4, sum_entropy_loop, finish_softmax_entropy_loop, map_softmax_entropy_loop),
)
declare("negative_log_likelihood", program(LABEL, NOTHING, 0, NULL, finish_negative_log_likelihood_loop, NULL))
declare(
    "multiclass_brier_of_labels",
    repeated(
        program(ONE_HOT, MAXIMUM, 4, sum_brier_loop, finish_brier_loop, map_brier_loop), sum_rest_loop
    ),
)
declare(
    "multiclass_brier",
    repeated(
        program(DENSE, MAXIMUM, 4, sum_brier_loop, finish_brier_loop, map_brier_loop), sum_rest_loop
    ),
)
