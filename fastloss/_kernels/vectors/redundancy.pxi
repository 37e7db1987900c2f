# Losses of the correlations of features.

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
