import Shared
import Testing

@testable import Activator

/// Where a guardian runs, word for word.
struct GuardianPlaceTests {
    private let words = ["/a/activate", "guardian", "watch", "begin", "/p/cost$HOME", "t"]
    private let environment = [
        "PATH": "/bin", "HOME": "/root", "USER": "root", "XDG_RUNTIME_DIR": "/run/user/0", "LOCALE_ARCHIVE": "/l",
        "NIX_PATH": "n=%h $x", "NIX_CONFIG": "access-tokens = x", "XDG_STATE_HOME": "/s", "SSH_CLIENT": "1",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/elsewhere",
    ]

    private func command(_ place: GuardianPlace, profile: String = "sys tem") -> LocalCommand {
        place.command(words, profile: profile, token: "0a1b2c3d", environment)
    }

    @Test func aSessionOfItsOwnNeedsNoOtherWords() {
        let command = command(.session)
        #expect(command.words == words)
        #expect(command.environment == environment)
    }

    @Test func rootsUnitKillsNothingAndKnowsItsEnvironmentByName() {
        #expect(
            command(.systemUnit).words == [
                "systemd-run", "--quiet", "--wait", "--pipe", "--collect",
                "--unit=deploy-swift-sys_tem-0a1b2c3d.service",
                "--description=deploy-swift's guardian of the profile sys tem", "--property=KillMode=process",
                "--property=SendSIGKILL=no", "--property=TimeoutStopSec=1s", "--property=OOMPolicy=continue",
                "--property=WorkingDirectory=/", "--setenv=HOME=/root", "--setenv=LOCALE_ARCHIVE=/l",
                "--setenv=NIX_PATH=n=%h $x", "--setenv=PATH=/bin", "--setenv=USER=root",
                "--setenv=XDG_RUNTIME_DIR=/run/user/0", "--setenv=XDG_STATE_HOME=/s", "--", "/a/activate", "guardian",
                "watch", "begin", "/p/cost$$HOME", "t",
            ])
    }

    @Test func aUsersOwnSystemdIsFoundThroughSudoToo() {
        let command = command(.userUnit(runtimeFolder: "/run/user/7"))
        #expect(command.words.prefix(3) == ["systemd-run", "--user", "--quiet"])
        #expect(command.words.contains("--setenv=XDG_RUNTIME_DIR=/run/user/7"))
        #expect(command.environment["XDG_RUNTIME_DIR"] == "/run/user/7")
        #expect(command.environment["DBUS_SESSION_BUS_ADDRESS"] == nil)
    }

    @Test func aLongProfilesNameIsCutToWhatAUnitMayHave() {
        let name = String(repeating: "é/", count: 200)
        let unit = command(.systemUnit, profile: name).words.first { $0.hasPrefix("--unit=") }
        #expect((unit?.utf8.count ?? 999) < 200)
        #expect(unit?.hasSuffix("__-0a1b2c3d.service") == true)
    }
}
