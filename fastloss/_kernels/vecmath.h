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
 * <accuracy>
 * Largest error found with FMA and without, in units in the last place of the exact result, or relative to it
 * (powers of 2); 0 where no bit may differ. Functions of one float32 were measured at all of them, the others
 * at millions of points.
 *
 *                                       FMA     none   arguments
 * exp_f32                              0.77     0.77
 * exp_nonpositive_f32                  1.05     1.02   x <= 0
 * exp_in_sum_f32                       1.81     1.92   -87 <= x < 0, over 1 + |x|
 * log_f32                              0.94     0.96
 * log1p_within_f32                     0.96     1.02   -1 < x < inf
 * tanh_f32                             0.76     0.77
 * logistic_f32, softplus               1.55     1.84
 * logistic_f32, sigmoid                1.71     2.03
 * mul_add_f32                          0.50     1.00   all > 0
 * exp_f64                              0.75     0.77
 * log_f64                              0.86     0.86
 * log1p_f64                            0.87     0.90
 * log1p_within_f64                     0.88     0.88   -1 < x < inf
 * tanh_f64                             0.81     0.80
 * logistic_f64, softplus               1.19     1.44
 * logistic_f64, sigmoid                0.77     0.78
 * exp_tail_f64                         1.80     1.80   |z| <= 1
 * log1p_tail_f64                       0.53     0.53   0 < s <= 1/64
 * mul_add_f64                          0.50     1.00   all > 0
 * two_sum_f64                             0        0   |a + b| < inf
 * two_prod_f64                            0        0   2^-960 <= |a b| <= 2^1000
 * finite_or_zero_f64                      0        0
 * quotient_f64                     2^-103.7 2^-103.7   2^-800 <= |hi / d| <= 2^800
 * square_f64                       2^-103.6 2^-103.6   2^-450 <= |hi| <= 2^500
 * divided_f64                          1.00     1.00   2^-800 <= |n / d| <= 2^800
 * exp_hilo_f64                         0.76     0.76
 * expm1_hilo_f64                       1.10     1.09
 * log_dd_f64                        2^-68.3  2^-68.3   hi > 0
 * pow_f64                              0.77     0.76   hi > 0
 * exp_to_f32                        2^-37.7  2^-37.7   |x| <= 300
 * expm1_to_f32                      2^-36.0  2^-36.0   |x| <= 300
 * log_to_f32                        2^-34.8  2^-34.8   x > 0
 * log1p_to_f32                      2^-34.8  2^-34.8   x > -1
 * log1p_within_to_f32               2^-34.8  2^-34.8   -1 < x < inf
 * tanh_to_f32                       2^-36.2  2^-36.2   |x| <= 300
 * logistic_to_f32, softplus         2^-35.3  2^-35.3   |z| <= 300
 * logistic_to_f32, sigmoid          2^-37.7  2^-37.7   |z| <= 300
 * pow_to_f32                        2^-34.8  2^-34.8   |p log x| <= 300, over 1 + |p log x|
 * log1p_parts_to_f32, log1p         2^-29.5  2^-29.5   2^-60 <= w <= 2^930
 * log1p_parts_to_f32, w less it     2^-27.0  2^-27.0   2^-60 <= w <= 2^930
 * exp_parts_to_f32, exp             2^-32.0  2^-32.0   |z| <= 700
 * exp_parts_to_f32, less 1          2^-30.3  2^-30.3   |z| <= 700
 * exp_parts_to_f32, less 1 + z      2^-27.6  2^-27.6   |z| <= 700
 * log_cosh_near_to_f32              2^-30.7  2^-30.7   0 < v <= 1
 * log1p_small_to_f32                2^-31.6  2^-31.6   0 < e <= e^-2
 * from_f16                                0        0   all 2^16
 * from_bf16                               0        0   all 2^16
 * to_f16                                  0        0
 * to_bf16                                 0        0
 * round_to_odd                            0        0
 * </accuracy>
 *
 * Polynomials are arrays of coefficients, that of the lowest power first, and a comment says what of:
 * tools/polynomials.py fits each of them and prints its error. */

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

/* ---- logarithm ---- */

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

/* ---- exponentials of negative numbers ---- */

/* Polynomial exp_nonpositive_f32: (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; error of e^r 2^-27.5. */
static const float flv_exp_nonpositive_f32[] = {0.5f, 0x1.55548ep-3f, 0x1.55546p-5f, 0x1.123bd6p-7f,
                                                0x1.6db37cp-10f};

/* e^a = scale (1 + q) for a <= 0, scale a power of two. */
FL_INLINE float flv_exp_nonpositive(float a, float *scale) {
    const float magic = flv_to_integer_f32 + 159.0f;
    a = a < flv_exp_least_f32 ? flv_exp_least_f32 : a;
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

/* e^a for a <= 0 as a term of a sum of at least 1, in about a third of the time of fl_exp_f32: the
   relative error grows as |a| 2^-24, and what is below 2^-126.5 is 0. */
FL_INLINE float fl_exp_in_sum_f32(float a) {
    const float magic = flv_to_integer_f32 + 127.0f;
    float x = a * flv_log2e_f32;
    x = x < -127.0f ? -127.0f : x;
    float t = x + magic;
    float r = x - (t - magic);
    return FLV_HORNER_F32(flv_exp2_f32, r) * flv_from_bits_f32(flv_bits_f32(t) << 23);
}

/* ---- logistic function ---- */

/* Polynomial logistic_f32: log1p(e) / e in e - middle for 0 <= e <= 1; error 2^-27.3. */
static const float flv_logistic_middle_f32 = 0x1.f0a3d8p-2f;
static const float flv_logistic_f32[] = {0x1.a16d74p-1f, -0x1.2b92a4p-2f, 0x1.15ecaap-3f, -0x1.1e7192p-4f,
                                         0x1.390f4p-5f,  -0x1.62b1bp-6f,  0x1.9429d2p-7f, -0x1.e47532p-8f,
                                         0x1.733638p-8f, -0x1.ab8aa4p-9f};

/* log1p(e^-|z|) and e^-|z| / (1 + e^-|z|). With e = 2^k (1 + q) the first is 2^k (L + q L),
   L(e) = log1p(e) / e as a polynomial about the middle of [0, 1], so that the rounding of e counts
   little. The second is 2^k (1 + u) / d, d the rounded 1 + e: u is q less the relative error of d. */
FL_INLINE void fl_logistic_f32(float z, float *softplus_neg, float *sigmoid_neg) {
    float scale;
    float q = flv_exp_nonpositive(-__builtin_fabsf(z), &scale);
    float e = fl_mul_add_f32(q, scale, scale);
    float l = FLV_HORNER_F32(flv_logistic_f32, e - flv_logistic_middle_f32);
    *softplus_neg = fl_mul_add_f32(q, l, l) * scale;
    float d = 1.0f + e;
    float inv = 1.0f / d;
    float u = fl_mul_add_f32((d - 1.0f) - e, inv, q);
    *sigmoid_neg = fl_mul_add_f32(u, inv, inv) * scale;
}

/* Polynomial logistic_f64: (L(e) - L(middle)) / (e - middle) in e - middle, L(e) = log1p(e) / e, for 0 <= e
   <= 1; error of L 2^-58.7. L(middle) is a double to 2^-70. */
static const double flv_logistic_middle_f64 = 0x1.fd03da287dd48p-2;
static const double flv_logistic_at_middle_f64 = 0x1.9fa0a1c38ac84p-1;
static const double flv_logistic_f64[] = {
    -0x1.283ec49f2e0cp-2,   0x1.10cd0755f12bdp-3,  -0x1.1702275f8d7cdp-4,  0x1.2e63e49890e86p-5,
    -0x1.54154abec2137p-6,  0x1.88722dd1defa2p-7,  -0x1.cd8b81476190bp-8,  0x1.136423f99bb89p-8,
    -0x1.4c756b0ff5901p-9,  0x1.9523edad0f4d9p-10, -0x1.f193d3a27a19bp-11, 0x1.339af55e871f4p-11,
    -0x1.7e66736664b76p-12, 0x1.dc82eadca4134p-13, -0x1.2b186899f9d7p-13,  0x1.844cef0244653p-14,
    -0x1.e8117d1cab447p-15, 0x1.de6591f9c6b62p-16, -0x1.39551062df16p-16,  0x1.b4d2f7cabbba9p-16,
    -0x1.0f3755b486f8cp-16};

/* log1p(e^-|z|) and e^-|z| / (1 + e^-|z|). With e = 2^k h, h = 1 + q, the first is 2^k h L(e),
   L(e) = log1p(e) / e, summed as 2^k (c + (w + q (c + w))), L(e) = c + w: c = L(e0) near the middle
   of [0, 1] makes |w| < 0.2, so the roundings of h and w count little and h needs no low part. */
FL_INLINE void fl_logistic_f64(double z, double *softplus_neg, double *sigmoid_neg) {
    const double magic = flv_to_integer_f64 + 1087.0;
    double a = flv_from_bits_f64(flv_bits_f64(z) | 0x8000000000000000u);
    a = a < flv_exp_least_f64 ? flv_exp_least_f64 : a;
    double t = fl_mul_add_f64(a, flv_log2e_f64, magic);
    double k = t - magic;
    /* 2^k may be subnormal: harmless, it is exact and multiplies last (2^-1075, which is not,
       occurs only where the result is at most 0.71 of the smallest number). */
    double scale = flv_from_bits_f64(flv_bits_f64(t) << 52) * 0x1p-64;
    double r_hi = fl_mul_add_f64(k, -flv_ln2_high_f64, a);
    double r_lo = k * flv_ln2_low_f64;
    double r = r_hi - r_lo;
    double q_lo = fl_mul_add_f64(r * r, flv_exp_poly_f64(r), -r_lo);
    double q = r_hi + q_lo;
    double h = 1.0 + q;
    const double c = flv_logistic_at_middle_f64;
    double v = fl_mul_add_f64(h, scale, -flv_logistic_middle_f64);
    double w = FLV_EVEN_ODD_F64(flv_logistic_f64, v) * v;
    *softplus_neg = (c + fl_mul_add_f64(q, c + w, w)) * scale;
    double h_lo = (q - (h - 1.0)) + (q_lo - (q - r_hi));
    double dl, sl;
    double d = flv_fast_two_sum_f64(1.0, h * scale, &dl);
    double s = flv_div_f64(h, h_lo, d, fl_mul_add_f64(h_lo, scale, dl), &sl);
    *sigmoid_neg = (s + sl) * scale;
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

/* The low part of a double-double, which is NaN or infinite where the high part overflows. */
FL_INLINE double fl_finite_or_zero_f64(double low) { return low - low == 0.0 ? low : 0.0; }

/* (hi + lo) / d as result + *out_lo. The low part bears the rounding of a reciprocal, which leaves the loop
   where the divisor is a constant. */
FL_INLINE double fl_quotient_f64(double hi, double lo, double d, double *out_lo) {
    double pl;
    double q = hi / d;
    double p = fl_two_prod_f64(q, d, &pl);
    *out_lo = fl_finite_or_zero_f64((((hi - p) - pl) + lo) * (1.0 / d));
    return q;
}

/* (hi + lo)^2 as result + *out_lo. */
FL_INLINE double fl_square_f64(double hi, double lo, double *out_lo) {
    double pl;
    double p = fl_two_prod_f64(hi, hi, &pl);
    *out_lo = fl_finite_or_zero_f64(pl + 2.0 * hi * lo);
    return p;
}

/* (n + nl) / (d + dl), rounded about once. */
FL_INLINE double fl_divided_f64(double n, double nl, double d, double dl) {
    double q = n / d;
    return q + (nl - q * dl) / d;
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
FL_INLINE double fl_exp_hilo_f64(double hi, double lo) {
    uint64_t b;
    double rl;
    double r = flv_exp_reduce_sum_f64(hi, lo, flv_exp_least_f64, 2046.0, &b, &rl);
    return flv_exp_scale_f64(r, rl, b);
}

/* exp(hi + lo) - 1, |lo| << |hi|. */
FL_INLINE double fl_expm1_hilo_f64(double hi, double lo) {
    uint64_t b;
    double rl, l;
    double r = flv_exp_reduce_sum_f64(hi, lo, flv_expm1_least_f64, 1022.0, &b, &rl);
    double e = 2.0 * flv_expm1_half_f64(r, rl, b, &l);
    double ah = flv_from_bits_f64(flv_bits_f64(hi) & 0x7fffffffffffffffu);
    return ah < 0x1p-100 ? hi + lo : e;
}

static const double flv_two_thirds_high_f64 = 0x1.5555555555555p-1;
static const double flv_two_thirds_low_f64 = 0x1.5555555555555p-55;
static const double flv_two_fifths_high_f64 = 0x1.999999999999ap-2;
static const double flv_two_fifths_low_f64 = -0x1.999999999999ap-56;

/* Polynomial log_dd_f64: (((log(1 + f) / s - 2) / s^2 - 2/3) / s^2 - 2/5) / s^2 in s^2, s = f / (2 + f), for
   1
   + f in [sqrt(1/2), sqrt(2)]; error of log(1 + f) 2^-80.2. */
static const double flv_log_dd_f64[] = {0x1.2492492492489p-2, 0x1.c71c71c71f24p-3,  0x1.745d174349807p-3,
                                        0x1.3b13b280e9cd2p-3, 0x1.1110b0107f29ep-3, 0x1.e2052519de1ddp-4,
                                        0x1.ab526e2b32077p-4, 0x1.c05fdffe51f9p-4};

/* log(hi + lo), hi > 0: with 1 + f = (hi + lo) / 2^k and s = f / (2 + f) in double-double,
   log = k ln 2 + 2s + s (z (2/3 + z (2/5 + z P(z)))), z = s^2 <= 0.0295: only z^3 P(z) is plain
   double, its rounding errors are below 2^-70 of the sum. */
FL_INLINE double fl_log_dd_f64(double hi, double lo, double *out_lo) {
    /* Away from the ends of the range first, so that 2^-k below is a normal number. */
    double pre = hi < 0x1p-900 ? 0x1p200 : 1.0, koff = hi < 0x1p-900 ? 200.0 : 0.0;
    pre = hi > 0x1p900 ? 0x1p-200 : pre;
    koff = hi > 0x1p900 ? -200.0 : koff;
    uint64_t b;
    double mh = flv_mantissa_f64(hi * pre, &b);
    double ml = lo * pre * flv_inverse_scale_f64(b);
    double k = flv_exponent_f64(b) - koff;
    double fl, dl, pl, zl, wl, ul, vl, ql, ll, rl;
    double f = fl_two_sum_f64(mh - 1.0, ml, &fl);
    double d = flv_fast_two_sum_f64(2.0, f, &dl);
    double inv = 1.0 / d;
    double s = f * inv;
    double p = fl_two_prod_f64(s, d, &pl);
    double sl = (((f - p) - pl) + (fl - s * (dl + fl))) * inv;
    double z = fl_two_prod_f64(s, s, &zl);
    zl += 2.0 * s * sl;
    double c = FLV_HORNER_F64(flv_log_dd_f64, z);
    double w = flv_fast_two_sum_f64(flv_two_fifths_high_f64, c * z + flv_two_fifths_low_f64, &wl);
    p = fl_two_prod_f64(z, w, &pl);
    pl += z * wl + zl * w;
    double u = flv_fast_two_sum_f64(flv_two_thirds_high_f64, p, &ul);
    ul += pl + flv_two_thirds_low_f64;
    double v = fl_two_prod_f64(z, u, &vl);
    vl += z * ul + zl * u;
    double q = fl_two_prod_f64(s, v, &ql);
    ql += s * vl + sl * v;
    double l = flv_fast_two_sum_f64(2.0 * s, q, &ll);
    ll += 2.0 * sl + ql;
    double r = flv_fast_two_sum_f64(k * flv_ln2_high_f64, l, &rl);
    r = flv_fast_two_sum_f64(r, rl + (ll + k * flv_ln2_low_f64), &rl);
    int ok = (hi > 0.0) & (hi < __builtin_inf());
    *out_lo = ok ? rl : 0.0;
    return flv_log_special_f64(hi, r);
}

/* (hi + lo)^p; as in C, p = 0 gives 1 for every base, NaN included. p is clamped where the split of a product
   would overflow. */
FL_INLINE double fl_pow_f64(double hi, double lo, double p) {
    double ll, yl;
    double l = fl_log_dd_f64(hi, lo, &ll);
    double c = p > 0x1p1022 ? 0x1p1022 : p;
    c = c < -0x1p1022 ? -0x1p1022 : c;
    double y = fl_two_prod_f64(c, l, &yl);
    double r = fl_exp_hilo_f64(y, yl + c * ll);
    return p == 0.0 ? 1.0 : r;
}

/* ---- Taylor series of what cancels ---- */

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
 * and 0, and whose square or product with a float32 is no subnormal double: that would take long. */
static const double flv_exp_most_to_f32 = 300.0;

/* e^x = *scale e^r, |r| <= ln 2 / 2. */
FL_INLINE double flv_exp_reduce_to_f32(double x, double *scale) {
    const double magic = flv_to_integer_f64 + 1023.0;
    double t = fl_mul_add_f64(x, flv_log2e_f64, magic);
    *scale = flv_from_bits_f64(flv_bits_f64(t) << 52);
    return fl_mul_add_f64(t - magic, -flv_ln2_f64, x);
}

/* Polynomial exp_to_f32: (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; error of e^r - 1 2^-36.5. */
static const double flv_exp_to_f32[] = {0.5,
                                        0x1.55555567532adp-3,
                                        0x1.5555555c87148p-5,
                                        0x1.1110c632a3088p-7,
                                        0x1.6c16858b7acb9p-10,
                                        0x1.a15179d80ae96p-13,
                                        0x1.a1132015ba37ep-16};

FL_INLINE double flv_exp_core_to_f32(double x, double *scale) {
    x = x < -flv_exp_most_to_f32 ? -flv_exp_most_to_f32 : x;
    x = x > flv_exp_most_to_f32 ? flv_exp_most_to_f32 : x;
    double r = flv_exp_reduce_to_f32(x, scale);
    return fl_mul_add_f64(r * r, FLV_EVEN_ODD_F64(flv_exp_to_f32, r), r);
}

FL_INLINE double fl_exp_to_f32(double x) {
    double scale, p = flv_exp_core_to_f32(x, &scale);
    return fl_mul_add_f64(scale, p, scale);
}

FL_INLINE double fl_expm1_to_f32(double x) {
    double scale, p = flv_exp_core_to_f32(x, &scale);
    return fl_mul_add_f64(scale, p, scale - 1.0);
}

/* u + c = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2)], c a correction below the last place of u. */
FL_INLINE double flv_log_reduce_to_f32(double u, double c, double *n) {
    uint64_t b;
    double m = flv_mantissa_f64(u, &b);
    *n = flv_exponent_f64(b);
    return fl_mul_add_f64(c, flv_inverse_scale_f64(b), m - 1.0);
}

/* Polynomial log_to_f32: (log1p(f) - f) / f^2 for 1 + f in [sqrt(1/2), sqrt(2)]; error of log1p 2^-34.8. */
static const double flv_log_to_f32[] = {-0x1.0000000061fefp-1, 0x1.5555558685d78p-2,  -0x1.fffffce751926p-3,
                                        0x1.99994a9651e26p-3,  -0x1.555628452ffd2p-3, 0x1.24a4605850f32p-3,
                                        -0x1.ffed885e08173p-4, 0x1.c3b930b4ce5fdp-4,  -0x1.96fbfe69b0695p-4,
                                        0x1.967b6c007aa1cp-4,  -0x1.903d12a33abedp-4, 0x1.b9ce201c5fbbp-5};

/* log(u + c). */
FL_INLINE double flv_log_core_to_f32(double u, double c) {
    double n;
    double f = flv_log_reduce_to_f32(u, c, &n);
    double p = FLV_EVEN_ODD_F64(flv_log_to_f32, f);
    return fl_mul_add_f64(n, flv_ln2_f64, fl_mul_add_f64(f * f, p, f));
}

FL_INLINE double fl_log_to_f32(double x) { return flv_log_special_f64(x, flv_log_core_to_f32(x, 0.0)); }

FL_INLINE double fl_log1p_within_to_f32(double x) {
    double u = 1.0 + x;
    return flv_log_core_to_f32(u, x - (u - 1.0));
}

FL_INLINE double fl_log1p_to_f32(double x) { return flv_log_special_f64(1.0 + x, fl_log1p_within_to_f32(x)); }

/* Polynomial logistic_to_f32: log1p(e) / e in e - 1/2 for 0 <= e <= 1; error 2^-35.6. */
static const double flv_logistic_to_f32[] = {
    0x1.9f323ecbfe1bfp-1, -0x1.2773a5d3d5234p-2, 0x1.0f95b3beea6c6p-3,  -0x1.1540bb808b397p-4,
    0x1.2becbd6da2e85p-5, -0x1.50a63518108edp-6, 0x1.83b9d0a9815cbp-7,  -0x1.c861ee59db3afp-8,
    0x1.10113dd365ae4p-8, -0x1.3703bb3ba1c27p-9, 0x1.764d6ac634b18p-10, -0x1.50e3698e7e497p-10,
    0x1.aa4f5d65ab0d9p-11};

/* log1p(e^-|z|) and e^-|z| / (1 + e^-|z|). */
FL_INLINE void fl_logistic_to_f32(double z, double *softplus_neg, double *sigmoid_neg) {
    double e = fl_exp_to_f32(-__builtin_fabs(z));
    *softplus_neg = e * FLV_EVEN_ODD_F64(flv_logistic_to_f32, e - 0.5);
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

/* Polynomial log1p_parts_to_f32: (log1p(f) - f) / f^2 for 1 + f in [sqrt(1/2), sqrt(2)]; error of f -
   log1p(f) 2^-26.9. */
static const double flv_log1p_parts_to_f32[] = {
    -0x1.fffffff64af1bp-2, 0x1.55554e429f458p-2, -0x1.000007577eb75p-2, 0x1.99a12f5b901afp-3,
    -0x1.5559e52b658c2p-3, 0x1.237a55ac3e893p-3, -0x1.fcc1adf4b2462p-4, 0x1.e3d339845a55dp-4,
    -0x1.d962f26d64f8p-4,  0x1.15425cbf25e47p-4};

/* log(1 + w) = k log(2) + f + f^2 P(f), 2^k (1 + f) = 1 + w, and w less it, which does not cancel;
   w >= 0. That the minimum is of integers keeps the compiler from a second path for it; infinity
   and NaN are added. */
FL_INLINE double fl_log1p_parts_to_f32(double w, double *tail) {
    uint64_t b = flv_bits_f64(w), most = 0x7e37e43c8800759cu; /* 1e300 */
    double v = flv_from_bits_f64(b < most ? b : most);
    double u = 1.0 + v, n;
    double f = flv_log_reduce_to_f32(u, v - (u - 1.0), &n);
    double line = n * flv_ln2_f64;
    double p = f * f * FLV_HORNER_F64(flv_log1p_parts_to_f32, f);
    *tail = (w - f) - line - p;
    return fl_mul_add_f64(w, 1e-300, f + line + p);
}

/* Polynomial exp_parts_to_f32: (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; error of e^r - 1 - r 2^-28.4. */
static const double flv_exp_parts_to_f32[] = {0x1.0000000b8f62bp-1,  0x1.5555555a78232p-3,
                                              0x1.5554e9114ecf9p-5,  0x1.1110e0f726534p-7,
                                              0x1.6d431504c53d3p-10, 0x1.a124e3f154d32p-13};

/* e^z, e^z - 1 and e^z - 1 - z, which do not cancel, for z <= 700; all but infinite there. */
FL_INLINE double fl_exp_parts_to_f32(double z, double *less_one, double *tail) {
    double scale;
    double r = flv_exp_reduce_to_f32(z < -700.0 ? -700.0 : z, &scale);
    double p = scale * (r * r) * FLV_HORNER_F64(flv_exp_parts_to_f32, r);
    *less_one = fl_mul_add_f64(scale, r, scale - 1.0) + p;
    *tail = p + (fl_mul_add_f64(scale, r, scale - 1.0) - z);
    return scale + (scale * r + p);
}

/* Polynomial log_cosh_to_f32: log(cosh(sqrt(v))) / v for 0 <= v <= 1; error 2^-30.8. */
static const double flv_log_cosh_to_f32[] = {
    0x1.fffffffb3d2b6p-2, -0x1.55554bc8d0d23p-4,  0x1.6c1393d0109cep-6,  -0x1.b9b3125b08d11p-8,
    0x1.1b48ec09e6ffp-9,  -0x1.6434dad3f3827p-11, 0x1.7183eadbfc622p-13, -0x1.adc97aa0fccb9p-16};

/* log(cosh(r)) / r^2 for v = r^2 <= 1. */
FL_INLINE double fl_log_cosh_near_to_f32(double v) { return FLV_HORNER_F64(flv_log_cosh_to_f32, v); }

/* Polynomial log1p_small_to_f32: log1p(e) / e for 0 <= e <= e^-2; error 2^-31.6. */
static const double flv_log1p_small_to_f32[] = {0x1.fffffffd60bfp-1,  -0x1.fffff5157969dp-2,
                                                0x1.5551a056b7065p-2, -0x1.ff1225b843638p-3,
                                                0x1.8be8fd09ea47ep-3, -0x1.e99bd59e2f10cp-4};

/* log(1 + e) for 0 <= e <= e^-2. */
FL_INLINE double fl_log1p_small_to_f32(double e) { return FLV_HORNER_F64(flv_log1p_small_to_f32, e) * e; }

#endif
