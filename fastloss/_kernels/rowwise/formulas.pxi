# What a kernel of the family consists of: three formulas, which are constants where the loops over them are compiled,
# and its traits, by which the driver serves it.

cdef enum:
    SUMS, FINISH, MAP

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
    REPEATED = 16384                    # the first sums are without targets; Finish may ask for others, with its `u`
    UNSUPERVISED = 32768                # the label is no part of the loss; a missing one makes the sum NaN

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
    bint anew                           # no sums were asked for again yet
    bint value_only                     # Finish need not find the coefficients of the map, nor lse and entropy
    bint want_hess
    Py_ssize_t groups                   # of LANES elements
    Py_ssize_t classes
    double scale                        # of the logits
    const double* parameters
    const void* x
    const void* t
    void* grad
    void* hess

# Formulas of `floating` keep literals apart from other arithmetic: in C they are of double, and a longer expression
# with one would be computed in double.

# Adds a class to the sums of its row: x is the logit less the reference, t its target, a the loss's first constant,
# q the row's `u` where sums are repeated.
ctypedef void (*Accumulate)(
    floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2, floating* s3
) noexcept nogil

# What is known of one row, and what a formula makes of it: 0 unless it says otherwise. The names are those of Lanes.
cdef struct Row:
    double label_weight
    double target
    double reference
    double correct
    double s0
    double s1
    double s2
    double s3
    double value
    double lse
    double entropy
    double a
    double b
    double c
    double d
    double u
    double v
    double target_grad
    double target_hess
    double again

cdef inline double weighed(double weight, double loss) noexcept nogil:
    """weight times loss, 0 for none of an infinite one."""
    return 0 if (weight == 0) & (loss == INFINITY) else weight * loss


# Turns the sums of a row into its value and the coefficients of its map.
ctypedef void (*Finish)(
    Row* r, double classes, double a, double b, double c, double d, floating unit
) noexcept nogil

# The gradient and the curvature in the logit of one class.
ctypedef floating (*Map)(
    floating x, floating t, floating a, floating b, floating c, floating d, floating u, floating v, floating* hess
) noexcept nogil


# The loops --------------------------------------------------------------------------------------------

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


cdef inline void finish_loop(Finish finish, bint value_only, Lanes* r, double classes, double a, double b, double c,
                             double d, floating unit) noexcept nogil:
    cdef Row row
    cdef Py_ssize_t i
    for i in range(LANES):
        row.label_weight = r.label_weight[i]
        row.target = r.target[i]
        row.reference = r.reference[i]
        row.correct = r.correct[i]
        row.s0 = r.s0[i]
        row.s1 = r.s1[i]
        row.s2 = r.s2[i]
        row.s3 = r.s3[i]
        row.u = r.u[i]
        row.v = r.v[i]
        row.again = r.again[i]
        row.lse = row.entropy = row.a = row.b = row.c = row.d = row.target_grad = row.target_hess = 0
        finish(&row, classes, a, b, c, d, unit)
        r.value[i] = row.value
        r.u[i] = row.u
        r.v[i] = row.v
        r.again[i] = row.again
        if not value_only:
            r.lse[i] = row.lse
            r.entropy[i] = row.entropy
            r.a[i] = row.a
            r.b[i] = row.b
            r.c[i] = row.c
            r.d[i] = row.d
            r.target_grad[i] = row.target_grad
            r.target_hess[i] = row.target_hess


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
        if stage.value_only:
            finish_loop(finish, True, &stage.lanes, stage.classes, p[0], p[1], p[2], p[3], unit)
        else:
            finish_loop(finish, False, &stage.lanes, stage.classes, p[0], p[1], p[2], p[3], unit)
    elif stage.want_hess:
        map_loop(map, has_t, True, stage, <floating> stage.scale)
    else:
        map_loop(map, has_t, False, stage, <floating> stage.scale)


cdef inline void specialise_repeated(Accumulate first, Accumulate accumulate, Finish finish, Map map, Stage* stage,
                                     floating unit) noexcept nogil:
    """... of a loss whose sums with targets are functions of one without them."""
    if stage.what == SUMS and stage.anew:
        sum_loop(first, False, stage, <floating> stage.parameters[0], <floating> stage.scale)
    else:
        specialise_rows(accumulate, finish, map, True, stage, unit)
