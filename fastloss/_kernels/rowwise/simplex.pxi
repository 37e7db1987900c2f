# Losses of a whole distribution over the classes, of an order of them, and of one class alone.

cpdef enum:
    NEGATIVE_LOG_LIKELIHOOD = 0x100
    MULTICLASS_ZERO_ONE
    MULTICLASS_BRIER_OF_LABELS
    MULTICLASS_BRIER
    LIST_NET
    LIST_MLE

cdef inline int simplex_traits(int kernel) noexcept nogil:
    if kernel == NEGATIVE_LOG_LIKELIHOOD:
        return LABELLED | TARGET_ONLY
    if kernel == MULTICLASS_ZERO_ONE:
        return LABELLED | SHIFTED | ONLINE | ONE_SUM | JUDGED
    if kernel == MULTICLASS_BRIER_OF_LABELS:
        return SHIFTED | ONE_HOT | REPEATED
    if kernel == LIST_NET:
        return SHIFTED | SOFT_TARGETS
    if kernel == LIST_MLE:
        return SORTED
    return SHIFTED | REPEATED


# Of the label's class alone -------------------------------------------------------------------------

cdef inline void sum_nothing(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    pass


cdef inline void sum_present(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                             floating* s3) noexcept nogil:
    """How many others there are: NaN if one is. Of a score nothing is subtracted."""
    cdef floating one = 1 if x == x else x
    s0[0] += 0 if x == -INFINITY else one


cdef inline floating map_nothing(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                 floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return 0


cdef inline void finish_negative_log_likelihood(Row* r, double classes, double a, double b, double c,
                                                double scale, floating unit) noexcept nogil:
    r.value = weighed(r.label_weight, -r.target)
    r.target_grad = -r.label_weight


cdef inline void finish_zero_one(Row* r, double classes, double a, double b, double c, double scale,
                                 floating unit) noexcept nogil:
    cdef bint missing = (r.s0 != r.s0) | (r.target != r.target)
    r.value = <double> NAN if missing else r.label_weight * (1 - r.correct)


# Brier score: with B = sum p_k (p_k - t_k), the gradient is 2 p_k (p_k - t_k - B) ---------------------
#
# In two passes: `q` of the second is the largest probability, or where that is more than a half what it lacks of 1,
# below 0. Then its own share of B is subtracted without rounding.

cdef inline void sum_rest(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                          floating* s3) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    s0[0] += 0 if x == 0 else e
    s1[0] += 1 if x == 0 else 0


cdef inline void sum_brier(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    cdef floating one = 1
    cdef floating top = 1 if x == 0 else 0, rest = one - top, positive = 1 if q > 0 else 0
    cdef floating p = exp_nonpositive(x) * (q + (one - positive))
    cdef floating top_off = (one - t) - (positive - q), other_off = p - t
    cdef floating off = top_off if x == 0 else other_off
    s0[0] += top * off
    s1[0] += p * p
    s2[0] += off * off
    s3[0] += rest * (p * off)


cdef inline void finish_brier(Row* r, double classes, double a, double b, double c, double d,
                              floating unit) noexcept nogil:
    cdef bint first = r.again == 0
    cdef double rest = r.s0 + (r.s1 - 1)
    cdef double largest = 1 / (1 + rest) if first else r.v
    cdef double lack = rest * largest if first else 1 - largest if r.u > 0 else -r.u
    cdef double mean = r.s3 + largest * r.s0
    r.again = first
    r.value = r.s2
    r.u = (largest if largest <= 0.5 else -lack) if first else largest
    r.v = largest if first else lack
    r.a = 2
    r.b = 2 * mean
    r.c = 2 * (r.s3 if lack < 0.5 else mean)
    r.d = 2 * r.s1


cdef inline floating map_brier(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                               floating v, floating* hess) noexcept nogil:
    cdef floating one = 1
    cdef floating p = exp_nonpositive(x) * u, other_lack = one - p
    cdef floating lack = v if x == 0 else other_lack
    cdef floating top_off = (one - t) - v, other_off = p - t
    cdef floating off = top_off if x == 0 else other_off
    cdef floating rest = v if v < <floating> 0.5 else one
    cdef floating part = rest if x == 0 else one
    cdef floating mean = c if x == 0 else b
    cdef floating slope = a * off * part - mean
    hess[0] = p * (lack * slope + p * (a * (lack - p - off) + b + d))
    return p * slope


# Orders of the classes ------------------------------------------------------------------------------

cdef inline void sum_list_net(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                              floating* s3) noexcept nogil:
    sum_dense(x, exp_nonpositive(t), a, q, s0, s1, s2, s3)


cdef inline void finish_list_net(Row* r, double classes, double a, double b, double c, double scale,
                                 floating unit) noexcept nogil:
    cdef double rest = r.s0 + (r.s1 - 1)
    r.value = log1p_for(unit, rest) - r.s2 / r.s3
    r.u = 1 / (1 + rest)
    r.v = rest / (1 + rest)
    r.a = 1
    r.b = 1 / r.s3
    r.c = 1


cdef inline floating map_list_net(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                  floating v, floating* hess) noexcept nogil:
    return map_dense_cross_entropy(x, exp_nonpositive(t), a, b, c, d, u, v, hess)


cdef inline void simplex(int kernel, Stage* stage, floating unit) noexcept nogil:
    if kernel == NEGATIVE_LOG_LIKELIHOOD:
        specialise_rows(
            sum_nothing[floating], finish_negative_log_likelihood[floating], map_nothing[floating], False, stage, unit
        )
    elif kernel == MULTICLASS_ZERO_ONE:
        specialise_rows(sum_present[floating], finish_zero_one[floating], map_nothing[floating], False, stage, unit)
    elif kernel == MULTICLASS_BRIER or kernel == MULTICLASS_BRIER_OF_LABELS:
        specialise_repeated(
            sum_rest[floating], sum_brier[floating], finish_brier[floating], map_brier[floating], stage, unit
        )
    elif kernel == LIST_NET:
        specialise_rows(sum_list_net[floating], finish_list_net[floating], map_list_net[floating], True, stage, unit)


# A whole list at once -------------------------------------------------------------------------------

cdef enum:
    RANKED = 10                         # numbers for each item
    FEW = 40                            # items that are sorted by insertion

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


cdef double list_mle(Ranking* list, Py_ssize_t n, bint want_grad, floating unit) noexcept nogil:
    """The sum of softplus(L - z) over the items, where L is the log-sum-exp of the scores of all after it."""
    cdef double value = 0, lse = -INFINITY, z, apart, tail, small, chosen = 0, squared = 0
    cdef Py_ssize_t i, k, live = rank(list, n)
    for i in range(live - 1, -1, -1):
        if not carry_on_at(list, i):
            return value
        k = list.order[i]
        z = list.score[k] if list.relevance[k] == list.relevance[k] else <double> NAN
        apart = lse - z
        logistic_for(unit, apart, &tail, &small)
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
