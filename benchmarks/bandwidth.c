// The bandwidth of memory that a loss could reach: two reads, and two reads with a write past the caches; its latency.

#include <stddef.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define BLOCK 4096
#define LANES 16

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static float sum(const float *v, ptrdiff_t n) {
    lanes s[4] = {{0}};
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++)
            s[k] += *(const lanes *)(v + i + k * LANES);
    lanes all = (s[0] + s[1]) + (s[2] + s[3]);
    float total = 0;
    for (int k = 0; k < LANES; k++)
        total += all[k];
    for (; i < n; i++)
        total += v[i];
    return total;
}

// `to` is aligned to 64 bytes.
static void add(const float *v, float c, float *to, ptrdiff_t n) {
    ptrdiff_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm512_stream_ps(to + i, _mm512_add_ps(_mm512_loadu_ps(v + i), _mm512_set1_ps(c)));
#elif defined(__AVX__)
    for (; i + 8 <= n; i += 8)
        _mm256_stream_ps(to + i, _mm256_add_ps(_mm256_loadu_ps(v + i), _mm256_set1_ps(c)));
#elif defined(__SSE2__)
    for (; i + 4 <= n; i += 4)
        _mm_stream_ps(to + i, _mm_add_ps(_mm_loadu_ps(v + i), _mm_set1_ps(c)));
#endif
    for (; i < n; i++)
        to[i] = v[i] + c;
}

// Read a and b block by block, the shorter in proportion, and with `to` write as much as b holds.
float read_and_write(const float *a, ptrdiff_t na, const float *b, ptrdiff_t nb, float *to, int threads) {
    ptrdiff_t blocks = (nb + BLOCK - 1) / BLOCK;
    float total = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total)
    for (ptrdiff_t i = 0; i < blocks; i++) {
        ptrdiff_t first = na * i / blocks, start = BLOCK * i, n = nb - start < BLOCK ? nb - start : BLOCK;
        float s = sum(a + first, na * (i + 1) / blocks - first);
        if (to)
            add(b + start, s, to + start, n);
        else
            s += sum(b + start, n);
        total += s;
    }
#if defined(__SSE2__)
    _mm_sfence();
#endif
    return total;
}

// Follow `steps` links, each of which says where the next one is.
ptrdiff_t follow(const ptrdiff_t *links, ptrdiff_t steps) {
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < steps; i++)
        at = links[at];
    return at;
}
