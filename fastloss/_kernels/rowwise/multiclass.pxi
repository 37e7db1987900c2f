# Margins of the label's score over those of the other classes. At a kink the slope is that of the flat side.

cpdef enum:
    MULTI_MARGIN = 0x300
    SQUARED_MULTI_MARGIN
    CRAMMER_SINGER
    SPARSEMAX

cdef inline int multiclass_traits(int kernel) noexcept nogil:
    if kernel == CRAMMER_SINGER:
        return LABELLED | SHIFTED | ONE_SUM
    if kernel == SPARSEMAX:
        return LABELLED | SHIFTED | REPEATED
    return LABELLED | FROM_TARGET


# The other scores that come within the margin a of the label's, with the factor b ------------------
#

cdef inline floating margin_excess(floating x, floating margin) noexcept nogil:
    """max(0, margin + x), NaN for NaN."""
    cdef floating z = margin + x
    return 0 if z <= 0 else z


cdef inline void sum_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    s0[0] += margin_excess(x, a)
    s1[0] += 1 if a + x > 0 else 0


cdef inline void finish_multi_margin(Row* r, double classes, double margin, double factor, double c,
                                     double d, floating unit) noexcept nogil:
    cdef double each = r.label_weight * factor if r.target == r.target else NAN
    r.value = weighed(each, INFINITY if (r.target == -INFINITY) & (classes > 1) & (r.s0 == r.s0) else r.s0)
    r.a = each
    r.u = margin
    r.target_grad = -each * r.s1


cdef inline floating map_multi_margin(floating x, floating t, floating a, floating b, floating c, floating d,
                                      floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return a if u + x > 0 else 0


cdef inline void sum_squared_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                     floating* s2, floating* s3) noexcept nogil:
    """A mean of squares may be a number where their sum is none: what is huge is summed in s3, in units of 2^64.

    In float32 nothing is: sums that overflow are computed again.
    """
    cdef floating z = margin_excess(x, a)
    cdef bint huge = z > 1e142 if floating is double else False
    cdef floating less = z * <floating> 2.3283064365386963e-10
    s0[0] += 0 if huge else z * z
    if floating is double:
        s3[0] += less * less if huge else 0
    s1[0] += z
    s2[0] += 1 if z > 0 else 0


cdef inline void finish_squared_multi_margin(Row* r, double classes, double margin, double factor,
                                             double c, double d, floating unit) noexcept nogil:
    finish_multi_margin(r, classes, margin, factor, c, d, unit)
    cdef bint infinite = r.target == -INFINITY
    r.value += weighed(r.a, r.s3) * 18446744073709551616.0
    r.c = 2 * r.a
    r.a = r.c * INFINITY if infinite else r.c
    r.target_grad = -r.c * INFINITY if infinite & (r.s2 > 0) else 2 * r.target_grad
    r.target_hess = r.c * r.s2


cdef inline floating map_squared_multi_margin(floating x, floating t, floating a, floating b, floating c, floating d,
                                              floating u, floating v, floating* hess) noexcept nogil:
    cdef floating z = margin_excess(x, u), slope = a * z
    hess[0] = c if u + x > 0 else 0
    return 0 if z == 0 else slope       # also where `a` is infinite


# The largest other score, whose classes share the slope: s0 counts them -----------------------------

cdef inline void sum_largest(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    cdef floating one_more = 1 + x
    s0[0] += 0 if x < 0 else one_more


cdef inline void finish_crammer_singer(Row* r, double classes, double margin, double b, double c,
                                       double d, floating unit) noexcept nogil:
    cdef double z = margin + (r.reference - r.target)
    cdef bint outside = r.s0 == 0 or z <= 0      # no other score is above -inf, or they are all far below
    cdef double missing = 0 if r.target == r.target else r.target
    r.value = weighed(r.label_weight, (0 if outside else z) + (r.s0 - r.s0) + missing)
    r.a = 0 if outside else r.label_weight / r.s0
    r.target_grad = 0 if outside else -r.label_weight


cdef inline floating map_crammer_singer(floating x, floating t, floating a, floating b, floating c, floating d,
                                        floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return a if x == 0 else 0


# Sparsemax ----------------------------------------------------------------------------------------
#
# The threshold u of p = max(0, x - u) is the root of sum p = 1. Newton's steps climb to it from the left, one support
# inside the other, and end when that of the last one, of v classes, does not shrink: mostly within five. Each divides
# the product of sum p - 1 and the support by 4 at least, so that for C classes no more than 27 + 1.5 log2 C resolve
# float64, after two to start. They start from 0, or where no score is above it from 1 below the largest other score,
# which is 0. A label that is certain, by a lead of 1 or because no other class has a score, has no need of them.

cdef inline void sum_sparsemax(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                               floating* s2, floating* s3) noexcept nogil:
    cdef floating p = margin_excess(x, -q)
    s0[0] += 0 if x <= q else 1
    s1[0] += p
    s2[0] += p * p


cdef inline void finish_sparsemax(Row* r, double classes, double a, double b, double c, double scale,
                                  floating unit) noexcept nogil:
    """Without the label's class p the others sum to 1 - p: with them as they are, nothing cancels in the value."""
    cdef double z = (r.target - r.reference) * scale
    cdef double own = 0 if z <= r.u else z - r.u
    cdef double support = r.s0 + (0 if z <= r.u else 1)
    cdef double excess_of_one = (r.s1 + own) - 1
    cdef double step = excess_of_one / support if support > 0 else -1 - r.u
    cdef double missing = r.s1 if own > 0 else 1
    cdef bint certain = (z >= 1) | (r.u == INFINITY) | (support == 0) & (r.u <= -1)
    cdef double value = 0.5 * (r.s2 + missing * missing) + (r.u - z if z < r.u else 0) + (own - own)
    cdef double none = 0 if (z > -INFINITY) & (r.s1 == r.s1) else NAN
    cdef double share = r.s1 - r.s0 * step      # of all other classes
    cdef double bend = 1 - 1 / support
    value = none if certain else value
    share = share if own > 0 else 1
    share = 0 if certain else share
    bend = bend if own > 0 else 0
    bend = 0 if certain else bend
    r.value = weighed(r.label_weight, value)
    r.a = r.label_weight
    r.b = r.label_weight * step
    r.c = r.label_weight * (1 - 1 / support)
    r.target_grad = -r.label_weight * share
    r.target_hess = r.label_weight * bend
    r.again = ((r.v == 0) | (support < r.v)) & (1 - certain)
    if r.again:
        r.v = support if r.v != 0 and support > 0 else INFINITY
        r.u = <floating> (r.u + step)
    r.u = INFINITY if certain else r.u      # above all other classes


cdef inline floating map_sparsemax(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                   floating v, floating* hess) noexcept nogil:
    hess[0] = 0 if x <= u else c
    return 0 if x <= u else a * (x - u) - b


cdef inline void multiclass(int kernel, Stage* stage, floating unit) noexcept nogil:
    if kernel == MULTI_MARGIN:
        specialise_rows(
            sum_margins[floating], finish_multi_margin[floating], map_multi_margin[floating], False, stage, unit
        )
    elif kernel == SQUARED_MULTI_MARGIN:
        specialise_rows(
            sum_squared_margins[floating], finish_squared_multi_margin[floating], map_squared_multi_margin[floating],
            False, stage, unit,
        )
    elif kernel == CRAMMER_SINGER:
        specialise_rows(
            sum_largest[floating], finish_crammer_singer[floating], map_crammer_singer[floating], False, stage, unit
        )
    elif kernel == SPARSEMAX:
        specialise_rows(
            sum_sparsemax[floating], finish_sparsemax[floating], map_sparsemax[floating], False, stage, unit
        )
