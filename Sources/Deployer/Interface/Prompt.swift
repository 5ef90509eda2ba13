import Shared

/// The question of `-i`, and what is shown before it.
enum Prompt {
    /// What will be deployed, as TOML: a table `[node.profile]` for each profile.
    ///
    /// - Note: as `print_deployment` in deploy-rs `src/cli.rs`, but in the order of the deployment
    static func summary(of plan: Plan) -> String {
        plan.profiles.map(table).joined(separator: "\n")
    }

    /// Asks once: `yes` and `y` go on, whatever their case; anything else does not.
    ///
    /// - Parameters:
    ///   - say: shows a line to the user
    ///   - readLine: the next line of the answer, nil at the end of input
    /// - Throws: ``PromptError``; what `readLine` throws
    static func ask(say: (String) -> Void, readLine: () async throws -> String?) async throws {
        say("Are you sure you want to deploy these profiles?")
        guard let answer = try await readLine() else { throw PromptError.noAnswer }
        guard ["y", "yes"].contains(trimmed(answer).lowercased()) else { throw PromptError.declined }
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
        case .declined: "declined: only yes or y goes on; nothing was changed"
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
