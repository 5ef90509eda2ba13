{
  description = "One node, one profile";

  inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";

  outputs = { self, deploy-rs }: {
    deploy.nodes.web1 = {
      hostname = "web1";
      profiles.hello = {
        sshUser = "root";
        user = "app";
        # Any derivation or folder will do; the text runs in the profile, as `user`.
        path = deploy-rs.lib.x86_64-linux.activate.custom ./hello "./bin/hello";
      };
    };

    checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
  };
}
