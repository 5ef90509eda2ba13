import Foundation
import Shared
import Testing

/// Units of a real systemd that fail while a system is switched to (A16, R30).
@Suite(.serialized, .enabled(if: Lab.isAvailable, Comment(rawValue: Lab.obstacle ?? "")), .timeLimit(.minutes(10)))
struct PartialFailureTests {
    /// A wrapped system whose switch starts a unit that fails, and ends as NixOS's does then.
    private func write(_ scene: Scene, extra: String) throws {
        let base = """
            (derivation {
              inherit system; name = "nixos"; builder = "/bin/sh";
              args = [ "-c" ''/bin/mkdir -p $out/bin; printf '#!/bin/sh\\n' >$out/bin/switch-to-configuration
                /bin/chmod +x $out/bin/switch-to-configuration'' ];
            })
            """
        let activation = "systemctl start fresh.service || exit 4"
        try scene.fixture.write([.init(extra: extra, path: "activate.custom \(base) \(nixString(activation))")])
    }

    @Test(
        "R30: newly failed units are named with their last words, and count as asked for",
        .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")))
    func newlyFailedUnitsAreNamedWithTheirLastWords() async throws {
        try await Scene.with(try SystemdLab.options) { scene in
            let unit = "[Service]\\nType=oneshot\\nExecStart=/bin/sh -c 'echo words of %n; exit 1'\\n"
            try await scene.node.shell(
                """
                for name in stale fresh; do printf %b "\(unit)" >/etc/systemd/system/$name.service; done
                systemctl daemon-reload; systemctl start stale.service || true
                """)
            try write(scene, extra: "")
            let refused = try await scene.lab.deploy([scene.fixture.flake])
            expect(
                refused, is: .rolledBack, says: "some units failed: fresh.service",
                "stale.service (failed before, too)", "words of fresh.service")
            try await scene.node.shell("systemctl reset-failed fresh.service")
            try write(scene, extra: "onPartialFailure = \"warn\";")
            let kept = try await scene.lab.deploy([scene.fixture.flake])
            expect(
                kept, is: .done, says: "deployed and confirmed", "some units failed: fresh.service",
                "words of fresh.service")
            try await scene.node.shell("systemctl reset-failed fresh.service")
            try write(scene, extra: "")
            let again = try await scene.lab.deploy([scene.fixture.flake, "--force", "--on-partial-failure", "warn"])
            expect(again, is: .done, says: "some units failed: fresh.service")
        }
    }
}
