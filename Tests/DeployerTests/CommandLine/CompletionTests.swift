import Foundation
import Shared
import Testing

@testable import Deployer

/// The completions, asked by the shells themselves.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct CompletionTests {
    /// A command line up to the cursor, and what must and must not be offered.
    struct Case: Sendable, CustomTestStringConvertible {
        var line: String
        var offers: [String]
        var offersNot: [String] = []

        var testDescription: String { line }
    }

    static let cases = [
        Case(line: "deploy --", offers: OptionName.allCases.map(\.long), offersNot: ["file.nix"]),
        Case(line: "deploy --magic-rollback ", offers: ["true", "false"], offersNot: ["folder/", "status"]),
        Case(line: "deploy ", offers: ["status", "folder/"], offersNot: ["file.nix", "true"]),
        Case(line: "deploy --file ", offers: ["file.nix", "folder/"], offersNot: ["status"]),
        Case(line: "deploy --log-dir ", offers: ["folder/"], offersNot: ["file.nix", "status"]),
        Case(line: "deploy --compress ", offers: ["auto", "on", "off"], offersNot: ["folder/"]),
        Case(line: "deploy --ssh-transport ", offers: ["automatic", "libssh2", "openssh"], offersNot: ["folder/"]),
        Case(line: "deploy --targets . ", offers: ["folder/"], offersNot: ["status", "file.nix"]),
        Case(line: "deploy --targets . --ma", offers: ["--magic-rollback"], offersNot: ["folder/"]),
        Case(line: "deploy status ", offers: ["folder/"], offersNot: ["status", "file.nix"]),
        Case(line: "deploy --parallel ", offers: [], offersNot: ["status", "folder/"]),
    ]

    @Test("bash", .enabled(if: has("bash"), "bash is not installed"), arguments: cases)
    func bash(line: Case) async throws {
        let script = """
            . \(Self.folder)/deploy.bash
            read -ra COMP_WORDS <<<"$1"
            [[ $1 == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _deploy
            for word in "${COMPREPLY[@]}"; do [[ -d $word ]] && echo "$word/" || echo "$word"; done
            """
        try await expect(line, ["bash", "-c", script, "bash", line.line])
    }

    @Test("fish", .enabled(if: has("fish"), "fish is not installed"), arguments: cases)
    func fish(line: Case) async throws {
        let script = "source \(Self.folder)/deploy.fish; complete -C $argv[1] | string split -f 1 \\t"
        try await expect(line, ["fish", "--no-config", "-c", script, line.line])
    }

    /// zsh completes only on a terminal: it gets one from its own zpty, and its `compadd` tells what it was given.
    @Test("zsh", .enabled(if: has("zsh"), "zsh is not installed"), arguments: cases)
    func zsh(line: Case) async throws {
        let inner = """
            PROMPT= fpath=(\(Self.folder) $fpath); autoload -Uz compinit && compinit -u -D; bindkey '^I' offer
            compadd() {
                if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
                local -a hits; builtin compadd -A hits "$@"
                for hit in $hits; do [[ -d $hit ]] && hit+=/; print -r -- "offer:$hit"; done
                builtin compadd "$@"
            }
            offer() { print; _main_complete; compstate[insert]= compstate[list]=; print -r -- offers-end; }
            zle -C offer complete-word offer; print -r -- rea''dy
            """
        let outer = """
            zmodload zsh/zpty; zpty inner zsh -f -i; zpty -w inner "$1"; zpty -r inner text '*ready*'
            zpty -w -n inner "$2"$'\\t'; zpty -r inner text '*offers-end*'; print -r -- "$text"; zpty -d inner
            """
        let text = inner.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
        try await expect(line, ["zsh", "-f", "-c", outer, "zsh", text, line.line], mark: "offer:")
    }

    private static let folder =
        URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../share/completions").standardized.path

    private static func has(_ shell: String) -> Bool {
        locateProgram(shell, path: currentEnvironment()["PATH"]) != nil
    }

    /// Runs a shell in a folder with a file and a folder in it, and reads one offer a line.
    private func expect(_ line: Case, _ words: [String], mark: String = "") async throws {
        let place = FileManager.default.temporaryDirectory.path + "/completion-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: place + "/folder", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: place) }
        try "".write(toFile: place + "/file.nix", atomically: true, encoding: .utf8)
        var command = LocalCommand(words)
        command.directory = place
        command.environment["HOME"] = place
        let result = try await command.run(timeLimit: .seconds(120))
        // A terminal's line ends are one character each to Swift.
        let lines = result.text.split(whereSeparator: \.isNewline)
        let offers = Set(lines.filter { $0.hasPrefix(mark) }.map { String($0.dropFirst(mark.count)) })
        let shown = Comment(rawValue: "\(result.exit) \(result.text) \(result.errorText)")
        #expect(offers.isSuperset(of: line.offers), shown)
        #expect(offers.isDisjoint(with: line.offersNot), shown)
    }
}
