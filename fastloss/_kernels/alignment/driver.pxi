# The one driver of the alignment family: a loss for each sequence of frames and its target.
#
# a. Targets and weights are checked, and labels copied, before anything is computed: an error leaves outputs untouched.
# b. A thread takes whole sequences, from the softmax to the gradient, while their logits are in the caches. Of few
#    sequences all threads take one after another: blocks of frames each, and of the lattice, whose frames depend on
#    those before, one thread the way forward and one the way backward.
# c. Either way each frame's arithmetic is the same, and losses are added in the order of the sequences: no trace of the
#    number of threads.

from libc.math cimport floor, sqrt
from libc.stdlib cimport free, malloc

from fastloss._kernels.vecmath cimport finite_or_zero

include "engine/engine.pxi"
include "alignment/extended.pxi"
include "alignment/sequences.pxi"
include "alignment/frames.pxi"
include "alignment/ctc.pxi"
include "alignment/transducer.pxi"

cdef enum:
    FEW = 2                             # sequences a thread, from which on it takes whole ones


# Labels and weights -------------------------------------------------------------------------------

cdef char copy_labels(AlignmentJob* job, Py_ssize_t n, Scratch* s) noexcept nogil:
    """Copy the labels of a sequence, and say whether they may be."""
    cdef Py_ssize_t done = 0, take, i
    cdef const double* v
    cdef int32_t* label = job.label + job.first[n]
    cdef char state = FINE
    while done < job.labels[n]:
        take = min(<Py_ssize_t> BLOCK, <Py_ssize_t> job.labels[n] - done)
        v = load(&job.target, &job.target_shape, job.starts[n] + done, take, s.x, s)
        for i in range(take):
            if v[i] != v[i]:
                state = max(state, <char> MISSING)
            elif not (v[i] >= 0 and v[i] < job.classes and v[i] == floor(v[i]) and v[i] != job.blank):
                state = WRONG
            label[done + i] = <int32_t> v[i] if state == FINE else 0
        done += take
    return state


cdef void check_sequences(AlignmentJob* job, Py_ssize_t start, Py_ssize_t n, Scratch* s,
                          Partial* partial) noexcept nogil:
    """The weights of a block of sequences, -inf where one does not count and nothing is added up."""
    cdef Py_ssize_t i
    cdef const double* weight = job.weight + start
    for i in range(n):
        job.state[start + i] = copy_labels(job, start + i, s)
        s.y[i] = NAN if job.state[start + i] == MISSING else 0.0
    if job.base.weighted:
        weight = weigh(&job.base, <const double*> s.y, start, n, s, partial)
        partial.weight += total(weight, n)
        for i in range(n):
            job.weight[start + i] = -INFINITY if job.base.operation & APART and s.total[i] == 0 else weight[i]
    else:
        partial.count += n
        partial.weight += n
        for i in range(n):
            job.weight[start + i] = 1
    for i in range(n):
        if partial.bad < 0 and job.weight[start + i] > 0 and (
            job.state[start + i] == WRONG or (job.state[start + i] == MISSING and job.base.nan_policy == RAISE)
        ):
            partial.bad = start + i
            partial.culprit = Y


cdef void add_up(AlignmentJob* job, Py_ssize_t start, Py_ssize_t n, Scratch* s, Partial* partial) noexcept nogil:
    """Add up and store the losses of a block of sequences, those of no weight as 0."""
    cdef Py_ssize_t i
    cdef const double* weight = job.weight + start
    cdef double* value = s.value
    for i in range(n):
        value[i] = job.loss[start + i] if weight[i] > 0 else 0
    if job.base.operation & APART:
        if job.base.operands[WEIGHT_OUT].data != NULL:
            store(&job.base.operands[WEIGHT_OUT], &job.base.shape, start, n, weight, s)
    else:
        partial.loss += weighted_total(&job.base, weight, <const double*> value, n, s)
        if job.base.operation & MOMENTS:
            add_losses(&partial.state, weight if job.base.weighted else NULL, <const double*> value, n)
        finish(&job.base, value, weight, 1, n)
    if job.base.operands[VALUE_OUT].data != NULL:
        store(&job.base.operands[VALUE_OUT], &job.base.shape, start, n, <const double*> value, s)


# A sequence ---------------------------------------------------------------------------------------

cdef void describe_sequence(const AlignmentJob* job, Py_ssize_t n, Sequence* q) noexcept nogil:
    memset(q, 0, sizeof(Sequence))
    q.index = n
    q.frames = job.frames[n]
    q.labels = job.labels[n]
    q.label = job.label + job.first[n]


cdef bint is_computed(AlignmentJob* job, Py_ssize_t n) noexcept nogil:
    """Whether there is something to compute; else the loss is NaN, or not asked for."""
    job.loss[n] = NAN
    return job.weight[n] > 0 and job.state[n] == FINE


cdef void fill_frames(AlignmentJob* job, const Sequence* q, Py_ssize_t first, double value, Scratch* s) noexcept nogil:
    """The gradient in all frames from the first on: 0 behind the last one, and behind the last label of each."""
    cdef Py_ssize_t t, more = job.across - q.labels - 1
    for t in range(first, job.longest):
        value = value if t < q.frames else 0.0
        if job.single:
            fill_rows(job, row_at(job, q, t), job.across, value, s, <float> 1)
        else:
            fill_rows(job, row_at(job, q, t), job.across, value, s, <double> 1)
    for t in range(q.frames if more > 0 else 0):
        if job.single:
            fill_rows(job, row_at(job, q, t) + q.labels + 1, more, 0, s, <float> 1)
        else:
            fill_rows(job, row_at(job, q, t) + q.labels + 1, more, 0, s, <double> 1)


cdef void conclude(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    """The loss; the gradient in what the length and the target leave out, or in all if the loss is no number."""
    q.parts = 1
    q.value = 0.0 if job.logits and q.loss < 0 else q.loss      # rounding may leave a little less than nothing
    job.program.settle(job, q, w)
    job.loss[q.index] = q.value / q.parts
    q.coefficient = job.base.scale * job.weight[q.index] / q.parts
    if job.base.operation & GRAD:
        fill_frames(job, q, q.frames if is_finite(q.loss) else 0, NAN if q.loss != q.loss else 0.0, w.s)


# Whole sequences ----------------------------------------------------------------------------------

cdef inline size_t prepare_work(const AlignmentJob* job, Sequence* q, Work* w, Worker* worker) noexcept nogil:
    """Settle what a thread needs beside a sequence; the bytes of its memory that it takes."""
    w.s = <Scratch*> worker.scratch
    w.worker = worker
    return sizeof(Scratch) + job.program.equip(job, q, w, worker.scratch + sizeof(Scratch))


cdef void compute_sequence(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    cdef const Program* program = job.program
    cdef Py_ssize_t block
    program.begin(job, q, w)
    if program.measure != NULL:
        for block in range(q.blocks):
            program.measure(job, q, w, block)
    if program.decode != NULL:
        program.decode(job, q, w)
        job.loss[q.index] = q.loss
        return
    program.forward(job, q, w)
    if job.base.operation & GRAD and not q.alone:
        program.backward(job, q, w)
    conclude(job, q, w)
    if job.base.operation & GRAD and is_finite(q.loss):
        for block in range(q.blocks - 1, -1, -1):
            program.differentiate(job, q, w, block)


cdef void whole_sequence(void* given, Py_ssize_t n, Worker* worker) noexcept nogil:
    cdef AlignmentJob* job = <AlignmentJob*> given
    cdef Sequence q
    cdef Work w
    describe_sequence(job, n, &q)
    if is_computed(job, n):
        q.alone = job.program.carries
        job.program.arrange(job, &q, NULL)
        job.program.arrange(job, &q, worker.scratch + prepare_work(job, &q, &w, worker))
        compute_sequence(job, &q, &w)
    elif job.base.operation & GRAD:
        fill_frames(job, &q, 0, NAN if job.weight[n] > 0 else 0.0, <Scratch*> worker.scratch)


# Sequences that all threads are at ----------------------------------------------------------------

ctypedef void (*SharedStep)(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t index) noexcept nogil


cdef inline void run_shared(SharedStep step, void* given, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef AlignmentJob* job = <AlignmentJob*> given
    cdef Work w
    prepare_work(job, job.shared, &w, worker)
    step(job, job.shared, &w, index)


cdef inline void begin(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t index) noexcept nogil:
    job.program.begin(job, q, w)


cdef inline void measure(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t index) noexcept nogil:
    job.program.measure(job, q, w, index)


cdef inline void sweep(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t index) noexcept nogil:
    if index == 0:
        job.program.forward(job, q, w)
    else:
        job.program.backward(job, q, w)


cdef inline void settle(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t index) noexcept nogil:
    conclude(job, q, w)


cdef inline void differentiate(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t index) noexcept nogil:
    job.program.differentiate(job, q, w, index)


cdef void begin_task(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    run_shared(begin, job, index, worker)


cdef void measure_task(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    run_shared(measure, job, index, worker)


cdef void sweep_task(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    run_shared(sweep, job, index, worker)


cdef void settle_task(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    run_shared(settle, job, index, worker)


cdef void differentiate_task(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    run_shared(differentiate, job, index, worker)


cdef void empty_task(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    whole_sequence(job, (<AlignmentJob*> job).shared.index, worker)


cdef int share_sequence(AlignmentJob* job, Py_ssize_t n, int threads, size_t bytes, char* room) except -1 nogil:
    """One sequence in all threads: a loop for each step that waits for the one before."""
    cdef Sequence q
    cdef bint grad = job.base.operation & GRAD
    describe_sequence(job, n, &q)
    job.shared = &q
    if not is_computed(job, n):
        return parallel_for(empty_task, job, 1, 1, bytes)
    job.program.arrange(job, &q, room)
    parallel_for(begin_task, job, 1, 1, bytes)
    parallel_for(measure_task, job, q.blocks, threads, bytes)
    parallel_for(sweep_task, job, 2 if grad else 1, min(threads, 2 if grad else 1), bytes)
    parallel_for(settle_task, job, 1, 1, bytes)
    if grad and is_finite(q.loss):
        parallel_for(differentiate_task, job, q.blocks, threads, bytes)
    return 0


# A call -------------------------------------------------------------------------------------------

cdef void check_task(void* given, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef AlignmentJob* job = <AlignmentJob*> given
    cdef Py_ssize_t start = 0
    while start < job.sequences and go_on(worker, BLOCK):
        check_sequences(job, start, min(<Py_ssize_t> BLOCK, job.sequences - start), <Scratch*> worker.scratch,
                        job.base.partials)
        start += BLOCK


cdef void add_task(void* given, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef AlignmentJob* job = <AlignmentJob*> given
    cdef Py_ssize_t start = 0
    while start < job.sequences:
        add_up(job, start, min(<Py_ssize_t> BLOCK, job.sequences - start), <Scratch*> worker.scratch, job.base.partials)
        start += BLOCK


cdef int compute(AlignmentJob* job, int threads, char** room) except -1:
    """Run a kernel over all sequences; `room` is memory to be freed."""
    cdef Sequence q
    cdef Work w
    cdef Py_ssize_t n
    cdef size_t own, lattice, bytes = 0, most = 0
    cdef bint shared
    for n in range(job.sequences):
        describe_sequence(job, n, &q)
        lattice = job.program.arrange(job, &q, NULL)
        own = sizeof(Scratch) + job.program.equip(job, &q, &w, NULL)
        most = max(most, lattice)
        bytes = max(bytes, own)
    threads = team(max(<Py_ssize_t> 1, job.sequences * job.longest), threads)
    shared = job.program.decode == NULL and threads > 1 and job.sequences < FEW * threads
    if most > SIZE_MAX // 4 or bytes > SIZE_MAX // 4:
        raise MemoryError
    if not shared:
        with nogil:
            return parallel_for(whole_sequence, job, job.sequences, min(threads, job.sequences), bytes + most)
    room[0] = <char*> malloc(most + 64)
    if room[0] == NULL:
        raise MemoryError
    for n in range(job.sequences):
        with nogil:
            share_sequence(job, n, threads, bytes, room[0] + 64 - <size_t> room[0] % 64)
    return 0


# The entry ----------------------------------------------------------------------------------------

def align(Kernel kernel, int operation, *, tuple arrays, tuple dtypes, bint frames_first, tuple constants, int blank,
          bint logits, double scale, int nan_policy, bint single, int num_threads):
    """Run one kernel over sequences of frames.

    `arrays` are TARGET ... PATH_SCORES, None where there is none, and `dtypes` the codes of their element types.
    Predictions have the axes of sequences and frames, in this order unless `frames_first`, of a transducer that of
    labels, and that of classes. FRAMES, LABELS and STARTS are contiguous int64 arrays with a number for each sequence:
    its lengths, and the elements of the targets before its own. The decoders write PATH, POSITIONS and PATH_SCORES,
    contiguous int64, int64 and float64 arrays with a number for each sequence and frame.
    Returns what `elementwise` does, the bad index being that of a sequence.
    """
    cdef AlignmentJob job
    cdef Partial partial
    cdef Py_buffer views[ARRAYS]
    cdef Operand* operand
    cdef Operand* present[4]
    cdef int k, held = 0, ours = 0, axis
    cdef Py_ssize_t n, size
    cdef char* room = NULL
    memset(&job, 0, sizeof(AlignmentJob))
    clear(&partial)
    job.base.partials = &partial
    job.program = <const Program*> kernel.program
    prepare(&job.base, operation, constants, None)
    job.base.nan_policy = nan_policy
    job.base.scale = scale
    job.single = single
    job.logits = logits
    job.blank = blank
    try:
        for k in range(ARRAYS):
            if arrays[k] is not None:
                hold(arrays[k], &views[k], dtypes[k], k in (GRADIENT, LOSSES, WEIGHTS) or k >= PATH, k)
                held |= 1 << k
        describe(&job.x, &views[SCORES], dtypes[SCORES])
        job.shape.ndim = views[SCORES].ndim
        job.shape.size = 1
        for axis in range(job.shape.ndim):
            job.shape.lengths[axis] = views[SCORES].shape[axis]
            job.shape.size *= job.shape.lengths[axis]
        job.classes = job.shape.lengths[job.shape.ndim - 1]
        job.across = job.shape.lengths[2] if job.shape.ndim == 4 else 1
        job.sequences = job.shape.lengths[1 if frames_first else 0]
        job.longest = job.shape.lengths[0 if frames_first else 1]
        job.sequence_step = job.across * (1 if frames_first else job.longest)
        job.frame_step = job.across * (job.sequences if frames_first else 1)
        present[0] = &job.x
        ours = 1
        if arrays[GRADIENT] is not None:
            match(&views[GRADIENT], job.shape.lengths, job.shape.ndim, GRADIENT)
            describe(&job.grad, &views[GRADIENT], dtypes[GRADIENT])
            present[1] = &job.grad
            ours = 2
        coalesce(&job.shape, present, ours)
        if arrays[TARGET] is not None:
            describe(&job.target, &views[TARGET], dtypes[TARGET])
            job.target_shape.ndim = views[TARGET].ndim
            job.target_shape.size = 1
            for axis in range(job.target_shape.ndim):
                job.target_shape.lengths[axis] = views[TARGET].shape[axis]
                job.target_shape.size *= job.target_shape.lengths[axis]
            present[0] = &job.target
            coalesce(&job.target_shape, present, 1)
        job.base.shape.ndim = 1
        job.base.shape.size = job.base.shape.lengths[0] = job.sequences
        ours = 0
        for k in (SEQUENCE_WEIGHT, SEQUENCE_MASK, LOSSES, WEIGHTS):
            if arrays[k] is not None:
                match(&views[k], job.base.shape.lengths, 1, k)
                operand = &job.base.operands[
                    WEIGHT if k == SEQUENCE_WEIGHT else MASK if k == SEQUENCE_MASK else VALUE_OUT if k == LOSSES else
                    WEIGHT_OUT
                ]
                describe(operand, &views[k], dtypes[k])
                present[ours] = operand
                ours += 1
        coalesce(&job.base.shape, present, ours)
        for k in range(FRAMES, STARTS + 1):
            match(&views[k], &job.sequences, 1, k)
        job.frames = <const int64_t*> views[FRAMES].buf
        job.labels = <const int64_t*> views[LABELS].buf
        job.starts = <const int64_t*> views[STARTS].buf
        if arrays[PATH] is not None:
            job.path = <int64_t*> views[PATH].buf
            job.positions = <int64_t*> views[POSITIONS].buf
            job.scores = <double*> views[PATH_SCORES].buf
        job.base.weighted = (
            job.base.operands[WEIGHT].data != NULL or job.base.operands[MASK].data != NULL or nan_policy == OMIT
        )
        size = 0
        for n in range(job.sequences):
            size += job.labels[n]
        job.first = <Py_ssize_t*> malloc((job.sequences + 1) * sizeof(Py_ssize_t))
        job.label = <int32_t*> malloc((size + 1) * sizeof(int32_t))
        job.state = <char*> malloc(job.sequences + 1)
        job.weight = <double*> malloc((job.sequences + 1) * sizeof(double))
        job.loss = <double*> malloc((job.sequences + 1) * sizeof(double))
        if job.first == NULL or job.label == NULL or job.state == NULL or job.weight == NULL or job.loss == NULL:
            raise MemoryError
        size = 0
        for n in range(job.sequences):
            job.first[n] = size
            size += job.labels[n]
        with nogil:
            parallel_for(check_task, &job, 1, 1, sizeof(Scratch))
        if partial.bad < 0 and operation:
            compute(&job, num_threads, &room)
            with nogil:
                parallel_for(add_task, &job, 1, 1, sizeof(Scratch))
        return partial.bad, partial.culprit, found_sums(&partial, operation & MOMENTS)
    finally:
        free(room)
        free(job.first)
        free(job.label)
        free(job.state)
        free(job.weight)
        free(job.loss)
        for k in range(ARRAYS):
            if held >> k & 1:
                PyBuffer_Release(&views[k])
