# The one driver of the rowwise family: a loss for each row of classes.

include "engine/engine.pxi"
include "rowwise/rows.pxi"
include "rowwise/softmax.pxi"
include "rowwise/divergence.pxi"
include "rowwise/margin.pxi"
include "rowwise/projection.pxi"
include "rowwise/multilabel.pxi"
include "rowwise/ranking.pxi"


cdef void row_chunk(RowJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef RowScratch* scratch = <RowScratch*> worker.scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.base.chunk, stop = min(start + job.base.chunk, job.rows), block
    if not worker.begun:
        begin(job, scratch, worker)
        worker.begun = True
    clear(&partial)
    while start < stop and partial.bad < 0 and go_on(worker, LANES):
        block = min(<Py_ssize_t> BLOCK, stop - start)
        if not (job.pairs and pairs(job, start, block, scratch, &partial, like)):
            block = min(job.group, stop - start)
            group(job, scratch, start, block, &partial, like)
        start += block
    job.base.partials[index] = partial
    close_line(&scratch.lines[PLANE_GRAD])
    close_line(&scratch.lines[PLANE_HESS])


cdef void row_chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    row_chunk(<RowJob*> job, index, worker, <float> 1)


cdef void row_chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    row_chunk(<RowJob*> job, index, worker, <double> 1)


# The entry ----------------------------------------------------------------------------------------

def rowwise(Kernel kernel, int operation, *, tuple planes, tuple plane_dtypes, tuple rows, tuple row_dtypes,
            tuple results, tuple result_dtypes, bint class_major, tuple constants, double scale, class_weight,
            double logit_scale, double softcap, double smoothing, ignore_index, least, int nan_policy, bint single,
            int num_threads, bint sharded, bint merged):
    """Run one kernel over rows of classes.

    `planes` are targets, logits, gradient and curvature, arrays with the class axis first (`class_major`) or last;
    `constants` are those of the formula. `rows` are labels, weights and mask, and `results` ROW_VALUE ... ROW_WEIGHT,
    with one number for each row; each holds None where there is none. The dtypes are the codes of their element types.
    With `sharded`, a label that is no class here is one of another shard; with `merged`, the last three results are
    given. `class_weight` is a contiguous float64 array or None.
    Returns what `elementwise` does, the bad index being that of a row.
    """
    cdef RowJob job
    cdef Py_buffer views[PLANES + 3 + RESULTS + 1]
    cdef Operand* present[PLANES + 3 + RESULTS]
    cdef int k, held = 0, matched = 0, wide = 0, axis
    cdef Py_ssize_t chunks
    cdef Operand* operand
    memset(&job, 0, sizeof(RowJob))
    job.program = <const Program*> kernel.program
    prepare(&job.base, operation, constants, None)
    job.base.nan_policy = nan_policy
    job.base.scale = scale
    ignore(&job, ignore_index)
    job.least = -INFINITY if least is None else least
    job.base.checked = least is not None
    job.class_major = class_major
    job.dense = planes[PLANE_Y] is not None
    job.scale = job.base.parameters[3] = logit_scale
    job.softcap = softcap
    job.sharded = sharded
    job.merged = merged
    job.smoothing = smoothing
    try:
        for k in range(PLANES):
            if planes[k] is not None:
                hold(planes[k], &views[held], plane_dtypes[k], k >= PLANE_GRAD, k)
                describe(&job.planes[k], &views[held], plane_dtypes[k])
                present[held] = &job.planes[k]
                held += 1
        wide = held
        k = 1 if job.dense else 0       # the logits
        job.shape.ndim = views[k].ndim
        job.shape.size = 1
        for axis in range(job.shape.ndim):
            job.shape.lengths[axis] = views[k].shape[axis]
            job.shape.size *= job.shape.lengths[axis]
        for k in range(PLANES):
            if planes[k] is not None:
                match(&views[matched], job.shape.lengths, job.shape.ndim, k)
                matched += 1
        job.classes = job.shape.lengths[0 if class_major else job.shape.ndim - 1]
        job.rows = job.shape.size // job.classes if job.classes else 0
        job.base.shape.ndim = job.shape.ndim - 1
        job.base.shape.size = job.rows
        for axis in range(job.base.shape.ndim):
            job.base.shape.lengths[axis] = job.shape.lengths[axis + 1 if class_major else axis]
        for k in range(3):
            if rows[k] is not None:
                operand = &job.base.operands[Y if k == 0 else WEIGHT if k == 1 else MASK]
                hold(rows[k], &views[held], row_dtypes[k], False, PLANES + k)
                describe(operand, &views[held], row_dtypes[k])
                present[held] = operand
                held += 1
                match(&views[held - 1], job.base.shape.lengths, job.base.shape.ndim, PLANES + k)
        for k in range(RESULTS):
            if results[k] is not None:
                hold(results[k], &views[held], result_dtypes[k], True, PLANES + 3 + k)
                describe(&job.results[k], &views[held], result_dtypes[k])
                present[held] = &job.results[k]
                held += 1
                match(&views[held - 1], job.base.shape.lengths, job.base.shape.ndim, PLANES + 3 + k)
                job.extras = job.extras or k in (ROW_LSE, ROW_ARGMAX, ROW_SHIFT)
        coalesce(&job.shape, present, wide)
        coalesce(&job.base.shape, present + wide, held - wide)
        if class_weight is not None:
            hold(class_weight, &views[held], FLOAT64, False, PLANES + 3 + RESULTS)
            held += 1
            match(&views[held - 1], &job.classes, 1, PLANES + 3 + RESULTS)
            job.class_weight = <const double*> views[held - 1].buf
        job.base.weighted = (
            job.base.operands[WEIGHT].data != NULL or job.base.operands[MASK].data != NULL or nan_policy == OMIT
            or job.base.ignoring
        )
        arrange(&job, single)
        # A chunk is worth waking a thread for, and there are at most MAX_CHUNKS.
        chunks = (job.rows + job.group - 1) // job.group
        chunks = min(<Py_ssize_t> MAX_CHUNKS, max(1, min(chunks, job.shape.size // 4096)))
        job.base.chunk = ((job.rows + chunks - 1) // chunks + job.group - 1) // job.group * job.group if job.rows else 1
        return run_grid(&job.base, job.rows, row_chunk_of_float if single else row_chunk_of_double, &job, num_threads,
                        scratch_bytes(&job))
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
