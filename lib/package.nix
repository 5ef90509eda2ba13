# bin/deploy and the agents it ships, copied from the installed tree around this folder.
system:
let
  agent = import ./agent.nix system;
  systems = if builtins.pathExists ../agents then builtins.attrNames (builtins.readDir ../agents) else [ ];
  files = {
    "bin/deploy" = builtins.path { path = ../bin/deploy; name = "deploy"; };
  } // builtins.listToAttrs (map
    (system: { name = "libexec/deploy-swift/${system}/activate"; value = import ./agent.nix system; })
    systems);
in
if agent == null || !(builtins.pathExists ../bin/deploy) then
  throw ("deploy-swift: there is no deploy for ${system} in ${toString ../.}: a Nix build does not compile Swift; "
    + "run `make install PREFIX=/usr/local` and name path:/usr/local/share/deploy-swift as the input")
else
  derivation {
    inherit system;
    name = "deploy-swift";
    builder = agent;
    args = [ "wrap" "--package" ];
    files = builtins.toJSON files;
    passAsFile = [ "files" ];
    preferLocalBuild = true;
  } // { meta = { description = "A Nix deployment pair with magic rollback"; mainProgram = "deploy"; }; }
