# Sums of losses by group: the state of each group of elements, from each loss and its weight apart.
#
# a. The state of a group is a row of a table, and takes elements one by one in the order of their indices.
# b. Few groups: the elements are cut into parts, each with a table of its own, and the tables are merged in order.
#    Many groups: there is one table, and each thread takes the elements of its own groups. Which of the two, and
#    where parts end, depends on sizes alone: no trace of the number of threads.
# c. Codes are memory of the user's: each is read once, and one that is no group lands in a row that nobody reads.

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE

include "engine/engine.pxi"

cdef enum:
    AHEAD_GROUPS = 32                   # elements between that in use and that whose group is fetched
    SETTLED = 4096                      # groups, or
    SPANNED = 1 << 16                   # codes of a task

# Second moments are taken about `center`, which stays where it is as long as it is good enough: see `add`. What is
# changed together lies together, to be loaded and stored as one vector.
cdef struct Group:
    double total                        # sum of w l
    double square                       # sum of u = w^2
    double lag                          # sum of u (l - center)
    double spread                       # sum of u (l - center)^2
    double count                        # of elements that count
    double weight                       # sum of w
    double seen                         # elements, whether they count or not
    double center

cdef struct Grouping:
    Group* table                        # for each part one of `groups` and a row for codes that are none
    Py_ssize_t groups
    const char* codes
    Py_ssize_t itemsize                 # of a code
    uint64_t low                        # the code of the first group
    const double* value
    const double* weight                # NULL: all are 1
    Py_ssize_t size                     # elements
    Py_ssize_t width                    # elements of one code
    Py_ssize_t part                     # elements of a part
    int owners                          # of the groups of one table; 0: there is a table for each part


# One element --------------------------------------------------------------------------------------

cdef inline void move_center(Group* g, double center) noexcept nogil:
    """Take the sums about another center: near the mean or not, they are exact for it."""
    cdef double moved = center - g.center
    g.spread -= moved * (2 * g.lag - g.square * moved)
    g.lag -= g.square * moved
    g.center = center


cdef void add_carefully(Group* g, double value, double u) noexcept nogil:
    """Add an element about the mean that it leads to."""
    cdef double square = g.square + u, apart
    move_center(g, g.center + (g.lag / square + (value - g.center) * (u / square)))
    apart = value - g.center
    g.square = square
    g.lag += u * apart
    g.spread += u * apart * apart


cdef inline void to_mean(Group* g) noexcept nogil:
    """Take the sums about the mean."""
    if g.square > 0:
        move_center(g, g.center + g.lag / g.square)


cdef inline void merge(Group* g, Group* other) noexcept nogil:
    """Add the elements of another part."""
    to_mean(other)
    g.count += other.count
    g.weight += other.weight
    g.total += other.total
    g.seen += other.seen
    if other.square > 0:
        move_center(g, g.center + (other.center - g.center) * (other.square / (g.square + other.square)))
        move_center(other, g.center)
        g.square += other.square
        g.lag += other.lag
        g.spread += other.spread


cdef inline void add(Group* g, double value, double weight, bint weighted) noexcept nogil:
    """Add an element; a weight below 0 says that it does not count.

    Sums about a fixed center take no division, and spread - lag^2 / square is the sum of squares about the mean. What
    is subtracted is kept below half of the spread, so that nothing cancels: before it is more, which happens some two
    times in a group, the center becomes the mean. So does the first element.
    """
    cdef double u = 1, apart, total, square, lag, spread
    if weighted:
        g.seen += 1
        g.count += weight >= 0
        weight = weight if weight >= 0 else 0
        g.weight += weight
        u = weight * weight
    apart = value - g.center
    total = g.total + (weight * value if weighted else value)
    square = g.square + u
    lag = g.lag + u * apart
    spread = g.spread + u * apart * apart
    if lag * lag < 0.5 * (square * spread) or apart == 0:
        g.total = total
        g.square = square
        g.lag = lag
        g.spread = spread
    else:
        g.total = total
        if u != 0:
            add_carefully(g, value, u)


# Codes --------------------------------------------------------------------------------------------

cdef inline void places(const integer* codes, integer low, uint64_t groups, uint64_t* at, Py_ssize_t n) noexcept nogil:
    """The places in a table of the groups of some codes, the one behind the last for what is none."""
    cdef Py_ssize_t i
    for i in range(n):
        at[i] = min(<uint64_t> <integer> (codes[i] - low), groups)


cdef void find_places(const Grouping* job, Py_ssize_t start, Py_ssize_t n, uint64_t* at) noexcept nogil:
    if job.itemsize == 8:
        places(<const uint64_t*> job.codes + start, job.low, job.groups, at, n)
    elif job.itemsize == 4:
        places(<const uint32_t*> job.codes + start, <uint32_t> job.low, job.groups, at, n)
    elif job.itemsize == 2:
        places(<const uint16_t*> job.codes + start, <uint16_t> job.low, job.groups, at, n)
    else:
        places(<const uint8_t*> job.codes + start, <uint8_t> job.low, job.groups, at, n)


cdef inline Py_ssize_t own(const uint64_t* at, Py_ssize_t n, uint32_t owner, uint32_t owners,
                           uint16_t* mine) noexcept nogil:
    """Which of some places belong to one owner; neighbours have different ones, since they are often in use together.
    """
    cdef uint32_t is_mine[BLOCK]
    cdef Py_ssize_t i, k = 0
    for i in range(n):
        is_mine[i] = (<uint64_t> (<uint32_t> at[i] * <uint32_t> 2654435769) * owners) >> 32 == owner
    for i in range(n):
        mine[k] = <uint16_t> i
        k += is_mine[i]
    return k


# Many elements ------------------------------------------------------------------------------------

cdef inline void add_rows(const Grouping* job, Worker* worker, Group* table, int owner, Py_ssize_t start,
                          Py_ssize_t stop, bint weighted, bint wide, bint owned) noexcept nogil:
    """Elements start ... stop, or those of them whose groups one owner has."""
    cdef uint64_t at[BLOCK + AHEAD_GROUPS]
    cdef uint16_t mine[BLOCK + AHEAD_GROUPS]
    cdef Py_ssize_t row = start // job.width, end = (stop - 1) // job.width + 1
    cdef Py_ssize_t n, i, k, e, first, last
    cdef Group* group
    memset(at, 0, sizeof(at))
    memset(mine, 0, sizeof(mine))
    while row < end and go_on(worker, BLOCK * job.width):
        n = min(<Py_ssize_t> BLOCK, end - row)
        find_places(job, row, n, at)
        prefetch(job.codes + (row + BLOCK) * job.itemsize, min(<Py_ssize_t> BLOCK, end - row - n) * job.itemsize)
        if owned:
            n = own(at, n, owner, job.owners, mine)
        for k in range(n):
            i = mine[k + AHEAD_GROUPS] if owned else k + AHEAD_GROUPS
            prefetch(<const char*> (table + at[i]), sizeof(Group))
            i = mine[k] if owned else k
            group = table + at[i]
            first = last = row + i
            if wide:
                first = max(first * job.width, start)
                last = min((last + 1) * job.width, stop) - 1
            for e in range(first, last + 1):
                add(group, job.value[e], job.weight[e] if weighted else 1, weighted)
        row += BLOCK


cdef void add_part(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Grouping* job = <const Grouping*> job_
    cdef Group* table = job.table
    cdef Py_ssize_t start = 0, stop = job.size
    cdef int owner = 0
    cdef unsigned mode = enter_ieee_mode()
    if job.owners:
        owner = <int> index
    else:
        table += index * (job.groups + 1)
        start = index * job.part
        stop = min(start + job.part, job.size)
    if job.weight != NULL or job.width > 1:
        add_rows(job, worker, table, owner, start, stop, job.weight != NULL, True, job.owners != 0)
    elif job.owners:
        add_rows(job, worker, table, owner, start, stop, False, False, True)
    else:
        add_rows(job, worker, table, owner, start, stop, False, False, False)
    leave_ieee_mode(mode)


cdef struct Settling:
    Group* table
    Py_ssize_t groups
    Py_ssize_t parts
    bint weighted


cdef inline void publish(Group* g, bint weighted) noexcept nogil:
    """Put the fields in the order of those of a LossState, and last whether there are elements."""
    cdef Group found = g[0]
    cdef double* row = <double*> g
    row[0] = found.count if weighted else found.square
    row[1] = found.weight if weighted else found.square
    row[2] = found.total
    row[3] = found.square
    row[4] = found.center
    row[5] = found.spread
    row[7] = found.seen if weighted else found.square


cdef void settle_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Settling* job = <const Settling*> job_
    cdef Py_ssize_t k, part
    cdef Group* g
    cdef unsigned mode = enter_ieee_mode()
    for k in range(index * SETTLED, min((index + 1) * SETTLED, job.groups)):
        g = job.table + k
        to_mean(g)
        for part in range(1, job.parts):
            merge(g, g + part * (job.groups + 1))
        to_mean(g)
        publish(g, job.weighted)
    leave_ieee_mode(mode)


# The entries --------------------------------------------------------------------------------------

cdef Py_ssize_t hold_items(object array, Py_buffer* view, int flags, Py_ssize_t itemsize=0) except -1:
    """The number of items of a contiguous array, held until its buffer is released."""
    cdef bint known
    PyObject_GetBuffer(array, view, flags)
    known = view.itemsize == itemsize if itemsize else view.itemsize in (1, 2, 4, 8)
    if not known or <size_t> view.buf % <size_t> view.itemsize:
        PyBuffer_Release(view)
        raise ValueError("memory of another type")
    return view.len // view.itemsize


def add_to_groups(table, Py_ssize_t groups, codes, uint64_t low, values, weights, Py_ssize_t size, Py_ssize_t part,
                  int num_threads):
    """Add elements to the states of their groups.

    `table` has 8 float64 for each of `groups` groups and one more, once or, where `part` is not 0, for each part of so
    many elements. `codes` are contiguous integers, each of as many elements; `low` is the code of the first group,
    modulo 2^64. The first `size` of the contiguous float64 `values` and `weights` (or None) are the elements.
    """
    cdef Grouping job
    cdef Py_buffer views[4]
    cdef int k, held = 0
    cdef Py_ssize_t rows, rest, room, tasks
    memset(&job, 0, sizeof(Grouping))
    try:
        room = hold_items(table, &views[held], PyBUF_WRITABLE, 8)
        job.table = <Group*> views[held].buf
        held += 1
        rows = hold_items(codes, &views[held], PyBUF_SIMPLE)
        job.codes = <const char*> views[held].buf
        held += 1
        rest = hold_items(values, &views[held], PyBUF_SIMPLE, 8)
        job.value = <const double*> views[held].buf
        held += 1
        if weights is not None:
            rest = min(rest, hold_items(weights, &views[held], PyBUF_SIMPLE, 8))
            job.weight = <const double*> views[held].buf
            held += 1
        if size == 0:
            return
        tasks = (size + part - 1) // part if part else num_threads
        if groups < 0 or room // 8 // (groups + 1) < (tasks if part else 1):
            raise ValueError("a table without room for all groups")
        if size > rest or rows == 0 or size % rows:
            raise ValueError("arrays of lengths that do not agree")
        job.itemsize = views[1].itemsize
        job.groups = groups
        job.low = low
        job.size = size
        job.width = size // rows
        job.part = part
        job.owners = 0 if part else num_threads
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(add_part, &job, tasks, num_threads, 0)
    finally:
        for k in range(held):
            PyBuffer_Release(&views[k])


def settle_groups(table, Py_ssize_t groups, Py_ssize_t parts, bint weighted, int num_threads):
    """Merge the tables of all parts into the first.

    Its rows then begin with the fields of a LossState, and end with 0 where a group has no elements.
    """
    cdef Settling job
    cdef Py_buffer view
    cdef Py_ssize_t tasks
    cdef Py_ssize_t room = hold_items(table, &view, PyBUF_WRITABLE, 8)
    try:
        if groups < 0 or room // 8 // (groups + 1) < parts:
            raise ValueError("a table without room for all groups")
        job.table = <Group*> view.buf
        job.groups = groups
        job.parts = parts
        job.weighted = weighted
        tasks = (groups + SETTLED - 1) // SETTLED
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(settle_some, &job, tasks, num_threads, 0)
    finally:
        PyBuffer_Release(&view)


cdef struct Spanning:
    const char* codes
    Py_ssize_t size
    Py_ssize_t itemsize
    uint64_t zero                       # added to what is signed, so that unsigned numbers are compared
    uint64_t* ends                      # the least and the largest of each task


cdef inline void span(const integer* codes, Py_ssize_t n, integer zero, uint64_t* ends) noexcept nogil:
    cdef Py_ssize_t i
    cdef integer code, low = codes[0] + zero, high = low
    for i in range(n):
        code = codes[i] + zero
        low = min(low, code)
        high = max(high, code)
    ends[0] = low
    ends[1] = high


cdef void span_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Spanning* job = <const Spanning*> job_
    cdef Py_ssize_t start = index * SPANNED, n = min(<Py_ssize_t> SPANNED, job.size - start)
    cdef uint64_t* ends = job.ends + 2 * index
    if job.itemsize == 8:
        span(<const uint64_t*> job.codes + start, n, job.zero, ends)
    elif job.itemsize == 4:
        span(<const uint32_t*> job.codes + start, n, <uint32_t> job.zero, ends)
    elif job.itemsize == 2:
        span(<const uint16_t*> job.codes + start, n, <uint16_t> job.zero, ends)
    else:
        span(<const uint8_t*> job.codes + start, n, <uint8_t> job.zero, ends)


def ends_of(codes, bint signed, int num_threads):
    """The least and the largest of contiguous integers, of which there is at least one."""
    cdef Spanning job
    cdef Py_buffer view
    cdef Py_ssize_t k, tasks
    cdef uint64_t low, high
    job.size = hold_items(codes, &view, PyBUF_SIMPLE)
    job.codes = <const char*> view.buf
    job.itemsize = view.itemsize
    job.zero = <uint64_t> 1 << (8 * job.itemsize - 1) if signed else 0
    job.ends = NULL
    try:
        tasks = (job.size + SPANNED - 1) // SPANNED
        if tasks == 0:
            raise ValueError("no integers")
        job.ends = <uint64_t*> PyMem_Malloc(tasks * 2 * sizeof(uint64_t))
        if job.ends == NULL:
            raise MemoryError
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(span_some, &job, tasks, num_threads, 0)
        low, high = job.ends[0], job.ends[1]
        for k in range(1, tasks):
            low = min(low, job.ends[2 * k])
            high = max(high, job.ends[2 * k + 1])
    finally:
        PyBuffer_Release(&view)
        PyMem_Free(job.ends)
    return low - <object> job.zero, high - <object> job.zero
