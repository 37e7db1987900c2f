# What a call of any family is: its operands, what is computed of them, what a chunk of elements comes to.

cdef enum:
    MAX_CHUNKS = 4096

cdef struct Domain:
    bint checked
    bint ternary                        # only -1, 0 and 1
    double low
    double high

# What the sums of a run of elements come to.
cdef struct Partial:
    double loss                         # sum of w l
    double weight                       # sum of w
    double count                        # elements that are neither masked nor omitted
    Py_ssize_t bad                      # index of the first element that breaks its domain, or -1
    int culprit                         # which operand that is, as in Job.operands
    State state                         # of the losses, where it is asked for; their counts are those above

cdef enum:
    Y, X, Z, WEIGHT, MASK, VALUE_OUT, GRAD_OUT, GRAD_Z_OUT, HESS_OUT, HESS_Z_OUT, WEIGHT_OUT, OPERANDS

cdef struct Job:
    int operation
    int nan_policy
    bint weighted                       # by weight, mask or omission: some elements may count differently
    bint checked
    double parameters[4]
    const void* terms                   # of a kernel that is composed of others
    double scale                        # of the derivatives
    bint ignoring                       # elements whose target is `ignored` do not count
    double ignored
    Domain domains[3]
    Shape shape
    Operand operands[OPERANDS]
    Py_ssize_t chunk
    Partial* partials


# Passes over a block ------------------------------------------------------------------------------

cdef inline bint allowed(const Domain* domain, double v) noexcept nogil:
    return v != v or (v >= domain.low and v <= domain.high and (not domain.ternary or v * v * v == v))


cdef inline bint surely_within(const float* v, float low, float high, Py_ssize_t n) noexcept nogil:
    """Whether all lie between two numbers that are not negative: then their bits do, and that is the quickest to see.

    False for NaN and for -0, though they may be allowed.
    """
    cdef uint32_t first = float_bits(low), most = 0
    cdef Py_ssize_t i
    for i in range(n):
        most = max(most, float_bits(v[i]) - first)
    return most <= float_bits(high) - first


cdef void check(Job* job, int operand, const floating* v, const double* weight, Py_ssize_t start, Py_ssize_t n,
                Partial* partial) noexcept nogil:
    """Record the first counted element outside its domain; NaN is inside unless the policy is to raise."""
    cdef Py_ssize_t i
    cdef int wrong = 0                  # as wide as a float32: the flags of a block stay in its lanes
    cdef bint no_nan = operand == Y and job.nan_policy == RAISE
    cdef const Domain* domain = &job.domains[operand]
    cdef floating low = <floating> domain.low, high = <floating> domain.high
    if not domain.checked and not no_nan:
        return
    if floating is float and low >= 0 and not domain.ternary and surely_within(v, low + 0, high, n):
        return
    if domain.ternary:
        for i in range(n):
            wrong |= 1 - ((v[i] >= low) & (v[i] <= high) & (v[i] * v[i] * v[i] == v[i]))
    else:
        for i in range(n):
            wrong |= 1 - ((v[i] >= low) & (v[i] <= high))
    if wrong == 0:
        return
    for i in range(n):
        if job.weighted and weight[i] == 0:
            continue
        if not allowed(domain, v[i]) or (no_nan and v[i] != v[i]):
            if partial.bad < 0 or start + i < partial.bad:
                partial.bad = start + i
                partial.culprit = operand
            return


cdef const double* weigh(Job* job, const floating* y, Py_ssize_t start, Py_ssize_t n, Scratch* s,
                         Partial* partial) noexcept nogil:
    """The weights of a block, 0 where an element is masked, omitted or ignored; counts those that are not.

    For losses that are wanted apart, `s.total` then holds 1 where an element counts and 0 where not.
    """
    cdef Py_ssize_t i, wrong = 0
    cdef const double* given
    cdef const double* counted
    cdef double* weight = s.weight
    cdef double* keep = s.total
    cdef bint selects = (
        job.operands[MASK].data != NULL or job.nan_policy == OMIT or job.ignoring or job.operation & APART
    )
    if not selects:
        partial.count += n
    else:
        for i in range(n):
            keep[i] = 1
        if job.operands[MASK].data != NULL:
            counted = load(&job.operands[MASK], &job.shape, start, n, s.weight, s)
            memcpy(keep, counted, n * sizeof(double))
        if job.nan_policy == OMIT:
            for i in range(n):
                keep[i] = keep[i] if y[i] == y[i] else 0
        if job.ignoring:
            for i in range(n):
                keep[i] = keep[i] if y[i] != job.ignored else 0
        partial.count += total(keep, n)
    if job.operands[WEIGHT].data == NULL:
        memcpy(weight, keep, n * sizeof(double))
        return weight
    given = load(&job.operands[WEIGHT], &job.shape, start, n, s.weight, s)
    if selects:
        for i in range(n):
            weight[i] = given[i] if keep[i] != 0 else 0
    elif given != weight:               # an output may be written over them
        memcpy(weight, given, n * sizeof(double))
    for i in range(n):
        wrong += not ((weight[i] >= 0) & (weight[i] <= 1.7976931348623157e308))
    if wrong > 0:
        for i in range(n):
            if not (weight[i] >= 0 and weight[i] <= 1.7976931348623157e308):
                partial.bad = start + i
                partial.culprit = WEIGHT
                break
    return weight


cdef inline void add_losses(State* state, const double* weight, const floating* value, Py_ssize_t n) noexcept nogil:
    if floating is float:
        add_losses_f32(state, weight, value, n)
    else:
        add_losses_f64(state, weight, value, n)


cdef inline void clear(Partial* partial) noexcept nogil:
    memset(partial, 0, sizeof(Partial))
    partial.bad = -1
    partial.state = no_state()


cdef void fold_partials(Partial* whole, const Partial* partials, Py_ssize_t count, bint states) noexcept:
    """The partials of all chunks as one, or the first that found a bad element."""
    cdef Py_ssize_t i
    cdef unsigned mode = enter_ieee_mode()
    clear(whole)
    for i in range(count):
        if partials[i].bad >= 0:
            whole.bad = partials[i].bad
            whole.culprit = partials[i].culprit
            break
        whole.loss += partials[i].loss
        whole.weight += partials[i].weight
        whole.count += partials[i].count
        if states:
            add_state(&whole.state, &partials[i].state)
    leave_ieee_mode(mode)


cdef tuple found_sums(const Partial* whole, bint states):
    """The sums that a family returns; of the state, what comes after the count and the ignored of a LossState."""
    cdef const State* s = &whole.state
    if not states:
        return whole.loss, whole.weight, whole.count
    return (
        whole.loss, whole.weight, whole.count, s.nonfinite, s.minimum, s.maximum, s.high[0], s.high[1], s.high[2],
        s.high[3], s.high[4], s.low[0], s.low[1], s.low[2], s.low[3], s.low[4]
    )


cdef double weighted_total(Job* job, const double* weight, const floating* value, Py_ssize_t n,
                           Scratch* s) noexcept nogil:
    cdef Py_ssize_t i
    if not job.weighted:
        return total(value, n)
    for i in range(n):
        s.total[i] = weight[i] * value[i] if weight[i] > 0 else 0
    return total(s.total, n)


cdef void take_finite(double* value, const float* narrow, Py_ssize_t n) noexcept nogil:
    """Take the finite ones of losses in float32: a state does not depend on what a loss has for neighbours."""
    cdef Py_ssize_t i
    for i in range(n):
        value[i] = narrow[i] if is_finite(narrow[i]) else value[i]


cdef inline bint is_finite(double v) noexcept nogil:
    return fabs(v) <= 1.7976931348623157e308


cdef inline void split_scale(double scale, float* high, float* low) noexcept nogil:
    """Two numbers of one sign, so that infinities stay, whose sum is `scale`."""
    high[0] = <float> scale
    high[0] = nextafterf(high[0], 0) if fabs(high[0]) > fabs(scale) else high[0]
    low[0] = <float> (scale - high[0])


cdef inline bint is_splittable(double scale) noexcept nogil:
    """Whether both parts of it are floats."""
    return fabs(scale) > 1e-30 and fabs(scale) < 1e30


cdef inline void finish(Job* job, floating* v, const double* weight, double scale, Py_ssize_t n) noexcept nogil:
    """Scale by `scale` and the weights; an element of weight 0 contributes 0 even where it is not finite."""
    cdef Py_ssize_t i
    cdef float high = <float> scale, low
    if job.weighted:
        for i in range(n):
            v[i] = <floating> ((scale * weight[i]) * v[i]) if weight[i] != 0 else 0
    elif scale == 1:
        return
    elif floating is double or high == scale:
        for i in range(n):
            v[i] = <floating> scale * v[i]
    elif not is_splittable(scale):
        for i in range(n):
            v[i] = <floating> (scale * v[i])
    else:
        # As good as a product in float64 and half its work.
        split_scale(scale, &high, &low)
        for i in range(n):
            v[i] = mul_add_f32(v[i], high, v[i] * low)


# A call ------------------------------------------------------------------------------------------

cdef void prepare(Job* job, int operation, tuple parameters, tuple domains):
    """Settle what to compute, and the domains: None, or (low, high, ternary) or None for each of y, x and z."""
    cdef int k
    job.operation = operation
    for k in range(len(parameters)):
        job.parameters[k] = parameters[k]
    for k in range(3):
        job.domains[k].low = -INFINITY
        job.domains[k].high = INFINITY
        if domains is not None and domains[k] is not None:
            job.domains[k].checked = True
            job.domains[k].low, job.domains[k].high, job.domains[k].ternary = domains[k]


# The grid -----------------------------------------------------------------------------------------

cdef tuple run_grid(Job* job, Py_ssize_t size, Task task, void* whole_job, int num_threads, size_t bytes):
    """Run a task for each chunk of `size` elements: the first bad element or -1, its operand, and what all come to."""
    cdef Partial whole
    cdef Partial few[8]
    cdef Py_ssize_t chunks = (size + job.chunk - 1) // job.chunk
    job.partials = &few[0] if chunks <= 8 else <Partial*> PyMem_Malloc(chunks * sizeof(Partial))
    if job.partials == NULL:
        raise MemoryError
    try:
        num_threads = team(chunks, num_threads)
        with nogil:
            parallel_for(task, whole_job, chunks, num_threads, bytes)
        fold_partials(&whole, job.partials, chunks, job.operation & MOMENTS)
    finally:
        if job.partials != &few[0]:
            PyMem_Free(job.partials)
    return whole.bad, whole.culprit, found_sums(&whole, job.operation & MOMENTS)
