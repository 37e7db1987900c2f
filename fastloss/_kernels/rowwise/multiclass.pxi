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
        return LABELLED | SHIFTED
    return LABELLED | FROM_TARGET


# The other scores that come within the margin a of the label's, with the factor b ------------------

cdef inline floating margin_excess(floating x, floating margin) noexcept nogil:
    """max(0, margin + x), NaN for NaN."""
    cdef floating z = margin + x
    return 0 if z <= 0 else z


cdef inline void sum_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    s0[0] += margin_excess(x, a)
    s1[0] += 1 if a + x > 0 else 0


cdef inline void finish_multi_margin(Lanes* r, Py_ssize_t i, double classes, double margin, double factor, double c,
                                     double d, floating unit) noexcept nogil:
    cdef double each = r.label_weight[i] * factor if r.target[i] == r.target[i] else NAN
    r.value[i] = each * (INFINITY if r.target[i] == -INFINITY else r.s0[i])
    r.a[i] = each
    r.u[i] = margin
    r.target_grad[i] = -each * r.s1[i]
    r.target_hess[i] = 0


cdef inline floating map_multi_margin(floating x, floating t, floating a, floating b, floating c, floating d,
                                      floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return a if u + x > 0 else 0


cdef inline void sum_squared_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                     floating* s2, floating* s3) noexcept nogil:
    cdef floating z = margin_excess(x, a)
    s0[0] += z * z
    s1[0] += z
    s2[0] += 1 if z > 0 else 0


cdef inline void finish_squared_multi_margin(Lanes* r, Py_ssize_t i, double classes, double margin, double factor,
                                             double c, double d, floating unit) noexcept nogil:
    finish_multi_margin(r, i, classes, margin, 2 * factor, c, d, unit)
    r.value[i] /= 2
    r.c[i] = r.a[i]
    r.target_hess[i] = r.c[i] * r.s2[i]


cdef inline floating map_squared_multi_margin(floating x, floating t, floating a, floating b, floating c, floating d,
                                              floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = c if u + x > 0 else 0
    return a * margin_excess(x, u)


# The largest other score, whose classes share the slope: s0 counts them -----------------------------

cdef inline void sum_largest(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    s0[0] += 0 if x < 0 else 1 + x


cdef inline void finish_crammer_singer(Lanes* r, Py_ssize_t i, double classes, double margin, double b, double c,
                                       double d, floating unit) noexcept nogil:
    cdef double z = margin + (r.reference[i] - r.target[i])
    cdef bint outside = r.s0[i] == 0 or z <= 0      # no other score is above -inf, or they are all far below
    r.value[i] = r.label_weight[i] * ((0 if outside else z) + (r.s0[i] - r.s0[i]))
    r.a[i] = 0 if outside else r.label_weight[i] / r.s0[i]
    r.target_grad[i] = 0 if outside else -r.label_weight[i]
    r.target_hess[i] = 0


cdef inline floating map_crammer_singer(floating x, floating t, floating a, floating b, floating c, floating d,
                                        floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return a if x == 0 else 0


# Sparsemax ----------------------------------------------------------------------------------------
#
# The threshold u of p = max(0, x - u) is the root of sum p = 1. Newton's steps climb to it from the left, one support
# inside the other, and end when that of the last one, of v classes, does not shrink: mostly within five. They start
# from 0, or where no score is above it from 1 below the largest, which is 0 or, where there is no other, the label's.

cdef inline void sum_sparsemax(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                               floating* s2, floating* s3) noexcept nogil:
    cdef floating p = margin_excess(x, -q)
    s0[0] += 0 if x <= q else 1
    s1[0] += p
    s2[0] += p * p


cdef inline void finish_sparsemax(Lanes* r, Py_ssize_t i, double classes, double a, double b, double c, double scale,
                                  floating unit) noexcept nogil:
    """Without the label's class p the others sum to 1 - p: with them as they are, nothing cancels in the value."""
    cdef double z = (r.target[i] - r.reference[i]) * scale
    cdef double own = 0 if z <= r.u[i] else z - r.u[i]
    cdef double support = r.s0[i] + (0 if z <= r.u[i] else 1)
    cdef double excess_of_one = (r.s1[i] + own) - 1
    cdef double start = -1 if r.u[i] > -1 else z - 1
    cdef double step = excess_of_one / support if support > 0 else start - r.u[i]
    cdef double missing = r.s1[i] if own > 0 else 1
    r.value[i] = r.label_weight[i] * (
        0.5 * (r.s2[i] + missing * missing) + (r.u[i] - z if z < r.u[i] else 0) + (own - own)
    )
    r.a[i] = r.label_weight[i]
    r.b[i] = r.label_weight[i] * step
    r.c[i] = r.label_weight[i] * (1 - 1 / support)
    r.target_grad[i] = -r.label_weight[i] * (r.s1[i] - r.s0[i] * step if own > 0 else 1)
    r.target_hess[i] = r.c[i] if own > 0 else 0
    r.again[i] = r.v[i] == 0 or support < r.v[i]
    if r.again[i]:
        r.v[i] = support if r.v[i] != 0 and support > 0 else INFINITY
        r.u[i] = <floating> (r.u[i] + step)


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
