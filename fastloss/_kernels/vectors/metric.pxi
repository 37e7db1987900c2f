# Losses of metric learning: of all positives and all negatives of an anchor.

# Multi-similarity: each side has a sum of its own, of which the logarithm with 1 counts.

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


declare_similarity("lifted_structure", negatives_within, sum_of_pairs, lifted_pair_map, ("pos_margin", "neg_margin"),
                   lifted_pair_sums)
