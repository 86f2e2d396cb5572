#ifndef WATTBENCH_CLIBUSB_SHIM_H
#define WATTBENCH_CLIBUSB_SHIM_H

// libusb-1.0 as it is, and the few things that Swift cannot say: variadic calls, macros, hidden declarations.

#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <linux/gpio.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

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

/// Largest SCHED_FIFO priority that this user may ask for.
static inline uint64_t wb_realtime_limit(void) {
    struct rlimit limit = {0};
    getrlimit(RLIMIT_RTPRIO, &limit);
    return limit.rlim_cur;
}

/// CLOCK_MONOTONIC, ns.
static inline int64_t wb_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// Sleeps until that moment of CLOCK_MONOTONIC.
static inline void wb_sleep_until_ns(int64_t deadline) {
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {}
}

/// CPU time of the calling thread, ns.
static inline int64_t wb_thread_cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// 1 if the kernel calls its wall clock synchronised; `error_us` gets its own bound, µs.
static inline int wb_time_is_synchronised(int64_t *error_us) {
    struct timex state = {0};
    int code = adjtimex(&state);
    *error_us = state.maxerror;
    return code >= 0 && code != TIME_ERROR && !(state.status & STA_UNSYNC);
}

/// Bit 0: the chip answers GPIO ABI 1, bit 1: ABI 2; -1 with errno: it cannot be opened or is no GPIO chip.
static inline int wb_gpio_probe(const char *path, uint32_t *lines, char *label, size_t size) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return -1;
    struct gpiochip_info chip = {0};
    int answer = -1;
    if (ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &chip) == 0) {
        struct gpioline_info first = {0};
        struct gpio_v2_line_info second = {0};
        *lines = chip.lines;
        snprintf(label, size, "%s", chip.label);
        answer = (ioctl(fd, GPIO_GET_LINEINFO_IOCTL, &first) == 0) | (ioctl(fd, GPIO_V2_GET_LINEINFO_IOCTL, &second) == 0) << 1;
    }
    int kept = errno;
    close(fd);
    errno = kept;
    return answer;
}

#endif
