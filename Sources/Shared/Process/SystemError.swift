#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A system call that failed, with what it was called on.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's name, such as `open`.
    public let call: String
    /// What it was about: a path, a program; may be empty.
    public let subject: String
    /// The value of `errno` after the call.
    public let number: Int32

    /// Takes `errno` as it is now: make this the statement right after the call.
    public init(_ call: String, _ subject: String = "") {
        self.init(call, subject, number: errno)
    }

    public init(_ call: String, _ subject: String, number: Int32) {
        self.number = number
        self.call = call
        self.subject = subject
    }

    /// The text of the error number, such as "No space left on device".
    public var reason: String { String(cString: strerror(number)) }

    public var description: String {
        subject.isEmpty ? "\(call): \(reason)" : "\(subject): \(reason) (\(call))"
    }
}
