{
  description = "Any files, with a text for each thing that a deploy can do with them";

  inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";

  outputs = { self, deploy-rs }:
    let activate = deploy-rs.lib.x86_64-linux.activate;
    in
    {
      deploy.nodes.web1 = {
        hostname = "web1";
        sshUser = "root";

        profiles.greeting = {
          user = "root";
          path = (activate.custom // {
            # --dry-activate, and --boot; without a text of its own each shows what would be run.
            dryActivate = ''diff /etc/greeting "$PROFILE"/etc/greeting || true'';
            boot = ''echo "the next boot links $PROFILE"; ln -sfn "$(realpath "$PROFILE")"/etc/greeting /etc/greeting.next'';
          }) ./files ''
            # Past the profile's link: what is linked changes when this runs, not when the profile is set.
            ln -sfn "$(realpath "$PROFILE")"/etc/greeting /etc/greeting
            "$PROFILE"/bin/check
          '';
        };

        # Nothing to run: setting the profile is all.
        profiles.tools = {
          user = "root";
          path = activate.noop ./files;
        };
      };

      checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
    };
}
