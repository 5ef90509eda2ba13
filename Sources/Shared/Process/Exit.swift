/// How a program ended.
public enum Exit: Sendable, Hashable, Codable, CustomStringConvertible {
    /// It exited by itself with this status, 0 to 255.
    case code(Int32)
    /// A signal of this number ended it.
    case signal(Int32)

    /// Reads what `waitpid` tells of a process that has ended.
    public init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .code((waitStatus >> 8) & 0xff) : .signal(signal)
    }

    /// True for status 0 alone.
    public var isSuccess: Bool { self == .code(0) }

    public var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let number): "signal \(number) (\(Exit.signalName(number)))"
        }
    }

    /// The name of a signal without "SIG", as `kill -l` prints it; its number as text where it has none here.
    public static func signalName(_ number: Int32) -> String {
        let names: [Int32: String] = [
            1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 11: "SEGV", 13: "PIPE",
            14: "ALRM", 15: "TERM",
        ]
        return names[number] ?? String(number)
    }
}
