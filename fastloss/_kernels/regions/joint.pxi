# Units of all classes: the elements of an image, a tile of elements and classes at a time. Lanes are elements.

cdef inline void copy_with_maximum(const floating* x, floating* to, floating* top, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = x[i]
        top[i] = x[i] if not x[i] <= top[i] else top[i]


cdef inline void exponentiate(floating* x, const floating* top, floating* rest, floating* tops,
                              Py_ssize_t n) noexcept nogil:
    """x = exp(x - top); what is not a largest one is added to `rest`, the others are counted."""
    cdef Py_ssize_t i
    cdef floating e, zero = 0, one = 1
    for i in range(n):
        e = exp_nonpositive(x[i] - top[i] if x[i] != top[i] else zero)
        rest[i] += e if x[i] != top[i] else zero
        tops[i] += zero if x[i] != top[i] else one
        x[i] = e


cdef inline void invert(floating* rest, floating* tops, floating* inverse, Py_ssize_t n) noexcept nogil:
    """1 over the sum of the exponentials, and what of it all but one of the largest make."""
    cdef Py_ssize_t i
    cdef floating one = 1
    for i in range(n):
        inverse[i] = one / (rest[i] + tops[i])
        rest[i] = rest[i] + (tops[i] - one)


cdef inline void normalise(const floating* e, const floating* rest, const floating* inverse, floating* p, floating* q,
                           Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v, one = 1
    for i in range(n):
        v = e[i] * inverse[i]
        q[i] = rest[i] * inverse[i] if e[i] == one else one - v
        p[i] = v


cdef inline void indicate(const floating* label, floating k, floating* t, Py_ssize_t n) noexcept nogil:
    """1 where a label is the class k; NaN where it is missing."""
    cdef Py_ssize_t i
    cdef floating one = 1
    for i in range(n):
        t[i] = one if label[i] == k else label[i] - label[i]


cdef const floating* targets_of(RegionJob* job, Py_ssize_t image, Py_ssize_t k, Py_ssize_t start, Py_ssize_t n,
                                RegionScratch* s, floating like) noexcept nogil:
    cdef floating* t = <floating*> s.t
    if job.labelled:
        indicate(<const floating*> s.own, <floating> k, t, n)
        return t
    return load(&job.base.operands[Y], &job.planes, (image * job.classes + k) * job.elements + start, n, t, &s.block)


cdef inline bint is_class(double y, double classes) noexcept nogil:
    # Adding 1.5 * 2^52 rounds to an integer, in vectors of every instruction set.
    return (y >= 0) & (y <= classes - 1) & ((y + 6755399441055744.0) - 6755399441055744.0 == y)


cdef const double* settle_labels(RegionJob* job, Py_ssize_t flat, Py_ssize_t n, bint inspected, RegionScratch* s,
                                 Partial* partial, floating like) noexcept nogil:
    """The labels of a tile in the type of the computation, and the weights of its elements."""
    cdef const double* label = load(&job.base.operands[Y], &job.base.shape, flat, n, s.label, &s.block)
    cdef const double* weight = weigh_elements(job, label, flat, n, s, partial)
    cdef floating* own = <floating*> s.own
    cdef double classes = job.classes
    cdef bint no_nan = job.base.nan_policy == RAISE
    cdef Py_ssize_t i
    cdef int wrong = 0
    for i in range(n):
        own[i] = <floating> label[i]
    if not inspected:
        return weight
    if weight == NULL:
        for i in range(n):
            wrong |= (1 - is_class(label[i], classes)) & ((label[i] == label[i]) | no_nan)
    else:
        for i in range(n):
            wrong |= (weight[i] != 0) & (1 - is_class(label[i], classes)) & ((label[i] == label[i]) | no_nan)
    if wrong:
        for i in range(n):
            if (weight == NULL or weight[i] != 0) and not is_class(label[i], classes):
                if label[i] == label[i] or no_nan:
                    partial.bad = flat + i
                    partial.culprit = Y
                    break
    return weight


cdef const double* settle_targets(RegionJob* job, Py_ssize_t image, Py_ssize_t start, Py_ssize_t n, bint second,
                                  RegionScratch* s, Partial* partial, floating like) noexcept nogil:
    """The weights of the elements of a tile, whose targets of each class are checked."""
    cdef floating* any_target = <floating*> s.own
    cdef const floating* t
    cdef const double* weight
    cdef Py_ssize_t i, k
    for i in range(n):
        any_target[i] = 0
    if job.base.nan_policy == OMIT:
        for k in range(job.classes):
            t = targets_of(job, image, k, start, n, s, like)
            for i in range(n):
                any_target[i] += t[i]
    weight = weigh_elements(job, any_target, image * job.elements + start, n, s, partial)
    if job.base.checked and is_inspected(job, image, second) and partial.bad < 0:
        for k in range(job.classes):
            t = targets_of(job, image, k, start, n, s, like)
            check(&job.base, Y, t, weight, (image * job.classes + k) * job.elements + start, n, partial)
    return weight


cdef void softmax_tile(RegionJob* job, Py_ssize_t image, Py_ssize_t start, Py_ssize_t n, RegionScratch* s,
                       floating like) noexcept nogil:
    """The exponentials of a tile, and what makes probabilities of them."""
    cdef const Operand* operand = &job.base.operands[X]
    cdef floating* tile = <floating*> s.tile
    cdef floating* top = <floating*> s.top
    cdef floating* rest = <floating*> s.rest
    cdef floating* tops = <floating*> s.apart
    cdef const floating* x
    cdef floating* distance
    cdef Py_ssize_t k, i, flat = image * job.classes * job.elements + start
    for i in range(n):
        top[i] = -INFINITY
        rest[i] = tops[i] = 0
    for k in range(job.classes):
        x = load(operand, &job.planes, flat, n, tile + k * job.step, &s.block)
        foresee(operand, flat + n, n)
        copy_with_maximum(x, tile + k * job.step, top, n)
        flat += job.elements
    if job.program.crossed and job.base.operation & VALUE:
        for k in range(job.classes):
            distance = <floating*> s.tile_slopes + k * job.step
            for i in range(n):
                distance[i] = top[i] - tile[k * job.step + i] if tile[k * job.step + i] != top[i] else 0
    for k in range(job.classes):
        exponentiate(tile + k * job.step, top, rest, tops, n)
    invert(rest, tops, <floating*> s.inverse, n)


cdef void probabilities_of(RegionJob* job, Py_ssize_t image, Py_ssize_t k, Py_ssize_t start, Py_ssize_t n, floating* p,
                           RegionScratch* s) noexcept nogil:
    """The probabilities of one class, in p, and their complements."""
    cdef const floating* x
    if job.activation == SOFTMAX:
        normalise(<const floating*> s.tile + k * job.step, <const floating*> s.rest, <const floating*> s.inverse, p,
                  <floating*> s.q, n)
    else:
        x = load(&job.base.operands[X], &job.planes, (image * job.classes + k) * job.elements + start, n,
                 <floating*> s.g, &s.block)
        from_probabilities(x, p, <floating*> s.q, n)


cdef void joint_sums(RegionJob* job, Py_ssize_t image, Py_ssize_t start, Py_ssize_t n, const double* weight,
                     RegionScratch* s, double* sums, Partial* partial, floating like) noexcept nogil:
    cdef double extent = total(weight, n) if weight != NULL else n
    cdef floating* p = <floating*> s.p
    cdef floating* a = <floating*> s.a
    cdef const floating* t
    cdef const floating* x
    cdef const floating* distance
    cdef Py_ssize_t i, k, flat
    cdef Elements e
    if job.base.domains[X].checked and is_inspected(job, image, False):
        for k in range(job.classes):
            flat = (image * job.classes + k) * job.elements + start
            x = load(&job.base.operands[X], &job.planes, flat, n, <floating*> s.g, &s.block)
            check(&job.base, X, x, weight, flat, n, partial)
    if partial.bad >= 0:
        return
    if job.base.operation and job.activation == SOFTMAX:
        softmax_tile(job, image, start, n, s, like)
    e.z, e.p, e.q, e.weight, e.n, e.single = NULL, p, s.q, weight, n, floating is float
    for k in range(job.classes):
        sums[k * SUMS + EXTENT] += extent
        if job.base.operation == 0 and job.empty != IS_SKIPPED:
            continue
        t = targets_of(job, image, k, start, n, s, like)
        if job.base.operation == 0:
            sums[k * SUMS + job.program.empty[0]] += weighted_total(&job.base, weight, t, n, &s.block)
            continue
        probabilities_of(job, image, k, start, n, p, s)
        if job.program.sorted:
            sums[k * SUMS] += weighted_total(&job.base, weight, t, n, &s.block)
            absolute_errors(p, <const floating*> s.q, t, weight,
                            <floating*> job.errors + (image * job.classes + k) * job.elements + start, n)
            continue
        e.t, e.d, e.sums = t, t, sums + k * SUMS
        job.program.add(&e)
        if not (job.program.crossed and job.base.operation & VALUE):        # no derivative depends on it
            continue
        if job.activation == SOFTMAX:
            distance = <const floating*> s.tile_slopes + k * job.step
            for i in range(n):
                a[i] = share(t[i], distance[i] + log1p_within((<floating*> s.rest)[i]))
        else:
            for i in range(n):
                a[i] = -share(t[i], log_of(p[i]))
        sums[k * SUMS + TERMS - 1] += weighted_total(&job.base, weight, a, n, &s.block)


cdef void joint_slopes(RegionJob* job, Py_ssize_t image, Py_ssize_t start, Py_ssize_t n, const double* weight,
                       RegionScratch* s, floating like) noexcept nogil:
    """The gradient of a tile.

    That of a softmax is p (a - sum of p a), a the slope in p. Of a most probable class it is what the others make
    together, so that slopes are taken relative to that of one of these: no confident prediction cancels.
    """
    cdef double scale = job.base.scale
    cdef floating* p
    cdef floating* q = <floating*> s.q
    cdef floating* a
    cdef floating* g = <floating*> s.g
    cdef floating* pivot = <floating*> s.pivot
    cdef floating* apart = <floating*> s.apart
    cdef floating* crossed = <floating*> s.crossed
    cdef const floating* inverse = <const floating*> s.inverse
    cdef const floating* rest = <const floating*> s.rest
    cdef const floating* t
    cdef floating factor, complement, one = 1
    cdef Py_ssize_t i, k
    cdef Elements e
    if job.activation == SOFTMAX:
        softmax_tile(job, image, start, n, s, like)
    e.z, e.q, e.n, e.single = NULL, q, n, floating is float
    if not job.program.sorted:
        scale = scaled(slopes_of(job, image, 0), job.classes, scale, s.scaled)
    for i in range(n):
        apart[i] = crossed[i] = pivot[i] = 0
    for k in range(job.classes):
        p = <floating*> s.tile + k * job.step if job.activation == SOFTMAX else <floating*> s.p
        a = <floating*> s.tile_slopes + k * job.step
        t = targets_of(job, image, k, start, n, s, like)
        probabilities_of(job, image, k, start, n, p, s)
        e.p, e.t, e.d, e.c, e.slope = p, t, t, s.scaled + k * TERMS, a
        if job.program.sorted:
            scale_slopes(job, image, k, start, n, a)
        else:
            job.program.slope(&e)
        factor = <floating> s.scaled[k * TERMS + TERMS - 1] if job.program.crossed else 0
        if job.activation == SOFTMAX:
            for i in range(n):
                pivot[i] = a[i] if p[i] == inverse[i] else pivot[i]
            if job.program.crossed:
                for i in range(n):
                    crossed[i] += factor * t[i]
            continue
        if job.program.crossed:
            for i in range(n):
                a[i] -= factor * share(t[i], one / p[i])
        finish(&job.base, a, weight, scale, n)
        store(&job.base.operands[GRAD_OUT], &job.planes, (image * job.classes + k) * job.elements + start, n, a,
              &s.block)
    if job.activation != SOFTMAX:
        return
    for k in range(job.classes):
        p, a = <floating*> s.tile + k * job.step, <floating*> s.tile_slopes + k * job.step
        for i in range(n):
            apart[i] += p[i] * (a[i] - pivot[i])
    for k in range(job.classes):
        p, a = <floating*> s.tile + k * job.step, <floating*> s.tile_slopes + k * job.step
        for i in range(n):
            g[i] = p[i] * ((a[i] - pivot[i]) - apart[i])
        if job.program.crossed:
            factor = <floating> s.scaled[k * TERMS + TERMS - 1]
            t = targets_of(job, image, k, start, n, s, like)
            for i in range(n):
                complement = rest[i] * inverse[i] if p[i] == inverse[i] else one - p[i]
                g[i] += p[i] * (crossed[i] - factor * t[i]) - complement * (factor * t[i])
        finish(&job.base, g, weight, scale, n)
        store(&job.base.operands[GRAD_OUT], &job.planes, (image * job.classes + k) * job.elements + start, n, g,
              &s.block)


cdef void joint_tile(RegionJob* job, Py_ssize_t image, Py_ssize_t start, Py_ssize_t n, bint second, RegionScratch* s,
                     double* sums, Partial* partial, floating like) noexcept nogil:
    cdef const double* weight
    if job.labelled:
        weight = settle_labels(job, image * job.elements + start, n, is_inspected(job, image, second), s, partial, like)
    else:
        weight = settle_targets(job, image, start, n, second, s, partial, like)
    if partial.bad >= 0:
        return
    if second:
        joint_slopes(job, image, start, n, weight, s, like)
    else:
        joint_sums(job, image, start, n, weight, s, sums, partial, like)
