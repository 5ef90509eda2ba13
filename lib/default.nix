# What a flake calls as deploy-rs.lib.<system>; without flakes:
#   import /usr/local/share/deploy-swift/lib { system = "x86_64-linux"; }
{
  # Where closures are built and activated.
  system ? builtins.currentSystem,
  # The static `activate` for that system: a path, or a string that leads into the store.
  # It builds the wrappers and lies in them as activate-rs; null does without.
  agent ? import ./agent.nix system,
  # The interpreter of activation texts where a base does not bring its own.
  shell ? null,
}:
let
  # Traced once per library, and only where it matters: when something is wrapped.
  notice = builtins.trace
    "deploy-swift: warning: there is no agent binary for ${system}: closures get no activate-rs, which only deploy-rs's own deploy needs"
    null;
  store = import ./store.nix;
  wrap = import ./wrap.nix {
    inherit system store notice;
    agent = if agent == null then null else store.agent agent;
  };
in
rec {
  activate = import ./activate.nix { inherit wrap shell; };

  # deploy-rs's first name for it.
  setActivate = builtins.trace
    "deploy-rs#lib.setActivate is deprecated: call activate.noop, activate.nixos or activate.custom"
    activate.custom;

  deployChecks = import ./checks.nix {
    inherit system store;
    agent = if agent == null then null else store.agent agent;
  };
}
