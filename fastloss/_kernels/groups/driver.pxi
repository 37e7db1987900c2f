# States of groups: from each loss and its weight apart to columns of numbers, and what is done with these.
#
# a. The state of a group is a row of a table, and takes elements one by one in the order of their indices.
# b. Few groups: the elements are cut into parts, each with a table of its own, and the tables are merged in order.
#    Many groups: there is one table, and each thread takes the elements of its own groups. Which of the two, and
#    where parts end, depends on sizes alone: no trace of the number of threads.
# c. Codes are memory of the user's: each is read once, and one that is no group lands in a row that nobody reads.
# d. What became of the groups is published in columns, and merged, summed and averaged there.

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE

include "engine/engine.pxi"
include "engine/columns.pxi"

cdef extern from "groups/rows.h" nogil:
    ctypedef struct PlainRow "fl_plain_row":
        int64_t count
        int64_t nonfinite
    ctypedef struct WeightedRow "fl_weighted_row":
        int64_t nonfinite
    void begin_plain "fl_begin_plain"(PlainRow* row)
    void begin_weighted "fl_begin_weighted"(WeightedRow* row)
    bint is_weighted_seen "fl_is_seen"(const WeightedRow* row)
    void add_plain "fl_add_plain_element"(PlainRow* row, double loss)
    void add_weighted "fl_add_weighted_element"(WeightedRow* row, double loss, double weight)
    void find_averages "fl_averages"(
        const int64_t* count, const int64_t* nonfinite, const double* minimum, const double* maximum,
        const double** sums, bint plain, bint errors, double* to, Py_ssize_t n
    )
    void take_f64 "fl_take_f64"(const double* source, const int64_t* places, double none, double* to, Py_ssize_t n)
    void take_i64 "fl_take_i64"(const int64_t* source, const int64_t* places, int64_t none, int64_t* to, Py_ssize_t n)
    State state_of_plain "fl_state_of_plain"(const PlainRow* row)
    State state_of_weighted "fl_state_of_weighted"(const WeightedRow* row)

cdef enum:
    AHEAD_GROUPS = 32                   # elements between that in use and that whose group is fetched
    SETTLED = 4096                      # groups, or
    SPANNED = 1 << 16                   # codes of a task

cdef struct Grouping:
    char* table                         # for each part the rows of `groups` and one for codes that are none
    Py_ssize_t groups
    Py_ssize_t parts
    const char* codes
    Py_ssize_t itemsize                 # of a code
    uint64_t low                        # the code of the first group
    const double* value
    const double* weight                # NULL: all are 1
    bint weighted                       # rows are
    Py_ssize_t size                     # elements
    Py_ssize_t width                    # elements of one code
    Py_ssize_t part                     # elements of a part
    int owners                          # of the groups of one table; 0: there is a table for each part


cdef inline Py_ssize_t row_size(bint weighted) noexcept nogil:
    return sizeof(WeightedRow) if weighted else sizeof(PlainRow)


cdef inline void add(char* row, double value, double weight, bint weighted) noexcept nogil:
    """Add an element; a weight of -inf says that it does not count."""
    if weighted:
        add_weighted(<WeightedRow*> row, value, weight)
    else:
        add_plain(<PlainRow*> row, value)


cdef inline void count_nonfinite(char* row, double value, double weight, bint weighted) noexcept nogil:
    if is_finite(value) or weight == 0 or weight == -INFINITY:
        return
    if weighted:
        (<WeightedRow*> row).nonfinite += 1
    else:
        (<PlainRow*> row).nonfinite += 1


cdef inline bint all_finite(const double* value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef int64_t wrong = 0
    for i in range(n):
        wrong |= not is_finite(value[i])
    return wrong == 0


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

cdef inline void add_elements(const Grouping* job, Worker* worker, char* table, int owner, Py_ssize_t start,
                              Py_ssize_t stop, bint weighted, bint wide, bint owned) noexcept nogil:
    """Elements start ... stop, or those of them whose groups one owner has."""
    cdef uint64_t at[BLOCK + AHEAD_GROUPS]
    cdef uint16_t mine[BLOCK + AHEAD_GROUPS]
    cdef Py_ssize_t row = start // job.width, end = (stop - 1) // job.width + 1
    cdef Py_ssize_t n, i, k, e, first, last
    cdef char* group
    cdef bint finite
    memset(at, 0, sizeof(at))
    memset(mine, 0, sizeof(mine))
    while row < end and go_on(worker, BLOCK * job.width):
        n = min(<Py_ssize_t> BLOCK, end - row)
        find_places(job, row, n, at)
        prefetch(job.codes + (row + BLOCK) * job.itemsize, min(<Py_ssize_t> BLOCK, end - row - n) * job.itemsize)
        first = max(row * job.width, start)
        finite = all_finite(job.value + first, min((row + n) * job.width, stop) - first)
        if owned:
            n = own(at, n, owner, job.owners, mine)
        for k in range(n):
            i = mine[k + AHEAD_GROUPS] if owned else k + AHEAD_GROUPS
            prefetch(table + at[i] * row_size(weighted), row_size(weighted))
            i = mine[k] if owned else k
            group = table + at[i] * row_size(weighted)
            first = last = row + i
            if wide:
                first = max(first * job.width, start)
                last = min((last + 1) * job.width, stop) - 1
            for e in range(first, last + 1):
                add(group, job.value[e], job.weight[e] if weighted else 1, weighted)
            if not finite:
                for e in range(first, last + 1):
                    count_nonfinite(group, job.value[e], job.weight[e] if weighted else 1, weighted)
        row += BLOCK


cdef void add_part(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Grouping* job = <const Grouping*> job_
    cdef char* table = job.table
    cdef Py_ssize_t start = 0, stop = job.size
    cdef int owner = 0
    if job.owners:
        owner = <int> index
    else:
        table += index * (job.groups + 1) * row_size(job.weighted)
        start = index * job.part
        stop = min(start + job.part, job.size)
    if job.weighted:
        add_elements(job, worker, table, owner, start, stop, True, True, job.owners != 0)
    elif job.width > 1:
        add_elements(job, worker, table, owner, start, stop, False, True, job.owners != 0)
    elif job.owners:
        add_elements(job, worker, table, owner, start, stop, False, False, True)
    else:
        add_elements(job, worker, table, owner, start, stop, False, False, False)


# Many groups --------------------------------------------------------------------------------------

cdef void begin_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Grouping* job = <const Grouping*> job_
    cdef Py_ssize_t k, rows = job.parts * (job.groups + 1)
    for k in range(index * SETTLED, min((index + 1) * SETTLED, rows)):
        if job.weighted:
            begin_weighted(<WeightedRow*> job.table + k)
        else:
            begin_plain(<PlainRow*> job.table + k)


cdef inline bint is_seen(const Grouping* job, Py_ssize_t row) noexcept nogil:
    """Whether a group has elements in a part, though they may not count."""
    if job.weighted:
        return is_weighted_seen(<const WeightedRow*> job.table + row)
    return (<const PlainRow*> job.table)[row].count > 0


cdef struct Publishing:
    Grouping grouping
    char* seen
    const int64_t* places
    Columns columns


cdef void look_at_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Publishing* job = <const Publishing*> job_
    cdef const Grouping* g = &job.grouping
    cdef Py_ssize_t k, part
    for k in range(index * SETTLED, min((index + 1) * SETTLED, g.groups)):
        job.seen[k] = 0
        for part in range(g.parts):
            job.seen[k] |= is_seen(g, k + part * (g.groups + 1))


cdef void publish_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Publishing* job = <const Publishing*> job_
    cdef const Grouping* g = &job.grouping
    cdef Py_ssize_t k, part, row
    cdef State whole = no_state(), state
    for k in range(index * SETTLED, min((index + 1) * SETTLED, job.columns.rows)):
        for part in range(g.parts):
            row = job.places[k] + part * (g.groups + 1)
            if g.weighted:
                state = state_of_weighted(<const WeightedRow*> g.table + row)
            else:
                state = state_of_plain(<const PlainRow*> g.table + row)
            if part == 0:
                whole = state
            else:
                add_state(&whole, &state)
        set_row(&job.columns, k, &whole)


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


cdef int hold_table(object table, Py_buffer* view, Grouping* job) except -1:
    """Hold the rows of all parts."""
    cdef Py_ssize_t room
    PyObject_GetBuffer(table, view, PyBUF_WRITABLE)
    if job.groups < 0 or job.parts < 1 or view.len // row_size(job.weighted) // (job.groups + 1) < job.parts:
        PyBuffer_Release(view)
        raise ValueError("a table without room for all groups")
    if <size_t> view.buf % 16:
        PyBuffer_Release(view)
        raise ValueError("a table that is not aligned")
    job.table = <char*> view.buf
    return 0


def bytes_of_group(bint weighted):
    """The memory of a row of a table."""
    return row_size(weighted)


def begin_groups(table, Py_ssize_t groups, Py_ssize_t parts, bint weighted, int num_threads):
    """Make the rows of a table those of no elements.

    `table` has one for each of `groups` groups and one more, for each of `parts` parts.
    """
    cdef Grouping job
    cdef Py_buffer view
    cdef Py_ssize_t tasks
    memset(&job, 0, sizeof(Grouping))
    job.groups, job.parts, job.weighted = groups, parts, weighted
    hold_table(table, &view, &job)
    try:
        tasks = (parts * (groups + 1) + SETTLED - 1) // SETTLED
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(begin_some, &job, tasks, num_threads, 0)
    finally:
        PyBuffer_Release(&view)


def add_to_groups(table, Py_ssize_t groups, codes, uint64_t low, values, weights, Py_ssize_t size, Py_ssize_t part,
                  int num_threads):
    """Add elements to the states of their groups.

    `table` is as for `begin_groups`, weighted if there are weights, and has rows for each part of `part` elements or,
    where that is 0, for one. `codes` are contiguous integers, each of as many elements; `low` is the code of the first
    group, modulo 2^64. The first `size` of the contiguous float64 `values` and `weights` (or None) are the elements.
    """
    cdef Grouping job
    cdef Py_buffer views[4]
    cdef int k, held = 0
    cdef Py_ssize_t rows, rest, tasks
    memset(&job, 0, sizeof(Grouping))
    try:
        job.groups, job.weighted = groups, weights is not None
        tasks = (size + part - 1) // part if part else num_threads
        job.parts = max(<Py_ssize_t> 1, tasks if part else 1)
        hold_table(table, &views[held], &job)
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
        if size > rest or rows == 0 or size % rows:
            raise ValueError("arrays of lengths that do not agree")
        job.itemsize = views[1].itemsize
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


def look_at_groups(table, Py_ssize_t groups, Py_ssize_t parts, bint weighted, seen, int num_threads):
    """Whether each group has elements, which may not count, as bytes of 0 and 1 in `seen`."""
    cdef Publishing job
    cdef Py_buffer views[2]
    cdef Py_ssize_t tasks = (groups + SETTLED - 1) // SETTLED
    memset(&job, 0, sizeof(Publishing))
    job.grouping.groups, job.grouping.parts, job.grouping.weighted = groups, parts, weighted
    hold_table(table, &views[0], &job.grouping)
    try:
        if hold_items(seen, &views[1], PyBUF_WRITABLE, 1) < groups:
            PyBuffer_Release(&views[1])
            raise ValueError("arrays of lengths that do not agree")
        job.seen = <char*> views[1].buf
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(look_at_some, &job, tasks, num_threads, 0)
        PyBuffer_Release(&views[1])
    finally:
        PyBuffer_Release(&views[0])


def publish_groups(table, Py_ssize_t groups, Py_ssize_t parts, bint weighted, places, tuple columns, int num_threads):
    """Put the states at some places of a table, those of all parts merged, into columns of numbers."""
    cdef Publishing job
    cdef Py_buffer views[2]
    cdef Py_ssize_t tasks, k
    cdef int held = 0
    memset(&job, 0, sizeof(Publishing))
    job.grouping.groups, job.grouping.parts, job.grouping.weighted = groups, parts, weighted
    hold_columns(columns, &job.columns, PyBUF_WRITABLE)
    try:
        hold_table(table, &views[held], &job.grouping)
        held += 1
        k = hold_items(places, &views[held], PyBUF_SIMPLE, 8)
        held += 1
        job.places = <const int64_t*> views[1].buf
        check_places(job.places, k, 0, groups)
        if k != job.columns.rows or weighted > (job.columns.number == ALL_COLUMNS):
            raise ValueError("arrays of lengths that do not agree")
        tasks = (k + SETTLED - 1) // SETTLED
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(publish_some, &job, tasks, num_threads, 0)
    finally:
        release_columns(&job.columns)
        for k in range(held):
            PyBuffer_Release(&views[k])


# Columns ------------------------------------------------------------------------------------------

cdef struct Merging:
    Columns to
    Columns tables[2]
    const int64_t* places[2]            # of the rows of `to` in each: below 0 where there is none; NULL: its own
    double* averages
    bint errors

ctypedef fused number:
    int64_t
    double


cdef inline const number* taken(const Merging* job, int table, int column, Py_ssize_t start, Py_ssize_t n, number none,
                                number* room) noexcept nogil:
    """A column's numbers of the rows of a block in one of the tables."""
    cdef const number* source = <const number*> job.tables[table].views[column].buf
    cdef const int64_t* places = job.places[table] + start
    if job.places[table] == NULL:
        return source + start
    if places[0] >= 0 and places[n - 1] == places[0] + n - 1:      # they increase
        return source + places[0]
    if number is double:
        take_f64(source, places, none, room, n)
    else:
        take_i64(source, places, none, room, n)
    return room


cdef void merge_block(const Merging* job, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """The rows of a block, a column at a time."""
    cdef int64_t counts[2][BLOCK]
    cdef double rooms[4][BLOCK]
    cdef int integers = integers_among(&job.to), sums = sums_among(&job.to), k
    cdef const int64_t* count
    cdef const int64_t* more_count
    cdef const double* high
    cdef const double* more
    cdef const double* low
    cdef const double* more_low
    cdef double* to
    cdef double* to_low
    cdef int64_t* to_count
    cdef Py_ssize_t i
    for k in range(integers):
        count = taken(job, 0, k, start, n, <int64_t> 0, counts[0])
        more_count = taken(job, 1, k, start, n, <int64_t> 0, counts[1])
        to_count = integers_of(&job.to, k) + start
        for i in range(n):
            to_count[i] = count[i] + more_count[i]
    high = taken(job, 0, integers, start, n, <double> INFINITY, rooms[0])
    more = taken(job, 1, integers, start, n, <double> INFINITY, rooms[1])
    to = numbers_of(&job.to, integers) + start
    for i in range(n):
        to[i] = min(high[i], more[i])
    high = taken(job, 0, integers + 1, start, n, <double> -INFINITY, rooms[0])
    more = taken(job, 1, integers + 1, start, n, <double> -INFINITY, rooms[1])
    to = numbers_of(&job.to, integers + 1) + start
    for i in range(n):
        to[i] = max(high[i], more[i])
    for k in range(integers + 2, integers + 2 + sums):
        high = taken(job, 0, k, start, n, <double> 0, rooms[0])
        more = taken(job, 1, k, start, n, <double> 0, rooms[1])
        low = taken(job, 0, k + sums, start, n, <double> 0, rooms[2])
        more_low = taken(job, 1, k + sums, start, n, <double> 0, rooms[3])
        add_pairs(high, low, more, more_low, numbers_of(&job.to, k) + start, numbers_of(&job.to, k + sums) + start, n)


cdef void merge_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Merging* job = <const Merging*> job_
    cdef Py_ssize_t start = index * SETTLED, stop = min((index + 1) * SETTLED, job.to.rows)
    while start < stop:
        merge_block(job, start, min(<Py_ssize_t> BLOCK, stop - start))
        start += BLOCK


cdef int check_places(const int64_t* places, Py_ssize_t n, Py_ssize_t low, Py_ssize_t rows) except -1:
    cdef Py_ssize_t k
    cdef bint wrong = False
    for k in range(n):
        wrong |= places[k] < low or places[k] >= rows
    if wrong:
        raise ValueError("a place that there is none")
    return 0


def merge_rows(tuple to, tuple first, first_places, tuple second, second_places, int num_threads):
    """Write columns of numbers, each row of which is the sum of one of a table and one of another.

    The places of these rows are contiguous int64 that increase, but for -1 where there is none; None stands for rows in
    the same order.
    """
    cdef Merging job
    cdef Py_buffer views[2]
    cdef bint held[2]
    cdef Py_ssize_t tasks
    cdef int t
    memset(&job, 0, sizeof(Merging))
    memset(held, 0, sizeof(held))
    try:
        hold_columns(to, &job.to, PyBUF_WRITABLE)
        for t, (table, places) in enumerate(((first, first_places), (second, second_places))):
            hold_columns(table, &job.tables[t], PyBUF_SIMPLE)
            if job.tables[t].number != job.to.number:
                raise ValueError("columns of other numbers")
            if places is not None:
                tasks = hold_items(places, &views[t], PyBUF_SIMPLE, 8)
                held[t] = True
                job.places[t] = <const int64_t*> views[t].buf
                check_places(job.places[t], tasks, -1, job.tables[t].rows)
            else:
                tasks = job.tables[t].rows
            if tasks != job.to.rows:
                raise ValueError("arrays of lengths that do not agree")
        tasks = (job.to.rows + SETTLED - 1) // SETTLED
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(merge_some, &job, tasks, num_threads, 0)
    finally:
        release_columns(&job.to)
        for t in range(2):
            release_columns(&job.tables[t])
            if held[t]:
                PyBuffer_Release(&views[t])


def add_rows(tuple to, places, tuple more):
    """Add the rows of columns of numbers to those of others, at places that may occur several times."""
    cdef Columns columns[2]
    cdef Py_buffer view
    cdef bint held = False
    cdef Py_ssize_t k
    cdef State whole, state
    cdef const int64_t* place
    cdef unsigned mode
    columns[0].number = columns[1].number = 0
    try:
        hold_columns(to, &columns[0], PyBUF_WRITABLE)
        hold_columns(more, &columns[1], PyBUF_SIMPLE)
        k = hold_items(places, &view, PyBUF_SIMPLE, 8)
        held = True
        place = <const int64_t*> view.buf
        check_places(place, k, 0, columns[0].rows)
        if columns[0].number != columns[1].number or k != columns[1].rows:
            raise ValueError("arrays of lengths that do not agree")
        mode = enter_ieee_mode()
        for k in range(columns[1].rows):
            whole = row_of(&columns[0], place[k])
            state = row_of(&columns[1], k)
            add_state(&whole, &state)
            set_row(&columns[0], place[k], &whole)
        leave_ieee_mode(mode)
    finally:
        release_columns(&columns[0])
        release_columns(&columns[1])
        if held:
            PyBuffer_Release(&view)


cdef inline void average_block(const Merging* job, Py_ssize_t start, Py_ssize_t n, bint plain,
                               bint errors) noexcept nogil:
    cdef const double* sums[2 * STATE_SUMS]
    cdef const Columns* columns = &job.to
    cdef int integers = integers_among(columns), k
    for k in range(2 * sums_among(columns)):
        sums[k] = numbers_of(columns, integers + 2 + k) + start
    find_averages(
        integers_of(columns, 0) + start, integers_of(columns, integers - 1) + start,
        numbers_of(columns, integers) + start, numbers_of(columns, integers + 1) + start, sums, plain, errors,
        job.averages + start, n
    )


cdef void average_some(void* job_, Py_ssize_t index, Worker* worker) noexcept nogil:
    cdef const Merging* job = <const Merging*> job_
    cdef Py_ssize_t start = index * SETTLED, n = min(<Py_ssize_t> SETTLED, job.to.rows - start)
    if job.to.number == PLAIN_COLUMNS:
        if job.errors:
            average_block(job, start, n, True, True)
        else:
            average_block(job, start, n, True, False)
    elif job.errors:
        average_block(job, start, n, False, True)
    else:
        average_block(job, start, n, False, False)


def average_rows(tuple columns, out, bint errors, int num_threads):
    """Write the mean of each row of columns of numbers, or its standard error."""
    cdef Merging job
    cdef Py_buffer view
    cdef bint held = False
    cdef Py_ssize_t tasks
    memset(&job, 0, sizeof(Merging))
    hold_columns(columns, &job.to, PyBUF_SIMPLE)
    try:
        tasks = hold_items(out, &view, PyBUF_WRITABLE, 8)
        held = True
        if tasks != job.to.rows:
            raise ValueError("arrays of lengths that do not agree")
        job.averages = <double*> view.buf
        job.errors = errors
        tasks = (tasks + SETTLED - 1) // SETTLED
        num_threads = team(tasks, num_threads)
        with nogil:
            parallel_for(average_some, &job, tasks, num_threads, 0)
    finally:
        release_columns(&job.to)
        if held:
            PyBuffer_Release(&view)


def state_of_losses(losses, weights):
    """The numbers of the state of contiguous float64 losses, after its counts; a weight of -f is a factor alone."""
    cdef Partial partial
    cdef Py_buffer views[2]
    cdef Py_ssize_t n = hold_items(losses, &views[0], PyBUF_SIMPLE, 8)
    cdef unsigned mode
    try:
        if hold_items(weights, &views[1], PyBUF_SIMPLE, 8) != n:
            PyBuffer_Release(&views[1])
            raise ValueError("arrays of lengths that do not agree")
        clear(&partial)
        mode = enter_ieee_mode()
        add_losses(&partial.state, <const double*> views[1].buf, <const double*> views[0].buf, n)
        leave_ieee_mode(mode)
        PyBuffer_Release(&views[1])
    finally:
        PyBuffer_Release(&views[0])
    return found_sums(&partial, True)[3:]


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
