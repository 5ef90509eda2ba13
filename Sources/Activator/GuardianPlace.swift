import Glibc
import Shared

/// Where a guardian runs so that the end of the login that started it is not its own.
enum GuardianPlace: Sendable, Equatable {
    /// A transient unit of the system, for root.
    case systemUnit
    /// A transient unit of our own systemd, which needs no login since we linger.
    case userUnit(runtimeFolder: String)
    /// A session of its own, where there is no systemd, and for a user whose systemd ends with the last login.
    case session

    /// What a unit, which begins with an empty environment, is given. NIX_CONFIG may hold access tokens, and every
    /// local user can read a unit's environment.
    private static func isPassedOn(_ name: String) -> Bool {
        ["PATH", "HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "LOCALE_ARCHIVE"].contains(name)
            || (name.hasPrefix("XDG_") && name.hasSuffix("_HOME"))
            || (name.hasPrefix("NIX_") && name != "NIX_CONFIG")
    }

    static func choose(_ environment: [String: String]) async -> GuardianPlace {
        guard access("/run/systemd/system", F_OK) == 0,
            locateProgram("systemd-run", path: environment["PATH"]) != nil
        else { return .session }
        if geteuid() == 0 { return .systemUnit }
        // One who lingers but has no bus is told that there can be no unit, rather than losing the watch one day.
        return await lingers(environment) ? .userUnit(runtimeFolder: "/run/user/\(geteuid())") : .session
    }

    private static func lingers(_ environment: [String: String]) async -> Bool {
        let words = ["loginctl", "show-user", String(geteuid()), "--property=Linger", "--value"]
        // Where logind does not say so, nobody keeps our systemd: then a session of its own is the safer place.
        let result = try? await LocalCommand(words, environment: environment).run(timeLimit: .seconds(5))
        return result.map { trimmed($0.text) } == "yes"
    }

    /// The command that runs these words there, and ends as they do.
    ///
    /// - Parameter profile: the profile's name, for those who look at the units
    func command(
        _ words: [String], profile: String, token: String, _ environment: [String: String]
    ) -> LocalCommand {
        var environment = environment
        var runner = ["systemd-run"]
        switch self {
        case .session: return LocalCommand(words, environment: environment)
        case .systemUnit: break
        case .userUnit(let folder):
            runner.append("--user")
            // Through sudo they are another user's, or not there at all.
            environment["XDG_RUNTIME_DIR"] = folder
            environment["DBUS_SESSION_BUS_ADDRESS"] = nil
        }
        let name = String(profile.prefix(100).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        runner += ["--quiet", "--wait", "--pipe", "--collect", "--unit=deploy-swift-\(name)-\(token).service"]
        runner.append("--description=deploy-swift's guardian of the profile \(profile)")
        runner += Self.properties.map { "--property=\($0)" }
        let passedOn = environment.filter { Self.isPassedOn($0.key) }.sorted { $0.key < $1.key }
        runner += passedOn.map { "--setenv=\($0.key)=\($0.value)" }
        // systemd would expand variables in them.
        return LocalCommand(runner + ["--"] + words.map { $0.replacing("$", with: "$$") }, environment: environment)
    }

    /// Stopping the unit, or its main process's end, ends nothing that the activation has started; and a watch that is
    /// told to stop goes on, so waiting for its end would only hold up whoever stops it.
    private static let properties = [
        "KillMode=process", "SendSIGKILL=no", "TimeoutStopSec=1s", "OOMPolicy=continue", "WorkingDirectory=/",
    ]
}
