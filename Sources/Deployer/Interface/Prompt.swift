import Shared

/// The question of `-i`, and what is shown before it.
enum Prompt {
    /// How an answer is understood.
    enum Answer: Sendable, Equatable {
        case yes
        /// It sounds like yes; asked once more.
        case almostYes
        case no
        /// Understood as no, and said so.
        case unclear
    }

    /// What will be deployed, as TOML: a table `[node.profile]` for each profile.
    ///
    /// - Note: as `print_deployment` in deploy-rs `src/cli.rs`, but in the order of the deployment
    static func summary(of plan: Plan) -> String {
        plan.profiles.map(table).joined(separator: "\n")
    }

    /// What an answer means; case and white space around it do not count.
    static func answer(_ line: String) -> Answer {
        switch trimmed(line).lowercased() {
        case "y", "yes": .yes
        case "ok", "okay", "yeah", "yep", "yup", "ya", "yea", "ye", "sure", "aye", "true", "1", "please", "of course":
            .almostYes
        case "n", "no", "nope", "nah", "false", "0", "": .no
        default: .unclear
        }
    }

    /// Asks until there is a yes or a no.
    ///
    /// - Parameters:
    ///   - say: shows a line to the user
    ///   - readLine: the next line of the answer, nil at the end of input
    /// - Throws: ``PromptError``; what `readLine` throws
    static func ask(say: (String) -> Void, readLine: () async throws -> String?) async throws {
        say("Are you sure you want to deploy these profiles?")
        guard let first = try await readLine() else { throw PromptError.noAnswer }
        switch answer(first) {
        case .yes: return
        case .no: throw PromptError.declined
        case .unclear:
            say("That was unclear, but sounded like a no. Please say \"yes\" or \"no\".")
            throw PromptError.declined
        case .almostYes: break
        }
        say("That sounds like a yes. To be clear, please say \"yes\": do you want to deploy these profiles?")
        guard let second = try await readLine() else { throw PromptError.noAnswer }
        if answer(second) != .yes { throw PromptError.declined }
    }

    private static func table(_ profile: PlannedProfile) -> String {
        """
        [\(TOML.key(profile.node.text)).\(TOML.key(profile.name.text))]
        user = \(TOML.string(profile.user))
        ssh_user = \(TOML.string(profile.destination.user))
        path = \(TOML.string(profile.path))
        hostname = \(TOML.string(profile.destination.host))
        ssh_opts = \(TOML.array(profile.destination.options))

        """
    }
}

/// A question that was not answered with yes.
enum PromptError: Explained, Equatable {
    case declined
    /// The input ended, as where there is no terminal.
    case noAnswer

    var description: String {
        switch self {
        case .declined: "declined; nothing was changed"
        case .noAnswer: "the question was not answered: standard input has ended; nothing was changed"
        }
    }

    var hint: String? {
        switch self {
        case .declined: nil
        case .noAnswer: "answer on a terminal or with echo yes | deploy -i, or leave -i out"
        }
    }
}
