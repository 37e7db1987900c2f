// The one parallel loop: an OpenMP loop over independent tasks, which lends each thread scratch memory from
// the heap and looks for signals, so that Ctrl-C ends a long call.
//
// a. A child of a fork computes on one thread: libgomp would wait for threads that the child does not have.
// b. libgomp ends the process if it cannot start a thread, so threads are tried before a team is asked for.
// c. While one thread of the program has a team, others that call compute alone.
// d. So do the next calls after one that was no faster for its team, because others use the processors: the
//    threads of a library for linear algebra, for instance, which spin for a while after their work.
// e. Tasks run in the IEEE mode, and what they stream to memory is there when the loop ends.

#ifndef FASTLOSS_PARALLEL_H
#define FASTLOSS_PARALLEL_H

#include "modes.h"
#include "streams.h"
#include "worker.h"
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define FL_PARTS 16      // in which a thread takes its share of the tasks, if all are as fast
#define FL_TAKES 512     // of all threads: they take turns at one counter, some 0.1 microseconds each
#define FL_MOST_ALONE 64 // loops that run alone after one that stalled, at most
#define FL_KEPT ((size_t)4 << 20) // bytes of scratch memory that are kept from call to call, at most

static atomic_flag fl_busy = ATOMIC_FLAG_INIT;
static _Atomic(void *) fl_spare; // scratch memory that no call uses
static unsigned long fl_main_thread;
static int fl_forked;
static int fl_most = 256;                // threads that a loop uses at most, or could start when last tried
static _Thread_local int fl_started = 1; // threads that a team of this one was tried with
static _Atomic ptrdiff_t fl_stalled; // tasks of the last loop that a team made no faster: nor one of fewer
static atomic_int fl_alone;          // loops of so many tasks that run alone before the next attempt
static atomic_int fl_caution = 1;    // ... of which there are twice as many after it, if that fails

// Signals ---------------------------------------------------------------------------------------------

// The first thread's turn at the end: what the others have in hand may take long, and OpenMP's own barrier
// would not look for signals.
static void fl_attend(fl_loop *loop, const atomic_int *through, int threads) {
    int64_t start = fl_now();
    while (loop->looks && atomic_load(through) < threads) {
        if (fl_now() - start > 1000000) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
            fl_look(loop);
        } else {
            sched_yield();
        }
    }
}

// Which loops run alone ---------------------------------------------------------------------------------

static int fl_is_hopeless(ptrdiff_t tasks) {
    return tasks <= atomic_load(&fl_stalled) && atomic_load(&fl_alone) > 0 &&
           atomic_fetch_sub(&fl_alone, 1) > 0;
}

// After a loop that took so long, of which its first thread computed for so long. Alone it would have taken
// about `threads` times that; half as much again is no accident of the scheduler's, but processors that
// others use.
static void fl_learn(ptrdiff_t tasks, int threads, int64_t elapsed, int64_t computed) {
    int alone = atomic_load(&fl_caution);
    if (2 * elapsed > 3 * threads * computed) {
        alone = alone < FL_MOST_ALONE ? 2 * alone : alone;
        atomic_store(&fl_stalled, tasks);
        atomic_store(&fl_alone, alone);
        atomic_store(&fl_caution, alone);
    } else if (tasks <= atomic_load(&fl_stalled)) {
        atomic_store(&fl_stalled, 0);
        atomic_store(&fl_caution, 1);
    }
}

// Scratch memory --------------------------------------------------------------------------------------

typedef struct {
    _Alignas(64) size_t bytes;
} fl_header;

static fl_header *fl_allocate(size_t bytes) {
    void *room = NULL;
#if defined(_WIN32)
    room = _aligned_malloc(bytes, 64);
#else
    if (posix_memalign(&room, 64, bytes))
        return NULL;
#endif
    return room;
}

static void fl_release(fl_header *room) {
#if defined(_WIN32)
    _aligned_free(room);
#else
    free(room);
#endif
}

static char *fl_borrow(size_t bytes) {
    fl_header *room = atomic_exchange(&fl_spare, NULL);
    if (room && room->bytes < bytes) {
        fl_release(room);
        room = NULL;
    }
    if (!room) {
        room = bytes > PTRDIFF_MAX - sizeof *room ? NULL : fl_allocate(sizeof *room + bytes);
        if (!room)
            return NULL;
        room->bytes = bytes;
    }
    return (char *)(room + 1);
}

static void fl_give_back(char *scratch) {
    fl_header *room = (fl_header *)scratch - 1;
    void *none = NULL;
    if (room->bytes > FL_KEPT || !atomic_compare_exchange_strong(&fl_spare, &none, room))
        fl_release(room);
}

// Threads ---------------------------------------------------------------------------------------------

#if defined(_WIN32)
static int fl_begin(unsigned long main_thread) {
    fl_main_thread = main_thread;
    return 0;
}
#else
static void fl_after_fork(void) {
    fl_forked = 1;
    fl_main_thread = PyThread_get_thread_ident();
    atomic_flag_clear(&fl_busy);
}

static int fl_begin(unsigned long main_thread) {
    fl_main_thread = main_thread;
    return pthread_atfork(NULL, NULL, fl_after_fork);
}
#endif

static void *fl_idle(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

// How many threads can be had at once, up to `wanted`: each is started, waits for the others, and ends.
static int fl_try_threads(int wanted) {
    pthread_t *threads = malloc((size_t)wanted * sizeof *threads);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    int started = 1;
    if (!threads)
        return 1;
    pthread_mutex_lock(&gate);
    while (started < wanted && pthread_create(&threads[started], NULL, fl_idle, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (int i = 1; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return started;
}

// The threads that a loop of `tasks` gets of those it asks for, or -1 with an exception set.
static int fl_team(ptrdiff_t tasks, int threads) {
    threads = threads > fl_most ? fl_most : threads;
    if (threads > tasks)
        threads = (int)tasks;
    if (threads < 2 || fl_forked)
        return 1;
    if (threads > fl_started) {
        int started = fl_try_threads(threads);
        if (started < threads) {
            fl_most = started;
            if (PyErr_WarnFormat(
                    PyExc_RuntimeWarning, 1,
                    "fastloss: only %d of %d threads can be started, and calls use no more from now on",
                    started, threads) < 0)
                return -1;
        }
        fl_started = started;
        threads = started;
    }
    return threads;
}

// The loop --------------------------------------------------------------------------------------------

static void fl_run(fl_task task, void *job, ptrdiff_t tasks, int threads, fl_loop *loop, char *scratch,
                   size_t each) {
    atomic_int through = 0;
    ptrdiff_t step = tasks / (threads * FL_PARTS < FL_TAKES ? threads * FL_PARTS : FL_TAKES);
    int64_t start = fl_now(), computing = fl_clock(CLOCK_THREAD_CPUTIME_ID), computed = 0;
    step = step < 1 ? 1 : step;
#pragma omp parallel num_threads(threads)
    {
        int me = omp_get_thread_num(), team = omp_get_num_threads();
        fl_worker worker = {loop, scratch + (size_t)me * each, 0, me == 0};
        unsigned mode = fl_enter_ieee_mode();
#pragma omp for schedule(dynamic, step) nowait
        for (ptrdiff_t i = 0; i < tasks; i++)
            if (fl_go_on(&worker, 0))
                task(job, i, &worker);
        fl_stream_fence();
        fl_leave_ieee_mode(mode);
        atomic_fetch_add(&through, 1);
        if (me == 0) {
            computed = fl_clock(CLOCK_THREAD_CPUTIME_ID) - computing;
            fl_attend(loop, &through, team);
        }
    }
    fl_learn(tasks, threads, fl_now() - start, computed);
}

// task(job, i, worker) for each i below `tasks`, in no order, on up to `threads` threads, of which each lends
// `bytes` of scratch memory. 0, or -1 with an exception set: of too little memory before the first task, or
// of a signal handler.
static int fl_parallel_for(fl_task task, void *job, ptrdiff_t tasks, int threads, size_t bytes) {
    fl_loop loop = {.looks = PyThread_get_thread_ident() == fl_main_thread, .looked = fl_now()};
    size_t each = bytes > SIZE_MAX - 63 ? SIZE_MAX : (bytes + 63) / 64 * 64;
    int alone = threads < 2 || fl_is_hopeless(tasks) || atomic_flag_test_and_set(&fl_busy);
    threads = alone ? 1 : threads;
    char *scratch = each > PTRDIFF_MAX / (size_t)threads ? NULL : fl_borrow(each * (size_t)threads);
    if (!scratch) {
        PyGILState_STATE held = PyGILState_Ensure();
        PyErr_NoMemory();
        PyGILState_Release(held);
    } else if (alone) {
        fl_worker worker = {&loop, scratch, 0, 1};
        unsigned mode = fl_enter_ieee_mode();
        for (ptrdiff_t i = 0; i < tasks && fl_go_on(&worker, 0); i++)
            task(job, i, &worker);
        fl_stream_fence();
        fl_leave_ieee_mode(mode);
    } else {
        fl_run(task, job, tasks, threads, &loop, scratch, each);
    }
    if (!alone)
        atomic_flag_clear(&fl_busy);
    if (scratch)
        fl_give_back(scratch);
    return scratch && !atomic_load(&loop.stopped) ? 0 : -1;
}

#endif
