# Losses of embeddings and the proxies of their classes.

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
