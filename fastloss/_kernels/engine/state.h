// The numbers of a LossState: sums of losses under their weights, as pairs of float64 whose sum they are, so
// that all orders of adding up agree to the last digit of a result.

#ifndef FASTLOSS_STATE_H
#define FASTLOSS_STATE_H

#include "engine/wide.h"
#include "vecmath/double_double.h"
#include <math.h>

enum { FL_WEIGHT, FL_TOTAL, FL_SQUARE, FL_FIRST, FL_SECOND, FL_SUMS };

typedef struct {
    int64_t count;           // elements that were neither masked nor omitted
    int64_t ignored;         // those that were
    int64_t nonfinite;       // of losses that are added those that are NaN or infinite
    double minimum, maximum; // of those that are numbers; inf and -inf if there are none
    double high[FL_SUMS];    // of w, w l, w^2, w^2 l and w^2 l^2
    double low[FL_SUMS];     // 0 where the high part is not finite
} fl_state;

FL_INLINE fl_state fl_no_state(void) {
    fl_state none = {.minimum = INFINITY, .maximum = -INFINITY};
    return none;
}

// ---- sums of two parts ----

// An addition whose error is below 2^-105 of the magnitudes that are added.
FL_INLINE void fl_add_pair(double *high, double *low, double more, double more_low) {
    double error, rest;
    double sum = fl_two_sum_f64(*high, more, &error);
    *high = fl_two_sum_f64(sum, fl_finite_or_zero_f64(error + (*low + more_low)), &rest);
    *low = fl_finite_or_zero_f64(rest);
}

FL_INLINE void fl_add_pairs(const double *high, const double *low, const double *more, const double *more_low,
                            double *to, double *to_low, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        double h = high[i], l = low[i];
        fl_add_pair(&h, &l, more[i], more_low[i]);
        to[i] = h;
        to_low[i] = l;
    }
}

FL_INLINE double fl_multiply_pairs(double a, double a_low, double b, double b_low, double *low) {
    double error;
    double product = fl_two_prod_f64(a, b, &error);
    double sum = flv_fast_two_sum_f64(product, error + (a * b_low + a_low * b), low);
    *low = fl_finite_or_zero_f64(*low);
    return sum;
}

FL_INLINE double fl_divide_pairs(double a, double a_low, double b, double b_low, double *low) {
    double error, rest_low;
    double quotient = a / b;
    double product = fl_multiply_pairs(quotient, 0.0, b, b_low, &error);
    double rest = fl_two_sum_f64(a, -product, &rest_low);
    return flv_fast_two_sum_f64(quotient, (rest + (rest_low + (a_low - error))) / b, low);
}

FL_INLINE void fl_add_state(fl_state *into, const fl_state *more) {
    into->count += more->count;
    into->ignored += more->ignored;
    into->nonfinite += more->nonfinite;
    into->minimum = more->minimum < into->minimum ? more->minimum : into->minimum;
    into->maximum = more->maximum > into->maximum ? more->maximum : into->maximum;
    for (int k = 0; k < FL_SUMS; k++)
        fl_add_pair(&into->high[k], &into->low[k], more->high[k], more->low[k]);
}

// ---- what a state says ----

// The mean as a result and *low; NaN without weight. Without branches, as what follows: loops over states are
// vectorised.
FL_INLINE double fl_mean_pair(const fl_state *s, double *low) {
    const double *high = s->high;
    double mean = fl_divide_pairs(high[FL_TOTAL], s->low[FL_TOTAL], high[FL_WEIGHT], s->low[FL_WEIGHT], low);
    double plain = high[FL_TOTAL] / high[FL_WEIGHT];
    int finite = fabs(mean) < INFINITY;
    *low = finite ? *low : 0.0;
    mean = finite ? mean : plain;
    return high[FL_WEIGHT] > 0.0 ? mean : NAN;
}

FL_INLINE double fl_mean(const fl_state *s) {
    double low;
    return fl_mean_pair(s, &low);
}

// The sum of w^2 (l - mean)^2 as a result and *low: about the mean under w^2, and how far that one is from
// the mean, which is not at all where all weights are 1.
FL_INLINE double fl_squares_pair(const fl_state *s, int plain, double *low) {
    const double *high = s->high, *rest = s->low;
    double center_low, mean_low, error;
    double center =
        fl_divide_pairs(high[FL_FIRST], rest[FL_FIRST], high[FL_SQUARE], rest[FL_SQUARE], &center_low);
    double product = fl_multiply_pairs(high[FL_FIRST], rest[FL_FIRST], center, center_low, &error);
    double squares = high[FL_SECOND];
    *low = rest[FL_SECOND];
    fl_add_pair(&squares, low, -product, -error);
    if (plain)
        return squares;
    double mean = fl_mean_pair(s, &mean_low);
    fl_add_pair(&center, &center_low, -mean, -mean_low);
    product = fl_multiply_pairs(center, center_low, center, center_low, &error);
    product = fl_multiply_pairs(product, error, high[FL_SQUARE], rest[FL_SQUARE], &error);
    fl_add_pair(&squares, low, product, error);
    return squares;
}

// sqrt(n / (n - 1) * squares) / weight, in pairs until the end.
FL_INLINE double fl_standard_error(const fl_state *s, int plain) {
    double low, error, count = (double)s->count;
    double squares = fl_squares_pair(s, plain, &low);
    int some = squares > 0.0;
    squares = fl_divide_pairs(some ? squares : 1.0, some ? low : 0.0, count - 1.0, 0.0, &low);
    squares = fl_multiply_pairs(squares, low, count, 0.0, &low);
    double root = sqrt(squares);
    double product = fl_two_prod_f64(root, root, &error);
    double root_low = (((squares - product) - error) + low) / (2.0 * root);
    double found = fl_divide_pairs(root, root_low, s->high[FL_WEIGHT], s->low[FL_WEIGHT], &error);
    found = some && s->minimum != s->maximum ? found : 0.0;
    found = s->high[FL_SECOND] < INFINITY || s->minimum == s->maximum ? found : INFINITY;
    return s->count > 1 && s->high[FL_SQUARE] > 0.0 && s->nonfinite == 0 ? found : NAN;
}

// ---- the losses of a block ----

// Eight sums side by side, whatever the width of the registers: the same bits everywhere.
#define FL_PARTS (FL_WIDTH / FL_PART)

typedef struct {
    fl_part high[FL_PARTS], low[FL_PARTS];
} fl_sums;

typedef struct {
    fl_sums sums[FL_SUMS];
    fl_part minimum[FL_PARTS], maximum[FL_PARTS];
} fl_lanes_of_state;

FL_INLINE void fl_add_part(fl_sums *to, int k, fl_part more, fl_part error) {
    fl_part before = to->high[k], sum = before + more, part = sum - before;
    to->low[k] += ((before - (sum - part)) + (more - part)) + error;
    to->high[k] = sum;
}

FL_INLINE void fl_add_plain(fl_lanes_of_state *to, int k, fl_part loss) {
    fl_part low;
    fl_part squared = fl_two_prod_part(loss, loss, &low);
    fl_add_part(&to->sums[FL_TOTAL], k, loss, (fl_part){0});
    fl_add_part(&to->sums[FL_SECOND], k, squared, low);
    to->minimum[k] = fl_pick(loss < to->minimum[k], loss, to->minimum[k]);
    to->maximum[k] = fl_pick(loss > to->maximum[k], loss, to->maximum[k]);
}

// A loss without weight adds nothing, whatever it is. A weight of -f says that f is a factor alone, as for
// what label smoothing gives to rows of a class of weight 0: f l is added to the losses, nothing to what they
// are divided by, and there is no such element if l is 0.
FL_INLINE void fl_add_weighted(fl_lanes_of_state *to, int k, fl_part loss, fl_part given) {
    const fl_part none = {0};
    fl_flags counts = (given > none) | ((given < none) & (loss != none));
    fl_part weight = fl_pick(given > none, given, none), factor = fl_pick(given < none, -given, given);
    fl_part weighted_low, square_low, first_low, second_low;
    loss = (fl_part)((fl_flags)loss & counts);
    fl_part weighted = fl_two_prod_part(factor, loss, &weighted_low);
    fl_part square = fl_two_prod_part(weight, weight, &square_low);
    fl_part first = fl_two_prod_part(weight, weighted, &first_low);
    fl_part second = fl_two_prod_part(weighted, weighted, &second_low);
    fl_add_part(&to->sums[FL_WEIGHT], k, weight, none);
    fl_add_part(&to->sums[FL_TOTAL], k, weighted, weighted_low);
    fl_add_part(&to->sums[FL_SQUARE], k, square, square_low);
    fl_add_part(&to->sums[FL_FIRST], k, first, first_low + weight * weighted_low);
    fl_add_part(&to->sums[FL_SECOND], k, second, second_low + 2.0 * weighted * weighted_low);
    to->minimum[k] = fl_pick(counts & (loss < to->minimum[k]), loss, to->minimum[k]);
    to->maximum[k] = fl_pick(counts & (loss > to->maximum[k]), loss, to->maximum[k]);
}

FL_INLINE void fl_fold_sums(const fl_sums *lanes, double *high, double *low) {
    double h[FL_WIDTH], l[FL_WIDTH];
    memcpy(h, lanes->high, sizeof h);
    memcpy(l, lanes->low, sizeof l);
    for (int half = FL_WIDTH / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            fl_add_pair(&h[k], &l[k], h[k + half], l[k + half]);
    fl_add_pair(high, low, h[0], l[0]);
}

FL_INLINE void fl_fold_lanes(fl_state *to, const fl_lanes_of_state *lanes) {
    double minimum[FL_WIDTH], maximum[FL_WIDTH];
    memcpy(minimum, lanes->minimum, sizeof minimum);
    memcpy(maximum, lanes->maximum, sizeof maximum);
    for (int k = 0; k < FL_WIDTH; k++) {
        to->minimum = minimum[k] < to->minimum ? minimum[k] : to->minimum;
        to->maximum = maximum[k] > to->maximum ? maximum[k] : to->maximum;
    }
    for (int k = 0; k < FL_SUMS; k++)
        fl_fold_sums(&lanes->sums[k], &to->high[k], &to->low[k]);
}

// Add n losses, of which all weigh 1 if there are no weights; the counts of elements are left to the caller.
#define FL_DEFINE_ADD_LOSSES(type, suffix)                                                                   \
    __attribute__((unused)) static void fl_add_losses_##suffix(fl_state *to, const double *weight,           \
                                                               const type *loss, ptrdiff_t n) {              \
        fl_lanes_of_state lanes;                                                                             \
        ptrdiff_t whole = n / FL_WIDTH * FL_WIDTH, plain = weight == NULL ? whole : 0;                       \
        memset(&lanes, 0, sizeof lanes);                                                                     \
        for (int k = 0; k < FL_PARTS; k++) {                                                                 \
            lanes.minimum[k] = INFINITY - (fl_part){0};                                                      \
            lanes.maximum[k] = -lanes.minimum[k];                                                            \
        }                                                                                                    \
        for (ptrdiff_t i = 0; i < plain; i += FL_WIDTH)                                                      \
            for (int k = 0; k < FL_PARTS; k++)                                                               \
                fl_add_plain(&lanes, k, fl_load_part_##suffix(loss + i + k * FL_PART));                      \
        lanes.sums[FL_FIRST] = lanes.sums[FL_TOTAL];                                                         \
        for (ptrdiff_t i = plain; i < whole; i += FL_WIDTH)                                                  \
            for (int k = 0; k < FL_PARTS; k++)                                                               \
                fl_add_weighted(&lanes, k, fl_load_part_##suffix(loss + i + k * FL_PART),                    \
                                fl_load_part_f64(weight + i + k * FL_PART));                                 \
        if (whole < n) {                                                                                     \
            double l[FL_WIDTH] = {0}, w[FL_WIDTH] = {0};                                                     \
            for (ptrdiff_t i = whole; i < n; i++) {                                                          \
                l[i - whole] = loss[i];                                                                      \
                w[i - whole] = weight == NULL ? 1.0 : weight[i];                                             \
            }                                                                                                \
            for (int k = 0; k < FL_PARTS; k++)                                                               \
                fl_add_weighted(&lanes, k, fl_load_part_f64(l + k * FL_PART),                                \
                                fl_load_part_f64(w + k * FL_PART));                                          \
        }                                                                                                    \
        fl_fold_lanes(to, &lanes);                                                                           \
        fl_add_pair(&to->high[FL_WEIGHT], &to->low[FL_WEIGHT], (double)plain, 0.0);                          \
        fl_add_pair(&to->high[FL_SQUARE], &to->low[FL_SQUARE], (double)plain, 0.0);                          \
        if (fabs(to->high[FL_TOTAL]) < INFINITY)                                                             \
            return;                                                                                          \
        for (ptrdiff_t i = 0; i < n; i++)                                                                    \
            to->nonfinite += (weight == NULL || weight[i] != 0.0) && !(fabs((double)loss[i]) < INFINITY);    \
    }

FL_DEFINE_ADD_LOSSES(float, f32)
FL_DEFINE_ADD_LOSSES(double, f64)

#endif
