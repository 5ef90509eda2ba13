import Foundation
import Shared
import Testing

@testable import Deployer

@Suite(.timeLimit(.minutes(10)))
struct KnownHostsMemoryTests {
    @Test func aNameIsLookedForAgainOnlyWhereTheFileHasChanged() async throws {
        try await withScratchFolder { folder in
            let (file, calls) = ("\(folder)/known_hosts", "\(folder)/calls")
            for type in ["ed25519", "ecdsa"] { try await makeKey("\(folder)/\(type)", type: type) }
            let keygen = try await run(["which", "ssh-keygen"])
            try await makeProgram("\(folder)/bin/ssh-keygen", "echo call >>\(calls); exec \(keygen) \"$@\"")
            var environment = currentEnvironment()
            environment["PATH"] = "\(folder)/bin:\(environment["PATH"] ?? "")"
            let hosts = KnownHosts(userFiles: [file], globalFiles: [], environment: environment)
            func know(_ types: [String]) throws {
                let keys = try types.map { try String(contentsOfFile: "\(folder)/\($0).pub", encoding: .utf8) }
                try write(keys.map { "web1 \($0)" }.joined(), to: file)
            }
            func started() throws -> Int {
                try String(contentsOfFile: calls, encoding: .utf8).split(separator: "\n").count
            }

            try know(["ed25519"])
            for _ in 1...3 { #expect(try await hosts.lines(for: "web1").count == 1) }
            #expect(try started() == 1)
            #expect(try await hosts.lines(for: "web2").isEmpty)
            #expect(try started() == 2)
            try know(["ed25519", "ecdsa"])
            #expect(try await hosts.lines(for: "web1").count == 2)
            #expect(try started() == 3)
            try FileManager.default.removeItem(atPath: file)
            #expect(try await hosts.lines(for: "web1").isEmpty)
        }
    }
}
