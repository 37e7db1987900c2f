#ifndef FL_VECMATH_FUNCTIONS_H
#define FL_VECMATH_FUNCTIONS_H

/* What kernels call of vecmath.h, each function as a loop over arrays of its arguments and results, for the
 * tests of its accuracy: tools/vecmath.py has the same names. */

#include <stddef.h>

#include "vecmath.h"

/* Argument k and result k of element i: the arrays of each stand one behind the other. */
#define FL_X(k) x[(k) * n + i]
#define FL_OUT(k) out[(k) * n + i]

/* Name, types of arguments and results, and what is done with an element. */
#define FL_FUNCTIONS(DO)                                                                                     \
    DO(exp_f32, float, float, FL_OUT(0) = fl_exp_f32(FL_X(0)))                                               \
    DO(exp_nonpositive_f32, float, float, FL_OUT(0) = fl_exp_nonpositive_f32(FL_X(0)))                       \
    DO(exp_in_sum_f32, float, float, FL_OUT(0) = fl_exp_in_sum_f32(FL_X(0)))                                 \
    DO(log_f32, float, float, FL_OUT(0) = fl_log_f32(FL_X(0)))                                               \
    DO(log1p_within_f32, float, float, FL_OUT(0) = fl_log1p_within_f32(FL_X(0)))                             \
    DO(tanh_f32, float, float, FL_OUT(0) = fl_tanh_f32(FL_X(0)))                                             \
    DO(atan_f32, float, float, FL_OUT(0) = fl_atan_f32(FL_X(0)))                                             \
    DO(logistic_f32, float, float, fl_logistic_f32(FL_X(0), &FL_OUT(0), &FL_OUT(1)))                         \
    DO(mul_add_f32, float, float, FL_OUT(0) = fl_mul_add_f32(FL_X(0), FL_X(1), FL_X(2)))                     \
    DO(exp_f64, double, double, FL_OUT(0) = fl_exp_f64(FL_X(0)))                                             \
    DO(log_f64, double, double, FL_OUT(0) = fl_log_f64(FL_X(0)))                                             \
    DO(log1p_f64, double, double, FL_OUT(0) = fl_log1p_f64(FL_X(0)))                                         \
    DO(log1p_within_f64, double, double, FL_OUT(0) = fl_log1p_within_f64(FL_X(0)))                           \
    DO(less_log1p_f64, double, double, FL_OUT(0) = fl_less_log1p_f64(FL_X(0)))                               \
    DO(tanh_f64, double, double, FL_OUT(0) = fl_tanh_f64(FL_X(0)))                                           \
    DO(atan_f64, double, double, FL_OUT(0) = fl_atan_f64(FL_X(0)))                                           \
    DO(sincos_f64, double, double, fl_sincos_f64(FL_X(0), &FL_OUT(0), &FL_OUT(1)))                           \
    DO(logistic_f64, double, double, fl_logistic_f64(FL_X(0), &FL_OUT(0), &FL_OUT(1)))                       \
    DO(exp_tail_f64, double, double, FL_OUT(0) = fl_exp_tail_f64(FL_X(0)))                                   \
    DO(log1p_tail_f64, double, double, FL_OUT(0) = fl_log1p_tail_f64(FL_X(0)))                               \
    DO(mul_add_f64, double, double, FL_OUT(0) = fl_mul_add_f64(FL_X(0), FL_X(1), FL_X(2)))                   \
    DO(two_sum_f64, double, double, FL_OUT(0) = fl_two_sum_f64(FL_X(0), FL_X(1), &FL_OUT(1)))                \
    DO(two_prod_f64, double, double, FL_OUT(0) = fl_two_prod_f64(FL_X(0), FL_X(1), &FL_OUT(1)))              \
    DO(finite_or_zero_f64, double, double, FL_OUT(0) = fl_finite_or_zero_f64(FL_X(0)))                       \
    DO(inverse_size_f32, float, float, FL_OUT(0) = fl_inverse_size_f32(FL_X(0)))                             \
    DO(inverse_size_f64, double, double, FL_OUT(0) = fl_inverse_size_f64(FL_X(0)))                           \
    DO(quotient_f64, double, double, FL_OUT(0) = fl_quotient_f64(FL_X(0), FL_X(1), FL_X(2), &FL_OUT(1)))     \
    DO(square_f64, double, double, FL_OUT(0) = fl_square_f64(FL_X(0), FL_X(1), &FL_OUT(1)))                  \
    DO(divided_f64, double, double, FL_OUT(0) = fl_divided_f64(FL_X(0), FL_X(1), FL_X(2), FL_X(3)))          \
    DO(exp_hilo_f64, double, double, FL_OUT(0) = fl_exp_hilo_f64(FL_X(0), FL_X(1)))                          \
    DO(expm1_hilo_f64, double, double, FL_OUT(0) = fl_expm1_hilo_f64(FL_X(0), FL_X(1)))                      \
    DO(log_dd_f64, double, double, FL_OUT(0) = fl_log_dd_f64(FL_X(0), FL_X(1), &FL_OUT(1)))                  \
    DO(pow_f64, double, double, FL_OUT(0) = fl_pow_f64(FL_X(0), FL_X(1), FL_X(2)))                           \
    DO(sqrt_to_f32, double, double, FL_OUT(0) = fl_sqrt_to_f32(FL_X(0)))                                     \
    DO(exp_to_f32, double, double, FL_OUT(0) = fl_exp_to_f32(FL_X(0)))                                       \
    DO(expm1_to_f32, double, double, FL_OUT(0) = fl_expm1_to_f32(FL_X(0)))                                   \
    DO(log_to_f32, double, double, FL_OUT(0) = fl_log_to_f32(FL_X(0)))                                       \
    DO(log_hilo_to_f32, double, double, FL_OUT(0) = fl_log_hilo_to_f32(FL_X(0), FL_X(1)))                    \
    DO(log1p_to_f32, double, double, FL_OUT(0) = fl_log1p_to_f32(FL_X(0)))                                   \
    DO(log1p_within_to_f32, double, double, FL_OUT(0) = fl_log1p_within_to_f32(FL_X(0)))                     \
    DO(tanh_to_f32, double, double, FL_OUT(0) = fl_tanh_to_f32(FL_X(0)))                                     \
    DO(logistic_to_f32, double, double, fl_logistic_to_f32(FL_X(0), &FL_OUT(0), &FL_OUT(1)))                 \
    DO(pow_to_f32, double, double, FL_OUT(0) = fl_pow_to_f32(FL_X(0), FL_X(1)))                              \
    DO(log1p_parts_to_f32, double, double, FL_OUT(0) = fl_log1p_parts_to_f32(FL_X(0), &FL_OUT(1)))           \
    DO(exp_parts_to_f32, double, double, FL_OUT(0) = fl_exp_parts_to_f32(FL_X(0), &FL_OUT(1), &FL_OUT(2)))   \
    DO(log_cosh_near_to_f32, double, double, FL_OUT(0) = fl_log_cosh_near_to_f32(FL_X(0)))                   \
    DO(log1p_small_to_f32, double, double, FL_OUT(0) = fl_log1p_small_to_f32(FL_X(0)))                       \
    DO(from_f16, uint16_t, float, FL_OUT(0) = fl_from_f16(FL_X(0)))                                          \
    DO(from_bf16, uint16_t, float, FL_OUT(0) = fl_from_bf16(FL_X(0)))                                        \
    DO(to_f16, float, uint16_t, FL_OUT(0) = fl_to_f16(FL_X(0)))                                              \
    DO(to_bf16, float, uint16_t, FL_OUT(0) = fl_to_bf16(FL_X(0)))                                            \
    DO(round_to_odd, double, float, FL_OUT(0) = fl_round_to_odd(FL_X(0)))

#define FL_LOOP(name, argument, result, statement)                                                           \
    static void fl_each_##name(const void *arguments, void *results, ptrdiff_t n) {                          \
        const argument *restrict x = arguments;                                                              \
        result *restrict out = results;                                                                      \
        for (ptrdiff_t i = 0; i < n; i++)                                                                    \
            statement;                                                                                       \
    }
FL_FUNCTIONS(FL_LOOP)

#define FL_ROW(name, argument, result, statement) {#name, fl_each_##name},
static const struct {
    const char *name;
    void (*each)(const void *arguments, void *results, ptrdiff_t n);
} fl_functions[] = {FL_FUNCTIONS(FL_ROW)};

/* Applies the function of this name to n elements; whether there is one. */
static inline int fl_apply(const char *name, const void *arguments, void *results, ptrdiff_t n) {
    for (size_t i = 0; i < sizeof fl_functions / sizeof *fl_functions; i++)
        if (!strcmp(fl_functions[i].name, name)) {
            fl_functions[i].each(arguments, results, n);
            return 1;
        }
    return 0;
}

#endif
