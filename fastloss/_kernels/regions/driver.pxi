# The one driver of the regions family: sums over regions of an array, a formula of them, and the slope at each element.
#
# a. The chunks of a unit depend on the shape alone; each is summed in index order, and chunks are folded in that order:
#    no trace of the number of threads.
# b. A region's second pass follows its first at once, while its elements are in a cache: where regions are of one
#    image, a thread takes an image through both, or the team takes a few large ones together. Where a region is of all
#    images, the second pass goes backwards, from what was read last.

include "engine/engine.pxi"

from libc.math cimport sqrt

from fastloss._kernels.arithmetic cimport absolute
from fastloss._kernels.vecmath cimport (
    exp, exp_nonpositive, expm1_hilo, log, log1p, log1p_within, log_of, logistic, power, tanh
)

include "regions/programs.pxi"
include "regions/overlap.pxi"
include "regions/boundary.pxi"
include "regions/job.pxi"
include "regions/lovasz.pxi"
include "regions/separate.pxi"
include "regions/joint.pxi"

cdef enum:
    TILE = 8192                         # elements of a tile, all classes together
    CHUNK = 32768                       # elements of a chunk, at least
    WAVE = 1 << 21                      # elements that a team takes through both passes together
    ALONE = 4                           # images for each thread from which on each image has one thread


# Chunks and images ---------------------------------------------------------------------------------

cdef void store_zeros(RegionJob* job, Py_ssize_t unit, Py_ssize_t start, Py_ssize_t n, RegionScratch* s,
                      floating like) noexcept nogil:
    cdef Py_ssize_t k
    memset(s.a, 0, n * sizeof(floating))
    for k in range(job.wide):
        store(&job.base.operands[GRAD_OUT], &job.planes, (unit * job.wide + k) * job.elements + start, n,
              <const floating*> s.a, &s.block)


cdef void chunk(RegionJob* job, Py_ssize_t index, bint second, Worker* worker, floating like) noexcept nogil:
    cdef RegionScratch* s = scratch_of(job, worker)
    cdef Py_ssize_t unit = index // job.per_unit, per_image = 1 if job.joint else job.classes
    cdef Py_ssize_t start = index % job.per_unit * job.base.chunk, stop = min(start + job.base.chunk, job.elements)
    cdef Py_ssize_t n
    cdef double* sums = job.chunk_sums + index * job.wide * SUMS
    cdef Partial partial
    clear(&partial)
    if not second:
        memset(sums, 0, job.wide * SUMS * sizeof(double))
    while start < stop and partial.bad < 0 and go_on(worker, job.step * job.wide):
        n = min(job.step, stop - start)
        if second and is_still(slopes_of(job, unit // per_image, unit % per_image), job.wide):
            store_zeros(job, unit, start, n, s, like)
        elif job.joint:
            joint_tile(job, unit, start, n, second, s, sums, &partial, like)
        else:
            separate_block(job, unit, start, n, second, s, sums, &partial, like)
        start += n
    if not second:
        job.base.partials[index] = partial


cdef inline void run_chunk(RegionJob* job, Py_ssize_t index, bint second, Worker* worker) noexcept nogil:
    if job.single:
        chunk(job, index, second, worker, <float> 1)
    else:
        chunk(job, index, second, worker, <double> 1)


cdef struct Wave:
    RegionJob* job
    Py_ssize_t first                    # of its chunks
    Py_ssize_t last
    bint second
    Py_ssize_t image                    # the first one
    Py_ssize_t images                   # for each task


cdef void chunk_of_wave(void* wave, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef Wave* w = <Wave*> wave
    run_chunk(w.job, w.last - 1 - index if w.second else w.first + index, w.second, worker)


cdef bint is_refused(RegionJob* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t index
    for index in range(first, last):
        if job.base.partials[index].bad >= 0:
            return True
    return False


cdef void gather_images(RegionJob* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef unsigned mode = enter_ieee_mode()
    gather(job, first, last)
    leave_ieee_mode(mode)


cdef void settle_images(RegionJob* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t image
    cdef unsigned mode = enter_ieee_mode()
    for image in range(first, last if job.by_image else first + 1):
        settle(job, image)
    leave_ieee_mode(mode)


cdef void images_of_task(void* wave, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef Wave* w = <Wave*> wave
    cdef RegionJob* job = w.job
    cdef Py_ssize_t image, each, first, last
    for image in range(index * w.images, min((index + 1) * w.images, job.images)):
        first = image * (job.units // job.images) * job.per_unit
        last = first + job.units // job.images * job.per_unit
        for each in range(first, last):
            run_chunk(job, each, False, worker)
        if is_refused(job, first, last) or not go_on(worker, 0):
            return
        gather_images(job, image, image + 1)
        settle_images(job, image, image + 1)
        for each in range(last - 1, first - 1, -1):
            run_chunk(job, each, True, worker)


cdef void region_of_wave(void* wave, Py_ssize_t index, Worker* worker) noexcept nogil:
    """Sort the errors of one region, counted from the wave's first image on."""
    cdef RegionJob* job = (<Wave*> wave).job
    cdef Py_ssize_t first = (<Wave*> wave).image + index // job.classes
    cdef Py_ssize_t last = first + 1 if job.by_image else job.images
    if job.single:
        sort_region(job, first, last, index % job.classes, worker, <float> 1)
    else:
        sort_region(job, first, last, index % job.classes, worker, <double> 1)


cdef int run(RegionJob* job, int num_threads) except -1:
    """Both passes over all regions, or the first one where no gradient is wanted."""
    cdef Wave wave
    cdef Py_ssize_t per_image = job.units // job.images * job.per_unit, size = job.classes * job.elements
    cdef Py_ssize_t image, images, tasks, last, regions
    cdef bint grad = (job.base.operation & GRAD) != 0
    cdef size_t bytes = scratch_bytes(job)
    wave.job = job
    wave.images = max(1, CHUNK // max(1, size))
    if grad and not job.program.sorted and job.by_image and job.images >= ALONE * num_threads * wave.images:
        tasks = (job.images + wave.images - 1) // wave.images
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(images_of_task, &wave, tasks, num_threads, bytes)
        return 0
    images = job.images if not (grad and job.by_image) else max(1, WAVE // max(1, size))
    num_threads = team(min(images, job.images) * per_image, num_threads)
    image = 0
    while image < job.images:
        last = min(image + images, job.images)
        wave.first, wave.last = image * per_image, last * per_image
        wave.second = False
        with nogil:
            parallel_for(chunk_of_wave, &wave, wave.last - wave.first, num_threads, bytes)
            if is_refused(job, wave.first, wave.last):
                break
            gather_images(job, image, last)
            if job.program.sorted and job.base.operation:
                wave.image = image
                regions = (last - image if job.by_image else 1) * job.classes
                parallel_for(region_of_wave, &wave, regions, num_threads, sorting_bytes(job))
            settle_images(job, image, last)
            if grad:
                wave.second = True
                parallel_for(chunk_of_wave, &wave, wave.last - wave.first, num_threads, bytes)
        image = last
    return 0


# The entries --------------------------------------------------------------------------------------

cdef int describe_call(RegionJob* job, Kernel kernel, tuple constants, double* numbers, class_weight, int empty,
                       bint by_image, bint by_class) except -1:
    cdef Py_ssize_t k
    job.program = <const Program*> kernel.program
    for k in range(len(constants)):
        numbers[k] = constants[k]
    job.constants = numbers
    job.empty = empty
    job.by_image = by_image
    job.by_class = by_class
    return 0


def regions(Kernel kernel, int operation, *, tuple arrays, tuple dtypes, bint joint, bint labelled, int activation,
            int empty, bint by_image, bint by_class, tuple constants, domains, double scale, ignored, int nan_policy,
            bint single, int num_threads, double[:, ::1] sums, double[::1] values, double[::1] weights,
            double[::1] counts, const double[::1] image_weight, const double[::1] class_weight, errors):
    """Run one kernel over the regions of arrays of (images, classes, elements ...).

    `arrays` are the targets, the predictions, a further number of each element, weights, a mask and the gradient, None
    where absent. Weights, mask, and targets that are labels have no axis of classes where a unit has all of them
    (`joint`); `errors` is room for a number of each element, where they are sorted. Fills `sums` for each class of each
    region, and for each region its loss, its weight and whether it counts. Returns (bad index or -1, culprit).
    """
    cdef RegionJob job
    cdef Py_buffer views[7]
    cdef Operand* of_planes[6]
    cdef Operand* of_elements[6]
    cdef double numbers[8]
    cdef int k, d, held = 0, planes = 0, elements = 0
    cdef int* places = [Y, X, Z, WEIGHT, MASK, GRAD_OUT]
    cdef bint narrow
    cdef Py_ssize_t chunks, i
    cdef Operand* operand
    memset(&job, 0, sizeof(RegionJob))
    prepare(&job.base, operation, (), domains)
    describe_call(&job, kernel, constants, numbers, class_weight, empty, by_image, by_class)
    job.base.nan_policy = nan_policy
    job.base.scale = scale
    job.base.checked = domains is not None or nan_policy == RAISE
    job.base.ignoring = ignored is not None
    job.base.ignored = 0 if ignored is None else ignored
    job.activation = activation
    job.joint = joint
    job.labelled = labelled
    job.single = single
    try:
        hold(arrays[1], &views[0], dtypes[1], False, 1)
        held = 1
        job.planes.ndim = views[0].ndim
        job.planes.size = 1
        for d in range(job.planes.ndim):
            job.planes.lengths[d] = views[0].shape[d]
            job.planes.size *= job.planes.lengths[d]
        job.images, job.classes = job.planes.lengths[0], job.planes.lengths[1]
        job.elements = job.planes.size // max(1, job.images * job.classes)
        job.base.shape = job.planes
        if joint:
            job.base.shape.ndim -= 1
            job.base.shape.size = job.images * job.elements
            for d in range(1, job.base.shape.ndim):
                job.base.shape.lengths[d] = job.planes.lengths[d + 1]
        for k in range(6):
            if arrays[k] is None:
                continue
            operand = &job.base.operands[places[k]]
            narrow = joint and (k in (3, 4) or (k == 0 and labelled))
            if k != 1:
                hold(arrays[k], &views[held], dtypes[k], k == 5, k)
                held += 1
            i = 0 if k == 1 else held - 1
            describe(operand, &views[i], dtypes[k])
            if narrow:
                of_elements[elements] = operand
                elements += 1
                match(&views[i], job.base.shape.lengths, job.base.shape.ndim, k)
            else:
                of_planes[planes] = operand
                planes += 1
                match(&views[i], job.planes.lengths, job.planes.ndim, k)
        coalesce(&job.planes, of_planes, planes)
        if joint:
            coalesce(&job.base.shape, of_elements, elements)
        else:
            job.base.shape = job.planes
        if errors is not None:          # contiguous, in the type of the computation
            hold(errors, &views[held], FLOAT32 if single else FLOAT64, True, 6)
            held += 1
            match(&views[held - 1], &job.planes.size, 1, 6)
            job.errors = views[held - 1].buf
        job.base.weighted = (
            job.base.operands[WEIGHT].data != NULL or job.base.operands[MASK].data != NULL or nan_policy == OMIT
            or job.base.ignoring
        )
        job.units = job.images if joint else job.images * job.classes
        job.wide = job.classes if joint else 1
        job.step = min(<Py_ssize_t> BLOCK, max(<Py_ssize_t> 64, TILE // job.classes // 64 * 64)) if joint else BLOCK
        i = (CHUNK // job.wide + job.step - 1) // job.step
        chunks = (job.elements + job.step - 1) // job.step
        job.base.chunk = max(1, max(i, (chunks + MAX_CHUNKS - 1) // MAX_CHUNKS)) * job.step
        job.per_unit = max(1, (job.elements + job.base.chunk - 1) // job.base.chunk)
        return run_job(&job, sums, values, weights, counts, image_weight, class_weight, num_threads)
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])


cdef tuple run_job(RegionJob* job, double[:, ::1] sums, double[::1] values, double[::1] weights, double[::1] counts,
                   const double[::1] image_weight, const double[::1] class_weight, int num_threads):
    cdef Py_ssize_t chunks = job.units * job.per_unit, i
    cdef Py_ssize_t rows = (job.images if job.by_image else 1) * job.classes
    cdef char* room
    if not chunks:
        return -1, 0
    job.values, job.weights, job.counts = &values[0], &weights[0], &counts[0]
    job.sums = &sums[0, 0]
    job.class_weight = &class_weight[0]
    job.image_weight = &image_weight[0] if image_weight is not None else NULL
    room = <char*> PyMem_Malloc(
        chunks * (sizeof(Partial) + job.wide * SUMS * sizeof(double)) + rows * SUMS * sizeof(double)
    )
    if room == NULL:
        raise MemoryError
    job.base.partials = <Partial*> room
    job.chunk_sums = <double*> (room + chunks * sizeof(Partial))
    job.slopes = job.chunk_sums + chunks * job.wide * SUMS
    for i in range(chunks):
        job.base.partials[i].bad = -1
    try:
        run(job, num_threads)
        for i in range(chunks):
            if job.base.partials[i].bad >= 0:
                return job.base.partials[i].bad, job.base.partials[i].culprit
    finally:
        PyMem_Free(room)
    return -1, 0


def settle_sums(Kernel kernel, *, double[:, ::1] sums, Py_ssize_t classes, int empty, bint by_class, tuple constants,
                double[::1] values, double[::1] weights, double[::1] counts, const double[::1] class_weight):
    """The losses of regions with these sums, one row of them for each class of each."""
    cdef RegionJob job
    cdef double numbers[8]
    cdef Py_ssize_t image
    cdef double* slopes
    memset(&job, 0, sizeof(RegionJob))
    describe_call(&job, kernel, constants, numbers, class_weight, empty, True, by_class)
    job.base.operation = VALUE
    job.classes = classes
    job.images = sums.shape[0] // classes
    if not job.images:
        return
    job.sums, job.values, job.weights, job.counts = &sums[0, 0], &values[0], &weights[0], &counts[0]
    job.class_weight = &class_weight[0]
    slopes = <double*> PyMem_Malloc(job.images * classes * SUMS * sizeof(double))
    if slopes == NULL:
        raise MemoryError
    job.slopes = slopes
    try:
        for image in range(job.images):
            settle(&job, image)
    finally:
        PyMem_Free(slopes)
