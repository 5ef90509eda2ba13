import Shared
import Synchronization

/// Everything before the activations: nodes looked at while the build runs, each given its closures as soon as they are
/// built.
struct Preparation: Sendable {
    let plan: Plan
    let sources: [Source]
    let options: Options
    let console: Console
    let preflights: Preflights
    let builder: Builder
    let copier: Copier

    /// Prepares all nodes.
    ///
    /// A node that cannot be reached ends the build and the copies, once all others have been looked at; after any other
    /// failure the other nodes still end. What keeps a node from being ready is told at once.
    ///
    /// - Returns: the nodes in the plan's order, each with its closures in its store
    /// - Throws: ``PreparationError`` with every failure; nothing is activated then, and all connections are closed
    func run() async throws -> [ReadyNode] {
        let work = NodeWork(self)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await build(work.watch) }
                group.addTask { try await work.lookout.wait() }
                for node in plan.nodes { group.addTask { try await work.prepare(node) } }
                defer { group.cancelAll() }
                for try await _ in group {}
            }
            if !work.failures.isEmpty { throw CancellationError() }
            return work.nodes
        } catch {
            for node in work.nodes { await node.close() }
            let untold = error is CancellationError ? [] : [error]
            if work.failures.isEmpty || error is BuildError { throw error }
            throw PreparationError(failures: untold + work.failures, untold: untold)
        }
    }

    /// Prepares each node by itself, and hands it on at once; why one could not be made ready is told at once.
    ///
    /// - Parameters:
    ///   - brake: once open, nothing more is prepared
    ///   - then: what happens to a node that is ready; it closes it, or hands it on
    /// - Returns: what `then` gave for each node in the plan's order, or what kept it from that
    func run<Output: Sendable>(
        unless brake: Gate, then: @escaping @Sendable (ReadyNode) async throws -> Output
    ) async throws -> [Result<Output, any Error>] {
        let work = NodeWork(self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await build(work.watch)
                } catch let error where !(error is CancellationError) {
                    // Whatever was built all the same can be deployed.
                    try await work.watch.look()
                    work.watch.fail(error)
                }
            }
            let results = await sideBySide(plan.nodes, limit: max(1, plan.nodes.count)) { node in
                let ready = try await until(brake) { try await work.ready(node) }
                do {
                    return try await then(ready)
                } catch {
                    await ready.close()
                    throw error
                }
            }
            group.cancelAll()
            while await group.nextResult() != nil {}
            try Task.checkCancellation()
            return results
        }
    }

    /// - Throws: `CancellationError` where the brake was pulled first; what the work throws
    private func until(
        _ brake: Gate, _ work: @escaping @Sendable () async throws -> ReadyNode
    ) async throws -> ReadyNode {
        try await withThrowingTaskGroup(of: ReadyNode.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await brake.wait()
                throw CancellationError()
            }
            defer { group.cancelAll() }
            do {
                guard let ready = try await group.next() else { throw CancellationError() }
                return ready
            } catch {
                group.cancelAll()
                while let late = await group.nextResult() { await (try? late.get())?.close() }
                throw error
            }
        }
    }

    private func build(_ watch: BuildWatch) async throws {
        let count = plan.profiles.count { !$0.remoteBuild }
        let text = plan.localDerivations.isEmpty ? nil : "building \(count) profile\(count == 1 ? "" : "s")"
        let extras = Builder.Extras(options)
        var builder = builder
        builder.onCounts = { [onCounts = builder.onCounts] counts in
            onCounts(counts)
            watch.poke()
        }
        try await console.during(Activity(.build), text) { [builder] in
            try await withThrowingTaskGroup(of: Void.self) { group in
                // What is to be signed is ready only then, and a node alone waits for all of it: each look takes a process.
                if extras.signingKey == nil, plan.nodes.count > 1 { group.addTask { try await watch.run() } }
                try await builder.build(plan, from: sources, extras)
                group.cancelAll()
            }
        }
        watch.finish()
    }
}

/// What kept the nodes from being ready; none has changed.
struct PreparationError: Error {
    /// At least one.
    let failures: [any Error]
    /// Those that nobody has been told yet.
    let untold: [any Error]

    /// - Parameter failures: of all nodes; what is about none of them, such as a missing agent, is kept once
    init(failures: [any Error], untold: [any Error]) {
        self.failures = Self.distinct(failures)
        self.untold = Self.distinct(untold)
    }

    private static func distinct(_ failures: [any Error]) -> [any Error] {
        var kept: Set<String> = []
        return failures.filter { $0 is StageFailure || kept.insert(describe($0)).inserted }
    }
}
