// The logistic function and the logarithm of 1 plus an exponential.

#ifndef FL_VECMATH_LOGISTIC_H
#define FL_VECMATH_LOGISTIC_H

#include "vecmath/exponential.h"
#include "vecmath/logarithm.h"

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

#endif
