# Groups of rows: what the drivers of rowwise losses and of linear models of several classes do with a program.
#
# a. Rows are taken in groups of up to LANES. Where there are few classes, or the classes of a row lie apart
#    in memory, a group is a tile whose SIMD lanes are its rows; else a row is read on its own, its lanes are
#    every LANES-th class, and they are folded at the end. The loops are the same.
# b. The class of an integer label is left out of the sums and mapped apart. A loss is then a function of the
#    sum over the other classes and of the target's logit: nothing cancels where the target is nearly certain.
# c. What is one number for each row is in float64, except in a brief formula, which has the type of the computation.
# d. The grid of groups depends on the shape alone, and a row is summed in the order of its classes:
#    no trace of the number of threads.

from libc.float cimport DBL_MAX, FLT_MAX
from libc.limits cimport INT_MAX

from fastloss._kernels.vecmath cimport log

include "rowwise/lanes.pxi"
include "rowwise/programs.pxi"
include "rowwise/blocks.pxi"
include "rowwise/targets.pxi"
include "rowwise/statistics.pxi"
include "rowwise/derivatives.pxi"
include "rowwise/binary.pxi"

cdef enum:
    WIDE = 160                          # rows of so many classes that lie together are read on their own
    GROUP_BYTES = 1 << 18               # of logits that are read again while they are cached
    ONCE_BYTES = 1 << 21                # ... and that are read once


cdef void group(RowJob* job, RowScratch* s, Py_ssize_t start, Py_ssize_t rows, Partial* partial,
                floating like) noexcept nogil:
    cdef RowGroup* g = &s.group
    cdef Lanes* r = &g.lanes
    cdef Job* base = &job.base
    cdef const double* weight = NULL
    cdef Py_ssize_t i
    cdef double factor, slope = job.scale, scale = base.scale * job.scale
    if job.tiled and start + 2 * LANES <= job.rows:
        if not job.class_major:
            foresee(&job.planes[PLANE_X], (start + LANES) * job.classes, LANES * job.classes)
        foresee(&base.operands[Y], start + LANES, LANES)
    s.widened = False
    if job.direct_labels and read_classes(job, start, rows, job.classes, r.label, <double> 1):
        partial.count += rows
        partial.weight += rows
        if base.weighted:
            fill(r.weight, 1)
            fill(r.whole, 1)
    else:
        inspect(job, start, rows, s, like)
        if base.weighted:
            weight = weigh(base, r.label, start, rows, &s.block, partial)
            if partial.bad >= 0:
                return
        else:
            partial.count += rows
        settle(job, start, rows, weight, s, partial)
    if partial.bad >= 0 or base.operation == 0:
        return
    if job.program.formula == NULL:
        job.program.values(job, start, rows, s, s.group.single)
    elif job.merged:
        take_merged(job, start, rows, s, like)
    else:
        if not job.binary or job.further:
            compute(job, start, rows, s, like)
        if job.binary:
            binary_rows(job, start, rows, s, like)
        # A row without its label's logit, which is in another shard, is infinite.
        if floating is float and not job.sharded and has_overflow(r, rows):
            s.widened = True
            widen_rows(job, start, rows, s)
    if base.operation & (MOMENTS | APART):
        # By unit of weight: a row of class weight c is c rows of a loss 1/c as large. Of class weight 0, what label
        # smoothing and z-loss give it is added without weight.
        for i in range(rows):
            r.each[i] = r.value[i] / r.unit[i] if r.whole[i] != 0 else r.value[i] if r.weight[i] != 0 else 0
            r.whole[i] = r.whole[i] if r.whole[i] != 0 else -r.weight[i]
        if base.operation & APART:
            store_rows(job, ROW_VALUE, start, rows, r.each, s)
            if job.results[ROW_WEIGHT].data != NULL:
                for i in range(rows):
                    r.whole[i] = r.whole[i] if weight == NULL or s.block.total[i] != 0 else -INFINITY
                store_rows(job, ROW_WEIGHT, start, rows, r.whole, s)
            return
        add_losses(&partial.state, r.whole, r.each, rows)
    if weight != NULL:
        for i in range(LANES):
            r.value[i] = r.weight[i] * r.value[i] if r.weight[i] != 0 else 0
    if base.operation & VALUE:
        partial.loss += total(r.value, rows)
    if job.results[ROW_ENTROPY].data != NULL:
        for i in range(LANES):
            r.entropy[i] = r.entropy[i] if r.weight[i] != 0 else 0
    if job.results[ROW_ARGMAX].data != NULL:
        for i in range(rows):
            r.argmax[i] = argmax(job, start + i, s, like)
    if job.results[ROW_CORRECT].data != NULL:
        for i in range(rows):
            r.correct[i] = r.weight[i] != 0 and correct(job, start + i, i, s, like)
    if job.results[ROW_LSE].data != NULL and not job.dense and not job.merged:
        for i in range(rows):
            if r.label[i] != r.label[i]:        # no class was left out of the sum, which is NaN for an infinite one
                r.lse[i] = r.shift[i] * job.scale + (log(r.s0[i]) if r.shift[i] < INFINITY else 0)
    store_rows(job, ROW_VALUE, start, rows, r.value, s)
    store_rows(job, ROW_LSE, start, rows, r.lse, s)
    store_rows(job, ROW_ENTROPY, start, rows, r.entropy, s)
    store_rows(job, ROW_ARGMAX, start, rows, r.argmax, s)
    store_rows(job, ROW_CORRECT, start, rows, r.correct, s)
    if not job.merged:
        store_rows(job, ROW_SHIFT, start, rows, r.shift, s)
        store_rows(job, ROW_SUM, start, rows, r.s0, s)
        store_rows(job, ROW_TARGET, start, rows, r.target, s)
    if job.binary:
        if base.operation & (GRAD | HESS):
            map_binary(job, start, rows, s, like)
    elif base.operation & (GRAD | HESS) and job.program.formula != NULL:
        for i in range(LANES):
            factor = scale * r.weight[i]
            r.a[i] = factor * r.a[i]
            r.b[i] = factor * r.b[i]
            r.target_grad[i] = factor * r.target_grad[i]
            r.c[i] = factor * slope * r.c[i]
            r.d[i] = factor * slope * r.d[i]
            r.target_hess[i] = factor * slope * r.target_hess[i]
        g.want_hess = job.planes[PLANE_HESS].data != NULL
        if job.program.derivatives != NULL:
            job.program.derivatives(job, start, rows, s, s.group.single)
        elif job.tiled:
            map_tile(job, start, rows, s, like)
        else:
            for i in range(rows):
                map_row(job, start + i, i, s, like)


cdef inline void store_rows(RowJob* job, int result, Py_ssize_t start, Py_ssize_t rows, const double* v,
                            RowScratch* s) noexcept nogil:
    if job.results[result].data != NULL:
        store(&job.results[result], &job.base.shape, start, rows, v, &s.block)


cdef void begin(RowJob* job, RowScratch* s, Worker* worker) noexcept nogil:
    """What stays as it is from one group of rows to the next: every row counts as 1, and lanes beyond the last row
    hold a label that is none to complain of."""
    cdef Lanes* r = &s.group.lanes
    s.worker = worker
    memset(s.lines, 0, sizeof(s.lines))
    s.room = <double*> (worker.scratch + sizeof(RowScratch))
    memset(&s.group, 0, sizeof(RowGroup))
    fill(r.label, -1 if job.dense else 0)
    fill(r.label_weight, 1)
    fill(r.weight, 1)
    fill(r.unit, 1)
    fill(r.whole, 1)
    s.group.single = job.single
    s.group.classes = job.classes
    s.group.scale = job.scale
    s.group.parameters = job.base.parameters
    s.group.grad = s.grad
    s.group.hess = s.hess
    s.group.value_only = not job.base.operation & (GRAD | HESS) and (
        job.results[ROW_LSE].data == NULL and job.results[ROW_ENTROPY].data == NULL
    )


# A job --------------------------------------------------------------------------------------------

cdef int ignore(RowJob* job, object label) except -1:
    """Settle which label is ignored, None or an integer that the labels' type holds."""
    job.base.ignoring = label is not None
    if job.base.ignoring:
        job.base.ignored = label
        job.ignored = label & ((1 << 64) - 1)
    return 0


cdef size_t scratch_bytes(const RowJob* job) noexcept nogil:
    """The scratch memory of a thread; more than there can be rather than a number that overflowed."""
    cdef size_t items = job.classes if job.program.room else 0
    return SIZE_MAX if items >> 48 else sizeof(RowScratch) + items * job.program.room * sizeof(double)


cdef bint reads_classes(const RowJob* job) noexcept:
    """Whether labels are integers each of which counts as 1 if it is a class."""
    cdef const Job* base = &job.base
    return (
        not job.dense and not job.sharded and job.class_weight == NULL and job.classes <= INT_MAX
        and base.operands[WEIGHT].data == NULL and base.operands[MASK].data == NULL
        and base.operands[Y].direct and INT8 <= base.operands[Y].dtype <= UINT64
        and not (base.ignoring and 0 <= base.ignored < job.classes)
    )


cdef void arrange(RowJob* job, bint single) noexcept:
    """What follows of the way to go through the rows from the rest of a job."""
    job.single = single
    job.penalised = job.program.penalised and job.base.parameters[1] != 0
    job.targets = job.dense or job.smoothing != 0 or job.program.targets in (ONE_HOT, BETWEEN)
    job.tiled = job.class_major or job.classes < WIDE
    cdef bint again = (
        job.dense or job.program.first != NULL or job.base.operation & (GRAD | HESS)
        or job.results[ROW_ARGMAX].data != NULL or job.results[ROW_CORRECT].data != NULL
    )
    cdef Py_ssize_t bytes = job.classes * (4 if single else 8)
    cdef int k
    job.group = LANES if job.tiled else max(1, min(<Py_ssize_t> LANES, (GROUP_BYTES if again else ONCE_BYTES) // bytes))
    job.brief = (
        job.program.brief != NULL and not job.targets and not job.penalised and job.softcap == 0 and job.scale == 1
        and not job.sharded and not job.merged
    )
    job.binary = job.brief and job.classes == 2
    job.brief = job.brief and single
    for k in range(ROW_LSE, ROW_WEIGHT):
        job.further |= job.results[k].data != NULL
    job.plain = not job.base.weighted and job.class_weight == NULL
    if reads_classes(job):
        job.direct_labels = job.base.operands[Y].dtype
    job.pairs = (
        job.binary and job.direct_labels and not job.further and not job.class_major and job.planes[PLANE_X].direct
        and job.planes[PLANE_X].dtype == (FLOAT32 if single else FLOAT64)
        and job.results[ROW_WEIGHT].data == NULL and not job.base.operation & (MOMENTS | APART)
    )
    if job.base.operands[Y].dtype in (INT64, UINT64):
        # Loaded bit by bit, to be converted by `whole_labels`.
        job.wide_labels = job.base.operands[Y].dtype
        job.base.operands[Y].dtype = FLOAT64
