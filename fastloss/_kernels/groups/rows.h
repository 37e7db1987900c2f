// The state of a group while elements are added to it: a line of the caches where all weights are 1, else
// two.

#ifndef FASTLOSS_ROWS_H
#define FASTLOSS_ROWS_H

#include "engine/state.h"

typedef double fl_two __attribute__((vector_size(16)));

// What is changed together lies together, to be loaded and stored as one vector.
typedef struct {
    fl_two high; // of l and l^2
    fl_two low;
    int64_t count;
    int64_t nonfinite;
    fl_two ends; // -minimum and maximum
} fl_plain_row;

typedef struct {
    fl_two high[3]; // of w and w l, w^2 and w^2 l, w^2 l^2; last elements that count
    fl_two low[3];  // of these sums; last elements that are ignored
    fl_two ends;
    int64_t nonfinite;
    int64_t unused;
} fl_weighted_row;

static inline void fl_begin_plain(fl_plain_row *row) {
    *row = (fl_plain_row){.ends = {-INFINITY, -INFINITY}};
}

static inline void fl_begin_weighted(fl_weighted_row *row) {
    *row = (fl_weighted_row){.ends = {-INFINITY, -INFINITY}};
}

static inline int fl_is_seen(const fl_weighted_row *row) {
    return row->high[2][1] > 0.0 || row->low[2][1] > 0.0;
}

FL_INLINE void fl_add_two(fl_two *high, fl_two *low, fl_two more, fl_two error) {
    fl_two before = *high, sum = before + more, part = sum - before;
    *low += ((before - (sum - part)) + (more - part)) + error;
    *high = sum;
}

FL_INLINE fl_two fl_larger(fl_two a, fl_two b) { // b where a is no number
#if defined(__SSE2__)
    return (fl_two)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return (fl_two){a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1]};
#endif
}

FL_INLINE void fl_add_plain_element(fl_plain_row *row, double loss) {
    double error;
    double square = fl_two_prod_f64(loss, loss, &error);
    fl_add_two(&row->high, &row->low, (fl_two){loss, square}, (fl_two){0.0, error});
    row->count++;
    row->ends = fl_larger((fl_two){-loss, loss}, row->ends);
}

// As fl_add_weighted; an element of weight -inf does not count.
FL_INLINE void fl_add_weighted_element(fl_weighted_row *row, double loss, double weight) {
    double counts = weight > -INFINITY;
    int adds = weight > 0.0 || (weight < 0.0 && counts && loss != 0.0);
    double w = weight > 0.0 ? weight : 0.0, l = adds ? loss : 0.0;
    double weighted_low, square_low, first_low, second_low;
    double weighted = fl_two_prod_f64(adds ? fabs(weight) : 0.0, l, &weighted_low);
    double square = fl_two_prod_f64(w, w, &square_low);
    double first = fl_two_prod_f64(w, weighted, &first_low);
    double second = fl_two_prod_f64(weighted, weighted, &second_low);
    fl_add_two(&row->high[0], &row->low[0], (fl_two){w, weighted}, (fl_two){0.0, weighted_low});
    fl_add_two(&row->high[1], &row->low[1], (fl_two){square, first},
               (fl_two){square_low, first_low + w * weighted_low});
    fl_add_two(&row->high[2], &row->low[2], (fl_two){second, counts},
               (fl_two){second_low + 2.0 * weighted * weighted_low, 1.0 - counts});
    row->ends = fl_larger((fl_two){adds ? -loss : -INFINITY, adds ? loss : -INFINITY}, row->ends);
}

FL_INLINE fl_state fl_state_of_plain(const fl_plain_row *row) {
    fl_state s = fl_no_state();
    s.count = row->count;
    s.nonfinite = row->nonfinite;
    s.minimum = -row->ends[0];
    s.maximum = row->ends[1];
    s.high[FL_WEIGHT] = s.high[FL_SQUARE] = (double)row->count;
    fl_add_pair(&s.high[FL_TOTAL], &s.low[FL_TOTAL], row->high[0], row->low[0]);
    fl_add_pair(&s.high[FL_SECOND], &s.low[FL_SECOND], row->high[1], row->low[1]);
    s.high[FL_FIRST] = s.high[FL_TOTAL];
    s.low[FL_FIRST] = s.low[FL_TOTAL];
    return s;
}

FL_INLINE fl_state fl_state_of_weighted(const fl_weighted_row *row) {
    fl_state s = fl_no_state();
    s.count = (int64_t)row->high[2][1];
    s.ignored = (int64_t)row->low[2][1];
    s.nonfinite = row->nonfinite;
    s.minimum = -row->ends[0];
    s.maximum = row->ends[1];
    for (int k = 0; k < FL_SUMS; k++)
        fl_add_pair(&s.high[k], &s.low[k], row->high[k / 2][k % 2], row->low[k / 2][k % 2]);
    return s;
}

// The means of n states or their standard errors, from columns of their numbers; `plain`: all weights are 1,
// and of the sums there are those of l and l^2. Of pointers in an array the compiler makes no vectors.
FL_INLINE void fl_averages(const int64_t *count, const int64_t *nonfinite, const double *minimum,
                           const double *maximum, const double *const *sums, int plain, int errors,
                           double *restrict to, ptrdiff_t n) {
    const double *a = sums[0], *b = sums[1], *c = sums[2], *d = sums[3];
    const double *e = plain ? a : sums[4], *f = plain ? a : sums[5], *g = plain ? a : sums[6];
    const double *h = plain ? a : sums[7], *k = plain ? a : sums[8], *l = plain ? a : sums[9];
    for (ptrdiff_t i = 0; i < n; i++) {
        double w = (double)count[i];
        fl_state all = {count[i],
                        0,
                        nonfinite[i],
                        minimum[i],
                        maximum[i],
                        {a[i], b[i], c[i], d[i], e[i]},
                        {f[i], g[i], h[i], k[i], l[i]}};
        fl_state ones = {count[i],
                         0,
                         nonfinite[i],
                         minimum[i],
                         maximum[i],
                         {w, a[i], w, a[i], b[i]},
                         {0.0, c[i], 0.0, c[i], d[i]}};
        const fl_state *s = plain ? &ones : &all;
        to[i] = errors ? fl_standard_error(s, plain) : fl_mean(s);
    }
}

// The numbers at some places, `none` where these are negative; one by one, which is faster than gathering
// them in vectors.
#define FL_DEFINE_TAKE(type, suffix)                                                                         \
    FL_INLINE void fl_take_##suffix(const type *source, const int64_t *places, type none, type *to,          \
                                    ptrdiff_t n) {                                                           \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                  \
            int64_t place = places[i];                                                                       \
            __asm__("" : "+r"(place));                                                                       \
            to[i] = place < 0 ? none : source[place];                                                        \
        }                                                                                                    \
    }

FL_DEFINE_TAKE(double, f64)
FL_DEFINE_TAKE(int64_t, i64)

#endif
