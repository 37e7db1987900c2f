// Sums over the features of two rows, in float64 whatever their type: of squared or absolute differences, or
// the dot product with both squares.

#ifndef FASTLOSS_SUMS_H
#define FASTLOSS_SUMS_H

#include "engine/wide.h"

FL_INLINE fl_wide fl_magnitude_wide(fl_wide v) {
    return (fl_wide)((fl_lanes)v & (INT64_MAX - (fl_lanes){0}));
}

// What a vector of differences adds.
#define FL_ADD_SQUARES(s, t) fl_mul_add_wide(t, t, s)
#define FL_ADD_MAGNITUDES(s, t) ((s) + fl_magnitude_wide(t))

#define FL_DEFINE_DIFFERENCES(name, type, suffix, add)                                                       \
    FL_INLINE double fl_##name##_##suffix(const type *a, const type *b, ptrdiff_t n, double eps) {           \
        fl_wide s = {0}, t = {0};                                                                            \
        ptrdiff_t i = 0;                                                                                     \
        for (; i + 2 * FL_WIDTH <= n; i += 2 * FL_WIDTH) {                                                   \
            fl_wide u = fl_load_##suffix(a + i) - fl_load_##suffix(b + i) + eps;                             \
            fl_wide v = fl_load_##suffix(a + i + FL_WIDTH) - fl_load_##suffix(b + i + FL_WIDTH) + eps;       \
            s = add(s, u);                                                                                   \
            t = add(t, v);                                                                                   \
        }                                                                                                    \
        if (i + FL_WIDTH <= n) {                                                                             \
            fl_wide u = fl_load_##suffix(a + i) - fl_load_##suffix(b + i) + eps;                             \
            s = add(s, u);                                                                                   \
            i += FL_WIDTH;                                                                                   \
        }                                                                                                    \
        if (i < n) {                                                                                         \
            fl_lanes counts = (fl_lanes){0, 1, 2, 3, 4, 5, 6, 7} < (int64_t)(n - i);                         \
            fl_wide u = fl_end_##suffix(a + i, n - i) - fl_end_##suffix(b + i, n - i) + eps;                 \
            u = (fl_wide)((fl_lanes)u & counts);                                                             \
            t = add(t, u);                                                                                   \
        }                                                                                                    \
        return fl_fold_wide(s + t);                                                                          \
    }

#define FL_DEFINE_PRODUCTS(type, suffix)                                                                     \
    FL_INLINE void fl_products_##suffix(const type *a, const type *b, ptrdiff_t n, double *sums) {           \
        fl_wide s[6] = {{0}};                                                                                \
        ptrdiff_t i = 0;                                                                                     \
        for (; i + 2 * FL_WIDTH <= n; i += 2 * FL_WIDTH) {                                                   \
            fl_wide u = fl_load_##suffix(a + i), v = fl_load_##suffix(b + i);                                \
            fl_wide w = fl_load_##suffix(a + i + FL_WIDTH), x = fl_load_##suffix(b + i + FL_WIDTH);          \
            s[0] = fl_mul_add_wide(u, v, s[0]);                                                              \
            s[1] = fl_mul_add_wide(u, u, s[1]);                                                              \
            s[2] = fl_mul_add_wide(v, v, s[2]);                                                              \
            s[3] = fl_mul_add_wide(w, x, s[3]);                                                              \
            s[4] = fl_mul_add_wide(w, w, s[4]);                                                              \
            s[5] = fl_mul_add_wide(x, x, s[5]);                                                              \
        }                                                                                                    \
        while (i < n) {                                                                                      \
            ptrdiff_t take = n - i < FL_WIDTH ? n - i : FL_WIDTH;                                            \
            fl_wide u = take < FL_WIDTH ? fl_end_##suffix(a + i, take) : fl_load_##suffix(a + i);            \
            fl_wide v = take < FL_WIDTH ? fl_end_##suffix(b + i, take) : fl_load_##suffix(b + i);            \
            s[0] = fl_mul_add_wide(u, v, s[0]);                                                              \
            s[1] = fl_mul_add_wide(u, u, s[1]);                                                              \
            s[2] = fl_mul_add_wide(v, v, s[2]);                                                              \
            i += take;                                                                                       \
        }                                                                                                    \
        sums[0] = fl_fold_wide(s[0] + s[3]);                                                                 \
        sums[1] = fl_fold_wide(s[1] + s[4]);                                                                 \
        sums[2] = fl_fold_wide(s[2] + s[5]);                                                                 \
    }

FL_DEFINE_DIFFERENCES(squares, float, f32, FL_ADD_SQUARES)
FL_DEFINE_DIFFERENCES(squares, double, f64, FL_ADD_SQUARES)
FL_DEFINE_DIFFERENCES(magnitudes, float, f32, FL_ADD_MAGNITUDES)
FL_DEFINE_DIFFERENCES(magnitudes, double, f64, FL_ADD_MAGNITUDES)
FL_DEFINE_PRODUCTS(float, f32)
FL_DEFINE_PRODUCTS(double, f64)

#endif
