#ifndef FL_VECMATH_H
#define FL_VECMATH_H

/* Elementary functions for plain loops: no table, no call, no branch on the data, so the compiler's
 * vectoriser sees through them at any vector width. NaN, infinities, signed zeros and subnormals
 * are handled throughout (see the comments where C leaves a choice).
 *
 * Compile without -ffast-math and with -ffp-contract=off (a contracted subtraction would spoil the
 * exact remainders); -fno-math-errno -fno-trapping-math let the vectoriser turn selects into
 * blends. Round to nearest is assumed.
 *
 * <accuracy>
 * Largest error found with FMA and without, in units in the last place of the exact result, or relative to it
 * (powers of 2); 0 where no bit may differ. Functions of one float32 were measured at all of them, the others
 * at millions of points.
 *
 *                                       FMA     none   arguments
 * exp_f32                              0.77     0.77
 * exp_nonpositive_f32                  1.05     1.02   x <= 0
 * exp_in_sum_f32                       1.81     1.92   -87 <= x < 0, over 1 + |x|
 * log_f32                              0.94     0.96
 * log1p_within_f32                     0.96     1.02   -1 < x < inf
 * tanh_f32                             0.76     0.77
 * atan_f32                             1.21     1.32
 * logistic_f32, softplus               1.55     1.84
 * logistic_f32, sigmoid                1.71     2.03
 * mul_add_f32                          0.50     1.00   all > 0
 * exp_f64                              0.75     0.77
 * log_f64                              0.86     0.86
 * log1p_f64                            0.87     0.90
 * log1p_within_f64                     0.88     0.88   -1 < x < inf
 * less_log1p_f64                       7.20     7.20   -1 < x < inf
 * tanh_f64                             0.81     0.80
 * atan_f64                             1.20     1.30
 * sincos_f64, sine                     0.80     0.90   |x| <= 2^20
 * sincos_f64, cosine                   0.85     0.93   |x| <= 2^20
 * logistic_f64, softplus               1.19     1.44
 * logistic_f64, sigmoid                0.77     0.78
 * exp_tail_f64                         1.80     1.80   |z| <= 1
 * log1p_tail_f64                       0.53     0.53   0 < s <= 1/64
 * mul_add_f64                          0.50     1.00   all > 0
 * two_sum_f64                             0        0   |a + b| < inf
 * two_prod_f64                            0        0   2^-960 <= |a b| <= 2^1000
 * finite_or_zero_f64                      0        0
 * inverse_size_f32                        0        0   2^-126 <= x < 2^126
 * inverse_size_f64                        0        0   2^-1022 <= x < 2^1022
 * quotient_f64                     2^-103.7 2^-103.7   2^-800 <= |hi / d| <= 2^800
 * square_f64                       2^-103.6 2^-103.6   2^-450 <= |hi| <= 2^500
 * divided_f64                          1.00     1.00   2^-800 <= |n / d| <= 2^800
 * exp_hilo_f64                         0.76     0.76
 * expm1_hilo_f64                       1.10     1.09
 * log_dd_f64                        2^-68.3  2^-68.3   hi > 0
 * pow_f64                              0.77     0.76   hi > 0
 * sqrt_to_f32                       2^-38.4  2^-38.4   2^-1000 <= x <= 1e300
 * exp_to_f32                        2^-37.7  2^-37.7   |x| <= 300
 * expm1_to_f32                      2^-36.0  2^-36.0   |x| <= 300
 * log_to_f32                        2^-34.8  2^-34.8   x > 0
 * log_hilo_to_f32                   2^-34.8  2^-34.8
 * log1p_to_f32                      2^-34.8  2^-34.8   x > -1
 * log1p_within_to_f32               2^-34.8  2^-34.8   -1 < x < inf
 * tanh_to_f32                       2^-36.2  2^-36.2   |x| <= 300
 * logistic_to_f32, softplus         2^-35.3  2^-35.3   |z| <= 300
 * logistic_to_f32, sigmoid          2^-37.7  2^-37.7   |z| <= 300
 * pow_to_f32                        2^-34.8  2^-34.8   |p log x| <= 300, over 1 + |p log x|
 * log1p_parts_to_f32, log1p         2^-29.5  2^-29.5   2^-60 <= w <= 2^930
 * log1p_parts_to_f32, w less it     2^-27.0  2^-27.0   2^-60 <= w <= 2^930
 * exp_parts_to_f32, exp             2^-32.0  2^-32.0   |z| <= 700
 * exp_parts_to_f32, less 1          2^-30.3  2^-30.3   |z| <= 700
 * exp_parts_to_f32, less 1 + z      2^-27.6  2^-27.6   |z| <= 700
 * log_cosh_near_to_f32              2^-30.7  2^-30.7   0 < v <= 1
 * log1p_small_to_f32                2^-31.6  2^-31.6   0 < e <= e^-2
 * from_f16                                0        0   all 2^16
 * from_bf16                               0        0   all 2^16
 * to_f16                                  0        0
 * to_bf16                                 0        0
 * round_to_odd                            0        0
 * </accuracy>
 *
 * Polynomials are arrays of coefficients, that of the lowest power first, and a comment says what of:
 * tools/polynomials.py fits each of them and prints its error. */

#include "vecmath/base.h"
#include "vecmath/double_double.h"
#include "vecmath/exponential.h"
#include "vecmath/half.h"
#include "vecmath/logarithm.h"
#include "vecmath/logistic.h"
#include "vecmath/rounded.h"
#include "vecmath/trigonometry.h"

#endif
