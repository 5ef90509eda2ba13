# As much of deploy-rs's library as a recipe needs; the test puts the stand-in for its agent beside this file.
{
  outputs = { self }: {
    lib.aarch64-darwin.activate.darwin = configuration: derivation {
      system = "aarch64-darwin";
      name = "activatable-darwin-system";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      base = configuration.config.system.build.toplevel;
      agent = ./activate-rs;
      args = [ "-euc" ''
        mkdir "$out"
        ln -s "$base/activate" "$out/activate"
        printf '#!/bin/sh\nHOME=/var/root "$PROFILE"/activate\n' >"$out/deploy-rs-activate"
        cp "$agent" "$out/activate-rs"
        chmod +x "$out/deploy-rs-activate" "$out/activate-rs"
      '' ];
    };
  };
}
