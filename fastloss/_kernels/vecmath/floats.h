// Vectors of float32 by hand, where a loop that a compiler makes would be slower: a register each, with one
// text for AVX-512 and AVX2. FL_FLOATS is the number of their elements, and not defined elsewhere.

#ifndef FL_VECMATH_FLOATS_H
#define FL_VECMATH_FLOATS_H

#include <stddef.h>

#include "vecmath/exponential.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define FL_FLOATS 16
#define FL_DOUBLES 8
typedef __m512 fl_floats;
typedef __m512d fl_doubles;
#define FL_OP(name) _mm512_##name##_ps

// p 2^k for the integer k that is nearest to t, and 0 where t is below -126: a result that is subnormal, or
// too small for that, takes some processors as long as a hundred others.
FL_INLINE fl_floats fl_times_power_of_two(fl_floats t, fl_floats k, fl_floats p) {
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(t, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ), p, k);
}

FL_INLINE fl_floats fl_rounded(fl_floats t) {
    return _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// The first n numbers, and -inf for the others.
FL_INLINE fl_floats fl_first_floats(const float *x, ptrdiff_t n) {
    __mmask16 kept = (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
    return _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), kept, x);
}

FL_INLINE fl_floats fl_shifted_to_exponent(fl_floats t) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t), 23));
}

FL_INLINE fl_floats fl_where_above(fl_floats a, fl_floats b, fl_floats yes, fl_floats no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes);
}

// a b, and 0 for a = 0 even where b is infinite.
FL_INLINE fl_floats fl_product_if_any(fl_floats a, fl_floats b) {
    return _mm512_maskz_mul_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NEQ_UQ), a, b);
}

FL_INLINE float fl_fold_max(fl_floats v) { return _mm512_reduce_max_ps(v); }
FL_INLINE float fl_fold_sum(fl_floats v) { return _mm512_reduce_add_ps(v); }

#elif defined(__AVX2__) && defined(__FMA__)
#define FL_FLOATS 8
#define FL_DOUBLES 4
typedef __m256 fl_floats;
typedef __m256d fl_doubles;
#define FL_OP(name) _mm256_##name##_ps

FL_INLINE fl_floats fl_times_power_of_two(fl_floats t, fl_floats k, fl_floats p) {
    __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127)), 23);
    fl_floats found = _mm256_mul_ps(p, _mm256_castsi256_ps(bits));
    return _mm256_and_ps(found, _mm256_cmp_ps(t, _mm256_set1_ps(-126.0f), _CMP_NLT_UQ));
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

FL_INLINE fl_floats fl_shifted_to_exponent(fl_floats t) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23));
}

FL_INLINE fl_floats fl_where_above(fl_floats a, fl_floats b, fl_floats yes, fl_floats no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}

FL_INLINE fl_floats fl_product_if_any(fl_floats a, fl_floats b) {
    return _mm256_and_ps(_mm256_mul_ps(a, b), _mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NEQ_UQ));
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
FL_INLINE fl_floats fl_horner_floats(const float *c, int n, fl_floats x) {
    fl_floats p = FL_OP(set1)(c[n - 1]);
#pragma GCC unroll 32
    for (int i = n - 2; i >= 0; i--)
        p = FL_OP(fmadd)(p, x, FL_OP(set1)(c[i]));
    return p;
}
#define FL_HORNER(c, x) fl_horner_floats(c, FLV_COUNT(c), x)

// 2^k of what `flv_to_integer_f32` + 159 + k is in float32: 0 for the least k, and subnormal below -126.
FL_INLINE fl_floats fl_scale_of(fl_floats t) {
    return FL_OP(mul)(fl_shifted_to_exponent(t), FL_OP(set1)(0x1p-32f));
}

// As flv_exp_nonpositive, to the bit.
FL_INLINE fl_floats fl_exp_nonpositive_floats(fl_floats a, fl_floats *scale) {
    const fl_floats magic = FL_OP(set1)(flv_to_integer_f32 + 159.0f);
    a = FL_OP(max)(FL_OP(set1)(flv_exp_nonpositive_least_f32), a); // a NaN that is the second stays
    fl_floats t = FL_OP(fmadd)(a, FL_OP(set1)(flv_log2e_f32), magic), k = FL_OP(sub)(t, magic);
    *scale = fl_scale_of(t);
    fl_floats r = FL_OP(fnmadd)(k, FL_OP(set1)(flv_ln2_high_f32), a);
    r = FL_OP(fnmadd)(k, FL_OP(set1)(flv_ln2_low_f32), r);
    return FL_OP(fmadd)(FL_OP(mul)(r, r), FL_HORNER(flv_exp_nonpositive_f32, r), r);
}
#endif

#endif
