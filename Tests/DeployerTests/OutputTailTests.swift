import Shared
import Testing

@testable import Deployer

struct OutputTailTests {
    @Test func theRollbacksLinesPushNoneOfTheActivationsOut() {
        let tail = OutputTail()
        for number in 1...25 { tail.hear(.output(stream: .stdout, line: "new \(number)")) }
        tail.hear(.activationEnded(.code(1), timedOut: false))
        tail.hear(.rollingBack(reason: "it failed"))
        for number in 1...25 { tail.hear(.output(stream: .stderr, line: "old \(number)")) }
        #expect(tail.activation == (6...25).map { "new \($0)" })
        #expect(tail.rollback == (6...25).map { "old \($0)" })
    }

    @Test func whatTheNodeHasKeptTakesThePlaceOfWhatWasLost() {
        let tail = OutputTail()
        tail.hear(.output(stream: .stdout, line: "first"))
        tail.complete(with: [])
        tail.complete(with: ["first"])
        #expect(!tail.hasUnseen)
        tail.complete(with: ["first", "second"])
        #expect(tail.hasUnseen)
        #expect(tail.activation == ["first", "second"])
    }

    @Test(arguments: Verdict.allCases)
    func onlyWhatIsCommittedExitsWithZero(verdict: Verdict) {
        let report = VerdictReport(verdict, generation: nil)
        let outcomes: [ProfileOutcome] = [.ended(report, nonce: ""), .revoked(report)]
        let codes = outcomes.map(\.exitCode)
        #expect((codes[0] == .done) == (verdict == .committed))
        #expect(codes[1] != .done, "what was taken back is not deployed")
        #expect(ExitCode.worst(of: [.done, codes[1], .done]) == codes[1])
    }

    @Test func theStatusCommandAsksTheSameNodesInTheSameWay() throws {
        let words = [
            "--targets", ".#a b", ".#c", "--hostname", "10.0.0.1", "--ssh-opts", "-p 22 -o 'A=b c'", "--boot", "-d",
            "--sudo", "doas -u", "--ssh-transport", "openssh", "--", "--impure",
        ]
        let options = try Options(words)
        let status = try Options(Array(try #require(shellWords(options.statusCommand)).dropFirst()))
        #expect(status.command == .status)
        #expect(status.targets == options.targets)
        #expect(status.overrides == options.overrides)
        #expect(status.transport == .openssh)
        #expect(status.nixArguments == ["--impure"])
        #expect(try Options([]).statusCommand == "deploy status")
        #expect(try Options(["-f", "x.nix", "web1"]).statusCommand == "deploy status --file x.nix web1")
    }
}
