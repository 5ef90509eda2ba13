import Foundation
import Shared
import Testing

extension NixLibrary {
    /// The agent's rules and those written in Nix must tell the same about any `deploy`.
    struct SchemaTests {
        let store: NixLibraryStore

        init() throws { store = try NixLibraryStore.shared.get() }

        private static let cases = [
            "{}", "[]", "7", "null", #"{"nodes":3}"#, #"{"sshOpts":"-p 22","sudo":null}"#, #"{"confirmTimeout":30.0}"#,
            #"{"confirmTimeout":1.5,"activationTimeout":-1,"magicRollback":0}"#,
            #"{"onPartialFailure":"ignore","nodes":{"a":{"hostname":"h","onPartialFailure":"warn"}}}"#,
            #"{"nodes":{"a":{},"b":{"hostname":1}}}"#, #"{"nodes":{"a":{"hostname":["x","y"]}}}"#,
            #"{"nodes":{"a":{"hostname":["x",1]},"b":{"hostname":{}},"c":{"hostname":[]}}}"#,
            #"{"nodes":{"we\"ird${x}\\":{"hostname":"h","profiles":{"my.profile":{"path":[]}}}}}"#,
            #"{"nodes":{"a":{"hostname":"h","profilesOrder":["x","x",1,"y","y","x"],"profiles":{"":{"user":{}}}}}}"#,
            #"{"nodes":{"a":{"hostname":"h","sshOpts":[1,"x",null],"profiles":{"p":{"path":{"__functor":true}}}}}}"#,
            #"{"confirmTimeout":65536,"activationTimeout":65535,"unknown":{"user":1},"nodes":{"a":{"hostname":"h"}}}"#,
        ]

        @Test(arguments: cases)
        func bothTellTheSame(deploy: String) async throws {
            try store.write("schema.json", deploy)
            let lines = try await store.value(
                "import ./tree/lib/schema.nix (builtins.fromJSON (builtins.readFile ./schema.json))")
            let expected = try JSONLine.decode([String].self, from: lines)
            let agent = "\(store.folder)/tree/agents/x86_64-linux/bin/activate"
            let result = try await store.run(
                [agent, "check-schema"],
                environment: [
                    "deployPath": "\(store.folder)/schema.json", "schema": "\(store.folder)/tree/interface.json",
                    "out": "\(store.folder)/schema-\(UUID().uuidString)",
                ])
            #expect(result.exit.isSuccess == expected.isEmpty)
            let found = result.errorText.replacing("activate: error: ", with: "").split(separator: "\n").map(
                String.init)
            #expect(found.sorted() == expected.sorted())
        }
    }
}
