import Shared
import Testing

/// Where the guardian of an unprivileged user's profile runs depends on what logind does with that user's processes.
@Suite(
    .serialized, .enabled(if: SystemdLab.isAvailable, Comment(rawValue: SystemdLab.obstacle ?? "")),
    .timeLimit(.minutes(10)))
struct SystemdUserTests {
    private static func endSessions(of user: String) -> String { "loginctl terminate-user \(user)" }
    private static let hint = "`loginctl enable-linger app` there cures it"

    /// Deploys `one`, then `two`, whose login is lost in the middle of the activation.
    private func losingLogin(
        _ app: AppProfile, by end: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RunningDeploy {
        try await app.deployed("one", sourceLocation: sourceLocation)
        let run = try app.start("two", then: AppProfile.hold)
        try await app.scene.node.waits(for: AppProfile.isHeld)
        try await app.scene.node.shell(end)
        try await run.says("contact was lost")
        try await app.scene.node.shell(AppProfile.release)
        return run
    }

    @Test(arguments: ["app", "deploy"])
    func whoLingersHasAUnitOfTheirOwn(sshUser: String) async throws {
        try await SystemdLab.withScene(options: ["--trust", "app", "--trust", "deploy"]) { scene in
            try await scene.node.shell("loginctl enable-linger app")
            try await scene.node.waits(for: "[ -S /run/user/2001/bus ]")
            let app = AppProfile(scene: scene, sshUser: sshUser)
            // The user's whole slice would take their own systemd with it: the login's session is what is lost.
            // One that is gone by then (5) is lost as well.
            let scopes = "'session-*.scope'"
            let end = "systemctl kill --signal=KILL \(scopes); systemctl stop \(scopes) || [ $? = 5 ]"
            let run = try await losingLogin(app, by: end)
            try await expect(
                run, endsAs: .done, says: "user@2001.service/app.slice/deploy-swift-app-",
                "deployed and confirmed on generation 2")
            #expect(!run.text.contains(Self.hint))
            #expect(try await app.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
        }
    }

    @Test func whoDoesNotLingerIsStartedByRootWhereRootCanBeHad() async throws {
        try await SystemdLab.withScene(options: ["--trust", "deploy"]) { scene in
            let app = AppProfile(scene: scene, sshUser: "deploy")
            let run = try await losingLogin(app, by: Self.endSessions(of: "deploy"))
            try await expect(
                run, endsAs: .done, says: "/system.slice/run-", "deployed and confirmed on generation 2")
            #expect(!run.text.contains(Self.hint))
            #expect(try await app.state() == .init(current: 2, generations: [1, 2], marks: ["one", "two"]))
            // Nothing of root's is left in the user's folders.
            #expect(try await scene.node.shell("find /home/app -not -user app") == "")
        }
    }

    @Test func whoLingersButHasNoBusIsToldThatThereIsNoUnit() async throws {
        try await SystemdLab.withScene(options: ["--trust", "app"]) { scene in
            try await scene.node.shell("loginctl enable-linger app")
            try await scene.node.waits(for: "[ -S /run/user/2001/bus ]")
            try await scene.node.shell("rm /run/user/2001/bus")
            let result = try await AppProfile(scene: scene, sshUser: "app").deploy("one")
            expect(
                result, is: .done, says: "the guardian could not be made a unit of systemd",
                "/user.slice/user-2001.slice/session-", "deployed and confirmed on generation 1")
        }
    }

    /// The password that was asked for to become the user does for root too, and is asked for once.
    @Test func rootIsHadWithThePasswordThatWasGiven() async throws {
        try await SystemdLab.withScene(options: ["--trust", "admin"]) { scene in
            let settings = "sshUser = \"admin\"; interactiveSudo = true;"
            let profile = Fixture.Profile(
                name: "app", user: "app", activation: "tail -n 1 /proc/self/cgroup; id -un", extra: settings)
            try scene.fixture.write([profile])
            let run = try await scene.lab.deployOnTerminal(
                [scene.fixture.flake], answers: [("Password: ", "correct horse")])
            #expect(run.exit == .code(0), "\(run.text)")
            #expect(run.text.contains("/system.slice/run-"), "\(run.text)")
            #expect(run.text.split(separator: "Password: ").count == 2, "\(run.text)")
            #expect(try await scene.node.shell("find /home/app -not -user app") == "")
        }
    }

    @Test func whereNeitherCanBeHadThePreflightSaysWhatALostLoginMeans() async throws {
        try await SystemdLab.withScene(options: ["--trust", "app"]) { scene in
            let app = AppProfile(scene: scene, sshUser: "app")
            try await app.deployed("one")
            // Who only asks need not know.
            let status = try await scene.status()
            expect(status, is: .done, says: "generation 1")
            #expect(!status.errorText.contains(Self.hint))
            let run = try app.start("two", then: AppProfile.hold, ["--confirm-timeout", "60"])
            try await run.says(Self.hint)
            try await scene.node.waits(for: AppProfile.isHeld)
            try await scene.node.shell(Self.endSessions(of: "app"))
            // The deployer is the one who comes next.
            try await expect(run, endsAs: .rolledBack, says: "rolled back, now on generation 1")
            #expect(try await app.state() == .init(current: 1, generations: [1, 2], marks: ["one", "two", "one"]))
        }
    }

    @Test func whereLogindKillsNothingASessionOfItsOwnIsEnough() async throws {
        try await SystemdLab.withScene(killsUserProcesses: false, options: ["--trust", "app"]) { scene in
            let app = AppProfile(scene: scene, sshUser: "app")
            let run = try await losingLogin(app, by: "pkill -9 -f '^sshd(-session)?: app'")
            try await expect(
                run, endsAs: .done, says: "/user.slice/user-2001.slice/session-",
                "deployed and confirmed on generation 2")
            #expect(!run.text.contains(Self.hint))
        }
    }
}
