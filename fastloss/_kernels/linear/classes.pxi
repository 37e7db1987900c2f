# Passes over a block of rows for a loss of several classes.
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
