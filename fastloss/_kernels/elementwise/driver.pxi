# The one driver of the elementwise family: checks, weights, sums, scaling and stores, a block at a time.
#
# a. A formula returns the loss at one element and writes its first and second derivative. It is a
#    compile-time constant wherever `loop` is called, and so are the flags: the compiler builds one
#    vectorised loop for each of value, gradient, both, and gradient with curvature, and deletes what is
#    not asked for.
# b. Everything that is not the formula is a further pass over the block in first-level cache.
# c. The grid of chunks depends on the number of elements alone, a chunk is summed by one thread in
#    index order, and chunks are folded in index order: no trace of the number of threads.

ctypedef floating (*Formula)(
    floating y, floating x, double a, double b, double c, double d, floating* grad, floating* hess
) noexcept nogil

# A loss of two predictions for each target: `x` and `z` are the two, each has its own derivatives.
ctypedef floating (*PairFormula)(
    floating y, floating x, floating z, double a, double b, floating* grad, floating* grad_z, floating* hess,
    floating* hess_z
) noexcept nogil

# The high byte of a kernel's number is its family, each a file beside this one with its own dispatch.
cdef enum:
    RESIDUAL, RELATIVE, LIKELIHOOD, BINARY, MARGIN, PAIR, AGGREGATE, ROBUST, REDESCENDING

cpdef enum:
    VALUE = 1
    GRAD = 2
    HESS = 4
    MOMENTS = 8                         # centred second moments of the weighted losses, for their standard error
    APART = 16                          # the loss and the weight of each element, in place of their product

cpdef enum:
    PROPAGATE, OMIT, RAISE

cdef enum:
    MAX_CHUNKS = 4096

cdef struct Domain:
    bint checked
    bint ternary                        # only -1, 0 and 1
    double low
    double high

# What the sums of a run of elements come to.
cdef struct Partial:
    double loss                         # sum of w l
    double weight                       # sum of w
    double count                        # elements that are neither masked nor omitted
    double square                       # sum of w^2, and of the losses under these weights
    double mean                         # ... the mean
    double spread                       # ... and the sum of squares about it
    Py_ssize_t bad                      # index of the first element that breaks its domain, or -1
    int culprit                         # which operand that is, as in Job.operands

cdef enum:
    Y, X, Z, WEIGHT, MASK, VALUE_OUT, GRAD_OUT, GRAD_Z_OUT, HESS_OUT, HESS_Z_OUT, WEIGHT_OUT, OPERANDS

cdef struct Job:
    int kernel
    int operation
    int nan_policy
    bint weighted                       # by weight, mask or omission: some elements may count differently
    bint checked
    double parameters[4]
    double scale                        # of the derivatives
    bint ignoring                       # elements whose target is `ignored` do not count
    double ignored
    Domain domains[3]
    Shape shape
    Operand operands[OPERANDS]
    Py_ssize_t chunk
    Partial* partials


# The constant-formula loops -----------------------------------------------------------------------

cdef inline void loop(Formula formula, const floating* y, const floating* x, double a, double b, double c,
                      double d, floating* value, floating* grad, floating* hess, Py_ssize_t n,
                      bint want_value, bint want_grad, bint want_hess) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v, g, h
    for i in range(n):
        v = formula(y[i], x[i], a, b, c, d, &g, &h)
        if want_value:
            value[i] = v
        if want_grad:
            grad[i] = g
        if want_hess:
            hess[i] = h


cdef inline void specialise(Formula formula, const floating* y, const floating* x, const double* p,
                            floating* value, floating* grad, floating* hess, Py_ssize_t n,
                            int operation) noexcept nogil:
    cdef double a = p[0], b = p[1], c = p[2], d = p[3]
    if operation & HESS:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, False, True, True)
    elif operation & VALUE and operation & GRAD:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, True, True, False)
    elif operation & GRAD:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, False, True, False)
    else:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, True, False, False)


cdef inline void pair_loop(PairFormula formula, const floating* y, const floating* x, const floating* z, double a,
                           double b, floating* value, floating* grad, floating* grad_z, floating* hess,
                           floating* hess_z, Py_ssize_t n, bint want_value, bint want_grad,
                           bint want_hess) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v, g, gz, h, hz
    for i in range(n):
        v = formula(y[i], x[i], z[i], a, b, &g, &gz, &h, &hz)
        if want_value:
            value[i] = v
        if want_grad:
            grad[i] = g
            grad_z[i] = gz
        if want_hess:
            hess[i] = h
            hess_z[i] = hz


cdef inline void specialise_pair(PairFormula formula, const floating* y, const floating* x, const floating* z,
                                 const double* p, Scratch* s, Py_ssize_t n, int operation) noexcept nogil:
    cdef double a = p[0], b = p[1]
    cdef floating* value = <floating*> s.value
    cdef floating* grad = <floating*> s.grad
    cdef floating* grad_z = <floating*> s.grad_z
    cdef floating* hess = <floating*> s.hess
    cdef floating* hess_z = <floating*> s.hess_z
    if operation & HESS:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, False, True, True)
    elif operation & VALUE and operation & GRAD:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, True, True, False)
    elif operation & GRAD:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, False, True, False)
    else:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, True, False, False)


include "residual.pxi"
include "robust.pxi"
include "redescending.pxi"
include "relative.pxi"
include "likelihood.pxi"
include "pair.pxi"
include "aggregate.pxi"
include "binary.pxi"
include "margin.pxi"


cdef void evaluate(Job* job, const floating* y, const floating* x, const floating* z, Scratch* s,
                   Py_ssize_t n) noexcept nogil:
    """The values and derivatives of one block, by the family that the kernel's number names."""
    cdef int family = job.kernel >> 8
    cdef floating* value = <floating*> s.value
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    if family == RESIDUAL:
        residual(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == ROBUST:
        robust(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == REDESCENDING:
        redescending(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == RELATIVE:
        relative(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == LIKELIHOOD:
        likelihood(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == PAIR:
        pair(job.kernel, y, x, z, job.parameters, s, n, job.operation)
    elif family == AGGREGATE:
        aggregate(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == BINARY:
        binary(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)
    elif family == MARGIN:
        margin(job.kernel, y, x, job.parameters, value, grad, hess, n, job.operation)


# Passes over a block ------------------------------------------------------------------------------

cdef inline bint allowed(const Domain* domain, double v) noexcept nogil:
    return v != v or (v >= domain.low and v <= domain.high and (not domain.ternary or v * v * v == v))


cdef void check(Job* job, int operand, const floating* v, const double* weight, Py_ssize_t start, Py_ssize_t n,
                Partial* partial) noexcept nogil:
    """Record the first counted element outside its domain; NaN is inside unless the policy is to raise."""
    cdef Py_ssize_t i
    cdef int wrong = 0                  # as wide as a float32: the flags of a block stay in its lanes
    cdef bint no_nan = operand == Y and job.nan_policy == RAISE
    cdef const Domain* domain = &job.domains[operand]
    cdef floating low = <floating> domain.low, high = <floating> domain.high
    if not domain.checked and not no_nan:
        return
    if domain.ternary:
        for i in range(n):
            wrong |= 1 - ((v[i] >= low) & (v[i] <= high) & (v[i] * v[i] * v[i] == v[i]))
    else:
        for i in range(n):
            wrong |= 1 - ((v[i] >= low) & (v[i] <= high))
    if wrong == 0:
        return
    for i in range(n):
        if job.weighted and weight[i] == 0:
            continue
        if not allowed(domain, v[i]) or (no_nan and v[i] != v[i]):
            if partial.bad < 0 or start + i < partial.bad:
                partial.bad = start + i
                partial.culprit = operand
            return


cdef const double* weigh(Job* job, const floating* y, Py_ssize_t start, Py_ssize_t n, Scratch* s,
                         Partial* partial) noexcept nogil:
    """The weights of a block, 0 where an element is masked, omitted or ignored; counts those that are not.

    For losses that are wanted apart, `s.total` then holds 1 where an element counts and 0 where not.
    """
    cdef Py_ssize_t i, wrong = 0
    cdef const double* given
    cdef const double* counted
    cdef double* weight = s.weight
    cdef double* keep = s.total
    cdef bint selects = (
        job.operands[MASK].data != NULL or job.nan_policy == OMIT or job.ignoring or job.operation & APART
    )
    if not selects:
        partial.count += n
    else:
        for i in range(n):
            keep[i] = 1
        if job.operands[MASK].data != NULL:
            counted = load(&job.operands[MASK], &job.shape, start, n, s.weight, s)
            memcpy(keep, counted, n * sizeof(double))
        if job.nan_policy == OMIT:
            for i in range(n):
                keep[i] = keep[i] if y[i] == y[i] else 0
        if job.ignoring:
            for i in range(n):
                keep[i] = keep[i] if y[i] != job.ignored else 0
        partial.count += total(keep, n)
    if job.operands[WEIGHT].data == NULL:
        memcpy(weight, keep, n * sizeof(double))
        return weight
    given = load(&job.operands[WEIGHT], &job.shape, start, n, s.weight, s)
    if selects:
        for i in range(n):
            weight[i] = given[i] if keep[i] != 0 else 0
    elif given != weight:               # an output may be written over them
        memcpy(weight, given, n * sizeof(double))
    for i in range(n):
        wrong += not ((weight[i] >= 0) & (weight[i] <= 1.7976931348623157e308))
    if wrong > 0:
        for i in range(n):
            if not (weight[i] >= 0 and weight[i] <= 1.7976931348623157e308):
                partial.bad = start + i
                partial.culprit = WEIGHT
                break
    return weight


cdef void moments(const double* weight, const floating* value, Py_ssize_t n, Scratch* s,
                  Partial* partial) noexcept nogil:
    """Fold a block's mean and sum of squares under the weights w^2 into the chunk's (Chan's update)."""
    cdef Py_ssize_t i
    cdef double square, mean, spread, both, apart
    cdef double* u = s.raw
    cdef double* t = s.total
    for i in range(n):
        u[i] = weight[i] * weight[i] if weight != NULL else 1
        t[i] = u[i] * value[i] if u[i] != 0 else 0
    square = total(u, n)
    if square == 0:
        return
    mean = total(t, n) / square
    for i in range(n):
        t[i] = u[i] * (value[i] - mean) * (value[i] - mean) if u[i] != 0 else 0
    spread = total(t, n)
    fold_moments(partial, square, mean, spread)


cdef void fold_moments(Partial* into, double square, double mean, double spread) noexcept nogil:
    cdef double both = into.square + square, apart = mean - into.mean
    if square == 0:
        return
    if into.square == 0:
        into.mean = mean
        into.spread = spread
    else:
        into.mean += apart * (square / both)
        into.spread += spread + apart * apart * (into.square * (square / both))
    into.square = both


cdef void fold_partials(Partial* whole, const Partial* partials, Py_ssize_t count) noexcept:
    """The partials of all chunks as one, or the first that found a bad element."""
    cdef Py_ssize_t i
    cdef unsigned mode = enter_ieee_mode()
    memset(whole, 0, sizeof(Partial))
    whole.bad = -1
    for i in range(count):
        if partials[i].bad >= 0:
            whole.bad = partials[i].bad
            whole.culprit = partials[i].culprit
            break
        whole.loss += partials[i].loss
        whole.weight += partials[i].weight
        whole.count += partials[i].count
        fold_moments(whole, partials[i].square, partials[i].mean, partials[i].spread)
    leave_ieee_mode(mode)


cdef double weighted_total(Job* job, const double* weight, const floating* value, Py_ssize_t n,
                           Scratch* s) noexcept nogil:
    cdef Py_ssize_t i
    if not job.weighted:
        return total(value, n)
    for i in range(n):
        s.total[i] = weight[i] * value[i] if weight[i] > 0 else 0
    return total(s.total, n)


cdef inline bint is_finite(double v) noexcept nogil:
    return fabs(v) <= 1.7976931348623157e308


cdef const double* widen_block(Job* job, Py_ssize_t start, Py_ssize_t n, Scratch* s) noexcept nogil:
    """The losses of a block once more, in float64: one of them is none of float32, or not finite at all."""
    cdef Job values = job[0]
    cdef const double* y = load(&job.operands[Y], &job.shape, start, n, s.y, s)
    cdef const double* x = load(&job.operands[X], &job.shape, start, n, s.x, s)
    cdef const double* z = NULL
    if job.operands[Z].data != NULL:
        z = load(&job.operands[Z], &job.shape, start, n, s.z, s)
    values.operation = VALUE
    evaluate(&values, y, x, z, s, n)
    return s.value


cdef inline void finish(Job* job, floating* v, const double* weight, double scale, Py_ssize_t n) noexcept nogil:
    """Scale by `scale` and the weights; an element of weight 0 contributes 0 even where it is not finite."""
    cdef Py_ssize_t i
    cdef float high = <float> scale, low
    if job.weighted:
        for i in range(n):
            v[i] = <floating> ((scale * weight[i]) * v[i]) if weight[i] != 0 else 0
    elif scale == 1:
        return
    elif floating is double or high == scale:
        for i in range(n):
            v[i] = <floating> scale * v[i]
    elif not (fabs(scale) > 1e-30 and fabs(scale) < 1e30):         # the parts of it would be no floats
        for i in range(n):
            v[i] = <floating> (scale * v[i])
    else:
        # As good as a product in float64 and half its work. Both parts are of one sign: infinities stay.
        high = nextafterf(high, 0) if fabs(high) > fabs(scale) else high
        low = <float> (scale - high)
        for i in range(n):
            v[i] = mul_add_f32(v[i], high, v[i] * low)


cdef void store_losses(Job* job, floating* value, const double* weight, Py_ssize_t start, Py_ssize_t n,
                       Scratch* s) noexcept nogil:
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(n):
            value[i] = value[i] if weight[i] > 0 else 0
    store(&job.operands[VALUE_OUT], &job.shape, start, n, value, s)


cdef void store_apart(Job* job, floating* value, const double* weight, Py_ssize_t start, Py_ssize_t n,
                      Scratch* s) noexcept nogil:
    """Each weight, -1 where the element does not count, and each loss, 0 where it has no weight."""
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(n):
            s.weight[i] = weight[i] if s.total[i] != 0 else -1
        store(&job.operands[WEIGHT_OUT], &job.shape, start, n, <const double*> s.weight, s)
    if floating is float and not is_finite(weighted_total(job, s.weight, value, n, s)):
        store_losses(job, <double*> widen_block(job, start, n, s), s.weight if weight != NULL else NULL, start, n, s)
    else:
        store_losses(job, value, s.weight if weight != NULL else NULL, start, n, s)


cdef void block(Job* job, Scratch* s, Py_ssize_t start, Py_ssize_t n, Partial* partial,
                floating unit) noexcept nogil:
    cdef Operand* operands = job.operands
    cdef const Shape* shape = &job.shape
    cdef const floating* y = load(&operands[Y], shape, start, n, <floating*> s.y, s)
    cdef const floating* x = NULL
    cdef const floating* z = NULL
    cdef const double* weight = NULL
    cdef floating* value = <floating*> s.value
    cdef floating* grad = <floating*> s.grad
    cdef floating* grad_z = <floating*> s.grad_z
    cdef floating* hess = <floating*> s.hess
    cdef floating* hess_z = <floating*> s.hess_z
    cdef double loss
    if job.weighted:
        weight = weigh(job, y, start, n, s, partial)
        partial.weight += total(weight, n)
    else:
        partial.count += n
        partial.weight += n
    if job.operation or job.domains[X].checked or job.domains[Z].checked:
        x = load(&operands[X], shape, start, n, <floating*> s.x, s)
        if operands[Z].data != NULL:
            z = load(&operands[Z], shape, start, n, <floating*> s.z, s)
    if job.checked:
        check(job, Y, y, weight, start, n, partial)
        if x != NULL:
            check(job, X, x, weight, start, n, partial)
        if z != NULL:
            check(job, Z, z, weight, start, n, partial)
    if partial.bad >= 0 or job.operation == 0:
        return
    evaluate(job, y, x, z, s, n)
    if job.operation & APART:
        store_apart(job, value, weight, start, n, s)
        return
    if job.operation & VALUE:
        loss = weighted_total(job, weight, value, n, s)
        if floating is float and not is_finite(loss) and operands[VALUE_OUT].data == NULL:
            loss = weighted_total(job, weight, widen_block(job, start, n, s), n, s)
            if job.operation & MOMENTS:
                moments(weight, s.value, n, s, partial)
        elif job.operation & MOMENTS:
            moments(weight, value, n, s, partial)
        partial.loss += loss
        if operands[VALUE_OUT].data != NULL:
            finish(job, value, weight, 1, n)
            store(&operands[VALUE_OUT], shape, start, n, value, s)
    if job.operation & GRAD:
        finish(job, grad, weight, job.scale, n)
        store(&operands[GRAD_OUT], shape, start, n, grad, s)
        if operands[GRAD_Z_OUT].data != NULL:
            finish(job, grad_z, weight, job.scale, n)
            store(&operands[GRAD_Z_OUT], shape, start, n, grad_z, s)
    if job.operation & HESS:
        finish(job, hess, weight, job.scale, n)
        store(&operands[HESS_OUT], shape, start, n, hess, s)
        if operands[HESS_Z_OUT].data != NULL:
            finish(job, hess_z, weight, job.scale, n)
            store(&operands[HESS_Z_OUT], shape, start, n, hess_z, s)


cdef void chunk(Job* job, Py_ssize_t index, Worker* worker, floating unit) noexcept nogil:
    cdef Scratch* scratch = <Scratch*> worker.scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.chunk, stop = min(start + job.chunk, job.shape.size)
    cdef unsigned mode = enter_ieee_mode()
    memset(&partial, 0, sizeof(Partial))
    partial.bad = -1
    while start < stop and partial.bad < 0 and go_on(worker, BLOCK):
        block(job, scratch, start, min(<Py_ssize_t> BLOCK, stop - start), &partial, unit)
        start += BLOCK
    job.partials[index] = partial
    stream_fence()
    leave_ieee_mode(mode)


cdef void chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    chunk(<Job*> job, index, worker, <float> 1)


cdef void chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    chunk(<Job*> job, index, worker, <double> 1)


# The entry ----------------------------------------------------------------------------------------

cdef void prepare(Job* job, int kernel, int operation, tuple parameters, tuple domains):
    """Settle what to compute, and the domains: None, or (low, high, ternary) or None for each of y, x and z."""
    cdef int k
    job.kernel = kernel
    job.operation = operation
    for k in range(len(parameters)):
        job.parameters[k] = parameters[k]
    for k in range(3):
        job.domains[k].low = -INFINITY
        job.domains[k].high = INFINITY
        if domains is not None and domains[k] is not None:
            job.domains[k].checked = True
            job.domains[k].low, job.domains[k].high, job.domains[k].ternary = domains[k]


def elementwise(int kernel, int operation, tuple arrays, tuple kinds, tuple parameters, domains, double scale,
                int nan_policy, bint single, int num_threads):
    """Run one kernel over operands of one shape.

    `arrays` are the operands in the order Y ... WEIGHT_OUT, None where absent, and `kinds` their element
    types; `domains` is None or (low, high, ternary) or None for each of y, x and z; `single` computes in
    float32. Returns (bad index or -1, culprit, sum of w l, sum of w, count, square, mean, spread).
    """
    cdef Job job
    cdef Py_buffer views[OPERANDS]
    cdef Operand* present[OPERANDS]
    cdef Partial whole
    cdef Partial small[8]
    cdef int k, held = 0
    cdef Py_ssize_t blocks, chunks
    memset(&job, 0, sizeof(Job))
    prepare(&job, kernel, operation, parameters, domains)
    job.nan_policy = nan_policy
    job.scale = scale
    job.checked = domains is not None or nan_policy == RAISE
    try:
        for k in range(len(arrays)):
            if arrays[k] is not None:
                hold(arrays[k], &views[held], kinds[k], k >= VALUE_OUT, k)
                describe(&job.operands[k], &views[held], kinds[k])
                present[held] = &job.operands[k]
                held += 1
                match(&views[held - 1], views[0].shape, views[0].ndim, k)
        job.shape.ndim = views[0].ndim
        job.shape.size = 1
        for k in range(job.shape.ndim):
            job.shape.lengths[k] = views[0].shape[k]
            job.shape.size *= job.shape.lengths[k]
        coalesce(&job.shape, present, held)
        job.weighted = (
            job.operands[WEIGHT].data != NULL or job.operands[MASK].data != NULL or nan_policy == OMIT
        )
        blocks = (job.shape.size + BLOCK - 1) // BLOCK
        job.chunk = max(1, (blocks + MAX_CHUNKS - 1) // MAX_CHUNKS) * BLOCK
        chunks = (job.shape.size + job.chunk - 1) // job.chunk
        job.partials = &small[0] if chunks <= 8 else <Partial*> PyMem_Malloc(chunks * sizeof(Partial))
        if job.partials == NULL:
            raise MemoryError
        num_threads = team(chunks, num_threads)
        with nogil:
            parallel_for(chunk_of_float if single else chunk_of_double, &job, chunks, num_threads, sizeof(Scratch))
        fold_partials(&whole, job.partials, chunks)
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
        if job.partials != NULL and job.partials != &small[0]:
            PyMem_Free(job.partials)
    return (whole.bad, whole.culprit, whole.loss, whole.weight, whole.count, whole.square, whole.mean, whole.spread)
