"""What the processor and the OpenMP runtime say of themselves."""

cdef extern from *:
    """
    #if defined(__x86_64__) || defined(_M_X64)
    static int fl_has_v3(void) {
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("bmi2");
    }
    static int fl_has_v4(void) {
        return fl_has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    }
    #else
    static int fl_has_v3(void) { return 0; }
    static int fl_has_v4(void) { return 0; }
    #endif
    #ifdef _OPENMP
    #define FL_OPENMP _OPENMP
    #else
    #define FL_OPENMP 0
    #endif
    #ifdef __VERSION__
    #define FL_COMPILER __VERSION__
    #else
    #define FL_COMPILER "unknown"
    #endif
    """
    bint fl_has_v3()
    bint fl_has_v4()
    const char* FL_COMPILER
    int FL_OPENMP

cdef extern from "omp.h":
    int omp_get_max_threads()
    int omp_get_thread_limit()
    bint omp_in_parallel()

compiler = FL_COMPILER.decode()
openmp_version = FL_OPENMP


def instruction_sets():
    """The kernel builds that this processor and its operating system run, best first."""
    found = ["baseline"]
    if fl_has_v3():
        found.insert(0, "x86_64_v3")
    if fl_has_v4():
        found.insert(0, "x86_64_v4")
    return tuple(found)


def openmp_threads():
    """What OpenMP would use here: OMP_NUM_THREADS or threadpoolctl's limit, and 1 inside a parallel region."""
    return 1 if omp_in_parallel() else min(omp_get_max_threads(), omp_get_thread_limit())
