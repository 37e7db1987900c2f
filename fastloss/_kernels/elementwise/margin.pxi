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
    EXPONENTIAL = 0x480
    SAVAGE
    SIGMOID_LOSS
    DPO
    IPO
    KTO


cdef inline floating sign(floating y) noexcept nogil:
    return 1 if y > 0 else (-1 if y <= 0 else y)


cdef inline floating hinge(floating y, floating x, floating margin, floating b, floating c, floating d,
                           floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating slack = margin - s * x
    grad[0] = 0 if slack <= 0 else (-s if slack > 0 else slack)
    hess[0] = 0 if slack == slack else slack
    return 0 if slack <= 0 else slack


cdef inline floating squared_hinge(floating y, floating x, floating margin, floating b, floating c, floating d,
                                   floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating slack = margin - s * x
    slack = 0 if slack <= 0 else slack
    grad[0] = -2 * s * slack if slack != 0 else 0
    hess[0] = 0 if slack <= 0 else (2 if slack > 0 else slack)
    return slack * slack


cdef inline floating smoothed_hinge(floating y, floating x, floating gamma, floating corner, floating c, floating d,
                                    floating* grad, floating* hess) noexcept nogil:
    """Huber's loss of the slack over gamma: with m = min(slack, gamma) both branches are m / gamma (slack - m / 2)."""
    cdef floating s = sign(y)
    cdef floating t = s * x
    cdef floating slack = 0 if t >= 1 else 1 - t
    cdef floating m = gamma if slack > gamma else slack
    cdef floating part = m / gamma
    grad[0] = -s * part if slack != 0 else 0
    hess[0] = 1 / gamma if (t >= corner) & (t < 1) else (0 if t == t else t)
    return part * (slack - m / 2)


cdef inline floating modified_huber(floating y, floating x, floating a, floating b, floating c, floating d,
                                    floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    cdef floating slack = 0 if t >= 1 else 1 - t
    cdef floating m = 2 if slack > 2 else slack
    grad[0] = -2 * s * m if slack != 0 else 0
    hess[0] = 2 if (t >= -1) & (t < 1) else (0 if t == t else t)
    return -4 * t if slack > 2 else slack * slack


cdef inline floating perceptron(floating y, floating x, floating a, floating b, floating c, floating d,
                                floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    grad[0] = 0 if t >= 0 else (-s if t < 0 else t)
    hess[0] = 0 if t == t else t
    return 0 if t >= 0 else -t


cdef inline floating soft_margin(floating y, floating x, floating a, floating b, floating c, floating d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating tail, far
    cdef floating s = sign(y)
    cdef floating t = s * x
    logistic(t, &tail, &far)
    grad[0] = -s * (far if t > 0 else 1 - far)
    hess[0] = far * (1 - far)
    return tail if t > 0 else tail - t


cdef inline floating hinge_embedding(floating y, floating x, floating margin, floating b, floating c, floating d,
                                     floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    cdef floating slack = t if y > 0 else margin + t
    cdef floating slope = s if slack == slack else slack
    cdef floating low = -INFINITY if y > 0 else 0       # pairs that match have no floor
    grad[0] = 0 if slack <= low else slope
    hess[0] = 0 if slack == slack else slack
    return low if slack <= low else slack


cdef inline floating saturating(floating y, floating x, floating a, floating b, floating c, floating d,
                                floating* grad, floating* hess) noexcept nogil:
    """log(1 - sigmoid(t)), what the generator of the minimax game lowers."""
    cdef floating tail, far
    cdef floating s = sign(y)
    cdef floating t = s * x
    logistic(t, &tail, &far)
    grad[0] = -s * (1 - far if t > 0 else far)
    hess[0] = -far * (1 - far)
    return -(tail + t) if t > 0 else -tail


cdef inline floating least_squares_score(floating y, floating x, floating a, floating b, floating c, floating d,
                                         floating* grad, floating* hess) noexcept nogil:
    cdef floating r = x - (1 if y > 0 else (0 if y <= 0 else y))
    grad[0] = r
    hess[0] = 1
    return r * r / 2


cdef inline floating wasserstein(floating y, floating x, floating a, floating b, floating c, floating d,
                                 floating* grad, floating* hess) noexcept nogil:
    cdef floating s = sign(y)
    cdef floating t = s * x
    grad[0] = -s if t == t else t
    hess[0] = 0 if t == t else t
    return -t


cdef inline double exponential(double y, double x, double a, double b, double c, double d,
                               double* grad, double* hess) noexcept nogil:
    cdef double s = sign(y)
    cdef double e = exp(-s * x)
    grad[0] = -s * e
    hess[0] = e
    return e


cdef inline double savage(double y, double x, double a, double b, double c, double d,
                          double* grad, double* hess) noexcept nogil:
    cdef double tail, far, s = sign(y)
    cdef double t = s * x
    logistic(2 * t, &tail, &far)
    cdef double miss = far if t > 0 else 1 - far
    cdef double hit = 1 - far if t > 0 else far
    grad[0] = -4 * s * hit * miss * miss
    hess[0] = 8 * hit * miss * miss * (2 * hit - miss)
    return miss * miss


cdef inline double sigmoid_loss(double y, double x, double a, double b, double c, double d,
                                double* grad, double* hess) noexcept nogil:
    cdef double tail, far, s = sign(y)
    cdef double t = s * x
    logistic(2 * t, &tail, &far)
    cdef double steep = 4 * far * (1 - far)
    grad[0] = -s * steep
    hess[0] = 2 * steep * tanh(t)
    return 2 * (far if t > 0 else 1 - far)


# Preferences: the product of the temperature and the difference is rounded, which its exponential would magnify.

cdef inline void scaled_logistic(double beta, double x, double* u, double* tail, double* far) noexcept nogil:
    """`logistic` at u = beta x, put right to first order by the rounding error of the product."""
    cdef double lo, steep
    u[0] = two_prod(beta, x, &lo)
    logistic(u[0], tail, far)
    lo = 0 if (u[0] < -1000) | (u[0] > 1000) else (lo if u[0] > 0 else -lo)
    steep = far[0] * (1 - far[0])
    tail[0] -= far[0] * lo
    far[0] -= steep * lo


cdef inline double dpo(double y, double x, double beta, double smoothing, double c, double d,
                       double* grad, double* hess) noexcept nogil:
    cdef double u, tail, far
    scaled_logistic(beta, x, &u, &tail, &far)
    cdef double against = 1 - y if u > 0 else y
    cdef double size = -u if u < 0 else u
    cdef double wrong = (1 - smoothing) * against + smoothing * (1 - against)
    grad[0] = beta * (wrong - far if u > 0 else far - wrong)
    hess[0] = beta * (far * (1 - far)) * beta
    return tail + (0 if wrong == 0 else size * wrong)


cdef inline double ipo(double y, double x, double goal, double goal_lo, double c, double d,
                       double* grad, double* hess) noexcept nogil:
    cdef double lo, s = sign(y)
    cdef double r = two_sum(s * x, -goal, &lo)
    r = r + (lo - goal_lo) if (r > -1e300) & (r < 1e300) else r
    grad[0] = 2 * s * r
    hess[0] = 2
    return r * r


cdef inline double kto(double y, double x, double beta, double b, double c, double d,
                       double* grad, double* hess) noexcept nogil:
    cdef double u, tail, far, s = sign(y)
    scaled_logistic(beta, s * x, &u, &tail, &far)
    cdef double steep = beta * (far * (1 - far))
    grad[0] = -s * steep
    hess[0] = beta * steep * tanh(u / 2)
    return far if u > 0 else 1 - far


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
    elif floating is double:
        if kernel == EXPONENTIAL:
            specialise(exponential, y, x, p, value, grad, hess, n, operation)
        elif kernel == SAVAGE:
            specialise(savage, y, x, p, value, grad, hess, n, operation)
        elif kernel == SIGMOID_LOSS:
            specialise(sigmoid_loss, y, x, p, value, grad, hess, n, operation)
        elif kernel == DPO:
            specialise(dpo, y, x, p, value, grad, hess, n, operation)
        elif kernel == IPO:
            specialise(ipo, y, x, p, value, grad, hess, n, operation)
        elif kernel == KTO:
            specialise(kto, y, x, p, value, grad, hess, n, operation)
