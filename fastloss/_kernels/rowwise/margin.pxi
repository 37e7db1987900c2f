# Margins of the label's score over those of the other classes. At a kink the slope is that of the flat side.

# The other scores that come within the margin a of the label's, with the factor b ------------------

cdef inline floating margin_excess(floating x, floating margin) noexcept nogil:
    """max(0, margin + x), NaN for NaN."""
    cdef floating z = margin + x
    return 0 if z <= 0 else z


cdef inline void sum_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    s0[0] += margin_excess(x, a)
    s1[0] += 1 if a + x > 0 else 0


cdef inline void finish_multi_margin(Row* r, double classes, double margin, double factor, double c,
                                     double scale, floating like) noexcept nogil:
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
                                             double c, double scale, floating like) noexcept nogil:
    finish_multi_margin(r, classes, margin, factor, c, scale, like)
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
                                       double scale, floating like) noexcept nogil:
    cdef double z = margin + (r.shift - r.target)
    cdef bint outside = r.s0 == 0 or z <= 0      # no other score is above -inf, or they are all far below
    cdef double missing = 0 if r.target == r.target else r.target
    r.value = weighed(r.label_weight, (0 if outside else z) + (r.s0 - r.s0) + missing)
    r.a = 0 if outside else r.label_weight / r.s0
    r.target_grad = 0 if outside else -r.label_weight


cdef inline floating map_crammer_singer(floating x, floating t, floating a, floating b, floating c, floating d,
                                        floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return a if x == 0 else 0


# Whether the label has the largest score --------------------------------------------------------------

cdef inline void sum_present(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    """How many others there are: NaN if one is. Of a score nothing is subtracted."""
    cdef floating one = 1 if x == x else x
    s0[0] += 0 if x == -INFINITY else one


cdef inline void finish_zero_one(Row* r, double classes, double a, double b, double c, double scale,
                                 floating like) noexcept nogil:
    cdef bint missing = (r.s0 != r.s0) | (r.target != r.target)
    r.value = <double> NAN if missing else r.label_weight * (1 - r.correct)


# Programs -----------------------------------------------------------------------------------------

cdef void sum_margins_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_margins[float], sum_margins[double], False, g)


cdef void sum_squared_margins_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_squared_margins[float], sum_squared_margins[double], False, g)


cdef void sum_largest_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_largest[float], sum_largest[double], False, g)


cdef void sum_present_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_present[float], sum_present[double], False, g)


cdef void finish_multi_margin_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_multi_margin[float], finish_multi_margin[double], g)


cdef void finish_squared_multi_margin_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_squared_multi_margin[float], finish_squared_multi_margin[double], g)


cdef void finish_crammer_singer_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_crammer_singer[float], finish_crammer_singer[double], g)


cdef void finish_zero_one_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_zero_one[float], finish_zero_one[double], g)


cdef void map_multi_margin_loop(RowGroup* g) noexcept nogil:
    map_classes(map_multi_margin[float], map_multi_margin[double], False, g)


cdef void map_squared_multi_margin_loop(RowGroup* g) noexcept nogil:
    map_classes(map_squared_multi_margin[float], map_squared_multi_margin[double], False, g)


cdef void map_crammer_singer_loop(RowGroup* g) noexcept nogil:
    map_classes(map_crammer_singer[float], map_crammer_singer[double], False, g)


declare(
    "multi_margin",
    program(LABEL, LABEL_SCORE, 4, sum_margins_loop, finish_multi_margin_loop, map_multi_margin_loop),
    ("margin", "factor"),
)
declare(
    "squared_multi_margin",
    program(
        LABEL, LABEL_SCORE, 4, sum_squared_margins_loop, finish_squared_multi_margin_loop, map_squared_multi_margin_loop
    ),
    ("margin", "factor"),
)
declare(
    "crammer_singer",
    program(LABEL, MAXIMUM, 1, sum_largest_loop, finish_crammer_singer_loop, map_crammer_singer_loop),
    ("margin",),
)
declare("multiclass_zero_one", judged(program(LABEL, RUNNING_MAXIMUM, 1, sum_present_loop, finish_zero_one_loop, NULL)))
