# Blocks of logits, targets and derivatives, between the arrays of a call and the first-level cache.

from fastloss._kernels.arithmetic cimport absolute
from fastloss._kernels.vecmath cimport exp_nonpositive, tanh_of

cdef enum:
    TILE_CLASSES = 64                   # classes of a tile that are in first-level cache at a time
    TILE_ROOM = TILE_CLASSES * LANES + 72
    OVERREAD = 12                       # bytes that `to_tile` may read beyond the rows of a group
    ROW_BLOCK = 512                     # classes of a row that are in first-level cache at a time
    FINE_BLOCK = 256                    # ... by loops that take long enough to overlap with the memory

# Operands with one number for each row and class; results with one for each row.
cdef enum:
    PLANE_Y, PLANE_X, PLANE_GRAD, PLANE_HESS, PLANES
cdef enum:
    ROW_VALUE, ROW_LSE, ROW_ENTROPY, ROW_ARGMAX, ROW_CORRECT, ROW_SHIFT, ROW_SUM, ROW_TARGET, ROW_WEIGHT, RESULTS

cdef struct RowJob:
    Job base                            # its operands are labels, weights and mask of the rows
    Operand results[RESULTS]
    Shape shape                         # of rows and classes
    Operand planes[PLANES]
    const Program* program
    bint single                         # computed in float32
    bint tiled
    bint class_major                    # the class axis is the first, not the last
    bint dense                          # there is a target for each class
    bint targets                        # the loops read a target for each class: that, or the smoothing of a label
    double least                        # that such a target may be
    bint brief                          # the formula without options does
    bint binary                         # rows are a function of the difference of two logits
    bint pairs                          # ... which are read where they are, and nothing else is asked for
    bint plain                          # every row counts as 1
    bint further                        # results besides losses and derivatives
    bint extras                         # results that are of use where a row does not count
    bint sharded                        # a label may be of a class that is in another shard
    bint merged                         # ROW_SHIFT, ROW_SUM and ROW_TARGET are given: those of all shards
    double scale                        # of the logits
    double softcap                      # 0: none
    double smoothing
    bint penalised                      # by a z-loss
    int direct_labels                   # the type of integers that are read where they are, or 0: see `read_classes`
    int wide_labels                     # the type of 64-bit integers, or 0
    uint64_t ignored                    # ... of which this one is ignored
    const double* class_weight          # NULL: all are 1
    Py_ssize_t classes
    Py_ssize_t rows
    Py_ssize_t group                    # rows

cdef struct RowScratch:
    double x[TILE_ROOM]
    double t[TILE_ROOM]
    double grad[TILE_ROOM]
    double hess[TILE_ROOM]
    double packed[TILE_ROOM]
    Scratch block                       # aligns them all
    Line lines[PLANES]
    Worker* worker
    double* room                        # of the program's routines
    bint widened                        # the sums of this group are in float64, and so is what they left in x and t
    RowGroup group


cdef inline Py_ssize_t row_block(const RowJob* job, Py_ssize_t first, Py_ssize_t most = ROW_BLOCK) noexcept nogil:
    """How many classes from `first` on are taken at a time: whole groups of lanes, which are read where they are, and
    at the end of a row the rest, which is padded."""
    cdef Py_ssize_t n = min(most, job.classes - first)
    return n if n < LANES else n - n % LANES


cdef inline bint carry_on(RowScratch* s) noexcept nogil:
    """Whether to go on with the next classes of a row: it may be too long to wait for its end."""
    return go_on(s.worker, ROW_BLOCK)


cdef inline floating capped(floating x, floating cap) noexcept nogil:
    return <floating> (cap * tanh_of(x / cap))


cdef inline void cap_block(floating* x, Py_ssize_t n, floating cap) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = capped(x[i], cap)


cdef inline void cap_chain(const floating* x, floating* grad, floating* hess, Py_ssize_t n, floating cap,
                           bint want_hess) noexcept nogil:
    """From derivatives in cap tanh(x / cap) to derivatives in x."""
    cdef Py_ssize_t i
    cdef floating e, slope, h, g
    for i in range(n):
        e = exp_nonpositive(-2 * absolute(x[i] / cap))
        slope = 4 * e / ((1 + e) * (1 + e))
        g = grad[i]
        grad[i] = g * slope
        if want_hess:
            h = tanh_of(x[i] / cap)                     # not of `e`, which is near 1 where this is near 0
            hess[i] = hess[i] * slope * slope - h * 2 / cap * slope * g


cdef void load_tile(RowJob* job, int plane, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first, Py_ssize_t classes,
                    floating* tile, RowScratch* s) noexcept nogil:
    """Classes first ... of rows start ... as lanes."""
    cdef const Operand* operand = &job.planes[plane]
    cdef floating* packed = <floating*> s.packed
    cdef const floating* v
    cdef Py_ssize_t i, k, at, n, step
    if job.class_major:
        for k in range(classes):
            v = load(operand, &job.shape, (first + k) * job.rows + start, rows, tile + k * LANES, &s.block)
            if v != tile + k * LANES:
                memcpy(tile + k * LANES, v, rows * sizeof(floating))
    elif operand.direct and is_of(operand, tile):
        v = <const floating*> operand.data + start * job.classes + first
        if (job.rows - start - rows) * job.classes * <Py_ssize_t> sizeof(floating) >= OVERREAD:
            to_tile(<const char*> v, job.classes * sizeof(floating), classes, <char*> tile, sizeof(floating))
        else:
            for i in range(rows):
                memcpy(packed + i * classes, v + i * job.classes, classes * sizeof(floating))
            to_tile(<const char*> packed, classes * sizeof(floating), classes, <char*> tile, sizeof(floating))
    else:
        step = BLOCK if classes == job.classes else classes
        n = rows * classes
        at = 0
        while at < n:
            i = min(step, n - at)
            k = start * job.classes + at if classes == job.classes else (start + at // classes) * job.classes + first
            v = load(operand, &job.shape, k, i, packed + at, &s.block)
            if v != packed + at:
                memcpy(packed + at, v, i * sizeof(floating))
            at += step
        to_tile(<const char*> packed, classes * sizeof(floating), classes, <char*> tile, sizeof(floating))


cdef inline void store_run(RowJob* job, int plane, Py_ssize_t start, Py_ssize_t n, const floating* v,
                           RowScratch* s) noexcept nogil:
    """Any number of elements that lie together, at once."""
    cdef char* to = job.planes[plane].data + start * sizeof(floating)
    cdef Py_ssize_t size = n * sizeof(floating)
    if job.shape.size * <Py_ssize_t> sizeof(floating) < STREAM_BYTES:
        memcpy(to, v, size)
    elif n <= ROW_BLOCK:                # it pays to wait nowhere where two such runs meet
        stream_on(&s.lines[plane], to, <const char*> v, size)
    else:
        stream(to, <const char*> v, size)


cdef void store_tile(RowJob* job, int plane, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first, Py_ssize_t classes,
                     const floating* tile, RowScratch* s) noexcept nogil:
    cdef const Operand* operand = &job.planes[plane]
    cdef floating* packed = <floating*> s.packed
    cdef Py_ssize_t i, k, at, n, step
    if job.class_major:
        for k in range(classes):
            store(operand, &job.shape, (first + k) * job.rows + start, rows, tile + k * LANES, &s.block)
        return
    from_tile(<const char*> tile, classes, <char*> packed, sizeof(floating))
    if operand.direct and is_of(operand, tile) and classes == job.classes:
        store_run(job, plane, start * classes, rows * classes, packed, s)
        return
    step = BLOCK if classes == job.classes else classes
    n = rows * classes
    at = 0
    while at < n:
        i = min(step, n - at)
        k = start * job.classes + at if classes == job.classes else (start + at // classes) * job.classes + first
        store(operand, &job.shape, k, i, packed + at, &s.block)
        at += step


cdef const floating* load_row(RowJob* job, int plane, Py_ssize_t row, Py_ssize_t first, Py_ssize_t n, floating* into,
                              floating padding, bint own, RowScratch* s) noexcept nogil:
    """Classes first ... first + n of a row, padded to whole groups of lanes; `own` makes a copy of them."""
    cdef const Operand* operand = &job.planes[plane]
    cdef Py_ssize_t start = row * job.classes + first, at = 0, take, i
    cdef const floating* v
    if job.class_major:
        for i in range(n):
            into[i] = load(operand, &job.shape, (first + i) * job.rows + row, 1, into + i, &s.block)[0]
        at = n
    elif operand.direct:
        foresee_stream(operand, start, n)
        if is_of(operand, into) and not own and n % LANES == 0:
            return <const floating*> operand.data + start
    while at < n:
        take = min(<Py_ssize_t> BLOCK, n - at)
        v = load(operand, &job.shape, start + at, take, into + at, &s.block)
        if v != into + at:
            memcpy(into + at, v, take * sizeof(floating))
        at += take
    for i in range(n, (n + LANES - 1) // LANES * LANES):
        into[i] = padding
    return into


cdef void store_row(RowJob* job, int plane, Py_ssize_t row, Py_ssize_t first, Py_ssize_t n, const floating* v,
                    RowScratch* s) noexcept nogil:
    cdef const Operand* operand = &job.planes[plane]
    cdef Py_ssize_t at = 0, take
    if operand.direct and is_of(operand, v) and not job.class_major:
        store_run(job, plane, row * job.classes + first, n, v, s)
        return
    while at < n:
        if job.class_major:
            take = 1
            store(operand, &job.shape, (first + at) * job.rows + row, 1, v + at, &s.block)
        else:
            take = min(<Py_ssize_t> BLOCK, n - at)
            store(operand, &job.shape, row * job.classes + first + at, take, v + at, &s.block)
        at += take


cdef inline bint changes_targets(RowJob* job) noexcept nogil:
    return job.smoothing != 0 or job.class_weight != NULL or job.program.targets == SIGNS


cdef inline floating signed_weight(floating t, floating w) noexcept nogil:
    return w if t > 0 else -w if t == 0 else t


cdef inline void weigh_targets(RowJob* job, floating* t, Py_ssize_t first, Py_ssize_t n,
                               Py_ssize_t width) noexcept nogil:
    """t = class weight ((1 - smoothing) t + smoothing / classes), for `width` rows of each class; of labels of 0 and 1
    their sign with it."""
    cdef Py_ssize_t i, k
    cdef double kept = 1 - job.smoothing if job.dense else 0, even = job.smoothing / job.classes, w
    for k in range(n):
        w = job.class_weight[first + k] if job.class_weight != NULL else 1
        if job.program.targets == SIGNS:
            for i in range(width):
                t[k * width + i] = signed_weight(t[k * width + i], <floating> w)
            continue
        for i in range(width):
            t[k * width + i] = <floating> (w * (kept * t[k * width + i] + even)) if job.dense else <floating> (w * even)


cdef inline void share_targets(const double* label, floating* t, Py_ssize_t first, Py_ssize_t n,
                               Py_ssize_t width) noexcept nogil:
    """The shares of the two classes that each of `width` labels lies between; NaN where it is missing."""
    cdef Py_ssize_t i, k
    cdef double share
    for k in range(n):
        for i in range(width):
            share = 1 - fabs(label[i] - (first + k))
            t[k * width + i] = <floating> (0 if share < 0 else share)


cdef inline void lower_targets(const double* shift, floating* t, Py_ssize_t n,
                               Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t i, k
    for k in range(n):
        for i in range(width):
            t[k * width + i] = <floating> (t[k * width + i] - shift[i])


cdef const floating* targets_of_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, Py_ssize_t first, Py_ssize_t n,
                                    RowScratch* s, floating like) noexcept nogil:
    cdef bint weighed = changes_targets(job), softened = job.program.targets == LOGITS
    cdef floating none = -INFINITY if job.program.targets in (LOGITS, LOG_PROBABILITIES) else 0
    cdef floating* t = <floating*> s.t
    cdef const floating* given = t
    cdef Py_ssize_t k
    if job.dense:
        given = load_row(job, PLANE_Y, row, first, n, t, none, weighed or softened, s)
    if weighed:
        weigh_targets(job, t, first, n, 1)
    elif job.program.targets in (ONE_HOT, BETWEEN) and not job.dense:
        share_targets(&s.group.lanes.label[i], t, first, n, 1)
    elif softened:
        lower_targets(&s.group.lanes.target_shift[i], t, n, 1)
    if given == t:
        for k in range(n, (n + LANES - 1) // LANES * LANES):
            t[k] = none
    return given


cdef const floating* targets_of_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first,
                                     Py_ssize_t classes, RowScratch* s, floating like) noexcept nogil:
    cdef floating* t = <floating*> s.t
    if job.dense:
        load_tile(job, PLANE_Y, start, rows, first, classes, t, s)
    if changes_targets(job):
        weigh_targets(job, t, first, classes, LANES)
    elif job.program.targets in (ONE_HOT, BETWEEN) and not job.dense:
        share_targets(s.group.lanes.label, t, first, classes, LANES)
    elif job.program.targets == LOGITS:
        lower_targets(s.group.lanes.target_shift, t, classes, LANES)
    return t


cdef const floating* scores_of_row(RowJob* job, Py_ssize_t row, Py_ssize_t first, Py_ssize_t n, RowScratch* s,
                                   floating like) noexcept nogil:
    """A block of a row's logits, where they are if they need no change."""
    cdef const Operand* operand = &job.planes[PLANE_X]
    cdef Py_ssize_t start = row * job.classes + first
    cdef floating* own = <floating*> s.x
    if operand.direct and is_of(operand, own) and not job.class_major and job.softcap == 0:
        return <const floating*> operand.data + start
    load_row(job, PLANE_X, row, first, n, own, <floating> -INFINITY, True, s)
    if job.softcap != 0:
        cap_block(own, n, <floating> job.softcap)
    return own


cdef const floating* logits_of_row(RowJob* job, Py_ssize_t row, double label, Py_ssize_t first, Py_ssize_t n,
                                   RowScratch* s, floating like) noexcept nogil:
    """A block of a row's logits, -inf in place of the label's."""
    cdef floating* own = <floating*> s.x
    cdef bint patched = label >= first and label < first + n
    cdef const floating* x = load_row(
        job, PLANE_X, row, first, n, own, <floating> -INFINITY, patched or job.softcap != 0, s
    )
    if job.softcap != 0:
        cap_block(own, n, <floating> job.softcap)
    if patched:
        own[<Py_ssize_t> label - first] = -INFINITY
    return x


cdef floating* logits_of_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first, Py_ssize_t classes,
                              RowScratch* s, floating like) noexcept nogil:
    cdef floating* x = <floating*> s.x
    load_tile(job, PLANE_X, start, rows, first, classes, x, s)
    if job.softcap != 0:
        cap_block(x, classes * LANES, <floating> job.softcap)
    return x
