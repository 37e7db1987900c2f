# The labels and targets of a group of rows: which are refused, which rows count, and with which weight.

cdef inline bint within(const integer* y, Py_ssize_t classes, bint signed, floating* label,
                        Py_ssize_t rows) noexcept nogil:
    cdef Py_ssize_t i
    cdef int bits = 8 * sizeof(integer) - signed
    cdef integer last = <integer> (classes - 1 if bits > 31 or classes >> bits == 0 else (1 << bits) - 1)
    cdef integer v, wrong = 0
    for i in range(rows):
        v = y[i]                        # once: it may change at any time
        wrong |= v > last
        label[i] = <int32_t> v
    return wrong == 0


cdef inline bint read_classes(const RowJob* job, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t classes, floating* label,
                              floating like) noexcept nogil:
    """The labels of some rows that are all plain, or False where one of them is no class."""
    cdef const char* y = job.base.operands[Y].data + start * job.base.operands[Y].itemsize
    cdef int dtype = job.direct_labels
    if dtype == INT64 or dtype == UINT64:
        return within(<const uint64_t*> y, classes, dtype == INT64, label, rows)
    if dtype == INT32 or dtype == UINT32:
        return within(<const uint32_t*> y, classes, dtype == INT32, label, rows)
    if dtype == INT16 or dtype == UINT16:
        return within(<const uint16_t*> y, classes, dtype == INT16, label, rows)
    return within(<const uint8_t*> y, classes, dtype == INT8, label, rows)


cdef inline double mean_weight(double weighted, double sum) noexcept nogil:
    """The class weight of a row of targets, their mean under them: 1 where there are none or one is missing."""
    cdef double mean = weighted / sum
    return mean if mean == mean else 1


cdef void inspect_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating like) noexcept nogil:
    cdef Lanes* r = &s.group.lanes
    cdef const floating* t
    cdef floating least = <floating> job.least
    cdef Py_ssize_t first, n, k
    cdef int wrong = 0, missing = 0
    cdef double sum = 0, weighted = 0
    first = 0
    while first < job.classes and carry_on(s):
        n = row_block(job, first)
        t = load_row(job, PLANE_Y, row, first, n, <floating*> s.t, <floating> 0, False, s)
        for k in range(n):
            wrong |= t[k] < least
            missing |= t[k] != t[k]
        if job.class_weight != NULL:
            for k in range(n):
                sum += t[k]
                weighted += job.class_weight[first + k] * t[k]
        first += n
    r.label[i] = -2 if wrong else <double> NAN if missing else -1
    r.unit[i] = mean_weight(weighted, sum)


cdef void inspect_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    cdef Lanes* r = &s.group.lanes
    cdef floating* t = <floating*> s.t
    cdef floating least = <floating> job.least
    cdef floating lowest[LANES]
    cdef floating missing[LANES]
    cdef double sum[LANES]
    cdef double weighted[LANES]
    cdef Py_ssize_t first, n, k, i
    for i in range(LANES):
        lowest[i] = least
        missing[i] = 0
        sum[i] = 0
        weighted[i] = 0
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
        load_tile(job, PLANE_Y, start, rows, first, n, t, s)
        for k in range(n):
            for i in range(LANES):
                lowest[i] = t[k * LANES + i] if t[k * LANES + i] < lowest[i] else lowest[i]
                missing[i] = t[k * LANES + i] if t[k * LANES + i] != t[k * LANES + i] else missing[i]
            if job.class_weight != NULL:
                for i in range(LANES):
                    sum[i] += t[k * LANES + i]
                    weighted[i] += job.class_weight[first + k] * t[k * LANES + i]
        first += TILE_CLASSES
    for i in range(LANES):
        r.label[i] = -2 if lowest[i] < least else missing[i] - 1
        r.unit[i] = mean_weight(weighted[i], sum[i])


cdef void whole_labels(RowJob* job, const double* bits, Py_ssize_t rows, double* label) noexcept nogil:
    """64-bit integers as float64: compared with the ignored one as they are, and -0.5, no class, where inexact."""
    cdef Py_ssize_t i
    cdef uint64_t ignored = job.ignored
    cdef double none = job.base.ignored, v
    cdef bint ignoring = job.base.ignoring
    cdef uint64_t whole[LANES]
    memcpy(whole, bits, rows * sizeof(uint64_t))
    if job.wide_labels == UINT64:
        for i in range(rows):
            label[i] = <double> whole[i]
    else:
        for i in range(rows):
            label[i] = <double> <int64_t> whole[i]
    for i in range(rows):
        v = label[i] if fabs(label[i]) < 4503599627370496.0 else -0.5
        label[i] = none if ignoring & (whole[i] == ignored) else v


cdef void inspect(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """The labels of a group, or for its targets -1, -2 where one breaks its domain, NaN where it is missing, and the
    class weight of each row of them."""
    cdef Lanes* r = &s.group.lanes
    cdef const double* label
    cdef Py_ssize_t i
    if not job.dense:
        label = load(&job.base.operands[Y], &job.base.shape, start, rows, r.label, &s.block)
        if job.wide_labels:
            whole_labels(job, label, rows, r.label)
        elif label != r.label:
            memcpy(r.label, label, rows * sizeof(double))
    elif job.class_weight != NULL or job.base.checked or job.base.nan_policy != PROPAGATE:
        if job.tiled:
            inspect_tile(job, start, rows, s, like)
        else:
            for i in range(rows):
                inspect_row(job, start + i, i, s, like)
        if job.class_weight == NULL or job.program.targets == SIGNS:
            fill(r.unit, 1)


cdef inline bint is_class(double y, double classes, bint between) noexcept nogil:
    # Adding 1.5 * 2^52 rounds to an integer, in vectors of every instruction set.
    return (y >= 0) & (y <= classes - 1) & (between | ((y + 6755399441055744.0) - 6755399441055744.0 == y))


cdef void settle(RowJob* job, Py_ssize_t start, Py_ssize_t rows, const double* weight, RowScratch* s,
                 Partial* partial) noexcept nogil:
    """Which rows count, and with which weight of their class; a target that no row can have is recorded."""
    cdef Lanes* r = &s.group.lanes
    cdef Py_ssize_t i
    cdef int wrong = 0
    cdef bint no_nan = job.base.nan_policy == RAISE, between = job.program.targets == BETWEEN
    cdef double y, classes = job.classes
    if weight != NULL:
        memcpy(r.weight, weight, rows * sizeof(double))
        for i in range(rows, LANES):
            r.weight[i] = 0
        for i in range(LANES):
            r.label[i] = r.label[i] if r.weight[i] != 0 else -1
    if job.dense:
        for i in range(rows):
            wrong |= (r.label[i] == -2) | (no_nan & (r.label[i] != r.label[i]))
    elif job.sharded:
        for i in range(LANES):
            r.label[i] = r.label[i] if is_class(r.label[i], classes, between) else -1
    else:
        for i in range(LANES):
            y = r.label[i]
            wrong |= (r.weight[i] != 0) & (1 - is_class(y, classes, between)) & ((y == y) | no_nan)
    if wrong:
        for i in range(rows):
            y = r.label[i]
            if r.weight[i] == 0 or (y == -1 and job.dense) or is_class(y, classes, between):
                continue
            if y == y or no_nan:
                partial.bad = start + i
                partial.culprit = Y
                return
    if job.plain:
        partial.weight += rows
        return
    if job.class_weight != NULL and not job.dense:
        for i in range(rows):
            r.label_weight[i] = job.class_weight[<Py_ssize_t> r.label[i]] if r.label[i] >= 0 else 1
            r.unit[i] = r.label_weight[i]
    for i in range(LANES):
        r.whole[i] = r.weight[i] * r.unit[i] if r.weight[i] != 0 else 0
    partial.weight += total(r.whole, rows)
