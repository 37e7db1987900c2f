// Rows of a matrix side by side: each is a lane.

#ifndef FASTLOSS_TILES_H
#define FASTLOSS_TILES_H

#include <stddef.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Elements side by side in a tile: the rows of a group, one class after the other.
#define FL_LANES 64

// The rows of one register: 16 bytes of each, `step` bytes apart, and what interleaves their elements.
#if defined(__AVX512F__)
typedef __m512i fl_rows;
#define FL_PIECES 4
#define FL_UNPACK(a, b, half, bits) _mm512_unpack##half##_epi##bits(a, b)
#elif defined(__AVX2__)
typedef __m256i fl_rows;
#define FL_PIECES 2
#define FL_UNPACK(a, b, half, bits) _mm256_unpack##half##_epi##bits(a, b)
#elif defined(__SSE2__)
typedef __m128i fl_rows;
#define FL_PIECES 1
#define FL_UNPACK(a, b, half, bits) _mm_unpack##half##_epi##bits(a, b)
#endif

#if defined(__SSE2__)
static inline __m128i fl_piece(const char *from) { return _mm_loadu_si128((const __m128i *)from); }

static inline fl_rows fl_collect(const char *from, ptrdiff_t step) {
#if defined(__AVX512F__)
    __m512i v = _mm512_castsi128_si512(fl_piece(from));
    v = _mm512_inserti32x4(v, fl_piece(from + step), 1);
    v = _mm512_inserti32x4(v, fl_piece(from + 2 * step), 2);
    return _mm512_inserti32x4(v, fl_piece(from + 3 * step), 3);
#elif defined(__AVX2__)
    return _mm256_inserti128_si256(_mm256_castsi128_si256(fl_piece(from)), fl_piece(from + step), 1);
#else
    (void)step;
    return fl_piece(from);
#endif
}

// Its piece k, a constant.
#if defined(__AVX512F__)
#define FL_PIECE(v, k) _mm512_extracti32x4_epi32(v, k)
#elif defined(__AVX2__)
#define FL_PIECE(v, k) _mm256_extracti128_si256(v, (k) & 1)
#else
#define FL_PIECE(v, k) (v)
#endif

static inline void fl_spread_pieces(char *to, ptrdiff_t stride, const fl_rows *v, int count, int k) {
    for (int i = 0; i < count; i++) {
        __m128i piece = k == 0   ? FL_PIECE(v[i], 0)
                        : k == 1 ? FL_PIECE(v[i], 1)
                        : k == 2 ? FL_PIECE(v[i], 2)
                                 : FL_PIECE(v[i], 3);
        _mm_storeu_si128((__m128i *)(to + (k * count + i) * stride), piece);
    }
}

// `count` registers of as many elements a piece, each piece transposed: itself the inverse.
static inline void fl_transpose_pieces(fl_rows *v, int count) {
    if (count == 4) {
        fl_rows a = FL_UNPACK(v[0], v[1], lo, 32), b = FL_UNPACK(v[0], v[1], hi, 32);
        fl_rows c = FL_UNPACK(v[2], v[3], lo, 32), d = FL_UNPACK(v[2], v[3], hi, 32);
        v[0] = FL_UNPACK(a, c, lo, 64);
        v[1] = FL_UNPACK(a, c, hi, 64);
        v[2] = FL_UNPACK(b, d, lo, 64);
        v[3] = FL_UNPACK(b, d, hi, 64);
    } else {
        fl_rows a = v[0];
        v[0] = FL_UNPACK(a, v[1], lo, 64);
        v[1] = FL_UNPACK(a, v[1], hi, 64);
    }
}
#endif

// FL_LANES rows of `classes` elements, `stride` bytes apart, to a tile. Whole pieces of 16 bytes are read and
// written: up to 12 bytes past the last row are read, and the tile has room for them.
static inline __attribute__((always_inline)) void fl_to_tile(const char *from, ptrdiff_t stride,
                                                             ptrdiff_t classes, char *tile, int itemsize) {
#if defined(__SSE2__)
    const int count = 16 / itemsize, rows = count * FL_PIECES;
    for (ptrdiff_t i = 0; i < FL_LANES; i += rows)
        for (ptrdiff_t k = 0; k < classes; k += count) {
            fl_rows v[4];
            for (int j = 0; j < count; j++)
                v[j] = fl_collect(from + (i + j) * stride + k * itemsize, count * stride);
            fl_transpose_pieces(v, count);
            for (int j = 0; j < count; j++)
                memcpy(tile + ((k + j) * FL_LANES + i) * itemsize, &v[j], sizeof v[j]);
        }
#else
    for (ptrdiff_t k = 0; k < classes; k++)
        for (ptrdiff_t i = 0; i < FL_LANES; i++)
            memcpy(tile + (k * FL_LANES + i) * itemsize, from + i * stride + k * itemsize, itemsize);
#endif
}

// ... and back, to rows without gaps. What is written past the end of a row is written over by the next; up
// to 12 bytes past the last one are lost.
static inline __attribute__((always_inline)) void fl_from_tile(const char *tile, ptrdiff_t classes, char *to,
                                                               int itemsize) {
    const ptrdiff_t stride = classes * itemsize;
#if defined(__SSE2__)
    const int count = 16 / itemsize, rows = count * FL_PIECES;
    for (ptrdiff_t i = 0; i < FL_LANES; i += rows)
        for (ptrdiff_t k = (classes - 1) / count * count; k >= 0; k -= count) {
            fl_rows v[4];
            char *at = to + i * stride + k * itemsize;
            for (int j = 0; j < count; j++)
                memcpy(&v[j], tile + ((k + j) * FL_LANES + i) * itemsize, sizeof v[j]);
            fl_transpose_pieces(v, count);
            for (int j = 0; j < FL_PIECES; j++)
                fl_spread_pieces(at, stride, v, count, j);
        }
#else
    for (ptrdiff_t i = 0; i < FL_LANES; i++)
        for (ptrdiff_t k = 0; k < classes; k++)
            memcpy(to + i * stride + k * itemsize, tile + (k * FL_LANES + i) * itemsize, itemsize);
#endif
}

#endif
