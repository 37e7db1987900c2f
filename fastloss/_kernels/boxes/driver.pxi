# The one driver of losses of boxes: numbers side by side become columns, a block at a time, and derivatives go back.

include "engine/engine.pxi"

from fastloss._kernels.vecmath cimport inverse_size

include "boxes/blocks.pxi"
include "boxes/overlap.pxi"
include "boxes/gaussian.pxi"


# Passes over a block ------------------------------------------------------------------------------

cdef void evaluate(BoxJob* whole, int operation, Py_ssize_t start, Py_ssize_t n, BoxScratch* s,
                   floating like) noexcept nogil:
    """The values and derivatives of one block, a piece of boxes at a time into its columns."""
    cdef Job* job = &whole.base
    cdef BoxBlock block
    cdef Py_ssize_t sides = whole.sides, piece = BLOCK // sides, done = 0, take
    cdef const floating* y
    cdef const floating* x
    cdef floating* columns = <floating*> s.columns
    while done < n:
        take = min(piece, n - done)
        y = load(&job.operands[Y], &whole.shape, (start + done) * sides, take * sides, <floating*> s.base.y, &s.base)
        x = load(&job.operands[X], &whole.shape, (start + done) * sides, take * sides, <floating*> s.base.x, &s.base)
        columns_of(whole.format, whole.sides, y, x, sides, columns + done, take, whole.least, &s.base)
        done += take
    if operation & GRAD:                # what is read alone, the processor foresees
        foresee(&job.operands[Y], (start + n) * sides, n * sides)
        foresee(&job.operands[X], (start + n) * sides, n * sides)
    block.columns = columns
    block.n = n
    block.operation = operation
    block.single = floating is float
    block.parameters = job.parameters
    whole.loop(&block)


cdef void mark(BoxJob* whole, floating* missing, Py_ssize_t start, Py_ssize_t n, Scratch* s) noexcept nogil:
    """NaN where a number of a target is, else 0."""
    cdef Py_ssize_t sides = whole.sides, piece = BLOCK // sides, done = 0, take, i, k
    cdef const floating* y
    while done < n:
        take = min(piece, n - done)
        y = load(&whole.base.operands[Y], &whole.shape, (start + done) * sides, take * sides, <floating*> s.y, s)
        for i in range(take):
            missing[done + i] = 0
            for k in range(sides):
                if y[i * sides + k] != y[i * sides + k]:
                    missing[done + i] = y[i * sides + k]
        done += take


cdef void store_losses(Job* job, floating* value, const double* weight, Py_ssize_t start, Py_ssize_t n,
                       Scratch* s) noexcept nogil:
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(n):
            value[i] = value[i] if weight[i] > 0 else 0
    store(&job.operands[VALUE_OUT], &job.shape, start, n, value, s)


cdef const double* widen_block(BoxJob* whole, Py_ssize_t start, Py_ssize_t n, BoxScratch* room) noexcept nogil:
    """The losses of a block once more, in float64: one of them is none of float32, or not finite at all.

    For a state only those.
    """
    cdef double* value = room.columns + LOSS * ROOM
    cdef bint of_state = whole.base.operation & (MOMENTS | APART)
    if of_state:
        memcpy(room.base.hess, <const float*> room.columns + LOSS * ROOM, n * sizeof(float))
    evaluate(whole, VALUE, start, n, room, <double> 1)
    if of_state:
        take_finite(value, <const float*> room.base.hess, n)
    return value


cdef void store_apart(BoxJob* whole, floating* value, const double* weight, Py_ssize_t start, Py_ssize_t n,
                      BoxScratch* room) noexcept nogil:
    """Each weight, -inf where the box does not count, and each loss, 0 where it has no weight."""
    cdef Job* job = &whole.base
    cdef Scratch* s = &room.base
    cdef const double* given = s.weight if weight != NULL else NULL
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(n):
            s.weight[i] = weight[i] if s.total[i] != 0 else -INFINITY
        store(&job.operands[WEIGHT_OUT], &job.shape, start, n, <const double*> s.weight, s)
    if floating is float and not is_finite(weighted_total(job, given, value, n, s)):
        store_losses(job, <double*> widen_block(whole, start, n, room), given, start, n, s)
    else:
        store_losses(job, value, given, start, n, s)


cdef void store_grads(BoxJob* whole, Py_ssize_t start, Py_ssize_t n, BoxScratch* s, floating like) noexcept nogil:
    cdef Py_ssize_t sides = whole.sides, piece = BLOCK // sides, done = 0, take
    cdef const floating* columns = <const floating*> <floating*> s.columns
    cdef floating* out = <floating*> s.base.grad
    while done < n:
        take = min(piece, n - done)
        interleaved(whole.format, columns + done, out, take)
        store(&whole.base.operands[GRAD_OUT], &whole.shape, (start + done) * sides, take * sides,
              <const floating*> out, &s.base)
        done += take


cdef void block(BoxJob* whole, BoxScratch* room, Py_ssize_t start, Py_ssize_t n, Partial* partial,
                floating like) noexcept nogil:
    cdef Job* job = &whole.base
    cdef Scratch* s = &room.base
    cdef floating* missing = <floating*> s.hess
    cdef floating* columns = <floating*> room.columns
    cdef floating* value = columns + LOSS * ROOM
    cdef const double* wide
    cdef const double* weight = NULL
    cdef double loss
    cdef int k
    if job.nan_policy != PROPAGATE:
        mark(whole, missing, start, n, s)
    if job.weighted:
        weight = weigh(job, <const floating*> missing, start, n, s, partial)
        partial.weight += total(weight, n)
    else:
        partial.count += n
        partial.weight += n
    if job.nan_policy == RAISE:
        check(job, Y, <const floating*> missing, weight, start, n, partial)
    if partial.bad >= 0 or job.operation == 0:
        return
    evaluate(whole, job.operation, start, n, room, like)
    if job.operation & APART:
        store_apart(whole, value, weight, start, n, room)
        return
    if job.operation & GRAD:            # the columns are there until losses are computed once more
        for k in range(whole.sides):
            finish(job, columns + (SLOPES + k) * ROOM, weight, job.scale, n)
        store_grads(whole, start, n, room, like)
    if job.operation & VALUE:
        loss = weighted_total(job, weight, <const floating*> value, n, s)
        if floating is float and not is_finite(loss) and job.operands[VALUE_OUT].data == NULL:
            wide = widen_block(whole, start, n, room)
            loss = weighted_total(job, weight, wide, n, s)
            if job.operation & MOMENTS:
                add_losses(&partial.state, weight, wide, n)
        elif job.operation & MOMENTS:
            add_losses(&partial.state, weight, <const floating*> value, n)
        partial.loss += loss
        if job.operands[VALUE_OUT].data != NULL:
            finish(job, value, weight, 1, n)
            store(&job.operands[VALUE_OUT], &job.shape, start, n, <const floating*> value, s)


cdef void chunk(BoxJob* whole, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Job* job = &whole.base
    cdef BoxScratch* scratch = <BoxScratch*> worker.scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.chunk, stop = min(start + job.chunk, job.shape.size)
    clear(&partial)
    open_lines(&scratch.base)
    while start < stop and partial.bad < 0 and go_on(worker, BOXES * whole.sides):
        block(whole, scratch, start, min(<Py_ssize_t> BOXES, stop - start), &partial, like)
        start += BOXES
    close_lines(&scratch.base)
    job.partials[index] = partial


cdef void chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    chunk(<BoxJob*> job, index, worker, <float> 1)


cdef void chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    chunk(<BoxJob*> job, index, worker, <double> 1)


# The entry ----------------------------------------------------------------------------------------

cdef enum:
    NUMBERS = 3                         # operands that have the numbers of boxes along their last axis


def boxes(Kernel kernel, int operation, *, tuple arrays, tuple dtypes, tuple constants, int format, double least,
          double scale, int nan_policy, bint single, int num_threads):
    """Run one kernel over pairs of boxes.

    `arrays` are targets, predictions and gradient, with the numbers of a box along the last axis, and weights, mask,
    losses and the weights wanted apart, with a number for each box; None where absent. `dtypes` are the codes of their
    element types, `format` is one of XYXY ... ROTATED, `least` the least unit of lengths; `single` computes in float32.
    Returns what `elementwise` does.
    """
    cdef BoxJob whole
    cdef Job* job = &whole.base
    cdef Py_buffer views[OPERANDS]
    cdef Operand* present[OPERANDS]
    cdef int* places = [Y, X, GRAD_OUT, WEIGHT, MASK, VALUE_OUT, WEIGHT_OUT]
    cdef int k, axis, held = 0, wide = 0
    cdef Py_ssize_t blocks
    cdef Py_ssize_t* lengths
    memset(&whole, 0, sizeof(BoxJob))
    whole.loop = <Loop> kernel.program
    whole.format = format
    whole.least = least
    prepare(job, operation, constants, None)
    job.nan_policy = nan_policy
    job.scale = scale
    try:
        for k in range(7):
            if arrays[k] is not None:
                hold(arrays[k], &views[held], dtypes[k], k in (2, 5, 6), k)
                describe(&job.operands[places[k]], &views[held], dtypes[k])
                job.operands[places[k]].line = k == 2
                present[held] = &job.operands[places[k]]
                held += 1
                lengths = views[0].shape
                match(&views[held - 1], lengths, views[0].ndim - (k >= NUMBERS), k)
                wide += k < NUMBERS
        whole.shape.ndim = views[0].ndim
        whole.sides = <int> lengths[views[0].ndim - 1]
        if whole.sides != (5 if format == ROTATED else 4):
            raise Mismatch(0, tuple([lengths[axis] for axis in range(views[0].ndim)]), views[0].itemsize)
        job.shape.ndim = whole.shape.ndim - 1
        job.shape.size = 1
        for axis in range(job.shape.ndim):
            whole.shape.lengths[axis] = job.shape.lengths[axis] = lengths[axis]
            job.shape.size *= lengths[axis]
        whole.shape.lengths[job.shape.ndim] = whole.sides
        whole.shape.size = job.shape.size * whole.sides
        coalesce(&whole.shape, present, wide)
        coalesce(&job.shape, present + wide, held - wide)
        job.weighted = (
            job.operands[WEIGHT].data != NULL or job.operands[MASK].data != NULL or nan_policy == OMIT
        )
        blocks = (job.shape.size + BOXES - 1) // BOXES
        job.chunk = max(1, (blocks + MAX_CHUNKS - 1) // MAX_CHUNKS) * BOXES
        return run_grid(job, job.shape.size, chunk_of_float if single else chunk_of_double, &whole, num_threads,
                        sizeof(BoxScratch))
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])


include "boxes/matrices.pxi"
include "boxes/distribution.pxi"
