# Kernels that are made of others while the program runs: weighted sums of them, and kernels of a sigmoid.

from fastloss._kernels.vecmath cimport logistic, mul_add, mul_add_f32

cdef struct Terms

cdef struct Term:
    Loop loop
    const void* terms                   # of a loop that is composed itself
    double parameters[4]
    double weight
    bint of_sigmoid                     # of the sigmoid of x, with the derivatives in x

cdef struct Terms:
    Py_ssize_t count
    Term* items


cdef inline floating multiply_add(floating a, floating b, floating c) noexcept nogil:
    return mul_add_f32(a, b, c) if floating is float else mul_add(a, b, c)


cdef inline void squash(const floating* x, floating* p, floating* q, Py_ssize_t n) noexcept nogil:
    """p = sigmoid(x) and q = sigmoid(-x), both to full relative accuracy."""
    cdef Py_ssize_t i
    cdef floating softplus, less, one = 1
    for i in range(n):
        logistic(x[i], &softplus, &less)
        p[i] = less if x[i] < 0 else one - less
        q[i] = one - less if x[i] < 0 else less


cdef inline void chain(const floating* p, const floating* q, floating* grad, floating* hess, bint want_hess,
                       Py_ssize_t n) noexcept nogil:
    """Derivatives in p as those in the logit; 0 where the sigmoid is flat."""
    cdef Py_ssize_t i
    cdef floating slope, bend
    for i in range(n):
        slope = p[i] * q[i]
        if want_hess:
            bend = slope * (q[i] - p[i])
            hess[i] = hess[i] * slope * slope + grad[i] * bend if slope != 0 else 0
        grad[i] = grad[i] * slope if slope != 0 else 0


cdef inline void add_weighted(const void* of_term, void* sum_so_far, double weight, Py_ssize_t n,
                              floating like) noexcept nogil:
    """Add a term, which the first one, that stands where the sum is, only multiplies."""
    cdef const floating* v = <const floating*> of_term
    cdef floating* to = <floating*> sum_so_far
    cdef floating factor = <floating> weight
    cdef Py_ssize_t i
    if weight == 1 and v == to:
        return
    if factor == weight and v == to:
        for i in range(n):
            to[i] = factor * to[i]
    elif factor == weight:
        for i in range(n):
            to[i] = multiply_add(v[i], factor, to[i])
    elif v == to:
        for i in range(n):
            to[i] = <floating> (weight * to[i])
    else:
        for i in range(n):
            to[i] = <floating> (to[i] + weight * v[i])


cdef inline void add_terms(const Block* block, floating like) noexcept nogil:
    cdef const Terms* terms = <const Terms*> block.terms
    cdef const Term* term
    cdef Scratch* room = block.room
    cdef Scratch* s = block.results
    cdef Scratch* of_term
    cdef Block inner
    cdef Py_ssize_t k, n = block.n
    cdef bint want_grad = (block.operation & (GRAD | HESS)) != 0, want_hess = (block.operation & HESS) != 0
    cdef floating* p = <floating*> room.x
    cdef floating* q = <floating*> room.y
    # Terms wait for each other: the next block comes meanwhile.
    prefetch(<const char*> (<const floating*> block.y + n), n * <Py_ssize_t> sizeof(floating))
    prefetch(<const char*> (<const floating*> block.x + n), n * <Py_ssize_t> sizeof(floating))
    inner.y, inner.z, inner.n, inner.operation, inner.single = block.y, block.z, n, block.operation, floating is float
    inner.room = room + 1
    inner.rest = NULL
    for k in range(terms.count):
        term = &terms.items[k]
        of_term = s if k == 0 else room
        inner.results, inner.terms, inner.parameters, inner.x = of_term, term.terms, term.parameters, block.x
        if term.of_sigmoid:
            squash(<const floating*> block.x, p, q, n)
            inner.x = p
        term.loop(&inner)
        if term.of_sigmoid and want_grad:
            chain(p, q, <floating*> of_term.grad, <floating*> of_term.hess, want_hess, n)
        if block.operation & VALUE:
            add_weighted(of_term.value, s.value, term.weight, n, like)
        if want_grad:
            add_weighted(of_term.grad, s.grad, term.weight, n, like)
        if want_hess:
            add_weighted(of_term.hess, s.hess, term.weight, n, like)
        if want_grad and block.z != NULL:
            add_weighted(of_term.grad_z, s.grad_z, term.weight, n, like)
        if want_hess and block.z != NULL:
            add_weighted(of_term.hess_z, s.hess_z, term.weight, n, like)


cdef void composed_kernel(const Block* block) noexcept nogil:
    if block.single:
        add_terms(block, <float> 1)
    else:
        add_terms(block, <double> 1)


cdef class Composition(Kernel):
    """A kernel with the terms that it is the sum of."""

    cdef Terms made
    cdef tuple parts                    # the kernels of the terms, which live as long as this one

    def __dealloc__(self):
        PyMem_Free(self.made.items)


def composed(str name, tuple terms):
    """A kernel without constants that is the sum of some terms: tuples of weight, kernel, its constants, of_sigmoid."""
    cdef Composition made = Composition.__new__(Composition)
    cdef Kernel kernel
    cdef Term* term
    cdef Py_ssize_t k
    made.made.items = <Term*> PyMem_Malloc(len(terms) * sizeof(Term))
    if made.made.items == NULL:
        raise MemoryError
    memset(made.made.items, 0, len(terms) * sizeof(Term))
    for weight, kernel, constants, of_sigmoid in terms:
        term = &made.made.items[made.made.count]
        term.loop, term.terms = <Loop> kernel.program, kernel.terms
        term.weight, term.of_sigmoid = weight, of_sigmoid
        for k in range(len(constants)):
            term.parameters[k] = constants[k]
        made.depth = max(made.depth, 1 + kernel.depth)
        made.made.count += 1
    made.name, made.parameters, made.parts = name, (), tuple([term_of[1] for term_of in terms])
    made.program, made.terms = <const void*> composed_kernel, &made.made
    return made
