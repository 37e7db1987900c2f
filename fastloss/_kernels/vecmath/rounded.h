// Float64 for results that are rounded to float32.

#ifndef FL_VECMATH_ROUNDED_H
#define FL_VECMATH_ROUNDED_H

#include "vecmath/exponential.h"
#include "vecmath/logarithm.h"

/* ---- double arithmetic for results that are rounded to float32 ----
 *
 * Relative error below 2^-32, a hundredth of a float32 unit, at about half the cost of full float64: short
 * polynomials and no low parts. Arguments are float32 numbers and what a few operations make of them, so
 * subnormal doubles do not occur. The exponential may saturate at e^+-300, which float32 rounds to infinity
 * and 0, and whose square or product with a float32 is no subnormal double: that would take long. */
static const double flv_exp_most_to_f32 = 300.0;

/* sqrt(x) for x from 2^-1000 to 1e300, by way of 1 / sqrt(x): half its bits from a constant are within 0.035,
   and two steps cube the error. A division beside it waits for the processor's only unit of divisions and
   roots; two would wait for each other. */
FL_INLINE double fl_sqrt_to_f32(double x) {
    double r = flv_from_bits_f64(0x5fe6eb50c7b537a9u - (flv_bits_f64(x) >> 1));
    double e = fl_mul_add_f64(-(x * r), r, 1.0);
    r = fl_mul_add_f64(r * e, fl_mul_add_f64(e, 0.375, 0.5), r);
    double root = x * r;
    e = fl_mul_add_f64(-root, r, 1.0);
    return fl_mul_add_f64(root * e, fl_mul_add_f64(e, 0.375, 0.5), root);
}

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

/* log(u + c), c a correction below the last place of u. */
FL_INLINE double fl_log_hilo_to_f32(double u, double c) {
    return flv_log_special_f64(u, flv_log_core_to_f32(u, c));
}

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
