import Foundation
import Shared

@testable import Deployer

/// A run of `deploy` from its options to its end, to a simulated fleet: real evaluation and build, no node.
///
/// Each node gets two profiles of one closure, root's and an application's; all nodes share the closure.
struct FleetScene {
    let run: Run
    let console: Console
    let interruption: Interruption
    /// Of the nodes, in their order.
    let names: [String]
    private let scratch: ScratchNix

    /// - Parameters:
    ///   - words: options besides the target
    ///   - agent: text of the agent's file
    init(
        nodes count: Int, _ words: [String] = [], fleet: SimulatedFleet, isLive: Bool = false,
        agent text: String = "\u{7f}ELF, by its first bytes"
    ) throws {
        scratch = try ScratchNix()
        names = (0..<count).map(Self.name)
        let flake = try scratch.flake(Self.outputs(names))
        let agent = try scratch.write(text, to: "activate")
        let options = try Options(
            ["--skip-checks", "--agent", agent, "--log-dir", "\(scratch.folder)/logs"] + words + [flake])
        console = try Console(
            showsDebug: false, usesColor: false, logDirectory: options.logDir, isLive: isLive)
        interruption = Interruption(console: console, brake: Brake(), statusCommand: options.statusCommand)
        run = Run(
            options: options, console: console, interruption: interruption, connector: fleet,
            askPassword: { _ in nil }, program: "/no/such/deploy", environment: scratch.environment,
            runCopy: fleet.runCopy)
    }

    /// `node007`, in the order of their numbers.
    static func name(_ number: Int) -> String {
        let digits = String(number)
        return "node" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// The lines that were told, as in the log folder; all of them, or one node's.
    func log(_ node: String = "deploy") throws -> [String] {
        let text = try String(contentsOfFile: "\(scratch.folder)/logs/\(node).log", encoding: .utf8)
        return text.split(separator: "\n").map(String.init)
    }

    /// Outputs of a flake with these nodes.
    static func outputs(_ names: [String], closure: String = "closure \"all\"") -> String {
        """
        { deploy.nodes = builtins.listToAttrs (map (name: { inherit name; value = {
            hostname = name; sshUser = "root"; profilesOrder = [ "system" "app" ];
            profiles.system = { user = "root"; path = \(closure); };
            profiles.app = { user = "app"; path = \(closure); };
        }; }) [ \(names.map { "\"\($0)\"" }.joined(separator: " ")) ]); }
        """
    }
}
