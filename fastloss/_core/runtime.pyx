"""What is compiled besides kernels: parallel loops, what the processor and OpenMP say of themselves."""

import threading

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


# Parallel loops -----------------------------------------------------------------------------------

cdef extern from "engine/parallel.h":
    int fl_begin(unsigned long main_thread)
    bint fl_forked
    int fl_team(Py_ssize_t tasks, int threads) except -1
    int fl_parallel_for(Task task, void* job, Py_ssize_t tasks, int threads, size_t bytes) except -1 nogil

if fl_begin(threading.main_thread().ident):
    raise MemoryError("a handler of forks could not be registered")


cdef int team(Py_ssize_t tasks, int threads) except -1:
    return fl_team(tasks, threads)


cdef int parallel_for(Task task, void* job, Py_ssize_t tasks, int threads, size_t bytes) except -1 nogil:
    return fl_parallel_for(task, job, tasks, threads, bytes)


def computes_alone():
    """Whether this process is the child of a fork, which computes on one thread."""
    return bool(fl_forked)


# Kernels ------------------------------------------------------------------------------------------

cdef class Kernel:
    def constants(self, dict given):
        """The constants of the formula in its order, of those that are given by name: neither more nor fewer."""
        if len(given) == len(self.parameters):
            try:
                return tuple([float(given[name]) for name in self.parameters])
            except KeyError:
                pass
        raise TypeError(f"{self.name}: constants are {', '.join(given)}, must be {', '.join(self.parameters)}")


class Mismatch(ValueError):
    """The memory of an array is not what its checks saw: which array it is, and what its memory is."""


# Arithmetic in IEEE's default mode ----------------------------------------------------------------

cdef extern from "engine/modes.h":
    unsigned fl_enter_ieee_mode()
    void fl_leave_ieee_mode(unsigned found)
    double fl_divide_to_nearest(double a, double b)


def enter_mode():
    """Set this thread's floating-point mode to IEEE's default; what it was."""
    return fl_enter_ieee_mode()


def leave_mode(unsigned found):
    fl_leave_ieee_mode(found)


def mean_of(double total, double weight):
    """The quotient, rounded to nearest whatever mode the process has set."""
    return fl_divide_to_nearest(total, weight)
