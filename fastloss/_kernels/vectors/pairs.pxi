# Losses of two rows that belong together or do not.

cdef inline double cosine_embedding(double y, double s, double d1, double d2, const double* p, double* g0, double* g1,
                                    double* g2) noexcept nogil:
    cdef double excess = s - p[0]
    excess = 0 if excess <= 0 else excess
    g0[0] = -1 if y > 0 else (0 if excess == 0 else 1)
    return 1 - s if y > 0 else excess


cdef void cosine_embedding_loop(TupleGroup* group) noexcept nogil:
    each_tuple(cosine_embedding, group)

declare("cosine_embedding", program(SIGN_TARGET, 2, ((0, 1),), cosine_embedding_loop), ("margin",))


cdef inline double contrastive(double y, double d, double d1, double d2, const double* p, double* g0, double* g1,
                               double* g2) noexcept nogil:
    cdef double short = p[0] - d
    short = 0 if short <= 0 else short
    short = d if y > 0 else -short
    g0[0] = 2 * p[1] * short
    return p[1] * short * short


cdef void contrastive_loop(TupleGroup* group) noexcept nogil:
    each_tuple(contrastive, group)

declare("contrastive", program(SIGN_TARGET, 2, ((0, 1),), contrastive_loop), ("margin", "factor"))
