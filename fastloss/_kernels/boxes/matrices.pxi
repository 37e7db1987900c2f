# How two sets of boxes overlap, each of one with each of the other: the same columns, of which one box is the same.
#
# A formula is that of a loss without its derivatives; the parts of a loss are similarities here, 1 less it.

cdef struct MatrixJob:
    BoxJob boxes                        # whose shape is that of the matrix
    Shape columns                       # of the numbers of the boxes of each set, X of rows and Y of columns
    Shape rows
    Py_ssize_t width                    # of the matrix


cdef inline floating iou_matrix(const floating* q, double eps, double b, double c, double d,
                                floating* g) noexcept nogil:
    cdef floating ratio, none = 0
    cdef floating loss = overlap(q, none, &ratio, g)
    return ratio if loss != 0 else 1


cdef inline floating giou_matrix(const floating* q, double eps, double b, double c, double d,
                                 floating* g) noexcept nogil:
    cdef floating ratio, none = 0
    cdef floating loss = overlap(q, none, &ratio, g)
    return (ratio if loss != 0 else 1) - vacancy(q, none, g)


cdef inline floating diou_matrix(const floating* q, double eps, double b, double c, double d,
                                 floating* g) noexcept nogil:
    cdef floating ratio, none = 0, one = 1
    cdef floating loss = overlap(q, none, &ratio, g)
    return (ratio if loss != 0 else 1) - distance(q, least_area(q, eps), True, one, g)


cdef inline floating ciou_matrix(const floating* q, double eps, double b, double c, double d,
                                 floating* g) noexcept nogil:
    cdef floating ratio, by_width, by_height, none = 0, one = 1
    cdef floating loss = overlap(q, none, &ratio, g)
    cdef floating v = aspect(q, &by_width, &by_height)
    cdef floating penalty = distance(q, least_area(q, eps), True, one, g) + v * over(v, loss + v + <floating> eps)
    return (ratio if loss != 0 else 1) - penalty


cdef inline floating nwd_matrix(const floating* q, double constant, double b, double c, double d,
                                floating* g) noexcept nogil:
    cdef double left = q[LEFT], top = q[TOP], right = q[RIGHT], bottom = q[BOTTOM]
    cdef double square = 0.5 * ((left * left + top * top) + (right * right + bottom * bottom))
    return <floating> exp_for(q[SCALE], -(sqrt(square) / (constant * q[SCALE])), 0)


cdef inline void run_values(FloatFormula narrow, DoubleFormula wide, const BoxBlock* block) noexcept nogil:
    cdef const double* p = block.parameters
    if block.single:
        loop(narrow, False, <float*> block.columns, p[0], p[1], p[2], p[3], block.n, True, False)
    else:
        loop(wide, False, <double*> block.columns, p[0], p[1], p[2], p[3], block.n, True, False)


cdef void iou_matrix_kernel(const BoxBlock* block) noexcept nogil:
    run_values(iou_matrix[float], iou_matrix[double], block)

cdef void giou_matrix_kernel(const BoxBlock* block) noexcept nogil:
    run_values(giou_matrix[float], giou_matrix[double], block)

cdef void diou_matrix_kernel(const BoxBlock* block) noexcept nogil:
    run_values(diou_matrix[float], diou_matrix[double], block)

cdef void ciou_matrix_kernel(const BoxBlock* block) noexcept nogil:
    run_values(ciou_matrix[float], ciou_matrix[double], block)

cdef void nwd_matrix_kernel(const BoxBlock* block) noexcept nogil:
    run_values(nwd_matrix[float], nwd_matrix[double], block)

declare("iou_matrix", iou_matrix_kernel)
declare("giou_matrix", giou_matrix_kernel)
declare("diou_matrix", diou_matrix_kernel, ("eps",))
declare("ciou_matrix", ciou_matrix_kernel, ("eps",))
declare("nwd_matrix", nwd_matrix_kernel, ("constant",))


cdef void matrix_block(MatrixJob* whole, BoxScratch* s, const floating* y, Py_ssize_t row, Py_ssize_t rows,
                       Py_ssize_t column, Py_ssize_t take, floating like) noexcept nogil:
    """So many rows against `take` boxes y, those from a column on: one row, or several whole ones."""
    cdef BoxJob* boxes = &whole.boxes
    cdef Job* job = &boxes.base
    cdef floating* columns = <floating*> s.columns
    cdef const floating* x
    cdef BoxBlock block
    cdef Py_ssize_t k
    for k in range(rows):
        x = load(&job.operands[X], &whole.rows, 4 * (row + k), 4, <floating*> s.base.x, &s.base)
        columns_of(boxes.format, 4, y, x, 0, columns + k * take, take, boxes.least, &s.base)
    block.columns = columns
    block.n = rows * take
    block.operation = VALUE
    block.single = floating is float
    block.parameters = job.parameters
    boxes.loop(&block)
    store(&job.operands[VALUE_OUT], &job.shape, row * whole.width + column, rows * take,
          <const floating*> columns + LOSS * ROOM, &s.base)


cdef void matrix_rows(MatrixJob* whole, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Job* job = &whole.boxes.base
    cdef BoxScratch* s = <BoxScratch*> worker.scratch
    cdef Py_ssize_t start = index * job.chunk, stop = min(start + job.chunk, whole.rows.size // 4), row, rows
    cdef Py_ssize_t column = 0, take
    cdef const floating* y
    clear(&job.partials[index])
    while column < whole.width:
        take = min(<Py_ssize_t> (BLOCK // 4), whole.width - column)
        y = load(&job.operands[Y], &whole.columns, 4 * column, 4 * take, <floating*> s.base.y, &s.base)
        rows = BOXES // take if take == whole.width else 1
        row = start
        while row < stop and go_on(worker, rows * take):
            matrix_block(whole, s, y, row, min(rows, stop - row), column, take, like)
            row += rows
        column += take


cdef void matrix_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    matrix_rows(<MatrixJob*> job, index, worker, <float> 1)


cdef void matrix_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    matrix_rows(<MatrixJob*> job, index, worker, <double> 1)


def matrix(Kernel kernel, *, tuple arrays, tuple dtypes, tuple constants, int format, bint single, int num_threads):
    """Write how each box of one set overlaps each of another.

    `arrays` are two arrays of boxes, (n, 4) and (m, 4), and the matrix to write, (n, m).
    """
    cdef MatrixJob whole
    cdef Job* job = &whole.boxes.base
    cdef Py_buffer views[3]
    cdef Operand* present[3]
    cdef int* places = [X, Y, VALUE_OUT]
    cdef Shape* shapes[3]
    cdef int k, axis, held = 0
    cdef Py_ssize_t n
    memset(&whole, 0, sizeof(MatrixJob))
    whole.boxes.loop = <Loop> kernel.program
    whole.boxes.format = format
    prepare(job, VALUE, constants, None)
    shapes[0], shapes[1], shapes[2] = &whole.rows, &whole.columns, &job.shape
    try:
        for k in range(3):
            hold(arrays[k], &views[k], dtypes[k], k == 2, k)
            held += 1
            describe(&job.operands[places[k]], &views[k], dtypes[k])
            present[k] = &job.operands[places[k]]
            shapes[k].ndim = views[k].ndim
            shapes[k].size = 1
            for axis in range(views[k].ndim):
                shapes[k].lengths[axis] = views[k].shape[axis]
                shapes[k].size *= views[k].shape[axis]
        whole.width = whole.columns.size // 4
        if (whole.rows.ndim, whole.columns.ndim, job.shape.size) != (2, 2, whole.rows.size // 4 * whole.width):
            raise Mismatch(2, arrays[2].shape, views[2].itemsize)
        n = whole.rows.size // 4
        for k in range(3):
            coalesce(shapes[k], &present[k], 1)
        # A chunk is of rows, of many pairs unless there are few.
        job.chunk = max(1, min(8192 // max(1, whole.width), n))
        job.chunk = max(job.chunk, (n + MAX_CHUNKS - 1) // MAX_CHUNKS)
        run_grid(job, n if whole.width else 0, matrix_rows_of_float if single else matrix_rows_of_double, &whole,
                 num_threads, sizeof(BoxScratch))
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])
