{
  description = "Two NixOS systems: web1 deployed plain, web2 wrapped as for deploy-rs";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.deploy-rs.url = "path:/usr/local/share/deploy-swift";

  outputs = { self, nixpkgs, deploy-rs }:
    let
      system = name: nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        modules = [
          # Finishes at boot what a power loss has interrupted.
          deploy-rs.nixosModules.default
          ./configuration.nix
          { networking.hostName = name; }
        ];
      };
    in
    {
      nixosConfigurations = { web1 = system "web1"; web2 = system "web2"; };

      deploy = {
        sshUser = "root";
        user = "root";

        # The node tries it first; only once confirmed it becomes the profile's, and the next boot's.
        nodes.web1 = {
          hostname = "web1";
          profiles.system.path = self.nixosConfigurations.web1.config.system.build.toplevel;
        };

        # In deploy-rs's way: the profile is set, then switched to. deploy-rs can deploy this one, too.
        nodes.web2 = {
          hostname = "web2";
          profiles.system.path = deploy-rs.lib.x86_64-linux.activate.nixos self.nixosConfigurations.web2;
        };
      };

      checks = builtins.mapAttrs (system: deployLib: deployLib.deployChecks self.deploy) deploy-rs.lib;
    };
}
