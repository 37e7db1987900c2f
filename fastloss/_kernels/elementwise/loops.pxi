# The loops of the elementwise families: a formula, a block, and what is asked for.
#
# A formula returns the loss at one element and writes its first and second derivative. It is a compile-time constant
# wherever `loop` is called, and so are the flags: the compiler builds one vectorised loop for each of value, gradient,
# both, and gradient with curvature, and deletes what is not asked for. Every kernel is one function, which does the
# same for both types: its address is the kernel. Cython does not index a pointer type by float or double as it does
# a function, so that each is spelled out.

ctypedef floating (*Formula)(
    floating y, floating x, double a, double b, double c, double d, floating* grad, floating* hess
) noexcept nogil
ctypedef float (*FloatFormula)(
    float y, float x, double a, double b, double c, double d, float* grad, float* hess
) noexcept nogil
ctypedef double (*DoubleFormula)(
    double y, double x, double a, double b, double c, double d, double* grad, double* hess
) noexcept nogil

# A loss of two predictions for each target: `x` and `z` are the two, each has its own derivatives.
ctypedef floating (*PairFormula)(
    floating y, floating x, floating z, double a, double b, floating* grad, floating* grad_z, floating* hess,
    floating* hess_z
) noexcept nogil
ctypedef float (*FloatPairFormula)(
    float y, float x, float z, double a, double b, float* grad, float* grad_z, float* hess, float* hess_z
) noexcept nogil
ctypedef double (*DoublePairFormula)(
    double y, double x, double z, double a, double b, double* grad, double* grad_z, double* hess, double* hess_z
) noexcept nogil

KERNELS = {}


cdef int declare(str name, Loop loop, tuple parameters=()) except -1:
    """Enter a kernel under its name, with the names of its constants."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    kernel.name, kernel.parameters, kernel.program = name, parameters, <const void*> loop
    KERNELS[name] = kernel
    return 0


cdef inline void loop(Formula formula, const floating* y, const floating* x, double a, double b, double c,
                      double d, floating* value, floating* grad, floating* hess, Py_ssize_t n,
                      bint want_value, bint want_grad, bint want_hess) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v, g, h
    for i in range(n):
        v = formula(y[i], x[i], a, b, c, d, &g, &h)
        if want_value:
            value[i] = v
        if want_grad:
            grad[i] = g
        if want_hess:
            hess[i] = h


cdef inline void specialise(Formula formula, const floating* y, const Block* block) noexcept nogil:
    cdef const floating* x = <const floating*> block.x
    cdef floating* value = <floating*> block.results.value
    cdef floating* grad = <floating*> block.results.grad
    cdef floating* hess = <floating*> block.results.hess
    cdef double a = block.parameters[0], b = block.parameters[1], c = block.parameters[2], d = block.parameters[3]
    cdef Py_ssize_t n = block.n
    if block.operation & HESS:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, False, True, True)
    elif block.operation & VALUE and block.operation & GRAD:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, True, True, False)
    elif block.operation & GRAD:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, False, True, False)
    else:
        loop(formula, y, x, a, b, c, d, value, grad, hess, n, True, False, False)


cdef inline void run(FloatFormula narrow, DoubleFormula wide, const Block* block) noexcept nogil:
    if block.single:
        specialise(narrow, <const float*> block.y, block)
    else:
        specialise(wide, <const double*> block.y, block)


cdef inline void pair_loop(PairFormula formula, const floating* y, const floating* x, const floating* z, double a,
                           double b, floating* value, floating* grad, floating* grad_z, floating* hess,
                           floating* hess_z, Py_ssize_t n, bint want_value, bint want_grad,
                           bint want_hess) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v, g, gz, h, hz
    for i in range(n):
        v = formula(y[i], x[i], z[i], a, b, &g, &gz, &h, &hz)
        if want_value:
            value[i] = v
        if want_grad:
            grad[i] = g
            grad_z[i] = gz
        if want_hess:
            hess[i] = h
            hess_z[i] = hz


cdef inline void specialise_pair(PairFormula formula, const floating* y, const Block* block) noexcept nogil:
    cdef const floating* x = <const floating*> block.x
    cdef const floating* z = <const floating*> block.z
    cdef floating* value = <floating*> block.results.value
    cdef floating* grad = <floating*> block.results.grad
    cdef floating* grad_z = <floating*> block.results.grad_z
    cdef floating* hess = <floating*> block.results.hess
    cdef floating* hess_z = <floating*> block.results.hess_z
    cdef double a = block.parameters[0], b = block.parameters[1]
    cdef Py_ssize_t n = block.n
    if block.operation & HESS:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, False, True, True)
    elif block.operation & VALUE and block.operation & GRAD:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, True, True, False)
    elif block.operation & GRAD:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, False, True, False)
    else:
        pair_loop(formula, y, x, z, a, b, value, grad, grad_z, hess, hess_z, n, True, False, False)


cdef inline void run_pair(FloatPairFormula narrow, DoublePairFormula wide, const Block* block) noexcept nogil:
    if block.single:
        specialise_pair(narrow, <const float*> block.y, block)
    else:
        specialise_pair(wide, <const double*> block.y, block)
