// What all of the vector mathematics is made of: constants, bits, fused multiply-add, error-free sums,
// polynomials.

#ifndef FL_VECMATH_BASE_H
#define FL_VECMATH_BASE_H

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

/* ---- constants ---- */

/* 1 / ln 2, and ln 2 in two parts: integers up to the largest exponent times the high part are exact. */
static const float flv_log2e_f32 = 0x1.715476p+0f;
static const float flv_ln2_high_f32 = 0x1.62e4p-1f;
static const float flv_ln2_low_f32 = 0x1.7f7d1cp-20f;
static const double flv_log2e_f64 = 0x1.71547652b82fep+0;
static const double flv_ln2_high_f64 = 0x1.62e42fefa38p-1;
static const double flv_ln2_low_f64 = 0x1.ef35793c7673p-45;
static const double flv_ln2_f64 = 0x1.62e42fefa39efp-1;

/* Bits of the first number from sqrt(1/2) on. */
static const uint32_t flv_sqrt_half_bits_f32 = 0x3f3504f3u;
static const uint64_t flv_sqrt_half_bits_f64 = 0x3fe6a09e667f3bcdu;

/* Adding it rounds what is much smaller to an integer, which stands in the low bits of the sum. */
static const float flv_to_integer_f32 = 0x1.8p23f;
static const double flv_to_integer_f64 = 0x1.8p52;

/* Arguments are clamped to where results do not change any more: e^x is infinite, 0, next to nothing beside
   the 1 of e^x - 1; tanh x is 1. */
static const float flv_exp_most_f32 = 89.0f;
static const float flv_exp_least_f32 = -104.0f;
static const float flv_tanh_most_f32 = 10.0f;
static const double flv_exp_most_f64 = 710.0;
static const double flv_exp_least_f64 = -746.0;
static const double flv_expm1_least_f64 = -40.0;
static const double flv_tanh_most_f64 = 22.0;

/* ---- bits, fused multiply-add, error-free sums, polynomials ---- */

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

/* a*b + c as for f32. */
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

/* As for f32, cut to 26 bits. */
FL_INLINE double flv_div_f64(double n, double nl, double d, double dl, double *lo) {
    double inv = 1.0 / d;
    double q = flv_from_bits_f64(flv_bits_f64(n * inv) & 0xfffffffff8000000u);
    double dh = flv_from_bits_f64(flv_bits_f64(d) & 0xfffffffff8000000u);
    *lo = (((n - q * dh) - q * ((d - dh) + dl)) + nl) * inv;
    return q;
}

/* The power of two s with 1 <= s x < 2, for x from the smallest normal number to a quarter of the largest:
   what makes a number of any size one that squares and cubes of which are in range. */
FL_INLINE float fl_inverse_size_f32(float x) {
    return flv_from_bits_f32(0x7f000000u - (flv_bits_f32(x) & 0x7f800000u));
}

FL_INLINE double fl_inverse_size_f64(double x) {
    return flv_from_bits_f64(0x7fe0000000000000u - (flv_bits_f64(x) & 0x7ff0000000000000u));
}

/* The polynomial of the n coefficients c at x, by Horner's rule. The loops below are unrolled, and the
   coefficients constants, before the vectoriser comes. */
FL_INLINE float flv_horner_f32(const float *c, int n, float x) {
    float p = c[n - 1];
#pragma GCC unroll 32
    for (int i = n - 2; i >= 0; i--)
        p = fl_mul_add_f32(p, x, c[i]);
    return p;
}

FL_INLINE double flv_horner_f64(const double *c, int n, double x) {
    double p = c[n - 1];
#pragma GCC unroll 32
    for (int i = n - 2; i >= 0; i--)
        p = fl_mul_add_f64(p, x, c[i]);
    return p;
}

/* The same with even and odd powers apart: where loops are short, it is the chain of dependent operations
   that takes the time. */
FL_INLINE double flv_even_odd_f64(const double *c, int n, double x) {
    double x2 = x * x, p = c[n - 1], q = c[n - 2];
#pragma GCC unroll 32
    for (int i = n - 3; i >= 0; i -= 2)
        p = fl_mul_add_f64(p, x2, c[i]);
#pragma GCC unroll 32
    for (int i = n - 4; i >= 0; i -= 2)
        q = fl_mul_add_f64(q, x2, c[i]);
    return n % 2 ? fl_mul_add_f64(q, x, p) : fl_mul_add_f64(p, x, q);
}

#define FLV_COUNT(c) ((int)(sizeof(c) / sizeof *(c)))
#define FLV_HORNER_F32(c, x) flv_horner_f32(c, FLV_COUNT(c), x)
#define FLV_HORNER_F64(c, x) flv_horner_f64(c, FLV_COUNT(c), x)
#define FLV_EVEN_ODD_F64(c, x) flv_even_odd_f64(c, FLV_COUNT(c), x)

#endif
