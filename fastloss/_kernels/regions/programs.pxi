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
    MOVES = EXTENT                      # among the derivatives in the sums: whether elements have a slope
    SUMS                                # numbers that are kept of a region
    ROOM = BLOCK + 24                   # streams are not a multiple of 4 KB apart
    MOST_PROGRAMS = 64

# A block of elements: arrays of float or, unless `single`, of double.
cdef struct Elements:
    const void* z                       # NULL, or logits from which p and q are computed, of elements of weight 1
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

# The loss of a region from its sums; of all classes of a region, with their weights, where the program is `across`
# them. Writes the derivative in each sum.
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


# Formulas of `floating` keep literals apart from other arithmetic: in C they are of double, and a longer expression
# with one would be computed in double.

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


cdef inline floating halves(floating z, floating* p, floating* q) noexcept nogil:
    """sigmoid(z) and sigmoid(-z), both to full relative accuracy, and their product, which is the sigmoid's slope."""
    cdef floating one = 1, e = exp_nonpositive(-absolute(z))
    cdef floating large = one / (one + e)
    cdef floating small = e * large
    p[0] = large if z >= 0 else small
    q[0] = small if z >= 0 else large
    return small * large


cdef inline void add_terms(Terms terms, const Elements* e, const floating* t, int count, bint weighted,
                           bint logits) noexcept nogil:
    """Add the terms to the sums, in sixteen lanes whatever the width of the registers.

    Sums are in float64; of float32 terms, which are not negative, the next four are added up first.
    """
    cdef const floating* z = <const floating*> e.z
    cdef const floating* p = <const floating*> e.p
    cdef const floating* q = <const floating*> e.q
    cdef const floating* d = <const floating*> e.d
    cdef const double* w = e.weight
    cdef double a0[16]
    cdef double a1[16]
    cdef double a2[16]
    cdef double a3[16]
    cdef floating f0, f1, f2, f3
    cdef floating u, v, s0, s1, s2, s3
    cdef Py_ssize_t i = 0, j, k, n = e.n
    for j in range(16):
        a0[j] = a1[j] = a2[j] = a3[j] = 0
    while not weighted and i + 64 <= n:
        for j in range(i, i + 16):
            f0 = f1 = f2 = f3 = 0
            for k in range(0, 64, 16):
                if logits:
                    halves(z[j + k], &u, &v)
                else:
                    u, v = p[j + k], q[j + k]
                terms(u, v, t[j + k], d[j + k], &s0, &s1, &s2, &s3)
                f0 += s0
                if count > 1:
                    f1 += s1
                if count > 2:
                    f2 += s2
                if count > 3:
                    f3 += s3
            a0[j - i] += f0
            if count > 1:
                a1[j - i] += f1
            if count > 2:
                a2[j - i] += f2
            if count > 3:
                a3[j - i] += f3
        i += 64
    while weighted and i + 16 <= n:
        for j in range(16):
            terms(p[i + j], q[i + j], t[i + j], d[i + j], &s0, &s1, &s2, &s3)
            a0[j] += w[i + j] * s0 if w[i + j] > 0 else 0
            if count > 1:
                a1[j] += w[i + j] * s1 if w[i + j] > 0 else 0
            if count > 2:
                a2[j] += w[i + j] * s2 if w[i + j] > 0 else 0
            if count > 3:
                a3[j] += w[i + j] * s3 if w[i + j] > 0 else 0
        i += 16
    while i < n:
        if logits:
            halves(z[i], &u, &v)
        else:
            u, v = p[i], q[i]
        terms(u, v, t[i], d[i], &s0, &s1, &s2, &s3)
        j = i % 16
        if not weighted or w[i] > 0:
            a0[j] += w[i] * s0 if weighted else s0
            if count > 1:
                a1[j] += w[i] * s1 if weighted else s1
            if count > 2:
                a2[j] += w[i] * s2 if weighted else s2
            if count > 3:
                a3[j] += w[i] * s3 if weighted else s3
        i += 1
    e.sums[0] += folded(a0)
    if count > 1:
        e.sums[1] += folded(a1)
    if count > 2:
        e.sums[2] += folded(a2)
    if count > 3:
        e.sums[3] += folded(a3)


cdef inline void add(FloatTerms narrow, DoubleTerms wide, const Elements* e, int count) noexcept nogil:
    if e.single and e.z != NULL:
        add_terms(narrow, e, <const float*> e.t, count, False, True)
    elif e.single and e.weight == NULL:
        add_terms(narrow, e, <const float*> e.t, count, False, False)
    elif e.single:
        add_terms(narrow, e, <const float*> e.t, count, True, False)
    elif e.weight == NULL:
        add_terms(wide, e, <const double*> e.t, count, False, False)
    else:
        add_terms(wide, e, <const double*> e.t, count, True, False)


cdef inline void slope_loop(Slope slope, const Elements* e, const floating* t, bint logits) noexcept nogil:
    cdef const floating* z = <const floating*> e.z
    cdef const floating* p = <const floating*> e.p
    cdef const floating* q = <const floating*> e.q
    cdef const floating* d = <const floating*> e.d
    cdef floating* to = <floating*> e.slope
    cdef floating c0 = <floating> e.c[0], c1 = <floating> e.c[1], c2 = <floating> e.c[2], c3 = <floating> e.c[3]
    cdef floating u, v, steepness
    cdef Py_ssize_t i
    for i in range(e.n):
        if logits:
            steepness = halves(z[i], &u, &v)
            to[i] = slope(u, v, t[i], d[i], c0, c1, c2, c3) * steepness
        else:
            to[i] = slope(p[i], q[i], t[i], d[i], c0, c1, c2, c3)


cdef inline void slopes(FloatSlope narrow, DoubleSlope wide, const Elements* e) noexcept nogil:
    """The slope in p; of logits, in these."""
    if e.single and e.z != NULL:
        slope_loop(narrow, e, <const float*> e.t, True)
    elif e.single:
        slope_loop(narrow, e, <const float*> e.t, False)
    else:
        slope_loop(wide, e, <const double*> e.t, False)
