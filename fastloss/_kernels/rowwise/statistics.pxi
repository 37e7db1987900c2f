# The statistics of a group of rows, and what the formula makes of them.

cdef extern from "rowwise/exponentials.h" nogil:
    float largest "fl_largest_f32"(const float* x, Py_ssize_t n)
    float sum_exp2 "fl_sum_exp2_f32"(const float* x, Py_ssize_t n, float shift, float unit, const float* next)
    void sum_lanes_exp2 "fl_sum_lanes_exp2_f32"(const float* x, Py_ssize_t groups, const float* shift, float unit,
                                                float* sums)
    void map_lanes_exp "fl_map_lanes_exp_f32"(const float* x, Py_ssize_t groups, const float* shift, float scale,
                                              const float* factor, float* to)

cdef enum:
    MOST_SUMS = 100                     # of one row; more than sparsemax needs for 2^48 classes, the others take two


cdef inline double subtracted(const RowJob* job, double shift) noexcept nogil:
    """What the sums subtract: nothing from scores that are compared alone, among which two may be infinite."""
    return 0 if job.program.judged else finite_shift(shift)


cdef inline float exp2_unit(const RowGroup* g) noexcept nogil:
    """What logits are multiplied by for their exponentials to be powers of two."""
    return <float> g.scale * <float> 1.4426950408889634


cdef void sum_other_classes(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s) noexcept nogil:
    """The sum of exponentials over all classes but the label's, in float32."""
    cdef Lanes* r = &s.group.lanes
    cdef Py_ssize_t first = 0, n, label = <Py_ssize_t> r.label[i] if r.label[i] >= 0 else -1
    cdef float* own = <float*> s.x
    cdef const float* x
    cdef const float* next
    cdef float shift, unit = exp2_unit(&s.group)
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> FINE_BLOCK, job.classes - first)
        x = scores_of_row(job, row, first, n, s, <float> 1)
        next = x if x == own else x + AHEAD // sizeof(float)
        if first <= label < first + n:
            if x != own:
                memcpy(own, x, n * sizeof(float))
                x = own
            own[label - first] = -INFINITY
        raise_shift(r, i, largest(x, n), job.scale, <float> 1)
        shift = <float> finite_shift(r.shift[i])
        r.s0[i] += sum_exp2(x, n, shift, unit, next)
        first += n


cdef inline RowLoop statistics_of(const RowJob* job, bint anew) noexcept nogil:
    return job.program.first if anew and job.program.first != NULL else job.program.statistics


cdef void sum_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, bint anew, RowScratch* s, floating like) noexcept nogil:
    cdef RowGroup* g = &s.group
    cdef RowLoop statistics = statistics_of(job, anew)
    cdef Lanes* r = &g.lanes
    cdef Py_ssize_t first, n
    cdef double label = r.label[i] if job.program.targets == LABEL else -1
    cdef floating top[LANES]
    cdef floating* t = <floating*> s.t
    if floating is float and job.program.of_odds:
        sum_other_classes(job, row, i, s)
        return
    if job.program.shift == MAXIMUM and anew:
        first = 0
        while first < job.classes and carry_on(s):
            n = row_block(job, first)
            lane_maximum(logits_of_row(job, row, label, first, n, s, like), (n + LANES - 1) // LANES, top)
            r.shift[i] = max(r.shift[i], <double> fold_maximum(top))
            first += n
    if job.program.first != NULL:
        spread(<floating> r.u[i], g.u)
    first = 0
    while first < job.classes and carry_on(s):
        n = row_block(job, first)
        g.groups = (n + LANES - 1) // LANES
        g.x = logits_of_row(job, row, label, first, n, s, like)
        if job.targets and not (anew and job.program.first != NULL):
            g.t = targets_of_row(job, row, i, first, n, s, like)
            if label >= first and label < first + n:
                t[<Py_ssize_t> label - first] = 0
        if job.program.shift == RUNNING_MAXIMUM:
            lane_maximum(<const floating*> g.x, g.groups, top)
            raise_shift(r, i, fold_maximum(top), job.scale, like)
        spread(<floating> subtracted(job, r.shift[i]), g.shift)
        statistics(g)
        r.s0[i] += fold_sum(<floating*> g.s0)
        if job.program.count > 1:
            r.s1[i] += fold_sum(<floating*> g.s1)
            r.s2[i] += fold_sum(<floating*> g.s2)
            r.s3[i] += fold_sum(<floating*> g.s3)
        first += n


cdef void sum_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, bint anew, RowScratch* s,
                   floating like) noexcept nogil:
    cdef RowGroup* g = &s.group
    cdef RowLoop statistics = statistics_of(job, anew)
    cdef Lanes* r = &g.lanes
    cdef Py_ssize_t i, first, n
    cdef bint cached = False            # one tile holds all classes, and is loaded
    cdef floating top[LANES]
    cdef floating label[LANES]
    cdef floating target[LANES]
    cdef floating* x = <floating*> s.x
    cdef double base[LANES]
    g.x = x
    for i in range(LANES):
        label[i] = -1
        target[i] = 0
    if job.program.shift == MAXIMUM and anew:
        first = 0
        while first < job.classes and carry_on(s):
            n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
            logits_of_tile(job, start, rows, first, n, s, like)
            if job.program.targets == LABEL:
                narrow_labels(r.label, first, label)
            mask_labels(x, n, label, target, top)
            for i in range(LANES):
                r.shift[i] = top[i] if top[i] > r.shift[i] else r.shift[i]
            first += TILE_CLASSES
        cached = job.classes <= TILE_CLASSES
        if not cached:
            memset(target, 0, sizeof(target))
    if job.program.first != NULL:
        narrow_lanes(r.u, g.u, like)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
        g.groups = n
        if job.program.targets == LABEL:
            narrow_labels(r.label, first, label)
        if not cached:
            logits_of_tile(job, start, rows, first, n, s, like)
            mask_labels(x, n, label, target, top)
        if job.targets and not (anew and job.program.first != NULL):
            g.t = targets_of_tile(job, start, rows, first, n, s, like)
            if job.program.targets == LABEL:
                memset(base, 0, sizeof(base))
                scatter_labels(label, base, n, <floating*> s.t)
        if job.program.shift == RUNNING_MAXIMUM:
            if first == 0:
                for i in range(LANES):
                    r.shift[i] = top[i]
            else:
                for i in range(LANES):
                    raise_shift(r, i, top[i], job.scale, like)
        for i in range(LANES):
            base[i] = subtracted(job, r.shift[i])
        narrow_lanes(base, g.shift, like)
        statistics(g)
        add_lanes(r.s0, g.s0, like)
        if job.program.count > 1:
            add_lanes(r.s1, g.s1, like)
            add_lanes(r.s2, g.s2, like)
            add_lanes(r.s3, g.s3, like)
        first += TILE_CLASSES
    if job.program.targets == LABEL:
        for i in range(LANES):
            r.target[i] = target[i] if r.label[i] >= 0 else -INFINITY if r.label[i] == r.label[i] else NAN


cdef void gather_targets(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """The logits of the labels."""
    cdef Lanes* r = &s.group.lanes
    cdef const Operand* operand = &job.planes[PLANE_X]
    cdef const floating* x = <const floating*> operand.data
    cdef bint same = is_of(operand, x)
    cdef floating room[1]
    cdef Py_ssize_t i, at
    cdef Py_ssize_t row_stride = 1 if job.class_major else job.classes
    cdef Py_ssize_t class_stride = job.rows if job.class_major else 1
    for i in range(rows):
        if not r.label[i] >= 0:
            r.target[i] = -INFINITY if r.label[i] == r.label[i] else NAN
            continue
        at = (start + i) * row_stride + <Py_ssize_t> r.label[i] * class_stride
        room[0] = x[at] if operand.direct and same else load(operand, &job.shape, at, 1, room, &s.block)[0]
        r.target[i] = room[0] if job.softcap == 0 else capped(room[0], <floating> job.softcap)


cdef void largest_targets(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s,
                          floating like) noexcept nogil:
    """The largest target of each row, which is subtracted from all."""
    cdef Lanes* r = &s.group.lanes
    cdef Py_ssize_t i, first, n
    cdef floating* t = <floating*> s.t
    cdef floating top[LANES]
    fill(r.target_shift, -INFINITY)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first) if job.tiled else row_block(job, first)
        if job.tiled:
            load_tile(job, PLANE_Y, start, rows, first, n, t, s)
            lane_maximum(t, n, top)
            for i in range(LANES):
                r.target_shift[i] = top[i] if top[i] > r.target_shift[i] else r.target_shift[i]
        else:
            for i in range(rows):
                lane_maximum(load_row(job, PLANE_Y, start + i, first, n, t, <floating> -INFINITY, False, s),
                             (n + LANES - 1) // LANES, top)
                r.target_shift[i] = max(r.target_shift[i], <double> fold_maximum(top))
        first += n
    for i in range(LANES):
        r.target_shift[i] = finite_shift(r.target_shift[i])


cdef void take_merged(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """The merged sums of a group of rows in place of its own, and what the kernel makes of them."""
    cdef Lanes* r = &s.group.lanes
    cdef double* into[3]
    cdef const double* v
    cdef int k
    into[0], into[1], into[2] = r.shift, r.s0, r.target
    for k in range(3):
        v = load(&job.results[ROW_SHIFT + k], &job.base.shape, start, rows, into[k], &s.block)
        if v != into[k]:
            memcpy(into[k], v, rows * sizeof(double))
    job.program.formula(&s.group)


cdef double argmax(RowJob* job, Py_ssize_t row, RowScratch* s, floating like) noexcept nogil:
    """The first class of the largest logit."""
    cdef Py_ssize_t first, k, n, best = 0
    cdef floating here, top = -INFINITY
    cdef floating lanes[LANES]
    cdef const floating* x
    first = 0
    while first < job.classes and carry_on(s):
        n = row_block(job, first)
        # The map may need s.x.
        x = load_row(job, PLANE_X, row, first, n, <floating*> s.packed, <floating> -INFINITY, False, s)
        lane_maximum(x, (n + LANES - 1) // LANES, lanes)
        here = fold_maximum(lanes)
        if here > top:
            top = here
            for k in range(n):          # they may have changed: then none is as large
                if x[k] == top:
                    best = first + k
                    break
        first += n
    return best


cdef inline bint correct(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating like) noexcept nogil:
    """Whether the label of row i of a group is its argmax, which is searched for only if others are as large."""
    cdef const Lanes* r = &s.group.lanes
    if r.s0[i] >= 0.5 and r.target[i] != r.shift[i]:     # not all others are -inf
        return r.target[i] > r.shift[i]
    return argmax(job, row, s, like) == r.label[i]


cdef void compute(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """The sums of a group of rows and what the kernel makes of them."""
    cdef Lanes* r = &s.group.lanes
    cdef Py_ssize_t i
    cdef int turn
    cdef bint anew, again
    cdef double lowest = -FLT_MAX if floating is float else -DBL_MAX
    if job.program.shift == LABEL_SCORE:
        gather_targets(job, start, rows, s, like)
        for i in range(rows):           # all finite scores lead one of -inf
            r.shift[i] = max(r.target[i], lowest) if r.target[i] == r.target[i] else NAN
    else:
        fill(r.shift, 0 if job.program.shift == NOTHING else <double> -INFINITY)
    if job.program.first != NULL:
        fill(r.again, 0)
        fill(r.u, 0)
        fill(r.v, 0)
    if job.program.targets == LOGITS:
        largest_targets(job, start, rows, s, like)
    for turn in range(MOST_SUMS):
        if not carry_on(s):
            return
        anew = turn == 0
        fill(r.s0, 0)
        if job.program.count > 1:
            fill(r.s1, 0)
            fill(r.s2, 0)
            fill(r.s3, 0)
        if job.program.values != NULL:
            job.program.values(job, start, rows, s, s.group.single)
        elif job.program.statistics == NULL:
            pass
        elif job.tiled:
            sum_tile(job, start, rows, anew, s, like)
        else:
            for i in range(rows):
                if r.weight[i] != 0 or job.extras:
                    sum_row(job, start + i, i, anew, s, like)
        if anew and job.program.targets == LABEL and job.program.shift != LABEL_SCORE and (
            not job.tiled or job.program.statistics == NULL
        ):
            gather_targets(job, start, rows, s, like)           # now that they are cached
        for i in range(LANES):
            r.shift[i] = finite_shift(r.shift[i])
        if job.program.judged:
            for i in range(rows):
                r.correct[i] = correct(job, start + i, i, s, like)
        if job.program.targets == UNUSED_LABEL:
            for i in range(LANES):
                r.s0[i] = r.s0[i] if r.label[i] == r.label[i] else NAN
        if not (floating is float and job.brief) or job.further or job.planes[PLANE_HESS].data != NULL:
            job.program.formula(&s.group)
        if floating is float and job.brief:
            job.program.brief(&s.group)
        again = False
        if job.program.first != NULL:
            for i in range(rows):
                again |= r.again[i] != 0
        if not again:
            break


cdef inline bint overflows(const Lanes* r, Py_ssize_t i) noexcept nogil:
    """Whether the loss of a row that counts is none of float32: then a sum on the way to it may be none either."""
    return (r.weight[i] != 0) & (fabs(r.value[i]) > FLT_MAX)


cdef inline bint has_overflow(const Lanes* r, Py_ssize_t rows) noexcept nogil:
    cdef int found = 0
    cdef Py_ssize_t i
    for i in range(rows):
        found |= overflows(r, i)
    return found


cdef void widen_rows(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s) noexcept nogil:
    """Compute the rows of a group that overflow once more, in float64; the other ones stay as they are."""
    cdef Lanes narrow = s.group.lanes
    cdef const double* before = <const double*> &narrow
    cdef double* lanes = <double*> &s.group.lanes
    cdef size_t k, arrays = sizeof(Lanes) // (LANE_ROOM * sizeof(double))
    cdef Py_ssize_t i
    s.group.single = False
    compute(job, start, rows, s, <double> 1)
    s.group.single = True
    for i in range(rows):
        if not overflows(&narrow, i):
            for k in range(arrays):
                lanes[k * LANE_ROOM + i] = before[k * LANE_ROOM + i]
        # The map is in float32.
        s.group.lanes.shift[i] = max(s.group.lanes.shift[i], -FLT_MAX)
