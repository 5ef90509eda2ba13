import Dispatch
import Synchronization

/// A local program that ran, with what it wrote.
public struct LocalResult: Sendable {
    public let exit: Exit
    /// At most the limit's number of bytes; ``isTruncated`` tells whether there were more.
    public let output: [UInt8]
    /// The last bytes of what it wrote to its standard error, at most the limit's number.
    public let errorOutput: [UInt8]
    public let isTruncated: Bool
    /// True if the time limit ended it.
    public let timedOut: Bool

    /// The output as text; bytes that are not UTF-8 become replacement characters.
    public var text: String { String(decoding: output, as: UTF8.self) }
    /// The error output as text, without the white space around it.
    public var errorText: String { trimmed(String(decoding: errorOutput, as: UTF8.self)) }
}

extension LocalCommand {
    /// Runs the program to its end, whatever its exit status.
    ///
    /// - Parameters:
    ///   - outputLimit: bytes kept of each output; what is beyond it is read and dropped
    ///   - timeLimit: after it the program's group is ended and ``LocalResult/timedOut`` is true; none if nil
    ///   - onErrorOutput: called with each piece of error output as it is read
    /// - Throws: ``LocalCommandError``, ``SystemError``; `CancellationError` once the cancelled program has ended
    public func run(
        outputLimit: Int = 64 << 20,
        timeLimit: Duration? = nil,
        onErrorOutput: (@Sendable ([UInt8]) -> Void)? = nil
    ) async throws -> LocalResult {
        let capture = CaptureBox()
        let process = try LocalProcess.start(self) { @Sendable stream, bytes in
            if stream == .errorOutput { onErrorOutput?(bytes) }
            capture.add(stream, bytes, limit: outputLimit)
        }
        let timer = timeLimit.map { capture.limit(process, $0) }
        let exit = await withTaskCancellationHandler {
            await process.exit()
        } onCancel: {
            process.terminate()
        }
        timer?.cancel()
        try Task.checkCancellation()
        return capture.result(exit)
    }
}

private struct Kept {
    var output: [UInt8] = []
    var errorOutput: [UInt8] = []
    var isTruncated = false
    var timedOut = false
}

/// What a captured program has written so far.
private final class CaptureBox: Sendable {
    private let kept = Mutex(Kept())

    func add(_ stream: LocalProcess.Stream, _ bytes: [UInt8], limit: Int) {
        kept.withLock { kept in
            switch stream {
            case .output:
                let room = limit - kept.output.count
                kept.output += bytes.prefix(room)
                if bytes.count > room { kept.isTruncated = true }
            case .errorOutput:
                kept.errorOutput += bytes
                // The end of an error text tells most; cut rarely, so that adding stays cheap.
                if kept.errorOutput.count > 2 * limit { kept.errorOutput.removeFirst(kept.errorOutput.count - limit) }
            }
        }
    }

    func limit(_ process: LocalProcess, _ limit: Duration) -> DispatchWorkItem {
        let item = DispatchWorkItem { @Sendable [self] in
            kept.withLock { $0.timedOut = true }
            process.terminate()
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: item)
        return item
    }

    func result(_ exit: Exit) -> LocalResult {
        kept.withLock { kept in
            LocalResult(
                exit: exit,
                output: kept.output,
                errorOutput: kept.errorOutput,
                isTruncated: kept.isTruncated,
                timedOut: kept.timedOut
            )
        }
    }
}
