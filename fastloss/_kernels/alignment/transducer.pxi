# The transducer: a lattice of frames t and labels u, from (0, 0) to (T, U) by steps that emit a blank, to (t + 1, u),
# or the next label, to (t, u + 1).
#
# Its rows are the diagonals d = t + u, whose numbers do not depend on one another: each step leads from one diagonal to
# the next. Number u of a row is at place u + 1; the others are 0.

cdef enum:
    FRAMES_AT_ONCE = 8


cdef size_t arrange_transducer(const AlignmentJob* job, Sequence* q, char* room) noexcept nogil:
    cdef size_t used = 0
    cdef Py_ssize_t cells = q.labels + 1, rows = q.frames + q.labels + 1
    cdef bint grad = job.base.operation & GRAD
    q.inner = packed(cells)
    q.width = q.inner + PACK
    q.block = FRAMES_AT_ONCE
    q.blocks = (q.frames + q.block - 1) // q.block
    q.top = <double*> take(room, &used, q.frames, cells, sizeof(double))
    q.rest = <double*> take(room, &used, q.frames, cells, sizeof(double))
    q.blanks = <double*> take(room, &used, rows, q.width, sizeof(double))
    q.emissions = <double*> take(room, &used, rows, q.width, sizeof(double))
    q.forward = <double*> take(room, &used, rows if grad else 2, 2 * q.width, sizeof(double))
    q.backward = <double*> take(room, &used, rows if grad else 0, 2 * q.width, sizeof(double))
    return used


cdef size_t equip_transducer(const AlignmentJob* job, const Sequence* q, Work* w, char* room) noexcept nogil:
    cdef size_t used = 0
    w.row = take(room, &used, 1, job.classes, sizeof(double))
    w.m = <double*> take(room, &used, 2, q.width, sizeof(double))
    w.e = <double*> take(room, &used, 2, q.width, sizeof(double))
    return used


cdef void begin_transducer(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    """Steps from where there is no frame or label have probability 0."""
    cdef Py_ssize_t k
    for k in range((q.frames + q.labels + 1) * q.width):
        q.blanks[k] = q.emissions[k] = -INFINITY


cdef void measure_cells(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block, floating like) noexcept nogil:
    cdef Py_ssize_t t, u, cell, at
    cdef const floating* x
    cdef double top, rest
    for t in range(block * q.block, min(q.frames, (block + 1) * q.block)):
        for u in range(q.labels + 1):
            if not go_on(w.worker, job.classes):
                return
            x = row_of(job, &job.x, row_at(job, q, t) + u, <floating*> w.row, w.s)
            top = rest = 0
            if job.logits:
                softmax_of(x, job.classes, &top, &rest)
            cell = t * (q.labels + 1) + u
            q.top[cell] = top
            q.rest[cell] = rest
            at = (t + u) * q.width + u + 1
            rest = log1p(rest)
            q.blanks[at] = (x[job.blank] - top) - rest
            if u < q.labels:
                q.emissions[at] = (x[q.label[u]] - top) - rest


cdef void measure_transducer(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block) noexcept nogil:
    if job.single:
        measure_cells(job, q, w, block, <float> 1)
    else:
        measure_cells(job, q, w, block, <double> 1)


cdef inline void steps_of(alone blanks, alone emissions, Py_ssize_t n, double level, alone bm, alone be, alone em,
                          alone ee) noexcept nogil:
    """The probabilities of a diagonal's steps over e^level."""
    cdef Py_ssize_t k
    for k in range(n):
        exponential(blanks[k] - level, &bm[k], &be[k])
        exponential(emissions[k] - level, &em[k], &ee[k])


cdef inline void steps(const Sequence* q, Work* w, Py_ssize_t d, double level) noexcept nogil:
    steps_of(q.blanks + d * q.width, q.emissions + d * q.width, q.width, level, w.m, w.e, w.m + q.width, w.e + q.width)


cdef void advance_diagonal(alone m, alone e, alone bm, alone be, alone em, alone ee, alone to_m, alone to_e,
                           Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef double here, left, top
    for k in range(n):
        here = e[k + 1] + be[k + 1]
        left = e[k] + ee[k]
        top = larger(here, left)
        to_m[k + 1] = mul_add(m[k + 1] * bm[k + 1], power_of_two(here - top), (m[k] * em[k]) * power_of_two(left - top))
        to_e[k + 1] = top


cdef void retreat_diagonal(alone m, alone e, alone bm, alone be, alone em, alone ee, alone to_m, alone to_e,
                           Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef double here, right, top
    for k in range(1, n + 1):
        here = e[k] + be[k]
        right = e[k + 1] + ee[k]
        top = larger(here, right)
        to_m[k] = mul_add(m[k] * bm[k], power_of_two(here - top), (m[k + 1] * em[k]) * power_of_two(right - top))
        to_e[k] = top


cdef void clear_diagonal(double* row, const Sequence* q) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(q.width):
        row[k] = 0
        row[q.width + k] = NONE


cdef double level_of(const Sequence* q, const double* row, Py_ssize_t d) noexcept nogil:
    """The logarithm of the likelier step from the likeliest state of a diagonal.

    Steps are taken over it: where one way is nearly certain, they are 1, and what is left over is as exact as it is
    small.
    """
    cdef Py_ssize_t k, best = 1
    cdef double level
    for k in range(2, q.labels + 2):
        if row[k] > 0 and row[q.width + k] + row[k] > row[q.width + best] + row[best]:      # m is from 1 to 2
            best = k
    level = larger(q.blanks[d * q.width + best], q.emissions[d * q.width + best])
    return level if is_finite(level) else 0.0


cdef void forward_transducer(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    cdef Py_ssize_t d, size = 2 * q.width, last = q.frames + q.labels
    cdef bint grad = job.base.operation & GRAD
    cdef double* row = q.forward
    cdef double* into
    cdef double high = 0, low = 0, level
    clear_diagonal(row, q)
    row[1] = 1
    row[q.width + 1] = 0
    for d in range(last):
        if not go_on(w.worker, size):
            return
        into = q.forward + (d + 1 if grad else (d + 1) % 2) * size
        if grad or d == 0:
            clear_diagonal(into, q)
        level = level_of(q, row, d)
        add_exactly(level, &high, &low)
        steps(q, w, d, level)
        advance_diagonal(row, row + q.width, w.m, w.e, w.m + q.width, w.e + q.width, into, into + q.width, q.inner)
        normalise(into, into + q.width, q.width)
        row = into
    q.norm = high + low
    q.loss = -(q.norm + logarithm(row[q.labels + 1], row[q.width + q.labels + 1]))


cdef void backward_transducer(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    cdef Py_ssize_t d, size = 2 * q.width, last = q.frames + q.labels
    cdef double* row = q.backward + last * size
    cdef double* into
    clear_diagonal(row, q)
    row[q.labels + 1] = 1
    row[q.width + q.labels + 1] = 0
    for d in range(last - 1, -1, -1):
        if not go_on(w.worker, size):
            return
        into = row - size
        clear_diagonal(into, q)
        steps(q, w, d, 0)
        retreat_diagonal(row, row + q.width, w.m, w.e, w.m + q.width, w.e + q.width, into, into + q.width, q.inner)
        if d % STEPS == 0:
            normalise(into, into + q.width, q.width)
        row = into


cdef void visits_of(alone am, alone ae, alone zm, alone ze, alone bm, alone be, alone em, alone ee, alone blanks,
                    alone emissions, Py_ssize_t n) noexcept nogil:
    """How likely each step of a diagonal is taken, in an unknown unit; exponents go to `be` and `ee`."""
    cdef Py_ssize_t k
    for k in range(1, n + 1):
        blanks[k] = am[k] * bm[k] * zm[k]
        emissions[k] = am[k] * em[k] * zm[k + 1]
        be[k] = (ae[k] + be[k]) + ze[k]
        ee[k] = (ae[k] + ee[k]) + ze[k + 1]


cdef void settle_transducer(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    """How often each step is taken: those of a diagonal add up to 1."""
    cdef Py_ssize_t d, k, n = q.inner, size = 2 * q.width
    cdef double* blanks
    cdef double* emissions
    cdef double* be = w.e
    cdef double* ee = w.e + q.width
    cdef double* a
    cdef double* z
    cdef double top, whole
    if not job.base.operation & GRAD or not is_finite(q.loss):
        return
    for d in range(q.frames + q.labels):
        if not go_on(w.worker, size):
            return
        steps(q, w, d, 0)
        blanks = q.blanks + d * q.width
        emissions = q.emissions + d * q.width
        a = q.forward + d * size
        z = q.backward + (d + 1) * size
        visits_of(a, a + q.width, z, z + q.width, w.m, be, w.m + q.width, ee, blanks, emissions, n)
        top = highest(ee + 1, n, highest(be + 1, n, NONE))
        align_to(blanks + 1, be + 1, n, top)
        align_to(emissions + 1, ee + 1, n, top)
        whole = total(<const double*> blanks + 1, n) + total(<const double*> emissions + 1, n)
        for k in range(1, n + 1):
            blanks[k] /= whole
            emissions[k] /= whole


cdef inline double slope_of(double e, double rest, double mine, double other) noexcept nogil:
    """p (mine + other) - mine, p = e / (1 + rest), without a difference of what is near 1."""
    return (e * other - ((1 - e) + rest) * mine) / (1 + rest)


cdef void differentiate_cells(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block, floating like) noexcept nogil:
    cdef Py_ssize_t t, u, cell, at, row, count
    cdef const floating* x = NULL
    cdef double fast = 1 + job.base.parameters[0], most = job.base.parameters[1] * fabs(q.coefficient)
    cdef double blank, label, whole
    cdef double patch[2]
    cdef int32_t classes[2]
    for t in range(block * q.block, min(q.frames, (block + 1) * q.block)):
        for u in range(q.labels + 1):
            if not go_on(w.worker, job.classes):
                return
            row = row_at(job, q, t) + u
            cell = t * (q.labels + 1) + u
            at = (t + u) * q.width + u + 1
            blank = q.blanks[at]
            label = fast * q.emissions[at]
            whole = 1 + q.rest[cell]
            classes[0] = job.blank
            patch[0] = -q.coefficient * blank
            count = 1
            if u < q.labels:
                classes[1] = q.label[u]
                patch[1] = -q.coefficient * label
                count = 2
            if job.logits:
                x = row_of(job, &job.x, row, <floating*> w.row, w.s)
                patch[0] = q.coefficient * slope_of(exp(x[classes[0]] - q.top[cell]), q.rest[cell], blank, label)
                if count == 2:
                    patch[1] = q.coefficient * slope_of(exp(x[classes[1]] - q.top[cell]), q.rest[cell], label, blank)
            if count == 2 and classes[1] < classes[0]:
                classes[0], classes[1] = classes[1], classes[0]
                patch[0], patch[1] = patch[1], patch[0]
            write_row(job, row, x, q.top[cell], q.coefficient / whole * (blank + label) if job.logits else 0.0, classes,
                      patch, count, most if most > 0 else INFINITY, w.s)


cdef void differentiate_transducer(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block) noexcept nogil:
    if job.single:
        differentiate_cells(job, q, w, block, <float> 1)
    else:
        differentiate_cells(job, q, w, block, <double> 1)


cdef Program of_transducer() noexcept:
    cdef Program program
    program.arrange, program.equip, program.begin = arrange_transducer, equip_transducer, begin_transducer
    program.measure, program.forward, program.backward = measure_transducer, forward_transducer, backward_transducer
    program.settle, program.differentiate, program.decode = settle_transducer, differentiate_transducer, NULL
    program.carries = False
    return program

declare("transducer", of_transducer(), ("fast_emit", "clamp"))
