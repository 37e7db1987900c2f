# Rows of two classes: the cross-entropy of a label is that of the difference of the two logits, in the type of the
# computation. What the difference lost to rounding is added to first order, so that nothing is known less well than
# where each row is computed in float64.

from fastloss._kernels.vecmath cimport logistic


cdef inline bint is_binary(const RowJob* job) noexcept:
    return (
        job.program.binary and job.classes == 2 and not job.targets and not job.penalised and job.softcap == 0
        and job.scale == 1 and not job.sharded
    )


cdef inline void binary_losses(const floating* x, const floating* label, floating* loss, floating* miss,
                               floating* bend, Py_ssize_t rows, bint want_miss) noexcept nogil:
    """The losses, the probabilities of the other class, and their products with those of the label's.

    `rows` is no constant: of LANES rows all at once the numbers would not fit the registers.
    """
    cdef floating target, other, ahead, back, lost, tail, far, p, steepness, none, one = 1
    cdef Py_ssize_t i
    for i in range(rows):
        target = x[LANES + i] if label[i] == 1 else x[i]
        other = x[i] if label[i] == 1 else x[LANES + i]
        # NaN for a label that is missing, and where another logit is infinite: that has no softmax.
        none = (label[i] - label[i]) + (other - other if other > 0 else 0)
        ahead = target - other
        back = ahead - target
        lost = (target - (ahead - back)) - (other + back)
        lost = lost if lost == lost else 0              # of infinite logits
        logistic(ahead, &tail, &far)
        p = far if ahead > 0 else one - far
        loss[i] = (tail + (0 if ahead > 0 else -ahead)) - p * lost + none
        if want_miss:
            steepness = far * (one - far)
            miss[i] = p - steepness * lost + none
            bend[i] = steepness - steepness * ((one - p) - p) * lost + none


cdef void binary_rows(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """The losses of a group of rows and, as `u` and `v`, what the derivatives are made of."""
    cdef Lanes* r = &s.group.lanes
    cdef floating* x = <floating*> s.x
    cdef floating label[LANES]
    cdef floating loss[LANES]
    cdef floating miss[LANES]
    cdef floating bend[LANES]
    cdef Py_ssize_t i
    load_tile(job, PLANE_X, start, rows, 0, 2, x, s)
    narrow_labels(r.label, 0, label)
    if job.base.operation & (GRAD | HESS):
        binary_losses(x, label, loss, miss, bend, rows, True)
        for i in range(rows):
            r.u[i] = miss[i]
            r.v[i] = bend[i]
    else:
        binary_losses(x, label, loss, miss, bend, rows, False)
    if job.class_weight == NULL:
        for i in range(rows):
            r.value[i] = loss[i]
    else:
        for i in range(rows):
            r.value[i] = weighed(r.label_weight[i], loss[i])


cdef void map_binary(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, floating like) noexcept nogil:
    """The derivatives of a group of rows: in the other logit its probability, and minus that in the label's."""
    cdef Lanes* r = &s.group.lanes
    cdef floating* grad = <floating*> s.grad
    cdef floating* hess = <floating*> s.hess
    cdef floating label[LANES]
    cdef floating slope[LANES]
    cdef double factor, scale = job.base.scale, curve = job.base.parameters[2]
    cdef Py_ssize_t i
    narrow_labels(r.label, 0, label)
    for i in range(LANES):
        factor = scale * r.weight[i] * r.label_weight[i]
        slope[i] = <floating> (factor * r.u[i] if r.weight[i] != 0 else 0)
    for i in range(LANES):
        grad[i] = slope[i] if label[i] == 1 else -slope[i]
        grad[LANES + i] = -slope[i] if label[i] == 1 else slope[i]
    store_tile(job, PLANE_GRAD, start, rows, 0, 2, grad, s)
    if job.planes[PLANE_HESS].data == NULL:
        return
    for i in range(LANES):
        factor = scale * r.weight[i] * r.label_weight[i] * curve
        hess[i] = <floating> (factor * r.v[i] if r.weight[i] != 0 else 0)
        hess[LANES + i] = hess[i]
    store_tile(job, PLANE_HESS, start, rows, 0, 2, hess, s)
