// What a task of a parallel loop is given, and how it learns whether to go on.

#ifndef FASTLOSS_WORKER_H
#define FASTLOSS_WORKER_H

#include <Python.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define FL_LOOK 30000000L // nanoseconds from one look for signals to the next
#define FL_WORK (1 << 16) // elements from one look at the clock to the next

typedef struct {
    atomic_int stopped;
    int looks; // in the thread where Python runs its signal handlers
    int64_t looked;
} fl_loop;

typedef struct {
    fl_loop *loop;
    char *scratch;
    ptrdiff_t work; // since the last look at the clock
    int first;      // of the team: the thread that called
    int begun;      // whether a task has set up the scratch memory
} fl_worker;

typedef void (*fl_task)(void *job, ptrdiff_t index, fl_worker *worker);

static inline int64_t fl_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t fl_now(void) { return fl_clock(CLOCK_MONOTONIC); }

// Run the signal handlers of the program, if it is time; an exception of theirs stops the loop.
static inline void fl_look(fl_loop *loop) {
    if (!loop->looks || fl_now() - loop->looked < FL_LOOK)
        return;
    PyGILState_STATE held = PyGILState_Ensure();
    if (PyErr_CheckSignals() < 0) {
        loop->looks = 0;
        atomic_store(&loop->stopped, 1);
    }
    PyGILState_Release(held);
    loop->looked = fl_now();
}

// Whether to go on, asked again after so many elements.
static inline int fl_go_on(fl_worker *worker, ptrdiff_t elements) {
    worker->work += elements;
    if (worker->first && worker->work >= FL_WORK) {
        worker->work = 0;
        fl_look(worker->loop);
    }
    return !atomic_load_explicit(&worker->loop->stopped, memory_order_relaxed);
}

#endif
