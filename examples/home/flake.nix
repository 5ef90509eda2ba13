{
  description = "A user's home folder, in the shape of a home-manager configuration";

  inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";

  outputs = { self, deploy-rs }: {
    # In place of home-manager.lib.homeManagerConfiguration { … }: its activation package is a folder with `activate`.
    homeConfigurations.app.activationPackage = ./generation;

    deploy.nodes.web1 = {
      hostname = "web1";
      profiles.home = {
        # root copies, for the node's Nix trusts it; with `app` among its trusted-users, `app` can log in itself.
        sshUser = "root";
        user = "app";
        path = deploy-rs.lib.x86_64-linux.activate.home-manager self.homeConfigurations.app;
      };
    };

    checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
  };
}
