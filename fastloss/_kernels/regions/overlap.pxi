# Overlap of a mask and a prediction: true positives, false positives, false negatives, and for some true negatives.

cdef inline void table(floating p, floating q, floating t, floating d, floating* tp, floating* fp, floating* fn,
                       floating* tn) noexcept nogil:
    cdef floating u = 1 - t
    tp[0] = p * t
    fp[0] = p * u
    fn[0] = q * t
    tn[0] = q * u


cdef inline floating table_slope(floating p, floating q, floating t, floating d, floating tp, floating fp, floating fn,
                                 floating tn) noexcept nogil:
    cdef floating u = 1 - t
    return (tp - fn) * t + (fp - tn) * u


cdef inline floating apart_from(floating p, floating q, floating t) noexcept nogil:
    """p - t, which does not cancel for targets of 0 and 1."""
    cdef floating u = 1 - t
    return p * u - q * t


cdef inline floating overlap_slope(floating p, floating q, floating t, floating d, floating tp, floating fp,
                                   floating fn, floating unused) noexcept nogil:
    cdef floating u = 1 - t
    return (tp - fn) * t + fp * u


cdef inline void squares(floating p, floating q, floating t, floating d, floating* apart, floating* pp, floating* tt,
                         floating* unused) noexcept nogil:
    cdef floating r = apart_from(p, q, t)
    apart[0] = r * r
    pp[0] = p * p
    tt[0] = t * t


cdef inline floating squares_slope(floating p, floating q, floating t, floating d, floating apart, floating pp,
                                   floating tt, floating unused) noexcept nogil:
    cdef floating half = apart * apart_from(p, q, t) + pp * p
    return half + half


cdef inline void errors(floating p, floating q, floating t, floating d, floating* inside, floating* outside,
                        floating* mask, floating* unused) noexcept nogil:
    cdef floating r = apart_from(p, q, t), u = 1 - t
    inside[0] = t * (r * r)
    outside[0] = u * (r * r)
    mask[0] = t


cdef inline floating errors_slope(floating p, floating q, floating t, floating d, floating inside, floating outside,
                                  floating mask, floating unused) noexcept nogil:
    cdef floating r = apart_from(p, q, t), u = 1 - t
    return (r + r) * (inside * t + outside * u)


cdef void add_table(const Elements* e) noexcept nogil:
    add(table, table, e, 4)


cdef void add_overlap(const Elements* e) noexcept nogil:
    add(table, table, e, 3)


cdef void table_slopes(const Elements* e) noexcept nogil:
    slopes(table_slope, table_slope, e)


cdef void overlap_slopes(const Elements* e) noexcept nogil:
    slopes(overlap_slope, overlap_slope, e)


cdef void add_squares(const Elements* e) noexcept nogil:
    add(squares, squares, e, 3)


cdef void squares_slopes(const Elements* e) noexcept nogil:
    slopes(squares_slope, squares_slope, e)


cdef void add_errors(const Elements* e) noexcept nogil:
    add(errors, errors, e, 3)


cdef void errors_slopes(const Elements* e) noexcept nogil:
    slopes(errors_slope, errors_slope, e)


# Formulas -----------------------------------------------------------------------------------------

cdef inline double overlap(double found, double missed, const double* a, double* by_found,
                           double* by_missed) noexcept nogil:
    """1 - (found + smooth) / (found + missed + smooth), or the logarithm of that score, negated.

    The constants are `smooth`, `eps`, the least denominator and the least score that a logarithm is taken of, and
    whether it is. Of nothing, 0 / 0, the score is 1 and the derivatives are 0.
    """
    cdef double smooth = a[0], eps = a[1]
    cdef double n = found + smooth, d = n + missed, score, loss
    cdef bint floored = d < eps
    by_found[0] = by_missed[0] = 0
    if d == 0 and not floored:
        return 0
    if floored:
        loss = 1 - n / eps
        by_found[0] = -1 / eps
    else:
        loss = missed / d
        by_found[0] = -missed / d / d
        by_missed[0] = n / d / d
    if a[2] == 0:
        return loss
    score = n / eps if floored else n / d
    if score < eps:
        by_found[0] = by_missed[0] = 0
        return -log(eps)
    by_found[0] /= score
    by_missed[0] /= score
    return -log(score) if floored or loss > 0.5 else -log1p(-loss)


cdef double dice(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                 double* c) noexcept nogil:
    cdef double found, missed
    cdef double loss = overlap(2 * s[0], s[1] + s[2], a, &found, &missed)
    c[0] = 2 * found
    c[1] = c[2] = missed
    c[3] = 0
    return loss


cdef double dice_squared(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                         double* c) noexcept nogil:
    # Twice the overlap is the sum of p^2 + t^2 less that of (p - t)^2: derivatives of a sum and of a difference.
    cdef double found, missed
    cdef double loss = overlap(s[1] + s[2] - s[0], s[0], a, &found, &missed)
    c[0] = missed - found
    c[1] = c[2] = found
    c[3] = 0
    return loss


cdef double log_cosh_dice(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                          double* c) noexcept nogil:
    cdef double constants[3]
    constants[0], constants[1], constants[2] = a[0], a[1], 0
    cdef double loss = dice(s, classes, class_weight, constants, c)
    cdef double slope = tanh(loss), w = expm1_hilo(-2 * loss, 0)
    c[0] *= slope
    c[1] *= slope
    c[2] *= slope
    # log(cosh(l)) = log1p(tanh(l)^2 / (1 - tanh(l)^2)) / 2, which keeps its relative accuracy near 0
    return 0.5 * log1p(w * w / (4 * exp(-2 * loss)))


cdef double jaccard(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                    double* c) noexcept nogil:
    cdef double missed
    cdef double loss = overlap(s[0], s[1] + s[2], a, &c[0], &missed)
    c[1] = c[2] = missed
    c[3] = 0
    return loss


cdef double tversky(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                    double* c) noexcept nogil:
    cdef double missed, alpha = a[3], beta = a[4]
    cdef double loss = overlap(s[0], alpha * s[1] + beta * s[2], a, &c[0], &missed)
    c[1] = alpha * missed
    c[2] = beta * missed
    c[3] = 0
    return loss


cdef double focal_tversky(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                          double* c) noexcept nogil:
    # A power below 1 has no slope at 0, where the gradient is 0.
    cdef double gamma = a[5], loss = tversky(s, classes, class_weight, a, c), slope
    slope = gamma * power(loss, 0, gamma - 1) if loss != 0 else (1 if gamma == 1 else 0)
    c[0] *= slope
    c[1] *= slope
    c[2] *= slope
    return power(loss, 0, gamma)


cdef double generalized_dice(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                             double* c) noexcept nogil:
    """`a[3]` is the power of the number of a class's elements by which it is weighted down."""
    cdef double found, missed, w, most = 0, inside = 0, outside = 0, mask, loss
    cdef Py_ssize_t k
    for k in range(classes):
        mask = s[k * SUMS] + s[k * SUMS + 2]
        if class_weight[k] > 0 and mask != 0:
            w = power(mask, 0, -a[3])
            most = w if not w <= most else most
    for k in range(classes):
        mask = s[k * SUMS] + s[k * SUMS + 2]
        # A class that is nowhere counts as the smallest that is somewhere; the weights are relative to the largest.
        w = power(mask, 0, -a[3]) / most if mask != 0 and most != 0 else 1
        c[k * SUMS] = class_weight[k] * w
        if class_weight[k] > 0:
            inside += class_weight[k] * w * (2 * s[k * SUMS])
            outside += class_weight[k] * w * (s[k * SUMS + 1] + s[k * SUMS + 2])
    cdef double constants[3]
    constants[0], constants[1], constants[2] = (a[0] / most if most != 0 else a[0]), a[1], 0
    loss = overlap(inside, outside, constants, &found, &missed)
    for k in range(classes):
        w = c[k * SUMS]
        c[k * SUMS] = 2 * w * found
        c[k * SUMS + 1] = c[k * SUMS + 2] = w * missed
        c[k * SUMS + 3] = 0
    return loss


cdef double mcc(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                double* c) noexcept nogil:
    """1 less Matthews' correlation coefficient; that of a table with an empty row or column is 0, and has no slope."""
    # In shares of the whole, whose products neither over- nor underflow.
    cdef double whole = s[0] + s[1] + s[2] + s[3] + 4 * a[0]
    cdef double tp = (s[0] + a[0]) / whole, fp = (s[1] + a[0]) / whole
    cdef double fn = (s[2] + a[0]) / whole, tn = (s[3] + a[0]) / whole
    cdef double u = tp + fp, v = tp + fn, x = tn + fp, y = tn + fn
    cdef double n, d, more, ratio
    c[0] = c[1] = c[2] = c[3] = 0
    if not whole > 0 or u == 0 or v == 0 or x == 0 or y == 0:
        return 1 if whole == whole else whole
    n = tp * tn - fp * fn
    d = sqrt(u * v) * sqrt(x * y)
    ratio = n / d
    c[0] = (-tn / d + 0.5 * ratio * (1 / u + 1 / v)) / whole
    c[1] = (fn / d + 0.5 * ratio * (1 / u + 1 / x)) / whole
    c[2] = (fp / d + 0.5 * ratio * (1 / v + 1 / y)) / whole
    c[3] = (-tp / d + 0.5 * ratio * (1 / x + 1 / y)) / whole
    if n <= 0:
        return 1 - ratio
    # d^2 - n^2 as a sum of what is not negative
    more = 4 * (tp * tn) * (fp * fn) + (tp * tn + fp * fn) * ((tp + tn) * (fp + fn))
    more += (tp * fn + fp * tn) * (tp * fp + fn * tn)
    return more / (d + n) / d


cdef double sensitivity_specificity(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                                    double* c) noexcept nogil:
    """Mean squared errors inside and outside of the mask; that of what is empty is 0."""
    cdef double inside = s[2] + a[0], outside = s[EXTENT] - s[2] + a[0]
    c[0] = a[1] / inside if inside > 0 else 0
    c[1] = (1 - a[1]) / outside if outside > 0 else 0
    c[2] = c[3] = 0
    if s[0] != s[0] or s[1] != s[1]:
        c[0] = c[1] = NAN
    return c[0] * s[0] + c[1] * s[1]


cdef double combo(const double* s, Py_ssize_t classes, const double* class_weight, const double* a,
                  double* c) noexcept nogil:
    """share * cross-entropy + (1 - share) * Dice; of cross-entropy the mean over the elements, times `factor`."""
    cdef double constants[3]
    constants[0], constants[1], constants[2] = a[0], a[1], 0
    cdef double loss = dice(s, classes, class_weight, constants, c), share = a[2]
    cdef Py_ssize_t k
    for k in range(3):
        c[k] *= 1 - share
    c[3] = share * a[3] / s[EXTENT] if share != 0 else 0
    return (1 - share) * loss + (c[3] * s[3] if share != 0 else 0)


SCORE = ("smooth", "eps", "log_loss")
declare("dice", program(add_overlap, overlap_slopes, dice), SCORE)
declare("dice_squared", program(add_squares, squares_slopes, dice_squared, 2, 2), SCORE)
declare("log_cosh_dice", program(add_overlap, overlap_slopes, log_cosh_dice), ("smooth", "eps"))
declare("jaccard", program(add_overlap, overlap_slopes, jaccard), SCORE)
declare("tversky", program(add_overlap, overlap_slopes, tversky), (*SCORE, "alpha", "beta"))
declare("focal_tversky", program(add_overlap, overlap_slopes, focal_tversky), (*SCORE, "alpha", "beta", "gamma"))
declare("generalized_dice", across(program(add_overlap, overlap_slopes, generalized_dice)), (*SCORE, "power"))
declare("mcc", program(add_table, table_slopes, mcc), ("smooth",))
declare("sensitivity_specificity", program(add_errors, errors_slopes, sensitivity_specificity, 2, 2),
        ("smooth", "sensitivity"))
declare("combo", crossed(program(add_overlap, overlap_slopes, combo)), ("smooth", "eps", "share", "factor"))
