# Rows of logits, one for each frame (of a transducer, each frame and label): their softmax and the gradient in them.

from fastloss._kernels.vecmath cimport exp_in_sum, exp_nonpositive

include "rowwise/lanes.pxi"

cdef enum:
    GROUPS = 16                         # of lanes whose sum is in the type of the computation


cdef inline const floating* row_of(const AlignmentJob* job, const Operand* operand, Py_ssize_t row, floating* room,
                                   Scratch* s) noexcept nogil:
    """A row of logits in the type of the computation: in place if it is that already, else in `room`."""
    cdef bint same = is_of(operand, room)
    cdef Py_ssize_t start = row * job.classes, at = 0, n
    cdef const floating* v
    if operand.direct and same:
        return <const floating*> operand.data + start
    while at < job.classes:
        n = min(<Py_ssize_t> BLOCK, job.classes - at)
        v = load(operand, &job.shape, start + at, n, room + at, s)
        if v != room + at:
            memcpy(room + at, v, n * sizeof(floating))
        at += n
    return room


cdef inline void add_exponentials(const floating* x, Py_ssize_t groups, floating top, floating* sums,
                                  floating* ties) noexcept nogil:
    """Add e^(x - top) in lanes, of what is less than `top`, and count what is not."""
    cdef floating lanes[LANES]
    cdef floating count[LANES]
    cdef Py_ssize_t i, j
    for i in range(LANES):
        lanes[i] = 0
        count[i] = 0
    for j in range(groups):
        for i in range(LANES):
            lanes[i] += 0 if x[j * LANES + i] == top else exp_in_sum(x[j * LANES + i] - top)
            count[i] += 1 if x[j * LANES + i] == top else 0
    memcpy(sums, lanes, sizeof(lanes))
    memcpy(ties, count, sizeof(count))


cdef void softmax_of(const floating* x, Py_ssize_t classes, double* top_out, double* rest) noexcept nogil:
    """The largest logit of a row, and the sum of e^(x - top) less the 1 of that one: confident rows lose nothing.

    A row whose largest logit is infinite is NaN.
    """
    cdef floating tail[LANES]
    cdef floating sums[LANES]
    cdef floating ties[LANES]
    cdef floating top
    cdef Py_ssize_t whole = classes // LANES, left = classes % LANES, j = 0, i
    cdef double others = 0, count = 0
    lane_maximum(x, whole, sums)
    if left > 0:
        for i in range(LANES):
            tail[i] = -INFINITY
        memcpy(tail, x + whole * LANES, left * sizeof(floating))
        for i in range(LANES):
            sums[i] = tail[i] if tail[i] > sums[i] else sums[i]
    top = fold_maximum(sums)
    while j < whole:
        add_exponentials(x + j * LANES, min(<Py_ssize_t> GROUPS, whole - j), top, sums, ties)
        others += fold_sum(sums)
        count += fold_sum(ties)
        j += GROUPS
    if left > 0:
        add_exponentials(<const floating*> tail, 1, top, sums, ties)
        others += fold_sum(sums)
        count += fold_sum(ties)
    top_out[0] = top
    rest[0] = others + (count - 1) if is_finite(top) else NAN


cdef inline void write_exponentials(const floating* x, Py_ssize_t n, floating top, double factor,
                                    floating* out) noexcept nogil:
    """factor e^(x - top)."""
    cdef Py_ssize_t i
    cdef floating narrow = <floating> factor
    if floating is double or (fabs(factor) > 1e-30 and fabs(factor) < 1e30):
        for i in range(n):
            out[i] = narrow * exp_nonpositive(x[i] - top)
    else:
        for i in range(n):
            out[i] = <floating> (factor * exp_nonpositive(x[i] - top))


cdef void write_row(const AlignmentJob* job, Py_ssize_t row, const floating* x, double top, double factor,
                    const int32_t* classes, const double* patch, Py_ssize_t count, double most,
                    Scratch* s) noexcept nogil:
    """A row of the gradient: factor e^(x - top), 0 without a factor, and `patch` at some classes in ascending order.

    None of it is larger than `most`.
    """
    cdef Py_ssize_t start = 0, n, i, u = 0
    cdef floating* out = <floating*> s.grad
    cdef floating limit = <floating> most
    while start < job.classes:
        n = min(<Py_ssize_t> BLOCK, job.classes - start)
        if factor != 0:
            write_exponentials(x + start, n, <floating> top, factor, out)
        else:
            memset(out, 0, n * sizeof(floating))
        while u < count and classes[u] < start + n:
            out[classes[u] - start] = <floating> patch[u]
            u += 1
        if most < INFINITY:
            for i in range(n):
                out[i] = min(max(out[i], -limit), limit)
        store(&job.grad, &job.shape, row * job.classes + start, n, out, s)
        start += n


cdef void fill_rows(const AlignmentJob* job, Py_ssize_t row, Py_ssize_t count, double value, Scratch* s,
                    floating like) noexcept nogil:
    """Rows of the gradient that are all of one number."""
    cdef Py_ssize_t at = row * job.classes, stop = at + count * job.classes, n, i
    cdef floating* out = <floating*> s.grad
    for i in range(BLOCK):
        out[i] = <floating> value
    while at < stop:
        n = min(<Py_ssize_t> BLOCK, stop - at)
        store(&job.grad, &job.shape, at, n, out, s)
        at += n
