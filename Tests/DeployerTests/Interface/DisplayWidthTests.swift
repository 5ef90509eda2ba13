import Testing

@testable import Deployer

struct DisplayWidthTests {
    @Test(arguments: [
        ("web1", 4), ("", 0), ("日本", 4), ("e\u{301}", 1), ("한국", 4), ("ﾊﾝｶｸ", 4), ("🚀", 2), ("a\u{200b}b", 2),
        ("…", 1), ("é", 1), ("👩\u{200d}🔧", 4), ("\u{ad}", 1),
    ])
    func aTextTakesSoManyColumnsAtMost(text: String, width: Int) { #expect(displayWidth(text) == width) }

    @Test(arguments: [
        ("server", 6, "server"), ("server", 5, "ser.."), ("日本語", 5, "日.."), ("日本語", 6, "日本語"), ("server", 1, "."),
        ("server", 0, ""), ("e\u{301}e\u{301}e\u{301}", 2, ".."),
    ])
    func aTextIsCutToItsColumns(text: String, columns: Int, cut: String) {
        #expect(fitted(text, to: columns) == cut)
        #expect(displayWidth(fitted(text, to: columns)) <= columns)
    }

    @Test func paddingCountsColumns() { #expect(padded("日", to: 4) == "日  ") }

    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_575, "1.0 MiB"), (126_143_693, "120.3 MiB"),
        (5 << 40, "5.0 TiB"),
    ])
    func bytesAreForPeople(count: Int, text: String) { #expect(bytesText(count) == text) }

    @Test(arguments: [
        (Duration.milliseconds(1900), "1 s", "1.9 s"), (.seconds(65), "1 min 05 s", "1 min 05 s"),
        (.milliseconds(40), "0 s", "0.04 s"), (.milliseconds(997), "0 s", "1.0 s"),
        (.seconds(7380), "2 h 03 min", "2 h 03 min"),
    ])
    func durationsAreForPeople(duration: Duration, text: String, precise: String) {
        #expect(durationText(duration) == text)
        #expect(preciseText(duration) == precise)
    }

    @Test func whatDrivesATerminalIsMadeVisible() {
        #expect(printable("a\u{1b}[31mb\u{1b}[0m\u{7}\u{85}") == "ab\\u{7}\\u{85}")
        #expect(printable("\u{202e}evil\u{2066}\u{2028}") == "\\u{202e}evil\\u{2066}\\u{2028}")
        #expect(printable("\u{1b}]0;title\u{7}") == "\\u{1b}]0;title\\u{7}")
    }
}
