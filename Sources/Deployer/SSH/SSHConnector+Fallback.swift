import Shared

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension SSHConnector {
    /// How long one way to a node is waited for before the next is tried beside it.
    static let fallbackPause = Duration.milliseconds(400)

    /// Logs in over the first of a destination's hosts that answers; the others follow in their order.
    ///
    /// What is raced is the TCP connection alone: nobody is asked for two passwords at once.
    ///
    /// - Throws: ``SSHError/unreachable(host:reasons:)`` with what every host said; `CancellationError`
    func connectToAny(of destination: Destination) async throws -> any Remote {
        let ways = destination.ways
        let first: Int?
        var reasons: [String] = []
        let race = try await firstSuccess(Array(ways.indices), pause: Self.fallbackPause, discard: { _ in }) { index in
            try await self.probe(ways[index])
            return index
        }
        switch race {
        case .value(let index):
            first = index
            if index > 0 { log("\(destination): \(ways[index].host) answers, before \(ways[0].host) does") }
        case .failures(let errors): throw SSHError.unreachable(host: destination.host, reasons: errors.map(describe))
        }
        let order = [first].compactMap(\.self) + ways.indices.filter { $0 != first }
        var refusal: (any Error)?
        for index in order {
            do {
                return try await connect(ways[index])
            } catch {
                try Task.checkCancellation()
                reasons.append(describe(error))
                if refusal == nil { refusal = error }
            }
        }
        // The one that answered tells more than those that are not even there.
        throw refusal ?? SSHError.unreachable(host: destination.host, reasons: reasons)
    }

    /// Sees whether something answers at the destination's port; through a proxy only a login can tell.
    private func probe(_ destination: Destination) async throws {
        let configuration = try await configuration(of: destination)
        guard configuration.proxyCommand == nil, configuration.proxyJump == nil else { return }
        let target = TCPTarget(
            host: configuration.hostName, port: configuration.port, family: configuration.addressFamily,
            bindAddress: configuration.bindAddress, limit: configuration.connectTimeout ?? .seconds(10))
        close(try await connectTCP(target, name: destination.host))
    }
}
