// Twice the precision of float64, and series of what cancels.

#ifndef FL_VECMATH_DOUBLE_DOUBLE_H
#define FL_VECMATH_DOUBLE_DOUBLE_H

#include "vecmath/exponential.h"
#include "vecmath/logarithm.h"

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

#endif
