# Rows of two classes: the cross-entropy of a label is that of the difference of the two logits, in the type of the
# computation. What the difference lost to rounding is added to first order, so that nothing is known less well than
# where each row is computed in float64.

from fastloss._kernels.vecmath cimport logistic


cdef inline floating binary_loss(floating first, floating second, floating label, floating* miss,
                                 floating* bend) noexcept nogil:
    """The loss, the probability of the other class, and its product with that of the label's."""
    cdef floating tail, far, one = 1
    cdef bint is_second = label == 1
    cdef floating target = second if is_second else first
    cdef floating other = first if is_second else second
    # NaN for a label that is missing, and where another logit is infinite: that has no softmax.
    cdef floating none = (label - label) + (other - other if other > 0 else 0)
    cdef floating ahead = target - other
    cdef floating back = ahead - target
    cdef floating lost = (target - (ahead - back)) - (other + back)
    lost = lost if lost == lost else 0              # of infinite logits
    logistic(ahead, &tail, &far)
    # What is multiplied by `lost` need not be exact: from the logarithm, where the loss alone is asked for.
    cdef floating rare = tail - <floating> 0.5 * tail * tail
    cdef floating p = far if ahead > 0 else one - far
    cdef floating steepness = far * (one - far)
    miss[0] = p - steepness * lost + none
    bend[0] = steepness - steepness * ((one - p) - p) * lost + none
    return (tail + (0 if ahead > 0 else -ahead)) - (rare if ahead > 0 else one - rare) * lost + none


cdef inline void binary_losses(const floating* x, Py_ssize_t stride, Py_ssize_t apart, const floating* label,
                               floating* loss, floating* miss, floating* bend, Py_ssize_t rows, bint want_miss,
                               bint want_bend) noexcept nogil:
    """... of rows whose first logits are `stride` numbers from each other, and `apart` from their second ones.

    `rows` is no constant: of LANES rows all at once the numbers would not fit the registers.
    """
    cdef floating m, b
    cdef Py_ssize_t i
    for i in range(rows):
        loss[i] = binary_loss(x[stride * i], x[stride * i + apart], label[i], &m, &b)
        if want_miss:
            miss[i] = m
        if want_bend:
            bend[i] = b


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
        binary_losses(x, 1, LANES, label, loss, miss, bend, rows, True, True)
        for i in range(rows):
            r.u[i] = miss[i]
            r.v[i] = bend[i]
    else:
        binary_losses(x, 1, LANES, label, loss, miss, bend, rows, False, False)
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


# Pairs that are read where they are, with nothing but losses and derivatives asked for: to the bit as above ---------

cdef inline void spread_pairs(const floating* v, const floating* label, double scale, bint opposite, floating* to,
                              Py_ssize_t rows) noexcept nogil:
    cdef floating scaled
    cdef Py_ssize_t i
    for i in range(rows):
        scaled = <floating> (scale * v[i])
        to[2 * i] = scaled if label[i] == 1 or not opposite else -scaled
        to[2 * i + 1] = scaled if label[i] != 1 or not opposite else -scaled


cdef bint pairs(RowJob* job, Py_ssize_t start, Py_ssize_t rows, RowScratch* s, Partial* partial,
                floating like) noexcept nogil:
    """A block of rows; False, and nothing is done, where one of them needs more care."""
    cdef Job* base = &job.base
    cdef const floating* x = <const floating*> job.planes[PLANE_X].data + 2 * start
    cdef floating* label = <floating*> s.block.y
    cdef floating* loss = <floating*> s.block.value
    cdef floating* miss = <floating*> s.block.grad
    cdef floating* bend = <floating*> s.block.hess
    cdef floating* results = <floating*> s.grad
    cdef int k, large = 0
    cdef Py_ssize_t i
    if not read_classes(job, start, rows, 2, label, like):
        return False
    if job.planes[PLANE_HESS].data != NULL:
        binary_losses(x, 2, 1, label, loss, miss, bend, rows, True, True)
    elif base.operation & GRAD:
        binary_losses(x, 2, 1, label, loss, miss, bend, rows, True, False)
    elif base.operation:
        binary_losses(x, 2, 1, label, loss, miss, bend, rows, False, False)
    if floating is float and base.operation:
        for i in range(rows):
            large |= loss[i] > <floating> FLT_MAX
        if large:
            return False
    partial.count += rows
    partial.weight += rows
    if base.operation & VALUE:
        i = 0
        while i < rows:
            partial.loss += total(loss + i, min(<Py_ssize_t> LANES, rows - i))
            i += LANES
    if job.results[ROW_VALUE].data != NULL:
        store(&job.results[ROW_VALUE], &base.shape, start, rows, <const floating*> loss, &s.block)
    for k in range(PLANE_GRAD, PLANES):
        if job.planes[k].data != NULL:
            if k == PLANE_GRAD:
                spread_pairs(miss, label, base.scale, True, results, rows)
            else:
                spread_pairs(bend, label, base.scale * base.parameters[2], False, results, rows)
            store_row(job, k, start, 0, 2 * rows, results, s)
    return True
