# The ways to make a closure activatable, under deploy-rs's names and in its calling shapes.
{ wrap, shell }:
let
  # A flake without nixpkgs has neither of the first two.
  interpreter = base: base.pkgs.runtimeShell or base.stdenv.shell or (if shell == null then "/usr/bin/env bash" else shell);

  # `base` is what links are made to; `source` is asked for the interpreter first, where it is another thing.
  custom = {
    __functor = self: base: activation: wrap {
      inherit base activation;
      interpreter = self.interpreter or (interpreter base);
      dryActivate = self.dryActivate or null;
      boot = self.boot or null;
    };
  };

  of = source: base: custom // { interpreter = source.pkgs.runtimeShell or (interpreter base); };
in
{
  # custom base "text", or (custom // { dryActivate = "text"; boot = "text"; }) base "text"
  inherit custom;

  # A NixOS configuration.
  nixos = source:
    let
      toplevel = source.config.system.build.toplevel;
      systemdBoot = source.config.boot.loader.systemd-boot.enable or false;
      loaderConf = "${source.config.boot.loader.efi.efiSysMountPoint}/loader/loader.conf";
    in
    (of source toplevel // {
      dryActivate = ''"$PROFILE"/bin/switch-to-configuration dry-activate'';
      boot = ''"$PROFILE"/bin/switch-to-configuration boot'';
    }) toplevel ''
      # A switch that begins in a folder which it then unmounts or replaces goes wrong (nixpkgs issue 73404).
      cd /tmp
      "$PROFILE"/bin/switch-to-configuration switch
      ${if !systemdBoot then "" else ''
        # A default entry picked earlier would outlive this switch, and boot the old system (deploy-rs issue 31).
        sed -i '/^default /d' '${loaderConf}'
      ''}'';

  # A home-manager configuration.
  home-manager = source:
    of source source.activationPackage source.activationPackage ''"$PROFILE"/activate'';

  # A nix-darwin configuration. sudo on macOS keeps HOME, and the activation looks at root's channels there.
  darwin = source:
    let toplevel = source.config.system.build.toplevel;
    in of source toplevel toplevel ''HOME=/var/root "$PROFILE"/activate'';

  # Nothing to run: setting the profile is all.
  noop = base: custom base ":";
}
