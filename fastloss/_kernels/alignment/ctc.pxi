# Connectionist temporal classification: the lattice of a target's labels with blanks between them.
#
# A row of the lattice has the states of one frame: blanks 0 ... S, the k-th before label k, and labels 0 ... S - 1.
# They stand apart, b(k) and l(k), so that neighbours are neighbours in memory:
#
#     b'(k) = (b(k) + l(k - 1)) p(blank)
#     l'(k) = (l(k) + b(k) + l(k - 1) if no blank is needed between two labels) p(label k)
#
# a. Probabilities are those of the frame over the largest that the target needs, whose logarithms are added apart.
# b. Of the rows before each frame only those at the start of a block are kept: a block computes its own again, while
#    its logits are cached, and the lattice of a long sequence needs little memory.

cdef enum:
    LEAST_BLOCK = 2 * STEPS             # frames


cdef inline double* part_of(double* row, const Sequence* q, int part) noexcept nogil:
    """Of a row of the lattice: m and e of the blanks, m and e of the labels, label k at place k + 1."""
    return row + part * q.width


cdef void clear_row(double* row, const Sequence* q) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(q.width):
        row[k] = row[2 * q.width + k] = 0
        row[q.width + k] = row[3 * q.width + k] = NONE


cdef void clear_edges(double* row, const Sequence* q) noexcept nogil:
    """The places of a row that are read beside states, and never written."""
    cdef Py_ssize_t k
    row[2 * q.width] = 0
    row[3 * q.width] = NONE
    for k in range(q.inner, q.width):
        row[k] = 0
        row[q.width + k] = NONE
    for k in range(q.inner + 1, q.width):
        row[2 * q.width + k] = 0
        row[3 * q.width + k] = NONE


cdef size_t arrange_ctc(const AlignmentJob* job, Sequence* q, char* room) noexcept nogil:
    cdef size_t used = 0, item = 4 if job.single else 8
    cdef Py_ssize_t frames = q.frames, most = packed(min(q.labels + 1, job.classes))
    cdef bint grad = job.base.operation & GRAD
    q.inner = packed(q.labels + 1)
    q.width = q.inner + PACK
    q.block = max(<Py_ssize_t> LEAST_BLOCK, (<Py_ssize_t> sqrt(<double> frames) + STEPS - 1) // STEPS * STEPS)
    q.blocks = (frames + q.block - 1) // q.block
    q.place = <int32_t*> take(room, &used, 1, job.classes, sizeof(int32_t))
    q.classes = <int32_t*> take(room, &used, 1, most, sizeof(int32_t))
    q.which = <int32_t*> take(room, &used, 1, q.labels, sizeof(int32_t))
    q.skip = <double*> take(room, &used, 1, q.width, sizeof(double))
    q.top = <double*> take(room, &used, 1, frames, sizeof(double))
    q.rest = <double*> take(room, &used, 1, frames, sizeof(double))
    q.peak = <double*> take(room, &used, 1, frames, sizeof(double))
    q.level = <double*> take(room, &used, 1, frames, sizeof(double))
    q.logits = take(room, &used, frames, most, item)
    q.forward = <double*> take(room, &used, q.blocks if grad else 0, 4 * q.width, sizeof(double))
    q.backward = <double*> take(room, &used, q.blocks if grad else 0, 4 * q.width, sizeof(double))
    return used


cdef size_t equip_ctc(const AlignmentJob* job, const Sequence* q, Work* w, char* room) noexcept nogil:
    cdef size_t used = 0
    cdef Py_ssize_t needed = packed(min(q.labels + 1, job.classes)), rows = q.block if job.base.operation & GRAD else 1
    w.row = take(room, &used, 1, job.classes, sizeof(double))
    w.m = <double*> take(room, &used, 1, needed, sizeof(double))
    w.e = <double*> take(room, &used, 1, needed, sizeof(double))
    w.rows = <double*> take(room, &used, rows + 3, 4 * q.width, sizeof(double))
    w.odds = <double*> take(room, &used, rows, 2 * q.width + PACK, sizeof(double))
    w.share = <double*> take(room, &used, 1, needed, sizeof(double))
    return used


cdef void begin_ctc(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    """The classes that the target needs, in ascending order, and where each label is among them."""
    cdef Py_ssize_t k, c
    memset(q.place, 0, job.classes * sizeof(int32_t))
    q.place[job.blank] = 1
    for k in range(q.labels):
        q.place[q.label[k]] = 1
    q.needed = 0
    for c in range(job.classes):
        if q.place[c]:
            q.classes[q.needed] = <int32_t> c
            q.place[c] = <int32_t> q.needed
            q.needed += 1
    q.room = packed(q.needed)
    q.blank_at = q.place[job.blank]
    for k in range(q.labels):
        q.which[k] = q.place[q.label[k]]
    for k in range(q.width):
        q.skip[k] = 0 if 0 < k < q.labels and q.label[k] != q.label[k - 1] else NEVER


cdef void measure_frames(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block, floating like) noexcept nogil:
    cdef Py_ssize_t t, u
    cdef const floating* x
    cdef floating* needed
    cdef double peak
    for t in range(block * q.block, min(q.frames, (block + 1) * q.block)):
        if not go_on(w.worker, job.classes):
            return
        x = row_of(job, &job.x, row_at(job, q, t), <floating*> w.row, w.s)
        needed = <floating*> q.logits + t * q.room
        peak = -INFINITY
        for u in range(q.needed):
            needed[u] = x[q.classes[u]]
            peak = needed[u] if needed[u] > peak else peak
        for u in range(q.needed, q.room):
            needed[u] = -INFINITY
        q.level[t] = q.peak[t] = peak if peak > -INFINITY else 0.0
        if job.logits:
            softmax_of(x, job.classes, &q.top[t], &q.rest[t])
            q.level[t] = (q.peak[t] - q.top[t]) - log1p(q.rest[t])


cdef void measure_ctc(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block) noexcept nogil:
    if job.single:
        measure_frames(job, q, w, block, <float> 1)
    else:
        measure_frames(job, q, w, block, <double> 1)


cdef inline void exponentials(const floating* v, Py_ssize_t n, double peak, alone m, alone e) noexcept nogil:
    cdef Py_ssize_t u
    for u in range(n):
        exponential(<double> v[u] - peak, &m[u], &e[u])


cdef void odds_of_frame(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t t, double* odds) noexcept nogil:
    """Probabilities of the labels of a frame over the largest: m, e, and behind them those of the blank."""
    cdef Py_ssize_t k
    cdef int32_t u
    cdef double* m = odds
    cdef double* e = odds + q.width
    if job.single:
        exponentials(<const float*> q.logits + t * q.room, q.room, q.peak[t], w.m, w.e)
    else:
        exponentials(<const double*> q.logits + t * q.room, q.room, q.peak[t], w.m, w.e)
    for k in range(q.labels):
        u = q.which[k]
        m[k] = w.m[u]
        e[k] = w.e[u]
    for k in range(q.labels, q.inner):
        m[k] = 0
        e[k] = NONE
    odds[2 * q.width] = w.m[q.blank_at]
    odds[2 * q.width + 1] = w.e[q.blank_at]


cdef void advance_states(alone bm, alone be, alone lm, alone le, alone pm, alone pe, alone skip, double blank_m,
                         double blank_e, alone to_bm, alone to_be, alone to_lm, alone to_le,
                         Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef double top, two, three
    for k in range(n):
        top = larger(be[k], le[k])
        to_bm[k] = (bm[k] * power_of_two(be[k] - top) + lm[k] * power_of_two(le[k] - top)) * blank_m
        to_be[k] = top + blank_e
        three = le[k] + skip[k]
        top = larger(larger(be[k], le[k + 1]), three)
        two = mul_add(bm[k], power_of_two(be[k] - top), lm[k + 1] * power_of_two(le[k + 1] - top))
        to_lm[k + 1] = mul_add(lm[k], power_of_two(three - top), two) * pm[k]
        to_le[k + 1] = top + pe[k]


cdef void advance(const Sequence* q, double* row, double* odds, Py_ssize_t t, double* into) noexcept nogil:
    """From the states before frame t to those after it."""
    cdef Py_ssize_t w = q.width
    advance_states(row, row + w, row + 2 * w, row + 3 * w, odds, odds + w, q.skip, odds[2 * w], odds[2 * w + 1],
                   into, into + w, into + 2 * w, into + 3 * w, q.inner)
    if t % STEPS == STEPS - 1:
        normalise(into, into + w, w)
        normalise(into + 2 * w, into + 3 * w, w)


cdef void retreat_states(alone bm, alone be, alone lm, alone le, alone skip, alone to_bm, alone to_be, alone to_lm,
                         alone to_le, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef double top, two, three
    for k in range(n):
        top = larger(be[k], le[k + 1])
        to_bm[k] = mul_add(bm[k], power_of_two(be[k] - top), lm[k + 1] * power_of_two(le[k + 1] - top))
        to_be[k] = top
        three = le[k + 2] + skip[k + 1]
        top = larger(larger(le[k + 1], be[k + 1]), three)
        two = mul_add(lm[k + 1], power_of_two(le[k + 1] - top), bm[k + 1] * power_of_two(be[k + 1] - top))
        to_lm[k + 1] = mul_add(lm[k + 2], power_of_two(three - top), two)
        to_le[k + 1] = top


cdef void multiply_states(alone bm, alone be, alone lm, alone le, alone pm, alone pe, double blank_m, double blank_e,
                          alone to_bm, alone to_be, alone to_lm, alone to_le, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        to_bm[k] = bm[k] * blank_m
        to_be[k] = be[k] + blank_e
        to_lm[k + 1] = lm[k + 1] * pm[k]
        to_le[k + 1] = le[k + 1] + pe[k]


cdef void retreat(const Sequence* q, double* row, double* after) noexcept nogil:
    """From the probabilities of all from a frame on, given its state, to those of all after the frame before it."""
    cdef Py_ssize_t w = q.width
    retreat_states(row, row + w, row + 2 * w, row + 3 * w, q.skip, after, after + w, after + 2 * w, after + 3 * w,
                   q.inner)


cdef void emit(const Sequence* q, double* after, double* odds, Py_ssize_t t, double* into) noexcept nogil:
    """From the probabilities of all after frame t, given its state, to those with the frame."""
    cdef Py_ssize_t w = q.width
    multiply_states(after, after + w, after + 2 * w, after + 3 * w, odds, odds + w, odds[2 * w], odds[2 * w + 1],
                    into, into + w, into + 2 * w, into + 3 * w, q.inner)
    if t % STEPS == 0:
        normalise(into, into + w, w)
        normalise(into + 2 * w, into + 3 * w, w)


cdef void begin_forward(const Sequence* q, double* row) noexcept nogil:
    """Before the first frame: at the first blank."""
    clear_row(row, q)
    part_of(row, q, 0)[0] = 1
    part_of(row, q, 1)[0] = 0


cdef void begin_backward(const Sequence* q, double* row) noexcept nogil:
    """After the last frame: it must have ended at the last blank or label."""
    clear_row(row, q)
    part_of(row, q, 0)[q.labels] = 1
    part_of(row, q, 1)[q.labels] = 0


cdef void forward_ctc(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    cdef Py_ssize_t t, size = 4 * q.width
    cdef double* row = w.rows
    cdef double* into = w.rows + size
    cdef double high = 0, low = 0, top, m
    cdef bint grad = job.base.operation & GRAD
    begin_forward(q, row)
    clear_edges(into, q)
    for t in range(q.frames):
        if not go_on(w.worker, size):
            return
        if grad and t % q.block == 0:
            memcpy(q.forward + t // q.block * size, row, size * sizeof(double))
        odds_of_frame(job, q, w, t, w.odds)
        advance(q, row, w.odds, t, into)
        row, into = into, row
        add_exactly(q.level[t], &high, &low)
    q.norm = high + low
    # The end is the last blank or the last label, which is at the place after its number.
    top = larger(part_of(row, q, 1)[q.labels], part_of(row, q, 3)[q.labels])
    m = part_of(row, q, 0)[q.labels] * power_of_two(part_of(row, q, 1)[q.labels] - top)
    m += part_of(row, q, 2)[q.labels] * power_of_two(part_of(row, q, 3)[q.labels] - top)
    q.loss = -(q.norm + logarithm(m, top))


cdef void backward_ctc(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    cdef Py_ssize_t t, size = 4 * q.width
    cdef double* row = w.rows
    cdef double* after = w.rows + size
    begin_backward(q, row)
    clear_edges(after, q)
    for t in range(q.frames - 1, -1, -1):
        if not go_on(w.worker, size):
            return
        if (t + 1) % q.block == 0 or t == q.frames - 1:
            memcpy(q.backward + t // q.block * size, row, size * sizeof(double))
        odds_of_frame(job, q, w, t, w.odds)
        retreat(q, row, after)
        emit(q, after, w.odds, t, row)


cdef void settle_ctc(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    cdef bint zero_infinity = job.base.parameters[0] != 0, per_label = job.base.parameters[1] != 0
    if zero_infinity and q.loss == INFINITY:
        q.value = 0
    if per_label:
        q.parts = max(<Py_ssize_t> 1, q.labels)
    if q.alone and job.base.operation & GRAD and q.blocks > 0:
        begin_backward(q, q.backward + (q.blocks - 1) * 4 * q.width)


cdef void multiply_rows(alone am, alone ae, alone bm, alone be, Py_ssize_t n) noexcept nogil:
    """b = a b."""
    cdef Py_ssize_t k
    for k in range(n):
        bm[k] = am[k] * bm[k]
        be[k] = ae[k] + be[k]


cdef inline void align_to(alone m, alone e, Py_ssize_t n, double top) noexcept nogil:
    """m 2^(e - top), in place of m."""
    cdef Py_ssize_t k
    for k in range(n):
        m[k] = m[k] * power_of_two(e[k] - top)


cdef void share_frame(Sequence* q, Work* w, double* states, double* after) noexcept nogil:
    """How often a frame is of each needed class, given the target; `after` is written over."""
    cdef Py_ssize_t k, n = q.inner, width = q.width
    cdef double top, blanks, all_of_them
    cdef double* label = after + 2 * width + 1
    multiply_rows(states, states + width, after, after + width, n)
    multiply_rows(states + 2 * width + 1, states + 3 * width + 1, label, label + width, n)
    top = highest(label + width, n, highest(after + width, n, NONE))
    align_to(after, after + width, n, top)
    align_to(label, label + width, n, top)
    blanks = total(<const double*> after, n)
    all_of_them = blanks + total(<const double*> label, n)
    for k in range(q.needed):
        w.share[k] = 0
    w.share[q.blank_at] = blanks
    for k in range(q.labels):
        w.share[q.which[k]] += label[k]
    for k in range(q.needed):
        w.share[k] /= all_of_them


cdef inline void correct_largest(const floating* x, Py_ssize_t n, double top, double others, const double* share,
                                 double* slope) noexcept nogil:
    """The slope of the class that is likelier than all others together, as a difference of what the others are."""
    cdef Py_ssize_t u
    cdef double rest = 0
    for u in range(n):
        rest += 0 if x[u] == top else share[u]
    for u in range(n):
        slope[u] = rest - others if x[u] == top else slope[u]


cdef void write_frame(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t t, floating like) noexcept nogil:
    cdef const floating* x = NULL
    cdef const floating* needed = <const floating*> q.logits + t * q.room
    cdef Py_ssize_t u, row = row_at(job, q, t)
    cdef double whole = 0, top = 0
    if job.logits:
        x = row_of(job, &job.x, row, <floating*> w.row, w.s)
        top = q.top[t]
        whole = 1 + q.rest[t]
        for u in range(q.needed):
            w.m[u] = exp(needed[u] - top) / whole - w.share[u]
        if q.rest[t] < 1 and q.peak[t] == top:
            correct_largest(needed, q.needed, top, q.rest[t] / whole, w.share, w.m)
        for u in range(q.needed):
            w.share[u] = q.coefficient * w.m[u]
    else:
        for u in range(q.needed):
            w.share[u] = -q.coefficient * w.share[u]
    write_row(job, row, x, top, q.coefficient / whole if job.logits else 0.0, q.classes, w.share, q.needed, INFINITY,
              w.s)


cdef void differentiate_ctc(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block) noexcept nogil:
    cdef Py_ssize_t size = 4 * q.width, of_odds = 2 * q.width + PACK, first = block * q.block
    cdef Py_ssize_t last = min(q.frames, first + q.block), t, k
    cdef double* after = w.rows + q.block * size
    cdef double* row = after + size
    cdef double* before = q.forward + block * size
    cdef double* here
    for t in range(first, last):
        if not go_on(w.worker, size):
            return
        k = t - first
        here = w.rows + k * size
        clear_edges(here, q)
        odds_of_frame(job, q, w, t, w.odds + k * of_odds)
        advance(q, before, w.odds + k * of_odds, t, here)
        before = here
    memcpy(row, q.backward + block * size, size * sizeof(double))
    clear_edges(after, q)
    for t in range(last - 1, first - 1, -1):
        if not go_on(w.worker, job.classes + size):
            return
        k = t - first
        retreat(q, row, after)
        emit(q, after, w.odds + k * of_odds, t, row)
        share_frame(q, w, w.rows + k * size, after)
        if job.single:
            write_frame(job, q, w, t, <float> 1)
        else:
            write_frame(job, q, w, t, <double> 1)
    if q.alone and block > 0:
        memcpy(q.backward + (block - 1) * size, row, size * sizeof(double))


# Decoding -----------------------------------------------------------------------------------------

cdef enum:
    STAY, STEP, SKIP                    # how a state was come to: from itself, the one before it, the one before that


cdef void forced_path(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    """The likeliest way through the lattice: at each frame the class and its place in the target."""
    cdef Py_ssize_t t, s, states = 2 * q.labels + 1, at = q.index * job.longest
    cdef double* score = w.rows
    cdef double* into = w.rows + packed(states + 2) + 2
    cdef char* step
    cdef double best, p
    for s in range(-2, states):
        score[s + 2] = into[s + 2] = -INFINITY
    score[2] = 0                        # before the first frame: at the first blank
    for t in range(q.frames):
        if not go_on(w.worker, states):
            return
        step = <char*> q.backward + t * states
        for s in range(states):
            best = score[s + 2]
            step[s] = STAY
            if score[s + 1] > best:
                best, step[s] = score[s + 1], STEP
            if s % 2 and q.skip[s // 2] == 0 and score[s] > best:
                best, step[s] = score[s], SKIP
            into[s + 2] = best + log_probability(job, q, t, s)
        score, into = into, score
    s = states - 1
    if states > 1 and score[s + 1] > score[s + 2]:
        s -= 1
    q.loss = -score[s + 2]
    if not is_finite(q.loss):
        return
    for t in range(q.frames - 1, -1, -1):
        job.path[at + t] = q.label[s // 2] if s % 2 else job.blank
        job.positions[at + t] = s // 2 if s % 2 else -1
        job.scores[at + t] = log_probability(job, q, t, s)
        s -= (<char*> q.backward + t * states)[s]


cdef inline double log_probability(const AlignmentJob* job, const Sequence* q, Py_ssize_t t,
                                   Py_ssize_t s) noexcept nogil:
    """Of a state at a frame."""
    cdef Py_ssize_t at = t * q.room + (q.which[s // 2] if s % 2 else q.blank_at)
    cdef double v = (<const float*> q.logits)[at] if job.single else (<const double*> q.logits)[at]
    return q.level[t] + (v - q.peak[t])


cdef size_t arrange_path(const AlignmentJob* job, Sequence* q, char* room) noexcept nogil:
    """... with a byte for each frame and state."""
    cdef size_t used = arrange_ctc(job, q, room)
    q.backward = <double*> take(room, &used, q.frames, 2 * q.labels + 1, 1)
    return used


cdef void greedy_frames(AlignmentJob* job, Sequence* q, Work* w, floating like) noexcept nogil:
    cdef Py_ssize_t t, c, best, at = q.index * job.longest
    cdef const floating* x
    cdef double top, rest
    for t in range(q.frames):
        if not go_on(w.worker, job.classes):
            return
        x = row_of(job, &job.x, row_at(job, q, t), <floating*> w.row, w.s)
        softmax_of(x, job.classes, &top, &rest)
        best = -1
        for c in range(job.classes):
            if x[c] == top and rest == rest:
                best = c
                break
        job.path[at + t] = best
        job.scores[at + t] = NAN if best < 0 else -log1p(rest) if job.logits else top
        q.loss -= job.scores[at + t]


cdef void greedy_path(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil:
    """The likeliest class of each frame."""
    if job.single:
        greedy_frames(job, q, w, <float> 1)
    else:
        greedy_frames(job, q, w, <double> 1)


cdef Program of_ctc(Arrange arrange, BlockStep measure, Step decode) noexcept:
    cdef Program program
    program.arrange, program.equip, program.begin = arrange, equip_ctc, begin_ctc
    program.measure, program.forward, program.backward = measure, forward_ctc, backward_ctc
    program.settle, program.differentiate, program.decode = settle_ctc, differentiate_ctc, decode
    program.carries = True
    return program

declare("ctc", of_ctc(arrange_ctc, measure_ctc, NULL), ("zero_infinity", "per_label"))
declare("ctc_align", of_ctc(arrange_path, measure_ctc, forced_path))
declare("ctc_best_path", of_ctc(arrange_ctc, NULL, greedy_path))
