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
    LANE_ROOM = LANES + 8
    TILE_CLASSES = 64                   # classes of a tile that are in first-level cache at a time
    TILE_ROOM = TILE_CLASSES * LANES + 72
    WIDE = 160                          # rows of so many classes that lie together are read on their own
    GROUP_BYTES = 1 << 18               # of logits that are read again for the map while they are cached
    ROW_BLOCK = 1024                    # classes of a row that are in first-level cache at a time
    AHEAD = 1536                        # classes between those in use and those that are fetched

# How the driver serves a kernel.
cdef enum:
    LABELLED = 1                        # the target is a label: its class is left out of the sums
    SHIFTED = 2                         # the reference is the maximum of the classes that are summed
    FROM_TARGET = 4                     # ... is the logit of the label; without either it is 0
    ONLINE = 8                          # the sums are those of (e, e x, t x, t), e = exp(x): they follow a shift
    ONE_SUM = 16                        # of the four, only s0 is used
    ONE_HOT = 32                        # a label stands for targets: 1 for its class, 0 for the others
    BETWEEN = 64                        # ... and may lie between two classes: their targets are its linear shares
    TARGET_ONLY = 128                   # there are no sums: the label's score is all, and the only one with a slope
    JUDGED = 256                        # whether the label is the class of the largest score is asked for
    SOFT_TARGETS = 512                  # targets are the logits of a distribution: their maximum is subtracted
    SORTED = 1024                       # neither sums nor a map: a routine for a whole row
    LOG_TARGETS = 2048                  # a target of -inf is none
    MULTILABEL = 4096                   # targets are labels of 0 and 1: the loops see the class weight, negative for 0
    PAIRS = 8192                        # sums and map are over pairs of classes: the map reads the whole row again

# Operands with one number for each row and class; results with one for each row.
cdef enum:
    PLANE_Y, PLANE_X, PLANE_GRAD, PLANE_HESS, PLANES
cdef enum:
    ROW_VALUE, ROW_LSE, ROW_ENTROPY, ROW_ARGMAX, ROW_CORRECT, ROW_REFERENCE, ROW_SUM, ROW_TARGET, RESULTS

cdef enum:
    SUMS, FINISH, MAP

cdef enum:
    NO_ROOM = -1                        # in place of the operand that is wrong

# One number for each row of a group; the arrays are not a multiple of 4 KB apart, where a load would wait for an
# unrelated store.
cdef struct Lanes:
    double label[LANE_ROOM]                 # NaN where it is missing
    double label_weight[LANE_ROOM]          # the class weight of the label
    double target[LANE_ROOM]                # the logit of the label
    double reference[LANE_ROOM]             # what is subtracted from the logits
    double target_reference[LANE_ROOM]      # ... and from targets that are logits themselves
    double s0[LANE_ROOM]
    double s1[LANE_ROOM]
    double s2[LANE_ROOM]
    double s3[LANE_ROOM]
    double value[LANE_ROOM]
    double weight[LANE_ROOM]                # the sample weight, 0 where the row does not count
    double unit[LANE_ROOM]                  # the weight by class
    double whole[LANE_ROOM]                 # their product
    double each[LANE_ROOM]                  # value by unit of weight
    double lse[LANE_ROOM]
    double entropy[LANE_ROOM]
    double argmax[LANE_ROOM]
    double correct[LANE_ROOM]               # 1 where the label is the argmax
    double a[LANE_ROOM]                     # coefficients of the gradient
    double b[LANE_ROOM]
    double c[LANE_ROOM]                     # of the curvature; without a scale of the logits, of both
    double d[LANE_ROOM]
    double u[LANE_ROOM]                     # of neither: not scaled with them
    double v[LANE_ROOM]
    double target_grad[LANE_ROOM]
    double target_hess[LANE_ROOM]
    Py_ssize_t again[LANE_ROOM]             # sum once more, with the new `u`

# What the loops of a kernel work on. Arrays of double hold `floating` where a pointer is cast to it.
cdef struct Stage:
    Lanes lanes
    double reference[LANE_ROOM]
    double a[LANE_ROOM]
    double b[LANE_ROOM]
    double c[LANE_ROOM]
    double d[LANE_ROOM]
    double u[LANE_ROOM]
    double v[LANE_ROOM]
    double s0[LANE_ROOM]
    double s1[LANE_ROOM]
    double s2[LANE_ROOM]
    double s3[LANE_ROOM]
    int what
    bint want_hess
    Py_ssize_t groups                   # of LANES elements
    Py_ssize_t classes
    double scale                        # of the logits
    const double* parameters
    const void* x
    const void* t
    void* grad
    void* hess

cdef struct RowJob:
    Job base                            # its operands are labels, weights and mask of the rows
    Operand results[RESULTS]
    Shape shape                         # of rows and classes
    Operand planes[PLANES]
    int traits
    bint tiled
    bint class_major                    # the class axis is the first, not the last
    bint dense                          # there is a target for each class
    bint targets                        # the loops read a target for each class: that, or the smoothing of a label
    double least                        # that such a target may be
    bint extras                         # results that are of use where a row does not count
    bint sharded                        # a label may be of a class that is in another shard
    bint merged                         # ROW_REFERENCE, ROW_SUM and ROW_TARGET are given: those of all shards
    double scale                        # of the logits
    double softcap                      # 0: none
    double smoothing
    const double* class_weight          # NULL: all are 1
    Py_ssize_t classes
    Py_ssize_t rows
    Py_ssize_t group                    # rows

# A row that is sorted: `classes` numbers each, in one allocation.
cdef struct Ranking:
    double* room
    double* score
    double* relevance
    double* hit                         # of the items in order: the probability of coming before all after it
    double* miss
    double* grad
    double* hess
    uint64_t* key
    uint64_t* spare_key
    Py_ssize_t* order
    Py_ssize_t* spare

cdef struct RowScratch:
    double x[TILE_ROOM]
    double t[TILE_ROOM]
    double grad[TILE_ROOM]
    double hess[TILE_ROOM]
    double packed[TILE_ROOM]
    Scratch block                       # aligns them all
    Ranking list
    Stage stage


# The constant-formula loops -----------------------------------------------------------------------

# Adds a class to the sums of its row: x is the logit less the reference, t its target, a the loss's first constant,
# q the row's `u`.
ctypedef void (*Accumulate)(
    floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2, floating* s3
) noexcept nogil

# Turns the sums of row i into its value and the coefficients of its map.
ctypedef void (*Finish)(
    Lanes* r, Py_ssize_t i, double classes, double a, double b, double c, double d, floating unit
) noexcept nogil

# The gradient and the curvature in the logit of one class.
ctypedef floating (*Map)(
    floating x, floating t, floating a, floating b, floating c, floating d, floating u, floating v, floating* hess
) noexcept nogil


cdef inline void sum_loop(Accumulate accumulate, bint has_t, Stage* stage, floating a, floating scale) noexcept nogil:
    # Local lanes alias nothing: the compiler keeps them in registers.
    cdef floating reference[LANES]
    cdef floating q[LANES]
    cdef floating s0[LANES]
    cdef floating s1[LANES]
    cdef floating s2[LANES]
    cdef floating s3[LANES]
    cdef const floating* x = <const floating*> stage.x
    cdef const floating* t = <const floating*> stage.t
    cdef Py_ssize_t i, j
    memcpy(reference, stage.reference, sizeof(reference))
    memcpy(q, stage.u, sizeof(q))
    memset(s0, 0, sizeof(s0))
    memset(s1, 0, sizeof(s1))
    memset(s2, 0, sizeof(s2))
    memset(s3, 0, sizeof(s3))
    for j in range(stage.groups):
        for i in range(LANES):
            accumulate((x[j * LANES + i] - reference[i]) * scale, t[j * LANES + i] if has_t else 0, a, q[i],
                       &s0[i], &s1[i], &s2[i], &s3[i])
    memcpy(stage.s0, s0, sizeof(s0))
    memcpy(stage.s1, s1, sizeof(s1))
    memcpy(stage.s2, s2, sizeof(s2))
    memcpy(stage.s3, s3, sizeof(s3))


cdef inline void finish_loop(Finish finish, Lanes* r, double classes, double a, double b, double c, double d,
                             floating unit) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(LANES):
        finish(r, i, classes, a, b, c, d, unit)


cdef inline void map_loop(Map map, bint has_t, bint want_hess, Stage* stage, floating scale) noexcept nogil:
    cdef floating reference[LANES]
    cdef floating a[LANES]
    cdef floating b[LANES]
    cdef floating c[LANES]
    cdef floating d[LANES]
    cdef floating u[LANES]
    cdef floating v[LANES]
    cdef floating h
    cdef const floating* x = <const floating*> stage.x
    cdef const floating* t = <const floating*> stage.t
    cdef floating* grad = <floating*> stage.grad
    cdef floating* hess = <floating*> stage.hess
    cdef Py_ssize_t i, j
    memcpy(reference, stage.reference, sizeof(reference))
    memcpy(a, stage.a, sizeof(a))
    memcpy(b, stage.b, sizeof(b))
    memcpy(c, stage.c, sizeof(c))
    memcpy(d, stage.d, sizeof(d))
    memcpy(u, stage.u, sizeof(u))
    memcpy(v, stage.v, sizeof(v))
    for j in range(stage.groups):
        for i in range(LANES):
            grad[j * LANES + i] = map((x[j * LANES + i] - reference[i]) * scale, t[j * LANES + i] if has_t else 0,
                                      a[i], b[i], c[i], d[i], u[i], v[i], &h)
            if want_hess:
                hess[j * LANES + i] = h


cdef inline void specialise_rows(Accumulate accumulate, Finish finish, Map map, bint has_t, Stage* stage,
                                 floating unit) noexcept nogil:
    cdef const double* p = stage.parameters
    if stage.what == SUMS:
        sum_loop(accumulate, has_t, stage, <floating> p[0], <floating> stage.scale)
    elif stage.what == FINISH:
        finish_loop(finish, &stage.lanes, stage.classes, p[0], p[1], p[2], p[3], unit)
    elif stage.want_hess:
        map_loop(map, has_t, True, stage, <floating> stage.scale)
    else:
        map_loop(map, has_t, False, stage, <floating> stage.scale)


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


# Lanes --------------------------------------------------------------------------------------------

cdef inline void highest(const floating* x, Py_ssize_t groups, floating* top) noexcept nogil:
    cdef floating lanes[LANES]
    cdef Py_ssize_t i, j
    for i in range(LANES):
        lanes[i] = -INFINITY
    for j in range(groups):
        for i in range(LANES):
            lanes[i] = x[j * LANES + i] if x[j * LANES + i] > lanes[i] else lanes[i]
    memcpy(top, lanes, sizeof(lanes))


cdef inline void narrow_labels(const double* label, Py_ssize_t first, floating* lanes) noexcept nogil:
    """Labels counted from class `first`: exact for those of a tile, and no other becomes one of them."""
    cdef Py_ssize_t i
    for i in range(LANES):
        lanes[i] = <floating> (label[i] - first)


cdef inline void part(floating* x, Py_ssize_t classes, const floating* label, floating* target,
                      floating* top) noexcept nogil:
    """Put -inf in place of the labels' logits, which are added to `target`, and find the highest of the others.

    Sums with 0 keep the stores unconditional: a load soon after a masked store would wait for it.
    """
    cdef floating mine[LANES]
    cdef floating found[LANES]
    cdef floating lanes[LANES]
    cdef floating v, at
    cdef Py_ssize_t i, k
    memcpy(mine, label, sizeof(mine))
    memcpy(found, target, sizeof(found))
    for i in range(LANES):
        lanes[i] = -INFINITY
    for k in range(classes):
        at = <floating> k
        for i in range(LANES):
            v = x[k * LANES + i]
            found[i] += v if mine[i] == at else 0
            v = 0 + (-INFINITY if mine[i] == at else v)
            x[k * LANES + i] = v
            lanes[i] = v if v > lanes[i] else lanes[i]
    memcpy(target, found, sizeof(found))
    memcpy(top, lanes, sizeof(lanes))


cdef inline void put(const floating* label, const double* given, Py_ssize_t classes, floating* v) noexcept nogil:
    """Put what is given for each row in the place of its label; a sum with 0 for the reason above."""
    cdef floating mine[LANES]
    cdef floating lanes[LANES]
    cdef floating at
    cdef Py_ssize_t i, k
    memcpy(mine, label, sizeof(mine))
    for i in range(LANES):
        lanes[i] = <floating> given[i]
    for k in range(classes):
        at = <floating> k
        for i in range(LANES):
            v[k * LANES + i] = 0 + (lanes[i] if mine[i] == at else v[k * LANES + i])


cdef inline floating fold_highest(floating* v) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(32):
        v[i] = v[i + 32] if v[i + 32] > v[i] else v[i]
    for i in range(16):
        v[i] = v[i + 16] if v[i + 16] > v[i] else v[i]
    for i in range(8):
        v[i] = v[i + 8] if v[i + 8] > v[i] else v[i]
    for i in range(4):
        v[i] = v[i + 4] if v[i + 4] > v[i] else v[i]
    for i in range(2):
        v[i] = v[i + 2] if v[i + 2] > v[i] else v[i]
    return v[1] if v[1] > v[0] else v[0]


cdef inline floating fold_sum(floating* v) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(32):
        v[i] += v[i + 32]
    for i in range(16):
        v[i] += v[i + 16]
    for i in range(8):
        v[i] += v[i + 8]
    for i in range(4):
        v[i] += v[i + 4]
    for i in range(2):
        v[i] += v[i + 2]
    return v[0] + v[1]


cdef inline void spread(floating v, double* lanes) noexcept nogil:
    cdef floating* out = <floating*> lanes
    cdef Py_ssize_t i
    for i in range(LANES):
        out[i] = v


cdef inline void narrow_lanes(const double* v, double* lanes, floating unit) noexcept nogil:
    cdef floating* out = <floating*> lanes
    cdef Py_ssize_t i
    for i in range(LANES):
        out[i] = <floating> v[i]


cdef inline void add_lanes(double* v, const double* lanes, floating unit) noexcept nogil:
    cdef const floating* more = <const floating*> lanes
    cdef Py_ssize_t i
    for i in range(LANES):
        v[i] += more[i]


cdef inline void shift(Lanes* r, Py_ssize_t i, double top, double scale, floating unit) noexcept nogil:
    """Make `top` the reference of row i, if it is higher: sums of (e, e x, t x, t) follow."""
    cdef double down, factor
    if not top > r.reference[i]:
        return
    if r.reference[i] > -INFINITY:
        down = (r.reference[i] - top) * scale
        factor = exp_for(unit, down, 0)
        r.s1[i] = factor * (r.s1[i] + down * r.s0[i])
        r.s0[i] = factor * r.s0[i]
        r.s2[i] = r.s2[i] + down * r.s3[i]
    r.reference[i] = top


cdef inline double finite_reference(double reference) noexcept nogil:
    """What to subtract: of a row of -inf, 0, so that no exponential becomes NaN."""
    return reference if reference > -INFINITY else 0


# Blocks of logits and targets ---------------------------------------------------------------------

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
            h = (1 - e) / (1 + e)
            hess[i] = hess[i] * slope * slope - (h if x[i] > 0 else -h) * 2 / cap * slope * g


cdef void load_tile(RowJob* job, int plane, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first, Py_ssize_t classes,
                    floating* tile, RowScratch* s) noexcept nogil:
    """Classes first ... of rows start ... as lanes."""
    cdef const Operand* operand = &job.planes[plane]
    cdef floating* packed = <floating*> s.packed
    cdef const floating* v
    cdef Py_ssize_t i, k, at, n, step
    cdef bint same = operand.kind == (<int> FLOAT32 if sizeof(floating) == sizeof(float) else <int> FLOAT64)
    if job.class_major:
        for k in range(classes):
            v = load(operand, &job.shape, (first + k) * job.rows + start, rows, tile + k * LANES, &s.block)
            if v != tile + k * LANES:
                memcpy(tile + k * LANES, v, rows * sizeof(floating))
    elif operand.direct and same:
        v = <const floating*> operand.data + start * job.classes + first
        if start + rows < job.rows:
            to_tile(<const char*> v, job.classes * sizeof(floating), classes, <char*> tile, sizeof(floating))
        else:                           # nothing is read beyond the last row
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


cdef void store_tile(RowJob* job, int plane, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first, Py_ssize_t classes,
                     const floating* tile, RowScratch* s) noexcept nogil:
    cdef const Operand* operand = &job.planes[plane]
    cdef floating* packed = <floating*> s.packed
    cdef char* v
    cdef Py_ssize_t i, k, at, n, step
    cdef bint same = operand.kind == (<int> FLOAT32 if sizeof(floating) == sizeof(float) else <int> FLOAT64)
    if job.class_major:
        for k in range(classes):
            store(operand, &job.shape, (first + k) * job.rows + start, rows, tile + k * LANES, &s.block)
        return
    from_tile(<const char*> tile, classes, <char*> packed, sizeof(floating))
    if operand.direct and same and classes == job.classes:
        v = <char*> operand.data + start * classes * sizeof(floating)
        if job.shape.size * <Py_ssize_t> sizeof(floating) >= STREAM_BYTES:
            stream(v, <const char*> packed, rows * classes * sizeof(floating))
        else:
            memcpy(v, packed, rows * classes * sizeof(floating))
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
    cdef bint same = operand.kind == (<int> FLOAT32 if sizeof(floating) == sizeof(float) else <int> FLOAT64)
    cdef Py_ssize_t start = row * job.classes + first, at = 0, take, i
    cdef const floating* v
    if operand.direct:
        prefetch(<const char*> operand.data + (start + AHEAD) * operand.itemsize, n * operand.itemsize)
        if same and not own and n % LANES == 0:
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
    cdef Py_ssize_t at = 0, take
    while at < n:
        take = min(<Py_ssize_t> BLOCK, n - at)
        store(&job.planes[plane], &job.shape, row * job.classes + first + at, take, v + at, &s.block)
        at += take


cdef inline bint changes_targets(RowJob* job) noexcept nogil:
    return job.smoothing != 0 or job.class_weight != NULL or job.traits & MULTILABEL


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
        if job.traits & MULTILABEL:
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


cdef inline void lower_targets(const double* reference, floating* t, Py_ssize_t n,
                               Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t i, k
    for k in range(n):
        for i in range(width):
            t[k * width + i] = <floating> (t[k * width + i] - reference[i])


cdef const floating* targets_of_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, Py_ssize_t first, Py_ssize_t n,
                                    RowScratch* s, floating unit) noexcept nogil:
    cdef bint weighed = changes_targets(job), softened = job.traits & SOFT_TARGETS
    cdef floating none = -INFINITY if job.traits & (SOFT_TARGETS | LOG_TARGETS) else 0
    cdef floating* t = <floating*> s.t
    cdef const floating* given = t
    cdef Py_ssize_t k
    if job.dense:
        given = load_row(job, PLANE_Y, row, first, n, t, none, weighed or softened, s)
    if weighed:
        weigh_targets(job, t, first, n, 1)
    elif job.traits & ONE_HOT and not job.dense:
        share_targets(&s.stage.lanes.label[i], t, first, n, 1)
    elif softened:
        lower_targets(&s.stage.lanes.target_reference[i], t, n, 1)
    if given == t:
        for k in range(n, (n + LANES - 1) // LANES * LANES):
            t[k] = none
    return given


cdef const floating* targets_of_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t first,
                                     Py_ssize_t classes, RowScratch* s, floating unit) noexcept nogil:
    cdef floating* t = <floating*> s.t
    if job.dense:
        load_tile(job, PLANE_Y, start, rows, first, classes, t, s)
    if changes_targets(job):
        weigh_targets(job, t, first, classes, LANES)
    elif job.traits & ONE_HOT and not job.dense:
        share_targets(s.stage.lanes.label, t, first, classes, LANES)
    elif job.traits & SOFT_TARGETS:
        lower_targets(s.stage.lanes.target_reference, t, classes, LANES)
    return t


cdef const floating* logits_of_row(RowJob* job, Py_ssize_t row, double label, Py_ssize_t first, Py_ssize_t n,
                                   RowScratch* s, floating unit) noexcept nogil:
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
                              RowScratch* s, floating unit) noexcept nogil:
    cdef floating* x = <floating*> s.x
    load_tile(job, PLANE_X, start, rows, first, classes, x, s)
    if job.softcap != 0:
        cap_block(x, classes * LANES, <floating> job.softcap)
    return x


# Sums ---------------------------------------------------------------------------------------------

cdef void sum_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, bint anew, RowScratch* s, floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef Py_ssize_t first, n
    cdef double label = r.label[i] if job.traits & LABELLED else -1
    cdef floating top[LANES]
    cdef floating* t = <floating*> s.t
    stage.what = SUMS
    if job.traits & SHIFTED and not job.traits & ONLINE and anew:
        first = 0
        while first < job.classes:
            n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
            highest(logits_of_row(job, row, label, first, n, s, unit), (n + LANES - 1) // LANES, top)
            r.reference[i] = max(r.reference[i], <double> fold_highest(top))
            first += ROW_BLOCK
    spread(<floating> r.u[i], stage.u)
    first = 0
    while first < job.classes:
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        stage.groups = (n + LANES - 1) // LANES
        stage.x = logits_of_row(job, row, label, first, n, s, unit)
        if job.targets:
            stage.t = targets_of_row(job, row, i, first, n, s, unit)
            if label >= first and label < first + n:
                t[<Py_ssize_t> label - first] = 0
        if job.traits & ONLINE:
            highest(<const floating*> stage.x, stage.groups, top)
            shift(r, i, fold_highest(top), job.scale, unit)
        spread(<floating> finite_reference(r.reference[i]), stage.reference)
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
    stage.x = x
    for i in range(LANES):
        label[i] = -1
        target[i] = 0
    if job.traits & SHIFTED and not job.traits & ONLINE and anew:
        first = 0
        while first < job.classes:
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
    narrow_lanes(r.u, stage.u, unit)
    first = 0
    while first < job.classes:
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
        stage.groups = n
        if job.traits & LABELLED:
            narrow_labels(r.label, first, label)
        if not cached:
            logits_of_tile(job, start, rows, first, n, s, unit)
            part(x, n, label, target, top)
        if job.targets:
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
            base[i] = finite_reference(r.reference[i])
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
        if operand.direct and same:
            r.target[i] = x[at]
        else:
            r.target[i] = load(operand, &job.shape, at, 1, room, &s.block)[0]
    if job.softcap != 0:
        for i in range(rows):
            r.target[i] = capped(<floating> r.target[i], <floating> job.softcap)


cdef void highest_targets(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s,
                          floating unit) noexcept nogil:
    """The largest target of each row, which is subtracted from all."""
    cdef Lanes* r = &s.stage.lanes
    cdef Py_ssize_t i, first, n, step = TILE_CLASSES if job.tiled else ROW_BLOCK
    cdef floating* t = <floating*> s.t
    cdef floating top[LANES]
    for i in range(LANES):
        r.target_reference[i] = -INFINITY
    first = 0
    while first < job.classes:
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
    memset(r.s1, 0, sizeof(r.s1))
    memset(r.s2, 0, sizeof(r.s2))
    memset(r.s3, 0, sizeof(r.s3))
    for k in range(3):
        memset(into[k], 0, sizeof(r.s0))
        v = load(&job.results[ROW_REFERENCE + k], &job.base.shape, start, rows, into[k], &s.block)
        if v != into[k]:
            memcpy(into[k], v, rows * sizeof(double))
    s.stage.what = FINISH
    dispatch(job, &s.stage, unit)


cdef double argmax(RowJob* job, Py_ssize_t row, RowScratch* s, floating unit) noexcept nogil:
    """The first class of the largest logit."""
    cdef Py_ssize_t first, k, n, best = 0
    cdef floating highest_here, top = -INFINITY
    cdef floating lanes[LANES]
    cdef floating* own = <floating*> s.packed           # the map may need s.x
    cdef const floating* x
    first = 0
    while first < job.classes:
        n = min(<Py_ssize_t> BLOCK, job.classes - first)
        if job.class_major:
            for k in range(n):
                own[k] = load(&job.planes[PLANE_X], &job.shape, (first + k) * job.rows + row, 1, own + k, &s.block)[0]
            x = own
        else:
            x = load(&job.planes[PLANE_X], &job.shape, row * job.classes + first, n, own, &s.block)
        highest(x, n // LANES, lanes)
        highest_here = fold_highest(lanes)
        for k in range(n // LANES * LANES, n):
            highest_here = x[k] if x[k] > highest_here else highest_here
        if highest_here > top:
            top = highest_here
            k = 0
            while x[k] != top:
                k += 1
            best = first + k
        first += BLOCK
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
    cdef bint anew = True, again = True
    for i in range(LANES):
        r.reference[i] = -INFINITY if job.traits & SHIFTED else 0
        r.again[i] = 0
        r.u[i] = 0
        r.v[i] = 0
    if job.traits & FROM_TARGET:
        gather_targets(job, start, rows, s, unit)
        for i in range(rows):
            r.reference[i] = r.target[i]
    if job.traits & SOFT_TARGETS:
        highest_targets(job, start, rows, s, unit)
    while again:
        memset(r.s0, 0, sizeof(r.s0))
        memset(r.s1, 0, sizeof(r.s1))
        memset(r.s2, 0, sizeof(r.s2))
        memset(r.s3, 0, sizeof(r.s3))
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
        anew = False
        for i in range(LANES):
            r.reference[i] = finite_reference(r.reference[i])
        if job.traits & JUDGED:
            for i in range(rows):
                r.correct[i] = correct(job, start + i, i, s, unit)
        s.stage.what = FINISH
        dispatch(job, &s.stage, unit)
        again = False
        for i in range(rows):
            again |= r.again[i] != 0


# The map back -------------------------------------------------------------------------------------

cdef void map_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef bint want_hess = job.planes[PLANE_HESS].data != NULL
    cdef Py_ssize_t first, n, at
    cdef double label = r.label[i] if job.traits & LABELLED else -1
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
    while first < job.classes:
        n = min(<Py_ssize_t> ROW_BLOCK, job.classes - first)
        stage.groups = (n + LANES - 1) // LANES
        if r.weight[i] == 0 or job.traits & TARGET_ONLY:
            memset(grad, 0, n * sizeof(floating))
            memset(hess, 0, n * sizeof(floating))
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
        if job.softcap != 0 and r.weight[i] != 0:
            raw = load_row(job, PLANE_X, row, first, n, <floating*> s.packed, <floating> 0, False, s)
            cap_chain(raw, grad, hess, n, <floating> job.softcap, want_hess)
        store_row(job, PLANE_GRAD, row, first, n, grad, s)
        if want_hess:
            store_row(job, PLANE_HESS, row, first, n, hess, s)
        first += ROW_BLOCK


cdef inline void keep_live(const Lanes* r, floating* v, Py_ssize_t classes, floating unit) noexcept nogil:
    cdef Py_ssize_t i, k
    for k in range(classes):
        for i in range(LANES):
            v[k * LANES + i] = v[k * LANES + i] if r.weight[i] != 0 else 0


cdef void map_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef bint want_hess = job.planes[PLANE_HESS].data != NULL, fresh = job.classes > TILE_CLASSES or job.merged
    cdef Py_ssize_t i, first, n
    cdef int dead = 0
    cdef floating label[LANES]
    stage.what = MAP
    for i in range(LANES):
        dead |= r.weight[i] == 0
    narrow_lanes(r.reference, stage.reference, unit)
    narrow_lanes(r.a, stage.a, unit)
    narrow_lanes(r.b, stage.b, unit)
    narrow_lanes(r.c, stage.c, unit)
    narrow_lanes(r.d, stage.d, unit)
    narrow_lanes(r.u, stage.u, unit)
    narrow_lanes(r.v, stage.v, unit)
    first = 0
    while first < job.classes:
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
        if dead and job.base.weighted:
            keep_live(r, grad, n, unit)
            if want_hess:
                keep_live(r, hess, n, unit)
        store_tile(job, PLANE_GRAD, start, rows, first, n, grad, s)
        if want_hess:
            store_tile(job, PLANE_HESS, start, rows, first, n, hess, s)
        first += TILE_CLASSES


# Groups of rows -----------------------------------------------------------------------------------

cdef bint inspect_targets(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating unit) noexcept nogil:
    """The sum of the class weights of a row of targets; NaN where one is missing. False: one is below 0."""
    cdef Lanes* r = &s.stage.lanes
    cdef floating* own = <floating*> s.t
    cdef const floating* t
    cdef Py_ssize_t first, n, k, wrong = 0, missing = 0, count = min(<Py_ssize_t> BLOCK, job.classes)
    cdef double sum = 0
    first = 0
    while first < job.classes:
        n = min(count, job.classes - first)
        if job.class_major:
            for k in range(n):
                own[k] = load(&job.planes[PLANE_Y], &job.shape, (first + k) * job.rows + row, 1, own + k, &s.block)[0]
            t = own
        else:
            t = load(&job.planes[PLANE_Y], &job.shape, row * job.classes + first, n, own, &s.block)
        for k in range(n):
            wrong += t[k] < job.least
            missing += t[k] != t[k]
        if job.class_weight != NULL:
            for k in range(n):
                sum += job.class_weight[first + k] * t[k]
        first += count
    r.unit[i] = sum if job.class_weight != NULL and not job.traits & MULTILABEL else 1
    r.label[i] = NAN if missing else -1
    return wrong == 0


cdef void inspect(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating unit) noexcept nogil:
    """The labels of a group, or of its targets -1, -2 where one breaks its domain, NaN where it is missing."""
    cdef Lanes* r = &s.stage.lanes
    cdef const double* label
    cdef Py_ssize_t i
    for i in range(LANES):
        r.unit[i] = 1
        r.label[i] = -1
        r.label_weight[i] = 1
    if not job.dense:
        label = load(&job.base.operands[Y], &job.base.shape, start, rows, r.label, &s.block)
        if label != r.label:
            memcpy(r.label, label, rows * sizeof(double))
    elif job.class_weight != NULL or job.base.checked or job.base.nan_policy != PROPAGATE:
        for i in range(rows):
            if not inspect_targets(job, start + i, i, s, unit):
                r.label[i] = -2


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
    for i in range(LANES):
        r.weight[i] = 1
    if weight != NULL:
        memcpy(r.weight, weight, rows * sizeof(double))
    for i in range(rows, LANES):
        r.weight[i] = 0
    for i in range(LANES):
        r.label[i] = r.label[i] if r.weight[i] != 0 else -1
    if job.dense:
        for i in range(LANES):
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
    if job.class_weight != NULL and not job.dense:
        for i in range(rows):
            if r.label[i] >= 0:
                r.label_weight[i] = job.class_weight[<Py_ssize_t> r.label[i]]
                r.unit[i] = r.label_weight[i]
    for i in range(LANES):
        r.whole[i] = r.weight[i] * r.unit[i] if r.weight[i] != 0 else 0


cdef void read_row(RowJob* job, int plane, Py_ssize_t row, double* into, RowScratch* s, floating unit) noexcept nogil:
    cdef floating* own = <floating*> s.x
    cdef const floating* v
    cdef Py_ssize_t first, k, n, at
    first = 0
    while first < job.classes:
        n = 1 if job.class_major else min(<Py_ssize_t> BLOCK, job.classes - first)
        at = first * job.rows + row if job.class_major else row * job.classes + first
        v = load(&job.planes[plane], &job.shape, at, n, own, &s.block)
        for k in range(n):
            into[first + k] = v[k]
        first += n


cdef void write_row(RowJob* job, int plane, Py_ssize_t row, const double* v, double factor, RowScratch* s,
                    floating unit) noexcept nogil:
    cdef floating* own = <floating*> s.grad
    cdef Py_ssize_t first, k, n, at
    first = 0
    while first < job.classes:
        n = 1 if job.class_major else min(<Py_ssize_t> BLOCK, job.classes - first)
        for k in range(n):
            own[k] = <floating> (factor * v[first + k])
        at = first * job.rows + row if job.class_major else row * job.classes + first
        store(&job.planes[plane], &job.shape, at, n, own, &s.block)
        first += n


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
        factor = job.base.scale * r.weight[i]
        if want_grad:
            write_row(job, PLANE_GRAD, start + i, s.list.grad, factor, s, unit)
        if job.planes[PLANE_HESS].data != NULL:
            write_row(job, PLANE_HESS, start + i, s.list.hess, factor, s, unit)


cdef void group(RowJob* job, RowScratch* s, Py_ssize_t start, Py_ssize_t rows, Partial* partial,
                floating unit) noexcept nogil:
    cdef Stage* stage = &s.stage
    cdef Lanes* r = &stage.lanes
    cdef Job* base = &job.base
    cdef const double* weight = NULL
    cdef Py_ssize_t i
    cdef double factor, slope = job.scale, scale = base.scale * job.scale
    if job.tiled and not job.class_major and job.planes[PLANE_X].direct and start + 2 * LANES <= job.rows:
        prefetch(
            job.planes[PLANE_X].data + (start + LANES) * job.classes * job.planes[PLANE_X].itemsize,
            LANES * job.classes * job.planes[PLANE_X].itemsize,
        )
    inspect(job, start, rows, s, unit)
    if base.weighted:
        weight = weigh(base, r.label, start, rows, &s.block, partial)
        if partial.bad >= 0:
            return
    else:
        partial.count += rows
    settle(job, start, rows, weight, s, partial)
    if partial.bad >= 0:
        return
    partial.weight += total(r.whole, rows)
    if base.operation == 0:
        return
    if job.traits & SORTED:
        sorted_rows(job, start, rows, s, unit)
    elif job.merged:
        recall(job, start, rows, s, unit)
    else:
        statistics(job, start, rows, s, unit)
    if base.operation & MOMENTS:
        # By unit of weight: a row of class weight c is c rows of a loss 1/c as large.
        for i in range(rows):
            r.each[i] = r.value[i] / r.unit[i] if r.whole[i] != 0 else 0
        moments(r.whole, r.each, rows, &s.block, partial)
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


cdef void row_chunk(RowJob* job, Py_ssize_t index, floating unit) noexcept nogil:
    cdef RowScratch scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.base.chunk, stop = min(start + job.base.chunk, job.rows)
    cdef unsigned mode = enter_ieee_mode()
    scratch.stage.classes = job.classes
    scratch.stage.scale = job.scale
    scratch.stage.parameters = job.base.parameters
    scratch.stage.grad = scratch.grad
    scratch.stage.hess = scratch.hess
    memset(&partial, 0, sizeof(Partial))
    partial.bad = -1
    scratch.list.room = NULL
    if job.traits & SORTED and not make_room(&scratch.list, job.classes):
        partial.bad = start
        partial.culprit = NO_ROOM
    while start < stop and partial.bad < 0:
        group(job, &scratch, start, min(job.group, stop - start), &partial, unit)
        start += job.group
    free(scratch.list.room)
    job.base.partials[index] = partial
    stream_fence()
    leave_ieee_mode(mode)


cdef void row_chunk_of_float(void* job, Py_ssize_t index) noexcept nogil:
    row_chunk(<RowJob*> job, index, <float> 1)


cdef void row_chunk_of_double(void* job, Py_ssize_t index) noexcept nogil:
    row_chunk(<RowJob*> job, index, <double> 1)


# The entry ----------------------------------------------------------------------------------------

def rowwise(int kernel, int operation, tuple planes, tuple plane_kinds, tuple rows, tuple row_kinds, tuple results,
            tuple result_kinds, bint class_major, tuple parameters, double scale, class_weight, double logit_scale,
            double softcap, double smoothing, ignore_index, least, int nan_policy, bint single, int num_threads,
            bint sharded, bint merged):
    """Run one kernel over rows of classes.

    `planes` are targets, logits, gradient and curvature, arrays with the class axis first (`class_major`) or last;
    `parameters` are up to three constants of the formula, the fourth is the scale of the logits.
    `rows` are labels, weights and mask, and `results` ROW_VALUE ... ROW_TARGET, with one number for each row; each
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
    cdef int k, held = 0, wide = 0, axis
    cdef Py_ssize_t chunks, itemsize
    cdef Operand* operand
    memset(&job, 0, sizeof(RowJob))
    job.base.kernel = kernel
    job.base.operation = operation
    job.base.nan_policy = nan_policy
    job.base.scale = scale
    for k in range(len(parameters)):
        job.base.parameters[k] = parameters[k]
    job.base.ignoring = ignore_index is not None
    if job.base.ignoring:
        job.base.ignored = ignore_index
    job.least = -INFINITY if least is None else least
    job.base.checked = least is not None
    job.traits = traits_of(kernel)
    job.class_major = class_major
    job.dense = planes[PLANE_Y] is not None
    job.scale = job.base.parameters[3] = logit_scale
    job.softcap = softcap
    job.sharded = sharded
    job.merged = merged
    job.smoothing = smoothing
    job.targets = job.dense or smoothing != 0 or job.traits & ONE_HOT
    try:
        for k in range(PLANES):
            if planes[k] is not None:
                PyObject_GetBuffer(planes[k], &views[held], PyBUF_STRIDED if k >= PLANE_GRAD else PyBUF_STRIDED_RO)
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
        job.classes = job.shape.lengths[0 if class_major else job.shape.ndim - 1]
        job.rows = job.shape.size // job.classes if job.classes else 0
        job.base.shape.ndim = job.shape.ndim - 1
        job.base.shape.size = job.rows
        for axis in range(job.base.shape.ndim):
            job.base.shape.lengths[axis] = job.shape.lengths[axis + 1 if class_major else axis]
        for k in range(3):
            if rows[k] is not None:
                operand = &job.base.operands[Y if k == 0 else WEIGHT if k == 1 else MASK]
                PyObject_GetBuffer(rows[k], &views[held], PyBUF_STRIDED_RO)
                describe(operand, &views[held], row_kinds[k])
                present[held] = operand
                held += 1
        for k in range(RESULTS):
            if results[k] is not None:
                PyObject_GetBuffer(results[k], &views[held], PyBUF_STRIDED)
                describe(&job.results[k], &views[held], result_kinds[k])
                present[held] = &job.results[k]
                held += 1
                job.extras = job.extras or k in (ROW_LSE, ROW_ARGMAX, ROW_REFERENCE)
        coalesce(&job.shape, present, wide)
        coalesce(&job.base.shape, present + wide, held - wide)
        if class_weight is not None:
            PyObject_GetBuffer(class_weight, &views[held], PyBUF_SIMPLE)
            job.class_weight = <const double*> views[held].buf
            held += 1
        job.base.weighted = (
            job.base.operands[WEIGHT].data != NULL or job.base.operands[MASK].data != NULL or nan_policy == OMIT
            or job.base.ignoring
        )
        itemsize = 4 if single else 8
        job.tiled = class_major or job.classes < WIDE
        job.group = LANES if job.tiled else max(1, min(<Py_ssize_t> LANES, GROUP_BYTES // (job.classes * itemsize)))
        # A chunk is worth waking a thread for, and there are at most MAX_CHUNKS.
        chunks = (job.rows + job.group - 1) // job.group
        chunks = min(<Py_ssize_t> MAX_CHUNKS, max(1, min(chunks, job.shape.size // 4096)))
        job.base.chunk = ((job.rows + chunks - 1) // chunks + job.group - 1) // job.group * job.group if job.rows else 1
        chunks = (job.rows + job.base.chunk - 1) // job.base.chunk
        job.base.partials = &small[0] if chunks <= 8 else <Partial*> PyMem_Malloc(chunks * sizeof(Partial))
        if job.base.partials == NULL:
            raise MemoryError
        with nogil:
            parallel_for(row_chunk_of_float if single else row_chunk_of_double, &job, chunks, num_threads)
        fold_partials(&whole, job.base.partials, chunks)
        if whole.bad >= 0 and whole.culprit == NO_ROOM:
            raise MemoryError
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
        if job.base.partials != NULL and job.base.partials != &small[0]:
            PyMem_Free(job.base.partials)
    return (whole.bad, whole.culprit, whole.loss, whole.weight, whole.count, whole.square, whole.mean, whole.spread)
