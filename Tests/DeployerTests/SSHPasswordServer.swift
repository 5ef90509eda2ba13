import Foundation
import Shared

@testable import Deployer

/// An sshd whose account has a password that tests know: in a mount namespace of its own, with a shadow file of its own.
enum SSHPasswordServer {
    static let password = "correct horse battery"
    // Of that password, by `openssl passwd -6`.
    private static let hash =
        "$6$deploytests$MXsdYVlHLKGNBFcUob33CdLXWsVzosjV8Eft0ZAE9fppO8RhuEdsqFzHxq0SLWODrGX3sB4ku0jlihb.Wmd.5."

    /// Why it cannot be had here; nil if it can.
    static let obstacle: String? = {
        if getuid() != 0 { return "a server that knows a password needs root" }
        if locateProgram("unshare", path: "/usr/bin:/bin:/run/current-system/sw/bin") == nil { return "no unshare" }
        let files = ["/etc/shadow", "/etc/pam.d/sshd"]
        return files.allSatisfy { isFile($0) } ? nil : "no \(files.joined(separator: " or "))"
    }()

    enum Method: String, CaseIterable, Sendable { case password, keyboardInteractive = "keyboard-interactive" }

    static func start(_ method: Method, _ options: [String] = []) async throws -> SSHTestServer {
        let lines =
            switch method {
            case .password: ["PasswordAuthentication yes", "KbdInteractiveAuthentication no"]
            case .keyboardInteractive: ["KbdInteractiveAuthentication yes", "PasswordAuthentication no"]
            }
        let common = ["UsePAM yes", "PubkeyAuthentication no", "MaxAuthTries 20"]
        return try await SSHTestServer.start(options + lines + common) { folder in
            try write("\(SSHTestServer.user):\(hash):19000:0:99999:7:::\n", to: "\(folder)/shadow")
            let pam =
                "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n"
            try write(pam, to: "\(folder)/pam")
            let script = """
                mount --bind "$0/shadow" /etc/shadow && mount --bind "$0/pam" /etc/pam.d/sshd && exec "$@"
                """
            return ["unshare", "-m", "sh", "-c", script, folder]
        }
    }
}
