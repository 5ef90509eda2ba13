import Foundation
import Testing

@testable import Deployer

/// The man page and the completions name exactly the options that there are, as `--help` does.
struct HelpAgreementTests {
    private static let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized.path

    private static func text(_ file: String) throws -> String {
        try String(contentsOfFile: "\(root)/share/\(file)", encoding: .utf8)
    }

    private static let names = Set(OptionName.allCases.map(\.long))
    private static let letters = Set(OptionName.allCases.compactMap(\.short).map { "-\($0)" })

    /// Every word of the text that looks like an option and that deploy could take: not those of other programs.
    private static func options(in text: String) -> Set<String> {
        let option = /(?:^|[\s'",({])(--?[A-Za-z][a-z0-9-]*)(?![A-Za-z0-9-])/.anchorsMatchLineEndings()
        let matches = text.matches(of: option)
        return Set(matches.map { String($0.output.1) })
    }

    @Test func theHelpNamesEveryOption() {
        let found = Self.options(in: Options.help)
        #expect(found.subtracting(["--arg"]) == Self.names.union(Self.letters))
    }

    @Test func theManPageNamesEveryOptionAndExitStatus() throws {
        let text = try Self.text("man/man1/deploy.1").replacing("\\-", with: "-")
        let options = text.prefix(upTo: try #require(text.range(of: ".SH ENVIRONMENT")).lowerBound)
        let tags = options.split(separator: "\n").filter { $0.hasPrefix(".BR -") || $0.hasPrefix(".B -") }
        #expect(Self.options(in: tags.joined(separator: "\n")).subtracting(["--"]) == Self.names.union(Self.letters))
        for line in Options.help.split(separator: "\n") {
            guard let match = line.wholeMatch(of: /\s+([0-9]+)  (.*)/) else { continue }
            #expect(text.contains(".B \(match.output.1)\n\(match.output.2)\n"), "\(line)")
        }
        #expect(text.contains("\"\(Options.version)\""))
    }

    @Test func theBashCompletionKnowsEveryOption() throws {
        let text = try Self.text("completions/deploy.bash")
        let list = try #require(text.firstMatch(of: /-W "(--targets[^"]*)"/)).output.1
        #expect(Set(list.split(whereSeparator: \.isWhitespace).map(String.init)) == Self.names.union(Self.letters))
    }

    @Test func theZshCompletionKnowsEveryOption() throws {
        let lines = try Self.text("completions/_deploy").split(separator: "\n").filter { $0.hasPrefix("    ") }
        let found = lines.reduce(into: Set<String>()) { found, line in
            let head = line.prefix { $0 != "[" }
            found.formUnion(head.matches(of: /--?[A-Za-z][a-z0-9-]*/).map { String($0.output) })
        }
        #expect(found == Self.names.union(Self.letters))
    }

    @Test func theFishCompletionKnowsEveryOption() throws {
        let text = try Self.text("completions/deploy.fish")
        let long = Set(text.matches(of: #/ -l ([a-z0-9-]+)/#).map { "--\($0.output.1)" })
        let short = Set(text.matches(of: #/ -s ([A-Za-z])(?= )/#).map { "-\($0.output.1)" })
        #expect(long == Self.names)
        #expect(short == Self.letters)
    }
}
