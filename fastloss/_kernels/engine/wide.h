// Vectors of eight float64, which the compiler cuts to the width of the instruction set: of loops over as
// many numbers it makes scalar code.

#ifndef FASTLOSS_WIDE_H
#define FASTLOSS_WIDE_H

#include "vecmath/base.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// All functions are inlined: how a call would pass such vectors is not asked.
#if defined(__GNUC__)
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

#if defined(__clang__)
#define FL_IN_ORDER(v, ...) __builtin_shufflevector(v, v, __VA_ARGS__)
#else
#define FL_IN_ORDER(v, ...) __builtin_shuffle(v, (fl_lanes){__VA_ARGS__})
#endif

FL_INLINE double fl_fold_wide(fl_wide v) {
    v += FL_IN_ORDER(v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += FL_IN_ORDER(v, 2, 3, 0, 1, 6, 7, 4, 5);
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

FL_DEFINE_END(float, f32)
FL_DEFINE_END(double, f64)

// The sum in float64, of four vectors side by side, since an addition takes four cycles.
#define FL_DEFINE_TOTAL(type, suffix)                                                                        \
    FL_INLINE double fl_total_##suffix(const type *v, ptrdiff_t n) {                                         \
        fl_wide a = {0}, b = {0}, c = {0}, d = {0};                                                          \
        ptrdiff_t i = 0;                                                                                     \
        for (; i + 4 * FL_WIDTH <= n; i += 4 * FL_WIDTH) {                                                   \
            a += fl_load_##suffix(v + i);                                                                    \
            b += fl_load_##suffix(v + i + FL_WIDTH);                                                         \
            c += fl_load_##suffix(v + i + 2 * FL_WIDTH);                                                     \
            d += fl_load_##suffix(v + i + 3 * FL_WIDTH);                                                     \
        }                                                                                                    \
        for (; i + FL_WIDTH <= n; i += FL_WIDTH)                                                             \
            a += fl_load_##suffix(v + i);                                                                    \
        return fl_fold_wide((a + c) + (b + d) + fl_end_##suffix(v + i, n - i));                              \
    }

FL_DEFINE_TOTAL(float, f32)
FL_DEFINE_TOTAL(double, f64)

// ---- vectors as wide as the registers: the compiler compares wider ones lane by lane ----

#if defined(__AVX512F__)
#define FL_PART 8
#elif defined(__AVX2__)
#define FL_PART 4
#else
#define FL_PART 2
#endif

typedef double fl_part __attribute__((vector_size(8 * FL_PART)));
typedef int64_t fl_flags __attribute__((vector_size(8 * FL_PART)));

FL_INLINE fl_part fl_load_part_f64(const double *v) {
    fl_part found;
    memcpy(&found, v, sizeof found);
    return found;
}

FL_INLINE fl_part fl_load_part_f32(const float *v) {
#if defined(__AVX512F__)
    return (fl_part)_mm512_cvtps_pd(_mm256_loadu_ps(v));
#elif defined(__AVX2__)
    return (fl_part)_mm256_cvtps_pd(_mm_loadu_ps(v));
#else
    return (fl_part){v[0], v[1]};
#endif
}

// a * b = result + *low exactly, within the limits of `fl_two_prod_f64`.
FL_INLINE fl_part fl_two_prod_part(fl_part a, fl_part b, fl_part *low) {
    fl_part p = a * b;
#if defined(__AVX512F__)
    *low = (fl_part)_mm512_fmsub_pd((__m512d)a, (__m512d)b, (__m512d)p);
#elif defined(__AVX2__) && defined(__FMA__)
    *low = (fl_part)_mm256_fmsub_pd((__m256d)a, (__m256d)b, (__m256d)p);
#else
    const fl_flags half = 0x4000000 - (fl_flags){0};
    fl_part ah = (fl_part)(((fl_flags)a + half) & -2 * half), al = a - ah;
    fl_part bh = (fl_part)(((fl_flags)b + half) & -2 * half), bl = b - bh;
    *low = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
#endif
    return p;
}

// `a` where a comparison says so, else `b`.
FL_INLINE fl_part fl_pick(fl_flags chosen, fl_part a, fl_part b) {
    return (fl_part)((chosen & (fl_flags)a) | (~chosen & (fl_flags)b));
}

#endif
