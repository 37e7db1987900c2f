// Binary cross-entropies of a block in vectors by hand, to the bit as the formula has them, with what follows
// it: the sum of the losses and the scale of the derivatives. One element is a hundred cycles of operations
// that wait for each other, more than a processor has in view: eight vectors go through each phase together.

#ifndef FASTLOSS_CROSS_ENTROPIES_H
#define FASTLOSS_CROSS_ENTROPIES_H

#include "vecmath/floats.h"
#include "vecmath/logistic.h"

#if defined(FL_FLOATS)
#define FL_TOGETHER (8 * FL_FLOATS)
#define FL_EACH_VECTOR _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++)

// Sixteen lanes in float64, whatever the width of the registers.
typedef struct {
    fl_doubles lanes[16 / FL_DOUBLES];
} fl_total;

FL_INLINE void fl_add_to_total(fl_total *sums, fl_floats v, int k) {
#if FL_FLOATS == 16
    (void)k;
    sums->lanes[0] = _mm512_add_pd(sums->lanes[0], _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
    sums->lanes[1] = _mm512_add_pd(sums->lanes[1], _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
#else
    k = 2 * (k & 1);
    sums->lanes[k] = _mm256_add_pd(sums->lanes[k], _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    sums->lanes[k + 1] = _mm256_add_pd(sums->lanes[k + 1], _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
#endif
}

FL_INLINE double fl_fold_total(const fl_total *sums) {
    double lanes[16];
    memcpy(lanes, sums, sizeof lanes);
    for (int half = 8; half > 2; half /= 2)
        for (int j = 0; j < half; j++)
            lanes[j] += lanes[j + half];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

// v (high + low), rounded but once.
FL_INLINE fl_floats fl_scaled(fl_floats v, float high, float low) {
    return FL_OP(fmadd)(v, FL_OP(set1)(high), FL_OP(mul)(v, FL_OP(set1)(low)));
}

FL_INLINE double fl_cross_entropies_of(const float *y, const float *z, ptrdiff_t n, int want_value,
                                       float *grad, float *hess, float high, float low) {
    const fl_floats zero = FL_OP(setzero)(), one = FL_OP(set1)(1.0f);
    fl_total sums;
    memset(&sums, 0, sizeof sums);
    for (ptrdiff_t i = 0; i < n; i += FL_TOGETHER) {
        fl_floats x[8], wrong[8], q[8], scale[8], e[8];
        FL_EACH_VECTOR {
            x[k] = FL_OP(loadu)(z + i + FL_FLOATS * k);
            q[k] = fl_exp_nonpositive_floats(FL_OP(or)(x[k], FL_OP(set1)(-0.0f)), &scale[k]);
            e[k] = FL_OP(fmadd)(q[k], scale[k], scale[k]);
        }
        FL_EACH_VECTOR {
            fl_floats t = FL_OP(loadu)(y + i + FL_FLOATS * k);
            wrong[k] = fl_where_above(x[k], zero, FL_OP(sub)(one, t), t);
        }
        if (want_value)
            FL_EACH_VECTOR {
                fl_floats l =
                    FL_HORNER(flv_logistic_f32, FL_OP(sub)(e[k], FL_OP(set1)(flv_logistic_middle_f32)));
                fl_floats tail = FL_OP(mul)(FL_OP(fmadd)(q[k], l, l), scale[k]);
                fl_floats size = FL_OP(andnot)(FL_OP(set1)(-0.0f), x[k]);
                fl_add_to_total(&sums, FL_OP(add)(tail, fl_product_if_any(wrong[k], size)), k);
            }
        if (grad)
            FL_EACH_VECTOR {
                fl_floats d = FL_OP(add)(one, e[k]), inv = FL_OP(div)(one, d);
                fl_floats u = FL_OP(fmadd)(FL_OP(sub)(FL_OP(sub)(d, one), e[k]), inv, q[k]);
                fl_floats far = FL_OP(mul)(FL_OP(fmadd)(u, inv, inv), scale[k]);
                fl_floats slope =
                    fl_where_above(x[k], zero, FL_OP(sub)(wrong[k], far), FL_OP(sub)(far, wrong[k]));
                FL_OP(storeu)(grad + i + FL_FLOATS * k, fl_scaled(slope, high, low));
                if (hess)
                    FL_OP(storeu)(hess + i + FL_FLOATS * k,
                                  fl_scaled(FL_OP(fnmadd)(far, far, far), high, low));
            }
    }
    return fl_fold_total(&sums);
}

// The sum of the losses of `n` logits, a multiple of FL_TOGETHER, and, where they are not NULL, the
// derivatives times high + low: a loop for each of what is asked for.
static inline double fl_cross_entropies(const float *y, const float *z, ptrdiff_t n, int want_value,
                                        float *grad, float *hess, float high, float low) {
    if (hess)
        return fl_cross_entropies_of(y, z, n, 0, grad, hess, high, low);
    if (!grad)
        return fl_cross_entropies_of(y, z, n, 1, NULL, NULL, high, low);
    if (want_value)
        return fl_cross_entropies_of(y, z, n, 1, grad, NULL, high, low);
    return fl_cross_entropies_of(y, z, n, 0, grad, NULL, high, low);
}

#else
#define FL_TOGETHER 0
static inline double fl_cross_entropies(const float *y, const float *z, ptrdiff_t n, int want_value,
                                        float *grad, float *hess, float high, float low) {
    (void)y, (void)z, (void)n, (void)want_value, (void)grad, (void)hess, (void)high, (void)low;
    return 0.0;
}
#endif

#endif
