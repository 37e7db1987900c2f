// Logarithms.

#ifndef FL_VECMATH_LOGARITHM_H
#define FL_VECMATH_LOGARITHM_H

#include "vecmath/base.h"

/* Polynomial log_f32: (log(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)]; error of log(1 + f)
   2^-27.1. */
static const float flv_log_f32[] = {0x1.55554ap-2f, -0x1.00022p-2f,  0x1.99a5aap-3f, -0x1.54789p-3f,
                                    0x1.226cfap-3f, -0x1.0cdf1cp-3f, 0x1.07d80ep-3f, -0x1.4205p-4f};

/* log(u) + c + koff ln 2 for normal u: u = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)],
   log(1 + f) = f - f^2/2 + f^3 P(f) without division. */
FL_INLINE float flv_log_core_f32(float u, float c, float koff) {
    uint32_t b = flv_bits_f32(u) - flv_sqrt_half_bits_f32 + 0x3f800000u;
    float f = flv_from_bits_f32((b & 0x007fffffu) + flv_sqrt_half_bits_f32) - 1.0f;
    float k = flv_from_bits_f32((b >> 23) | 0x4b000000u) - (0x1p23f + 127.0f) - koff;
    float p = FLV_HORNER_F32(flv_log_f32, f);
    float sl;
    float s = flv_fast_two_sum_f32(k * flv_ln2_high_f32, f, &sl);
    float tail = fl_mul_add_f32(f * f, fl_mul_add_f32(p, f, -0.5f), c);
    return s + (sl + fl_mul_add_f32(k, flv_ln2_low_f32, tail));
}

/* r where x > 0 is finite, else what log has there. */
FL_INLINE float flv_log_special_f32(float x, float r) {
    float s = x == 0.0f ? -((float)__builtin_inf()) : (float)__builtin_nan("");
    r = x > 0.0f ? r : s;
    return x == (float)__builtin_inf() ? x : r;
}

FL_INLINE float fl_log_f32(float x) {
    float u = x < 0x1p-126f ? x * 0x1p32f : x;
    float koff = x < 0x1p-126f ? 32.0f : 0.0f;
    return flv_log_special_f32(x, flv_log_core_f32(u, 0.0f, koff));
}

/* log(u + c) = log(u) + c/u, u + c = 1 + x exactly, for finite x > -1. */
FL_INLINE float fl_log1p_within_f32(float x) {
    float u = 1.0f + x;
    float v = u - 1.0f;
    float c = (1.0f - (u - v)) + (x - v);
    return flv_log_core_f32(u, c / u, 0.0f);
}

/* u = 2^k m for normal u > 0, m in [sqrt(1/2), sqrt(2)]; *b is bits of 2^k m' with m' in [1, 2). */
FL_INLINE double flv_mantissa_f64(double u, uint64_t *b) {
    *b = flv_bits_f64(u) - flv_sqrt_half_bits_f64 + 0x3ff0000000000000u;
    return flv_from_bits_f64((*b & 0x000fffffffffffffu) + flv_sqrt_half_bits_f64);
}

/* k and 2^-k of these bits. */
FL_INLINE double flv_exponent_f64(uint64_t b) {
    return flv_from_bits_f64((b >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
}

FL_INLINE double flv_inverse_scale_f64(uint64_t b) {
    return flv_from_bits_f64(0x7fe0000000000000u - (b & 0x7ff0000000000000u));
}

/* Polynomial log_f64: (log(1 + f) / s - 2) / s^2 in s^2, s = f / (2 + f), for 1 + f in [sqrt(1/2), sqrt(2)];
   error of log(1 + f) 2^-59.5. */
static const double flv_log_f64[] = {0x1.5555555555592p-1, 0x1.999999997ff32p-2, 0x1.24924941df623p-2,
                                     0x1.c71c521625e21p-3, 0x1.74663c8552e73p-3, 0x1.39a1f3cd88f95p-3,
                                     0x1.2f034789031dep-3};

/* As for f32, with s = f / (2 + f): log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 P(s^2)). The division
   is cheaper than the twice longer polynomial in f. */
FL_INLINE double flv_log_core_f64(double u, double c, double koff) {
    uint64_t b;
    double f = flv_mantissa_f64(u, &b) - 1.0;
    double k = flv_exponent_f64(b) - koff;
    double q = f / (2.0 + f);
    double z = q * q;
    double p = FLV_HORNER_F64(flv_log_f64, z);
    double hfsq = 0.5 * f * f;
    double sl;
    double s = flv_fast_two_sum_f64(k * flv_ln2_high_f64, f, &sl);
    double tail = fl_mul_add_f64(q, fl_mul_add_f64(z, p, hfsq), c) - hfsq;
    return s + (sl + fl_mul_add_f64(k, flv_ln2_low_f64, tail));
}

/* As for f32. */
FL_INLINE double flv_log_special_f64(double x, double r) {
    double s = x == 0.0 ? -((double)__builtin_inf()) : (double)__builtin_nan("");
    r = x > 0.0 ? r : s;
    return x == (double)__builtin_inf() ? x : r;
}

FL_INLINE double fl_log_f64(double x) {
    double u = x < 0x1p-1022 ? x * 0x1p64 : x;
    double koff = x < 0x1p-1022 ? 64.0 : 0.0;
    return flv_log_special_f64(x, flv_log_core_f64(u, 0.0, koff));
}

/* As for f32. */
FL_INLINE double fl_log1p_within_f64(double x) {
    double u = 1.0 + x;
    double v = u - 1.0;
    double c = (1.0 - (u - v)) + (x - v);
    return flv_log_core_f64(u, c / u, 0.0);
}

FL_INLINE double fl_log1p_f64(double x) {
    double r = flv_log_special_f64(1.0 + x, fl_log1p_within_f64(x));
    return x == 0.0 ? x : r;
}

/* x - log(1 + x) for finite x > -1, which keeps its relative accuracy near 0: with s = x / (2 + x),
   log(1 + x) = 2 s + s^3 P(s^2) and x - 2 s = x s. */
FL_INLINE double fl_less_log1p_f64(double x) {
    double s = x / (2.0 + x);
    double z = s * s;
    double near = s * fl_mul_add_f64(-z, FLV_HORNER_F64(flv_log_f64, z), x);
    return ((x > -0.29) & (x < 0.41)) ? near : x - fl_log1p_within_f64(x);
}

#endif
