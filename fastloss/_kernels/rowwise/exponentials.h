// The largest of some logits and the sums of their exponentials, which are nearly all of what a softmax
// computes: in vectors by hand, since no compiler scales by a power of two, masks odd lengths and folds lanes
// as these do.

#ifndef FASTLOSS_EXPONENTIALS_H
#define FASTLOSS_EXPONENTIALS_H

#include "engine/tiles.h"
#include "vecmath/exponential.h"

// A vector ---------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
#define FL_FLOATS 16
typedef __m512 fl_floats;
#define FL_OP(name) _mm512_##name##_ps

FL_INLINE fl_floats fl_power_of_two(fl_floats k, fl_floats p) { return _mm512_scalef_ps(p, k); }

FL_INLINE fl_floats fl_rounded(fl_floats t) {
    return _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// The first n numbers, and -inf for the others.
FL_INLINE fl_floats fl_first_floats(const float *x, ptrdiff_t n) {
    __mmask16 kept = (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
    return _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), kept, x);
}

FL_INLINE float fl_fold_max(fl_floats v) { return _mm512_reduce_max_ps(v); }
FL_INLINE float fl_fold_sum(fl_floats v) { return _mm512_reduce_add_ps(v); }

#elif defined(__AVX2__) && defined(__FMA__)
#define FL_FLOATS 8
typedef __m256 fl_floats;
#define FL_OP(name) _mm256_##name##_ps

FL_INLINE fl_floats fl_power_of_two(fl_floats k, fl_floats p) {
    __m256i bits = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23)));
}

FL_INLINE fl_floats fl_rounded(fl_floats t) {
    return _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

FL_INLINE fl_floats fl_first_floats(const float *x, ptrdiff_t n) {
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i kept = _mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? (int)n : 8), places);
    return _mm256_blendv_ps(_mm256_set1_ps(-__builtin_inff()), _mm256_maskload_ps(x, kept),
                            _mm256_castsi256_ps(kept));
}

#define FL_FOLD(name, op)                                                                                    \
    FL_INLINE float name(fl_floats v) {                                                                      \
        __m128 half = op##_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));                       \
        half = op##_ps(half, _mm_movehl_ps(half, half));                                                     \
        return _mm_cvtss_f32(op##_ss(half, _mm_movehdup_ps(half)));                                          \
    }
FL_FOLD(fl_fold_max, _mm_max)
FL_FOLD(fl_fold_sum, _mm_add)
#endif

#if defined(FL_FLOATS)
#define FL_VECTORS (FL_LANES / FL_FLOATS)

// 2^t, t <= 0, as a term of a sum of at least 1; 0 below 2^-126.5 at the latest.
FL_INLINE fl_floats fl_exp2_floats(fl_floats t) {
    t = FL_OP(max)(FL_OP(set1)(FL_FLOATS == 16 ? -150.0f : -127.0f), t); // a NaN that is the second stays
    fl_floats k = fl_rounded(t), r = FL_OP(sub)(t, k), p = FL_OP(set1)(flv_exp2_f32[5]);
    for (int i = 4; i >= 0; i--)
        p = FL_OP(fmadd)(p, r, FL_OP(set1)(flv_exp2_f32[i]));
    return fl_power_of_two(k, p);
}

FL_INLINE fl_floats fl_exponentials(fl_floats x, fl_floats shift, fl_floats unit) {
    return fl_exp2_floats(FL_OP(mul)(FL_OP(sub)(x, shift), unit));
}

FL_INLINE fl_floats fl_fold_vectors(fl_floats *v, int largest) {
#pragma GCC unroll 4
    for (int half = FL_VECTORS / 2; half; half /= 2)
#pragma GCC unroll 4
        for (int k = 0; k < half; k++)
            v[k] = largest ? FL_OP(max)(v[k], v[k + half]) : FL_OP(add)(v[k], v[k + half]);
    return v[0];
}

// The largest of n numbers, none of which is NaN, or -inf.
static inline float fl_largest_f32(const float *x, ptrdiff_t n) {
    fl_floats top[FL_VECTORS];
    ptrdiff_t i = 0;
    for (int k = 0; k < FL_VECTORS; k++)
        top[k] = FL_OP(set1)(-__builtin_inff());
    for (; i + FL_LANES <= n; i += FL_LANES)
        for (int k = 0; k < FL_VECTORS; k++)
            top[k] = FL_OP(max)(FL_OP(loadu)(x + i + FL_FLOATS * k), top[k]);
    for (; i < n; i += FL_FLOATS)
        top[0] = FL_OP(max)(fl_first_floats(x + i, n - i), top[0]);
    return fl_fold_max(fl_fold_vectors(top, 1));
}

// The sum of 2^((x - shift) unit) over n numbers, none of which is above `shift`.
static inline float fl_sum_exp2_f32(const float *x, ptrdiff_t n, float shift, float unit) {
    const fl_floats shifts = FL_OP(set1)(shift), units = FL_OP(set1)(unit);
    fl_floats sum[FL_VECTORS];
    ptrdiff_t i = 0;
    for (int k = 0; k < FL_VECTORS; k++)
        sum[k] = FL_OP(setzero)();
    for (; i + FL_LANES <= n; i += FL_LANES)
        for (int k = 0; k < FL_VECTORS; k++)
            sum[k] = FL_OP(add)(sum[k], fl_exponentials(FL_OP(loadu)(x + i + FL_FLOATS * k), shifts, units));
    for (; i < n; i += FL_FLOATS)
        sum[0] = FL_OP(add)(sum[0], fl_exponentials(fl_first_floats(x + i, n - i), shifts, units));
    return fl_fold_sum(fl_fold_vectors(sum, 0));
}

// For each lane the sum of 2^((x - shift) unit) over `groups` of FL_LANES numbers.
static inline void fl_sum_lanes_exp2_f32(const float *x, ptrdiff_t groups, const float *shift, float unit,
                                         float *sums) {
    const fl_floats units = FL_OP(set1)(unit);
    for (int k = 0; k < FL_LANES; k += 4 * FL_FLOATS) {
        fl_floats shifts[4], sum[4];
        for (int v = 0; v < 4; v++) {
            shifts[v] = FL_OP(loadu)(shift + k + FL_FLOATS * v);
            sum[v] = FL_OP(setzero)();
        }
        for (ptrdiff_t j = 0; j < groups; j++)
            for (int v = 0; v < 4; v++) {
                fl_floats found = FL_OP(loadu)(x + FL_LANES * j + k + FL_FLOATS * v);
                sum[v] = FL_OP(add)(sum[v], fl_exponentials(found, shifts[v], units));
            }
        for (int v = 0; v < 4; v++)
            FL_OP(storeu)(sums + k + FL_FLOATS * v, sum[v]);
    }
}

// e^a, a <= 0, to the bit as fl_exp_nonpositive_f32 has it.
FL_INLINE fl_floats fl_exp_nonpositive_floats(fl_floats a) {
    const fl_floats magic = FL_OP(set1)(flv_to_integer_f32 + 159.0f);
    a = FL_OP(max)(FL_OP(set1)(flv_exp_nonpositive_least_f32), a);
    fl_floats t = FL_OP(fmadd)(a, FL_OP(set1)(flv_log2e_f32), magic), k = FL_OP(sub)(t, magic);
#if FL_FLOATS == 16
    fl_floats scale = _mm512_scalef_ps(_mm512_set1_ps(1.0f), k);
#else
    __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    fl_floats scale = _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(0x1p-32f));
#endif
    fl_floats r = FL_OP(fnmadd)(k, FL_OP(set1)(flv_ln2_high_f32), a);
    r = FL_OP(fnmadd)(k, FL_OP(set1)(flv_ln2_low_f32), r);
    fl_floats p = FL_OP(set1)(flv_exp_nonpositive_f32[4]);
    for (int i = 3; i >= 0; i--)
        p = FL_OP(fmadd)(p, r, FL_OP(set1)(flv_exp_nonpositive_f32[i]));
    return FL_OP(fmadd)(FL_OP(fmadd)(FL_OP(mul)(r, r), p, r), scale, scale);
}

// For each lane `factor` times e^((x - shift) scale), none of which is above 1, of `groups` of FL_LANES
// numbers.
static inline void fl_map_lanes_exp_f32(const float *x, ptrdiff_t groups, const float *shift, float scale,
                                        const float *factor, float *to) {
    const fl_floats scales = FL_OP(set1)(scale);
    for (int k = 0; k < FL_LANES; k += 4 * FL_FLOATS) {
        fl_floats shifts[4], factors[4];
        for (int v = 0; v < 4; v++) {
            shifts[v] = FL_OP(loadu)(shift + k + FL_FLOATS * v);
            factors[v] = FL_OP(loadu)(factor + k + FL_FLOATS * v);
        }
        for (ptrdiff_t j = 0; j < groups; j++)
            for (int v = 0; v < 4; v++) {
                ptrdiff_t at = FL_LANES * j + k + FL_FLOATS * v;
                fl_floats a = FL_OP(mul)(FL_OP(sub)(FL_OP(loadu)(x + at), shifts[v]), scales);
                FL_OP(storeu)(to + at, FL_OP(mul)(factors[v], fl_exp_nonpositive_floats(a)));
            }
    }
}

// The same in loops ------------------------------------------------------------------------------------

#else
// Of n numbers the first FL_LANES, and -inf where there are none.
FL_INLINE const float *fl_first_lanes(const float *x, ptrdiff_t n, float *room) {
    if (n >= FL_LANES)
        return x;
    for (int k = 0; k < FL_LANES; k++)
        room[k] = -__builtin_inff();
    memcpy(room, x, (size_t)n * sizeof *x);
    return room;
}

static inline float fl_largest_f32(const float *x, ptrdiff_t n) {
    float top[FL_LANES], room[FL_LANES];
    for (int k = 0; k < FL_LANES; k++)
        top[k] = -__builtin_inff();
    for (ptrdiff_t i = 0; i < n; i += FL_LANES) {
        const float *v = fl_first_lanes(x + i, n - i, room);
        for (int k = 0; k < FL_LANES; k++)
            top[k] = v[k] > top[k] ? v[k] : top[k];
    }
    for (int half = FL_LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            top[k] = top[k + half] > top[k] ? top[k + half] : top[k];
    return top[0];
}

static inline void fl_sum_lanes_exp2_f32(const float *x, ptrdiff_t groups, const float *shift, float unit,
                                         float *sums) {
    float shifts[FL_LANES], sum[FL_LANES] = {0};
    memcpy(shifts, shift, sizeof shifts);
    for (ptrdiff_t j = 0; j < groups; j++)
        for (int k = 0; k < FL_LANES; k++)
            sum[k] += fl_exp2_in_sum_f32((x[FL_LANES * j + k] - shifts[k]) * unit);
    memcpy(sums, sum, sizeof sum);
}

static inline void fl_map_lanes_exp_f32(const float *x, ptrdiff_t groups, const float *shift, float scale,
                                        const float *factor, float *to) {
    for (ptrdiff_t j = 0; j < groups; j++)
        for (int k = 0; k < FL_LANES; k++)
            to[FL_LANES * j + k] =
                factor[k] * fl_exp_nonpositive_f32((x[FL_LANES * j + k] - shift[k]) * scale);
}

static inline float fl_sum_exp2_f32(const float *x, ptrdiff_t n, float shift, float unit) {
    float sum[FL_LANES] = {0}, room[FL_LANES];
    for (ptrdiff_t i = 0; i < n; i += FL_LANES) {
        const float *v = fl_first_lanes(x + i, n - i, room);
        for (int k = 0; k < FL_LANES; k++)
            sum[k] += fl_exp2_in_sum_f32((v[k] - shift) * unit);
    }
    for (int half = FL_LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            sum[k] += sum[k + half];
    return sum[0];
}
#endif

#endif
