# Linear objectives: the sum of the losses of X w + b, and its derivatives in w and b, in one pass over X.
#
# a. A block of rows is multiplied by the coefficients, put through the loss and multiplied back while it is in
#    cache, and the next ones are fetched: X comes from memory once, and nothing as long as its columns is stored.
# b. Two loops serve both memory orders and both directions: `dots`, where the vectors lie along the sum, and
#    `combine`, where they lie across it.
# c. The grid of chunks depends on X alone. Each chunk has its own sums, which are folded in index order: no
#    trace of the number of threads.

include "engine/engine.pxi"

from fastloss._kernels.vecmath cimport mul_add

include "elementwise/block.pxi"
include "rowwise/rows.pxi"

cdef enum:
    LINEAR_BLOCK = 1 << 14              # bytes of X that stay in first-level cache, beside the next ones
    LINEAR_ROWS = 32                    # at least, for the loss's sake, unless they leave the second-level cache:
    LINEAR_CACHE = 1 << 18
    LINEAR_AHEAD = 1 << 13              # bytes: so far ahead rows are fetched, while the losses are computed too
    LINEAR_SUMS = 1 << 21               # bytes of one derivative's sums in all chunks
    FEWEST_CHUNKS = 4
    MOST_CHUNKS = 256
    MOST_LANES = 16                     # of float32: those of the widest registers
    SUMMED = 64                         # vectors whose lanes are summed at once
    TOGETHER = 8                        # vectors that `combine` adds at once

cpdef enum:
    MATRIX = 4                          # the culprit where compressed rows are inconsistent

# The arrays of a call after y and the weights.
cdef enum:
    DATA = 2
    INDICES, INDPTR, COEF, DIRECTION, SUMS_OUT, LINEAR_ARRAYS

ctypedef fused target:
    float
    double

cdef struct Matrix:
    const char* data
    Py_ssize_t columns
    Py_ssize_t stride                   # elements from one row, or column, or stored entry, to the next
    bint by_rows                        # rows are contiguous, not columns
    bint compressed                     # rows hold what is stored of them, with its columns
    const char* indices
    Py_ssize_t indices_stride           # bytes
    const char* indptr
    Py_ssize_t indptr_stride
    bint wide                           # 64-bit indices
    Py_ssize_t stored

cdef struct LinearJob:
    Job loss                            # targets, weights, domains, the grid over the rows
    Loop loop                           # of a loss of one prediction for each row
    Matrix x
    Py_ssize_t block                    # rows at a time
    Py_ssize_t ahead                    # bytes from rows that go back to those of the next block to fetch, or 0
    const void* coef                    # in the type of X, the intercept last
    const void* direction               # NULL: no Hessian-vector product
    int vectors                         # of sums: of the gradient, of the Hessian
    Py_ssize_t room                     # of one: the columns and the intercept, for each class
    double* sums                        # of all chunks
    RowJob* rows                        # NULL: one prediction for each row
    char* planes                        # of all chunks: a block of logits and of their derivatives
    Py_ssize_t plane                    # bytes of one
    char* whole_rows                    # of all chunks: a compressed row at full length, in the type of X
    Py_ssize_t whole_row                # bytes of one, or 0

# What a task works in.
cdef struct LinearScratch:
    RowScratch rows                     # with one prediction for each row, its block alone
    RowJob job


# Products -----------------------------------------------------------------------------------------

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
                prefetch(<const char*> (a + LINEAR_AHEAD // sizeof(floating)), 4 * length * sizeof(floating))
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


# Compressed rows ----------------------------------------------------------------------------------
#
# Their arrays are the caller's, who may change them at any time. Each index is read once and bounded before it is
# used, so that what is read and written stays inside, and the first row with a wrong one is reported.

cdef inline Py_ssize_t index_at(const char* of, Py_ssize_t stride, Py_ssize_t k, bint wide) noexcept nogil:
    # The compiler may not read a volatile number a second time.
    if wide:
        return (<const volatile int64_t*> (of + k * stride))[0]
    return (<const volatile int32_t*> (of + k * stride))[0]


cdef inline bint find_row(const Matrix* x, Py_ssize_t row, Py_ssize_t* first, Py_ssize_t* stop) noexcept nogil:
    """Where a row's entries are; false where that is not within what is stored."""
    first[0] = index_at(x.indptr, x.indptr_stride, row, x.wide)
    stop[0] = index_at(x.indptr, x.indptr_stride, row + 1, x.wide)
    return 0 <= first[0] <= stop[0] <= x.stored and (row > 0 or first[0] == 0)


cdef inline Py_ssize_t column_of(const Matrix* x, Py_ssize_t k) noexcept nogil:
    """The column of an entry, or -1 where there is no such column."""
    cdef Py_ssize_t column = index_at(x.indices, x.indices_stride, k, x.wide)
    return column if 0 <= column < x.columns else -1


cdef inline Py_ssize_t gather_of(const Matrix* x, Py_ssize_t start, Py_ssize_t n, const floating* v, target* out,
                                 Py_ssize_t classes) noexcept nogil:
    """out[i] += row[i] . v, in each class, of which there may be none; the first row that is wrong, or -1."""
    cdef const floating* data = <const floating*> x.data
    cdef Py_ssize_t i, j, k, first, stop, column
    cdef target s
    for i in range(n):
        if not find_row(x, start + i, &first, &stop):
            return start + i
        s = out[i] if classes == 1 else 0
        for k in range(first, stop):
            column = column_of(x, k)
            if column < 0:
                return start + i
            if classes == 1:            # in a register
                s += data[k * x.stride] * v[column]
            else:
                for j in range(classes):
                    out[i * classes + j] += data[k * x.stride] * v[column * classes + j]
        if classes == 1:
            out[i] = s
    return -1


cdef inline Py_ssize_t scatter_of(const Matrix* x, Py_ssize_t start, Py_ssize_t n, const floating* v, double* out,
                                  Py_ssize_t classes, bint squared, floating* whole_row) noexcept nogil:
    """out += sum of v[i] row[i], or of its squares, in each class; the first row that is wrong, or -1.

    Entries of one column add up, and only their sum can be squared: `whole_row`, all 0 before and after, holds it.
    """
    cdef const floating* data = <const floating*> x.data
    cdef Py_ssize_t i, j, k, first, stop, column
    cdef floating a
    for i in range(n):
        if classes == 1 and v[i] == 0:
            continue
        if not find_row(x, start + i, &first, &stop):
            return start + i
        if squared:
            for k in range(first, stop):
                column = column_of(x, k)
                if column < 0:
                    return start + i
                whole_row[column] += data[k * x.stride]
        for k in range(first, stop):
            column = column_of(x, k)
            if column < 0:
                return start + i
            a = data[k * x.stride]
            if squared:
                a = whole_row[column]
                whole_row[column] = 0
                if a == 0:
                    continue            # the sum has been added
            for j in range(classes):
                out[column * classes + j] += scaled(a, v[i * classes + j], squared)
    return -1


cdef Py_ssize_t gather(const Matrix* x, Py_ssize_t start, Py_ssize_t n, const floating* v, target* out,
                       Py_ssize_t classes) noexcept nogil:
    if classes == 1:
        return gather_of(x, start, n, v, out, 1)
    return gather_of(x, start, n, v, out, classes)


cdef Py_ssize_t scatter(const Matrix* x, Py_ssize_t start, Py_ssize_t n, const floating* v, double* out,
                        Py_ssize_t classes, bint squared, floating* whole_row) noexcept nogil:
    if squared:
        return scatter_of(x, start, n, v, out, classes, True, whole_row)
    if classes == 1:
        return scatter_of(x, start, n, v, out, 1, False, whole_row)
    return scatter_of(x, start, n, v, out, classes, False, whole_row)


cdef inline void report(Partial* partial, Py_ssize_t row) noexcept nogil:
    """A row of X that is wrong, or -1."""
    if row >= 0:
        partial.bad = row
        partial.culprit = MATRIX


# Passes over a block of rows ----------------------------------------------------------------------

cdef void forward(LinearJob* linear, Py_ssize_t start, Py_ssize_t n, const floating* v, double* out,
                  Partial* partial) noexcept nogil:
    """The rows times a vector, plus the intercept at its end."""
    cdef const Matrix* x = &linear.x
    cdef const floating* data = <const floating*> x.data
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = v[x.columns]
    if x.compressed:
        report(partial, gather(x, start, n, v, out, 1))
    elif x.by_rows:
        dots(data + start * x.stride, x.stride, n, x.columns, v, out, False, False)
    else:
        combine(data + start, x.stride, x.columns, n, v, out, 0, False, False)


cdef void backward(LinearJob* linear, Py_ssize_t start, Py_ssize_t n, const floating* v, double* sums,
                   floating* whole_row, bint squared, Partial* partial) noexcept nogil:
    """Add the rows, or their squares, weighted by a vector, and its sum for the intercept."""
    cdef const Matrix* x = &linear.x
    cdef const floating* data = <const floating*> x.data
    sums[x.columns] += total(v, n)
    if x.compressed:
        report(partial, scatter(x, start, n, v, sums, 1, squared, whole_row))
    elif x.by_rows:
        combine(data + start * x.stride, x.stride, n, x.columns, v, sums, linear.ahead, squared, True)
    else:
        dots(data + start, x.stride, x.columns, n, v, sums, squared, True)


cdef void linear_block(LinearJob* linear, Scratch* s, Py_ssize_t start, Py_ssize_t n, double* sums,
                       floating* whole_row, Partial* partial) noexcept nogil:
    cdef Job* job = &linear.loss
    cdef const floating* y = load(&job.operands[Y], &job.shape, start, n, <floating*> s.y, s)
    cdef const double* weight = NULL
    cdef double* predicted = s.grad_z
    cdef double* along = s.hess_z
    cdef floating* x = <floating*> s.x
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef Py_ssize_t i
    if job.weighted:
        weight = weigh(job, y, start, n, s, partial)
        partial.weight += total(weight, n)
    else:
        partial.weight += n
    if job.operation == 0:
        check(job, Y, y, weight, start, n, partial)
        if linear.x.compressed:
            report(partial, gather(&linear.x, start, n, <const floating*> NULL, <double*> NULL, 0))
        return
    forward(linear, start, n, <const floating*> linear.coef, predicted, partial)
    for i in range(n):
        x[i] = <floating> predicted[i]
    check(job, X, x, weight, start, n, partial)
    if partial.bad >= 0:
        return
    evaluate(linear.loop, job, job.operation, y, x, NULL, s, n)
    if job.operation & VALUE:
        partial.loss += weighted_total(job, weight, <floating*> s.value, n, s)
    if job.operation & GRAD:
        finish(job, grad, weight, 1, n)
        backward(linear, start, n, grad, sums, whole_row, False, partial)
        sums += linear.room
    if job.operation & HESS:
        finish(job, hess, weight, 1, n)
        if linear.direction != NULL:
            forward(linear, start, n, <const floating*> linear.direction, along, partial)
            for i in range(n):
                hess[i] = <floating> (hess[i] * along[i]) if hess[i] != 0 else 0
        backward(linear, start, n, hess, sums, whole_row, linear.direction == NULL, partial)


# A loss of several classes ------------------------------------------------------------------------
#
# Coefficients, logits and sums have the classes side by side: they are the lanes. The last lanes of a row reach
# into the next one, or into the slack of 64 bytes after the last; what they hold is dropped.

cdef inline void outer_of(const floating* a, Py_ssize_t step, Py_ssize_t along, Py_ssize_t count, Py_ssize_t length,
                          const floating* v, Py_ssize_t classes, bint squared, floating* sums) noexcept nogil:
    """sums[c] = sum over i of a[c step + i along] v[i], for up to eight c and as many classes as there are lanes."""
    cdef floating s0[MOST_LANES]
    cdef floating s1[MOST_LANES]
    cdef floating s2[MOST_LANES]
    cdef floating s3[MOST_LANES]
    cdef floating s4[MOST_LANES]
    cdef floating s5[MOST_LANES]
    cdef floating s6[MOST_LANES]
    cdef floating s7[MOST_LANES]
    cdef const floating* a1 = a + (step if count > 1 else 0)
    cdef const floating* a2 = a1 + (step if count > 2 else 0)
    cdef const floating* a3 = a2 + (step if count > 3 else 0)
    cdef const floating* a4 = a3 + (step if count > 4 else 0)
    cdef const floating* a5 = a4 + (step if count > 5 else 0)
    cdef const floating* a6 = a5 + (step if count > 6 else 0)
    cdef const floating* a7 = a6 + (step if count > 7 else 0)
    cdef int lanes = 64 // sizeof(floating), j
    cdef Py_ssize_t i, k = 0
    for j in range(lanes):
        s0[j] = s1[j] = s2[j] = s3[j] = s4[j] = s5[j] = s6[j] = s7[j] = 0
    for i in range(length):
        for j in range(lanes):
            s0[j] = term(a[k], v[j], s0[j], squared, False)
            s1[j] = term(a1[k], v[j], s1[j], squared, False)
            s2[j] = term(a2[k], v[j], s2[j], squared, False)
            s3[j] = term(a3[k], v[j], s3[j], squared, False)
            s4[j] = term(a4[k], v[j], s4[j], squared, False)
            s5[j] = term(a5[k], v[j], s5[j], squared, False)
            s6[j] = term(a6[k], v[j], s6[j], squared, False)
            s7[j] = term(a7[k], v[j], s7[j], squared, False)
        k += along
        v += classes
    for j in range(lanes):
        sums[j] = s0[j]
        sums[lanes + j] = s1[j]
        sums[2 * lanes + j] = s2[j]
        sums[3 * lanes + j] = s3[j]
        sums[4 * lanes + j] = s4[j]
        sums[5 * lanes + j] = s5[j]
        sums[6 * lanes + j] = s6[j]
        sums[7 * lanes + j] = s7[j]


cdef void outer(const floating* a, Py_ssize_t step, Py_ssize_t along, Py_ssize_t count, Py_ssize_t length,
                const floating* v, Py_ssize_t classes, bint squared, floating* sums) noexcept nogil:
    if squared:
        outer_of(a, step, along, count, length, v, classes, True, sums)
    else:
        outer_of(a, step, along, count, length, v, classes, False, sums)


cdef void class_logits(const LinearJob* linear, Py_ssize_t start, Py_ssize_t n, const floating* v, floating* out,
                       Partial* partial) noexcept nogil:
    """The rows times a matrix of one column for each class, plus the intercepts in its last row."""
    cdef const Matrix* x = &linear.x
    cdef const floating* data = <const floating*> x.data
    cdef Py_ssize_t classes = linear.rows.classes, first = 0, i, k, take
    cdef Py_ssize_t down = x.stride if x.by_rows else 1, along = 1 if x.by_rows else x.stride
    cdef int lanes = 64 // sizeof(floating)
    cdef floating sums[TOGETHER * MOST_LANES]
    for i in range(n):
        memcpy(out + i * classes, v + x.columns * classes, classes * sizeof(floating))
    if x.compressed:
        report(partial, gather(x, start, n, v, out, classes))
        return
    while first < classes:
        take = min(<Py_ssize_t> lanes, classes - first)
        for i in range(n):
            if i % TOGETHER == 0:
                outer(data + (start + i) * down, down, along, n - i, x.columns, v + first, classes, False, sums)
            for k in range(take):
                out[i * classes + first + k] += sums[i % TOGETHER * lanes + k]
        first += lanes


cdef void class_sums(const LinearJob* linear, Py_ssize_t start, Py_ssize_t n, const floating* v, double* sums,
                     floating* whole_row, bint squared, Partial* partial) noexcept nogil:
    """Add the rows, or their squares, times what each class has for them, and its sums for the intercepts."""
    cdef const Matrix* x = &linear.x
    cdef const floating* data = <const floating*> x.data
    cdef Py_ssize_t classes = linear.rows.classes, first = 0, i, k, take
    cdef Py_ssize_t down = x.stride if x.by_rows else 1, along = 1 if x.by_rows else x.stride
    cdef int lanes = 64 // sizeof(floating)
    cdef floating part[TOGETHER * MOST_LANES]
    for i in range(n):
        for k in range(classes):
            sums[x.columns * classes + k] += v[i * classes + k]
    if x.compressed:
        report(partial, scatter(x, start, n, v, sums, classes, squared, whole_row))
        return
    while first < classes:
        take = min(<Py_ssize_t> lanes, classes - first)
        for i in range(x.columns):
            if i % TOGETHER == 0:
                outer(data + start * down + i * along, along, down, x.columns - i, n, v + first, classes, squared, part)
            for k in range(take):
                sums[i * classes + first + k] += part[i % TOGETHER * lanes + k]
        first += lanes


cdef void class_product(RowJob* rows, const Lanes* r, Py_ssize_t n, const floating* logits, floating* along,
                        floating* p) noexcept nogil:
    """In place of u = `along`, the Hessian of each row's loss times u: w (p u - p (p . u)), p its probabilities."""
    cdef Py_ssize_t classes = rows.classes, i, k
    cdef double kept = rows.base.parameters[0], even = 1, curve, dot
    if rows.class_weight != NULL:
        even = total(rows.class_weight, classes) / classes
    for i in range(n):
        curve = r.weight[i] * (r.label_weight[i] * kept + even * (1 - kept)) * rows.scale * rows.scale
        if curve == 0:
            memset(along, 0, classes * sizeof(floating))
        else:
            for k in range(classes):
                p[k] = <floating> exp_for(p[k], logits[k] * rows.scale - r.lse[i], 0)
            dot = 0
            for k in range(classes):
                dot += p[k] * along[k]
            for k in range(classes):
                along[k] = <floating> (curve * p[k] * (along[k] - dot))
        logits += classes
        along += classes


cdef void class_sums_of_counted(const LinearJob* linear, const Lanes* r, Py_ssize_t start, Py_ssize_t n,
                                const floating* v, double* sums, floating* whole_row, bint squared,
                                Partial* partial) noexcept nogil:
    """The sums over runs of rows that count: others take no part even if they are not finite."""
    cdef Py_ssize_t first = 0, stop
    while first < n:
        stop = first
        while stop < n and r.weight[stop] != 0:
            stop += 1
        if stop > first:
            class_sums(linear, start + first, stop - first, v + first * linear.rows.classes, sums, whole_row, squared,
                       partial)
        first = stop + 1


cdef void class_block(LinearJob* linear, RowJob* rows, RowScratch* s, Py_ssize_t start, Py_ssize_t n, double* sums,
                      char* planes, floating* whole_row, Partial* partial, floating like) noexcept nogil:
    cdef Job* job = &linear.loss
    cdef int k, operation = job.operation
    cdef bint product = linear.direction != NULL
    cdef floating* logits = <floating*> planes
    cdef floating* grad = <floating*> (planes + linear.plane)
    cdef floating* hess = <floating*> (planes + 2 * linear.plane)
    # The rowwise driver sees the block alone: its labels and weights, logits and derivatives.
    for k in range(OPERANDS):
        if job.operands[k].data != NULL:
            rows.base.operands[k].data = job.operands[k].data + start * job.operands[k].strides[0]
    rows.base.shape.size = rows.base.shape.lengths[0] = n
    rows.shape.size = rows.shape.lengths[0] = n * rows.classes
    rows.rows = n
    rows.planes[PLANE_X].data = <char*> logits
    rows.planes[PLANE_GRAD].data = <char*> grad if operation & GRAD else NULL
    rows.planes[PLANE_HESS].data = <char*> hess if operation & HESS and not product else NULL
    rows.base.operation = <int> VALUE if product else operation
    if operation:
        class_logits(linear, start, n, <const floating*> linear.coef, logits, partial)
    elif linear.x.compressed:
        report(partial, gather(&linear.x, start, n, <const floating*> NULL, <double*> NULL, 0))
    if partial.bad >= 0:
        return
    group(rows, s, 0, n, partial, like)
    if partial.bad >= 0:
        partial.bad += start
        return
    if operation & GRAD:
        class_sums_of_counted(linear, &s.group.lanes, start, n, grad, sums, whole_row, False, partial)
        sums += linear.room
    if product:
        class_logits(linear, start, n, <const floating*> linear.direction, grad, partial)
        class_product(rows, &s.group.lanes, n, logits, grad, hess)
        class_sums_of_counted(linear, &s.group.lanes, start, n, grad, sums, whole_row, False, partial)
    elif operation & HESS:
        class_sums_of_counted(linear, &s.group.lanes, start, n, hess, sums, whole_row, True, partial)


cdef void linear_chunk(LinearJob* linear, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef LinearScratch* s = <LinearScratch*> worker.scratch
    cdef Partial partial
    cdef Job* job = &linear.loss
    cdef Py_ssize_t start = index * job.chunk, stop = min(start + job.chunk, job.shape.size), n
    cdef double* sums = linear.sums + index * linear.vectors * linear.room
    cdef char* planes = linear.planes + index * 3 * linear.plane
    cdef floating* whole_row = <floating*> (linear.whole_rows + index * linear.whole_row)
    cdef unsigned mode = enter_ieee_mode()
    memset(&partial, 0, sizeof(Partial))
    memset(sums, 0, linear.vectors * linear.room * sizeof(double))
    memset(planes, 0, 3 * linear.plane)
    memset(whole_row, 0, linear.whole_row)
    partial.bad = -1
    if linear.rows != NULL:
        s.job = linear.rows[0]
        begin(&s.job, &s.rows, worker)
    while start < stop and partial.bad < 0 and go_on(worker, linear.block * linear.room):
        n = min(linear.block, stop - start)
        if linear.rows == NULL:
            linear_block(linear, &s.rows.block, start, n, sums, whole_row, &partial)
        else:
            class_block(linear, &s.job, &s.rows, start, n, sums, planes, whole_row, &partial, like)
        start += linear.block
    job.partials[index] = partial
    leave_ieee_mode(mode)


cdef void linear_chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    linear_chunk(<LinearJob*> job, index, worker, <float> 1)


cdef void linear_chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    linear_chunk(<LinearJob*> job, index, worker, <double> 1)


# The entry ----------------------------------------------------------------------------------------

cdef int prepare_rows(RowJob* rows, Kernel kernel, const Job* loss, tuple classes, Py_ssize_t itemsize) except -1:
    """A job of the rowwise driver for the rows of one block at a time."""
    cdef const double[::1] class_weight
    cdef int k
    cdef Operand* plane
    memset(rows, 0, sizeof(RowJob))
    rows.program = <const Program*> kernel.program
    rows.base = loss[0]
    rows.base.scale = 1
    rows.base.nan_policy = PROPAGATE
    rows.classes = classes[0]
    rows.scale = rows.base.parameters[3] = classes[1]
    rows.softcap = classes[2]
    rows.smoothing = classes[3]
    if classes[4] is not None:
        class_weight = classes[4]       # held by the caller
        rows.class_weight = &class_weight[0]
    ignore(rows, classes[5])
    if rows.base.ignoring:
        rows.base.weighted = True
    arrange(rows, itemsize == 4)
    rows.shape.ndim = 1
    for k in range(PLANES):
        plane = &rows.planes[k]
        plane.dtype = FLOAT32 if itemsize == 4 else FLOAT64
        plane.direct = True
        plane.itemsize = <int> itemsize
        plane.strides[0] = itemsize
    return 0


cdef inline bint is_vector(const Py_buffer* view, Py_ssize_t length, Py_ssize_t itemsize) noexcept:
    return view.ndim == 1 and view.shape[0] == length and view.itemsize == itemsize


cdef inline bint is_aligned(const Py_buffer* view) noexcept:
    """Every element at a multiple of its size."""
    cdef int d
    for d in range(view.ndim):
        if view.strides[d] % view.itemsize != 0:
            return False
    return <size_t> view.buf % <size_t> view.itemsize == 0


cdef bint describe_matrix(Matrix* x, const Py_buffer* views, Py_ssize_t rows, Py_ssize_t columns) noexcept:
    """Take X as it is now; false where its arrays do not go together."""
    cdef const Py_buffer* data = &views[DATA]
    cdef const Py_buffer* indices = &views[INDICES]
    cdef const Py_buffer* indptr = &views[INDPTR]
    cdef int axis
    x.compressed = indptr.buf != NULL
    x.columns = columns
    x.data = <const char*> data.buf
    if data.ndim != (1 if x.compressed else 2) or data.itemsize not in (4, 8) or not is_aligned(data):
        return False
    if not x.compressed:
        x.by_rows = data.strides[0] != data.itemsize and (data.strides[1] == data.itemsize or rows > 1)
        x.stride = data.strides[0 if x.by_rows else 1] // data.itemsize
        axis = 1 if x.by_rows else 0
        return (
            data.shape[0] == rows and data.shape[1] == columns
            and (data.strides[axis] == data.itemsize or data.shape[axis] == 1)
        )
    x.by_rows = True
    x.stride = data.strides[0] // data.itemsize
    x.stored = data.shape[0]
    x.wide = indptr.itemsize == 8
    if not (is_vector(indptr, rows + 1, 8 if x.wide else 4) and is_vector(indices, x.stored, indptr.itemsize)):
        return False
    x.indices = <const char*> indices.buf
    x.indices_stride = indices.strides[0]
    x.indptr = <const char*> indptr.buf
    x.indptr_stride = indptr.strides[0]
    return is_aligned(indices) and is_aligned(indptr)


def linear(Kernel kernel, int operation, *, tuple constants, domains, tuple arrays, int y_dtype, int weight_dtype,
           Py_ssize_t rows_of_x, Py_ssize_t columns, classes, int num_threads):
    """Sum the losses of the rows of X w + intercept, and what was asked for of their derivatives.

    `arrays` are y, the weights, X or the data of its compressed rows, their indices and indptr, w, the direction
    of a Hessian-vector product and the sums, None where absent. The last are of shape (vectors, columns + 1),
    float64, and are written: the gradient, and either the diagonal of the Hessian or, without a gradient, its
    product with the direction. `classes` is None, or (their number, logit scale, softcap, smoothing, class weights,
    ignored label): w, the direction and the sums then have an axis of classes more, their last, and the first two
    64 bytes of slack. Returns (bad row or -1, culprit, sum of w l, sum of w).

    y, the weights and X are the caller's, who may have changed them since they were checked: their shapes and sizes
    are compared with what the kernel takes them to be, and with a ValueError nothing of them is read.
    """
    cdef LinearJob job
    cdef RowJob rows
    cdef Job* loss = &job.loss
    cdef Py_buffer views[LINEAR_ARRAYS]
    cdef Operand* present[2]
    cdef double* out
    cdef Partial whole
    cdef Py_ssize_t chunks, row, most, fewest, outputs, each, itemsize, i, j
    cdef int k
    cdef unsigned mode
    cdef void* room = NULL
    memset(&job, 0, sizeof(LinearJob))
    memset(views, 0, sizeof(views))
    prepare(loss, operation, constants, domains)
    try:
        for k in range(LINEAR_ARRAYS):
            if arrays[k] is not None:
                PyObject_GetBuffer(arrays[k], &views[k], PyBUF_STRIDED if k == SUMS_OUT else PyBUF_STRIDED_RO)
        itemsize = views[DATA].itemsize
        outputs = 1 if classes is None else classes[0]
        job.vectors = ((operation & GRAD) != 0) + ((operation & HESS) != 0)
        job.room = (columns + 1) * outputs
        if not (
            describe_matrix(&job.x, views, rows_of_x, columns)
            and is_vector(&views[0], rows_of_x, ITEMSIZES[y_dtype & ~SWAPPED])
            and (arrays[1] is None or is_vector(&views[1], rows_of_x, ITEMSIZES[weight_dtype & ~SWAPPED]))
            and (operation == 0 or is_vector(&views[COEF], job.room + 64 // itemsize, itemsize))
            and (arrays[DIRECTION] is None or is_vector(&views[DIRECTION], job.room + 64 // itemsize, itemsize))
        ):
            raise ValueError("LinearObjective: X, y or sample_weight changed its shape or type while it was in use")
        describe(&loss.operands[Y], &views[0], y_dtype)
        present[0] = &loss.operands[Y]
        loss.weighted = arrays[1] is not None
        if loss.weighted:
            describe(&loss.operands[WEIGHT], &views[1], weight_dtype)
            present[1] = &loss.operands[WEIGHT]
        loss.shape.ndim = 1
        loss.shape.size = loss.shape.lengths[0] = views[0].shape[0]
        coalesce(&loss.shape, present, 1 + loss.weighted)

        job.coef = views[COEF].buf
        job.direction = views[DIRECTION].buf

        row = max(1, job.x.stored // rows_of_x if job.x.compressed else columns) * itemsize
        most = BLOCK
        fewest = LINEAR_ROWS if job.x.by_rows else BLOCK
        if classes is None:
            job.loop = <Loop> kernel.program
        else:
            prepare_rows(&rows, kernel, loss, classes, itemsize)
            job.rows = &rows
            most = fewest = rows.group
            row = max(row, outputs * itemsize)
        job.block = min(max(LINEAR_BLOCK // row, fewest), LINEAR_CACHE // row) // TOGETHER * TOGETHER
        job.block = min(most, max(job.block, <Py_ssize_t> TOGETHER))
        if not job.x.compressed and job.x.stride == columns and job.block * row <= 2 * LINEAR_BLOCK:
            job.ahead = job.block * row + LINEAR_AHEAD
        job.plane = 0 if job.rows == NULL else (job.block * outputs * itemsize + 127) // 64 * 64
        # Whatever is asked for, the grid is the same, and with it the bits.
        each = job.room * <Py_ssize_t> sizeof(double) + 3 * job.plane
        chunks = max(<Py_ssize_t> FEWEST_CHUNKS, min(<Py_ssize_t> MOST_CHUNKS, LINEAR_SUMS // each))
        loss.chunk = (loss.shape.size + chunks * job.block - 1) // (chunks * job.block) * job.block
        chunks = (loss.shape.size + loss.chunk - 1) // loss.chunk
        if operation == 0:
            job.plane = 0
        if job.x.compressed and operation & HESS and arrays[DIRECTION] is None:
            job.whole_row = (columns * itemsize + 7) // 8 * 8
        each = job.vectors * job.room * <Py_ssize_t> sizeof(double) + 3 * job.plane + job.whole_row
        room = PyMem_Malloc(chunks * (<Py_ssize_t> sizeof(Partial) + each))
        if room == NULL:
            raise MemoryError
        loss.partials = <Partial*> room
        job.sums = <double*> (loss.partials + chunks)
        job.planes = <char*> (job.sums + chunks * job.vectors * job.room)
        job.whole_rows = job.planes + chunks * 3 * job.plane
        num_threads = team(chunks, num_threads)
        with nogil:
            parallel_for(linear_chunk_of_float if itemsize == 4 else linear_chunk_of_double, &job, chunks, num_threads,
                         sizeof(LinearScratch))
            mode = enter_ieee_mode()
            out = <double*> views[SUMS_OUT].buf
            for i in range(chunks):
                for j in range(job.vectors * job.room):
                    out[j] = job.sums[j] + (out[j] if i > 0 else 0)
                job.sums += job.vectors * job.room
            leave_ieee_mode(mode)
        fold_partials(&whole, loss.partials, chunks)
    finally:
        for k in range(LINEAR_ARRAYS):
            PyBuffer_Release(&views[k])
        PyMem_Free(room)
    return whole.bad, whole.culprit, whole.loss, whole.weight
