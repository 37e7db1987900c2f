# A kernel of the elementwise families, and a block of elements that it is applied to.

# What comes after the formula of a whole block in float32 whose losses are but added up: a kernel may do it at once.
cdef struct Rest:
    double loss                         # the sum of the losses
    float high                          # the derivatives are multiplied by the sum of the two
    float low
    bint done

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
    Rest* rest                          # NULL where nothing else may be done

ctypedef void (*Loop)(const Block* block) noexcept nogil


cdef void evaluate(Loop loop, Job* job, int operation, const floating* y, const floating* x, const floating* z,
                   Scratch* s, Py_ssize_t n, Rest* rest) noexcept nogil:
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
    block.rest = rest
    loop(&block)
