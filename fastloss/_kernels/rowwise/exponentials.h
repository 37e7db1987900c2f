// The largest of some logits and the sums of their exponentials, which are nearly all of what a softmax
// computes: by hand for AVX-512, of which no compiler uses the scaling by a power of two, nor the masks for
// odd lengths.

#ifndef FASTLOSS_EXPONENTIALS_H
#define FASTLOSS_EXPONENTIALS_H

#include "engine/tiles.h"
#include "vecmath/exponential.h"

#if defined(__AVX512F__)
#define FL_VECTORS (FL_LANES / 16)

// 2^t as fl_exp2_in_sum_f32 has it, but 0 only from 2^-150 on.
FL_INLINE __m512 fl_exp2_in_sum_16(__m512 t) {
    t = _mm512_max_ps(_mm512_set1_ps(-150.0f), t); // of two of which one is NaN the second
    __m512 k = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_sub_ps(t, k);
    __m512 p = _mm512_set1_ps(flv_exp2_f32[5]);
    for (int i = 4; i >= 0; i--)
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(flv_exp2_f32[i]));
    return _mm512_scalef_ps(p, k);
}

FL_INLINE __m512 fl_exponentials_16(__m512 x, __m512 shift, __m512 unit) {
    return fl_exp2_in_sum_16(_mm512_mul_ps(_mm512_sub_ps(x, shift), unit));
}

// The first n of 16 numbers, and -inf for the others.
FL_INLINE __m512 fl_first_16(const float *x, ptrdiff_t n) {
    __mmask16 kept = (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
    return _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), kept, x);
}
#else
// Of n numbers the last ones, and -inf up to FL_LANES.
FL_INLINE const float *fl_last_lanes(const float *x, ptrdiff_t n, float *room) {
    if (n >= FL_LANES)
        return x;
    for (int k = 0; k < FL_LANES; k++)
        room[k] = -__builtin_inff();
    memcpy(room, x, (size_t)n * sizeof *x);
    return room;
}
#endif

// The largest of n numbers, none of which is NaN, or -inf.
static inline float fl_largest_f32(const float *x, ptrdiff_t n) {
    ptrdiff_t i = 0;
#if defined(__AVX512F__)
    __m512 top[FL_VECTORS];
    for (int k = 0; k < FL_VECTORS; k++)
        top[k] = _mm512_set1_ps(-__builtin_inff());
    for (; i + FL_LANES <= n; i += FL_LANES)
        for (int k = 0; k < FL_VECTORS; k++)
            top[k] = _mm512_max_ps(_mm512_loadu_ps(x + i + 16 * k), top[k]);
    for (; i < n; i += 16)
        top[0] = _mm512_max_ps(fl_first_16(x + i, n - i), top[0]);
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(top[0], top[1]), _mm512_max_ps(top[2], top[3])));
#else
    float top[FL_LANES], room[FL_LANES];
    for (int k = 0; k < FL_LANES; k++)
        top[k] = -__builtin_inff();
    for (; i < n; i += FL_LANES) {
        const float *v = fl_last_lanes(x + i, n - i, room);
        for (int k = 0; k < FL_LANES; k++)
            top[k] = v[k] > top[k] ? v[k] : top[k];
    }
    for (int half = FL_LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            top[k] = top[k + half] > top[k] ? top[k + half] : top[k];
    return top[0];
#endif
}

// The sum of 2^((x - shift) unit) over n numbers, none of which is above `shift`.
static inline float fl_sum_exp2_f32(const float *x, ptrdiff_t n, float shift, float unit) {
    ptrdiff_t i = 0;
#if defined(__AVX512F__)
    const __m512 shifts = _mm512_set1_ps(shift), units = _mm512_set1_ps(unit);
    __m512 sum[FL_VECTORS];
    for (int k = 0; k < FL_VECTORS; k++)
        sum[k] = _mm512_setzero_ps();
    for (; i + FL_LANES <= n; i += FL_LANES)
        for (int k = 0; k < FL_VECTORS; k++)
            sum[k] =
                _mm512_add_ps(sum[k], fl_exponentials_16(_mm512_loadu_ps(x + i + 16 * k), shifts, units));
    for (; i < n; i += 16)
        sum[0] = _mm512_add_ps(sum[0], fl_exponentials_16(fl_first_16(x + i, n - i), shifts, units));
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
#else
    float sum[FL_LANES] = {0}, room[FL_LANES];
    for (; i < n; i += FL_LANES) {
        const float *v = fl_last_lanes(x + i, n - i, room);
        for (int k = 0; k < FL_LANES; k++)
            sum[k] += fl_exp2_in_sum_f32((v[k] - shift) * unit);
    }
    for (int half = FL_LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            sum[k] += sum[k + half];
    return sum[0];
#endif
}

// For each lane the sum of 2^((x - shift) unit) over `groups` of FL_LANES numbers.
static inline void fl_sum_lanes_exp2_f32(const float *x, ptrdiff_t groups, const float *shift, float unit,
                                         float *sums) {
#if defined(__AVX512F__)
    const __m512 units = _mm512_set1_ps(unit);
    __m512 shifts[FL_VECTORS], sum[FL_VECTORS];
    for (int k = 0; k < FL_VECTORS; k++) {
        shifts[k] = _mm512_loadu_ps(shift + 16 * k);
        sum[k] = _mm512_setzero_ps();
    }
    for (ptrdiff_t j = 0; j < groups; j++, x += FL_LANES)
        for (int k = 0; k < FL_VECTORS; k++)
            sum[k] = _mm512_add_ps(sum[k], fl_exponentials_16(_mm512_loadu_ps(x + 16 * k), shifts[k], units));
    for (int k = 0; k < FL_VECTORS; k++)
        _mm512_storeu_ps(sums + 16 * k, sum[k]);
#else
    float shifts[FL_LANES], sum[FL_LANES] = {0};
    memcpy(shifts, shift, sizeof shifts);
    for (ptrdiff_t j = 0; j < groups; j++, x += FL_LANES)
        for (int k = 0; k < FL_LANES; k++)
            sum[k] += fl_exp2_in_sum_f32((x[k] - shifts[k]) * unit);
    memcpy(sums, sum, sizeof sum);
#endif
}

#endif
