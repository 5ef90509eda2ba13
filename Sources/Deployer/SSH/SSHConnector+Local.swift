import Shared

extension SSHConnector {
    /// Whether a destination that cannot be reached over SSH is this machine, with no SSH server, as the user we are.
    ///
    /// Never where SSH has once worked in this run: a system that stopped its SSH server must not be confirmed past it.
    func isThisMachine(_ destination: Destination) async throws -> Bool {
        guard !hasReached(destination), ["localhost", "127.0.0.1", "::1"].contains(destination.bareHost),
            destination.options.isEmpty, destination.user == LocalAccount(environment: environment).name
        else { return false }
        let configuration = try await configuration(of: destination)
        return ["localhost", "127.0.0.1", "::1"].contains(configuration.hostName) && configuration.port == 22
            && configuration.proxyCommand == nil && configuration.proxyJump == nil
    }
}
