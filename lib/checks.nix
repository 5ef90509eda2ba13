# deployChecks: what `nix flake check` builds to hold a `deploy` attribute against what `deploy` will read.
{ system, agent, store }:
deploy:
let
  # As builtins.toJSON, but a function becomes a mark that the check can name with its path, not a failed evaluation.
  plain = value:
    if builtins.isFunction value || value ? __functor then { __functor = true; }
    else if value ? outPath || builtins.isPath value then store.string value
    else if builtins.isAttrs value then builtins.mapAttrs (_: plain) value
    else if builtins.isList value then map plain value
    else value;
  data = plain deploy;
  problems = import ./schema.nix data;
  sets = value: if builtins.isAttrs value then value else { };
  named = set: map (name: { inherit name; value = sets set.${name}; }) (builtins.attrNames set);

  # What the schema check reports is left out here.
  profiles = builtins.concatMap
    (node: builtins.concatMap
      (profile: if !(builtins.isString (profile.value.path or null)) then [ ] else [{
        node = node.name;
        profile = profile.name;
        path = store.string profile.value.path;
      }])
      (named (sets (node.value.profiles or { }))))
    (named (sets (data.nodes or { })));

  check = name: attributes: derivation ({
    inherit name system;
    preferLocalBuild = true;
    allowSubstitutes = false;
  } // attributes);
in
if agent != null then {
  deploy-schema = check "deploy-schema" {
    builder = agent;
    args = [ "check-schema" ];
    schema = "${../interface.json}";
    # Without context: shapes can be told before anything is built.
    deploy = builtins.unsafeDiscardStringContext (builtins.toJSON data);
    passAsFile = [ "deploy" ];
  };

  deploy-activate = check "deploy-activate" {
    builder = agent;
    args = [ "check-activate" ];
    profiles = builtins.toJSON profiles;
    passAsFile = [ "profiles" ];
  };
} else {
  # Told in Nix itself, by the same rules.
  deploy-schema = check "deploy-schema" {
    builder = "/bin/sh";
    args = [ "-c" "echo deploy fits interface.json >$out" ];
    # An evaluation that names every problem fails sooner than a build.
    problems = if problems == [ ] then null else throw (builtins.concatStringsSep "\n" problems);
  };

  deploy-activate = check "deploy-activate" {
    builder = "/bin/sh";
    args = [ "-eu" ./check-activate.sh ];
    profiles = builtins.concatStringsSep "\n" (map (p: "${p.path} ${p.node}.${p.profile}") profiles);
    passAsFile = [ "profiles" ];
  };
}
