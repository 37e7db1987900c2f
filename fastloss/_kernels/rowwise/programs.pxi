# What a kernel of the rowwise family consists of: a program of three steps,
#
#     statistics of the classes (Statistic)  ->  a formula of them (RowFormula)  ->  a map back to the classes (Map)
#
# or a routine for whole rows in place of them. What the three are made of are constants where the loops over them are
# compiled; each loop is one function, which programs share.

# What a target is.
cdef enum:
    LABEL                               # a class, which is left out of the statistics and mapped apart
    UNUSED_LABEL                        # a class that is no part of the loss; a missing one makes the statistics NaN
    ONE_HOT                             # a class, which stands for a target of 1 for it and 0 for the others
    BETWEEN                             # a number between two classes, whose targets are its linear shares
    DENSE                               # a number for each class
    LOGITS                              # those of a distribution: their maximum is subtracted
    LOG_PROBABILITIES                   # a target of -inf is none
    SIGNS                               # 0 or 1 for each class: the loops see its class weight, negative for 0

# What is subtracted from the scores of a row.
cdef enum:
    NOTHING
    MAXIMUM                             # of the classes that are summed, in a pass before
    RUNNING_MAXIMUM                     # ... so far: the statistics are those of (e, e x, t x, t), e = exp(x)
    LABEL_SCORE

cdef struct RowGroup
cdef struct RowJob
cdef struct RowScratch

# A step of a program, and a routine for rows start ... start + rows of a job.
ctypedef void (*RowLoop)(RowGroup* group) noexcept nogil
ctypedef void (*Routine)(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, bint single) noexcept nogil

cdef struct Program:
    int targets
    int shift
    int count                           # of the four statistics those that are used: 4, 1 or none
    RowLoop statistics
    RowLoop first                       # NULL, or other first statistics, without targets: see `repeated`
    RowLoop formula
    RowLoop brief                       # NULL, or the formula without options, in the type of the computation
    RowLoop map
    Routine values                      # NULL, or what finds the values in place of statistics and formula
    Routine derivatives                 # NULL, or what stores the derivatives in place of the map
    size_t room                         # numbers for each class that the routines need
    bint judged                         # the formula asks whether the label has the largest score: none is shifted
    bint penalised                      # the formula's second constant is a z-loss
    bint of_odds                        # the statistics are the sum of exponentials over all classes but the label's

# What the loops of a program work on. Arrays of double hold float where they are, if `single`.
cdef struct RowGroup:
    Lanes lanes
    double shift[LANE_ROOM]
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
    bint single
    bint value_only                     # the formula need not find the coefficients of the map, nor lse and entropy
    bint want_hess
    Py_ssize_t groups                   # of LANES elements
    Py_ssize_t classes
    double scale                        # of the logits
    const double* parameters
    const void* x
    const void* t
    void* grad
    void* hess

cdef enum:
    MOST_PROGRAMS = 64

cdef Program[MOST_PROGRAMS] PROGRAMS    # the kernels point to them
KERNELS = {}


cdef Program program(int targets, int shift, int count, RowLoop statistics, RowLoop formula, RowLoop map) noexcept:
    cdef Program p
    memset(&p, 0, sizeof(Program))
    p.targets, p.shift, p.count, p.statistics, p.formula, p.map = targets, shift, count, statistics, formula, map
    return p


cdef Program repeated(Program p, RowLoop first) noexcept:
    """... of which the first statistics are others, without targets; the formula may ask for more, with its `u`."""
    p.first = first
    return p


cdef Program with_z_loss(Program p) noexcept:
    p.penalised = True
    return p


cdef Program brief(Program p, RowLoop formula) noexcept:
    p.brief = formula
    return p


cdef Program judged(Program p) noexcept:
    p.judged = True
    return p


cdef Program routines(Routine values, RowLoop formula, Routine derivatives, size_t room) noexcept:
    """... of routines, of which that of the values stores the derivatives too where there is no formula."""
    cdef Program p = program(DENSE, NOTHING, 4, NULL, formula, NULL)
    p.values, p.derivatives, p.room = values, derivatives, room
    return p


cdef int declare(str name, Program program, tuple parameters=()) except -1:
    """Enter a kernel under its name, with the names of its constants; that of the logits' scale is not among them."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    cdef Py_ssize_t place = len(KERNELS)
    if place == MOST_PROGRAMS:
        raise MemoryError(f"{name}: there is no room for more than {MOST_PROGRAMS} programs")
    PROGRAMS[place] = program
    kernel.name, kernel.parameters, kernel.program = name, parameters, &PROGRAMS[place]
    KERNELS[name] = kernel
    return 0


# Formulas of `floating` keep literals apart from other arithmetic: in C they are of double, and a longer expression
# with one would be computed in double.

# Adds a class to the statistics of its row: x is the logit less the shift, t its target, a the loss's first constant,
# q the row's `u` where statistics are repeated.
ctypedef void (*Statistic)(
    floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2, floating* s3
) noexcept nogil
ctypedef void (*FloatStatistic)(
    float x, float t, float a, float q, float* s0, float* s1, float* s2, float* s3
) noexcept nogil
ctypedef void (*DoubleStatistic)(
    double x, double t, double a, double q, double* s0, double* s1, double* s2, double* s3
) noexcept nogil

# What is known of one row, and what a formula makes of it: 0 unless it says otherwise. The names are those of Lanes.
cdef struct Row:
    double label_weight
    double target
    double shift
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


# Turns the statistics of a row into its value and the coefficients of its map.
ctypedef void (*RowFormula)(
    Row* r, double classes, double a, double b, double c, double scale, floating like
) noexcept nogil
ctypedef void (*FloatRowFormula)(
    Row* r, double classes, double a, double b, double c, double scale, float like
) noexcept nogil
ctypedef void (*DoubleRowFormula)(
    Row* r, double classes, double a, double b, double c, double scale, double like
) noexcept nogil

# The gradient and the curvature in the logit of one class.
ctypedef floating (*Map)(
    floating x, floating t, floating a, floating b, floating c, floating d, floating u, floating v, floating* hess
) noexcept nogil
ctypedef float (*FloatMap)(
    float x, float t, float a, float b, float c, float d, float u, float v, float* hess
) noexcept nogil
ctypedef double (*DoubleMap)(
    double x, double t, double a, double b, double c, double d, double u, double v, double* hess
) noexcept nogil


# The loops --------------------------------------------------------------------------------------------

cdef inline void sum_loop(Statistic statistic, bint has_t, RowGroup* group, floating a, floating scale) noexcept nogil:
    # Local lanes alias nothing: the compiler keeps them in registers.
    cdef floating shift[LANES]
    cdef floating q[LANES]
    cdef floating s0[LANES]
    cdef floating s1[LANES]
    cdef floating s2[LANES]
    cdef floating s3[LANES]
    cdef const floating* x = <const floating*> group.x
    cdef const floating* t = <const floating*> group.t
    cdef Py_ssize_t i, j
    memcpy(shift, group.shift, sizeof(shift))
    memcpy(q, group.u, sizeof(q))
    memset(s0, 0, sizeof(s0))
    memset(s1, 0, sizeof(s1))
    memset(s2, 0, sizeof(s2))
    memset(s3, 0, sizeof(s3))
    for j in range(group.groups):
        for i in range(LANES):
            statistic((x[j * LANES + i] - shift[i]) * scale, t[j * LANES + i] if has_t else 0, a, q[i],
                      &s0[i], &s1[i], &s2[i], &s3[i])
    memcpy(group.s0, s0, sizeof(s0))
    memcpy(group.s1, s1, sizeof(s1))
    memcpy(group.s2, s2, sizeof(s2))
    memcpy(group.s3, s3, sizeof(s3))


cdef inline void formula_loop(RowFormula formula, bint value_only, Lanes* r, double classes, double a, double b,
                              double c, double scale, floating like) noexcept nogil:
    cdef Row row
    cdef Py_ssize_t i
    for i in range(LANES):
        row.label_weight = r.label_weight[i]
        row.target = r.target[i]
        row.shift = r.shift[i]
        row.correct = r.correct[i]
        row.s0 = r.s0[i]
        row.s1 = r.s1[i]
        row.s2 = r.s2[i]
        row.s3 = r.s3[i]
        row.u = r.u[i]
        row.v = r.v[i]
        row.again = r.again[i]
        row.lse = row.entropy = row.a = row.b = row.c = row.d = row.target_grad = row.target_hess = 0
        formula(&row, classes, a, b, c, scale, like)
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


cdef inline void map_loop(Map map, bint has_t, bint want_hess, RowGroup* group, floating scale) noexcept nogil:
    cdef floating shift[LANES]
    cdef floating a[LANES]
    cdef floating b[LANES]
    cdef floating c[LANES]
    cdef floating d[LANES]
    cdef floating u[LANES]
    cdef floating v[LANES]
    cdef floating h
    cdef const floating* x = <const floating*> group.x
    cdef const floating* t = <const floating*> group.t
    cdef floating* grad = <floating*> group.grad
    cdef floating* hess = <floating*> group.hess
    cdef Py_ssize_t i, j
    memcpy(shift, group.shift, sizeof(shift))
    memcpy(a, group.a, sizeof(a))
    memcpy(b, group.b, sizeof(b))
    memcpy(c, group.c, sizeof(c))
    memcpy(d, group.d, sizeof(d))
    memcpy(u, group.u, sizeof(u))
    memcpy(v, group.v, sizeof(v))
    for j in range(group.groups):
        for i in range(LANES):
            grad[j * LANES + i] = map((x[j * LANES + i] - shift[i]) * scale, t[j * LANES + i] if has_t else 0,
                                      a[i], b[i], c[i], d[i], u[i], v[i], &h)
            if want_hess:
                hess[j * LANES + i] = h


cdef inline void sum_classes(FloatStatistic narrow, DoubleStatistic wide, bint has_t, RowGroup* g) noexcept nogil:
    if g.single:
        sum_loop(narrow, has_t, g, <float> g.parameters[0], <float> g.scale)
    else:
        sum_loop(wide, has_t, g, g.parameters[0], g.scale)


cdef inline void finish_rows(FloatRowFormula narrow, DoubleRowFormula wide, RowGroup* g) noexcept nogil:
    cdef const double* p = g.parameters
    if g.single and g.value_only:
        formula_loop(narrow, True, &g.lanes, g.classes, p[0], p[1], p[2], p[3], <float> 1)
    elif g.single:
        formula_loop(narrow, False, &g.lanes, g.classes, p[0], p[1], p[2], p[3], <float> 1)
    elif g.value_only:
        formula_loop(wide, True, &g.lanes, g.classes, p[0], p[1], p[2], p[3], <double> 1)
    else:
        formula_loop(wide, False, &g.lanes, g.classes, p[0], p[1], p[2], p[3], <double> 1)


cdef inline void map_classes(FloatMap narrow, DoubleMap wide, bint has_t, RowGroup* g) noexcept nogil:
    if g.single and g.want_hess:
        map_loop(narrow, has_t, True, g, <float> g.scale)
    elif g.single:
        map_loop(narrow, has_t, False, g, <float> g.scale)
    elif g.want_hess:
        map_loop(wide, has_t, True, g, g.scale)
    else:
        map_loop(wide, has_t, False, g, g.scale)
