// The largest of some logits and the sums of their exponentials, which are nearly all of what a softmax
// computes: in vectors by hand, since no compiler scales by a power of two, masks odd lengths and folds lanes
// as these do.

#ifndef FASTLOSS_EXPONENTIALS_H
#define FASTLOSS_EXPONENTIALS_H

#include "engine/streams.h"
#include "engine/tiles.h"
#include "vecmath/floats.h"

#if defined(FL_FLOATS)
#define FL_VECTORS (FL_LANES / FL_FLOATS)

// 2^t, t <= 0, as a term of a sum of at least 1; 0 below 2^-126.
FL_INLINE fl_floats fl_exp2_floats(fl_floats t) {
    fl_floats k = fl_rounded(t), r = FL_OP(sub)(t, k);
    return fl_times_power_of_two(t, k, FL_HORNER(flv_exp2_f32, r));
}

FL_INLINE fl_floats fl_exponentials(fl_floats x, fl_floats shift, fl_floats unit) {
    return fl_exp2_floats(FL_OP(mul)(FL_OP(sub)(x, shift), unit));
}

FL_INLINE void fl_halve(fl_floats *v, int half, int largest) {
    for (int k = 0; k < half; k++)
        v[k] = largest ? FL_OP(max)(v[k], v[k + half]) : FL_OP(add)(v[k], v[k + half]);
}

// Step by step: of a loop, compilers keep the vectors in memory.
FL_INLINE fl_floats fl_fold_vectors(fl_floats *v, int largest) {
    if (FL_VECTORS == 8)
        fl_halve(v, 4, largest);
    fl_halve(v, 2, largest);
    fl_halve(v, 1, largest);
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

// The sum of 2^((x - shift) unit) over n numbers, none of which is above `shift`. Meanwhile as many from
// `next` on are fetched: at once, they would keep what follows waiting.
static inline float fl_sum_exp2_f32(const float *x, ptrdiff_t n, float shift, float unit, const float *next) {
    const fl_floats shifts = FL_OP(set1)(shift), units = FL_OP(set1)(unit);
    fl_floats sum[FL_VECTORS];
    ptrdiff_t i = 0;
    for (int k = 0; k < FL_VECTORS; k++)
        sum[k] = FL_OP(setzero)();
    for (; i + FL_LANES <= n; i += FL_LANES) {
        fl_prefetch((const char *)(next + i), FL_LANES * sizeof *x);
        for (int k = 0; k < FL_VECTORS; k++)
            sum[k] = FL_OP(add)(sum[k], fl_exponentials(FL_OP(loadu)(x + i + FL_FLOATS * k), shifts, units));
    }
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
                fl_floats scale, a = FL_OP(mul)(FL_OP(sub)(FL_OP(loadu)(x + at), shifts[v]), scales);
                fl_floats q = fl_exp_nonpositive_floats(a, &scale);
                FL_OP(storeu)(to + at, FL_OP(mul)(factors[v], FL_OP(fmadd)(q, scale, scale)));
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

static inline float fl_sum_exp2_f32(const float *x, ptrdiff_t n, float shift, float unit, const float *next) {
    float sum[FL_LANES] = {0}, room[FL_LANES];
    for (ptrdiff_t i = 0; i < n; i += FL_LANES) {
        const float *v = fl_first_lanes(x + i, n - i, room);
        fl_prefetch((const char *)(next + i), FL_LANES * sizeof *x);
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
