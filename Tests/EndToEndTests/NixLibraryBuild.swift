import Shared
import Testing

extension NixLibraryStore {
    /// Nix text in front of every expression of these tests.
    private static let prelude = """
        let
          lib = import ./tree/lib { system = "x86_64-linux"; };
          bare = import ./bare/lib { system = "x86_64-linux"; };
          sh = name: text: derivation {
            inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-euc" text ]; PATH = "/usr/bin:/bin";
          };
          base = sh "hello-1.0" "mkdir -p $out/bin; echo hi >$out/bin/hello";
          dep = sh "dep" "echo dep >$out";
          nixos = loader: {
            pkgs.runtimeShell = "/runtime/bash";
            config = { system.build.toplevel = sh "nixos-system-x" "mkdir $out"; boot = { inherit loader; }; };
          };
        in
        """

    /// Builds an expression's derivation, or makes a store path of its string; returns Nix's result unjudged.
    func building(_ expression: String) async throws -> LocalResult {
        try await run(["nix-build", "--no-out-link", "--expr", Self.prelude + "\n" + expression])
    }

    /// The store path of an expression that must build.
    func built(_ expression: String) async throws -> String {
        let result = try await building(expression)
        try #require(result.exit.isSuccess, "\(expression): \(result.errorText)")
        return trimmed(result.text)
    }

    /// The text of `deploy-rs-activate` of an expression that must build.
    func script(_ expression: String) async throws -> String {
        try await output(["cat", "\(try await built(expression))/deploy-rs-activate"])
    }

    /// The value of an expression, as JSON.
    func value(_ expression: String) async throws -> String {
        let words = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", Self.prelude + "\n" + expression]
        return try await output(words)
    }
}
