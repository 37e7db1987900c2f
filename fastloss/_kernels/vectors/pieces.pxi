# What a loss of a batch is made of: statistics of the pieces of a row, a formula of them, a map back to the scores.

from libc.math cimport sqrt

from fastloss._kernels.vecmath cimport exp, exp_in_sum, exp_nonpositive, exp_of, log, log1p, logistic

cdef enum:
    PIECE = 512                         # columns of a row that are in first-level cache at a time
    PIECE_LANES = 32
    STRIP = 256                         # columns of a task that goes along them
    STRIP_ROWS = 64                     # ... and rows that it reads twice while they are cached
    TASK_SCORES = 1 << 16               # scores of a task

# Results with one number for each row.
cdef enum:
    COMPARED_VALUE, COMPARED_LOG, COMPARED_OWN, COMPARED_SLOPE, COMPARED_RESULTS

# What is known of a row.
cdef struct Compared:
    double log_positive                 # log-sum-exp of the scores of positives, -inf where there are none
    double log_negative
    double positives                    # how many there are
    double negatives
    double sum                          # of whatever the program adds up: scores of positives, values of elements
    double slope                        # ... and of their derivatives
    double own                          # the score of the anchor's own column
    double value
    double to_positive                  # the derivative in log_positive, of which each positive has its share
    double to_negative
    double to_each                      # ... and what is the same for each positive

# A part of a row in first-level cache; arrays of double hold float, if `single`.
cdef struct Piece:
    double x[PIECE]                     # scores, and then derivatives
    double side[PIECE]                  # 1 positive, -1 negative, 0 neither
    double other[PIECE]                 # what the pairs know of their candidates
    double weight[PIECE]
    Py_ssize_t groups                   # of PIECE_LANES columns
    bint single
    bint positive                       # there are some
    double factor                       # the weight of the row
    double top_positive
    double sum_positive
    double top_negative
    double sum_negative
    Compared row
    const double* parameters

ctypedef void (*PieceLoop)(Piece* g) noexcept nogil
ctypedef void (*RowMaker)(Compared* r, const double* parameters) noexcept nogil

cdef struct SimilarityProgram:
    PieceLoop statistics
    PieceLoop pairs                     # NULL, or a pass over the positives when the negatives are known
    RowMaker formula
    PieceLoop map

cdef enum:
    MOST_SIMILARITY_PROGRAMS = 24

cdef SimilarityProgram[MOST_SIMILARITY_PROGRAMS] SIMILARITY_PROGRAMS
SIMILARITY_KERNELS = {}


cdef int declare_similarity(str name, PieceLoop statistics, RowMaker formula, PieceLoop map, tuple parameters=(),
                            PieceLoop pairs=NULL) except -1:
    """Enter a kernel under its name, with the names of its constants, up to four."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    cdef Py_ssize_t place = len(SIMILARITY_KERNELS)
    cdef SimilarityProgram* program = &SIMILARITY_PROGRAMS[place]
    if place == MOST_SIMILARITY_PROGRAMS:
        raise MemoryError(f"{name}: there is no room for more than {MOST_SIMILARITY_PROGRAMS} programs")
    program.statistics, program.pairs, program.formula, program.map = statistics, pairs, formula, map
    kernel.name, kernel.parameters, kernel.program = name, parameters, program
    SIMILARITY_KERNELS[name] = kernel
    return 0


# Loops ------------------------------------------------------------------------------------------------

# The exponent that a score has in the sum of its side, and its slope.
ctypedef floating (*Exponent)(floating x, floating a, floating b, floating* slope) noexcept nogil
ctypedef float (*FloatExponent)(float x, float a, float b, float* slope) noexcept nogil
ctypedef double (*DoubleExponent)(double x, double a, double b, double* slope) noexcept nogil

# The loss of one element, of a side, with the score of the anchor's own column; its slope.
ctypedef floating (*Element)(
    floating x, floating side, floating own, floating a, floating b, floating* slope
) noexcept nogil
ctypedef float (*FloatElement)(float x, float side, float own, float a, float b, float* slope) noexcept nogil
ctypedef double (*DoubleElement)(double x, double side, double own, double a, double b, double* slope) noexcept nogil

# The loss of a positive pair, whose anchor and candidate have these sums of negatives; the derivatives in the score and
# in the anchor's sum.
ctypedef floating (*Paired)(
    floating x, floating mine, floating other, floating a, floating* slope, floating* to_mine
) noexcept nogil
ctypedef float (*FloatPaired)(
    float x, float mine, float other, float a, float* slope, float* to_mine
) noexcept nogil
ctypedef double (*DoublePaired)(
    double x, double mine, double other, double a, double* slope, double* to_mine
) noexcept nogil


cdef inline floating fold_lanes(floating* v, bint largest) noexcept nogil:
    """The sum or the maximum of lanes, in an order that their number alone sets."""
    cdef Py_ssize_t i, width = PIECE_LANES // 2
    while width > 0:
        for i in range(width):
            if largest:
                v[i] = v[i + width] if v[i + width] > v[i] else v[i]
            else:
                v[i] += v[i + width]
        width //= 2
    return v[0]


cdef inline void add_exponentials(Exponent exponent, bint positive, Piece* g, double* shift, double* sum, floating a,
                                  floating b) noexcept nogil:
    """Add the exponentials of one side to a sum, after raising its shift to the largest exponent so far."""
    cdef const floating* x = <const floating*> g.x
    cdef const floating* side = <const floating*> g.side
    cdef floating lanes[PIECE_LANES]
    cdef floating e, slope, top
    cdef floating sign = 1 if positive else -1
    cdef Py_ssize_t i, j
    for i in range(PIECE_LANES):
        lanes[i] = -INFINITY
    for j in range(g.groups):
        for i in range(PIECE_LANES):
            e = exponent(x[j * PIECE_LANES + i], a, b, &slope)
            e = e if side[j * PIECE_LANES + i] == sign else <floating> -INFINITY
            lanes[i] = e if e > lanes[i] else lanes[i]
    top = fold_lanes(lanes, True)
    if top > shift[0]:
        sum[0] = sum[0] * exp(shift[0] - top) if shift[0] > -INFINITY else sum[0]
        shift[0] = top
    top = <floating> (shift[0] if shift[0] > -INFINITY else 0)
    for i in range(PIECE_LANES):
        lanes[i] = 0
    for j in range(g.groups):
        for i in range(PIECE_LANES):
            e = exp_in_sum(exponent(x[j * PIECE_LANES + i], a, b, &slope) - top)
            lanes[i] += e if side[j * PIECE_LANES + i] == sign else 0
    sum[0] += fold_lanes(lanes, False)


cdef inline void add_positives(Piece* g, floating like) noexcept nogil:
    """Add the scores of positives to the row's sum."""
    cdef const floating* x = <const floating*> g.x
    cdef const floating* side = <const floating*> g.side
    cdef floating lanes[PIECE_LANES]
    cdef Py_ssize_t i, j
    for i in range(PIECE_LANES):
        lanes[i] = 0
    for j in range(g.groups):
        for i in range(PIECE_LANES):
            lanes[i] += x[j * PIECE_LANES + i] if side[j * PIECE_LANES + i] > 0 else 0
    g.row.sum += fold_lanes(lanes, False)


cdef inline void map_exponentials(Exponent of_positive, Exponent of_negative, Piece* g, bint positive, floating pa,
                                  floating pb, floating na, floating nb) noexcept nogil:
    """From scores to the derivatives in them: each has a share of its side's."""
    cdef floating* x = <floating*> g.x
    cdef const floating* side = <const floating*> g.side
    cdef floating p_top = <floating> g.top_positive, n_top = <floating> g.top_negative
    cdef floating p_share = <floating> g.sum_positive, n_share = <floating> g.sum_negative
    cdef floating each = <floating> g.row.to_each
    cdef floating v, u, slope
    cdef Py_ssize_t i
    for i in range(g.groups * PIECE_LANES):
        v = n_share * exp_nonpositive(of_negative(x[i], na, nb, &slope) - n_top)
        v = v * slope if side[i] < 0 else 0
        if positive:
            u = p_share * exp_nonpositive(of_positive(x[i], pa, pb, &slope) - p_top) + each
            v = u * slope if side[i] > 0 else v
        x[i] = v


cdef inline void element_loop(Element element, bint map, Piece* g, floating a, floating b) noexcept nogil:
    cdef floating* x = <floating*> g.x
    cdef const floating* side = <const floating*> g.side
    cdef floating own = <floating> g.row.own, factor = <floating> g.row.to_each
    cdef floating values[PIECE_LANES]
    cdef floating slopes[PIECE_LANES]
    cdef floating v, s, slope
    cdef Py_ssize_t i, j
    if map:
        for i in range(g.groups * PIECE_LANES):
            element(x[i], side[i], own, a, b, &slope)
            x[i] = factor * slope if side[i] != 0 else 0
        return
    for i in range(PIECE_LANES):
        values[i] = 0
        slopes[i] = 0
    for j in range(g.groups):
        for i in range(PIECE_LANES):
            s = side[j * PIECE_LANES + i]
            v = element(x[j * PIECE_LANES + i], s, own, a, b, &slope)
            values[i] += v if s != 0 else 0
            slopes[i] += slope if s != 0 else 0
    g.row.sum += fold_lanes(values, False)
    g.row.slope += fold_lanes(slopes, False)


cdef inline void pair_sums(Paired pair, bint symmetric, Piece* g, floating a) noexcept nogil:
    """Add up the losses of the positive pairs, and their derivatives in the anchor's sum of negatives.

    A symmetric pair is one of its candidate's too, whose weight counts as well.
    """
    cdef const floating* x = <const floating*> g.x
    cdef const floating* side = <const floating*> g.side
    cdef const floating* other = <const floating*> g.other
    cdef const floating* weight = <const floating*> g.weight
    cdef floating mine = <floating> g.row.log_negative, factor = <floating> g.factor
    cdef floating values[PIECE_LANES]
    cdef floating slopes[PIECE_LANES]
    cdef floating v, s, slope, to_mine
    cdef Py_ssize_t i, j
    for i in range(PIECE_LANES):
        values[i] = 0
        slopes[i] = 0
    for j in range(g.groups):
        for i in range(PIECE_LANES):
            s = side[j * PIECE_LANES + i]
            v = pair(x[j * PIECE_LANES + i], mine, other[j * PIECE_LANES + i] if symmetric else 0, a, &slope, &to_mine)
            values[i] += v if s > 0 else 0
            to_mine = to_mine * ((factor + weight[j * PIECE_LANES + i]) if symmetric else factor)
            slopes[i] += to_mine if s > 0 else 0
    g.row.sum += fold_lanes(values, False)
    g.row.to_negative += fold_lanes(slopes, False)


cdef inline void map_pairs(Paired pair, Exponent of_negative, bint symmetric, bint positive, Piece* g, floating a,
                           floating na) noexcept nogil:
    cdef floating* x = <floating*> g.x
    cdef const floating* side = <const floating*> g.side
    cdef const floating* other = <const floating*> g.other
    cdef floating n_top = <floating> g.top_negative, n_share = <floating> g.sum_negative
    cdef floating mine = <floating> g.row.log_negative, factor = <floating> g.factor
    cdef floating v, slope, to_mine
    cdef Py_ssize_t i
    for i in range(g.groups * PIECE_LANES):
        v = n_share * exp_nonpositive(of_negative(x[i], na, 0, &slope) - n_top)
        v = v * slope if side[i] < 0 else 0
        if positive:
            pair(x[i], mine, other[i] if symmetric else 0, a, &slope, &to_mine)
            v = factor * slope if side[i] > 0 else v
        x[i] = v


# ... of both float types.

cdef inline void sum_sides(FloatExponent positive, FloatExponent negative, DoubleExponent wide_positive,
                           DoubleExponent wide_negative, Piece* g, double pa, double pb, double na,
                           double nb) noexcept nogil:
    if g.single:
        if g.positive:
            add_exponentials(positive, True, g, &g.top_positive, &g.sum_positive, <float> pa, <float> pb)
        add_exponentials(negative, False, g, &g.top_negative, &g.sum_negative, <float> na, <float> nb)
    else:
        if g.positive:
            add_exponentials(wide_positive, True, g, &g.top_positive, &g.sum_positive, pa, pb)
        add_exponentials(wide_negative, False, g, &g.top_negative, &g.sum_negative, na, nb)


cdef inline void map_sides(FloatExponent positive, FloatExponent negative, DoubleExponent wide_positive,
                           DoubleExponent wide_negative, Piece* g, double pa, double pb, double na,
                           double nb) noexcept nogil:
    if g.single and g.positive:
        map_exponentials(positive, negative, g, True, <float> pa, <float> pb, <float> na, <float> nb)
    elif g.single:
        map_exponentials(positive, negative, g, False, <float> pa, <float> pb, <float> na, <float> nb)
    elif g.positive:
        map_exponentials(wide_positive, wide_negative, g, True, pa, pb, na, nb)
    else:
        map_exponentials(wide_positive, wide_negative, g, False, pa, pb, na, nb)


cdef inline void sum_elements(FloatElement narrow, DoubleElement wide, Piece* g) noexcept nogil:
    if g.single:
        element_loop(narrow, False, g, <float> g.parameters[0], <float> g.parameters[1])
    else:
        element_loop(wide, False, g, g.parameters[0], g.parameters[1])


cdef inline void map_elements(FloatElement narrow, DoubleElement wide, Piece* g) noexcept nogil:
    if g.single:
        element_loop(narrow, True, g, <float> g.parameters[0], <float> g.parameters[1])
    else:
        element_loop(wide, True, g, g.parameters[0], g.parameters[1])


cdef inline void sum_pairs(FloatPaired narrow, DoublePaired wide, bint symmetric, Piece* g) noexcept nogil:
    if g.positive and g.single:
        pair_sums(narrow, symmetric, g, <float> g.parameters[0])
    elif g.positive:
        pair_sums(wide, symmetric, g, g.parameters[0])


cdef inline void map_of_pairs(FloatPaired narrow, DoublePaired wide, FloatExponent negative,
                              DoubleExponent wide_negative, bint symmetric, Piece* g) noexcept nogil:
    if g.single and g.positive:
        map_pairs(narrow, negative, symmetric, True, g, <float> g.parameters[0], <float> g.parameters[1])
    elif g.single:
        map_pairs(narrow, negative, symmetric, False, g, <float> g.parameters[0], <float> g.parameters[1])
    elif g.positive:
        map_pairs(wide, wide_negative, symmetric, True, g, g.parameters[0], g.parameters[1])
    else:
        map_pairs(wide, wide_negative, symmetric, False, g, g.parameters[0], g.parameters[1])


# Formulas ---------------------------------------------------------------------------------------------

cdef inline double softplus_of(double z, double* sigmoid) noexcept nogil:
    """log(1 + e^z), and its slope; 0 for -inf."""
    cdef double tail, other
    logistic(z, &tail, &other)
    sigmoid[0] = 1 - other if z > 0 else other
    return z + tail if z > 0 else tail


cdef inline floating as_it_is(floating x, floating a, floating b, floating* slope) noexcept nogil:
    slope[0] = 1
    return x


# Exponents of both sides, and rows, that several losses share.

cdef inline floating falling(floating x, floating a, floating b, floating* slope) noexcept nogil:
    slope[0] = -a
    return -a * (x - b)


cdef inline floating rising(floating x, floating a, floating b, floating* slope) noexcept nogil:
    slope[0] = a
    return a * (x - b)


cdef inline void two_sums(Compared* r, double of_positive, double of_negative) noexcept nogil:
    cdef double slope
    r.value = of_positive * softplus_of(r.log_positive, &slope)
    r.to_positive = of_positive * slope
    r.value += of_negative * softplus_of(r.log_negative, &slope)
    r.to_negative = of_negative * slope


cdef void sum_of_pairs(Compared* r, const double* p) noexcept nogil:
    r.value = r.sum


cdef void sum_of_elements(Compared* r, const double* p) noexcept nogil:
    r.value = r.sum
    r.to_each = 1
