# A call: regions of an array of (images, classes, elements), what is known of them, and a thread's room.
#
# Where classes are independent (sigmoids, or probabilities), each image of each class is a unit with an own run of
# chunks. Where they meet in a softmax, or share the labels of their elements, a unit is an image with all classes.

cdef enum:
    NO_ACTIVATION, SIGMOID, SOFTMAX

# What the loss of an empty mask is.
cdef enum:
    BY_FORMULA, IS_ZERO, IS_ONE, IS_MEAN, IS_SKIPPED

cdef struct RegionJob:
    Job base                            # its shape is that of the weights: that of `planes`, or without classes
    const Program* program
    const double* constants
    int activation
    int empty
    bint joint                          # a unit has all classes
    bint labelled                       # a target is a class
    bint single
    bint by_image                       # a region is of one image ...
    bint by_class                       # ... and of one class
    Shape planes                        # (images, classes, elements)
    Py_ssize_t images
    Py_ssize_t classes
    Py_ssize_t elements
    Py_ssize_t units
    Py_ssize_t wide                     # classes of a unit
    Py_ssize_t step                     # elements that are at hand together
    Py_ssize_t per_unit                 # chunks of a unit
    void* errors                        # NULL, or room for a number of each element of `planes`
    double* chunk_sums                  # of each chunk, for each class of its unit
    double* sums                        # of each region, for each class
    double* slopes                      # the loss's derivatives in these sums, likewise
    double* values                      # the loss of each region,
    double* weights                     # ... its weight,
    double* counts                      # ... 1 where it counts and 0 where not
    const double* image_weight          # NULL: all are 1; -1: the image does not count
    const double* class_weight

# Arrays of double hold float, where the computation is of that.
cdef struct RegionScratch:
    Scratch block
    double p[ROOM]
    double q[ROOM]
    double t[ROOM]
    double a[ROOM]
    double g[ROOM]
    double label[ROOM]
    double own[ROOM]                    # labels in the type of the computation
    double top[ROOM]                    # the largest logit of an element's classes
    double rest[ROOM]                   # the sum of their exponentials but one of the largest
    double inverse[ROOM]                # 1 over the sum
    double pivot[ROOM]                  # the slope of a most probable class
    double apart[ROOM]
    double crossed[ROOM]
    double* weight                      # NULL: all are 1
    double* tile                        # as many elements of each class
    double* scaled                      # the derivatives in the sums of each class
    double* tile_slopes                 # ... and of each their slope, or their distance from the largest


cdef inline size_t scratch_bytes(RegionJob* job) noexcept nogil:
    cdef size_t tile = job.classes * job.step * sizeof(double) if job.joint else 0
    return sizeof(RegionScratch) + 2 * tile + job.classes * TERMS * sizeof(double) + 64


cdef inline RegionScratch* scratch_of(RegionJob* job, Worker* worker) noexcept nogil:
    cdef RegionScratch* s = <RegionScratch*> worker.scratch
    s.tile = <double*> (worker.scratch + (sizeof(RegionScratch) + 63) // 64 * 64)
    s.tile_slopes = s.tile + (job.classes * job.step if job.joint else 0)
    s.scaled = s.tile_slopes + (job.classes * job.step if job.joint else 0)
    return s


cdef inline Py_ssize_t chunk_length(RegionJob* job) noexcept nogil:
    return job.base.chunk


cdef inline double* sums_of(RegionJob* job, Py_ssize_t image, Py_ssize_t k) noexcept nogil:
    """The sums of a class in a region."""
    return job.sums + ((image if job.by_image else 0) * job.classes + k) * SUMS


cdef inline double* slopes_of(RegionJob* job, Py_ssize_t image, Py_ssize_t k) noexcept nogil:
    return job.slopes + ((image if job.by_image else 0) * job.classes + k) * SUMS


# Weights ------------------------------------------------------------------------------------------

cdef const double* weigh_elements(RegionJob* job, const floating* y, Py_ssize_t start, Py_ssize_t n, RegionScratch* s,
                                  Partial* partial) noexcept nogil:
    """The weights of a block of elements, or NULL where all are 1."""
    if not job.base.weighted:
        return NULL
    return weigh(&job.base, y, start, n, &s.block, partial)


cdef inline bint is_inspected(RegionJob* job, Py_ssize_t image, bint second) noexcept nogil:
    """Whether bad numbers of an image are refused: in the first pass, and not where the image has no weight."""
    return not second and (job.image_weight == NULL or not job.by_image or job.image_weight[image] > 0)


# Sums of chunks to those of regions ----------------------------------------------------------------

cdef void gather(RegionJob* job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Fold the chunks of images first ... last, in order, into the sums of their regions."""
    cdef Py_ssize_t image, k, j, at, unit, chunk
    cdef const double* source
    cdef double* to
    for image in range(first, last):
        for k in range(job.classes):
            to = sums_of(job, image, k)
            if job.by_image or image == 0:
                memset(to, 0, SUMS * sizeof(double))
            unit = image if job.joint else image * job.classes + k
            for chunk in range(unit * job.per_unit, (unit + 1) * job.per_unit):
                source = job.chunk_sums + (chunk * job.wide + (k if job.joint else 0)) * SUMS
                for j in range(SUMS):
                    to[j] += source[j]


cdef inline bint is_still(const double* c, Py_ssize_t classes) noexcept nogil:
    """Whether no element of these classes has a slope: not even one that is not finite."""
    cdef Py_ssize_t k
    for k in range(classes):
        if c[k * SUMS + MOVES] != 0:
            return False
    return True


# Sums to losses ------------------------------------------------------------------------------------

cdef void settle_region(RegionJob* job, double* s, Py_ssize_t classes, const double* class_weight, double weight,
                        bint counts, Py_ssize_t place, double* c) noexcept nogil:
    """The loss of a region and its derivatives in the sums; those of what does not count are 0."""
    cdef const Program* program = job.program
    cdef double mask = 0, extent = 0, positives = 0, value = 0
    cdef Py_ssize_t k, j
    cdef bint is_empty, moves = False
    for k in range(classes):
        if class_weight[k] > 0:
            mask += s[k * SUMS + program.empty[0]] + s[k * SUMS + program.empty[1]]
            extent += s[k * SUMS + EXTENT]
    is_empty = mask == 0 and job.empty != BY_FORMULA
    counts = counts and extent > 0 and not (is_empty and job.empty == IS_SKIPPED)
    memset(c, 0, classes * SUMS * sizeof(double))
    if counts and weight > 0 and job.base.operation:
        moves = not is_empty or job.empty == IS_MEAN
        if is_empty:
            if job.empty == IS_ONE:
                value = 1
            elif job.empty == IS_MEAN:              # the false positives, or their squares
                for k in range(classes):
                    if class_weight[k] > 0:
                        positives += s[k * SUMS + 1]
                        c[k * SUMS + 1] = 1 / extent
                value = positives / extent
        else:
            value = program.formula(s, classes, class_weight, job.constants, c)
    job.values[place] = value
    job.weights[place] = weight if counts else 0
    job.counts[place] = counts
    for k in range(classes):
        c[k * SUMS + MOVES] = moves and class_weight[k] > 0
        for j in range(TERMS):
            c[k * SUMS + j] = NAN if value != value else weight * c[k * SUMS + j]


cdef void settle(RegionJob* job, Py_ssize_t image) noexcept nogil:
    """The losses of the regions of an image, or of those of the whole batch."""
    cdef Py_ssize_t k, j, row = image if job.by_image else 0
    cdef double weight = 1, one = 1
    cdef bint counts = True
    cdef double* s
    cdef double* c
    cdef double merged[SUMS]
    cdef double slopes[SUMS]
    if job.image_weight != NULL and job.by_image:
        weight = job.image_weight[image]
        counts = weight >= 0
        weight = weight if counts else 0
    if job.by_class:
        for k in range(job.classes):
            settle_region(job, sums_of(job, image, k), 1, &one, weight * job.class_weight[k],
                          counts and job.class_weight[k] > 0, row * job.classes + k, slopes_of(job, image, k))
        return
    s, c = sums_of(job, image, 0), slopes_of(job, image, 0)
    if job.program.across:
        settle_region(job, s, job.classes, job.class_weight, weight, counts, row, c)
        return
    memset(merged, 0, sizeof(merged))
    for k in range(job.classes):
        if job.class_weight[k] > 0:
            for j in range(SUMS):
                merged[j] += job.class_weight[k] * s[k * SUMS + j]
    settle_region(job, merged, 1, &one, weight, counts, row, slopes)
    for k in range(job.classes):
        for j in range(TERMS):
            c[k * SUMS + j] = job.class_weight[k] * slopes[j] if job.class_weight[k] > 0 else 0
        c[k * SUMS + MOVES] = job.class_weight[k] > 0 and slopes[MOVES] != 0


cdef double scaled(const double* c, Py_ssize_t classes, double scale, double* to) noexcept nogil:
    """The derivatives times `scale`, so that they are numbers of float32 too; what then is left of the scale."""
    cdef double most = 0, factor = scale
    cdef Py_ssize_t k, j
    for k in range(classes):
        for j in range(TERMS):
            most = fabs(c[k * SUMS + j]) if not fabs(c[k * SUMS + j]) <= most else most
    if most > 0 and not (most * fabs(scale) > 1e-30 and most * fabs(scale) < 1e30) and is_finite(most):
        factor = 1 / most
    for k in range(classes):
        for j in range(TERMS):
            to[k * TERMS + j] = c[k * SUMS + j] * factor
    return 1 if factor == scale else scale * most
