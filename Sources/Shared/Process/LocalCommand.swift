/// A local program to run: words, never a shell; an explicit environment.
public struct LocalCommand: Sendable {
    /// What the program reads on its standard input.
    public enum Input: Sendable {
        case null
        /// These bytes, then end of file; for secrets too: they never show in a description.
        case bytes([UInt8])
        /// Ours, as it is: for a program that talks to the terminal.
        case inherited
        /// This descriptor, which stays the caller's.
        case descriptor(Int32)
    }

    /// Where one of the program's outputs goes.
    public enum Output: Sendable {
        case null
        /// To the reader given to ``LocalProcess/start(_:onOutput:)``.
        case read
        case inherited
        /// This descriptor, which stays the caller's.
        case descriptor(Int32)
    }

    /// Which process group or session the program belongs to.
    public enum Grouping: Sendable {
        /// A group of its own, so that it can be ended with its children.
        case ownGroup
        /// As ``ownGroup``, whose number is told before the program begins: if we end in between, it never does. Such
        /// programs are started one after the other.
        case announcedGroup(@Sendable (Int32) -> Void)
        /// A session of its own, out of reach of our terminal and of hang-ups.
        case ownSession
        /// Our group: for a program that talks to the terminal.
        case ours
    }

    /// The program, looked up in the environment's PATH unless it has a slash, and its arguments.
    public var words: [String]
    /// The whole environment.
    public var environment: [String: String]
    /// Absolute path of the working folder; ours if nil.
    public var directory: String?
    public var input: Input = .null
    public var output: Output = .read
    public var errorOutput: Output = .read
    public var grouping: Grouping = .ownGroup

    public init(_ words: [String], environment: [String: String] = currentEnvironment()) {
        self.words = words
        self.environment = environment
    }
}

/// What cannot even be started.
public enum LocalCommandError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No executable of this name is in PATH, or at this path.
    case notFound(program: String)
    case invalidWord(program: String)
    case notStarted(program: String, SystemError)

    public var description: String {
        switch self {
        case .notFound(let program): "program \"\(program)\" was not found"
        case .invalidWord(let program): "an argument for \"\(program)\" holds a NUL character"
        case .notStarted(let program, let error): "program \"\(program)\" could not be started: \(error.reason)"
        }
    }
}
