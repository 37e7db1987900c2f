# Products with compressed rows.
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
