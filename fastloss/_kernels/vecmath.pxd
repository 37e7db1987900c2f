"""The vector mathematics of vecmath.h under one name for both float types."""

from cython cimport floating
from libc.stdint cimport uint16_t, uint32_t

cdef extern from "vecmath.h" nogil:
    float fl_exp_f32(float x)
    float fl_log_f32(float x)
    float fl_log1p_within_f32(float x)
    double fl_log1p_within_f64(double x)
    float fl_tanh_f32(float x)
    void fl_logistic_f32(float z, float* softplus_neg, float* sigmoid_neg)
    void fl_logistic_f64(double z, double* softplus_neg, double* sigmoid_neg)
    float fl_exp_nonpositive_f32(float a)
    float fl_exp_in_sum_f32(float a)
    float mul_add_f32 "fl_mul_add_f32"(float a, float b, float c)
    double mul_add "fl_mul_add_f64"(double a, double b, double c)
    float from_float16 "fl_from_f16"(uint16_t bits)
    float from_bfloat16 "fl_from_bf16"(uint16_t bits)
    uint32_t float_bits "flv_bits_f32"(float x)
    uint16_t to_float16 "fl_to_f16"(float x)
    uint16_t to_bfloat16 "fl_to_bf16"(float x)
    float round_to_odd "fl_round_to_odd"(double x)
    double exp "fl_exp_f64"(double x)
    double log "fl_log_f64"(double x)
    double log1p "fl_log1p_f64"(double x)
    double tanh "fl_tanh_f64"(double x)
    float fl_atan_f32(float x)
    double fl_atan_f64(double x)
    void sincos "fl_sincos_f64"(double x, double* sine, double* cosine)
    double less_log1p "fl_less_log1p_f64"(double x)
    float fl_inverse_size_f32(float x)
    double fl_inverse_size_f64(double x)
    double two_sum "fl_two_sum_f64"(double a, double b, double* lo)
    double two_prod "fl_two_prod_f64"(double a, double b, double* lo)
    double finite_or_zero "fl_finite_or_zero_f64"(double low)
    double quotient "fl_quotient_f64"(double hi, double lo, double d, double* out_lo)
    double square "fl_square_f64"(double hi, double lo, double* out_lo)
    double divided "fl_divided_f64"(double n, double nl, double d, double dl)
    double exp_hilo "fl_exp_hilo_f64"(double hi, double lo)
    double expm1_hilo "fl_expm1_hilo_f64"(double hi, double lo)
    double log_dd "fl_log_dd_f64"(double hi, double lo, double* out_lo)
    double power "fl_pow_f64"(double hi, double lo, double p)
    double exp_tail "fl_exp_tail_f64"(double z)
    double log_tail "fl_log1p_tail_f64"(double s)
    double fl_sqrt_to_f32(double x)
    double fl_exp_to_f32(double x)
    double fl_expm1_to_f32(double x)
    double fl_log_to_f32(double x)
    double fl_log1p_to_f32(double x)
    double fl_log1p_within_to_f32(double x)
    double fl_log_hilo_to_f32(double u, double c)
    double fl_tanh_to_f32(double x)
    void fl_logistic_to_f32(double z, double* softplus_neg, double* sigmoid_neg)
    double fl_pow_to_f32(double x, double p)
    double log_parts "fl_log1p_parts_to_f32"(double w, double* tail)
    double exp_parts "fl_exp_parts_to_f32"(double z, double* less_one, double* tail)
    double log_cosh_near "fl_log_cosh_near_to_f32"(double v)
    double log1p_small "fl_log1p_small_to_f32"(double e)


cdef inline floating exp_of(floating x) noexcept nogil:
    return fl_exp_f32(x) if floating is float else exp(x)


cdef inline floating log_of(floating x) noexcept nogil:
    return fl_log_f32(x) if floating is float else log(x)


cdef inline floating log1p_within(floating x) noexcept nogil:
    """log(1 + x) for finite x > -1."""
    return fl_log1p_within_f32(x) if floating is float else fl_log1p_within_f64(x)


cdef inline floating tanh_of(floating x) noexcept nogil:
    return fl_tanh_f32(x) if floating is float else tanh(x)


cdef inline floating atan_of(floating x) noexcept nogil:
    return fl_atan_f32(x) if floating is float else fl_atan_f64(x)


cdef inline floating inverse_size(floating x) noexcept nogil:
    """The power of two s with 1 <= s x < 2, for x from the smallest normal number to a quarter of the largest."""
    return fl_inverse_size_f32(x) if floating is float else fl_inverse_size_f64(x)


cdef inline floating exp_nonpositive(floating a) noexcept nogil:
    """exp(a) for a <= 0; where it is 0 not by way of subnormal numbers, which take some processors as long as a hundred
    others."""
    cdef bint none
    if floating is float:
        return fl_exp_nonpositive_f32(a)
    else:
        none = a < -746
        return 0 if none else exp(0 if none else a)


cdef inline floating exp_in_sum(floating a) noexcept nogil:
    """exp(a) for a <= 0 as a term of a sum of at least 1."""
    return fl_exp_in_sum_f32(a) if floating is float else exp_nonpositive(a)


cdef inline void logistic(floating z, floating* softplus_neg, floating* sigmoid_neg) noexcept nogil:
    """log1p(exp(-|z|)) and sigmoid(-|z|), both to full relative accuracy."""
    if floating is float:
        fl_logistic_f32(z, softplus_neg, sigmoid_neg)
    else:
        fl_logistic_f64(z, softplus_neg, sigmoid_neg)


cdef inline floating logistic_slope(floating s) noexcept nogil:
    """s (1 - s), the derivative of a sigmoid s <= 1/2."""
    return mul_add_f32(-s, s, s) if floating is float else s * (1 - s)


# Mathematics in double for a result of the type of `like` -----------------------------------------
#
# A formula writes its delicate parts once, in double-double for float64; for float32, whose results are
# rounded from double, the low parts are 0 and the short forms of the functions do.

cdef inline double sum_for(floating like, double a, double b, double* lo) noexcept nogil:
    """a + b and its rounding error."""
    if floating is float:
        lo[0] = 0
        return a + b
    else:
        return two_sum(a, b, lo)


cdef inline double product_for(floating like, double a, double b, double* lo) noexcept nogil:
    """a b and its rounding error."""
    if floating is float:
        lo[0] = 0
        return a * b
    else:
        return two_prod(a, b, lo)


cdef inline double exp_for(floating like, double hi, double lo) noexcept nogil:
    return fl_exp_to_f32(hi) if floating is float else exp_hilo(hi, lo)


cdef inline double expm1_for(floating like, double hi, double lo) noexcept nogil:
    return fl_expm1_to_f32(hi) if floating is float else expm1_hilo(hi, lo)


cdef inline double log_for(floating like, double x) noexcept nogil:
    return fl_log_to_f32(x) if floating is float else log(x)


cdef inline double log1p_for(floating like, double x) noexcept nogil:
    return fl_log1p_to_f32(x) if floating is float else log1p(x)


cdef inline double log1p_within_for(floating like, double x) noexcept nogil:
    """log(1 + x) for finite x > -1."""
    return fl_log1p_within_to_f32(x) if floating is float else fl_log1p_within_f64(x)


cdef inline double log1p_positive(floating like, double w) noexcept nogil:
    """log(1 + w) for w >= 0."""
    cdef double tail
    return log_parts(w, &tail) if floating is float else log1p(w)


cdef inline double tanh_for(floating like, double x) noexcept nogil:
    return fl_tanh_to_f32(x) if floating is float else tanh(x)


cdef inline void logistic_for(floating like, double z, double* softplus_neg, double* sigmoid_neg) noexcept nogil:
    if floating is float:
        fl_logistic_to_f32(z, softplus_neg, sigmoid_neg)
    else:
        fl_logistic_f64(z, softplus_neg, sigmoid_neg)


cdef inline double power_for(floating like, double hi, double lo, double p) noexcept nogil:
    """(hi + lo)^p for hi >= 0."""
    return fl_pow_to_f32(hi, p) if floating is float else power(hi, lo, p)
