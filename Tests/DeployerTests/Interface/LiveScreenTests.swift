import TestSupport
import Testing

@testable import Deployer

/// What a person sees of it on a terminal.
struct LiveScreenTests {
    private let size = ScreenSize(columns: 20, rows: 8)

    @Test func linesScrollUpAboveTheLiveOnes() {
        var live = LiveScreen()
        var screen = Screen(columns: 20, rows: 8)
        screen.write(live.update(live: ["web1  one", "web2  one"], size))
        #expect(screen.lines == ["web1  one", "web2  one"])
        for number in 1...20 {
            let text = ["line \(number)", "a line that is longer than the terminal is wide, \(number)"]
            screen.write(live.update(text: text, live: ["web1  \(number)", "web2  one"], size))
        }
        #expect(screen.lines.count == 42)
        #expect(
            screen.lines.suffix(3) == ["a line that is longer than the terminal is wide, 20", "web1  20", "web2  one"])
        screen.write(live.erase(size))
        #expect(
            screen.lines
                == (1...20).flatMap { ["line \($0)", "a line that is longer than the terminal is wide, \($0)"] })
        #expect(screen.unknown == [])
    }

    @Test func onlyWhatChangesIsWritten() {
        var live = LiveScreen()
        _ = live.update(live: ["one", "two"], size)
        #expect(live.update(live: ["one", "two"], size) == "")
        let bytes = live.update(live: ["one", "TWO"], size)
        #expect(bytes.contains("TWO") && !bytes.contains("one"))
    }

    @Test func fewerAndMoreLinesLeaveNothingBehind() {
        var live = LiveScreen()
        var screen = Screen(columns: 20, rows: 8)
        for count in [3, 1, 4, 0, 2] {
            let lines = (0..<count).map { "line \($0) of \(count)" }
            screen.write(live.update(live: lines, size))
            #expect(screen.lines == lines)
        }
    }

    @Test(arguments: [7, 10, 19, 40])
    func aNewWidthLeavesNothingBehind(columns: Int) {
        var live = LiveScreen()
        var screen = Screen(columns: 20, rows: 8)
        screen.write(live.update(text: ["stays"], live: ["web1  copying 1 MiB", "web2  copying 1 MiB"], size))
        screen.resize(columns: columns)
        let after = ScreenSize(columns: columns, rows: 8)
        screen.write(live.update(text: ["new"], live: ["web1", "web2"], after))
        #expect(screen.lines == ["stays", "new", "web1", "web2"])
    }

    @Test func whatIsForgottenStays() {
        var live = LiveScreen()
        var screen = Screen(columns: 20, rows: 8)
        screen.write(live.update(live: ["web1  one"], size))
        screen.write("Password: \n")
        live.forget()
        screen.write(live.update(live: ["web1  two"], size))
        #expect(screen.lines == ["web1  one", "Password:", "web1  two"])
    }
}
