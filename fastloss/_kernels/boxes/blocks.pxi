# A block of pairs of boxes: what a formula gets of it, the loops over a formula, the way back to the caller's format.
#
# No loss here depends on where the boxes are, only on how they lie to each other. So a formula does not get eight
# coordinates but, along each axis, the two sizes and how far the edges of the prediction are from those of the
# target. These differences are taken once, from the caller's own numbers, in whatever format they come, and a formula
# that is written in them loses nothing where the boxes are nearly the same. All lengths come in a unit of about the
# size of the two boxes together, a power of two: areas and their products are in range, however large or small the
# boxes are.
#
# A side that is negative counts as one of 0 about the same centre; the derivative is that of the centre alone.

cdef enum:
    BOXES = 256                         # of a block: its columns stay in first-level cache
    ROOM = BOXES + 24                   # columns are not a multiple of 4 KB apart
    SIDES = 5                           # numbers of a box at most

cdef enum:
    XYXY, XYWH, CXCYWH, ROTATED

# The columns of a block of boxes; the names are those of the sides of a prediction, and of distances from the target's.
cdef enum:
    WIDTH, TRUE_WIDTH, LEFT, RIGHT, SHARED_X, HEIGHT, TRUE_HEIGHT, TOP, BOTTOM, SHARED_Y
    SCALE                               # 1 over the unit of lengths
    PINCHED_X, PINCHED_Y                # 1 where the prediction's side is negative, else 0
    LOSS                                # what a kernel writes: the loss
    SLOPES                              # ... and its derivatives, as many as a box has numbers
    COLUMNS = SLOPES + 5

# ... and of rotated ones, whose lengths have the same unit. The sides are those that were given.
cdef enum:
    ACROSS, DOWN                        # from the target's centre to that of the prediction
    LENGTH, BREADTH, TRUE_LENGTH, TRUE_BREADTH
    TURN                                # the prediction's angle less that of the target
    ANGLE                               # of the prediction

cdef struct BoxScratch:
    Scratch base
    double columns[COLUMNS * ROOM]

# What a kernel works on: columns of float or, unless `single`, of double. Those that are read and those that are
# written lie in one array, so that the compiler sees that they are apart.
cdef struct BoxBlock:
    void* columns
    Py_ssize_t n
    int operation
    bint single
    const double* parameters

ctypedef void (*Loop)(const BoxBlock* block) noexcept nogil

cdef struct BoxJob:
    Job base                            # whose shape is that of the boxes
    Loop loop
    int format
    int sides
    double least                        # unit of lengths
    Shape shape                         # of their numbers


# What the unit of lengths is between: the smallest normal number, and a quarter of the largest.
cdef inline floating smallest_unit(floating like) noexcept nogil:
    return <floating> (1.1754943508222875e-38 if floating is float else 2.2250738585072014e-308)


cdef inline floating largest_unit(floating like) noexcept nogil:
    return <floating> (8.507059173023462e37 if floating is float else 4.49423283715579e307)


# From boxes to columns ----------------------------------------------------------------------------

cdef inline floating smaller(floating a, floating b) noexcept nogil:
    return a if a < b else b


cdef inline floating larger(floating a, floating b) noexcept nogil:
    return a if a > b else b


cdef inline floating positive(floating v) noexcept nogil:
    """The larger of v and 0; NaN stays."""
    return 0 if v < 0 else v


cdef inline floating magnitude(floating v) noexcept nogil:
    return <floating> fabs(v)


cdef inline void along(int format, floating t, floating u, floating p, floating q, floating* size, floating* true,
                       floating* low, floating* high, floating* shared) noexcept nogil:
    """The two sizes along an axis, and how far the prediction's edges are from those of the target.

    The target has the numbers t and u there, the prediction p and q. What both share is negative where there is a gap.
    """
    cdef floating by = p - t, half = 0.5
    cdef floating more = half * (q - u)
    if format == XYXY:
        size[0] = q - p
        true[0] = u - t
        low[0] = by
        high[0] = q - u
        shared[0] = smaller(q, u) - larger(p, t)
    else:
        size[0] = q
        true[0] = u
        if format == XYWH:
            low[0] = by
            high[0] = by + (q - u)
            shared[0] = smaller(smaller(q, u), smaller(u - by, q + by))
        else:
            low[0] = by - more
            high[0] = by + more
            shared[0] = smaller(smaller(q, u), half * (q + u) - magnitude(by))


cdef inline floating pinch(floating* size, floating* true, floating* low, floating* high) noexcept nogil:
    """Negative sizes become 0 about the same centre; whether that of the prediction was."""
    cdef floating half = 0.5, pinched = 1 if size[0] < 0 else 0
    cdef bint either = (size[0] < 0) | (true[0] < 0)
    cdef floating more, by = half * (low[0] + high[0])
    size[0] = positive(size[0])
    true[0] = positive(true[0])
    more = half * (size[0] - true[0])
    low[0] = by - more if either else low[0]
    high[0] = by + more if either else high[0]
    return pinched


cdef inline bint prepare_upright(int format, const floating* y, const floating* x, Py_ssize_t step,
                                 floating* columns, Py_ssize_t n, double least, double factor) noexcept nogil:
    """The columns of n boxes y, and as many x or with step 0 one. Whether a difference is too large.

    `step` is 4 or 0, and the numbers given are `factor` times what they stand for.
    """
    cdef Py_ssize_t i
    cdef int over = 0
    cdef floating w, u, l, r, a, h, v, t, b, c, unit, s, pinched_x, pinched_y
    cdef floating low = larger(<floating> least, smallest_unit(<floating> least)), high = largest_unit(low)
    cdef floating by = <floating> factor
    for i in range(n):
        along(format, y[4 * i], y[4 * i + 2], x[step * i], x[step * i + 2], &w, &u, &l, &r, &a)
        along(format, y[4 * i + 1], y[4 * i + 3], x[step * i + 1], x[step * i + 3], &h, &v, &t, &b, &c)
        pinched_x = pinch(&w, &u, &l, &r)
        pinched_y = pinch(&h, &v, &t, &b)
        unit = larger(larger(larger(w, u), larger(magnitude(l), magnitude(r))),
                      larger(larger(h, v), larger(magnitude(t), magnitude(b))))
        over |= unit > high
        s = inverse_size(smaller(larger(unit, low), high))
        columns[WIDTH * ROOM + i] = s * w
        columns[TRUE_WIDTH * ROOM + i] = s * u
        columns[LEFT * ROOM + i] = s * l
        columns[RIGHT * ROOM + i] = s * r
        columns[SHARED_X * ROOM + i] = s * a
        columns[HEIGHT * ROOM + i] = s * h
        columns[TRUE_HEIGHT * ROOM + i] = s * v
        columns[TOP * ROOM + i] = s * t
        columns[BOTTOM * ROOM + i] = s * b
        columns[SHARED_Y * ROOM + i] = s * c
        columns[SCALE * ROOM + i] = s * by
        columns[PINCHED_X * ROOM + i] = pinched_x
        columns[PINCHED_Y * ROOM + i] = pinched_y
    return over


cdef inline floating meant(floating angle) noexcept nogil:
    """An angle, 0 for one of more than 2^20."""
    cdef floating most = 1048576
    return 0 * angle if magnitude(angle) > most else angle


cdef inline bint prepare_rotated(const floating* y, const floating* x, floating* columns, Py_ssize_t n, double least,
                                 double factor) noexcept nogil:
    """... of rotated boxes, whose angles are not multiplied by `factor`."""
    cdef Py_ssize_t i
    cdef int over = 0
    cdef floating dx, dy, unit, s, angle, true
    cdef floating low = larger(<floating> least, smallest_unit(<floating> least)), high = largest_unit(low)
    cdef floating by = <floating> factor
    for i in range(n):
        dx = x[5 * i] - y[5 * i]
        dy = x[5 * i + 1] - y[5 * i + 1]
        unit = larger(larger(larger(x[5 * i + 2], x[5 * i + 3]), larger(y[5 * i + 2], y[5 * i + 3])),
                      larger(magnitude(dx), magnitude(dy)))
        over |= unit > high
        s = inverse_size(smaller(larger(unit, low), high))
        columns[ACROSS * ROOM + i] = s * dx
        columns[DOWN * ROOM + i] = s * dy
        columns[LENGTH * ROOM + i] = s * x[5 * i + 2]
        columns[BREADTH * ROOM + i] = s * x[5 * i + 3]
        columns[TRUE_LENGTH * ROOM + i] = s * y[5 * i + 2]
        columns[TRUE_BREADTH * ROOM + i] = s * y[5 * i + 3]
        angle = meant(x[5 * i + 4])
        true = meant(y[5 * i + 4])
        columns[TURN * ROOM + i] = angle - true
        columns[ANGLE * ROOM + i] = angle
        columns[SCALE * ROOM + i] = s * by
    return over


cdef bint fill(int format, const floating* y, const floating* x, Py_ssize_t step, floating* columns, Py_ssize_t n,
               double least, double factor) noexcept nogil:
    """... of any format: formats and steps are constants where numbers are read, so that this is vectorised."""
    if format == XYXY and step:
        return prepare_upright(XYXY, y, x, 4, columns, n, least, factor)
    if format == XYWH and step:
        return prepare_upright(XYWH, y, x, 4, columns, n, least, factor)
    if format == CXCYWH and step:
        return prepare_upright(CXCYWH, y, x, 4, columns, n, least, factor)
    if format == XYXY:
        return prepare_upright(XYXY, y, x, 0, columns, n, least, factor)
    if format == XYWH:
        return prepare_upright(XYWH, y, x, 0, columns, n, least, factor)
    if format == CXCYWH:
        return prepare_upright(CXCYWH, y, x, 0, columns, n, least, factor)
    return prepare_rotated(y, x, columns, n, least, factor)


cdef void shrink(const floating* v, floating* out, Py_ssize_t n, int sides) noexcept nogil:
    """A sixteenth of each length: sums and differences of the largest numbers are then in range."""
    cdef Py_ssize_t i
    cdef floating part = 0.0625
    for i in range(n * sides):
        out[i] = v[i] if sides == 5 and i % 5 == 4 else part * v[i]


cdef void columns_of(int format, int sides, const floating* y, const floating* x, Py_ssize_t step, floating* columns,
                     Py_ssize_t n, double least, Scratch* s) noexcept nogil:
    """The columns of boxes whose numbers are anything."""
    if fill(format, y, x, step, columns, n, least, 1):
        shrink(y, <floating*> s.z, n, sides)
        shrink(x, <floating*> s.grad, n if step else 1, sides)
        fill(format, <const floating*> <floating*> s.z, <const floating*> <floating*> s.grad, step, columns, n, least,
             0.0625)


# The loops over a formula ---------------------------------------------------------------------------

# A formula is of one pair of boxes, whose columns are `q`. It returns the loss and writes its derivatives: in the edges
# of the prediction, left, top, right, bottom, in the caller's unit of lengths; or in the five numbers of a rotated one.
ctypedef floating (*Formula)(
    const floating* q, double a, double b, double c, double d, floating* g
) noexcept nogil
ctypedef float (*FloatFormula)(
    const float* q, double a, double b, double c, double d, float* g
) noexcept nogil
ctypedef double (*DoubleFormula)(
    const double* q, double a, double b, double c, double d, double* g
) noexcept nogil

KERNELS = {}


cdef int declare(str name, Loop loop, tuple parameters=()) except -1:
    """Enter a kernel under its name, with the names of its constants."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    kernel.name, kernel.parameters, kernel.program = name, parameters, <const void*> loop
    KERNELS[name] = kernel
    return 0


cdef inline void loop(Formula formula, bint rotated, floating* columns, double a, double b, double c, double d,
                      Py_ssize_t n, bint want_value, bint want_grad) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v
    cdef floating q[SCALE + 1]
    cdef floating g[SIDES]
    for i in range(n):
        q[0] = columns[i]
        q[1] = columns[ROOM + i]
        q[2] = columns[2 * ROOM + i]
        q[3] = columns[3 * ROOM + i]
        q[4] = columns[4 * ROOM + i]
        q[5] = columns[5 * ROOM + i]
        q[6] = columns[6 * ROOM + i]
        q[7] = columns[7 * ROOM + i]
        q[8] = columns[8 * ROOM + i]
        q[9] = columns[9 * ROOM + i]
        q[10] = columns[10 * ROOM + i]
        v = formula(q, a, b, c, d, g)
        if want_value:
            columns[LOSS * ROOM + i] = v
        if want_grad:
            columns[SLOPES * ROOM + i] = g[0]
            columns[(SLOPES + 1) * ROOM + i] = g[1]
            columns[(SLOPES + 2) * ROOM + i] = g[2]
            columns[(SLOPES + 3) * ROOM + i] = g[3]
            if rotated:
                columns[(SLOPES + 4) * ROOM + i] = g[4]


cdef inline void specialise(Formula formula, bint rotated, floating* columns, const BoxBlock* block) noexcept nogil:
    cdef double a = block.parameters[0], b = block.parameters[1], c = block.parameters[2], d = block.parameters[3]
    if block.operation & VALUE and block.operation & GRAD:
        loop(formula, rotated, columns, a, b, c, d, block.n, True, True)
    elif block.operation & GRAD:
        loop(formula, rotated, columns, a, b, c, d, block.n, False, True)
    else:
        loop(formula, rotated, columns, a, b, c, d, block.n, True, False)


cdef inline void run(FloatFormula narrow, DoubleFormula wide, const BoxBlock* block) noexcept nogil:
    if block.single:
        specialise(narrow, False, <float*> block.columns, block)
    else:
        specialise(wide, False, <double*> block.columns, block)


cdef inline void run_rotated(FloatFormula narrow, DoubleFormula wide, const BoxBlock* block) noexcept nogil:
    if block.single:
        specialise(narrow, True, <float*> block.columns, block)
    else:
        specialise(wide, True, <double*> block.columns, block)


# From derivatives in edges to those in the caller's numbers -------------------------------------------

cdef inline void interleave(int format, const floating* columns, floating* out, Py_ssize_t n) noexcept nogil:
    """Four numbers of each box, of a constant format. Where a side was negative, its edges move the centre alone."""
    cdef Py_ssize_t i
    cdef floating left, top, right, bottom, across, down, x, y
    cdef floating half = 0.5
    for i in range(n):
        left = columns[SLOPES * ROOM + i]
        top = columns[(SLOPES + 1) * ROOM + i]
        right = columns[(SLOPES + 2) * ROOM + i]
        bottom = columns[(SLOPES + 3) * ROOM + i]
        x = left + right
        y = top + bottom
        across = half * left + half * right
        down = half * top + half * bottom
        left = across if columns[PINCHED_X * ROOM + i] != 0 else left
        right = across if columns[PINCHED_X * ROOM + i] != 0 else right
        top = down if columns[PINCHED_Y * ROOM + i] != 0 else top
        bottom = down if columns[PINCHED_Y * ROOM + i] != 0 else bottom
        out[4 * i] = left if format == XYXY else x
        out[4 * i + 1] = top if format == XYXY else y
        out[4 * i + 2] = half * (right - left) if format == CXCYWH else right
        out[4 * i + 3] = half * (bottom - top) if format == CXCYWH else bottom


cdef void interleaved(int format, const floating* columns, floating* out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if format == XYXY:
        interleave(XYXY, columns, out, n)
    elif format == XYWH:
        interleave(XYWH, columns, out, n)
    elif format == CXCYWH:
        interleave(CXCYWH, columns, out, n)
    else:
        for i in range(n):
            out[5 * i] = columns[SLOPES * ROOM + i]
            out[5 * i + 1] = columns[(SLOPES + 1) * ROOM + i]
            out[5 * i + 2] = columns[(SLOPES + 2) * ROOM + i]
            out[5 * i + 3] = columns[(SLOPES + 3) * ROOM + i]
            out[5 * i + 4] = columns[(SLOPES + 4) * ROOM + i]
