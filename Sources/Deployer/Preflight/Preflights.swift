import Synchronization

/// Looks at the nodes of a run, each once; it can begin before it is known what they get.
final class Preflights: Sendable {
    private typealias Look = Task<ReadyNode, any Error>

    private struct State {
        var looks: [NodeName: (node: PlannedNode, look: Look)] = [:]
        /// Those that nobody has taken, or will take.
        var untaken: [Look] = []
        var isClosed = false
        var running = 0
        var failures: [(node: NodeName, error: any Error)] = []
    }

    private let state = Mutex(State())
    /// Fails once nodes cannot be deployed to, and all others that have been begun are looked at.
    let verdict = Gate()
    private let making: Task<Preflight, any Error>
    private let slots: Slots
    /// Room for nodes that are copied to, be it the agent or their closures.
    let copies: Slots

    /// - Parameter make: runs at once, with the room for copies; ``close()`` waits for it
    init(_ limits: Limits, _ make: @escaping @Sendable (Slots) async throws -> Preflight) {
        slots = Slots(limits.logins)
        let copies = Slots(limits.copies)
        self.copies = copies
        making = Task { try await make(copies) }
    }

    /// What looks at them.
    func preflight() async throws -> Preflight { try await making.value }

    /// Begins to look at a node, whatever its closures turn out to be.
    func begin(_ node: PlannedNode) { _ = look(at: node) }

    /// The node once it is logged in to and looked at; its connections are the caller's.
    ///
    /// - Throws: ``StageFailure``, ``AgentBinaryError``; `CancellationError`
    func ready(_ node: PlannedNode) async throws -> ReadyNode {
        let look = look(at: node)
        let ready = try await withTaskCancellationHandler {
            try await look.value
        } onCancel: {
            look.cancel()
        }
        state.withLock { $0.untaken.removeAll { $0 == look } }
        return ReadyNode(plan: node, connections: ready.connections, statuses: ready.statuses)
    }

    /// Ends what nobody has taken, and waits for that.
    func close() async {
        let looks = state.withLock { state in
            state.isClosed = true
            defer { state.untaken = [] }
            return state.untaken
        }
        making.cancel()
        for look in looks { look.cancel() }
        // Whatever became of them, nobody asked.
        for look in looks { await (try? look.value)?.close() }
        _ = await making.result
    }

    private func ended(_ node: NodeName, _ error: (any Error)?) {
        let failures = state.withLock { state in
            state.running -= 1
            if let error, !(error is CancellationError) { state.failures.append((node, error)) }
            return state.running == 0 ? state.failures.sorted { $0.node < $1.node } : []
        }
        let errors = failures.map(\.error)
        if !errors.isEmpty { verdict.fail(PreparationError(failures: errors, untold: errors)) }
    }

    private func look(at node: PlannedNode) -> Look {
        let node = node.withoutClosures
        return state.withLock { state in
            if let begun = state.looks[node.name], begun.node == node { return begun.look }
            // One of the same name that is to be reached otherwise is not taken: it ends with `close`.
            state.running += 1
            let look = Look { [self] in
                do {
                    let preflight = try await preflight()
                    let ready = try await slots.use {
                        try await preflight.console.during(Activity(.preflight, node: node.name)) {
                            try await preflight.prepare(node)
                        }
                    }
                    ended(node.name, nil)
                    return ready
                } catch {
                    if !(error is CancellationError) {
                        try? await preflight().console.report(.failed(node.name, error))
                    }
                    ended(node.name, error)
                    throw error
                }
            }
            if state.isClosed { look.cancel() }
            state.looks[node.name] = (node, look)
            state.untaken.append(look)
            return look
        }
    }
}

extension PlannedNode {
    /// The node as it is before its closures are known.
    var withoutClosures: PlannedNode {
        var node = self
        for index in node.profiles.indices {
            node.profiles[index].path = ProfileDefinition.unknownPath
            node.profiles[index].derivations = []
        }
        return node
    }
}
