# A batch of rows compared with another or with itself: passes over a block of their similarities, in place.
#
# A block has a row for each anchor of some and a column for each candidate of all; the driver in Python makes it by
# BLAS and takes from it, by BLAS again, the derivatives that these passes left there. Rows go through the first-level
# cache in pieces. Where it says score, it is a similarity times the job's scale, plus what its column adds.
#
# a. A candidate is positive, negative or neither, by its code and the anchor's: a column has the code of a class, or of
#    an item. The anchor's own column is the one positive of a row (`paired`) or neither; of others the same code makes
#    them neither, or positive.
# b. Everything that is one number for each row is in float64; rows are independent, and have the same bits in any grid.

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


# -log of the share that the positives have of all exponentials.

cdef void share_statistics(Piece* g) noexcept nogil:
    sum_sides(as_it_is[float], as_it_is[float], as_it_is[double], as_it_is[double], g, 0, 0, 0, 0)


cdef void share_map(Piece* g) noexcept nogil:
    map_sides(as_it_is[float], as_it_is[float], as_it_is[double], as_it_is[double], g, 0, 0, 0, 0)


cdef void share_row(Compared* r, const double* parameters) noexcept nogil:
    cdef double slope
    if r.log_negative == -INFINITY and r.log_positive > -INFINITY:
        r.value = r.to_positive = r.to_negative = 0
        return
    r.value = softplus_of(r.log_negative - r.log_positive, &slope)
    r.to_positive = -slope
    r.to_negative = slope

declare_similarity("share_of_positives", share_statistics, share_row, share_map)


# The mean over the positives of -log of the share that each has.

cdef void supervised_statistics(Piece* g) noexcept nogil:
    share_statistics(g)
    if g.positive and g.single:
        add_positives(g, <float> 1)
    elif g.positive:
        add_positives(g, <double> 1)


cdef void supervised_row(Compared* r, const double* parameters) noexcept nogil:
    cdef double slope, all_of, mean
    if r.positives == 0:
        return
    mean = r.sum / r.positives
    if r.positives == 1:                # nothing cancels where it is nearly certain
        r.value = softplus_of(r.log_negative - r.log_positive, &slope)
        r.to_positive = -slope
    else:
        all_of = r.log_positive + softplus_of(r.log_negative - r.log_positive, &slope)
        r.value = all_of - mean
        r.to_positive = 1 - slope
        r.to_each = -1 / r.positives
    r.to_negative = slope

declare_similarity("supervised_contrast", supervised_statistics, supervised_row, share_map)


# Multi-similarity and its kin: each side has a sum of its own, of which the logarithm with 1 counts.

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


cdef void multi_similarity_statistics(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    sum_sides(falling[float], rising[float], falling[double], rising[double], g, p[0], p[2], p[1], p[2])


cdef void multi_similarity_map(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    map_sides(falling[float], rising[float], falling[double], rising[double], g, p[0], p[2], p[1], p[2])


cdef void multi_similarity_row(Compared* r, const double* p) noexcept nogil:
    two_sums(r, 1 / p[0], 1 / p[1])

declare_similarity("multi_similarity", multi_similarity_statistics, multi_similarity_row, multi_similarity_map,
                   ("alpha", "beta", "base"))


cdef void proxy_anchor_statistics(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    sum_sides(falling[float], rising[float], falling[double], rising[double], g, p[1], p[0], p[1], -p[0])


cdef void proxy_anchor_map(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    map_sides(falling[float], rising[float], falling[double], rising[double], g, p[1], p[0], p[1], -p[0])


cdef void proxy_anchor_row(Compared* r, const double* p) noexcept nogil:
    two_sums(r, p[2], 1)

declare_similarity("proxy_anchor", proxy_anchor_statistics, proxy_anchor_row, proxy_anchor_map,
                   ("margin", "alpha", "share"))


# Circle: exponents that their own distance from the optimum weighs, as a constant or not.

cdef inline floating circle_positive(floating x, floating m, floating gamma, floating* slope) noexcept nogil:
    cdef floating one = 1
    cdef floating alpha = one + m - x if x < one + m else 0
    slope[0] = -gamma * alpha
    return -gamma * alpha * (x - (one - m))


cdef inline floating circle_negative(floating x, floating m, floating gamma, floating* slope) noexcept nogil:
    cdef floating alpha = x + m if x > -m else 0
    slope[0] = gamma * alpha
    return gamma * alpha * (x - m)


cdef inline floating whole_circle_positive(floating x, floating m, floating gamma, floating* slope) noexcept nogil:
    cdef floating one = 1, rest
    cdef floating e = circle_positive(x, m, gamma, &rest)
    slope[0] = (gamma + gamma) * (x - one) if x < one + m else 0
    return e


cdef inline floating whole_circle_negative(floating x, floating m, floating gamma, floating* slope) noexcept nogil:
    cdef floating rest
    cdef floating e = circle_negative(x, m, gamma, &rest)
    slope[0] = (gamma + gamma) * x if x > -m else 0
    return e


cdef void circle_statistics(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    sum_sides(circle_positive[float], circle_negative[float], circle_positive[double], circle_negative[double], g,
              p[0], p[1], p[0], p[1])


cdef void circle_map(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    map_sides(circle_positive[float], circle_negative[float], circle_positive[double], circle_negative[double], g,
              p[0], p[1], p[0], p[1])


cdef void whole_circle_map(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    map_sides(whole_circle_positive[float], whole_circle_negative[float], whole_circle_positive[double],
              whole_circle_negative[double], g, p[0], p[1], p[0], p[1])


cdef void circle_row(Compared* r, const double* p) noexcept nogil:
    cdef double slope
    if r.positives == 0 or r.negatives == 0:
        return
    r.value = softplus_of(r.log_positive + r.log_negative, &slope)
    r.to_positive = slope
    r.to_negative = slope

declare_similarity("circle", circle_statistics, circle_row, circle_map, ("m", "gamma"))
declare_similarity("circle_of_weights", circle_statistics, circle_row, whole_circle_map, ("m", "gamma"))


# Lifted structure: distances of unit rows, by their cosines.

cdef inline floating chord(floating x, floating* slope) noexcept nogil:
    """sqrt(2 - 2 x), and its slope: 0 where it is 0."""
    cdef floating one = 1
    cdef floating square = (one - x) + (one - x)
    cdef floating d = <floating> sqrt(square if square > 0 else 0) if square == square else square
    slope[0] = -one / d if d > 0 else 0
    return d


cdef inline floating beyond(floating x, floating margin, floating b, floating* slope) noexcept nogil:
    return chord(x, slope) - margin


cdef inline floating within(floating x, floating margin, floating b, floating* slope) noexcept nogil:
    cdef floating rising
    cdef floating d = chord(x, &rising)
    slope[0] = -rising
    return margin - d


cdef void lifted_statistics(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    sum_sides(beyond[float], within[float], beyond[double], within[double], g, p[0], 0, p[1], 0)


cdef void lifted_map(Piece* g) noexcept nogil:
    cdef const double* p = g.parameters
    map_sides(beyond[float], within[float], beyond[double], within[double], g, p[0], 0, p[1], 0)


cdef void lifted_row(Compared* r, const double* p) noexcept nogil:
    cdef double both = (r.log_positive if r.positives > 0 else 0) + (r.log_negative if r.negatives > 0 else 0)
    r.value = 0 if both <= 0 else both
    r.to_positive = r.to_negative = 0 if both <= 0 else 1 if both > 0 else both

declare_similarity("generalized_lifted", lifted_statistics, lifted_row, lifted_map, ("pos_margin", "neg_margin"))


cdef inline floating lifted_pair(floating x, floating mine, floating other, floating margin, floating* slope,
                                 floating* to_mine) noexcept nogil:
    """Half the square of the distance beyond its margin and the logarithm of both sums of negatives."""
    cdef floating rising, tail, less, apart = mine - other, half = <floating> 0.5
    cdef floating d = chord(x, &rising)
    cdef floating one = 1
    logistic(apart, &tail, &less)
    cdef floating both = (mine if apart > 0 else other) + tail + (d - margin)
    both = 0 if both <= 0 else both
    slope[0] = both * rising
    to_mine[0] = both * (one - less if apart > 0 else less)
    return half * both * both


cdef void lifted_pair_sums(Piece* g) noexcept nogil:
    sum_pairs(lifted_pair[float], lifted_pair[double], True, g)


cdef void lifted_pair_map(Piece* g) noexcept nogil:
    map_of_pairs(lifted_pair[float], lifted_pair[double], within[float], within[double], True, g)


cdef void negatives_within(Piece* g) noexcept nogil:
    if g.single:
        add_exponentials(within[float], False, g, &g.top_negative, &g.sum_negative, <float> g.parameters[1], <float> 0)
    else:
        add_exponentials(within[double], False, g, &g.top_negative, &g.sum_negative, g.parameters[1], <double> 0)


cdef void sum_of_pairs(Compared* r, const double* p) noexcept nogil:
    r.value = r.sum

declare_similarity("lifted_structure", negatives_within, sum_of_pairs, lifted_pair_map, ("pos_margin", "neg_margin"),
                   lifted_pair_sums)


# Normalised temperature-scaled cross-entropy: each positive alone among the negatives.

cdef inline floating alone(floating x, floating mine, floating other, floating a, floating* slope,
                           floating* to_mine) noexcept nogil:
    cdef floating tail, less, z = mine - x
    cdef floating one = 1
    logistic(z, &tail, &less)
    to_mine[0] = one - less if z > 0 else less
    slope[0] = -to_mine[0]
    return z + tail if z > 0 else tail


cdef void alone_statistics(Piece* g) noexcept nogil:
    if g.single:
        add_exponentials(as_it_is[float], False, g, &g.top_negative, &g.sum_negative, <float> 0, <float> 0)
    else:
        add_exponentials(as_it_is[double], False, g, &g.top_negative, &g.sum_negative, <double> 0, <double> 0)


cdef void alone_sums(Piece* g) noexcept nogil:
    sum_pairs(alone[float], alone[double], False, g)


cdef void alone_map(Piece* g) noexcept nogil:
    map_of_pairs(alone[float], alone[double], as_it_is[float], as_it_is[double], False, g)

declare_similarity("nt_xent", alone_statistics, sum_of_pairs, alone_map, (), alone_sums)


# One loss for each score.

cdef void sum_of_elements(Compared* r, const double* p) noexcept nogil:
    r.value = r.sum
    r.to_each = 1


cdef inline floating sigmoid_element(floating x, floating side, floating own, floating bias, floating b,
                                     floating* slope) noexcept nogil:
    """-log sigmoid(side (x + bias))."""
    cdef floating tail, less, z = -side * (x + bias)
    cdef floating one = 1
    logistic(z, &tail, &less)
    slope[0] = -side * (one - less if z > 0 else less)
    return z + tail if z > 0 else tail


cdef void sigmoid_sums(Piece* g) noexcept nogil:
    sum_elements(sigmoid_element[float], sigmoid_element[double], g)


cdef void sigmoid_map(Piece* g) noexcept nogil:
    map_elements(sigmoid_element[float], sigmoid_element[double], g)

declare_similarity("sigmoid_pairwise", sigmoid_sums, sum_of_elements, sigmoid_map, ("bias",))


cdef inline floating square_element(floating x, floating side, floating own, floating on, floating off,
                                    floating* slope) noexcept nogil:
    """The square of the distance from 1 on the diagonal, from 0 off it."""
    cdef floating one = 1
    cdef floating r = x - one if side > 0 else x
    cdef floating weight = on if side > 0 else off
    slope[0] = (weight + weight) * r
    return weight * r * r


cdef void square_sums(Piece* g) noexcept nogil:
    sum_elements(square_element[float], square_element[double], g)


cdef void square_map(Piece* g) noexcept nogil:
    map_elements(square_element[float], square_element[double], g)

declare_similarity("squares_from_identity", square_sums, sum_of_elements, square_map, ("on", "off"))


# Candidates that come within a margin of the anchor's own: the sum by which they do, or their number, sets the loss.

cdef inline floating violation(floating x, floating side, floating own, floating margin, floating b,
                               floating* slope) noexcept nogil:
    cdef floating short = margin - (own - x)
    cdef floating zero = 0
    slope[0] = 1 if (side < 0) & (short > 0) else zero
    return (zero if short <= 0 else short) if side < 0 else zero


cdef void violation_sums(Piece* g) noexcept nogil:
    sum_elements(violation[float], violation[double], g)


cdef void violation_map(Piece* g) noexcept nogil:
    cdef Py_ssize_t i
    cdef double of_own = -g.row.to_each * g.row.slope
    map_elements(violation[float], violation[double], g)
    if not g.positive:
        return
    for i in range(g.groups * PIECE_LANES):
        if g.single:
            if (<float*> g.side)[i] > 0:
                (<float*> g.x)[i] = <float> of_own
        elif g.side[i] > 0:
            g.x[i] = of_own


cdef void wmrb_row(Compared* r, const double* p) noexcept nogil:
    r.value = log1p(r.sum)
    r.to_each = 1 / (1 + r.sum)


cdef double harmonic(double n) noexcept nogil:
    """1 + 1/2 + ... + 1/n."""
    cdef double sum = 0, k = 1, square
    if n < 32:
        while k <= n:
            sum += 1 / k
            k += 1
        return sum
    square = 1 / (n * n)
    return log(n) + 0.5772156649015329 + 0.5 / n - square * (
        0.08333333333333333 - square * (0.008333333333333333 - square * 0.003968253968253968)
    )


cdef void warp_row(Compared* r, const double* p) noexcept nogil:
    r.to_each = harmonic(r.slope) / r.slope if r.slope > 0 else 0
    r.value = r.to_each * r.sum if r.slope > 0 else r.sum               # which may be NaN

declare_similarity("wmrb", violation_sums, wmrb_row, violation_map, ("margin",))
declare_similarity("warp", violation_sums, warp_row, violation_map, ("margin",))


# Rows of a block --------------------------------------------------------------------------------------

cdef struct SimilarityJob:
    const SimilarityProgram* program
    int operation
    bint paired
    double scale
    double factor                       # of the derivatives
    double parameters[4]
    char* block
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t chunk                    # rows of a task
    const char* row_codes               # in the type of the scores, which holds them exactly
    const char* column_codes
    const Py_ssize_t* own               # the anchor's own column, or -1
    const char* bias                    # NULL, or what a column adds to its scores
    const char* column_logs             # NULL, or what pairs know of their candidates
    const char* column_weights
    const double* given                 # NULL, or what stands for the log-sum-exp of the positives
    const double* weights               # of the rows, 0 where they do not count
    double* results[COMPARED_RESULTS]   # NULL where not asked for
    # Along both sides
    double* tops                        # of the columns
    double* sums
    const double* row_shifts
    const double* row_factors
    const char* column_shifts
    const char* column_factors


cdef inline void fill_piece(const SimilarityJob* job, Py_ssize_t row, Py_ssize_t first, Py_ssize_t n, Piece* g,
                            floating like) noexcept nogil:
    """Columns first ... of a row: their scores and sides."""
    cdef const floating* given = <const floating*> job.block + row * job.columns + first
    cdef const floating* codes = <const floating*> job.column_codes + first
    cdef const floating* bias = <const floating*> job.bias + (first if job.bias != NULL else 0)
    cdef floating code = (<const floating*> job.row_codes)[row], scale = <floating> job.scale
    cdef floating same = 0 if job.paired else 1
    cdef floating other = -1
    cdef floating* x = <floating*> g.x
    cdef floating* side = <floating*> g.side
    cdef Py_ssize_t i, own = job.own[row] - first if job.own[row] >= 0 else -1
    cdef int found = 0
    for i in range(n):
        x[i] = scale * given[i]
        side[i] = same if codes[i] == code else other
    if job.bias != NULL:
        for i in range(n):
            x[i] += bias[i]
    g.groups = (n + PIECE_LANES - 1) // PIECE_LANES
    for i in range(n, g.groups * PIECE_LANES):
        x[i] = 0
        side[i] = 0
    if own >= 0 and own < n:
        side[own] = 1 if job.paired else 0
        found = job.paired
    if not job.paired:
        for i in range(g.groups * PIECE_LANES):
            found |= side[i] > 0
    g.positive = found
    if job.column_logs != NULL:
        memcpy(g.other, <const floating*> job.column_logs + first, n * sizeof(floating))
        memcpy(g.weight, <const floating*> job.column_weights + first, n * sizeof(floating))


cdef inline void count_sides(Piece* g, floating like) noexcept nogil:
    cdef const floating* side = <const floating*> g.side
    cdef floating positives = 0, negatives = 0
    cdef Py_ssize_t i, n = g.groups * PIECE_LANES
    for i in range(n):
        positives += side[i] > 0
    for i in range(n):
        negatives += side[i] < 0
    g.row.positives += positives
    g.row.negatives += negatives


cdef void compare_row(const SimilarityJob* job, Py_ssize_t row, Piece* g, floating like) noexcept nogil:
    cdef floating* block = <floating*> job.block + row * job.columns
    cdef double weight = job.weights[row] * job.factor
    cdef Py_ssize_t first, n
    memset(&g.row, 0, sizeof(Compared))
    # Of symmetric pairs an anchor without weight is the candidate of others.
    if job.weights[row] == 0 and job.column_logs == NULL:
        if job.operation & GRAD:
            memset(block, 0, job.columns * sizeof(floating))
        for n in range(COMPARED_RESULTS):
            if job.results[n] != NULL:
                job.results[n][row] = 0
        return
    g.factor = weight
    g.top_positive = g.top_negative = -INFINITY
    g.sum_positive = g.sum_negative = 0
    if job.own[row] >= 0:
        g.row.own = job.scale * block[job.own[row]]
        if job.bias != NULL:
            g.row.own += (<const floating*> job.bias)[job.own[row]]
    first = 0
    while first < job.columns:
        n = min(<Py_ssize_t> PIECE, job.columns - first)
        fill_piece(job, row, first, n, g, like)
        count_sides(g, like)
        job.program.statistics(g)
        first += PIECE
    # A sum that is NaN has no shift to go with.
    g.row.log_positive = -INFINITY if g.sum_positive == 0 else log(g.sum_positive) + (
        g.top_positive if g.top_positive > -INFINITY else 0)
    g.row.log_negative = -INFINITY if g.sum_negative == 0 else log(g.sum_negative) + (
        g.top_negative if g.top_negative > -INFINITY else 0)
    if job.given != NULL:
        g.row.log_positive = job.given[row]
    if job.program.pairs != NULL and job.operation & (VALUE | GRAD):
        first = 0
        while first < job.columns:
            n = min(<Py_ssize_t> PIECE, job.columns - first)
            fill_piece(job, row, first, n, g, like)
            job.program.pairs(g)
            first += PIECE
    job.program.formula(&g.row, job.parameters)
    if job.results[COMPARED_VALUE] != NULL:
        job.results[COMPARED_VALUE][row] = g.row.value
    if job.results[COMPARED_LOG] != NULL:
        job.results[COMPARED_LOG][row] = g.row.log_negative
    if job.results[COMPARED_OWN] != NULL:
        job.results[COMPARED_OWN][row] = g.row.own
    if job.results[COMPARED_SLOPE] != NULL:
        job.results[COMPARED_SLOPE][row] = weight * (g.row.slope if job.given == NULL else g.row.to_positive)
    if not job.operation & GRAD:
        return
    # What pairs add up is weighted as it is.
    g.row.to_each *= weight
    g.sum_positive = weight * g.row.to_positive / g.sum_positive if g.sum_positive != 0 else 0
    if job.program.pairs == NULL:
        g.row.to_negative *= weight
    g.sum_negative = g.row.to_negative / g.sum_negative if g.sum_negative != 0 else 0
    g.top_positive = g.top_positive if g.top_positive > -INFINITY else 0
    g.top_negative = g.top_negative if g.top_negative > -INFINITY else 0
    first = 0
    while first < job.columns:
        n = min(<Py_ssize_t> PIECE, job.columns - first)
        fill_piece(job, row, first, n, g, like)
        job.program.map(g)
        memcpy(block + first, g.x, n * sizeof(floating))
        first += PIECE


cdef void compare_rows(SimilarityJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Piece* g = <Piece*> worker.scratch
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows)
    cdef unsigned mode = enter_ieee_mode()
    memset(g, 0, sizeof(Piece))
    g.single = floating is float
    g.parameters = job.parameters
    while row < stop and go_on(worker, job.columns):
        compare_row(job, row, g, like)
        row += 1
    leave_ieee_mode(mode)


cdef void compare_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    compare_rows(<SimilarityJob*> job, index, worker, <float> 1)


cdef void compare_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    compare_rows(<SimilarityJob*> job, index, worker, <double> 1)


# Columns of a block, for losses of both directions ----------------------------------------------------

cdef void add_to_columns(SimilarityJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """Add the exponentials of the negatives of some columns to their sums, 64 rows at a time."""
    cdef Py_ssize_t first = index * STRIP, n = min(<Py_ssize_t> STRIP, job.columns - first)
    cdef Py_ssize_t start = 0, stop, row, i
    cdef const floating* codes = <const floating*> job.column_codes + first
    cdef const floating* x
    cdef floating top[STRIP]
    cdef floating sum[STRIP]
    cdef floating code, e, none = -INFINITY, scale = <floating> job.scale
    cdef unsigned mode = enter_ieee_mode()
    while start < job.rows and go_on(worker, STRIP * STRIP_ROWS):
        stop = min(start + STRIP_ROWS, job.rows)
        for i in range(n):
            top[i] = none
            sum[i] = 0
        for row in range(start, stop):
            x = <const floating*> job.block + row * job.columns + first
            code = (<const floating*> job.row_codes)[row]
            for i in range(n):
                e = scale * x[i]
                e = e if codes[i] != code else none
                top[i] = e if e > top[i] else top[i]
        for i in range(n):
            if top[i] > job.tops[first + i]:
                if job.tops[first + i] > -INFINITY:
                    job.sums[first + i] *= exp(job.tops[first + i] - top[i])
                job.tops[first + i] = top[i]
            top[i] = <floating> (job.tops[first + i] if job.tops[first + i] > -INFINITY else 0)
        for row in range(start, stop):
            x = <const floating*> job.block + row * job.columns + first
            code = (<const floating*> job.row_codes)[row]
            for i in range(n):
                e = exp_in_sum(scale * x[i] - top[i])
                sum[i] += e if codes[i] != code else 0
        for i in range(n):
            job.sums[first + i] += sum[i]
        start = stop
    leave_ieee_mode(mode)


cdef void add_to_columns_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    add_to_columns(<SimilarityJob*> job, index, worker, <float> 1)


cdef void add_to_columns_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    add_to_columns(<SimilarityJob*> job, index, worker, <double> 1)


cdef void map_both(SimilarityJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """From scores to derivatives: each negative has a share of its row's and of its column's sum."""
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows), i
    cdef const floating* codes = <const floating*> job.column_codes
    cdef const floating* shifts = <const floating*> job.column_shifts
    cdef const floating* factors = <const floating*> job.column_factors
    cdef floating* x
    cdef floating code, shift, factor, v, score, scale = <floating> job.scale
    cdef unsigned mode = enter_ieee_mode()
    while row < stop and go_on(worker, job.columns):
        x = <floating*> job.block + row * job.columns
        code = (<const floating*> job.row_codes)[row]
        shift = <floating> job.row_shifts[row]
        factor = <floating> job.row_factors[row]
        for i in range(job.columns):
            score = scale * x[i]
            v = factor * exp_of(score - shift) + factors[i] * exp_of(score - shifts[i])
            x[i] = v if codes[i] != code else 0
        x[job.own[row]] = -(factor + factors[job.own[row]])
        row += 1
    leave_ieee_mode(mode)


cdef void map_both_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    map_both(<SimilarityJob*> job, index, worker, <float> 1)


cdef void map_both_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    map_both(<SimilarityJob*> job, index, worker, <double> 1)


# The entries ------------------------------------------------------------------------------------------

cdef enum:
    SIMILARITY_VIEWS = 20

cdef class Held:
    """Arrays of our own, contiguous and of known types, while a kernel works on them."""

    cdef Py_buffer views[SIMILARITY_VIEWS]
    cdef int count

    cdef void* take(self, object array, int dtype, Py_ssize_t size, bint written) except? NULL:
        """The memory of an array of so many elements; NULL for None."""
        cdef Py_buffer* view = &self.views[self.count]
        if array is None:
            return NULL
        hold(array, view, dtype, written, self.count)
        self.count += 1
        if view.len != size * view.itemsize:
            raise Mismatch(self.count - 1, tuple([view.shape[d] for d in range(view.ndim)]), view.itemsize)
        return view.buf

    def __dealloc__(self):
        cdef int k
        for k in range(self.count):
            PyBuffer_Release(&self.views[k])


cdef Held begin_similarities(SimilarityJob* job, block, rows, dict columns, bint paired, double scale, bint single):
    """Take what all passes over a block need: `rows` holds the codes, own columns and weights of its rows."""
    cdef Held held = Held()
    cdef int dtype = FLOAT32 if single else FLOAT64
    memset(job, 0, sizeof(SimilarityJob))
    job.rows, job.columns = block.shape
    job.block = <char*> held.take(block, dtype, job.rows * job.columns, True)
    job.row_codes = <const char*> held.take(rows[0], dtype, job.rows, False)
    job.own = <const Py_ssize_t*> held.take(rows[1], INT64, job.rows, False)
    job.weights = <const double*> held.take(rows[2], FLOAT64, job.rows, False)
    job.column_codes = <const char*> held.take(columns["codes"], dtype, job.columns, False)
    job.bias = <const char*> held.take(columns.get("bias"), dtype, job.columns, False)
    job.column_logs = <const char*> held.take(columns.get("logs"), dtype, job.columns, False)
    job.column_weights = <const char*> held.take(columns.get("weights"), dtype, job.columns, False)
    job.column_shifts = <const char*> held.take(columns.get("shifts"), dtype, job.columns, False)
    job.column_factors = <const char*> held.take(columns.get("factors"), dtype, job.columns, False)
    job.paired = paired
    job.scale = scale
    job.chunk = max(<Py_ssize_t> 1, TASK_SCORES // max(<Py_ssize_t> 1, job.columns))
    return held


cdef int run_similarities(SimilarityJob* job, Task task, Py_ssize_t tasks, int num_threads) except -1:
    num_threads = team(tasks, num_threads)
    with nogil:
        parallel_for(task, job, tasks, num_threads, sizeof(Piece))
    return 0


def compare(Kernel kernel, int operation, block, tuple rows, dict columns, *, bint paired, double scale,
            double factor, tuple constants, tuple results, given, bint single, int num_threads):
    """Turn a block of similarities into losses, and with GRAD into the derivatives in the scores, in place.

    `rows` are the codes, own columns and weights of the block's rows; `columns` the codes and what else there is of all
    columns, by name; both codes in the type of the block. Derivatives are multiplied by `factor`. `results` are
    COMPARED_VALUE ..., float64 arrays or None.
    """
    cdef SimilarityJob job
    cdef Held held = begin_similarities(&job, block, rows, columns, paired, scale, single)
    cdef int k
    job.program = <const SimilarityProgram*> kernel.program
    job.operation = operation
    job.factor = factor
    for k in range(len(constants)):
        job.parameters[k] = constants[k]
    for k in range(COMPARED_RESULTS):
        job.results[k] = <double*> held.take(results[k], FLOAT64, job.rows, True)
    job.given = <const double*> held.take(given, FLOAT64, job.rows, False)
    run_similarities(&job, compare_rows_of_float if single else compare_rows_of_double,
                     (job.rows + job.chunk - 1) // job.chunk, num_threads)


def add_columns(block, tuple rows, dict columns, tops, sums, *, double scale, bint single, int num_threads):
    """Add the exponentials of a block's negatives to the sums of their columns, which are shifted by `tops`."""
    cdef SimilarityJob job
    cdef Held held = begin_similarities(&job, block, rows, columns, True, scale, single)
    job.tops = <double*> held.take(tops, FLOAT64, job.columns, True)
    job.sums = <double*> held.take(sums, FLOAT64, job.columns, True)
    run_similarities(&job, add_to_columns_of_float if single else add_to_columns_of_double,
                     (job.columns + STRIP - 1) // STRIP, num_threads)


def map_of_both(block, tuple rows, dict columns, shifts, factors, *, double scale, bint single, int num_threads):
    """Turn a block into derivatives of losses of both directions, given the sums and factors of rows and columns."""
    cdef SimilarityJob job
    cdef Held held = begin_similarities(&job, block, rows, columns, True, scale, single)
    job.row_shifts = <const double*> held.take(shifts, FLOAT64, job.rows, False)
    job.row_factors = <const double*> held.take(factors, FLOAT64, job.rows, False)
    run_similarities(&job, map_both_of_float if single else map_both_of_double,
                     (job.rows + job.chunk - 1) // job.chunk, num_threads)


# Rows of the caller's arrays, and their gradients -----------------------------------------------------

cdef enum:
    TASK_NUMBERS = 1 << 15

cdef struct RowsJob:
    Operand operand                     # rows of the caller, or where to write their gradients
    Shape shape
    Py_ssize_t rows
    Py_ssize_t features
    Py_ssize_t chunk
    bint unit
    char* work                          # our rows
    const char* units
    double* norms
    double* along                       # NULL, or for a scalar product of each row


cdef void take_rows(RowsJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Scratch* s = <Scratch*> worker.scratch
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows), first, n, i
    cdef floating* out
    cdef const floating* x
    cdef double norm, top, shrink
    cdef unsigned mode = enter_ieee_mode()
    while row < stop and go_on(worker, job.features):
        out = <floating*> job.work + row * job.features
        first = 0
        while first < job.features:
            n = min(<Py_ssize_t> BLOCK, job.features - first)
            x = load(&job.operand, &job.shape, row * job.features + first, n, <floating*> s.x, s)
            memcpy(out + first, x, n * sizeof(floating))
            first += n
        if job.unit:
            shrink = 1
            if floating is double:      # whose squares may over- or underflow
                top = 0
                for i in range(job.features):
                    top = max(top, fabs(out[i]))
                if top > 1e140:
                    shrink = 2.409919865102884e-181         # 2^-600
                elif top < 1e-140:
                    shrink = 4.149515568880993e+180
            norm = 0
            first = 0
            while first < job.features:
                n = min(<Py_ssize_t> BLOCK, job.features - first)
                for i in range(n):
                    s.total[i] = (shrink * out[first + i]) * (shrink * out[first + i])
                norm += total(s.total, n)
                first += n
            norm = sqrt(norm)
            for i in range(job.features):
                out[i] = <floating> (shrink * out[i] / norm) if norm != 0 else 0
            job.norms[row] = norm / shrink
        row += 1
    leave_ieee_mode(mode)


cdef void give_rows(RowsJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """From gradients in unit rows to those in the caller's; what lies along a unit row is taken out.

    A gradient of zeros stays one, even in a row that is NaN: the row does not count.
    """
    cdef Scratch* s = <Scratch*> worker.scratch
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows), first, n, i
    cdef floating* g
    cdef const floating* unit
    cdef double along, norm
    cdef int some
    cdef unsigned mode = enter_ieee_mode()
    while row < stop and go_on(worker, job.features):
        g = <floating*> job.work + row * job.features
        unit = <const floating*> job.units + row * job.features
        along = 0
        some = 0
        for i in range(job.features):
            some |= g[i] != 0
        first = 0
        while some and first < job.features:
            n = min(<Py_ssize_t> BLOCK, job.features - first)
            for i in range(n):
                s.total[i] = <double> g[first + i] * unit[first + i]
            along += total(s.total, n)
            first += n
        if job.along != NULL:
            job.along[row] = along
        if job.unit and some:
            norm = job.norms[row]
            for i in range(job.features):
                g[i] = <floating> ((g[i] - along * unit[i]) / norm) if norm != 0 else 0
        if job.operand.data != NULL:
            first = 0
            while first < job.features:
                n = min(<Py_ssize_t> BLOCK, job.features - first)
                store(&job.operand, &job.shape, row * job.features + first, n, g + first, s)
                first += n
        row += 1
    stream_fence()
    leave_ieee_mode(mode)


cdef void take_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    take_rows(<RowsJob*> job, index, worker, <float> 1)


cdef void take_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    take_rows(<RowsJob*> job, index, worker, <double> 1)


cdef void give_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_rows(<RowsJob*> job, index, worker, <float> 1)


cdef void give_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_rows(<RowsJob*> job, index, worker, <double> 1)


cdef int run_rows(RowsJob* job, array, int dtype, work, units, norms, along, bint written, bint single, Task task,
                  int num_threads) except -1:
    cdef Held held = Held()
    cdef Py_buffer* view
    cdef Operand* operand = &job.operand
    cdef int axis, code = FLOAT32 if single else FLOAT64
    cdef Py_ssize_t chunks
    cdef Py_ssize_t lengths[2]
    job.rows, job.features = work.shape
    job.work = <char*> held.take(work, code, job.rows * job.features, True)
    job.units = <const char*> held.take(units, code, job.rows * job.features, False)
    job.norms = <double*> held.take(norms, FLOAT64, job.rows, True)
    job.along = <double*> held.take(along, FLOAT64, job.rows, True)
    if array is not None:
        view = &held.views[held.count]
        hold(array, view, dtype, written, held.count)
        held.count += 1
        lengths[0], lengths[1] = job.rows, job.features
        match(view, lengths, 2, held.count - 1)
        describe(operand, view, dtype)
        job.shape.ndim = 2
        job.shape.size = job.rows * job.features
        for axis in range(2):
            job.shape.lengths[axis] = lengths[axis]
        coalesce(&job.shape, &operand, 1)
    if job.rows == 0 or job.features == 0:
        return 0
    job.chunk = max(<Py_ssize_t> 1, TASK_NUMBERS // job.features)
    chunks = (job.rows + job.chunk - 1) // job.chunk
    num_threads = team(chunks, num_threads)
    with nogil:
        parallel_for(task, job, chunks, num_threads, sizeof(Scratch))
    return 0


def unit_rows(array, int dtype, work, norms, *, bint single, int num_threads):
    """Copy rows of any layout and type to `work`, with `norms` divided by their norms, which are written there."""
    cdef RowsJob job
    memset(&job, 0, sizeof(RowsJob))
    job.unit = norms is not None
    run_rows(&job, array, dtype, work, None, norms, None, False, single,
             take_rows_of_float if single else take_rows_of_double, num_threads)


def gradient_rows(array, int dtype, work, units, norms, along, *, bint single, int num_threads):
    """Turn gradients in unit rows, `work`, into those in the rows themselves, and write them to `array`, if any.

    Without `norms` the rows are no unit rows and the gradients stay. `along` is None or gets the scalar product of each
    row with its gradient.
    """
    cdef RowsJob job
    memset(&job, 0, sizeof(RowsJob))
    job.unit = norms is not None
    run_rows(&job, array, dtype, work, units, norms, along, True, single,
             give_rows_of_float if single else give_rows_of_double, num_threads)


# Columns: the features of a batch ---------------------------------------------------------------------

cdef enum:
    FEATURE_STRIP = 64                  # features of a task, and lanes

cdef struct FeaturesJob:
    Py_ssize_t rows
    Py_ssize_t features
    char* z                             # the features, and then less their means
    char* gradient
    const char* apart                   # NULL, or the gradient of another term
    double* deviations
    const double* factors               # NULL, or of each feature what of it is in the gradient
    double eps
    double degrees                      # what a sum of squares is divided by
    double weight                       # of the other term
    bint divided                        # by the deviations


cdef void centre_features(FeaturesJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Py_ssize_t first = index * FEATURE_STRIP, n = min(<Py_ssize_t> FEATURE_STRIP, job.features - first), row, i
    cdef floating* x
    cdef double sums[FEATURE_STRIP]
    cdef floating mean[FEATURE_STRIP]
    cdef unsigned mode = enter_ieee_mode()
    memset(sums, 0, sizeof(sums))
    for row in range(job.rows):
        x = <floating*> job.z + row * job.features + first
        for i in range(n):
            sums[i] += x[i]
    for i in range(n):
        mean[i] = <floating> (sums[i] / job.rows)
    memset(sums, 0, sizeof(sums))
    for row in range(job.rows):
        x = <floating*> job.z + row * job.features + first
        for i in range(n):
            x[i] -= mean[i]
            sums[i] += <double> x[i] * x[i]
    for i in range(n):
        sums[i] = sqrt(sums[i] / job.degrees + job.eps)
        job.deviations[first + i] = sums[i]
        mean[i] = <floating> (1 if sums[i] == 0 else sums[i])
    if job.divided:
        for row in range(job.rows):
            x = <floating*> job.z + row * job.features + first
            for i in range(n):
                x[i] /= mean[i]
    leave_ieee_mode(mode)


cdef void give_features(FeaturesJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """Through the deviations of standard features, or with more of the features and another term."""
    cdef Py_ssize_t first = index * FEATURE_STRIP, n = min(<Py_ssize_t> FEATURE_STRIP, job.features - first), row, i
    cdef floating* g
    cdef const floating* z
    cdef const floating* apart
    cdef double sums[FEATURE_STRIP]
    cdef floating along[FEATURE_STRIP]
    cdef floating slope[FEATURE_STRIP]
    cdef floating weight = <floating> job.weight
    cdef unsigned mode = enter_ieee_mode()
    if job.factors != NULL:
        for i in range(n):
            along[i] = <floating> job.factors[first + i]
        for row in range(job.rows):
            g = <floating*> job.gradient + row * job.features + first
            z = <const floating*> job.z + row * job.features + first
            apart = <const floating*> job.apart + row * job.features + first
            for i in range(n):
                g[i] += along[i] * z[i] + weight * apart[i]
    else:
        memset(sums, 0, sizeof(sums))
        for row in range(job.rows):
            g = <floating*> job.gradient + row * job.features + first
            z = <const floating*> job.z + row * job.features + first
            for i in range(n):
                sums[i] += <double> g[i] * z[i]
        for i in range(n):
            along[i] = <floating> (sums[i] / job.degrees)
            slope[i] = <floating> (0 if job.deviations[first + i] == 0 else 1 / job.deviations[first + i])
        for row in range(job.rows):
            g = <floating*> job.gradient + row * job.features + first
            z = <const floating*> job.z + row * job.features + first
            for i in range(n):
                g[i] = (g[i] - along[i] * z[i]) * slope[i]
    leave_ieee_mode(mode)


cdef void centre_features_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    centre_features(<FeaturesJob*> job, index, worker, <float> 1)


cdef void centre_features_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    centre_features(<FeaturesJob*> job, index, worker, <double> 1)


cdef void give_features_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_features(<FeaturesJob*> job, index, worker, <float> 1)


cdef void give_features_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_features(<FeaturesJob*> job, index, worker, <double> 1)


cdef int run_features(FeaturesJob* job, Task task, int num_threads) except -1:
    cdef Py_ssize_t strips = (job.features + FEATURE_STRIP - 1) // FEATURE_STRIP
    num_threads = team(strips, num_threads)
    with nogil:
        parallel_for(task, job, strips, num_threads, 64)
    return 0


def centred_features(z, deviations, *, double eps, Py_ssize_t degrees, bint divided, bint single, int num_threads):
    """Take the means of its columns from `z`, write their deviations, the root of the sums of squares over `degrees`
    plus `eps`, and divide by these if asked to, but not by 0."""
    cdef FeaturesJob job
    cdef Held held = Held()
    memset(&job, 0, sizeof(FeaturesJob))
    job.rows, job.features = z.shape
    job.z = <char*> held.take(z, FLOAT32 if single else FLOAT64, job.rows * job.features, True)
    job.deviations = <double*> held.take(deviations, FLOAT64, job.features, True)
    job.eps, job.degrees, job.divided = eps, degrees, divided
    run_features(&job, centre_features_of_float if single else centre_features_of_double, num_threads)


def features_gradient(gradient, z, deviations, factors, apart, *, double weight, Py_ssize_t degrees, bint single,
                      int num_threads):
    """Turn a gradient in standard features, `z`, into that in the features, or with `factors` of these, of the columns,
    add the features times them and another gradient, `apart`, times its weight."""
    cdef FeaturesJob job
    cdef Held held = Held()
    cdef int dtype = FLOAT32 if single else FLOAT64
    memset(&job, 0, sizeof(FeaturesJob))
    job.rows, job.features = z.shape
    job.gradient = <char*> held.take(gradient, dtype, job.rows * job.features, True)
    job.z = <char*> held.take(z, dtype, job.rows * job.features, False)
    job.deviations = <double*> held.take(deviations, FLOAT64, job.features, False)
    job.factors = <const double*> held.take(factors, FLOAT64, job.features, False)
    job.apart = <const char*> held.take(apart, dtype, job.rows * job.features, False)
    job.weight, job.degrees = weight, degrees
    run_features(&job, give_features_of_float if single else give_features_of_double, num_threads)
