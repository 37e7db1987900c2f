# Losses of an anchor among the candidates of a batch.

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


# Sigmoid of each score by itself.

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
