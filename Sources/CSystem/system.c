#define _GNU_SOURCE
#include "CSystem.h"

#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

void shim_shutdown_writing(int socket) { shutdown(socket, SHUT_WR); }

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

int shim_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

short shim_spawn_setsid(void) { return POSIX_SPAWN_SETSID; }

int shim_spawn_addchdir(void *actions, const char *path) {
    return posix_spawn_file_actions_addchdir_np(actions, path);
}

int shim_boottime_timer(int64_t seconds, int64_t nanoseconds) {
    int descriptor = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (descriptor < 0) return -1;
    // An all-zero value would disarm the timer instead of firing at once.
    if (seconds == 0 && nanoseconds == 0) nanoseconds = 1;
    struct itimerspec when = {.it_value = {.tv_sec = seconds, .tv_nsec = nanoseconds}};
    if (timerfd_settime(descriptor, 0, &when, 0) < 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

int shim_inotify_open(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int shim_inotify_watch_folder(int descriptor, const char *path) {
    return inotify_add_watch(
        descriptor, path, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF);
}

int shim_readiness(int descriptor, int for_output) {
    int readiness = epoll_create1(EPOLL_CLOEXEC);
    if (readiness < 0) return -1;
    struct epoll_event event = {.events = for_output ? EPOLLOUT : EPOLLIN};
    if (epoll_ctl(readiness, EPOLL_CTL_ADD, descriptor, &event) < 0) {
        int number = errno;
        close(readiness);
        errno = number;
        return -1;
    }
    return readiness;
}

int64_t shim_boottime_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

ssize_t shim_random(void *buffer, size_t count) { return getrandom(buffer, count, 0); }
#endif
