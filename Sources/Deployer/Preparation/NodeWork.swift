import Shared
import Synchronization

/// Each node's way to its activation, all nodes of a run side by side.
final class NodeWork: Sendable {
    private struct State {
        /// Nodes that have not been looked at yet.
        var unseen: Int
        var isOneUnreachable = false
        /// Nodes that have not got what they need yet.
        var unsupplied: Int
        var ready: [NodeName: ReadyNode] = [:]
        var failures: [NodeName: any Error] = [:]
        /// What has been told that is about no node in particular.
        var told: Set<String> = []
    }

    let preparation: Preparation
    let copies: Slots
    let watch: BuildWatch
    /// Opens once all nodes have been looked at; fails if one of them cannot be deployed to.
    let lookout = Gate()
    /// Opens once all nodes have what they need, or cannot get it.
    let supplies = Gate()
    private let state: Mutex<State>

    init(_ preparation: Preparation) {
        self.preparation = preparation
        let count = preparation.plan.nodes.count
        state = Mutex(State(unseen: count, unsupplied: count))
        copies = preparation.preflights.copies
        watch = BuildWatch(preparation.plan.profiles.filter { !$0.remoteBuild }, preparation.builder)
    }

    /// The nodes so far in the plan's order, whether or not they have all they need.
    var nodes: [ReadyNode] {
        let ready = state.withLock { $0.ready }
        return preparation.plan.nodes.compactMap { ready[$0.name] }
    }

    /// All failures in the plan's order, interruptions aside.
    var failures: [any Error] { state.withLock { $0.failures }.sorted { $0.key < $1.key }.map(\.value) }

    /// Prepares a node, and then guards what it has got until all the others have theirs; a failure is told, and the others
    /// go on.
    ///
    /// - Throws: `CancellationError`
    func prepare(_ node: PlannedNode) async throws {
        do {
            let ready = try await look(at: node)
            let pending = preparation.pending(ready)
            try await supply(ready, pending)
            isSupplied()
            if preparation.plan.nodes.count > 1 { try await protect(ready, pending) }
        } catch {
            if !isNoted(node) {
                try Task.checkCancellation()
                if note(error, of: node) {
                    preparation.console.tell(
                        .info, "nothing will be activated; the other nodes still get their closures")
                }
            }
            isSupplied()
        }
    }

    /// A node with its closures in its store.
    ///
    /// - Throws: what kept it from that, once it is told, with its connections closed; `CancellationError`
    func ready(_ node: PlannedNode) async throws -> ReadyNode {
        let ready = try await look(at: node)
        do {
            try await supply(ready, preparation.pending(ready))
            return ready
        } catch {
            if !Task.isCancelled { note(error, of: node) }
            await ready.close()
            throw error
        }
    }

    private func isSupplied() {
        let isLast = state.withLock { state in
            state.unsupplied -= 1
            return state.unsupplied == 0
        }
        if isLast { supplies.open() }
    }

    // MARK: Preflight

    private func look(at node: PlannedNode) async throws -> ReadyNode {
        do {
            let ready = try await preparation.preflights.ready(node)
            state.withLock { $0.ready[node.name] = ready }
            try judge(ready)
            try await tellTrust(of: ready)
            tellIgnored(of: ready)
            isSeen(true)
            return ready
        } catch {
            // First: the last one to be seen ends all the others, and with them this task.
            if !Task.isCancelled { note(error, of: node) }
            isSeen(false)
            throw error
        }
    }

    /// Tells a failure as soon as it is there, however long other nodes take, and keeps it.
    ///
    /// - Returns: whether it is the first, and others have not got yet what they need
    @discardableResult
    private func note(_ error: any Error, of node: PlannedNode) -> Bool {
        let (isNews, isFirst) = state.withLock { state in
            state.failures[node.name] = error
            return (
                error is StageFailure || state.told.insert(describe(error)).inserted,
                state.failures.count == 1 && state.unsupplied > 1
            )
        }
        preparation.console.report(.failed(node.name, error))
        if isNews { preparation.console.tell(error, node: (error as? StageFailure)?.node) }
        return isFirst
    }

    private func isNoted(_ node: PlannedNode) -> Bool { state.withLock { $0.failures[node.name] != nil } }

    /// Tells, before it is copied, what will need a signature.
    private func tellTrust(of node: ReadyNode) async throws {
        let copied = preparation.pending(node).filter { !$0.remoteBuild || $0.buildHost != nil }
        let connection = try node.sender()
        let warning = connection.trust.warning(
            connection.destination.user, signing: preparation.signingKey, preparation.copier)
        guard !copied.isEmpty, let warning else { return }
        // What is there already is not copied, as after a deploy that came no further than that.
        let tests = Set(copied.map(\.path)).sorted().map { "test -e \(shellQuoted($0))" }
        let remote = try await connection.login.remote()
        if try await Preflight.answer(remote, ["sh", "-c", tests.joined(separator: " && ")]).exit.isSuccess { return }
        preparation.console.tell(.warn, warning.text, node: node.plan.name)
        preparation.console.tell(.hint, warning.hint, node: node.plan.name)
    }

    /// Tells what was asked for and cannot be had of deploy-rs's agents.
    private func tellIgnored(of node: ReadyNode) {
        let driven = preparation.pending(node).filter { node.usesClosureAgent(for: $0) }
        guard !driven.isEmpty else { return }
        for profile in driven where profile.healthCheck != nil {
            let text = "the closure's own agent, which is deploy-rs's, runs no healthCheck: nobody sees to its health"
            preparation.console.tell(.warn, "profile \"\(profile.name)\": \(text)", node: node.plan.name)
        }
        var ignored = preparation.options.waitLock > 0 ? [OptionName.waitLock.long] : []
        if driven.contains(where: { $0.onPartialFailure != .rollback }) { ignored.append("onPartialFailure") }
        if driven.contains(where: { !$0.criticalUnits.isEmpty }) { ignored.append("criticalUnits") }
        if driven.contains(where: \.rebootIfStuck) { ignored.append("rebootIfStuck") }
        guard !ignored.isEmpty else { return }
        let text = "the closures' own agents, which are deploy-rs's, know no \(ignored.joined(separator: " and no "))"
        preparation.console.tell(.warn, "\(text): without effect there", node: node.plan.name)
    }

    private func isSeen(_ canBeDeployed: Bool) {
        let (isLast, isOneUnreachable) = state.withLock { state in
            state.unseen -= 1
            if !canBeDeployed { state.isOneUnreachable = true }
            return (state.unseen == 0, state.isOneUnreachable)
        }
        guard isLast else { return }
        // Why is noted with the node.
        if isOneUnreachable { lookout.fail(CancellationError()) } else { lookout.open() }
    }

    /// Refuses a node where a deploy is under way, and tells of one that was interrupted; both change nothing.
    private func judge(_ node: ReadyNode) throws {
        if preparation.options.dryActivate { return }
        let waits = preparation.options.waitLock > 0
        for profile in node.plan.profiles {
            guard let status = node.statuses[profile.name] else { continue }
            if let holder = status.holder, !waits {
                throw StageFailure(
                    node: node.plan.name, profile: profile.name, stage: .preflight, cause: PreflightError.held(holder))
            }
            guard let activation = status.activation, activation.report == nil else { continue }
            preparation.console.tell(
                .warn,
                "profile \"\(profile.name)\": the deploy by \(activation.deployer) was interrupted; the node ends it first",
                node: node.plan.name)
        }
    }
}
