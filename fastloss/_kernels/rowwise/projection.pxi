# The projection of the scores onto the probabilities.

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
                                  floating like) noexcept nogil:
    """Without the label's class p the others sum to 1 - p: with them as they are, nothing cancels in the value."""
    cdef double z = (r.target - r.shift) * scale
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


# Programs -----------------------------------------------------------------------------------------

cdef void sum_sparsemax_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_sparsemax[float], sum_sparsemax[double], False, g)


cdef void finish_sparsemax_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_sparsemax[float], finish_sparsemax[double], g)


cdef void map_sparsemax_loop(RowGroup* g) noexcept nogil:
    map_classes(map_sparsemax[float], map_sparsemax[double], False, g)


declare(
    "sparsemax",
    repeated(
        program(LABEL, MAXIMUM, 4, sum_sparsemax_loop, finish_sparsemax_loop, map_sparsemax_loop), sum_sparsemax_loop
    ),
)
