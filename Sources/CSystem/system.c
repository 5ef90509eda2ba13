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
#include <malloc.h>
#include <signal.h>
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

// In the child of a process that may have other threads: nothing here takes a lock or memory.
static _Noreturn void begin_held(
    const int gate[2], int failure, const char *program, char *const words[], char *const environment[],
    const char *directory, const int streams[3]) {
    // Our end of it would keep us from seeing that nobody else has one any more.
    close(gate[1]);
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    int is_ready = directory == NULL || chdir(directory) == 0;
    for (int target = 0; target < 3 && is_ready; target++)
        is_ready = streams[target] == target ? fcntl(target, F_SETFD, 0) == 0 : dup2(streams[target], target) == target;
    if (is_ready) {
        char byte;
        ssize_t count;
        while ((count = read(gate[0], &byte, 1)) < 0 && errno == EINTR) {}
        if (count != 1) _exit(1);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(program, words, environment);
    }
    int number = errno;
    ssize_t ignored = write(failure, &number, sizeof number);
    (void)ignored;
    _exit(1);
}

int shim_spawn_held(
    struct shim_held *held, const char *program, char *const words[], char *const environment[],
    const char *directory, const int streams[3]) {
    int gate[2], failure[2];
    if (shim_pipe(gate) < 0) return -1;
    if (shim_pipe(failure) < 0) {
        int number = errno;
        close(gate[0]);
        close(gate[1]);
        errno = number;
        return -1;
    }
    // No handler of ours may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t id = fork();
    if (id == 0) begin_held(gate, failure[1], program, words, environment, directory, streams);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(failure[1]);
    if (id < 0) {
        close(gate[0]);
        close(gate[1]);
        close(failure[0]);
        errno = number;
        return -1;
    }
    // Both sides do it: whoever is told of the group finds one.
    setpgid(id, id);
    *held = (struct shim_held){.id = id, .gate = gate[1], .gate_end = gate[0], .failure = failure[0]};
    return 0;
}

void shim_share_memory(void) { mallopt(M_ARENA_MAX, 1); }

int shim_fork(void) { return fork(); }

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

int shim_inotify_watch_names(int descriptor, const char *folder) {
    return inotify_add_watch(descriptor, folder, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF);
}

int shim_inotify_watch_content(int descriptor, const char *file) { return inotify_add_watch(descriptor, file, IN_MODIFY); }

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

ptrdiff_t shim_random(void *buffer, size_t count) { return getrandom(buffer, count, 0); }
#endif
