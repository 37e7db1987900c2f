# The one driver of the elementwise families: checks, weights, sums, scaling and stores, a block at a time.
#
# a. Everything that is not the formula is a further pass over the block in first-level cache.
# b. The grid of chunks depends on the number of elements alone, a chunk is summed by one thread in
#    index order, and chunks are folded in index order: no trace of the number of threads.

include "engine/engine.pxi"
include "elementwise/block.pxi"
include "elementwise/loops.pxi"
include "elementwise/residual.pxi"
include "elementwise/robust.pxi"
include "elementwise/redescending.pxi"
include "elementwise/relative.pxi"
include "elementwise/likelihood.pxi"
include "elementwise/binary.pxi"
include "elementwise/margin.pxi"
include "elementwise/adversarial.pxi"
include "elementwise/preference.pxi"
include "columns/distributional.pxi"
include "columns/quantiles.pxi"
include "columns/ranking.pxi"
include "aggregate.pxi"
include "elementwise/composition.pxi"

cdef enum:
    # Elements of a block: what is read of the next ones, or written past the caches, is so little that it is on its
    # way while these are computed.
    ELEMENTS = BLOCK // 2

cdef struct ElementJob:
    Job base
    Loop loop
    bint plain                          # sums and derivatives of elements that all count, in float32


# Passes over a block ------------------------------------------------------------------------------

cdef const double* widen_block(ElementJob* whole, Py_ssize_t start, Py_ssize_t n, Scratch* s) noexcept nogil:
    """The losses of a block once more, in float64: one of them is none of float32, or not finite at all.

    For a state only those.
    """
    cdef Job* job = &whole.base
    cdef const double* y = load(&job.operands[Y], &job.shape, start, n, s.y, s)
    cdef const double* x = load(&job.operands[X], &job.shape, start, n, s.x, s)
    cdef const double* z = NULL
    cdef bint of_state = job.operation & (MOMENTS | APART)
    if job.operands[Z].data != NULL:
        z = load(&job.operands[Z], &job.shape, start, n, s.z, s)
    if of_state:
        memcpy(s.hess, s.value, n * sizeof(float))
    evaluate(whole.loop, job, VALUE, y, x, z, s, n, NULL)
    if of_state:
        take_finite(s.value, <const float*> s.hess, n)
    return s.value


cdef void store_losses(Job* job, floating* value, const double* weight, Py_ssize_t start, Py_ssize_t n,
                       Scratch* s) noexcept nogil:
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(n):
            value[i] = value[i] if weight[i] > 0 else 0
    store(&job.operands[VALUE_OUT], &job.shape, start, n, value, s)


cdef void store_apart(ElementJob* whole, floating* value, const double* weight, Py_ssize_t start, Py_ssize_t n,
                      Scratch* s) noexcept nogil:
    """Each weight, -inf where the element does not count, and each loss, 0 where it has no weight."""
    cdef Job* job = &whole.base
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(n):
            s.weight[i] = weight[i] if s.total[i] != 0 else -INFINITY
        store(&job.operands[WEIGHT_OUT], &job.shape, start, n, <const double*> s.weight, s)
    if floating is float and not is_finite(weighted_total(job, s.weight, value, n, s)):
        store_losses(job, <double*> widen_block(whole, start, n, s), s.weight if weight != NULL else NULL, start, n, s)
    else:
        store_losses(job, value, s.weight if weight != NULL else NULL, start, n, s)


cdef void block(ElementJob* whole, Scratch* s, Py_ssize_t start, Py_ssize_t n, Partial* partial,
                floating like) noexcept nogil:
    cdef Job* job = &whole.base
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
    cdef Rest rest
    rest.done = False
    cdef bint reads_predictions = job.operation or job.domains[X].checked or job.domains[Z].checked
    foresee_stream(&operands[Y], start, n)
    if reads_predictions:
        foresee_stream(&operands[X], start, n)
        foresee_stream(&operands[Z], start, n)
    if job.weighted:
        weight = weigh(job, y, start, n, s, partial)
        partial.weight += total(weight, n)
    else:
        partial.count += n
        partial.weight += n
    if reads_predictions:
        x = load(&operands[X], shape, start, n, <floating*> s.x, s)
        if operands[Z].data != NULL:
            z = load(&operands[Z], shape, start, n, <floating*> s.z, s)
    # What is first to read a block waits for memory: better the formula, whose arithmetic goes on meanwhile, than the
    # checks.
    if job.operation:
        split_scale(job.scale, &rest.high, &rest.low)
        evaluate(whole.loop, job, job.operation, y, x, z, s, n, &rest if whole.plain else NULL)
    if job.checked:
        check(job, Y, y, weight, start, n, partial)
        if x != NULL:
            check(job, X, x, weight, start, n, partial)
        if z != NULL:
            check(job, Z, z, weight, start, n, partial)
    if partial.bad >= 0 or job.operation == 0:
        return
    if job.operation & APART:
        store_apart(whole, value, weight, start, n, s)
        return
    if job.operation & VALUE:
        loss = rest.loss if rest.done else weighted_total(job, weight, value, n, s)
        if floating is float and not is_finite(loss) and operands[VALUE_OUT].data == NULL:
            loss = weighted_total(job, weight, widen_block(whole, start, n, s), n, s)
            if job.operation & MOMENTS:
                add_losses(&partial.state, weight, <const double*> s.value, n)
        elif job.operation & MOMENTS:
            add_losses(&partial.state, weight, <const floating*> value, n)
        partial.loss += loss
        if operands[VALUE_OUT].data != NULL:
            finish(job, value, weight, 1, n)
            store(&operands[VALUE_OUT], shape, start, n, value, s)
    if job.operation & GRAD:
        if not rest.done:
            finish(job, grad, weight, job.scale, n)
        store(&operands[GRAD_OUT], shape, start, n, grad, s)
        if operands[GRAD_Z_OUT].data != NULL:
            finish(job, grad_z, weight, job.scale, n)
            store(&operands[GRAD_Z_OUT], shape, start, n, grad_z, s)
    if job.operation & HESS:
        if not rest.done:
            finish(job, hess, weight, job.scale, n)
        store(&operands[HESS_OUT], shape, start, n, hess, s)
        if operands[HESS_Z_OUT].data != NULL:
            finish(job, hess_z, weight, job.scale, n)
            store(&operands[HESS_Z_OUT], shape, start, n, hess_z, s)


cdef void chunk(ElementJob* whole, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Job* job = &whole.base
    cdef Scratch* scratch = <Scratch*> worker.scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.chunk, stop = min(start + job.chunk, job.shape.size)
    clear(&partial)
    open_lines(scratch)
    while start < stop and partial.bad < 0 and go_on(worker, ELEMENTS):
        block(whole, scratch, start, min(<Py_ssize_t> ELEMENTS, stop - start), &partial, like)
        start += ELEMENTS
    close_lines(scratch)
    job.partials[index] = partial


cdef void chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    chunk(<ElementJob*> job, index, worker, <float> 1)


cdef void chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    chunk(<ElementJob*> job, index, worker, <double> 1)


# The entry ----------------------------------------------------------------------------------------

def elementwise(Kernel kernel, int operation, *, tuple arrays, tuple dtypes, tuple constants, domains, double scale,
                int nan_policy, bint single, int num_threads):
    """Run one kernel over operands of one shape.

    `arrays` are the operands in the order Y ... WEIGHT_OUT, None where absent, and `dtypes` the codes of their element
    types; `domains` is None or (low, high, ternary) or None for each of y, x and z; `single` computes in
    float32. Returns (bad index or -1, culprit, (sum of w l, sum of w, count, square, mean, spread)).
    """
    cdef ElementJob whole
    cdef Job* job = &whole.base
    cdef Py_buffer views[OPERANDS]
    cdef Operand* present[OPERANDS]
    cdef int k, held = 0
    cdef Py_ssize_t blocks
    memset(&whole, 0, sizeof(ElementJob))
    whole.loop = <Loop> kernel.program
    job.terms = kernel.terms
    prepare(job, operation, constants, domains)
    job.nan_policy = nan_policy
    job.scale = scale
    job.checked = domains is not None or nan_policy == RAISE
    try:
        for k in range(len(arrays)):
            if arrays[k] is not None:
                hold(arrays[k], &views[held], dtypes[k], k >= VALUE_OUT, k)
                describe(&job.operands[k], &views[held], dtypes[k])
                job.operands[k].line = k - VALUE_OUT + 1 if k >= VALUE_OUT else 0
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
        whole.plain = (
            single and not job.weighted and job.operands[VALUE_OUT].data == NULL and not operation & (MOMENTS | APART)
            and (scale == 0 or is_splittable(scale))
        )
        # With a chunk for each block a light loss would take half as long again; 32 of them are shared well enough.
        blocks = (job.shape.size + ELEMENTS - 1) // ELEMENTS
        job.chunk = max(max(1, min(16, blocks // 32)), (blocks + MAX_CHUNKS - 1) // MAX_CHUNKS) * ELEMENTS
        return run_grid(job, job.shape.size, chunk_of_float if single else chunk_of_double, &whole, num_threads,
                        (1 + kernel.depth) * sizeof(Scratch))
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
