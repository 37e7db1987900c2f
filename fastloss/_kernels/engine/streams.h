// Reads and writes that go past the first-level cache, and bytes of the other order.

#ifndef FASTLOSS_STREAMS_H
#define FASTLOSS_STREAMS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Bytes between what is in use and what is fetched meanwhile: of one stream, what the memory delivers while
// it answers.
#define FL_AHEAD 2048

// 64 bytes to where a line begins, past the caches.
static inline void fl_write_line(char *to, const char *from) {
#if defined(__AVX512F__)
    _mm512_stream_si512((__m512i *)to, _mm512_loadu_si512((const void *)from));
#elif defined(__AVX__)
    for (int i = 0; i < 64; i += 32)
        _mm256_stream_si256((__m256i *)(to + i), _mm256_loadu_si256((const __m256i *)(from + i)));
#elif defined(__SSE2__)
    for (int i = 0; i < 64; i += 16)
        _mm_stream_si128((__m128i *)(to + i), _mm_loadu_si128((const __m128i *)(from + i)));
#else
    memcpy(to, from, 64);
#endif
}

// memcpy past the caches: a gradient that nobody reads soon does not evict what is in use, and its
// lines are not read from memory before they are written.
static inline void fl_stream(char *to, const char *from, ptrdiff_t bytes) {
    ptrdiff_t head = (ptrdiff_t)(-(uintptr_t)to & 63);
    if (head > bytes)
        head = bytes;
    memcpy(to, from, (size_t)head);
    ptrdiff_t i = head;
    for (; i + 64 <= bytes; i += 64)
        fl_write_line(to + i, from + i);
    memcpy(to + i, from + i, (size_t)(bytes - i));
}

// A line of memory of which what is to stand from `first` up to `next` is known.
typedef struct {
    char *first, *next;
    _Alignas(64) char bytes[64]; // in their places
} fl_line;

static inline void fl_close_line(fl_line *line) {
    if (line->next != line->first)
        memcpy(line->first, line->bytes + ((uintptr_t)line->first & 63), (size_t)(line->next - line->first));
    line->first = line->next;
}

// The same for runs that continue each other and meet within lines, which are written whole. To put the parts
// of a line beside each other and read it would wait until they are in the cache, after all that is on its
// way to memory.
static inline void fl_stream_on(fl_line *line, char *to, const char *from, ptrdiff_t bytes) {
#if defined(__AVX512BW__)
    if (line->next != to) {
        fl_close_line(line);
        line->first = line->next = to;
    }
    ptrdiff_t place = (uintptr_t)to & 63, i = 64 - place;
    if (bytes < i) {
        memcpy(line->bytes + place, from, (size_t)bytes);
        line->next += bytes;
        return;
    }
    if (line->next - line->first == place)
        _mm512_stream_si512((__m512i *)line->first,
                            _mm512_mask_loadu_epi8(_mm512_load_si512((const void *)line->bytes),
                                                   ~(__mmask64)0 << place, from - place));
    else {
        fl_close_line(line);
        memcpy(to, from, (size_t)i);
    }
    for (; i + 64 <= bytes; i += 64)
        fl_write_line(to + i, from + i);
    line->first = to + i;
    line->next = to + bytes;
    _mm512_store_si512((void *)line->bytes,
                       _mm512_maskz_loadu_epi8(((__mmask64)1 << (bytes - i)) - 1, from + i));
#else
    (void)line;
    fl_stream(to, from, bytes);
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
