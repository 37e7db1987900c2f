// Reads and writes that go past the first-level cache, and bytes of the other order.

#ifndef FASTLOSS_STREAMS_H
#define FASTLOSS_STREAMS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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

#endif
