# Lanes: one number for each of up to LANES rows, or each of as many neighbouring classes of one row.

from fastloss._kernels.vecmath cimport exp_for

cdef extern from "engine/tiles.h" nogil:
    enum: LANES "FL_LANES"
    void to_tile "fl_to_tile"(const char* source, Py_ssize_t stride, Py_ssize_t classes, char* tile, int itemsize)
    void from_tile "fl_from_tile"(const char* tile, Py_ssize_t classes, char* to, int itemsize)

cdef enum:
    LANE_ROOM = LANES + 8

# One number for each row of a group; the arrays are not a multiple of 4 KB apart, where a load would wait for an
# unrelated store.
cdef struct Lanes:
    double label[LANE_ROOM]                 # NaN where it is missing
    double label_weight[LANE_ROOM]          # the class weight of the label
    double target[LANE_ROOM]                # the logit of the label
    double shift[LANE_ROOM]             # what is subtracted from the logits
    double target_shift[LANE_ROOM]      # ... and from targets that are logits themselves
    double s0[LANE_ROOM]
    double s1[LANE_ROOM]
    double s2[LANE_ROOM]
    double s3[LANE_ROOM]
    double value[LANE_ROOM]
    double weight[LANE_ROOM]                # the sample weight, 0 where the row does not count
    double unit[LANE_ROOM]                  # the weight by class
    double whole[LANE_ROOM]                 # their product
    double each[LANE_ROOM]                  # value by unit of weight
    double lse[LANE_ROOM]
    double entropy[LANE_ROOM]
    double argmax[LANE_ROOM]
    double correct[LANE_ROOM]               # 1 where the label is the argmax
    double a[LANE_ROOM]                     # coefficients of the gradient
    double b[LANE_ROOM]
    double c[LANE_ROOM]                     # of the curvature; without a scale of the logits, of both
    double d[LANE_ROOM]
    double u[LANE_ROOM]                     # of neither: not scaled with them
    double v[LANE_ROOM]
    double target_grad[LANE_ROOM]
    double target_hess[LANE_ROOM]
    double again[LANE_ROOM]                 # whether to sum once more, with the new `u`


cdef inline void lane_maximum(const floating* x, Py_ssize_t groups, floating* top) noexcept nogil:
    cdef floating lanes[LANES]
    cdef Py_ssize_t i, j
    for i in range(LANES):
        lanes[i] = -INFINITY
    for j in range(groups):
        for i in range(LANES):
            lanes[i] = x[j * LANES + i] if x[j * LANES + i] > lanes[i] else lanes[i]
    memcpy(top, lanes, sizeof(lanes))


cdef inline void narrow_labels(const double* label, Py_ssize_t first, floating* lanes) noexcept nogil:
    """Labels counted from class `first`: exact for those of a tile, and no other becomes one of them."""
    cdef Py_ssize_t i
    for i in range(LANES):
        lanes[i] = <floating> (label[i] - first)


cdef inline void mask_labels(floating* x, Py_ssize_t classes, const floating* label, floating* target,
                             floating* top) noexcept nogil:
    """Put -inf in place of the labels' logits, which are added to `target`, and find the largest of the others.

    Sums with 0 keep the stores unconditional: a load soon after a masked store would wait for it.
    """
    cdef floating mine[LANES]
    cdef floating found[LANES]
    cdef floating lanes[LANES]
    cdef floating v, at
    cdef Py_ssize_t i, k
    memcpy(mine, label, sizeof(mine))
    memcpy(found, target, sizeof(found))
    for i in range(LANES):
        lanes[i] = -INFINITY
    for k in range(classes):
        at = <floating> k
        for i in range(LANES):
            v = x[k * LANES + i]
            found[i] += v if mine[i] == at else 0
            v = 0 + (-INFINITY if mine[i] == at else v)
            x[k * LANES + i] = v
            lanes[i] = v if v > lanes[i] else lanes[i]
    memcpy(target, found, sizeof(found))
    memcpy(top, lanes, sizeof(lanes))


cdef inline void scatter_labels(const floating* label, const double* given, Py_ssize_t classes,
                                floating* v) noexcept nogil:
    """Put what is given for each row in the place of its label; a sum with 0 for the reason above."""
    cdef floating mine[LANES]
    cdef floating lanes[LANES]
    cdef floating at
    cdef Py_ssize_t i, k
    memcpy(mine, label, sizeof(mine))
    for i in range(LANES):
        lanes[i] = <floating> given[i]
    for k in range(classes):
        at = <floating> k
        for i in range(LANES):
            v[k * LANES + i] = 0 + (lanes[i] if mine[i] == at else v[k * LANES + i])


cdef inline floating fold_maximum(floating* v) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(32):
        v[i] = v[i + 32] if v[i + 32] > v[i] else v[i]
    for i in range(16):
        v[i] = v[i + 16] if v[i + 16] > v[i] else v[i]
    for i in range(8):
        v[i] = v[i + 8] if v[i + 8] > v[i] else v[i]
    for i in range(4):
        v[i] = v[i + 4] if v[i + 4] > v[i] else v[i]
    for i in range(2):
        v[i] = v[i + 2] if v[i + 2] > v[i] else v[i]
    return v[1] if v[1] > v[0] else v[0]


cdef inline floating fold_sum(floating* v) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(32):
        v[i] += v[i + 32]
    for i in range(16):
        v[i] += v[i + 16]
    for i in range(8):
        v[i] += v[i + 8]
    for i in range(4):
        v[i] += v[i + 4]
    for i in range(2):
        v[i] += v[i + 2]
    return v[0] + v[1]


cdef inline void spread(floating v, double* lanes) noexcept nogil:
    cdef floating* out = <floating*> lanes
    cdef Py_ssize_t i
    for i in range(LANES):
        out[i] = v


cdef inline void narrow_lanes(const double* v, double* lanes, floating like) noexcept nogil:
    cdef floating* out = <floating*> lanes
    cdef Py_ssize_t i
    for i in range(LANES):
        out[i] = <floating> v[i]


cdef inline void add_lanes(double* v, const double* lanes, floating like) noexcept nogil:
    cdef const floating* more = <const floating*> lanes
    cdef Py_ssize_t i
    for i in range(LANES):
        v[i] += more[i]


cdef inline void fill(double* lanes, double v) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(LANES):
        lanes[i] = v


cdef inline void raise_shift(Lanes* r, Py_ssize_t i, double top, double scale, floating like) noexcept nogil:
    """Make `top` the shift of row i, if it is higher: sums of (e, e x, t x, t) follow."""
    cdef double down, factor
    if not top > r.shift[i]:
        return
    if r.shift[i] > -INFINITY:
        down = (r.shift[i] - top) * scale
        factor = exp_for(like, down, 0)
        r.s1[i] = factor * (r.s1[i] + down * r.s0[i])
        r.s0[i] = factor * r.s0[i]
        r.s2[i] = r.s2[i] + down * r.s3[i]
    r.shift[i] = top


cdef inline double finite_shift(double shift) noexcept nogil:
    """What to subtract: of a row of -inf, 0, so that no exponential becomes NaN."""
    return shift if shift > -INFINITY else 0
