# Losses of the margin t = s x, s = 1 for the positive class and -1 for the negative one.

from fastloss._kernels.arithmetic cimport sign
from fastloss._kernels.vecmath cimport exp, fl_exp_f32, logistic, logistic_for, logistic_slope, tanh_for


cdef inline floating shortfall(double margin, floating t) noexcept nogil:
    """margin - t. What rounding the margin to float32 leaves out may be all of the difference: it comes after."""
    cdef floating high = <floating> margin
    if floating is float:
        return (high - t) + <float> (margin - high)
    else:
        return high - t


cdef inline floating hinge(floating y, floating x, double margin, double b, double c, double d,
                           floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating slack = shortfall(margin, s * x)
    grad[0] = 0 if slack <= 0 else (-s if slack > 0 else slack)
    hess[0] = 0 if slack == slack else slack
    return 0 if slack <= 0 else slack


cdef void hinge_kernel(const Block* block) noexcept nogil:
    run(hinge[float], hinge[double], block)

declare("hinge", hinge_kernel, ("margin",))


cdef inline floating squared_hinge(floating y, floating x, double margin, double b, double c, double d,
                                   floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef double slack = margin - s * x
    slack = 0 if slack <= 0 else slack
    grad[0] = <floating> (-2 * s * slack if slack != 0 else 0)
    hess[0] = <floating> (0 if slack <= 0 else (2 if slack > 0 else slack))
    return <floating> (slack * slack)


cdef void squared_hinge_kernel(const Block* block) noexcept nogil:
    run(squared_hinge[float], squared_hinge[double], block)

declare("squared_hinge", squared_hinge_kernel, ("margin",))


cdef inline floating smoothed_hinge(floating y, floating x, double gamma, double corner, double steepness, double d,
                                    floating* grad, floating* hess) noexcept nogil:
    """Huber's loss of the slack over gamma: with m = min(slack, gamma) both branches are m / gamma (slack - m / 2)."""
    cdef floating s = sign(y)
    cdef double t = s * x
    cdef double slack = 0 if t >= 1 else 1 - t
    cdef double part = 1 if slack > gamma else (slack * steepness if floating is float else slack / gamma)
    cdef double m = gamma if slack > gamma else slack
    grad[0] = <floating> (-s * part if slack != 0 else 0)
    hess[0] = <floating> (steepness if (t >= corner) & (t < 1) else (0 if t == t else t))
    return <floating> (part * (slack - m / 2))


cdef void smoothed_hinge_kernel(const Block* block) noexcept nogil:
    run(smoothed_hinge[float], smoothed_hinge[double], block)

declare("smoothed_hinge", smoothed_hinge_kernel, ("gamma", "corner", "steepness"))


cdef inline floating modified_huber(floating y, floating x, double a, double b, double c, double d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    cdef floating slack = 0 if t >= 1 else 1 - t
    cdef floating m = 2 if slack > 2 else slack
    grad[0] = -2 * s * m if slack != 0 else 0
    hess[0] = 2 if (t >= -1) & (t < 1) else (0 if t == t else t)
    return -4 * t if slack > 2 else slack * slack


cdef void modified_huber_kernel(const Block* block) noexcept nogil:
    run(modified_huber[float], modified_huber[double], block)

declare("modified_huber", modified_huber_kernel)


cdef inline floating perceptron(floating y, floating x, double a, double b, double c, double d,
                                floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    grad[0] = 0 if t >= 0 else (-s if t < 0 else t)
    hess[0] = 0 if t == t else t
    return 0 if t >= 0 else -t


cdef void perceptron_kernel(const Block* block) noexcept nogil:
    run(perceptron[float], perceptron[double], block)

declare("perceptron", perceptron_kernel)


cdef inline floating soft_margin(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating tail, far
    cdef floating s = sign(y)
    cdef floating t = s * x
    logistic(t, &tail, &far)
    grad[0] = -s * (far if t > 0 else 1 - far)
    hess[0] = logistic_slope(far)
    return tail if t > 0 else tail - t


cdef void soft_margin_kernel(const Block* block) noexcept nogil:
    run(soft_margin[float], soft_margin[double], block)

declare("soft_margin", soft_margin_kernel)


cdef inline floating hinge_embedding(floating y, floating x, double margin, double b, double c, double d,
                                     floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    cdef floating apart = shortfall(margin, -t)
    cdef floating slack = t if y > 0 else apart
    cdef floating slope = s if slack == slack else slack
    cdef floating low = -INFINITY if y > 0 else 0       # pairs that match have no floor
    grad[0] = 0 if slack <= low else slope
    hess[0] = 0 if slack == slack else slack
    return low if slack <= low else slack


cdef void hinge_embedding_kernel(const Block* block) noexcept nogil:
    run(hinge_embedding[float], hinge_embedding[double], block)

declare("hinge_embedding", hinge_embedding_kernel, ("margin",))


cdef inline floating exponential(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating e = fl_exp_f32(-s * x) if floating is float else exp(-s * x)
    grad[0] = -s * e
    hess[0] = e
    return e


cdef void exponential_kernel(const Block* block) noexcept nogil:
    run(exponential[float], exponential[double], block)

declare("exponential", exponential_kernel)


cdef inline floating savage(floating y, floating x, double a, double b, double c, double d,
                            floating* grad, floating* hess) noexcept nogil:
    cdef double tail, far
    cdef floating s = sign(y)
    cdef double t = s * x
    logistic_for(y, 2 * t, &tail, &far)
    cdef double miss = far if t > 0 else 1 - far
    cdef double hit = 1 - far if t > 0 else far
    grad[0] = <floating> (-4 * s * hit * miss * miss)
    hess[0] = <floating> (8 * hit * miss * miss * (2 * hit - miss))
    return <floating> (miss * miss)


cdef void savage_kernel(const Block* block) noexcept nogil:
    run(savage[float], savage[double], block)

declare("savage", savage_kernel)


cdef inline floating sigmoid_loss(floating y, floating x, double a, double b, double c, double d,
                                  floating* grad, floating* hess) noexcept nogil:
    cdef double tail, far
    cdef floating s = sign(y)
    cdef double t = s * x
    logistic_for(y, 2 * t, &tail, &far)
    cdef double steep = 4 * far * (1 - far)
    grad[0] = <floating> (-s * steep)
    hess[0] = <floating> (2 * steep * tanh_for(y, t))
    return <floating> (2 * (far if t > 0 else 1 - far))


cdef void sigmoid_loss_kernel(const Block* block) noexcept nogil:
    run(sigmoid_loss[float], sigmoid_loss[double], block)

declare("sigmoid_loss", sigmoid_loss_kernel)
