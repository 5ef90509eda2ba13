# nixosModules.default: at boot, finishes what a power loss has interrupted, in the profiles of root and of all users. The
# agent has a name that stays as well, for `agentPath`, with one rule of sudo's for whoever may run it as root.
{ config, lib, pkgs, ... }:
let
  system = pkgs.stdenv.hostPlatform.system;
  found = import ./agent.nix system;
  agent = if found == null then throw "deploy-swift: there is no agent binary for ${system}" else found;
  stable = "deploy-swift/activate";
in
{
  options.services.deploy-swift.users = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    default = [ ];
    example = [ "deploy" ];
    description = "Users who may run /etc/${stable} as root without a password: by that they may activate any closure as root.";
  };

  config = {
    environment.etc.${stable}.source = agent;

    security.sudo.extraRules = map
      (user: {
        users = [ user ];
        runAs = "root";
        commands = [{ command = "/etc/${stable}"; options = [ "NOPASSWD" ]; }];
      })
      config.services.deploy-swift.users;

    systemd.units."deploy-swift-recover.service" = {
      # As the file that other systems get, with the agent from the store.
      text = builtins.replaceStrings [ "/usr/local/sbin/deploy-swift-activate" ] [ agent ]
        (builtins.readFile ./deploy-swift-recover.service);
      wantedBy = [ "multi-user.target" ];
    };
  };
}
