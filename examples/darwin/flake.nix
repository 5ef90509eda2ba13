{
  description = "A Mac under nix-darwin";

  inputs.nix-darwin.url = "github:nix-darwin/nix-darwin";
  # Its library, for there is no agent of deploy-swift's for macOS: the closure brings deploy-rs's own.
  inputs.deploy-rs.url = "github:serokell/deploy-rs";

  outputs = { self, nix-darwin, deploy-rs }: {
    darwinConfigurations.mac = nix-darwin.lib.darwinSystem {
      system = "aarch64-darwin";
      modules = [ ./configuration.nix ];
    };

    deploy.nodes.mac = {
      hostname = "mac.local";
      sshUser = "admin";
      user = "root";
      # Only a Mac can build for a Mac.
      remoteBuild = true;
      profiles.system.path = deploy-rs.lib.aarch64-darwin.activate.darwin self.darwinConfigurations.mac;
    };
  };
}
