# The map back: the derivatives of a group of rows in its classes.

cdef inline bint is_alike(const RowJob* job, const Lanes* r, Py_ssize_t i) noexcept nogil:
    """Whether all derivatives of a row are as its value is: 0 without a weight of it or its class, or NaN.

    A class of weight 0 need not make its rows 0, as smoothing and z-loss are not weighed by it.
    """
    return (r.weight[i] == 0) | (r.value[i] != r.value[i]) | (
        (r.label_weight[i] == 0) & (r.value[i] == 0) & (1 - job.penalised)
    )


cdef void map_row(RowJob* job, Py_ssize_t row, Py_ssize_t i, RowScratch* s, floating like) noexcept nogil:
    cdef RowGroup* g = &s.group
    cdef Lanes* r = &g.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef bint want_hess = job.planes[PLANE_HESS].data != NULL
    cdef Py_ssize_t first, n, at, k
    cdef Py_ssize_t most = ROW_BLOCK if job.program.map == NULL else FINE_BLOCK
    cdef bint alike = is_alike(job, r, i)
    cdef double label = r.label[i] if job.program.targets == LABEL and not alike else -1
    cdef const floating* raw
    spread(<floating> r.shift[i], g.shift)
    spread(<floating> r.a[i], g.a)
    spread(<floating> r.b[i], g.b)
    spread(<floating> r.c[i], g.c)
    spread(<floating> r.d[i], g.d)
    spread(<floating> r.u[i], g.u)
    spread(<floating> r.v[i], g.v)
    first = 0
    while first < job.classes and carry_on(s):
        n = row_block(job, first, most)
        g.groups = (n + LANES - 1) // LANES
        if alike or job.program.map == NULL:
            for k in range(n):
                grad[k] = <floating> (r.value[i] if alike else 0)
                hess[k] = grad[k]
        else:
            g.x = logits_of_row(job, row, -1, first, n, s, like)
            if job.targets:
                g.t = targets_of_row(job, row, i, first, n, s, like)
            job.program.map(g)
        if label >= first and label < first + n:
            at = <Py_ssize_t> label - first
            grad[at] = <floating> r.target_grad[i]
            if want_hess:
                hess[at] = <floating> r.target_hess[i]
        if job.softcap != 0 and not alike:
            raw = load_row(job, PLANE_X, row, first, n, <floating*> s.packed, <floating> 0, False, s)
            cap_chain(raw, grad, hess, n, <floating> job.softcap, want_hess)
        store_row(job, PLANE_GRAD, row, first, n, grad, s)
        if want_hess:
            store_row(job, PLANE_HESS, row, first, n, hess, s)
        first += n


cdef inline void level(const RowJob* job, const Lanes* r, floating* v, Py_ssize_t classes,
                       floating like) noexcept nogil:
    cdef Py_ssize_t i, k
    for k in range(classes):
        for i in range(LANES):
            v[k * LANES + i] = <floating> r.value[i] if is_alike(job, r, i) else v[k * LANES + i]


cdef void map_tile(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    cdef RowGroup* g = &s.group
    cdef Lanes* r = &g.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef bint want_hess = job.planes[PLANE_HESS].data != NULL
    cdef bint fresh = job.classes > TILE_CLASSES or job.merged or s.widened
    cdef Py_ssize_t i, first, n
    cdef int uneven = 0
    cdef floating label[LANES]
    for i in range(rows):
        uneven |= is_alike(job, r, i)
    narrow_lanes(r.shift, g.shift, like)
    narrow_lanes(r.a, g.a, like)
    narrow_lanes(r.b, g.b, like)
    narrow_lanes(r.c, g.c, like)
    narrow_lanes(r.d, g.d, like)
    narrow_lanes(r.u, g.u, like)
    narrow_lanes(r.v, g.v, like)
    first = 0
    while first < job.classes and carry_on(s):
        n = min(<Py_ssize_t> TILE_CLASSES, job.classes - first)
        g.groups = n
        if job.program.map == NULL:
            memset(grad, 0, n * LANES * sizeof(floating))
            if want_hess:
                memset(hess, 0, n * LANES * sizeof(floating))
        else:
            if fresh:
                g.x = logits_of_tile(job, start, rows, first, n, s, like)
                if job.targets:
                    g.t = targets_of_tile(job, start, rows, first, n, s, like)
            job.program.map(g)
        if job.program.targets == LABEL:
            narrow_labels(r.label, first, label)
            scatter_labels(label, r.target_grad, n, grad)
            if want_hess:
                scatter_labels(label, r.target_hess, n, hess)
        if job.softcap != 0:
            load_tile(job, PLANE_X, start, rows, first, n, <floating*> s.x, s)
            cap_chain(<floating*> s.x, grad, hess, n * LANES, <floating> job.softcap, want_hess)
        if uneven:
            level(job, r, grad, n, like)
            if want_hess:
                level(job, r, hess, n, like)
        store_tile(job, PLANE_GRAD, start, rows, first, n, grad, s)
        if want_hess:
            store_tile(job, PLANE_HESS, start, rows, first, n, hess, s)
        first += TILE_CLASSES


# Whole rows, for routines --------------------------------------------------------------------------

cdef void read_row(RowJob* job, int plane, Py_ssize_t row, double* v, RowScratch* s, floating like) noexcept nogil:
    cdef const floating* block
    cdef Py_ssize_t first, k, n
    first = 0
    while first < job.classes and carry_on(s):
        n = row_block(job, first)
        block = load_row(job, plane, row, first, n, <floating*> s.x, <floating> 0, False, s)
        for k in range(n):
            v[first + k] = block[k]
        first += n


cdef void write_row(RowJob* job, int plane, Py_ssize_t row, const double* v, double factor, RowScratch* s,
                    floating like) noexcept nogil:
    cdef floating* block = <floating*> s.grad
    cdef Py_ssize_t first, k, n
    first = 0
    while first < job.classes and carry_on(s):
        n = row_block(job, first)
        for k in range(n):
            block[k] = <floating> (factor * v[first + k])
        store_row(job, plane, row, first, n, block, s)
        first += n
