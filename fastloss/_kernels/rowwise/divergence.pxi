# Divergences between a target distribution t and that of a row, p. A target of 0 adds nothing whatever its score.

cpdef enum:
    FORWARD_KL = 0x200
    FORWARD_KL_OF_LOGS                       # both targets and scores may be logarithms of probabilities
    FORWARD_KL_LOG_TARGET
    FORWARD_KL_OF_LOGS_LOG_TARGET
    GENERALIZED_KL
    REVERSE_KL
    REVERSE_KL_LOG_TARGET
    JENSEN_SHANNON
    JENSEN_SHANNON_LOG_TARGET
    TOTAL_VARIATION
    DISTILLATION

cdef inline int divergence_traits(int kernel) noexcept nogil:
    cdef int traits = 0
    if kernel not in (FORWARD_KL_OF_LOGS, FORWARD_KL_OF_LOGS_LOG_TARGET, GENERALIZED_KL, TOTAL_VARIATION):
        traits = SHIFTED
    if kernel in (FORWARD_KL_LOG_TARGET, FORWARD_KL_OF_LOGS_LOG_TARGET, REVERSE_KL_LOG_TARGET,
                  JENSEN_SHANNON_LOG_TARGET, DISTILLATION):
        traits |= LOG_TARGETS
    if kernel == DISTILLATION:
        traits |= SOFT_TARGETS
    if kernel in (JENSEN_SHANNON, JENSEN_SHANNON_LOG_TARGET):
        traits |= REPEATED
    return traits


# Forward: cross-entropy less the entropy of the targets -----------------------------------------------

cdef inline void sum_kl_of(floating x, floating t, floating log_t, floating* s0, floating* s1, floating* s2,
                           floating* s3) noexcept nogil:
    cdef floating apart = t * (x - log_t)
    s0[0] += 0 if x == 0 else exp_in_sum(x)
    s1[0] += 1 if x == 0 else 0
    s2[0] += 0 if t == 0 else apart
    s3[0] += t


cdef inline void sum_kl(floating x, floating t, floating a, floating q, floating* s0, floating* s1, floating* s2,
                        floating* s3) noexcept nogil:
    sum_kl_of(x, t, log_of(t), s0, s1, s2, s3)


cdef inline void sum_kl_log_target(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                   floating* s2, floating* s3) noexcept nogil:
    sum_kl_of(x, exp_of(t), t, s0, s1, s2, s3)


cdef inline floating map_kl_log_target(floating x, floating t, floating a, floating b, floating c, floating d,
                                       floating u, floating v, floating* hess) noexcept nogil:
    return map_dense_cross_entropy(x, exp_of(t), a, b, c, d, u, v, hess)


cdef inline void sum_kl_of_logs(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                floating* s2, floating* s3) noexcept nogil:
    cdef floating apart = t * (log_of(t) - x)
    s0[0] += 0 if (t == 0) & (x == x) else apart


cdef inline void sum_kl_of_logs_log_target(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                           floating* s2, floating* s3) noexcept nogil:
    cdef floating e = exp_of(t)
    s0[0] += 0 if (e == 0) & (x == x) else e * (t - x)


cdef inline void finish_sum(Row* r, double classes, double a, double b, double c, double d,
                            floating unit) noexcept nogil:
    r.value = r.s0
    r.a = 1
    r.c = 1


cdef inline floating map_kl_of_logs(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                    floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return -a * t


cdef inline floating map_kl_of_logs_log_target(floating x, floating t, floating a, floating b, floating c, floating d,
                                               floating u, floating v, floating* hess) noexcept nogil:
    hess[0] = 0
    return -a * exp_of(t)


# ... of measures that need not sum to 1

cdef inline void sum_generalized_kl(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                    floating* s2, floating* s3) noexcept nogil:
    cdef floating apart = t * (log_of(t) - x)
    s0[0] += (exp_of(x) - t) + (0 if t == 0 else apart)


cdef inline floating map_generalized_kl(floating x, floating t, floating a, floating b, floating c, floating d,
                                        floating u, floating v, floating* hess) noexcept nogil:
    cdef floating e = exp_of(x)
    hess[0] = c * e
    return a * (e - t)


# Reverse, with the parameters (whether scores are logits, ...): s1 = sum exp(x) (x - log t) -------------

cdef inline void sum_reverse_kl_log_target(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                           floating* s2, floating* s3) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    s0[0] += e
    s1[0] += 0 if (e == 0) & (t == t) else e * (x - t)


cdef inline void sum_reverse_kl(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                floating* s2, floating* s3) noexcept nogil:
    sum_reverse_kl_log_target(x, log_of(t), a, q, s0, s1, s2, s3)


cdef inline void finish_reverse_kl(Row* r, double classes, double logits, double b, double c,
                                   double scale, floating unit) noexcept nogil:
    cdef double total = 1 / r.s0 if logits != 0 else exp_for(unit, r.reference, 0)
    cdef double mean = r.s1 / r.s0
    r.value = mean - log_for(unit, r.s0) if logits != 0 else total * (r.s1 + r.reference * r.s0)
    r.u = total
    r.v = mean if logits != 0 else -1 - r.reference
    r.a = 1
    r.c = 1
    r.d = logits


cdef inline floating map_reverse_kl_log_target(floating x, floating t, floating a, floating b, floating c, floating d,
                                               floating u, floating v, floating* hess) noexcept nogil:
    cdef floating p = exp_nonpositive(x) * u
    cdef floating g = 0 if p == 0 else p * ((x - t) - v)
    hess[0] = c * (g + p) - d * p * (2 * g + p)
    return a * g


cdef inline floating map_reverse_kl(floating x, floating t, floating a, floating b, floating c, floating d, floating u,
                                    floating v, floating* hess) noexcept nogil:
    return map_reverse_kl_log_target(x, log_of(t), a, b, c, d, u, v, hess)


# Between t, p and their mixture m = beta t + (1 - beta) p, with the parameters (beta, whether scores are logits) ----
#
# The second sum needs u, with which p = u exp(x). Logarithms are those of the ratios of t and p to m, as
# log1p of their differences: where t and p are close, so is each term to 0. Far below m the argument is kept from -1.

cdef inline floating mixture_units(floating t, floating p, floating beta) noexcept nogil:
    """p - t in units of their mixture; 0 where both are 0."""
    cdef floating rest = 1 - beta, one = 1
    cdef floating m = beta * t + rest * p
    return (p - t) / (one if m == 0 else m)


cdef inline floating log_of_ratio(floating apart) noexcept nogil:
    cdef floating least = <floating> (-1 + 6e-8 if floating is float else -1 + 1.2e-16)
    return log1p_within(least if apart < least else apart)


cdef inline void sum_exponentials(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                  floating* s2, floating* s3) noexcept nogil:
    s0[0] += exp_nonpositive(x)


cdef inline void sum_jensen_shannon(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                    floating* s2, floating* s3) noexcept nogil:
    cdef floating p = exp_nonpositive(x) * q, rest = 1 - a
    cdef floating apart = mixture_units(t, p, a)
    s1[0] += rest * p * log_of_ratio(a * apart)
    s2[0] += a * t * log_of_ratio(-rest * apart)


cdef inline void sum_jensen_shannon_log_target(floating x, floating t, floating a, floating q, floating* s0,
                                               floating* s1, floating* s2, floating* s3) noexcept nogil:
    sum_jensen_shannon(x, exp_of(t), a, q, s0, s1, s2, s3)


cdef inline void finish_jensen_shannon(Row* r, double classes, double beta, double logits, double c,
                                       double scale, floating unit) noexcept nogil:
    r.again = r.again == 0
    if r.again:
        r.u = 1 / r.s0 if logits != 0 else exp_for(unit, r.reference, 0)
    r.v = beta
    r.value = r.s1 + r.s2
    r.a = 1
    r.b = r.s1 if logits != 0 else 0


cdef inline floating map_jensen_shannon(floating x, floating t, floating a, floating b, floating c, floating d,
                                        floating u, floating v, floating* hess) noexcept nogil:
    cdef floating p = exp_nonpositive(x) * u, rest = 1 - v
    hess[0] = 0
    return p * (a * rest * log_of_ratio(v * mixture_units(t, p, v)) - b)


cdef inline floating map_jensen_shannon_log_target(floating x, floating t, floating a, floating b, floating c,
                                                   floating d, floating u, floating v, floating* hess) noexcept nogil:
    return map_jensen_shannon(x, exp_of(t), a, b, c, d, u, v, hess)


# Total variation of probabilities -----------------------------------------------------------------

cdef inline void sum_total_variation(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                     floating* s2, floating* s3) noexcept nogil:
    cdef floating apart = absolute(x - t) / 2
    s0[0] += 0 if (x == -INFINITY) & (t == t) else apart


cdef inline floating map_total_variation(floating x, floating t, floating a, floating b, floating c, floating d,
                                         floating u, floating v, floating* hess) noexcept nogil:
    cdef floating apart = x - t, half = a / 2
    hess[0] = 0
    return half if apart > 0 else -half if apart < 0 else apart


# Distillation with the parameters (1 / temperature, its square): s0 and s1 are the sums of both softmaxes -----------

cdef inline void sum_distillation(floating x, floating t, floating a, floating q, floating* s0, floating* s1,
                                  floating* s2, floating* s3) noexcept nogil:
    cdef floating z = t * a
    cdef floating e = exp_nonpositive(z)
    s0[0] += exp_in_sum(x)
    s1[0] += e
    s2[0] += 0 if e == 0 else e * (z - x)


cdef inline void finish_distillation(Row* r, double classes, double inverse, double square, double c,
                                     double scale, floating unit) noexcept nogil:
    r.value = square * ((log_for(unit, r.s0) - log_for(unit, r.s1)) + r.s2 / r.s1)
    r.v = inverse
    r.a = square / r.s0
    r.b = square / r.s1
    r.c = r.a
    r.d = r.a / r.s0


cdef inline floating map_distillation(floating x, floating t, floating a, floating b, floating c, floating d,
                                      floating u, floating v, floating* hess) noexcept nogil:
    cdef floating e = exp_nonpositive(x)
    hess[0] = e * (c - d * e)
    return a * e - b * exp_nonpositive(t * v)


cdef inline void divergence(int kernel, Stage* stage, floating unit) noexcept nogil:
    if kernel == FORWARD_KL:
        specialise_rows(
            sum_kl[floating], finish_dense_cross_entropy[floating], map_dense_cross_entropy[floating], True, stage, unit
        )
    elif kernel == FORWARD_KL_LOG_TARGET:
        specialise_rows(
            sum_kl_log_target[floating], finish_dense_cross_entropy[floating], map_kl_log_target[floating], True, stage,
            unit,
        )
    elif kernel == FORWARD_KL_OF_LOGS:
        specialise_rows(sum_kl_of_logs[floating], finish_sum[floating], map_kl_of_logs[floating], True, stage, unit)
    elif kernel == FORWARD_KL_OF_LOGS_LOG_TARGET:
        specialise_rows(
            sum_kl_of_logs_log_target[floating], finish_sum[floating], map_kl_of_logs_log_target[floating], True, stage,
            unit,
        )
    elif kernel == GENERALIZED_KL:
        specialise_rows(
            sum_generalized_kl[floating], finish_sum[floating], map_generalized_kl[floating], True, stage, unit
        )
    elif kernel == REVERSE_KL:
        specialise_rows(
            sum_reverse_kl[floating], finish_reverse_kl[floating], map_reverse_kl[floating], True, stage, unit
        )
    elif kernel == REVERSE_KL_LOG_TARGET:
        specialise_rows(
            sum_reverse_kl_log_target[floating], finish_reverse_kl[floating], map_reverse_kl_log_target[floating], True,
            stage, unit,
        )
    elif kernel == JENSEN_SHANNON:
        specialise_repeated(
            sum_exponentials[floating], sum_jensen_shannon[floating], finish_jensen_shannon[floating],
            map_jensen_shannon[floating], stage, unit,
        )
    elif kernel == JENSEN_SHANNON_LOG_TARGET:
        specialise_repeated(
            sum_exponentials[floating], sum_jensen_shannon_log_target[floating], finish_jensen_shannon[floating],
            map_jensen_shannon_log_target[floating], stage, unit,
        )
    elif kernel == TOTAL_VARIATION:
        specialise_rows(
            sum_total_variation[floating], finish_sum[floating], map_total_variation[floating], True, stage, unit
        )
    elif kernel == DISTILLATION:
        specialise_rows(
            sum_distillation[floating], finish_distillation[floating], map_distillation[floating], True, stage, unit
        )
