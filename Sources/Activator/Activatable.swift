import Glibc
import Shared

/// A closure looked at for how it is activated.
struct Activatable: Sendable, Equatable {
    static let scriptName = "deploy-rs-activate"

    let closure: String
    let kind: Activation.Kind
    /// What someone should know before.
    private(set) var warning: String?

    /// - Throws: ``AgentError``, where it cannot be activated as this profile
    init(_ closure: String, as link: ProfileLink, _ environment: [String: String]) throws(AgentError) {
        self.closure = closure
        guard access(closure, F_OK) == 0 else { throw .noSuchClosure(closure) }
        let isSystem = isRunnable("\(closure)/\(NixOSSystem.switchName)")
        let isBooted = NixOSSystem.isBooted(link, environment)
        if isRunnable("\(closure)/\(Self.scriptName)") {
            kind = .wrapped
            if isSystem, !isBooted {
                warning =
                    "\(closure) is a NixOS system, but the node boots another profile than \(link.path): the next reboot "
                    + "undoes this deploy; call the profile \"system\" and let its user be root"
            }
        } else {
            guard isSystem else { throw .notActivatable(closure: closure) }
            guard isBooted else { throw .systemElsewhere(closure: closure, link: link.path) }
            kind = .system
        }
    }

    /// The words that show what an activation would do.
    var dryWords: [String] {
        switch kind {
        case .wrapped: ["\(closure)/\(Self.scriptName)"]
        case .system: ["\(closure)/\(NixOSSystem.switchName)", "dry-activate"]
        }
    }
}
