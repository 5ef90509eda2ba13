import CSystem
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the start of one program needs: descriptors, attributes and words; all freed with it.
struct SpawnPlan: ~Copyable {
    /// Our ends of the pipes, which the taker closes.
    struct Pipes {
        var input: Int32?
        var output: Int32?
        var errorOutput: Int32?
    }

    private let command: LocalCommand
    private var theirs: [Int32] = []
    private var pipes = Pipes()
    private var numbers: [Int32] = []

    init(_ command: LocalCommand) throws {
        self.command = command
        let texts = command.words + command.environment.map { "\($0.key)=\($0.value)" }
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw LocalCommandError.invalidWord(program: command.words.first ?? "")
        }
        // Every property has its value by now, so a throw from here on still runs deinit.
        numbers.append(try inputDescriptor())
        let output = try outputDescriptor(command.output, inherited: STDOUT_FILENO)
        pipes.output = output.ours
        numbers.append(output.theirs)
        let errorOutput = try outputDescriptor(command.errorOutput, inherited: STDERR_FILENO)
        pipes.errorOutput = errorOutput.ours
        numbers.append(errorOutput.theirs)
    }

    deinit {
        for descriptor in theirs { close(descriptor) }
        for case let descriptor? in [pipes.input, pipes.output, pipes.errorOutput] { close(descriptor) }
    }

    /// Hands over our ends of the pipes.
    mutating func takePipes() -> Pipes {
        defer { pipes = Pipes() }
        return pipes
    }

    func spawn(_ program: String) throws(LocalCommandError) -> pid_t {
        var words = command.words.map { strdup($0) }
        words.append(nil)
        var environment = command.environment.map { strdup("\($0.key)=\($0.value)") }
        environment.append(nil)
        defer { for pointer in words + environment { free(pointer) } }
        if case .announcedGroup(let announce) = command.grouping {
            return try Self.turn.withLock { _ throws(LocalCommandError) in
                try spawnHeld(program, words, environment, announce)
            }
        }
        return try spawnAtOnce(program, words, environment)
    }

    private typealias Texts = [UnsafeMutablePointer<CChar>?]

    /// One that is held back has a copy of what would let go of another.
    private static let turn = Mutex(())

    private func spawnHeld(
        _ program: String, _ words: Texts, _ environment: Texts, _ announce: (pid_t) -> Void
    ) throws(LocalCommandError) -> pid_t {
        var held = shim_held()
        guard fork(&held, program, words, environment) else {
            throw .notStarted(program: program, SystemError("fork", program))
        }
        defer { close(held.failure) }
        announce(held.id)
        // Where somebody has ended it meanwhile, its status tells.
        var byte: UInt8 = 0
        while write(held.gate, &byte, 1) < 0 && errno == EINTR {}
        for end in [held.gate, held.gate_end] { close(end) }
        var number: Int32 = 0
        while read(held.failure, &number, MemoryLayout<Int32>.size) < 0 && errno == EINTR {}
        guard number == 0 else {
            var status: Int32 = 0
            while waitpid(held.id, &status, 0) < 0 && errno == EINTR {}
            throw .notStarted(program: program, SystemError("exec", program, number: number))
        }
        return held.id
    }

    private func fork(_ held: inout shim_held, _ program: String, _ words: Texts, _ environment: Texts) -> Bool {
        guard let directory = command.directory else {
            return shim_spawn_held(&held, program, words, environment, nil, numbers) == 0
        }
        return shim_spawn_held(&held, program, words, environment, directory, numbers) == 0
    }

    private func spawnAtOnce(
        _ program: String, _ words: Texts, _ environment: Texts
    ) throws(LocalCommandError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (target, source) in numbers.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
        }
        if let directory = command.directory {
            guard shim_spawn_addchdir(&actions, directory) == 0 else {
                throw .notStarted(program: program, SystemError("posix_spawn_file_actions_addchdir_np", directory))
            }
        }
        setAttributes(&attributes)
        var id: pid_t = 0
        let number = posix_spawn(&id, program, &actions, &attributes, words, environment)
        guard number == 0 else {
            throw .notStarted(program: program, SystemError("posix_spawn", program, number: number))
        }
        return id
    }

    private func setAttributes(_ attributes: inout posix_spawnattr_t) {
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        var flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        switch command.grouping {
        case .ownGroup, .announcedGroup:
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= Int16(POSIX_SPAWN_SETPGROUP)
        case .ownSession: flags |= shim_spawn_setsid()
        case .ours: break
        }
        posix_spawnattr_setflags(&attributes, flags)
    }

    private mutating func inputDescriptor() throws(SystemError) -> Int32 {
        switch command.input {
        case .null: return try openNull(O_RDONLY)
        case .inherited: return STDIN_FILENO
        case .descriptor(let raw): return raw
        case .bytes:
            let (read, write) = try Descriptor.pipe()
            pipes.input = write
            theirs.append(read)
            return read
        }
    }

    private mutating func outputDescriptor(
        _ output: LocalCommand.Output, inherited: Int32
    ) throws(SystemError) -> (ours: Int32?, theirs: Int32) {
        switch output {
        case .null: return (nil, try openNull(O_WRONLY))
        case .inherited: return (nil, inherited)
        case .descriptor(let raw): return (nil, raw)
        case .read:
            let (read, write) = try Descriptor.pipe()
            theirs.append(write)
            return (read, write)
        }
    }

    private mutating func openNull(_ mode: Int32) throws(SystemError) -> Int32 {
        let raw = open("/dev/null", mode | O_CLOEXEC)
        guard raw >= 0 else { throw SystemError("open", "/dev/null") }
        theirs.append(raw)
        return raw
    }
}
