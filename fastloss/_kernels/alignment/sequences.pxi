# A sequence: its lengths, its labels, where its lattice is in memory; what a program does with it.

cdef enum:
    FINE, MISSING, WRONG                # labels: one of them is NaN, or none that there may be

# The arrays of a call, in its order.
cdef enum:
    TARGET, SCORES, GRADIENT, SEQUENCE_WEIGHT, SEQUENCE_MASK, LOSSES, WEIGHTS, FRAMES, LABELS, STARTS, PATH, POSITIONS
    PATH_SCORES, ARRAYS

cdef struct AlignmentJob:
    Job base                            # its operands are weights, mask and losses of the sequences
    const Program* program
    bint single                         # softmax and gradient are computed in float32
    bint logits                         # ... of logits, not of log-probabilities
    Shape shape                         # of the predictions
    Operand x
    Operand grad
    Shape target_shape
    Operand target
    Py_ssize_t sequences
    Py_ssize_t longest                  # frames of the array
    Py_ssize_t across                   # rows of a frame: of a transducer, the largest number of labels and 1
    Py_ssize_t classes
    Py_ssize_t sequence_step            # rows from a sequence to the next
    Py_ssize_t frame_step               # ... and from a frame
    int32_t blank
    const int64_t* frames               # lengths of the sequences
    const int64_t* labels
    const int64_t* starts               # elements of the targets before a sequence's
    int32_t* label                      # of all sequences
    Py_ssize_t* first                   # ... where those of a sequence are
    char* state
    double* weight
    double* loss
    int64_t* path                       # of a decoder, and of each frame
    int64_t* positions
    double* scores
    Sequence* shared                    # the sequence that all threads are at

cdef struct Sequence:
    Py_ssize_t index
    Py_ssize_t frames
    Py_ssize_t labels
    const int32_t* label
    Py_ssize_t block                    # frames that are differentiated together
    Py_ssize_t blocks
    bint alone                          # its blocks are taken from the last to the first, and need no sweep backward
    double coefficient                  # of its gradient
    double loss                         # the negative logarithm of the probability
    double value                        # ... what counts in its place
    double parts                        # ... and what that is divided by
    double norm                         # what the logarithm of the probability leaves out
    Py_ssize_t width                    # numbers of a row of the lattice
    Py_ssize_t inner                    # ... of which so many are computed
    double* top                         # of each row of logits: the largest
    double* rest                        # ... and the sum of exponentials beside it
    double* forward
    double* backward
    # CTC
    Py_ssize_t needed                   # classes, those of the target and the blank
    Py_ssize_t room                     # ... for so many of them, others being impossible
    Py_ssize_t blank_at                 # ... which of them is the blank
    int32_t* place                      # of each class among them
    int32_t* classes
    int32_t* which                      # of each label among them
    double* skip                        # an exponent: 0 where the blank before a label may be left out
    double* peak                        # of each frame: the largest needed logit
    double* level                       # ... and its logarithm of a probability
    void* logits                        # ... and all needed ones, in the type of the computation
    # Transducer: by diagonal, the logarithms of probabilities of its transitions, and at last how often each is taken
    double* blanks
    double* emissions

# What a thread needs beside a sequence.
cdef struct Work:
    Scratch* s
    Worker* worker
    void* row                           # of logits
    double* m                           # numbers of needed classes or transitions
    double* e
    double* rows                        # of the lattice
    double* odds                        # ... of the probabilities of labels
    double* share                       # of needed classes in a frame

ctypedef size_t (*Arrange)(const AlignmentJob* job, Sequence* q, char* room) noexcept nogil
ctypedef size_t (*Equip)(const AlignmentJob* job, const Sequence* q, Work* w, char* room) noexcept nogil
ctypedef void (*Step)(AlignmentJob* job, Sequence* q, Work* w) noexcept nogil
ctypedef void (*BlockStep)(AlignmentJob* job, Sequence* q, Work* w, Py_ssize_t block) noexcept nogil

# A kernel. The steps are taken in this order; those of blocks and the two sweeps of different threads at once.
cdef struct Program:
    Arrange arrange                     # where its arrays are in so much memory
    Equip equip
    Step begin
    BlockStep measure                   # softmax of the rows, and of what the lattice needs
    Step forward
    Step backward
    bint carries                        # its blocks need no sweep backward, if taken from the last to the first
    Step settle                         # the loss
    BlockStep differentiate
    Step decode                         # in place of all that follows `measure`

cdef enum:
    MOST_PROGRAMS = 8

cdef Program[MOST_PROGRAMS] PROGRAMS
KERNELS = {}


cdef int declare(str name, Program program, tuple parameters=()) except -1:
    """Enter a kernel under its name, with the names of its constants."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    cdef Py_ssize_t place = len(KERNELS)
    if place == MOST_PROGRAMS:
        raise MemoryError(f"{name}: there is no room for more than {MOST_PROGRAMS} programs")
    PROGRAMS[place] = program
    kernel.name, kernel.parameters, kernel.program = name, parameters, &PROGRAMS[place]
    KERNELS[name] = kernel
    return 0


cdef inline void* take(char* room, size_t* used, Py_ssize_t rows, Py_ssize_t items, size_t itemsize) noexcept nogil:
    """The next part of a room, a whole number of cache lines; NULL where only its size is asked for.

    What is larger than there can be is SIZE_MAX, rather than a number that overflowed.
    """
    cdef size_t at = used[0]
    if at == SIZE_MAX or <double> rows * <double> items * itemsize > 1e18:
        used[0] = SIZE_MAX
        return NULL
    used[0] = at + (<size_t> rows * <size_t> items * itemsize + 127) // 64 * 64
    return room + at if room != NULL else NULL


cdef inline Py_ssize_t row_at(const AlignmentJob* job, const Sequence* q, Py_ssize_t frame) noexcept nogil:
    return q.index * job.sequence_step + frame * job.frame_step


cdef inline void add_exactly(double v, double* high, double* low) noexcept nogil:
    """Add to a sum of two parts."""
    cdef double rest
    high[0] = two_sum(high[0], v, &rest)
    low[0] += finite_or_zero(rest)
