# Losses of the softmax of a row: functions of its probabilities p_k = exp(x_k - lse), lse = log sum_j exp(x_j).
#
# With a label y they are functions of u = log sum_{k != y} exp(x_k) - x_y: the target has probability
# sigmoid(-u), all others together sigmoid(u), both exact to the last bits however small they are.

cpdef enum:
    CROSS_ENTROPY = 0
    SMOOTHED_CROSS_ENTROPY
    DENSE_CROSS_ENTROPY
    TOKEN

cdef inline int softmax_traits(int kernel) noexcept nogil:
    if kernel == CROSS_ENTROPY:
        return LABELLED | SHIFTED | ONLINE | ONE_SUM
    if kernel == SMOOTHED_CROSS_ENTROPY or kernel == TOKEN:
        return LABELLED | SHIFTED | ONLINE
    return SHIFTED


# The label's class against all others, where s0 = sum exp(x_k - reference) over those, their largest term 1.
cdef struct Odds:
    double loss                         # -log of the target's probability
    double hit                          # that probability
    double miss                         # and that of all others
    double share                        # miss / s0
    double above                        # lse less the reference


cdef inline Odds odds(const Lanes* r, Py_ssize_t i, double scale, floating unit) noexcept nogil:
    """With w = exp(target - reference), s0 + w is kept as a sum of terms of which none is above 1."""
    cdef Odds o
    # All others may be -inf: then the target is certain, or if it is -inf too, NaN comes of itself.
    cdef double highest = r.reference[i] if r.s0[i] >= 0.5 else -INFINITY
    cdef double down = (highest - r.target[i]) * scale
    cdef double e = exp_for(unit, -down if down > 0 else down, 0)
    cdef double tail = (r.s0[i] - 1) + e if down > 0 else r.s0[i] * e
    cdef double inverse = 1 / (1 + tail)
    tail = log1p_for(unit, tail)
    o.loss = (down if down > 0 else 0) + tail
    o.hit = e * inverse if down > 0 else inverse
    o.share = inverse if down > 0 else e * inverse
    o.miss = r.s0[i] * o.share
    o.above = tail if down > 0 else (r.target[i] - r.reference[i]) * scale + tail
    return o


# Cross-entropy with the parameters (1 - smoothing, z_loss, factor of the curvature, logit scale) -----

cdef inline void sum_others(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                            floating* s3) noexcept nogil:
    s0[0] += exp_in_sum(x)


cdef inline void sum_others_and_smoothing(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                          floating* s2, floating* s3) noexcept nogil:
    s0[0] += exp_in_sum(x)
    s2[0] += 0 if t == 0 else t * x
    s3[0] += t


cdef inline void finish_cross_entropy(Lanes* r, Py_ssize_t i, double classes, double kept, double z_loss, double curve,
                                      double scale, floating unit) noexcept nogil:
    cdef Odds o = odds(r, i, scale, unit)
    cdef double weight = r.label_weight[i] * kept
    cdef double even = r.label_weight[i] * ((1 - kept) / classes)
    cdef double lse = r.reference[i] * scale + o.above
    cdef double penalised = lse if z_loss != 0 else 0
    cdef double z = 2 * z_loss * penalised
    cdef double slope = weight + even + r.s3[i] + z
    r.lse[i] = lse
    r.value[i] = weight * o.loss + ((r.s3[i] * o.above - r.s2[i]) + even * o.loss if kept != 1 else 0) + 0.5 * z * penalised
    r.a[i] = slope * o.share
    r.b[i] = 1
    r.target_grad[i] = (r.s3[i] + z) * o.hit - (weight + even) * o.miss
    r.c[i] = curve * slope * o.share
    r.d[i] = curve * o.share * o.share * (2 * z_loss - slope)
    r.target_hess[i] = curve * (slope * o.hit * o.miss + 2 * z_loss * o.hit * o.hit)


cdef inline floating map_cross_entropy(floating x, floating t, floating a, floating b, floating c, floating d,
                                       floating u, floating v, floating* hess) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    hess[0] = e * (c + d * e)
    return a * e - b * t


# ... with a target for each class: s0 is the sum without the largest logits, s1 how many of them there are.

cdef inline void sum_dense(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    s0[0] += 0 if x == 0 else exp_in_sum(x)
    s1[0] += 1 if x == 0 else 0
    s2[0] += 0 if t == 0 else t * x
    s3[0] += t


cdef inline void finish_dense_cross_entropy(Lanes* r, Py_ssize_t i, double classes, double kept, double z_loss,
                                            double curve, double scale, floating unit) noexcept nogil:
    cdef double rest = r.s0[i] + (r.s1[i] - 1)
    cdef double above = log1p_for(unit, rest)
    cdef double lse = r.reference[i] * scale + above
    cdef double penalised = lse if z_loss != 0 else 0
    cdef double z = 2 * z_loss * penalised
    cdef double slope = r.s3[i] + z
    r.lse[i] = lse
    r.value[i] = (r.s3[i] * above - r.s2[i]) + 0.5 * z * penalised
    r.u[i] = 1 / (1 + rest)             # the largest probability
    r.v[i] = rest / (1 + rest)          # and what it lacks of 1
    r.a[i] = slope
    r.b[i] = 1
    r.c[i] = curve * slope
    r.d[i] = curve * 2 * z_loss


cdef inline floating map_dense_cross_entropy(floating x, floating t, floating a, floating b, floating c, floating d,
                                             floating u, floating v, floating* hess) noexcept nogil:
    cdef floating p = exp_nonpositive(x) * u
    cdef floating other = v if x == 0 else 1 - p
    hess[0] = p * (c * other + d * p)
    return (a - b * t) - a * v if x == 0 else a * p - b * t


# Scores of a token: also the entropy of its distribution -------------------------------------------

cdef inline void sum_token(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    cdef floating e = exp_in_sum(x)
    s0[0] += e
    s1[0] += 0 if x == -INFINITY else e * x


cdef inline void finish_token(Lanes* r, Py_ssize_t i, double classes, double kept, double z_loss, double curve,
                              double scale, floating unit) noexcept nogil:
    """H = p_y (-log p_y) + p_o (-log p_o + H_o) with all other classes o: no term is negative."""
    cdef Odds o = odds(r, i, scale, unit)
    cdef double others = log_for(unit, r.s0[i])
    finish_cross_entropy(r, i, classes, kept, z_loss, curve, scale, unit)
    r.entropy[i] = (o.hit * o.loss if o.hit > 0 else o.hit) + (
        o.miss * ((o.above - others) + (others - r.s1[i] / r.s0[i])) if r.s0[i] >= 0.5 and o.miss > 0 else 0
    )


cdef inline void softmax(int kernel, Stage* stage, floating unit) noexcept nogil:
    if kernel == CROSS_ENTROPY:
        specialise_rows(
            sum_others[floating], finish_cross_entropy[floating], map_cross_entropy[floating], False, stage, unit
        )
    elif kernel == SMOOTHED_CROSS_ENTROPY:
        specialise_rows(
            sum_others_and_smoothing[floating], finish_cross_entropy[floating], map_cross_entropy[floating], True,
            stage, unit,
        )
    elif kernel == DENSE_CROSS_ENTROPY:
        specialise_rows(
            sum_dense[floating], finish_dense_cross_entropy[floating], map_dense_cross_entropy[floating], True, stage,
            unit,
        )
    elif kernel == TOKEN:
        specialise_rows(
            sum_token[floating], finish_token[floating], map_cross_entropy[floating], False, stage, unit
        )
