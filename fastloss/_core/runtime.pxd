"""What is one for the whole process, whichever kernels it uses: parallel loops, and the codes of what is asked for."""

cdef extern from "engine/worker.h" nogil:
    ctypedef struct Worker "fl_worker":
        char* scratch                   # of as many bytes as the loop was asked for, in a multiple of 64
        bint begun                      # whether a task has set it up
    ctypedef void (*Task "fl_task")(void* job, Py_ssize_t index, Worker* worker) noexcept nogil
    bint go_on "fl_go_on"(Worker* worker, Py_ssize_t elements)

cdef int team(Py_ssize_t tasks, int threads) except -1
cdef int parallel_for(Task task, void* job, Py_ssize_t tasks, int threads, size_t bytes) except -1 nogil

# What a call computes.
cpdef enum:
    VALUE = 1
    GRAD = 2
    HESS = 4
    MOMENTS = 8                         # a state of the losses: sums of them and their squares, and their ends
    APART = 16                          # the loss and the weight of each element, in place of their product

# What a NaN among the targets does.
cpdef enum:
    PROPAGATE, OMIT, RAISE

# Element types; SWAPPED is added for the other byte order.
cpdef enum:
    BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT16, BFLOAT16, FLOAT32, FLOAT64
    SWAPPED = 64


cdef class Kernel:
    """The compiled formula of a loss, made by the module of its family and instruction set."""

    cdef readonly str name
    cdef readonly tuple parameters      # the names of its constants
    cdef const void* program            # what the family's driver runs
    cdef const void* terms              # what it is made of, where it was composed of other kernels
    cdef int depth                      # of these compositions, each of which needs a block of scratch memory
