import Shared

enum Help {
    static let version = agentVersion + "\n"

    static let text = """
        usage: activate [-d|--debug-logs] [--log-dir DIR] COMMAND …

        Puts a Nix profile on a new generation, and back if that is not confirmed in time.
        A PROFILE is --profile-path PATH, or --profile-user USER --profile-name NAME.

        commands:
          activate CLOSURE PROFILE --temp-path PATH --confirm-timeout SECONDS
                   [--magic-rollback] [--auto-rollback] [--dry-activate] [--boot]
                   [--nonce HEX [--deployer TEXT] [--activation-timeout SECONDS]
                   [--on-partial-failure rollback|warn] [--wait-lock SECONDS]
                    [--health-check COMMAND]… [--health-timeout SECONDS] [--critical-unit UNIT]…
                    [--reboot-if-stuck]]
                   with --nonce: events as JSON lines on standard output
          confirm  PROFILE --nonce HEX [--observe [--await-start]]
                   confirm it, wait for the verdict and print it; with --observe only see how it goes, up to the
                   moment where it can be confirmed, with --await-start even if it has not begun
          revoke   PROFILE [--nonce HEX [--reason TEXT]]
                   take back what was committed, or do not wait for its confirmation any more
          status   PROFILE… [--history N]    print what is there, one JSON line a profile
          recover  [--background] [PROFILE…] finish what was interrupted: in these profiles, else in all on this
                   machine, each as its owner; with --background, only see to it that it is under way
          hold     PATH…                     keep store paths until they are activated, a day at most
          wait     CLOSURE --temp-path PATH [--activation-timeout SECONDS]

        exit codes:
        \(exitCodes)

        example:
          activate status --profile-user root --profile-name system

        """

    private static var exitCodes: String {
        ExitCode.allCases.map { code in
            let number = String(code.rawValue)
            return String(repeating: " ", count: 5 - number.count) + number + "  " + code.meaning
        }.joined(separator: "\n")
    }
}
