/// A version of Nix, or of one of its kin: Determinate Nix tells the Nix that it is like, Lix counts from 2.90 on, being a
/// fork of 2.18.
struct NixVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads what `nix --version` prints: `nix (Nix) 2.8.0`, `nix (Lix, like Nix) 2.91.1`,
    /// `nix (Determinate Nix 3.6.5) 2.29.0`, with or without `pre20250101_abc` at the end.
    init?(parsing text: String) {
        let line = text.prefix { $0 != "\n" }
        guard let word = line.split(separator: " ").last else { return nil }
        let numbers = word.split(separator: ".").prefix(2).map { part in
            Int(part.prefix { $0.isASCII && $0.isNumber })
        }
        guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return nil }
        self.init(major, minor)
    }

    static let firstWithFlakes = NixVersion(2, 4)

    /// What is assumed where the version cannot be read.
    static let assumed = NixVersion(2, 34)

    /// Whether `nix build x.drv` builds the file alone and `x.drv^out` its outputs.
    var needsOutputNames: Bool { self >= NixVersion(2, 15) }

    var description: String { "\(major).\(minor)" }

    static func < (left: NixVersion, right: NixVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
