import Testing

@testable import Shared

@Test(arguments: [
    ("it's", #"'it'\''s'"#), ("", "''"), ("/nix/store/a-b_c.d", "/nix/store/a-b_c.d"), ("a b", "'a b'"),
    ("$(rm)", "'$(rm)'"), ("~", "'~'"), ("'", #"''\'''"#),
])
func quotesOneShellWord(word: String, expected: String) {
    #expect(shellQuoted(word) == expected)
}
