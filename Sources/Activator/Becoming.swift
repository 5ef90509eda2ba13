import Glibc

/// What has to be put right before this process becomes another program.
enum Becoming {
    /// Blocks and ignores no signal that the other program counts on.
    ///
    /// Our work runs on a thread of Dispatch's, which blocks nearly all signals, and a mask outlives an exec: the program
    /// would hear of no TERM and no ALRM, nor would anything that it starts.
    static func clearSignals() {
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_DFL) }
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }
}
