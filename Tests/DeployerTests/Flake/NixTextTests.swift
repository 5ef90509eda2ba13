import Testing

@testable import Deployer

@Test(arguments: [
    ("a", #""a""#), (#"we"ird${x}\"#, #""we\"ird\${x}\\""#), ("$$", #""\$\$""#), ("a\nb\t\r", #""a\nb\t\r""#),
])
func writesANixString(text: String, expected: String) {
    #expect(NixText.string(text) == expected)
}

@Test func anAttributePathQuotesWhatIsNoIdentifier() {
    #expect(NixText.attributePath(["deploy", "my.server", "_a-b'", "10"]) == #"deploy."my.server"._a-b'."10""#)
}

@Test(arguments: [
    ("nix (Nix) 2.8.0", 2, 8), ("nix (Nix) 2.35.0pre20250101_abc\n", 2, 35),
    ("nix (Lix, like Nix) 2.91.1\nSystem type: x", 2, 91), ("nix (Lix, like Nix) 2.93.0-dev-pre1", 2, 93),
    ("nix (Determinate Nix 3.6.5) 2.29.0", 2, 29), ("nix (Nix) 3.0", 3, 0),
])
func readsAVersion(text: String, major: Int, minor: Int) throws {
    let version = try #require(NixVersion(parsing: text))
    #expect(version.major == major)
    #expect(version.minor == minor)
}

@Test(arguments: ["", "nix", "nix (Nix) x.y", "nix (Nix) 2", "nix (Nix) 99999999999999999999.1"])
func anUnreadableVersionIsNone(text: String) {
    #expect(NixVersion(parsing: text) == nil)
}
