{
  description = "A service of an unprivileged user, under that user's own systemd";

  inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";

  outputs = { self, deploy-rs }:
    let
      activate = deploy-rs.lib.x86_64-linux.activate;
      version = builtins.head (builtins.match "([A-Za-z0-9._-]+)[[:space:]]*" (builtins.readFile ./version));
    in
    {
      deploy.nodes.web1 = {
        hostname = "web1";

        profiles.hello = {
          # root copies, for the node's Nix trusts it; with `app` among its trusted-users, `app` can log in itself.
          sshUser = "root";
          user = "app";
          path = (activate.custom // { dryActivate = "echo would run version ${version}"; })
            ./service ''"$PROFILE"/bin/switch ${version}'';
        };
      };

      checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
    };
}
