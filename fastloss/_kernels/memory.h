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

// A pool thread keeps the rounding and flush-to-zero mode of the moment it was created in, so every
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

#endif
