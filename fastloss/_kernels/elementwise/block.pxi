# A kernel of the elementwise families, and a block of elements that it is applied to.

# What a kernel works on: arrays of float or, unless `single`, of double.
cdef struct Block:
    const void* y
    const void* x
    const void* z
    Scratch* results
    Scratch* room                       # for what a kernel is composed of
    Py_ssize_t n
    int operation
    bint single
    const double* parameters
    const void* terms                   # of a kernel that is composed of others

ctypedef void (*Loop)(const Block* block) noexcept nogil


cdef void evaluate(Loop loop, Job* job, int operation, const floating* y, const floating* x, const floating* z,
                   Scratch* s, Py_ssize_t n) noexcept nogil:
    """The values and derivatives of one block; scratch memory for each level of a composed kernel follows `s`."""
    cdef Block block
    block.y, block.x, block.z = y, x, z
    block.results = s
    block.room = s + 1
    block.n = n
    block.operation = operation
    block.single = floating is float
    block.parameters = job.parameters
    block.terms = job.terms
    loop(&block)
