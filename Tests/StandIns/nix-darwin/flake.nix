# As much of nix-darwin as a recipe needs: a system whose `activate` writes its file, and where it was told to live.
{
  outputs = { self }: {
    lib.darwinSystem = { system, modules }: {
      config.system.build.toplevel = derivation {
        inherit system;
        name = "darwin-system";
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
        greeting = (import (builtins.head modules)).environment.etc.greeting.text;
        args = [ "-euc" ''
          mkdir "$out"
          printf '#!/bin/sh\nprintf %%s "%s" >/etc/greeting\necho "$HOME $PROFILE" >/etc/activated\n' "$greeting" >"$out/activate"
          chmod +x "$out/activate"
        '' ];
      };
    };
  };
}
