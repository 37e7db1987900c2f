# Losses of a row and the centre of its class, and sums over the rows of each class.

cdef inline double center(double y, double d0, double d1, double d2, const double* p, double* g0, double* g1,
                          double* g2) noexcept nogil:
    g0[0] = p[0]
    return p[0] * d0 + p[1]


cdef void center_loop(TupleGroup* group) noexcept nogil:
    each_tuple(center, group)

declare("center", program(CLASS_TARGET, 2, ((0, 1),), center_loop), ("factor", "offset"))


# Sums of classes ---------------------------------------------------------------------------------------
#
# The gradient in a centre is a sum over the rows of its class. Threads share the features, not the rows: each adds up
# its columns of all rows in their order, so that the number of threads leaves no trace and there are no sums to keep
# beside those that are returned.

cdef enum:
    COLUMNS = 16

cdef struct ClassJob:
    TupleJob rows                       # across_out: the factor of each row, 0 where it does not count
    double* sums                        # classes x features

cdef struct ClassScratch:
    double label[BLOCK]
    double factor[BLOCK]
    double part[COLUMNS]
    Scratch block


cdef void class_columns(ClassJob* whole, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef TupleJob* job = &whole.rows
    cdef ClassScratch* s = <ClassScratch*> worker.scratch
    cdef const Shape* tuples = &job.base.shape
    cdef const double* label
    cdef const double* factor
    cdef const floating* x
    cdef const floating* c
    cdef double* sum
    cdef Py_ssize_t first = index * COLUMNS, n = min(<Py_ssize_t> COLUMNS, job.features - first), start = 0, count
    cdef Py_ssize_t i, j, k
    while start < tuples.size and go_on(worker, BLOCK):
        count = min(<Py_ssize_t> BLOCK, tuples.size - start)
        label = load(&job.base.operands[Y], tuples, start, count, s.label, &s.block)
        factor = load(&job.across_out, tuples, start, count, s.factor, &s.block)
        for i in range(count):
            if factor[i] == 0:
                continue
            k = <Py_ssize_t> label[i] if label[i] >= 0 else 0
            if job.in_place[0]:
                x = <const floating*> job.rows[0].data + (start + i) * job.features + first
            else:
                x = load(&job.rows[0], &job.shape, (start + i) * job.features + first, n, <floating*> s.part, &s.block)
            c = <const floating*> job.rows[1].data + k * job.features + first
            sum = whole.sums + k * job.features + first
            for j in range(n):
                sum[j] += factor[i] * (<double> c[j] - <double> x[j])
        start += count


cdef void class_columns_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    class_columns(<ClassJob*> job, index, worker, <float> 1)


cdef void class_columns_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    class_columns(<ClassJob*> job, index, worker, <double> 1)
