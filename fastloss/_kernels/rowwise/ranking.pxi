# Losses of an order of the classes.

from fastloss._kernels.vecmath cimport exp_nonpositive, log1p_for, logistic_for

cdef inline void sum_list_net(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                              floating* s3) noexcept nogil:
    sum_dense(x, exp_nonpositive(t), a, q, s0, s1, s2, s3)


cdef inline void finish_list_net(Row* r, double classes, double a, double b, double c, double scale,
                                 floating like) noexcept nogil:
    cdef double rest = r.s0 + (r.s1 - 1)
    r.value = log1p_for(like, rest) - r.s2 / r.s3
    r.u = 1 / (1 + rest)
    r.v = rest / (1 + rest)
    r.a = 1
    r.b = 1 / r.s3
    r.c = 1


cdef inline floating map_list_net(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                  floating v, floating* hess) noexcept nogil:
    return map_dense_cross_entropy(x, exp_nonpositive(t), a, b, c, d, u, v, hess)


# A whole list at once -------------------------------------------------------------------------------

cdef enum:
    RANKED = 10                         # numbers for each item
    FEW = 40                            # items that are sorted by insertion

# A row that is sorted: `classes` numbers each, one after the other.
cdef struct Ranking:
    Worker* worker
    double* score
    double* relevance
    double* hit                         # of the items in order: the probability of coming before all after it
    double* miss
    double* grad
    double* hess
    uint64_t* key
    uint64_t* spare_key
    Py_ssize_t* order
    Py_ssize_t* spare


cdef void make_room(Ranking* list, Worker* worker, double* room, Py_ssize_t classes) noexcept nogil:
    list.worker = worker
    list.score = room
    list.relevance = room + classes
    list.hit = room + 2 * classes
    list.miss = room + 3 * classes
    list.grad = room + 4 * classes
    list.hess = room + 5 * classes
    list.key = <uint64_t*> (room + 6 * classes)
    list.spare_key = <uint64_t*> (room + 7 * classes)
    list.order = <Py_ssize_t*> (room + 8 * classes)
    list.spare = <Py_ssize_t*> (room + 9 * classes)


cdef inline bint carry_on_at(Ranking* list, Py_ssize_t i) noexcept nogil:
    """Whether to go on with item i."""
    return i % ROW_BLOCK != 0 or go_on(list.worker, ROW_BLOCK)


cdef bint sort_keys(Ranking* list, Py_ssize_t n) noexcept nogil:
    """Sort the keys with their items in `order`; equal keys keep their order. False if it was stopped."""
    cdef Py_ssize_t counts[8][256]
    cdef Py_ssize_t i, j, sum, item
    cdef uint64_t key
    cdef int byte
    if n <= FEW:
        for i in range(1, n):
            key, item = list.key[i], list.order[i]
            j = i
            while j > 0 and list.key[j - 1] > key:      # at most FEW turns
                list.key[j] = list.key[j - 1]
                list.order[j] = list.order[j - 1]
                j -= 1
            list.key[j] = key
            list.order[j] = item
        return True
    memset(counts, 0, sizeof(counts))
    for i in range(n):
        if not carry_on_at(list, i):
            return False
        for byte in range(8):
            counts[byte][(list.key[i] >> (8 * byte)) & 255] += 1
    for byte in range(8):
        if counts[byte][(list.key[0] >> (8 * byte)) & 255] == n:
            continue                    # all alike
        sum = 0
        for j in range(256):
            i = counts[byte][j]
            counts[byte][j] = sum
            sum += i
        for i in range(n):
            if not carry_on_at(list, i):
                return False
            j = (list.key[i] >> (8 * byte)) & 255
            list.spare_key[counts[byte][j]] = list.key[i]
            list.spare[counts[byte][j]] = list.order[i]
            counts[byte][j] += 1
        list.key, list.spare_key = list.spare_key, list.key
        list.order, list.spare = list.spare, list.order
    return True


cdef Py_ssize_t rank(Ranking* list, Py_ssize_t n) noexcept nogil:
    """Order the items from the highest relevance down, and count those above -inf; none if it was stopped."""
    cdef Py_ssize_t i, live = 0
    cdef uint64_t bits
    cdef double relevance
    for i in range(n):
        relevance = list.relevance[i] + 0.0     # -0 is 0
        memcpy(&bits, &relevance, sizeof(bits))
        # As unsigned integers negative numbers are in order from the largest down already.
        list.key[i] = bits if bits >> 63 else bits ^ (~<uint64_t> 0 >> 1)
        list.order[i] = i
        live += relevance != -INFINITY
    return live if sort_keys(list, n) else 0


cdef double list_mle(Ranking* list, Py_ssize_t n, bint want_grad, floating like) noexcept nogil:
    """The sum of softplus(L - z) over the items, where L is the log-sum-exp of the scores of all after it."""
    cdef double value = 0, lse = -INFINITY, z, apart, tail, small, chosen = 0, squared = 0
    cdef Py_ssize_t i, k, live = rank(list, n)
    for i in range(live - 1, -1, -1):
        if not carry_on_at(list, i):
            return value
        k = list.order[i]
        z = list.score[k] if list.relevance[k] == list.relevance[k] else <double> NAN
        apart = lse - z
        logistic_for(like, apart, &tail, &small)
        list.hit[i] = small if apart > 0 else 1 - small
        list.miss[i] = 1 - small if apart > 0 else small
        value += tail + (apart if apart > 0 else 0)
        lse = (lse if apart > 0 else z) + tail              # not from the loss: a score far below would take its digits
    if want_grad:
        # chosen = sum over the items before of exp(L_here - L_there), and `squared` that of the squares.
        for i in range(live):
            if not carry_on_at(list, i):
                return value
            k = list.order[i]
            list.grad[k] = list.hit[i] * chosen - list.miss[i]
            list.hess[k] = list.hit[i] * (list.miss[i] + chosen - list.hit[i] * squared)
            chosen = list.miss[i] * (1 + chosen)
            squared = list.miss[i] * list.miss[i] * (1 + squared)
        for i in range(live, n):
            list.grad[list.order[i]] = 0
            list.hess[list.order[i]] = 0
    return value


cdef void list_mle_of(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """Values of a group of rows, and the derivatives at once."""
    cdef Lanes* r = &s.group.lanes
    cdef Py_ssize_t i
    cdef bint want_grad = job.planes[PLANE_GRAD].data != NULL
    cdef double factor
    cdef Ranking list
    make_room(&list, s.worker, s.room, job.classes)
    for i in range(rows):
        r.value[i] = 0
        if r.weight[i] != 0:
            read_row(job, PLANE_X, start + i, list.score, s, like)
            read_row(job, PLANE_Y, start + i, list.relevance, s, like)
            r.value[i] = list_mle(&list, job.classes, want_grad, like)
        elif want_grad:
            memset(list.grad, 0, job.classes * sizeof(double))
            memset(list.hess, 0, job.classes * sizeof(double))
        factor = job.base.scale * r.weight[i] if r.value[i] == r.value[i] else NAN
        if want_grad:
            write_row(job, PLANE_GRAD, start + i, list.grad, factor, s, like)
        if job.planes[PLANE_HESS].data != NULL:
            write_row(job, PLANE_HESS, start + i, list.hess, factor, s, like)


cdef void list_mle_rows(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, bint single) noexcept nogil:
    if single:
        list_mle_of(job, start, rows, s, <float> 1)
    else:
        list_mle_of(job, start, rows, s, <double> 1)


# Programs -----------------------------------------------------------------------------------------

cdef void sum_list_net_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_list_net[float], sum_list_net[double], True, g)


cdef void finish_list_net_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_list_net[float], finish_list_net[double], g)


cdef void map_list_net_loop(RowGroup* g) noexcept nogil:
    map_classes(map_list_net[float], map_list_net[double], True, g)


declare("list_net", program(LOGITS, MAXIMUM, 4, sum_list_net_loop, finish_list_net_loop, map_list_net_loop))
declare("list_mle", routines(list_mle_rows, NULL, NULL, RANKED))
