# Lovasz extensions of the Jaccard loss: the errors of a region in descending order, each weighted with what the Jaccard
# loss gains when its element is counted as wrong too.
#
# The first pass writes the errors, with the sign of the mask: negative outside. An error that is not above 0 has no
# part in the loss and is a zero, as that of an element that does not count. Errors are sorted by their bits, whose
# order is that of positive numbers: a stable radix sort, so that equal errors come in the order of their elements. Each
# then becomes the slope of the loss in its element, in place.

cdef enum:
    PIECES = 3
    RADIX = 2048                        # 2^11: 31 bits are 11 and 10 and 10 of them, or 32 are 11 and 11 and 10

cdef double lovasz(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                   double* c) noexcept nogil:
    c[0] = 1
    c[1] = c[2] = c[3] = 0
    return s[1]


cdef Program in_order(Formula formula) noexcept:
    cdef Program p = program(NULL, NULL, formula, 0, 0)
    p.sorted = True
    return p


declare("lovasz", in_order(lovasz))


cdef inline void hinge_errors(const floating* z, const floating* t, const double* weight, floating* to,
                              Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating e, one = 1, zero = 0
    for i in range(n):
        e = one - z[i] if t[i] > 0 else one + z[i]
        e = zero if e <= 0 else e
        to[i] = e if t[i] > 0 else -e
    if weight != NULL:
        for i in range(n):
            to[i] = to[i] if weight[i] > 0 else zero


cdef inline void absolute_errors(const floating* p, const floating* q, const floating* t, const double* weight,
                                 floating* to, Py_ssize_t n) noexcept nogil:
    """|t - p|; NaN where a label is missing."""
    cdef Py_ssize_t i
    cdef floating zero = 0
    for i in range(n):
        to[i] = q[i] if t[i] > 0 else -p[i] + t[i]
    if weight != NULL:
        for i in range(n):
            to[i] = to[i] if weight[i] > 0 else zero


# The sort -----------------------------------------------------------------------------------------

cdef inline uint32_t piece(uint64_t packed, int k) noexcept nogil:
    return <uint32_t> (packed >> (32 + 11 * k)) & (RADIX - 1)


cdef uint64_t* sort_high_words(uint64_t* v, uint64_t* w, Py_ssize_t n, uint32_t* counts) noexcept nogil:
    """Sort by the upper 32 bits, stably: v or w, whichever then holds the numbers."""
    cdef Py_ssize_t i, k
    cdef uint32_t sum, here
    cdef uint32_t* count
    cdef uint64_t* swap
    memset(counts, 0, PIECES * RADIX * sizeof(uint32_t))
    for i in range(n):
        for k in range(PIECES):
            counts[k * RADIX + piece(v[i], k)] += 1
    for k in range(PIECES):
        count = counts + k * RADIX
        if n and <Py_ssize_t> count[piece(v[0], k)] == n:
            continue
        sum = 0
        for i in range(RADIX):
            here = count[i]
            count[i] = sum
            sum += here
        for i in range(n):
            here = piece(v[i], k)
            w[count[here]] = v[i]
            count[here] += 1
        swap = v
        v = w
        w = swap
    return v


cdef inline uint32_t high_word(floating e) noexcept nogil:
    """The upper bits of a magnitude; all of float32."""
    cdef float f
    cdef double d
    cdef uint32_t narrow
    cdef uint64_t wide
    if floating is float:
        f = e
        memcpy(&narrow, &f, sizeof(narrow))
        return narrow & 0x7fffffffu
    else:
        d = e
        memcpy(&wide, &d, sizeof(wide))
        return <uint32_t> (wide >> 32) & 0x7fffffffu


cdef inline uint32_t low_word(double e) noexcept nogil:
    cdef uint64_t wide
    memcpy(&wide, &e, sizeof(wide))
    return <uint32_t> wide


# A region ------------------------------------------------------------------------------------------

cdef inline floating* error_of(RegionJob* job, Py_ssize_t first, Py_ssize_t k, Py_ssize_t place,
                               floating like) noexcept nogil:
    """An element of class k, counted from image `first` on."""
    return <floating*> job.errors + (
        ((first + place // job.elements) * job.classes + k) * job.elements + place % job.elements
    )


cdef void sort_region(RegionJob* job, Py_ssize_t first, Py_ssize_t last, Py_ssize_t k, Worker* worker,
                      floating like) noexcept nogil:
    """The loss of class k in images first ... last, as its second sum, and the slope at each element."""
    cdef double* sums = sums_of(job, first, k)
    cdef double mask = sums[0], inside = mask, all_of = mask, gain, loss = 0
    cdef Py_ssize_t size = (last - first) * job.elements, n = 0, i, image
    cdef uint32_t* counts = <uint32_t*> worker.scratch
    cdef uint64_t* v = <uint64_t*> (worker.scratch + PIECES * RADIX * sizeof(uint32_t))
    cdef uint64_t* w = v + size
    cdef uint64_t outside
    cdef floating* e
    cdef floating error
    cdef bint missing = False
    for image in range(first, last):
        e = error_of(job, image, k, 0, like)
        for i in range(job.elements):
            error = e[i]
            missing |= error != error
            outside = error < 0
            v[n] = (<uint64_t> (0x7fffffffu - high_word(error)) << 32) | (
                <uint64_t> ((image - first) * job.elements + i) << 1
            ) | outside
            n += error != 0
    if missing:
        sums[1] = NAN
        for image in range(first, last):
            e = error_of(job, image, k, 0, like)
            for i in range(job.elements):
                e[i] = NAN
        return
    if floating is double:
        for i in range(n):
            e = error_of(job, first, k, <uint32_t> v[i] >> 1, like)
            v[i] = (<uint64_t> ~low_word(e[0]) << 32) | <uint32_t> v[i]
        v = sort_high_words(v, w, n, counts)
        w = <uint64_t*> (worker.scratch + PIECES * RADIX * sizeof(uint32_t))
        w = w + size if v == w else w
        for i in range(n):
            e = error_of(job, first, k, <uint32_t> v[i] >> 1, like)
            v[i] = (<uint64_t> (0x7fffffffu - high_word(e[0])) << 32) | <uint32_t> v[i]
    v = sort_high_words(v, w, n, counts)
    # Of what is counted as wrong so far, the mask without it has `inside` elements, its union with it `all_of`.
    for i in range(n):
        e = error_of(job, first, k, <uint32_t> v[i] >> 1, like)
        error = e[0]
        if v[i] & 1:
            gain = inside / (all_of * (all_of + 1)) if all_of != 0 else 1
            all_of += 1
            loss -= gain * error
            e[0] = <floating> gain
        else:
            gain = 1 / all_of
            inside -= 1
            loss += gain * error
            e[0] = <floating> -gain
    sums[1] = loss


cdef size_t sorting_bytes(RegionJob* job) noexcept nogil:
    cdef size_t size = (1 if job.by_image else job.images) * job.elements
    return PIECES * RADIX * sizeof(uint32_t) + 2 * size * sizeof(uint64_t)
