// Arc tangent, sine and cosine.

#ifndef FL_VECMATH_TRIGONOMETRY_H
#define FL_VECMATH_TRIGONOMETRY_H

#include "vecmath/base.h"

/* pi / 2 in two parts. */
static const float flv_half_pi_high_f32 = 0x1.921fb6p+0f;
static const float flv_half_pi_low_f32 = -0x1.777a5cp-25f;
static const double flv_half_pi_high_f64 = 0x1.921fb54442d18p+0;
static const double flv_half_pi_low_f64 = 0x1.1a62633145c07p-54;

/* Polynomial atan_f32: (atan(t) / t - 1) / t^2 in t^2, 0 <= t <= 1; error of atan(t) 2^-28.5. */
static const float flv_atan_f32[] = {-0x1.55553ep-2f, 0x1.9991e4p-3f,  -0x1.242086p-3f,
                                     0x1.c08c54p-4f,  -0x1.580956p-4f, 0x1.da2bb6p-5f,
                                     -0x1.fd83d8p-6f, 0x1.642e62p-7f,  -0x1.d37266p-10f};

/* atan|x| = pi / 2 - atan(1 / |x|) beyond 1. */
FL_INLINE float fl_atan_f32(float x) {
    float ax = flv_from_bits_f32(flv_bits_f32(x) & 0x7fffffffu);
    float t = ax > 1.0f ? 1.0f / ax : ax;
    float z = t * t;
    float p = t * z * FLV_HORNER_F32(flv_atan_f32, z);
    float a = t + p;
    float sl;
    float s = flv_fast_two_sum_f32(flv_half_pi_high_f32, -t, &sl);
    float r = ax > 1.0f ? s + (sl + (flv_half_pi_low_f32 - p)) : a;
    return flv_from_bits_f32(flv_bits_f32(r) | (flv_bits_f32(x) & 0x80000000u));
}

/* Polynomial atan_f64: (atan(t) / t - 1) / t^2 in t^2, 0 <= t <= 1; error of atan(t) 2^-60.2. */
static const double flv_atan_f64[] = {-0x1.555555555554dp-2,  0x1.9999999998c65p-3,  -0x1.2492492457699p-3,
                                      0x1.c71c71b650d0ap-4,   -0x1.745d15d2cb62cp-4, 0x1.3b139bec3e214p-4,
                                      -0x1.1110335a67bd2p-4,  0x1.e1d4928a5526dp-5,  -0x1.aeda86c9adb4p-5,
                                      0x1.84b50cc3e9687p-5,   -0x1.5f26341a6253dp-5, 0x1.3908e7f461c21p-5,
                                      -0x1.0c9c18e12c4a9p-5,  0x1.ac8e73c371003p-6,  -0x1.31120db131482p-6,
                                      0x1.7304afd81cec6p-7,   -0x1.7005584e7283fp-8, 0x1.1a3553c51168p-9,
                                      -0x1.3719e18baa352p-11, 0x1.b414336c22f8dp-14, -0x1.22b137a9cf4afp-17};

/* As for f32. */
FL_INLINE double fl_atan_f64(double x) {
    double ax = flv_from_bits_f64(flv_bits_f64(x) & 0x7fffffffffffffffu);
    double t = ax > 1.0 ? 1.0 / ax : ax;
    double z = t * t;
    double p = t * z * FLV_HORNER_F64(flv_atan_f64, z);
    double a = t + p;
    double sl;
    double s = flv_fast_two_sum_f64(flv_half_pi_high_f64, -t, &sl);
    double r = ax > 1.0 ? s + (sl + (flv_half_pi_low_f64 - p)) : a;
    return flv_from_bits_f64(flv_bits_f64(r) | (flv_bits_f64(x) & 0x8000000000000000u));
}

/* pi / 2 in three parts, of which integers up to 2^20 times the first two are exact. */
static const double flv_quarter_turn_1_f64 = 0x1.921fb544p+0;
static const double flv_quarter_turn_2_f64 = 0x1.0b4611a6p-34;
static const double flv_quarter_turn_3_f64 = 0x1.3198a2e037073p-69;
static const double flv_quarter_turns_f64 = 0x1.45f306dc9c883p-1; /* 2 / pi */
static const double flv_angle_most_f64 = 0x1p20;

/* Polynomial sin_f64: (sin(r) / r - 1) / r^2 in r^2, |r| <= pi / 4; error of sin(r) 2^-57.9. */
static const double flv_sin_f64[] = {-0x1.5555555555548p-3, 0x1.111111110f73p-7,    -0x1.a01a019be920bp-13,
                                     0x1.71de355529752p-19, -0x1.ae5e4b8130376p-26, 0x1.5d8b5464855e5p-33};
/* Polynomial cos_f64: (cos(r) - 1 + r^2 / 2) / r^4 in r^2, |r| <= pi / 4; error of cos(r) 2^-63.9. */
static const double flv_cos_f64[] = {0x1.555555555554bp-5,   -0x1.6c16c16c15015p-10, 0x1.a01a019c8f247p-16,
                                     -0x1.27e4f7f19017ap-22, 0x1.1ee9dbcdd0ba2p-29,  -0x1.8fa683c41722bp-37};

/* Sine and cosine. A finite angle beyond 2^20, whose unit in the last place is still small, counts as 0: it
   is no angle that anybody means. x = k pi / 2 + r + rl; k stands in the low bits of t. */
FL_INLINE void fl_sincos_f64(double x, double *sine, double *cosine) {
    double ax = flv_from_bits_f64(flv_bits_f64(x) & 0x7fffffffffffffffu);
    x = ax > flv_angle_most_f64 ? x * 0.0 : x;
    double t = fl_mul_add_f64(x, flv_quarter_turns_f64, flv_to_integer_f64);
    double k = t - flv_to_integer_f64;
    double l1, rl;
    double h = fl_two_sum_f64(x - k * flv_quarter_turn_1_f64, -(k * flv_quarter_turn_2_f64), &l1);
    double r = fl_two_sum_f64(h, l1 - k * flv_quarter_turn_3_f64, &rl);
    double z = r * r;
    double s = r + fl_mul_add_f64(r * z, FLV_HORNER_F64(flv_sin_f64, z), rl);
    double half = 0.5 * z;
    double w = 1.0 - half;
    double c = w + (((1.0 - w) - half) + fl_mul_add_f64(z * z, FLV_HORNER_F64(flv_cos_f64, z), -(r * rl)));
    uint64_t b = flv_bits_f64(t);
    double a = b & 1 ? c : s;
    double d = b & 1 ? s : c;
    *sine = flv_from_bits_f64(flv_bits_f64(a) ^ (b & 2) << 62);
    *cosine = flv_from_bits_f64(flv_bits_f64(d) ^ ((b + 1) & 2) << 62);
}

#endif
