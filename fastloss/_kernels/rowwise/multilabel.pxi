# Losses of a label of 0 or 1 for each class: t is the weight of the class, negative where the label is 0.

cpdef enum:
    MULTILABEL_SOFT_MARGIN = 0x400

cdef inline int multilabel_traits(int kernel) noexcept nogil:
    return MULTILABEL


cdef inline void sum_soft_margins(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                  floating* s2, floating* s3) noexcept nogil:
    cdef floating z = x if t > 0 else -x
    cdef floating softplus_neg, sigmoid_neg
    logistic(z, &softplus_neg, &sigmoid_neg)
    s0[0] += 0 if t == 0 else absolute(t) * (softplus_neg + (0 if z > 0 else -z))


cdef inline void finish_mean(Lanes* r, Py_ssize_t i, double classes, double a, double b, double c, double d,
                             floating unit) noexcept nogil:
    r.value[i] = r.s0[i] / classes
    r.a[i] = 1 / classes
    r.c[i] = 1 / classes


cdef inline floating map_soft_margin(floating x, floating t, floating a, floating b, floating c, floating d,
                                     floating u, floating v, floating* hess) noexcept nogil:
    cdef floating z = x if t > 0 else -x
    cdef floating softplus_neg, sigmoid_neg
    logistic(z, &softplus_neg, &sigmoid_neg)
    hess[0] = c * absolute(t) * (sigmoid_neg * (1 - sigmoid_neg))
    return -a * t * (sigmoid_neg if z > 0 else 1 - sigmoid_neg)


cdef inline void multilabel(int kernel, Stage* stage, floating unit) noexcept nogil:
    specialise_rows(sum_soft_margins[floating], finish_mean[floating], map_soft_margin[floating], True, stage, unit)
