import Shared

extension Options {
    static let version = "deploy-swift 0.1.0"

    /// What `--help` prints, one screen.
    static let help = """
        usage: deploy [options] [target] [-- nix arguments]
               deploy status [options] [target]

        Deploys the profiles of a flake's `deploy` attribute. A target is a flake, flake#node or flake#node.profile;
        unless given, the flake in this folder. (A flake in a folder named status is ./status.)

              --targets TARGET…          several targets
          -f, --file FILE                read a Nix file or folder instead of a flake; targets are then node.profile
          -i, --interactive              show what will be deployed and ask first
          -s, --skip-checks              do not run the flake's checks
              --skip-health-checks       do not ask whether what was activated is healthy
              --dry-activate             only show what an activation would do
              --boot                     activate at the node's next boot
              --force                    activate again what is unchanged
              --rollback-succeeded BOOL  after a failure, take back what this run had deployed (true)
              --no-barrier               activate each node as soon as it is ready
              --wait-lock SECONDS        wait so long for another deploy that holds a profile (0)
              --remote-build             build on the nodes
          -k, --keep-result              keep links to what was built, in the folder -r, --result-path DIR (./.deploy-gc)
          -c, --checksigs                let nodes check signatures of what is copied
              --parallel N               nodes copied to, and nodes activated, at a time (10)
              --max-copies N  --max-activations N   other limits for one of the two
              --max-jobs-eval N          flakes evaluated at a time (4)
              --agent FILE               agent to send; closure: the closures' own, as deploy-rs does
              --local                    deploy to this machine, without SSH
              --ssh-transport NAME       automatic, libssh2 or openssh
              --compress auto|on|off     compress copies: auto, over slow links
              --history N                with status: the last N deploys of each profile too
          -d, --debug-logs               show every command
              --log-dir DIR              write logs there too
              --timings [FILE.html]      tell where the time went; with FILE also as a page with a timeline
              --json                     events on standard output, one JSON object a line
          -h, --help     -V, --version

        In place of the flake's settings (BOOL is true or false):
          --hostname HOST  --ssh-user USER  --ssh-opts WORDS  --profile-user USER  --sudo COMMAND
          --interactive-sudo BOOL  --fast-connection BOOL  --auto-rollback BOOL  --magic-rollback BOOL
          --confirm-timeout SECONDS  --activation-timeout SECONDS  --temp-path DIR
          --on-partial-failure rollback|warn  --health-timeout SECONDS

        Nodes go side by side: at most 64 are looked at, --parallel copied to and --parallel activated at a time. Nothing
        is activated anywhere before every check, build and copy has succeeded; with --no-barrier no node waits for another,
        and one that cannot be made ready is left out. The profiles of a node go in order. LOCAL_KEY=FILE in the environment
        signs what is built. `man deploy` tells more.

        Exit status:
        \(exitTable)

        Examples:
          deploy                                     all nodes of the flake here
          deploy .#web1.system                       one profile
          deploy '.#"my.server".system' -s           a name with dots
          deploy --targets .#web1 .#web2 --dry-activate
          deploy -f ./default.nix web1 -- --arg debug true
        """

    private static let exitTable = ExitCode.allCases.map { code in
        let number = String(code.rawValue)
        return "  " + String(repeating: " ", count: max(0, 3 - number.count)) + number + "  " + code.meaning
    }.joined(separator: "\n")
}
