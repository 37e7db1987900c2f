// The floating-point mode of a thread.

#ifndef FASTLOSS_MODES_H
#define FASTLOSS_MODES_H

#include <stdint.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// A thread of OpenMP keeps the rounding and flush-to-zero mode of the moment it was created in, so each sets
// the IEEE default for its work and restores what it found: same bits in every thread.
static inline unsigned fl_enter_ieee_mode(void) {
#if defined(__SSE2__)
    unsigned found = _mm_getcsr();
    _mm_setcsr(0x1f80);
    return found;
#elif defined(__aarch64__)
    uint64_t found;
    __asm__ volatile("mrs %0, fpcr" : "=r"(found));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return (unsigned)found;
#else
    return 0;
#endif
}

static inline void fl_leave_ieee_mode(unsigned found) {
#if defined(__SSE2__)
    _mm_setcsr(found);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)found));
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
