{
  description = "A system as root, and a service of an unprivileged user beside it";

  inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";

  outputs = { self, deploy-rs }:
    let
      activate = deploy-rs.lib.x86_64-linux.activate;

      # Any word; three are special: "locked-out" stops sshd, "broken" fails to start the service, "unwell" starts but serves errors.
      version = builtins.head (builtins.match "([A-Za-z0-9._-]+)[[:space:]]*" (builtins.readFile ./version));
    in
    {
      deploy.nodes.web1 = {
        hostname = "web1";
        sshUser = "root";
        profilesOrder = [ "system" "hello" ];

        profiles.system = {
          user = "root";
          # In place of nixosConfigurations.…: what it does to a machine is in system/bin/switch.
          path = (activate.custom // { dryActivate = ''"$PROFILE"/bin/switch dry-activate ${version}''; })
            ./system ''"$PROFILE"/bin/switch switch ${version}'';
        };

        profiles.hello = {
          user = "app";
          path = (activate.custom // { dryActivate = "echo would answer with version ${version}"; })
            ./hello ''"$PROFILE"/bin/hello 8080 ${version}'';
          # Unless it answers within five seconds, the node goes back.
          healthCheck = ''"$PROFILE"/bin/check 8080 ${version}'';
          healthTimeout = 5;
        };
      };

      checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
    };
}
