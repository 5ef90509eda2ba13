# As much of nixpkgs as a NixOS recipe needs: systems that write their /etc and note each switch in /root/switched.
{
  outputs = { self }: {
    lib.nixosSystem = { system, modules }:
      let
        arguments = { pkgs.stdenv.hostPlatform = { inherit system; }; inherit config lib; };
        lib = { mkOption = option: option; types = { str = "str"; listOf = type: [ type ]; }; };
        load = module: if builtins.isPath module then load (import module)
          else if builtins.isFunction module then module arguments else module;
        merge = left: right: left // builtins.mapAttrs
          (name: value: if builtins.isAttrs value && builtins.isAttrs (left.${name} or null) then merge left.${name} value
            else value)
          right;
        # Of options only the default is there.
        settings = builtins.foldl' (all: module: let loaded = load module; in merge all (loaded.config or loaded))
          { services.deploy-swift.users = [ ]; } modules;
        greeting = settings.environment.etc.greeting.text;
        unit = settings.systemd.units."deploy-swift-recover.service".text;
        config = merge
          {
            system.build.toplevel = derivation {
              inherit system greeting unit;
              name = "nixos-system-${settings.networking.hostName}";
              builder = "/bin/sh";
              args = [ "-euc" (builtins.readFile ./build.sh) ];
              PATH = "/usr/bin:/bin";
              switch = ./switch-to-configuration;
            };
            boot.loader.efi.efiSysMountPoint = "/boot";
          }
          settings;
      in
      { inherit config; pkgs.runtimeShell = "/bin/bash"; };
  };
}
