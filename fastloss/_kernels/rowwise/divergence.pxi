# Divergences between a target distribution t and that of a row, p. A target of 0 adds nothing whatever its score.

from fastloss._kernels.arithmetic cimport absolute
from fastloss._kernels.vecmath cimport exp_for, exp_in_sum, exp_nonpositive, exp_of, log1p_within, log_for, log_of

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


cdef inline void finish_sum(Row* r, double classes, double a, double b, double c, double scale,
                            floating like) noexcept nogil:
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
                                   double scale, floating like) noexcept nogil:
    cdef double total = 1 / r.s0 if logits != 0 else exp_for(like, r.shift, 0)
    cdef double mean = r.s1 / r.s0
    r.value = mean - log_for(like, r.s0) if logits != 0 else total * (r.s1 + r.shift * r.s0)
    r.u = total
    r.v = mean if logits != 0 else -1 - r.shift
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
                                       double scale, floating like) noexcept nogil:
    r.again = r.again == 0
    if r.again:
        r.u = 1 / r.s0 if logits != 0 else exp_for(like, r.shift, 0)
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
                                     double scale, floating like) noexcept nogil:
    r.value = square * ((log_for(like, r.s0) - log_for(like, r.s1)) + r.s2 / r.s1)
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


# Programs -----------------------------------------------------------------------------------------

cdef void sum_kl_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_kl[float], sum_kl[double], True, g)


cdef void sum_kl_log_target_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_kl_log_target[float], sum_kl_log_target[double], True, g)


cdef void sum_kl_of_logs_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_kl_of_logs[float], sum_kl_of_logs[double], True, g)


cdef void sum_kl_of_logs_log_target_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_kl_of_logs_log_target[float], sum_kl_of_logs_log_target[double], True, g)


cdef void sum_generalized_kl_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_generalized_kl[float], sum_generalized_kl[double], True, g)


cdef void sum_reverse_kl_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_reverse_kl[float], sum_reverse_kl[double], True, g)


cdef void sum_reverse_kl_log_target_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_reverse_kl_log_target[float], sum_reverse_kl_log_target[double], True, g)


cdef void sum_exponentials_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_exponentials[float], sum_exponentials[double], False, g)


cdef void sum_jensen_shannon_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_jensen_shannon[float], sum_jensen_shannon[double], True, g)


cdef void sum_jensen_shannon_log_target_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_jensen_shannon_log_target[float], sum_jensen_shannon_log_target[double], True, g)


cdef void sum_total_variation_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_total_variation[float], sum_total_variation[double], True, g)


cdef void sum_distillation_loop(RowGroup* g) noexcept nogil:
    sum_classes(sum_distillation[float], sum_distillation[double], True, g)


cdef void finish_sum_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_sum[float], finish_sum[double], g)


cdef void finish_reverse_kl_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_reverse_kl[float], finish_reverse_kl[double], g)


cdef void finish_jensen_shannon_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_jensen_shannon[float], finish_jensen_shannon[double], g)


cdef void finish_distillation_loop(RowGroup* g) noexcept nogil:
    finish_rows(finish_distillation[float], finish_distillation[double], g)


cdef void map_kl_log_target_loop(RowGroup* g) noexcept nogil:
    map_classes(map_kl_log_target[float], map_kl_log_target[double], True, g)


cdef void map_kl_of_logs_loop(RowGroup* g) noexcept nogil:
    map_classes(map_kl_of_logs[float], map_kl_of_logs[double], True, g)


cdef void map_kl_of_logs_log_target_loop(RowGroup* g) noexcept nogil:
    map_classes(map_kl_of_logs_log_target[float], map_kl_of_logs_log_target[double], True, g)


cdef void map_generalized_kl_loop(RowGroup* g) noexcept nogil:
    map_classes(map_generalized_kl[float], map_generalized_kl[double], True, g)


cdef void map_reverse_kl_loop(RowGroup* g) noexcept nogil:
    map_classes(map_reverse_kl[float], map_reverse_kl[double], True, g)


cdef void map_reverse_kl_log_target_loop(RowGroup* g) noexcept nogil:
    map_classes(map_reverse_kl_log_target[float], map_reverse_kl_log_target[double], True, g)


cdef void map_jensen_shannon_loop(RowGroup* g) noexcept nogil:
    map_classes(map_jensen_shannon[float], map_jensen_shannon[double], True, g)


cdef void map_jensen_shannon_log_target_loop(RowGroup* g) noexcept nogil:
    map_classes(map_jensen_shannon_log_target[float], map_jensen_shannon_log_target[double], True, g)


cdef void map_total_variation_loop(RowGroup* g) noexcept nogil:
    map_classes(map_total_variation[float], map_total_variation[double], True, g)


cdef void map_distillation_loop(RowGroup* g) noexcept nogil:
    map_classes(map_distillation[float], map_distillation[double], True, g)


declare("forward_kl", program(DENSE, MAXIMUM, 4, sum_kl_loop, finish_distribution_loop, map_dense_cross_entropy_loop))
declare(
    "forward_kl_log_target",
    program(LOG_PROBABILITIES, MAXIMUM, 4, sum_kl_log_target_loop, finish_distribution_loop, map_kl_log_target_loop),
)
declare("forward_kl_of_logs", program(DENSE, NOTHING, 4, sum_kl_of_logs_loop, finish_sum_loop, map_kl_of_logs_loop))
declare(
    "forward_kl_of_logs_log_target",
    program(
        LOG_PROBABILITIES, NOTHING, 4, sum_kl_of_logs_log_target_loop, finish_sum_loop, map_kl_of_logs_log_target_loop
    ),
)
declare("generalized_kl", program(DENSE, NOTHING, 4, sum_generalized_kl_loop, finish_sum_loop, map_generalized_kl_loop))
declare(
    "reverse_kl",
    program(DENSE, MAXIMUM, 4, sum_reverse_kl_loop, finish_reverse_kl_loop, map_reverse_kl_loop),
    ("logits",),
)
declare(
    "reverse_kl_log_target",
    program(
        LOG_PROBABILITIES, MAXIMUM, 4, sum_reverse_kl_log_target_loop, finish_reverse_kl_loop,
        map_reverse_kl_log_target_loop,
    ),
    ("logits",),
)
declare(
    "jensen_shannon",
    repeated(
        program(DENSE, MAXIMUM, 4, sum_jensen_shannon_loop, finish_jensen_shannon_loop, map_jensen_shannon_loop),
        sum_exponentials_loop,
    ),
    ("beta", "logits"),
)
declare(
    "jensen_shannon_log_target",
    repeated(
        program(
            LOG_PROBABILITIES, MAXIMUM, 4, sum_jensen_shannon_log_target_loop, finish_jensen_shannon_loop,
            map_jensen_shannon_log_target_loop,
        ),
        sum_exponentials_loop,
    ),
    ("beta", "logits"),
)
declare(
    "total_variation",
    program(DENSE, NOTHING, 4, sum_total_variation_loop, finish_sum_loop, map_total_variation_loop),
)
declare(
    "distillation",
    program(LOGITS, MAXIMUM, 4, sum_distillation_loop, finish_distillation_loop, map_distillation_loop),
    ("inverse", "square"),
)
