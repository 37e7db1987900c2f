// What the block drivers need and Cython cannot spell: aligned scratch space, non-temporal stores, byte
// swaps, and the floating-point mode of a worker thread.

#ifndef FASTLOSS_MEMORY_H
#define FASTLOSS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Elements of one block: four float64 streams of it stay in a first-level cache, and the bursts of
// non-temporal stores are short enough for the reads of the next block to overlap them.
#define FL_BLOCK 512

// Streams are not a multiple of 4 KB apart, where a load would wait for an unrelated store.
#define FL_ROOM (FL_BLOCK + 24)

// A block of every stream a formula reads or writes, in the type it is computed in. `raw` holds the
// bytes of an operand that is strided, unaligned or byte-swapped before they are converted.
typedef struct {
    double y[FL_ROOM], x[FL_ROOM], z[FL_ROOM], weight[FL_ROOM];
    double value[FL_ROOM], grad[FL_ROOM], grad_z[FL_ROOM], hess[FL_ROOM], hess_z[FL_ROOM];
    double raw[FL_ROOM], total[FL_ROOM];
} __attribute__((aligned(64))) fl_scratch;

// memcpy past the caches: a gradient that nobody reads soon does not evict what is in use, and its
// lines are not read from memory before they are written.
static inline void fl_stream(char *to, const char *from, ptrdiff_t bytes) {
#if defined(__AVX512F__) || defined(__AVX__) || defined(__SSE2__)
    ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)to & 63);
    if (head > bytes)
        head = bytes;
    memcpy(to, from, (size_t)head);
    ptrdiff_t i = head;
#if defined(__AVX512F__)
    for (; i + 64 <= bytes; i += 64)
        _mm512_stream_si512((__m512i *)(to + i), _mm512_loadu_si512((const void *)(from + i)));
#elif defined(__AVX__)
    for (; i + 32 <= bytes; i += 32)
        _mm256_stream_si256((__m256i *)(to + i), _mm256_loadu_si256((const __m256i *)(from + i)));
#else
    for (; i + 16 <= bytes; i += 16)
        _mm_stream_si128((__m128i *)(to + i), _mm_loadu_si128((const __m128i *)(from + i)));
#endif
    memcpy(to + i, from + i, (size_t)(bytes - i));
#else
    memcpy(to, from, (size_t)bytes);
#endif
}

// For data whose turn comes too soon for the processor to foresee it.
static inline void fl_prefetch(const char *from, ptrdiff_t bytes) {
    for (ptrdiff_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(from + i, 0, 3);
}

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

// Non-temporal stores are weakly ordered: a thread that used them fences before it reports.
static inline void fl_stream_fence(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

static inline void fl_swap_bytes(char *v, ptrdiff_t n, int itemsize) {
    for (ptrdiff_t i = 0; i < n; i++) {
        if (itemsize == 2) {
            uint16_t t;
            memcpy(&t, v + 2 * i, 2);
            t = __builtin_bswap16(t);
            memcpy(v + 2 * i, &t, 2);
        } else if (itemsize == 4) {
            uint32_t t;
            memcpy(&t, v + 4 * i, 4);
            t = __builtin_bswap32(t);
            memcpy(v + 4 * i, &t, 4);
        } else if (itemsize == 8) {
            uint64_t t;
            memcpy(&t, v + 8 * i, 8);
            t = __builtin_bswap64(t);
            memcpy(v + 8 * i, &t, 8);
        }
    }
}

// A thread of OpenMP keeps the rounding and flush-to-zero mode of the moment it was created in, so every
// chunk of work sets the IEEE default and restores what it found: same bits in every thread.
static inline unsigned fl_enter_ieee_mode(void) {
#if defined(__SSE2__)
    unsigned found = _mm_getcsr();
    _mm_setcsr(0x1f80);
    return found;
#else
    return 0;
#endif
}

static inline void fl_leave_ieee_mode(unsigned found) {
#if defined(__SSE2__)
    _mm_setcsr(found);
#else
    (void)found;
#endif
}

// a / b rounded to nearest whatever the mode; volatile, or the compiler would divide before it is set.
static inline double fl_divide_to_nearest(double a, double b) {
    unsigned found = fl_enter_ieee_mode();
    volatile double dividend = a;
    volatile double quotient = dividend / b;
    fl_leave_ieee_mode(found);
    return quotient;
}

#endif
