// Exponentials and the hyperbolic tangent.

#ifndef FL_VECMATH_EXPONENTIAL_H
#define FL_VECMATH_EXPONENTIAL_H

#include "vecmath/base.h"

/* ---- exponential ---- */

/* x = k ln 2 + r + *r_lo, |r| <= ln 2 / 2; k + bias stands in the low bits of *bits. */
FL_INLINE float flv_exp_reduce_f32(float x, float bias, uint32_t *bits, float *r_lo) {
    const float magic = flv_to_integer_f32 + bias;
    float t = fl_mul_add_f32(x, flv_log2e_f32, magic);
    float k = t - magic;
    float h = fl_mul_add_f32(k, -flv_ln2_high_f32, x);
    float r = fl_mul_add_f32(k, -flv_ln2_low_f32, h);
    *bits = flv_bits_f32(t);
    *r_lo = fl_mul_add_f32(k, -flv_ln2_low_f32, h - r);
    return r;
}

/* Polynomial exp_f32: (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; error of e^r - 1 2^-30.9. */
static const float flv_exp_f32[] = {0.5f,           0x1.555556p-3f,  0x1.5554f2p-5f,
                                    0x1.110fdcp-7f, 0x1.6d413ap-10f, 0x1.a29d06p-13f};

/* 2^k e^(r + rl). The scale is applied in two halves, so that only the last product can overflow or
   become subnormal. */
FL_INLINE float flv_exp_scale_f32(float r, float rl, uint32_t b) {
    float sl;
    float s = flv_fast_two_sum_f32(1.0f, r, &sl);
    float m = s + (sl + fl_mul_add_f32(r * r, FLV_HORNER_F32(flv_exp_f32, r), rl));
    uint32_t half = b >> 1;
    return m * flv_from_bits_f32(half << 23) * flv_from_bits_f32((b - half) << 23);
}

FL_INLINE float fl_exp_f32(float x) {
    x = x < flv_exp_least_f32 ? flv_exp_least_f32 : x;
    x = x > flv_exp_most_f32 ? flv_exp_most_f32 : x;
    uint32_t b;
    float rl;
    float r = flv_exp_reduce_f32(x, 254.0f, &b, &rl);
    return flv_exp_scale_f32(r, rl, b);
}

/* (2^k e^(r + rl) - 1) / 2 as result + *lo; the half keeps 2^(k-1) finite for every k. */
FL_INLINE float flv_expm1_half_f32(float r, float rl, uint32_t b, float *lo) {
    float scale = flv_from_bits_f32(b << 23);
    float al, sl;
    float a = fl_two_sum_f32(scale, -0.5f, &al);
    float s = flv_fast_two_sum_f32(a, scale * r, &sl);
    float tail = fl_mul_add_f32(r * r, FLV_HORNER_F32(flv_exp_f32, r), rl);
    return flv_fast_two_sum_f32(s, sl + fl_mul_add_f32(scale, tail, al), lo);
}

/* tanh|x| = -h / (1 + h), h = expm1(-2|x|) / 2. */
FL_INLINE float fl_tanh_f32(float x) {
    float ax = flv_from_bits_f32(flv_bits_f32(x) & 0x7fffffffu);
    float c = ax > flv_tanh_most_f32 ? flv_tanh_most_f32 : ax;
    uint32_t b;
    float rl, hl, dl, ql;
    float r = flv_exp_reduce_f32(-2.0f * c, 126.0f, &b, &rl);
    float h = flv_expm1_half_f32(r, rl, b, &hl);
    float d = flv_fast_two_sum_f32(1.0f, h, &dl);
    float q = flv_div_f32(-h, -hl, d, dl + hl, &ql);
    float t = flv_from_bits_f32(flv_bits_f32(q + ql) | (flv_bits_f32(x) & 0x80000000u));
    return ax < 0x1p-14f ? x : t;
}

/* As for f32. */
FL_INLINE double flv_exp_reduce_f64(double x, double bias, uint64_t *bits, double *r_lo) {
    const double magic = flv_to_integer_f64 + bias;
    double t = fl_mul_add_f64(x, flv_log2e_f64, magic);
    double k = t - magic;
    double h = fl_mul_add_f64(k, -flv_ln2_high_f64, x);
    double r = fl_mul_add_f64(k, -flv_ln2_low_f64, h);
    *bits = flv_bits_f64(t);
    *r_lo = fl_mul_add_f64(k, -flv_ln2_low_f64, h - r);
    return r;
}

/* Polynomial exp_f64: (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; error of e^r - 1 2^-61.5. */
static const double flv_exp_f64[] = {0.5,
                                     0x1.5555555555559p-3,
                                     0x1.5555555555559p-5,
                                     0x1.111111110f641p-7,
                                     0x1.6c16c16c147f8p-10,
                                     0x1.a01a01b0104a6p-13,
                                     0x1.a01a01b0350b8p-16,
                                     0x1.71ddf7e658981p-19,
                                     0x1.27e4c6054cbe9p-22,
                                     0x1.af5f7fc533193p-26,
                                     0x1.1f95697ed80d6p-29};

FL_INLINE double flv_exp_poly_f64(double r) {
    return fl_mul_add_f64(flv_even_odd_f64(flv_exp_f64 + 1, FLV_COUNT(flv_exp_f64) - 1, r), r,
                          flv_exp_f64[0]);
}

/* As for f32. */
FL_INLINE double flv_exp_scale_f64(double r, double rl, uint64_t b) {
    double sl;
    double s = flv_fast_two_sum_f64(1.0, r, &sl);
    double m = s + (sl + fl_mul_add_f64(r * r, flv_exp_poly_f64(r), rl));
    uint64_t half = b >> 1;
    return m * flv_from_bits_f64(half << 52) * flv_from_bits_f64((b - half) << 52);
}

FL_INLINE double flv_exp_clamp_f64(double x, double least) {
    double c = x < least ? least : x;
    return c > flv_exp_most_f64 ? flv_exp_most_f64 : c;
}

FL_INLINE double fl_exp_f64(double x) {
    uint64_t b;
    double rl;
    double r = flv_exp_reduce_f64(flv_exp_clamp_f64(x, flv_exp_least_f64), 2046.0, &b, &rl);
    return flv_exp_scale_f64(r, rl, b);
}

/* As for f32. */
FL_INLINE double flv_expm1_half_f64(double r, double rl, uint64_t b, double *lo) {
    double scale = flv_from_bits_f64(b << 52);
    double al, sl;
    double a = fl_two_sum_f64(scale, -0.5, &al);
    double s = flv_fast_two_sum_f64(a, scale * r, &sl);
    double tail = fl_mul_add_f64(r * r, flv_exp_poly_f64(r), rl);
    return flv_fast_two_sum_f64(s, sl + fl_mul_add_f64(scale, tail, al), lo);
}

/* As for f32. */
FL_INLINE double fl_tanh_f64(double x) {
    double ax = flv_from_bits_f64(flv_bits_f64(x) & 0x7fffffffffffffffu);
    double c = ax > flv_tanh_most_f64 ? flv_tanh_most_f64 : ax;
    uint64_t b;
    double rl, hl, dl, ql;
    double r = flv_exp_reduce_f64(-2.0 * c, 1022.0, &b, &rl);
    double h = flv_expm1_half_f64(r, rl, b, &hl);
    double d = flv_fast_two_sum_f64(1.0, h, &dl);
    double q = flv_div_f64(-h, -hl, d, dl + hl, &ql);
    double t = flv_from_bits_f64(flv_bits_f64(q + ql) | (flv_bits_f64(x) & 0x8000000000000000u));
    return ax < 0x1p-29 ? x : t;
}

/* ---- exponentials of negative numbers ---- */

/* Polynomial exp_nonpositive_f32: (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; error of e^r 2^-27.5. */
static const float flv_exp_nonpositive_f32[] = {0.5f, 0x1.55548ep-3f, 0x1.55546p-5f, 0x1.123bd6p-7f,
                                                0x1.6db37cp-10f};

/* -159 ln 2, whose power of two has no exponent left. */
static const float flv_exp_nonpositive_least_f32 = -0x1.b8d75cp+6f;

/* e^a = scale (1 + q) for a <= 0, scale a power of two, 0 for the least argument, so that -inf makes no
   subnormal number: those take as long as ten others. */
FL_INLINE float flv_exp_nonpositive(float a, float *scale) {
    const float magic = flv_to_integer_f32 + 159.0f;
    a = a < flv_exp_nonpositive_least_f32 ? flv_exp_nonpositive_least_f32 : a;
    float t = fl_mul_add_f32(a, flv_log2e_f32, magic);
    float k = t - magic;
    /* 2^k may be subnormal: harmless, it is exact and multiplies last (2^-150, which is not,
       occurs only where the result is at most 0.71 of the smallest number). */
    *scale = flv_from_bits_f32(flv_bits_f32(t) << 23) * 0x1p-32f;
    float r = fl_mul_add_f32(k, -flv_ln2_high_f32, a);
    r = fl_mul_add_f32(k, -flv_ln2_low_f32, r);
    return fl_mul_add_f32(r * r, FLV_HORNER_F32(flv_exp_nonpositive_f32, r), r);
}

/* e^a for a <= 0, in about half the time of fl_exp_f32. */
FL_INLINE float fl_exp_nonpositive_f32(float a) {
    float scale;
    float q = flv_exp_nonpositive(a, &scale);
    return fl_mul_add_f32(q, scale, scale);
}

/* Polynomial exp2_f32: 2^r for |r| <= 1/2; error 2^-23.1. */
static const float flv_exp2_f32[] = {1.0f,           0x1.62e42ap-1f, 0x1.ebf9bcp-3f,
                                     0x1.c6b752p-5f, 0x1.3cea88p-7f, 0x1.5bba14p-10f};

/* 2^x for x <= 0 as a term of a sum of at least 1; what is below 2^-126.5 is 0. */
FL_INLINE float fl_exp2_in_sum_f32(float x) {
    const float magic = flv_to_integer_f32 + 127.0f;
    x = x < -127.0f ? -127.0f : x;
    float t = x + magic;
    float r = x - (t - magic);
    return FLV_HORNER_F32(flv_exp2_f32, r) * flv_from_bits_f32(flv_bits_f32(t) << 23);
}

/* e^a likewise, in about a third of the time of fl_exp_f32: the relative error grows as |a| 2^-24. */
FL_INLINE float fl_exp_in_sum_f32(float a) { return fl_exp2_in_sum_f32(a * flv_log2e_f32); }

#endif
