// Sums over the features of two rows, in float64 whatever their type: of squared or absolute differences, or
// the dot product with both squares.
//
// Written in vectors of eight, which the compiler cuts to the width of the instruction set: of loops over as
// many numbers it makes scalar code.

#ifndef FASTLOSS_SUMS_H
#define FASTLOSS_SUMS_H

#include "vecmath/base.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// All functions are inlined: how a call would pass such vectors is not asked.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#define FL_WIDTH 8

typedef double fl_wide __attribute__((vector_size(8 * FL_WIDTH)));
typedef float fl_narrow __attribute__((vector_size(4 * FL_WIDTH)));
typedef int64_t fl_lanes __attribute__((vector_size(8 * FL_WIDTH)));

FL_INLINE fl_wide fl_load_f32(const float *v) {
#if defined(__AVX512F__)
    return (fl_wide)_mm512_cvtps_pd(_mm256_loadu_ps(v));
#elif defined(__AVX2__)
    __m256d halves[2] = {_mm256_cvtps_pd(_mm_loadu_ps(v)), _mm256_cvtps_pd(_mm_loadu_ps(v + 4))};
    fl_wide found;
    memcpy(&found, halves, sizeof found);
    return found;
#else
    fl_narrow found;
    memcpy(&found, v, sizeof found);
    return __builtin_convertvector(found, fl_wide);
#endif
}

FL_INLINE fl_wide fl_load_f64(const double *v) {
    fl_wide found;
    memcpy(&found, v, sizeof found);
    return found;
}

FL_INLINE fl_wide fl_mul_add_wide(fl_wide a, fl_wide b, fl_wide c) {
#if defined(__AVX512F__)
    return (fl_wide)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX2__) && defined(__FMA__)
    __m256d x[2], y[2], z[2];
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    memcpy(z, &c, sizeof c);
    z[0] = _mm256_fmadd_pd(x[0], y[0], z[0]);
    z[1] = _mm256_fmadd_pd(x[1], y[1], z[1]);
    memcpy(&c, z, sizeof c);
    return c;
#else
    return a * b + c;
#endif
}

FL_INLINE fl_wide fl_magnitude_wide(fl_wide v) {
    return (fl_wide)((fl_lanes)v & (INT64_MAX - (fl_lanes){0}));
}

FL_INLINE double fl_fold_wide(fl_wide v) {
    v += __builtin_shuffle(v, (fl_lanes){4, 5, 6, 7, 0, 1, 2, 3});
    v += __builtin_shuffle(v, (fl_lanes){2, 3, 0, 1, 6, 7, 4, 5});
    return v[0] + v[1];
}

// The first n < FL_WIDTH numbers, and 0.
#define FL_DEFINE_END(type, suffix)                                                                          \
    FL_INLINE fl_wide fl_end_##suffix(const type *v, ptrdiff_t n) {                                          \
        type end[FL_WIDTH] = {0};                                                                            \
        for (ptrdiff_t i = 0; i < n; i++)                                                                    \
            end[i] = v[i];                                                                                   \
        return fl_load_##suffix(end);                                                                        \
    }

// What a vector of differences adds.
#define FL_ADD_SQUARES(s, t) fl_mul_add_wide(t, t, s)
#define FL_ADD_MAGNITUDES(s, t) ((s) + fl_magnitude_wide(t))

#define FL_DEFINE_DIFFERENCES(name, type, suffix, add)                                                       \
    FL_INLINE double fl_##name##_##suffix(const type *a, const type *b, ptrdiff_t n, double eps) {           \
        fl_wide s = {0}, t = {0};                                                                            \
        ptrdiff_t i = 0;                                                                                     \
        for (; i + 2 * FL_WIDTH <= n; i += 2 * FL_WIDTH) {                                                   \
            fl_wide u = fl_load_##suffix(a + i) - fl_load_##suffix(b + i) + eps;                             \
            fl_wide v = fl_load_##suffix(a + i + FL_WIDTH) - fl_load_##suffix(b + i + FL_WIDTH) + eps;       \
            s = add(s, u);                                                                                   \
            t = add(t, v);                                                                                   \
        }                                                                                                    \
        if (i + FL_WIDTH <= n) {                                                                             \
            fl_wide u = fl_load_##suffix(a + i) - fl_load_##suffix(b + i) + eps;                             \
            s = add(s, u);                                                                                   \
            i += FL_WIDTH;                                                                                   \
        }                                                                                                    \
        if (i < n) {                                                                                         \
            fl_lanes counts = (fl_lanes){0, 1, 2, 3, 4, 5, 6, 7} < (int64_t)(n - i);                         \
            fl_wide u = fl_end_##suffix(a + i, n - i) - fl_end_##suffix(b + i, n - i) + eps;                 \
            u = (fl_wide)((fl_lanes)u & counts);                                                             \
            t = add(t, u);                                                                                   \
        }                                                                                                    \
        return fl_fold_wide(s + t);                                                                          \
    }

#define FL_DEFINE_PRODUCTS(type, suffix)                                                                     \
    FL_INLINE void fl_products_##suffix(const type *a, const type *b, ptrdiff_t n, double *sums) {           \
        fl_wide s[6] = {{0}};                                                                                \
        ptrdiff_t i = 0;                                                                                     \
        for (; i + 2 * FL_WIDTH <= n; i += 2 * FL_WIDTH) {                                                   \
            fl_wide u = fl_load_##suffix(a + i), v = fl_load_##suffix(b + i);                                \
            fl_wide w = fl_load_##suffix(a + i + FL_WIDTH), x = fl_load_##suffix(b + i + FL_WIDTH);          \
            s[0] = fl_mul_add_wide(u, v, s[0]);                                                              \
            s[1] = fl_mul_add_wide(u, u, s[1]);                                                              \
            s[2] = fl_mul_add_wide(v, v, s[2]);                                                              \
            s[3] = fl_mul_add_wide(w, x, s[3]);                                                              \
            s[4] = fl_mul_add_wide(w, w, s[4]);                                                              \
            s[5] = fl_mul_add_wide(x, x, s[5]);                                                              \
        }                                                                                                    \
        while (i < n) {                                                                                      \
            ptrdiff_t take = n - i < FL_WIDTH ? n - i : FL_WIDTH;                                            \
            fl_wide u = take < FL_WIDTH ? fl_end_##suffix(a + i, take) : fl_load_##suffix(a + i);            \
            fl_wide v = take < FL_WIDTH ? fl_end_##suffix(b + i, take) : fl_load_##suffix(b + i);            \
            s[0] = fl_mul_add_wide(u, v, s[0]);                                                              \
            s[1] = fl_mul_add_wide(u, u, s[1]);                                                              \
            s[2] = fl_mul_add_wide(v, v, s[2]);                                                              \
            i += take;                                                                                       \
        }                                                                                                    \
        sums[0] = fl_fold_wide(s[0] + s[3]);                                                                 \
        sums[1] = fl_fold_wide(s[1] + s[4]);                                                                 \
        sums[2] = fl_fold_wide(s[2] + s[5]);                                                                 \
    }

FL_DEFINE_END(float, f32)
FL_DEFINE_END(double, f64)
FL_DEFINE_DIFFERENCES(squares, float, f32, FL_ADD_SQUARES)
FL_DEFINE_DIFFERENCES(squares, double, f64, FL_ADD_SQUARES)
FL_DEFINE_DIFFERENCES(magnitudes, float, f32, FL_ADD_MAGNITUDES)
FL_DEFINE_DIFFERENCES(magnitudes, double, f64, FL_ADD_MAGNITUDES)
FL_DEFINE_PRODUCTS(float, f32)
FL_DEFINE_PRODUCTS(double, f64)

#endif
