# A batch of rows compared with another or with itself: passes over a block of their similarities, in place.
#
# A block has a row for each anchor of some and a column for each candidate of all; the driver in Python makes it by
# BLAS and takes from it, by BLAS again, the derivatives that these passes left there. Rows go through the first-level
# cache in pieces. Where it says score, it is a similarity times the job's scale, plus what its column adds.
#
# a. A candidate is positive, negative or neither, by its code and the anchor's: a column has the code of a class, or of
#    an item. The anchor's own column is the one positive of a row (`paired`) or neither; of others the same code makes
#    them neither, or positive.
# b. Everything that is one number for each row is in float64; rows are independent, and have the same bits in any grid.

include "vectors/pieces.pxi"
include "vectors/contrast.pxi"
include "vectors/metric.pxi"
include "vectors/proxies.pxi"
include "vectors/redundancy.pxi"


# Rows of a block --------------------------------------------------------------------------------------

cdef struct SimilarityJob:
    const SimilarityProgram* program
    int operation
    bint paired
    double scale
    double factor                       # of the derivatives
    double parameters[4]
    char* block
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t chunk                    # rows of a task
    const char* row_codes               # in the type of the scores, which holds them exactly
    const char* column_codes
    const Py_ssize_t* own               # the anchor's own column, or -1
    const char* bias                    # NULL, or what a column adds to its scores
    const char* column_logs             # NULL, or what pairs know of their candidates
    const char* column_weights
    const double* given                 # NULL, or what stands for the log-sum-exp of the positives
    const double* weights               # of the rows, 0 where they do not count
    double* results[COMPARED_RESULTS]   # NULL where not asked for
    # Along both sides
    double* tops                        # of the columns
    double* sums
    const double* row_shifts
    const double* row_factors
    const char* column_shifts
    const char* column_factors


cdef inline void fill_piece(const SimilarityJob* job, Py_ssize_t row, Py_ssize_t first, Py_ssize_t n, Piece* g,
                            floating like) noexcept nogil:
    """Columns first ... of a row: their scores and sides."""
    cdef const floating* given = <const floating*> job.block + row * job.columns + first
    cdef const floating* codes = <const floating*> job.column_codes + first
    cdef const floating* bias = <const floating*> job.bias + (first if job.bias != NULL else 0)
    cdef floating code = (<const floating*> job.row_codes)[row], scale = <floating> job.scale
    cdef floating same = 0 if job.paired else 1
    cdef floating other = -1
    cdef floating* x = <floating*> g.x
    cdef floating* side = <floating*> g.side
    cdef Py_ssize_t i, own = job.own[row] - first if job.own[row] >= 0 else -1
    cdef int found = 0
    for i in range(n):
        x[i] = scale * given[i]
        side[i] = same if codes[i] == code else other
    if job.bias != NULL:
        for i in range(n):
            x[i] += bias[i]
    g.groups = (n + PIECE_LANES - 1) // PIECE_LANES
    for i in range(n, g.groups * PIECE_LANES):
        x[i] = 0
        side[i] = 0
    if own >= 0 and own < n:
        side[own] = 1 if job.paired else 0
        found = job.paired
    if not job.paired:
        for i in range(g.groups * PIECE_LANES):
            found |= side[i] > 0
    g.positive = found
    if job.column_logs != NULL:
        memcpy(g.other, <const floating*> job.column_logs + first, n * sizeof(floating))
        memcpy(g.weight, <const floating*> job.column_weights + first, n * sizeof(floating))


cdef inline void count_sides(Piece* g, floating like) noexcept nogil:
    cdef const floating* side = <const floating*> g.side
    cdef floating positives = 0, negatives = 0
    cdef Py_ssize_t i, n = g.groups * PIECE_LANES
    for i in range(n):
        positives += side[i] > 0
    for i in range(n):
        negatives += side[i] < 0
    g.row.positives += positives
    g.row.negatives += negatives


cdef void compare_row(const SimilarityJob* job, Py_ssize_t row, Piece* g, floating like) noexcept nogil:
    cdef floating* block = <floating*> job.block + row * job.columns
    cdef double weight = job.weights[row] * job.factor
    cdef Py_ssize_t first, n
    memset(&g.row, 0, sizeof(Compared))
    # Of symmetric pairs an anchor without weight is the candidate of others.
    if job.weights[row] == 0 and job.column_logs == NULL:
        if job.operation & GRAD:
            memset(block, 0, job.columns * sizeof(floating))
        for n in range(COMPARED_RESULTS):
            if job.results[n] != NULL:
                job.results[n][row] = 0
        return
    g.factor = weight
    g.top_positive = g.top_negative = -INFINITY
    g.sum_positive = g.sum_negative = 0
    if job.own[row] >= 0:
        g.row.own = job.scale * block[job.own[row]]
        if job.bias != NULL:
            g.row.own += (<const floating*> job.bias)[job.own[row]]
    first = 0
    while first < job.columns:
        n = min(<Py_ssize_t> PIECE, job.columns - first)
        fill_piece(job, row, first, n, g, like)
        count_sides(g, like)
        job.program.statistics(g)
        first += PIECE
    # A sum that is NaN has no shift to go with.
    g.row.log_positive = -INFINITY if g.sum_positive == 0 else log(g.sum_positive) + (
        g.top_positive if g.top_positive > -INFINITY else 0)
    g.row.log_negative = -INFINITY if g.sum_negative == 0 else log(g.sum_negative) + (
        g.top_negative if g.top_negative > -INFINITY else 0)
    if job.given != NULL:
        g.row.log_positive = job.given[row]
    if job.program.pairs != NULL and job.operation & (VALUE | GRAD):
        first = 0
        while first < job.columns:
            n = min(<Py_ssize_t> PIECE, job.columns - first)
            fill_piece(job, row, first, n, g, like)
            job.program.pairs(g)
            first += PIECE
    job.program.formula(&g.row, job.parameters)
    if job.results[COMPARED_VALUE] != NULL:
        job.results[COMPARED_VALUE][row] = g.row.value
    if job.results[COMPARED_LOG] != NULL:
        job.results[COMPARED_LOG][row] = g.row.log_negative
    if job.results[COMPARED_OWN] != NULL:
        job.results[COMPARED_OWN][row] = g.row.own
    if job.results[COMPARED_SLOPE] != NULL:
        job.results[COMPARED_SLOPE][row] = weight * (g.row.slope if job.given == NULL else g.row.to_positive)
    if not job.operation & GRAD:
        return
    # What pairs add up is weighted as it is.
    g.row.to_each *= weight
    g.sum_positive = weight * g.row.to_positive / g.sum_positive if g.sum_positive != 0 else 0
    if job.program.pairs == NULL:
        g.row.to_negative *= weight
    g.sum_negative = g.row.to_negative / g.sum_negative if g.sum_negative != 0 else 0
    g.top_positive = g.top_positive if g.top_positive > -INFINITY else 0
    g.top_negative = g.top_negative if g.top_negative > -INFINITY else 0
    first = 0
    while first < job.columns:
        n = min(<Py_ssize_t> PIECE, job.columns - first)
        fill_piece(job, row, first, n, g, like)
        job.program.map(g)
        memcpy(block + first, g.x, n * sizeof(floating))
        first += PIECE


cdef void compare_rows(SimilarityJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Piece* g = <Piece*> worker.scratch
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows)
    memset(g, 0, sizeof(Piece))
    g.single = floating is float
    g.parameters = job.parameters
    while row < stop and go_on(worker, job.columns):
        compare_row(job, row, g, like)
        row += 1


cdef void compare_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    compare_rows(<SimilarityJob*> job, index, worker, <float> 1)


cdef void compare_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    compare_rows(<SimilarityJob*> job, index, worker, <double> 1)


# Columns of a block, for losses of both directions ----------------------------------------------------

cdef void add_to_columns(SimilarityJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """Add the exponentials of the negatives of some columns to their sums, 64 rows at a time."""
    cdef Py_ssize_t first = index * STRIP, n = min(<Py_ssize_t> STRIP, job.columns - first)
    cdef Py_ssize_t start = 0, stop, row, i
    cdef const floating* codes = <const floating*> job.column_codes + first
    cdef const floating* x
    cdef floating top[STRIP]
    cdef floating sum[STRIP]
    cdef floating code, e, none = -INFINITY, scale = <floating> job.scale
    while start < job.rows and go_on(worker, STRIP * STRIP_ROWS):
        stop = min(start + STRIP_ROWS, job.rows)
        for i in range(n):
            top[i] = none
            sum[i] = 0
        for row in range(start, stop):
            x = <const floating*> job.block + row * job.columns + first
            code = (<const floating*> job.row_codes)[row]
            for i in range(n):
                e = scale * x[i]
                e = e if codes[i] != code else none
                top[i] = e if e > top[i] else top[i]
        for i in range(n):
            if top[i] > job.tops[first + i]:
                if job.tops[first + i] > -INFINITY:
                    job.sums[first + i] *= exp(job.tops[first + i] - top[i])
                job.tops[first + i] = top[i]
            top[i] = <floating> (job.tops[first + i] if job.tops[first + i] > -INFINITY else 0)
        for row in range(start, stop):
            x = <const floating*> job.block + row * job.columns + first
            code = (<const floating*> job.row_codes)[row]
            for i in range(n):
                e = exp_in_sum(scale * x[i] - top[i])
                sum[i] += e if codes[i] != code else 0
        for i in range(n):
            job.sums[first + i] += sum[i]
        start = stop


cdef void add_to_columns_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    add_to_columns(<SimilarityJob*> job, index, worker, <float> 1)


cdef void add_to_columns_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    add_to_columns(<SimilarityJob*> job, index, worker, <double> 1)


cdef void map_both(SimilarityJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """From scores to derivatives: each negative has a share of its row's and of its column's sum."""
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows), i
    cdef const floating* codes = <const floating*> job.column_codes
    cdef const floating* shifts = <const floating*> job.column_shifts
    cdef const floating* factors = <const floating*> job.column_factors
    cdef floating* x
    cdef floating code, shift, factor, v, score, scale = <floating> job.scale
    while row < stop and go_on(worker, job.columns):
        x = <floating*> job.block + row * job.columns
        code = (<const floating*> job.row_codes)[row]
        shift = <floating> job.row_shifts[row]
        factor = <floating> job.row_factors[row]
        for i in range(job.columns):
            score = scale * x[i]
            v = factor * exp_of(score - shift) + factors[i] * exp_of(score - shifts[i])
            x[i] = v if codes[i] != code else 0
        x[job.own[row]] = -(factor + factors[job.own[row]])
        row += 1


cdef void map_both_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    map_both(<SimilarityJob*> job, index, worker, <float> 1)


cdef void map_both_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    map_both(<SimilarityJob*> job, index, worker, <double> 1)


# The entries ------------------------------------------------------------------------------------------

cdef enum:
    SIMILARITY_VIEWS = 20

cdef class Held:
    """Arrays of our own, contiguous and of known types, while a kernel works on them."""

    cdef Py_buffer views[SIMILARITY_VIEWS]
    cdef int count

    cdef void* take(self, object array, int dtype, Py_ssize_t size, bint written) except? NULL:
        """The memory of an array of so many elements; NULL for None."""
        cdef Py_buffer* view = &self.views[self.count]
        if array is None:
            return NULL
        hold(array, view, dtype, written, self.count)
        self.count += 1
        if view.len != size * view.itemsize:
            raise Mismatch(self.count - 1, tuple([view.shape[d] for d in range(view.ndim)]), view.itemsize)
        return view.buf

    def __dealloc__(self):
        cdef int k
        for k in range(self.count):
            PyBuffer_Release(&self.views[k])


cdef Held begin_similarities(SimilarityJob* job, block, rows, dict columns, bint paired, double scale, bint single):
    """Take what all passes over a block need: `rows` holds the codes, own columns and weights of its rows."""
    cdef Held held = Held()
    cdef int dtype = FLOAT32 if single else FLOAT64
    memset(job, 0, sizeof(SimilarityJob))
    job.rows, job.columns = block.shape
    job.block = <char*> held.take(block, dtype, job.rows * job.columns, True)
    job.row_codes = <const char*> held.take(rows[0], dtype, job.rows, False)
    job.own = <const Py_ssize_t*> held.take(rows[1], INT64, job.rows, False)
    job.weights = <const double*> held.take(rows[2], FLOAT64, job.rows, False)
    job.column_codes = <const char*> held.take(columns["codes"], dtype, job.columns, False)
    job.bias = <const char*> held.take(columns.get("bias"), dtype, job.columns, False)
    job.column_logs = <const char*> held.take(columns.get("logs"), dtype, job.columns, False)
    job.column_weights = <const char*> held.take(columns.get("weights"), dtype, job.columns, False)
    job.column_shifts = <const char*> held.take(columns.get("shifts"), dtype, job.columns, False)
    job.column_factors = <const char*> held.take(columns.get("factors"), dtype, job.columns, False)
    job.paired = paired
    job.scale = scale
    job.chunk = max(<Py_ssize_t> 1, TASK_SCORES // max(<Py_ssize_t> 1, job.columns))
    return held


cdef int run_similarities(SimilarityJob* job, Task task, Py_ssize_t tasks, int num_threads) except -1:
    num_threads = team(tasks, num_threads)
    with nogil:
        parallel_for(task, job, tasks, num_threads, sizeof(Piece))
    return 0


def compare(Kernel kernel, int operation, block, tuple rows, dict columns, *, bint paired, double scale,
            double factor, tuple constants, tuple results, given, bint single, int num_threads):
    """Turn a block of similarities into losses, and with GRAD into the derivatives in the scores, in place.

    `rows` are the codes, own columns and weights of the block's rows; `columns` the codes and what else there is of all
    columns, by name; both codes in the type of the block. Derivatives are multiplied by `factor`. `results` are
    COMPARED_VALUE ..., float64 arrays or None.
    """
    cdef SimilarityJob job
    cdef Held held = begin_similarities(&job, block, rows, columns, paired, scale, single)
    cdef int k
    job.program = <const SimilarityProgram*> kernel.program
    job.operation = operation
    job.factor = factor
    for k in range(len(constants)):
        job.parameters[k] = constants[k]
    for k in range(COMPARED_RESULTS):
        job.results[k] = <double*> held.take(results[k], FLOAT64, job.rows, True)
    job.given = <const double*> held.take(given, FLOAT64, job.rows, False)
    run_similarities(&job, compare_rows_of_float if single else compare_rows_of_double,
                     (job.rows + job.chunk - 1) // job.chunk, num_threads)


def add_columns(block, tuple rows, dict columns, tops, sums, *, double scale, bint single, int num_threads):
    """Add the exponentials of a block's negatives to the sums of their columns, which are shifted by `tops`."""
    cdef SimilarityJob job
    cdef Held held = begin_similarities(&job, block, rows, columns, True, scale, single)
    job.tops = <double*> held.take(tops, FLOAT64, job.columns, True)
    job.sums = <double*> held.take(sums, FLOAT64, job.columns, True)
    run_similarities(&job, add_to_columns_of_float if single else add_to_columns_of_double,
                     (job.columns + STRIP - 1) // STRIP, num_threads)


def map_of_both(block, tuple rows, dict columns, shifts, factors, *, double scale, bint single, int num_threads):
    """Turn a block into derivatives of losses of both directions, given the sums and factors of rows and columns."""
    cdef SimilarityJob job
    cdef Held held = begin_similarities(&job, block, rows, columns, True, scale, single)
    job.row_shifts = <const double*> held.take(shifts, FLOAT64, job.rows, False)
    job.row_factors = <const double*> held.take(factors, FLOAT64, job.rows, False)
    run_similarities(&job, map_both_of_float if single else map_both_of_double,
                     (job.rows + job.chunk - 1) // job.chunk, num_threads)


# Rows of the caller's arrays, and their gradients -----------------------------------------------------

cdef enum:
    TASK_NUMBERS = 1 << 15

cdef struct RowsJob:
    Operand operand                     # rows of the caller, or where to write their gradients
    Shape shape
    Py_ssize_t rows
    Py_ssize_t features
    Py_ssize_t chunk
    bint unit
    char* work                          # our rows
    const char* units
    double* norms
    double* along                       # NULL, or for a scalar product of each row


cdef void take_rows(RowsJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Scratch* s = <Scratch*> worker.scratch
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows), first, n, i
    cdef floating* out
    cdef const floating* x
    cdef double norm, top, shrink
    while row < stop and go_on(worker, job.features):
        out = <floating*> job.work + row * job.features
        first = 0
        while first < job.features:
            n = min(<Py_ssize_t> BLOCK, job.features - first)
            x = load(&job.operand, &job.shape, row * job.features + first, n, <floating*> s.x, s)
            memcpy(out + first, x, n * sizeof(floating))
            first += n
        if job.unit:
            shrink = 1
            if floating is double:      # whose squares may over- or underflow
                top = 0
                for i in range(job.features):
                    top = max(top, fabs(out[i]))
                if top > 1e140:
                    shrink = 2.409919865102884e-181         # 2^-600
                elif top < 1e-140:
                    shrink = 4.149515568880993e+180
            norm = 0
            first = 0
            while first < job.features:
                n = min(<Py_ssize_t> BLOCK, job.features - first)
                for i in range(n):
                    s.total[i] = (shrink * out[first + i]) * (shrink * out[first + i])
                norm += total(s.total, n)
                first += n
            norm = sqrt(norm)
            for i in range(job.features):
                out[i] = <floating> (shrink * out[i] / norm) if norm != 0 else 0
            job.norms[row] = norm / shrink
        row += 1


cdef void give_rows(RowsJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """From gradients in unit rows to those in the caller's; what lies along a unit row is taken out.

    A gradient of zeros stays one, even in a row that is NaN: the row does not count.
    """
    cdef Scratch* s = <Scratch*> worker.scratch
    cdef Py_ssize_t row = index * job.chunk, stop = min(row + job.chunk, job.rows), first, n, i
    cdef floating* g
    cdef const floating* unit
    cdef double along, norm
    cdef int some
    while row < stop and go_on(worker, job.features):
        g = <floating*> job.work + row * job.features
        unit = <const floating*> job.units + row * job.features
        along = 0
        some = 0
        for i in range(job.features):
            some |= g[i] != 0
        first = 0
        while some and first < job.features:
            n = min(<Py_ssize_t> BLOCK, job.features - first)
            for i in range(n):
                s.total[i] = <double> g[first + i] * unit[first + i]
            along += total(s.total, n)
            first += n
        if job.along != NULL:
            job.along[row] = along
        if job.unit and some:
            norm = job.norms[row]
            for i in range(job.features):
                g[i] = <floating> ((g[i] - along * unit[i]) / norm) if norm != 0 else 0
        if job.operand.data != NULL:
            first = 0
            while first < job.features:
                n = min(<Py_ssize_t> BLOCK, job.features - first)
                store(&job.operand, &job.shape, row * job.features + first, n, g + first, s)
                first += n
        row += 1


cdef void take_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    take_rows(<RowsJob*> job, index, worker, <float> 1)


cdef void take_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    take_rows(<RowsJob*> job, index, worker, <double> 1)


cdef void give_rows_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_rows(<RowsJob*> job, index, worker, <float> 1)


cdef void give_rows_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_rows(<RowsJob*> job, index, worker, <double> 1)


cdef int run_rows(RowsJob* job, array, int dtype, work, units, norms, along, bint written, bint single, Task task,
                  int num_threads) except -1:
    cdef Held held = Held()
    cdef Py_buffer* view
    cdef Operand* operand = &job.operand
    cdef int axis, code = FLOAT32 if single else FLOAT64
    cdef Py_ssize_t chunks
    cdef Py_ssize_t lengths[2]
    job.rows, job.features = work.shape
    job.work = <char*> held.take(work, code, job.rows * job.features, True)
    job.units = <const char*> held.take(units, code, job.rows * job.features, False)
    job.norms = <double*> held.take(norms, FLOAT64, job.rows, True)
    job.along = <double*> held.take(along, FLOAT64, job.rows, True)
    if array is not None:
        view = &held.views[held.count]
        hold(array, view, dtype, written, held.count)
        held.count += 1
        lengths[0], lengths[1] = job.rows, job.features
        match(view, lengths, 2, held.count - 1)
        describe(operand, view, dtype)
        job.shape.ndim = 2
        job.shape.size = job.rows * job.features
        for axis in range(2):
            job.shape.lengths[axis] = lengths[axis]
        coalesce(&job.shape, &operand, 1)
    if job.rows == 0 or job.features == 0:
        return 0
    job.chunk = max(<Py_ssize_t> 1, TASK_NUMBERS // job.features)
    chunks = (job.rows + job.chunk - 1) // job.chunk
    num_threads = team(chunks, num_threads)
    with nogil:
        parallel_for(task, job, chunks, num_threads, sizeof(Scratch))
    return 0


def unit_rows(array, int dtype, work, norms, *, bint single, int num_threads):
    """Copy rows of any layout and type to `work`, with `norms` divided by their norms, which are written there."""
    cdef RowsJob job
    memset(&job, 0, sizeof(RowsJob))
    job.unit = norms is not None
    run_rows(&job, array, dtype, work, None, norms, None, False, single,
             take_rows_of_float if single else take_rows_of_double, num_threads)


def gradient_rows(array, int dtype, work, units, norms, along, *, bint single, int num_threads):
    """Turn gradients in unit rows, `work`, into those in the rows themselves, and write them to `array`, if any.

    Without `norms` the rows are no unit rows and the gradients stay. `along` is None or gets the scalar product of each
    row with its gradient.
    """
    cdef RowsJob job
    memset(&job, 0, sizeof(RowsJob))
    job.unit = norms is not None
    run_rows(&job, array, dtype, work, units, norms, along, True, single,
             give_rows_of_float if single else give_rows_of_double, num_threads)


# Columns: the features of a batch ---------------------------------------------------------------------

cdef enum:
    FEATURE_STRIP = 64                  # features of a task, and lanes

cdef struct FeaturesJob:
    Py_ssize_t rows
    Py_ssize_t features
    char* z                             # the features, and then less their means
    char* gradient
    const char* apart                   # NULL, or the gradient of another term
    double* deviations
    const double* factors               # NULL, or of each feature what of it is in the gradient
    double eps
    double degrees                      # what a sum of squares is divided by
    double weight                       # of the other term
    bint divided                        # by the deviations


cdef void centre_features(FeaturesJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef Py_ssize_t first = index * FEATURE_STRIP, n = min(<Py_ssize_t> FEATURE_STRIP, job.features - first), row, i
    cdef floating* x
    cdef double sums[FEATURE_STRIP]
    cdef floating mean[FEATURE_STRIP]
    memset(sums, 0, sizeof(sums))
    for row in range(job.rows):
        x = <floating*> job.z + row * job.features + first
        for i in range(n):
            sums[i] += x[i]
    for i in range(n):
        mean[i] = <floating> (sums[i] / job.rows)
    memset(sums, 0, sizeof(sums))
    for row in range(job.rows):
        x = <floating*> job.z + row * job.features + first
        for i in range(n):
            x[i] -= mean[i]
            sums[i] += <double> x[i] * x[i]
    for i in range(n):
        sums[i] = sqrt(sums[i] / job.degrees + job.eps)
        job.deviations[first + i] = sums[i]
        mean[i] = <floating> (1 if sums[i] == 0 else sums[i])
    if job.divided:
        for row in range(job.rows):
            x = <floating*> job.z + row * job.features + first
            for i in range(n):
                x[i] /= mean[i]


cdef void give_features(FeaturesJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    """Through the deviations of standard features, or with more of the features and another term."""
    cdef Py_ssize_t first = index * FEATURE_STRIP, n = min(<Py_ssize_t> FEATURE_STRIP, job.features - first), row, i
    cdef floating* g
    cdef const floating* z
    cdef const floating* apart
    cdef double sums[FEATURE_STRIP]
    cdef floating along[FEATURE_STRIP]
    cdef floating slope[FEATURE_STRIP]
    cdef floating weight = <floating> job.weight
    if job.factors != NULL:
        for i in range(n):
            along[i] = <floating> job.factors[first + i]
        for row in range(job.rows):
            g = <floating*> job.gradient + row * job.features + first
            z = <const floating*> job.z + row * job.features + first
            apart = <const floating*> job.apart + row * job.features + first
            for i in range(n):
                g[i] += along[i] * z[i] + weight * apart[i]
    else:
        memset(sums, 0, sizeof(sums))
        for row in range(job.rows):
            g = <floating*> job.gradient + row * job.features + first
            z = <const floating*> job.z + row * job.features + first
            for i in range(n):
                sums[i] += <double> g[i] * z[i]
        for i in range(n):
            along[i] = <floating> (sums[i] / job.degrees)
            slope[i] = <floating> (0 if job.deviations[first + i] == 0 else 1 / job.deviations[first + i])
        for row in range(job.rows):
            g = <floating*> job.gradient + row * job.features + first
            z = <const floating*> job.z + row * job.features + first
            for i in range(n):
                g[i] = (g[i] - along[i] * z[i]) * slope[i]


cdef void centre_features_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    centre_features(<FeaturesJob*> job, index, worker, <float> 1)


cdef void centre_features_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    centre_features(<FeaturesJob*> job, index, worker, <double> 1)


cdef void give_features_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_features(<FeaturesJob*> job, index, worker, <float> 1)


cdef void give_features_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    give_features(<FeaturesJob*> job, index, worker, <double> 1)


cdef int run_features(FeaturesJob* job, Task task, int num_threads) except -1:
    cdef Py_ssize_t strips = (job.features + FEATURE_STRIP - 1) // FEATURE_STRIP
    num_threads = team(strips, num_threads)
    with nogil:
        parallel_for(task, job, strips, num_threads, 64)
    return 0


def centred_features(z, deviations, *, double eps, Py_ssize_t degrees, bint divided, bint single, int num_threads):
    """Take the means of its columns from `z`, write their deviations, the root of the sums of squares over `degrees`
    plus `eps`, and divide by these if asked to, but not by 0."""
    cdef FeaturesJob job
    cdef Held held = Held()
    memset(&job, 0, sizeof(FeaturesJob))
    job.rows, job.features = z.shape
    job.z = <char*> held.take(z, FLOAT32 if single else FLOAT64, job.rows * job.features, True)
    job.deviations = <double*> held.take(deviations, FLOAT64, job.features, True)
    job.eps, job.degrees, job.divided = eps, degrees, divided
    run_features(&job, centre_features_of_float if single else centre_features_of_double, num_threads)


def features_gradient(gradient, z, deviations, factors, apart, *, double weight, Py_ssize_t degrees, bint single,
                      int num_threads):
    """Turn a gradient in standard features, `z`, into that in the features, or with `factors` of these, of the columns,
    add the features times them and another gradient, `apart`, times its weight."""
    cdef FeaturesJob job
    cdef Held held = Held()
    cdef int dtype = FLOAT32 if single else FLOAT64
    memset(&job, 0, sizeof(FeaturesJob))
    job.rows, job.features = z.shape
    job.gradient = <char*> held.take(gradient, dtype, job.rows * job.features, True)
    job.z = <char*> held.take(z, dtype, job.rows * job.features, False)
    job.deviations = <double*> held.take(deviations, FLOAT64, job.features, False)
    job.factors = <const double*> held.take(factors, FLOAT64, job.features, False)
    job.apart = <const char*> held.take(apart, dtype, job.rows * job.features, False)
    job.weight, job.degrees = weight, degrees
    run_features(&job, give_features_of_float if single else give_features_of_double, num_threads)
