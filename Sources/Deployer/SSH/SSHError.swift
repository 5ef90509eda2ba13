import Shared

/// What can go wrong between here and a node's shell.
enum SSHError: Error, Sendable, Equatable {
    /// There is no `ssh` here, which even libssh2's logins need: it alone knows the configuration.
    case noProgram
    /// `ssh -G` could not resolve the configuration.
    case configuration(host: String, reason: String)
    /// No address could be reached; one reason for each.
    case unreachable(host: String, reasons: [String])
    /// The peer did not answer in time, in this phase.
    case timedOut(host: String, phase: String, after: Duration)
    /// The host key is not the one in known_hosts.
    case hostKeyChanged(host: String, fingerprint: String, knownIn: String)
    /// The host key is not known and may not be accepted.
    case hostKeyUnknown(host: String, fingerprint: String, hint: String)
    case hostKeyRevoked(host: String, fingerprint: String)
    /// A secret was not sent to a host whose key contradicts known_hosts, though it was let in.
    case secretWithheld(host: String, knownIn: String)
    /// No offered method was accepted.
    case loginRefused(destination: String, tried: [String])
    /// The connection broke; commands may go on at the node.
    case lost(host: String, reason: String)
    /// The SSH library or program failed otherwise.
    case failed(host: String, step: String, reason: String)
}

extension SSHError: Explained {
    var description: String {
        switch self {
        case .noProgram: "\"ssh\" was not found in PATH"
        case .configuration(let host, let reason): "the SSH configuration for \(host) cannot be used: \(reason)"
        case .unreachable(let host, let reasons): "\(host) cannot be reached: \(reasons.joined(separator: "; "))"
        case .timedOut(let host, let phase, let limit): "\(host) did not answer within \(limit): \(phase)"
        case .hostKeyChanged(let host, let fingerprint, let knownIn):
            "the host key of \(host) has changed (now \(fingerprint)); the known one is \(knownIn)"
        case .hostKeyUnknown(let host, let fingerprint, _): "the host key of \(host) is not known (\(fingerprint))"
        case .hostKeyRevoked(let host, let fingerprint):
            "the host key of \(host) is revoked" + (fingerprint.isEmpty ? "" : " (\(fingerprint))")
        case .secretWithheld(let host, let knownIn):
            "no password is sent to \(host): its host key is not the one in \(knownIn), and StrictHostKeyChecking=no "
                + "let it in all the same"
        case .loginRefused(let destination, let tried):
            "\(destination) refused the login; tried: \(tried.isEmpty ? "nothing" : tried.joined(separator: ", "))"
        case .lost(let host, let reason): "the connection to \(host) was lost: \(reason)"
        case .failed(let host, let step, let reason): "SSH to \(host) failed at \(step): \(reason)"
        }
    }

    var hint: String? {
        switch self {
        case .noProgram: "install OpenSSH's client (Debian calls it openssh-client)"
        case .configuration(let host, _): "`ssh -G \(host)` shows what ssh makes of it"
        case .unreachable, .timedOut:
            "is the machine up, and does ssh get there by hand? `hostname` and `sshOpts` in the flake say where to go"
        case .hostKeyChanged, .secretWithheld:
            "if the machine was reinstalled, take that line away; if not, somebody may be in between"
        case .hostKeyUnknown(_, _, let hint): hint
        case .hostKeyRevoked: "do not trust that machine: its key is revoked, in known_hosts or by RevokedHostKeys"
        case .loginRefused(let destination, _):
            "`ssh -v \(destination.prefix { $0 != " " })` shows which keys are offered; `sshUser` in the flake says who logs in"
        case .lost: "the node decides by itself what to do with what was under way: `deploy status` asks it"
        case .failed: nil
        }
    }
}
