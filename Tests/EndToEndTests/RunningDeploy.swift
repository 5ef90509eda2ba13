import Foundation
import Shared
import Synchronization
import Testing

/// A `deploy` under way on the deployer's side, whose lines can be waited for.
final class RunningDeploy: Sendable {
    private let process: LocalProcess
    private let heard: Heard

    /// What it has written so far, and whoever waits for more.
    private final class Heard: Sendable {
        let bytes = Mutex<[UInt8]>([])
        let news: AsyncStream<Void>
        let continuation: AsyncStream<Void>.Continuation

        init() { (news, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

        var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

        func add(_ more: [UInt8]) {
            bytes.withLock { $0 += more }
            continuation.yield()
        }
    }

    /// Both outputs in one text, in the order they came in.
    var text: String { heard.text }

    convenience init(_ lab: Lab, _ words: [String]) throws {
        try self.init(lab, program: lab.deployWords(["--skip-checks"] + Lab.withoutGuesses(words)))
    }

    /// - Parameter program: words that become `deploy` in the end
    init(_ lab: Lab, program: [String]) throws {
        var command = lab.command(program)
        command.input = .null
        let heard = Heard()
        process = try LocalProcess.start(command) { @Sendable _, bytes in heard.add(bytes) }
        self.heard = heard
    }

    /// Waits until it has written this. One waits at a time.
    func says(_ part: String, within limit: Duration = .seconds(300)) async throws {
        let heard = heard
        let deadline = ContinuousClock.now + limit
        let alarm = DispatchWorkItem { @Sendable in heard.continuation.yield() }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: alarm)
        defer { alarm.cancel() }
        if heard.text.contains(part) { return }
        for await _ in heard.news {
            if heard.text.contains(part) { return }
            try #require(ContinuousClock.now < deadline, "it did not say \"\(part)\": \(heard.text)")
        }
    }

    /// Waits for its end, but not for ever.
    func exit(within limit: Duration = .seconds(300)) async throws -> Exit {
        let process = process
        let timer = DispatchWorkItem { @Sendable in process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit.seconds, execute: timer)
        defer { timer.cancel() }
        return await process.exit()
    }

    func signal(_ number: Int32) { process.signal(number) }

    /// Ends it with no chance to say goodbye.
    func kill() async throws {
        signal(SIGKILL)
        _ = try await exit()
    }
}

extension Lab {
    /// Starts `deploy` on the deployer's side, checks skipped.
    func start(_ words: [String]) throws -> RunningDeploy { try RunningDeploy(self, words) }
}

extension Node {
    /// Waits until a shell condition holds on the node.
    func waits(for condition: String, seconds: Int = 240) async throws {
        try await shell(
            """
            end=$(($(date +%s) + \(seconds)))
            until \(condition); do
                [ "$(date +%s)" -lt "$end" ] || { echo "this did not come: $0" >&2; exit 1; }
                sleep 0.05
            done
            """)
    }

    /// The lines that activations left with ``Script/mark``, oldest first.
    func marks(of user: String = "root") async throws -> [String] {
        try await shell("cat \(Script.home(user))/marks 2>/dev/null || true").split(separator: "\n").map(String.init)
    }

    /// The number of the generation that a profile's link names; nil if there is no link.
    func generation(_ link: String = "/nix/var/nix/profiles/system") async throws -> Int? {
        Int(try await shell("readlink \(link) | sed 's/.*-\\([0-9]*\\)-link$/\\1/'"))
    }
}

/// Shell texts for activations.
enum Script {
    static func home(_ user: String) -> String { user == "root" ? "/root" : "/home/\(user)" }

    /// Leaves a line that tells that this version was activated.
    static func mark(_ version: String, user: String = "root") -> String {
        "echo \(version) >>\(home(user))/marks"
    }

    /// Stays in the activation, having said so, until ``release``.
    static let hold = "touch /root/held; until [ -e /root/go ]; do sleep 0.05; done"
    static let isHeld = "[ -e /root/held ]"
    static let release = "touch /root/go"

    /// Shell condition: the journal of the profile `system` says this state.
    static func has(_ state: String) -> String {
        "grep -q '\"state\":\"\(state)\"' /nix/var/nix/profiles/.deploy-swift/system/journal.json 2>/dev/null"
    }

    static let isAwaiting = has("awaitingConfirmation")

    /// Shell condition: the wait for a confirmation of the profile `system` has no more than these seconds left.
    static func isAwaiting(noMoreThan seconds: Int) -> String {
        let journal = "/nix/var/nix/profiles/.deploy-swift/system/journal.json"
        let deadline = #"grep -o '"deadline":[0-9]*' \#(journal) | tr -dc 0-9"#
        let now = "tr -d . </proc/uptime | cut -d' ' -f1"
        return "[ $(( $(\(now)) * 10000000 + \(seconds) * 1000000000 )) -ge $(\(deadline)) ]"
    }
}
