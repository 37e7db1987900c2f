# What is measured of two rows: the sums over their features, the distance, and its gradient in either row.
#
# a. Differences are taken of the numbers themselves, never as |a|^2 + |b|^2 - 2 a.b, which cancels.
# b. Sums are in float64, also of float32 rows, whose squares then neither overflow nor vanish.
# c. A row whose sums or coefficients leave the range in which all of this holds is looked at closely, in float64 and
#    scaled by what is largest in it: the one slow path, for float64 numbers like 1e200 and float32 ones like 1e-30.

from libc.math cimport frexp, ldexp, pow, sqrt

from fastloss._kernels.vecmath cimport power_for

cdef extern from "vectors/sums.h" nogil:
    double squares_f32 "fl_squares_f32"(const float* a, const float* b, Py_ssize_t n, double eps)
    double squares_f64 "fl_squares_f64"(const double* a, const double* b, Py_ssize_t n, double eps)
    double magnitudes_f32 "fl_magnitudes_f32"(const float* a, const float* b, Py_ssize_t n, double eps)
    double magnitudes_f64 "fl_magnitudes_f64"(const double* a, const double* b, Py_ssize_t n, double eps)
    void products_f32 "fl_products_f32"(const float* a, const float* b, Py_ssize_t n, double* sums)
    void products_f64 "fl_products_f64"(const double* a, const double* b, Py_ssize_t n, double* sums)

cdef enum:
    SQUARED, EUCLIDEAN, MANHATTAN, POWER, LARGEST, COSINE, SIMILARITY

MEASURES = {
    "squared_euclidean": SQUARED, "euclidean": EUCLIDEAN, "manhattan": MANHATTAN, "power": POWER,
    "largest": LARGEST, "cosine": COSINE, "similarity": SIMILARITY,
}

cdef enum:
    SUM_BLOCK = 128                     # features whose powers are summed at once

# Of two rows that are looked at closely.
cdef struct Closely:
    bint finite
    double distance                     # or the cosine
    double unit                         # of the differences: 1, or 2 where one of them overflows
    double largest                      # difference
    double root                         # the norm of the differences over the largest; how many are as large as that
    double scale[2]                     # a power of two for each row that keeps its squares in range
    double norm[2]                      # ... and its norm then


cdef inline bint is_angular(int measure) noexcept nogil:
    return measure == COSINE or measure == SIMILARITY


# Sums -------------------------------------------------------------------------------------------------

cdef double sum_powers(const floating* a, const floating* b, Py_ssize_t n, double eps, double p) noexcept nogil:
    cdef double part[SUM_BLOCK]
    cdef double sum = 0, t
    cdef Py_ssize_t i = 0, j, take
    while i < n:
        take = min(<Py_ssize_t> SUM_BLOCK, n - i)
        for j in range(take):
            t = (<double> a[i + j] - <double> b[i + j]) + eps
            part[j] = power_for(<floating> 0, fabs(t), 0, p)
        sum += total(part, take)
        i += take
    return sum


cdef inline void sum_features(int measure, const floating* a, const floating* b, Py_ssize_t n, double eps, double p,
                              double* sums) noexcept nogil:
    """The sums of two rows: of a power of the differences, or the dot product and the two squares."""
    if measure == POWER:
        sums[0] = sum_powers(a, b, n, eps, p)
    elif floating is float:
        if is_angular(measure):
            products_f32(a, b, n, sums)
        else:
            sums[0] = magnitudes_f32(a, b, n, eps) if measure == MANHATTAN else squares_f32(a, b, n, eps)
    else:
        if is_angular(measure):
            products_f64(a, b, n, sums)
        else:
            sums[0] = magnitudes_f64(a, b, n, eps) if measure == MANHATTAN else squares_f64(a, b, n, eps)


# Gradients --------------------------------------------------------------------------------------------
#
# Each row has a gradient of one distance or of two: `x` is the row, o and q the others, c and d the coefficients. The
# offset that is added to a difference counts as it does in the row that comes first, its sign turned for the other.

cdef inline floating slope_of(int measure, floating x, floating o, floating c, double eps,
                              double p) noexcept nogil:
    cdef double wide
    cdef floating t = (x - o) + <floating> eps
    if measure == MANHATTAN:
        return c if t > 0 else (-c if t < 0 else 0)
    if measure == POWER:
        wide = (<double> x - <double> o) + eps
        wide = (c if wide > 0 else -c) * power_for(<floating> 0, fabs(wide), 0, p - 1)
        return <floating> wide
    return c * t


cdef inline void map_one(int measure, const floating* x, const floating* o, floating self, floating c, double eps,
                         double p, floating* out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        out[j] = self * x[j] + c * o[j] if is_angular(measure) else slope_of(measure, x[j], o[j], c, eps, p)


cdef inline void map_two(int measure, const floating* x, const floating* o, const floating* q, floating self,
                         floating c, floating d, double eps, double eps_q, double p, floating* out,
                         Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        if is_angular(measure):
            out[j] = (self * x[j] + c * o[j]) + d * q[j]
        else:
            out[j] = slope_of(measure, x[j], o[j], c, eps, p) + slope_of(measure, x[j], q[j], d, eps_q, p)


# Closely ----------------------------------------------------------------------------------------------

cdef double largest_of(const floating* v, Py_ssize_t n, bint* finite) noexcept nogil:
    cdef Py_ssize_t i
    cdef double most = 0
    for i in range(n):
        finite[0] = finite[0] and is_finite(v[i])
        most = fabs(v[i]) if fabs(v[i]) > most else most
    return most


cdef inline double difference_of(const Closely* c, double a, double b, double eps) noexcept nogil:
    return (a - b) + eps if c.unit == 1 else (0.5 * a - 0.5 * b) + 0.5 * eps


cdef void look_closely(int measure, const floating* a, const floating* b, Py_ssize_t n, double eps, double p,
                       Closely* c) noexcept nogil:
    cdef const floating* row
    cdef double largest, sum, t, u
    cdef int k, exponent
    cdef Py_ssize_t i
    memset(c, 0, sizeof(Closely))
    c.finite = True
    for k in range(2):
        row = b if k else a
        largest = largest_of(row, n, &c.finite)
        frexp(largest, &exponent)
        c.scale[k] = ldexp(1, -max(exponent, -1000))
        sum = 0
        for i in range(n):
            t = row[i] * c.scale[k]
            sum += t * t
        c.norm[k] = sqrt(sum)
    if not c.finite:
        return
    sum = 0
    if is_angular(measure):
        for i in range(n):
            sum += (a[i] * c.scale[0]) * (b[i] * c.scale[1])
        t = sum / (c.norm[0] * c.norm[1]) if sum != 0 else 0
        t = min(<double> 1, max(<double> -1, t))
        c.distance = t if measure == SIMILARITY else 1 - t
        return
    for k in range(2):
        c.unit = k + 1
        c.largest = 0
        for i in range(n):
            t = fabs(difference_of(c, a[i], b[i], eps))
            c.largest = t if t > c.largest else c.largest
        if c.largest < INFINITY:
            break
    if c.largest == 0:
        return
    if measure == LARGEST:
        for i in range(n):
            c.root += fabs(difference_of(c, a[i], b[i], eps)) == c.largest
        c.distance = c.largest * c.unit
        return
    u = 1 if measure == MANHATTAN else p if measure == POWER else 2
    for i in range(n):
        t = fabs(difference_of(c, a[i], b[i], eps)) / c.largest
        sum += pow(t, u)
    c.root = pow(sum, 1 / u)
    t = c.root * c.largest * c.unit
    c.distance = t * t if measure == SQUARED else t


cdef void map_closely(int measure, const Closely* c, const floating* a, const floating* b, bint second, double slope,
                      double eps, double p, double* out, Py_ssize_t n) noexcept nogil:
    """Add what the distance of a and b, times `slope`, has of a gradient in one of them."""
    cdef const floating* x = b if second else a
    cdef const floating* o = a if second else b
    cdef double t, u, cosine
    cdef Py_ssize_t i
    if not c.finite:
        for i in range(n):
            out[i] = NAN
    elif is_angular(measure):
        if c.norm[0] == 0 or c.norm[1] == 0:
            return
        cosine = c.distance if measure == SIMILARITY else 1 - c.distance
        slope = slope if measure == SIMILARITY else -slope
        for i in range(n):
            t = o[i] * c.scale[not second] / c.norm[not second] - cosine * (x[i] * c.scale[second] / c.norm[second])
            out[i] += t * (slope / c.norm[second]) * c.scale[second]
    elif c.largest > 0:
        slope = -slope if second else slope
        for i in range(n):
            t = difference_of(c, a[i], b[i], eps)
            if measure == SQUARED:
                out[i] += 2 * slope * t * c.unit
            elif measure == LARGEST:
                u = 1 / c.root if fabs(t) == c.largest else 0
                out[i] += slope * u if t > 0 else -slope * u
            else:
                u = fabs(t) / c.largest / c.root
                u = (0 if u == 0 else 1) if measure == MANHATTAN else pow(u, p - 1) if measure == POWER else u
                out[i] += slope * u if t > 0 else -slope * u
