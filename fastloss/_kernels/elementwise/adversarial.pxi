# Losses of the players of an adversarial game, of a score of what is real and what is not.

from fastloss._kernels.arithmetic cimport sign
from fastloss._kernels.vecmath cimport logistic, logistic_slope


cdef inline floating saturating(floating y, floating x, double a, double b, double c, double d,
                                floating* grad, floating* hess) noexcept nogil:
    """log(1 - sigmoid(t)), what the generator of the minimax game lowers."""
    cdef floating tail, far
    cdef floating s = sign(y)
    cdef floating t = s * x
    logistic(t, &tail, &far)
    grad[0] = -s * (1 - far if t > 0 else far)
    hess[0] = -logistic_slope(far)
    return -(tail + t) if t > 0 else -tail


cdef void saturating_kernel(const Block* block) noexcept nogil:
    run(saturating[float], saturating[double], block)

declare("saturating", saturating_kernel)


cdef inline floating least_squares_score(floating y, floating x, double a, double b, double c, double d,
                                         floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - (1 if y > 0 else (0 if y <= 0 else y))
    grad[0] = r
    hess[0] = 1
    return r * (r / 2)


cdef void least_squares_score_kernel(const Block* block) noexcept nogil:
    run(least_squares_score[float], least_squares_score[double], block)

declare("least_squares_score", least_squares_score_kernel)


cdef inline floating wasserstein(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    grad[0] = -s if t == t else t
    hess[0] = 0 if t == t else t
    return -t


cdef void wasserstein_kernel(const Block* block) noexcept nogil:
    run(wasserstein[float], wasserstein[double], block)

declare("wasserstein", wasserstein_kernel)
