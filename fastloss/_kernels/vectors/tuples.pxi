# Tuples of rows: pairs, triplets, quadruplets, and rows with the centre of their class. What they have in common is a
# number of distances between two of them and a formula of these.
#
# a. A group of tuples is small enough that its rows are in cache from their sums to their gradients: each is read from
#    memory once.
# b. A formula sees distances, and returns the loss with its slopes in them; how a distance is measured is not its
#    business, so that any goes with any.

include "vectors/measures.pxi"

cdef enum:
    MOST_ROWS = 4                       # of a tuple
    MOST_TERMS = 3                      # distances
    TUPLES = 64                         # of a group at most
    GROUP_BYTES = 1 << 15               # of rows that are read again for the gradients
    TUPLES_AHEAD = 8                    # tuples between those that are measured and those that are fetched
    FETCHED = 1024                      # features of a row up to which it is fetched
    MOST_TUPLE_PROGRAMS = 32

# What a target is.
cdef enum:
    NO_TARGET
    SIGN_TARGET                         # positive or not
    CLASS_TARGET                        # the second row of a pair is that of the class among the centres

cdef struct TupleGroup
ctypedef void (*TupleLoop)(TupleGroup* group) noexcept nogil

# A formula of the target, the distances and the constants, which writes the slopes in the distances.
ctypedef double (*TupleFormula)(
    double y, double d0, double d1, double d2, const double* p, double* g0, double* g1, double* g2
) noexcept nogil

cdef struct TupleProgram:
    int targets
    int rows
    int terms
    int first[MOST_TERMS]               # the rows of each distance
    int second[MOST_TERMS]
    TupleLoop formula

# What is one number for each tuple of a group.
cdef struct TupleGroup:
    Py_ssize_t tuples
    const double* parameters
    double y[TUPLES]
    double weight[TUPLES]               # times the scale of the derivatives
    double value[TUPLES]
    double distance[MOST_TERMS][TUPLES]
    double slope[MOST_TERMS][TUPLES]
    double sums[MOST_TERMS][TUPLES][3]
    double across[MOST_TERMS][TUPLES]   # coefficients of the gradients
    double along[MOST_TERMS][2][TUPLES]
    bint hard[TUPLES]                   # to be looked at closely
    const char* rows[MOST_ROWS][TUPLES]

cdef struct TupleJob:
    Job base                            # its operands are targets, weights, mask and results of the tuples
    const TupleProgram* program
    int measure
    bint single                         # computed in float32
    double eps
    double p
    Shape shape                         # of tuples and features
    Operand rows[MOST_ROWS]
    Operand grads[MOST_ROWS]
    bint in_place[MOST_ROWS]            # read where they are
    bint fetched[MOST_ROWS]             # ... and fetched before, in the order of the tuples
    Operand across_out                  # the coefficient of each pair with a centre
    Py_ssize_t classes
    Py_ssize_t features
    Py_ssize_t group
    double low                          # what sums may be, or a tuple is looked at closely
    double high
    double least                        # ... and coefficients
    double most

cdef struct TupleScratch:
    TupleGroup group
    double out[MOST_ROWS][BLOCK]
    double close[BLOCK]
    Scratch block                       # aligns them all
    Py_ssize_t watched                  # the tuple of the group that is looked at closely, or -1
    Closely closely[MOST_TERMS]
    double room[1]                      # of rows that are not read in place

cdef TupleProgram[MOST_TUPLE_PROGRAMS] TUPLE_PROGRAMS       # the kernels point to them
KERNELS = {}


cdef TupleProgram program(int targets, int rows, tuple terms, TupleLoop formula) noexcept:
    cdef TupleProgram p
    cdef int t
    memset(&p, 0, sizeof(TupleProgram))
    p.targets, p.rows, p.terms, p.formula = targets, rows, len(terms), formula
    for t in range(p.terms):
        p.first[t], p.second[t] = terms[t]
    return p


cdef int declare(str name, TupleProgram program, tuple parameters=()) except -1:
    """Enter a kernel under its name, with the names of its constants."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    cdef Py_ssize_t place = len(KERNELS)
    if place == MOST_TUPLE_PROGRAMS:
        raise MemoryError(f"{name}: there is no room for more than {MOST_TUPLE_PROGRAMS} programs")
    TUPLE_PROGRAMS[place] = program
    kernel.name, kernel.parameters, kernel.program = name, parameters, &TUPLE_PROGRAMS[place]
    KERNELS[name] = kernel
    return 0


cdef inline void each_tuple(TupleFormula formula, TupleGroup* g) noexcept nogil:
    cdef double v, g0, g1, g2
    cdef Py_ssize_t i
    for i in range(g.tuples):
        g0 = g1 = g2 = 0
        v = formula(g.y[i], g.distance[0][i], g.distance[1][i], g.distance[2][i], g.parameters, &g0, &g1, &g2)
        g.value[i] = v
        g.slope[0][i] = g0 if v == v else v
        g.slope[1][i] = g1 if v == v else v
        g.slope[2][i] = g2 if v == v else v


# Rows in cache ----------------------------------------------------------------------------------------

cdef void find_rows(TupleJob* job, TupleScratch* s, Py_ssize_t start, Py_ssize_t tuples,
                    floating like) noexcept nogil:
    """Where each row of a group is, in the type of `like`: in the caller's array, or a copy in the scratch memory."""
    cdef TupleGroup* g = &s.group
    cdef Py_ssize_t i, at, n = job.features, take
    cdef const floating* source
    cdef const floating* found
    cdef floating* room
    cdef int k
    for k in range(job.program.rows):
        if k == 1 and job.program.targets == CLASS_TARGET:
            source = <const floating*> job.rows[1].data
            for i in range(tuples):
                at = <Py_ssize_t> g.y[i] if g.y[i] >= 0 else 0
                g.rows[1][i] = <const char*> (source + at * n)
            continue
        if job.in_place[k]:
            source = <const floating*> job.rows[k].data + start * n
        else:
            room = <floating*> s.room + k * job.group * n
            source = room
            at = 0
            while at < tuples * n:
                take = min(<Py_ssize_t> BLOCK, tuples * n - at)
                found = load(&job.rows[k], &job.shape, start * n + at, take, room + at, &s.block)
                if found != room + at:
                    memcpy(room + at, found, take * sizeof(floating))
                at += take
        for i in range(tuples):
            g.rows[k][i] = <const char*> (source + i * n)


cdef inline void fetch_row(TupleJob* job, int k, Py_ssize_t tuple) noexcept nogil:
    """A row of a later group, while those of this one are computed with: the processor does not foresee so many."""
    cdef Py_ssize_t bytes = job.features * (4 if job.single else 8)
    if job.fetched[k] and tuple < job.base.shape.size:
        prefetch(job.rows[k].data + tuple * bytes, bytes)


cdef inline void measure_rows(int measure, TupleJob* job, TupleGroup* g, Py_ssize_t start,
                              floating like) noexcept nogil:
    cdef Py_ssize_t i
    cdef int t
    cdef bint ahead = not job.base.operation & GRAD
    for i in range(g.tuples):
        if ahead:
            for t in range(job.program.rows):
                fetch_row(job, t, start + i + TUPLES_AHEAD)
        for t in range(job.program.terms):
            sum_features(measure, <const floating*> g.rows[job.program.first[t]][i],
                         <const floating*> g.rows[job.program.second[t]][i], job.features, job.eps, job.p,
                         g.sums[t][i])


cdef void measure_group(TupleJob* job, TupleGroup* g, Py_ssize_t start, floating like) noexcept nogil:
    if job.measure == MANHATTAN:
        measure_rows(MANHATTAN, job, g, start, like)
    elif job.measure == POWER:
        measure_rows(POWER, job, g, start, like)
    elif is_angular(job.measure):
        measure_rows(COSINE, job, g, start, like)
    else:
        measure_rows(EUCLIDEAN, job, g, start, like)


# Distances and coefficients ----------------------------------------------------------------------------

cdef inline double cosine_of(const double* sums) noexcept nogil:
    """The cosine, 0 with a vector of zeros."""
    cdef double size = sqrt(sums[1] * sums[2])
    cdef double c = sums[0] / size if size != 0 else 0
    return 1 if c > 1 else (-1 if c < -1 else c)


cdef inline bint in_range(double v, double low, double high) noexcept nogil:
    return (v >= low) & (v <= high)


cdef void find_distances(TupleJob* job, TupleGroup* g, floating like) noexcept nogil:
    cdef int t
    cdef Py_ssize_t i
    cdef double* sums
    cdef double d
    cdef Closely c
    for t in range(job.program.terms):
        for i in range(g.tuples):
            sums = g.sums[t][i]
            if is_angular(job.measure):
                d = cosine_of(sums)
                g.distance[t][i] = 1 - d if job.measure == COSINE else d
                if in_range(sums[1], job.low, job.high) and in_range(sums[2], job.low, job.high):
                    continue
            else:
                d = sums[0]
                if job.measure == EUCLIDEAN:
                    g.distance[t][i] = sqrt(d)
                elif job.measure == POWER:
                    g.distance[t][i] = power_for(<double> 0, d, 0, 1 / job.p)
                else:
                    g.distance[t][i] = d
                if in_range(d, job.low, job.high):
                    continue
            g.hard[i] = True
            look_closely(job.measure, <const floating*> g.rows[job.program.first[t]][i],
                         <const floating*> g.rows[job.program.second[t]][i], job.features, job.eps, job.p, &c)
            if c.finite:
                g.distance[t][i] = c.distance


cdef void find_coefficients(TupleJob* job, TupleGroup* g) noexcept nogil:
    """What the gradients are made of; a slope of 0 makes them 0, whatever the distance."""
    cdef int t, k
    cdef Py_ssize_t i
    cdef double slope, d, size, r
    cdef double* sums
    for t in range(job.program.terms):
        for i in range(g.tuples):
            sums = g.sums[t][i]
            d = g.distance[t][i]
            slope = g.slope[t][i] * g.weight[i] if g.weight[i] != 0 else 0
            g.slope[t][i] = slope
            g.along[t][0][i] = g.along[t][1][i] = 0
            if slope == 0:
                r = 0
            elif is_angular(job.measure):
                slope = -slope if job.measure == COSINE else slope
                d = 1 - d if job.measure == COSINE else d
                size = sqrt(sums[1] * sums[2])
                r = slope / size if size != 0 else 0
                for k in range(2):
                    g.along[t][k][i] = -slope * d / sums[1 + k] if size != 0 else 0
                    if not in_range(fabs(g.along[t][k][i]), job.least, job.most) and g.along[t][k][i] != 0:
                        g.hard[i] = True
            elif job.measure == SQUARED:
                r = 2 * slope
            elif job.measure == EUCLIDEAN:
                r = slope / d if d != 0 else 0
            elif job.measure == POWER:
                r = slope * power_for(<double> 0, d, 0, 1 - job.p) if d != 0 else 0
            else:
                r = slope
            g.across[t][i] = r
            if not in_range(fabs(r), job.least, job.most) and r != 0:
                g.hard[i] = True


# Gradients --------------------------------------------------------------------------------------------

cdef void watch(TupleJob* job, TupleScratch* s, Py_ssize_t i, floating like) noexcept nogil:
    cdef int t
    cdef const TupleProgram* p = job.program
    if s.watched != i:
        s.watched = i
        for t in range(p.terms):
            look_closely(job.measure, <const floating*> s.group.rows[p.first[t]][i],
                         <const floating*> s.group.rows[p.second[t]][i], job.features, job.eps, job.p, &s.closely[t])


cdef void close_gradient(TupleJob* job, TupleScratch* s, Py_ssize_t i, int k, Py_ssize_t first, Py_ssize_t n,
                         floating* out) noexcept nogil:
    """Features first ... first + n of the gradient in row k of a tuple that is looked at closely."""
    cdef TupleGroup* g = &s.group
    cdef const TupleProgram* p = job.program
    cdef Py_ssize_t at = 0, take, j
    cdef int t
    watch(job, s, i, <floating> 0)
    while at < n:
        take = min(<Py_ssize_t> BLOCK, n - at)
        memset(s.close, 0, take * sizeof(double))
        for t in range(p.terms):
            if (p.first[t] == k or p.second[t] == k) and g.slope[t][i] != 0:
                map_closely(job.measure, &s.closely[t], <const floating*> g.rows[p.first[t]][i] + first + at,
                            <const floating*> g.rows[p.second[t]][i] + first + at, p.second[t] == k, g.slope[t][i],
                            job.eps, job.p, s.close, take)
        for j in range(take):
            out[at + j] = <floating> s.close[j]
        at += take


cdef inline void map_row(int measure, TupleJob* job, TupleScratch* s, Py_ssize_t i, int k, Py_ssize_t first,
                         Py_ssize_t n, floating* out) noexcept nogil:
    """Features first ... first + n of the gradient in row k of a tuple."""
    cdef TupleGroup* g = &s.group
    cdef const TupleProgram* p = job.program
    cdef const floating* x = <const floating*> g.rows[k][i] + first
    cdef const floating* others[2]
    cdef floating across[2]
    cdef double eps[2]
    cdef double along = 0
    cdef int t, count = 0, second
    if g.hard[i]:
        close_gradient(job, s, i, k, first, n, out)
        return
    for t in range(p.terms):
        second = p.second[t] == k
        if (second or p.first[t] == k) and g.slope[t][i] != 0:
            others[count] = <const floating*> g.rows[p.first[t] if second else p.second[t]][i] + first
            across[count] = <floating> g.across[t][i]
            eps[count] = -job.eps if second else job.eps
            along += g.along[t][second][i]
            count += 1
    if count == 0:
        memset(out, 0, n * sizeof(floating))
    elif count == 1:
        map_one(measure, x, others[0], <floating> along, across[0], eps[0], job.p, out, n)
    else:
        map_two(measure, x, others[0], others[1], <floating> along, across[0], across[1], eps[0], eps[1], job.p, out, n)


cdef inline void map_rows(int measure, TupleJob* job, TupleScratch* s, Py_ssize_t start, floating like) noexcept nogil:
    """A block of each gradient at a time; all of them are computed before one is written, over its own row perhaps."""
    cdef Py_ssize_t i = 0, j, n = job.features, first, rows, take, tuples = s.group.tuples
    cdef int k
    rows = max(1, BLOCK // max(n, 1))
    while i < tuples:
        rows = min(rows, tuples - i)
        first = 0
        while first < n:                # once, but for rows that are longer than a block
            take = min(n - first, <Py_ssize_t> BLOCK)
            for j in range(rows):
                for k in range(job.program.rows):
                    if first == 0:
                        fetch_row(job, k, start + tuples + i + j)
                    if job.grads[k].data != NULL:
                        map_row(measure, job, s, i + j, k, first, take, <floating*> s.out[k] + j * n)
            for k in range(job.program.rows):
                if job.grads[k].data != NULL:
                    store(&job.grads[k], &job.shape, (start + i) * n + first, rows * take, <const floating*> s.out[k],
                          &s.block)
            first += take
        i += rows


cdef void map_group(TupleJob* job, TupleScratch* s, Py_ssize_t start, floating like) noexcept nogil:
    if job.measure == MANHATTAN:
        map_rows(MANHATTAN, job, s, start, like)
    elif job.measure == POWER:
        map_rows(POWER, job, s, start, like)
    elif is_angular(job.measure):
        map_rows(COSINE, job, s, start, like)
    else:
        map_rows(EUCLIDEAN, job, s, start, like)


# A group ----------------------------------------------------------------------------------------------

cdef void take_targets(TupleJob* job, TupleScratch* s, Py_ssize_t start, Py_ssize_t tuples) noexcept nogil:
    cdef const double* y
    if job.base.operands[Y].data == NULL:
        memset(s.group.y, 0, sizeof(s.group.y))
        return
    y = load(&job.base.operands[Y], &job.base.shape, start, tuples, s.group.y, &s.block)
    if y != s.group.y:
        memcpy(s.group.y, y, tuples * sizeof(double))


cdef void check_classes(TupleJob* job, TupleScratch* s, const double* weight, Py_ssize_t start,
                        Partial* partial) noexcept nogil:
    """Record the first label that is no class; one without weight becomes the first class, and so does NaN."""
    cdef Py_ssize_t i
    cdef double y
    for i in range(s.group.tuples):
        y = s.group.y[i]
        if y >= 0 and y < job.classes and y == <double> <Py_ssize_t> y:
            continue
        if (weight == NULL or weight[i] != 0) and (y == y or job.base.nan_policy == RAISE):
            partial.bad = start + i
            partial.culprit = Y
            return
        if y == y:
            s.group.y[i] = 0


cdef void tuple_group(TupleJob* job, TupleScratch* s, Py_ssize_t start, Py_ssize_t tuples, Partial* partial,
                      floating like) noexcept nogil:
    cdef Job* base = &job.base
    cdef TupleGroup* g = &s.group
    cdef const double* weight = NULL
    cdef Py_ssize_t i
    g.tuples = tuples
    take_targets(job, s, start, tuples)
    if base.weighted:
        weight = weigh(base, g.y, start, tuples, &s.block, partial)
        partial.weight += total(weight, tuples)
        if partial.bad >= 0:
            return
    else:
        partial.count += tuples
        partial.weight += tuples
    if job.program.targets == CLASS_TARGET:
        check_classes(job, s, weight, start, partial)
    elif base.checked:
        check(base, Y, g.y, weight, start, tuples, partial)
    if partial.bad >= 0 or base.operation == 0:
        return
    find_rows(job, s, start, tuples, like)
    measure_group(job, g, start, like)
    memset(g.hard, 0, sizeof(g.hard))
    s.watched = -1
    find_distances(job, g, like)
    if job.program.targets != NO_TARGET:
        for i in range(tuples):
            g.distance[0][i] += g.y[i] - g.y[i]             # NaN where the target is missing
    job.program.formula(g)
    if base.operation & APART:
        store_apart(job, s, weight, start)
        return
    if base.operation & MOMENTS:
        add_losses(&partial.state, weight, g.value, tuples)
    if base.operation & VALUE:
        if weight != NULL:
            for i in range(tuples):
                g.value[i] = weight[i] * g.value[i] if weight[i] != 0 else 0
        partial.loss += total(g.value, tuples)
        if base.operands[VALUE_OUT].data != NULL:
            store(&base.operands[VALUE_OUT], &base.shape, start, tuples, g.value, &s.block)
    if base.operation & GRAD:
        for i in range(tuples):
            g.weight[i] = base.scale * (1 if weight == NULL else weight[i])
        find_coefficients(job, g)
        if job.across_out.data != NULL:
            store(&job.across_out, &base.shape, start, tuples, g.across[0], &s.block)
        map_group(job, s, start, like)


cdef void store_apart(TupleJob* job, TupleScratch* s, const double* weight, Py_ssize_t start) noexcept nogil:
    """Each weight, -inf where the tuple does not count, and each loss, 0 where it has no weight."""
    cdef TupleGroup* g = &s.group
    cdef Operand* results = job.base.operands
    cdef Py_ssize_t i
    if weight != NULL:
        for i in range(g.tuples):
            g.value[i] = g.value[i] if weight[i] != 0 else 0
            g.weight[i] = weight[i] if s.block.total[i] != 0 else -INFINITY
        store(&results[WEIGHT_OUT], &job.base.shape, start, g.tuples, g.weight, &s.block)
    store(&results[VALUE_OUT], &job.base.shape, start, g.tuples, g.value, &s.block)


cdef void tuple_chunk(TupleJob* job, Py_ssize_t index, Worker* worker, floating like) noexcept nogil:
    cdef TupleScratch* s = <TupleScratch*> worker.scratch
    cdef Partial partial
    cdef Py_ssize_t start = index * job.base.chunk, stop = min(start + job.base.chunk, job.base.shape.size)
    memset(&s.group, 0, sizeof(TupleGroup))
    s.group.parameters = job.base.parameters
    clear(&partial)
    while start < stop and partial.bad < 0 and go_on(worker, job.group * job.features):
        tuple_group(job, s, start, min(job.group, stop - start), &partial, like)
        start += job.group
    job.base.partials[index] = partial


cdef void tuple_chunk_of_float(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    tuple_chunk(<TupleJob*> job, index, worker, <float> 1)


cdef void tuple_chunk_of_double(void* job, Py_ssize_t index, Worker* worker) noexcept nogil:
    tuple_chunk(<TupleJob*> job, index, worker, <double> 1)


cdef void set_ranges(TupleJob* job) noexcept:
    """In which sums and coefficients are good: beyond them a difference may be infinite in its type, a square may be
    subnormal, a coefficient may be none of float32."""
    job.low, job.high = 1e-250, 1e250
    if is_angular(job.measure):
        job.low, job.high = 1e-150, 1e150
    elif job.measure == POWER:
        if job.single:
            job.low, job.high = 1e-30, 1e37
    elif job.measure == LARGEST:        # nothing is: the largest difference is of no sum
        job.low, job.high = INFINITY, -INFINITY
    elif job.single:                    # whose squares are no subnormal numbers of float64
        job.low, job.high = 0, 1e38 if job.measure == MANHATTAN else 1e76
    elif job.measure != EUCLIDEAN:
        job.low = 0
    job.least, job.most = (1e-30, 1e30) if job.single else (1e-290, 1e290)
