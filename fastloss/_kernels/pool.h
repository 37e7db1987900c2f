// A loop over independent tasks on several threads, without the two waits of an OpenMP barrier: a call does
// not wait for threads that have not started when its work is done, and a forked child does not wait for
// threads that it does not have. On a machine of two processors that slept 10 ms between calls, libgomp took
// 6 ms for a loop of 25 us, since the woken thread stood in line behind the one that waited for it.
//
// Every thread has its own share of the tasks, so that a share stays in one processor's cache from call to
// call, and takes from the shares of others when it is through. The caller is thread 0.

#ifndef FASTLOSS_POOL_H
#define FASTLOSS_POOL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#define FL_THREADS 64      // that one loop uses at most
#define FL_STACK (4 << 20) // bytes; a task holds some 200 KB on its stack
#define FL_SPIN 1e-3       // seconds that a thread looks for the next loop before it sleeps
#define FL_PARTS 16        // in which a thread takes its share

typedef void (*fl_task)(void *job, ptrdiff_t index);

typedef struct {
    _Alignas(64) atomic_ptrdiff_t next;
    ptrdiff_t end, step;
} fl_share;

static struct {
    pthread_mutex_t busy; // held by the thread whose loop the pool runs
    pthread_mutex_t lock; // of what follows, with its conditions
    pthread_cond_t published, left;
    int sleeping;
    int workers; // that were started
    // The number of the loop, changed when one begins; whether it is open and for how many threads, and how
    // many workers are inside.
    _Alignas(64) atomic_uint loop;
    _Alignas(64) atomic_uint state;
    fl_task task;
    void *job;
    fl_share shares[FL_THREADS];
} fl_pool = {.busy = PTHREAD_MUTEX_INITIALIZER,
             .lock = PTHREAD_MUTEX_INITIALIZER,
             .published = PTHREAD_COND_INITIALIZER,
             .left = PTHREAD_COND_INITIALIZER};

#define FL_OPEN(threads) ((unsigned)(threads) << 16)
#define FL_INSIDE(state) ((state) & 0xffff)
#define FL_LIMIT(state) ((state) >> 16)

static inline void fl_relax(void) {
#if defined(__SSE2__)
    __builtin_ia32_pause();
#endif
}

static inline double fl_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void fl_work(int me, int threads) {
    for (int k = 0; k < threads; k++) {
        fl_share *share = &fl_pool.shares[(me + k) % threads];
        for (;;) {
            ptrdiff_t i = atomic_fetch_add(&share->next, share->step), stop = i + share->step;
            if (i >= share->end)
                break;
            for (stop = stop < share->end ? stop : share->end; i < stop; i++)
                fl_pool.task(fl_pool.job, i);
        }
    }
}

static void *fl_worker(void *argument) {
    int me = (int)(ptrdiff_t)argument;
    unsigned seen = 0;
    for (;;) {
        for (double start = fl_clock(); atomic_load(&fl_pool.loop) == seen && fl_clock() - start < FL_SPIN;)
            for (int i = 0; i < 32 && atomic_load_explicit(&fl_pool.loop, memory_order_relaxed) == seen; i++)
                fl_relax();
        if (atomic_load(&fl_pool.loop) == seen) {
            pthread_mutex_lock(&fl_pool.lock);
            fl_pool.sleeping++;
            while (atomic_load(&fl_pool.loop) == seen)
                pthread_cond_wait(&fl_pool.published, &fl_pool.lock);
            fl_pool.sleeping--;
            pthread_mutex_unlock(&fl_pool.lock);
        }
        seen = atomic_load(&fl_pool.loop);
        unsigned state = atomic_load(&fl_pool.state);
        while ((unsigned)me < FL_LIMIT(state) &&
               !atomic_compare_exchange_weak(&fl_pool.state, &state, state + 1))
            ;
        if ((unsigned)me >= FL_LIMIT(state))
            continue; // closed, or without need of this thread
        fl_work(me, (int)FL_LIMIT(state));
        if (atomic_fetch_sub(&fl_pool.state, 1) == 1) { // the last to leave a closed loop
            pthread_mutex_lock(&fl_pool.lock);
            pthread_cond_signal(&fl_pool.left);
            pthread_mutex_unlock(&fl_pool.lock);
        }
    }
    return NULL;
}

static void fl_after_fork(void) {
    pthread_mutex_init(&fl_pool.busy, NULL);
    pthread_mutex_init(&fl_pool.lock, NULL);
    pthread_cond_init(&fl_pool.published, NULL);
    pthread_cond_init(&fl_pool.left, NULL);
    fl_pool.sleeping = fl_pool.workers = 0;
    atomic_store(&fl_pool.loop, 0);
    atomic_store(&fl_pool.state, 0);
}

// Start workers until there are `wanted`, or no more can be had. Signals are for the threads of the program.
static void fl_start(int wanted) {
    pthread_attr_t attributes;
    sigset_t all, before;
    if (fl_pool.workers >= wanted || pthread_attr_init(&attributes) != 0)
        return;
    if (fl_pool.workers == 0) {
        static int registered;
        if (!registered && pthread_atfork(NULL, NULL, fl_after_fork) != 0)
            return;
        registered = 1;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, FL_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    while (fl_pool.workers < wanted &&
           pthread_create(&thread, &attributes, fl_worker, (void *)(ptrdiff_t)(fl_pool.workers + 1)) == 0)
        fl_pool.workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

// task(job, i) for each i below `tasks`, in no order, on up to `threads` threads. A second thread of the
// program that comes while the pool is at work computes on its own.
static void fl_parallel_for(fl_task task, void *job, ptrdiff_t tasks, int threads) {
    threads = threads > FL_THREADS ? FL_THREADS : threads;
    threads = threads > tasks ? (int)tasks : threads;
    if (threads < 2 || pthread_mutex_trylock(&fl_pool.busy) != 0) {
        for (ptrdiff_t i = 0; i < tasks; i++)
            task(job, i);
        return;
    }
    fl_start(threads - 1);
    threads = threads > fl_pool.workers + 1 ? fl_pool.workers + 1 : threads;
    fl_pool.task = task;
    fl_pool.job = job;
    for (int k = 0; k < threads; k++) {
        ptrdiff_t start = tasks / threads * k + (k < tasks % threads ? k : tasks % threads);
        ptrdiff_t count = tasks / threads + (k < tasks % threads);
        fl_pool.shares[k].end = start + count;
        fl_pool.shares[k].step = (count + FL_PARTS - 1) / FL_PARTS;
        atomic_store(&fl_pool.shares[k].next, start);
    }
    atomic_store(&fl_pool.state, FL_OPEN(threads));
    atomic_fetch_add(&fl_pool.loop, 1);
    // A thread that is about to sleep looks at the number of the loop under the lock.
    pthread_mutex_lock(&fl_pool.lock);
    if (fl_pool.sleeping)
        pthread_cond_broadcast(&fl_pool.published);
    pthread_mutex_unlock(&fl_pool.lock);
    fl_work(0, threads);
    unsigned inside = FL_INSIDE(atomic_fetch_and(&fl_pool.state, 0xffff));
    for (int i = 0; inside && i < 2000; i++) {
        fl_relax();
        inside = atomic_load(&fl_pool.state);
    }
    if (inside) {
        pthread_mutex_lock(&fl_pool.lock);
        while (atomic_load(&fl_pool.state))
            pthread_cond_wait(&fl_pool.left, &fl_pool.lock);
        pthread_mutex_unlock(&fl_pool.lock);
    }
    pthread_mutex_unlock(&fl_pool.busy);
}

#endif
