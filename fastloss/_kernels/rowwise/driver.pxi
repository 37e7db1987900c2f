# The one driver of the rowwise family: a loss for each row of classes, in three steps.
#
#     sums over the classes (Accumulate)  ->  a formula of the sums (Finish)  ->  a map back (Map)
#
# a. Rows are taken in groups of up to LANES. Where there are few classes, or the classes of a row lie apart
#    in memory, a group is a tile whose SIMD lanes are its rows; else a row is read on its own, its lanes are
#    every LANES-th class, and they are folded at the end. The loops are the same.
# b. The class of an integer label is left out of the sums and mapped apart. A loss is then a function of the
#    sum over the other classes and of the target's logit: nothing cancels where the target is nearly certain.
# c. Everything that is one number for each row is in float64.
# d. The grid of groups depends on the shape alone, and a row is summed in the order of its classes:
#    no trace of the number of threads.

cdef enum:
    WIDE = 160                          # rows of so many classes that lie together are read on their own
    GROUP_BYTES = 1 << 18               # of logits that are read again for the map while they are cached

cdef enum:
    MOST_SUMS = 100                     # of one row; more than sparsemax needs for 2^48 classes, the others take two

include "lanes.pxi"
include "formulas.pxi"
include "blocks.pxi"
include "softmax.pxi"
include "simplex.pxi"
include "divergence.pxi"
include "multiclass.pxi"
include "multilabel.pxi"


cdef int traits_of(int kernel) noexcept nogil:
    cdef int family = kernel >> 8
    if family == 1:
        return simplex_traits(kernel)
    if family == 2:
        return divergence_traits(kernel)
    if family == 3:
        return multiclass_traits(kernel)
    if family == 4:
        return multilabel_traits(kernel)
    return softmax_traits(kernel)


cdef void dispatch(RowJob* job, Stage* stage, floating unit) noexcept nogil:
    """One step of the kernel, by the family that its number names."""
    cdef int kernel = job.base.kernel, family = kernel >> 8
    if family == 1:
        simplex(kernel, stage, unit)
    elif family == 2:
        divergence(kernel, stage, unit)
    elif family == 3:
        multiclass(kernel, stage, unit)
    elif family == 4:
        multilabel(kernel, stage, unit)
    else:
        softmax(kernel, stage, unit)


# Sums ---------------------------------------------------------------------------------------------

cdef inline double subtracted(const RowJob* job, double reference) noexcept nogil:
    """What the sums subtract: nothing from scores that are compared alone, among which two may be infinite."""
    return 0 if job.traits & JUDGED else finite_reference(reference)


cdef void sum_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, bint anew, RowScratch* s, floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef Py_ssize_t first, n
    cdef double label = r.label[i] if job.traits & LABELLED else -1
    cdef floating top[LANES]
    cdef floating* t = <floating*> s.t
    stage.what = SUMS
    stage.anew = anew
    if job.traits & SHIFTED and not job.traits & ONLINE and anew:
        first = 0
        while first < job.classes and carry_on(s):
            n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
            highest(logits_of_row(job, row, label, first, n, s, unit), (n + LANES - 1) // LANES, top)
            r.reference[i] = max(r.reference[i], <double> fold_highest(top))
            first += ROW_BLOCK
    if job.traits & REPEATED:
        spread(<floating> r.u[i], stage.u)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        stage.groups = (n + LANES - 1) // LANES
        stage.x = logits_of_row(job, row, label, first, n, s, unit)
        if job.targets and not (anew and job.traits & REPEATED):
            stage.t = targets_of_row(job, row, i, first, n, s, unit)
            if label >= first and label < first + n:
                t[<Py_ssize_t> label - first] = 0
        if job.traits & ONLINE:
            highest(<const floating*> stage.x, stage.groups, top)
            shift(r, i, fold_highest(top), job.scale, unit)
        spread(<floating> subtracted(job, r.reference[i]), stage.reference)
        dispatch(job, stage, unit)
        r.s0[i] += fold_sum(<floating*> stage.s0)
        if not job.traits & ONE_SUM:
            r.s1[i] += fold_sum(<floating*> stage.s1)
            r.s2[i] += fold_sum(<floating*> stage.s2)
            r.s3[i] += fold_sum(<floating*> stage.s3)
        first += ROW_BLOCK


cdef void sum_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, bint anew, RowScratch* s,
                   floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef Py_ssize_t i, first, n
    cdef bint cached = False            # one tile holds all classes, and is loaded
    cdef floating top[LANES]
    cdef floating label[LANES]
    cdef floating target[LANES]
    cdef floating* x = <floating*> s.x
    cdef double base[LANES]
    stage.what = SUMS
    stage.anew = anew
    stage.x = x
    for i in range(LANES):
        label[i] = -1
        target[i] = 0
    if job.traits & SHIFTED and not job.traits & ONLINE and anew:
        first = 0
        while first < job.classes and carry_on(s):
            n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
            logits_of_tile(job, start, rows, first, n, s, unit)
            if job.traits & LABELLED:
                narrow_labels(r.label, first, label)
            part(x, n, label, target, top)
            for i in range(LANES):
                r.reference[i] = top[i] if top[i] > r.reference[i] else r.reference[i]
            first += TILE_CLASSES
        cached = job.classes <= TILE_CLASSES
        if not cached:
            memset(target, 0, sizeof(target))
    if job.traits & REPEATED:
        narrow_lanes(r.u, stage.u, unit)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
        stage.groups = n
        if job.traits & LABELLED:
            narrow_labels(r.label, first, label)
        if not cached:
            logits_of_tile(job, start, rows, first, n, s, unit)
            part(x, n, label, target, top)
        if job.targets and not (anew and job.traits & REPEATED):
            stage.t = targets_of_tile(job, start, rows, first, n, s, unit)
            if job.traits & LABELLED:
                memset(base, 0, sizeof(base))
                put(label, base, n, <floating*> s.t)
        if job.traits & ONLINE:
            if first == 0:
                for i in range(LANES):
                    r.reference[i] = top[i]
            else:
                for i in range(LANES):
                    shift(r, i, top[i], job.scale, unit)
        for i in range(LANES):
            base[i] = subtracted(job, r.reference[i])
        narrow_lanes(base, stage.reference, unit)
        dispatch(job, stage, unit)
        add_lanes(r.s0, stage.s0, unit)
        if not job.traits & ONE_SUM:
            add_lanes(r.s1, stage.s1, unit)
            add_lanes(r.s2, stage.s2, unit)
            add_lanes(r.s3, stage.s3, unit)
        first += TILE_CLASSES
    if job.traits & LABELLED:
        for i in range(LANES):
            r.target[i] = target[i] if r.label[i] >= 0 else -INFINITY if r.label[i] == r.label[i] else NAN


cdef void gather_targets(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    """The logits of the labels."""
    cdef Lanes* r = &s.stage.lanes
    cdef const Operand* operand = &job.planes[PLANE_X]
    cdef const floating* x = <const floating*> operand.data
    cdef bint same = operand.kind == (<int> FLOAT32 if sizeof(floating) == sizeof(float) else <int> FLOAT64)
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


cdef void highest_targets(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s,
                          floating unit) noexcept nogil:
    """The largest target of each row, which is subtracted from all."""
    cdef Lanes* r = &s.stage.lanes
    cdef Py_ssize_t i, first, n, step = TILE_CLASSES if job.tiled else ROW_BLOCK
    cdef floating* t = <floating*> s.t
    cdef floating top[LANES]
    fill(r.target_reference, -INFINITY)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(step, job.classes - first)
        if job.tiled:
            load_tile(job, PLANE_Y, start, rows, first, n, t, s)
            highest(t, n, top)
            for i in range(LANES):
                r.target_reference[i] = top[i] if top[i] > r.target_reference[i] else r.target_reference[i]
        else:
            for i in range(rows):
                highest(load_row(job, PLANE_Y, start + i, first, n, t, <floating> -INFINITY, False, s),
                        (n + LANES - 1) // LANES, top)
                r.target_reference[i] = max(r.target_reference[i], <double> fold_highest(top))
        first += step
    for i in range(LANES):
        r.target_reference[i] = finite_reference(r.target_reference[i])


cdef void recall(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    """The merged sums of a group of rows in place of its own, and what the kernel makes of them."""
    cdef Lanes* r = &s.stage.lanes
    cdef double* into[3]
    cdef const double* v
    cdef int k
    into[0], into[1], into[2] = r.reference, r.s0, r.target
    for k in range(3):
        v = load(&job.results[ROW_REFERENCE + k], &job.base.shape, start, rows, into[k], &s.block)
        if v != into[k]:
            memcpy(into[k], v, rows * sizeof(double))
    s.stage.what = FINISH
    dispatch(job, &s.stage, unit)


cdef double argmax(RowJob* job, Py_ssize_t row, RowScratch* s, floating unit) noexcept nogil:
    """The first class of the largest logit."""
    cdef Py_ssize_t first, k, n, best = 0
    cdef floating here, top = -INFINITY
    cdef floating lanes[LANES]
    cdef const floating* x
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        # The map may need s.x.
        x = load_row(job, PLANE_X, row, first, n, <floating*> s.packed, <floating> -INFINITY, False, s)
        highest(x, (n + LANES - 1) // LANES, lanes)
        here = fold_highest(lanes)
        if here > top:
            top = here
            for k in range(n):          # they may have changed: then none is as large
                if x[k] == top:
                    best = first + k
                    break
        first += ROW_BLOCK
    return best


cdef inline bint correct(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating unit) noexcept nogil:
    """Whether the label of row i of a group is its argmax, which is searched for only if others are as large."""
    cdef const Lanes* r = &s.stage.lanes
    if r.s0[i] >= 0.5 and r.target[i] != r.reference[i]:     # not all others are -inf
        return r.target[i] > r.reference[i]
    return argmax(job, row, s, unit) == r.label[i]


cdef void statistics(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    """The sums of a group of rows and what the kernel makes of them."""
    cdef Lanes* r = &s.stage.lanes
    cdef Py_ssize_t i
    cdef int turn
    cdef bint anew, again
    cdef double lowest = -FLT_MAX if floating is float else -DBL_MAX
    if job.traits & FROM_TARGET:
        gather_targets(job, start, rows, s, unit)
        for i in range(rows):           # all finite scores lead one of -inf
            r.reference[i] = max(r.target[i], lowest) if r.target[i] == r.target[i] else NAN
    else:
        fill(r.reference, <double> -INFINITY if job.traits & SHIFTED else 0)
    if job.traits & REPEATED:
        fill(r.again, 0)
        fill(r.u, 0)
        fill(r.v, 0)
    if job.traits & SOFT_TARGETS:
        highest_targets(job, start, rows, s, unit)
    for turn in range(MOST_SUMS):
        if not carry_on(s):
            return
        anew = turn == 0
        fill(r.s0, 0)
        if not job.traits & ONE_SUM:
            fill(r.s1, 0)
            fill(r.s2, 0)
            fill(r.s3, 0)
        if job.traits & TARGET_ONLY:
            pass
        elif job.traits & PAIRS:
            for i in range(rows):
                r.s0[i] = sum_pairs(job, start + i, s, unit) if r.weight[i] != 0 else 0
        elif job.tiled:
            sum_tile(job, start, rows, anew, s, unit)
        else:
            for i in range(rows):
                if r.weight[i] != 0 or job.extras:
                    sum_row(job, start + i, i, anew, s, unit)
        if anew and job.traits & LABELLED and not job.traits & FROM_TARGET and (
            not job.tiled or job.traits & TARGET_ONLY
        ):
            gather_targets(job, start, rows, s, unit)           # now that they are cached
        for i in range(LANES):
            r.reference[i] = finite_reference(r.reference[i])
        if job.traits & JUDGED:
            for i in range(rows):
                r.correct[i] = correct(job, start + i, i, s, unit)
        if job.traits & UNSUPERVISED:
            for i in range(LANES):
                r.s0[i] = r.s0[i] if r.label[i] == r.label[i] else NAN
        s.stage.what = FINISH
        dispatch(job, &s.stage, unit)
        again = False
        if job.traits & REPEATED:
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
    cdef Lanes narrow = s.stage.lanes
    cdef const double* before = <const double*> &narrow
    cdef double* lanes = <double*> &s.stage.lanes
    cdef size_t k, arrays = sizeof(Lanes) // (LANE_ROOM * sizeof(double))
    cdef Py_ssize_t i
    statistics(job, start, rows, s, <double> 1)
    for i in range(rows):
        if not overflows(&narrow, i):
            for k in range(arrays):
                lanes[k * LANE_ROOM + i] = before[k * LANE_ROOM + i]
        # The map is in float32.
        s.stage.lanes.reference[i] = max(s.stage.lanes.reference[i], -FLT_MAX)


# The map back -------------------------------------------------------------------------------------

cdef inline bint is_alike(const RowJob* job, const Lanes* r, Py_ssize_t i) noexcept nogil:
    """Whether all derivatives of a row are as its value is: 0 without a weight of it or its class, or NaN.

    A class of weight 0 need not make its rows 0, as smoothing and z-loss are not weighed by it.
    """
    return (r.weight[i] == 0) | (r.value[i] != r.value[i]) | (
        (r.label_weight[i] == 0) & (r.value[i] == 0) & (1 - job.penalised)
    )


cdef void map_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef bint want_hess = job.planes[PLANE_HESS].data != NULL
    cdef Py_ssize_t first, n, at, k
    cdef bint alike = is_alike(job, r, i)
    cdef double label = r.label[i] if job.traits & LABELLED and not alike else -1
    cdef const floating* raw
    stage.what = MAP
    spread(<floating> r.reference[i], stage.reference)
    spread(<floating> r.a[i], stage.a)
    spread(<floating> r.b[i], stage.b)
    spread(<floating> r.c[i], stage.c)
    spread(<floating> r.d[i], stage.d)
    spread(<floating> r.u[i], stage.u)
    spread(<floating> r.v[i], stage.v)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        stage.groups = (n + LANES - 1) // LANES
        if alike or job.traits & TARGET_ONLY:
            for k in range(n):
                grad[k] = <floating> (r.value[i] if alike else 0)
                hess[k] = grad[k]
        else:
            stage.x = logits_of_row(job, row, -1, first, n, s, unit)
            if job.targets:
                stage.t = targets_of_row(job, row, i, first, n, s, unit)
            dispatch(job, stage, unit)
        if label >= first and label < first + n:
            at = <Py_ssize_t> label - first
            grad[at] = <floating> r.target_grad[i]
            if want_hess:
                hess[at] = <floating> r.target_hess[i]
        if job.softcap != 0 and not alike:
            raw = load_row(job, PLANE_X, row, first, n, <floating*> s.packed, <floating> 0, False, s)
            cap_chain(raw, grad, hess, n, <floating> job.softcap, want_hess)
        store_row(job, PLANE_GRAD, row, first, n, grad, s)
        if want_hess:
            store_row(job, PLANE_HESS, row, first, n, hess, s)
        first += ROW_BLOCK


cdef inline void level(const RowJob* job, const Lanes* r, floating* v, Py_ssize_t classes,
                       floating unit) noexcept nogil:
    cdef Py_ssize_t i, k
    for k in range(classes):
        for i in range(LANES):
            v[k * LANES + i] = <floating> r.value[i] if is_alike(job, r, i) else v[k * LANES + i]


cdef void map_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef bint want_hess = job.planes[PLANE_HESS].data != NULL
    cdef bint fresh = job.classes > TILE_CLASSES or job.merged or s.widened
    cdef Py_ssize_t i, first, n
    cdef int uneven = 0
    cdef floating label[LANES]
    stage.what = MAP
    for i in range(rows):
        uneven |= is_alike(job, r, i)
    narrow_lanes(r.reference, stage.reference, unit)
    narrow_lanes(r.a, stage.a, unit)
    narrow_lanes(r.b, stage.b, unit)
    narrow_lanes(r.c, stage.c, unit)
    narrow_lanes(r.d, stage.d, unit)
    narrow_lanes(r.u, stage.u, unit)
    narrow_lanes(r.v, stage.v, unit)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
        stage.groups = n
        if job.traits & TARGET_ONLY:
            memset(grad, 0, n * LANES * sizeof(floating))
            memset(hess, 0, n * LANES * sizeof(floating))
        else:
            if fresh:
                stage.x = logits_of_tile(job, start, rows, first, n, s, unit)
                if job.targets:
                    stage.t = targets_of_tile(job, start, rows, first, n, s, unit)
            dispatch(job, stage, unit)
        if job.traits & LABELLED:
            narrow_labels(r.label, first, label)
            put(label, r.target_grad, n, grad)
            if want_hess:
                put(label, r.target_hess, n, hess)
        if job.softcap != 0:
            load_tile(job, PLANE_X, start, rows, first, n, <floating*> s.x, s)
            cap_chain(<floating*> s.x, grad, hess, n * LANES, <floating> job.softcap, want_hess)
        if uneven:
            level(job, r, grad, n, unit)
            if want_hess:
                level(job, r, hess, n, unit)
        store_tile(job, PLANE_GRAD, start, rows, first, n, grad, s)
        if want_hess:
            store_tile(job, PLANE_HESS, start, rows, first, n, hess, s)
        first += TILE_CLASSES


# Groups of rows -----------------------------------------------------------------------------------

cdef inline double mean_weight(double weighted, double sum) noexcept nogil:
    """The class weight of a row of targets, their mean under them: 1 where there are none or one is missing."""
    cdef double mean = weighted / sum
    return mean if mean == mean else 1


cdef void inspect_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating unit) noexcept nogil:
    cdef Lanes* r = &s.stage.lanes
    cdef const floating* t
    cdef floating least = <floating> job.least
    cdef Py_ssize_t first, n, k
    cdef int wrong = 0, missing = 0
    cdef double sum = 0, weighted = 0
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        t = load_row(job, PLANE_Y, row, first, n, <floating*> s.t, <floating> 0, False, s)
        for k in range(n):
            wrong |= t[k] < least
            missing |= t[k] != t[k]
        if job.class_weight != NULL:
            for k in range(n):
                sum += t[k]
                weighted += job.class_weight[first + k] * t[k]
        first += ROW_BLOCK
    r.label[i] = -2 if wrong else <double> NAN if missing else -1
    r.unit[i] = mean_weight(weighted, sum)


cdef void inspect_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    cdef Lanes* r = &s.stage.lanes
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


cdef inline double whole_label(RowJob* job, uint64_t label, double value) noexcept nogil:
    if job.base.ignoring and label == job.ignored:
        return job.base.ignored
    return value if fabs(value) < 4503599627370496.0 else -0.5


cdef void whole_labels(RowJob* job, const double* bits, Py_ssize_t rows, double* label) noexcept nogil:
    """64-bit integers as float64: compared with the ignored one as they are, and -0.5, no class, where inexact."""
    cdef Py_ssize_t i
    cdef uint64_t whole
    for i in range(rows):
        memcpy(&whole, bits + i, sizeof(whole))
        label[i] = whole_label(job, whole, <double> whole if job.wide_labels == UINT64 else <double> <int64_t> whole)


cdef void inspect(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    """The labels of a group, or for its targets -1, -2 where one breaks its domain, NaN where it is missing, and the
    class weight of each row of them."""
    cdef Lanes* r = &s.stage.lanes
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
            inspect_tile(job, start, rows, s, unit)
        else:
            for i in range(rows):
                inspect_row(job, start + i, i, s, unit)
        if job.class_weight == NULL or job.traits & MULTILABEL:
            fill(r.unit, 1)


cdef inline bint is_class(double y, double classes, bint between) noexcept nogil:
    # Adding 1.5 * 2^52 rounds to an integer, in vectors of every instruction set.
    return (y >= 0) & (y <= classes - 1) & (between | ((y + 6755399441055744.0) - 6755399441055744.0 == y))


cdef void settle(RowJob* job, Py_ssize_t start, Py_ssize_t rows, const double* weight, RowScratch* s,
                 Partial* partial) noexcept nogil:
    """Which rows count, and with which weight of their class; a target that no row can have is recorded."""
    cdef Lanes* r = &s.stage.lanes
    cdef Py_ssize_t i
    cdef int wrong = 0
    cdef bint no_nan = job.base.nan_policy == RAISE, between = (job.traits & BETWEEN) != 0
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


cdef void read_row(RowJob* job, int plane, Py_ssize_t row, double* v, RowScratch* s, floating unit) noexcept nogil:
    cdef const floating* block
    cdef Py_ssize_t first, k, n
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        block = load_row(job, plane, row, first, n, <floating*> s.x, <floating> 0, False, s)
        for k in range(n):
            v[first + k] = block[k]
        first += ROW_BLOCK


cdef void write_row(RowJob* job, int plane, Py_ssize_t row, const double* v, double factor, RowScratch* s,
                    floating unit) noexcept nogil:
    cdef floating* block = <floating*> s.grad
    cdef Py_ssize_t first, k, n
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        for k in range(n):
            block[k] = <floating> (factor * v[first + k])
        store_row(job, plane, row, first, n, block, s)
        first += ROW_BLOCK


cdef void sorted_rows(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    """Values of a group of rows, and the derivatives at once."""
    cdef Lanes* r = &s.stage.lanes
    cdef Py_ssize_t i
    cdef bint want_grad = job.planes[PLANE_GRAD].data != NULL
    cdef double factor
    for i in range(rows):
        r.value[i] = 0
        if r.weight[i] != 0:
            read_row(job, PLANE_X, start + i, s.list.score, s, unit)
            read_row(job, PLANE_Y, start + i, s.list.relevance, s, unit)
            r.value[i] = list_mle(&s.list, job.classes, want_grad, unit)
        elif want_grad:
            memset(s.list.grad, 0, job.classes * sizeof(double))
            memset(s.list.hess, 0, job.classes * sizeof(double))
        factor = job.base.scale * r.weight[i] if r.value[i] == r.value[i] else NAN
        if want_grad:
            write_row(job, PLANE_GRAD, start + i, s.list.grad, factor, s, unit)
        if job.planes[PLANE_HESS].data != NULL:
            write_row(job, PLANE_HESS, start + i, s.list.hess, factor, s, unit)


cdef inline void fetch(const Operand* operand, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Elements of the next group."""
    if operand.data != NULL and operand.direct:
        prefetch(operand.data + start * operand.itemsize, n * operand.itemsize)


cdef void group(RowJob* job, RowScratch* s, Py_ssize_t start, Py_ssize_t rows, Partial* partial,
                floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef Job* base = &job.base
    cdef const double* weight = NULL
    cdef Py_ssize_t i
    cdef double factor, slope = job.scale, scale = base.scale * job.scale
    if job.tiled and start + 2 * LANES <= job.rows:
        if not job.class_major:
            fetch(&job.planes[PLANE_X], (start + LANES) * job.classes, LANES * job.classes)
        fetch(&base.operands[Y], start + LANES, LANES)
    s.widened = False
    inspect(job, start, rows, s, unit)
    if base.weighted:
        weight = weigh(base, r.label, start, rows, &s.block, partial)
        if partial.bad >= 0:
            return
    else:
        partial.count += rows
    settle(job, start, rows, weight, s, partial)
    if partial.bad >= 0 or base.operation == 0:
        return
    if job.results[ROW_WEIGHT].data != NULL:
        for i in range(rows):
            r.each[i] = r.whole[i] if weight == NULL or s.block.total[i] != 0 else -1
        store_rows(job, ROW_WEIGHT, start, rows, r.each, s)
    if job.traits & SORTED:
        sorted_rows(job, start, rows, s, unit)
    elif job.merged:
        recall(job, start, rows, s, unit)
    else:
        statistics(job, start, rows, s, unit)
        # A row without its label's logit, which is in another shard, is infinite.
        if floating is float and not job.sharded and has_overflow(r, rows):
            s.widened = True
            widen_rows(job, start, rows, s)
    if base.operation & (MOMENTS | APART):
        # By unit of weight: a row of class weight c is c rows of a loss 1/c as large.
        for i in range(rows):
            r.each[i] = r.value[i] / r.unit[i] if r.whole[i] != 0 else 0
        if base.operation & APART:
            store_rows(job, ROW_VALUE, start, rows, r.each, s)
            return
        moments(r.whole, r.each, rows, &s.block, partial)
    if base.weighted:
        for i in range(LANES):
            r.value[i] = r.weight[i] * r.value[i] if r.weight[i] != 0 else 0
    if base.operation & VALUE:
        partial.loss += total(r.value, rows)
    if job.results[ROW_ENTROPY].data != NULL:
        for i in range(LANES):
            r.entropy[i] = r.entropy[i] if r.weight[i] != 0 else 0
    if job.results[ROW_ARGMAX].data != NULL:
        for i in range(rows):
            r.argmax[i] = argmax(job, start + i, s, unit)
    if job.results[ROW_CORRECT].data != NULL:
        for i in range(rows):
            r.correct[i] = r.weight[i] != 0 and correct(job, start + i, i, s, unit)
    if job.results[ROW_LSE].data != NULL and not job.dense and not job.merged:
        for i in range(rows):           # without a label no class was left out of the sum
            r.lse[i] = r.lse[i] if r.label[i] == r.label[i] else r.reference[i] * job.scale + log(r.s0[i])
    store_rows(job, ROW_VALUE, start, rows, r.value, s)
    store_rows(job, ROW_LSE, start, rows, r.lse, s)
    store_rows(job, ROW_ENTROPY, start, rows, r.entropy, s)
    store_rows(job, ROW_ARGMAX, start, rows, r.argmax, s)
    store_rows(job, ROW_CORRECT, start, rows, r.correct, s)
    if not job.merged:
        store_rows(job, ROW_REFERENCE, start, rows, r.reference, s)
        store_rows(job, ROW_SUM, start, rows, r.s0, s)
        store_rows(job, ROW_TARGET, start, rows, r.target, s)
    if base.operation & (GRAD | HESS) and not job.traits & SORTED:
        for i in range(LANES):
            factor = scale * r.weight[i]
            r.a[i] = factor * r.a[i]
            r.b[i] = factor * r.b[i]
            r.target_grad[i] = factor * r.target_grad[i]
            r.c[i] = factor * slope * r.c[i]
            r.d[i] = factor * slope * r.d[i]
            r.target_hess[i] = factor * slope * r.target_hess[i]
        stage.want_hess = job.planes[PLANE_HESS].data != NULL
        if job.traits & PAIRS:
            for i in range(rows):
                map_pairs(job, start + i, i, s, unit)
        elif job.tiled:
            map_tile(job, start, rows, s, unit)
        else:
            for i in range(rows):
                map_row(job, start + i, i, s, unit)


cdef inline void store_rows(RowJob* job, int result, Py_ssize_t start, Py_ssize_t rows, const double* v,
                            RowScratch* s) noexcept nogil:
    if job.results[result].data != NULL:
        store(&job.results[result], &job.base.shape, start, rows, v, &s.block)


cdef void begin(RowJob* job, RowScratch* s, Worker* worker) noexcept nogil:
    """What stays as it is from one group of rows to the next: every row counts as 1, and lanes beyond the last row
    hold a label that is none to complain of."""
    cdef Lanes* r = &s.stage.lanes
    s.worker = worker
    if job.traits & SORTED:
        make_room(&s.list, worker, <double*> (worker.scratch + sizeof(RowScratch)), job.classes)
    memset(&s.stage, 0, sizeof(Stage))
    fill(r.label, -1 if job.dense else 0)
    fill(r.label_weight, 1)
    fill(r.weight, 1)
    fill(r.unit, 1)
    fill(r.whole, 1)
    s.stage.classes = job.classes
    s.stage.scale = job.scale
    s.stage.parameters = job.base.parameters
    s.stage.grad = s.grad
    s.stage.hess = s.hess
    s.stage.value_only = not job.base.operation & (GRAD | HESS) and (
        job.results[ROW_LSE].data == NULL and job.results[ROW_ENTROPY].data == NULL
    )


cdef void row_chunk(RowJob* job, Py_ssize_t index, Worker* worker, floating unit) noexcept nogil:
    cdef RowScratch* scratch = <RowScratch*> worker.scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.base.chunk, stop = min(start + job.base.chunk, job.rows)
    cdef unsigned mode = enter_ieee_mode()
    begin(job, scratch, worker)
    memset(&partial, 0, sizeof(Partial))
    partial.bad = -1
    while start < stop and partial.bad < 0 and go_on(worker, LANES):
        group(job, scratch, start, min(job.group, stop - start), &partial, unit)
        start += job.group
    job.base.partials[index] = partial
    stream_fence()
    leave_ieee_mode(mode)


cdef void row_chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    row_chunk(<RowJob*> job, index, worker, <float> 1)


cdef void row_chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    row_chunk(<RowJob*> job, index, worker, <double> 1)


# The entry ----------------------------------------------------------------------------------------

cdef int ignore(RowJob* job, object label) except -1:
    """Settle which label is ignored, None or an integer that the labels' type holds."""
    job.base.ignoring = label is not None
    if job.base.ignoring:
        job.base.ignored = label
        job.ignored = label & ((1 << 64) - 1)
    return 0


cdef size_t scratch_bytes(const RowJob* job) noexcept nogil:
    """The scratch memory of a thread; more than there can be rather than a number that overflowed."""
    cdef size_t items = job.classes if job.traits & SORTED else 0
    return SIZE_MAX if items >> 48 else sizeof(RowScratch) + items * RANKED * sizeof(double)


cdef void arrange(RowJob* job, Py_ssize_t itemsize) noexcept:
    """What follows of the way to go through the rows from the rest of a job."""
    job.traits = traits_of(job.base.kernel)
    job.penalised = job.base.kernel <= TOKEN and job.base.parameters[1] != 0
    job.targets = job.dense or job.smoothing != 0 or job.traits & ONE_HOT
    job.tiled = job.class_major or job.classes < WIDE
    job.group = LANES if job.tiled else max(1, min(<Py_ssize_t> LANES, GROUP_BYTES // (job.classes * itemsize)))
    job.plain = not job.base.weighted and job.class_weight == NULL
    if job.base.operands[Y].kind in (INT64, UINT64):
        # Loaded bit by bit, to be converted by `whole_labels`.
        job.wide_labels = job.base.operands[Y].kind
        job.base.operands[Y].kind = FLOAT64


def rowwise(int kernel, int operation, tuple planes, tuple plane_kinds, tuple rows, tuple row_kinds, tuple results,
            tuple result_kinds, bint class_major, tuple parameters, double scale, class_weight, double logit_scale,
            double softcap, double smoothing, ignore_index, least, int nan_policy, bint single, int num_threads,
            bint sharded, bint merged):
    """Run one kernel over rows of classes.

    `planes` are targets, logits, gradient and curvature, arrays with the class axis first (`class_major`) or last;
    `parameters` are up to three constants of the formula, the fourth is the scale of the logits.
    `rows` are labels, weights and mask, and `results` ROW_VALUE ... ROW_WEIGHT, with one number for each row; each
    holds None where there is none, and the kinds are the codes of their element types. With `sharded`, a label that
    is no class here is one of another shard; with `merged`, the last three results are given. `class_weight` is a
    contiguous float64 array or None.
    Returns what `elementwise` does, the bad index being that of a row.
    """
    cdef RowJob job
    cdef Py_buffer views[PLANES + 3 + RESULTS + 1]
    cdef Operand* present[PLANES + 3 + RESULTS]
    cdef Partial whole
    cdef Partial small[8]
    cdef int k, held = 0, matched = 0, wide = 0, axis
    cdef Py_ssize_t chunks
    cdef Operand* operand
    memset(&job, 0, sizeof(RowJob))
    job.base.kernel = kernel
    job.base.operation = operation
    job.base.nan_policy = nan_policy
    job.base.scale = scale
    for k in range(len(parameters)):
        job.base.parameters[k] = parameters[k]
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
                hold(planes[k], &views[held], plane_kinds[k], k >= PLANE_GRAD, k)
                describe(&job.planes[k], &views[held], plane_kinds[k])
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
                hold(rows[k], &views[held], row_kinds[k], False, PLANES + k)
                describe(operand, &views[held], row_kinds[k])
                present[held] = operand
                held += 1
                match(&views[held - 1], job.base.shape.lengths, job.base.shape.ndim, PLANES + k)
        for k in range(RESULTS):
            if results[k] is not None:
                hold(results[k], &views[held], result_kinds[k], True, PLANES + 3 + k)
                describe(&job.results[k], &views[held], result_kinds[k])
                present[held] = &job.results[k]
                held += 1
                match(&views[held - 1], job.base.shape.lengths, job.base.shape.ndim, PLANES + 3 + k)
                job.extras = job.extras or k in (ROW_LSE, ROW_ARGMAX, ROW_REFERENCE)
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
        arrange(&job, 4 if single else 8)
        # A chunk is worth waking a thread for, and there are at most MAX_CHUNKS.
        chunks = (job.rows + job.group - 1) // job.group
        chunks = min(<Py_ssize_t> MAX_CHUNKS, max(1, min(chunks, job.shape.size // 4096)))
        job.base.chunk = ((job.rows + chunks - 1) // chunks + job.group - 1) // job.group * job.group if job.rows else 1
        chunks = (job.rows + job.base.chunk - 1) // job.base.chunk
        job.base.partials = &small[0] if chunks <= 8 else <Partial*> PyMem_Malloc(chunks * sizeof(Partial))
        if job.base.partials == NULL:
            raise MemoryError
        num_threads = team(chunks, num_threads)
        with nogil:
            parallel_for(row_chunk_of_float if single else row_chunk_of_double, &job, chunks, num_threads,
                         scratch_bytes(&job))
        fold_partials(&whole, job.base.partials, chunks)
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
        if job.base.partials != NULL and job.base.partials != &small[0]:
            PyMem_Free(job.base.partials)
    return (whole.bad, whole.culprit, whole.loss, whole.weight, whole.count, whole.square, whole.mean, whole.spread)
