// Bit patterns of float16 and bfloat16.

#ifndef FL_VECMATH_HALF_H
#define FL_VECMATH_HALF_H

#include "vecmath/base.h"

/* Integer and normal-range arithmetic only, so it also holds with denormals flushed to zero. */
FL_INLINE float fl_from_f16(uint16_t h) {
    uint32_t a = h & 0x7fffu;
    uint32_t n = (a << 13) + (112u << 23);
    n = (int32_t)a >= 0x7c00 ? n + (112u << 23) : n;
    uint32_t s = flv_bits_f32((float)(int32_t)a * 0x1p-24f);
    n = (int32_t)a < 0x0400 ? s : n;
    return flv_from_bits_f32(n | ((uint32_t)(h & 0x8000u) << 16));
}

/* Round to nearest even. Subnormal results: the spacing of floats at 0.5 is that of subnormal
   float16, so adding 0.5 rounds. NaN becomes quiet and keeps the leading bits of its payload. */
FL_INLINE uint16_t fl_to_f16(float x) {
    uint32_t b = flv_bits_f32(x);
    uint32_t a = b & 0x7fffffffu;
    uint32_t n = (a - (112u << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13;
    n = (int32_t)a >= 0x47800000 ? 0x7c00u : n;
    uint32_t s = flv_bits_f32(flv_from_bits_f32(a) + 0.5f) - 0x3f000000u;
    n = (int32_t)a < 0x38800000 ? s : n;
    n = (int32_t)a > 0x7f800000 ? 0x7e00u | ((a >> 13) & 0x3ffu) : n;
    return (uint16_t)(n | ((b >> 16) & 0x8000u));
}

FL_INLINE float fl_from_bf16(uint16_t h) { return flv_from_bits_f32((uint32_t)h << 16); }

/* Round to nearest even; NaN as in fl_to_f16. */
FL_INLINE uint16_t fl_to_bf16(float x) {
    uint32_t b = flv_bits_f32(x);
    uint32_t n = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
    n = (int32_t)(b & 0x7fffffffu) > 0x7f800000 ? (b >> 16) | 0x40u : n;
    return (uint16_t)n;
}

/* Towards 0 unless exact, and then with the last bit set: what is rounded to nearest from this to 16 bits is
   rounded as from x itself, where a first rounding to nearest could make a tie. */
FL_INLINE float fl_round_to_odd(double x) {
    float f = (float)x;
    double magnitude = x < 0.0 ? -x : x, rounded = f < 0.0f ? -(double)f : (double)f;
    uint32_t b = flv_bits_f32(f) - (rounded > magnitude ? 1u : 0u);
    return flv_from_bits_f32(b | (rounded != magnitude ? 1u : 0u));
}

#endif
