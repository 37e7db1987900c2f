# Numbers of float64's precision and any size: m 2^e, with an exponent e of their own that is a float64, too.
#
# The probabilities of a lattice are sums of products of up to millions of factors, each of which may be e^-10000: they
# leave the range of float64, and so do ratios of neighbours. A logarithm would take an exponential and a logarithm for
# each sum; an exponent beside the number takes shifts alone, and no digits are lost in large ones.
#
# A number that is not 0 has m within a few powers of two of 1: sums and products of a few numbers need no
# normalisation, rows of a lattice are normalised every `STEPS`.

from fastloss._kernels.vecmath cimport exp, log, log1p, mul_add, two_sum

cdef extern from *:
    # Pointers to memory that no other argument of the function points to.
    ctypedef double* alone "double *restrict"

cdef extern from "vecmath.h" nogil:
    uint64_t bits_of "flv_bits_f64"(double v)
    double number_of "flv_from_bits_f64"(uint64_t bits)
    double exp_poly "flv_exp_poly_f64"(double r)        # (e^r - 1 - r) / r^2 near 0
    double LOG2_E "flv_log2e_f64"
    double LN2_HIGH "flv_ln2_high_f64"
    double LN2_LOW "flv_ln2_low_f64"

cdef extern from *:
    """
    #define FL_TO_INTEGER 0x1.8p52
    #define FL_NO_EXPONENT -1e305
    #define FL_NEVER -1e308
    """
    double TO_INTEGER "FL_TO_INTEGER"       # adding it rounds to an integer, which stands in the low bits of the sum
    double NONE "FL_NO_EXPONENT"            # the exponent of 0, of which a product may have some dozens
    double NEVER "FL_NEVER"                 # what is added to an exponent makes a number nothing, even beside 0

cdef enum:
    STEPS = 16                              # of a lattice from one normalisation to the next
    PACK = 8                                # numbers in the widest registers


cdef inline double power_of_two(double e) noexcept nogil:
    """2^e for an integer e <= 0; 0 where that is no normal number."""
    e = e if e > -1023 else -1023.0
    return number_of(bits_of(e + (TO_INTEGER + 1023)) << 52)


cdef inline double larger(double a, double b) noexcept nogil:
    return a if a > b else b


cdef inline void exponential(double a, double* m, double* e) noexcept nogil:
    """e^a; -inf is 0, and what is too large is NaN."""
    cdef double t = a * LOG2_E
    cdef double k = (t + TO_INTEGER) - TO_INTEGER
    cdef double r
    k = k if fabs(t) < 2251799813685248.0 else t            # 2^51: t is as good as an integer
    r = mul_add(k, -LN2_LOW, mul_add(k, -LN2_HIGH, a))
    r = r if r < 0.36 else 0.36
    r = r if r > -0.36 else -0.36
    r = 1 + mul_add(r * r, exp_poly(r), r)
    m[0] = r if fabs(a) < 1e304 else 0.0 if a < 0 else NAN
    e[0] = k if fabs(a) < 1e304 else NONE


cdef inline double logarithm(double m, double e) noexcept nogil:
    """log(m 2^e); -inf of 0."""
    return e * LN2_HIGH + (e * LN2_LOW + log(m)) if m != 0 else -INFINITY


cdef void normalise(alone m, alone e, Py_ssize_t n) noexcept nogil:
    """Bring each m to [1, 2), or leave it if it is 0 or NaN."""
    cdef Py_ssize_t k
    cdef double v, up
    for k in range(n):
        v = m[k]
        # The exponent's bits, in the low bits of a float64 that is 2^52 greater.
        up = number_of((bits_of(v) >> 52) | 0x4330000000000000ull) - (4503599627370496.0 + 1023.0)
        e[k] = e[k] + up if v > 0 else (NONE if v == 0 else 0.0)
        m[k] = number_of((bits_of(v) & 0x000fffffffffffffull) | 0x3ff0000000000000ull) if v > 0 else v


cdef double highest(const double* e, Py_ssize_t n, double least) noexcept nogil:
    """The largest of exponents, a multiple of PACK of them, and `least`."""
    cdef double lanes[PACK]
    cdef Py_ssize_t i, k
    for i in range(PACK):
        lanes[i] = least
    for k in range(n // PACK):
        for i in range(PACK):
            lanes[i] = larger(e[k * PACK + i], lanes[i])
    for i in range(1, PACK):
        lanes[0] = larger(lanes[i], lanes[0])
    return lanes[0]


cdef inline Py_ssize_t packed(Py_ssize_t n) noexcept nogil:
    """The next multiple of PACK."""
    return (n + PACK - 1) // PACK * PACK
