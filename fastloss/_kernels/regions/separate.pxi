# Units of one class: their elements, a block at a time.

cdef inline void from_logits(const floating* z, floating* p, floating* q, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        halves(z[i], &p[i], &q[i])


cdef inline void from_probabilities(const floating* z, floating* p, floating* q, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] = z[i]
        q[i] = 1 - z[i]


cdef inline floating share(floating t, floating v) noexcept nogil:
    """t v, and 0 for t = 0 even where v is infinite."""
    return t * v if t != 0 else 0


cdef inline void cross_entropy_of_logits(const floating* z, const floating* t, floating* to,
                                         Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating softplus, small, one = 1
    for i in range(n):
        logistic(z[i], &softplus, &small)
        to[i] = softplus + (share(one - t[i], z[i]) if z[i] > 0 else share(t[i], -z[i]))


cdef inline void cross_entropy_of_probabilities(const floating* p, const floating* q, const floating* t, floating* to,
                                                Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating one = 1
    for i in range(n):
        to[i] = -share(t[i], log_of(p[i])) - share(one - t[i], log1p_within(-p[i]) if p[i] < 1 else log_of(q[i]))


cdef inline void add_cross_entropy_slopes(RegionJob* job, floating factor, const floating* t, floating* to,
                                          Py_ssize_t n, RegionScratch* s) noexcept nogil:
    cdef const floating* p = <const floating*> s.p
    cdef const floating* q = <const floating*> s.q
    cdef Py_ssize_t i
    cdef floating one = 1
    if job.activation == SIGMOID:
        for i in range(n):
            to[i] += factor * apart_from(p[i], q[i], t[i])
    else:
        for i in range(n):
            to[i] += factor * (share(one - t[i], one / q[i]) - share(t[i], one / p[i]))


cdef inline void scale_slopes(RegionJob* job, Py_ssize_t image, Py_ssize_t k, Py_ssize_t start, Py_ssize_t n,
                              floating* to) noexcept nogil:
    """The slopes that sorted errors were turned into, by the weight of their region."""
    cdef const floating* slope = <const floating*> job.errors + (image * job.classes + k) * job.elements + start
    cdef double weight = slopes_of(job, image, k)[0]
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = <floating> (weight * slope[i])


cdef void separate_block(RegionJob* job, Py_ssize_t unit, Py_ssize_t start, Py_ssize_t n, bint second,
                         RegionScratch* s, double* sums, Partial* partial, floating like) noexcept nogil:
    cdef Operand* operands = job.base.operands
    cdef Py_ssize_t flat = unit * job.elements + start, i
    cdef floating* p = <floating*> s.p
    cdef floating* q = <floating*> s.q
    cdef floating* a = <floating*> s.a
    cdef const floating* z = NULL
    cdef const floating* t = load(&operands[Y], &job.planes, flat, n, <floating*> s.t, &s.block)
    cdef const floating* d = t
    cdef const double* weight = weigh_elements(job, t, flat, n, s, partial)
    cdef double scale
    cdef bint at_once, checked = job.base.checked and is_inspected(job, unit // job.classes, second)
    cdef Elements e
    foresee_stream(&operands[Y], flat, n)
    if checked:
        check(&job.base, Y, t, weight, flat, n, partial)
    if job.base.operation or job.base.domains[X].checked:
        foresee_stream(&operands[X], flat, n)
        z = load(&operands[X], &job.planes, flat, n, <floating*> s.g, &s.block)
        if checked:
            check(&job.base, X, z, weight, flat, n, partial)
    if operands[Z].data != NULL:
        d = load(&operands[Z], &job.planes, flat, n, <floating*> s.own, &s.block)
        if checked:
            check(&job.base, Z, d, weight, flat, n, partial)
    if partial.bad >= 0:
        return
    if not second:
        sums[EXTENT] += total(weight, n) if weight != NULL else n
    if job.base.operation == 0:
        if job.empty == IS_SKIPPED:
            sums[job.program.empty[0]] += weighted_total(&job.base, weight, t, n, &s.block)
        return
    if job.program.sorted:
        if second:
            scale_slopes(job, unit // job.classes, unit % job.classes, start, n, a)
            finish(&job.base, a, weight, job.base.scale, n)
            store(&operands[GRAD_OUT], &job.planes, flat, n, a, &s.block)
        else:
            sums[0] += weighted_total(&job.base, weight, t, n, &s.block)
            hinge_errors(z, t, weight, <floating*> job.errors + flat, n)
        return
    at_once = floating is float and job.activation == SIGMOID and weight == NULL and not job.program.crossed
    if job.activation != SIGMOID:
        from_probabilities(z, p, q, n)
    elif not at_once:
        from_logits(z, p, q, n)
    e.z = z if at_once else NULL
    e.p, e.q, e.t, e.d, e.weight, e.n, e.single = p, q, t, d, weight, n, floating is float
    if not second:
        e.sums = sums
        job.program.add(&e)
        if job.program.crossed and job.base.operation & VALUE:
            if job.activation == SIGMOID:
                cross_entropy_of_logits(z, t, a, n)
            else:
                cross_entropy_of_probabilities(p, q, t, a, n)
            sums[TERMS - 1] += weighted_total(&job.base, weight, a, n, &s.block)
        return
    scale = scaled(slopes_of(job, unit // job.classes, unit % job.classes), 1, job.base.scale, s.scaled)
    e.c, e.slope = s.scaled, a
    job.program.slope(&e)
    if job.activation == SIGMOID and not at_once:
        for i in range(n):
            a[i] = a[i] * (p[i] * q[i])
    if job.program.crossed:
        add_cross_entropy_slopes(job, <floating> s.scaled[TERMS - 1], t, a, n, s)
    finish(&job.base, a, weight, scale, n)
    store(&operands[GRAD_OUT], &job.planes, flat, n, a, &s.block)
