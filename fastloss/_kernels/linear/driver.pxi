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
    LINEAR_BLOCK = 1 << 12              # bytes of X that stay in first-level cache, beside the next ones
    LINEAR_ROWS = 32                    # at least, for the loss's sake, unless they leave the second-level cache:
    LINEAR_CACHE = 1 << 18
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


include "linear/products.pxi"
include "linear/compressed.pxi"


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
    evaluate(linear.loop, job, job.operation, y, x, NULL, s, n, NULL)
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


include "linear/classes.pxi"


# The chunks ---------------------------------------------------------------------------------------

cdef void linear_chunk(LinearJob* linear, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef LinearScratch* s = <LinearScratch*> worker.scratch
    cdef Partial partial
    cdef Job* job = &linear.loss
    cdef Py_ssize_t start = index * job.chunk, stop = min(start + job.chunk, job.shape.size), n
    cdef double* sums = linear.sums + index * linear.vectors * linear.room
    cdef char* planes = linear.planes + index * 3 * linear.plane
    cdef floating* whole_row = <floating*> (linear.whole_rows + index * linear.whole_row)
    clear(&partial)
    memset(sums, 0, linear.vectors * linear.room * sizeof(double))
    memset(planes, 0, 3 * linear.plane)
    memset(whole_row, 0, linear.whole_row)
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
    rows.binary = rows.brief = False    # products with the Hessian are made of the coefficients of all classes
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
    cdef size_t scratch = sizeof(LinearScratch)
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
            loss.terms = kernel.terms
            scratch = max(scratch, (1 + kernel.depth) * sizeof(Scratch))
        else:
            prepare_rows(&rows, kernel, loss, classes, itemsize)
            job.rows = &rows
            most = fewest = rows.group
            row = max(row, outputs * itemsize)
        job.block = min(max(LINEAR_BLOCK // row, fewest), LINEAR_CACHE // row) // TOGETHER * TOGETHER
        job.block = min(most, max(job.block, <Py_ssize_t> TOGETHER))
        if not job.x.compressed and job.x.stride == columns and job.block * row <= 2 * LINEAR_BLOCK:
            job.ahead = job.block * row + AHEAD
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
                         scratch)
            mode = enter_ieee_mode()
            out = <double*> views[SUMS_OUT].buf
            for i in range(chunks):
                for j in range(job.vectors * job.room):
                    out[j] = job.sums[j] + (out[j] if i > 0 else 0)
                job.sums += job.vectors * job.room
            leave_ieee_mode(mode)
        fold_partials(&whole, loss.partials, chunks, False)
    finally:
        for k in range(LINEAR_ARRAYS):
            PyBuffer_Release(&views[k])
        PyMem_Free(room)
    return whole.bad, whole.culprit, whole.loss, whole.weight
