# Losses of the margin t = s x, s = 1 for the positive class and -1 for the negative one, of games and of preferences.

cpdef enum:
    HINGE = 0x400
    SQUARED_HINGE
    SMOOTHED_HINGE
    MODIFIED_HUBER
    PERCEPTRON
    SOFT_MARGIN
    HINGE_EMBEDDING
    SATURATING
    LEAST_SQUARES_SCORE
    WASSERSTEIN
    EXPONENTIAL
    SAVAGE
    SIGMOID_LOSS
    DPO
    IPO
    KTO


cdef inline floating sign(floating y) noexcept nogil:
    return -1 if y == 0 else y


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


cdef inline floating squared_hinge(floating y, floating x, double margin, double b, double c, double d,
                                   floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef double slack = margin - s * x
    slack = 0 if slack <= 0 else slack
    grad[0] = <floating> (-2 * s * slack if slack != 0 else 0)
    hess[0] = <floating> (0 if slack <= 0 else (2 if slack > 0 else slack))
    return <floating> (slack * slack)


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


cdef inline floating modified_huber(floating y, floating x, double a, double b, double c, double d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    cdef floating slack = 0 if t >= 1 else 1 - t
    cdef floating m = 2 if slack > 2 else slack
    grad[0] = -2 * s * m if slack != 0 else 0
    hess[0] = 2 if (t >= -1) & (t < 1) else (0 if t == t else t)
    return -4 * t if slack > 2 else slack * slack


cdef inline floating perceptron(floating y, floating x, double a, double b, double c, double d,
                                floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    grad[0] = 0 if t >= 0 else (-s if t < 0 else t)
    hess[0] = 0 if t == t else t
    return 0 if t >= 0 else -t


cdef inline floating soft_margin(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating tail, far
    cdef floating s = sign(y)
    cdef floating t = s * x
    logistic(t, &tail, &far)
    grad[0] = -s * (far if t > 0 else 1 - far)
    hess[0] = <floating> (far * (1 - <double> far))
    return tail if t > 0 else tail - t


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


cdef inline floating saturating(floating y, floating x, double a, double b, double c, double d,
                                floating* grad, floating* hess) noexcept nogil:
    """log(1 - sigmoid(t)), what the generator of the minimax game lowers."""
    cdef floating tail, far
    cdef floating s = sign(y)
    cdef floating t = s * x
    logistic(t, &tail, &far)
    grad[0] = -s * (1 - far if t > 0 else far)
    hess[0] = <floating> (-far * (1 - <double> far))
    return -(tail + t) if t > 0 else -tail


cdef inline floating least_squares_score(floating y, floating x, double a, double b, double c, double d,
                                         floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - (1 if y > 0 else (0 if y <= 0 else y))
    grad[0] = r
    hess[0] = 1
    return r * (r / 2)


cdef inline floating wasserstein(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    grad[0] = -s if t == t else t
    hess[0] = 0 if t == t else t
    return -t


cdef inline floating exponential(floating y, floating x, double a, double b, double c, double d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating e = fl_exp_f32(-s * x) if floating is float else exp(-s * x)
    grad[0] = -s * e
    hess[0] = e
    return e


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


# Preferences: the product of the temperature and the difference is rounded, which its exponential would magnify.

cdef inline void scaled_logistic(floating like, double beta, double x, double* u, double* tail,
                                 double* far) noexcept nogil:
    """`logistic` at u = beta x, put right to first order by the rounding error of the product."""
    cdef double lo, steep
    u[0] = product_for(like, beta, x, &lo)
    logistic_for(like, u[0], tail, far)
    if floating is double:
        lo = 0 if (u[0] < -1000) | (u[0] > 1000) else (lo if u[0] > 0 else -lo)
        steep = far[0] * (1 - far[0])
        tail[0] -= far[0] * lo
        far[0] -= steep * lo


cdef inline floating dpo(floating y, floating x, double beta, double smoothing, double c, double d,
                         floating* grad, floating* hess) noexcept nogil:
    cdef double u, tail, far
    scaled_logistic(y, beta, x, &u, &tail, &far)
    cdef double against = 1 - <double> y if u > 0 else y
    cdef double wrong = (1 - smoothing) * against + smoothing * (1 - against)
    cdef double size = abs(u)
    size = size * wrong if size < 1e308 else abs(<double> x) * wrong * beta     # u itself may overflow
    grad[0] = <floating> (beta * (wrong - far if u > 0 else far - wrong))
    hess[0] = <floating> (beta * (far * (1 - far)) * beta)
    return <floating> (tail + (0 if wrong == 0 else size))


cdef inline floating ipo(floating y, floating x, double goal, double goal_lo, double c, double d,
                         floating* grad, floating* hess) noexcept nogil:
    cdef double lo
    cdef floating s = sign(y)
    cdef double r = sum_for(y, s * x, -goal, &lo)
    if floating is double:
        r = r + (lo - goal_lo) if (r > -1e300) & (r < 1e300) else r
    grad[0] = <floating> (2 * s * r)
    hess[0] = 2
    return <floating> (r * r)


cdef inline floating kto(floating y, floating x, double beta, double b, double c, double d,
                         floating* grad, floating* hess) noexcept nogil:
    cdef double u, tail, far
    cdef floating s = sign(y)
    scaled_logistic(y, beta, s * x, &u, &tail, &far)
    cdef double steep = beta * (far * (1 - far))
    grad[0] = <floating> (-s * steep)
    hess[0] = <floating> (beta * steep * tanh_for(y, u / 2))
    return <floating> (far if u > 0 else 1 - far)


cdef void margin(int kernel, const floating* y, const floating* x, const double* p, floating* value, floating* grad,
                 floating* hess, Py_ssize_t n, int operation) noexcept nogil:
    if kernel == HINGE:
        specialise(hinge[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SQUARED_HINGE:
        specialise(squared_hinge[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SMOOTHED_HINGE:
        specialise(smoothed_hinge[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == MODIFIED_HUBER:
        specialise(modified_huber[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == PERCEPTRON:
        specialise(perceptron[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SOFT_MARGIN:
        specialise(soft_margin[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == HINGE_EMBEDDING:
        specialise(hinge_embedding[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SATURATING:
        specialise(saturating[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == LEAST_SQUARES_SCORE:
        specialise(least_squares_score[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == WASSERSTEIN:
        specialise(wasserstein[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == EXPONENTIAL:
        specialise(exponential[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SAVAGE:
        specialise(savage[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == SIGMOID_LOSS:
        specialise(sigmoid_loss[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == DPO:
        specialise(dpo[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == IPO:
        specialise(ipo[floating], y, x, p, value, grad, hess, n, operation)
    elif kernel == KTO:
        specialise(kto[floating], y, x, p, value, grad, hess, n, operation)
