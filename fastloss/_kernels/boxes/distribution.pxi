# What a distribution over bins expects, of many distributions side by side: a lane for each.

cdef extern from "engine/tiles.h" nogil:
    enum: LANES "FL_LANES"
    void to_tile "fl_to_tile"(const char* source, Py_ssize_t stride, Py_ssize_t classes, char* tile, int itemsize)
    void from_tile "fl_from_tile"(const char* tile, Py_ssize_t classes, char* to, int itemsize)

from fastloss._kernels.vecmath cimport exp_in_sum

cdef struct BinJob:
    Job base                            # whose shape is that of the distributions; Y is the derivative in their means
    Shape shape                         # of the logits
    Py_ssize_t bins

cdef struct BinScratch:
    Scratch base
    double expected[LANES]
    double slope[LANES]


cdef inline void expectation(floating* tile, Py_ssize_t bins, floating* expected, const floating* slope,
                             bint want_grad) noexcept nogil:
    """The mean bin of each lane, and with a slope the derivatives of the logits in their places."""
    cdef Py_ssize_t i, k
    cdef floating most[LANES]
    cdef floating whole[LANES]
    cdef floating bin, e
    for i in range(LANES):
        most[i] = tile[i]
        whole[i] = 0
        expected[i] = 0
    for k in range(1, bins):
        for i in range(LANES):
            most[i] = tile[k * LANES + i] if tile[k * LANES + i] > most[i] else most[i]
    for k in range(bins):
        bin = <floating> k
        for i in range(LANES):
            e = exp_in_sum(tile[k * LANES + i] - most[i])
            whole[i] += e
            expected[i] += bin * e
            if want_grad:
                tile[k * LANES + i] = e
    for i in range(LANES):
        expected[i] = expected[i] / whole[i]
        if want_grad:
            whole[i] = slope[i] / whole[i]
    if want_grad:
        for k in range(bins):
            bin = <floating> k
            for i in range(LANES):
                tile[k * LANES + i] = (whole[i] * tile[k * LANES + i]) * (bin - expected[i])


cdef void bins_of(BinJob* whole, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """A chunk of LANES distributions at a time."""
    cdef Job* job = &whole.base
    cdef BinScratch* s = <BinScratch*> worker.scratch
    cdef Py_ssize_t bins = whole.bins, room = LANES * (bins + 4), start = index * job.chunk, done, take, n
    cdef Py_ssize_t stop = min(start + job.chunk, job.shape.size)
    cdef floating* rows = <floating*> <double*> (worker.scratch + sizeof(BinScratch))
    cdef floating* tile = rows + room
    cdef floating* expected = <floating*> s.expected
    cdef const floating* x
    cdef const floating* slope = <const floating*> <floating*> s.slope
    cdef int size = sizeof(floating)
    clear(&job.partials[index])
    memset(rows, 0, room * size)
    while start < stop and go_on(worker, LANES * bins):
        n = min(<Py_ssize_t> LANES, stop - start)
        done = 0
        while done < n * bins:
            take = min(<Py_ssize_t> BLOCK, n * bins - done)
            x = load(&job.operands[X], &whole.shape, start * bins + done, take, <floating*> s.base.x, &s.base)
            memcpy(rows + done, x, take * size)
            done += take
        to_tile(<const char*> rows, bins * size, bins, <char*> tile, sizeof(floating))
        if job.operation & GRAD:
            x = load(&job.operands[Y], &job.shape, start, n, <floating*> s.slope, &s.base)
            if x != slope:
                memcpy(s.slope, x, n * size)
            expectation(tile, bins, expected, slope, True)
            from_tile(<const char*> tile, bins, <char*> rows, sizeof(floating))
            done = 0
            while done < n * bins:
                take = min(<Py_ssize_t> BLOCK, n * bins - done)
                store(&job.operands[GRAD_OUT], &whole.shape, start * bins + done, take,
                      <const floating*> rows + done, &s.base)
                done += take
        else:
            expectation(tile, bins, expected, slope, False)
            store(&job.operands[VALUE_OUT], &job.shape, start, n, <const floating*> expected, &s.base)
        start += LANES


cdef void bins_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    bins_of(<BinJob*> job, index, worker, <float> 1)


cdef void bins_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    bins_of(<BinJob*> job, index, worker, <double> 1)


def expected_bins(*, tuple arrays, tuple dtypes, bint single, int num_threads):
    """Write the mean bin of each distribution, or with a slope for each the derivatives in its logits.

    `arrays` are the logits, with the bins along the last axis, and the means, or slopes and derivatives.
    """
    cdef BinJob whole
    cdef Job* job = &whole.base
    cdef Py_buffer views[3]
    cdef Operand* present[3]
    cdef int* places = [X, Y if len(arrays) == 3 else VALUE_OUT, GRAD_OUT]
    cdef int k, axis, held = 0
    cdef Py_ssize_t groups
    memset(&whole, 0, sizeof(BinJob))
    prepare(job, GRAD if len(arrays) == 3 else VALUE, (), None)
    try:
        for k in range(len(arrays)):
            hold(arrays[k], &views[k], dtypes[k], k == len(arrays) - 1, k)
            held += 1
            describe(&job.operands[places[k]], &views[k], dtypes[k])
            match(&views[k], views[0].shape, views[0].ndim - (k == 1), k)
        whole.shape.ndim = views[0].ndim
        job.shape.ndim = views[0].ndim - 1
        job.shape.size = 1
        for axis in range(job.shape.ndim):
            whole.shape.lengths[axis] = job.shape.lengths[axis] = views[0].shape[axis]
            job.shape.size *= views[0].shape[axis]
        whole.bins = whole.shape.lengths[job.shape.ndim] = views[0].shape[job.shape.ndim]
        whole.shape.size = job.shape.size * whole.bins
        present[0], present[1] = &job.operands[X], &job.operands[GRAD_OUT]
        present[2] = &job.operands[places[1]]
        coalesce(&whole.shape, present, held - 1)
        coalesce(&job.shape, present + 2, 1)
        groups = (job.shape.size + LANES - 1) // LANES
        job.chunk = max(1, (groups + MAX_CHUNKS - 1) // MAX_CHUNKS) * LANES
        run_grid(job, job.shape.size, bins_of_float if single else bins_of_double, &whole, num_threads,
                 sizeof(BinScratch) + 2 * LANES * (whole.bins + 4) * sizeof(double))
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
