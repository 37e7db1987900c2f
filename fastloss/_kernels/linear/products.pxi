# Products of a matrix and a vector, of rows or columns that lie together in memory.

cdef inline floating multiply_add(floating a, floating b, floating c) noexcept nogil:
    if floating is float:
        return mul_add_f32(a, b, c)
    else:
        return mul_add(a, b, c)


cdef inline floating term(floating a, floating v, floating s, bint squared, bint selected) noexcept nogil:
    """a v + s, or a^2 v + s; where `selected`, a v of 0 takes no part even if a is not finite."""
    a = a * a if squared else a
    return multiply_add(a if not selected or v != 0 else 0, v, s)


cdef inline void dots_of(const floating* a, Py_ssize_t stride, Py_ssize_t count, Py_ssize_t length,
                         const floating* v, double* out, bint squared, bint selected) noexcept nogil:
    """out[c] += a[c] . v. Four vectors share what is loaded of v; the lanes of many are summed at once."""
    cdef floating sums[SUMMED * MOST_LANES]
    cdef floating s0[MOST_LANES]
    cdef floating s1[MOST_LANES]
    cdef floating s2[MOST_LANES]
    cdef floating s3[MOST_LANES]
    cdef floating s
    cdef const floating* a1
    cdef const floating* a2
    cdef const floating* a3
    cdef floating* tile
    cdef int lanes = 64 // sizeof(floating), j
    cdef Py_ssize_t c = 0, i, k, together
    while c < count:
        together = min(<Py_ssize_t> SUMMED, count - c)
        tile = sums
        for k in range(0, together, 4):
            a1 = a + (stride if k + 1 < together else 0)
            a2 = a1 + (stride if k + 2 < together else 0)
            a3 = a2 + (stride if k + 3 < together else 0)
            if stride == length:
                prefetch(<const char*> (a + AHEAD // sizeof(floating)), 4 * length * sizeof(floating))
            for j in range(lanes):
                s0[j] = s1[j] = s2[j] = s3[j] = 0
            i = 0
            while i + lanes <= length:
                for j in range(lanes):
                    s0[j] = term(a[i + j], v[i + j], s0[j], squared, selected)
                    s1[j] = term(a1[i + j], v[i + j], s1[j], squared, selected)
                    s2[j] = term(a2[i + j], v[i + j], s2[j], squared, selected)
                    s3[j] = term(a3[i + j], v[i + j], s3[j], squared, selected)
                i += lanes
            for j in range(lanes):
                tile[j] = s0[j]
                tile[lanes + j] = s1[j]
                tile[2 * lanes + j] = s2[j]
                tile[3 * lanes + j] = s3[j]
            for j in range(<int> (length - i)):
                tile[j] = term(a[i + j], v[i + j], tile[j], squared, selected)
                tile[lanes + j] = term(a1[i + j], v[i + j], tile[lanes + j], squared, selected)
                tile[2 * lanes + j] = term(a2[i + j], v[i + j], tile[2 * lanes + j], squared, selected)
                tile[3 * lanes + j] = term(a3[i + j], v[i + j], tile[3 * lanes + j], squared, selected)
            a = a3 + stride
            tile += 4 * lanes
        for k in range(together):
            s = 0
            for j in range(lanes):
                s += sums[k * lanes + j]
            out[c + k] += s
        c += together


cdef inline floating scaled(floating a, floating v, bint squared) noexcept nogil:
    return a * a * v if squared else a * v


cdef inline void add_eight(const floating** p, const floating* u, Py_ssize_t length, double* out,
                           bint squared) noexcept nogil:
    """out += sum of u[k] p[k]: eight vectors share a load and a store of out."""
    cdef const floating* p0 = p[0]
    cdef const floating* p1 = p[1]
    cdef const floating* p2 = p[2]
    cdef const floating* p3 = p[3]
    cdef const floating* p4 = p[4]
    cdef const floating* p5 = p[5]
    cdef const floating* p6 = p[6]
    cdef const floating* p7 = p[7]
    cdef floating u0 = u[0], u1 = u[1], u2 = u[2], u3 = u[3], u4 = u[4], u5 = u[5], u6 = u[6], u7 = u[7]
    cdef floating s
    cdef Py_ssize_t i
    for i in range(length):
        s = scaled(p0[i], u0, squared)
        s = term(p1[i], u1, s, squared, False)
        s = term(p2[i], u2, s, squared, False)
        s = term(p3[i], u3, s, squared, False)
        s = term(p4[i], u4, s, squared, False)
        s = term(p5[i], u5, s, squared, False)
        s = term(p6[i], u6, s, squared, False)
        s = term(p7[i], u7, s, squared, False)
        out[i] += s


cdef inline void add_one(const floating* p, floating u, Py_ssize_t length, double* out, bint squared) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(length):
        out[i] += scaled(p[i], u, squared)


cdef inline void combine_of(const floating* a, Py_ssize_t stride, Py_ssize_t count, Py_ssize_t length,
                            const floating* v, double* out, Py_ssize_t ahead, bint squared,
                            bint selected) noexcept nogil:
    """out += sum of v[c] a[c]; where `selected`, a v[c] of 0 takes no part.

    Meanwhile half as many are fetched from `ahead` bytes on: the memory does not rest.
    """
    cdef const floating* p[TOGETHER]
    cdef floating u[TOGETHER]
    cdef Py_ssize_t c
    cdef int held = 0, k
    for c in range(count):
        p[held] = a + c * stride
        u[held] = v[c]
        held += not selected or v[c] != 0
        if ahead and (held == TOGETHER or c == count - 1):
            prefetch(<const char*> (a + (c // TOGETHER * TOGETHER // 2) * stride) + ahead,
                     TOGETHER // 2 * length * sizeof(floating))
        if held == TOGETHER:
            add_eight(p, u, length, out, squared)
            held = 0
    for k in range(held):
        add_one(p[k], u[k], length, out, squared)


cdef void dots(const floating* a, Py_ssize_t stride, Py_ssize_t count, Py_ssize_t length, const floating* v,
               double* out, bint squared, bint selected) noexcept nogil:
    if squared:                         # of the way back alone, as is `selected`
        dots_of(a, stride, count, length, v, out, True, True)
    elif selected:
        dots_of(a, stride, count, length, v, out, False, True)
    else:
        dots_of(a, stride, count, length, v, out, False, False)


cdef void combine(const floating* a, Py_ssize_t stride, Py_ssize_t count, Py_ssize_t length, const floating* v,
                  double* out, Py_ssize_t ahead, bint squared, bint selected) noexcept nogil:
    if squared:                         # of the way back alone, which selects
        combine_of(a, stride, count, length, v, out, ahead, True, True)
    elif selected:
        combine_of(a, stride, count, length, v, out, ahead, False, True)
    else:
        combine_of(a, stride, count, length, v, out, ahead, False, False)
