import Shared
import Synchronization

/// Tells which closures of a build can be copied, while it still runs.
final class BuildWatch: Sendable {
    /// How often the store is asked at most, which costs a process of Nix.
    private static let interval = Duration.milliseconds(150)
    /// How often files are looked for at most.
    private static let pause = Duration.milliseconds(50)

    private let profiles: [PlannedProfile]
    /// What each node is given, all in one copy.
    private let closures: [Set<String>]
    private let builder: Builder
    private let gates: [String: Gate]
    private let waiting: Mutex<Set<String>>
    private let progress: AsyncStream<Void>
    private let pokes: AsyncStream<Void>.Continuation

    /// - Parameter profiles: those that are built here
    init(_ profiles: [PlannedProfile], _ builder: Builder) {
        self.profiles = profiles
        self.builder = builder
        closures = Dictionary(grouping: profiles, by: \.node).values.map { Set($0.map(\.path)) }
        let paths = Set(profiles.map(\.path))
        gates = Dictionary(uniqueKeysWithValues: paths.map { ($0, Gate()) })
        waiting = Mutex(paths)
        (progress, pokes) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Waits until the closures are there, built and with all they refer to.
    ///
    /// - Throws: what kept the build from making one of them; `CancellationError`
    func wait(for paths: some Sequence<String>) async throws {
        for path in paths { try await gates[path]?.wait() }
    }

    /// Nix has come further.
    func poke() { pokes.yield() }

    /// Asks the store when Nix has come further and a node may have all its closures, until cancelled: the end of a path's own
    /// build can be told late.
    func run() async throws {
        var next = ContinuousClock.now
        for await _ in progress {
            if waiting.withLock({ $0.isEmpty }) { return }
            if mayHaveAll {
                try await ContinuousClock().sleep(until: next)
                try await look()
                next = .now + Self.interval
            }
            try await ContinuousClock().sleep(for: Self.pause)
        }
    }

    /// Whether the files of all that a node waits for are there.
    private var mayHaveAll: Bool {
        let waiting = waiting.withLock { $0 }
        return closures.contains { paths in
            let missing = paths.intersection(waiting)
            return !missing.isEmpty && missing.allSatisfy(exists)
        }
    }

    /// Opens what is there.
    func look() async throws {
        // A path that does not exist is not valid either; one that does may still be written to.
        let paths = waiting.withLock { $0.sorted() }.filter(exists)
        let missing = try await builder.missing(of: paths)
        open(paths.filter { !missing.contains($0) })
    }

    /// The whole build has succeeded.
    func finish() { open(gates.keys) }

    /// What is not there will not be.
    func fail(_ error: any Error) { for gate in gates.values { gate.fail(error) } }

    private func open(_ paths: some Sequence<String>) {
        let paths = Set(paths)
        for profile in profiles where paths.contains(profile.path) {
            // One that cannot be activated is refused once all are built.
            guard (try? builder.inspect(profile)) != nil else { continue }
            gates[profile.path]?.open()
            waiting.withLock { _ = $0.remove(profile.path) }
        }
    }
}
