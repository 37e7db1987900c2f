# What a kernel of the regions family consists of: sums over the elements of a region, a formula of these sums, and the
# slope of the loss at each element, which is made of the formula's derivatives in the sums.
#
#     terms of an element (Terms)  ->  a formula of their sums (Formula)  ->  the slope at an element (Slope)
#
# An element is a probability p with its complement q = 1 - p, each to full relative accuracy, a target t, and for some
# losses a further number d. Terms are never negative, so that no sum cancels: the false negatives of a confident right
# prediction are the sum of the small q, not the difference of two large sums.

cdef enum:
    TERMS = 4
    EXTENT = TERMS                      # the sum of the weights of the elements
    SUMS                                # numbers that are kept of a region
    ROOM = BLOCK + 24                   # streams are not a multiple of 4 KB apart
    MOST_PROGRAMS = 64

# A block of elements: arrays of float or, unless `single`, of double.
cdef struct Elements:
    const void* p
    const void* q
    const void* t
    const void* d
    const double* weight                # NULL: all are 1
    Py_ssize_t n
    bint single
    double* sums                        # to which the terms are added
    const double* c                     # the derivatives in the sums
    void* slope

ctypedef void (*Pass)(const Elements* e) noexcept nogil

# The loss of a region from its sums; of all classes of a region, with their weights, where the program is `across` them.
# Writes the derivative in each sum.
ctypedef double (*Formula)(
    const double* s, Py_ssize_t classes, const double* class_weight, const double* constants, double* c
) noexcept nogil

cdef struct Program:
    Pass add
    Pass slope
    Formula formula
    bint across                         # classes meet in the formula
    bint crossed                        # the last term is the cross-entropy, which the driver computes
    bint sorted                         # no sums: the elements are sorted by their errors
    int empty[2]                        # a mask is empty where these two sums are 0

cdef Program[MOST_PROGRAMS] PROGRAMS    # the kernels point to them
KERNELS = {}


cdef Program program(Pass add, Pass slope, Formula formula, int first=0, int second=2) noexcept:
    cdef Program p
    memset(&p, 0, sizeof(Program))
    p.add, p.slope, p.formula = add, slope, formula
    p.empty[0], p.empty[1] = first, second
    return p


cdef Program across(Program p) noexcept:
    p.across = True
    return p


cdef Program crossed(Program p) noexcept:
    p.crossed = True
    return p


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


# The two loops over a block: what an element adds, and what the loss gains with its p ------------------------------

ctypedef void (*Terms)(
    floating p, floating q, floating t, floating d, floating* s0, floating* s1, floating* s2, floating* s3
) noexcept nogil
ctypedef void (*FloatTerms)(
    float p, float q, float t, float d, float* s0, float* s1, float* s2, float* s3
) noexcept nogil
ctypedef void (*DoubleTerms)(
    double p, double q, double t, double d, double* s0, double* s1, double* s2, double* s3
) noexcept nogil

ctypedef floating (*Slope)(
    floating p, floating q, floating t, floating d, floating c0, floating c1, floating c2, floating c3
) noexcept nogil
ctypedef float (*FloatSlope)(
    float p, float q, float t, float d, float c0, float c1, float c2, float c3
) noexcept nogil
ctypedef double (*DoubleSlope)(
    double p, double q, double t, double d, double c0, double c1, double c2, double c3
) noexcept nogil


cdef inline double folded(double* lanes) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(8):
        lanes[j] += lanes[j + 8]
    for j in range(4):
        lanes[j] += lanes[j + 4]
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


cdef inline void add_terms(Terms terms, const Elements* e, const floating* p, int count, bint weighted) noexcept nogil:
    """Add the terms to the sums in float64, in sixteen lanes whatever the width of the registers."""
    cdef const floating* q = <const floating*> e.q
    cdef const floating* t = <const floating*> e.t
    cdef const floating* d = <const floating*> e.d
    cdef const double* w = e.weight
    cdef double a0[16]
    cdef double a1[16]
    cdef double a2[16]
    cdef double a3[16]
    cdef floating s0, s1, s2, s3
    cdef Py_ssize_t i = 0, j, n = e.n
    for j in range(16):
        a0[j] = a1[j] = a2[j] = a3[j] = 0
    while i + 16 <= n:
        for j in range(16):
            terms(p[i + j], q[i + j], t[i + j], d[i + j], &s0, &s1, &s2, &s3)
            if weighted:
                a0[j] += w[i + j] * s0 if w[i + j] > 0 else 0
                if count > 1:
                    a1[j] += w[i + j] * s1 if w[i + j] > 0 else 0
                if count > 2:
                    a2[j] += w[i + j] * s2 if w[i + j] > 0 else 0
                if count > 3:
                    a3[j] += w[i + j] * s3 if w[i + j] > 0 else 0
            else:
                a0[j] += s0
                if count > 1:
                    a1[j] += s1
                if count > 2:
                    a2[j] += s2
                if count > 3:
                    a3[j] += s3
        i += 16
    for j in range(n - i):
        terms(p[i + j], q[i + j], t[i + j], d[i + j], &s0, &s1, &s2, &s3)
        if weighted and not w[i + j] > 0:
            continue
        a0[j] += w[i + j] * s0 if weighted else s0
        if count > 1:
            a1[j] += w[i + j] * s1 if weighted else s1
        if count > 2:
            a2[j] += w[i + j] * s2 if weighted else s2
        if count > 3:
            a3[j] += w[i + j] * s3 if weighted else s3
    e.sums[0] += folded(a0)
    if count > 1:
        e.sums[1] += folded(a1)
    if count > 2:
        e.sums[2] += folded(a2)
    if count > 3:
        e.sums[3] += folded(a3)


cdef inline void add(FloatTerms narrow, DoubleTerms wide, const Elements* e, int count) noexcept nogil:
    if e.single and e.weight == NULL:
        add_terms(narrow, e, <const float*> e.p, count, False)
    elif e.single:
        add_terms(narrow, e, <const float*> e.p, count, True)
    elif e.weight == NULL:
        add_terms(wide, e, <const double*> e.p, count, False)
    else:
        add_terms(wide, e, <const double*> e.p, count, True)


cdef inline void slope_loop(Slope slope, const Elements* e, const floating* p) noexcept nogil:
    cdef const floating* q = <const floating*> e.q
    cdef const floating* t = <const floating*> e.t
    cdef const floating* d = <const floating*> e.d
    cdef floating* to = <floating*> e.slope
    cdef floating c0 = <floating> e.c[0], c1 = <floating> e.c[1], c2 = <floating> e.c[2], c3 = <floating> e.c[3]
    cdef Py_ssize_t i
    for i in range(e.n):
        to[i] = slope(p[i], q[i], t[i], d[i], c0, c1, c2, c3)


cdef inline void slopes(FloatSlope narrow, DoubleSlope wide, const Elements* e) noexcept nogil:
    if e.single:
        slope_loop(narrow, e, <const float*> e.p)
    else:
        slope_loop(wide, e, <const double*> e.p)
