# Losses of a label of 0 or 1 for each class: t is the weight of the class, negative where the label is 0.

from fastloss._kernels.arithmetic cimport absolute
from fastloss._kernels.vecmath cimport logistic

cdef inline void sum_soft_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                  floating* s2, floating* s3) noexcept nogil:
    cdef floating z = x if t > 0 else -x
    cdef floating softplus_neg, sigmoid_neg
    logistic(z, &softplus_neg, &sigmoid_neg)
    s0[0] += 0 if t == 0 else absolute(t) * (softplus_neg + (0 if z > 0 else -z))


cdef inline void finish_mean(Row* r, double classes, double a, double b, double c, double scale,
                             floating like) noexcept nogil:
    r.value = r.s0 / classes
    r.a = 1 / classes
    r.c = 1 / classes


cdef inline floating map_soft_margin(floating x, floating t, floating a, floating b, floating c, floating d,
                                     floating u, floating v, floating* hess) noexcept nogil:
    cdef floating z = x if t > 0 else -x
    cdef floating softplus_neg, sigmoid_neg, sigmoid_pos
    logistic(z, &softplus_neg, &sigmoid_neg)
    sigmoid_pos = 1 - sigmoid_neg
    cdef floating slope = -a * t * (sigmoid_neg if z > 0 else sigmoid_pos)
    cdef floating curve = c * absolute(t) * (sigmoid_neg * sigmoid_pos)
    hess[0] = 0 if t == 0 else curve        # even of a NaN, as the value
    return 0 if t == 0 else slope


# Pairs of a true class j and a false class i: max(0, 1 - x_j + x_i) --------------------------------
#
# Each true class sweeps over all the false ones of a block, so the work is that of the few true ones times the classes.

cdef inline floating sum_excess(const floating* others, Py_ssize_t groups, floating bound) noexcept nogil:
    cdef floating lanes[LANES]
    cdef floating z
    cdef Py_ssize_t i, j
    memset(lanes, 0, sizeof(lanes))
    for j in range(groups):
        for i in range(LANES):
            z = others[j * LANES + i] - bound
            lanes[i] += 0 if (z <= 0) | (others[j * LANES + i] == -INFINITY) else z
    return fold_sum(lanes)


cdef inline floating count_above(const floating* others, Py_ssize_t groups, floating bound) noexcept nogil:
    cdef floating lanes[LANES]
    cdef Py_ssize_t i, j
    memset(lanes, 0, sizeof(lanes))
    for j in range(groups):
        for i in range(LANES):
            lanes[i] += 1 if others[j * LANES + i] > bound else 0
    return fold_sum(lanes)


cdef inline void mark_above(const floating* others, Py_ssize_t n, floating bound, floating* marks) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        marks[i] += 1 if others[i] > bound else 0


cdef Py_ssize_t split(RowJob* job, Py_ssize_t row, Py_ssize_t first, floating* others, floating* bounds,
                      RowScratch* s) noexcept nogil:
    """The scores of a block's false classes, else -inf, and those of its true ones less 1, else inf; how many.

    A NaN is among the bounds, whichever class it is of: it meets all others.
    """
    cdef Py_ssize_t k, n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
    cdef floating* t = <floating*> s.t
    load_row(job, PLANE_X, row, first, n, others, <floating> -INFINITY, True, s)
    load_row(job, PLANE_Y, row, first, n, t, <floating> 0, True, s)
    for k in range(n):
        bounds[k] = others[k] - 1 if t[k] > 0 else (INFINITY if t[k] <= 0 and others[k] == others[k] else NAN)
        others[k] = -INFINITY if t[k] > 0 else others[k]
    return n


cdef double sum_pairs(RowJob* job, Py_ssize_t row, RowScratch* s, floating like) noexcept nogil:
    cdef floating* others = <floating*> s.x
    cdef floating* bounds = <floating*> s.packed
    cdef Py_ssize_t first, second, k, n, m
    cdef double sum = 0
    first = 0
    while first < job.classes and carry_on(s):
        n = split(job, row, first, others, bounds, s)
        second = 0
        while second < job.classes and carry_on(s):
            m = split(job, row, second, <floating*> s.hess, bounds, s)
            for k in range(m):
                if bounds[k] != bounds[k]:              # though there may be no other to meet
                    return NAN
                if bounds[k] < INFINITY and carry_on(s):
                    sum += sum_excess(others, (n + LANES - 1) // LANES, bounds[k])
            second += ROW_BLOCK
        first += ROW_BLOCK
    return sum


cdef void map_pairs(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating like) noexcept nogil:
    cdef const Lanes* r = &s.group.lanes
    cdef floating* others = <floating*> s.x
    cdef floating* bounds = <floating*> s.packed
    cdef floating* rest = <floating*> s.hess
    cdef floating* grad = <floating*> s.grad
    cdef floating slope = <floating> r.a[i]
    cdef bint alike = is_alike(job, r, i)
    cdef Py_ssize_t first, second, k, n, m
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        memset(grad, 0, n * sizeof(floating))
        second = 0
        while second < job.classes and not alike and carry_on(s):
            split(job, row, first, others, bounds, s)
            m = split(job, row, second, rest, bounds, s)
            for k in range(m):
                if not bounds[k] == INFINITY and carry_on(s):
                    mark_above(others, n, bounds[k], grad)
            split(job, row, first, others, bounds, s)
            for k in range(n):
                if not bounds[k] == INFINITY and carry_on(s):
                    grad[k] -= count_above(rest, (m + LANES - 1) // LANES, bounds[k])
            second += ROW_BLOCK
        for k in range(n):
            grad[k] = <floating> r.value[i] if alike else slope * grad[k]
        store_row(job, PLANE_GRAD, row, first, n, grad, s)
        if job.planes[PLANE_HESS].data != NULL:
            for k in range(n):
                rest[k] = <floating> (r.value[i] if alike else 0)
            store_row(job, PLANE_HESS, row, first, n, rest, s)
        first += ROW_BLOCK


cdef void pair_values(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, bint single) noexcept nogil:
    cdef Lanes* r = &s.group.lanes
    cdef Py_ssize_t i
    for i in range(rows):
        if r.weight[i] == 0:
            r.s0[i] = 0
        elif single:
            r.s0[i] = sum_pairs(job, start + i, s, <float> 1)
        else:
            r.s0[i] = sum_pairs(job, start + i, s, <double> 1)


cdef void pair_derivatives(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, bint single) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(rows):
        if single:
            map_pairs(job, start + i, i, s, <float> 1)
        else:
            map_pairs(job, start + i, i, s, <double> 1)


# Programs -----------------------------------------------------------------------------------------

cdef void sum_soft_margins_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_soft_margins[float], sum_soft_margins[double], True, g)


cdef void finish_mean_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_mean[float], finish_mean[double], g)


cdef void map_soft_margin_loop(RowGroup* g) noexcept nogil:
    map_classes(map_soft_margin[float], map_soft_margin[double], True, g)


declare(
    "multilabel_soft_margin",
    program(SIGNS, NOTHING, 4, sum_soft_margins_loop, finish_mean_loop, map_soft_margin_loop),
)
declare("multilabel_margin", routines(pair_values, finish_mean_loop, pair_derivatives, 0))
