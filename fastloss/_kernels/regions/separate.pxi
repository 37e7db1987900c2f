# Units of one class: their elements, a block at a time.

cdef inline void from_logits(const floating* z, floating* p, floating* q, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating softplus, small
    for i in range(n):
        logistic(z[i], &softplus, &small)
        p[i] = 1 - small if z[i] >= 0 else small
        q[i] = small if z[i] >= 0 else 1 - small


cdef inline void from_probabilities(const floating* z, floating* p, floating* q, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        p[i] = z[i]
        q[i] = 1 - z[i]


cdef inline floating share(floating t, floating v) noexcept nogil:
    """t v, and 0 for t = 0 even where v is infinite."""
    return t * v if t != 0 else 0


cdef inline void cross_entropy_of_logits(const floating* z, const floating* t, floating* to, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating softplus, small
    for i in range(n):
        logistic(z[i], &softplus, &small)
        to[i] = softplus + (share(1 - t[i], z[i]) if z[i] > 0 else share(t[i], -z[i]))


cdef inline void cross_entropy_of_probabilities(const floating* p, const floating* q, const floating* t, floating* to,
                                                Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = -share(t[i], log_of(p[i])) - share(1 - t[i], log1p_within(-p[i]) if p[i] < 1 else log_of(q[i]))


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
    cdef const double* c
    cdef floating factor
    cdef double scale
    cdef Elements e
    if job.base.checked and not second:
        check(&job.base, Y, t, weight, flat, n, partial)
    if job.base.operation or job.base.domains[X].checked:
        z = load(&operands[X], &job.planes, flat, n, <floating*> s.g, &s.block)
        if job.base.checked and not second:
            check(&job.base, X, z, weight, flat, n, partial)
    if operands[Z].data != NULL:
        d = load(&operands[Z], &job.planes, flat, n, <floating*> s.own, &s.block)
        if job.base.checked and not second:
            check(&job.base, Z, d, weight, flat, n, partial)
    if partial.bad >= 0:
        return
    if not second:
        sums[EXTENT] += total(weight, n) if weight != NULL else n
    if job.base.operation == 0:
        sums[job.program.empty[0]] += weighted_total(&job.base, weight, t, n, &s.block)
        return
    if job.activation == SIGMOID:
        from_logits(z, p, q, n)
    else:
        from_probabilities(z, p, q, n)
    e.p, e.q, e.t, e.d, e.weight, e.n, e.single = p, q, t, d, weight, n, floating is float
    if not second:
        e.sums = sums
        job.program.add(&e)
        if job.program.crossed:
            if job.activation == SIGMOID:
                cross_entropy_of_logits(z, t, a, n)
            else:
                cross_entropy_of_probabilities(p, q, t, a, n)
            sums[TERMS - 1] += weighted_total(&job.base, weight, a, n, &s.block)
        return
    c = slopes_of(job, unit // job.classes, unit % job.classes)
    scale = largest(c, 1)
    for i in range(TERMS):
        s.crossed[i] = c[i] / scale
    e.c, e.slope = s.crossed, a
    job.program.slope(&e)
    factor = <floating> s.crossed[TERMS - 1]
    if job.activation == SIGMOID:
        for i in range(n):
            a[i] = a[i] * (p[i] * q[i])
        if job.program.crossed:
            for i in range(n):
                a[i] += factor * (p[i] * (1 - t[i]) - q[i] * t[i])
    elif job.program.crossed:
        for i in range(n):
            a[i] += factor * (share(1 - t[i], 1 / q[i]) - share(t[i], 1 / p[i]))
    finish(&job.base, a, weight, scale * job.base.scale, n)
    store(&operands[GRAD_OUT], &job.planes, flat, n, a, &s.block)
