import Foundation
import Testing

/// The table in `Tests/README.md` against the tests that there are.
struct FailureListTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .path

    @Test func everyKnownFailureHasItsRow() throws {
        let numbers = try Self.rows().map { $0.prefix { $0 != " " } }
        #expect(numbers.map(String.init) == (1...33).map { "R\($0)" })
    }

    @Test func everyTestThatIsNamedExists() throws {
        let sources = try Self.sources()
        for row in try Self.rows() {
            let names = row.split(separator: "`").filter { $0.contains("Tests.") }
            #expect(!names.isEmpty || row.contains("| not covered: "), "\(row)")
            for name in names {
                let parts = name.split(separator: ".")
                let exists = sources.contains { name, text in
                    name == "\(parts[0]).swift" && text.contains("func \(parts[1])(")
                }
                #expect(exists, "\(name)")
            }
        }
    }

    private static func rows() throws -> [String] {
        let text = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
        return text.split(separator: "\n").filter { $0.hasPrefix("| R") }.map { String($0.dropFirst(2)) }
    }

    /// Texts by their file's name.
    private static func sources() throws -> [(name: String, text: String)] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".swift") }
        return try paths.map { path in
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return (name, try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8))
        }
    }
}
