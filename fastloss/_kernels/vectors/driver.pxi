# The driver of losses of vectors.

include "engine/engine.pxi"
include "vectors/tuples.pxi"
include "vectors/distances.pxi"
include "vectors/pairs.pxi"
include "vectors/triplets.pxi"
include "vectors/centers.pxi"
include "vectors/similarities.pxi"

cdef enum:
    MOST_HELD = 2 * MOST_ROWS + 6


cdef class HeldTuples:
    """The memory that a call holds on to, until it is let go."""

    cdef Py_buffer[MOST_HELD] views
    cdef int count

    cdef Py_buffer* take(self, object array, int dtype, bint written, int place) except NULL:
        cdef Py_buffer* view = &self.views[self.count]
        hold(array, view, dtype, written, place)
        self.count += 1
        return view

    cdef void release(self):
        cdef int k
        for k in range(self.count):
            PyBuffer_Release(&self.views[k])
        self.count = 0


cdef int arrange(TupleJob* job, HeldTuples held, tuple rows, tuple row_dtypes, tuple grads, tuple grad_dtypes,
                 tuple numbers, tuple number_dtypes, bint single) except -1:
    """Take hold of all arrays and settle how to go through them. `numbers` have one for each tuple: targets, weights,
    mask, values, weights to write, coefficients."""
    cdef Operand* wide[2 * MOST_ROWS]
    cdef Operand* narrow[6]
    cdef Operand* operand
    cdef Py_buffer* view
    cdef Py_ssize_t[2] centers
    cdef int k, axis, place = 0, wides = 0, narrows = 0
    job.single = single
    view = held.take(rows[0], row_dtypes[0], False, 0)
    job.shape.ndim = view.ndim
    job.base.shape.ndim = view.ndim - 1
    job.shape.size = job.base.shape.size = 1
    for axis in range(view.ndim):
        job.shape.lengths[axis] = job.base.shape.lengths[axis] = view.shape[axis]
        job.shape.size *= view.shape[axis]
        job.base.shape.size *= view.shape[axis] if axis < view.ndim - 1 else 1
    job.features = view.shape[view.ndim - 1]
    for k in range(len(rows)):
        if k > 0:
            view = held.take(rows[k], row_dtypes[k], False, k)
        describe(&job.rows[k], view, row_dtypes[k])
        if k == 1 and job.program.targets == CLASS_TARGET:
            centers[0] = job.classes = view.shape[0]
            centers[1] = job.features
            match(view, centers, 2, 1)
            continue
        match(view, job.shape.lengths, job.shape.ndim, k)
        wide[wides] = &job.rows[k]
        wides += 1
    place = MOST_ROWS
    for k in range(len(grads)):
        if grads[k] is not None:
            view = held.take(grads[k], grad_dtypes[k], True, place + k)
            describe(&job.grads[k], view, grad_dtypes[k])
            match(view, job.shape.lengths, job.shape.ndim, place + k)
            wide[wides] = &job.grads[k]
            wides += 1
    place = 2 * MOST_ROWS
    for k in range(len(numbers)):
        if numbers[k] is not None:
            operand = (
                &job.base.operands[Y] if k == 0 else &job.base.operands[WEIGHT] if k == 1
                else &job.base.operands[MASK] if k == 2 else &job.base.operands[VALUE_OUT] if k == 3
                else &job.base.operands[WEIGHT_OUT] if k == 4 else &job.across_out
            )
            view = held.take(numbers[k], number_dtypes[k], k >= 3, place + k)
            describe(operand, view, number_dtypes[k])
            match(view, job.base.shape.lengths, job.base.shape.ndim, place + k)
            narrow[narrows] = operand
            narrows += 1
    coalesce(&job.shape, wide, wides)
    coalesce(&job.base.shape, narrow, narrows)
    for k in range(len(rows)):
        job.in_place[k] = job.rows[k].direct and job.rows[k].dtype == (<int> FLOAT32 if single else <int> FLOAT64)
        job.fetched[k] = (
            job.in_place[k] and job.features <= FETCHED and not (k == 1 and job.program.targets == CLASS_TARGET)
        )
    return 0


cdef size_t room_for_rows(const TupleJob* job) noexcept:
    """Bytes of the rows of a group that are not read in place."""
    cdef int k
    cdef bint needed = False
    for k in range(job.program.rows):
        needed = needed or not (job.in_place[k] or (k == 1 and job.program.targets == CLASS_TARGET))
    return job.program.rows * job.group * job.features * sizeof(double) if needed else 0


def tuples(Kernel kernel, int operation, *, tuple rows, tuple row_dtypes, tuple grads, tuple grad_dtypes,
           tuple numbers, tuple number_dtypes, tuple constants, domain, int measure, double eps, double p,
           double scale, int nan_policy, bint single, int num_threads):
    """Run one kernel over tuples of rows.

    `rows` and `grads` are the arrays of the rows of a tuple and of their gradients, None where there is none to write;
    with centres of classes the second of `rows` is a contiguous array of them, of the type that is computed in.
    `numbers` are targets, weights, mask, values, weights to write and coefficients to write, with one for each tuple.
    The dtypes are the codes of their element types; `domain` is that of the targets, as `elementwise` takes it.
    Returns what `elementwise` does, the bad index being that of a tuple.
    """
    cdef TupleJob job
    cdef HeldTuples held = HeldTuples()
    cdef Py_ssize_t chunks, groups
    memset(&job, 0, sizeof(TupleJob))
    job.program = <const TupleProgram*> kernel.program
    prepare(&job.base, operation, constants, (domain, None, None))
    job.base.nan_policy = nan_policy
    job.base.scale = scale
    job.base.checked = job.program.targets == SIGN_TARGET and (domain is not None or nan_policy == RAISE)
    job.measure = measure
    job.eps = eps
    job.p = p
    try:
        arrange(&job, held, rows, row_dtypes, grads, grad_dtypes, numbers, number_dtypes, single)
        set_ranges(&job)
        job.base.weighted = (
            job.base.operands[WEIGHT].data != NULL or job.base.operands[MASK].data != NULL or nan_policy == OMIT
        )
        job.group = GROUP_BYTES // max(1, job.program.rows * job.features * (4 if single else 8))
        job.group = max(1, min(<Py_ssize_t> TUPLES, job.group))
        # A chunk is worth waking a thread for, and there are at most MAX_CHUNKS.
        groups = (job.base.shape.size + job.group - 1) // job.group
        chunks = min(<Py_ssize_t> MAX_CHUNKS, max(1, min(groups, job.shape.size // 4096)))
        job.base.chunk = max(1, (groups + chunks - 1) // chunks) * job.group
        return run_grid(&job.base, job.base.shape.size, tuple_chunk_of_float if single else tuple_chunk_of_double, &job,
                        num_threads, sizeof(TupleScratch) + room_for_rows(&job))
    finally:
        held.release()


def class_sums(Kernel kernel, *, tuple rows, tuple row_dtypes, tuple numbers, tuple number_dtypes, double[:, ::1] sums,
               bint single, int num_threads):
    """Add to `sums`, for each class, the differences of its centre and its rows, times a factor of each row.

    The arrays are those of `tuples`; `numbers` are the labels and, as the last, the factors.
    """
    cdef ClassJob whole
    cdef HeldTuples held = HeldTuples()
    cdef Py_ssize_t tasks
    memset(&whole, 0, sizeof(ClassJob))
    whole.rows.program = <const TupleProgram*> kernel.program
    try:
        arrange(&whole.rows, held, rows, row_dtypes, (), (), numbers, number_dtypes, single)
        if sums.shape[0] != whole.rows.classes or sums.shape[1] != whole.rows.features:
            raise Mismatch(1, (sums.shape[0], sums.shape[1]), sizeof(double))
        if not whole.rows.features or not whole.rows.base.shape.size:
            return
        whole.sums = &sums[0, 0]
        tasks = (whole.rows.features + COLUMNS - 1) // COLUMNS
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(class_columns_of_float if single else class_columns_of_double, &whole, tasks, num_threads,
                         sizeof(ClassScratch))
    finally:
        held.release()
