{
  description = "A Nix deployment pair: magic rollback for any profile on any node";

  # No inputs: the agent builds what is wrapped, so there is nothing to follow and nothing to lock.
  # `inputs.deploy-rs.inputs.nixpkgs.follows` in a flake written for deploy-rs does no harm.

  outputs = { self }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "i686-linux" "x86_64-darwin" "aarch64-darwin" ];
      forEach = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);

      # Where `deploy` is installed; where it is nowhere, all of them, for an error that says how to get it.
      installed = builtins.filter (system: import ./lib/agent.nix system != null) systems;
      packaged = if installed == [ ] then systems else installed;

      overlay = final: prev:
        let system = final.stdenv.hostPlatform.system or final.system;
        in {
          deploy-rs = {
            deploy-rs = import ./lib/package.nix system;
            lib = import ./lib { inherit system; shell = final.runtimeShell or null; };
          };
        };
    in
    {
      lib = forEach systems (system: import ./lib { inherit system; });

      nixosModules.default = import ./lib/nixos-module.nix;

      overlays.default = overlay;
      inherit overlay;

      packages = forEach packaged (system: rec {
        deploy-rs = import ./lib/package.nix system;
        default = deploy-rs;
      });

      apps = forEach packaged (system: rec {
        deploy-rs = { type = "app"; program = "${self.packages.${system}.deploy-rs}/bin/deploy"; };
        default = deploy-rs;
      });
    };
}
