#ifndef FL_VECMATH_H
#define FL_VECMATH_H

/* Elementary functions for plain loops: no table, no call, no branch on the data, so the compiler's
 * vectoriser sees through them at any vector width. NaN, infinities, signed zeros and subnormals
 * are handled throughout (see the comments where C leaves a choice).
 *
 * Compile without -ffast-math and with -ffp-contract=off (a contracted subtraction would spoil the
 * exact remainders); -fno-math-errno -fno-trapping-math let the vectoriser turn selects into
 * blends. Round to nearest is assumed.
 *
 * Largest error found, in units in the last place of the exact result. float32: all 2^32 inputs.
 * float64: 2^23 inputs, most of them where the function varies.
 *
 *                              float32       float64
 *                             FMA   none    FMA   none
 *   exp                      0.77  0.77    0.75  0.77
 *   log                      0.94  0.96    0.86  0.86
 *   log1p                    0.96  1.02    0.87  0.90
 *   expm1                    0.89  1.03    1.09  1.03
 *   tanh                     0.76  0.77    0.81  0.80
 *   sigmoid                  1.71  2.03    0.79  0.79
 *   softplus                 1.67  1.84    1.19  1.39
 *   atan                     0.70  0.74    0.68  0.69
 *   logistic, softplus_neg   1.55  1.84    1.12  1.32
 *   logistic, sigmoid_neg    1.71  2.03    0.77  0.78
 *   exp_sum                               0.75  0.75
 *   expm1_sum                             1.10  1.05
 *   pow                                   0.76  0.76
 *   powm1                                 0.98  1.41
 *
 * log_dd: relative error below 2^-68. two_sum, two_prod: exact in the range given at each. float16
 * and bfloat16: exact from, round to nearest even to.
 *
 * Polynomials are minimax fits (Remez, weighted by the relative error of the whole function), their
 * coefficients rounded one after the other with the later ones refitted. */

#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "vecmath.h relies on exact two-sums: do not compile it with -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "vecmath.h needs every operation rounded to its own type (on x86-32: -msse2 -mfpmath=sse)"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* A call left inside a loop stops the vectoriser, so inlining is not left to its size limits. */
#if defined(__GNUC__) || defined(__clang__)
#define FL_INLINE static inline __attribute__((always_inline, unused))
#else
#define FL_INLINE static inline
#endif

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMA)
#define FL_HAVE_FMA 1
#else
#define FL_HAVE_FMA 0
#endif

/* ---- bits, fused multiply-add, error-free sums ---- */

FL_INLINE uint32_t flv_bits_f32(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

FL_INLINE float flv_from_bits_f32(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* a*b + c, in one rounding where the target has it; no result depends on the single rounding for
   more than the last digits in the table above. */
FL_INLINE float fl_mul_add_f32(float a, float b, float c) {
#if FL_HAVE_FMA
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* a + b = result + *lo exactly if a + b does not overflow. */
FL_INLINE float fl_two_sum_f32(float a, float b, float *lo) {
    float s = a + b;
    float v = s - a;
    *lo = (a - (s - v)) + (b - v);
    return s;
}

/* The same for |a| >= |b| or a == 0. */
FL_INLINE float flv_fast_two_sum_f32(float a, float b, float *lo) {
    float s = a + b;
    *lo = b - (s - a);
    return s;
}

/* (n + nl) / (d + dl) as result + *lo, one division. The quotient and d are cut to 12 bits so that
   their product, and hence the remainder, is exact without FMA. */
FL_INLINE float flv_div_f32(float n, float nl, float d, float dl, float *lo) {
    float inv = 1.0f / d;
    float q = flv_from_bits_f32(flv_bits_f32(n * inv) & 0xfffff000u);
    float dh = flv_from_bits_f32(flv_bits_f32(d) & 0xfffff000u);
    *lo = (((n - q * dh) - q * ((d - dh) + dl)) + nl) * inv;
    return q;
}

FL_INLINE uint64_t flv_bits_f64(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

FL_INLINE double flv_from_bits_f64(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* a*b + c, in one rounding where the target has it; no result depends on the single rounding for
   more than the last digits in the table above. */
FL_INLINE double fl_mul_add_f64(double a, double b, double c) {
#if FL_HAVE_FMA
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* a + b = result + *lo exactly if a + b does not overflow. */
FL_INLINE double fl_two_sum_f64(double a, double b, double *lo) {
    double s = a + b;
    double v = s - a;
    *lo = (a - (s - v)) + (b - v);
    return s;
}

/* The same for |a| >= |b| or a == 0. */
FL_INLINE double flv_fast_two_sum_f64(double a, double b, double *lo) {
    double s = a + b;
    *lo = b - (s - a);
    return s;
}

/* (n + nl) / (d + dl) as result + *lo, one division. The quotient and d are cut to 26 bits so that
   their product, and hence the remainder, is exact without FMA. */
FL_INLINE double flv_div_f64(double n, double nl, double d, double dl, double *lo) {
    double inv = 1.0 / d;
    double q = flv_from_bits_f64(flv_bits_f64(n * inv) & 0xfffffffff8000000u);
    double dh = flv_from_bits_f64(flv_bits_f64(d) & 0xfffffffff8000000u);
    *lo = (((n - q * dh) - q * ((d - dh) + dl)) + nl) * inv;
    return q;
}

/* ---- exponential and logarithm ---- */

/* x = k ln 2 + r + *r_lo, |r| <= ln 2 / 2. Adding MAGIC rounds x / ln 2 to the integer k and leaves
   k + bias in the low bits of the sum. k times the high part of ln 2 is exact. */
FL_INLINE float flv_exp_reduce_f32(float x, float bias, uint32_t *bits, float *r_lo) {
    const float magic = 0x1.8p23f + bias;
    float t = fl_mul_add_f32(x, 0x1.715476p+0f, magic);
    float k = t - magic;
    float h = fl_mul_add_f32(k, -0x1.62e4p-1f, x);
    float r = fl_mul_add_f32(k, -0x1.7f7d1cp-20f, h);
    *bits = flv_bits_f32(t);
    *r_lo = fl_mul_add_f32(k, -0x1.7f7d1cp-20f, h - r);
    return r;
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2. */
FL_INLINE float flv_exp_poly_f32(float r) {
    float p = 0x1.a29d06p-13f;
    p = fl_mul_add_f32(p, r, 0x1.6d413ap-10f);
    p = fl_mul_add_f32(p, r, 0x1.110fdcp-7f);
    p = fl_mul_add_f32(p, r, 0x1.5554f2p-5f);
    p = fl_mul_add_f32(p, r, 0x1.555556p-3f);
    return fl_mul_add_f32(p, r, 0.5f);
}

/* 2^k e^(r + rl). The scale is applied in two halves, so that only the last product can overflow or
   become subnormal. */
FL_INLINE float flv_exp_scale_f32(float r, float rl, uint32_t b) {
    float sl;
    float s = flv_fast_two_sum_f32(1.0f, r, &sl);
    float m = s + (sl + fl_mul_add_f32(r * r, flv_exp_poly_f32(r), rl));
    uint32_t half = b >> 1;
    return m * flv_from_bits_f32(half << 23) * flv_from_bits_f32((b - half) << 23);
}

FL_INLINE float flv_exp_clamp_f32(float x, float low) {
    float c = x < low ? low : x;
    return c > 89.0f ? 89.0f : c;
}

FL_INLINE float fl_exp_f32(float x) {
    uint32_t b;
    float rl;
    float r = flv_exp_reduce_f32(flv_exp_clamp_f32(x, -104.0f), 254.0f, &b, &rl);
    return flv_exp_scale_f32(r, rl, b);
}

/* (2^k e^(r + rl) - 1) / 2 as result + *lo; the half keeps 2^(k-1) finite for every k. */
FL_INLINE float flv_expm1_half_f32(float r, float rl, uint32_t b, float *lo) {
    float scale = flv_from_bits_f32(b << 23);
    float al, sl;
    float a = fl_two_sum_f32(scale, -0.5f, &al);
    float s = flv_fast_two_sum_f32(a, scale * r, &sl);
    float tail = fl_mul_add_f32(r * r, flv_exp_poly_f32(r), rl);
    return flv_fast_two_sum_f32(s, sl + fl_mul_add_f32(scale, tail, al), lo);
}

FL_INLINE float fl_expm1_f32(float x) {
    uint32_t b;
    float rl, lo;
    float r = flv_exp_reduce_f32(flv_exp_clamp_f32(x, -20.0f), 126.0f, &b, &rl);
    float e = 2.0f * flv_expm1_half_f32(r, rl, b, &lo);
    /* Half of a subnormal is not exact, and -0 must stay -0. */
    float ax = flv_from_bits_f32(flv_bits_f32(x) & 0x7fffffffu);
    return ax < 0x1p-40f ? x : e;
}

/* tanh|x| = -h / (1 + h), h = expm1(-2|x|) / 2. */
FL_INLINE float fl_tanh_f32(float x) {
    float ax = flv_from_bits_f32(flv_bits_f32(x) & 0x7fffffffu);
    float c = ax > 10.0f ? 10.0f : ax;
    uint32_t b;
    float rl, hl, dl, ql;
    float r = flv_exp_reduce_f32(-2.0f * c, 126.0f, &b, &rl);
    float h = flv_expm1_half_f32(r, rl, b, &hl);
    float d = flv_fast_two_sum_f32(1.0f, h, &dl);
    float q = flv_div_f32(-h, -hl, d, dl + hl, &ql);
    float t = flv_from_bits_f32(flv_bits_f32(q + ql) | (flv_bits_f32(x) & 0x80000000u));
    return ax < 0x1p-14f ? x : t;
}

/* ---- exponential and logarithm ---- */

/* x = k ln 2 + r + *r_lo, |r| <= ln 2 / 2. Adding MAGIC rounds x / ln 2 to the integer k and leaves
   k + bias in the low bits of the sum. k times the high part of ln 2 is exact. */
FL_INLINE double flv_exp_reduce_f64(double x, double bias, uint64_t *bits, double *r_lo) {
    const double magic = 0x1.8p52 + bias;
    double t = fl_mul_add_f64(x, 0x1.71547652b82fep+0, magic);
    double k = t - magic;
    double h = fl_mul_add_f64(k, -0x1.62e42fefa38p-1, x);
    double r = fl_mul_add_f64(k, -0x1.ef35793c7673p-45, h);
    *bits = flv_bits_f64(t);
    *r_lo = fl_mul_add_f64(k, -0x1.ef35793c7673p-45, h - r);
    return r;
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2. */
FL_INLINE double flv_exp_poly_f64(double r) {
    double r2 = r * r;
    double p = 0x1.af5f7fc533193p-26;
    p = fl_mul_add_f64(p, r2, 0x1.71ddf7e658981p-19);
    p = fl_mul_add_f64(p, r2, 0x1.a01a01b0104a6p-13);
    p = fl_mul_add_f64(p, r2, 0x1.111111110f641p-7);
    p = fl_mul_add_f64(p, r2, 0x1.5555555555559p-3);
    double p_odd = 0x1.1f95697ed80d6p-29;
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.27e4c6054cbe9p-22);
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.a01a01b0350b8p-16);
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.6c16c16c147f8p-10);
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.5555555555559p-5);
    p = fl_mul_add_f64(p_odd, r, p);
    return fl_mul_add_f64(p, r, 0.5);
}

/* 2^k e^(r + rl). The scale is applied in two halves, so that only the last product can overflow or
   become subnormal. */
FL_INLINE double flv_exp_scale_f64(double r, double rl, uint64_t b) {
    double sl;
    double s = flv_fast_two_sum_f64(1.0, r, &sl);
    double m = s + (sl + fl_mul_add_f64(r * r, flv_exp_poly_f64(r), rl));
    uint64_t half = b >> 1;
    return m * flv_from_bits_f64(half << 52) * flv_from_bits_f64((b - half) << 52);
}

FL_INLINE double flv_exp_clamp_f64(double x, double low) {
    double c = x < low ? low : x;
    return c > 710.0 ? 710.0 : c;
}

FL_INLINE double fl_exp_f64(double x) {
    uint64_t b;
    double rl;
    double r = flv_exp_reduce_f64(flv_exp_clamp_f64(x, -746.0), 2046.0, &b, &rl);
    return flv_exp_scale_f64(r, rl, b);
}

/* (2^k e^(r + rl) - 1) / 2 as result + *lo; the half keeps 2^(k-1) finite for every k. */
FL_INLINE double flv_expm1_half_f64(double r, double rl, uint64_t b, double *lo) {
    double scale = flv_from_bits_f64(b << 52);
    double al, sl;
    double a = fl_two_sum_f64(scale, -0.5, &al);
    double s = flv_fast_two_sum_f64(a, scale * r, &sl);
    double tail = fl_mul_add_f64(r * r, flv_exp_poly_f64(r), rl);
    return flv_fast_two_sum_f64(s, sl + fl_mul_add_f64(scale, tail, al), lo);
}

FL_INLINE double fl_expm1_f64(double x) {
    uint64_t b;
    double rl, lo;
    double r = flv_exp_reduce_f64(flv_exp_clamp_f64(x, -40.0), 1022.0, &b, &rl);
    double e = 2.0 * flv_expm1_half_f64(r, rl, b, &lo);
    /* Half of a subnormal is not exact, and -0 must stay -0. */
    double ax = flv_from_bits_f64(flv_bits_f64(x) & 0x7fffffffffffffffu);
    return ax < 0x1p-100 ? x : e;
}

/* tanh|x| = -h / (1 + h), h = expm1(-2|x|) / 2. */
FL_INLINE double fl_tanh_f64(double x) {
    double ax = flv_from_bits_f64(flv_bits_f64(x) & 0x7fffffffffffffffu);
    double c = ax > 22.0 ? 22.0 : ax;
    uint64_t b;
    double rl, hl, dl, ql;
    double r = flv_exp_reduce_f64(-2.0 * c, 1022.0, &b, &rl);
    double h = flv_expm1_half_f64(r, rl, b, &hl);
    double d = flv_fast_two_sum_f64(1.0, h, &dl);
    double q = flv_div_f64(-h, -hl, d, dl + hl, &ql);
    double t = flv_from_bits_f64(flv_bits_f64(q + ql) | (flv_bits_f64(x) & 0x8000000000000000u));
    return ax < 0x1p-29 ? x : t;
}

/* log(u) + c + koff ln 2 for normal u: u = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)],
   log(1 + f) = f - f^2/2 + f^3 P(f) without division. */
FL_INLINE float flv_log_core_f32(float u, float c, float koff) {
    uint32_t b = flv_bits_f32(u) - 0x3f3504f3u + 0x3f800000u;
    float f = flv_from_bits_f32((b & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float k = flv_from_bits_f32((b >> 23) | 0x4b000000u) - 8388735.0f - koff;
    float p = -0x1.4205p-4f;
    p = fl_mul_add_f32(p, f, 0x1.07d80ep-3f);
    p = fl_mul_add_f32(p, f, -0x1.0cdf1cp-3f);
    p = fl_mul_add_f32(p, f, 0x1.226cfap-3f);
    p = fl_mul_add_f32(p, f, -0x1.54789p-3f);
    p = fl_mul_add_f32(p, f, 0x1.99a5aap-3f);
    p = fl_mul_add_f32(p, f, -0x1.00022p-2f);
    p = fl_mul_add_f32(p, f, 0x1.55554ap-2f);
    float sl;
    float s = flv_fast_two_sum_f32(k * 0x1.62e4p-1f, f, &sl);
    float tail = fl_mul_add_f32(f * f, fl_mul_add_f32(p, f, -0.5f), c);
    return s + (sl + fl_mul_add_f32(k, 0x1.7f7d1cp-20f, tail));
}

/* As for f32, with s = f / (2 + f): log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 P(s^2)). The division
   is cheaper than the twice longer polynomial in f. */
FL_INLINE double flv_log_core_f64(double u, double c, double koff) {
    uint64_t b = flv_bits_f64(u) - 0x3fe6a09e667f3bcdu + 0x3ff0000000000000u;
    double f = flv_from_bits_f64((b & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    double k = flv_from_bits_f64((b >> 52) | 0x4330000000000000u) - 4503599627371519.0 - koff;
    double q = f / (2.0 + f);
    double z = q * q;
    double p = 0x1.2f034789031dep-3;
    p = fl_mul_add_f64(p, z, 0x1.39a1f3cd88f95p-3);
    p = fl_mul_add_f64(p, z, 0x1.74663c8552e73p-3);
    p = fl_mul_add_f64(p, z, 0x1.c71c521625e21p-3);
    p = fl_mul_add_f64(p, z, 0x1.24924941df623p-2);
    p = fl_mul_add_f64(p, z, 0x1.999999997ff32p-2);
    p = fl_mul_add_f64(p, z, 0x1.5555555555592p-1);
    double hfsq = 0.5 * f * f;
    double sl;
    double s = flv_fast_two_sum_f64(k * 0x1.62e42fefa38p-1, f, &sl);
    double tail = fl_mul_add_f64(q, fl_mul_add_f64(z, p, hfsq), c) - hfsq;
    return s + (sl + fl_mul_add_f64(k, 0x1.ef35793c7673p-45, tail));
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

FL_INLINE float fl_log1p_f32(float x) {
    float r = flv_log_special_f32(1.0f + x, fl_log1p_within_f32(x));
    return x == 0.0f ? x : r;
}

/* r where x > 0 is finite, else what log has there. */
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

/* log(u + c) = log(u) + c/u, u + c = 1 + x exactly, for finite x > -1. */
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

/* e^a = scale (1 + q) for a <= 0, scale a power of two. */
FL_INLINE float flv_exp_nonpositive_f32(float a, float *scale) {
    const float magic = 0x1.8p23f + 159.0f;
    a = a < -104.0f ? -104.0f : a;
    float t = fl_mul_add_f32(a, 0x1.715476p+0f, magic);
    float k = t - magic;
    /* 2^k may be subnormal: harmless, it is exact and multiplies last (2^-150, which is not,
       occurs only where the result is at most 0.71 of the smallest number). */
    *scale = flv_from_bits_f32(flv_bits_f32(t) << 23) * 0x1p-32f;
    float r = fl_mul_add_f32(k, -0x1.62e4p-1f, a);
    r = fl_mul_add_f32(k, -0x1.7f7d1cp-20f, r);
    float p = 0x1.6db37cp-10f;
    p = fl_mul_add_f32(p, r, 0x1.123bd6p-7f);
    p = fl_mul_add_f32(p, r, 0x1.55546p-5f);
    p = fl_mul_add_f32(p, r, 0x1.55548ep-3f);
    p = fl_mul_add_f32(p, r, 0.5f);
    return fl_mul_add_f32(r * r, p, r);
}

/* e^a for a <= 0, in about half the time of fl_exp_f32. */
FL_INLINE float fl_exp_nonpositive_f32(float a) {
    float scale;
    float q = flv_exp_nonpositive_f32(a, &scale);
    return fl_mul_add_f32(q, scale, scale);
}

/* e^a for a <= 0 as a term of a sum of at least 1, in about a third of the time of fl_exp_f32: the
   relative error grows as |a| 2^-24, and what is below 2^-126.5 is 0. */
FL_INLINE float fl_exp_in_sum_f32(float a) {
    const float magic = 0x1.8p23f + 127.0f;
    float x = a * 0x1.715476p+0f;
    x = x < -127.0f ? -127.0f : x;
    float t = x + magic;
    float r = x - (t - magic);
    float p = 0x1.5bba14p-10f;
    p = fl_mul_add_f32(p, r, 0x1.3cea88p-7f);
    p = fl_mul_add_f32(p, r, 0x1.c6b752p-5f);
    p = fl_mul_add_f32(p, r, 0x1.ebf9bcp-3f);
    p = fl_mul_add_f32(p, r, 0x1.62e42ap-1f);
    p = fl_mul_add_f32(p, r, 1.0f);
    return p * flv_from_bits_f32(flv_bits_f32(t) << 23);
}

/* log1p(e^-|z|) and e^-|z| / (1 + e^-|z|). With e = 2^k (1 + q) the first is 2^k (L + q L),
   L(e) = log1p(e) / e as a polynomial about the middle of [0, 1], so that the rounding of e counts
   little. The second is 2^k (1 + u) / d, d the rounded 1 + e: u is q less the relative error of d. */
FL_INLINE void fl_logistic_f32(float z, float *softplus_neg, float *sigmoid_neg) {
    float scale;
    float q = flv_exp_nonpositive_f32(-__builtin_fabsf(z), &scale);
    float e = fl_mul_add_f32(q, scale, scale);
    float v = e - 0x1.f0a3d8p-2f;
    float l = -0x1.ab8aa4p-9f;
    l = fl_mul_add_f32(l, v, 0x1.733638p-8f);
    l = fl_mul_add_f32(l, v, -0x1.e47532p-8f);
    l = fl_mul_add_f32(l, v, 0x1.9429d2p-7f);
    l = fl_mul_add_f32(l, v, -0x1.62b1bp-6f);
    l = fl_mul_add_f32(l, v, 0x1.390f4p-5f);
    l = fl_mul_add_f32(l, v, -0x1.1e7192p-4f);
    l = fl_mul_add_f32(l, v, 0x1.15ecaap-3f);
    l = fl_mul_add_f32(l, v, -0x1.2b92a4p-2f);
    l = fl_mul_add_f32(l, v, 0x1.a16d74p-1f);
    *softplus_neg = fl_mul_add_f32(q, l, l) * scale;
    float d = 1.0f + e;
    float inv = 1.0f / d;
    float u = fl_mul_add_f32((d - 1.0f) - e, inv, q);
    *sigmoid_neg = fl_mul_add_f32(u, inv, inv) * scale;
}

FL_INLINE float fl_softplus_f32(float x) {
    float sp, sn;
    fl_logistic_f32(x, &sp, &sn);
    return (x < 0.0f ? 0.0f : x) + sp;
}

FL_INLINE float fl_sigmoid_f32(float x) {
    float sp, sn;
    fl_logistic_f32(x, &sp, &sn);
    return x < 0.0f ? sn : 1.0f - sn;
}

/* log1p(e^-|z|) and e^-|z| / (1 + e^-|z|). With e = 2^k h, h = 1 + q, the first is 2^k h L(e),
   L(e) = log1p(e) / e, summed as 2^k (c + (w + q (c + w))), L(e) = c + w: c = L(e0) near the middle
   of [0, 1] makes |w| < 0.2, so the roundings of h and w count little and h needs no low part. */
FL_INLINE void flv_logistic_f64(double z, double *softplus_neg, double *softplus_lo, double *sigmoid_neg) {
    const double magic = 0x1.8p52 + 1087.0;
    double a = flv_from_bits_f64(flv_bits_f64(z) | 0x8000000000000000u);
    a = a < -746.0 ? -746.0 : a;
    double t = fl_mul_add_f64(a, 0x1.71547652b82fep+0, magic);
    double k = t - magic;
    /* 2^k may be subnormal: harmless, it is exact and multiplies last (2^-1075, which is not,
       occurs only where the result is at most 0.71 of the smallest number). */
    double scale = flv_from_bits_f64(flv_bits_f64(t) << 52) * 0x1p-64;
    double r_hi = fl_mul_add_f64(k, -0x1.62e42fefa38p-1, a);
    double r_lo = k * 0x1.ef35793c7673p-45;
    double r = r_hi - r_lo;
    double r2 = r * r;
    double p = 0x1.af5f7fc533193p-26;
    p = fl_mul_add_f64(p, r2, 0x1.71ddf7e658981p-19);
    p = fl_mul_add_f64(p, r2, 0x1.a01a01b0104a6p-13);
    p = fl_mul_add_f64(p, r2, 0x1.111111110f641p-7);
    p = fl_mul_add_f64(p, r2, 0x1.5555555555559p-3);
    double p_odd = 0x1.1f95697ed80d6p-29;
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.27e4c6054cbe9p-22);
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.a01a01b0350b8p-16);
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.6c16c16c147f8p-10);
    p_odd = fl_mul_add_f64(p_odd, r2, 0x1.5555555555559p-5);
    p = fl_mul_add_f64(p_odd, r, p);
    p = fl_mul_add_f64(p, r, 0.5);
    double q_lo = fl_mul_add_f64(r * r, p, -r_lo);
    double q = r_hi + q_lo;
    double h = 1.0 + q;
    double v = fl_mul_add_f64(h, scale, -0x1.fd03da287dd48p-2);
    double v2 = v * v;
    double w = -0x1.0f3755b486f8cp-16;
    w = fl_mul_add_f64(w, v2, -0x1.39551062df16p-16);
    w = fl_mul_add_f64(w, v2, -0x1.e8117d1cab447p-15);
    w = fl_mul_add_f64(w, v2, -0x1.2b186899f9d7p-13);
    w = fl_mul_add_f64(w, v2, -0x1.7e66736664b76p-12);
    w = fl_mul_add_f64(w, v2, -0x1.f193d3a27a19bp-11);
    w = fl_mul_add_f64(w, v2, -0x1.4c756b0ff5901p-9);
    w = fl_mul_add_f64(w, v2, -0x1.cd8b81476190bp-8);
    w = fl_mul_add_f64(w, v2, -0x1.54154abec2137p-6);
    w = fl_mul_add_f64(w, v2, -0x1.1702275f8d7cdp-4);
    w = fl_mul_add_f64(w, v2, -0x1.283ec49f2e0cp-2);
    double w_odd = 0x1.b4d2f7cabbba9p-16;
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.de6591f9c6b62p-16);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.844cef0244653p-14);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.dc82eadca4134p-13);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.339af55e871f4p-11);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.9523edad0f4d9p-10);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.136423f99bb89p-8);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.88722dd1defa2p-7);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.2e63e49890e86p-5);
    w_odd = fl_mul_add_f64(w_odd, v2, 0x1.10cd0755f12bdp-3);
    w = fl_mul_add_f64(w_odd, v, w);
    w *= v;
    double y_lo;
    *softplus_neg =
        flv_fast_two_sum_f64(0x1.9fa0a1c38ac84p-1, fl_mul_add_f64(q, 0x1.9fa0a1c38ac84p-1 + w, w), &y_lo) *
        scale;
    *softplus_lo = y_lo * scale;
    double h_lo = (q - (h - 1.0)) + (q_lo - (q - r_hi));
    double dl, sl;
    double d = flv_fast_two_sum_f64(1.0, h * scale, &dl);
    double s = flv_div_f64(h, h_lo, d, fl_mul_add_f64(h_lo, scale, dl), &sl);
    *sigmoid_neg = (s + sl) * scale;
}

FL_INLINE void fl_logistic_f64(double z, double *softplus_neg, double *sigmoid_neg) {
    double lo;
    flv_logistic_f64(z, softplus_neg, &lo, sigmoid_neg);
}

/* The low part keeps the sum from being rounded twice. */
FL_INLINE double fl_softplus_f64(double x) {
    double sp, sp_lo, sn, lo;
    flv_logistic_f64(x, &sp, &sp_lo, &sn);
    double m = x > 0.0 ? x : 0.0;
    double s = fl_two_sum_f64(m, sp, &lo);
    return m < (double)__builtin_inf() ? s + (lo + sp_lo) : m;
}

FL_INLINE double fl_sigmoid_f64(double x) {
    double sp, sn;
    fl_logistic_f64(x, &sp, &sn);
    return x < 0.0 ? sn : 1.0 - sn;
}

/* |x| > tan(3pi/8): pi/2 + atan(-1/x); > tan(pi/8): pi/4 + atan((x-1)/(x+1)); else atan(x). One
   division serves all three, its quotient kept as t + tl. */
FL_INLINE float fl_atan_f32(float x) {
    float a = flv_from_bits_f32(flv_bits_f32(x) & 0x7fffffffu);
    a = a > 0x1p30f ? 0x1p30f : a;
    float m = a - 1.0f, p1 = a + 1.0f;
    float ml = a - (m + 1.0f), pl = a - (p1 - 1.0f);
    float n = a > 0x1.a8279ap-2f ? m : a, nl = a > 0x1.a8279ap-2f ? ml : 0.0f;
    float d = a > 0x1.a8279ap-2f ? p1 : 1.0f, dl = a > 0x1.a8279ap-2f ? pl : 0.0f;
    float off = a > 0x1.a8279ap-2f ? 0x1.921fb6p-1f : 0.0f,
          off_lo = a > 0x1.a8279ap-2f ? -0x1.777a5cp-26f : 0.0f;
    n = a > 0x1.3504f4p+1f ? -1.0f : n;
    nl = a > 0x1.3504f4p+1f ? 0.0f : nl;
    d = a > 0x1.3504f4p+1f ? a : d;
    dl = a > 0x1.3504f4p+1f ? 0.0f : dl;
    off = a > 0x1.3504f4p+1f ? 0x1.921fb6p+0f : off;
    off_lo = a > 0x1.3504f4p+1f ? -0x1.777a5cp-25f : off_lo;
    float ql, tl, sl;
    float q = flv_div_f32(n, nl, d, dl, &ql);
    float t = flv_fast_two_sum_f32(q, ql, &tl);
    float z = t * t;
    float p = -0x1.f31f1p-5f;
    p = fl_mul_add_f32(p, z, 0x1.b22f06p-4f);
    p = fl_mul_add_f32(p, z, -0x1.23ba44p-3f);
    p = fl_mul_add_f32(p, z, 0x1.9991e8p-3f);
    p = fl_mul_add_f32(p, z, -0x1.55554ap-2f);
    float s = flv_fast_two_sum_f32(off, t, &sl);
    float r = s + (sl + (fl_mul_add_f32(t * z, p, tl) + off_lo));
    return flv_from_bits_f32(flv_bits_f32(r) | (flv_bits_f32(x) & 0x80000000u));
}

/* |x| > tan(3pi/8): pi/2 + atan(-1/x); > tan(pi/8): pi/4 + atan((x-1)/(x+1)); else atan(x). One
   division serves all three, its quotient kept as t + tl. */
FL_INLINE double fl_atan_f64(double x) {
    double a = flv_from_bits_f64(flv_bits_f64(x) & 0x7fffffffffffffffu);
    a = a > 0x1p62 ? 0x1p62 : a;
    double m = a - 1.0, p1 = a + 1.0;
    double ml = a - (m + 1.0), pl = a - (p1 - 1.0);
    double n = a > 0x1.a827999fcef32p-2 ? m : a, nl = a > 0x1.a827999fcef32p-2 ? ml : 0.0;
    double d = a > 0x1.a827999fcef32p-2 ? p1 : 1.0, dl = a > 0x1.a827999fcef32p-2 ? pl : 0.0;
    double off = a > 0x1.a827999fcef32p-2 ? 0x1.921fb54442d18p-1 : 0.0,
           off_lo = a > 0x1.a827999fcef32p-2 ? 0x1.1a62633145c07p-55 : 0.0;
    n = a > 0x1.3504f333f9de6p+1 ? -1.0 : n;
    nl = a > 0x1.3504f333f9de6p+1 ? 0.0 : nl;
    d = a > 0x1.3504f333f9de6p+1 ? a : d;
    dl = a > 0x1.3504f333f9de6p+1 ? 0.0 : dl;
    off = a > 0x1.3504f333f9de6p+1 ? 0x1.921fb54442d18p+0 : off;
    off_lo = a > 0x1.3504f333f9de6p+1 ? 0x1.1a62633145c07p-54 : off_lo;
    double ql, tl, sl;
    double q = flv_div_f64(n, nl, d, dl, &ql);
    double t = flv_fast_two_sum_f64(q, ql, &tl);
    double z = t * t;
    double p = -0x1.259bf45b52d84p-6;
    p = fl_mul_add_f64(p, z, 0x1.37ec5f8698194p-5);
    p = fl_mul_add_f64(p, z, -0x1.9cdbaf43887f7p-5);
    p = fl_mul_add_f64(p, z, 0x1.df1144e5a3e44p-5);
    p = fl_mul_add_f64(p, z, -0x1.10ebda94b98a7p-4);
    p = fl_mul_add_f64(p, z, 0x1.3b111c0de6914p-4);
    p = fl_mul_add_f64(p, z, -0x1.745cf904ee656p-4);
    p = fl_mul_add_f64(p, z, 0x1.c71c70e75be5ep-4);
    p = fl_mul_add_f64(p, z, -0x1.24924922b0347p-3);
    p = fl_mul_add_f64(p, z, 0x1.99999999958b8p-3);
    p = fl_mul_add_f64(p, z, -0x1.555555555553dp-2);
    double s = flv_fast_two_sum_f64(off, t, &sl);
    double r = s + (sl + (fl_mul_add_f64(t * z, p, tl) + off_lo));
    return flv_from_bits_f64(flv_bits_f64(r) | (flv_bits_f64(x) & 0x8000000000000000u));
}

/* ---- double-double ---- */

/* a rounded to 26 bits; a minus that has 26 bits as well. Done on the bits because Veltkamp's
   multiplication by 2^27 + 1 overflows from 2^996 on; this one only from 2^1024 - 2^997 on. */
FL_INLINE double flv_split_f64(double a) {
    return flv_from_bits_f64((flv_bits_f64(a) + 0x4000000u) & 0xfffffffff8000000u);
}

/* a * b = result + *lo exactly for |a|, |b| < 2^1023 and 2^-969 <= |a b| < 2^1023 (below, *lo is
   off by at most a few 2^-1074). Where the product overflows *lo is meaningless, perhaps NaN. */
FL_INLINE double fl_two_prod_f64(double a, double b, double *lo) {
    double p = a * b;
#if FL_HAVE_FMA
    *lo = __builtin_fma(a, b, -p);
#else
    double ah = flv_split_f64(a), al = a - ah;
    double bh = flv_split_f64(b), bl = b - bh;
    *lo = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
#endif
    return p;
}

/* exp_reduce of hi + lo; lo counts for nothing where hi is clamped (and may be NaN there). */
FL_INLINE double flv_exp_reduce_sum_f64(double hi, double lo, double low, double bias, uint64_t *bits,
                                        double *r_lo) {
    double c = flv_exp_clamp_f64(hi, low);
    double rl;
    double r = flv_exp_reduce_f64(c, bias, bits, &rl);
    return flv_fast_two_sum_f64(r, rl + (c == hi ? lo : 0.0), r_lo);
}

/* exp(hi + lo), |lo| << |hi|. */
FL_INLINE double fl_exp_sum_f64(double hi, double lo) {
    uint64_t b;
    double rl;
    double r = flv_exp_reduce_sum_f64(hi, lo, -746.0, 2046.0, &b, &rl);
    return flv_exp_scale_f64(r, rl, b);
}

/* exp(hi + lo) - 1, |lo| << |hi|. */
FL_INLINE double fl_expm1_sum_f64(double hi, double lo) {
    uint64_t b;
    double rl, l;
    double r = flv_exp_reduce_sum_f64(hi, lo, -40.0, 1022.0, &b, &rl);
    double e = 2.0 * flv_expm1_half_f64(r, rl, b, &l);
    double ah = flv_from_bits_f64(flv_bits_f64(hi) & 0x7fffffffffffffffu);
    return ah < 0x1p-100 ? hi + lo : e;
}

/* log(hi + lo), hi > 0: with 1 + f = (hi + lo) / 2^k and s = f / (2 + f) in double-double,
   log = k ln 2 + 2s + s (z (2/3 + z (2/5 + z P(z)))), z = s^2 <= 0.0295: only z^3 P(z) is plain
   double, its rounding errors are below 2^-70 of the sum. */
FL_INLINE double fl_log_dd_f64(double hi, double lo, double *out_lo) {
    /* Away from the ends of the range first, so that 2^-k below is a normal number. */
    double pre = hi < 0x1p-900 ? 0x1p200 : 1.0, koff = hi < 0x1p-900 ? 200.0 : 0.0;
    pre = hi > 0x1p900 ? 0x1p-200 : pre;
    koff = hi > 0x1p900 ? -200.0 : koff;
    uint64_t b = flv_bits_f64(hi * pre) - 0x3fe6a09e667f3bcdu + 0x3ff0000000000000u;
    double k = flv_from_bits_f64((b >> 52) | 0x4330000000000000u) - 4503599627371519.0 - koff;
    double mh = flv_from_bits_f64((b & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
    double ml = lo * pre * flv_from_bits_f64(0x7fe0000000000000u - (b & 0x7ff0000000000000u));
    double fl, dl, pl, zl, wl, ul, vl, ql, ll, rl;
    double f = fl_two_sum_f64(mh - 1.0, ml, &fl);
    double d = flv_fast_two_sum_f64(2.0, f, &dl);
    double inv = 1.0 / d;
    double s = f * inv;
    double p = fl_two_prod_f64(s, d, &pl);
    double sl = (((f - p) - pl) + (fl - s * (dl + fl))) * inv;
    double z = fl_two_prod_f64(s, s, &zl);
    zl += 2.0 * s * sl;
    double c = 0x1.c05fdffe51f9p-4;
    c = fl_mul_add_f64(c, z, 0x1.ab526e2b32077p-4);
    c = fl_mul_add_f64(c, z, 0x1.e2052519de1ddp-4);
    c = fl_mul_add_f64(c, z, 0x1.1110b0107f29ep-3);
    c = fl_mul_add_f64(c, z, 0x1.3b13b280e9cd2p-3);
    c = fl_mul_add_f64(c, z, 0x1.745d174349807p-3);
    c = fl_mul_add_f64(c, z, 0x1.c71c71c71f24p-3);
    c = fl_mul_add_f64(c, z, 0x1.2492492492489p-2);
    double w = flv_fast_two_sum_f64(0x1.999999999999ap-2, c * z - 0x1.999999999999ap-56, &wl);
    p = fl_two_prod_f64(z, w, &pl);
    pl += z * wl + zl * w;
    double u = flv_fast_two_sum_f64(0x1.5555555555555p-1, p, &ul);
    ul += pl + 0x1.5555555555555p-55;
    double v = fl_two_prod_f64(z, u, &vl);
    vl += z * ul + zl * u;
    double q = fl_two_prod_f64(s, v, &ql);
    ql += s * vl + sl * v;
    double l = flv_fast_two_sum_f64(2.0 * s, q, &ll);
    ll += 2.0 * sl + ql;
    double r = flv_fast_two_sum_f64(k * 0x1.62e42fefa38p-1, l, &rl);
    r = flv_fast_two_sum_f64(r, rl + (ll + k * 0x1.ef35793c7673p-45), &rl);
    int ok = (hi > 0.0) & (hi < __builtin_inf());
    *out_lo = ok ? rl : 0.0;
    return flv_log_special_f64(hi, r);
}

/* p * log(hi + lo) as result + *lo. p is clamped where the split of a product would overflow. */
FL_INLINE double flv_pow_exponent_f64(double hi, double lo, double p, double *y_lo) {
    double ll, yl;
    double l = fl_log_dd_f64(hi, lo, &ll);
    p = p > 0x1p1022 ? 0x1p1022 : p;
    p = p < -0x1p1022 ? -0x1p1022 : p;
    double y = fl_two_prod_f64(p, l, &yl);
    *y_lo = yl + p * ll;
    return y;
}

/* (hi + lo)^p; as in C, p = 0 gives 1 for every base, NaN included. */
FL_INLINE double fl_pow_f64(double hi, double lo, double p) {
    double yl;
    double y = flv_pow_exponent_f64(hi, lo, p, &yl);
    double r = fl_exp_sum_f64(y, yl);
    return p == 0.0 ? 1.0 : r;
}

/* (hi + lo)^p - 1. */
FL_INLINE double fl_powm1_f64(double hi, double lo, double p) {
    double yl;
    double y = flv_pow_exponent_f64(hi, lo, p, &yl);
    double r = fl_expm1_sum_f64(y, yl);
    return p == 0.0 ? 0.0 : r;
}

/* ---- Taylor series of what cancels ---- */

/* (e^z - 1 - z) / z for |z| <= 1: the Taylor series, nested, to z^18. */
FL_INLINE double fl_exp_tail_f64(double z) {
    double p = 1.0 + z * (1.0 / 19.0);
    p = 1.0 + z * (1.0 / 18.0) * p;
    p = 1.0 + z * (1.0 / 17.0) * p;
    p = 1.0 + z * (1.0 / 16.0) * p;
    p = 1.0 + z * (1.0 / 15.0) * p;
    p = 1.0 + z * (1.0 / 14.0) * p;
    p = 1.0 + z * (1.0 / 13.0) * p;
    p = 1.0 + z * (1.0 / 12.0) * p;
    p = 1.0 + z * (1.0 / 11.0) * p;
    p = 1.0 + z * (1.0 / 10.0) * p;
    p = 1.0 + z * (1.0 / 9.0) * p;
    p = 1.0 + z * (1.0 / 8.0) * p;
    p = 1.0 + z * (1.0 / 7.0) * p;
    p = 1.0 + z * (1.0 / 6.0) * p;
    p = 1.0 + z * (1.0 / 5.0) * p;
    p = 1.0 + z * 0.25 * p;
    p = 1.0 + z * (1.0 / 3.0) * p;
    return 0.5 * z * p;
}

/* (s - log1p(s)) / s^2 for 0 <= s <= 1/64: the Taylor series to s^10. */
FL_INLINE double fl_log1p_tail_f64(double s) {
    double p = (1.0 / 11.0) - s * (1.0 / 12.0);
    p = (1.0 / 10.0) - s * p;
    p = (1.0 / 9.0) - s * p;
    p = 0.125 - s * p;
    p = (1.0 / 7.0) - s * p;
    p = (1.0 / 6.0) - s * p;
    p = 0.2 - s * p;
    p = 0.25 - s * p;
    p = (1.0 / 3.0) - s * p;
    return 0.5 - s * p;
}

/* ---- float16 and bfloat16 bit patterns ---- */

/* Integer and normal-range arithmetic only, so it also holds with denormals flushed to zero. */
FL_INLINE float fl_from_f16(uint16_t h) {
    uint32_t a = h & 0x7fffu;
    uint32_t n = (a << 13) + (112u << 23);
    n = (int32_t)a >= 0x7c00 ? n + (112u << 23) : n;
    uint32_t s = flv_bits_f32((float)(int32_t)a * 0x1p-24f);
    n = (int32_t)a < 0x0400 ? s : n;
    return flv_from_bits_f32(n | ((uint32_t)(h & 0x8000u) << 16));
}

/* Round to nearest even. Subnormal results: the spacing of floats at 0.5 is that of subnormal
   float16, so adding 0.5 rounds. NaN becomes quiet and keeps the leading bits of its payload. */
FL_INLINE uint16_t fl_to_f16(float x) {
    uint32_t b = flv_bits_f32(x);
    uint32_t a = b & 0x7fffffffu;
    uint32_t n = (a - (112u << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13;
    n = (int32_t)a >= 0x47800000 ? 0x7c00u : n;
    uint32_t s = flv_bits_f32(flv_from_bits_f32(a) + 0.5f) - 0x3f000000u;
    n = (int32_t)a < 0x38800000 ? s : n;
    n = (int32_t)a > 0x7f800000 ? 0x7e00u | ((a >> 13) & 0x3ffu) : n;
    return (uint16_t)(n | ((b >> 16) & 0x8000u));
}

FL_INLINE float fl_from_bf16(uint16_t h) { return flv_from_bits_f32((uint32_t)h << 16); }

/* Round to nearest even; NaN as in fl_to_f16. */
FL_INLINE uint16_t fl_to_bf16(float x) {
    uint32_t b = flv_bits_f32(x);
    uint32_t n = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
    n = (int32_t)(b & 0x7fffffffu) > 0x7f800000 ? (b >> 16) | 0x40u : n;
    return (uint16_t)n;
}

/* Towards 0 unless exact, and then with the last bit set: what is rounded to nearest from this to 16 bits is
   rounded as from x itself, where a first rounding to nearest could make a tie. */
FL_INLINE float fl_round_to_odd(double x) {
    float f = (float)x;
    double magnitude = x < 0.0 ? -x : x, rounded = f < 0.0f ? -(double)f : (double)f;
    uint32_t b = flv_bits_f32(f) - (rounded > magnitude ? 1u : 0u);
    return flv_from_bits_f32(b | (rounded != magnitude ? 1u : 0u));
}

/* ---- double arithmetic for results that are rounded to float32 ----
 *
 * Relative error below 2^-32, a hundredth of a float32 unit, at about half the cost of full float64: short
 * polynomials and no low parts. Arguments are float32 numbers and what a few operations make of them, so
 * subnormal doubles do not occur. The exponential may saturate at e^+-300, which float32 rounds to infinity
 * and 0, and whose square or product with a float32 is no subnormal double: that would take long.
 * Polynomials are Chebyshev fits of (expm1(r) - r) / r^2 and (log1p(f) - f) / f^2, in even and odd halves:
 * where loops are short, it is the chain of dependent operations that takes the time. */

FL_INLINE double flv_exp_core_to_f32(double x, double *scale) {
    const double magic = 0x1.8p52 + 1023.0;
    x = x < -300.0 ? -300.0 : x;
    x = x > 300.0 ? 300.0 : x;
    double t = fl_mul_add_f64(x, 0x1.71547652b82fep+0, magic);
    double r = fl_mul_add_f64(t - magic, -0x1.62e42fefa39efp-1, x);
    double r2 = r * r;
    double p = fl_mul_add_f64(0.000198992855758962823, r2, 0.00833329846980058942);
    p = fl_mul_add_f64(p, r2, 0.166666667190289349);
    double q = fl_mul_add_f64(0.0000248595898345890544, r2, 0.00138888540356667097);
    q = fl_mul_add_f64(q, r2, 0.0416666667190122595);
    q = fl_mul_add_f64(q, r2, 0.5);
    p = fl_mul_add_f64(p, r, q);
    *scale = flv_from_bits_f64(flv_bits_f64(t) << 52);
    return fl_mul_add_f64(r2, p, r);
}

FL_INLINE double fl_exp_to_f32(double x) {
    double scale, p = flv_exp_core_to_f32(x, &scale);
    return fl_mul_add_f64(scale, p, scale);
}

FL_INLINE double fl_expm1_to_f32(double x) {
    double scale, p = flv_exp_core_to_f32(x, &scale);
    return fl_mul_add_f64(scale, p, scale - 1.0);
}

/* log(u + c), c a correction below the last place of u. */
FL_INLINE double flv_log_core_to_f32(double u, double c) {
    uint64_t b = flv_bits_f64(u) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    uint64_t k = b >> 52;
    double m = flv_from_bits_f64((b & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
    double n = flv_from_bits_f64(k | 0x4330000000000000u) - (0x1p52 + 1023.0);
    double f = fl_mul_add_f64(c, flv_from_bits_f64((2046u - k) << 52), m - 1.0);
    double f2 = f * f;
    double p = fl_mul_add_f64(0.0539312960781822572, f2, 0.0992387980292410169);
    p = fl_mul_add_f64(p, f2, 0.110284033068545247);
    p = fl_mul_add_f64(p, f2, 0.142891648001858551);
    p = fl_mul_add_f64(p, f2, 0.199999411308668217);
    p = fl_mul_add_f64(p, f2, 0.333333336196538239);
    double q = fl_mul_add_f64(-0.0977144935638276249, f2, -0.0993614137651327014);
    q = fl_mul_add_f64(q, f2, -0.124982388195808795);
    q = fl_mul_add_f64(q, f2, -0.166668238269265734);
    q = fl_mul_add_f64(q, f2, -0.249999976929936091);
    q = fl_mul_add_f64(q, f2, -0.500000000044563354);
    p = fl_mul_add_f64(p, f, q);
    return fl_mul_add_f64(n, 0x1.62e42fefa39efp-1, fl_mul_add_f64(f2, p, f));
}

FL_INLINE double fl_log_to_f32(double x) { return flv_log_special_f64(x, flv_log_core_to_f32(x, 0.0)); }

FL_INLINE double fl_log1p_within_to_f32(double x) {
    double u = 1.0 + x;
    return flv_log_core_to_f32(u, x - (u - 1.0));
}

FL_INLINE double fl_log1p_to_f32(double x) { return flv_log_special_f64(1.0 + x, fl_log1p_within_to_f32(x)); }

/* log1p(e^-|z|) and e^-|z| / (1 + e^-|z|), the first as e L(e), L(e) = log1p(e) / e a polynomial in
   e - 1/2. Its even and odd halves are apart, for a shorter chain of dependent operations. */
FL_INLINE void fl_logistic_to_f32(double z, double *softplus_neg, double *sigmoid_neg) {
    double e = fl_exp_to_f32(-__builtin_fabs(z));
    double v = e - 0.5, v2 = v * v;
    double p = 0.0008131218316598479;
    p = fl_mul_add_f64(p, v2, 0.00142785038183452191);
    p = fl_mul_add_f64(p, v2, 0.00415141829889506932);
    p = fl_mul_add_f64(p, v2, 0.0118324536188180369);
    p = fl_mul_add_f64(p, v2, 0.0366119098444786294);
    p = fl_mul_add_f64(p, v2, 0.132609752906594537);
    p = fl_mul_add_f64(p, v2, 0.810930216218416283);
    double q = -0.00128512698904462645;
    q = fl_mul_add_f64(q, v2, -0.00237285290296853093);
    q = fl_mul_add_f64(q, v2, -0.00696384495846029311);
    q = fl_mul_add_f64(q, v2, -0.0205474394317741052);
    q = fl_mul_add_f64(q, v2, -0.067688686781094956);
    q = fl_mul_add_f64(q, v2, -0.288527098707422219);
    *softplus_neg = e * fl_mul_add_f64(q, v, p);
    *sigmoid_neg = e / (1.0 + e);
}

FL_INLINE double fl_tanh_to_f32(double x) {
    double h = fl_expm1_to_f32(x > 0.0 ? -2.0 * x : 2.0 * x);
    double t = h / (h + 2.0);
    return x > 0.0 ? -t : t;
}

/* x^p, x >= 0. */
FL_INLINE double fl_pow_to_f32(double x, double p) {
    double r = fl_exp_to_f32(p * fl_log_to_f32(x));
    return p == 0.0 ? 1.0 : r;
}

/* ---- parts of results that are rounded to float32, to 2^-27 ---- */

/* log(1 + w) = k log(2) + f + f^2 P(f), 2^k (1 + f) = 1 + w, and w less it, which does not cancel;
   w >= 0. That the minimum is of integers keeps the compiler from a second path for it; infinity
   and NaN are added. */
FL_INLINE double fl_log1p_parts_to_f32(double w, double *tail) {
    uint64_t b = flv_bits_f64(w), most = 0x7e37e43c8800759cu; /* 1e300 */
    double v = flv_from_bits_f64(b < most ? b : most);
    double u = 1.0 + v;
    b = flv_bits_f64(u) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    uint64_t k = b >> 52;
    double m = flv_from_bits_f64((b & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
    double n = flv_from_bits_f64(k | 0x4330000000000000u) - (0x1p52 + 1023.0);
    double line = n * 0x1.62e42fefa39efp-1;
    double f = fl_mul_add_f64(v - (u - 1.0), flv_from_bits_f64((2046u - k) << 52), m - 1.0);
    double p = 0.0676902411381600151;
    p = fl_mul_add_f64(p, f, -0.115572878820158211);
    p = fl_mul_add_f64(p, f, 0.118121361423296504);
    p = fl_mul_add_f64(p, f, -0.124208144679089055);
    p = fl_mul_add_f64(p, f, 0.142323178595522209);
    p = fl_mul_add_f64(p, f, -0.16667536772428633);
    p = fl_mul_add_f64(p, f, 0.200014467222002315);
    p = fl_mul_add_f64(p, f, -0.250000109401006757);
    p = fl_mul_add_f64(p, f, 0.333333227936071026);
    p = fl_mul_add_f64(p, f, -0.499999999434963687);
    p = f * f * p;
    *tail = (w - f) - line - p;
    return fl_mul_add_f64(w, 1e-300, f + line + p);
}

/* e^z, e^z - 1 and e^z - 1 - z, which do not cancel, for z <= 700; all but infinite there. */
FL_INLINE double fl_exp_parts_to_f32(double z, double *less_one, double *tail) {
    const double magic = 0x1.8p52 + 1023.0;
    double c = z < -700.0 ? -700.0 : z;
    double t = fl_mul_add_f64(c, 0x1.71547652b82fep+0, magic);
    double r = fl_mul_add_f64(t - magic, -0x1.62e42fefa39efp-1, c);
    double scale = flv_from_bits_f64(flv_bits_f64(t) << 52);
    double p = 0.000198909808697503256;
    p = fl_mul_add_f64(p, r, 0.00139336410319867012);
    p = fl_mul_add_f64(p, r, 0.00833331093444886847);
    p = fl_mul_add_f64(p, r, 0.0416664650060400488);
    p = fl_mul_add_f64(p, r, 0.166666666816142557);
    p = fl_mul_add_f64(p, r, 0.500000001345772715);
    p = scale * (r * r) * p;
    *less_one = fl_mul_add_f64(scale, r, scale - 1.0) + p;
    *tail = p + (fl_mul_add_f64(scale, r, scale - 1.0) - z);
    return scale + (scale * r + p);
}

/* log(cosh(r)) / r^2 for v = r^2 <= 1. */
FL_INLINE double fl_log_cosh_near_to_f32(double v) {
    double p = -0.0000256173030983130486;
    p = fl_mul_add_f64(p, v, 0.000176198626717958642);
    p = fl_mul_add_f64(p, v, -0.000679409912203392327);
    p = fl_mul_add_f64(p, v, 0.0021612918980746728);
    p = fl_mul_add_f64(p, v, -0.00673979948172422117);
    p = fl_mul_add_f64(p, v, 0.0222214644893570719);
    p = fl_mul_add_f64(p, v, -0.0833332977609200636);
    return fl_mul_add_f64(p, v, 0.499999999722870006);
}

/* log(1 + e) for 0 <= e <= e^-2. */
FL_INLINE double fl_log1p_small_to_f32(double e) {
    double p = -0.11953338093275451;
    p = fl_mul_add_f64(p, e, 0.193315483918272626);
    p = fl_mul_add_f64(p, e, -0.249546332059638728);
    p = fl_mul_add_f64(p, e, 0.333319192211780492);
    p = fl_mul_add_f64(p, e, -0.499999837337193918);
    return fl_mul_add_f64(p, e, 0.999999999694749114) * e;
}

#endif
