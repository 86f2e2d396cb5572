#ifndef WATTBENCH_CLIBUSB_SHIM_H
#define WATTBENCH_CLIBUSB_SHIM_H

// libusb-1.0 as it is, and the few things that Swift cannot say: variadic calls, macros, hidden declarations.

#include <libusb.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

/// libusb_set_option is variadic. Level 0 = silent, 2 = warnings.
static inline int wb_usb_set_log_level(libusb_context *context, int level) {
    return libusb_set_option(context, LIBUSB_OPTION_LOG_LEVEL, level);
}

/// Declared only under _GNU_SOURCE, which would change other headers of the module.
extern int pthread_setname_np(pthread_t thread, const char *name);

/// Name of the calling thread, at most 15 characters, as top and gdb show it.
static inline int wb_thread_set_name(const char *name) { return pthread_setname_np(pthread_self(), name); }

/// SCHED_FIFO for the calling thread; returns 0 or an errno value (EPERM without the permission).
static inline int wb_thread_set_realtime(int priority) {
    struct sched_param parameter = {.sched_priority = priority};
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter);
}

/// CLOCK_MONOTONIC, ns.
static inline int64_t wb_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// CPU time of the calling thread, ns.
static inline int64_t wb_thread_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
