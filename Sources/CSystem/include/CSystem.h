#pragma once
#include <stdint.h>
#include <stddef.h>

// The few C calls that Swift's Glibc module lacks. No feature macros here: they belong in the .c file.

/// Both ends of a pipe, close-on-exec; -1 with errno.
int shim_pipe(int ends[2]);

/// The flag for posix_spawnattr_setflags that puts the child into a session of its own.
short shim_spawn_setsid(void);

/// As posix_spawn_file_actions_addchdir_np; returns 0 or an error number.
int shim_spawn_addchdir(void *actions, const char *path);

/// A program that is held back: it begins once a byte is written to its gate, and never if that is closed before.
struct shim_held {
    int id;
    /// Ours to write to, close-on-exec; and its other end, kept so that writing never meets a closed pipe.
    int gate;
    int gate_end;
    /// Ours to read: nothing once the program has begun, the error's number (an int) if it could not.
    int failure;
};

/// As posix_spawn, in a group of its own and with all signals at their defaults, of a program that is held back; 0, or
/// -1 with errno.
///
/// directory: null for ours; streams: what become its descriptors 0 to 2.
int shim_spawn_held(
    struct shim_held *held, const char *program, char *const words[], char *const environment[],
    const char *directory, const int streams[3]);

/// Lets all threads take memory from one place: for a process that has several only to wait.
void shim_share_memory(void);

/// fork; only for a process that has no other threads.
int shim_fork(void);

/// A timer descriptor on a clock that counts suspended time, armed to fire once after the given time; -1 with errno.
int shim_boottime_timer(int64_t seconds, int64_t nanoseconds);

/// An inotify descriptor, close-on-exec and non-blocking; -1 with errno.
int shim_inotify_open(void);

/// Watches a folder for names that appear, move or vanish in it; -1 with errno.
int shim_inotify_watch_names(int descriptor, const char *folder);

/// Watches a file for what is written into it; -1 with errno.
int shim_inotify_watch_content(int descriptor, const char *file);

/// A close-on-exec descriptor that can be read while the given one can be read (or written to) or was hung up; -1 with
/// errno. See ReadySource.
int shim_readiness(int descriptor, int for_output);

/// Seconds since boot, suspended time included, in nanoseconds.
int64_t shim_boottime_now(void);

/// Ends the writing half of a socket; the peer then reads to the end.
void shim_shutdown_writing(int socket);

/// getrandom without flags; bytes written or -1 with errno.
ptrdiff_t shim_random(void *buffer, size_t count);
