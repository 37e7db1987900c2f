# How the drivers reach user memory: any strides, alignment, byte order and element type become one
# contiguous block in first-level cache, and blocks of results go back the same way.


cdef extern from "<assert.h>" nogil:
    void require "assert"(bint condition)       # in the debug build only

cdef extern from "engine/streams.h" nogil:
    ctypedef struct Line "fl_line":
        char* first
        char* next

cdef extern from "engine/scratch.h" nogil:
    enum: BLOCK "FL_BLOCK"
    enum: LINES "FL_LINES"
    ctypedef struct Scratch "fl_scratch":
        double* y
        double* x
        double* z
        double* weight
        double* value
        double* grad
        double* grad_z
        double* hess
        double* hess_z
        double* raw
        double* total
        Line* lines


cdef extern from "engine/streams.h" nogil:
    enum: AHEAD "FL_AHEAD"
    void stream_on "fl_stream_on"(Line* line, char* to, const char* source, Py_ssize_t size)
    void close_line "fl_close_line"(Line* line)
    void stream "fl_stream"(char* to, const char* source, Py_ssize_t size)
    void prefetch "fl_prefetch"(const char* source, Py_ssize_t size)
    void swap_bytes "fl_swap_bytes"(char* v, Py_ssize_t n, int itemsize)

cdef extern from "engine/wide.h" nogil:
    double total_f32 "fl_total_f32"(const float* v, Py_ssize_t n)
    double total_f64 "fl_total_f64"(const double* v, Py_ssize_t n)

cdef enum:
    MAX_DIMS = 64                       # NumPy's own limit
    STREAM_BYTES = 1 << 23              # outputs from this size on go past the caches
    SHORT_RUN = 64                      # innermost axes below this are copied across

cdef Py_ssize_t[13] ITEMSIZES = [1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8]
cdef char OTHER_ORDER = b">" if sys.byteorder == "little" else b"<"

ctypedef fused element:
    int8_t
    int16_t
    int32_t
    int64_t
    uint8_t
    uint16_t
    uint32_t
    uint64_t
    float
    double

ctypedef fused integer:                 # of either sign, read as unsigned: differences wrap
    uint8_t
    uint16_t
    uint32_t
    uint64_t

cdef struct Shape:
    int ndim
    Py_ssize_t size
    Py_ssize_t lengths[MAX_DIMS]

cdef struct Operand:
    char* data                          # NULL: absent
    int dtype
    bint swapped
    bint direct                         # native byte order, aligned, contiguous in the order of iteration
    int itemsize
    int line                            # of an output, 1 ... LINES: which of a thread's lines its blocks continue
    Py_ssize_t strides[MAX_DIMS]


# Sums ---------------------------------------------------------------------------------------------

cdef double total(const floating* v, Py_ssize_t n) noexcept nogil:
    """The sum in float64, in the same order whatever the width of the registers: the same bits everywhere."""
    if floating is float:
        return total_f32(v, n)
    return total_f64(v, n)


# Operands -----------------------------------------------------------------------------------------

cdef bint is_of_dtype(const char* format, int dtype) noexcept:
    """Whether a format of the struct module is of the element type, whose size is compared elsewhere."""
    cdef bint swapped = format[0] == OTHER_ORDER
    if format[0] in (b"@", b"=", b"^", b"<", b">", b"!"):
        format += 1
    if format[1] != 0 or swapped != ((dtype & SWAPPED) != 0):
        return False
    dtype &= ~SWAPPED
    if dtype == BOOL:
        return format[0] == b"?"
    if dtype <= INT64:
        return format[0] in (b"b", b"h", b"i", b"l", b"q")
    if dtype <= UINT64 or dtype == BFLOAT16:
        return format[0] in (b"B", b"H", b"I", b"L", b"Q")
    return format[0] in (b"e", b"f", b"d")


cdef int hold(object array, Py_buffer* view, int dtype, bint written, int place) except -1:
    """Take hold of an array's memory, which must be of the element type that its checks saw."""
    PyObject_GetBuffer(array, view, (PyBUF_STRIDED if written else PyBUF_STRIDED_RO) | PyBUF_FORMAT)
    if view.itemsize != ITEMSIZES[dtype & ~SWAPPED] or not is_of_dtype(view.format, dtype):
        mismatch(view, place)
    return 0


cdef int mismatch(Py_buffer* view, int place) except -1:
    shape = tuple([view.shape[d] for d in range(view.ndim)])
    PyBuffer_Release(view)
    raise Mismatch(place, shape, view.itemsize)


cdef int match(Py_buffer* view, const Py_ssize_t* lengths, int ndim, int place) except -1:
    """Compare the shape of held memory with what the kernel walks."""
    cdef int d
    cdef bint same = view.ndim == ndim
    for d in range(ndim if same else 0):
        same = same and view.shape[d] == lengths[d]
    if not same:
        raise Mismatch(place, tuple([view.shape[d] for d in range(view.ndim)]), view.itemsize)
    return 0


cdef void describe(Operand* operand, Py_buffer* view, int dtype) noexcept:
    cdef int d
    operand.data = <char*> view.buf
    operand.dtype = dtype & ~SWAPPED
    operand.swapped = (dtype & SWAPPED) != 0
    operand.itemsize = <int> view.itemsize
    for d in range(view.ndim):
        operand.strides[d] = view.strides[d]


cdef void coalesce(Shape* shape, Operand** operands, int count) noexcept:
    """Merge neighbouring axes that every operand walks without a gap; settle which operands are direct."""
    cdef int d, k, last = 0
    cdef bint joined
    cdef Operand* operand
    cdef Py_ssize_t size
    if shape.ndim == 0:
        shape.ndim = 1
        shape.lengths[0] = 1
        for k in range(count):
            operands[k].strides[0] = operands[k].itemsize
    for d in range(1, shape.ndim):
        if shape.lengths[d] == 1:
            continue
        joined = True
        for k in range(count):
            operand = operands[k]
            if operand.strides[last] != operand.strides[d] * shape.lengths[d]:
                joined = shape.lengths[last] == 1
                if not joined:
                    break
        if joined:
            shape.lengths[last] *= shape.lengths[d]
        else:
            last += 1
            shape.lengths[last] = shape.lengths[d]
        for k in range(count):
            operands[k].strides[last] = operands[k].strides[d]
    shape.ndim = last + 1
    for k in range(count):
        operand = operands[k]
        operand.direct = not operand.swapped and <size_t> operand.data % <size_t> operand.itemsize == 0
        size = operand.itemsize
        for d in range(shape.ndim - 1, -1, -1):
            if operand.strides[d] != size and shape.lengths[d] > 1:
                operand.direct = False
            size *= shape.lengths[d]


cdef inline void copy_items(char* to, Py_ssize_t to_stride, const char* source, Py_ssize_t stride, Py_ssize_t n,
                            Py_ssize_t itemsize) noexcept nogil:
    """For a constant itemsize: memcpy is then an unaligned load and store."""
    cdef Py_ssize_t i
    if to_stride == itemsize and stride == 2 * itemsize:            # pairs: constant strides are vectorised
        for i in range(n):
            memcpy(to + i * itemsize, source + i * (2 * itemsize), itemsize)
    else:
        for i in range(n):
            memcpy(to + i * to_stride, source + i * stride, itemsize)


cdef void repeat(char* to, Py_ssize_t period, Py_ssize_t size) noexcept nogil:
    """Fill `size` bytes with copies of the first `period`."""
    cdef Py_ssize_t known = period, take
    while known < size:
        take = min(known, size - known)
        memcpy(to + known, to, take)
        known += take


cdef void copy_run(char* to, Py_ssize_t to_stride, const char* source, Py_ssize_t stride, Py_ssize_t n,
                   int itemsize) noexcept nogil:
    """n elements from one stride to another."""
    if to_stride == itemsize and stride == itemsize:
        memcpy(to, source, n * itemsize)
    elif to_stride == itemsize and stride == 0:
        memcpy(to, source, itemsize)
        repeat(to, itemsize, n * itemsize)
    elif itemsize == 1:
        copy_items(to, to_stride, source, stride, n, 1)
    elif itemsize == 2:
        copy_items(to, to_stride, source, stride, n, 2)
    elif itemsize == 4:
        copy_items(to, to_stride, source, stride, n, 4)
    else:
        copy_items(to, to_stride, source, stride, n, 8)


cdef void copy_rows(char* packed, char* source, Py_ssize_t row_stride, Py_ssize_t stride, Py_ssize_t rows,
                    Py_ssize_t length, int itemsize, bint gather) noexcept nogil:
    """Many short rows between an operand and a packed block, one column after the other."""
    cdef Py_ssize_t j
    if gather and row_stride == 0:
        copy_run(packed, itemsize, source, stride, length, itemsize)
        repeat(packed, length * itemsize, rows * length * itemsize)
        return
    for j in range(length):
        if gather:
            copy_run(packed + j * itemsize, length * itemsize, source + j * stride, row_stride, rows, itemsize)
        else:
            copy_run(source + j * stride, row_stride, packed + j * itemsize, length * itemsize, rows, itemsize)


cdef void transfer(const Operand* operand, const Shape* shape, Py_ssize_t start, Py_ssize_t n, char* packed,
                   bint gather) noexcept nogil:
    """Copy elements start ... start + n, counted in C order, between an operand and a packed block."""
    cdef Py_ssize_t index[MAX_DIMS]
    cdef Py_ssize_t position = start, offset = 0, take, rows, done = 0
    cdef Py_ssize_t inner = shape.lengths[shape.ndim - 1]
    cdef Py_ssize_t stride = operand.strides[shape.ndim - 1]
    cdef int d, itemsize = operand.itemsize
    cdef char* at
    for d in range(shape.ndim - 1, -1, -1):
        index[d] = position % shape.lengths[d]
        position //= shape.lengths[d]
        offset += index[d] * operand.strides[d]
    position = index[shape.ndim - 1]
    while True:                         # at most n turns
        rows = 1
        take = min(inner - position, n - done)
        at = operand.data + offset
        if inner < SHORT_RUN and shape.ndim > 1 and position == 0:
            d = shape.ndim - 2
            rows = max(1, min((n - done) // inner, shape.lengths[d] - index[d]))
        if rows > 1:
            copy_rows(packed + done * itemsize, at, operand.strides[d], stride, rows, inner, itemsize, gather)
            take = rows * inner
        elif gather:
            copy_run(packed + done * itemsize, itemsize, at, stride, take, itemsize)
        else:
            copy_run(at, stride, packed + done * itemsize, itemsize, take, itemsize)
        done += take
        if done == n:
            return
        offset -= position * stride
        position = 0
        d = shape.ndim - 2
        index[d] += rows
        offset += rows * operand.strides[d]
        while index[d] == shape.lengths[d]:     # at most once for each axis
            offset -= index[d] * operand.strides[d]
            index[d] = 0
            d -= 1
            index[d] += 1
            offset += operand.strides[d]


# Conversions --------------------------------------------------------------------------------------

cdef inline void widen(const element* packed, floating* block, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        block[i] = <floating> packed[i]


cdef void convert(int dtype, const void* packed, floating* block, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if dtype == FLOAT32:
        widen(<const float*> packed, block, n)
    elif dtype == FLOAT64:
        widen(<const double*> packed, block, n)
    elif dtype == FLOAT16:
        for i in range(n):
            block[i] = from_float16((<const uint16_t*> packed)[i])
    elif dtype == BFLOAT16:
        for i in range(n):
            block[i] = from_bfloat16((<const uint16_t*> packed)[i])
    elif dtype == INT8:
        widen(<const int8_t*> packed, block, n)
    elif dtype == INT16:
        widen(<const int16_t*> packed, block, n)
    elif dtype == INT32:
        widen(<const int32_t*> packed, block, n)
    elif dtype == INT64:
        widen(<const int64_t*> packed, block, n)
    elif dtype == BOOL:                  # any byte but 0 is true
        for i in range(n):
            block[i] = (<const uint8_t*> packed)[i] != 0
    elif dtype == UINT8:
        widen(<const uint8_t*> packed, block, n)
    elif dtype == UINT16:
        widen(<const uint16_t*> packed, block, n)
    elif dtype == UINT32:
        widen(<const uint32_t*> packed, block, n)
    elif dtype == UINT64:
        widen(<const uint64_t*> packed, block, n)


cdef inline float to_odd(floating v) noexcept nogil:
    """What is to be rounded to 16 bits, which must be the only rounding to nearest."""
    return v if floating is float else round_to_odd(v)


cdef void narrow(int dtype, const floating* block, void* packed, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if dtype == FLOAT32:
        for i in range(n):
            (<float*> packed)[i] = <float> block[i]
    elif dtype == FLOAT64:
        for i in range(n):
            (<double*> packed)[i] = block[i]
    elif dtype == FLOAT16:
        for i in range(n):
            (<uint16_t*> packed)[i] = to_float16(to_odd(block[i]))
    elif dtype == BFLOAT16:
        for i in range(n):
            (<uint16_t*> packed)[i] = to_bfloat16(to_odd(block[i]))


cdef inline bint is_of(const Operand* operand, const floating* block) noexcept nogil:
    """Whether its elements are of the type of a block."""
    return operand.dtype == (<int> FLOAT32 if sizeof(block[0]) == sizeof(float) else <int> FLOAT64)


cdef inline void foresee(const Operand* operand, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Fetch elements start ... start + n, which are wanted soon, where the processor does not foresee that."""
    if operand.data != NULL and operand.direct:
        prefetch(operand.data + start * operand.itemsize, n * operand.itemsize)


cdef inline void foresee_stream(const Operand* operand, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Fetch what comes some time after elements start ... start + n, which the processor does not foresee or too
    late."""
    if operand.data != NULL and operand.direct:
        prefetch(operand.data + start * operand.itemsize + AHEAD, n * operand.itemsize)


cdef const floating* load(const Operand* operand, const Shape* shape, Py_ssize_t start, Py_ssize_t n,
                          floating* block, Scratch* scratch) noexcept nogil:
    """Elements start ... start + n in the type of `block`: in place if they already are that, else in `block`."""
    cdef bint same = is_of(operand, block)
    cdef char* packed
    require(operand.data != NULL and 0 < n <= BLOCK and 0 <= start <= shape.size - n)
    if operand.direct:
        packed = operand.data + start * operand.itemsize
    else:
        packed = <char*> block if same else <char*> scratch.raw
        transfer(operand, shape, start, n, packed, True)
        if operand.swapped:
            swap_bytes(packed, n, operand.itemsize)
    if same:
        return <const floating*> packed
    convert(operand.dtype, packed, block, n)
    return block


cdef inline void open_lines(Scratch* scratch) noexcept nogil:
    memset(scratch.lines, 0, LINES * sizeof(Line))


cdef inline void close_lines(Scratch* scratch) noexcept nogil:
    """Write what stands in lines that no block completed."""
    cdef int k
    for k in range(LINES):
        close_line(&scratch.lines[k])


cdef void store(const Operand* operand, const Shape* shape, Py_ssize_t start, Py_ssize_t n, const floating* block,
                Scratch* scratch) noexcept nogil:
    cdef const char* packed = <const char*> block
    require(operand.data != NULL and 0 < n <= BLOCK and 0 <= start <= shape.size - n)
    if not is_of(operand, block):
        narrow(operand.dtype, block, scratch.raw, n)
        packed = <const char*> scratch.raw
    if operand.direct:
        if shape.size * operand.itemsize >= STREAM_BYTES:
            if operand.line:
                stream_on(&scratch.lines[operand.line - 1], operand.data + start * operand.itemsize, packed,
                          n * operand.itemsize)
            else:
                stream(operand.data + start * operand.itemsize, packed, n * operand.itemsize)
        else:
            memcpy(operand.data + start * operand.itemsize, packed, n * operand.itemsize)
        return
    if operand.swapped:
        if packed != <const char*> scratch.raw:
            memcpy(scratch.raw, packed, n * operand.itemsize)
        swap_bytes(<char*> scratch.raw, n, operand.itemsize)
        packed = <const char*> scratch.raw
    transfer(operand, shape, start, n, <char*> packed, False)
