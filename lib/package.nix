# bin/deploy and the agents it ships, copied from the installed tree around this folder.
system:
let
  agent = import ./agent.nix system;
  folder = ../agents;
  systems = if builtins.pathExists folder then builtins.attrNames (builtins.readDir folder) else [ ];
  one = name: file: builtins.path { inherit name; path = file; };
  files = { "bin/deploy" = one "deploy" ../bin/deploy; } // builtins.listToAttrs (map
    (system: {
      name = "libexec/deploy-swift/${system}/activate";
      value = one "activate" (folder + "/${system}/activate");
    })
    systems);
in
if agent == null || !(builtins.pathExists ../bin/deploy) then
  throw ("deploy-swift: there is no deploy for ${system} in ${toString ../.}: a Nix build does not compile Swift; "
    + "run `make install PREFIX=/usr/local` and name path:/usr/local/share/deploy-swift as the input")
else
  derivation {
    inherit system;
    name = "deploy-swift";
    builder = one "activate" agent;
    args = [ "wrap" "--package" ];
    files = builtins.toJSON files;
    passAsFile = [ "files" ];
    preferLocalBuild = true;
  } // { meta = { description = "A Nix deployment pair with magic rollback"; mainProgram = "deploy"; }; }
