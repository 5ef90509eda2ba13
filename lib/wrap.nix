# An activatable closure: links to all that its base holds, deploy-rs-activate, and the agent as activate-rs.
# A base that holds one of these itself does not build: which activation should win is not ours to guess.
{ system, agent, store, notice }:
{ base, interpreter, activation, dryActivate, boot }:
let
  common = {
    inherit system;
    name = "activatable-${store.name base}";
    base = store.path base;
    script = import ./script.nix { inherit interpreter activation dryActivate boot; };
    # In a file, for a variable of the environment holds 128 KiB at most.
    passAsFile = [ "script" ];
    # Links take milliseconds to make: asking another machine would take longer.
    preferLocalBuild = true;
    allowSubstitutes = false;
  };

  # Static, so it builds in a sandbox that has no shell.
  withAgent = { inherit agent; builder = agent; args = [ "wrap" ]; };

  # nixpkgs' derivations bring coreutils along; elsewhere the builder must find mkdir, ln and chmod on the machine.
  withoutAgent = {
    tools = builtins.concatStringsSep ":" (map (tool: "${tool}/bin") (base.stdenv.initialPath or [ ]));
    builder = base.stdenv.shell or "/bin/sh";
    args = [ "-eu" ./wrap.sh ];
  };
in
derivation (common // (if agent != null then withAgent else builtins.seq notice withoutAgent))
